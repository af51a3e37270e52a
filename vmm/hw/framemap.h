/*
 * Free memory as a sorted table of ranges: the arithmetic of the frame allocator, without the
 * machine. Ranges are page aligned, never empty, never touching (neighbours are merged).
 */
#ifndef HW_FRAMEMAP_H
#define HW_FRAMEMAP_H

#include "lib/types.h"

#define FRAMEMAP_MAX_RANGES 256

struct framemap_range {
    hpa_t base;
    uint64_t size_bytes;
};

struct framemap {
    unsigned count;
    struct framemap_range range[FRAMEMAP_MAX_RANGES];
};

enum framemap_end { FRAMEMAP_LOWEST, FRAMEMAP_HIGHEST };

/* What a caller wants. limit: the range must end at or below it. */
struct framemap_request {
    uint64_t size_bytes;  /* not 0; rounded up to whole pages */
    uint64_t align_bytes; /* a power of two, at least 4 KiB */
    uint64_t limit;
    enum framemap_end end;
};

/* Adds the whole pages inside [base, base + size_bytes). False, with the table as it was, when the
 * range overlaps free memory, wraps around, or the table is full. */
bool framemap_add(struct framemap *map, hpa_t base, uint64_t size_bytes);
/* Removes every page that [base, base + size_bytes) touches, free or not. False when the table is
 * full: then too much was removed, never too little. */
bool framemap_remove(struct framemap *map, hpa_t base, uint64_t size_bytes);
/* Takes a range out. False when nothing fits. */
bool framemap_take(struct framemap *map, struct framemap_request request, hpa_t *base);
/* Takes one piece of up to size_bytes (a multiple of 4 KiB, not 0) that ends at or below `limit`,
 * for a guest address that is a multiple of 1 GiB or of what earlier pieces came to: aligned to 1
 * GiB while a whole GiB is wanted and free, else to 2 MiB, so that large pages can map it. The
 * longest there is, of equal ones the highest; either all of size_bytes or a multiple of its
 * alignment. Its size, 0 when nothing fits. */
uint64_t framemap_take_piece(struct framemap *map, uint64_t size_bytes, uint64_t limit,
                             hpa_t *base);
uint64_t framemap_free_bytes(const struct framemap *map);

#endif
