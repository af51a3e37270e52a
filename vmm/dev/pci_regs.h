/*
 * PCI configuration space, from the PCI Local Bus Specification 3.0, "Configuration Space
 * Organization", and the I/O ports of "Software Generation of Configuration Transactions"; ECAM's
 * memory from the PCI Express Base Specification.
 */
#ifndef DEV_PCI_REGS_H
#define DEV_PCI_REGS_H

/* I/O ports of configuration mechanism #1, as offsets from CF8h. */
#define PCI_PORT_BASE    0xCF8u
#define PCI_PORT_COUNT   8u
#define PCI_PORT_ADDRESS 0u /* CF8h RW, dword only: CONFIG_ADDRESS */
#define PCI_PORT_RESET   1u /* CF9h, byte: reset control, lies inside CONFIG_ADDRESS */
#define PCI_PORT_DATA    4u /* CFCh-CFFh RW: CONFIG_DATA, byte lanes */

#define PCI_ADDRESS_ENABLE   0x80000000u
#define PCI_ADDRESS_WRITABLE 0x80FFFFFCu /* reserved bits 30-24 and 1-0 read as zero */

/* ECAM: address bits 27-20 are the bus, 19-15 the device, 14-12 the function, 11-0 the register. */
#define PCI_ECAM_SIZE 0x100000u /* of bus 0 */

/* Type 0 header. */
#define PCI_CONFIG_SIZE         256u
#define PCI_VENDOR_ID           0x00u /* RO 16 */
#define PCI_DEVICE_ID           0x02u /* RO 16 */
#define PCI_COMMAND             0x04u /* RW 16 */
#define PCI_STATUS              0x06u /* RO 16: no error bit is ever set here */
#define PCI_REVISION_ID         0x08u /* RO 8 */
#define PCI_CLASS_CODE          0x09u /* RO 24: interface, subclass, class */
#define PCI_HEADER_TYPE         0x0Eu /* RO 8: type 0, one function */
#define PCI_BAR0                0x10u /* RW 6 x 32: base addresses */
#define PCI_SUBSYSTEM_VENDOR_ID 0x2Cu /* RO 16 */
#define PCI_SUBSYSTEM_ID        0x2Eu /* RO 16 */
#define PCI_CAPABILITIES        0x34u /* RO 8: offset of the first */
#define PCI_INTERRUPT_LINE      0x3Cu /* RW 8: scratch for firmware and OS */
#define PCI_INTERRUPT_PIN       0x3Du /* RO 8: 1 is INTA# */
#define PCI_HEADER_END          0x40u /* first byte free for capabilities */

#define PCI_COMMAND_IO           0x0001u
#define PCI_COMMAND_MEMORY       0x0002u
#define PCI_COMMAND_MASTER       0x0004u
#define PCI_COMMAND_INTX_DISABLE 0x0400u

#define PCI_STATUS_INTERRUPT    0x0008u /* INTx wanted, whatever INTX_DISABLE says */
#define PCI_STATUS_CAPABILITIES 0x0010u

#define PCI_BAR_TYPE_IO     0x1u
#define PCI_BAR_TYPE_MEM64  0x4u
#define PCI_BAR_MEM_FLAGS   0xFu
#define PCI_BAR_IO_FLAGS    0x3u
#define PCI_BAR_MIN_MEMORY  16u
#define PCI_BAR_MIN_IO      4u
#define PCI_BAR_REGISTERS   6u
#define PCI_MAX_SLOTS       32u
#define PCI_INTX_LINK_COUNT 4u

#define PCI_CAP_ID_VENDOR 0x09u
#define PCI_CAP_ID_MSIX   0x11u

#endif
