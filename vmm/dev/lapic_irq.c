/*
 * How an interrupt gets through the local APIC: from a pin, a message or a command into the IRR, by
 * priority to the processor and into the ISR, and out by EOI. SDM "Handling Interrupts", "Issuing
 * Interprocessor Interrupts".
 */
#include "dev/lapic.h"
#include "lib/bits.h"

#define VECTOR_FIRST_LEGAL 16u
#define PRIORITY_CLASS     0xF0u

/* --- bitmaps of vectors: eight registers in a row --------------------------------------------- */

static uint32_t *word_of(const struct lapic *lapic, uint32_t map, uint8_t vector)
{
    return lapic_reg(lapic, map + 16u * (vector / 32));
}

static void bit_set(struct lapic *lapic, uint32_t map, uint8_t vector)
{
    *word_of(lapic, map, vector) |= BIT(vector % 32);
}

static void bit_clear(struct lapic *lapic, uint32_t map, uint8_t vector)
{
    *word_of(lapic, map, vector) &= ~BIT(vector % 32);
}

static bool bit_test(const struct lapic *lapic, uint32_t map, uint8_t vector)
{
    return *word_of(lapic, map, vector) & BIT(vector % 32);
}

/* 0 when the map is empty: vectors below 16 are never in one. */
static uint8_t highest(const struct lapic *lapic, uint32_t map)
{
    for (unsigned word = 8; word-- > 0;) {
        uint32_t bits = *lapic_reg(lapic, map + 16u * word);
        if (bits)
            return (uint8_t)(word * 32 + 31 - (unsigned)__builtin_clz(bits));
    }
    return 0;
}

/* --- priority --------------------------------------------------------------------------------- */

bool lapic_software_enabled(const struct lapic *lapic)
{
    return lapic_mode(lapic) != LAPIC_DISABLED && *lapic_reg(lapic, LAPIC_SVR) & LAPIC_SVR_ENABLE;
}

bool lapic_delivers(const struct lapic *lapic)
{
    return lapic->config.help == LAPIC_DELIVERED && lapic_software_enabled(lapic);
}

/* A processor that keeps CR8 elsewhere holds bits 7 to 4; what it writes there clears the others.
 */
uint8_t lapic_tpr(const struct lapic *lapic)
{
    uint8_t tpr = (uint8_t)*lapic_reg(lapic, LAPIC_TPR);
    if (!lapic->wiring.cr8)
        return tpr;
    uint8_t cr8 = lapic->wiring.cr8(lapic->wiring.ctx);
    return tpr >> 4 == cr8 ? tpr : (uint8_t)(cr8 << 4);
}

void lapic_set_tpr(struct lapic *lapic, uint8_t tpr)
{
    *lapic_reg(lapic, LAPIC_TPR) = tpr;
    if (lapic->wiring.set_cr8)
        lapic->wiring.set_cr8(lapic->wiring.ctx, tpr >> 4);
    lapic->changed = true;
}

uint8_t lapic_requested(const struct lapic *lapic)
{
    return highest(lapic, LAPIC_IRR);
}

uint8_t lapic_in_service(const struct lapic *lapic)
{
    return highest(lapic, LAPIC_ISR);
}

uint8_t lapic_ppr(const struct lapic *lapic)
{
    uint8_t in_service = lapic_in_service(lapic) & PRIORITY_CLASS, tpr = lapic_tpr(lapic);
    return (tpr & PRIORITY_CLASS) >= in_service ? tpr : in_service;
}

/* The vector that the processor would get of the highest `requested` one; 0: none. Requests that
 * are there when software disables the APIC are still delivered: "held and require masking or
 * handling by the CPU". */
static uint8_t deliverable(const struct lapic *lapic, uint8_t requested)
{
    if (requested == 0)
        return 0;
    return (requested & PRIORITY_CLASS) > (lapic_ppr(lapic) & PRIORITY_CLASS) ? requested : 0;
}

static uint8_t held_by_tpr(const struct lapic *lapic, uint8_t requested)
{
    uint8_t wanted = requested & PRIORITY_CLASS;
    if (wanted == 0 || wanted <= (lapic_in_service(lapic) & PRIORITY_CLASS))
        return 0;
    return wanted <= (lapic_tpr(lapic) & PRIORITY_CLASS) ? wanted >> 4 : 0;
}

