/*
 * Guest physical memory as a device may see it: copies only, every range checked. The guest can
 * change its memory at any time, so copy a structure once, then check the copy, then use the copy.
 */
#ifndef DEV_GMEM_H
#define DEV_GMEM_H

#include "lib/types.h"

#define GMEM_MAX_REGIONS 4

struct gmem_region {
    gpa_t base;
    uint64_t size_bytes;
    uint8_t *host; /* where the region lies for the VMM (or a test's buffer) */
};

/* Regions are sorted by base and don't overlap. RAM below the PCI hole, RAM above 4 GiB. */
struct gmem {
    unsigned region_count;
    struct gmem_region region[GMEM_MAX_REGIONS];
};

/* The host pointer to [gpa, gpa + len) when it lies inside one region, else NULL. For gmem.c, the
 * loaders and block backends; devices use the copies below. */
uint8_t *gmem_ptr(const struct gmem *gmem, gpa_t gpa, uint64_t len);

/* False, and nothing copied, when any byte of the range is outside the guest's RAM. */
bool gmem_read(const struct gmem *gmem, gpa_t gpa, void *dst, uint64_t len);
bool gmem_write(const struct gmem *gmem, gpa_t gpa, const void *src, uint64_t len);

#endif
