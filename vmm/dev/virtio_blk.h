/* The virtio block device. See virtio_blk.c; its transport is virtio_pci.h. */
#ifndef DEV_VIRTIO_BLK_H
#define DEV_VIRTIO_BLK_H

#include "dev/blk.h"
#include "dev/virtio.h"

/* What the device tells the driver, and the bound of a request: 254 x 64 KiB. */
#define VIRTIO_BLK_SEG_MAX     254u /* a full queue of descriptors less header and status */
#define VIRTIO_BLK_SIZE_MAX    65536u
#define VIRTIO_BLK_REQUEST_MAX (VIRTIO_BLK_SEG_MAX * VIRTIO_BLK_SIZE_MAX)

/* The request in work; dead between notifications, so that all disks of a machine can share it. */
struct virtio_blk_work {
    struct virtq_chain chain;
    uint8_t bounce[BLK_SECTOR_SIZE]; /* for a sector that is split over segments */
    struct gmem bounce_gmem;         /* that sector posing as guest memory at address 0 */
};

struct virtio_blk {
    /* Connections. */
    const struct gmem *gmem;
    const struct blk_backend *backend;
    struct virtio_blk_work *work;

    /* Counters. */
    uint64_t reads, writes, flushes, errors;
    uint64_t read_bytes, written_bytes;

    /* Guest-visible state. */
    bool write_through; /* the driver can't flush, so each write is flushed for it */
};

/* All must outlive the device. */
void virtio_blk_init(struct virtio_blk *blk, const struct blk_backend *backend,
                     const struct gmem *gmem, struct virtio_blk_work *work);
extern const struct virtio_dev_ops virtio_blk_ops;

#endif
