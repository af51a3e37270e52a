/*
 * The bus: a sorted table of ranges, searched by halving, with a memory of the last hit and of the
 * last hole, because accesses come in runs.
 *
 * A device may add and remove ranges of the very bus that calls it (a PCI BAR moves): nothing of
 * the table is used after a device's handler was called.
 */
#include "dev/iobus.h"

/* Set-up and reports, in a file that is compiled for speed: small instead of fast. */
#define RARE __attribute__((cold))

RARE static void iobus_forget(struct iobus *bus, struct iobus_range *last_hit)
{
    bus->last_hit = last_hit;
    bus->hole_first = UINT64_MAX;
    bus->hole_last = 0;
}

RARE void iobus_init(struct iobus *bus, vtime_t (*now)(void *ctx), void *now_ctx)
{
    *bus = (struct iobus){.now = now, .now_ctx = now_ctx};
    iobus_forget(bus, bus->range);
}

/* The index of the first range that ends behind the address; range_count where there is none. */
static unsigned iobus_search(const struct iobus *bus, uint64_t address)
{
    unsigned low = 0, high = bus->range_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        /* The last byte, not the end: a range may reach the top of the address space. */
        if (bus->range[middle].base + (bus->range[middle].size_bytes - 1) < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* So that the counters of a range reach to its end. */
RARE static uint8_t iobus_counter_shift(uint64_t size_bytes)
{
    uint8_t shift = 0;
    while ((size_bytes - 1) >> shift >= IOBUS_COUNTERS)
        shift++;
    return shift;
}

RARE bool iobus_add(struct iobus *bus, uint64_t base, uint64_t size_bytes,
                    const struct dev_ops *ops, void *dev, uint32_t dev_offset)
{
    if (size_bytes == 0 || bus->range_count == IOBUS_MAX_RANGES || base + (size_bytes - 1) < base ||
        !range_fits(dev_offset, size_bytes, 1ull << 32))
        return false;
    unsigned at = iobus_search(bus, base);
    if (at < bus->range_count && bus->range[at].base <= base + (size_bytes - 1))
        return false;
    for (unsigned i = bus->range_count; i > at; i--)
        bus->range[i] = bus->range[i - 1];
    bus->range[at] = (struct iobus_range){.base = base,
                                          .size_bytes = size_bytes,
                                          .ops = ops,
                                          .dev = dev,
                                          .dev_offset = dev_offset,
                                          .counter_shift = iobus_counter_shift(size_bytes)};
    bus->range_count++;
    iobus_forget(bus, &bus->range[at]);
    return true;
}

RARE void iobus_remove(struct iobus *bus, uint64_t base)
{
    unsigned at = iobus_search(bus, base);
    if (at == bus->range_count || bus->range[at].base != base)
        return;
    bus->range_count--;
    for (unsigned i = at; i < bus->range_count; i++)
        bus->range[i] = bus->range[i + 1];
    bus->range[bus->range_count] = (struct iobus_range){.size_bytes = 0};
    iobus_forget(bus, bus->range);
}

/* Between the range in front of this one and this one. */
static void iobus_note_hole(struct iobus *bus, unsigned at)
{
    bus->hole_first = at == 0 ? 0 : bus->range[at - 1].base + bus->range[at - 1].size_bytes;
    bus->hole_last = at == bus->range_count ? UINT64_MAX : bus->range[at].base - 1;
}

/* Accesses to a hole come in runs, too: Linux writes to port 80h behind each of the 8259As'. */
static struct iobus_range *iobus_seek(struct iobus *bus, uint64_t address, unsigned size)
{
    unsigned at = iobus_search(bus, address);
    if (at == bus->range_count || bus->range[at].base > address) {
        iobus_note_hole(bus, at);
        return NULL;
    }
    if (!iobus_holds(&bus->range[at], address, size))
        return NULL;
    bus->last_hit = &bus->range[at];
    return bus->last_hit;
}

/* The range that holds the whole access, its device brought up to date where that has a clock; NULL
 * where there is none. */
static struct iobus_range *iobus_approach(struct iobus *bus, uint64_t address, unsigned size)
{
    struct iobus_range *range = bus->last_hit;
    if (!iobus_holds(range, address, size)) {
        bool in_hole = address >= bus->hole_first && address <= bus->hole_last;
        range = in_hole ? NULL : iobus_seek(bus, address, size);
    }
    if (!range) {
        bus->last_unclaimed = address;
    } else if (range->ops->advance) {
        bus->clock_touched = true;
        if (bus->now)
            range->ops->advance(range->dev, bus->now(bus->now_ctx));
    }
    return range;
}

uint64_t iobus_read_long(struct iobus *bus, uint64_t address, unsigned size)
{
    struct iobus_range *range = iobus_approach(bus, address, size);
    uint64_t value = 0;
    if (!range) {
        bus->unclaimed_reads++;
        return size_mask(size);
    }
    if (range->ops->read(range->dev, iobus_count(range, address), size, &value) == IO_OK)
        return value & size_mask(size);
    bus->bad_accesses++;
    return size_mask(size);
}

void iobus_write_long(struct iobus *bus, uint64_t address, unsigned size, uint64_t value)
{
    struct iobus_range *range = iobus_approach(bus, address, size);
    if (!range)
        bus->unclaimed_writes++;
    else if (range->ops->write(range->dev, iobus_count(range, address), size,
                               value & size_mask(size)) != IO_OK)
        bus->bad_accesses++;
}

RARE const char *iobus_device(const struct iobus *bus, uint64_t address)
{
    const struct iobus_range *range = &bus->range[iobus_search(bus, address)];
    if (range == &bus->range[bus->range_count] || !iobus_holds(range, address, 1))
        return NULL;
    return range->ops->name;
}

bool iobus_claims(const struct iobus *bus, uint64_t address)
{
    if (iobus_holds(bus->last_hit, address, 1))
        return true;
    unsigned at = iobus_search(bus, address);
    return at < bus->range_count && bus->range[at].base <= address;
}

/* --- statistics ------------------------------------------------------------------------------- */

static bool iobus_busier(const struct iobus_traffic *a, const struct iobus_traffic *b)
{
    return a->count != b->count ? a->count > b->count : a->address < b->address;
}

RARE bool iobus_next_busiest(const struct iobus *bus, struct iobus_traffic *traffic)
{
    struct iobus_traffic best = {.count = 0};

    for (unsigned i = 0; i < bus->range_count * IOBUS_COUNTERS; i++) {
        const struct iobus_range *range = &bus->range[i / IOBUS_COUNTERS];
        uint64_t index = i % IOBUS_COUNTERS;
        const struct iobus_traffic here = {
            .address = range->base + (index << range->counter_shift),
            .count = range->count[index],
            .device = range->ops->name,
        };
        if (here.count > 0 && iobus_busier(traffic, &here) && iobus_busier(&here, &best))
            best = here;
    }
    if (best.count == 0)
        return false;
    *traffic = best;
    return true;
}
