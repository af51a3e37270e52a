/* needs: vmm/virt/nested.c vmm/lib/mem.c */
#include "svm_rig.h"

/* NMIs: when the guest takes the next one, and the single step that finds it out. */

static struct vcpu *const cpu = &rig.vcpu;

#define IRET_BIT (1u << 20)
#define TF       0x100u
#define BS       0x4000u

/* The next exit: its code, and where the guest is then. */
static struct {
    uint64_t code, rip, rflags, dr6;
    bool forgets_shadow;
} at;

static void goes_on(struct vmcb *vmcb)
{
    vmcb->control.exit_code = at.code;
    if (at.rip != vmcb->save.rip || at.forgets_shadow)
        vmcb->control.interrupt_shadow = 0;
    vmcb->save.rip = at.rip;
    vmcb->save.rflags = at.rflags;
    vmcb->save.dr6 = at.dr6;
}

static void guest(void)
{
    rig_guest(NP | CLEAN, 16);
    rig.guest = goes_on;
    at.forgets_shadow = false;
    at.code = 0x72;
    at.rip = cpu->rip = 0x1000;
    at.rflags = cpu->rflags = 2;
    at.dr6 = 0xFFFF0FF0;
    svm_backend.reg_set(cpu, VREG_DR6, at.dr6);
}

static const struct vmcb *exit_at(uint64_t code, uint64_t rip)
{
    at.code = code;
    at.rip = rip;
    return rig_run();
}

static void inject_nmi(void)
{
    cpu->inject = (struct vevent){.type = VEVENT_NMI, .vector = 2};
}

static bool takes_nmi(void)
{
    return svm_backend.can_take(cpu, VWINDOW_NMI);
}

/* In the handler of an NMI, at its IRET, which has just been intercepted. */
static void guest_at_iret(void)
{
    guest();
    inject_nmi();
    exit_at(0x72, 0x2000);
    exit_at(0x74, 0x2010);
}

/* --- blocking --------------------------------------------------------------------------------- */

static void an_nmi_blocks_the_next_until_iret_has_run(void **state)
{
    (void)state;
    guest();
    assert_true(takes_nmi());
    inject_nmi();
    const struct vmcb *vmcb = exit_at(0x72, 0x2000);
    assert_int_equal(vmcb->control.event_inj, 0x80000202);
    assert_int_equal(vmcb->control.intercept_3 & IRET_BIT, IRET_BIT);
    assert_int_equal(vmcb->control.clean & 1, 0);
    assert_false(takes_nmi());

    exit_at(0x74, 0x2010);
    assert_int_equal(rig.exit.kind, VEXIT_NMI_WINDOW); /* nothing to do but go on */
    assert_false(takes_nmi());
    vmcb = exit_at(0x60, 0x2010); /* a host's interrupt came before the IRET ran */
    assert_int_equal(vmcb->control.intercept_3 & IRET_BIT, 0);
    assert_false(takes_nmi());
    exit_at(0x72, 0x1000);
    assert_true(takes_nmi());
    assert_int_equal(exit_at(0x72, 0x1002)->save.rflags, 2);
}

static void blocking_reads_back_and_can_be_set(void **state)
{
    (void)state;
    guest();
    svm_backend.reg_set(cpu, VREG_NMI_BLOCKED, 1);
    assert_int_equal(svm_backend.reg_get(cpu, VREG_NMI_BLOCKED), 1);
    assert_int_equal(exit_at(0x72, 0x1002)->control.intercept_3 & IRET_BIT, IRET_BIT);
    svm_backend.reg_set(cpu, VREG_NMI_BLOCKED, 0); /* an NMI's delivery was broken off */
    inject_nmi();
    const struct vmcb *vmcb = exit_at(0x72, 0x2000);
    assert_int_equal(vmcb->control.event_inj, 0x80000202);
    assert_int_equal(vmcb->control.intercept_3 & IRET_BIT, IRET_BIT);
    svm_backend.vcpu_reset(cpu);
    assert_true(takes_nmi());
    assert_int_equal(exit_at(0x72, 0xFFF0)->control.intercept_3 & IRET_BIT, 0);
}

