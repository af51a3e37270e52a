/*
 * The local APIC's timer. SDM "APIC Timer", "TSC-Deadline Mode".
 *
 * A running count is kept as the tick at which it gets to zero: nothing has to be done until then,
 * and a reader gets what is left by a subtraction.
 */
#include "dev/lapic.h"
#include "dev/ticks.h"

enum timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE, TIMER_RESERVED };

#define TIMER_STOPPED UINT64_MAX

static enum timer_mode mode_of(uint32_t lvt)
{
    return (enum timer_mode)LAPIC_LVT_TIMER_MODE(lvt);
}

static enum timer_mode timer_mode(const struct lapic *lapic)
{
    return mode_of(*lapic_lvt(lapic, LAPIC_TIMER));
}

static bool timer_counts(enum timer_mode mode)
{
    return mode == TIMER_ONE_SHOT || mode == TIMER_PERIODIC;
}

/* SDM "Divide Configuration Register": 000b is 2, 110b is 128, 111b is 1. */
static unsigned divide_shift(const struct lapic *lapic)
{
    uint32_t divide = lapic_get(lapic, LAPIC_DIVIDE);
    return ((divide & 3u) + (divide >> 1 & 4u) + 1) & 7;
}

void lapic_timer_reset(struct lapic *lapic)
{
    lapic_put(lapic, LAPIC_INITIAL_COUNT, 0);
    lapic_put(lapic, LAPIC_DIVIDE, 0);
    lapic->expiry = TIMER_STOPPED;
    lapic->tsc_deadline = 0;
    lapic->deadline_ns = VTIME_NEVER;
}

uint32_t lapic_timer_count(const struct lapic *lapic)
{
    unsigned shift = divide_shift(lapic);
    if (lapic->expiry == TIMER_STOPPED)
        return 0;
    return (uint32_t)((lapic->expiry - lapic->tick + (1u << shift) - 1) >> shift);
}

static void count_from(struct lapic *lapic, uint32_t count)
{
    lapic->expiry = TIMER_STOPPED;
    if (count)
        lapic->expiry = lapic->tick + ((uint64_t)count << divide_shift(lapic));
}

void lapic_timer_start(struct lapic *lapic, uint32_t initial_count)
{
    if (!timer_counts(timer_mode(lapic)))
        return;
    lapic_put(lapic, LAPIC_INITIAL_COUNT, initial_count);
    count_from(lapic, initial_count);
}

/* The count goes on from where it is, at the new speed. */
void lapic_timer_divide(struct lapic *lapic, uint8_t divide)
{
    uint32_t left = lapic_timer_count(lapic);
    lapic_put(lapic, LAPIC_DIVIDE, divide & LAPIC_DIVIDE_WRITABLE);
    count_from(lapic, left);
}

static void note_tick(struct lapic *lapic)
{
    uint64_t tick = ticks_from_ns(lapic->now, lapic->config.timer_hz);
    if (tick > lapic->tick)
        lapic->tick = tick;
}

/* "A write to the LVT Timer Register that changes the timer mode disarms the local APIC timer"
 * where TSC-deadline mode is one of the two; between the other two the count goes on. */
void lapic_timer_mode_changed(struct lapic *lapic, uint32_t old_lvt)
{
    enum timer_mode old = mode_of(old_lvt), new = timer_mode(lapic);
    note_tick(lapic); /* a mode that doesn't count leaves it behind */
    if (old != new && !(timer_counts(old) && timer_counts(new))) {
        uint32_t divide = lapic_get(lapic, LAPIC_DIVIDE);
        lapic_timer_reset(lapic);
        lapic_put(lapic, LAPIC_DIVIDE, divide);
    }
}

uint64_t lapic_timer_tsc_deadline(const struct lapic *lapic)
{
    return lapic->tsc_deadline;
}

void lapic_timer_set_tsc_deadline(struct lapic *lapic, uint64_t tsc)
{
    if (timer_mode(lapic) != TIMER_TSC_DEADLINE)
        return;
    lapic->tsc_deadline = tsc;
    lapic->deadline_ns = VTIME_NEVER;
    if (tsc && lapic->wiring.when_tsc)
        lapic->deadline_ns = lapic->wiring.when_tsc(lapic->wiring.ctx, tsc);
    /* What lies behind already doesn't wait for the machine's next look at its clocks. */
    lapic_timer_advance(lapic, lapic->now);
}

static void expire(struct lapic *lapic)
{
    lapic->timer_ticks++;
    lapic_local(lapic, LAPIC_TIMER);
}

/* Several periods may have passed: they are one request, as in the IRR. */
static void count_expired(struct lapic *lapic)
{
    uint64_t period = (uint64_t)lapic_get(lapic, LAPIC_INITIAL_COUNT) << divide_shift(lapic);
    uint64_t late = lapic->tick - lapic->expiry;
    if (timer_mode(lapic) == TIMER_PERIODIC && period)
        lapic->expiry = lapic->tick + period - late % period;
    else
        lapic->expiry = TIMER_STOPPED;
    expire(lapic);
}

/* In the other modes nobody looks at the ticks. */
static void count_on(struct lapic *lapic)
{
    note_tick(lapic);
    if (lapic->expiry <= lapic->tick)
        count_expired(lapic);
}

void lapic_timer_advance(struct lapic *lapic, vtime_t now)
{
    if (now > lapic->now)
        lapic->now = now;
    if (timer_counts(timer_mode(lapic)))
        count_on(lapic);
    if (lapic->tsc_deadline && lapic->deadline_ns <= lapic->now) {
        lapic->tsc_deadline = 0;
        lapic->deadline_ns = VTIME_NEVER;
        expire(lapic);
    }
}

/* A masked timer changes no pin: its count and its deadline are brought up to date when looked at.
 */
vtime_t lapic_timer_deadline(const struct lapic *lapic)
{
    if (*lapic_lvt(lapic, LAPIC_TIMER) & LAPIC_LVT_MASKED)
        return VTIME_NEVER;
    if (timer_mode(lapic) == TIMER_TSC_DEADLINE)
        return lapic->deadline_ns;
    return lapic->expiry == TIMER_STOPPED ? VTIME_NEVER
                                          : ns_from_ticks(lapic->expiry, lapic->config.timer_hz);
}
