/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* The run loop and a timer of the guest's that the CPU serves: when it is posted, when taken back.
 */
#include "virt/virt.h"

#include "fake_backend.h"

#include "virt/handlers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;

/* A timer that is taken back is a deadline again. */
static vtime_t next_deadline(void *ctx)
{
    struct fake *machine = ctx;
    return machine->posted == VTIME_NEVER ? machine->to_post : machine->next_deadline;
}

/* Guest time is the TSC less 1000000; the timer is due at 5000, other devices never. */
static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    fake.vcpu.apic_help = VAPIC_POSTED;
    fake.vcpu.hooks.next_deadline = next_deadline;
    vcpu_reset(&fake.vcpu);
    fake.vcpu.rip = 0x1000;
    fake.vcpu.rflags = 0x202;
    fake.seg[VSEG_CS] = (struct vseg){0x10, 0xa09b, 0xffffffff, 0};
    fake.to_post = 5000;
    return 0;
}

static void cpuid(void)
{
    fake_script(&fake, VEXIT_CPUID)->insn_len = 2;
}

static void it_is_posted_before_the_first_entry(void **state)
{
    (void)state;
    cpuid();
    cpuid();
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[0].notify_tsc, 1005001);
    assert_int_equal(fake.entry[2].notify_tsc, 1005001);
    assert_int_equal(fake.entry[0].deadline_tsc, 51005001); /* a look at the host */
    assert_int_equal(fake.deadline_calls, 1);
    assert_int_equal(fake.advances, 0);
    /* The guest has stopped. */
    assert_int_equal(fake.taken_back, 1);
    assert_int_equal(fake.posts, 2);
    assert_true(fake.notify_tsc == UINT64_MAX);
}

static void with_less_help_nobody_asks(void **state)
{
    (void)state;
    fake.vcpu.apic_help = VAPIC_DELIVERY;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.posts, 0);
    assert_int_equal(fake.taken_back, 0);
    assert_int_equal(fake.entry[0].deadline_tsc, 1005001);
}

static void another_devices_deadline_is_an_exit_as_ever(void **state)
{
    (void)state;
    fake.next_deadline = 7000;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[0].notify_tsc, 1005001);
    assert_int_equal(fake.entry[0].deadline_tsc, 1007001);
}

static void touch(struct fake *machine, unsigned entry)
{
    static const vtime_t dates[] = {5000, 5000, 900000, VTIME_NEVER};
    machine->vcpu.devices_touched = true;
    machine->to_post = dates[entry < 3 ? entry + 1 : 3];
}

static void another_date_is_told_and_that_there_is_none(void **state)
{
    (void)state;
    fake.on_entry = touch;
    for (unsigned i = 0; i < 3; i++)
        cpuid();
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[1].notify_tsc, 1005001);
    assert_int_equal(fake.entry[2].notify_tsc, 1900001);
    assert_int_equal(fake.entry[2].deadline_tsc, 51005001); /* ticks don't put the look off */
    assert_true(fake.entry[3].notify_tsc == UINT64_MAX);
    assert_true(fake.entry[3].deadline_tsc == UINT64_MAX);
    assert_int_equal(fake.posts, 3);
    assert_int_equal(fake.taken_back, 0);
}

/* It has passed, or an interrupt of the host's would come too early. */
static void refused_it_is_an_ordinary_deadline(void **state)
{
    (void)state;
    fake.refuse_post = true;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[0].deadline_tsc, 1005001);
    assert_true(fake.entry[0].notify_tsc == UINT64_MAX);
    assert_int_equal(fake.posted, VTIME_NEVER);
}

static void be_late_at_entry_0(struct fake *machine, unsigned entry)
{
    if (entry == 0)
        machine->tsc = 1005001;
}

static void expire(struct fake *machine, vtime_t now)
{
    assert_true(machine->posted == VTIME_NEVER); /* taken back before */
    assert_true(now >= machine->to_post);
    machine->to_post = VTIME_NEVER;
}

/* The host has taken the timer's interrupt, beside another. */
static void a_time_that_is_over_reaches_the_machine(void **state)
{
    (void)state;
    fake.on_entry = be_late_at_entry_0;
    fake.on_advance = expire;
    fake_script(&fake, VEXIT_HOST_IRQ);
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.advances, 1);
    assert_int_equal(fake.advanced_to, 5001);
}

static vtime_t posted_asleep;

static void wake_by_irq(struct fake *machine)
{
    posted_asleep = machine->posted;
    machine->vcpu.irq_high = true;
}

static void asleep_it_is_an_ordinary_deadline(void **state)
{
    (void)state;
    fake.on_sleep = wake_by_irq;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    cpuid();
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.sleeps, 1);
    assert_int_equal(fake.slept_until, 1005001);
    assert_true(posted_asleep == VTIME_NEVER);
    /* Awake before it is due: posted again. */
    assert_int_equal(fake.entry[1].inject.type, VEVENT_IRQ);
    assert_int_equal(fake.entry[1].notify_tsc, 1005001);
    assert_int_equal(fake.entry[1].deadline_tsc, 51005001);
}

static void be_debugged_at_entry_1(struct fake *machine, unsigned entry)
{
    if (entry == 1)
        machine->vcpu.debugging = true;
}

static vtime_t posted_in_debugger;

void debug_attend(struct vcpu *vcpu)
{
    posted_in_debugger = fake.posted;
    vcpu->debugging = false;
}

static void a_debugger_takes_it_back(void **state)
{
    (void)state;
    fake.on_entry = be_debugged_at_entry_1;
    cpuid();
    cpuid();
    posted_in_debugger = 0;
    vcpu_run(&fake.vcpu);
    assert_int_equal(fake.entry[1].notify_tsc, 1005001);
    assert_true(posted_in_debugger == VTIME_NEVER);
    assert_int_equal(fake.posts, 4); /* posted, taken back, posted again, taken back at the end */
    assert_int_equal(fake.entry[2].notify_tsc, 1005001);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_posted_before_the_first_entry),
        T(with_less_help_nobody_asks),
        T(another_devices_deadline_is_an_exit_as_ever),
        T(another_date_is_told_and_that_there_is_none),
        T(refused_it_is_an_ordinary_deadline),
        T(a_time_that_is_over_reaches_the_machine),
        T(asleep_it_is_an_ordinary_deadline),
        T(a_debugger_takes_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
