/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct fake fake;

/* A guest that programs the 8254 with a count of 2: the next deadline is never far away. */
static void next_in_a_microsecond(struct fake *f, vtime_t now)
{
    f->next_deadline = now + 1;
}

/* The VMX-preemption timer goes before external interrupts and before the first instruction: with
 * a deadline that has passed at each entry, neither the guest nor the host's interrupts would ever
 * have a turn. */
static void a_storm_of_deadlines_leaves_time_for_the_guest(void **state)
{
    (void)state;
    fake_init(&fake);
    fake.tsc = 1000000;
    fake.tsc_step = 100; /* what the VMM itself takes */
    fake.next_deadline = 1;
    fake.on_advance = next_in_a_microsecond;
    for (unsigned i = 0; i < 16; i++)
        fake_script(&fake, VEXIT_DEADLINE);
    vcpu_run(&fake.vcpu);
    unsigned passed = 0;
    for (unsigned i = 1; i < 16; i++)
        passed += fake.entry[i].deadline_tsc <= fake.entry[i].tsc;
    assert_int_equal(passed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_of_deadlines_leaves_time_for_the_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
