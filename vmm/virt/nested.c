#include "virt/nested.h"

#include "lib/assert.h"
#include "lib/bits.h"

#define NESTED_LEAF    BIT64(7)
#define NESTED_ADDRESS 0x000FFFFFFFFFF000ull
#define NESTED_ENTRIES 512u

static uint64_t leaf_size(unsigned level)
{
    return 1ull << (12 + 9 * level); /* level 0: 4 KiB, 1: 2 MiB, 2: 1 GiB, 3: 512 GiB */
}

static bool leaf_allowed(const struct nested_tables *tables, unsigned level)
{
    return level == 0 || (level == 1 && tables->leaf_2m) || (level == 2 && tables->leaf_1g);
}

bool nested_init(struct nested_tables *tables)
{
    tables->root = tables->frames.alloc(tables->frames.ctx, 1);
    return tables->root != 0;
}

/* The table below *entry, made when it isn't there; a larger leaf is split into equal parts. */
static uint64_t *table_below(struct nested_tables *tables, uint64_t *entry, unsigned level)
{
    bool present = *entry & tables->present_mask;
    if (present && !(*entry & NESTED_LEAF))
        return (uint64_t *)(*entry & NESTED_ADDRESS);

    hpa_t frame = tables->frames.alloc(tables->frames.ctx, 1);
    if (!frame)
        return NULL;
    uint64_t *table = (uint64_t *)frame;
    if (present) {
        uint64_t part = *entry;
        if (level == 1) /* the parts are 4 KiB pages, which have no leaf mark */
            part &= ~NESTED_LEAF;
        for (unsigned i = 0; i < NESTED_ENTRIES; i++)
            table[i] = part + i * leaf_size(level - 1);
    }
    *entry = frame | tables->table_flags;
    return table;
}

/* Maps one leaf of leaf_size(level) at gpa. */
static bool set_leaf(struct nested_tables *tables, gpa_t gpa, unsigned level, uint64_t leaf)
{
    uint64_t *table = (uint64_t *)tables->root;
    for (unsigned l = 3; l > level; l--) {
        table = table_below(tables, &table[gpa >> (12 + 9 * l) & 511], l);
        if (!table)
            return false;
    }
    table[gpa >> (12 + 9 * level) & 511] = leaf;
    return true;
}

bool nested_map(struct nested_tables *tables, const struct mapping *mapping, uint64_t leaf_flags)
{
    gpa_t gpa = mapping->gpa, end = mapping->gpa + mapping->size_bytes;
    hpa_t hpa = mapping->hpa;

    ASSERT(((gpa | hpa | mapping->size_bytes) & (PAGE_SIZE - 1)) == 0);
    while (gpa < end) {
        unsigned level = 2;
        while (level > 0 && (((gpa | hpa) & (leaf_size(level) - 1)) ||
                             end - gpa < leaf_size(level) || !leaf_allowed(tables, level)))
            level--;
        uint64_t leaf = leaf_flags ? hpa | leaf_flags | (level ? NESTED_LEAF : 0) : 0;
        if (!set_leaf(tables, gpa, level, leaf))
            return false;
        gpa += leaf_size(level);
        hpa += leaf_size(level);
    }
    return true;
}

void nested_walk(const struct nested_tables *tables, gpa_t gpa, struct nested_walk *walk)
{
    hpa_t table = tables->root;

    *walk = (struct nested_walk){.count = 0};
    if (gpa >> 48)
        return; /* beyond what four levels reach */
    for (unsigned level = 4; level-- > 0;) {
        unsigned index = gpa >> (12 + 9 * level) & 511;
        uint64_t entry = ((const uint64_t *)table)[index];
        walk->entry[walk->count++] = (struct nested_walk_entry){level + 1, table, index, entry};
        if (!(entry & tables->present_mask))
            return;
        if (level == 0 || (entry & NESTED_LEAF)) {
            walk->leaf.size_bytes = leaf_size(level);
            walk->leaf.gpa = align_down(gpa, leaf_size(level));
            walk->leaf.hpa = align_down(entry & NESTED_ADDRESS, leaf_size(level));
            return;
        }
        table = entry & NESTED_ADDRESS;
    }
}
