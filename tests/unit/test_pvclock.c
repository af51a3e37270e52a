/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* The paravirtual clock. Numbers and offsets: Linux, Documentation/virt/kvm/x86/msr.rst. */
#include "virt/virt.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SYSTEM_TIME 0x4b564d01
#define WALL_CLOCK  0x4b564d00

static struct fake fake;

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    memset(fake.ram, 0xA5, FAKE_RAM_SIZE);
    return 0;
}

static uint64_t get(gpa_t at, unsigned bytes)
{
    uint64_t value = 0;
    memcpy(&value, fake.ram + at, bytes);
    return value;
}

static bool writes(uint32_t msr, uint64_t value)
{
    return msr_guest_write(&fake.vcpu, msr, value);
}

/* As a guest computes it. */
static uint64_t ns_at(gpa_t record, uint64_t tsc)
{
    uint64_t delta = tsc - get(record + 8, 8);
    int shift = (int8_t)get(record + 28, 1);
    delta = shift < 0 ? delta >> -shift : delta << shift;
    return get(record + 16, 8) + (uint64_t)(((unsigned __int128)delta * get(record + 24, 4)) >> 32);
}

static void the_record_turns_the_guests_tsc_into_guest_time(void **state)
{
    static const uint64_t frequency[] = {50000000,   999999999,  1000000000, 1000000001,
                                         2000000000, 2500015000, 4700000000};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(frequency); i++) {
        uint64_t hz = frequency[i];
        setup(state);
        fake.tsc = 7777777;
        clock_init(&fake.vcpu.clock, hz, 5000);
        fake.reg[VREG_TSC_OFFSET] = (uint64_t)-2000000;
        assert_true(writes(SYSTEM_TIME, 0x1001));
        assert_int_equal(get(0x1000, 4) % 2, 0);
        assert_int_equal(get(0x1008, 8), 5777777);
        assert_int_equal(get(0x101d, 1), 1); /* TSC stable */
        assert_int_equal(get(0x101e, 2), 0);
        assert_int_equal(get(0x1020, 1), 0xA5); /* 32 bytes, no more */
        uint64_t before = get(0x1010, 8);
        assert_int_equal(before, clock_ns(&fake.vcpu.clock, 7777777));
        assert_in_range(ns_at(0x1000, 5777777 + hz) - before, 999999990, 1000000010);
        assert_in_range(ns_at(0x1000, 5777777 + 3600 * hz) - before, 3599999970000, 3600000030000);
    }
}

static void registers_read_back(void **state)
{
    uint64_t value;
    (void)state;
    assert_true(msr_guest_read(&fake.vcpu, SYSTEM_TIME, &value) && value == 0);
    assert_true(writes(SYSTEM_TIME, 0x1001));
    assert_true(msr_guest_read(&fake.vcpu, SYSTEM_TIME, &value) && value == 0x1001);
    assert_true(writes(WALL_CLOCK, 0x2000));
    assert_true(msr_guest_read(&fake.vcpu, WALL_CLOCK, &value) && value == 0x2000);
    vcpu_reset(&fake.vcpu);
    assert_true(msr_guest_read(&fake.vcpu, SYSTEM_TIME, &value) && value == 0);
    assert_true(msr_guest_read(&fake.vcpu, WALL_CLOCK, &value) && value == 0);
}

static void without_bit_0_nothing_is_written(void **state)
{
    (void)state;
    assert_true(writes(SYSTEM_TIME, 0x1000));
    assert_int_equal(get(0x1000, 4), 0xA5A5A5A5);
    assert_true(writes(0x10, 12345));
    assert_int_equal(get(0x1000, 4), 0xA5A5A5A5);
}

static void a_tsc_that_is_set_makes_a_new_record(void **state)
{
    (void)state;
    assert_true(writes(SYSTEM_TIME, 0x1001));
    uint64_t version = get(0x1000, 4);
    fake.tsc += 500;
    assert_true(writes(0x10, 12345));
    assert_int_equal(get(0x1000, 4), version + 2);
    assert_int_equal(get(0x1008, 8), 12345);
    assert_int_equal(get(0x1010, 8), clock_ns(&fake.vcpu.clock, fake.tsc));
}

static void the_wall_clock_is_the_date_of_guest_time_0(void **state)
{
    (void)state;
    fake.vcpu.wall_epoch_s = 1767225600;
    assert_true(writes(WALL_CLOCK, 0x2000));
    assert_int_equal(get(0x2000, 4), 2);
    assert_int_equal(get(0x2004, 4), 1767225600);
    assert_int_equal(get(0x2008, 4), 0);
    assert_int_equal(get(0x200c, 1), 0xA5);
}

static void addresses_outside_of_ram_fault(void **state)
{
    (void)state;
    assert_false(writes(SYSTEM_TIME, FAKE_RAM_SIZE + 1));
    assert_false(writes(SYSTEM_TIME, FAKE_RAM_SIZE - 16 + 1));
    assert_false(writes(SYSTEM_TIME, UINT64_MAX));
    assert_false(writes(WALL_CLOCK, UINT64_MAX - 3));
    assert_int_equal(get(FAKE_RAM_SIZE - 16, 8), 0xA5A5A5A5A5A5A5A5);
    assert_true(writes(0x10, 1)); /* and the TSC may move afterwards */
}

static void cpuid_announces_it_behind_pxhvs_own_leaves(void **state)
{
    uint32_t out[4];
    (void)state;
    cpuid_guest(&fake.vcpu, 0x40000000, 0, out);
    assert_memory_equal(out + 1, "pxHVpxHVpxHV", 12);
    cpuid_guest(&fake.vcpu, 0x40000100, 0, out);
    assert_int_equal(out[0], 0x40000101);
    assert_int_equal(out[1], 0x4b4d564b);
    assert_int_equal(out[2], 0x564b4d56);
    assert_int_equal(out[3], 0x4d);
    cpuid_guest(&fake.vcpu, 0x40000101, 0, out);
    assert_int_equal(out[0], 0x0100004a);
    assert_int_equal(out[1] | out[2] | out[3], 0);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_record_turns_the_guests_tsc_into_guest_time),
        T(registers_read_back),
        T(without_bit_0_nothing_is_written),
        T(a_tsc_that_is_set_makes_a_new_record),
        T(the_wall_clock_is_the_date_of_guest_time_0),
        T(addresses_outside_of_ram_fault),
        T(cpuid_announces_it_behind_pxhvs_own_leaves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
