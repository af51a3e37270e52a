/* Virtio 1.2, "Block Device". All fields are little-endian. */
#ifndef DEV_VIRTIO_BLK_REGS_H
#define DEV_VIRTIO_BLK_REGS_H

#define VIRTIO_BLK_DEVICE_TYPE 2u
#define VIRTIO_BLK_PCI_CLASS   0x010000u /* mass storage, SCSI: what drivers expect of virtio */

/* Feature bits. */
#define VIRTIO_BLK_F_SIZE_MAX 1u
#define VIRTIO_BLK_F_SEG_MAX  2u
#define VIRTIO_BLK_F_RO       5u
#define VIRTIO_BLK_F_BLK_SIZE 6u
#define VIRTIO_BLK_F_FLUSH    9u

/* Device configuration, all RO. Fields of features that are not offered read as zero. */
#define VIRTIO_BLK_CONFIG_CAPACITY 0x00u /* le64 sectors of 512 bytes */
#define VIRTIO_BLK_CONFIG_SIZE_MAX 0x08u /* le32 bytes in a segment */
#define VIRTIO_BLK_CONFIG_SEG_MAX  0x0Cu /* le32 data segments in a request */
#define VIRTIO_BLK_CONFIG_BLK_SIZE 0x14u /* le32 bytes */
#define VIRTIO_BLK_CONFIG_LENGTH   0x3Cu /* up to and with the write-zeroes fields */

/* A request: header, data, one status byte. */
#define VIRTIO_BLK_HEADER_SIZE   16u
#define VIRTIO_BLK_HEADER_TYPE   0u /* le32 */
#define VIRTIO_BLK_HEADER_SECTOR 8u /* le64 */

#define VIRTIO_BLK_T_IN     0u
#define VIRTIO_BLK_T_OUT    1u
#define VIRTIO_BLK_T_FLUSH  4u
#define VIRTIO_BLK_T_GET_ID 8u
#define VIRTIO_BLK_ID_SIZE  20u

#define VIRTIO_BLK_S_OK     0u
#define VIRTIO_BLK_S_IOERR  1u
#define VIRTIO_BLK_S_UNSUPP 2u

#endif
