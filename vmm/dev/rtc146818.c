/*
 * MC146818; rtc146818.h says what is modelled, rtc_date.c knows the calendar.
 *
 * The clock is arithmetic: seconds = base_s + whole seconds of (now + phase_ns) since base_count.
 * While it is frozen (SET, or the divider doesn't run) the date lies as bytes in cmos[], where the
 * guest edits it; when it runs again the bytes become the new base.
 */
#include "dev/rtc146818.h"
#include "dev/rtc146818_regs.h"
#include "dev/ticks.h"
#include "lib/mem.h"

#define RTC_CRYSTAL_HZ   32768u
#define RTC_DAY_SECONDS  86400u
#define RTC_UPDATE_NS    2228000u /* UIP before an update: tBUC 244 us, tUC 1984 us */
#define RTC_HALF_SECOND  500000000u
#define RTC_POWER_ON_A   0x26 /* crystal running, 1024 Hz */
#define RTC_RESET_B_KEEP (RTC_B_SET | RTC_B_DM | RTC_B_24H | RTC_B_DSE)
#define RTC_INTERRUPTS   (RTC_C_PF | RTC_C_AF | RTC_C_UF)
#define RTC_NO_MATCH     UINT64_MAX

/* --- time ------------------------------------------------------------------------------------- */

static bool rtc_frozen(uint8_t reg_a, uint8_t reg_b)
{
    return (reg_b & RTC_B_SET) || (reg_a & RTC_A_DV) != RTC_A_DV_RUN;
}

static bool rtc_is_frozen(const struct rtc146818 *rtc)
{
    return rtc_frozen(rtc->reg_a, rtc->reg_b);
}

static uint64_t rtc_phased(const struct rtc146818 *rtc)
{
    return rtc->now + rtc->phase_ns;
}

static uint64_t rtc_now_s(const struct rtc146818 *rtc)
{
    return rtc->base_s + rtc_phased(rtc) / NS_PER_SECOND - rtc->base_count;
}

static void rtc_set_now_s(struct rtc146818 *rtc, uint64_t seconds)
{
    rtc->base_s = seconds;
    rtc->base_count = rtc_phased(rtc) / NS_PER_SECOND;
}

/* Periods of the periodic interrupt since the divider's zero; 0 where there is none. */
static uint64_t rtc_period_ticks(const struct rtc146818 *rtc)
{
    unsigned rate = rtc->reg_a & RTC_A_RS;
    if (rate == 0 || (rtc->reg_a & RTC_A_DV) != RTC_A_DV_RUN)
        return 0;
    /* "Periodic Interrupt Rate": settings 1 and 2 repeat 8 and 9. */
    return 1u << (rate <= 2 ? rate + 6 : rate - 1);
}

/* --- formats ---------------------------------------------------------------------------------- */

static uint8_t rtc_encode(const struct rtc146818 *rtc, unsigned value)
{
    value %= 100;
    return (uint8_t)(rtc->reg_b & RTC_B_DM ? value : value / 10 << 4 | value % 10);
}

static unsigned rtc_decode(const struct rtc146818 *rtc, uint8_t byte)
{
    return rtc->reg_b & RTC_B_DM ? byte : (byte >> 4) * 10u + (byte & 15);
}

static uint8_t rtc_encode_hour(const struct rtc146818 *rtc, unsigned hour)
{
    if (rtc->reg_b & RTC_B_24H)
        return rtc_encode(rtc, hour);
    unsigned twelve = hour % 12 ? hour % 12 : 12;
    return rtc_encode(rtc, twelve) | (hour >= 12 ? RTC_HOUR_PM : 0);
}

static unsigned rtc_decode_hour(const struct rtc146818 *rtc, uint8_t byte)
{
    if (rtc->reg_b & RTC_B_24H)
        return rtc_decode(rtc, byte);
    unsigned twelve = rtc_decode(rtc, byte & ~RTC_HOUR_PM);
    return (twelve == 12 ? 0 : twelve) + (byte & RTC_HOUR_PM ? 12 : 0);
}

static void rtc_store_date(struct rtc146818 *rtc)
{
    struct rtc_date date;
    uint64_t seconds = rtc_now_s(rtc);
    rtc_date_from_seconds(seconds, &date);
    rtc->cmos[RTC_SECONDS] = rtc_encode(rtc, date.second);
    rtc->cmos[RTC_MINUTES] = rtc_encode(rtc, date.minute);
    rtc->cmos[RTC_HOURS] = rtc_encode_hour(rtc, date.hour);
    rtc->cmos[RTC_WEEKDAY] = rtc_encode(rtc, (rtc_weekday(seconds) + rtc->weekday_shift) % 7u + 1);
    rtc->cmos[RTC_DAY] = rtc_encode(rtc, date.day);
    rtc->cmos[RTC_MONTH] = rtc_encode(rtc, date.month);
    rtc->cmos[RTC_YEAR] = rtc_encode(rtc, date.year);
    rtc->cmos[CMOS_CENTURY] = rtc_encode(rtc, date.year / 100u);
}

