/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/handlers.h"
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
    return 0;
}

static uint64_t value_of(uint32_t msr)
{
    uint64_t value = 0xdeadbeef;
    assert_true(msr_guest_read(&fake.vcpu, msr, &value));
    return value;
}

static void assert_accepts(uint32_t msr, uint64_t value)
{
    assert_true(msr_guest_write(&fake.vcpu, msr, value));
    assert_true(value_of(msr) == value);
}

static void assert_refuses(uint32_t msr, uint64_t value)
{
    uint64_t before = value_of(msr);
    assert_false(msr_guest_write(&fake.vcpu, msr, value));
    assert_true(value_of(msr) == before);
}

/* --- existence -------------------------------------------------------------------------------- */

/* Each range of MSRs that the guest has, and the neighbours that it hasn't. */
static void only_the_listed_msrs_exist(void **state)
{
    (void)state;
    static const struct {
        uint32_t first, last;
    } present[] = {{0x10, 0x10},
                   {0x17, 0x17},
                   {0x1b, 0x1b},
                   {0x3b, 0x3b},
                   {0x8b, 0x8b},
                   {0xfe, 0xfe},
                   {0x174, 0x176},
                   {0x1a0, 0x1a0},
                   {0x1d9, 0x1d9},
                   {0x200, 0x20f},
                   {0x250, 0x250},
                   {0x258, 0x259},
                   {0x268, 0x26f},
                   {0x277, 0x277},
                   {0x2ff, 0x2ff},
                   {0x6e0, 0x6e0},
                   {0xda0, 0xda0},
                   {0xc0000080, 0xc0000080},
                   {0xc0000100, 0xc0000101}};
    unsigned found = 0, expected = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(present); i++)
        expected += present[i].last - present[i].first + 1;
    for (uint32_t block = 0; block < 3; block++) {
        uint32_t base = block == 0 ? 0 : block == 1 ? 0xc0000000 : 0x40000000;
        for (uint32_t msr = base; msr < base + 0x2000; msr++) {
            bool listed = false;
            for (unsigned i = 0; i < ARRAY_SIZE(present); i++)
                listed |= msr >= present[i].first && msr <= present[i].last;
            uint64_t value;
            assert_int_equal(msr_guest_read(&fake.vcpu, msr, &value), listed);
            found += listed;
            if (!listed)
                assert_false(msr_guest_write(&fake.vcpu, msr, 0));
        }
    }
    assert_int_equal(found, expected);
}

static void an_unknown_msr_is_a_general_protection_fault(void **state)
{
    (void)state;
    static const uint32_t hidden[] = {0x3a /* FEATURE_CONTROL */, 0x48 /* SPEC_CTRL */,
                                      0x179 /* MCG_CAP */,        0x480 /* VMX_BASIC */,
                                      0x802 /* x2APIC ID */,      0xc0010114 /* VM_CR */};
    for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++) {
        for (unsigned write = 0; write < 2; write++) {
            fake_init(&fake);
            fake.vcpu.gpr[VGPR_RCX] = hidden[i];
            fake_exit(&fake, write ? VEXIT_WRMSR : VEXIT_RDMSR, 2);
            assert_int_equal(fake.vcpu.inject.type, VEVENT_EXCEPTION);
            assert_int_equal(fake.vcpu.inject.vector, 13);
            assert_true(fake.vcpu.inject.has_error);
            assert_int_equal(fake.vcpu.inject.error, 0);
            assert_int_equal(fake.vcpu.rip, 0x1000);
        }
    }
}

static void the_exits_join_and_split_edx_eax(void **state)
{
    (void)state;
    fake.vcpu.gpr[VGPR_RCX] = 0xffffffff00000200; /* the upper half of RCX is ignored */
    fake.vcpu.gpr[VGPR_RAX] = 0xffffffff80000006;
    fake.vcpu.gpr[VGPR_RDX] = 0xffffffff00000001;
    fake_exit(&fake, VEXIT_WRMSR, 2);
    assert_true(value_of(0x200) == 0x180000006);
    fake_exit(&fake, VEXIT_RDMSR, 2);
    assert_true(fake.vcpu.gpr[VGPR_RAX] == 0x80000006);
    assert_true(fake.vcpu.gpr[VGPR_RDX] == 1);
    assert_int_equal(fake.vcpu.rip, 0x1004);
}