static void an_nmi_waits_for_the_shadow_of_sti(void **state)
{
    (void)state;
    guest();
    cpu->int_shadow = 1;
    assert_false(takes_nmi());
}

/* --- the step behind IRET --------------------------------------------------------------------- */

static void a_waiting_nmi_comes_right_behind_iret(void **state)
{
    (void)state;
    guest_at_iret();
    svm_backend.want_window(cpu, VWINDOW_NMI, true);
    at.dr6 = 0xFFFF4FF0;
    assert_int_equal(exit_at(0x41, 0x1000)->save.rflags, TF | 2);
    assert_int_equal(rig.exit.kind, VEXIT_NMI_WINDOW);
    assert_true(takes_nmi());
    assert_int_equal(svm_backend.reg_get(cpu, VREG_DR6), 0xFFFF0FF0);
    at.dr6 = 0xFFFF0FF0;
    svm_backend.want_window(cpu, VWINDOW_NMI, false);
    inject_nmi();
    assert_int_equal(exit_at(0x72, 0x2000)->save.rflags, 2);
    assert_int_equal(cpu->rflags, 2);
}

static void iret_loads_the_guests_own_trap_flag(void **state)
{
    (void)state;
    guest_at_iret();
    svm_backend.want_window(cpu, VWINDOW_NMI, true);
    at.dr6 = 0xFFFF4FF0;
    at.rflags = TF | 0x202; /* off its stack */
    exit_at(0x41, 0x1000);
    assert_int_equal(rig.exit.kind, VEXIT_NMI_WINDOW);
    assert_int_equal(cpu->rflags, TF | 0x202);
}

#define GP_EXIT 0x4D

/* The frame of the fault must not hold our TF, and the handler is to find NMIs unblocked. */
static void an_iret_that_faults_while_stepped_ends_the_blocking(void **state)
{
    (void)state;
    guest_at_iret();
    svm_backend.want_window(cpu, VWINDOW_NMI, true);
    at.rflags = TF | 2;
    const struct vmcb *vmcb = exit_at(GP_EXIT, 0x2010);
    assert_int_equal(vmcb->control.intercept_exceptions, 0x2F7DFB);
    assert_int_equal(vmcb->control.clean & 1, 0);
    assert_int_equal(rig.exit.kind, VEXIT_EXCEPTION);
    assert_int_equal(rig.exit.exception.vector, 13);
    assert_int_equal(cpu->rflags, 2);
    assert_true(takes_nmi());
    /* The exception enters, and a host's interrupt ends the turn before its handler begins. */
    cpu->inject = rig.exit.exception;
    at.rflags = 2;
    vmcb = exit_at(0x60, 0x3000);
    assert_int_equal(vmcb->control.intercept_exceptions, 0x60002);
    assert_int_equal(rig.timer_interrupts, 1);
    assert_true(takes_nmi());
}

static void an_event_in_front_of_iret_leaves_the_blocking(void **state)
{
    (void)state;
    guest_at_iret();
    cpu->inject = (struct vevent){.type = VEVENT_IRQ, .vector = 0x40};
    const struct vmcb *vmcb = exit_at(0x72, 0x3000);
    assert_int_equal(vmcb->control.intercept_3 & IRET_BIT, IRET_BIT);
    assert_false(takes_nmi());
    assert_int_equal(rig.timer_interrupts, 0);
}

static void before_iret_the_guest_is_not_stepped(void **state)
{
    (void)state;
    guest();
    inject_nmi();
    exit_at(0x72, 0x2000);
    svm_backend.want_window(cpu, VWINDOW_NMI, true);
    assert_int_equal(exit_at(0x72, 0x2002)->save.rflags, 2);
    exit_at(0x74, 0x2010);
    assert_int_equal(exit_at(0x60, 0x2010)->save.rflags, TF | 2);
    assert_int_equal(cpu->rflags, 2); /* nobody else sees the flag */
    assert_int_equal(exit_at(0x60, 0x2010)->save.rflags, TF | 2);
}

