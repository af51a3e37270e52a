/* Conversion between TSC ticks and nanoseconds, by a 64-bit multiplier and shift (no division). */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include "lib/types.h"

struct clock {
    uint64_t tsc_hz;
    uint64_t tsc_base; /* the TSC at which nanoseconds are 0 */
    uint64_t ns_mul;   /* ns = ticks * ns_mul >> 32 */
    uint64_t tick_mul; /* ticks = ns * tick_mul >> 32 */
};

/* hz: 1 MHz to 100 GHz. */
static inline void clock_init(struct clock *clock, uint64_t tsc_hz, uint64_t tsc_base)
{
    clock->tsc_hz = tsc_hz;
    clock->tsc_base = tsc_base;
    /* Division in two steps keeps 32 fraction bits within 64-bit arithmetic. */
    clock->ns_mul = (1000000000ull << 32) / tsc_hz;
    clock->tick_mul =
        ((tsc_hz / 1000000000ull) << 32) + (((tsc_hz % 1000000000ull) << 32) / 1000000000ull);
}

static inline uint64_t clock_mul_shift(uint64_t value, uint64_t mul)
{
    return (uint64_t)(((unsigned __int128)value * mul) >> 32);
}

static inline vtime_t clock_ns(const struct clock *clock, uint64_t tsc)
{
    return clock_mul_shift(tsc - clock->tsc_base, clock->ns_mul);
}

/* TSC ticks that cover delta_ns, rounded up. */
static inline uint64_t clock_ticks(const struct clock *clock, uint64_t delta_ns)
{
    return clock_mul_shift(delta_ns, clock->tick_mul) + 1;
}

/* Nanoseconds that cover delta_ticks of the TSC, rounded up. */
static inline uint64_t clock_ns_covering(const struct clock *clock, uint64_t delta_ticks)
{
    unsigned __int128 ns = ((unsigned __int128)delta_ticks * (clock->ns_mul + 1) >> 32) + 1;
    return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

#endif