uint8_t lapic_tpr_threshold(const struct lapic *lapic)
{
    return held_by_tpr(lapic, lapic_requested(lapic));
}

bool lapic_delivery_due(const struct lapic *lapic)
{
    return lapic_delivers(lapic) && deliverable(lapic, lapic_requested(lapic)) != 0;
}

/* What lapic_ack() has to do with: nothing where the processor takes it by itself. */
static uint8_t to_be_taken(const struct lapic *lapic, uint8_t requested)
{
    return lapic_delivers(lapic) ? 0 : deliverable(lapic, requested);
}

/* The level that an input has behind its LVT entry's polarity, while the entry lets it in. */
static bool input_asserted(const struct lapic *lapic, unsigned pin)
{
    uint32_t lvt = *lapic_lvt(lapic, LAPIC_LINT0 + pin);
    return !(lvt & LAPIC_LVT_MASKED) && lapic->lint[pin] != !!(lvt & LAPIC_LVT_ACTIVE_LOW);
}

static bool extint_asserted(const struct lapic *lapic)
{
    if (lapic_mode(lapic) == LAPIC_DISABLED)
        return lapic->lint[0];
    for (unsigned pin = 0; pin < 2; pin++)
        if (LAPIC_LVT_DELIVERY(*lapic_lvt(lapic, LAPIC_LINT0 + pin)) == APIC_EXTINT &&
            input_asserted(lapic, pin))
            return true;
    return lapic->extint;
}

bool lapic_irq_cause(const struct lapic *lapic)
{
    return to_be_taken(lapic, lapic_requested(lapic)) != 0 || extint_asserted(lapic);
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
    lapic->changed = true;
    bit_set(lapic, LAPIC_IRR, vector);
    if (level)
        bit_set(lapic, LAPIC_TMR, vector);
    else
        bit_clear(lapic, LAPIC_TMR, vector);
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
    uint32_t lvt = *lapic_lvt(lapic, entry);
    if (!(lvt & LAPIC_LVT_MASKED))
        deliver(lapic, (enum apic_delivery)LAPIC_LVT_DELIVERY(lvt), (uint8_t)lvt, false);
}

/* --- pins ------------------------------------------------------------------------------------- */

/* LINT0 alone can be level-triggered: "software should always set the trigger mode in the LVT LINT1
 * register to 0". One request is under way at a time, which remote IRR tells. */
static void sync_level_input(struct lapic *lapic)
{
    uint32_t *lvt = lapic_lvt(lapic, LAPIC_LINT0);
    bool level = LAPIC_LVT_DELIVERY(*lvt) == APIC_FIXED && *lvt & LAPIC_LVT_LEVEL;
    if (!level)
        *lvt &= ~LAPIC_LVT_REMOTE_IRR;
    else if (!(*lvt & LAPIC_LVT_REMOTE_IRR) && input_asserted(lapic, 0) &&
             accept(lapic, (uint8_t)*lvt, true))
        *lvt |= LAPIC_LVT_REMOTE_IRR;
}

