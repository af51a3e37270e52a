/* The APICs in words: see describe.h. */
#include "dev/describe.h"

#include "dev/ioapic_regs.h"
#include "dev/lapic_regs.h"
#include "lib/bits.h"
#include "lib/text.h"

typedef unsigned long long ull;

static void describe_vectors(const char *name, const uint32_t set[8], struct byte_sink out)
{
    text_printf(out, "%s", name);
    for (unsigned vector = 0; vector < 256; vector++)
        if (set[vector / 32] >> vector % 32 & 1)
            text_printf(out, " %02x", vector);
    text_printf(out, "\n");
}

static void describe_lvt(const struct lapic *lapic, struct byte_sink out)
{
    static const char *const names[LAPIC_LVT_COUNT] = {
        [LAPIC_TIMER] = "timer", [LAPIC_THERMAL] = "thermal", [LAPIC_COUNTERS] = "counters",
        [LAPIC_LINT0] = "LINT0", [LAPIC_LINT1] = "LINT1",     [LAPIC_ERROR] = "error"};

    for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
        text_printf(out, "LVT %-9s %05x: vector %02x%s\n", names[i], lapic->lvt[i],
                    lapic->lvt[i] & LAPIC_LVT_VECTOR,
                    lapic->lvt[i] & LAPIC_LVT_MASKED ? ", masked" : "");
}

void describe_lapic(const struct lapic *lapic, struct byte_sink out)
{
    const char *mode = lapic->base & LAPIC_BASE_EXTD ? "x2APIC mode" : "xAPIC mode";

    text_printf(out, "local APIC %u: %s, %s, TPR %02x ESR %02x SVR %03x ICR %llx\n",
                lapic->config.id, lapic->base & LAPIC_BASE_EN ? mode : "disabled",
                lapic->svr & LAPIC_SVR_ENABLE ? "on" : "off by software", lapic->tpr, lapic->esr,
                lapic->svr, (ull)lapic->icr);
    describe_vectors("IRR", lapic->irr, out);
    describe_vectors("ISR", lapic->isr, out);
    describe_lvt(lapic, out);
    text_printf(out, "timer: initial count %u, TSC deadline %llx, %llu ticks\n",
                lapic->initial_count, (ull)lapic->tsc_deadline, (ull)lapic->timer_ticks);
    text_printf(out, "%llu requests, %llu taken, %llu EOIs, %llu IPIs\n", (ull)lapic->accepted,
                (ull)lapic->acks, (ull)lapic->eois, (ull)lapic->ipis);
}

/* Inputs that are masked and have sent nothing aren't told. */
void describe_ioapic(const struct ioapic *ioapic, struct byte_sink out)
{
    text_printf(out, "I/O APIC, inputs %06x:\n", ioapic->lines);
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t rte = ioapic->redirection[pin];
        if ((rte & IOAPIC_RTE_MASKED) && ioapic->sent[pin] == 0)
            continue;
        text_printf(out, "input %2u: vector %02x, %s, active %s%s%s, %llu sent\n", pin,
                    (unsigned)rte & 0xff, rte & IOAPIC_RTE_LEVEL ? "level" : "edge",
                    rte & IOAPIC_RTE_ACTIVE_LOW ? "low" : "high",
                    rte & IOAPIC_RTE_REMOTE_IRR ? ", remote IRR" : "",
                    rte & IOAPIC_RTE_MASKED ? ", masked" : "", (ull)ioapic->sent[pin]);
    }
}