static uint8_t rtc_clamped(unsigned value, unsigned lowest, unsigned highest)
{
    if (value < lowest)
        return (uint8_t)lowest;
    return (uint8_t)(value > highest ? highest : value);
}

/* The guest's bytes as a date: whatever it wrote, each field is brought into its range. */
static void rtc_load_date(struct rtc146818 *rtc)
{
    const uint8_t *cmos = rtc->cmos;
    unsigned year = rtc_clamped(rtc_decode(rtc, cmos[RTC_YEAR]), 0, 99);
    unsigned century = rtc_clamped(rtc_decode(rtc, cmos[CMOS_CENTURY]), 0, 99);
    struct rtc_date date = {
        .year = (uint16_t)(century * 100 + year),
        .month = rtc_clamped(rtc_decode(rtc, cmos[RTC_MONTH]), 1, 12),
        .day = rtc_clamped(rtc_decode(rtc, cmos[RTC_DAY]), 1, 31),
        .hour = rtc_clamped(rtc_decode_hour(rtc, cmos[RTC_HOURS]), 0, 23),
        .minute = rtc_clamped(rtc_decode(rtc, cmos[RTC_MINUTES]), 0, 59),
        .second = rtc_clamped(rtc_decode(rtc, cmos[RTC_SECONDS]), 0, 59),
    };
    unsigned weekday = rtc_clamped(rtc_decode(rtc, cmos[RTC_WEEKDAY]), 1, 7) - 1u;
    uint64_t seconds = rtc_seconds(&date);
    rtc->weekday_shift = (uint8_t)((weekday + 7 - rtc_weekday(seconds)) % 7);
    rtc_set_now_s(rtc, seconds);
}

/* --- interrupts ------------------------------------------------------------------------------- */

bool rtc146818_irq_cause(const struct rtc146818 *rtc)
{
    return rtc->reg_c & rtc->reg_b & RTC_INTERRUPTS;
}

static void rtc_sync_irq(struct rtc146818 *rtc)
{
    irq_set(&rtc->irq, rtc146818_irq_cause(rtc));
}

static bool rtc_alarm_matches(uint8_t alarm, unsigned alarm_value, unsigned value)
{
    return (alarm & RTC_ALARM_ANY) == RTC_ALARM_ANY || alarm_value == value;
}

/* Seconds from the second `seconds` to the next one that matches the alarm: 1 to 86400, or
 * RTC_NO_MATCH. Skips whole hours and minutes, so it ends after some 170 steps at most. */
static uint64_t rtc_alarm_distance(const struct rtc146818 *rtc, uint64_t seconds)
{
    const uint8_t *cmos = rtc->cmos;
    unsigned hour = rtc_decode_hour(rtc, cmos[RTC_HOURS_ALARM]);
    unsigned minute = rtc_decode(rtc, cmos[RTC_MINUTES_ALARM]);
    unsigned second = rtc_decode(rtc, cmos[RTC_SECONDS_ALARM]);
    uint32_t start = (uint32_t)(seconds % RTC_DAY_SECONDS);
    for (uint32_t at = start + 1; at <= start + RTC_DAY_SECONDS;) {
        if (!rtc_alarm_matches(cmos[RTC_HOURS_ALARM], hour, at / 3600 % 24))
            at = (at / 3600 + 1) * 3600;
        else if (!rtc_alarm_matches(cmos[RTC_MINUTES_ALARM], minute, at / 60 % 60))
            at = (at / 60 + 1) * 60;
        else if (!rtc_alarm_matches(cmos[RTC_SECONDS_ALARM], second, at % 60))
            at++;
        else
            return at - start;
    }
    return RTC_NO_MATCH;
}

static void rtc146818_advance(void *dev, vtime_t now)
{
    struct rtc146818 *rtc = dev;
    if (now <= rtc->now)
        return;
    uint64_t old_phased = rtc_phased(rtc);
    uint64_t old_s = rtc_now_s(rtc);
    uint64_t period = rtc_period_ticks(rtc);
    rtc->now = now;
    uint64_t new_phased = rtc_phased(rtc);
    if (period != 0 && ticks_from_ns(new_phased, RTC_CRYSTAL_HZ) / period !=
                           ticks_from_ns(old_phased, RTC_CRYSTAL_HZ) / period)
        rtc->reg_c |= RTC_C_PF;
    uint64_t passed_s = new_phased / NS_PER_SECOND - old_phased / NS_PER_SECOND;
    if (passed_s != 0 && !rtc_is_frozen(rtc)) {
        rtc->reg_c |= RTC_C_UF;
        if (rtc_alarm_distance(rtc, old_s) <= passed_s)
            rtc->reg_c |= RTC_C_AF;
    }
    rtc_sync_irq(rtc);
}

