/* needs: vmm/dev/rtc146818.c vmm/dev/rtc_date.c */
#include "dev/rtc146818.h"
#include "rtc146818_rig.h"

/* --- interrupts ------------------------------------------------------------------------------- */

static void each_flag_with_each_enable(void **state)
{
    (void)state;
    for (unsigned enables = 0; enables < 8; enables++) {
        for (unsigned flag = 0; flag < 3; flag++) {
            static const uint8_t bits[] = {0x40, 0x20, 0x10};
            uint8_t enable = (uint8_t)(enables << 4);
            setup(NULL);
            set(0x0a, flag == 0 ? 0x26 : 0x20);
            set(1, flag == 1 ? 0x06 : 0x99); /* the alarm: second 6, or never */
            set(3, 0xff);
            set(5, 0xc0);
            set(0x0b, 0x02 | enable);
            pass(flag == 0 ? SECOND / 2 : SECOND);
            uint8_t flags = bits[flag] | (flag == 1 ? 0x10 : 0);
            assert_int_equal(irq.high, (flags & enable) != 0);
            assert_int_equal(get(0x0c), flags | (flags & enable ? 0x80 : 0));
            assert_false(irq.high);
            assert_int_equal(get(0x0c), 0x00);
        }
    }
}

static void periodic_rates_are_the_data_sheets(void **state)
{
    /* Register A's rate and the interrupts of one second with a 32.768 kHz crystal. */
    static const unsigned per_second[] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                          256, 128, 64,  32,   16,   8,    4,    2};
    (void)state;
    for (unsigned rate = 0; rate < 16; rate++) {
        unsigned count = 0;
        setup(NULL);
        set(0x0a, (uint8_t)(0x20 | rate));
        set(0x0b, 0x42);
        for (;;) {
            vtime_t due = rtc146818_ops.next_deadline(&rtc);
            if (due > SECOND)
                break;
            assert_true(due > now);
            rtc146818_ops.advance(&rtc, due - 1);
            assert_false(irq.high);
            now = due;
            rtc146818_ops.advance(&rtc, now);
            assert_true(irq.high);
            assert_true(rtc146818_ops.next_deadline(&rtc) == UINT64_MAX); /* until C was read */
            assert_int_equal(get(0x0c) & 0xc0, 0xc0);
            count++;
        }
        assert_int_equal(count, per_second[rate]);
    }
}

static void a_late_guest_gets_one_periodic_interrupt(void **state)
{
    (void)state;
    set(0x0b, 0x42);
    pass(100 * SECOND + 1);
    assert_int_equal(irq.rises, 1);
    get(0x0c);
    assert_false(irq.high);
    assert_true(rtc146818_ops.next_deadline(&rtc) > now);
}

static void updates_interrupt_each_second(void **state)
{
    (void)state;
    set(0x0b, 0x12);
    assert_true(rtc146818_ops.next_deadline(&rtc) == SECOND);
    pass(SECOND);
    assert_true(irq.high);
    assert_int_equal(get(0x0c), 0x90 | 0x40); /* PF ran along, unasked */
    assert_true(rtc146818_ops.next_deadline(&rtc) == 2 * SECOND);
    set(0x0b, 0x82); /* SET: no updates */
    assert_true(rtc146818_ops.next_deadline(&rtc) == UINT64_MAX);
    pass(5 * SECOND);
    assert_int_equal(get(0x0c) & 0x10, 0);
}

static void alarms_match_their_time(void **state)
{
    static const struct {
        uint8_t hours, minutes, seconds;
        uint64_t after_s; /* from 15:04:05; 0: never */
    } table[] = {
        {0x15, 0x04, 0x06, 1},     {0x15, 0x04, 0x05, 86400}, {0x15, 0x05, 0x00, 55},
        {0x15, 0x04, 0x04, 86399}, {0xff, 0xff, 0xff, 1},     {0xc0, 0xc0, 0x00, 55},
        {0xc0, 0x00, 0x00, 3355},  {0x00, 0xc0, 0xc0, 32155}, {0x00, 0x00, 0x00, 32155},
        {0x14, 0xff, 0x30, 82585}, {0x24, 0xff, 0xff, 0},     {0xff, 0x60, 0xff, 0},
        {0xff, 0xff, 0x60, 0},     {0x15, 0xff, 0x05, 60},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        setup(NULL);
        set(5, table[i].hours);
        set(3, table[i].minutes);
        set(1, table[i].seconds);
        set(0x0a, 0x20);
        set(0x0b, 0x22);
        if (table[i].after_s == 0) {
            assert_true(rtc146818_ops.next_deadline(&rtc) == UINT64_MAX);
            pass(200000 * SECOND);
            assert_false(irq.high);
            continue;
        }
        assert_true(rtc146818_ops.next_deadline(&rtc) == table[i].after_s * SECOND);
        pass(table[i].after_s * SECOND - 1);
        assert_false(irq.high);
        pass(1);
        assert_true(irq.high);
        assert_int_equal(get(0x0c), 0xb0);
    }
}

