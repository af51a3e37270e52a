/* Bit and range arithmetic that can't overflow unseen. */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include "lib/types.h"

#define BIT(n)   (1u << (n))
#define BIT64(n) (1ull << (n))

static inline uint64_t align_up(uint64_t value, uint64_t power_of_two)
{
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

static inline uint64_t align_down(uint64_t value, uint64_t power_of_two)
{
    return value & ~(power_of_two - 1);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* True when [offset, offset + len) lies inside [0, size), without overflow for any input. */
static inline bool range_fits(uint64_t offset, uint64_t len, uint64_t size)
{
    return len <= size && offset <= size - len;
}

/* The all-ones value of an access of 1, 2, 4 or 8 bytes: what an undriven bus reads as. */
static inline uint64_t size_mask(unsigned size_bytes)
{
    return size_bytes >= 8 ? UINT64_MAX : (1ull << (size_bytes * 8)) - 1;
}

#endif
