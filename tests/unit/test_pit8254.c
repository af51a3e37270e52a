/* needs: vmm/dev/pit8254.c vmm/dev/pit_counter.c */
#include "dev/pit8254.h"
#include "pit8254_rig.h"

/* --- tick arithmetic -------------------------------------------------------------------------- */

static void ticks_are_exact_to_the_end_of_time(void **state)
{
    static const struct {
        uint64_t ns, ticks;
    } table[] = {
        {0, 0},
        {838, 0},
        {839, 1}, /* 838.095 ns */
        {1676, 1},
        {1677, 2},
        {1000000000, 1193182},
        {86400000000000, 103090924800},
        {18446744073709551615ull, 22010322987356910ull},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_true(ticks_from_ns(table[i].ns, 1193182) == table[i].ticks);
}

static void the_first_nanosecond_of_a_tick_is_found(void **state)
{
    static const uint32_t hz[] = {1193182, 3579545, 32768};
    (void)state;
    for (unsigned h = 0; h < 3; h++) {
        for (uint64_t t = 1; t < 1ull << 50; t = t * 3 + 1) {
            uint64_t ns = ns_from_ticks(t, hz[h]);
            if (ns == UINT64_MAX)
                continue;
            assert_true(ticks_from_ns(ns, hz[h]) == t);
            assert_true(ticks_from_ns(ns - 1, hz[h]) == t - 1);
        }
    }
    assert_true(ns_from_ticks(UINT64_MAX, 1193182) == UINT64_MAX);
}

/* --- reset and windows ------------------------------------------------------------------------ */

static void after_reset_it_runs_as_firmware_leaves_it(void **state)
{
    (void)state;
    out(3, 0xee); /* status of all three */
    assert_int_equal(in(0), 0xb6);
    assert_int_equal(in(1), 0x94);
    assert_int_equal(in(2), 0xb6);
    assert_true(irq.high);
    assert_true(deadline() == 65536);
    assert_int_equal(in(4), 0x20);
    at(10);
    out(3, 0x00);
    assert_int_equal(in16(0), 65536 - 20);
}

static void access_sizes(void **state)
{
    uint64_t value = 5;
    (void)state;
    for (uint32_t offset = 0; offset < 5; offset++) {
        assert_int_equal(pit8254_ops.write(&pit, offset, 2, 0), IO_BAD_SIZE);
        assert_int_equal(pit8254_ops.write(&pit, offset, 4, 0), IO_BAD_SIZE);
        enum io_result bad = offset == 3 ? IO_NO_REGISTER : IO_BAD_SIZE;
        assert_int_equal(pit8254_ops.read(&pit, offset, 2, &value), bad);
        assert_int_equal(pit8254_ops.read(&pit, offset, 4, &value), bad);
    }
    assert_int_equal(pit8254_ops.read(&pit, 3, 1, &value), IO_NO_REGISTER);
    assert_int_equal(pit8254_ops.read(&pit, 5, 1, &value), IO_NO_REGISTER);
    assert_int_equal(pit8254_ops.write(&pit, 5, 1, 0), IO_NO_REGISTER);
    assert_int_equal(value, 5);
}

static void lsb_only_and_msb_only_counts(void **state)
{
    (void)state;
    out(3, 0x14); /* counter 0, LSB, mode 2 */
    out(0, 0x40);
    at(1 + 5);
    assert_int_equal(in(0), 0x40 - 5);
    assert_true(deadline() == 1 + 0x40);
    out(3, 0x24); /* MSB */
    out(0, 0x40);
    at(7 + 1);
    assert_int_equal(in(0), 0x3f);
    assert_true(deadline() == 7 + 0x4000);
}

static void a_count_of_zero_is_the_largest(void **state)
{
    (void)state;
    program(0, 0, 0);
    assert_true(deadline() == 1 + 65536);
    out(3, 0x31); /* the same in BCD */
    out(0, 0);
    out(0, 0);
    assert_true(deadline() == 1 + 10000);
}

static void bcd_counts_in_tens(void **state)
{
    (void)state;
    out(3, 0x35); /* counter 0, both, mode 2, BCD */
    out(0, 0x34);
    out(0, 0x12);
    assert_true(deadline() == 1 + 1234);
    at(1 + 35);
    assert_int_equal(in16(0), 0x1199);
    out(3, 0x31); /* mode 0 runs through zero */
    out(0, 0x02);
    out(0, 0x00);
    at(37 + 3);
    assert_int_equal(in16(0), 0x9999);
}

static void a_latch_holds_until_read_and_counting_goes_on(void **state)
{
    (void)state;
    program(0, 2, 0x1000);
    at(1 + 0x10);
    out(3, 0x00);
    at(1 + 0x20);
    out(3, 0x00); /* ignored: the first is still there */
    at(1 + 0x30);
    assert_int_equal(in16(0), 0x0ff0);
    assert_int_equal(in16(0), 0x0fd0);
    out(3, 0x00);
    out(3, 0x34); /* a new control word drops the latch */
    out(0, 0x00);
    out(0, 0x20);
    at(tick + 1);
    assert_int_equal(in16(0), 0x2000);
}

static void read_back_gives_status_then_count(void **state)
{
    (void)state;
    program(0, 2, 0x1234);
    at(5);
    out(3, 0xc2); /* count and status of counter 0 */
    assert_int_equal(in(0), 0xb4);
    assert_int_equal(in(0), 0x30);
    assert_int_equal(in(0), 0x12);
    at(1 + 0x1233);
    out(3, 0xe2);
    assert_int_equal(in(0), 0x34); /* OUT is low for this one tick */
    out(3, 0xe2);
    at(1 + 0x1234);
    out(3, 0xe2); /* ignored until the first was read */
    assert_int_equal(in(0), 0x34);
    out(3, 0xe2);
    assert_int_equal(in(0), 0xb4);
}

static void null_count_says_that_the_count_is_not_loaded(void **state)
{
    (void)state;
    out(3, 0x34);
    out(3, 0xe2);
    assert_int_equal(in(0), 0xf4);
    out(0, 0x00);
    out(0, 0x10);
    out(3, 0xe2);
    assert_int_equal(in(0), 0xf4);
    at(1);
    out(3, 0xe2);
    assert_int_equal(in(0), 0xb4);
    out(0, 0x00); /* a new count waits for the end of the cycle */
    out(0, 0x20);
    at(0x1000);
    out(3, 0xe2);
    assert_int_equal(in(0), 0x74);
    at(0x1001);
    out(3, 0xe2);
    assert_int_equal(in(0), 0xb4);
    assert_int_equal(in16(0), 0x2000);
}

/* --- the modes -------------------------------------------------------------------------------- */

/* OUT of counter 2 from the tick of the count's write on, as "0" and "1"; the gate is high. */
static const struct {
    uint8_t mode;
    uint16_t count;
    const char *out;
} waveforms[] = {
    {0, 4, "0000011111"},    {1, 4, "1111111111"}, /* no edge at its gate */
    {2, 3, "111011011011"},  {2, 2, "110101010101"},
    {6, 3, "111011011011"}, /* 6 and 7 are 2 and 3 */
    {3, 4, "1110011001100"}, {3, 5, "111100111001110"},
    {7, 4, "1110011001100"}, {4, 4, "11111011111"},
    {5, 4, "1111111111"},    {2, 1, "1111111"},
    {3, 1, "1111111"},
};

static void each_mode_has_its_waveform(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(waveforms) / sizeof(waveforms[0]); i++) {
        setup(NULL);
        out(4, 0x01);
        program(2, waveforms[i].mode, waveforms[i].count);
        for (unsigned t = 0; waveforms[i].out[t]; t++) {
            at(t);
            assert_int_equal('0' + out2_pin(), waveforms[i].out[t]);
        }
    }
}

