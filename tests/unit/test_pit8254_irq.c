/* needs: vmm/dev/pit8254.c vmm/dev/pit_counter.c */
#include "dev/pit8254.h"
#include "pit8254_rig.h"

/* --- the interrupt ---------------------------------------------------------------------------- */

static void each_period_of_mode_2_is_one_edge(void **state)
{
    (void)state;
    program(0, 2, 1193); /* 1 kHz */
    at(1);
    irq.rises = 0;
    for (unsigned i = 1; i <= 1000; i++) {
        assert_true(deadline() == 1 + i * 1193ull);
        at(deadline());
        assert_int_equal(irq.rises, i);
        assert_true(irq.high);
    }
}

static void deadlines_do_not_drift(void **state)
{
    uint64_t count = 0;
    (void)state;
    program(0, 2, 11932); /* 100 Hz, as Linux sets it */
    irq.rises = 0;
    for (vtime_t now = 0; now <= 10000000000; now = pit8254_ops.next_deadline(&pit), count++)
        pit8254_ops.advance(&pit, now);
    assert_int_equal(irq.rises, 11931820 / 11932);
    assert_int_equal(count, irq.rises + 1);
}

static void a_late_guest_gets_one_edge(void **state)
{
    (void)state;
    program(0, 2, 100);
    at(50);
    irq.rises = 0;
    at(1000050);
    assert_int_equal(irq.rises, 1);
    assert_true(deadline() == 1000101);
    assert_true(irq.high);
}

static void the_low_pulse_of_mode_2_shows_to_who_looks(void **state)
{
    (void)state;
    program(0, 2, 100);
    at(1 + 99);
    assert_false(irq.high);
    assert_true(deadline() == 1 + 100);
    at(1 + 100);
    assert_true(irq.high);
}

static void mode_4_strobes_once(void **state)
{
    (void)state;
    program(0, 4, 1000); /* Linux's one-shot clock event */
    irq.rises = 0;
    assert_true(irq.high);
    assert_true(deadline() == 1 + 1000 + 1);
    at(deadline());
    assert_int_equal(irq.rises, 1);
    assert_true(deadline() == UINT64_MAX);
    out(0, 10); /* the next one */
    out(0, 0);
    assert_true(deadline() == tick + 1 + 10 + 1);
}

static void modes_1_and_5_of_counter_0_never_fire(void **state)
{
    (void)state;
    program(0, 1, 10);
    assert_true(deadline() == UINT64_MAX);
    program(0, 5, 10);
    assert_true(deadline() == UINT64_MAX);
    program(0, 2, 1);
    at(100);
    assert_true(deadline() == UINT64_MAX);
}

static void linux_shuts_it_down_with_mode_0(void **state)
{
    (void)state;
    out(3, 0x30);
    out(0, 0);
    out(0, 0);
    at(1 + 65536);
    assert_true(deadline() == UINT64_MAX);
}

static void time_never_runs_backwards(void **state)
{
    (void)state;
    program(0, 2, 100);
    at(1000);
    uint64_t due = deadline();
    at(500);
    assert_true(deadline() == due);
}

/* --- port 61h --------------------------------------------------------------------------------- */

static void port_61_keeps_four_bits(void **state)
{
    (void)state;
    out(4, 0xff);
    assert_int_equal(in(4) & 0xcf, 0x0f);
    out(4, 0x00);
    assert_int_equal(in(4) & 0xcf, 0x00);
}

static void the_refresh_bit_toggles_every_15_us(void **state)
{
    (void)state;
    for (unsigned t = 0; t < 100; t++) {
        at(t);
        assert_int_equal(in(4) & 0x10, t / 18 % 2 ? 0x10 : 0);
    }
}

/* Linux quick_pit_calibrate(): gate on, mode 0, watch the high byte fall. */
static void linux_calibrates_its_tsc_with_counter_2(void **state)
{
    (void)state;
    out(4, (in(4) & ~0x02) | 0x01);
    out(3, 0xb0);
    out(2, 0xff);
    out(2, 0xff);
    for (unsigned i = 0; i < 64; i++) {
        at(1 + i * 256);
        assert_int_equal(in16(2) >> 8, 0xff - i);
    }
}

/* Linux pit_calibrate_tsc(): 10 ms in mode 0, wait for OUT2 in port 61h. */
static void linux_waits_for_out2(void **state)
{
    (void)state;
    out(4, (in(4) & ~0x02) | 0x01);
    out(3, 0xb0);
    out(2, 11931 & 0xff);
    out(2, 11931 >> 8);
    assert_int_equal(in(4) & 0x20, 0);
    at(11931);
    assert_int_equal(in(4) & 0x20, 0);
    at(11932);
    assert_int_equal(in(4) & 0x20, 0x20);
}

/* SeaBIOS: counter 0 as a PC wants it. */
static void firmware_sets_mode_2_with_65536(void **state)
{
    (void)state;
    out(3, 0x34);
    out(0, 0x00);
    out(0, 0x00);
    assert_true(deadline() == 1 + 65536);
}

static void reset_starts_over_and_keeps_time(void **state)
{
    struct pit8254 fresh;
    struct rig_pin pin = {0};
    (void)state;
    program(0, 0, 2);
    program(1, 3, 0x55);
    program(2, 5, 0x55);
    out(4, 0x0f);
    out(3, 0xde);
    at(12345);
    pit8254_ops.reset(&pit);
    pit8254_init(&fresh, rig_line(&pin));
    pit8254_ops.advance(&fresh, ns_from_ticks(12345, 1193182));
    pit8254_ops.reset(&fresh);
    assert_int_equal(fresh.tick, 12345);
    for (unsigned i = 0; i < 3; i++) {
        rig_assert_same(&fresh.counter[i], &pit.counter[i], control, count);
        rig_assert_same(&fresh.counter[i], &pit.counter[i], start, load_pending);
        rig_assert_same(&fresh.counter[i], &pit.counter[i], load_at, status_latch);
    }
    assert_int_equal(pit.port61, 0);
    assert_true(irq.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_period_of_mode_2_is_one_edge, setup),
        cmocka_unit_test_setup(deadlines_do_not_drift, setup),
        cmocka_unit_test_setup(a_late_guest_gets_one_edge, setup),
        cmocka_unit_test_setup(the_low_pulse_of_mode_2_shows_to_who_looks, setup),
        cmocka_unit_test_setup(mode_4_strobes_once, setup),
        cmocka_unit_test_setup(modes_1_and_5_of_counter_0_never_fire, setup),
        cmocka_unit_test_setup(linux_shuts_it_down_with_mode_0, setup),
        cmocka_unit_test_setup(time_never_runs_backwards, setup),
        cmocka_unit_test_setup(port_61_keeps_four_bits, setup),
        cmocka_unit_test_setup(the_refresh_bit_toggles_every_15_us, setup),
        cmocka_unit_test_setup(linux_calibrates_its_tsc_with_counter_2, setup),
        cmocka_unit_test_setup(linux_waits_for_out2, setup),
        cmocka_unit_test_setup(firmware_sets_mode_2_with_65536, setup),
        cmocka_unit_test_setup(reset_starts_over_and_keeps_time, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
