/* The accounts of a guest in words: at a stop in the log, and for the monitor. */
#include "virt/virt.h"

#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/text.h"

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

/* What is printed of whose account, and where. */
struct report {
    const struct vcpu *vcpu;
    const struct account *account;
    struct byte_sink out;
};

static void report_slot(const struct report *report, const struct account_slot *slot,
                        const char *name)
{
    char total[AS_TEXT], mean[AS_TEXT], most[AS_TEXT];
    text_printf(report->out, "  %10llu  %-22s %12s ms %10s us %10s us\n",
                (unsigned long long)slot->count, name,
                thousandths(total, ns(report->vcpu, slot->ticks) / 1000),
                thousandths(mean, ns(report->vcpu, slot->ticks / max_u64(slot->count, 1))),
                thousandths(most, ns(report->vcpu, slot->max)));
}

static void report_kinds(const struct report *report)
{
    text_printf(report->out,
                "exits by kind:          pxHV's time for all of them, the mean, the longest\n");
    for (unsigned kind = 0; kind < VEXIT_KIND_COUNT; kind++) {
        struct account_slot sum = account_kind(report->account, kind);
        if (sum.count)
            report_slot(report, &sum, vexit_kind_name((enum vexit_kind)kind));
    }
}

static void report_details(const struct report *report)
{
    struct account_slot slot = {.ticks = UINT64_MAX};
    char name[ACCOUNT_NAME_SIZE];
    for (unsigned i = 0; i < REPORT_DETAILS && account_next_costly(report->account, &slot); i++) {
        if (i == 0)
            text_printf(report->out, "most of it went to:\n");
        account_name(slot.key, name);
        report_slot(report, &slot, name);
    }
}

static void report_rips(const struct report *report)
{
    struct account_rip rip = {.count = UINT64_MAX};
    for (unsigned i = 0; i < REPORT_RIPS && account_next_rip(report->account, &rip); i++) {
        if (i == 0)
            text_printf(report->out, "exits by RIP, as a look at one in %u estimates:\n",
                        TRACE_TURN);
        text_printf(report->out, "  %10llu  %016llx\n",
                    (unsigned long long)(rip.count * TRACE_TURN), (unsigned long long)rip.rip);
    }
}

static void report_times(const struct report *report)
{
    const struct vcpu *vcpu = report->vcpu;
    struct account_totals totals;
    char wall[AS_TEXT], guest[AS_TEXT], vmm[AS_TEXT], asleep[AS_TEXT];
    account_total(report->account, &totals);
    text_printf(report->out,
                "of %s ms the guest ran for %s, pxHV for %s, and %s were slept in HLT\n",
                thousandths(wall, ns(vcpu, totals.wall_ticks) / 1000),
                thousandths(guest, ns(vcpu, totals.guest_ticks) / 1000),
                thousandths(vmm, ns(vcpu, totals.vmm_ticks) / 1000),
                thousandths(asleep, ns(vcpu, totals.asleep_ticks) / 1000));
}

void vcpu_print_exits(const struct vcpu *vcpu, const struct account *account, struct byte_sink out)
{
    const struct report report = {vcpu, account, out};
    report_kinds(&report);
    report_details(&report);
    report_rips(&report);
    report_times(&report);
}

static void put_log(void *ctx, uint8_t byte)
{
    (void)ctx;
    log_raw("%c", byte);
}

void vcpu_report_exits(const struct vcpu *vcpu)
{
    vcpu_print_exits(vcpu, &vcpu->account, (struct byte_sink){put_log, NULL});
}
