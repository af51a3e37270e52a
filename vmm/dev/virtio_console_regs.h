/* Virtio 1.2, "Console Device". All fields are little-endian. */
#ifndef DEV_VIRTIO_CONSOLE_REGS_H
#define DEV_VIRTIO_CONSOLE_REGS_H

#define VIRTIO_CONSOLE_DEVICE_TYPE 3u
#define VIRTIO_CONSOLE_PCI_CLASS   0x078000u /* simple communication controller, other */

/* Queues of port 0; more come with MULTIPORT only. */
#define VIRTIO_CONSOLE_RX          0u
#define VIRTIO_CONSOLE_TX          1u
#define VIRTIO_CONSOLE_QUEUE_COUNT 2u

/* Feature bits. */
#define VIRTIO_CONSOLE_F_SIZE        0u
#define VIRTIO_CONSOLE_F_EMERG_WRITE 2u

/* Device configuration. Fields of features that are not offered read as zero. */
#define VIRTIO_CONSOLE_CONFIG_COLS     0x0u /* RO le16 */
#define VIRTIO_CONSOLE_CONFIG_ROWS     0x2u /* RO le16 */
#define VIRTIO_CONSOLE_CONFIG_EMERG_WR 0x8u /* WO le32: one character, in the lowest byte */
#define VIRTIO_CONSOLE_CONFIG_LENGTH   0xCu /* the number of ports at 4 is MULTIPORT's */

#endif
