/*
 * A FAT32 reader (Microsoft "FAT32 File System Specification"). Pure C: the disk is a callback, and
 * nothing that lies on the disk is believed before it is checked.
 * Served: 512-byte sectors, every cluster size, long names (as UTF-8) and short ones, folders.
 * Not served: FAT12, FAT16, exFAT, writing.
 */
#ifndef STAGE2_FAT32_H
#define STAGE2_FAT32_H

#include "lib/types.h"

#define FAT32_SECTOR        512u
#define FAT32_CACHE_SECTORS 64u

/* Reads `count` sectors to dst; false when the medium fails. */
struct fat32_disk {
    bool (*read_sectors)(void *ctx, uint64_t lba, uint32_t count, void *dst);
    void *ctx;
};

enum fat32_result {
    FAT32_OK,
    FAT32_IO_ERROR,   /* read_sectors failed */
    FAT32_NOT_FAT32,  /* the boot sector is no FAT32's */
    FAT32_CORRUPT,    /* a cluster chain loops, ends early or leaves the volume */
    FAT32_NOT_FOUND,  /* no such file, or a folder of the path isn't there */
    FAT32_NOT_A_FILE, /* the path names a folder */
};

struct fat32 {
    struct fat32_disk disk;
    uint64_t fat_lba;
    uint64_t data_lba;
    uint32_t sectors_per_cluster;
    uint32_t cluster_count; /* clusters 2 to cluster_count + 1 exist */
    uint32_t root_cluster;
    uint32_t cached_sector; /* first sector of the FAT in cache[], or UINT32_MAX */
    uint8_t cache[FAT32_CACHE_SECTORS * FAT32_SECTOR];
    uint8_t sector[FAT32_SECTOR]; /* of a directory, or the last of a file */
};

struct fat32_file {
    uint32_t first_cluster;
    uint32_t size_bytes;
    uint32_t date; /* of the last write: the date's 16 bits above the time's */
};

struct fat32_progress {
    void (*step)(void *ctx, uint32_t done_bytes, uint32_t total_bytes);
    void *ctx;
};

/* Opens the volume in sectors [lba, lba + sectors). */
enum fat32_result fat32_mount(struct fat32 *fs, struct fat32_disk disk, uint64_t lba,
                              uint64_t sectors);

/* Finds `path`: names separated by '/', upper and lower case of ASCII letters being the same. */
enum fat32_result fat32_open(struct fat32 *fs, const char *path, struct fat32_file *file);

/* Reads the whole file to dst, which has room for size_bytes; neighbouring clusters in one read.
 * Calls progress.step (may be NULL) now and then, and with done == total at the end. */
enum fat32_result fat32_read(struct fat32 *fs, const struct fat32_file *file, void *dst,
                             struct fat32_progress progress);

#endif
