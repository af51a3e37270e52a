/*
 * How an interrupt gets through the local APIC: from a pin, a message or a command into the IRR, by
 * priority to the processor and into the ISR, and out by EOI. SDM "Handling Interrupts", "Issuing
 * Interprocessor Interrupts".
 */
#include "dev/lapic.h"
#include "dev/lapic_regs.h"
#include "lib/bits.h"

#define VECTOR_FIRST_LEGAL 16u
#define PRIORITY_CLASS     0xF0u

/* --- bitmaps of vectors ----------------------------------------------------------------------- */

static void bit_set(uint32_t map[8], uint8_t vector)
{
    map[vector / 32] |= BIT(vector % 32);
}

static void bit_clear(uint32_t map[8], uint8_t vector)
{
    map[vector / 32] &= ~BIT(vector % 32);
}

static bool bit_test(const uint32_t map[8], uint8_t vector)
{
    return map[vector / 32] & BIT(vector % 32);
}

/* 0 when the map is empty: vectors below 16 are never in one. */
static uint8_t highest(const uint32_t map[8])
{
    for (unsigned word = 8; word-- > 0;)
        if (map[word])
            return (uint8_t)(word * 32 + 31 - (unsigned)__builtin_clz(map[word]));
    return 0;
}

/* --- priority --------------------------------------------------------------------------------- */

bool lapic_software_enabled(const struct lapic *lapic)
{
    return lapic_mode(lapic) != LAPIC_DISABLED && lapic->svr & LAPIC_SVR_ENABLE;
}

uint8_t lapic_ppr(const struct lapic *lapic)
{
    uint8_t in_service = highest(lapic->isr) & PRIORITY_CLASS;
    return (lapic->tpr & PRIORITY_CLASS) >= in_service ? lapic->tpr : in_service;
}

/* The vector that the processor would get; 0: none. Requests that are there when software disables
 * the APIC are still delivered: "held and require masking or handling by the CPU". */
static uint8_t deliverable(const struct lapic *lapic)
{
    uint8_t vector = highest(lapic->irr);
    return (vector & PRIORITY_CLASS) > (lapic_ppr(lapic) & PRIORITY_CLASS) ? vector : 0;
}

/* The level that an input has behind its LVT entry's polarity, while the entry lets it in. */
static bool input_asserted(const struct lapic *lapic, unsigned pin)
{
    uint32_t lvt = lapic->lvt[LAPIC_LINT0 + pin];
    return !(lvt & LAPIC_LVT_MASKED) && lapic->lint[pin] != !!(lvt & LAPIC_LVT_ACTIVE_LOW);
}

static bool extint_asserted(const struct lapic *lapic)
{
    if (lapic_mode(lapic) == LAPIC_DISABLED)
        return lapic->lint[0];
    for (unsigned pin = 0; pin < 2; pin++)
        if (LAPIC_LVT_DELIVERY(lapic->lvt[LAPIC_LINT0 + pin]) == APIC_EXTINT &&
            input_asserted(lapic, pin))
            return true;
    return lapic->extint;
}

bool lapic_irq_cause(const struct lapic *lapic)
{
    return deliverable(lapic) != 0 || extint_asserted(lapic);
}

/* --- into the IRR ----------------------------------------------------------------------------- */

static bool accept(struct lapic *lapic, uint8_t vector, bool level)
{
    if (!lapic_software_enabled(lapic))
        return false;
    if (vector < VECTOR_FIRST_LEGAL) {
        lapic_error(lapic, LAPIC_ESR_RECEIVE_VECTOR);
        return false;
    }
    lapic->accepted++;
    bit_set(lapic->irr, vector);
    if (level)
        bit_set(lapic->tmr, vector);
    else
        bit_clear(lapic->tmr, vector);
    return true;
}

static bool deliver(struct lapic *lapic, enum apic_delivery delivery, uint8_t vector, bool level)
{
    switch (delivery) {
    case APIC_FIXED:
    case APIC_LOWEST_PRIORITY:
        return accept(lapic, vector, level);
    case APIC_NMI:
        signal_raise(&lapic->wiring.nmi);
        return true;
    case APIC_INIT:
        signal_raise(&lapic->wiring.init);
        return true;
    case APIC_EXTINT:
        lapic->extint = true;
        return true;
    case APIC_SMI:     /* there is no SMM */
    case APIC_STARTUP: /* the boot processor doesn't wait for one */
    case APIC_RESERVED_3:
        break;
    }
    return false;
}