static vtime_t rtc_deadline_of_second(const struct rtc146818 *rtc, uint64_t seconds_ahead)
{
    uint64_t count = rtc_phased(rtc) / NS_PER_SECOND + seconds_ahead;
    if (count > UINT64_MAX / NS_PER_SECOND)
        return VTIME_NEVER;
    return count * NS_PER_SECOND - rtc->phase_ns;
}

static vtime_t rtc_sooner(vtime_t a, vtime_t b)
{
    return a < b ? a : b;
}

/* Only events that would raise the pin are worth waking up for. */
static vtime_t rtc146818_next_deadline(const void *dev)
{
    const struct rtc146818 *rtc = dev;
    vtime_t deadline = VTIME_NEVER;
    if (rtc146818_irq_cause(rtc))
        return VTIME_NEVER;
    uint64_t period = rtc_period_ticks(rtc);
    if ((rtc->reg_b & RTC_B_PIE) && period != 0) {
        uint64_t ticks = ticks_from_ns(rtc_phased(rtc), RTC_CRYSTAL_HZ);
        uint64_t phased = ns_from_ticks((ticks / period + 1) * period, RTC_CRYSTAL_HZ);
        deadline = phased == VTIME_NEVER ? VTIME_NEVER : phased - rtc->phase_ns;
    }
    if (rtc_is_frozen(rtc))
        return deadline;
    if (rtc->reg_b & RTC_B_UIE)
        deadline = rtc_sooner(deadline, rtc_deadline_of_second(rtc, 1));
    if (rtc->reg_b & RTC_B_AIE) {
        uint64_t distance = rtc_alarm_distance(rtc, rtc_now_s(rtc));
        if (distance != RTC_NO_MATCH)
            deadline = rtc_sooner(deadline, rtc_deadline_of_second(rtc, distance));
    }
    return deadline;
}

/* --- registers -------------------------------------------------------------------------------- */

static bool rtc_is_date(uint8_t index)
{
    return index == RTC_SECONDS || index == RTC_MINUTES || index == RTC_HOURS ||
           (index >= RTC_WEEKDAY && index <= RTC_YEAR) || index == CMOS_CENTURY;
}

static uint8_t rtc_read_register(struct rtc146818 *rtc)
{
    uint8_t index = rtc->index & RTC_INDEX_MASK;
    bool frozen = rtc_is_frozen(rtc);
    bool updating = NS_PER_SECOND - rtc_phased(rtc) % NS_PER_SECOND <= RTC_UPDATE_NS;
    uint8_t flags = rtc->reg_c;
    switch (index) {
    case RTC_REG_A:
        return rtc->reg_a | (updating && !frozen ? RTC_A_UIP : 0);
    case RTC_REG_B:
        return rtc->reg_b;
    case RTC_REG_C:
        flags |= rtc146818_irq_cause(rtc) ? RTC_C_IRQF : 0;
        rtc->reg_c = 0;
        return flags;
    case RTC_REG_D:
        return RTC_D_VRT;
    default:
        if (rtc_is_date(index) && !frozen)
            rtc_store_date(rtc);
        return rtc->cmos[index];
    }
}

/* Registers A and B together decide whether the clock runs: one place for the change. */
static void rtc_set_mode(struct rtc146818 *rtc, uint8_t reg_a, uint8_t reg_b)
{
    bool was_frozen = rtc_is_frozen(rtc);
    bool freezes = rtc_frozen(reg_a, reg_b);
    bool was_reset = (rtc->reg_a & RTC_A_DV_RESET) == RTC_A_DV_RESET;
    if (!was_frozen && freezes)
        rtc_store_date(rtc); /* as the guest has read it so far */
    rtc->reg_a = reg_a;
    rtc->reg_b = reg_b;
    /* "The first update cycle begins one-half second" after the divider is let go. */
    if (was_reset && (reg_a & RTC_A_DV) == RTC_A_DV_RUN) {
        uint64_t into_second = rtc->now % NS_PER_SECOND;
        uint64_t seconds = rtc_now_s(rtc);
        rtc->phase_ns = (NS_PER_SECOND + RTC_HALF_SECOND - into_second) % NS_PER_SECOND;
        rtc_set_now_s(rtc, seconds);
    }
    if (was_frozen && !freezes)
        rtc_load_date(rtc);
}

