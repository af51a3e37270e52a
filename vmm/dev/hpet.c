/* High precision event timers; hpet.h says what is modelled. */
#include "dev/hpet.h"

#include "dev/hpet_regs.h"
#include "lib/mem.h"

#define VENDOR_INTEL 0x8086u
#define FS_PER_NS    1000000ull

static bool running(const struct hpet *hpet)
{
    return hpet->config & HPET_ENABLE;
}

/* --- pins ------------------------------------------------------------------------------------- */

bool hpet_irq_cause(const struct hpet *hpet, unsigned n)
{
    const struct hpet_timer *timer = &hpet->timer[n];
    if (!running(hpet) || !(timer->config & HPET_TN_INT_ENB))
        return false;
    return timer->config & HPET_TN_LEVEL ? hpet->status & BIT(n) : timer->edge;
}

static bool is_legacy(const struct hpet *hpet, unsigned n)
{
    return (hpet->config & HPET_LEG_RT) && n < HPET_LEGACY_COUNT;
}

/* The I/O APIC input as a bit; 0 where the timer leads nowhere. */
static uint32_t input_of(const struct hpet *hpet, unsigned n)
{
    uint32_t input = hpet->timer[n].config >> HPET_TN_ROUTE_SHIFT & 0x1F;
    return is_legacy(hpet, n) ? 0 : BIT(input) & hpet->wiring.input_mask;
}

static void hpet_sync_irq(struct hpet *hpet)
{
    uint32_t high = 0;
    for (unsigned n = 0; n < HPET_TIMER_COUNT; n++) {
        bool cause = hpet_irq_cause(hpet, n);
        if (n < HPET_LEGACY_COUNT)
            irq_set(&hpet->wiring.legacy[n], is_legacy(hpet, n) && cause);
        high |= cause ? input_of(hpet, n) : 0;
    }
    for (uint32_t changed = high ^ hpet->inputs_high; changed; changed &= changed - 1) {
        unsigned input = (unsigned)__builtin_ctz(changed);
        if (hpet->wiring.input.set)
            hpet->wiring.input.set(hpet->wiring.input.sink, input, high >> input & 1);
    }
    hpet->inputs_high = high;
}

/* --- time ------------------------------------------------------------------------------------- */

static uint64_t mask_of(const struct hpet_timer *timer)
{
    return timer->config & HPET_TN_32MODE ? UINT32_MAX : UINT64_MAX;
}

/* How far the counter is from the comparator; 0 where it stands on it, which is a whole round. */
static uint64_t distance(const struct hpet *hpet, const struct hpet_timer *timer)
{
    return (timer->comparator - hpet->counter) & mask_of(timer);
}

/* A match: status or edge, which the caller makes visible. */
static void fire(struct hpet *hpet, unsigned n)
{
    struct hpet_timer *timer = &hpet->timer[n];
    if (timer->config & HPET_TN_LEVEL)
        hpet->status |= BIT(n);
    else if (timer->config & HPET_TN_INT_ENB)
        timer->edge = true;
    hpet->interrupts += (timer->config & HPET_TN_INT_ENB) != 0;
}

/* Behind a match: a periodic comparator moves on, beyond the counter. */
static void accumulate(struct hpet *hpet, struct hpet_timer *timer)
{
    uint64_t period = timer->period & mask_of(timer);
    if (!(timer->config & HPET_TN_PERIODIC) || period == 0)
        return;
    uint64_t late = (hpet->counter - timer->comparator) & mask_of(timer);
    timer->comparator = (timer->comparator + (late / period + 1) * period) & mask_of(timer);
}

static void hpet_advance(void *dev, vtime_t now)
{
    struct hpet *hpet = dev;
    uint64_t tick = now / HPET_TICK_NS;
    if (tick <= hpet->tick)
        return;
    uint64_t passed = tick - hpet->tick;
    hpet->tick = tick;
    if (!running(hpet))
        return;
    unsigned matched = 0;
    for (unsigned n = 0; n < HPET_TIMER_COUNT; n++) {
        /* Less one, so that a whole round, which is 0, is the farthest. */
        if (((distance(hpet, &hpet->timer[n]) - 1) & mask_of(&hpet->timer[n])) < passed) {
            matched |= BIT(n);
            hpet->timer[n].edge = false; /* an edge upon an edge: the pin falls between them */
        }
    }
    if (matched)
        hpet_sync_irq(hpet);
    hpet->counter += passed;
    for (unsigned n = 0; n < HPET_TIMER_COUNT; n++) {
        if (matched & BIT(n)) {
            fire(hpet, n);
            accumulate(hpet, &hpet->timer[n]);
        }
    }
    hpet_sync_irq(hpet);
}

