/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;

#define GP 13
#define UD 6

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    return 0;
}

/* MOV to CR from RBX. Gives the vector of the fault or 255 when it went through. */
static unsigned write_cr(unsigned cr, uint64_t value)
{
    struct vexit exit = {.kind = VEXIT_CR_WRITE, .insn_len = 3, .cr = {(uint8_t)cr, VGPR_RBX}};
    fake.vcpu.gpr[VGPR_RBX] = value;
    fake.vcpu.inject.type = VEVENT_NONE;
    uint64_t rip = fake.vcpu.rip;
    exit_handle(&fake.vcpu, &exit);
    if (fake.vcpu.inject.type == VEVENT_NONE) {
        assert_int_equal(fake.vcpu.rip, rip + 3);
        return 255;
    }
    assert_int_equal(fake.vcpu.rip, rip);
    return fake.vcpu.inject.vector;
}

static uint64_t read_cr(unsigned cr)
{
    struct vexit exit = {.kind = VEXIT_CR_READ, .insn_len = 3, .cr = {(uint8_t)cr, VGPR_R9}};
    fake.vcpu.gpr[VGPR_R9] = 0xdead;
    exit_handle(&fake.vcpu, &exit);
    return fake.vcpu.gpr[VGPR_R9];
}

/* --- CR0 -------------------------------------------------------------------------------------- */

static void cr0_refuses_combinations_that_make_no_sense(void **state)
{
    (void)state;
    static const struct {
        unsigned bits;
        uint64_t value;
        unsigned result;
    } table[] = {
        {64, 0x80050033, 255}, {64, 0x8005003b, 255}, {64, 0x180050033, GP}, /* upper half */
        {64, 0xa0050033, GP},                                                /* NW without CD */
        {64, 0xe0050033, 255},                                               /* CD and NW */
        {64, 0xc0050033, 255},                                               /* CD */
        {64, 0x80050032, GP},                                                /* PG without PE */
        {64, 0x00050033, GP},  /* leaving paging in 64-bit mode */
        {64, 0x8005ffb3, 255}, /* reserved bits are ignored */
        {32, 0x00000010, 255}, /* back to real mode */
        {32, 0x80000010, GP},  {32, 0x20000011, GP},  {16, 0x00000011, 255}, {16, 0x60000010, 255},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init_bits(&fake, table[i].bits);
        uint64_t before = fake.reg[VREG_CR0];
        assert_int_equal(write_cr(0, table[i].value), table[i].result);
        uint64_t after = table[i].result == 255 ? (table[i].value & 0xe005003f) | 0x10 : before;
        assert_int_equal(fake.reg[VREG_CR0], after);
    }
}

static void cr0_et_is_wired_to_one(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    assert_int_equal(write_cr(0, 1), 255);
    assert_int_equal(fake.reg[VREG_CR0], 0x11);
}

static void outside_of_64_bit_code_the_upper_half_of_the_operand_is_ignored(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    assert_int_equal(write_cr(0, 0xffffffff00000013), 255);
    assert_int_equal(fake.reg[VREG_CR0], 0x13);
}

static void paging_with_lme_turns_long_mode_on(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    fake.reg[VREG_EFER] = 0x100;
    assert_int_equal(write_cr(0, 0x80000011), GP); /* without PAE */
    fake.reg[VREG_CR4] = 0x20;
    fake.seg[VSEG_CS].access |= 1 << 13;
    assert_int_equal(write_cr(0, 0x80000011), GP); /* CS.L is set */
    fake.seg[VSEG_CS].access &= ~(1 << 13);
    fake.seg[VSEG_TR].access = 0x83;
    assert_int_equal(write_cr(0, 0x80000011), GP); /* a 16-bit TSS */
    fake.seg[VSEG_TR].access = 0x8b;
    assert_int_equal(write_cr(0, 0x80000011), 255);
    assert_int_equal(fake.reg[VREG_EFER], 0x500);
    assert_int_equal(write_cr(0, 0x11), 255); /* and off again, from 32-bit code */
    assert_int_equal(fake.reg[VREG_EFER], 0x100);
}

