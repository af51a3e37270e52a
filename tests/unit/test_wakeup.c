/* needs: */
#include "hw/wakeup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define NEVER UINT64_MAX

static struct wakeup idle(void)
{
    return (struct wakeup){NEVER, NEVER};
}

static void an_idle_timer_is_programmed(void **state)
{
    (void)state;
    struct wakeup wakeup = idle();
    assert_int_equal(wakeup_ask(&wakeup, 1000), 1000);
    wakeup = idle();
    assert_int_equal(wakeup_sleep(&wakeup, 1000), 1000);
    wakeup = idle();
    assert_true(wakeup_ask(&wakeup, NEVER) == NEVER);
}

static void only_an_earlier_deadline_touches_the_hardware(void **state)
{
    (void)state;
    struct wakeup wakeup = idle();
    wakeup_ask(&wakeup, 1000);
    assert_true(wakeup_ask(&wakeup, 1000) == NEVER);
    assert_true(wakeup_ask(&wakeup, 5000) == NEVER);
    assert_true(wakeup_ask(&wakeup, NEVER) == NEVER);
    assert_true(wakeup_sleep(&wakeup, 1000) == NEVER);
    assert_int_equal(wakeup_ask(&wakeup, 999), 999);
    assert_int_equal(wakeup_sleep(&wakeup, 500), 500);
    assert_int_equal(wakeup_ask(&wakeup, 0), 0); /* long ago: at once */
}

static void an_early_interrupt_arms_for_the_deadline_told_last(void **state)
{
    (void)state;
    struct wakeup wakeup = idle();
    wakeup_ask(&wakeup, 1000);
    wakeup_ask(&wakeup, 5000);
    assert_int_equal(wakeup_fired(&wakeup, 1001), 5000);
    assert_int_equal(wakeup_fired(&wakeup, 4999), 5000); /* by a tick: the counter's rounding */
    assert_true(wakeup_fired(&wakeup, 5000) == NEVER);
}

static void a_deadline_interrupts_once(void **state)
{
    (void)state;
    struct wakeup wakeup = idle();
    wakeup_ask(&wakeup, 1000);
    assert_true(wakeup_fired(&wakeup, 1000) == NEVER);
    assert_int_equal(wakeup_sleep(&wakeup, 9000), 9000); /* not cut short by what is over */
    assert_true(wakeup_fired(&wakeup, 9000) == NEVER);
}

static void a_deadline_taken_back_does_not_come_again(void **state)
{
    (void)state;
    struct wakeup wakeup = idle();
    wakeup_ask(&wakeup, 1000);
    wakeup_ask(&wakeup, NEVER);
    assert_true(wakeup_fired(&wakeup, 1000) == NEVER);
}

static void a_sleep_keeps_the_deadline(void **state)
{
    (void)state;
    struct wakeup wakeup = idle();
    wakeup_ask(&wakeup, 5000);
    assert_int_equal(wakeup_sleep(&wakeup, 2000), 2000);
    assert_int_equal(wakeup_fired(&wakeup, 2000), 5000);
    /* And when something else ended the sleep, the timer still runs. */
    assert_int_equal(wakeup_sleep(&wakeup, 3000), 3000);
    assert_true(wakeup_ask(&wakeup, 4000) == NEVER);
    assert_int_equal(wakeup_fired(&wakeup, 3000), 4000);
}

/* A guest's CPU may have taken the interrupt, or it is pending: nobody was told. */
static void a_time_that_has_passed_is_awaited_no_more(void **state)
{
    (void)state;
    struct wakeup wakeup = idle();
    assert_true(wakeup_only(&wakeup, 1000) == NEVER);
    wakeup_passed(&wakeup, 999);
    assert_true(wakeup_sleep(&wakeup, 2000) == NEVER); /* it interrupts before that */
    wakeup_passed(&wakeup, 1000);
    assert_int_equal(wakeup_sleep(&wakeup, 2000), 2000);
}

/* An interrupt before the deadline would be the guest's. */
static void a_notification_is_the_only_interrupt(void **state)
{
    (void)state;
    struct wakeup wakeup = idle();
    wakeup_ask(&wakeup, 500);
    wakeup_sleep(&wakeup, 400);
    assert_int_equal(wakeup_only(&wakeup, 1000), 400); /* whether that is pending, hardware tells */
    assert_true(wakeup_sleep(&wakeup, 1000) == NEVER);
    assert_true(wakeup_fired(&wakeup, 1000) == NEVER); /* the 500 are forgotten */
    assert_int_equal(wakeup_sleep(&wakeup, 3000), 3000);
}

/* A timer that does as it is told, for ever so long: whatever the order of events, each deadline
 * that isn't taken back interrupts at its time. */
static void no_deadline_is_ever_missed(void **state)
{
    (void)state;
    struct wakeup wakeup = idle();
    uint64_t now = 0, hardware = NEVER, asked = NEVER, program;
    unsigned fired = 0, programmed = 0;
    srand(1);
    for (unsigned i = 0; i < 200000; i++) {
        unsigned choice = (unsigned)rand() % 8;
        uint64_t deadline = now + (uint64_t)rand() % 1000;
        if (choice == 0)
            program = wakeup_sleep(&wakeup, deadline);
        else if (choice == 1)
            program = wakeup_ask(&wakeup, asked = NEVER);
        else if (choice < 4)
            program = wakeup_ask(&wakeup, asked = deadline);
        else if (hardware <= (now += (uint64_t)rand() % 300)) {
            now = hardware;
            program = wakeup_fired(&wakeup, now);
            hardware = NEVER;
            fired++;
            if (asked <= now)
                asked = NEVER;
        } else
            continue;
        if (program != NEVER) {
            hardware = program;
            programmed++;
        }
        assert_true(hardware <= asked);
    }
    assert_true(fired > 1000);
    assert_true(programmed > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_timer_is_programmed),
        cmocka_unit_test(only_an_earlier_deadline_touches_the_hardware),
        cmocka_unit_test(an_early_interrupt_arms_for_the_deadline_told_last),
        cmocka_unit_test(a_deadline_interrupts_once),
        cmocka_unit_test(a_deadline_taken_back_does_not_come_again),
        cmocka_unit_test(a_sleep_keeps_the_deadline),
        cmocka_unit_test(a_time_that_has_passed_is_awaited_no_more),
        cmocka_unit_test(a_notification_is_the_only_interrupt),
        cmocka_unit_test(no_deadline_is_ever_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
