/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* The run loop and a CPU that does a part of the local APIC. */
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
    fake.vcpu.apic_help = VAPIC_DELIVERY;
    vcpu_reset(&fake.vcpu);
    fake.vcpu.rip = 0x1000;
    fake.vcpu.rflags = 0x202;
    fake.seg[VSEG_CS] = (struct vseg){0x10, 0xa09b, 0xffffffff, 0};
    return 0;
}

static void after_a_reset_the_cpu_is_told_once(void **state)
{
    (void)state;
    fake.apic_is = (struct vapic){.delivery = true, .access = VAPIC_MSRS, .requested = 0x41};
    fake_script(&fake, VEXIT_CPUID);
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.apic_calls, 1);
    assert_true(fake.apic_shown.delivery);
    assert_int_equal(fake.apic_shown.access, VAPIC_MSRS);
    assert_int_equal(fake.apic_shown.requested, 0x41);
    assert_int_equal(fake.acks, 0);
}

static void without_help_nothing_is_told(void **state)
{
    (void)state;
    fake.vcpu.apic_help = VAPIC_NONE;
    vcpu_reset(&fake.vcpu);
    fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.apic_calls, 0);
}

static void go_stale_at_entry_1(struct fake *machine, unsigned entry)
{
    if (entry != 1)
        return;
    machine->vcpu.apic_stale = true;
    machine->apic_is.requested = 0x52;
}

static void a_change_is_told_before_the_next_entry(void **state)
{
    (void)state;
    fake.on_entry = go_stale_at_entry_1;
    for (unsigned i = 0; i < 3; i++)
        fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.apic_calls, 2);
    assert_int_equal(fake.apic_shown.requested, 0x52);
}

static void make_due(struct fake *machine)
{
    machine->apic_due = true;
}

static void a_request_that_the_cpu_will_take_ends_hlt(void **state)
{
    (void)state;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    fake_script(&fake, VEXIT_CPUID);
    fake.on_sleep = make_due;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 1);
    assert_int_equal(fake.entries, 3);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_NONE);
    assert_false(fake.entry[1].window[VWINDOW_IRQ]);
    assert_int_equal(fake.acks, 0);
}

static void one_that_is_there_already_doesnt_let_it_sleep(void **state)
{
    (void)state;
    fake.apic_due = true;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 0);
    assert_int_equal(fake.entries, 2);
}

static void with_if_clear_it_ends_nothing(void **state)
{
    (void)state;
    fake.apic_due = true;
    fake.vcpu.rflags = 2;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    assert_int_equal(vcpu_run(&fake.vcpu), VM_STOP_HALTED_FOREVER);
}

static void running_nobody_asks_whether_one_is_due(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        fake_script(&fake, VEXIT_CPUID);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.apic_due_calls, 0);
}

static void what_the_cpu_leaves_to_do_is_handed_on(void **state)
{
    (void)state;
    static const enum vexit_kind kinds[] = {VEXIT_APIC_TPR, VEXIT_APIC_EOI, VEXIT_APIC_WRITE};
    for (unsigned i = 0; i < 3; i++) {
        struct vexit exit = {.kind = kinds[i], .insn_len = 2, .apic = 0x61};
        fake.vcpu.int_shadow = 2;
        exit_handle(&fake.vcpu, &exit);
        assert_int_equal(fake.vcpu.int_shadow, 0);
        assert_int_equal(fake.apic_event, kinds[i]);
        assert_int_equal(fake.apic_event_detail, 0x61);
        assert_int_equal(fake.vcpu.rip, 0x1000);
    }
}

static int ack_changes_what_is_in_service(void *ctx)
{
    struct fake *machine = ctx;
    machine->vcpu.irq_high = false;
    machine->vcpu.apic_stale = true;
    machine->apic_is.in_service = 0x33;
    return 0x33;
}

/* A threshold must be right in the very entry that injects. */
static void an_acknowledge_is_told_before_its_entry(void **state)
{
    (void)state;
    fake.vcpu.apic_help = VAPIC_TPR;
    fake.vcpu.irq_high = true;
    fake.vcpu.hooks.irq_ack = ack_changes_what_is_in_service;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entries, 1);
    assert_int_equal(fake.entry[0].inject.vector, 0x33);
    assert_int_equal(fake.apic_shown.in_service, 0x33);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(after_a_reset_the_cpu_is_told_once),
        T(without_help_nothing_is_told),
        T(a_change_is_told_before_the_next_entry),
        T(a_request_that_the_cpu_will_take_ends_hlt),
        T(one_that_is_there_already_doesnt_let_it_sleep),
        T(with_if_clear_it_ends_nothing),
        T(running_nobody_asks_whether_one_is_due),
        T(what_the_cpu_leaves_to_do_is_handed_on),
        T(an_acknowledge_is_told_before_its_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
