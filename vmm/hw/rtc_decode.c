/* A date out of an RTC's registers. MC146818 datasheet "Time, Calendar and Alarm Locations". */
#include "hw/rtc.h"

#include "lib/bits.h"

#define STATUS_B_24_HOURS BIT(1)
#define STATUS_B_BINARY   BIT(2)
#define HOURS_PM          BIT(7)

static unsigned number(uint8_t raw, bool binary)
{
    return binary ? raw : (unsigned)(raw >> 4) * 10 + (raw & 15);
}

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in(unsigned month, unsigned year)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

bool rtc_decode(const struct rtc_registers *registers, int64_t *seconds)
{
    bool binary = registers->status_b & STATUS_B_BINARY;
    unsigned hours = number(registers->hours & (uint8_t)~HOURS_PM, binary);
    unsigned century = number(registers->century, binary);
    unsigned year = number(registers->year, binary);
    unsigned month = number(registers->month, binary);
    unsigned day = number(registers->day, binary);
    unsigned minutes = number(registers->minutes, binary);
    unsigned second = number(registers->seconds, binary);

    if (!(registers->status_b & STATUS_B_24_HOURS)) {
        if (hours < 1 || hours > 12)
            return false;
        hours = hours % 12 + ((registers->hours & HOURS_PM) ? 12 : 0);
    }
    /* A century register that holds something else (its place isn't standard) is not one; then two
     * digits mean 1970 to 2069. */
    if (century < 19 || century > 22)
        century = year < 70 ? 20 : 19;
    if (year > 99 || month < 1 || month > 12 || hours > 23 || minutes > 59 || second > 59)
        return false;
    year += century * 100;
    if (year < 1970 || day < 1 || day > days_in(month, year))
        return false;

    int64_t days = day - 1;
    for (unsigned y = 1970; y < year; y++)
        days += is_leap(y) ? 366 : 365;
    for (unsigned m = 1; m < month; m++)
        days += days_in(m, year);
    *seconds = ((days * 24 + hours) * 60 + minutes) * 60 + second;
    return true;
}
