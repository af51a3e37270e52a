/* needs: vmm/dev/rtc146818.c vmm/dev/rtc_date.c */
#include "dev/rtc146818.h"
#include "rtc146818_rig.h"

/* --- the calendar ----------------------------------------------------------------------------- */

static void known_dates_have_known_seconds(void **state)
{
    static const struct {
        struct rtc_date date;
        int64_t seconds;
        uint8_t weekday;
    } table[] = {
        {{1970, 1, 1, 0, 0, 0}, 0, 4},
        {{1969, 12, 31, 23, 59, 59}, -1, 3},
        {{2000, 2, 29, 12, 0, 0}, 951825600, 2},
        {{2001, 9, 9, 1, 46, 40}, 1000000000, 0},
        {{2038, 1, 19, 3, 14, 8}, 2147483648, 2},
        {{2100, 3, 1, 0, 0, 0}, 4107542400, 1},
        {{1900, 1, 1, 0, 0, 0}, -2208988800, 1},
        {{0, 1, 1, 0, 0, 0}, -62167219200, 6},
        {{9999, 12, 31, 23, 59, 59}, 253402300799, 5},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct rtc_date back;
        assert_true(rtc_unix_seconds(&table[i].date) == table[i].seconds);
        rtc_date_from_seconds(rtc_seconds(&table[i].date), &back);
        assert_memory_equal(&back, &table[i].date, sizeof(back));
        assert_int_equal(rtc_weekday(rtc_seconds(&table[i].date)), table[i].weekday);
    }
}