static void leaving_paging_with_pcide_is_refused(void **state)
{
    (void)state;
    fake.reg[VREG_CR4] |= 1 << 17;
    fake.seg[VSEG_CS].access = 0xc09b; /* compatibility mode */
    assert_int_equal(write_cr(0, 0x50033), GP);
    fake.reg[VREG_CR4] &= ~(1ull << 17);
    assert_int_equal(write_cr(0, 0x50033), 255);
}

static void pae_paging_checks_the_four_entries(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    fake.reg[VREG_CR4] = 0x20;
    fake.reg[VREG_CR3] = 0x3020;
    uint64_t pdpte[4] = {0x4001, 0x5019, 0xffffffffffffffe, 0x6001};
    memcpy(fake.ram + 0x3020, pdpte, sizeof(pdpte));
    assert_int_equal(write_cr(0, 0x80000011), 255); /* an absent entry may hold anything */
    assert_int_equal(write_cr(0, 0x11), 255);
    static const uint64_t bad[] = {0x6003, 0x6005,          0x6021,
                                   0x6101, 0x1000000006001, 0x8000000000006001};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        memcpy(fake.ram + 0x3038, &bad[i], 8);
        assert_int_equal(write_cr(0, 0x80000011), GP);
        assert_int_equal(fake.reg[VREG_CR0], 0x11);
    }
    pdpte[3] = 0;
    memcpy(fake.ram + 0x3020, pdpte, sizeof(pdpte));
    assert_int_equal(write_cr(0, 0x80000011), 255);
    uint64_t wrong = 0x2 | 0x1;
    memcpy(fake.ram + 0x7000, &wrong, 8);
    assert_int_equal(write_cr(3, 0x7000), GP);
    assert_int_equal(write_cr(3, 0x3020), 255);
    memcpy(fake.ram + 0x3020, &wrong, 8);
    assert_int_equal(write_cr(4, 0xa0), GP);   /* PGE changes: the entries are loaded anew */
    assert_int_equal(write_cr(4, 0x220), 255); /* OSFXSR doesn't load them */
}

static void the_four_entries_matter_to_pae_paging_alone(void **state)
{
    (void)state;
    uint64_t bad = 0x3;
    fake_init_bits(&fake, 32);
    memcpy(fake.ram + 0x3000, &bad, 8);
    fake.reg[VREG_CR3] = 0x3000;
    assert_int_equal(write_cr(4, 0x20), 255); /* PAE without paging */
    assert_int_equal(write_cr(3, 0x3000), 255);
    assert_int_equal(write_cr(4, 0), 255);
    assert_int_equal(write_cr(0, 0x80000011), 255); /* paging without PAE */
    assert_int_equal(write_cr(3, 0x3000), 255);
    assert_int_equal(write_cr(4, 0x80), 255);
    assert_int_equal(write_cr(4, 0x20), GP); /* both */
}

static void entries_outside_of_ram_are_absent(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    fake.reg[VREG_CR4] = 0x20;
    fake.reg[VREG_CR3] = 0xf0000000;
    assert_int_equal(write_cr(0, 0x80000011), 255);
}

static void clts_clears_ts_only(void **state)
{
    (void)state;
    fake.reg[VREG_CR0] |= 8;
    fake_exit(&fake, VEXIT_CLTS, 2);
    assert_int_equal(fake.reg[VREG_CR0], 0x80050033);
    assert_int_equal(fake.vcpu.rip, 0x1002);
}