static void passthrough_msrs_are_opened_for_both_directions(void **state)
{
    (void)state;
    static const uint32_t open[] = {0x174,      0x175,      0x176,      0xc0000081,
                                    0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100,
                                    0xc0000101, 0xc0000102, 0xc0000103};
    fake.opened = 0;
    msr_open_passthrough(&fake.vcpu);
    assert_int_equal(fake.opened, ARRAY_SIZE(open));
    for (unsigned i = 0; i < ARRAY_SIZE(open); i++) {
        assert_int_equal(fake.opened_msr[i], open[i]);
        assert_true(fake.opened_writes[i]);
    }
    fake.opened = 0;
    fake.facts.rdtscp = false;
    msr_open_passthrough(&fake.vcpu);
    assert_int_equal(fake.opened, ARRAY_SIZE(open) - 1); /* no TSC_AUX */
}

/* --- EFER ------------------------------------------------------------------------------------- */

static void efer_refuses_reserved_bits_and_lme_under_paging(void **state)
{
    (void)state;
    assert_int_equal(value_of(0xc0000080), 0xd01);
    for (unsigned bit = 0; bit < 64; bit++)
        if (bit != 0 && bit != 8 && bit != 10 && bit != 11)
            assert_refuses(0xc0000080, 0xd01 | 1ull << bit);
    assert_refuses(0xc0000080, 0xc01); /* LME while CR0.PG is set */
    assert_accepts(0xc0000080, 0xd00);
}

static void efer_lma_is_read_only(void **state)
{
    (void)state;
    assert_true(msr_guest_write(&fake.vcpu, 0xc0000080, 0x901));
    assert_int_equal(value_of(0xc0000080), 0xd01);
    fake_init_bits(&fake, 32);
    assert_true(msr_guest_write(&fake.vcpu, 0xc0000080, 0x400));
    assert_int_equal(value_of(0xc0000080), 0);
    assert_accepts(0xc0000080, 0x100);
}

static void efer_nxe_needs_the_feature(void **state)
{
    (void)state;
    fake.facts.nx = false;
    assert_refuses(0xc0000080, 0xd01);
    assert_true(msr_guest_write(&fake.vcpu, 0xc0000080, 0x501));
}

/* --- time ------------------------------------------------------------------------------------- */

static void writing_the_tsc_moves_offset_and_adjust(void **state)
{
    (void)state;
    fake.tsc = 5000;
    assert_int_equal(value_of(0x10), 5000);
    assert_true(msr_guest_write(&fake.vcpu, 0x10, 100));
    assert_int_equal(value_of(0x10), 100);
    assert_true((int64_t)fake.reg[VREG_TSC_OFFSET] == -4900);
    assert_true((int64_t)value_of(0x3b) == -4900);
}

static void writing_tsc_adjust_moves_the_tsc_by_the_difference(void **state)
{
    (void)state;
    fake.tsc = 5000;
    assert_accepts(0x3b, 1000);
    assert_int_equal(value_of(0x10), 6000);
    assert_accepts(0x3b, 1000);
    assert_int_equal(value_of(0x10), 6000);
    assert_accepts(0x3b, (uint64_t)-1000);
    assert_int_equal(value_of(0x10), 4000);
}

/* --- identification --------------------------------------------------------------------------- */

static void the_local_apics_registers_are_the_machines(void **state)
{
    (void)state;
    assert_int_equal(value_of(0x1b), 0xfee00900);
    assert_accepts(0x6e0, 12345);
    assert_int_equal(fake.apic_msr[0x6e0], 12345);
    assert_accepts(0x1b, 0xfee00d00);
    for (uint32_t msr = 0x800; msr <= 0x8ff; msr++)
        assert_accepts(msr, msr);
    uint64_t value;
    assert_false(msr_guest_read(&fake.vcpu, 0x900, &value));
}