void lapic_error(struct lapic *lapic, uint8_t error)
{
    lapic->errors |= error;
    if (lapic->error_signalled)
        return;
    lapic->error_signalled = true;
    lapic_local(lapic, LAPIC_ERROR);
}

void lapic_local(struct lapic *lapic, enum lapic_lvt entry)
{
    uint32_t lvt = lapic->lvt[entry];
    if (!(lvt & LAPIC_LVT_MASKED))
        deliver(lapic, (enum apic_delivery)LAPIC_LVT_DELIVERY(lvt), (uint8_t)lvt, false);
}

/* --- pins ------------------------------------------------------------------------------------- */

/* LINT0 alone can be level-triggered: "software should always set the trigger mode in the LVT LINT1
 * register to 0". One request is under way at a time, which remote IRR tells. */
static void sync_level_input(struct lapic *lapic)
{
    uint32_t *lvt = &lapic->lvt[LAPIC_LINT0];
    bool level = LAPIC_LVT_DELIVERY(*lvt) == APIC_FIXED && *lvt & LAPIC_LVT_LEVEL;
    if (!level)
        *lvt &= ~LAPIC_LVT_REMOTE_IRR;
    else if (!(*lvt & LAPIC_LVT_REMOTE_IRR) && input_asserted(lapic, 0) &&
             accept(lapic, (uint8_t)*lvt, true))
        *lvt |= LAPIC_LVT_REMOTE_IRR;
}

static void input_rose(struct lapic *lapic, unsigned pin)
{
    uint32_t lvt = lapic->lvt[LAPIC_LINT0 + pin];
    enum apic_delivery delivery = (enum apic_delivery)LAPIC_LVT_DELIVERY(lvt);
    bool level = pin == 0 && delivery == APIC_FIXED && lvt & LAPIC_LVT_LEVEL;
    if (delivery != APIC_EXTINT && !level)
        lapic_local(lapic, (enum lapic_lvt)(LAPIC_LINT0 + pin));
}

void lapic_set_lint(void *dev, unsigned pin, bool high)
{
    struct lapic *lapic = dev;
    if (pin > 1 || lapic->lint[pin] == high)
        return;
    bool before = input_asserted(lapic, pin);
    lapic->lint[pin] = high;
    if (lapic_mode(lapic) == LAPIC_DISABLED) {
        if (pin == 1 && high)
            signal_raise(&lapic->wiring.nmi);
    } else if (!before && input_asserted(lapic, pin)) {
        input_rose(lapic, pin);
    }
    lapic_sync(lapic);
}

bool lapic_may_send_nmi(const struct lapic *lapic)
{
    uint32_t lvt = lapic->lvt[LAPIC_LINT0];
    return lapic_mode(lapic) != LAPIC_DISABLED && !(lvt & LAPIC_LVT_MASKED) &&
           apic_wakes_always((enum apic_delivery)LAPIC_LVT_DELIVERY(lvt));
}

void lapic_sync(struct lapic *lapic)
{
    if (lapic_mode(lapic) != LAPIC_DISABLED)
        sync_level_input(lapic);
    irq_set(&lapic->wiring.intr, lapic_irq_cause(lapic));
}

/* --- to the processor and out ----------------------------------------------------------------- */

/* What the 8259A wants goes first: it waits outside of all priorities. */
int lapic_ack(struct lapic *lapic)
{
    int vector = -1;
    uint8_t fixed = deliverable(lapic);
    if (extint_asserted(lapic)) {
        lapic->extint = false;
        if (lapic->wiring.extint_ack)
            vector = lapic->wiring.extint_ack(lapic->wiring.ctx);
    } else if (fixed) {
        lapic->acks++;
        bit_clear(lapic->irr, fixed);
        bit_set(lapic->isr, fixed);
        vector = fixed;
    }
    lapic_sync(lapic);
    return vector;
}

