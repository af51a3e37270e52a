/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct fake fake;

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    fake.facts.vendor = CPU_VENDOR_AMD;
    vcpu_reset(&fake.vcpu);
    fake.reg[VREG_CR0] = 0x80050033;
    fake.reg[VREG_EFER] = 0xd01;
    return 0;
}

static uint64_t value_of(uint32_t msr)
{
    uint64_t value = 0xdeadbeef;
    assert_true(msr_guest_read(&fake.vcpu, msr, &value));
    return value;
}

static bool writes(uint32_t msr, uint64_t value)
{
    return msr_guest_write(&fake.vcpu, msr, value);
}

static bool exists(uint32_t msr)
{
    uint64_t value;
    bool readable = msr_guest_read(&fake.vcpu, msr, &value);
    assert_true(readable || !writes(msr, 0));
    return readable;
}

/* Each range of MSRs that the guest has, and the neighbours that it hasn't. */
static void only_the_listed_msrs_exist(void **state)
{
    (void)state;
    static const struct {
        uint32_t first, last;
    } present[] = {{0x10, 0x10},
                   {0x1b, 0x1b},
                   {0x8b, 0x8b},
                   {0xfe, 0xfe},
                   {0x174, 0x176},
                   {0x1d9, 0x1d9},
                   {0x1db, 0x1de},
                   {0x200, 0x20f},
                   {0x250, 0x250},
                   {0x258, 0x259},
                   {0x268, 0x26f},
                   {0x277, 0x277},
                   {0x2ff, 0x2ff},
                   {0x6e0, 0x6e0},
                   {0xda0, 0xda0},
                   {0xc0000080, 0xc0000080},
                   {0xc0000100, 0xc0000101},
                   {0xc0010010, 0xc0010010},
                   {0xc0010015, 0xc001001a},
                   {0xc001001d, 0xc001001d},
                   {0xc001001f, 0xc001001f},
                   {0xc0010055, 0xc0010055},
                   {0xc0010058, 0xc0010058},
                   {0xc0011022, 0xc0011022},
                   {0xc0011029, 0xc0011029},
                   {0xc001102a, 0xc001102a}};
    static const uint32_t base[] = {0, 0x40000000, 0xc0000000, 0xc0010000};
    for (unsigned block = 0; block < ARRAY_SIZE(base); block++) {
        for (uint32_t msr = base[block]; msr < base[block] + 0x2000; msr++) {
            bool listed = false;
            for (unsigned i = 0; i < ARRAY_SIZE(present); i++)
                listed |= msr >= present[i].first && msr <= present[i].last;
            assert_int_equal(exists(msr), listed);
        }
    }
}

static void registers_of_hidden_features_are_a_general_protection_fault(void **state)
{
    (void)state;
    static const uint32_t hidden[] = {
        0x17 /* PLATFORM_ID, Intel's */,
        0x3b /* TSC_ADJUST, Intel's */,
        0x48 /* SPEC_CTRL */,
        0x49 /* PRED_CMD */,
        0xe7 /* MPERF */,
        0x179 /* MCG_CAP */,
        0x1a0 /* MISC_ENABLE, Intel's */,
        0x400 /* MC0_CTL */,
        0xc0000104 /* TSC_RATIO */,
        0xc0000408 /* MC4_MISC1 */,
        0xc0002000 /* SMCA */,
        0xc0010000 /* PERF_CTL0 */,
        0xc0010020 /* PATCH_LOADER */,
        0xc0010061 /* P-states */,
        0xc0010112 /* SMM_ADDR */,
        0xc0010114 /* VM_CR */,
        0xc0010117 /* VM_HSAVE_PA */,
        0xc001011f /* VIRT_SPEC_CTRL */,
        0xc0010131 /* SEV_STATUS */,
        0xc0010140 /* OSVW_ID_LENGTH */,
        0xc0010200 /* PERF_CTL0 of the extension */,
        0xc0011005 /* CPUID features that could be changed */,
        0xc0011020 /* LS_CFG */,
        0xc0011021 /* IC_CFG */,
        0xc0011030 /* IBS */,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++)
        assert_false(exists(hidden[i]));
}

static void none_of_them_exists_on_intels_cpus(void **state)
{
    (void)state;
    for (unsigned vendor = 0; vendor < 3; vendor++) {
        fake.facts.vendor = (enum cpu_vendor)vendor;
        bool amd = vendor == CPU_VENDOR_AMD;
        for (uint32_t msr = 0xc0010000; msr < 0xc0012000; msr++)
            if (exists(msr))
                assert_true(amd);
        assert_int_equal(exists(0xc0010015), amd);
        assert_int_equal(exists(0x1db), amd);
        assert_int_equal(exists(0x3b), !amd);
        assert_int_equal(exists(0x17), !amd);
        assert_int_equal(exists(0x1a0), !amd);
    }
}

static void efer_has_no_bit_of_a_hidden_feature(void **state)
{
    (void)state;
    /* SVME 12, LMSLE 13, FFXSR 14, TCE 15, MCOMMIT 17, INTWB 18, UAIE 20, AIBRSE 21 */
    for (unsigned bit = 0; bit < 64; bit++) {
        if (bit == 0 || bit == 8 || bit == 10 || bit == 11)
            continue;
        assert_false(writes(0xc0000080, 0xd01 | 1ull << bit));
        assert_int_equal(value_of(0xc0000080), 0xd01);
    }
}

