/* The host's clock chip: one reading of its date. */
#include "hw/parts.h"

#include "hw/cpu.h"
#include "hw/rtc.h"
#include "lib/mem.h"

#define RTC_INDEX 0x70
#define RTC_DATA  0x71

#define RTC_STATUS_A 0x0A
#define RTC_STATUS_B 0x0B
#define RTC_CENTURY  0x32 /* where AT clones keep it */
#define STATUS_A_UIP BIT(7)

/* An update takes 2 ms; a port read takes 1 us. */
#define MAX_POLLS 10000u
#define MAX_TRIES 4u

static uint8_t rtc_read(uint8_t index)
{
    outb(RTC_INDEX, index);
    return inb(RTC_DATA);
}

static bool wait_for_update(void)
{
    for (unsigned i = 0; i < MAX_POLLS; i++)
        if (!(rtc_read(RTC_STATUS_A) & STATUS_A_UIP))
            return true;
    return false; /* also an absent chip: all ones */
}

static void read_all(struct rtc_registers *registers)
{
    *registers = (struct rtc_registers){
        .seconds = rtc_read(0),
        .minutes = rtc_read(2),
        .hours = rtc_read(4),
        .day = rtc_read(7),
        .month = rtc_read(8),
        .year = rtc_read(9),
        .century = rtc_read(RTC_CENTURY),
        .status_b = rtc_read(RTC_STATUS_B),
    };
}

bool rtc_read_epoch(int64_t *seconds)
{
    struct rtc_registers first, second;

    /* An update may begin between the check and the reading: two equal readings are one date. */
    for (unsigned i = 0; i < MAX_TRIES; i++) {
        if (!wait_for_update())
            return false;
        read_all(&first);
        read_all(&second);
        if (memcmp(&first, &second, sizeof(first)) == 0)
            return rtc_decode(&first, seconds);
    }
    return false;
}