static void every_day_follows_the_one_before(void **state)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct rtc_date date = {.year = 1599, .month = 12, .day = 31};
    uint64_t seconds = rtc_seconds(&date);
    (void)state;
    for (unsigned year = 1600; year < 2420; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (unsigned month = 1; month <= 12; month++) {
            unsigned last = days[month - 1] + (month == 2 && leap);
            for (unsigned day = 1; day <= last; day++) {
                seconds += 86400;
                rtc_date_from_seconds(seconds, &date);
                assert_true(date.year == year && date.month == month && date.day == day);
                assert_true(rtc_seconds(&date) == seconds);
            }
        }
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static void reset_values(void **state)
{
    (void)state;
    assert_int_equal(get(0x0a), 0x26);
    assert_int_equal(get(0x0b), 0x02);
    assert_int_equal(get(0x0c), 0x00);
    assert_int_equal(get(0x0d), 0x80);
    assert_true(rtc146818_ops.next_deadline(&rtc) == UINT64_MAX);
}

static void the_date_has_four_formats(void **state)
{
    (void)state;
    expect_date("\x20\x26\x11\x22\x01\x15\x04\x05"); /* BCD, 24 hours */
    set(0x0b, 0x00);
    expect_date("\x20\x26\x11\x22\x01\x83\x04\x05"); /* BCD, 3 pm */
    set(0x0b, 0x06);
    expect_date("\x14\x1a\x0b\x16\x01\x0f\x04\x05"); /* binary, 24 hours */
    set(0x0b, 0x04);
    expect_date("\x14\x1a\x0b\x16\x01\x83\x04\x05"); /* binary, 3 pm */
}

static void twelve_hours_begin_with_twelve(void **state)
{
    static const uint8_t hours[] = {0x12, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
                                    0x08, 0x09, 0x10, 0x11, 0x92, 0x81, 0x82, 0x83,
                                    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90, 0x91};
    (void)state;
    for (unsigned hour = 0; hour < 24; hour++) {
        start_at(2026, 11, 22, hour * 3600);
        set(0x0b, 0x00);
        assert_int_equal(get(4), hours[hour]);
        set(4, hours[hour]); /* and back */
        set(0x0b, 0x06);
        assert_int_equal(get(4), hour);
    }
}

static void time_passes(void **state)
{
    (void)state;
    pass(SECOND - 1);
    expect_date("\x20\x26\x11\x22\x01\x15\x04\x05");
    pass(1);
    expect_date("\x20\x26\x11\x22\x01\x15\x04\x06");
    pass(86400 * SECOND);
    expect_date("\x20\x26\x11\x23\x02\x15\x04\x06");
}

static void turns_of_years_and_leap_days(void **state)
{
    static const struct {
        uint16_t year;
        uint8_t month, day;
        const char *next;
    } table[] = {
        {1999, 12, 31, "\x20\x00\x01\x01\x07\x00\x00\x00"},
        {2024, 2, 28, "\x20\x24\x02\x29\x05\x00\x00\x00"},
        {2024, 2, 29, "\x20\x24\x03\x01\x06\x00\x00\x00"},
        {2026, 2, 28, "\x20\x26\x03\x01\x01\x00\x00\x00"},
        {2000, 2, 28, "\x20\x00\x02\x29\x03\x00\x00\x00"},
        {2100, 2, 28, "\x21\x00\x03\x01\x02\x00\x00\x00"},
        {9999, 12, 31, "\x00\x00\x01\x01\x07\x00\x00\x00"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        start_at(table[i].year, table[i].month, table[i].day, 86399);
        pass(SECOND);
        expect_date(table[i].next);
    }
}

static void uip_announces_each_update_by_2228_us(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        pass(SECOND - 2228001);
        assert_int_equal(get(0x0a), 0x26);
        pass(1);
        assert_int_equal(get(0x0a), 0xa6);
        pass(2227999);
        assert_int_equal(get(0x0a), 0xa6);
        pass(1);
        assert_int_equal(get(0x0a), 0x26);
    }
}

/* Linux mach_get_cmos_time() and its kin: wait for UIP, read until two readings agree. */
static void linux_reads_the_date(void **state)
{
    unsigned polls = 0;
    (void)state;
    pass(999 * 1000000);
    while (get(0x0a) & 0x80) {
        pass(10000);
        assert_true(++polls < 300);
    }
    assert_int_equal(polls, 100);
    expect_date("\x20\x26\x11\x22\x01\x15\x04\x06");
}

static void ports_and_sizes(void **state)
{
    uint64_t value = 5;
    (void)state;
    for (uint32_t offset = 0; offset < 2; offset++)
        for (unsigned size = 2; size <= 4; size += 2)
            assert_int_equal(rtc146818_ops.write(&rtc, offset, size, 0), IO_BAD_SIZE);
    assert_int_equal(rtc146818_ops.read(&rtc, 1, 2, &value), IO_BAD_SIZE);
    assert_int_equal(rtc146818_ops.read(&rtc, 1, 4, &value), IO_BAD_SIZE);
    assert_int_equal(rtc146818_ops.read(&rtc, 0, 1, &value), IO_NO_REGISTER); /* write only */
    assert_int_equal(rtc146818_ops.read(&rtc, 2, 1, &value), IO_NO_REGISTER);
    assert_int_equal(rtc146818_ops.write(&rtc, 2, 1, 0), IO_NO_REGISTER);
    assert_int_equal(value, 5);
}

static void the_nmi_bit_of_the_index_selects_nothing(void **state)
{
    (void)state;
    assert_int_equal(get(0x8d), 0x80);
    set(0xc0, 0x5a);
    assert_int_equal(get(0x40), 0x5a);
}

/* --- setting ---------------------------------------------------------------------------------- */

static void writable_masks(void **state)
{
    (void)state;
    set(0x0a, 0xff);
    assert_int_equal(get(0x0a), 0x7f);
    set(0x0a, 0x26);
    set(0x0b, 0x7f);
    assert_int_equal(get(0x0b), 0x7f);
    set(0x0b, 0xff);
    assert_int_equal(get(0x0b), 0xef); /* SET clears UIE */
    set(0x0b, 0x02);
    set(0x0c, 0xff);
    set(0x0d, 0x00);
    assert_int_equal(get(0x0d), 0x80);
    for (unsigned i = 0x0e; i < 0x80; i++) {
        if (i == 0x32)
            continue;
        set((uint8_t)i, (uint8_t)(i ^ 0xa5));
        assert_int_equal(get((uint8_t)i), i ^ 0xa5);
    }
}

static void a_guest_sets_the_date(void **state)
{
    (void)state;
    pass(SECOND / 4);
    set(0x0b, 0x82);
    static const uint8_t index[] = {0x32, 9, 8, 7, 6, 4, 2, 0};
    static const uint8_t value[] = {0x19, 0x99, 0x12, 0x31, 0x06, 0x23, 0x59, 0x58};
    for (unsigned i = 0; i < 8; i++)
        set(index[i], value[i]);
    pass(10 * SECOND); /* no updates meanwhile */
    expect_date("\x19\x99\x12\x31\x06\x23\x59\x58");
    assert_int_equal(get(0x0a), 0x26);
    set(0x0b, 0x02);
    expect_date("\x19\x99\x12\x31\x06\x23\x59\x58");
    pass(SECOND * 3 / 4); /* the divider's phase stayed */
    expect_date("\x19\x99\x12\x31\x06\x23\x59\x59");
    pass(SECOND);
    expect_date("\x20\x00\x01\x01\x07\x00\x00\x00");
}

/* Linux mach_set_cmos_time(): SET, divider reset, date, divider on, SET off: half a second. */
static void the_first_update_after_a_divider_reset_takes_half_a_second(void **state)
{
    (void)state;
    pass(SECOND / 10);
    set(0x0b, 0x82);
    set(0x0a, 0x76);
    set(0, 0x30);
    set(0x0b, 0x02);
    pass(SECOND * 5);
    assert_int_equal(get(0), 0x30); /* the divider stands */
    set(0x0a, 0x26);
    pass(SECOND / 2 - 1);
    assert_int_equal(get(0), 0x30);
    pass(1);
    assert_int_equal(get(0), 0x31);
    pass(SECOND);
    assert_int_equal(get(0), 0x32);
}

static void single_fields_can_be_set_on_the_run(void **state)
{
    (void)state;
    set(2, 0x59);
    set(0, 0x59);
    pass(SECOND);
    expect_date("\x20\x26\x11\x22\x01\x16\x00\x00");
    set(6, 0x05); /* the guest's own idea of the weekday */
    pass(86400 * SECOND);
    expect_date("\x20\x26\x11\x23\x06\x16\x00\x00");
}

static void impossible_dates_are_brought_into_range(void **state)
{
    static const struct {
        uint8_t index, value;
        const char *date;
    } table[] = {
        {8, 0x00, "\x20\x26\x01\x22\x01\x15\x04\x05"},
        {8, 0xff, "\x20\x26\x12\x22\x01\x15\x04\x05"},
        {7, 0x00, "\x20\x26\x11\x01\x01\x15\x04\x05"},
        {7, 0x31, "\x20\x26\x12\x01\x01\x15\x04\x05"},
        {7, 0xff, "\x20\x26\x12\x01\x01\x15\x04\x05"},
        {4, 0xff, "\x20\x26\x11\x22\x01\x23\x04\x05"},
        {2, 0xff, "\x20\x26\x11\x22\x01\x15\x59\x05"},
        {0, 0x99, "\x20\x26\x11\x22\x01\x15\x04\x59"},
        {9, 0xff, "\x20\x99\x11\x22\x01\x15\x04\x05"},
        {0x32, 0xff, "\x99\x26\x11\x22\x01\x15\x04\x05"},
        {6, 0x00, "\x20\x26\x11\x22\x01\x15\x04\x05"},
        {6, 0xff, "\x20\x26\x11\x22\x07\x15\x04\x05"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        setup(NULL);
        set(table[i].index, table[i].value);
        expect_date(table[i].date);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(known_dates_have_known_seconds, setup),
        cmocka_unit_test_setup(every_day_follows_the_one_before, setup),
        cmocka_unit_test_setup(reset_values, setup),
        cmocka_unit_test_setup(the_date_has_four_formats, setup),
        cmocka_unit_test_setup(twelve_hours_begin_with_twelve, setup),
        cmocka_unit_test_setup(time_passes, setup),
        cmocka_unit_test_setup(turns_of_years_and_leap_days, setup),
        cmocka_unit_test_setup(uip_announces_each_update_by_2228_us, setup),
        cmocka_unit_test_setup(linux_reads_the_date, setup),
        cmocka_unit_test_setup(ports_and_sizes, setup),
        cmocka_unit_test_setup(the_nmi_bit_of_the_index_selects_nothing, setup),
        cmocka_unit_test_setup(writable_masks, setup),
        cmocka_unit_test_setup(a_guest_sets_the_date, setup),
        cmocka_unit_test_setup(the_first_update_after_a_divider_reset_takes_half_a_second, setup),
        cmocka_unit_test_setup(single_fields_can_be_set_on_the_run, setup),
        cmocka_unit_test_setup(impossible_dates_are_brought_into_range, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
