/* Registers of the I/O APIC, by the names of Intel's 82093AA data sheet. */
#ifndef DEV_IOAPIC_REGS_H
#define DEV_IOAPIC_REGS_H

/* Offsets in its page. */
#define IOAPIC_REGSEL 0x00u /* RW 7-0: which register IOWIN shows */
#define IOAPIC_WIN    0x10u /* RW */
#define IOAPIC_EOI    0x40u /* WO 7-0 vector: version 20h has it */

/* What REGSEL selects. */
#define IOAPIC_ID          0x00u /* RW 27-24 */
#define IOAPIC_VERSION     0x01u /* RO */
#define IOAPIC_ARBITRATION 0x02u /* RO 27-24: the ID */
#define IOAPIC_REDIRECTION 0x10u /* RW two words for each pin */

#define IOAPIC_VERSION_VALUE 0x00170020u /* 24 pins, with EOI register */
#define IOAPIC_ID_BITS       0x0F000000u

/* A redirection entry. */
#define IOAPIC_RTE_DELIVERY(rte)    ((uint32_t)(rte) >> 8 & 7)
#define IOAPIC_RTE_LOGICAL          0x00000800u
#define IOAPIC_RTE_ACTIVE_LOW       0x00002000u
#define IOAPIC_RTE_REMOTE_IRR       0x00004000u /* RO; bit 12, delivery status, is always idle here */
#define IOAPIC_RTE_LEVEL            0x00008000u
#define IOAPIC_RTE_MASKED           0x00010000u
#define IOAPIC_RTE_WRITABLE         0xFF0000000001AFFFull
#define IOAPIC_RTE_DESTINATION(rte) ((uint8_t)((rte) >> 56))

#endif
