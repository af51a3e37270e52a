/* The block backend injected into virtio-blk: a RAM disk today, a host disk later. */
#ifndef DEV_BLK_H
#define DEV_BLK_H

#include "dev/gmem.h"

#define BLK_SECTOR_SIZE 512u

/* offset and len are in bytes, multiples of BLK_SECTOR_SIZE and checked against sector_count by the
 * caller; data moves straight between the medium and guest memory. False is an I/O error. */
struct blk_backend {
    void *ctx;
    uint64_t sector_count;
    bool read_only;
    char id[20]; /* GET_ID's string, NUL padded */
    bool (*read)(void *ctx, uint64_t offset, const struct gmem *gmem, gpa_t gpa, uint32_t len);
    bool (*write)(void *ctx, uint64_t offset, const struct gmem *gmem, gpa_t gpa, uint32_t len);
    bool (*flush)(void *ctx); /* true when all written data is on the medium */
};

#endif
