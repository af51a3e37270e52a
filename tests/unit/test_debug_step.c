/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/virt/debug.c vmm/virt/debug_point.c vmm/virt/debug_step.c vmm/virt/debug_gate.c vmm/virt/debug_memory.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/fmt.c */
/* Single steps: by the CPU's own trap, and by RFLAGS.TF on a CPU of a few instructions. */
#include "step_rig.h"

/* At a handler, whose breakpoint ends the step. */
static uint64_t target;

static void arrive(void)
{
    cpu->rip = target;
    cpu->rflags &= ~(uint64_t)TF;
}

/* --- by the CPU's own trap -------------------------------------------------------------------- */

static void a_step_is_one_trap(void **state)
{
    (void)state;
    begin(true, 1);
    guest[0] = next;
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.stop[1].reason, VDEBUG_STEPPED);
    assert_int_equal(session.rip[1], CODE + 1);
    assert_true(entry[0].controls.trap);
    assert_int_equal(entry[0].rflags & TF, 0);
    assert_false(entry[1].controls.trap);
}

static void an_emulated_instruction_is_a_whole_step(void **state)
{
    (void)state;
    begin(true, 1);
    fake_script(&fake, VEXIT_CPUID)->insn_len = 2;
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.stop[1].reason, VDEBUG_STEPPED);
    assert_int_equal(session.rip[1], CODE + 2);
}

static void an_interrupt_of_the_host_is_no_step(void **state)
{
    (void)state;
    begin(true, 1);
    fake_script(&fake, VEXIT_HOST_IRQ);
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(fake.entries, 3);
    assert_true(entry[1].controls.trap);
}

static void interrupts_are_held_off_while_stepping(void **state)
{
    (void)state;
    begin(true, 1);
    cpu->irq_high = true;
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_NONE);
    assert_false(fake.entry[0].window[VWINDOW_IRQ]);
    assert_int_equal(fake.entry[1].inject.vector, 0x30);
}

static void interrupts_are_taken_when_asked_for(void **state)
{
    (void)state;
    begin(true, 1);
    vdebug_set_step_events(cpu, true);
    cpu->irq_high = true;
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(fake.entry[0].inject.vector, 0x30);
}

static void a_step_over_hlt_leaves_the_guest_halted_and_the_next_one_goes_on(void **state)
{
    (void)state;
    begin(true, 2);
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    guest[1] = next;
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(session.count, 3);
    assert_int_equal(session.rip[1], CODE + 1);
    assert_int_equal(session.rip[2], CODE + 2);
    assert_int_equal(fake.sleeps, 0);
}

static void a_watchpoint_met_by_a_step_is_told(void **state)
{
    (void)state;
    begin(true, 1);
    vdebug_insert(cpu, VDEBUG_POINT_WRITE, 0x2000, 4);
    fake_script(&fake, VEXIT_STEP);
    fake.reg[VREG_PENDING_DB] = 0x1001; /* B0, enabled breakpoint */
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.stop[1].reason, VDEBUG_WATCH);
    assert_int_equal(fake.reg[VREG_PENDING_DB], 0);
}

static void breakpoints_are_off_for_one_instruction(void **state)
{
    (void)state;
    begin(true, 0);
    vdebug_insert(cpu, VDEBUG_POINT_HARD, CODE, 1);
    vdebug_insert(cpu, VDEBUG_POINT_WRITE, 0x2000, 1);
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu); /* CONTINUE from the point itself */
    assert_int_equal(session.count, 1);
    assert_int_equal(entry[0].dr7, 0x00010402); /* the watchpoint alone */
    assert_int_equal(entry[1].dr7, 0x0010040a);
    assert_int_equal(entry[1].dr0, CODE);
}

/* --- by RFLAGS.TF ----------------------------------------------------------------------------- */

static void without_a_trap_the_flag_is_set_for_the_entry(void **state)
{
    (void)state;
    begin(false, 1);
    guest[0] = next;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.stop[1].reason, VDEBUG_STEPPED);
    assert_int_equal(session.rip[1], CODE + 1);
    assert_int_equal(session.rflags[1] & TF, 0);
    assert_int_equal(session.queued[1], VEVENT_NONE);
    assert_int_equal(entry[0].rflags & TF, TF);
    assert_true(entry[0].controls.exceptions);
    assert_true(entry[0].controls.registers);
    assert_int_equal(entry[1].rflags & TF, 0);
    assert_false(entry[1].controls.exceptions);
    assert_int_equal(fake.reg[VREG_DR6], X86_DR6_RESERVED);
}