/* --- the step out of a shadow ----------------------------------------------------------------- */

static void guest_in_shadow(void)
{
    guest();
    cpu->int_shadow = 1;
    svm_backend.want_window(cpu, VWINDOW_NMI, true);
}

static void a_waiting_nmi_comes_right_behind_the_shadow(void **state)
{
    (void)state;
    guest_in_shadow();
    at.dr6 = 0xFFFF4FF0;
    at.rflags = TF | 0x46;
    assert_int_equal(exit_at(0x41, 0x1001)->save.rflags, TF | 2);
    assert_int_equal(rig.exit.kind, VEXIT_NMI_WINDOW);
    assert_int_equal(cpu->rflags, 0x46);
    assert_true(takes_nmi());
    assert_int_equal(svm_backend.reg_get(cpu, VREG_DR6), 0xFFFF0FF0);
}

static void an_exit_of_the_stepped_instruction_hides_the_flag(void **state)
{
    (void)state;
    guest_in_shadow();
    at.rflags = TF | 2;
    assert_int_equal(exit_at(0x72, 0x1000)->save.rflags, TF | 2);
    assert_int_equal(rig.exit.kind, VEXIT_CPUID);
    assert_int_equal(cpu->rflags, 2);
}

static void a_guest_that_steps_itself_gets_its_trap(void **state)
{
    (void)state;
    guest_in_shadow();
    at.rflags = cpu->rflags = TF | 2;
    at.dr6 = 0xFFFF4FF0;
    exit_at(0x41, 0x1001);
    assert_int_equal(rig.exit.kind, VEXIT_EXCEPTION);
    assert_int_equal(rig.exit.exception_address, BS);
    assert_int_equal(cpu->rflags, TF | 2);
    assert_int_equal(svm_backend.reg_get(cpu, VREG_DR6), 0xFFFF4FF0);
}

static void a_breakpoint_at_the_same_time_is_the_guests(void **state)
{
    (void)state;
    guest_in_shadow();
    at.dr6 = 0xFFFF4FF1; /* BS of ours, B0 of the guest's */
    exit_at(0x41, 0x1001);
    assert_int_equal(rig.exit.kind, VEXIT_EXCEPTION);
    assert_int_equal(rig.exit.exception_address, 1);
    assert_int_equal(svm_backend.reg_get(cpu, VREG_DR6), 0xFFFF0FF1);
}

/* The trap would come in the event's handler, with our flag on the guest's stack. */
static void an_event_that_enters_is_not_stepped(void **state)
{
    (void)state;
    guest_in_shadow();
    cpu->inject = (struct vevent){.type = VEVENT_EXCEPTION, .vector = 6};
    assert_int_equal(exit_at(0x72, 0x1000)->save.rflags, 2);
    assert_int_equal(rig.timer_interrupts, 1);
}

/* --- a CPU whose VMRUN forgets the shadow ----------------------------------------------------- */

#define IF   0x200u
#define VIRQ 0x100u

/* Between STI and HLT, where a host's interrupt has brought one for the guest. */
static void guest_behind_sti(void)
{
    guest();
    cpu->rflags = at.rflags = IF | 2;
    cpu->int_shadow = 1;
    at.forgets_shadow = true;
    assert_false(svm_backend.can_take(cpu, VWINDOW_IRQ));
    svm_backend.want_window(cpu, VWINDOW_IRQ, true);
}

