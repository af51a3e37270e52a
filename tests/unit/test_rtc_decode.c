/* needs: vmm/hw/rtc_decode.c */
#include "hw/rtc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Status B: 02h = 24 hours, 04h = binary. Times are what `date -u -d ... +%s` says. */
static void expect(struct rtc_registers registers, int64_t seconds)
{
    int64_t result = -1;
    assert_true(rtc_decode(&registers, &result));
    assert_int_equal(result, seconds);
}

static void expect_invalid(struct rtc_registers registers)
{
    int64_t result;
    assert_false(rtc_decode(&registers, &result));
}

static void bcd_and_24_hours_is_what_a_pc_holds(void **state)
{
    (void)state;
    expect((struct rtc_registers){0x59, 0x34, 0x23, 0x22, 0x11, 0x26, 0x20, 0x02}, 1795390499);
    expect((struct rtc_registers){0x00, 0x00, 0x00, 0x01, 0x01, 0x00, 0x20, 0x02}, 946684800);
    expect((struct rtc_registers){0x00, 0x00, 0x00, 0x01, 0x01, 0x70, 0x19, 0x02}, 0);
}

static void binary_mode(void **state)
{
    (void)state;
    expect((struct rtc_registers){59, 34, 23, 22, 11, 26, 20, 0x06}, 1795390499);
}

static void twelve_hours(void **state)
{
    (void)state;
    /* 12 AM is 0 h, 12 PM is 12 h, 11 PM is 23 h */
    expect((struct rtc_registers){0, 0, 0x12, 0x01, 0x01, 0x00, 0x20, 0x00}, 946684800);
    expect((struct rtc_registers){0, 0, 0x92, 0x01, 0x01, 0x00, 0x20, 0x00}, 946684800 + 43200);
    expect((struct rtc_registers){0, 0, 0x91, 0x01, 0x01, 0x00, 0x20, 0x00}, 946684800 + 82800);
    expect((struct rtc_registers){0, 0, 0x8B, 1, 1, 0, 20, 0x04}, 946684800 + 82800);
    expect_invalid((struct rtc_registers){0, 0, 0x00, 0x01, 0x01, 0x00, 0x20, 0x00});
    expect_invalid((struct rtc_registers){0, 0, 0x13, 0x01, 0x01, 0x00, 0x20, 0x00});
}

static void leap_years(void **state)
{
    (void)state;
    expect((struct rtc_registers){0, 0, 0, 0x29, 0x02, 0x24, 0x20, 0x02}, 1709164800);
    expect((struct rtc_registers){0, 0, 0, 0x01, 0x03, 0x24, 0x20, 0x02}, 1709251200);
    expect((struct rtc_registers){0, 0, 0, 0x29, 0x02, 0x00, 0x20, 0x02}, 951782400);
    expect_invalid((struct rtc_registers){0, 0, 0, 0x29, 0x02, 0x23, 0x20, 0x02});
    expect_invalid((struct rtc_registers){0, 0, 0, 0x29, 0x02, 0x00, 0x21, 0x02}); /* 2100 */
}

static void without_a_century_two_digits_mean_1970_to_2069(void **state)
{
    (void)state;
    expect((struct rtc_registers){0, 0, 0, 0x01, 0x01, 0x70, 0x00, 0x02}, 0);
    expect((struct rtc_registers){0, 0, 0, 0x01, 0x01, 0x69, 0x00, 0x02}, 3124224000);
    expect((struct rtc_registers){0, 0, 0, 0x01, 0x01, 0x26, 0xFF, 0x02}, 1767225600);
}

static void no_date_is_no_date(void **state)
{
    (void)state;
    expect_invalid((struct rtc_registers){0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF});
    expect_invalid((struct rtc_registers){0, 0, 0, 0, 0, 0, 0, 0x02});
    expect_invalid((struct rtc_registers){0x60, 0, 0, 0x01, 0x01, 0x26, 0x20, 0x02});
    expect_invalid((struct rtc_registers){0, 0x60, 0, 0x01, 0x01, 0x26, 0x20, 0x02});
    expect_invalid((struct rtc_registers){0, 0, 0x24, 0x01, 0x01, 0x26, 0x20, 0x02});
    expect_invalid((struct rtc_registers){0, 0, 0, 0x31, 0x04, 0x26, 0x20, 0x02});
    expect_invalid((struct rtc_registers){0, 0, 0, 0x01, 0x13, 0x26, 0x20, 0x02});
    expect_invalid((struct rtc_registers){0, 0, 0, 0x01, 0x01, 0x69, 0x19, 0x02}); /* 1969 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bcd_and_24_hours_is_what_a_pc_holds),
        cmocka_unit_test(binary_mode),
        cmocka_unit_test(twelve_hours),
        cmocka_unit_test(leap_years),
        cmocka_unit_test(without_a_century_two_digits_mean_1970_to_2069),
        cmocka_unit_test(no_date_is_no_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
