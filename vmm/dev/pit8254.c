/* 8254 timer and port 61h; pit8254.h says what is modelled, pit_counter.c does the counting. */
#include "dev/pit8254.h"
#include "dev/pit8254_regs.h"
#include "dev/ticks.h"

/* What PC firmware leaves behind. */
#define PIT_FIRMWARE_CONTROL0 0x36 /* LSB and MSB, mode 3 */
#define PIT_FIRMWARE_CONTROL1 0x54 /* LSB, mode 2 */
#define PIT_FIRMWARE_CONTROL2 0xb6 /* LSB and MSB, mode 3 */
#define PIT_FIRMWARE_COUNT2   1331 /* a beep of 896 Hz */

bool pit8254_irq_cause(const struct pit8254 *pit)
{
    return pit_counter_out(&pit->counter[0], pit->tick);
}

static void pit_sync_irq(struct pit8254 *pit)
{
    irq_set(&pit->irq, pit8254_irq_cause(pit));
}

static void pit_settle(struct pit8254 *pit)
{
    for (unsigned i = 0; i < 3; i++)
        pit_counter_settle(&pit->counter[i], pit->tick);
}

static void pit8254_advance(void *dev, vtime_t now)
{
    struct pit8254 *pit = dev;
    uint64_t tick = ticks_from_ns(now, PIT_HZ);
    if (tick <= pit->tick)
        return;
    bool rose = pit_counter_next_rise(&pit->counter[0], pit->tick) <= tick;
    pit->tick = tick;
    pit_settle(pit);
    if (rose) {
        /* OUT may have been low only between two looks: the PIC must see the edge. */
        irq_set(&pit->irq, false);
        pit->edges++;
    }
    pit_sync_irq(pit);
}

static vtime_t pit8254_next_deadline(const void *dev)
{
    const struct pit8254 *pit = dev;
    uint64_t rise = pit_counter_next_rise(&pit->counter[0], pit->tick);
    return rise == UINT64_MAX ? VTIME_NEVER : ns_from_ticks(rise, PIT_HZ);
}

static uint8_t pit_read_port61(const struct pit8254 *pit)
{
    return pit->port61 | (pit->tick / PORT61_REFRESH_TICKS & 1 ? PORT61_REFRESH : 0) |
           (pit_counter_out(&pit->counter[2], pit->tick) ? PORT61_OUT2 : 0);
}

static void pit_write_port61(struct pit8254 *pit, uint8_t value)
{
    pit->port61 = value & PORT61_WRITABLE;
    pit_counter_set_gate(&pit->counter[2], value & PORT61_GATE2, pit->tick);
}

static void pit_write_control(struct pit8254 *pit, uint8_t value)
{
    if (PIT_SC(value) < 3) {
        struct pit_counter *counter = &pit->counter[PIT_SC(value)];
        if (PIT_RW(value) == PIT_RW_LATCH)
            pit_counter_latch_count(counter, pit->tick);
        else
            pit_counter_write_control(counter, value, pit->tick);
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!(value & 2u << i))
            continue;
        if (!(value & PIT_READBACK_NO_COUNT))
            pit_counter_latch_count(&pit->counter[i], pit->tick);
        if (!(value & PIT_READBACK_NO_STATUS))
            pit_counter_latch_status(&pit->counter[i], pit->tick);
    }
}

static enum io_result pit8254_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct pit8254 *pit = dev;
    if (offset > PIT_PORT61 || offset == PIT_CONTROL)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    if (offset == PIT_PORT61)
        *value = pit_read_port61(pit);
    else
        *value = pit_counter_read(&pit->counter[offset], pit->tick);
    pit_sync_irq(pit);
    return IO_OK;
}

static enum io_result pit8254_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct pit8254 *pit = dev;
    if (offset > PIT_PORT61)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    if (offset == PIT_PORT61)
        pit_write_port61(pit, (uint8_t)value);
    else if (offset == PIT_CONTROL)
        pit_write_control(pit, (uint8_t)value);
    else
        pit_counter_write(&pit->counter[offset], (uint8_t)value, pit->tick);
    pit_sync_irq(pit);
    return IO_OK;
}

static void pit8254_reset(void *dev)
{
    struct pit8254 *pit = dev;
    pit->port61 = 0;
    pit->counter[0].gate = true;
    pit->counter[1].gate = true;
    pit->counter[2].gate = false;
    pit_counter_reset(&pit->counter[0], PIT_FIRMWARE_CONTROL0, 0, pit->tick);
    pit_counter_reset(&pit->counter[1], PIT_FIRMWARE_CONTROL1, PORT61_REFRESH_TICKS, pit->tick);
    pit_counter_reset(&pit->counter[2], PIT_FIRMWARE_CONTROL2, PIT_FIRMWARE_COUNT2, pit->tick);
    pit_sync_irq(pit);
}

void pit8254_init(struct pit8254 *pit, struct irq_line irq)
{
    *pit = (struct pit8254){.irq = irq};
    pit8254_reset(pit);
}

const struct dev_ops pit8254_ops = {
    .name = "pit8254",
    .read = pit8254_read,
    .write = pit8254_write,
    .reset = pit8254_reset,
    .advance = pit8254_advance,
    .next_deadline = pit8254_next_deadline,
};
