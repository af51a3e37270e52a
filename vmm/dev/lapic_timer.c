/*
 * The local APIC's timer. SDM "APIC Timer", "TSC-Deadline Mode".
 *
 * A running count is kept as the tick at which it gets to zero: nothing has to be done until then,
 * and a reader gets what is left by a subtraction.
 *
 * What is posted for the processor is a request that it makes by itself when the timer gets to
 * zero. The notification's flag, which it clears, tells whether that has happened.
 */
#include "dev/lapic.h"
#include "dev/ticks.h"
#include "lib/bits.h"

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

static void disarm(struct lapic *lapic)
{
    lapic->expiry = TIMER_STOPPED;
    lapic->tsc_deadline = 0;
    lapic->deadline_ns = VTIME_NEVER;
}

/* --- posted for the processor ----------------------------------------------------------------- */

/* The word of a vector's request, and the one with the notification's flag. */
static uint32_t *posted_word(const struct lapic *lapic, uint8_t vector)
{
    return &lapic->config.posted[vector / 32];
}

static uint32_t *notification(const struct lapic *lapic)
{
    return &lapic->config.posted[LAPIC_POSTED_WORDS];
}

void lapic_look_at_posted(struct lapic *lapic)
{
    if (*notification(lapic) & LAPIC_POSTED_ON)
        return;
    lapic->posted = 0;
    lapic->timer_ticks++;
    lapic->accepted++;
    disarm(lapic);
}

static void clear_posted(struct lapic *lapic)
{
    *posted_word(lapic, lapic->posted) &= ~BIT(lapic->posted % 32);
    *notification(lapic) &= ~LAPIC_POSTED_ON;
    lapic->posted = 0;
    signal_raise(&lapic->wiring.taken_back);
}

void lapic_take_back_posted(struct lapic *lapic)
{
    lapic_look_at_posted(lapic);
    if (lapic->posted)
        clear_posted(lapic);
}

/* A period would begin anew at its end, which the processor doesn't do. What it takes leaves TMR as
 * it is, so that the vector must be an edge's already. */
static bool may_be_posted(const struct lapic *lapic)
{
    uint8_t vector = *lapic_lvt(lapic, LAPIC_TIMER) & LAPIC_LVT_VECTOR;
    return lapic->config.posted && lapic_delivers(lapic) && timer_mode(lapic) != TIMER_PERIODIC &&
           vector >= LAPIC_FIRST_LEGAL_VECTOR && !lapic_is_level(lapic, vector);
}

/* When the timer gets to zero, with a request or not. */
static inline vtime_t end_of_count(const struct lapic *lapic)
{
    if (timer_mode(lapic) == TIMER_TSC_DEADLINE)
        return lapic->deadline_ns;
    return lapic->expiry == TIMER_STOPPED ? VTIME_NEVER
                                          : ns_from_ticks(lapic->expiry, lapic->config.timer_hz);
}

vtime_t lapic_post(struct lapic *lapic)
{
    lapic_settle_posted(lapic);
    if (lapic->posted)
        return end_of_count(lapic);
    vtime_t deadline = lapic_timer_deadline(lapic);
    if (deadline == VTIME_NEVER || !may_be_posted(lapic))
        return VTIME_NEVER;
    lapic->posted = *lapic_lvt(lapic, LAPIC_TIMER) & LAPIC_LVT_VECTOR;
    *posted_word(lapic, lapic->posted) |= BIT(lapic->posted % 32);
    *notification(lapic) |= LAPIC_POSTED_ON;
    return deadline;
}

/* --- registers and time ----------------------------------------------------------------------- */

void lapic_timer_reset(struct lapic *lapic)
{
    lapic_take_back(lapic);
    lapic_put(lapic, LAPIC_INITIAL_COUNT, 0);
    lapic_put(lapic, LAPIC_DIVIDE, 0);
    disarm(lapic);
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
    lapic_take_back(lapic);
    lapic_put(lapic, LAPIC_INITIAL_COUNT, initial_count);
    count_from(lapic, initial_count);
}

/* The count goes on from where it is, at the new speed. */
void lapic_timer_divide(struct lapic *lapic, uint8_t divide)
{
    lapic_take_back(lapic);
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
    lapic_take_back(lapic);
    lapic->tsc_deadline = tsc;
    lapic->deadline_ns = VTIME_NEVER;
    if (tsc && lapic->wiring.when_tsc)
        lapic->deadline_ns = lapic->wiring.when_tsc(lapic->wiring.ctx, tsc);
    /* What lies behind already doesn't wait for the machine's next look at its clocks. */
    lapic_timer_advance(lapic, lapic->now);
}

/* Nobody has notified the processor in time: what it was to take is requested as ever. */
static void expire(struct lapic *lapic)
{
    if (lapic->posted)
        clear_posted(lapic);
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
    lapic_settle_posted(lapic);
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
    if (lapic->posted || (*lapic_lvt(lapic, LAPIC_TIMER) & LAPIC_LVT_MASKED))
        return VTIME_NEVER;
    return end_of_count(lapic);
}
