/* The virtio entropy device. See virtio_rng.c; its transport is virtio_pci.h. */
#ifndef DEV_VIRTIO_RNG_H
#define DEV_VIRTIO_RNG_H

#include "dev/virtio.h"

#define VIRTIO_RNG_BUFFER_MAX 64u /* bytes that a buffer gets at most */

struct virtio_rng {
    /* Connections. */
    /* Fills up to size bytes and says how many: fewer when there is no entropy now. */
    uint32_t (*fill)(void *ctx, uint8_t *bytes, uint32_t size);
    void *fill_ctx;

    /* Counters. */
    uint64_t bytes;

    /* The buffer being filled; dead between notifications. */
    struct virtq_chain chain;
};

void virtio_rng_init(struct virtio_rng *rng,
                     uint32_t (*fill)(void *ctx, uint8_t *bytes, uint32_t size), void *fill_ctx);
extern const struct virtio_dev_ops virtio_rng_ops;

#endif
