/* Disks by INT 13h extensions (Phoenix "Enhanced Disk Drive Specification"). */
#ifndef STAGE2_DISK_H
#define STAGE2_DISK_H

#include "lib/types.h"

struct disk {
    uint8_t drive;           /* the BIOS's number, 80h and up */
    uint8_t error;           /* INT 13h code of the last failed read */
    uint64_t error_lba;      /* and where it happened */
    uint32_t retried;        /* reads that failed at first */
    uint32_t packet_sectors; /* at most in one call of the BIOS */
};

struct disk_partition {
    uint64_t lba;
    uint64_t sectors;
};

/* Finds the drive whose boot sector is the one that booted: drive `hint` first, then all others. */
bool disk_find_own(struct disk *disk, uint8_t hint);

/* Reads `count` sectors to any address below 4 GiB: fat32_disk.read_sectors with ctx = disk. */
bool disk_read(void *ctx, uint64_t lba, uint32_t count, void *dst);

/* What disk->error means, in a few words. */
const char *disk_error_text(const struct disk *disk);

/* The index-th partition (from 0) of type FAT32, the active one before the others. */
bool disk_fat32_partition(unsigned index, struct disk_partition *partition);

#endif