static void cpuids_apic_bit_follows_the_base(void **state)
{
    (void)state;
    uint32_t out[4];
    cpuid_guest(&fake.vcpu, 1, 0, out);
    assert_int_equal(out[3] >> 9 & 1, 1);
    assert_accepts(0x1b, 0xfee00100);
    cpuid_guest(&fake.vcpu, 1, 0, out);
    assert_int_equal(out[3] >> 9 & 1, 0);
    assert_accepts(0x1b, 0xfee00900);
    cpuid_guest(&fake.vcpu, 1, 0, out);
    assert_int_equal(out[3] >> 9 & 1, 1);
}

static void the_machine_learns_that_the_tsc_has_moved(void **state)
{
    (void)state;
    unsigned before = fake.tsc_moves;
    assert_true(msr_guest_write(&fake.vcpu, 0x10, 5));
    assert_int_equal(fake.tsc_moves, before + 1);
    assert_true(msr_guest_write(&fake.vcpu, 0x3b, 5));
    assert_int_equal(fake.tsc_moves, before + 2);
}

static void misc_enable_changes_fast_strings_only(void **state)
{
    (void)state;
    assert_int_equal(value_of(0x1a0), 0x1801); /* no BTS, no PEBS */
    assert_accepts(0x1a0, 0x1800);
    assert_accepts(0x1a0, 0x1801);
    assert_refuses(0x1a0, 0x401801);
    assert_refuses(0x1a0, 0x400001801);
    assert_refuses(0x1a0, 0);
}

static void read_only_msrs_refuse_writes(void **state)
{
    (void)state;
    assert_int_equal(value_of(0xfe), 0x508);
    assert_refuses(0xfe, 0x508);
    assert_int_equal(value_of(0x17), 0);
    assert_refuses(0x17, 0);
}

static void msrs_of_hidden_features_hold_zero(void **state)
{
    (void)state;
    assert_accepts(0x1d9, 0);
    assert_true(msr_guest_write(&fake.vcpu, 0x1d9, 3)); /* LBR and BTF: taken, without effect */
    assert_int_equal(value_of(0x1d9), 0);
    assert_refuses(0x1d9, 4);
    assert_accepts(0xda0, 0);
    assert_refuses(0xda0, 0x100);
    fake.facts.xsaves = false;
    msr_reset(&fake.vcpu); /* which entries exist is settled from then on */
    uint64_t value;
    assert_false(msr_guest_read(&fake.vcpu, 0xda0, &value));
}

static void the_microcode_revision_reads_as_written(void **state)
{
    (void)state;
    assert_int_equal(value_of(0x8b), 0);
    assert_accepts(0x8b, 0);
}

/* --- memory types ----------------------------------------------------------------------------- */

static void mtrrs_are_as_firmware_leaves_them(void **state)
{
    (void)state;
    assert_int_equal(value_of(0x2ff), 0xc06);
    assert_true(value_of(0x250) == 0x0606060606060606);
    assert_true(value_of(0x258) == 0x0606060606060606);
    assert_int_equal(value_of(0x259), 0); /* A0000h: the VGA window, UC */
    for (uint32_t msr = 0x268; msr <= 0x26f; msr++)
        assert_true(value_of(msr) == 0x0505050505050505);
    for (uint32_t msr = 0x200; msr <= 0x20f; msr++)
        assert_int_equal(value_of(msr), 0);
}

static void each_mtrr_has_a_place_of_its_own(void **state)
{
    (void)state;
    static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                     0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    for (uint32_t i = 0; i < 16; i += 2) {
        assert_true(msr_guest_write(&fake.vcpu, 0x200 + i, (uint64_t)i << 12));
        assert_true(msr_guest_write(&fake.vcpu, 0x201 + i, (uint64_t)(i + 1) << 12 | 0x800));
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(fixed); i++)
        assert_true(msr_guest_write(&fake.vcpu, fixed[i], (i & 1) | 0x0400));
    assert_true(msr_guest_write(&fake.vcpu, 0x2ff, 0xc00));
    for (uint32_t i = 0; i < 16; i += 2) {
        assert_int_equal(value_of(0x200 + i), (uint64_t)i << 12);
        assert_int_equal(value_of(0x201 + i), (uint64_t)(i + 1) << 12 | 0x800);
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(fixed); i++)
        assert_int_equal(value_of(fixed[i]), (i & 1) | 0x0400);
    assert_int_equal(value_of(0x2ff), 0xc00);
}

