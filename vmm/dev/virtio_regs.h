/*
 * Virtio 1.2: "Virtqueue Descriptor Table", "Device Status Field", "Reserved Feature Bits" and
 * "Virtio Over PCI Bus". All fields are little-endian.
 */
#ifndef DEV_VIRTIO_REGS_H
#define DEV_VIRTIO_REGS_H

/* Split virtqueue: a descriptor. */
#define VIRTQ_DESC_SIZE       16u
#define VIRTQ_DESC_ADDR       0u  /* le64 guest physical address */
#define VIRTQ_DESC_LEN        8u  /* le32 bytes */
#define VIRTQ_DESC_FLAGS      12u /* le16 */
#define VIRTQ_DESC_NEXT       14u /* le16 index, valid with F_NEXT */
#define VIRTQ_DESC_F_NEXT     0x1u
#define VIRTQ_DESC_F_WRITE    0x2u /* the device writes it; otherwise it reads it */
#define VIRTQ_DESC_F_INDIRECT 0x4u /* the buffer is a table of descriptors */

/* The driver's area ("available ring") and the device's ("used ring"): le16 flags, le16 index,
 * entries, le16 event. */
#define VIRTQ_RING_FLAGS           0u
#define VIRTQ_RING_INDEX           2u
#define VIRTQ_RING_ENTRIES         4u
#define VIRTQ_AVAIL_ENTRY_SIZE     2u /* le16 head of a chain */
#define VIRTQ_USED_ENTRY_SIZE      8u /* le32 head, le32 bytes written */
#define VIRTQ_RING_OVERHEAD        6u /* flags, index, event */
#define VIRTQ_DESC_ALIGN           16u
#define VIRTQ_AVAIL_ALIGN          2u
#define VIRTQ_USED_ALIGN           4u
#define VIRTQ_AVAIL_F_NO_INTERRUPT 0x1u

/* Device status. */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01u
#define VIRTIO_STATUS_DRIVER      0x02u
#define VIRTIO_STATUS_DRIVER_OK   0x04u
#define VIRTIO_STATUS_FEATURES_OK 0x08u
#define VIRTIO_STATUS_NEEDS_RESET 0x40u /* set by the device only */
#define VIRTIO_STATUS_FAILED      0x80u

/* Feature bits of ring and transport. */
#define VIRTIO_F_RING_INDIRECT_DESC 28u
#define VIRTIO_F_RING_EVENT_IDX     29u
#define VIRTIO_F_VERSION_1          32u

/* PCI identity. */
#define VIRTIO_PCI_VENDOR_ID      0x1AF4u
#define VIRTIO_PCI_DEVICE_BASE    0x1040u /* plus the device type */
#define VIRTIO_PCI_SUBSYSTEM_BASE 0x0040u
#define VIRTIO_PCI_REVISION       1u

/* Capability bodies: type, BAR, id, offset, length; as offsets from the capability's start. */
#define VIRTIO_PCI_CAP_BAR        4u
#define VIRTIO_PCI_CAP_OFFSET     8u
#define VIRTIO_PCI_CAP_LENGTH     12u
#define VIRTIO_PCI_CAP_DATA       16u /* PCI_CFG: the window; NOTIFY: the multiplier */
#define VIRTIO_PCI_CAP_SIZE       16u
#define VIRTIO_PCI_CAP_COMMON_CFG 1u
#define VIRTIO_PCI_CAP_NOTIFY_CFG 2u
#define VIRTIO_PCI_CAP_ISR_CFG    3u
#define VIRTIO_PCI_CAP_DEVICE_CFG 4u
#define VIRTIO_PCI_CAP_PCI_CFG    5u

/* Common configuration. */
#define VIRTIO_COMMON_DEVICE_FEATURE_SELECT 0x00u /* RW 32: 0 low half, 1 high half */
#define VIRTIO_COMMON_DEVICE_FEATURE        0x04u /* RO 32 */
#define VIRTIO_COMMON_DRIVER_FEATURE_SELECT 0x08u /* RW 32 */
#define VIRTIO_COMMON_DRIVER_FEATURE        0x0Cu /* RW 32 */
#define VIRTIO_COMMON_CONFIG_MSIX_VECTOR    0x10u /* RW 16 */
#define VIRTIO_COMMON_NUM_QUEUES            0x12u /* RO 16 */
#define VIRTIO_COMMON_DEVICE_STATUS         0x14u /* RW 8: writing 0 resets */
#define VIRTIO_COMMON_CONFIG_GENERATION     0x15u /* RO 8 */
#define VIRTIO_COMMON_QUEUE_SELECT          0x16u /* RW 16 */
#define VIRTIO_COMMON_QUEUE_SIZE            0x18u /* RW 16 */
#define VIRTIO_COMMON_QUEUE_MSIX_VECTOR     0x1Au /* RW 16 */
#define VIRTIO_COMMON_QUEUE_ENABLE          0x1Cu /* RW 16: only 1 is ever written */
#define VIRTIO_COMMON_QUEUE_NOTIFY_OFF      0x1Eu /* RO 16: times the multiplier */
#define VIRTIO_COMMON_QUEUE_DESC            0x20u /* RW 64 */
#define VIRTIO_COMMON_QUEUE_DRIVER          0x28u /* RW 64 */
#define VIRTIO_COMMON_QUEUE_DEVICE          0x30u /* RW 64 */
#define VIRTIO_COMMON_QUEUE_NOTIFY_DATA     0x38u /* RO 16: for a feature not offered */
#define VIRTIO_COMMON_QUEUE_RESET           0x3Au /* RW 16: for a feature not offered */
#define VIRTIO_COMMON_SIZE                  0x3Cu

#define VIRTIO_MSI_NO_VECTOR 0xFFFFu

/* ISR status: RO 8, cleared by reading. */
#define VIRTIO_ISR_QUEUE  0x1u
#define VIRTIO_ISR_CONFIG 0x2u

#endif
