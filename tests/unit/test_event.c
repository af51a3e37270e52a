/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct fake fake;

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    return 0;
}

static void raise_during(struct vevent first, uint8_t vector, bool has_error, uint32_t error)
{
    struct vexit exit = {.kind = VEXIT_EXCEPTION};
    exit.exception = (struct vevent){
        .type = VEVENT_EXCEPTION, .vector = vector, .has_error = has_error, .error = error};
    exit.interrupted = first;
    exit_handle(&fake.vcpu, &exit);
}

static struct vevent exception_of(uint8_t vector)
{
    return (struct vevent){.type = VEVENT_EXCEPTION, .vector = vector};
}

/* SDM "Interrupt 8—Double Fault Exception (#DF)", table "Conditions for Generating a Double Fault",
 * with one or more vectors of each class. Result: the vector that goes in, 8 with error 0, or 255
 * for a triple fault. */
static void exceptions_join_as_the_manual_says(void **state)
{
    (void)state;
    static const struct {
        uint8_t first, second, result;
    } table[] = {
        {3, 1, 1},    {6, 13, 13},  {1, 14, 14},  {17, 17, 17}, {16, 0, 0}, /* benign first */
        {0, 6, 6},    {13, 17, 17}, {10, 14, 14},                           /* contributory */
        {0, 0, 8},    {13, 13, 8},  {10, 11, 8},  {11, 12, 8},  {12, 10, 8},
        {13, 0, 8},   {21, 13, 8},  {13, 21, 8},  {14, 14, 8},  {14, 13, 8},
        {14, 0, 8},   {14, 6, 6},   {14, 17, 17},                          /* page fault */
        {8, 13, 255}, {8, 14, 255}, {8, 0, 255},  {8, 8, 255},  {8, 6, 6}, /* double fault */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init(&fake);
        bool has_error = table[i].second == 13 || table[i].second == 14;
        raise_during(exception_of(table[i].first), table[i].second, has_error, 0);
        if (table[i].result == 255) {
            assert_int_equal(fake.vcpu.stop, VM_STOP_TRIPLE_FAULT);
            assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
            continue;
        }
        assert_int_equal(fake.vcpu.stop, VM_RUNNING);
        assert_int_equal(fake.vcpu.inject.vector, table[i].result);
        if (table[i].result == 8) {
            assert_true(fake.vcpu.inject.has_error);
            assert_int_equal(fake.vcpu.inject.error, 0);
        }
    }
}

static void a_page_fault_carries_address_and_error(void **state)
{
    (void)state;
    assert_int_equal(inject_page_fault(&fake.vcpu, 0xffff888000001234, 0x7), EXIT_INJECT);
    assert_true(fake.reg[VREG_CR2] == 0xffff888000001234);
    assert_int_equal(fake.vcpu.inject.vector, 14);
    assert_true(fake.vcpu.inject.has_error);
    assert_int_equal(fake.vcpu.inject.error, 7);
}

static void an_intercepted_page_fault_sets_cr2(void **state)
{
    (void)state;
    struct vexit exit = {.kind = VEXIT_EXCEPTION, .exception_address = 0x4567};
    exit.exception =
        (struct vevent){.type = VEVENT_EXCEPTION, .vector = 14, .has_error = true, .error = 2};
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.reg[VREG_CR2], 0x4567);
    assert_int_equal(fake.vcpu.inject.error, 2);
    assert_int_equal(fake.vcpu.rip, 0x1000);
}

static void real_mode_has_no_error_codes(void **state)
{
    (void)state;
    fake_init_bits(&fake, 16);
    inject_exception_error(&fake.vcpu, 13, 0x28);
    assert_int_equal(fake.vcpu.inject.vector, 13);
    assert_false(fake.vcpu.inject.has_error);
    assert_int_equal(fake.vcpu.inject.error, 0);
}

static void faults_set_rf_and_traps_do_not(void **state)
{
    (void)state;
    static const struct {
        uint8_t vector;
        bool rf;
    } table[] = {{0, true},  {1, false}, {3, false}, {4, false}, {6, true},  {7, true},
                 {8, false}, {13, true}, {14, true}, {17, true}, {18, false}};
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init(&fake);
        inject_exception(&fake.vcpu, table[i].vector);
        assert_int_equal(fake.vcpu.rflags, table[i].rf ? 0x10202 : 0x202);
    }
}

