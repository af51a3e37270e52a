/* needs: vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/lib/mem.c */
/* The local APIC's timer: 100 MHz, so that a tick is 10 ns. */
#include "lapic_rig.h"

static void pass(vtime_t ns)
{
    lapic_ops.advance(&lapic, lapic.now + ns);
}

static vtime_t deadline(void)
{
    return lapic_ops.next_deadline(&lapic);
}

static void take(uint8_t vector)
{
    assert_true(intr.high);
    assert_int_equal(lapic_ack(&lapic), vector);
    wr(0xb0, 0);
    assert_false(intr.high);
}

static void one_shot_counts_down_once(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x40);
    wr(0x3e0, 0x0b); /* by 1 */
    wr(0x380, 100);
    assert_int_equal(rd(0x390), 100);
    assert_int_equal(deadline(), 1000);
    pass(9);
    assert_int_equal(rd(0x390), 100);
    pass(1);
    assert_int_equal(rd(0x390), 99);
    pass(980);
    assert_int_equal(rd(0x390), 1);
    pass(9);
    assert_int_equal(rd(0x390), 1);
    assert_false(intr.high);
    pass(1);
    assert_int_equal(rd(0x390), 0);
    take(0x40);
    assert_true(deadline() == VTIME_NEVER);
    pass(100000);
    assert_false(intr.high);
    assert_int_equal(rd(0x380), 100);
}

static void the_divider(void **state)
{
    static const struct {
        uint8_t value;
        unsigned by;
    } rows[] = {{0x0, 2},  {0x1, 4},  {0x2, 8},   {0x3, 16},
                {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};

    (void)state;
    enable();
    wr(0x320, 0x40);
    for (unsigned i = 0; i < 8; i++) {
        wr(0x3e0, rows[i].value);
        wr(0x380, 1000);
        assert_int_equal(deadline() - lapic.now, 10000 * rows[i].by);
        pass(10 * rows[i].by);
        assert_int_equal(rd(0x390), 999);
    }
}

static void a_new_divider_goes_on_with_the_count(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x40);
    wr(0x3e0, 0x0b);
    wr(0x380, 100);
    pass(400);
    wr(0x3e0, 0x03); /* by 16 */
    assert_int_equal(rd(0x390), 60);
    assert_int_equal(deadline(), 400 + 60 * 160);
}

static void periodic_goes_on_in_step(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x20041);
    wr(0x3e0, 0x0b);
    wr(0x380, 100);
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(deadline(), 1000 * i);
        pass(1000 * i - lapic.now + 30); /* late, but the next isn't */
        take(0x41);
        assert_int_equal(rd(0x390), 97);
    }
    pass(10000); /* ten at once are one request, as in the IRR */
    take(0x41);
    assert_int_equal(rd(0x390), 97);
    wr(0x380, 0);
    assert_true(deadline() == VTIME_NEVER);
    assert_int_equal(rd(0x390), 0);
}

static void a_period_that_ends_now_is_a_whole_one_again(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x20041);
    wr(0x3e0, 0x0b);
    wr(0x380, 100);
    pass(3000);
    take(0x41);
    assert_int_equal(rd(0x390), 100);
    assert_int_equal(deadline(), 4000);
}

static void masked_it_counts_and_says_nothing(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x10040);
    wr(0x3e0, 0x0b);
    wr(0x380, 100);
    assert_true(deadline() == VTIME_NEVER);
    pass(500);
    assert_int_equal(rd(0x390), 50);
    wr(0x320, 0x40);
    assert_int_equal(deadline(), 1000);
    wr(0x320, 0x10040);
    pass(1000);
    assert_int_equal(rd(0x390), 0);
    wr(0x320, 0x40);
    assert_false(intr.high);
}

static void tsc_deadline_fires_once_and_disarms(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x40042);
    wrmsr(0x6e0, 15000); /* the guest's TSC is 5000 ahead */
    assert_int_equal(rdmsr(0x6e0), 15000);
    assert_int_equal(deadline(), 10000);
    pass(9999);
    assert_false(intr.high);
    pass(1);
    assert_int_equal(rdmsr(0x6e0), 0);
    take(0x42);
    assert_true(deadline() == VTIME_NEVER);
}

