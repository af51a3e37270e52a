/* Registers of the MC146818, by the names of Motorola's data sheet, and the bytes of the PC's
 * CMOS memory behind them (IBM PC/AT "CMOS RAM", later additions by the BIOS makers). */
#ifndef DEV_RTC146818_REGS_H
#define DEV_RTC146818_REGS_H

/* Offsets from port 70h. */
#define RTC_PORT_INDEX 0 /* WO: bits 6-0 the register, bit 7 the PC's NMI mask */
#define RTC_PORT_DATA  1 /* RW */

#define RTC_INDEX_MASK 0x7f

#define RTC_SECONDS       0x00
#define RTC_SECONDS_ALARM 0x01
#define RTC_MINUTES       0x02
#define RTC_MINUTES_ALARM 0x03
#define RTC_HOURS         0x04
#define RTC_HOURS_ALARM   0x05
#define RTC_WEEKDAY       0x06 /* 1 is Sunday */
#define RTC_DAY           0x07
#define RTC_MONTH         0x08
#define RTC_YEAR          0x09
#define RTC_REG_A         0x0a
#define RTC_REG_B         0x0b
#define RTC_REG_C         0x0c
#define RTC_REG_D         0x0d

#define RTC_A_UIP      0x80 /* RO: update in progress or near */
#define RTC_A_DV       0x70 /* divider */
#define RTC_A_DV_RUN   0x20 /* 32.768 kHz crystal, counting */
#define RTC_A_DV_RESET 0x60 /* both bits: divider held at 0 */
#define RTC_A_RS       0x0f /* periodic rate */

#define RTC_B_SET  0x80 /* no updates: the guest sets the date */
#define RTC_B_PIE  0x40
#define RTC_B_AIE  0x20
#define RTC_B_UIE  0x10
#define RTC_B_SQWE 0x08
#define RTC_B_DM   0x04 /* binary, else BCD */
#define RTC_B_24H  0x02
#define RTC_B_DSE  0x01

#define RTC_C_IRQF 0x80
#define RTC_C_PF   0x40 /* where register B has PIE, AIE and UIE */
#define RTC_C_AF   0x20
#define RTC_C_UF   0x10

#define RTC_D_VRT 0x80 /* battery good */

#define RTC_HOUR_PM   0x80 /* 12-hour mode */
#define RTC_ALARM_ANY 0xc0 /* both bits: every value matches */

/* CMOS memory. */
#define CMOS_EQUIPMENT      0x14
#define CMOS_BASE_KB        0x15 /* two bytes */
#define CMOS_EXTENDED_KB    0x17 /* two bytes: from 1 MiB */
#define CMOS_CHECKSUM_FIRST 0x10
#define CMOS_CHECKSUM_LAST  0x2d
#define CMOS_CHECKSUM       0x2e /* two bytes, high one first */
#define CMOS_EXTENDED_KB_2  0x30 /* the same as 17h, as measured */
#define CMOS_CENTURY        0x32
#define CMOS_ABOVE_16M      0x34 /* two bytes, in 64 KiB */
#define CMOS_ABOVE_4G       0x5b /* three bytes, in 64 KiB */

#define CMOS_EQUIPMENT_VALUE 0x06 /* 80x25 adapter with its own BIOS, coprocessor, PS/2 port */

#endif
