/* The APICs in words: see describe.h. */
#include "dev/describe.h"

#include "dev/ioapic_regs.h"
#include "lib/bits.h"
#include "lib/text.h"

typedef unsigned long long ull;

static void describe_vectors(const char *name, const struct lapic *lapic, uint32_t map,
                             struct byte_sink out)
{
    text_printf(out, "%s", name);
    for (unsigned vector = 0; vector < 256; vector++)
        if (*lapic_reg(lapic, map + 16 * (vector / 32)) >> vector % 32 & 1)
            text_printf(out, " %02x", vector);
    text_printf(out, "\n");
}

static void describe_lvt(const struct lapic *lapic, struct byte_sink out)
{
    static const char *const names[LAPIC_LVT_COUNT] = {
        [LAPIC_TIMER] = "timer", [LAPIC_THERMAL] = "thermal", [LAPIC_COUNTERS] = "counters",
        [LAPIC_LINT0] = "LINT0", [LAPIC_LINT1] = "LINT1",     [LAPIC_ERROR] = "error"};

    for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++) {
        uint32_t lvt = *lapic_lvt(lapic, i);
        text_printf(out, "LVT %-9s %05x: vector %02x%s\n", names[i], lvt, lvt & LAPIC_LVT_VECTOR,
                    lvt & LAPIC_LVT_MASKED ? ", masked" : "");
    }
}

void describe_lapic(const struct lapic *lapic, struct byte_sink out)
{
    const char *mode = lapic->base & LAPIC_BASE_EXTD ? "x2APIC mode" : "xAPIC mode";
    uint32_t svr = lapic_get(lapic, LAPIC_SVR);

    text_printf(out, "local APIC %u: %s, %s, TPR %02x ESR %02x SVR %03x ICR %llx\n",
                lapic->config.id, lapic->base & LAPIC_BASE_EN ? mode : "disabled",
                svr & LAPIC_SVR_ENABLE ? "on" : "off by software", lapic_tpr(lapic),
                lapic_get(lapic, LAPIC_ESR), svr,
                (ull)*lapic_reg(lapic, LAPIC_ICR_HIGH) << 32 | *lapic_reg(lapic, LAPIC_ICR));
    describe_vectors("IRR", lapic, LAPIC_IRR, out);
    describe_vectors("ISR", lapic, LAPIC_ISR, out);
    describe_lvt(lapic, out);
    text_printf(out, "timer: initial count %u, TSC deadline %llx, %llu ticks\n",
                lapic_get(lapic, LAPIC_INITIAL_COUNT), (ull)lapic->tsc_deadline,
                (ull)lapic->timer_ticks);
    text_printf(out, "%llu requests, %llu taken, %llu EOIs, %llu IPIs%s\n", (ull)lapic->accepted,
                (ull)lapic->acks, (ull)lapic->eois, (ull)lapic->ipis,
                lapic_delivers(lapic) ? ", and those that the CPU serves by itself" : "");
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
