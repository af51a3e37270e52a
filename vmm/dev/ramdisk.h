/* A disk in host memory: the file that the boot loader read. Contents end with the power. */
#ifndef DEV_RAMDISK_H
#define DEV_RAMDISK_H

#include "dev/blk.h"

struct ramdisk {
    struct blk_backend backend; /* what virtio_blk_init() takes */
    uint8_t *bytes;
    uint64_t size_bytes; /* whole sectors */
};

/* Serves bytes[0, size_bytes), rounded down to whole sectors; the rest of the last one is out of
 * the guest's reach. id: what GET_ID tells, cut after 20 characters. */
void ramdisk_init(struct ramdisk *disk, void *bytes, uint64_t size_bytes, bool read_only,
                  const char *id);

#endif
