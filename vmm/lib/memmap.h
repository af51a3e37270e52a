/* The memory map of boot_info: sorted, not overlapping, and the loader's own parts marked. Pure C.
 */
#ifndef LIB_MEMMAP_H
#define LIB_MEMMAP_H

#include "lib/boot_info.h"

struct memmap {
    uint32_t count;
    struct boot_memory entry[BOOT_INFO_MAX_MEMORY];
};

/* Makes *map of what the BIOS reported in any order. Where ranges overlap, the less usable type
 * counts; unknown types become reserved. False when the result has too many entries. */
bool memmap_build(struct memmap *map, const struct boot_memory *raw, uint32_t count);

/* True when all of [base, base + size_bytes) is usable memory. */
bool memmap_is_usable(const struct memmap *map, uint64_t base, uint64_t size_bytes);

/* Turns the usable parts of [base, base + size_bytes) into BOOT_MEMORY_LOADER. False when the map
 * has no room for the pieces; it is unchanged then. */
bool memmap_reserve(struct memmap *map, uint64_t base, uint64_t size_bytes);

/* Finds the highest page-aligned place for size_bytes below `limit` in usable memory and reserves
 * it; 0 where there is none. size_bytes: 1 to 4 GiB. */
uint64_t memmap_allocate(struct memmap *map, uint64_t size_bytes, uint64_t limit);

/* The size of the largest usable range below `limit`: for messages. */
uint64_t memmap_largest(const struct memmap *map, uint64_t limit);

#endif
