/*
 * The bus: address ranges to devices, for ports and for MMIO alike. It decides what a bad access
 * reads (all ones) and counts it; it hands offsets, never addresses, to a device.
 */
#ifndef DEV_IOBUS_H
#define DEV_IOBUS_H

#include "dev/dev.h"
#include "lib/bits.h"

#define IOBUS_MAX_RANGES 48
#define IOBUS_COUNTERS   8 /* of one range */

struct iobus_range {
    uint64_t base;
    uint64_t size_bytes;
    const struct dev_ops *ops;
    void *dev;
    uint32_t dev_offset; /* added to (address - base): a device may answer in several ranges */
    uint8_t counter_shift;
    uint64_t count[IOBUS_COUNTERS]; /* accesses, by (address - base) >> counter_shift */
};

struct iobus {
    vtime_t (*now)(void *ctx); /* guest time, asked for only when a device has a clock */
    void *now_ctx;
    unsigned range_count;
    struct iobus_range range[IOBUS_MAX_RANGES]; /* sorted by base */
    struct iobus_range *last_hit;               /* the range that answered last; never NULL */
    uint64_t hole_first, hole_last; /* an access outside of all ranges lay between two of them */
    bool clock_touched; /* a device with a clock was accessed; whoever looks clears it */
    uint64_t unclaimed_reads, unclaimed_writes, bad_accesses;
    uint64_t last_unclaimed; /* address of the newest unclaimed access, for the log */
};

void iobus_init(struct iobus *bus, vtime_t (*now)(void *ctx), void *now_ctx);

/* False when the range overlaps another one, is empty, or the table is full. */
bool iobus_add(struct iobus *bus, uint64_t base, uint64_t size_bytes, const struct dev_ops *ops,
               void *dev, uint32_t dev_offset);
/* Removes the range that begins at base: a PCI BAR that was switched off or moved. */
void iobus_remove(struct iobus *bus, uint64_t base);

/* --- an access -------------------------------------------------------------------------------- */

/* An address below the base gives an offset beyond every range that begins there. */
static inline bool iobus_holds(const struct iobus_range *range, uint64_t address, unsigned size)
{
    uint64_t offset = address - range->base;
    return offset < range->size_bytes && (size == 1 || size <= range->size_bytes - offset);
}

/* The offset for the device of an access, which is counted. */
static inline uint32_t iobus_count(struct iobus_range *range, uint64_t address)
{
    uint64_t offset = address - range->base;
    range->count[offset >> range->counter_shift]++;
    return (uint32_t)offset + range->dev_offset;
}

/* What isn't the short way below: another range than the last, none, or a device with a clock. */
uint64_t iobus_read_long(struct iobus *bus, uint64_t address, unsigned size);
void iobus_write_long(struct iobus *bus, uint64_t address, unsigned size, uint64_t value);

/*
 * size: 1, 2, 4 (MMIO: 8). An access that no range holds whole is unclaimed: a read gives all ones
 * of that size, a write is dropped. The short way is here, so that a port's exit has a call less.
 */
static inline uint64_t iobus_read(struct iobus *bus, uint64_t address, unsigned size)
{
    struct iobus_range *range = bus->last_hit;
    uint64_t value = 0;
    if (!iobus_holds(range, address, size) || range->ops->advance)
        return iobus_read_long(bus, address, size);
    if (range->ops->read(range->dev, iobus_count(range, address), size, &value) == IO_OK)
        return value & size_mask(size);
    bus->bad_accesses++;
    return size_mask(size);
}

static inline void iobus_write(struct iobus *bus, uint64_t address, unsigned size, uint64_t value)
{
    struct iobus_range *range = bus->last_hit;
    if (!iobus_holds(range, address, size) || range->ops->advance)
        iobus_write_long(bus, address, size, value);
    else if (range->ops->write(range->dev, iobus_count(range, address), size,
                               value & size_mask(size)) != IO_OK)
        bus->bad_accesses++;
}

/* --- questions -------------------------------------------------------------------------------- */

/* Whether any range covers the address. */
bool iobus_claims(const struct iobus *bus, uint64_t address);

/* The name of the device that answers there; NULL for none. */
const char *iobus_device(const struct iobus *bus, uint64_t address);

/* A line of a bus's statistics: how many accesses there were at an address. A range of more than
 * IOBUS_COUNTERS bytes has one for each 2, 4, 8, ... bytes, by the first of them. */
struct iobus_traffic {
    uint64_t address;
    uint64_t count;
    const char *device;
};

/*
 * Goes through the addresses from the busiest to the idlest, equally busy ones upwards; `traffic`
 * holds the one before, at first {.count = UINT64_MAX}. False, and nothing is changed, when no
 * other address was accessed. What was counted in a range goes with iobus_remove().
 */
bool iobus_next_busiest(const struct iobus *bus, struct iobus_traffic *traffic);

#endif
