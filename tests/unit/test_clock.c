/* needs: */
#include "lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_near(uint64_t value, uint64_t expected, uint64_t off_by)
{
    uint64_t difference = value > expected ? value - expected : expected - value;
    assert_true(difference <= off_by);
}

static void one_second_of_ticks_is_one_second(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1000000,    50000000,   999999937,
                                     2596250000, 3500000000, 100000000000};
    for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
        struct clock clock;
        clock_init(&clock, rates[i], 12345);
        assert_int_equal(clock_ns(&clock, 12345), 0);
        assert_near(clock_ns(&clock, 12345 + rates[i]), 1000000000, 30);
        assert_near(clock_ticks(&clock, 1000000000), rates[i], 2);
    }
}

static void a_day_is_right_to_the_microsecond(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock, 2596250000, 0);
    assert_near(clock_ns(&clock, 86400ull * 2596250000), 86400000000000, 60000);
}

static void ticks_cover_the_whole_delay(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock, 50000000, 0); /* 20 ns a tick */
    for (uint64_t ns = 0; ns < 5000; ns += 7)
        assert_true(clock_ns(&clock, clock_ticks(&clock, ns)) >= ns);
}

static void three_centuries_do_not_overflow(void **state)
{
    (void)state;
    struct clock clock;
    clock_init(&clock, 1000000000, 0);
    assert_near(clock_ns(&clock, 10000000000000000000ull), 10000000000000000000ull, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_second_of_ticks_is_one_second),
        cmocka_unit_test(a_day_is_right_to_the_microsecond),
        cmocka_unit_test(ticks_cover_the_whole_delay),
        cmocka_unit_test(three_centuries_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