static void a_debug_exception_leaves_its_cause_in_dr6(void **state)
{
    (void)state;
    struct vexit exit = {.kind = VEXIT_EXCEPTION, .exception_address = 0x4000};
    exit.exception = exception_of(1);
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.vcpu.inject.vector, 1);
    assert_int_equal(fake.reg[VREG_DR6], 0xffff4ff0);
}

static void an_alignment_check_goes_back_with_its_error_code(void **state)
{
    (void)state;
    raise_during((struct vevent){.type = VEVENT_NONE}, 17, true, 0);
    assert_int_equal(fake.vcpu.inject.vector, 17);
    assert_true(fake.vcpu.inject.has_error);
}

/* INT3, INTO and INT1: the exit tells the length with the event, or of its instruction. */
static void a_software_event_keeps_its_length(void **state)
{
    (void)state;
    static const struct {
        enum vevent_type type;
        uint8_t vector, of_event, of_exit, wanted;
    } rows[] = {{VEVENT_SW_EXCEPTION, 3, 0, 1, 1},      {VEVENT_SW_EXCEPTION, 4, 0, 1, 1},
                {VEVENT_SW_EXCEPTION, 4, 2, 2, 2},      {VEVENT_SW_EXCEPTION, 4, 3, 0, 3},
                {VEVENT_PRIV_SW_EXCEPTION, 1, 2, 2, 2}, {VEVENT_PRIV_SW_EXCEPTION, 1, 0, 1, 1}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_init(&fake);
        struct vexit exit = {.kind = VEXIT_EXCEPTION, .insn_len = rows[i].of_exit};
        exit.exception = (struct vevent){
            .type = rows[i].type, .vector = rows[i].vector, .insn_len = rows[i].of_event};
        exit_handle(&fake.vcpu, &exit);
        assert_int_equal(fake.vcpu.inject.type, rows[i].type);
        assert_int_equal(fake.vcpu.inject.vector, rows[i].vector);
        assert_int_equal(fake.vcpu.inject.insn_len, rows[i].wanted);
        assert_false(fake.vcpu.inject.has_error);
        assert_int_equal(fake.vcpu.rip, 0x1000);
    }
}

/* --- broken-off deliveries -------------------------------------------------------------------- */

static void every_interrupted_event_enters_again_as_it_was(void **state)
{
    (void)state;
    static const struct vevent table[] = {
        {.type = VEVENT_IRQ, .vector = 0xef},
        {.type = VEVENT_NMI, .vector = 2},
        {.type = VEVENT_EXCEPTION, .vector = 14, .has_error = true, .error = 6},
        {.type = VEVENT_SW_INT, .vector = 0x80, .insn_len = 2},
        {.type = VEVENT_SW_EXCEPTION, .vector = 3, .insn_len = 1},
        {.type = VEVENT_SW_EXCEPTION, .vector = 4, .insn_len = 2},
        {.type = VEVENT_PRIV_SW_EXCEPTION, .vector = 1, .insn_len = 1},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init(&fake);
        struct vexit exit = {.kind = VEXIT_HOST_IRQ, .interrupted = table[i]};
        exit_handle(&fake.vcpu, &exit);
        assert_memory_equal(&fake.vcpu.inject, &table[i], sizeof(table[i]));
    }
}

static void an_nmi_that_enters_again_finds_nmis_unblocked(void **state)
{
    (void)state;
    fake.reg[VREG_NMI_BLOCKED] = 1;
    struct vexit exit = {.kind = VEXIT_HOST_IRQ};
    exit.interrupted = (struct vevent){.type = VEVENT_NMI, .vector = 2};
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.reg[VREG_NMI_BLOCKED], 0);
}

static void an_nmi_that_met_a_fault_is_over_and_blocks_the_next(void **state)
{
    (void)state;
    raise_during((struct vevent){.type = VEVENT_NMI, .vector = 2}, 14, true, 0);
    assert_int_equal(fake.vcpu.inject.vector, 14);
    assert_false(fake.vcpu.nmi_pending);
    assert_int_equal(fake.reg[VREG_NMI_BLOCKED], 1);
}

static void an_irq_that_met_a_fault_is_over(void **state)
{
    (void)state;
    raise_during((struct vevent){.type = VEVENT_IRQ, .vector = 0x33}, 13, true, 0x33 << 3 | 3);
    assert_int_equal(fake.vcpu.inject.vector, 13);
    assert_int_equal(fake.vcpu.inject.error, 0x19b);
    assert_false(fake.vcpu.irq_held);
    assert_int_equal(fake.reg[VREG_NMI_BLOCKED], 0);
}