static void rtc_write_reg_b(struct rtc146818 *rtc, uint8_t value)
{
    if (value & RTC_B_SET)
        value &= ~RTC_B_UIE; /* "SET going high clears the UIE bit" */
    rtc_set_mode(rtc, rtc->reg_a, value);
}

static void rtc_write_register(struct rtc146818 *rtc, uint8_t value)
{
    uint8_t index = rtc->index & RTC_INDEX_MASK;
    switch (index) {
    case RTC_REG_A:
        rtc_set_mode(rtc, value & ~RTC_A_UIP, rtc->reg_b);
        break;
    case RTC_REG_B:
        rtc_write_reg_b(rtc, value);
        break;
    case RTC_REG_C:
    case RTC_REG_D:
        break;
    default:
        if (rtc_is_date(index) && !rtc_is_frozen(rtc)) {
            rtc_store_date(rtc);
            rtc->cmos[index] = value;
            rtc_load_date(rtc);
        } else {
            rtc->cmos[index] = value;
        }
        break;
    }
}

static enum io_result rtc146818_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct rtc146818 *rtc = dev;
    if (offset != RTC_PORT_DATA)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    *value = rtc_read_register(rtc);
    rtc_sync_irq(rtc);
    return IO_OK;
}

static enum io_result rtc146818_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct rtc146818 *rtc = dev;
    if (offset >= RTC146818_PORTS)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    if (offset == RTC_PORT_INDEX)
        rtc->index = (uint8_t)value;
    else
        rtc_write_register(rtc, (uint8_t)value);
    rtc_sync_irq(rtc);
    return IO_OK;
}

static void rtc146818_reset(void *dev)
{
    struct rtc146818 *rtc = dev;
    rtc->index = 0;
    rtc->reg_b &= RTC_RESET_B_KEEP;
    rtc->reg_c = 0;
    rtc_sync_irq(rtc);
}

/* --- power-on --------------------------------------------------------------------------------- */

static uint64_t rtc_units(uint64_t bytes, uint64_t from, uint64_t unit, uint64_t most)
{
    uint64_t units = bytes > from ? (bytes - from) / unit : 0;
    return units < most ? units : most;
}

static void rtc_fill_cmos(struct rtc146818 *rtc, const struct rtc146818_config *config)
{
    uint64_t low = config->ram_below_4g_bytes;
    uint64_t above_4g = rtc_units(config->ram_above_4g_bytes, 0, KIB(64), 0xffffff);
    uint16_t extended_kb = (uint16_t)rtc_units(low, MIB(1), KIB(1), 0xffff);
    uint8_t *cmos = rtc->cmos;
    cmos[CMOS_EQUIPMENT] = CMOS_EQUIPMENT_VALUE;
    store_le16(&cmos[CMOS_BASE_KB], (uint16_t)rtc_units(low, 0, KIB(1), 640));
    store_le16(&cmos[CMOS_EXTENDED_KB], extended_kb);
    store_le16(&cmos[CMOS_EXTENDED_KB_2], extended_kb);
    store_le16(&cmos[CMOS_ABOVE_16M], (uint16_t)rtc_units(low, MIB(16), KIB(64), 0xffff));
    store_le16(&cmos[CMOS_ABOVE_4G], (uint16_t)above_4g);
    cmos[CMOS_ABOVE_4G + 2] = (uint8_t)(above_4g >> 16);
    uint16_t sum = 0;
    for (unsigned i = CMOS_CHECKSUM_FIRST; i <= CMOS_CHECKSUM_LAST; i++)
        sum = (uint16_t)(sum + cmos[i]);
    cmos[CMOS_CHECKSUM] = (uint8_t)(sum >> 8);
    cmos[CMOS_CHECKSUM + 1] = (uint8_t)sum;
}

void rtc146818_init(struct rtc146818 *rtc, struct irq_line irq,
                    const struct rtc146818_config *config)
{
    static const struct rtc_date unix_epoch = {.year = 1970, .month = 1, .day = 1};
    *rtc = (struct rtc146818){
        .irq = irq,
        .base_s = rtc_seconds(&unix_epoch) + (uint64_t)config->epoch_s,
        .reg_a = RTC_POWER_ON_A,
        .reg_b = RTC_B_24H,
    };
    rtc_fill_cmos(rtc, config);
    rtc146818_reset(rtc);
}

const struct dev_ops rtc146818_ops = {
    .name = "rtc146818",
    .read = rtc146818_read,
    .write = rtc146818_write,
    .reset = rtc146818_reset,
    .advance = rtc146818_advance,
    .next_deadline = rtc146818_next_deadline,
};
