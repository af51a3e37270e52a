/* The memory map that a BIOS reports through INT 15h E820h, here handed over in the zero page. */
#ifndef PC_E820_H
#define PC_E820_H

#include "lib/types.h"

#define E820_MAX_ENTRIES 8

enum e820_type { E820_USABLE = 1, E820_RESERVED = 2 };

struct e820_entry {
    gpa_t base;
    uint64_t size_bytes;
    enum e820_type type;
};

struct e820 {
    unsigned count;
    struct e820_entry entry[E820_MAX_ENTRIES];
};

/* The map of a machine with memory_bytes of RAM (at least 2 MiB, multiple of 4 KiB): sorted, free
 * of overlap, and all of the RAM in it exactly once. */
void e820_build(struct e820 *map, uint64_t memory_bytes);

#endif
