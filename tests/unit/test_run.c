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

/* --- stopping --------------------------------------------------------------------------------- */

static void a_triple_fault_ends_the_run(void **state)
{
    (void)state;
    fake_script(&fake, VEXIT_TRIPLE_FAULT);
    assert_int_equal(vcpu_run(&fake.vcpu), VM_STOP_TRIPLE_FAULT);
    assert_int_equal(fake.entries, 1);
}

static void a_stop_before_the_first_entry_enters_never(void **state)
{
    (void)state;
    vcpu_stop(&fake.vcpu, VM_STOP_BAD_ACCESS, "test");
    assert_int_equal(vcpu_run(&fake.vcpu), VM_STOP_BAD_ACCESS);
    assert_int_equal(fake.entries, 0);
}

static void a_stop_request_is_heard_before_the_first_entry(void **state)
{
    (void)state;
    fake.stop_wanted = VM_STOP_RESET;
    assert_int_equal(vcpu_run(&fake.vcpu), VM_STOP_RESET);
    assert_int_equal(fake.entries, 0);
}

static void ask_for_power_off(struct fake *machine, const struct fake_pio *access)
{
    if (access->port == 0x604)
        machine->stop_wanted = VM_STOP_POWER_OFF;
    machine->vcpu.devices_touched = true;
}

static void a_port_that_powers_off_finishes_its_instruction_first(void **state)
{
    (void)state;
    struct vexit *exit = fake_script(&fake, VEXIT_PIO);
    exit->insn_len = 2;
    exit->pio.port = 0x604;
    exit->pio.size = 2;
    fake.on_pio = ask_for_power_off;
    assert_int_equal(vcpu_run(&fake.vcpu), VM_STOP_POWER_OFF);
    assert_int_equal(fake.entries, 1);
    assert_int_equal(fake.vcpu.rip, 0x1002);
}

/* --- the short way ---------------------------------------------------------------------------- */

static void exits_without_devices_ask_nobody_anything(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        fake_script(&fake, VEXIT_CPUID)->insn_len = 2;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entries, 11);
    assert_int_equal(fake.stop_requests, 1); /* the one before the first entry */
    assert_int_equal(fake.advances, 0);
    assert_int_equal(fake.host_event_calls, 0);
    assert_int_equal(fake.deadline_calls, 1);
    assert_int_equal(fake.window_calls[VWINDOW_IRQ], 1); /* from the reset */
    assert_int_equal(fake.vcpu.rip, 0x1000 + 10 * 2);
}

static void a_host_interrupt_is_taken_and_consoles_are_served(void **state)
{
    (void)state;
    fake_script(&fake, VEXIT_HOST_IRQ);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.interrupts_taken, 1);
    assert_int_equal(fake.host_event_calls, 1);
    assert_int_equal(trace_record(&fake.vcpu.trace, 0)->rip, 0x1000);
    assert_int_equal(fake.stop_requests, 2); /* what came in may have touched a device */
}

/* Bochs holds host interrupts back while a guest has never had IF set: memtest86+ from its start
 * to its end, Linux until its console is up. */
static void a_deadline_serves_the_host_even_when_no_host_interrupt_exits(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x2;
    fake_script(&fake, VEXIT_DEADLINE);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.interrupts_taken, 1);
    assert_int_equal(fake.host_event_calls, 1);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void raise_both_at_entry_0(struct fake *machine, unsigned entry)
{
    if (entry == 0)
        machine->vcpu.irq_high = machine->vcpu.nmi_pending = true;
}

static void an_irq_is_acknowledged_and_injected_at_the_next_entry(void **state)
{
    (void)state;
    fake.vcpu.irq_high = true;
    fake.irq_vector = 0x34;
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_IRQ);
    assert_int_equal(fake.entry[0].inject.vector, 0x34);
    assert_false(fake.entry[0].inject.has_error);
    assert_int_equal(fake.acks, 1);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_NONE);
}

static void an_irq_with_if_clear_asks_for_a_window_and_no_ack(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x2;
    fake.vcpu.irq_high = true;
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.acks, 0);
    assert_true(fake.entry[0].window[VWINDOW_IRQ]);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_NONE);
    assert_int_equal(fake.window_calls[VWINDOW_IRQ], 2); /* reset, then on: not at every entry */
}

