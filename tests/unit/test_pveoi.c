/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* The end of an interrupt by a bit in memory. Numbers: Linux, Documentation/virt/kvm/x86/msr.rst.
 */
#include "virt/virt.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PV_EOI_EN 0x4b564d04

static struct fake fake;

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    return 0;
}

static bool writes(uint64_t value)
{
    return msr_guest_write(&fake.vcpu, PV_EOI_EN, value);
}

static bool reads(uint64_t wanted)
{
    uint64_t value = 0;
    return msr_guest_read(&fake.vcpu, PV_EOI_EN, &value) && value == wanted;
}

static void an_offer_sets_the_lowest_bit_alone(void **state)
{
    (void)state;
    memset(fake.ram, 0xA4, FAKE_RAM_SIZE);
    assert_true(reads(0));
    assert_false(pveoi_offer(&fake.vcpu));
    assert_true(writes(0x1001));
    assert_true(reads(0x1001));
    assert_int_equal(fake.ram[0x1000], 0xA4);
    assert_true(pveoi_offer(&fake.vcpu));
    assert_int_equal(fake.ram[0x1000], 0xA5);
    for (unsigned i = 1; i < 8; i++)
        assert_int_equal(fake.ram[0x1000 + i], 0xA4);
    assert_int_equal(fake.ram[0xfff], 0xA4);
}

static void the_guests_end_is_seen_and_an_unused_offer_taken_back(void **state)
{
    (void)state;
    assert_true(writes(0x1001));
    assert_true(pveoi_offer(&fake.vcpu));
    fake.ram[0x1000] &= 0xFE;
    assert_true(pveoi_withdraw(&fake.vcpu));
    assert_true(pveoi_offer(&fake.vcpu));
    assert_false(pveoi_withdraw(&fake.vcpu));
    assert_int_equal(fake.ram[0x1000], 0);
}

static void addresses_outside_of_ram_fault(void **state)
{
    static const uint64_t bad[] = {FAKE_RAM_SIZE | 1, (1ull << 63) | 1, 0xfffffffffffffffd, 0x1003,
                                   (FAKE_RAM_SIZE - 2) | 1};
    (void)state;
    assert_true(writes(0x1001));
    for (unsigned i = 0; i < 5; i++)
        assert_false(writes(bad[i]));
    assert_true(reads(0x1001));
    assert_true(writes((FAKE_RAM_SIZE - 4) | 1));
    assert_true(writes(0));
    assert_false(pveoi_offer(&fake.vcpu));
}

/* The word may be anywhere when the offer is taken back, and another address be in force. */
static void an_open_offer_stays_at_its_address(void **state)
{
    (void)state;
    assert_true(writes(0x1001));
    assert_true(pveoi_offer(&fake.vcpu));
    assert_true(writes(0x2001));
    assert_int_equal(fake.ram[0x1000], 1);
    assert_false(pveoi_withdraw(&fake.vcpu));
    assert_int_equal(fake.ram[0x1000], 0);
    assert_true(pveoi_offer(&fake.vcpu));
    assert_int_equal(fake.ram[0x2000], 1);
    assert_true(writes(0));
    fake.ram[0x2000] = 0;
    assert_true(pveoi_withdraw(&fake.vcpu));
}

static void a_reset_ends_it(void **state)
{
    (void)state;
    assert_true(writes(0x1001));
    vcpu_reset(&fake.vcpu);
    assert_true(reads(0));
    assert_false(pveoi_offer(&fake.vcpu));
}

static void where_the_cpu_ends_interrupts_it_is_hidden(void **state)
{
    uint32_t out[4];
    (void)state;
    cpuid_guest(&fake.vcpu, 0x40000101, 0, out);
    assert_int_equal(out[0], 0x0100004a);
    fake.vcpu.apic_help = VAPIC_DELIVERY;
    vcpu_reset(&fake.vcpu);
    cpuid_guest(&fake.vcpu, 0x40000101, 0, out);
    assert_int_equal(out[0], 0x0100000a);
    assert_false(reads(0));
    assert_false(writes(0x1001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_offer_sets_the_lowest_bit_alone, setup),
        cmocka_unit_test_setup(the_guests_end_is_seen_and_an_unused_offer_taken_back, setup),
        cmocka_unit_test_setup(addresses_outside_of_ram_fault, setup),
        cmocka_unit_test_setup(an_open_offer_stays_at_its_address, setup),
        cmocka_unit_test_setup(a_reset_ends_it, setup),
        cmocka_unit_test_setup(where_the_cpu_ends_interrupts_it_is_hidden, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
