/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/task.c vmm/virt/task_load.c vmm/virt/gwalk.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* Hardware task switches that succeed, and events through task gates: SDM "Task Management". */
#include "virt/task.h"

#include "task_guest.h"

/* --- a switch that succeeds ------------------------------------------------------------------- */

static void call_saves_the_old_task_behind_the_instruction(void **state)
{
    (void)state;
    put16(OLD + 0x4a, 0xeeee); /* reserved beside ES */
    put32(OLD + 0x1c, 0x1c1c1c1c);
    put16(OLD + 0x60, 0x6060);
    do_switch(CALL, 0x30);
    assert_int_equal(get32(OLD + 0x20), 0x7007);
    assert_int_equal(get32(OLD + 0x24), 0x4202);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(get32(OLD + 0x28 + 4 * i), 0xc0000000 + i);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(get16(OLD + 0x48 + 4 * i), 0x100 + 8 * i);
    assert_int_equal(get16(OLD + 0x4a), 0xeeee);
    assert_int_equal(get32(OLD + 0x1c), 0x1c1c1c1c); /* CR3 and LDT aren't saved */
    assert_int_equal(get16(OLD + 0x60), 0x6060);
    assert_int_equal(get16(OLD), 0);
}

static void call_loads_the_new_task(void **state)
{
    (void)state;
    fake.vcpu.int_shadow = 1;
    fake.reg[VREG_CR3] = 0x2000;
    do_switch(CALL, 0x30);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
    assert_int_equal(fake.vcpu.rip, 0x401234);
    assert_int_equal(fake.vcpu.rflags, 0x4046); /* NT is set */
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(fake.vcpu.gpr[i], 0xa0000000 + i);
    assert_int_equal(fake.seg[VSEG_CS].selector, 0x08);
    assert_int_equal(fake.seg[VSEG_CS].access, 0xc09b);
    assert_int_equal(fake.seg[VSEG_CS].limit, 0xffffffff);
    assert_int_equal(fake.seg[VSEG_SS].access, 0xc093);
    assert_int_equal(fake.seg[VSEG_FS].access, 0); /* null selector: unusable */
    assert_int_equal(fake.seg[VSEG_GS].selector, 0x10);
    assert_int_equal(fake.seg[VSEG_LDTR].access, 0x82);
    assert_int_equal(fake.seg[VSEG_LDTR].base, 0x14000);
    assert_int_equal(fake.seg[VSEG_LDTR].limit, 0x1f);
    assert_int_equal(fake.seg[VSEG_TR].selector, 0x30);
    assert_int_equal(fake.seg[VSEG_TR].access, 0x8b);
    assert_int_equal(fake.seg[VSEG_TR].base, NEW);
    assert_int_equal(fake.seg[VSEG_TR].limit, 0x67);
    assert_int_equal(fake.reg[VREG_CR0], 0x19);   /* TS */
    assert_int_equal(fake.reg[VREG_CR3], 0x2000); /* paging is off */
    assert_int_equal(fake.reg[VREG_DR7], 0x6aa);
    assert_int_equal(fake.vcpu.int_shadow, 0);
}

/* SDM "Effect of Task Switches on Busy Flag, NT Flag, Previous Task Link Field, and TS Flag" */
static void busy_nt_and_link_follow_the_cause(void **state)
{
    static const struct {
        uint8_t source, old_busy, new_busy;
        bool nt, link;
        uint32_t saved_flags;
    } table[] = {
        {CALL, 0x8b, 0x8b, true, true, 0x4202},
        {GATE, 0x8b, 0x8b, true, true, 0x4202},
        {JMP, 0x89, 0x8b, false, false, 0x4202},
        {IRET, 0x89, 0x8b, false, false, 0x0202},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        setup(state);
        put16(NEW, 0x7777);
        if (table[i].source == IRET)
            make_iret_possible();
        do_switch(table[i].source, 0x30);
        assert_int_equal(fake.seg[VSEG_TR].selector, 0x30);
        assert_int_equal(fake.ram[GDT + 0x2d], table[i].old_busy);
        assert_int_equal(fake.ram[GDT + 0x35], table[i].new_busy);
        assert_int_equal(fake.vcpu.rflags, table[i].nt ? 0x4046 : 0x46);
        assert_int_equal(get16(NEW), table[i].link ? 0x28 : 0x7777);
        assert_int_equal(get32(OLD + 0x24), table[i].saved_flags);
    }
}

static void flags_that_do_not_exist_stay_clear(void **state)
{
    (void)state;
    put32(NEW + 0x24, 0xfffdffff); /* all but VM */
    do_switch(JMP, 0x30);
    assert_int_equal(fake.vcpu.rflags, 0x3d7fd7);
}

