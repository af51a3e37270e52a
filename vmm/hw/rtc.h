/* The MC146818's date registers as a date: pure, without the chip. */
#ifndef HW_RTC_H
#define HW_RTC_H

#include "lib/types.h"

struct rtc_registers {
    uint8_t seconds, minutes, hours, day, month, year;
    uint8_t century;  /* 0 where there is none */
    uint8_t status_b; /* binary or BCD, 12 or 24 hours */
};

/* Seconds since 1970-01-01 00:00. False when a register holds no valid date. */
bool rtc_decode(const struct rtc_registers *registers, int64_t *seconds);

#endif
