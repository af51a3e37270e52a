/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    return 0;
}

static void raise_irq_at_entry_1(struct fake *machine, unsigned entry)
{
    if (entry == 1)
        machine->vcpu.irq_high = true;
}

/* --- HLT -------------------------------------------------------------------------------------- */

static void wake_by_irq(struct fake *machine)
{
    machine->vcpu.irq_high = true;
}

static void hlt_sleeps_until_an_interrupt(void **state)
{
    (void)state;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    fake_script(&fake, VEXIT_CPUID);
    fake.on_sleep = wake_by_irq;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 1);
    assert_true(fake.slept_until == UINT64_MAX);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_IRQ);
    assert_int_equal(trace_record(&fake.vcpu.trace, 1)->rip, 0x1001);
}

static void hlt_with_a_deliverable_irq_does_not_sleep(void **state)
{
    (void)state;
    fake.on_entry = raise_irq_at_entry_1;
    fake_script(&fake, VEXIT_CPUID);
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 0);
    assert_int_equal(fake.entry[2].inject.type, VEVENT_IRQ);
}

static void raise_irq_in_shadow_at_entry_0(struct fake *machine, unsigned entry)
{
    if (entry != 0)
        return;
    machine->vcpu.int_shadow = 1;
    machine->vcpu.irq_high = true;
}

static void hlt_behind_sti_ends_the_shadow_and_takes_the_irq(void **state)
{
    (void)state;
    fake.on_entry = raise_irq_in_shadow_at_entry_0;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 0);
    assert_int_equal(fake.vcpu.int_shadow, 0);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_IRQ);
}

static void irq_at_deadline(struct fake *machine, vtime_t now)
{
    if (now < machine->next_deadline)
        return;
    machine->vcpu.irq_high = true;
    machine->next_deadline = VTIME_NEVER;
}

static void hlt_sleeps_exactly_until_the_nearest_deadline(void **state)
{
    (void)state;
    fake.next_deadline = 5000; /* ns; 1 GHz, so TSC base + 5000 */
    fake.on_advance = irq_at_deadline;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 1);
    assert_in_range(fake.slept_until, 1005000, 1005001);
    assert_int_equal(fake.advances, 1);
    assert_in_range(fake.advanced_to, 5000, 5001);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_IRQ);
}

static void jump_past_deadline(struct fake *machine, unsigned entry)
{
    if (entry == 0)
        machine->tsc += 6000;
}

static void a_deadline_that_passed_before_hlt_is_seen_before_sleeping(void **state)
{
    (void)state;
    fake.next_deadline = 5000;
    fake.on_advance = irq_at_deadline;
    fake.on_entry = jump_past_deadline;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.advances, 1);
    assert_int_equal(fake.sleeps, 0);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_IRQ);
}

static unsigned wakes_wanted;

static void wake_for_nothing(struct fake *machine)
{
    if (--wakes_wanted == 0)
        machine->vcpu.irq_high = true;
}

static void a_host_interrupt_of_no_concern_sends_the_guest_back_to_sleep(void **state)
{
    (void)state;
    wakes_wanted = 5;
    fake.on_sleep = wake_for_nothing;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 5);
    assert_int_equal(fake.host_event_calls, 5);
    assert_int_equal(fake.entries, 2);
}

static void key_pressed(struct fake *machine)
{
    machine->vcpu.irq_high = true;
}

static void a_console_byte_that_arrives_in_the_sleep_wakes_the_guest(void **state)
{
    (void)state;
    fake.on_host_events = key_pressed;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 1);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_IRQ);
}

static void hlt_with_interrupts_off_stops_the_guest(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x2;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    assert_int_equal(vcpu_run(&fake.vcpu), VM_STOP_HALTED_FOREVER);
    assert_string_equal(fake.vcpu.stop_reason, "guest halted with interrupts off");
    assert_int_equal(fake.vcpu.rip, 0x1001);
    assert_int_equal(fake.sleeps, 0);
}

static void wake_by_nmi(struct fake *machine)
{
    machine->vcpu.nmi_pending = true;
}

static void hlt_with_interrupts_off_sleeps_while_an_nmi_can_come(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x2;
    fake.nmi_may_come = true;
    fake.on_sleep = wake_by_nmi;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 1);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_NMI);
}