static void the_patch_level_is_the_hosts_and_read_only(void **state)
{
    (void)state;
    fake.facts.patch_level = 0x08701030;
    assert_int_equal(value_of(0x8b), 0x08701030);
    assert_false(writes(0x8b, 0));
    assert_false(writes(0x8b, 0x08701030));
}

static void constant_tsc_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    fake_cpuid(leaf, subleaf, out);
    if (leaf == 0x80000007)
        out[3] = 0;
}

/* Linux: "TSC doesn't count with P0 frequency!" */
static void hwcr_says_that_an_invariant_tsc_counts_at_p0(void **state)
{
    (void)state;
    assert_int_equal(value_of(0xc0010015), 0x1000000);
    fake.facts.cpuid = constant_tsc_cpuid;
    vcpu_reset(&fake.vcpu);
    assert_int_equal(value_of(0xc0010015), 0);
    assert_false(writes(0xc0010015, 0x1000000));
}

static void hwcr_takes_what_has_no_effect_and_refuses_the_rest(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        bool taken = bit == 3 || bit == 6 || bit == 8 || bit == 24;
        assert_int_equal(writes(0xc0010015, 1ull << bit), taken);
        assert_int_equal(value_of(0xc0010015), 0x1000000);
    }
    assert_true(writes(0xc0010015, 0x1000148));
    assert_true(writes(0xc0010015, 0));
    assert_int_equal(value_of(0xc0010015), 0x1000000);
}

static void lfence_is_serializing_where_the_host_made_it_so(void **state)
{
    (void)state;
    assert_int_equal(value_of(0xc0011029), 0);
    assert_false(writes(0xc0011029, 2)); /* not ours to promise */
    assert_true(writes(0xc0011029, 0));
    fake.facts.lfence_serializing = true;
    assert_int_equal(value_of(0xc0011029), 2);
    assert_true(writes(0xc0011029, 2));
    assert_true(writes(0xc0011029, 0));
    assert_int_equal(value_of(0xc0011029), 2);
    assert_false(writes(0xc0011029, 0x202)); /* some erratum's bit */
}

/* Linux writes NB_CFG bit 46 (EnableCf8ExtCfg) with a plain WRMSR on every family from 10h on. */
static void settings_of_the_hosts_chips_are_taken_and_forgotten(void **state)
{
    (void)state;
    static const uint32_t ignored[] = {0xc001001f, 0xc0011022, 0xc001102a};
    for (unsigned i = 0; i < ARRAY_SIZE(ignored); i++) {
        assert_int_equal(value_of(ignored[i]), 0);
        assert_true(writes(ignored[i], 1ull << 46 | 1 << 24));
        assert_int_equal(value_of(ignored[i]), 0);
    }
}

static void what_the_machine_does_not_have_stays_zero(void **state)
{
    (void)state;
    /* SYSCFG, IORRs, TOP_MEM, TOP_MEM2, INT_PENDING (no C1E), MMIO_CFG_BASE_ADDR (off) */
    static const uint32_t zero[] = {0xc0010010, 0xc0010016, 0xc0010017, 0xc0010018, 0xc0010019,
                                    0xc001001a, 0xc001001d, 0xc0010055, 0xc0010058};
    for (unsigned i = 0; i < ARRAY_SIZE(zero); i++) {
        assert_int_equal(value_of(zero[i]), 0);
        assert_true(writes(zero[i], 0));
        for (unsigned bit = 0; bit < 64; bit++)
            assert_false(writes(zero[i], 1ull << bit));
    }
    for (uint32_t msr = 0x1db; msr <= 0x1de; msr++) {
        assert_int_equal(value_of(msr), 0);
        assert_false(writes(msr, 0));
    }
}

static void shared_registers_work_as_on_every_cpu(void **state)
{
    (void)state;
    assert_int_equal(value_of(0xfe), 0x508);
    assert_int_equal(value_of(0x2ff), 0xc06);
    assert_int_equal(value_of(0x1b), 0xfee00900);
    assert_true(writes(0x277, 0x0407050600070106));
    assert_true(value_of(0x277) == 0x0407050600070106);
    fake.tsc = 5000;
    assert_true(writes(0x10, 100));
    assert_int_equal(value_of(0x10), 100);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_listed_msrs_exist),
        TEST(registers_of_hidden_features_are_a_general_protection_fault),
        TEST(none_of_them_exists_on_intels_cpus),
        TEST(efer_has_no_bit_of_a_hidden_feature),
        TEST(the_patch_level_is_the_hosts_and_read_only),
        TEST(hwcr_says_that_an_invariant_tsc_counts_at_p0),
        TEST(hwcr_takes_what_has_no_effect_and_refuses_the_rest),
        TEST(lfence_is_serializing_where_the_host_made_it_so),
        TEST(settings_of_the_hosts_chips_are_taken_and_forgotten),
        TEST(what_the_machine_does_not_have_stays_zero),
        TEST(shared_registers_work_as_on_every_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