static void input_rose(struct lapic *lapic, unsigned pin)
{
    uint32_t lvt = *lapic_lvt(lapic, LAPIC_LINT0 + pin);
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

/* A processor that shares TPR alone wants to know what TPR holds back, and bits 3 to 0, which CR8
 * hasn't: seldom anything. The guest may have changed TPR since the last look, and told nobody. */
static bool is_news(struct lapic *lapic, uint8_t requested, bool taken)
{
    if (lapic_delivers(lapic))
        return lapic->changed;
    uint8_t now = *lapic_reg(lapic, LAPIC_TPR) & 15;
    if (!taken)
        now |= (uint8_t)(held_by_tpr(lapic, requested) << 4);
    bool news = now != lapic->told || (lapic->changed && lapic->config.help == LAPIC_DELIVERED);
    lapic->told = now;
    return news;
}

void lapic_sync(struct lapic *lapic)
{
    if (lapic_mode(lapic) != LAPIC_DISABLED)
        sync_level_input(lapic);
    uint8_t requested = lapic_delivers(lapic) ? 0 : lapic_requested(lapic);
    uint8_t fixed = deliverable(lapic, requested);
    irq_set(&lapic->wiring.intr, fixed || extint_asserted(lapic));
    if (lapic->config.help == LAPIC_ALONE)
        return;
    bool news = is_news(lapic, requested, fixed != 0);
    lapic->changed = false;
    if (news)
        signal_raise(&lapic->wiring.changed);
}

void lapic_evaluate(struct lapic *lapic)
{
    lapic->changed = true;
    lapic_sync(lapic);
}

/* --- to the processor and out ----------------------------------------------------------------- */

/* What the 8259A wants goes first: it waits outside of all priorities. */
int lapic_ack(struct lapic *lapic)
{
    int vector = -1;
    uint8_t fixed = to_be_taken(lapic, lapic_requested(lapic));
    if (extint_asserted(lapic)) {
        lapic->extint = false;
        if (lapic->wiring.extint_ack)
            vector = lapic->wiring.extint_ack(lapic->wiring.ctx);
    } else if (fixed) {
        lapic->acks++;
        lapic->changed = true;
        bit_clear(lapic, LAPIC_IRR, fixed);
        bit_set(lapic, LAPIC_ISR, fixed);
        vector = fixed;
    }
    lapic_sync(lapic);
    return vector;
}

/* A level-triggered interrupt's source may ask again. */
static void tell_source(struct lapic *lapic, uint8_t vector)
{
    uint32_t *lint0 = lapic_lvt(lapic, LAPIC_LINT0);
    if ((*lint0 & LAPIC_LVT_VECTOR) == vector)
        *lint0 &= ~LAPIC_LVT_REMOTE_IRR;
    if (!(*lapic_reg(lapic, LAPIC_SVR) & LAPIC_SVR_NO_EOI) && lapic->wiring.eoi)
        lapic->wiring.eoi(lapic->wiring.ctx, vector);
}

void lapic_end_of_interrupt(struct lapic *lapic)
{
    uint8_t vector = lapic_in_service(lapic);
    if (vector == 0)
        return;
    lapic->eois++;
    lapic->changed = true;
    bit_clear(lapic, LAPIC_ISR, vector);
    if (bit_test(lapic, LAPIC_TMR, vector))
        tell_source(lapic, vector);
}

void lapic_ended(struct lapic *lapic, uint8_t vector)
{
    lapic->eois++;
    tell_source(lapic, vector);
    lapic_sync(lapic);
}

/* --- messages --------------------------------------------------------------------------------- */

/* SDM "Logical Destination Mode", "Logical Destination Mode in x2APIC Mode". */
static bool in_logical_set(const struct lapic *lapic, uint32_t destination)
{
    uint32_t ldr = *lapic_reg(lapic, LAPIC_LDR);
    if (lapic_mode(lapic) == LAPIC_X2APIC)
        return destination >> 16 == ldr >> 16 && (destination & ldr & 0xFFFF);
    ldr >>= 24;
    if ((*lapic_reg(lapic, LAPIC_DFR) & LAPIC_DFR_MODEL) == LAPIC_DFR_MODEL)
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
    uint32_t high = *lapic_reg(lapic, LAPIC_ICR_HIGH);
    return lapic_mode(lapic) == LAPIC_X2APIC ? high : apic_destination((uint8_t)(high >> 24));
}

/* Trigger mode and level only tell an INIT from the end of one, which nobody heeds any more: "used
 * in conjunction with the INIT level de-assert delivery mode". */
void lapic_command(struct lapic *lapic)
{
    uint32_t icr = *lapic_reg(lapic, LAPIC_ICR);
    const struct apic_message message = {
        .destination = icr_destination(lapic),
        .logical = icr & LAPIC_ICR_LOGICAL,
        .delivery = (enum apic_delivery)LAPIC_ICR_DELIVERY(icr),
        .vector = (uint8_t)icr,
    };
    unsigned shorthand = LAPIC_ICR_SHORTHAND(icr);
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
    bool deassert =
        message.delivery == APIC_INIT && icr & LAPIC_ICR_LEVEL && !(icr & LAPIC_ICR_ASSERT);
    bool reserved = message.delivery == APIC_EXTINT; /* 111b, in the ICR */
    if (shorthand == LAPIC_SHORTHAND_NONE && !deassert && !reserved && is_for(lapic, &message))
        deliver(lapic, message.delivery, message.vector, false);
}