/* Whether a match would move a pin. */
static bool match_shows(const struct hpet *hpet, unsigned n)
{
    const struct hpet_timer *timer = &hpet->timer[n];
    return (timer->config & HPET_TN_INT_ENB) && (is_legacy(hpet, n) || input_of(hpet, n)) &&
           !((timer->config & HPET_TN_LEVEL) && (hpet->status & BIT(n)));
}

static vtime_t timer_deadline(const struct hpet *hpet, unsigned n)
{
    uint64_t less_one = (distance(hpet, &hpet->timer[n]) - 1) & mask_of(&hpet->timer[n]);
    uint64_t limit = UINT64_MAX / HPET_TICK_NS - hpet->tick;
    if (!match_shows(hpet, n) || less_one >= limit)
        return VTIME_NEVER;
    return (hpet->tick + less_one + 1) * HPET_TICK_NS;
}

static vtime_t hpet_next_deadline(const void *dev)
{
    const struct hpet *hpet = dev;
    vtime_t nearest = VTIME_NEVER;
    for (unsigned n = 0; n < HPET_TIMER_COUNT && running(hpet); n++)
        nearest = min_u64(nearest, timer_deadline(hpet, n));
    return nearest;
}

/* --- registers -------------------------------------------------------------------------------- */

static uint64_t read_capabilities(void)
{
    return HPET_GCAP_REV_ID | (HPET_TIMER_COUNT - 1) << HPET_GCAP_NUM_TIM_SHIFT |
           HPET_GCAP_COUNT_SIZE | HPET_GCAP_LEG_RT | VENDOR_INTEL << HPET_GCAP_VENDOR_SHIFT |
           HPET_TICK_NS * FS_PER_NS << HPET_GCAP_PERIOD_SHIFT;
}

static uint64_t read_timer(const struct hpet *hpet, const struct hpet_timer *timer, uint32_t reg)
{
    switch (reg) {
    case HPET_TN_CONF:
        return timer->config | HPET_TN_PER_CAP | HPET_TN_SIZE_CAP |
               (uint64_t)hpet->wiring.input_mask << HPET_TN_ROUTE_CAP_SHIFT;
    case HPET_TN_COMP:
        return timer->comparator & mask_of(timer);
    default:
        return 0;
    }
}

/* The timer that an offset belongs to, or NULL. */
static struct hpet_timer *timer_at(struct hpet *hpet, uint32_t offset)
{
    uint32_t n = (offset - HPET_TIMERS) / HPET_TIMER_SIZE;
    return offset >= HPET_TIMERS && n < HPET_TIMER_COUNT ? &hpet->timer[n] : NULL;
}

static uint64_t read_register(struct hpet *hpet, uint32_t offset)
{
    struct hpet_timer *timer = timer_at(hpet, offset);
    if (timer)
        return read_timer(hpet, timer, offset % HPET_TIMER_SIZE);
    switch (offset) {
    case HPET_GCAP_ID:
        return read_capabilities();
    case HPET_GEN_CONF:
        return hpet->config;
    case HPET_GINTR_STA:
        return hpet->status;
    case HPET_MAIN_CNT:
        return hpet->counter;
    default:
        return 0;
    }
}

/* The bits of a register that an access writes. */
struct field {
    uint64_t value, mask;
};

static uint64_t merge(uint64_t old, struct field field)
{
    return (old & ~field.mask) | field.value;
}

/* An input that isn't offered can't be chosen, and reads back as the old one. */
static void write_timer_config(struct hpet *hpet, struct hpet_timer *timer, uint32_t value)
{
    uint32_t config = value & HPET_TN_WRITABLE;
    uint32_t input = config >> HPET_TN_ROUTE_SHIFT & 0x1F;
    if (!(hpet->wiring.input_mask >> input & 1))
        config = (config & ~HPET_TN_ROUTE_MASK) | (timer->config & HPET_TN_ROUTE_MASK);
    timer->value_set = (value & HPET_TN_VAL_SET) && (config & HPET_TN_PERIODIC);
    if ((config ^ timer->config) & (HPET_TN_LEVEL | HPET_TN_INT_ENB | HPET_TN_ROUTE_MASK))
        timer->edge = false;
    timer->config = config;
}