static void an_alarm_that_was_slept_through_still_counts(void **state)
{
    (void)state;
    set(5, 0x16);
    set(3, 0x00);
    set(1, 0x00);
    pass(7200 * SECOND);
    set(0x0b, 0x22);
    assert_true(irq.high); /* AF was set before AIE */
    assert_int_equal(get(0x0c) & 0x20, 0x20);
}

static void alarms_know_pm_and_binary(void **state)
{
    (void)state;
    set(0x0b, 0x24); /* binary, 12 hours */
    set(5, 0x84);    /* 4 pm */
    set(3, 0);
    set(1, 59);
    assert_true(rtc146818_ops.next_deadline(&rtc) == (56 * 60 + 54) * SECOND);
}

/* --- CMOS memory -------------------------------------------------------------------------------
 */

static uint32_t cmos(uint8_t index, unsigned bytes)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)get((uint8_t)(index + i)) << i * 8;
    return value;
}

static void memory_sizes_are_where_firmware_puts_them(void **state)
{
    static const struct {
        uint64_t below, above;
        uint32_t base_kb, extended_kb, above_16m, above_4g;
    } table[] = {
        {256ull << 20, 0, 640, 0xffff, 0x0f00, 0},
        {3ull << 30, 5ull << 30, 640, 0xffff, 0xbf00, 0x014000},
        {16ull << 20, 0, 640, 0x3c00, 0, 0},
        {2ull << 20, 0, 640, 0x0400, 0, 0},
        {512ull << 10, 0, 512, 0, 0, 0},
        {3ull << 30, 1ull << 44, 640, 0xffff, 0xbf00, 0xffffff},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct rtc146818_config config = {0, table[i].below, table[i].above};
        rtc146818_init(&rtc, rig_line(&irq), &config);
        assert_int_equal(cmos(0x15, 2), table[i].base_kb);
        assert_int_equal(cmos(0x17, 2), table[i].extended_kb);
        assert_int_equal(cmos(0x30, 2), table[i].extended_kb);
        assert_int_equal(cmos(0x34, 2), table[i].above_16m);
        assert_int_equal(cmos(0x5b, 3), table[i].above_4g);
        uint32_t sum = 0;
        for (uint8_t index = 0x10; index <= 0x2d; index++)
            sum += get(index);
        assert_int_equal(get(0x2e) << 8 | get(0x2f), sum & 0xffff);
        assert_int_equal(get(0x0e) | get(0x0f), 0);
    }
}

static void reset_keeps_date_and_memory(void **state)
{
    (void)state;
    set(9, 0x30);
    set(0x50, 0x77);
    set(0x0b, 0x7a);
    pass(SECOND);
    assert_true(irq.high);
    rtc146818_ops.reset(&rtc);
    assert_false(irq.high);
    assert_int_equal(get(0x0b), 0x02);
    assert_int_equal(get(0x0c), 0x00);
    assert_int_equal(get(0x50), 0x77);
    expect_date("\x20\x30\x11\x22\x01\x15\x04\x06");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_flag_with_each_enable, setup),
        cmocka_unit_test_setup(periodic_rates_are_the_data_sheets, setup),
        cmocka_unit_test_setup(a_late_guest_gets_one_periodic_interrupt, setup),
        cmocka_unit_test_setup(updates_interrupt_each_second, setup),
        cmocka_unit_test_setup(alarms_match_their_time, setup),
        cmocka_unit_test_setup(an_alarm_that_was_slept_through_still_counts, setup),
        cmocka_unit_test_setup(alarms_know_pm_and_binary, setup),
        cmocka_unit_test_setup(memory_sizes_are_where_firmware_puts_them, setup),
        cmocka_unit_test_setup(reset_keeps_date_and_memory, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