static void lmsw_reaches_four_bits_and_never_clears_pe(void **state)
{
    (void)state;
    static const struct {
        uint64_t cr0;
        uint16_t msw;
        uint64_t result;
    } table[] = {{0x10, 0x1, 0x11}, {0x11, 0x0, 0x11},    {0x1f, 0x0, 0x11},
                 {0x11, 0xf, 0x1f}, {0x11, 0xfff0, 0x11}, {0x80050033, 0x8, 0x80050039}};
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init_bits(&fake, table[i].cr0 >> 31 ? 64 : 32);
        fake.reg[VREG_CR0] = table[i].cr0;
        struct vexit exit = {.kind = VEXIT_LMSW, .insn_len = 3, .lmsw = {table[i].msw}};
        exit_handle(&fake.vcpu, &exit);
        assert_int_equal(fake.reg[VREG_CR0], table[i].result);
        assert_int_equal(fake.vcpu.rip, 0x1003);
    }
}

/* --- CR3 -------------------------------------------------------------------------------------- */

static void cr3_refuses_addresses_that_do_not_exist(void **state)
{
    (void)state;
    assert_int_equal(write_cr(3, 0x3fffffffffff), 255);
    assert_true(fake.reg[VREG_CR3] == 0x3fffffffffff);
    assert_int_equal(write_cr(3, 0x400000000000), GP);
    assert_int_equal(write_cr(3, 0x8000000000001000), GP); /* bit 63 without PCIDE */
}

static void cr3_bit_63_with_pcide_is_not_stored(void **state)
{
    (void)state;
    fake.reg[VREG_CR4] |= 1 << 17;
    assert_int_equal(write_cr(3, 0x8000000000005001), 255);
    assert_int_equal(fake.reg[VREG_CR3], 0x5001);
    assert_int_equal(write_cr(3, 0xc000000000005001), GP); /* bit 62 is reserved all the same */
}

/* --- CR4 -------------------------------------------------------------------------------------- */

static void cr4_offers_what_cpuid_offers(void **state)
{
    (void)state;
    /* VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP FSGSBASE PCIDE OSXSAVE SMEP SMAP */
    uint64_t offered = 0x370fff;
    for (unsigned bit = 0; bit < 64; bit++) {
        fake_init(&fake);
        uint64_t value = 0x6a0 | 1ull << bit;
        fake.reg[VREG_CR3] = 0x2000;
        assert_int_equal(write_cr(4, value), (value & ~offered) ? GP : 255);
    }
}

static void cr4_keeps_to_the_hosts_bits(void **state)
{
    (void)state;
    fake.facts.cr4_allowed = 0x7ff;
    fake.facts.xcr0_allowed = 0;
    assert_int_equal(write_cr(4, 0x6a0 | 1 << 20), GP); /* SMEP */
    assert_int_equal(write_cr(4, 0x6a0), 255);
    fake.facts.cr4_allowed = 0x407bf;
    assert_int_equal(write_cr(4, 0x6a0 | 1 << 6), GP);  /* MCE */
    assert_int_equal(write_cr(4, 0x6a0 | 1 << 18), GP); /* OSXSAVE without components */
}

static void cr4_pae_is_locked_in_long_mode(void **state)
{
    (void)state;
    assert_int_equal(write_cr(4, 0x680), GP);
    fake_init_bits(&fake, 32);
    assert_int_equal(write_cr(4, 0x20), 255);
    assert_int_equal(write_cr(4, 0), 255);
}

static void pcide_needs_long_mode_and_pcid_0(void **state)
{
    (void)state;
    fake.reg[VREG_CR3] = 0x2001;
    assert_int_equal(write_cr(4, 0x206a0), GP);
    fake.reg[VREG_CR3] = 0x2000;
    assert_int_equal(write_cr(4, 0x206a0), 255);
    fake.reg[VREG_CR3] = 0x2001; /* once on, the PCID may be any */
    assert_int_equal(write_cr(4, 0x206a0), 255);
    fake_init_bits(&fake, 32);
    assert_int_equal(write_cr(4, 0x20020), GP);
}

/* --- the others ------------------------------------------------------------------------------- */

