/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/account.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct fake fake;
static struct account account, copy;

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    account_init(&account);
    return 0;
}

/* An exit at `exited` of a guest that was entered at `entered`. */
static void exit_at(enum vexit_kind kind, uint64_t entered, uint64_t exited)
{
    account_exit(&account, kind, entered, exited);
}

static struct account_totals totals_of(const struct account *of)
{
    struct account_totals totals;
    account_total(of, &totals);
    return totals;
}

static void assert_adds_up(const struct account *of)
{
    struct account_totals t = totals_of(of);
    assert_true(t.guest_ticks + t.vmm_ticks + t.asleep_ticks + t.stopped_ticks == t.wall_ticks);
}

/* --- one exit after the other ----------------------------------------------------------------- */

static void an_exit_costs_from_its_stamp_to_the_next_entry(void **state)
{
    (void)state;
    account_begin(&account, 1000);
    exit_at(VEXIT_CPUID, 1010, 1110);
    exit_at(VEXIT_HLT, 1150, 1250); /* CPUID took 40 */
    exit_at(VEXIT_CPUID, 1257, 1300);
    exit_at(VEXIT_CPUID, 1360, 1400); /* and 60 */
    account_end(&account, 1405);

    struct account_slot cpuid = account_kind(&account, VEXIT_CPUID);
    assert_int_equal(cpuid.count, 3);
    assert_int_equal(cpuid.ticks, 40 + 60 + 5);
    assert_int_equal(cpuid.max, 60);
    assert_int_equal(account_kind(&account, VEXIT_HLT).ticks, 7);
    assert_int_equal(account_kind(&account, ACCOUNT_START).ticks, 10);

    struct account_totals totals = totals_of(&account);
    assert_int_equal(totals.exits, 4); /* the start isn't one */
    assert_int_equal(totals.guest_ticks, 100 + 100 + 43 + 40);
    assert_int_equal(totals.wall_ticks, 405);
    assert_adds_up(&account);
}

static void sleep_and_a_debugger_s_stop_are_nobody_s_time(void **state)
{
    (void)state;
    account_begin(&account, 0);
    exit_at(VEXIT_HLT, 10, 20);
    account_leave(&account, ACCOUNT_ASLEEP, 25);
    account_return(&account, 1025);
    account_leave(&account, ACCOUNT_STOPPED, 1030);
    account_return(&account, 6030);
    exit_at(VEXIT_CPUID, 6031, 6041);
    account_end(&account, 6051);
    struct account_totals totals = totals_of(&account);
    assert_int_equal(totals.asleep_ticks, 1000);
    assert_int_equal(totals.stopped_ticks, 5000);
    assert_int_equal(account_kind(&account, VEXIT_HLT).ticks, 5 + 5 + 1);
    assert_adds_up(&account);
}

static void what_lies_between_two_runs_is_not_counted(void **state)
{
    (void)state;
    account_begin(&account, 100);
    exit_at(VEXIT_TRIPLE_FAULT, 110, 120);
    account_end(&account, 130);
    account_begin(&account, 1000000);
    exit_at(VEXIT_CPUID, 1000010, 1000020);
    account_end(&account, 1000025);
    assert_int_equal(totals_of(&account).wall_ticks, 30 + 25);
    assert_int_equal(account.first_tsc, 100);
    assert_adds_up(&account);
}

/* --- details ---------------------------------------------------------------------------------- */

static void a_port_has_its_own_slot_within_its_kind(void **state)
{
    (void)state;
    account_begin(&account, 0);
    exit_at(VEXIT_PIO, 0, 0);
    account_detail(&account, VEXIT_PIO, 0x3f8);
    exit_at(VEXIT_PIO, 30, 30);
    account_detail(&account, VEXIT_PIO, 0x3fd);
    exit_at(VEXIT_PIO, 50, 50);
    account_detail(&account, VEXIT_PIO, 0x3f8);
    exit_at(VEXIT_RDMSR, 57, 57);
    account_detail(&account, VEXIT_RDMSR, 0x3f8); /* the number alone is no key */
    account_end(&account, 58);

    struct account_slot slot = {.ticks = UINT64_MAX};
    assert_true(account_next_costly(&account, &slot));
    assert_true(slot.key == 0x08000000000003f8 && slot.count == 2 && slot.ticks == 37);
    assert_int_equal(slot.max, 30);
    assert_true(account_next_costly(&account, &slot));
    assert_true(slot.key == 0x08000000000003fd && slot.ticks == 20);
    assert_true(account_next_costly(&account, &slot));
    assert_true(slot.key == 0x09000000000003f8 && slot.count == 1);
    assert_false(account_next_costly(&account, &slot));
    assert_int_equal(account_kind(&account, VEXIT_PIO).count, 3);
    assert_int_equal(account_kind(&account, VEXIT_PIO).ticks, 57);
    assert_adds_up(&account);
}