/*
 * "Periodic Mode": the accumulator keeps its value unless "value set" says otherwise; what is added
 * to it is the value last written. A comparator that is put on the counter matches at once: a guest
 * that was a tick late must not wait for a whole round.
 */
static void write_comparator(struct hpet *hpet, struct hpet_timer *timer, struct field field)
{
    timer->period = merge(timer->period, field);
    if ((timer->config & HPET_TN_PERIODIC) && !timer->value_set)
        return;
    timer->value_set = false;
    timer->comparator = merge(timer->comparator, field) & mask_of(timer);
    if (running(hpet) && distance(hpet, timer) == 0) {
        fire(hpet, (unsigned)(timer - hpet->timer));
        accumulate(hpet, timer);
    }
}

static void write_config(struct hpet *hpet, uint32_t value)
{
    uint32_t config = value & (HPET_ENABLE | HPET_LEG_RT);
    bool switched = (config ^ hpet->config) & HPET_LEG_RT;
    hpet->config = config;
    for (unsigned n = 0; n < HPET_TIMER_COUNT && (switched || !running(hpet)); n++)
        hpet->timer[n].edge = false; /* it doesn't go along to another input */
    if (!switched || !hpet->wiring.replace)
        return;
    /* The inputs change hands while this side holds none of them high. */
    if (!(config & HPET_LEG_RT))
        hpet_sync_irq(hpet);
    hpet->wiring.replace(hpet->wiring.replace_ctx, config & HPET_LEG_RT);
}

static void write_register(struct hpet *hpet, uint32_t offset, struct field field)
{
    struct hpet_timer *timer = timer_at(hpet, offset);
    if (timer && offset % HPET_TIMER_SIZE == HPET_TN_COMP)
        write_comparator(hpet, timer, field);
    else if (timer && offset % HPET_TIMER_SIZE == HPET_TN_CONF && (uint32_t)field.mask)
        write_timer_config(hpet, timer, (uint32_t)field.value);
    else if (offset == HPET_GEN_CONF)
        write_config(hpet, (uint32_t)merge(hpet->config, field));
    else if (offset == HPET_GINTR_STA)
        hpet->status &= ~(uint32_t)field.value;
    else if (offset == HPET_MAIN_CNT)
        hpet->counter = merge(hpet->counter, field);
}

static enum io_result check_access(uint32_t offset, unsigned size)
{
    if (offset >= HPET_SIZE)
        return IO_NO_REGISTER;
    return (size == 4 || size == 8) && offset % size == 0 ? IO_OK : IO_BAD_SIZE;
}

static enum io_result hpet_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct hpet *hpet = dev;
    enum io_result result = check_access(offset, size);
    if (result == IO_OK)
        *value = read_register(hpet, offset & ~7u) >> (offset % 8 * 8) & size_mask(size);
    hpet_sync_irq(hpet);
    return result;
}

static enum io_result hpet_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct hpet *hpet = dev;
    enum io_result result = check_access(offset, size);
    unsigned shift = offset % 8 * 8;
    struct field field = {value << shift, size_mask(size) << shift};
    if (result == IO_OK)
        write_register(hpet, offset & ~7u, field);
    hpet_sync_irq(hpet);
    return result;
}

static void hpet_reset(void *dev)
{
    struct hpet *hpet = dev;
    write_config(hpet, 0);
    hpet->status = 0;
    hpet->counter = 0;
    for (unsigned n = 0; n < HPET_TIMER_COUNT; n++)
        hpet->timer[n] = (struct hpet_timer){.comparator = UINT64_MAX};
    hpet_sync_irq(hpet);
}

void hpet_init(struct hpet *hpet, const struct hpet_wiring *wiring)
{
    *hpet = (struct hpet){.wiring = *wiring};
    hpet_reset(hpet);
}

const struct dev_ops hpet_ops = {
    .name = "hpet",
    .read = hpet_read,
    .write = hpet_write,
    .reset = hpet_reset,
    .advance = hpet_advance,
    .next_deadline = hpet_next_deadline,
};
