/* The accounts of a guest in words: for a stop. */
#include "virt/virt.h"

#include "lib/fmt.h"
#include "lib/log.h"

#define REPORT_DETAILS 8u
#define REPORT_RIPS    6u

/* "1234.567": thousandths of a unit, from nanoseconds. */
#define AS_TEXT 24u

static const char *thousandths(char text[AS_TEXT], uint64_t value)
{
    fmt_snprintf(text, AS_TEXT, "%llu.%03u", (unsigned long long)(value / 1000),
                 (unsigned)(value % 1000));
    return text;
}

static uint64_t ns(const struct vcpu *vcpu, uint64_t ticks)
{
    return clock_mul_shift(ticks, vcpu->clock.ns_mul);
}

static void report_slot(const struct vcpu *vcpu, const struct account_slot *slot, const char *name)
{
    char total[AS_TEXT], mean[AS_TEXT], most[AS_TEXT];
    log_raw("  %10llu  %-22s %12s ms %10s us %10s us\n", (unsigned long long)slot->count, name,
            thousandths(total, ns(vcpu, slot->ticks) / 1000),
            thousandths(mean, ns(vcpu, slot->ticks / max_u64(slot->count, 1))),
            thousandths(most, ns(vcpu, slot->max)));
}

static void report_kinds(const struct vcpu *vcpu)
{
    log_raw("exits by kind:          pxHV's time for all of them, the mean, the longest\n");
    for (unsigned kind = 0; kind < VEXIT_KIND_COUNT; kind++) {
        struct account_slot sum = account_kind(&vcpu->account, kind);
        if (sum.count)
            report_slot(vcpu, &sum, vexit_kind_name((enum vexit_kind)kind));
    }
}

static void report_details(const struct vcpu *vcpu)
{
    struct account_slot slot = {.ticks = UINT64_MAX};
    char name[ACCOUNT_NAME_SIZE];
    for (unsigned i = 0; i < REPORT_DETAILS && account_next_costly(&vcpu->account, &slot); i++) {
        if (i == 0)
            log_raw("most of it went to:\n");
        account_name(slot.key, name);
        report_slot(vcpu, &slot, name);
    }
}

static void report_rips(const struct vcpu *vcpu)
{
    struct account_rip rip = {.count = UINT64_MAX};
    for (unsigned i = 0; i < REPORT_RIPS && account_next_rip(&vcpu->account, &rip); i++) {
        if (i == 0)
            log_raw("exits by RIP, as a look at one in %u estimates:\n", TRACE_TURN);
        log_raw("  %10llu  %016llx\n", (unsigned long long)(rip.count * TRACE_TURN),
                (unsigned long long)rip.rip);
    }
}

static void report_times(const struct vcpu *vcpu)
{
    struct account_totals totals;
    char wall[AS_TEXT], guest[AS_TEXT], vmm[AS_TEXT], asleep[AS_TEXT];
    account_total(&vcpu->account, &totals);
    log_raw("of %s ms the guest ran for %s, pxHV for %s, and %s were slept in HLT\n",
            thousandths(wall, ns(vcpu, totals.wall_ticks) / 1000),
            thousandths(guest, ns(vcpu, totals.guest_ticks) / 1000),
            thousandths(vmm, ns(vcpu, totals.vmm_ticks) / 1000),
            thousandths(asleep, ns(vcpu, totals.asleep_ticks) / 1000));
}

void vcpu_report_exits(const struct vcpu *vcpu)
{
    report_kinds(vcpu);
    report_details(vcpu);
    report_rips(vcpu);
    report_times(vcpu);
}
