/* needs: vmm/virt/apic.c vmm/virt/pveoi.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/virt/debug.c vmm/virt/debug_point.c vmm/virt/debug_step.c vmm/virt/debug_gate.c vmm/virt/debug_memory.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/fmt.c */
/* A step over STI on a CPU without a trap of its own, and the shadow behind it. */
#include "step_rig.h"

static void sti(void)
{
    cpu->rflags |= X86_RFLAGS_IF;
    cpu->rip += 2;
}

/* With a prefix it runs. Bochs forgets the shadow on the way to the trap's exit. */
static void the_shadow_behind_sti_holds(void **state)
{
    (void)state;
    begin(false, 1);
    code("\x66\xfb", 2);
    cpu->rflags &= ~X86_RFLAGS_IF;
    cpu->irq_high = true;
    guest[0] = sti;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(entry[1].int_shadow, 1);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_NONE);
}

static void sti_and_nop(void)
{
    sti();
    cpu->rip++;
}

/* QEMU's TCG. */
static void a_trap_behind_the_next_instruction_finds_no_shadow(void **state)
{
    (void)state;
    begin(false, 1);
    code("\x66\xfb\x90", 3);
    cpu->rflags &= ~X86_RFLAGS_IF;
    guest[0] = sti_and_nop;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(session.rip[1], CODE + 3);
    assert_int_equal(entry[1].int_shadow, 0);
}

static void plain_sti_takes_no_entry(void **state)
{
    (void)state;
    begin(false, 1);
    code("\xfb", 1);
    cpu->rflags &= ~X86_RFLAGS_IF;
    cpu->int_shadow = 1; /* in another one's */
    cpu->irq_high = true;
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.stop[1].reason, VDEBUG_STEPPED);
    assert_int_equal(session.rip[1], CODE + 1);
    assert_int_equal(session.rflags[1] & (X86_RFLAGS_IF | TF), X86_RFLAGS_IF);
    assert_int_equal(entry[0].int_shadow, 1);
    assert_int_equal(entry[0].rflags & TF, 0);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_NONE); /* behind one more instruction */
}

static void with_interrupts_on_it_has_no_shadow(void **state)
{
    (void)state;
    begin(false, 1);
    code("\xfb", 1);
    cpu->rflags |= X86_RFLAGS_IF;
    vcpu_run(cpu);
    assert_int_equal(session.rip[1], CODE + 1);
    assert_int_equal(entry[0].int_shadow, 0);
}

/* The guest's own single step ends behind it. */
static void the_guests_own_trap_is_owed(void **state)
{
    (void)state;
    begin(false, 1);
    code("\xfb", 1);
    cpu->rflags |= TF;
    vcpu_run(cpu);
    assert_int_equal(session.rip[1], CODE + 1);
    assert_int_equal(session.rflags[1] & TF, TF);
    assert_true(fake.reg[VREG_PENDING_DB] & X86_DR6_BS);
}

static void what_may_fault_or_hit_runs(void **state)
{
    (void)state;
    begin(false, 1);
    code("\xfb", 1);
    fake.reg[VREG_DR0] = CODE;
    fake.reg[VREG_DR7] = 0x401; /* the guest's own breakpoint is there */
    guest[0] = next;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(entry[0].rflags & TF, TF);

    begin(false, 1);
    code("\xfb", 1);
    fake.seg[VSEG_SS].access |= 3 << 5; /* CPL 3, IOPL 0 */
    guest[0] = next;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(entry[0].rflags & TF, TF);
}

/* The entry with TF has no shadow: a window would end it before its instruction, again and again.
 */
static void a_step_in_a_shadow_holds_events_off(void **state)
{
    (void)state;
    begin(false, 2);
    code("\x90\x90", 2);
    vdebug_set_step_events(cpu, true);
    cpu->int_shadow = 1;
    cpu->irq_high = true;
    cpu->nmi_pending = true;
    guest[0] = next;
    script_trap();
    vcpu_run(cpu);
    assert_int_equal(session.rip[1], CODE + 1);
    assert_int_equal(entry[0].int_shadow, 0);
    assert_false(fake.entry[0].window[VWINDOW_IRQ]);
    assert_false(fake.entry[0].window[VWINDOW_NMI]);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_NONE);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_NMI); /* behind it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shadow_behind_sti_holds),
        cmocka_unit_test(a_trap_behind_the_next_instruction_finds_no_shadow),
        cmocka_unit_test(plain_sti_takes_no_entry),
        cmocka_unit_test(with_interrupts_on_it_has_no_shadow),
        cmocka_unit_test(a_step_in_a_shadow_holds_events_off),
        cmocka_unit_test(the_guests_own_trap_is_owed),
        cmocka_unit_test(what_may_fault_or_hit_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
