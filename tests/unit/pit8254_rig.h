/* The pit8254 on the bench of its tests. */
#ifndef TESTS_PIT8254_RIG_H
#define TESTS_PIT8254_RIG_H

#include "dev/pit8254.h"
#include "dev/ticks.h"
#include "dev_rig.h"

/* Offsets 0-3 are ports 40h-43h, 4 is port 61h. */
static struct pit8254 pit;
static struct rig_pin irq;
static uint64_t tick; /* the test's own count of 1193182 Hz ticks */

static inline int setup(void **state)
{
    (void)state;
    irq = (struct rig_pin){0};
    tick = 0;
    pit8254_init(&pit, rig_line(&irq));
    return 0;
}

static inline void at(uint64_t new_tick)
{
    tick = new_tick;
    pit8254_ops.advance(&pit, ns_from_ticks(tick, 1193182));
}

static inline uint8_t in(uint32_t offset)
{
    return rig_in(&pit8254_ops, &pit, offset);
}

static inline void out(uint32_t offset, uint8_t value)
{
    rig_out(&pit8254_ops, &pit, offset, value);
}

static inline void program(unsigned counter, uint8_t mode, uint16_t count)
{
    out(3, (uint8_t)(counter << 6 | 0x30 | mode << 1));
    out(counter, (uint8_t)count);
    out(counter, (uint8_t)(count >> 8));
}

static inline uint16_t in16(unsigned counter)
{
    uint8_t low = in(counter);
    return (uint16_t)(low | in(counter) << 8);
}

static inline bool out2_pin(void)
{
    return in(4) & 0x20;
}

/* The tick of the next deadline; UINT64_MAX for none. */
static inline uint64_t deadline(void)
{
    vtime_t due = pit8254_ops.next_deadline(&pit);
    return due == UINT64_MAX ? UINT64_MAX : ticks_from_ns(due, 1193182);
}

#endif
