/*
 * One counter of the 8254. Nothing here counts: the state says which count was loaded at which
 * tick, and every question (value, OUT, next edge) is answered from the ticks that went by.
 *
 * Callers settle a counter to the present tick before they touch it, so that a load that is due
 * has happened.
 */
#include "dev/pit8254.h"
#include "dev/pit8254_regs.h"

static unsigned pit_mode(const struct pit_counter *counter)
{
    unsigned mode = PIT_MODE(counter->control);
    return mode > 5 ? mode - 4 : mode;
}

static bool pit_is_bcd(const struct pit_counter *counter)
{
    return counter->control & PIT_CONTROL_BCD;
}

/* Modes 1 and 5 count on whatever their gate does after its edge. */
static bool pit_gate_pauses(const struct pit_counter *counter)
{
    unsigned mode = pit_mode(counter);
    return mode != 1 && mode != 5;
}

static bool pit_is_periodic(const struct pit_counter *counter)
{
    unsigned mode = pit_mode(counter);
    return mode == 2 || mode == 3;
}

/* 0 stands for the largest count. A digit above 9 counts with its full weight. */
static uint32_t pit_effective_count(const struct pit_counter *counter)
{
    uint16_t reload = counter->reload;
    if (!pit_is_bcd(counter))
        return reload ? reload : 0x10000;
    uint32_t count = (reload >> 12) * 1000u + (reload >> 8 & 15) * 100u + (reload >> 4 & 15) * 10u +
                     (reload & 15);
    return count ? count : 10000;
}

static uint64_t pit_elapsed(const struct pit_counter *counter, uint64_t tick)
{
    return counter->paused ? counter->paused_after : tick - counter->start;
}

/* Mode 3: how long OUT is high. An odd count gives the high half the odd tick. */
static uint32_t pit_high_ticks(uint32_t count)
{
    return (count + 1) / 2;
}

void pit_counter_settle(struct pit_counter *counter, uint64_t tick)
{
    if (!counter->load_pending || tick < counter->load_at)
        return;
    /* Mode 3 takes a new count between halves too: then the low half is next. */
    bool low_half = false;
    if (pit_mode(counter) == 3 && counter->loaded && !counter->paused)
        low_half = (counter->load_at - counter->start) % counter->count != 0;
    counter->count = pit_effective_count(counter);
    counter->start = counter->load_at - (low_half ? pit_high_ticks(counter->count) : 0);
    counter->paused = !counter->gate && pit_gate_pauses(counter);
    counter->paused_after = 0;
    counter->loaded = true;
    counter->null_count = false;
    counter->load_pending = false;
}

/* The counting element as a number. */
static uint32_t pit_binary_value(const struct pit_counter *counter, uint64_t tick)
{
    uint32_t modulus = pit_is_bcd(counter) ? 10000 : 0x10000;
    uint32_t count = counter->count;
    uint64_t elapsed = pit_elapsed(counter, tick);
    if (pit_mode(counter) == 2)
        return (count - (uint32_t)(elapsed % count)) % modulus;
    if (pit_mode(counter) == 3) {
        uint32_t phase = (uint32_t)(elapsed % count);
        if (phase >= pit_high_ticks(count))
            phase -= pit_high_ticks(count);
        /* Two a tick, from the even part of the count. */
        return (count == 1 ? 1 : (count & ~1u) - 2 * phase) % modulus;
    }
    return (count % modulus + modulus - (uint32_t)(elapsed % modulus)) % modulus;
}

static uint16_t pit_value(const struct pit_counter *counter, uint64_t tick)
{
    if (!counter->loaded)
        return counter->held;
    uint32_t value = pit_binary_value(counter, tick);
    if (!pit_is_bcd(counter))
        return (uint16_t)value;
    return (uint16_t)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
                      value % 10);
}

bool pit_counter_out(const struct pit_counter *counter, uint64_t tick)
{
    unsigned mode = pit_mode(counter);
    if (!counter->loaded)
        return mode != 0;
    uint64_t elapsed = pit_elapsed(counter, tick);
    uint32_t count = counter->count;
    switch (mode) {
    case 0:
    case 1:
        return elapsed >= count;
    case 2:
        return counter->paused || count == 1 || elapsed % count != count - 1;
    case 3:
        return counter->paused || count == 1 || elapsed % count < pit_high_ticks(count);
    default:
        return elapsed != count;
    }
}

/* The next rise of the program that is running, a pending load left aside. */
static uint64_t pit_running_rise(const struct pit_counter *counter, uint64_t tick)
{
    if (!counter->loaded || counter->paused)
        return UINT64_MAX;
    uint64_t rise;
    if (pit_is_periodic(counter)) {
        if (counter->count == 1)
            return UINT64_MAX;
        uint64_t elapsed = tick - counter->start;
        rise = tick + counter->count - elapsed % counter->count;
    } else {
        /* Modes 4 and 5 strobe low for one tick at the end of the count. */
        rise = counter->start + counter->count + (pit_mode(counter) >= 4);
    }
    return rise > tick ? rise : UINT64_MAX;
}

uint64_t pit_counter_next_rise(const struct pit_counter *counter, uint64_t tick)
{
    uint64_t rise = pit_running_rise(counter, tick);
    if (!counter->load_pending || counter->load_at == UINT64_MAX || rise <= counter->load_at)
        return rise;
    struct pit_counter next = *counter;
    pit_counter_settle(&next, next.load_at);
    return pit_running_rise(&next, next.load_at);
}

