/*
 * The Gregorian calendar as arithmetic. Years begin in March here, so that the leap day is a
 * year's last day and the months before it have a regular pattern of lengths; the zero lies 400
 * years (one whole calendar cycle) before year 0, so that no value is negative.
 */
#include "dev/rtc146818.h"

#define DAY_SECONDS     86400u
#define DAYS_400_YEARS  146097u
#define DAYS_100_YEARS  36524u
#define DAYS_4_YEARS    1461u
#define DAYS_YEAR       365u
#define YEAR_SHIFT      400u
#define DAYS_TO_1970    (DAYS_400_YEARS + 719468u) /* from 1 March of year -400 */
#define WEEKDAY_OF_ZERO 3u                         /* 1 March of year 0, and of -400: Wednesday */

/* Days from 1 March to the first of a month; month 0 is March. */
static uint32_t days_before_month(uint32_t march_month)
{
    return (153 * march_month + 2) / 5;
}

uint64_t rtc_seconds(const struct rtc_date *date)
{
    bool jan_feb = date->month <= 2;
    uint64_t year = date->year + YEAR_SHIFT - (jan_feb ? 1 : 0);
    uint64_t days = year * DAYS_YEAR + year / 4 - year / 100 + year / 400 +
                    days_before_month(jan_feb ? date->month + 9u : date->month - 3u) + date->day -
                    1u;
    return days * DAY_SECONDS + date->hour * 3600u + date->minute * 60u + date->second;
}

int64_t rtc_unix_seconds(const struct rtc_date *date)
{
    return (int64_t)rtc_seconds(date) - (int64_t)DAYS_TO_1970 * DAY_SECONDS;
}

static uint64_t min_days(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void rtc_date_from_seconds(uint64_t seconds, struct rtc_date *date)
{
    uint64_t days = seconds / DAY_SECONDS;
    uint32_t rest = (uint32_t)(seconds % DAY_SECONDS);
    /* The last century of 400 years and the last year of 4 are a day longer than their like. */
    uint64_t cycles = days / DAYS_400_YEARS;
    uint64_t in_cycle = days % DAYS_400_YEARS;
    uint64_t centuries = min_days(in_cycle / DAYS_100_YEARS, 3);
    uint64_t in_century = in_cycle - centuries * DAYS_100_YEARS;
    uint64_t leaps = in_century / DAYS_4_YEARS;
    uint64_t in_leap = in_century % DAYS_4_YEARS;
    uint64_t years = min_days(in_leap / DAYS_YEAR, 3);
    uint32_t in_year = (uint32_t)(in_leap - years * DAYS_YEAR);
    uint32_t month = (5 * in_year + 2) / 153;
    uint64_t year = cycles * 400 + centuries * 100 + leaps * 4 + years + (month >= 10);

    date->year = (uint16_t)((year - YEAR_SHIFT) % 10000);
    date->month = (uint8_t)(month >= 10 ? month - 9 : month + 3);
    date->day = (uint8_t)(in_year - days_before_month(month) + 1);
    date->hour = (uint8_t)(rest / 3600);
    date->minute = (uint8_t)(rest / 60 % 60);
    date->second = (uint8_t)(rest % 60);
}

uint8_t rtc_weekday(uint64_t seconds)
{
    return (uint8_t)((seconds / DAY_SECONDS + WEEKDAY_OF_ZERO) % 7);
}
