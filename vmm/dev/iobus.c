/*
 * The bus: a sorted table of ranges, searched by halving, with a memory of the last hit, because
 * accesses come in runs to one device.
 *
 * A device may add and remove ranges of the very bus that calls it (a PCI BAR moves): nothing of
 * the table is used after a device's handler was called.
 */
#include "dev/iobus.h"
#include "lib/bits.h"

/* Set-up and reports, in a file that is compiled for speed: small instead of fast. */
#define RARE __attribute__((cold))

RARE void iobus_init(struct iobus *bus, vtime_t (*now)(void *ctx), void *now_ctx)
{
    *bus = (struct iobus){.now = now, .now_ctx = now_ctx, .last_hit = bus->range};
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

/* An address below the base gives an offset beyond every range that begins there. */
static bool iobus_holds(const struct iobus_range *range, uint64_t address, unsigned size)
{
    return range_fits(address - range->base, size, range->size_bytes);
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
    bus->last_hit = &bus->range[at];
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
    bus->last_hit = bus->range;
}

/* Not the range of the last hit: the one that holds the whole access, else NULL. */
static __attribute__((noinline)) struct iobus_range *iobus_switch(struct iobus *bus,
                                                                  uint64_t address, unsigned size)
{
    unsigned at = iobus_search(bus, address);
    if (at == bus->range_count || !iobus_holds(&bus->range[at], address, size)) {
        bus->last_unclaimed = address;
        return NULL;
    }
    bus->last_hit = &bus->range[at];
    return bus->last_hit;
}

static inline struct iobus_range *iobus_find(struct iobus *bus, uint64_t address, unsigned size)
{
    if (iobus_holds(bus->last_hit, address, size))
        return bus->last_hit;
    return iobus_switch(bus, address, size);
}

static __attribute__((noinline)) void iobus_advance(struct iobus *bus,
                                                    const struct iobus_range *range)
{
    bus->clock_touched = true;
    if (bus->now)
        range->ops->advance(range->dev, bus->now(bus->now_ctx));
}

/* What comes before each access: it is counted, and the device's clock brought up to date. Gives
 * the offset for the device. */
static inline uint32_t iobus_approach(struct iobus *bus, struct iobus_range *range,
                                      uint64_t address)
{
    uint32_t offset = (uint32_t)(address - range->base);
    range->count[offset >> range->counter_shift]++;
    if (range->ops->advance)
        iobus_advance(bus, range);
    return offset + range->dev_offset;
}

uint64_t iobus_read(struct iobus *bus, uint64_t address, unsigned size)
{
    struct iobus_range *range = iobus_find(bus, address, size);
    if (!range) {
        bus->unclaimed_reads++;
        return size_mask(size);
    }
    uint32_t offset = iobus_approach(bus, range, address);
    uint64_t value = 0;
    if (range->ops->read(range->dev, offset, size, &value) != IO_OK) {
        bus->bad_accesses++;
        return size_mask(size);
    }
    return value & size_mask(size);
}

void iobus_write(struct iobus *bus, uint64_t address, unsigned size, uint64_t value)
{
    struct iobus_range *range = iobus_find(bus, address, size);
    if (!range) {
        bus->unclaimed_writes++;
        return;
    }
    uint32_t offset = iobus_approach(bus, range, address);
    if (range->ops->write(range->dev, offset, size, value & size_mask(size)) != IO_OK)
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