static void a_deadline_in_the_past_fires_at_once(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x40042);
    pass(1000);
    wrmsr(0x6e0, 1);
    take(0x42);
    assert_int_equal(rdmsr(0x6e0), 0);
}

static void a_deadline_of_0_disarms(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x40042);
    wrmsr(0x6e0, 15000);
    wrmsr(0x6e0, 0);
    assert_true(deadline() == VTIME_NEVER);
    pass(20000);
    assert_false(intr.high);
}

static void each_mode_ignores_the_others_registers(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x40042);
    wr(0x380, 100);
    assert_int_equal(rd(0x380), 0);
    assert_int_equal(rd(0x390), 0);
    wr(0x320, 0x42);
    wrmsr(0x6e0, 15000);
    assert_int_equal(rdmsr(0x6e0), 0);
    wr(0x320, 0x60042); /* reserved: neither */
    wr(0x380, 100);
    wrmsr(0x6e0, 15000);
    assert_int_equal(rd(0x390), 0);
    assert_int_equal(rdmsr(0x6e0), 0);
}

static void to_and_from_tsc_deadline_mode_disarms(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x42);
    wr(0x3e0, 0x0b);
    wr(0x380, 100);
    wr(0x320, 0x20042); /* between the two counting modes it goes on */
    assert_int_equal(rd(0x390), 100);
    wr(0x320, 0x40042);
    assert_true(deadline() == VTIME_NEVER);
    wrmsr(0x6e0, 15000);
    wr(0x320, 0x40043); /* a new vector changes no mode */
    assert_int_equal(rdmsr(0x6e0), 15000);
    wr(0x320, 0x42);
    assert_int_equal(rdmsr(0x6e0), 0);
    assert_int_equal(rd(0x390), 0);
    assert_int_equal(rd(0x3e0), 0x0b);
}

static void a_tsc_that_moves_moves_the_deadline(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x40042);
    wrmsr(0x6e0, 15000);
    lapic.deadline_ns = 77; /* what it would be at another offset */
    lapic_tsc_moved(&lapic);
    assert_int_equal(deadline(), 10000);
    assert_int_equal(rdmsr(0x6e0), 15000);
}

static void an_illegal_vector_is_an_error_when_it_fires(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x05);
    assert_int_equal(errors(), 0);
    wr(0x380, 1);
    pass(1000);
    assert_false(intr.high);
    assert_int_equal(errors(), 0x40);
}

static void the_longest_count_ends(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x40);
    wr(0x3e0, 0x0a);
    wr(0x380, 0xffffffff);
    assert_true(deadline() == 0xffffffffull * 1280);
    assert_true(rd(0x390) == 0xffffffff);
    pass(deadline() - lapic.now);
    take(0x40);
}

/* In TSC-deadline mode nobody counts. */
static void a_count_behind_another_mode_begins_now(void **state)
{
    (void)state;
    enable();
    wr(0x320, 0x40040);
    pass(1000000);
    wr(0x320, 0x40);
    wr(0x3e0, 0x0b);
    wr(0x380, 100);
    assert_true(deadline() == 1001000);
    assert_int_equal(rd(0x390), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_shot_counts_down_once),
        T(a_count_behind_another_mode_begins_now),
        T(the_divider),
        T(a_new_divider_goes_on_with_the_count),
        T(periodic_goes_on_in_step),
        T(a_period_that_ends_now_is_a_whole_one_again),
        T(masked_it_counts_and_says_nothing),
        T(tsc_deadline_fires_once_and_disarms),
        T(a_deadline_in_the_past_fires_at_once),
        T(a_deadline_of_0_disarms),
        T(each_mode_ignores_the_others_registers),
        T(to_and_from_tsc_deadline_mode_disarms),
        T(a_tsc_that_moves_moves_the_deadline),
        T(an_illegal_vector_is_an_error_when_it_fires),
        T(the_longest_count_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
