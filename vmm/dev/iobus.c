/*
 * The bus: a sorted table of ranges, searched by halving, with a memory of the last hit, because
 * accesses come in runs to one device.
 *
 * A device may add and remove ranges of the very bus that calls it (a PCI BAR moves): nothing of
 * the table is used after a device's handler was called.
 */
#include "dev/iobus.h"
#include "lib/bits.h"

void iobus_init(struct iobus *bus, vtime_t (*now)(void *ctx), void *now_ctx)
{
    *bus = (struct iobus){.now = now, .now_ctx = now_ctx};
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

static bool iobus_holds(const struct iobus_range *range, uint64_t address, unsigned size)
{
    return address >= range->base && range_fits(address - range->base, size, range->size_bytes);
}

bool iobus_add(struct iobus *bus, uint64_t base, uint64_t size_bytes, const struct dev_ops *ops,
               void *dev, uint32_t dev_offset)
{
    if (size_bytes == 0 || bus->range_count == IOBUS_MAX_RANGES || base + (size_bytes - 1) < base ||
        !range_fits(dev_offset, size_bytes, 1ull << 32))
        return false;
    unsigned at = iobus_search(bus, base);
    if (at < bus->range_count && bus->range[at].base <= base + (size_bytes - 1))
        return false;
    for (unsigned i = bus->range_count; i > at; i--)
        bus->range[i] = bus->range[i - 1];
    bus->range[at] = (struct iobus_range){base, size_bytes, ops, dev, dev_offset};
    bus->range_count++;
    bus->last_hit = at;
    return true;
}

void iobus_remove(struct iobus *bus, uint64_t base)
{
    unsigned at = iobus_search(bus, base);
    if (at == bus->range_count || bus->range[at].base != base)
        return;
    bus->range_count--;
    for (unsigned i = at; i < bus->range_count; i++)
        bus->range[i] = bus->range[i + 1];
    bus->last_hit = 0;
}

/* The range that holds the whole access, its device's clock brought up to date; else NULL. */
static const struct iobus_range *iobus_find(struct iobus *bus, uint64_t address, unsigned size)
{
    unsigned at = bus->last_hit;
    if (at >= bus->range_count || !iobus_holds(&bus->range[at], address, size)) {
        at = iobus_search(bus, address);
        if (at == bus->range_count || !iobus_holds(&bus->range[at], address, size)) {
            bus->last_unclaimed = address;
            return NULL;
        }
        bus->last_hit = at;
    }
    return &bus->range[at];
}

static void iobus_advance(struct iobus *bus, const struct iobus_range *range)
{
    if (!range->ops->advance)
        return;
    bus->clock_touched = true;
    if (bus->now)
        range->ops->advance(range->dev, bus->now(bus->now_ctx));
}

uint64_t iobus_read(struct iobus *bus, uint64_t address, unsigned size)
{
    const struct iobus_range *range = iobus_find(bus, address, size);
    if (!range) {
        bus->unclaimed_reads++;
        return size_mask(size);
    }
    uint32_t offset = (uint32_t)(address - range->base) + range->dev_offset;
    uint64_t value = 0;
    iobus_advance(bus, range);
    if (range->ops->read(range->dev, offset, size, &value) != IO_OK) {
        bus->bad_accesses++;
        return size_mask(size);
    }
    return value & size_mask(size);
}

void iobus_write(struct iobus *bus, uint64_t address, unsigned size, uint64_t value)
{
    const struct iobus_range *range = iobus_find(bus, address, size);
    if (!range) {
        bus->unclaimed_writes++;
        return;
    }
    uint32_t offset = (uint32_t)(address - range->base) + range->dev_offset;
    iobus_advance(bus, range);
    if (range->ops->write(range->dev, offset, size, value & size_mask(size)) != IO_OK)
        bus->bad_accesses++;
}

bool iobus_claims(const struct iobus *bus, uint64_t address)
{
    unsigned at = iobus_search(bus, address);
    return at < bus->range_count && bus->range[at].base <= address;
}