static void mtrrs_refuse_reserved_bits_and_types(void **state)
{
    (void)state;
    assert_accepts(0x202, 0xfee00000);
    assert_refuses(0x202, 0x102);      /* type 2 */
    assert_refuses(0x202, 0x107);      /* bit 8, type 7 */
    assert_refuses(0x202, 0x7);        /* UC- is the PAT's alone */
    assert_refuses(0x202, 1ull << 46); /* beyond the physical address */
    assert_accepts(0x203, 0x3ffffffff800);
    assert_refuses(0x203, 0x3ffffffff801);
    assert_refuses(0x203, 0x7fffffff800 << 4);
    assert_accepts(0x268, 0x0001040506000000);
    assert_refuses(0x268, 0x0000000000000002);
    assert_refuses(0x268, 0x0300000000000000);
    assert_accepts(0x2ff, 0x806);
    assert_refuses(0x2ff, 0x802);
    assert_refuses(0x2ff, 0x906);
    assert_refuses(0x2ff, 0x1806);
}

static void the_pat_checks_each_byte(void **state)
{
    (void)state;
    assert_true(value_of(0x277) == 0x0007040600070406);
    assert_accepts(0x277, 0x0407050600070106); /* Linux' layout */
    assert_true(fake.reg[VREG_PAT] == 0x0407050600070106);
    for (unsigned byte = 0; byte < 8; byte++) {
        assert_refuses(0x277, 2ull << 8 * byte);
        assert_refuses(0x277, 3ull << 8 * byte);
        assert_refuses(0x277, 8ull << 8 * byte);
        assert_refuses(0x277, 0x80ull << 8 * byte);
    }
}

/* --- registers of the backend ----------------------------------------------------------------- */

static void bases_and_entry_points_reach_their_registers(void **state)
{
    (void)state;
    static const struct {
        uint32_t msr;
        enum vreg reg;
    } table[] = {{0x175, VREG_SYSENTER_ESP},
                 {0x176, VREG_SYSENTER_EIP},
                 {0xc0000100, VREG_FS_BASE},
                 {0xc0000101, VREG_GS_BASE}};
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        assert_accepts(table[i].msr, 0xffff800000000000 + i);
        assert_true(fake.reg[table[i].reg] == 0xffff800000000000 + i);
        assert_accepts(table[i].msr, 0x7fffffffffff);
        assert_refuses(table[i].msr, 0x800000000000);
        assert_refuses(table[i].msr, 0xffff7fffffffffff);
    }
    assert_accepts(0x174, 0x10);
    assert_int_equal(fake.reg[VREG_SYSENTER_CS], 0x10);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_listed_msrs_exist),
        TEST(an_unknown_msr_is_a_general_protection_fault),
        TEST(the_exits_join_and_split_edx_eax),
        TEST(passthrough_msrs_are_opened_for_both_directions),
        TEST(efer_refuses_reserved_bits_and_lme_under_paging),
        TEST(efer_lma_is_read_only),
        TEST(efer_nxe_needs_the_feature),
        TEST(writing_the_tsc_moves_offset_and_adjust),
        TEST(writing_tsc_adjust_moves_the_tsc_by_the_difference),
        TEST(the_local_apics_registers_are_the_machines),
        TEST(cpuids_apic_bit_follows_the_base),
        TEST(the_machine_learns_that_the_tsc_has_moved),
        TEST(misc_enable_changes_fast_strings_only),
        TEST(read_only_msrs_refuse_writes),
        TEST(msrs_of_hidden_features_hold_zero),
        TEST(the_microcode_revision_reads_as_written),
        TEST(mtrrs_are_as_firmware_leaves_them),
        TEST(each_mtrr_has_a_place_of_its_own),
        TEST(mtrrs_refuse_reserved_bits_and_types),
        TEST(the_pat_checks_each_byte),
        TEST(bases_and_entry_points_reach_their_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