static void a_guest_that_uses_every_port_fills_the_table_and_no_more(void **state)
{
    (void)state;
    account_begin(&account, 0);
    for (unsigned port = 0; port < 0x10000; port++) {
        exit_at(VEXIT_PIO, port, port);
        account_detail(&account, VEXIT_PIO, port);
    }
    account_end(&account, 0x10000);
    unsigned used = 0;
    struct account_slot slot = {.ticks = UINT64_MAX};
    while (account_next_costly(&account, &slot))
        used++;
    assert_int_equal(used, 256);
    assert_int_equal(account_kind(&account, VEXIT_PIO).count, 0x10000);
    assert_int_equal(account.kind[VEXIT_PIO].count, 0x10000 - 256); /* the others */
    assert_int_equal(totals_of(&account).exits, 0x10000);
    assert_adds_up(&account);
}

static void a_port_keeps_its_slot_or_stays_an_other(void **state)
{
    (void)state;
    static bool has_slot[0x10000];
    account_begin(&account, 0);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned port = 0; port < 0x10000; port++) {
            exit_at(VEXIT_PIO, 0, 0);
            account_detail(&account, VEXIT_PIO, port);
            bool found = account.current->key == (0x0800000000000000 | port);
            assert_true(found || account.current == &account.kind[VEXIT_PIO]);
            if (round == 0)
                has_slot[port] = found;
            assert_true(found == has_slot[port]);
        }
}

/* What Linux touches of a PC: rows of ports, and MSRs. */
static void a_pc_s_ports_and_msrs_all_have_slots(void **state)
{
    (void)state;
    static const struct {
        unsigned first, count;
    } rows[] = {{0x20, 2},  {0x40, 4},   {0x60, 5},  {0x70, 2},   {0x80, 16},
                {0xa0, 2},  {0x2e8, 8},  {0x2f8, 8}, {0x3e8, 8},  {0x3f8, 8},
                {0x4d0, 2}, {0x600, 12}, {0xcf8, 8}, {0xc000, 32}};
    account_begin(&account, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        for (unsigned port = rows[i].first; port < rows[i].first + rows[i].count; port++) {
            account_detail(&account, VEXIT_PIO, port);
            assert_int_equal(account.current->key & 0xffff, port);
        }
    for (unsigned msr = 0x200; msr < 0x210; msr++) {
        account_detail(&account, VEXIT_RDMSR, msr);
        assert_int_equal(account.current->key & 0xffff, msr);
    }
}

static void slots_have_names(void **state)
{
    (void)state;
    char text[ACCOUNT_NAME_SIZE];
    account_name(account_key(VEXIT_PIO, 0x3f8), text);
    assert_string_equal(text, "port 3f8");
    account_name(account_key(VEXIT_NPF, 0xfebc0), text);
    assert_string_equal(text, "page febc0000");
    account_name(account_key(VEXIT_RDMSR, 0xc0000080), text);
    assert_string_equal(text, "read of MSR c0000080");
    account_name(account_key(VEXIT_WRMSR, 0x1b), text);
    assert_string_equal(text, "write of MSR 1b");
}

/* --- RIPs ------------------------------------------------------------------------------------- */

static void the_hottest_rip_stays_through_a_flood_of_others(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        account_sample_rip(&account, 0xffffffff81000000);
        account_sample_rip(&account, 0x1000 + i * 7);
    }
    struct account_rip rip = {.count = UINT64_MAX};
    assert_true(account_next_rip(&account, &rip));
    assert_true(rip.rip == 0xffffffff81000000);
    /* Never too few, too many by no more than it says. */
    assert_true(rip.count >= 3000 && rip.count - rip.error <= 3000);
    assert_true(account_next_rip(&account, &rip));
    assert_true(rip.count <= 3000 / 32 * 2);
    assert_int_equal(account.rip_samples, 6000);
    unsigned rows = 2;
    while (account_next_rip(&account, &rip))
        rows++;
    assert_in_range(rows, 100, 128);
}

/* --- a snapshot ------------------------------------------------------------------------------- */

