/*
 * Exact conversion between guest nanoseconds and the ticks of a crystal. A rounded period (838 ns
 * for the PIT) would be seconds wrong a day, so the frequency stays a ratio; whole seconds and the
 * rest are converted apart, which keeps every product within 64 bits.
 */
#ifndef DEV_TICKS_H
#define DEV_TICKS_H

#include "lib/types.h"

#define NS_PER_SECOND 1000000000ull

/* The ticks that have begun by time ns: floor(ns * hz / 10^9), without drift. hz: up to 10^9. */
static inline uint64_t ticks_from_ns(uint64_t ns, uint32_t hz)
{
    return ns / NS_PER_SECOND * hz + ns % NS_PER_SECOND * hz / NS_PER_SECOND;
}

/* The first nanosecond at which ticks_from_ns() gives `ticks`; VTIME_NEVER where that lies beyond
 * the end of vtime_t. */
static inline uint64_t ns_from_ticks(uint64_t ticks, uint32_t hz)
{
    uint64_t seconds = ticks / hz;
    if (seconds >= UINT64_MAX / NS_PER_SECOND - 1)
        return VTIME_NEVER;
    return seconds * NS_PER_SECOND + (ticks % hz * NS_PER_SECOND + hz - 1) / hz;
}

#endif