static void the_flag_is_away_when_an_instruction_is_emulated(void **state)
{
    (void)state;
    begin(false, 1);
    fake_script(&fake, VEXIT_CPUID)->insn_len = 2;
    fake.reg[VREG_PENDING_DB] = 0;
    vcpu_run(cpu);
    assert_int_equal(session.rip[1], CODE + 2);
    assert_int_equal(session.rflags[1] & TF, 0);
    assert_int_equal(fake.reg[VREG_PENDING_DB], 0);
}

static void the_guest_s_own_single_step_goes_on(void **state)
{
    (void)state;
    begin(false, 2);
    cpu->rflags |= TF;
    guest[0] = next;
    script_trap();
    guest[1] = arrive;
    target = HANDLER + 16 * X86_DB;
    script_gate();
    vcpu_run(cpu);
    assert_int_equal(session.count, 3);
    assert_int_equal(session.rip[1], CODE + 1);
    assert_int_equal(session.rip[2], HANDLER + 16 * X86_DB);
    assert_int_equal(session.rflags[1] & TF, TF);
    assert_int_equal(session.queued[1], VEVENT_EXCEPTION);
    assert_int_equal(fake.entry[1].inject.vector, X86_DB);
    assert_int_equal(entry[1].dr0, HANDLER + 16 * X86_DB);
    assert_int_equal(vdebug_dr(cpu, VREG_DR6), 0xffff4ff0);
}

static void a_step_into_a_page_fault_ends_at_its_handler(void **state)
{
    (void)state;
    begin(false, 1);
    struct vexit *exit = script_exception(X86_PF, VEVENT_EXCEPTION, 0x123456);
    exit->exception.has_error = true;
    exit->exception.error = 2;
    guest[1] = arrive;
    target = HANDLER + 16 * X86_PF;
    script_gate();
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.stop[1].reason, VDEBUG_STEPPED);
    assert_int_equal(session.rip[1], HANDLER + 16 * X86_PF);
    assert_int_equal(fake.entry[1].inject.vector, X86_PF);
    assert_int_equal(fake.reg[VREG_CR2], 0x123456);
    assert_int_equal(entry[1].rflags & TF, 0); /* not in the frame */
    assert_int_equal(entry[1].dr0, HANDLER + 16 * X86_PF);
    assert_int_equal(entry[1].dr7 & 0xf0003, 2); /* an instruction's */
    assert_int_equal(session.queued[1], VEVENT_NONE);
}

static void int_n_goes_without_the_flag_and_ends_at_its_handler(void **state)
{
    (void)state;
    begin(false, 1);
    code("\xcd\x80", 2);
    guest[0] = arrive;
    target = HANDLER + 16 * 0x80;
    script_gate();
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.rip[1], HANDLER + 16 * 0x80);
    assert_int_equal(entry[0].rflags & TF, 0);
    assert_int_equal(entry[0].dr0, HANDLER + 16 * 0x80);
}

static void syscall_goes_without_the_flag_and_ends_at_its_target(void **state)
{
    (void)state;
    begin(false, 1);
    code("\x0f\x05", 2);
    fake.reg[VREG_LSTAR] = 0xffffffff81000000;
    guest[0] = arrive;
    target = 0xffffffff81000000;
    script_gate();
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.rip[1], 0xffffffff81000000);
    assert_int_equal(entry[0].rflags & TF, 0);
    assert_int_equal(entry[0].dr0, 0xffffffff81000000);
}

static uint64_t r11_at_entry;

static void sysret(void)
{
    r11_at_entry = cpu->gpr[VGPR_R11];
    cpu->rflags = r11_at_entry;
    cpu->rip = 0x4000;
}

static void sysret_takes_the_flag_from_r11(void **state)
{
    (void)state;
    begin(false, 1);
    code("\x48\x0f\x07", 3);
    cpu->gpr[VGPR_R11] = 0x202;
    guest[0] = sysret;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.rip[1], 0x4000);
    assert_int_equal(r11_at_entry, 0x302);
    assert_int_equal(cpu->gpr[VGPR_R11], 0x202);
    assert_int_equal(session.rflags[1], 0x202);
}

