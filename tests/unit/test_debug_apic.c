/* needs: vmm/virt/apic.c vmm/virt/pveoi.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/virt/debug.c vmm/virt/debug_point.c vmm/virt/debug_step.c vmm/virt/debug_gate.c vmm/virt/debug_memory.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/fmt.c */
/* Single steps, and a CPU that takes the local APIC's requests by itself. */
#include "debug_rig.h"

static uint8_t shown[8];

static void note(struct fake *machine, unsigned n)
{
    if (n < sizeof(shown))
        shown[n] = machine->apic_shown.requested;
}

static void begin(void)
{
    fake.vcpu.apic_help = VAPIC_DELIVERY;
    fake.vcpu.apic_stale = true;
    fake.apic_is = (struct vapic){.delivery = true, .requested = 0x41};
    fake.on_entry = note;
    session.answer[0] = VDEBUG_STEP;
    vdebug_pause(cpu);
}

static void a_step_shows_the_cpu_no_request(void **state)
{
    (void)state;
    begin();
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(shown[0], 0);
    assert_int_equal(shown[1], 0x41);
}

static void a_step_that_takes_events_shows_it(void **state)
{
    (void)state;
    begin();
    vdebug_set_step_events(cpu, true);
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(shown[0], 0x41);
}

/* RIP is behind the EOI already. */
static void what_the_cpu_leaves_to_do_ends_a_step(void **state)
{
    (void)state;
    begin();
    fake_script(&fake, VEXIT_APIC_EOI)->apic = 0x61;
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(session.stop[1].reason, VDEBUG_STEPPED);
    assert_int_equal(fake.apic_event_detail, 0x61);
    assert_int_equal(fake.entries, 2);
}

static void halted_a_step_does_not_wake_it(void **state)
{
    (void)state;
    begin();
    fake.apic_due = true;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(cpu);
    assert_int_equal(session.count, 2);
    assert_int_equal(fake.sleeps, 0); /* behind the step the request ends HLT */
    assert_int_equal(shown[1], 0x41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_step_shows_the_cpu_no_request, setup),
        cmocka_unit_test_setup(a_step_that_takes_events_shows_it, setup),
        cmocka_unit_test_setup(what_the_cpu_leaves_to_do_ends_a_step, setup),
        cmocka_unit_test_setup(halted_a_step_does_not_wake_it, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
