/*
 * Guest physical memory as a device may see it: copies only, every range checked. The guest can
 * change its memory at any time, so copy a structure once, then check the copy, then use the copy.
 */
#ifndef DEV_GMEM_H
#define DEV_GMEM_H

#include "lib/types.h"

/* A machine's free memory has a few large pieces; vm.c takes the largest first. */
#define GMEM_MAX_REGIONS 32

/* Base and size are multiples of 4 KiB: no aligned word of the guest lies in two regions. */
struct gmem_region {
    gpa_t base;
    uint64_t size_bytes;
    uint8_t *host; /* where the region lies for the VMM (or a test's buffer) */
};

/* Regions are sorted by base and don't overlap. They touch where the guest's RAM goes on without a
 * gap but the host's doesn't. The first megabyte never lies in two. */
struct gmem {
    unsigned region_count;
    struct gmem_region region[GMEM_MAX_REGIONS];
};

/* The host pointer to [gpa, gpa + len) when it lies inside one region, else NULL: RAM may be there
 * all the same. For the loaders, which fill the first megabyte, for words of a ring, and for
 * tables of descriptors, each of which is copied once; all else uses the copies below. */
uint8_t *gmem_ptr(const struct gmem *gmem, gpa_t gpa, uint64_t len);

/* Whether all of [gpa, gpa + len) is the guest's RAM, in however many regions. */
bool gmem_is_ram(const struct gmem *gmem, gpa_t gpa, uint64_t len);

/* False, and nothing copied, when any byte of the range is outside the guest's RAM. */
bool gmem_read(const struct gmem *gmem, gpa_t gpa, void *dst, uint64_t len);
bool gmem_write(const struct gmem *gmem, gpa_t gpa, const void *src, uint64_t len);

#endif