void lapic_end_of_interrupt(struct lapic *lapic)
{
    uint8_t vector = highest(lapic->isr);
    if (vector == 0)
        return;
    lapic->eois++;
    bit_clear(lapic->isr, vector);
    if (!bit_test(lapic->tmr, vector))
        return;
    if ((lapic->lvt[LAPIC_LINT0] & LAPIC_LVT_VECTOR) == vector)
        lapic->lvt[LAPIC_LINT0] &= ~LAPIC_LVT_REMOTE_IRR;
    if (!(lapic->svr & LAPIC_SVR_NO_EOI) && lapic->wiring.eoi)
        lapic->wiring.eoi(lapic->wiring.ctx, vector);
}

/* --- messages --------------------------------------------------------------------------------- */

/* SDM "Logical Destination Mode", "Logical Destination Mode in x2APIC Mode". */
static bool in_logical_set(const struct lapic *lapic, uint32_t destination)
{
    if (lapic_mode(lapic) == LAPIC_X2APIC)
        return destination >> 16 == lapic->ldr >> 16 && (destination & lapic->ldr & 0xFFFF);
    uint8_t ldr = (uint8_t)(lapic->ldr >> 24);
    if ((lapic->dfr & LAPIC_DFR_MODEL) == LAPIC_DFR_MODEL)
        return destination & ldr;
    return (destination >> 4 & 0xF) == ldr >> 4 && (destination & ldr & 0xF);
}

static bool is_for(const struct lapic *lapic, const struct apic_message *message)
{
    if (message->destination == APIC_EVERYONE)
        return true;
    if (message->logical)
        return in_logical_set(lapic, message->destination);
    return message->destination == lapic->config.id;
}

bool lapic_receive(struct lapic *lapic, const struct apic_message *message)
{
    if (lapic_mode(lapic) == LAPIC_DISABLED || !is_for(lapic, message))
        return false;
    bool taken = deliver(lapic, message->delivery, message->vector, message->level);
    lapic_sync(lapic);
    return taken;
}

void lapic_self(struct lapic *lapic, uint8_t vector)
{
    lapic->ipis++;
    if (vector < VECTOR_FIRST_LEGAL)
        lapic_error(lapic, LAPIC_ESR_SEND_VECTOR);
    else
        accept(lapic, vector, false);
}

static uint32_t icr_destination(const struct lapic *lapic)
{
    uint32_t high = (uint32_t)(lapic->icr >> 32);
    return lapic_mode(lapic) == LAPIC_X2APIC ? high : apic_destination((uint8_t)(high >> 24));
}

/* Trigger mode and level only tell an INIT from the end of one, which nobody heeds any more: "used
 * in conjunction with the INIT level de-assert delivery mode". */
void lapic_command(struct lapic *lapic)
{
    const struct apic_message message = {
        .destination = icr_destination(lapic),
        .logical = lapic->icr & LAPIC_ICR_LOGICAL,
        .delivery = (enum apic_delivery)LAPIC_ICR_DELIVERY(lapic->icr),
        .vector = (uint8_t)lapic->icr,
    };
    unsigned shorthand = LAPIC_ICR_SHORTHAND(lapic->icr);
    bool vectored = message.delivery == APIC_FIXED || message.delivery == APIC_LOWEST_PRIORITY;
    if (shorthand == LAPIC_SHORTHAND_SELF || shorthand == LAPIC_SHORTHAND_ALL) {
        if (message.delivery == APIC_FIXED)
            lapic_self(lapic, message.vector);
        return;
    }
    lapic->ipis++;
    if (vectored && message.vector < VECTOR_FIRST_LEGAL) {
        lapic_error(lapic, LAPIC_ESR_SEND_VECTOR);
        return;
    }
    bool deassert = message.delivery == APIC_INIT && lapic->icr & LAPIC_ICR_LEVEL &&
                    !(lapic->icr & LAPIC_ICR_ASSERT);
    bool reserved = message.delivery == APIC_EXTINT; /* 111b, in the ICR */
    if (shorthand == LAPIC_SHORTHAND_NONE && !deassert && !reserved && is_for(lapic, &message))
        deliver(lapic, message.delivery, message.vector, false);
}
