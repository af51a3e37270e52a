/*
 * Guest memory for devices: copies with every range checked.
 *
 * A hostile guest hands out addresses near 2^64, lengths that wrap, ranges that begin in RAM and
 * end outside of it. range_fits() never adds what could overflow, and a copy begins only after its
 * whole range was found to be RAM.
 */
#include "dev/gmem.h"
#include "lib/bits.h"
#include "lib/mem.h"

/* The last region that begins at or below gpa, or the first one: the only one that can hold gpa.
 * Each page table walk and each instruction that is emulated comes by here. */
static inline const struct gmem_region *nearest(const struct gmem *gmem, gpa_t gpa)
{
    const struct gmem_region *region = gmem->region;
    for (unsigned count = gmem->region_count; count > 1;) {
        unsigned half = count / 2;
        bool upper = region[half].base <= gpa;
        region += upper ? half : 0;
        count = upper ? count - half : half;
    }
    return region;
}

/* The host pointer to [gpa, gpa + len) when it lies inside one region: the rule, and worth being in
 * line where a block request brings hundreds of ranges. */
static inline uint8_t *in_one_region(const struct gmem *gmem, gpa_t gpa, uint64_t len)
{
    const struct gmem_region *region = nearest(gmem, gpa);
    uint64_t offset = gpa - region->base; /* huge where gpa is below */
    bool inside =
        gmem->region_count > 0 && offset < region->size_bytes && len <= region->size_bytes - offset;
    return inside ? region->host + offset : NULL;
}

/* The host pointer to gpa and in *len how much of the wanted length lies in the same region. */
static uint8_t *gmem_chunk(const struct gmem *gmem, gpa_t gpa, uint64_t *len)
{
    const struct gmem_region *region = nearest(gmem, gpa);
    uint64_t offset = gpa - region->base; /* huge where gpa is below */
    if (gmem->region_count == 0 || offset >= region->size_bytes)
        return NULL;
    *len = min_u64(*len, region->size_bytes - offset);
    return region->host + offset;
}

uint8_t *gmem_ptr(const struct gmem *gmem, gpa_t gpa, uint64_t len)
{
    return in_one_region(gmem, gpa, len);
}

/* Several regions, and what isn't RAM: rare, and kept out of the way of the rule. */
static __attribute__((noinline)) bool regions_hold(const struct gmem *gmem, gpa_t gpa, uint64_t len)
{
    while (len > 0) {
        uint64_t part = len;
        if (!gmem_chunk(gmem, gpa, &part))
            return false;
        gpa += part;
        len -= part;
    }
    return true;
}

static __attribute__((noinline)) bool read_regions(const struct gmem *gmem, gpa_t gpa, uint8_t *to,
                                                   uint64_t len)
{
    if (!regions_hold(gmem, gpa, len))
        return false;
    while (len > 0) {
        uint64_t part = len;
        const uint8_t *from = gmem_chunk(gmem, gpa, &part);
        memcpy(to, from, part);
        to += part;
        gpa += part;
        len -= part;
    }
    return true;
}

static __attribute__((noinline)) bool write_regions(const struct gmem *gmem, gpa_t gpa,
                                                    const uint8_t *from, uint64_t len)
{
    if (!regions_hold(gmem, gpa, len))
        return false;
    while (len > 0) {
        uint64_t part = len;
        uint8_t *to = gmem_chunk(gmem, gpa, &part);
        memcpy(to, from, part);
        from += part;
        gpa += part;
        len -= part;
    }
    return true;
}

bool gmem_is_ram(const struct gmem *gmem, gpa_t gpa, uint64_t len)
{
    return in_one_region(gmem, gpa, len) || regions_hold(gmem, gpa, len);
}

bool gmem_read(const struct gmem *gmem, gpa_t gpa, void *dst, uint64_t len)
{
    const uint8_t *host = in_one_region(gmem, gpa, len);
    if (!host)
        return read_regions(gmem, gpa, dst, len);
    memcpy(dst, host, len);
    return true;
}

bool gmem_write(const struct gmem *gmem, gpa_t gpa, const void *src, uint64_t len)
{
    uint8_t *host = in_one_region(gmem, gpa, len);
    if (!host)
        return write_regions(gmem, gpa, src, len);
    memcpy(host, src, len);
    return true;
}