static void reading_gives_the_guests_value(void **state)
{
    (void)state;
    assert_int_equal(read_cr(0), 0x80050033);
    assert_int_equal(read_cr(3), 0x2000);
    assert_int_equal(read_cr(4), 0x6a0);
    assert_int_equal(read_cr(8), 0);
}

static void cr8_holds_four_bits(void **state)
{
    (void)state;
    assert_int_equal(write_cr(8, 0xf), 255);
    assert_int_equal(read_cr(8), 0xf);
    assert_int_equal(write_cr(8, 0x10), GP);
    assert_int_equal(read_cr(8), 0xf);
}

static void control_registers_that_do_not_exist_are_undefined(void **state)
{
    (void)state;
    static const unsigned absent[] = {1, 2, 5, 6, 7, 9, 15};
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        assert_int_equal(write_cr(absent[i], 0), UD);
        fake.vcpu.inject.type = VEVENT_NONE;
        read_cr(absent[i]);
        assert_int_equal(fake.vcpu.inject.vector, UD);
    }
}

static void rsp_is_a_register_like_the_others(void **state)
{
    (void)state;
    struct vexit exit = {.kind = VEXIT_CR_READ, .insn_len = 3, .cr = {3, 4}};
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.vcpu.gpr[VGPR_RSP], 0x2000);
}

/* --- XSETBV ----------------------------------------------------------------------------------- */

static unsigned xsetbv(uint32_t ecx, uint64_t value)
{
    fake.vcpu.inject.type = VEVENT_NONE;
    fake.vcpu.gpr[VGPR_RCX] = ecx;
    fake.vcpu.gpr[VGPR_RAX] = (uint32_t)value | 0xffffffff00000000;
    fake.vcpu.gpr[VGPR_RDX] = value >> 32;
    fake.xcr0_loaded = 0xdead;
    fake_exit(&fake, VEXIT_XSETBV, 3);
    if (fake.vcpu.inject.type == VEVENT_NONE) {
        assert_int_equal(fake.xcr0_loaded, value);
        assert_int_equal(fake.vcpu.xcr0, value);
        return 255;
    }
    assert_int_equal(fake.xcr0_loaded, 0xdead);
    return fake.vcpu.inject.vector;
}

static void xcr0_takes_consistent_sets_only(void **state)
{
    (void)state;
    fake.reg[VREG_CR4] |= 1 << 18;
    static const struct {
        uint64_t value;
        unsigned result;
    } table[] = {{0x1, 255},          {0x3, 255}, {0x7, 255}, {0xe7, 255}, {0x0, GP},
                 {0x2, GP},           {0x5, GP},  {0x6, GP},  {0x27, GP},  {0x67, GP},
                 {0xe3, GP},          {0xc7, GP}, {0x1f, GP}, {0x207, GP}, {1ull << 63 | 1, GP},
                 {1ull << 32 | 7, GP}};
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        assert_int_equal(xsetbv(0, table[i].value), table[i].result);
}

static void xsetbv_checks_index_privilege_and_osxsave(void **state)
{
    (void)state;
    assert_int_equal(xsetbv(0, 7), UD);
    fake.reg[VREG_CR4] |= 1 << 18;
    assert_int_equal(xsetbv(1, 7), GP);
    fake.seg[VSEG_SS].access |= 3 << 5;
    assert_int_equal(xsetbv(0, 7), GP);
    fake.seg[VSEG_SS].access &= ~(3 << 5);
    assert_int_equal(xsetbv(0, 7), 255);
    fake.facts.xcr0_allowed = 0x3;
    assert_int_equal(xsetbv(0, 7), GP);
}

/* --- debug registers -------------------------------------------------------------------------- */

static unsigned mov_dr(unsigned dr, bool write, uint64_t value)
{
    struct vexit exit = {.kind = VEXIT_DR_ACCESS, .insn_len = 3};
    exit.dr.dr = (uint8_t)dr;
    exit.dr.gpr = VGPR_RDX;
    exit.dr.write = write;
    fake.vcpu.gpr[VGPR_RDX] = value;
    fake.vcpu.inject.type = VEVENT_NONE;
    exit_handle(&fake.vcpu, &exit);
    return fake.vcpu.inject.type == VEVENT_NONE ? 255 : fake.vcpu.inject.vector;
}

