/* See memmap.h. The maps are short and made once: clarity over speed. */
#include "lib/memmap.h"

#include "lib/bits.h"
#include "lib/mem.h"

/* The higher, the less a range may be touched. */
static unsigned severity(uint32_t type)
{
    switch (type) {
    case BOOT_MEMORY_USABLE:
        return 1;
    case BOOT_MEMORY_LOADER:
        return 2;
    case BOOT_MEMORY_ACPI:
        return 3;
    case BOOT_MEMORY_NVS:
        return 5;
    case BOOT_MEMORY_BAD:
        return 6;
    default:
        return 4;
    }
}

static uint32_t known_type(uint32_t type)
{
    return severity(type) == 4 ? BOOT_MEMORY_RESERVED : type;
}

static uint64_t end_of(const struct boot_memory *range)
{
    return range->size_bytes > UINT64_MAX - range->base ? UINT64_MAX
                                                        : range->base + range->size_bytes;
}

/* Appends [base, end), to the entry before it where that touches and has the same type. */
static bool append(struct memmap *map, uint64_t base, uint64_t end, uint32_t type)
{
    struct boot_memory *last = map->count ? &map->entry[map->count - 1] : NULL;

    if (last && last->type == type && last->base + last->size_bytes == base) {
        last->size_bytes = end - last->base;
        return true;
    }
    if (map->count == BOOT_INFO_MAX_MEMORY)
        return false;
    map->entry[map->count++] =
        (struct boot_memory){.base = base, .size_bytes = end - base, .type = type};
    return true;
}

/* Sweeps upwards: between two neighbouring borders the same ranges apply. */
bool memmap_build(struct memmap *map, const struct boot_memory *raw, uint32_t count)
{
    uint64_t here = 0;

    map->count = 0;
    for (;;) {
        uint64_t border = UINT64_MAX;
        uint32_t type = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t base = raw[i].base, end = end_of(&raw[i]);
            if (base > here)
                border = min_u64(border, base);
            else if (end > here)
                border = min_u64(border, end);
            if (base <= here && here < end && (!type || severity(raw[i].type) > severity(type)))
                type = known_type(raw[i].type);
        }
        if (type && !append(map, here, border, type))
            return false;
        if (border == UINT64_MAX)
            return true;
        here = border;
    }
}

bool memmap_is_usable(const struct memmap *map, uint64_t base, uint64_t size_bytes)
{
    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_memory *range = &map->entry[i];
        if (range->type == BOOT_MEMORY_USABLE && base >= range->base &&
            range_fits(base - range->base, size_bytes, range->size_bytes))
            return true;
    }
    return false;
}

bool memmap_reserve(struct memmap *map, uint64_t base, uint64_t size_bytes)
{
    static struct memmap result; /* too large for the stack */
    uint64_t end = base + size_bytes;

    result.count = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_memory *range = &map->entry[i];
        uint64_t from = range->base, to = end_of(range);
        uint64_t cut = min_u64(max_u64(from, base), to), rest = max_u64(min_u64(to, end), cut);
        bool split = range->type == BOOT_MEMORY_USABLE && cut < rest;
        bool ok = !split ? append(&result, from, to, range->type)
                         : (cut == from || append(&result, from, cut, range->type)) &&
                               append(&result, cut, rest, BOOT_MEMORY_LOADER) &&
                               (rest == to || append(&result, rest, to, range->type));
        if (!ok)
            return false;
    }
    *map = result;
    return true;
}

uint64_t memmap_allocate(struct memmap *map, uint64_t size_bytes, uint64_t limit)
{
    uint64_t size = align_up(size_bytes, PAGE_SIZE);

    for (uint32_t i = map->count; i-- > 0;) {
        const struct boot_memory *range = &map->entry[i];
        uint64_t first = align_up(range->base, PAGE_SIZE);
        uint64_t end = align_down(min_u64(end_of(range), limit), PAGE_SIZE);
        if (range->type != BOOT_MEMORY_USABLE || first < range->base || end < first ||
            end - first < size)
            continue;
        return memmap_reserve(map, end - size, size) ? end - size : 0;
    }
    return 0;
}

uint64_t memmap_largest(const struct memmap *map, uint64_t limit)
{
    uint64_t largest = 0;

    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_memory *range = &map->entry[i];
        uint64_t end = min_u64(end_of(range), limit);
        if (range->type == BOOT_MEMORY_USABLE && end > range->base)
            largest = max_u64(largest, end - range->base);
    }
    return largest;
}