static void a_16_bit_tss_has_its_own_layout(void **state)
{
    (void)state;
    fake.seg[VSEG_FS].access = 0xc093;
    do_switch(CALL, 0x38);
    assert_int_equal(fake.vcpu.rip, 0x4321);
    assert_int_equal(fake.vcpu.rflags, 0x4002);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(fake.vcpu.gpr[i], 0xb000 + i);
    assert_int_equal(fake.seg[VSEG_DS].selector, 0x10);
    assert_int_equal(fake.seg[VSEG_FS].access, 0);
    assert_int_equal(fake.seg[VSEG_LDTR].selector, 0x40);
    assert_int_equal(fake.seg[VSEG_LDTR].access, 0x82);
    assert_int_equal(fake.seg[VSEG_TR].access, 0x83);
    assert_int_equal(get16(SML), 0x28);

    /* And back: the 16-bit one is saved. */
    fake.vcpu.rip = 0x4400;
    do_switch(IRET, 0x28);
    assert_int_equal(get16(SML + 0x0e), 0x4407);
    assert_int_equal(get16(SML + 0x10), 0x0002);
    assert_int_equal(get16(SML + 0x20), 0xb007);
    assert_int_equal(get16(SML + 0x22), 0x10);
    assert_int_equal(get16(SML + 0x28), 0x10);
    assert_int_equal(get16(SML + 0x2a), 0x40);
    assert_int_equal(fake.vcpu.rip, 0x7007);
    assert_int_equal(fake.ram[GDT + 0x3d], 0x81);
}

static void segments_become_accessed(void **state)
{
    (void)state;
    fake.ram[GDT + 0x0d] = 0x9a;
    fake.ram[GDT + 0x15] = 0x92;
    do_switch(JMP, 0x30);
    assert_int_equal(fake.ram[GDT + 0x0d], 0x9b);
    assert_int_equal(fake.ram[GDT + 0x15], 0x93);
    assert_int_equal(fake.seg[VSEG_CS].access, 0xc09b);
    assert_int_equal(fake.seg[VSEG_SS].access, 0xc093);
}

static void segments_may_come_from_the_new_ldt(void **state)
{
    (void)state;
    put64(0x14008, 0x004093123456789a);
    put16(NEW + 0x54, 0x0c);
    do_switch(JMP, 0x30);
    assert_int_equal(fake.seg[VSEG_DS].base, 0x123456);
    assert_int_equal(fake.seg[VSEG_DS].limit, 0x789a);
}

static void virtual_8086_mode_takes_segments_by_number(void **state)
{
    (void)state;
    put32(NEW + 0x24, 0x23002);
    put16(NEW + 0x4c, 0x1234);
    do_switch(JMP, 0x30);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
    assert_int_equal(fake.seg[VSEG_CS].base, 0x12340);
    assert_int_equal(fake.seg[VSEG_CS].limit, 0xffff);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(fake.seg[i].access, 0xf3);
}

static void cr3_comes_with_paging_only(void **state)
{
    (void)state;
    /* 32-bit paging, one 4 MiB page to itself, at 4000h and at 5000h */
    put32(0x4000, 0x83);
    put32(0x5000, 0x83);
    fake.reg[VREG_CR0] = 0x80000011;
    fake.reg[VREG_CR4] = 0x10;
    fake.reg[VREG_CR3] = 0x4000;
    do_switch(JMP, 0x30);
    assert_int_equal(fake.reg[VREG_CR3], 0x5000);
    assert_int_equal(fake.reg[VREG_CR0], 0x80000019);
    assert_int_equal(fake.vcpu.rip, 0x401234);
}

static void pae_entries_that_vm_entry_refuses_fault(void **state)
{
    (void)state;
    put64(0x4000, 0x6001);
    put64(0x6000, 0x83);
    put64(0x5000, 0x6007); /* bits 1 and 2 are reserved */
    fake.reg[VREG_CR0] = 0x80000011;
    fake.reg[VREG_CR4] = 0x20;
    fake.reg[VREG_CR3] = 0x4000;
    do_switch(JMP, 0x30);
    assert_fault(13, 0);
    assert_int_equal(fake.reg[VREG_CR3], 0x4000);
}

static void the_t_bit_traps_before_the_first_instruction(void **state)
{
    (void)state;
    put16(NEW + 0x64, 1);
    do_switch(CALL, 0x30);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_EXCEPTION);
    assert_int_equal(fake.vcpu.inject.vector, 1);
    assert_false(fake.vcpu.inject.has_error);
    assert_int_equal(fake.reg[VREG_DR6] & 0x8000, 0x8000);
    assert_int_equal(fake.vcpu.rflags & 0x10000, 0);
    assert_int_equal(fake.vcpu.rip, 0x401234);
}

/* --- task gates ------------------------------------------------------------------------------- */

static void an_exception_leaves_at_its_instruction_and_pushes_its_error(void **state)
{
    (void)state;
    put32(NEW + 0x38, 0x8000);
    put32(0x7ff8, 0x55555555);
    do_gate((struct vevent){VEVENT_EXCEPTION, 13, true, 0, 0x1234});
    assert_int_equal(get32(OLD + 0x20), 0x7000);
    assert_int_equal(fake.vcpu.gpr[VGPR_RSP], 0x7ffc);
    assert_int_equal(get32(0x7ffc), 0x1234);
    assert_int_equal(get32(0x7ff8), 0x55555555);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
}

