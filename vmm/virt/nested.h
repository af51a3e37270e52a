/*
 * The tables that take a guest physical address to a host one, as EPT and AMD's nested paging both
 * build them: four levels of 512 entries, leaves of 1 GiB, 2 MiB and 4 KiB with their mark in bit
 * 7. What else an entry holds is the vendor's.
 */
#ifndef VIRT_NESTED_H
#define VIRT_NESTED_H

#include "virt/backend.h"

struct nested_tables {
    hpa_t root;
    struct frame_source frames;
    uint64_t present_mask; /* any of these bits set: the entry is there */
    uint64_t table_flags;  /* of an entry that leads to a table; it grants all, the leaf decides */
    bool leaf_2m, leaf_1g; /* whether the CPU takes such leaves */
};

/* frames and the format must be set. False: out of frames. */
bool nested_init(struct nested_tables *tables);
/* Maps the range with the largest leaves that alignment and the CPU allow. leaf_flags is what a
 * 4 KiB leaf holds besides the address; 0 removes the mapping. False: out of frames. The caller
 * flushes. */
bool nested_map(struct nested_tables *tables, const struct mapping *mapping, uint64_t leaf_flags);

/* The way through the tables to one address, for a person to read. */
struct nested_walk_entry {
    unsigned level; /* 4 to 1 */
    hpa_t table;
    unsigned index;
    uint64_t entry;
};
struct nested_walk {
    unsigned count;
    struct nested_walk_entry entry[4];
    /* What the leaf maps; size_bytes is 0 where nothing is mapped. nested_walk() leaves rights and
     * type to the vendor. */
    struct mapping leaf;
};
void nested_walk(const struct nested_tables *tables, gpa_t gpa, struct nested_walk *walk);

#endif