static void pushf(void)
{
    cpu->gpr[VGPR_RSP] -= 8;
    memcpy(fake.ram + cpu->gpr[VGPR_RSP], &cpu->rflags, 8);
    cpu->rip++;
}

static void pushf_doesn_t_show_the_flag(void **state)
{
    (void)state;
    uint64_t image;
    begin(false, 1);
    code("\x9c", 1);
    guest[0] = pushf;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    memcpy(&image, fake.ram + STACK - 8, 8);
    assert_int_equal(image, 0x202);
}

static void popf_with_flag(void)
{
    cpu->rflags = 0x302;
    cpu->rip++;
}

static void popf_brings_the_guest_s_own_flag(void **state)
{
    (void)state;
    begin(false, 1);
    code("\x9d", 1);
    guest[0] = popf_with_flag;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.rflags[1] & TF, TF);
    assert_int_equal(session.queued[1], VEVENT_NONE); /* due behind the next instruction */
}

static void a_shadow_lasts_until_its_instruction_is_done(void **state)
{
    (void)state;
    begin(false, 1);
    cpu->int_shadow = 1;
    fake_script(&fake, VEXIT_HOST_IRQ);
    guest[1] = next;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(entry[0].int_shadow, 0); /* no entry with TF in a shadow */
    assert_int_equal(entry[1].int_shadow, 0);
    assert_int_equal(cpu->int_shadow, 0);
}

static void an_event_is_injected_without_the_flag(void **state)
{
    (void)state;
    begin(false, 1);
    vdebug_set_step_events(cpu, true);
    cpu->irq_high = true;
    fake_script(&fake, VEXIT_HOST_IRQ); /* at the handler's first instruction already */
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(fake.entry[0].inject.vector, 0x30);
    assert_int_equal(entry[0].rflags & TF, 0);
    assert_int_equal(entry[0].dr0, HANDLER + 16 * 0x30);
}

/* The delivery hasn't happened: the event enters again. */
static void a_broken_off_delivery_is_no_step(void **state)
{
    (void)state;
    begin(false, 1);
    vdebug_set_step_events(cpu, true);
    cpu->irq_high = true;
    struct vexit *exit = fake_script(&fake, VEXIT_NPF);
    exit->interrupted = (struct vevent){.type = VEVENT_IRQ, .vector = 0x30};
    fake_script(&fake, VEXIT_HOST_IRQ);
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(fake.entries, 3);
    assert_int_equal(fake.entry[1].inject.vector, 0x30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_one_trap),
        cmocka_unit_test(an_emulated_instruction_is_a_whole_step),
        cmocka_unit_test(an_interrupt_of_the_host_is_no_step),
        cmocka_unit_test(interrupts_are_held_off_while_stepping),
        cmocka_unit_test(interrupts_are_taken_when_asked_for),
        cmocka_unit_test(a_step_over_hlt_leaves_the_guest_halted_and_the_next_one_goes_on),
        cmocka_unit_test(a_watchpoint_met_by_a_step_is_told),
        cmocka_unit_test(breakpoints_are_off_for_one_instruction),
        cmocka_unit_test(without_a_trap_the_flag_is_set_for_the_entry),
        cmocka_unit_test(the_flag_is_away_when_an_instruction_is_emulated),
        cmocka_unit_test(the_guest_s_own_single_step_goes_on),
        cmocka_unit_test(a_step_into_a_page_fault_ends_at_its_handler),
        cmocka_unit_test(int_n_goes_without_the_flag_and_ends_at_its_handler),
        cmocka_unit_test(syscall_goes_without_the_flag_and_ends_at_its_target),
        cmocka_unit_test(sysret_takes_the_flag_from_r11),
        cmocka_unit_test(pushf_doesn_t_show_the_flag),
        cmocka_unit_test(popf_brings_the_guest_s_own_flag),
        cmocka_unit_test(a_shadow_lasts_until_its_instruction_is_done),
        cmocka_unit_test(a_broken_off_delivery_is_no_step),
        cmocka_unit_test(an_event_is_injected_without_the_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
