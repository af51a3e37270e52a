/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/trace.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct fake fake;
static uint8_t memory[512 * 1024];
static unsigned frames_asked;

static hpa_t give_frames(void *ctx, unsigned count)
{
    frames_asked = count;
    return ctx ? (hpa_t)memory : 0;
}

static const struct frame_source frames = {give_frames, memory}, no_frames = {give_frames, NULL};

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    return 0;
}

static void exits(unsigned count)
{
    while (count--)
        fake_exit(&fake, VEXIT_CPUID, 2);
}

/* Exit number n from 0 on came at RIP 1000h + 2n. */
static void assert_record(unsigned age, unsigned number)
{
    assert_int_equal(trace_record(&fake.vcpu.trace, age)->rip, 0x1000 + 2 * number);
}

static void the_short_ring_keeps_the_newest_31(void **state)
{
    (void)state;
    assert_int_equal(trace_count(&fake.vcpu.trace), 0);
    exits(30);
    assert_int_equal(trace_count(&fake.vcpu.trace), 30);
    assert_record(0, 29);
    assert_record(29, 0);
    exits(70);
    assert_int_equal(trace_count(&fake.vcpu.trace), 31);
    assert_record(0, 99);
    assert_record(30, 69);
}

static void tracing_needs_its_memory(void **state)
{
    (void)state;
    assert_false(trace_set(&fake.vcpu, true));
    assert_false(trace_on(&fake.vcpu));
    assert_true(trace_set(&fake.vcpu, false));
    assert_false(trace_alloc(&fake.vcpu.trace, &no_frames));
    assert_false(trace_set(&fake.vcpu, true));
    assert_true(trace_alloc(&fake.vcpu.trace, &frames));
    assert_int_equal(frames_asked, (4092 * 96 + 4095) / 4096);
    assert_true(trace_set(&fake.vcpu, true));
    assert_true(trace_on(&fake.vcpu));
}

static void the_long_ring_keeps_4092_and_what_was_before_it(void **state)
{
    (void)state;
    trace_alloc(&fake.vcpu.trace, &frames);
    exits(40);
    trace_set(&fake.vcpu, true); /* takes effect with exit 62 */
    exits(60);
    assert_int_equal(trace_count(&fake.vcpu.trace), 100 - 31);
    assert_record(0, 99);
    assert_record(68, 31);
    exits(10000);
    assert_int_equal(trace_count(&fake.vcpu.trace), 4092);
    assert_record(0, 10099);
    assert_record(4091, 10099 - 4091);
}

static void switched_off_the_newest_stay(void **state)
{
    (void)state;
    trace_alloc(&fake.vcpu.trace, &frames);
    trace_set(&fake.vcpu, true);
    exits(5000);
    trace_set(&fake.vcpu, false);
    exits(5);
    assert_record(0, 5004);
    exits(31);
    assert_int_equal(trace_count(&fake.vcpu.trace), 31);
    assert_record(0, 5035);
    assert_record(30, 5005);
    trace_set(&fake.vcpu, true);
    exits(62);
    assert_record(0, 5097);
    assert_record(31, 5066);
}

static void a_record_has_its_stamps(void **state)
{
    (void)state;
    fake.vcpu.entered_tsc = 0x1111;
    fake.vcpu.exited_tsc = 0x2222;
    exits(1);
    assert_int_equal(trace_record(&fake.vcpu.trace, 0)->entered_tsc, 0x1111);
    assert_int_equal(trace_record(&fake.vcpu.trace, 0)->exited_tsc, 0x2222);
}

static void every_31st_rip_is_looked_at(void **state)
{
    (void)state;
    exits(30);
    assert_int_equal(fake.vcpu.account.rip_samples, 0);
    exits(1);
    struct account_rip rip = {.count = UINT64_MAX};
    assert_true(account_next_rip(&fake.vcpu.account, &rip));
    assert_int_equal(rip.rip, 0x1000 + 2 * 30);
    exits(310);
    assert_int_equal(fake.vcpu.account.rip_samples, 11);
}

/* --- the counts over time --------------------------------------------------------------------- */

static void a_row_is_what_was_counted_by_then(void **state)
{
    (void)state;
    struct timeline *timeline = &fake.vcpu.timeline;
    assert_int_equal(timeline->width_ticks, 1000000000 / 64);
    fake.vcpu.exited_tsc = 5000;
    exits(31); /* the first turn is always due; the newest exit isn't over yet */
    assert_int_equal(timeline->rows, 1);
    assert_int_equal(timeline->row[0].tsc, 5000);
    assert_int_equal(timeline->row[0].count[VEXIT_CPUID], 30);
    fake.vcpu.entered_tsc = fake.vcpu.exited_tsc = 5000 + 15624999;
    exits(31);
    assert_int_equal(timeline->rows, 1);
    fake.vcpu.entered_tsc = fake.vcpu.exited_tsc = 5000 + 15625000;
    exits(31);
    assert_int_equal(timeline->rows, 2);
    assert_int_equal(timeline->row[1].count[VEXIT_CPUID], 92);
}

static void a_full_timeline_halves_itself(void **state)
{
    (void)state;
    static struct timeline timeline;
    static struct account account;
    timeline_init(&timeline, 6400);
    account_init(&account);
    for (unsigned i = 1; i <= 256; i++) {
        account.kind[VEXIT_HLT].count = i;
        timeline_add(&timeline, &account, i * 100);
    }
    assert_int_equal(timeline.rows, 256);
    account.kind[VEXIT_HLT].count = 257;
    account.detail[3] = (struct account_slot){.key = 0x0800000000000021, .count = 9};
    account.guest_ticks = 77;
    timeline_add(&timeline, &account, 25700);
    assert_int_equal(timeline.rows, 129);
    assert_int_equal(timeline.width_ticks, 200);
    assert_int_equal(timeline.due_tsc, 25900);
    assert_int_equal(timeline.row[0].tsc, 200);
    assert_int_equal(timeline.row[127].count[VEXIT_HLT], 256);
    assert_int_equal(timeline.row[128].tsc, 25700);
    assert_int_equal(timeline.row[128].count[VEXIT_PIO], 9);
    assert_int_equal(timeline.row[128].guest_ticks, 77);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_short_ring_keeps_the_newest_31),
        TEST(tracing_needs_its_memory),
        TEST(the_long_ring_keeps_4092_and_what_was_before_it),
        TEST(switched_off_the_newest_stay),
        TEST(a_record_has_its_stamps),
        TEST(every_31st_rip_is_looked_at),
        TEST(a_row_is_what_was_counted_by_then),
        TEST(a_full_timeline_halves_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
