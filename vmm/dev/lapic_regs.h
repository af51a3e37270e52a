/*
 * Registers of the local APIC. SDM "Local APIC Register Address Map"; an x2APIC MSR is 800h plus
 * the offset by 16 ("x2APIC Register Address Space").
 */
#ifndef DEV_LAPIC_REGS_H
#define DEV_LAPIC_REGS_H

/* Offsets in the page of xAPIC mode. */
#define LAPIC_ID            0x020u /* RO here: 31-24, or all 32 bits in x2APIC mode */
#define LAPIC_VERSION       0x030u /* RO */
#define LAPIC_TPR           0x080u /* RW 7-0 task priority */
#define LAPIC_PPR           0x0A0u /* RO 7-0 processor priority */
#define LAPIC_EOI           0x0B0u /* WO end of interrupt */
#define LAPIC_LDR           0x0D0u /* RW 31-24; RO in x2APIC mode */
#define LAPIC_DFR           0x0E0u /* RW 31-28; xAPIC mode only */
#define LAPIC_SVR           0x0F0u /* RW spurious vector, software enable */
#define LAPIC_ISR           0x100u /* RO 8 x 32: in service */
#define LAPIC_TMR           0x180u /* RO 8 x 32: level-triggered */
#define LAPIC_IRR           0x200u /* RO 8 x 32: requested */
#define LAPIC_IRR_END       0x280u
#define LAPIC_ESR           0x280u /* RW errors: write, then read */
#define LAPIC_ICR           0x300u /* RW 31-0; 64 bits in x2APIC mode: writing sends */
#define LAPIC_ICR_HIGH      0x310u /* RW 31-24 destination; xAPIC mode only */
#define LAPIC_LVT_TIMER     0x320u /* RW */
#define LAPIC_LVT_THERMAL   0x330u /* RW: no sensor is there */
#define LAPIC_LVT_COUNTERS  0x340u /* RW: no counters are there */
#define LAPIC_LVT_LINT0     0x350u /* RW */
#define LAPIC_LVT_LINT1     0x360u /* RW */
#define LAPIC_LVT_ERROR     0x370u /* RW */
#define LAPIC_INITIAL_COUNT 0x380u /* RW */
#define LAPIC_CURRENT_COUNT 0x390u /* RO */
#define LAPIC_DIVIDE        0x3E0u /* RW 3, 1, 0 */
#define LAPIC_SELF_IPI      0x3F0u /* WO vector; x2APIC mode only */
#define LAPIC_PAGE_SIZE     0x1000u

/* MSRs. */
#define LAPIC_MSR_BASE         0x1Bu
#define LAPIC_MSR_TSC_DEADLINE 0x6E0u
#define LAPIC_MSR_X2APIC       0x800u
#define LAPIC_MSR_X2APIC_LAST  0x8FFu

/* IA32_APIC_BASE. */
#define LAPIC_BASE_BSP     0x100u /* RW: the bootstrap processor */
#define LAPIC_BASE_EXTD    0x400u /* RW: x2APIC mode */
#define LAPIC_BASE_EN      0x800u /* RW */
#define LAPIC_BASE_ADDRESS 0xFEE00000u

/* Version: an integrated APIC, six LVTs, EOI-broadcast suppression. */
#define LAPIC_VERSION_VALUE 0x01050014u

#define LAPIC_SVR_ENABLE      0x100u
#define LAPIC_SVR_NO_EOI      0x1000u /* EOI-broadcast suppression */
#define LAPIC_SVR_WRITABLE    0x11FFu
#define LAPIC_SVR_RESET       0x0FFu
#define LAPIC_DFR_MODEL       0xF0000000u /* 1111 flat, 0000 cluster */
#define LAPIC_DFR_RESET       0xFFFFFFFFu
#define LAPIC_XAPIC_HIGH_BYTE 0xFF000000u

/* Local vector table; which bits an entry has: lapic.c. */
#define LAPIC_LVT_VECTOR          0x000FFu
#define LAPIC_LVT_DELIVERY(lvt)   ((lvt) >> 8 & 7)
#define LAPIC_LVT_DELIVERY_MODE   0x00700u
#define LAPIC_LVT_STATUS          0x01000u /* RO: delivery is instantaneous here */
#define LAPIC_LVT_ACTIVE_LOW      0x02000u
#define LAPIC_LVT_REMOTE_IRR      0x04000u /* RO */
#define LAPIC_LVT_LEVEL           0x08000u
#define LAPIC_LVT_MASKED          0x10000u
#define LAPIC_LVT_TIMER_MODE(lvt) ((lvt) >> 17 & 3)

/* Interrupt command. */
#define LAPIC_ICR_VECTOR         0x000000FFu
#define LAPIC_ICR_DELIVERY(icr)  ((uint32_t)(icr) >> 8 & 7)
#define LAPIC_ICR_LOGICAL        0x00000800u
#define LAPIC_ICR_ASSERT         0x00004000u
#define LAPIC_ICR_LEVEL          0x00008000u
#define LAPIC_ICR_SHORTHAND(icr) ((uint32_t)(icr) >> 18 & 3)
#define LAPIC_ICR_WRITABLE       0x000CCFFFu /* 31-0 */
#define LAPIC_SHORTHAND_NONE     0u
#define LAPIC_SHORTHAND_SELF     1u
#define LAPIC_SHORTHAND_ALL      2u /* including self */
#define LAPIC_SHORTHAND_OTHERS   3u

/* Errors. */
#define LAPIC_ESR_SEND_VECTOR      0x20u /* a vector below 16 in an IPI */
#define LAPIC_ESR_RECEIVE_VECTOR   0x40u /* one in what was received, or in an LVT */
#define LAPIC_ESR_ILLEGAL_REGISTER 0x80u /* xAPIC mode: nothing is there */

#define LAPIC_DIVIDE_WRITABLE 0xBu

#define LAPIC_FIRST_LEGAL_VECTOR 16u

/* SDM "Posted-Interrupt Processing": 8 words of requests by vector, then the outstanding
 * notification. */
#define LAPIC_POSTED_WORDS 8u
#define LAPIC_POSTED_ON    0x1u /* of the word behind them */

#endif