static void a_rising_gate_starts_modes_1_and_5(void **state)
{
    static const struct {
        uint8_t mode;
        const char *out;
    } table[] = {{1, "1000011111"}, {5, "1111101111"}};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        setup(NULL);
        program(2, table[i].mode, 4);
        at(10);
        assert_true(out2_pin());
        out(4, 0x01);
        for (unsigned t = 0; table[i].out[t]; t++) {
            at(10 + t);
            assert_int_equal('0' + out2_pin(), table[i].out[t]);
            if (t == 2)
                out(4, 0x00); /* the level doesn't matter */
        }
        at(30);
        out(4, 0x01); /* and again */
        at(33);
        assert_int_equal(out2_pin(), table[i].mode == 5);
        out(4, 0x00);
        out(4, 0x01); /* retriggered within the shot */
        at(37);
        assert_int_equal(out2_pin(), table[i].mode == 5);
        at(38);
        assert_int_equal(out2_pin(), table[i].mode == 1);
    }
}

static void a_low_gate_stops_modes_0_and_4(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode <= 4; mode += 4) {
        setup(NULL);
        out(4, 0x01);
        program(2, (uint8_t)mode, 100);
        at(1 + 30);
        out(4, 0x00);
        at(1 + 500);
        assert_int_equal(in16(2), 70);
        out(4, 0x01);
        at(1 + 500 + 69);
        assert_int_equal(in16(2), 1);
        assert_int_equal(out2_pin(), mode == 4);
        at(1 + 500 + 70);
        assert_int_equal(out2_pin(), mode == 0);
    }
}

static void a_low_gate_restarts_modes_2_and_3(void **state)
{
    (void)state;
    for (unsigned mode = 2; mode <= 3; mode++) {
        setup(NULL);
        out(4, 0x01);
        program(2, (uint8_t)mode, 100);
        at(1 + 99); /* low in both modes */
        assert_false(out2_pin());
        out(4, 0x00);
        assert_true(out2_pin());
        at(1000);
        assert_true(out2_pin());
        out(4, 0x01);
        at(1001);
        assert_int_equal(in16(2), 100);
        at(1001 + 99);
        assert_false(out2_pin());
    }
}

