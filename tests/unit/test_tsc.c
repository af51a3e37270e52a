/* needs: vmm/hw/tsc.c */
#include "hw/tsc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void halves_agree_to_two_parts_in_a_thousand(void **state)
{
    (void)state;
    assert_true(tsc_agree(1000000000, 1002000000, 2));
    assert_true(tsc_agree(1000000000, 998000000, 2));
    assert_false(tsc_agree(1000000000, 1002000001, 2));
    assert_false(tsc_agree(0, 1, 2));
    assert_true(tsc_agree(0, 0, 2));
    assert_false(tsc_agree(UINT64_MAX, 0, 2));
}

static void a_pit_alone_is_believed(void **state)
{
    (void)state;
    assert_true(tsc_believe_pit(2400000000, 0));
    assert_false(tsc_believe_pit(0, 0));
    assert_false(tsc_believe_pit(0, 2400000000));
}

static void a_pit_that_another_counter_contradicts_is_not(void **state)
{
    (void)state;
    assert_true(tsc_believe_pit(2400000000, 2424000000));
    assert_true(tsc_believe_pit(2400000000, 2376000000));
    assert_false(tsc_believe_pit(2400000000, 2424000001));
    assert_false(tsc_believe_pit(2400000000, 1200000000));
    assert_false(tsc_believe_pit(2400000000, 4800000000));
}

static void cpuid_makes_a_measurement_exact(void **state)
{
    (void)state;
    assert_true(tsc_believe_cpuid(2400000000, true, 2399100000));
    assert_false(tsc_believe_cpuid(2400000000, false, 2399100000));
    assert_false(tsc_believe_cpuid(2400000000, true, 50000000)); /* an emulator's */
    assert_false(tsc_believe_cpuid(0, true, 50000000));
}

static void without_a_counter_cpuid_is_all_there_is(void **state)
{
    (void)state;
    assert_true(tsc_believe_cpuid(2400000000, true, 0));
    assert_true(tsc_believe_cpuid(2400000000, false, 0));
    assert_false(tsc_believe_cpuid(0, false, 0));
}

static void a_frequency_is_of_this_world(void **state)
{
    (void)state;
    assert_false(tsc_is_plausible(0));
    assert_false(tsc_is_plausible(999999));
    assert_true(tsc_is_plausible(1000000));
    assert_true(tsc_is_plausible(100000000000));
    assert_false(tsc_is_plausible(100000000001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_agree_to_two_parts_in_a_thousand),
        cmocka_unit_test(a_pit_alone_is_believed),
        cmocka_unit_test(a_pit_that_another_counter_contradicts_is_not),
        cmocka_unit_test(cpuid_makes_a_measurement_exact),
        cmocka_unit_test(without_a_counter_cpuid_is_all_there_is),
        cmocka_unit_test(a_frequency_is_of_this_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