static void a_snapshot_adds_up_in_the_middle_of_an_exit(void **state)
{
    (void)state;
    account_begin(&account, 1000);
    exit_at(VEXIT_PIO, 1100, 1200);
    account_detail(&account, VEXIT_PIO, 0x71);
    account_snapshot(&account, 1250, &copy);
    assert_int_equal(account_kind(&copy, VEXIT_PIO).count, 1);
    assert_int_equal(account_kind(&copy, VEXIT_PIO).ticks, 50);
    assert_int_equal(totals_of(&copy).wall_ticks, 250);
    assert_adds_up(&copy);
    /* The original goes on as if nothing had happened. */
    assert_int_equal(account_kind(&account, VEXIT_PIO).count, 0);
    exit_at(VEXIT_CPUID, 1300, 1310);
    assert_int_equal(account_kind(&account, VEXIT_PIO).ticks, 100);
}

static void a_snapshot_of_a_guest_that_stands_still_adds_up(void **state)
{
    (void)state;
    account_begin(&account, 0);
    exit_at(VEXIT_CPUID, 10, 20);
    account_leave(&account, ACCOUNT_STOPPED, 30);
    account_snapshot(&account, 730, &copy);
    assert_int_equal(totals_of(&copy).stopped_ticks, 700);
    assert_int_equal(account_kind(&copy, VEXIT_CPUID).ticks, 10);
    assert_adds_up(&copy);
    account_return(&account, 830);
    account_end(&account, 840);
    account_snapshot(&account, 99999, &copy); /* it is over: the time doesn't matter */
    assert_int_equal(totals_of(&copy).wall_ticks, 840);
    assert_adds_up(&copy);
}

/* --- through the run loop --------------------------------------------------------------------- */

static void run_ten_ticks(struct fake *machine, unsigned entry)
{
    (void)entry;
    machine->tsc += 10;
}

static void sleep_an_hour(struct fake *machine)
{
    machine->tsc += 3600000000000;
    machine->vcpu.irq_high = true;
}

/* Every look at the clock costs a tick here, so that no interval is empty. */
static void a_run_adds_up_to_the_time_that_passed(void **state)
{
    (void)state;
    fake.tsc_step = 1;
    fake.on_entry = run_ten_ticks;
    fake.on_sleep = sleep_an_hour;
    fake_script(&fake, VEXIT_CPUID)->insn_len = 2;
    struct vexit *in = fake_script(&fake, VEXIT_PIO);
    in->insn_len = 1;
    in->pio.port = 0x3fd;
    in->pio.size = 1;
    in->pio.in = true;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    fake_script(&fake, VEXIT_RDMSR)->insn_len = 2;
    fake_script(&fake, VEXIT_HOST_IRQ);
    fake.vcpu.gpr[1] = 0x1b;
    uint64_t begin = fake.tsc;
    vcpu_run(&fake.vcpu);
    struct account_totals totals = totals_of(&fake.vcpu.account);
    assert_int_equal(totals.exits, 6);
    assert_int_equal(fake.vcpu.exits, 6);
    assert_int_equal(totals.guest_ticks, 60);
    assert_in_range(totals.asleep_ticks, 3600000000000, 3600000000002);
    assert_int_equal(totals.wall_ticks, fake.tsc - 1 - begin);
    assert_adds_up(&fake.vcpu.account);
    struct account_slot slot = {.ticks = UINT64_MAX};
    unsigned slots = 0;
    while (account_next_costly(&fake.vcpu.account, &slot))
        slots++;
    assert_int_equal(slots, 2); /* port 3FDh, MSR 1Bh */
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_exit_costs_from_its_stamp_to_the_next_entry),
        TEST(sleep_and_a_debugger_s_stop_are_nobody_s_time),
        TEST(what_lies_between_two_runs_is_not_counted),
        TEST(a_port_has_its_own_slot_within_its_kind),
        TEST(a_guest_that_uses_every_port_fills_the_table_and_no_more),
        TEST(a_port_keeps_its_slot_or_stays_an_other),
        TEST(a_pc_s_ports_and_msrs_all_have_slots),
        TEST(slots_have_names),
        TEST(the_hottest_rip_stays_through_a_flood_of_others),
        TEST(a_snapshot_adds_up_in_the_middle_of_an_exit),
        TEST(a_snapshot_of_a_guest_that_stands_still_adds_up),
        TEST(a_run_adds_up_to_the_time_that_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