static void mode_3_counts_by_two_from_an_even_number(void **state)
{
    static const uint16_t odd[] = {4, 2, 0, 4, 2, 4, 2, 0};
    static const uint16_t even[] = {6, 4, 2, 6, 4, 2, 6, 4};
    (void)state;
    for (unsigned t = 0; t < 8; t++) {
        setup(NULL);
        program(0, 3, 5);
        at(1 + t);
        assert_int_equal(in16(0), odd[t]);
        setup(NULL);
        program(0, 3, 6);
        at(1 + t);
        assert_int_equal(in16(0), even[t]);
    }
}

static void mode_0_runs_on_through_zero(void **state)
{
    (void)state;
    program(0, 0, 2);
    assert_false(irq.high);
    at(3);
    assert_true(irq.high);
    assert_int_equal(in16(0), 0);
    at(4);
    assert_int_equal(in16(0), 0xffff);
    assert_true(deadline() == UINT64_MAX);
    at(1 + 65536 + 2);
    assert_int_equal(in16(0), 0);
    assert_true(irq.high);
    assert_int_equal(irq.rises, 2); /* reset's, and the end of the count */
}

static void mode_0_stops_with_the_first_byte_of_a_new_count(void **state)
{
    (void)state;
    program(0, 0, 2);
    at(10);
    assert_true(irq.high);
    out(0, 0x03);
    assert_false(irq.high);
    at(100);
    assert_true(deadline() == UINT64_MAX);
    out(0, 0x00);
    assert_true(deadline() == 101 + 3);
}

static void a_new_count_in_mode_2_waits_for_the_end_of_the_cycle(void **state)
{
    (void)state;
    program(0, 2, 10);
    at(1 + 3);
    out(0, 20);
    out(0, 0);
    assert_int_equal(in16(0), 7);
    assert_true(deadline() == 1 + 10);
    at(1 + 10);
    assert_true(deadline() == 1 + 10 + 20);
}

static void a_new_count_in_mode_3_waits_for_the_half_cycle(void **state)
{
    (void)state;
    out(4, 0x01);
    program(2, 3, 10);
    at(1 + 2);
    out(2, 4);
    out(2, 0);
    static const char wave[] = "11100110011"; /* from tick 1 + 2: high half of 10, then of 4 */
    for (unsigned t = 0; wave[t]; t++) {
        at(1 + 2 + t);
        assert_int_equal('0' + out2_pin(), wave[t]);
    }
}

static void a_low_gate_holds_back_a_new_count(void **state)
{
    (void)state;
    out(4, 0x01);
    program(2, 2, 100);
    at(1 + 10);
    out(2, 50);
    out(2, 0);
    out(4, 0x00);
    at(1 + 1000); /* the cycle would have ended long ago */
    out(3, 0xe8);
    assert_int_equal(in(2), 0xf4);
    assert_int_equal(in16(2), 90);
    out(4, 0x01);
    at(1 + 1001);
    assert_int_equal(in16(2), 50);
    out(4, 0x00); /* a count between the gate's edge and the load that follows it */
    out(4, 0x01);
    out(2, 30);
    out(2, 0);
    at(1 + 1002);
    assert_int_equal(in16(2), 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ticks_are_exact_to_the_end_of_time, setup),
        cmocka_unit_test_setup(the_first_nanosecond_of_a_tick_is_found, setup),
        cmocka_unit_test_setup(after_reset_it_runs_as_firmware_leaves_it, setup),
        cmocka_unit_test_setup(access_sizes, setup),
        cmocka_unit_test_setup(lsb_only_and_msb_only_counts, setup),
        cmocka_unit_test_setup(a_count_of_zero_is_the_largest, setup),
        cmocka_unit_test_setup(bcd_counts_in_tens, setup),
        cmocka_unit_test_setup(a_latch_holds_until_read_and_counting_goes_on, setup),
        cmocka_unit_test_setup(read_back_gives_status_then_count, setup),
        cmocka_unit_test_setup(null_count_says_that_the_count_is_not_loaded, setup),
        cmocka_unit_test_setup(each_mode_has_its_waveform, setup),
        cmocka_unit_test_setup(a_rising_gate_starts_modes_1_and_5, setup),
        cmocka_unit_test_setup(a_low_gate_stops_modes_0_and_4, setup),
        cmocka_unit_test_setup(a_low_gate_restarts_modes_2_and_3, setup),
        cmocka_unit_test_setup(mode_3_counts_by_two_from_an_even_number, setup),
        cmocka_unit_test_setup(mode_0_runs_on_through_zero, setup),
        cmocka_unit_test_setup(mode_0_stops_with_the_first_byte_of_a_new_count, setup),
        cmocka_unit_test_setup(a_new_count_in_mode_2_waits_for_the_end_of_the_cycle, setup),
        cmocka_unit_test_setup(a_new_count_in_mode_3_waits_for_the_half_cycle, setup),
        cmocka_unit_test_setup(a_low_gate_holds_back_a_new_count, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
