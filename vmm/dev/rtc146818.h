/*
 * MC146818 real-time clock and the CMOS memory of a PC. Chip: Motorola MC146818 data sheet. Byte
 * ports 70h (index) and 71h (data), 128 bytes.
 *
 * Modelled: date and time from the injected epoch plus guest time, BCD and binary, 12 and 24
 * hours, century byte 32h, SET and the divider reset, UIP for the 2228 us before each update,
 * alarm with don't-care values, periodic and update interrupts, register C's clear on read,
 * memory size bytes. The date is exact by the Gregorian calendar, leap years included.
 *
 * NOT modelled: daylight saving (DSE), the square wave pin, other crystals (any divider setting but
 * 32.768 kHz stops the clock), undefined readings during an update (the old second stays readable
 * until the new one is there), the NMI mask of port 70h (kept, no NMI exists).
 *
 * Reset keeps date and memory, which a battery backs, and clears the interrupt enables.
 *
 * A hostile guest can set impossible dates: a field beyond its range is brought into it (a day
 * beyond its month's end runs into the next month). Its interrupts come no faster than 8192 a
 * second, and only one is due until register C was read.
 */
#ifndef DEV_RTC146818_H
#define DEV_RTC146818_H

#include "dev/dev.h"

#define RTC146818_PORTS     2
#define RTC146818_CMOS_SIZE 128

struct rtc_date {
    uint16_t year; /* 0-9999 */
    uint8_t month; /* 1-12 */
    uint8_t day;   /* 1-31 */
    uint8_t hour, minute, second;
};

struct rtc146818_config {
    int64_t epoch_s;             /* seconds from 1970 to the date at guest time 0, UTC */
    uint64_t ram_below_4g_bytes; /* from address 0, the hole below 1 MiB included */
    uint64_t ram_above_4g_bytes;
};

struct rtc146818 {
    /* Connections. */
    struct irq_line irq; /* IRQ 8 */

    /* Battery-backed: reset leaves it alone. */
    vtime_t now;
    vtime_t phase_ns; /* added to guest time: seconds begin at its multiples of 10^9 */
    uint64_t base_s;  /* seconds of rtc_seconds() when the phased time was base_count seconds */
    uint64_t base_count;
    uint8_t weekday_shift;             /* 0-6: what a guest's own choice of weekday adds */
    uint8_t cmos[RTC146818_CMOS_SIZE]; /* bytes 0-9 and 32h hold the date only while it is frozen */

    /* Guest-visible state. */
    uint8_t index;
    uint8_t reg_a, reg_b, reg_c; /* reg_a without UIP, reg_c without IRQF */
};

extern const struct dev_ops rtc146818_ops;

void rtc146818_init(struct rtc146818 *rtc, struct irq_line irq,
                    const struct rtc146818_config *config);
/* What the interrupt pin must show. */
bool rtc146818_irq_cause(const struct rtc146818 *rtc);

/* rtc_date.c: the calendar. */

/* Seconds from 1970 to the date. Fields must be in range; the day may run beyond its month. */
int64_t rtc_unix_seconds(const struct rtc_date *date);
/* The same from a point in time before every date (year -400), so that nothing is negative. */
uint64_t rtc_seconds(const struct rtc_date *date);
void rtc_date_from_seconds(uint64_t seconds, struct rtc_date *date);
/* 0 is Sunday. */
uint8_t rtc_weekday(uint64_t seconds);

#endif
