/* A local APIC with nothing around it that doesn't count. Addresses and values are the SDM's. */
#ifndef TESTS_LAPIC_RIG_H
#define TESTS_LAPIC_RIG_H

#include "dev/lapic.h"
#include "dev_rig.h"

static struct lapic lapic;
static _Alignas(4096) uint32_t page[1024];
static enum lapic_help help; /* of the next rig_init() */
static struct rig_pin intr;
static unsigned nmis, inits, moves, changes, eoi_count, extint_acks;
static uint8_t eoi_vector;

static inline int rig_extint(void *ctx)
{
    (void)ctx;
    extint_acks++;
    return 0x30;
}

static inline void rig_eoi(void *ctx, uint8_t vector)
{
    (void)ctx;
    eoi_count++;
    eoi_vector = vector;
}

/* The guest's TSC runs at 1 GHz and is 5000 ahead of guest time. */
static inline vtime_t rig_when(void *ctx, uint64_t tsc)
{
    (void)ctx;
    return tsc <= lapic.now + 5000 ? lapic.now : tsc - 5000;
}

static inline void rig_init(uint8_t id)
{
    /* 48 address bits; a timer of 100 MHz, 10 ns a tick. */
    const struct lapic_config config = {.page = page,
                                        .help = help,
                                        .id = id,
                                        .boot_processor = true,
                                        .timer_hz = 100000000,
                                        .address_mask = (1ull << 48) - 1};
    const struct lapic_wiring wiring = {
        .intr = rig_line(&intr),
        .nmi = rig_signal(&nmis),
        .init = rig_signal(&inits),
        .changed = rig_signal(&changes),
        .moved = rig_signal(&moves),
        .extint_ack = rig_extint,
        .eoi = rig_eoi,
        .when_tsc = rig_when,
    };
    intr = (struct rig_pin){0};
    nmis = inits = moves = changes = eoi_count = extint_acks = 0;
    lapic_init(&lapic, &config, &wiring);
}

static inline int setup(void **state)
{
    (void)state;
    rig_init(0);
    return 0;
}

static inline uint32_t rd(uint32_t offset)
{
    uint64_t value = UINT64_MAX;
    assert_int_equal(lapic_ops.read(&lapic, offset, 4, &value), IO_OK);
    assert_true(value <= 0xffffffff);
    return (uint32_t)value;
}

static inline void wr(uint32_t offset, uint32_t value)
{
    assert_int_equal(lapic_ops.write(&lapic, offset, 4, value), IO_OK);
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint64_t value = 0;
    assert_true(lapic_msr_read(&lapic, msr, &value));
    return value;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    assert_true(lapic_msr_write(&lapic, msr, value));
}

static inline void read_faults(uint32_t msr)
{
    uint64_t value = 0;
    assert_false(lapic_msr_read(&lapic, msr, &value));
}

static inline void write_faults(uint32_t msr, uint64_t value)
{
    assert_false(lapic_msr_write(&lapic, msr, value));
}

static inline void enable(void)
{
    wr(0xf0, 0x1ff);
}

static inline void x2apic(void)
{
    wrmsr(0x1b, 0xfee00d00);
}

/* The ESR as software is to read it. */
static inline uint32_t errors(void)
{
    wr(0x280, 0);
    return rd(0x280);
}

#define T(name) cmocka_unit_test_setup(name, setup)

#endif
