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

uint8_t *gmem_ptr(const struct gmem *gmem, gpa_t gpa, uint64_t len)
{
    for (unsigned i = 0; i < gmem->region_count; i++) {
        const struct gmem_region *region = &gmem->region[i];
        if (gpa >= region->base && range_fits(gpa - region->base, len, region->size_bytes))
            return region->host + (gpa - region->base);
    }
    return NULL;
}

/* The host pointer to gpa and in *len how much of the wanted length lies in the same region. */
static uint8_t *gmem_chunk(const struct gmem *gmem, gpa_t gpa, uint64_t *len)
{
    for (unsigned i = 0; i < gmem->region_count; i++) {
        const struct gmem_region *region = &gmem->region[i];
        if (gpa < region->base || gpa - region->base >= region->size_bytes)
            continue;
        uint64_t offset = gpa - region->base;
        *len = min_u64(*len, region->size_bytes - offset);
        return region->host + offset;
    }
    return NULL;
}

/* Regions may touch, so a range may be RAM without lying in one region. */
static bool gmem_is_ram(const struct gmem *gmem, gpa_t gpa, uint64_t len)
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

bool gmem_read(const struct gmem *gmem, gpa_t gpa, void *dst, uint64_t len)
{
    if (!gmem_is_ram(gmem, gpa, len))
        return false;
    for (uint8_t *to = dst; len > 0;) {
        uint64_t part = len;
        const uint8_t *from = gmem_chunk(gmem, gpa, &part);
        memcpy(to, from, part);
        to += part;
        gpa += part;
        len -= part;
    }
    return true;
}

bool gmem_write(const struct gmem *gmem, gpa_t gpa, const void *src, uint64_t len)
{
    if (!gmem_is_ram(gmem, gpa, len))
        return false;
    for (const uint8_t *from = src; len > 0;) {
        uint64_t part = len;
        uint8_t *to = gmem_chunk(gmem, gpa, &part);
        memcpy(to, from, part);
        from += part;
        gpa += part;
        len -= part;
    }
    return true;
}
