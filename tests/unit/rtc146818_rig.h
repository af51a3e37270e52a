/* The rtc146818 on the bench of its tests. */
#ifndef TESTS_RTC146818_RIG_H
#define TESTS_RTC146818_RIG_H

#include "dev/rtc146818.h"
#include "dev_rig.h"

#define SECOND 1000000000ull

static struct rtc146818 rtc;
static struct rig_pin irq;
static vtime_t now;

static inline void start_at(uint16_t year, uint8_t month, uint8_t day, uint32_t second_of_day)
{
    const struct rtc_date date = {year,
                                  month,
                                  day,
                                  (uint8_t)(second_of_day / 3600),
                                  (uint8_t)(second_of_day / 60 % 60),
                                  (uint8_t)(second_of_day % 60)};
    const struct rtc146818_config config = {.epoch_s = rtc_unix_seconds(&date),
                                            .ram_below_4g_bytes = 256ull << 20};
    irq = (struct rig_pin){0};
    now = 0;
    rtc146818_init(&rtc, rig_line(&irq), &config);
}

static inline int setup(void **state)
{
    (void)state;
    start_at(2026, 11, 22, 15 * 3600 + 4 * 60 + 5); /* a Sunday, 15:04:05 */
    return 0;
}

static inline uint8_t get(uint8_t index)
{
    rig_out(&rtc146818_ops, &rtc, 0, index);
    return rig_in(&rtc146818_ops, &rtc, 1);
}

static inline void set(uint8_t index, uint8_t value)
{
    rig_out(&rtc146818_ops, &rtc, 0, index);
    rig_out(&rtc146818_ops, &rtc, 1, value);
}

static inline void pass(vtime_t delta_ns)
{
    now += delta_ns;
    rtc146818_ops.advance(&rtc, now);
}

/* century, year, month, day, weekday, hours, minutes, seconds */
static inline void expect_date(const char *bytes)
{
    static const uint8_t index[] = {0x32, 9, 8, 7, 6, 4, 2, 0};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(get(index[i]), (uint8_t)bytes[i]);
}

#endif
