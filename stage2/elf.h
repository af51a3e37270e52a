/* The VMM's ELF64 file (System V ABI "Object Files"), as bytes in memory. Pure C. */
#ifndef STAGE2_ELF_H
#define STAGE2_ELF_H

#include "lib/types.h"

#define ELF_MAX_SEGMENTS 16

struct elf_segment {
    uint32_t file_offset;
    uint32_t file_bytes;
    uint64_t address;      /* physical */
    uint64_t memory_bytes; /* >= file_bytes; the rest is zeroed */
};

struct elf_image {
    uint64_t entry;
    uint64_t base; /* of the lowest segment, down to its page */
    uint64_t size_bytes;
    unsigned segment_count;
    struct elf_segment segment[ELF_MAX_SEGMENTS];
};

/* Checks the file and lists its loadable segments: identity mapped, below 4 GiB, not overlapping,
 * entry inside one of them. NULL when all is well, otherwise why not. */
const char *elf_check(const uint8_t *file, uint32_t size_bytes, struct elf_image *image);

#endif