static void hlt_where_nmis_are_blocked_too_stops_the_guest(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x2;
    fake.nmi_may_come = true;
    fake.vcpu.nmi_pending = true;
    fake.reg[VREG_NMI_BLOCKED] = 1;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    assert_int_equal(vcpu_run(&fake.vcpu), VM_STOP_HALTED_FOREVER);
    assert_int_equal(fake.sleeps, 0);
}

static void an_nmi_wakes_hlt_with_interrupts_off(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x2;
    fake.vcpu.nmi_pending = true;
    fake.vcpu.int_shadow = 1; /* holds it back until the HLT is done */
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_NMI);
}

static void hlt_under_single_step_does_not_sleep(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x302;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 0);
    assert_int_equal(fake.entries, 2);
    assert_int_equal(fake.reg[VREG_PENDING_DB], 0x4000);
}

/* --- deadlines -------------------------------------------------------------------------------- */

static void the_deadline_is_armed_once_while_it_stays_the_same(void **state)
{
    (void)state;
    fake.next_deadline = 1000000;
    for (unsigned i = 0; i < 5; i++) {
        struct vexit *exit = fake_script(&fake, VEXIT_PIO);
        exit->insn_len = 1;
        exit->pio.size = 1;
    }
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.deadline_calls, 1);
    assert_in_range(fake.entry[0].deadline_tsc, 2000000, 2000001);
}

static void program_timer(struct fake *machine, const struct fake_pio *access)
{
    machine->next_deadline = access->value == 0 ? VTIME_NEVER : access->value * 1000;
    machine->vcpu.devices_touched = true;
}

static void a_port_write_that_moves_the_deadline_arms_anew(void **state)
{
    (void)state;
    fake.on_pio = program_timer;
    fake.vcpu.gpr[VGPR_RAX] = 7;
    struct vexit *exit = fake_script(&fake, VEXIT_PIO);
    exit->insn_len = 1;
    exit->pio.size = 1;
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_true(fake.entry[0].deadline_tsc == UINT64_MAX);
    assert_in_range(fake.entry[1].deadline_tsc, 1007000, 1007001);
}

static void next_period(struct fake *machine, vtime_t now)
{
    while (machine->next_deadline <= now)
        machine->next_deadline += 100000;
}

static void a_deadline_exit_advances_the_devices_and_arms_the_next(void **state)
{
    (void)state;
    fake.next_deadline = 1000;
    fake.on_advance = next_period;
    fake.on_entry = jump_past_deadline; /* 6000 ns */
    fake_script(&fake, VEXIT_DEADLINE);
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.advances, 1);
    assert_int_equal(fake.advanced_to, 6000);
    assert_in_range(fake.entry[1].deadline_tsc, 1101000, 1101001);
    assert_int_equal(trace_record(&fake.vcpu.trace, 1)->rip, 0x1000);
}

static void a_deadline_exit_that_came_early_is_armed_again(void **state)
{
    (void)state;
    fake.next_deadline = 100000;
    fake_script(&fake, VEXIT_DEADLINE);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.deadline_calls, 2);
    assert_in_range(fake.entry[1].deadline_tsc, 1100000, 1100001);
}

static void a_deadline_of_never_disarms(void **state)
{
    (void)state;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.deadline_calls, 1);
    assert_true(fake.entry[0].deadline_tsc == UINT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hlt_sleeps_until_an_interrupt),
        TEST(hlt_with_a_deliverable_irq_does_not_sleep),
        TEST(hlt_behind_sti_ends_the_shadow_and_takes_the_irq),
        TEST(hlt_sleeps_exactly_until_the_nearest_deadline),
        TEST(a_deadline_that_passed_before_hlt_is_seen_before_sleeping),
        TEST(a_host_interrupt_of_no_concern_sends_the_guest_back_to_sleep),
        TEST(a_console_byte_that_arrives_in_the_sleep_wakes_the_guest),
        TEST(hlt_with_interrupts_off_stops_the_guest),
        TEST(hlt_with_interrupts_off_sleeps_while_an_nmi_can_come),
        TEST(hlt_where_nmis_are_blocked_too_stops_the_guest),
        TEST(an_nmi_wakes_hlt_with_interrupts_off),
        TEST(hlt_under_single_step_does_not_sleep),
        TEST(the_deadline_is_armed_once_while_it_stays_the_same),
        TEST(a_port_write_that_moves_the_deadline_arms_anew),
        TEST(a_deadline_exit_advances_the_devices_and_arms_the_next),
        TEST(a_deadline_exit_that_came_early_is_armed_again),
        TEST(a_deadline_of_never_disarms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