static uint64_t dr_value(unsigned dr)
{
    assert_int_equal(mov_dr(dr, false, 0xdead), 255);
    return fake.vcpu.gpr[VGPR_RDX];
}

static void debug_registers_hold_what_was_written(void **state)
{
    (void)state;
    for (unsigned dr = 0; dr < 4; dr++) {
        assert_int_equal(mov_dr(dr, true, 0xffff888000000000 + dr), 255);
        assert_true(dr_value(dr) == 0xffff888000000000 + dr);
    }
    assert_int_equal(dr_value(6), 0xffff0ff0);
    assert_int_equal(mov_dr(6, true, 0), 255);
    assert_int_equal(dr_value(6), 0xffff0ff0);
    assert_int_equal(mov_dr(6, true, 0xffffffff), 255);
    assert_int_equal(dr_value(6), 0xffffeff0 | 0xf);
    assert_int_equal(mov_dr(7, true, 0x1), 255);
    assert_int_equal(dr_value(7), 0x401);
    assert_int_equal(mov_dr(7, true, 1ull << 32), GP);
    assert_int_equal(mov_dr(6, true, 1ull << 32), GP);
}

static void dr4_and_dr5_are_aliases_unless_de_is_set(void **state)
{
    (void)state;
    assert_int_equal(mov_dr(5, true, 0x2), 255);
    assert_int_equal(dr_value(7), 0x402);
    assert_int_equal(dr_value(4), 0xffff0ff0);
    fake.reg[VREG_CR4] |= 8;
    assert_int_equal(mov_dr(4, false, 0), UD);
    assert_int_equal(mov_dr(5, true, 0), UD);
}

static void general_detect_faults_before_the_access(void **state)
{
    (void)state;
    fake.reg[VREG_DR7] = 0x2400;
    assert_int_equal(mov_dr(0, true, 0x1234), 1);
    assert_int_equal(fake.reg[VREG_DR0], 0);
    assert_int_equal(fake.reg[VREG_DR6], 0xffff2ff0);
    assert_int_equal(fake.reg[VREG_DR7], 0x400); /* the handler may touch them */
    assert_int_equal(fake.vcpu.rip, 0x1000);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cr0_refuses_combinations_that_make_no_sense),
        TEST(cr0_et_is_wired_to_one),
        TEST(outside_of_64_bit_code_the_upper_half_of_the_operand_is_ignored),
        TEST(paging_with_lme_turns_long_mode_on),
        TEST(leaving_paging_with_pcide_is_refused),
        TEST(pae_paging_checks_the_four_entries),
        TEST(the_four_entries_matter_to_pae_paging_alone),
        TEST(entries_outside_of_ram_are_absent),
        TEST(clts_clears_ts_only),
        TEST(lmsw_reaches_four_bits_and_never_clears_pe),
        TEST(cr3_refuses_addresses_that_do_not_exist),
        TEST(cr3_bit_63_with_pcide_is_not_stored),
        TEST(cr4_offers_what_cpuid_offers),
        TEST(cr4_keeps_to_the_hosts_bits),
        TEST(cr4_pae_is_locked_in_long_mode),
        TEST(pcide_needs_long_mode_and_pcid_0),
        TEST(reading_gives_the_guests_value),
        TEST(cr8_holds_four_bits),
        TEST(control_registers_that_do_not_exist_are_undefined),
        TEST(rsp_is_a_register_like_the_others),
        TEST(xcr0_takes_consistent_sets_only),
        TEST(xsetbv_checks_index_privilege_and_osxsave),
        TEST(debug_registers_hold_what_was_written),
        TEST(dr4_and_dr5_are_aliases_unless_de_is_set),
        TEST(general_detect_faults_before_the_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
