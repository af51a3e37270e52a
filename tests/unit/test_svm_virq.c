/* needs: vmm/virt/nested.c vmm/lib/mem.c */
#include "svm_rig.h"

/* Interrupts on a CPU that delivers an injected one twice. */

#define V_USUAL (1ull << 24) /* V_INTR_MASKING */

static struct vcpu *const cpu = &rig.vcpu;
static uint64_t exit_code, left_v_intr, int_info;

static void exits(struct vmcb *vmcb)
{
    vmcb->control.exit_code = exit_code;
    vmcb->control.exit_int_info = int_info;
    vmcb->control.v_intr &= ~left_v_intr;
}

static void guest(bool twice)
{
    rig_guest(NP, 16);
    svm_caps.injects_twice = twice;
    rig.state->cr8_exits = false;
    rig.guest = exits;
    exit_code = 0x60;
    left_v_intr = 1u << 8; /* taken */
    int_info = 0;
    cpu->rip = 0x1000;
    cpu->rflags = 0x202;
}

static const struct vmcb *enter_with(uint8_t vector)
{
    cpu->inject = (struct vevent){.type = VEVENT_IRQ, .vector = vector};
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(cpu->inject.type, VEVENT_NONE);
    return vmcb;
}

static void it_goes_as_a_virtual_interrupt_of_highest_priority(void **state)
{
    (void)state;
    guest(true);
    const struct vmcb *vmcb = enter_with(0xEC);
    assert_int_equal(vmcb->control.event_inj, 0);
    assert_int_equal(vmcb->control.v_intr,
                     V_USUAL | 0xECull << 32 | 1u << 20 | 15u << 16 | 1u << 8);
    assert_int_equal(vmcb->control.intercept_3 & 1u << 4, 0);  /* VINTR */
    assert_int_equal(vmcb->control.intercept_cr >> 24 & 1, 1); /* writes of CR8 */
    assert_int_equal(vmcb->control.intercept_exceptions & 1u << 11, 1u << 11);
    assert_int_equal(rig.exit.interrupted.type, VEVENT_NONE);
    vmcb = rig_run();
    assert_int_equal(vmcb->control.v_intr, V_USUAL);
    assert_int_equal(vmcb->control.intercept_cr >> 24 & 1, 0);
    assert_int_equal(vmcb->control.intercept_exceptions & 1u << 11, 0);
}

static void an_exit_that_overtakes_it_breaks_it_off(void **state)
{
    (void)state;
    guest(true);
    left_v_intr = 0;
    enter_with(0x24);
    assert_int_equal(rig.exit.interrupted.type, VEVENT_IRQ);
    assert_int_equal(rig.exit.interrupted.vector, 0x24);
    left_v_intr = 1u << 8;
    assert_int_equal(rig_run()->control.v_intr, V_USUAL);
    assert_int_equal(rig.exit.interrupted.type, VEVENT_NONE);
}

static void one_without_a_stack_is_no_exception(void **state)
{
    (void)state;
    guest(true);
    exit_code = 0x400;
    int_info = 0x80000324;
    enter_with(0x24);
    assert_int_equal(rig.exit.interrupted.type, VEVENT_IRQ);
    assert_int_equal(rig.exit.interrupted.vector, 0x24);
    int_info = 0x80000306; /* the handler's own */
    enter_with(0x24);
    assert_int_equal(rig.exit.interrupted.type, VEVENT_EXCEPTION);
    assert_int_equal(rig.exit.interrupted.vector, 6);
}

/* The virtual interrupt is in use, or would be overtaken each time: an exit before the handler's
 * first instruction makes the CPU forget it. */
static void beside_a_window_or_an_nmi_it_is_injected_and_exits(void **state)
{
    (void)state;
    for (enum vwindow window = VWINDOW_IRQ; window <= VWINDOW_NMI; window++) {
        guest(true);
        svm_backend.want_window(cpu, VWINDOW_IRQ, window == VWINDOW_IRQ);
        svm_backend.want_window(cpu, VWINDOW_NMI, window == VWINDOW_NMI);
        const struct vmcb *vmcb = enter_with(0x24);
        assert_int_equal(vmcb->control.event_inj, 0x80000024);
        assert_int_equal(vmcb->control.v_intr >> 32, 0);
        assert_true(rig.timer_interrupts >= 1);
    }
}

static void other_events_and_other_cpus_inject(void **state)
{
    (void)state;
    guest(true);
    cpu->inject = (struct vevent){.type = VEVENT_NMI, .vector = 2};
    assert_int_equal(rig_run()->control.event_inj, 0x80000202);
    guest(false);
    assert_int_equal(enter_with(0x24)->control.event_inj, 0x80000024);
    assert_int_equal(rig.timer_interrupts, 0);
}

static void qemus_tcg_is_known_by_its_name(void **state)
{
    (void)state;
    rig_guest(NP, 16);
    assert_false(svm_caps.injects_twice);
    rig_cpu(NP, 16);
    rig.tcg = true;
    assert_null(svm_caps_read(&svm_caps));
    assert_true(svm_caps.injects_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_as_a_virtual_interrupt_of_highest_priority),
        cmocka_unit_test(an_exit_that_overtakes_it_breaks_it_off),
        cmocka_unit_test(one_without_a_stack_is_no_exception),
        cmocka_unit_test(beside_a_window_or_an_nmi_it_is_injected_and_exits),
        cmocka_unit_test(other_events_and_other_cpus_inject),
        cmocka_unit_test(qemus_tcg_is_known_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