static void a_forgotten_shadow_is_stepped_through(void **state)
{
    (void)state;
    guest_behind_sti();
    assert_int_equal(exit_at(0x64, 0x1000)->control.v_intr & VIRQ, VIRQ);
    assert_int_equal(cpu->int_shadow, 1); /* no instruction has run */
    assert_false(svm_backend.can_take(cpu, VWINDOW_IRQ));
    const struct vmcb *vmcb = exit_at(0x60, 0x1000);
    assert_int_equal(vmcb->save.rflags, TF | IF | 2);
    assert_int_equal(vmcb->control.v_intr & VIRQ, 0);
    assert_int_equal(vmcb->control.clean & 8, 0);
    assert_int_equal(cpu->int_shadow, 1);
    assert_int_equal(cpu->rflags, IF | 2);
    at.rflags |= TF;
    at.dr6 = 0xFFFF4FF0;
    exit_at(0x41, 0x1001);
    assert_int_equal(rig.exit.kind, VEXIT_NMI_WINDOW);
    assert_int_equal(cpu->rflags, IF | 2);
    assert_int_equal(cpu->int_shadow, 0);
    assert_true(svm_backend.can_take(cpu, VWINDOW_IRQ));
    at.rflags = IF | 2;
    assert_int_equal(exit_at(0x64, 0x1001)->control.v_intr & VIRQ, VIRQ);
}

static void an_exit_of_the_shadowed_instruction_ends_the_shadow(void **state)
{
    (void)state;
    guest_behind_sti();
    exit_at(0x64, 0x1000);
    exit_at(0x78, 0x1000); /* HLT */
    assert_int_equal(rig.exit.kind, VEXIT_HLT);
    assert_int_equal(cpu->int_shadow, 0);
}

static void a_step_through_a_shadow_leaves_nmis_blocked(void **state)
{
    (void)state;
    guest_behind_sti();
    svm_backend.reg_set(cpu, VREG_NMI_BLOCKED, 1);
    exit_at(0x64, 0x1000);
    at.rflags |= TF;
    at.dr6 = 0xFFFF4FF0;
    exit_at(0x41, 0x1001);
    assert_int_equal(svm_backend.reg_get(cpu, VREG_NMI_BLOCKED), 1);
}

/* Real CPUs: STI, and a jump to itself behind it. */
static void a_jump_to_itself_in_a_shadow_does_not_wait_for_ever(void **state)
{
    (void)state;
    guest_behind_sti();
    exit_at(0x64, 0x1000);
    at.rflags |= TF;
    at.dr6 = 0xFFFF4FF0;
    exit_at(0x41, 0x1000);
    assert_int_equal(rig.exit.kind, VEXIT_NMI_WINDOW);
    assert_true(svm_backend.can_take(cpu, VWINDOW_IRQ));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_nmi_blocks_the_next_until_iret_has_run),
        cmocka_unit_test(blocking_reads_back_and_can_be_set),
        cmocka_unit_test(an_nmi_waits_for_the_shadow_of_sti),
        cmocka_unit_test(a_waiting_nmi_comes_right_behind_iret),
        cmocka_unit_test(iret_loads_the_guests_own_trap_flag),
        cmocka_unit_test(an_iret_that_faults_while_stepped_ends_the_blocking),
        cmocka_unit_test(an_event_in_front_of_iret_leaves_the_blocking),
        cmocka_unit_test(before_iret_the_guest_is_not_stepped),
        cmocka_unit_test(a_waiting_nmi_comes_right_behind_the_shadow),
        cmocka_unit_test(an_exit_of_the_stepped_instruction_hides_the_flag),
        cmocka_unit_test(a_guest_that_steps_itself_gets_its_trap),
        cmocka_unit_test(a_breakpoint_at_the_same_time_is_the_guests),
        cmocka_unit_test(an_event_that_enters_is_not_stepped),
        cmocka_unit_test(a_forgotten_shadow_is_stepped_through),
        cmocka_unit_test(an_exit_of_the_shadowed_instruction_ends_the_shadow),
        cmocka_unit_test(a_step_through_a_shadow_leaves_nmis_blocked),
        cmocka_unit_test(a_jump_to_itself_in_a_shadow_does_not_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