static void a_software_interrupt_that_met_a_fault_runs_again_from_rip(void **state)
{
    (void)state;
    raise_during((struct vevent){.type = VEVENT_SW_INT, .vector = 0x80, .insn_len = 2}, 14, true,
                 0);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_EXCEPTION);
    assert_int_equal(fake.vcpu.inject.vector, 14);
    assert_false(fake.vcpu.irq_held);
    assert_int_equal(fake.vcpu.rip, 0x1000);
}

/* INTO's gate isn't there, INT1's stack isn't: the fault is the program's, and its handler goes
 * back to the instruction. */
static void a_software_exception_that_met_a_fault_runs_again_from_rip(void **state)
{
    (void)state;
    static const struct vevent events[] = {
        {.type = VEVENT_SW_EXCEPTION, .vector = 3, .insn_len = 1},
        {.type = VEVENT_SW_EXCEPTION, .vector = 4, .insn_len = 2},
        {.type = VEVENT_PRIV_SW_EXCEPTION, .vector = 1, .insn_len = 1},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(events); i++) {
        fake_init(&fake);
        raise_during(events[i], 11, true, events[i].vector * 8 + 2);
        assert_int_equal(fake.vcpu.inject.type, VEVENT_EXCEPTION);
        assert_int_equal(fake.vcpu.inject.vector, 11); /* no double fault */
        assert_int_equal(fake.vcpu.inject.error, events[i].vector * 8 + 2);
        assert_false(fake.vcpu.irq_held);
        assert_int_equal(fake.vcpu.rip, 0x1000);
    }
}

/* --- ends ------------------------------------------------------------------------------------- */

static void an_endless_exception_loop_stops_the_guest(void **state)
{
    (void)state;
    unsigned rounds = 0;
    while (fake.vcpu.stop == VM_RUNNING && rounds < 100000) {
        raise_during(exception_of(17), 17, true, 0); /* CVE-2015-5307 */
        rounds++;
    }
    assert_int_equal(fake.vcpu.stop, VM_STOP_EVENT_LOOP);
    assert_in_range(rounds, 10000, 10002);
}

static void exceptions_with_progress_between_them_are_no_loop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30000; i++) {
        raise_during(exception_of(17), 17, true, 0);
        if (i % 5000 == 0)
            fake_exit(&fake, VEXIT_CPUID, 2);
    }
    assert_int_equal(fake.vcpu.stop, VM_RUNNING);
}

static void plain_exceptions_in_a_row_are_no_loop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30000; i++) {
        raise_during((struct vevent){.type = VEVENT_NONE}, 17, true, 0);
        fake.vcpu.inject.type = VEVENT_NONE; /* delivered */
    }
    assert_int_equal(fake.vcpu.stop, VM_RUNNING);
}

static void a_machine_check_is_the_hosts_and_stops_the_guest(void **state)
{
    (void)state;
    raise_during((struct vevent){.type = VEVENT_NONE}, 18, false, 0);
    assert_int_equal(fake.vcpu.stop, VM_STOP_UNKNOWN_EXIT);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exceptions_join_as_the_manual_says),
        TEST(a_page_fault_carries_address_and_error),
        TEST(an_intercepted_page_fault_sets_cr2),
        TEST(real_mode_has_no_error_codes),
        TEST(faults_set_rf_and_traps_do_not),
        TEST(a_debug_exception_leaves_its_cause_in_dr6),
        TEST(an_alignment_check_goes_back_with_its_error_code),
        TEST(a_software_event_keeps_its_length),
        TEST(every_interrupted_event_enters_again_as_it_was),
        TEST(an_nmi_that_enters_again_finds_nmis_unblocked),
        TEST(an_nmi_that_met_a_fault_is_over_and_blocks_the_next),
        TEST(an_irq_that_met_a_fault_is_over),
        TEST(a_software_interrupt_that_met_a_fault_runs_again_from_rip),
        TEST(a_software_exception_that_met_a_fault_runs_again_from_rip),
        TEST(an_endless_exception_loop_stops_the_guest),
        TEST(exceptions_with_progress_between_them_are_no_loop),
        TEST(plain_exceptions_in_a_row_are_no_loop),
        TEST(a_machine_check_is_the_hosts_and_stops_the_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
