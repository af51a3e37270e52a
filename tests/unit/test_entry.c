/* needs: vmm/pc/entry.c vmm/lib/mem.c */
#include "pc/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* A backend that remembers registers, and complains as a CPU would about their order. */
static uint64_t reg[VREG_COUNT];
static struct vseg seg[VSEG_COUNT];
static struct vcpu vcpu;

static void reg_set(struct vcpu *v, enum vreg name, uint64_t value)
{
    (void)v;
    if (name == VREG_CR0 && value & 0x80000000) {
        assert_true(value & 1);                 /* PG needs PE */
        assert_true(reg[VREG_EFER] & 0x100);    /* LME */
        assert_true(reg[VREG_CR4] & 0x20);      /* PAE */
        assert_int_not_equal(reg[VREG_CR3], 0); /* tables */
    }
    reg[name] = value;
}

static void seg_set(struct vcpu *v, enum vseg_name name, const struct vseg *value)
{
    (void)v;
    seg[name] = *value;
}

static const struct backend fake = {.reg_set = reg_set, .seg_set = seg_set};

static int setup(void **state)
{
    (void)state;
    memset(reg, 0, sizeof(reg));
    memset(seg, 0, sizeof(seg));
    memset(&vcpu, 0xA5, sizeof(vcpu));
    vcpu.backend = &fake;
    return 0;
}

static const struct bzimage_entry entry = {.long_mode = true,
                                           .entry = 0x1000200,
                                           .zero_page = 0x7000,
                                           .page_tables = 0x1000,
                                           .gdt = 0x8000,
                                           .gdt_limit = 31,
                                           .stack = 0xA000};

static void check_common(void)
{
    static const enum vseg_name data[] = {VSEG_DS, VSEG_ES, VSEG_SS};

    assert_int_equal(seg[VSEG_CS].selector, 0x10);
    assert_true(seg[VSEG_CS].limit == 0xFFFFFFFF && seg[VSEG_CS].base == 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(seg[data[i]].selector, 0x18);
        assert_int_equal(seg[data[i]].access, 0xC093);
        assert_true(seg[data[i]].limit == 0xFFFFFFFF && seg[data[i]].base == 0);
    }
    assert_int_equal(vcpu.rflags, 2); /* interrupts off */
    assert_int_equal(reg[VREG_GDTR_BASE], 0x8000);
    assert_int_equal(reg[VREG_GDTR_LIMIT], 31);
    assert_int_equal(vcpu.gpr[6], 0x7000); /* RSI */
    assert_int_equal(vcpu.gpr[4], 0xA000); /* RSP */
    assert_int_equal(vcpu.gpr[3] | vcpu.gpr[5] | vcpu.gpr[7], 0);
}

static void the_64_bit_entry_runs_in_long_mode(void **state)
{
    (void)state;
    pc_set_entry(&vcpu, &entry);
    check_common();
    assert_int_equal(seg[VSEG_CS].access, 0xA09B);
    assert_true(reg[VREG_CR0] == 0x80000031);
    assert_int_equal(reg[VREG_CR3], 0x1000);
    assert_int_equal(reg[VREG_CR4], 0x20);
    assert_int_equal(vcpu.rip, 0x1000200);
}

static void the_32_bit_entry_runs_without_paging(void **state)
{
    struct bzimage_entry entry32 = entry;

    (void)state;
    entry32.long_mode = false;
    entry32.entry = 0x100000;
    pc_set_entry(&vcpu, &entry32);
    check_common();
    assert_int_equal(seg[VSEG_CS].access, 0xC09B);
    assert_int_equal(reg[VREG_CR0], 0x31);
    assert_int_equal(reg[VREG_CR4] | reg[VREG_EFER], 0);
    assert_int_equal(vcpu.rip, 0x100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_64_bit_entry_runs_in_long_mode, setup),
        cmocka_unit_test_setup(the_32_bit_entry_runs_without_paging, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