/* --- the gate --------------------------------------------------------------------------------- */

static void pit_gate_falls(struct pit_counter *counter, uint64_t tick)
{
    if (!pit_gate_pauses(counter) || !counter->loaded || counter->paused)
        return;
    counter->paused_after = tick - counter->start;
    counter->paused = true;
    /* A periodic count that waited for the end of the cycle now waits for the gate. */
    if (pit_is_periodic(counter) && counter->load_pending)
        counter->load_at = UINT64_MAX;
}

static void pit_gate_rises(struct pit_counter *counter, uint64_t tick)
{
    if (pit_mode(counter) == 0 || pit_mode(counter) == 4) {
        counter->start = counter->paused ? tick - counter->paused_after : counter->start;
        counter->paused = false;
    } else if (counter->count_written) {
        counter->load_pending = true;
        counter->load_at = tick + 1;
    }
}

void pit_counter_set_gate(struct pit_counter *counter, bool gate, uint64_t tick)
{
    if (gate == counter->gate)
        return;
    counter->gate = gate;
    if (gate)
        pit_gate_rises(counter, tick);
    else
        pit_gate_falls(counter, tick);
}

/* --- the guest's window ----------------------------------------------------------------------- */

void pit_counter_write_control(struct pit_counter *counter, uint8_t control, uint64_t tick)
{
    uint16_t held = pit_value(counter, tick);
    *counter = (struct pit_counter){
        .control = control & PIT_CONTROL_STATE,
        .gate = counter->gate,
        .null_count = true,
        .held = held,
    };
}

/* A periodic counter finishes its cycle, in mode 3 its half cycle, with the old count. */
static uint64_t pit_next_boundary(const struct pit_counter *counter, uint64_t tick)
{
    uint32_t count = counter->count;
    if (counter->paused)
        return UINT64_MAX;
    uint32_t phase = (uint32_t)((tick - counter->start) % count);
    if (pit_mode(counter) == 3 && phase < pit_high_ticks(count))
        return tick + pit_high_ticks(count) - phase;
    return tick + count - phase;
}

static void pit_count_complete(struct pit_counter *counter, uint16_t reload, uint64_t tick)
{
    counter->reload = reload;
    counter->count_written = true;
    counter->null_count = true;
    if (!pit_gate_pauses(counter))
        return; /* modes 1 and 5 load with the edge of their gate */
    bool was_pending = counter->load_pending;
    counter->load_pending = true;
    if (!pit_is_periodic(counter) || !counter->loaded)
        counter->load_at = tick + 1;
    else if (!was_pending)
        counter->load_at = pit_next_boundary(counter, tick);
}

void pit_counter_write(struct pit_counter *counter, uint8_t value, uint64_t tick)
{
    switch (PIT_RW(counter->control)) {
    case PIT_RW_LSB:
        pit_count_complete(counter, value, tick);
        return;
    case PIT_RW_MSB:
        pit_count_complete(counter, (uint16_t)(value << 8), tick);
        return;
    default:
        break;
    }
    if (counter->write_msb_next) {
        counter->write_msb_next = false;
        pit_count_complete(counter, (uint16_t)(value << 8 | counter->write_lsb), tick);
        return;
    }
    counter->write_lsb = value;
    counter->write_msb_next = true;
    if (pit_mode(counter) == 0) {
        /* "Writing the first byte disables counting. OUT is set low immediately." */
        counter->held = pit_value(counter, tick);
        counter->loaded = false;
        counter->load_pending = false;
    }
}

uint8_t pit_counter_read(struct pit_counter *counter, uint64_t tick)
{
    if (counter->status_latched) {
        counter->status_latched = false;
        return counter->status_latch;
    }
    uint16_t value = counter->count_latched ? counter->count_latch : pit_value(counter, tick);
    bool msb = PIT_RW(counter->control) == PIT_RW_MSB;
    bool last = true;
    if (PIT_RW(counter->control) == PIT_RW_BOTH) {
        msb = counter->read_msb_next;
        counter->read_msb_next = !msb;
        last = msb;
    }
    if (last)
        counter->count_latched = false;
    return (uint8_t)(msb ? value >> 8 : value);
}

void pit_counter_latch_count(struct pit_counter *counter, uint64_t tick)
{
    if (counter->count_latched)
        return; /* the first latch holds until it was read */
    counter->count_latched = true;
    counter->count_latch = pit_value(counter, tick);
}

void pit_counter_latch_status(struct pit_counter *counter, uint64_t tick)
{
    if (counter->status_latched)
        return;
    counter->status_latched = true;
    counter->status_latch = counter->control |
                            (pit_counter_out(counter, tick) ? PIT_STATUS_OUT : 0) |
                            (counter->null_count ? PIT_STATUS_NULL_COUNT : 0);
}

void pit_counter_reset(struct pit_counter *counter, uint8_t control, uint16_t count, uint64_t tick)
{
    *counter = (struct pit_counter){
        .control = control & PIT_CONTROL_STATE,
        .gate = counter->gate,
        .reload = count,
        .count_written = true,
        .load_pending = true,
        .load_at = tick,
    };
    pit_counter_settle(counter, tick);
}