static void set_if_at_entry_1(struct fake *machine, unsigned entry)
{
    if (entry == 1)
        machine->vcpu.rflags |= 0x200;
}

static void the_window_is_closed_when_the_irq_goes_in(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x2;
    fake.vcpu.irq_high = true;
    fake.on_entry = set_if_at_entry_1;
    fake_script(&fake, VEXIT_CPUID);
    fake_script(&fake, VEXIT_IRQ_WINDOW);
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_true(fake.entry[1].window[VWINDOW_IRQ]);
    assert_int_equal(fake.entry[2].inject.type, VEVENT_IRQ);
    assert_false(fake.entry[2].window[VWINDOW_IRQ]);
    assert_false(fake.entry[3].window[VWINDOW_IRQ]);
}

static void lower_irq(struct fake *machine, const struct fake_pio *access)
{
    (void)access;
    machine->vcpu.irq_high = false;
}

static void the_window_is_closed_when_the_pin_falls(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x2;
    fake.vcpu.irq_high = true;
    fake.on_pio = lower_irq;
    struct vexit *exit = fake_script(&fake, VEXIT_PIO);
    exit->insn_len = 1;
    exit->pio.size = 1;
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_true(fake.entry[0].window[VWINDOW_IRQ]);
    assert_false(fake.entry[1].window[VWINDOW_IRQ]);
    assert_int_equal(fake.acks, 0);
}

static void an_interrupt_shadow_holds_an_irq_back(void **state)
{
    (void)state;
    fake.vcpu.int_shadow = 1;
    fake.vcpu.irq_high = true;
    fake_script(&fake, VEXIT_CPUID); /* ends the shadow */
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_NONE);
    assert_true(fake.entry[0].window[VWINDOW_IRQ]);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_IRQ);
}

static void vector_0_is_a_vector(void **state)
{
    (void)state;
    fake.vcpu.irq_high = true;
    fake.irq_vector = 0;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_IRQ);
    assert_int_equal(fake.entry[0].inject.vector, 0);
}

static void a_window_exit_nobody_waits_for_closes_the_window(void **state)
{
    (void)state;
    fake.vcpu.windows_wanted = 1 << VWINDOW_IRQ;
    fake.window[VWINDOW_IRQ] = true;
    fake_exit(&fake, VEXIT_IRQ_WINDOW, 0);
    vcpu_run(&fake.vcpu);
    assert_false(fake.entry[0].window[VWINDOW_IRQ]);
}

static void a_request_that_went_away_injects_nothing(void **state)
{
    (void)state;
    fake.vcpu.irq_high = true;
    fake.irq_vector = -1;
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.acks, 1);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_NONE);
    assert_false(fake.entry[0].window[VWINDOW_IRQ]);
}

static void an_nmi_goes_before_an_irq(void **state)
{
    (void)state;
    fake.vcpu.nmi_pending = true;
    fake.vcpu.irq_high = true;
    fake_script(&fake, VEXIT_CPUID);
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_NMI);
    assert_int_equal(fake.entry[0].inject.vector, 2);
    assert_true(fake.entry[0].window[VWINDOW_IRQ]);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_IRQ);
    assert_false(fake.vcpu.nmi_pending);
    assert_false(fake.entry[1].window[VWINDOW_NMI]);
}

static void an_nmi_while_nmis_are_blocked_waits_for_its_window(void **state)
{
    (void)state;
    fake.vcpu.nmi_pending = true;
    fake.reg[VREG_NMI_BLOCKED] = 1;
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_true(fake.entry[0].window[VWINDOW_NMI]);
    assert_int_equal(fake.entry[0].inject.type, VEVENT_NONE);
    assert_true(fake.vcpu.nmi_pending);
}

static void an_exception_goes_before_an_nmi_and_an_irq(void **state)
{
    (void)state;
    fake_script(&fake, VEXIT_RDPMC); /* #GP */
    fake_script(&fake, VEXIT_CPUID);
    fake_script(&fake, VEXIT_CPUID);
    fake.on_entry = raise_both_at_entry_0;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_EXCEPTION);
    assert_int_equal(fake.entry[1].inject.vector, 13);
    assert_true(fake.entry[1].window[VWINDOW_NMI]);
    assert_true(fake.entry[1].window[VWINDOW_IRQ]);
    assert_int_equal(fake.entry[2].inject.type, VEVENT_NMI);
    assert_int_equal(fake.entry[3].inject.type, VEVENT_IRQ);
}

