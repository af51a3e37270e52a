/* IA-PC HPET 1.0a, "Register Definitions". Registers have 64 bits and take accesses of 4 and 8
 * bytes. */
#ifndef DEV_HPET_REGS_H
#define DEV_HPET_REGS_H

#include "lib/bits.h"

#define HPET_SIZE 0x400u /* bytes of memory */

/* General capabilities and ID, RO. */
#define HPET_GCAP_ID            0x000u
#define HPET_GCAP_REV_ID        0x01u
#define HPET_GCAP_NUM_TIM_SHIFT 8u      /* number of the last timer */
#define HPET_GCAP_COUNT_SIZE    BIT(13) /* the main counter has 64 bits */
#define HPET_GCAP_LEG_RT        BIT(15) /* legacy replacement can be had */
#define HPET_GCAP_VENDOR_SHIFT  16u
#define HPET_GCAP_PERIOD_SHIFT  32u /* of the main counter, in femtoseconds */

/* General configuration, RW. */
#define HPET_GEN_CONF 0x010u
#define HPET_ENABLE   BIT(0) /* the counter runs, timers interrupt */
#define HPET_LEG_RT   BIT(1) /* timers 0 and 1 instead of PIT and RTC */

#define HPET_GINTR_STA 0x020u /* RW1C, a bit for each level-triggered timer */
#define HPET_MAIN_CNT  0x0F0u /* RW */

/* Timer n at 100h + 20h * n. */
#define HPET_TIMERS     0x100u
#define HPET_TIMER_SIZE 0x20u
#define HPET_TN_CONF    0x00u
#define HPET_TN_COMP    0x08u /* RW: comparator */
#define HPET_TN_FSB     0x10u /* for a feature not offered */

#define HPET_TN_LEVEL       BIT(1) /* RW: level-triggered */
#define HPET_TN_INT_ENB     BIT(2) /* RW */
#define HPET_TN_PERIODIC    BIT(3) /* RW */
#define HPET_TN_PER_CAP     BIT(4) /* RO: can be periodic */
#define HPET_TN_SIZE_CAP    BIT(5) /* RO: has 64 bits */
#define HPET_TN_VAL_SET     BIT(6) /* WO: the next write sets a periodic timer's comparator */
#define HPET_TN_32MODE      BIT(8) /* RW: counts as a timer of 32 bits */
#define HPET_TN_ROUTE_SHIFT 9u     /* RW, five bits: I/O APIC input */
#define HPET_TN_ROUTE_MASK  (0x1Fu << HPET_TN_ROUTE_SHIFT)
#define HPET_TN_WRITABLE                                                                           \
    (HPET_TN_LEVEL | HPET_TN_INT_ENB | HPET_TN_PERIODIC | HPET_TN_32MODE | HPET_TN_ROUTE_MASK)
#define HPET_TN_ROUTE_CAP_SHIFT 32u /* RO, 32 bits: inputs that can be chosen */

#endif