static void software_interrupts_leave_behind_their_instruction(void **state)
{
    (void)state;
    put32(NEW + 0x38, 0x8000);
    do_gate((struct vevent){VEVENT_SW_INT, 0x80, false, 2, 0});
    assert_int_equal(get32(OLD + 0x20), 0x7002);
    assert_int_equal(fake.vcpu.gpr[VGPR_RSP], 0x8000);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
}

static void so_do_into_and_int1_whatever_their_prefixes(void **state)
{
    (void)state;
    put32(NEW + 0x38, 0x8000);
    do_gate((struct vevent){VEVENT_SW_EXCEPTION, 4, false, 2, 0});
    assert_int_equal(get32(OLD + 0x20), 0x7002);
    setup(state);
    put32(NEW + 0x38, 0x8000);
    do_gate((struct vevent){VEVENT_PRIV_SW_EXCEPTION, 1, false, 3, 0});
    assert_int_equal(get32(OLD + 0x20), 0x7003);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
}

static void a_16_bit_stack_wraps_below_zero(void **state)
{
    (void)state;
    put64(GDT + 0x10, 0x000093000000ffff);
    put32(NEW + 0x38, 0x00120000);
    do_gate((struct vevent){VEVENT_EXCEPTION, 13, true, 0, 0x1234});
    assert_int_equal(fake.vcpu.gpr[VGPR_RSP], 0x12fffc);
    assert_int_equal(get32(0xfffc), 0x1234);
}

static void an_error_code_beyond_the_stack_is_ss(void **state)
{
    (void)state;
    put64(GDT + 0x10, 0x0040930000000fff);
    put32(NEW + 0x38, 0x1001);
    do_gate((struct vevent){VEVENT_EXCEPTION, 6, true, 0, 0});
    assert_fault(12, 1);
    assert_int_equal(fake.vcpu.gpr[VGPR_RSP], 0x1001);
}

static void an_nmi_through_a_gate_blocks_nmis_until_iret(void **state)
{
    (void)state;
    do_gate((struct vevent){VEVENT_NMI, 2, false, 0, 0});
    assert_int_equal(fake.reg[VREG_NMI_BLOCKED], 1);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
    do_switch(IRET, 0x28);
    assert_int_equal(fake.reg[VREG_NMI_BLOCKED], 0);
}

static void faults_of_external_events_say_so_in_bit_0(void **state)
{
    static const struct {
        enum vevent_type type;
        uint32_t ext;
    } table[] = {{VEVENT_IRQ, 1},
                 {VEVENT_NMI, 1},
                 {VEVENT_SW_INT, 0},
                 {VEVENT_SW_EXCEPTION, 0},
                 {VEVENT_PRIV_SW_EXCEPTION, 1}};
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        setup(state);
        fake.ram[GDT + 0x35] = 0x09;
        do_gate((struct vevent){table[i].type, 0x30, false, 2, 0});
        assert_fault(11, 0x30 | table[i].ext);
        assert_int_equal(fake.vcpu.rip, 0x7000);
        assert_false(fake.vcpu.irq_held || fake.vcpu.nmi_pending); /* the event is over */
        assert_int_equal(fake.reg[VREG_NMI_BLOCKED], table[i].type == VEVENT_NMI);
    }
}

static void a_contributory_fault_in_the_new_task_is_a_double_fault(void **state)
{
    (void)state;
    put16(NEW + 0x50, 0);
    do_gate((struct vevent){VEVENT_EXCEPTION, 13, true, 0, 0});
    assert_fault(8, 0);
}

static void an_interrupt_is_spent_once_the_new_task_has_begun(void **state)
{
    (void)state;
    put16(NEW + 0x50, 0);
    do_gate((struct vevent){VEVENT_IRQ, 0x30, false, 0, 0});
    assert_fault(10, 1);
    assert_false(fake.vcpu.irq_held);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(call_saves_the_old_task_behind_the_instruction),
        TEST(call_loads_the_new_task),
        TEST(busy_nt_and_link_follow_the_cause),
        TEST(flags_that_do_not_exist_stay_clear),
        TEST(a_16_bit_tss_has_its_own_layout),
        TEST(segments_become_accessed),
        TEST(segments_may_come_from_the_new_ldt),
        TEST(virtual_8086_mode_takes_segments_by_number),
        TEST(cr3_comes_with_paging_only),
        TEST(pae_entries_that_vm_entry_refuses_fault),
        TEST(the_t_bit_traps_before_the_first_instruction),
        TEST(an_exception_leaves_at_its_instruction_and_pushes_its_error),
        TEST(software_interrupts_leave_behind_their_instruction),
        TEST(so_do_into_and_int1_whatever_their_prefixes),
        TEST(a_16_bit_stack_wraps_below_zero),
        TEST(an_error_code_beyond_the_stack_is_ss),
        TEST(an_nmi_through_a_gate_blocks_nmis_until_iret),
        TEST(faults_of_external_events_say_so_in_bit_0),
        TEST(a_contributory_fault_in_the_new_task_is_a_double_fault),
        TEST(an_interrupt_is_spent_once_the_new_task_has_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