static void an_interrupted_irq_enters_again_without_a_second_ack(void **state)
{
    (void)state;
    fake.vcpu.irq_high = true;
    fake.irq_vector = 0x31;
    struct vexit *exit = fake_script(&fake, VEXIT_HOST_IRQ);
    exit->interrupted = (struct vevent){.type = VEVENT_IRQ, .vector = 0x31};
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.acks, 1);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_IRQ);
    assert_int_equal(fake.entry[1].inject.vector, 0x31);
    assert_int_equal(fake.entry[2].inject.type, VEVENT_NONE);
}

static void set_if_at_entry_2(struct fake *machine, unsigned entry)
{
    if (entry == 2)
        machine->vcpu.rflags |= 0x200; /* the IRQ that went in cleared it */
}

static void an_irq_that_met_an_exception_in_its_delivery_is_over(void **state)
{
    (void)state;
    struct vexit *exit = fake_script(&fake, VEXIT_EXCEPTION);
    exit->exception = (struct vevent){.type = VEVENT_EXCEPTION, .vector = 14, .has_error = true};
    exit->exception_address = 0x7000;
    exit->interrupted = (struct vevent){.type = VEVENT_IRQ, .vector = 0x31};
    fake_script(&fake, VEXIT_CPUID);
    fake_script(&fake, VEXIT_CPUID);
    fake.on_entry = set_if_at_entry_2;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_EXCEPTION);
    assert_int_equal(fake.entry[1].inject.vector, 14);
    assert_false(fake.entry[1].window[VWINDOW_IRQ]);
    assert_int_equal(fake.entry[2].inject.type, VEVENT_NONE);
    assert_int_equal(fake.entry[3].inject.type, VEVENT_NONE);
    assert_int_equal(fake.acks, 0);
}

/* A debugger has cleared IF before it went in. */
static void an_irq_that_is_held_waits_for_its_window(void **state)
{
    (void)state;
    fake.vcpu.rflags &= ~0x200ull;
    fake.vcpu.irq_held = true;
    fake.vcpu.held_vector = 0x31;
    fake_script(&fake, VEXIT_CPUID);
    fake_script(&fake, VEXIT_CPUID);
    fake_script(&fake, VEXIT_CPUID);
    fake.on_entry = set_if_at_entry_2;
    vcpu_run(&fake.vcpu);
    assert_true(fake.entry[0].window[VWINDOW_IRQ]);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_NONE);
    assert_int_equal(fake.entry[2].inject.type, VEVENT_NONE);
    assert_int_equal(fake.entry[3].inject.type, VEVENT_IRQ);
    assert_int_equal(fake.entry[3].inject.vector, 0x31);
    assert_false(fake.entry[3].window[VWINDOW_IRQ]);
    assert_false(fake.vcpu.irq_held);
    assert_int_equal(fake.acks, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_triple_fault_ends_the_run),
        TEST(a_stop_before_the_first_entry_enters_never),
        TEST(a_stop_request_is_heard_before_the_first_entry),
        TEST(a_port_that_powers_off_finishes_its_instruction_first),
        TEST(exits_without_devices_ask_nobody_anything),
        TEST(a_host_interrupt_is_taken_and_consoles_are_served),
        TEST(a_deadline_serves_the_host_even_when_no_host_interrupt_exits),
        TEST(an_irq_is_acknowledged_and_injected_at_the_next_entry),
        TEST(an_irq_with_if_clear_asks_for_a_window_and_no_ack),
        TEST(the_window_is_closed_when_the_irq_goes_in),
        TEST(the_window_is_closed_when_the_pin_falls),
        TEST(an_interrupt_shadow_holds_an_irq_back),
        TEST(vector_0_is_a_vector),
        TEST(a_window_exit_nobody_waits_for_closes_the_window),
        TEST(a_request_that_went_away_injects_nothing),
        TEST(an_nmi_goes_before_an_irq),
        TEST(an_nmi_while_nmis_are_blocked_waits_for_its_window),
        TEST(an_exception_goes_before_an_nmi_and_an_irq),
        TEST(an_interrupted_irq_enters_again_without_a_second_ack),
        TEST(an_irq_that_met_an_exception_in_its_delivery_is_over),
        TEST(an_irq_that_is_held_waits_for_its_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
