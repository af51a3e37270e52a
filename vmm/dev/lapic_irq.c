/*
 * How an interrupt gets through the local APIC: from a pin, a message or a command into the IRR, by
 * priority to the processor and into the ISR, and out by EOI. SDM "Handling Interrupts", "Issuing
 * Interprocessor Interrupts".
 */
#include "dev/lapic.h"
#include "lib/bits.h"
#include "lib/mem.h"

#define PRIORITY_CLASS 0xF0u

/* --- bitmaps of vectors: eight registers in a row --------------------------------------------- */

static uint32_t *word_of(const struct lapic *lapic, uint32_t map, uint8_t vector)
{
    return lapic_reg(lapic, map + 16u * (vector / 32));
}

static inline uint8_t *words_of(struct lapic *lapic, uint32_t map)
{
    return &lapic->words[map == LAPIC_ISR];
}

static inline void bit_set(struct lapic *lapic, uint32_t map, uint8_t vector)
{
    *word_of(lapic, map, vector) |= BIT(vector % 32);
    *words_of(lapic, map) |= (uint8_t)BIT(vector / 32);
}

static inline void bit_clear(struct lapic *lapic, uint32_t map, uint8_t vector)
{
    uint32_t *word = word_of(lapic, map, vector);
    *word &= ~BIT(vector % 32);
    if (*word == 0 && lapic->config.help != LAPIC_DELIVERED)
        *words_of(lapic, map) &= (uint8_t)~BIT(vector / 32);
}

void lapic_forget_vectors(struct lapic *lapic)
{
    memset(lapic->words, lapic->config.help == LAPIC_DELIVERED ? 0xFF : 0, sizeof(lapic->words));
}

/* Of TMR. */
static void set_level(struct lapic *lapic, uint8_t vector, bool level)
{
    uint32_t *word = word_of(lapic, LAPIC_TMR, vector), bit = BIT(vector % 32);
    *word = level ? *word | bit : *word & ~bit;
}

static inline unsigned highest_bit(uint32_t bits)
{
    return (unsigned)__builtin_clz(bits) ^ 31;
}

/* 0 when the map is empty: vectors below 16 are never in one. */
static inline uint8_t highest(const struct lapic *lapic, uint32_t map)
{
    uint32_t words = lapic->words[map == LAPIC_ISR];
    if (words == 0)
        return 0;
    for (unsigned word = highest_bit(words) + 1; word-- > 0;) {
        uint32_t bits = *lapic_reg(lapic, map + 16u * word);
        if (bits)
            return (uint8_t)(word * 32 + highest_bit(bits));
    }
    return 0;
}

/* --- priority --------------------------------------------------------------------------------- */

bool lapic_software_enabled(const struct lapic *lapic)
{
    return lapic_mode(lapic) != LAPIC_DISABLED && lapic_get(lapic, LAPIC_SVR) & LAPIC_SVR_ENABLE;
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

static inline uint8_t tpr_class(const struct lapic *lapic)
{
    if (lapic->wiring.cr8)
        return (uint8_t)(lapic->wiring.cr8(lapic->wiring.ctx) << 4);
    return (uint8_t)*lapic_reg(lapic, LAPIC_TPR) & PRIORITY_CLASS;
}

/* A request of the class of what is in service waits whatever TPR is, so that nobody asks for it.
 */
static __attribute__((noinline)) uint8_t choose(const struct lapic *lapic)
{
    uint8_t vector = lapic_requested(lapic), wanted = vector & PRIORITY_CLASS;
    if (wanted <= (lapic_in_service(lapic) & PRIORITY_CLASS) || wanted <= tpr_class(lapic))
        return 0;
    return vector;
}

/* The vector that the processor would get; 0: none. Requests that are there when software disables
 * the APIC are still delivered: "held and require masking or handling by the CPU". */
static inline uint8_t deliverable(const struct lapic *lapic)
{
    return lapic->words[0] == 0 ? 0 : choose(lapic);
}

uint8_t lapic_tpr_threshold(const struct lapic *lapic)
{
    uint8_t wanted = lapic_requested(lapic) & PRIORITY_CLASS;
    bool held_by_tpr = wanted > (lapic_in_service(lapic) & PRIORITY_CLASS) &&
                       wanted <= (lapic_tpr(lapic) & PRIORITY_CLASS);
    return held_by_tpr ? wanted >> 4 : 0;
}

bool lapic_delivery_due(const struct lapic *lapic)
{
    return lapic_delivers(lapic) && deliverable(lapic) != 0;
}

/* What lapic_ack() has to do with: nothing where the processor takes it by itself. */
static uint8_t to_be_taken(const struct lapic *lapic)
{
    return lapic_delivers(lapic) ? 0 : deliverable(lapic);
}

/* The level that an input has behind its LVT entry's polarity, while the entry lets it in. */
static bool input_asserted(const struct lapic *lapic, unsigned pin)
{
    uint32_t lvt = *lapic_lvt(lapic, LAPIC_LINT0 + pin);
    return !(lvt & LAPIC_LVT_MASKED) && lapic->lint[pin] != !!(lvt & LAPIC_LVT_ACTIVE_LOW);
}

/* Its LVT entry lets an 8259A's request in. */
static inline bool is_extint(const struct lapic *lapic, unsigned pin)
{
    uint32_t lvt = *lapic_lvt(lapic, LAPIC_LINT0 + pin);
    return (lvt & (LAPIC_LVT_MASKED | LAPIC_LVT_DELIVERY_MODE)) == APIC_EXTINT << 8;
}

static inline bool extint_asserted(const struct lapic *lapic)
{
    if (lapic_mode(lapic) == LAPIC_DISABLED)
        return lapic->lint[0];
    return (is_extint(lapic, 0) && input_asserted(lapic, 0)) ||
           (is_extint(lapic, 1) && input_asserted(lapic, 1)) || lapic->extint;
}

bool lapic_irq_cause(const struct lapic *lapic)
{
    return to_be_taken(lapic) != 0 || extint_asserted(lapic);
}

/* --- into the IRR ----------------------------------------------------------------------------- */

static bool accept(struct lapic *lapic, uint8_t vector, bool level)
{
    if (!lapic_software_enabled(lapic))
        return false;
    if (vector < LAPIC_FIRST_LEGAL_VECTOR) {
        lapic_error(lapic, LAPIC_ESR_RECEIVE_VECTOR);
        return false;
    }
    lapic_settle(lapic); /* behind this request, an end has to be an EOI */
    if (level && vector == lapic->posted)
        lapic_take_back(lapic); /* the processor would leave TMR as it is */
    lapic->accepted++;
    lapic->vectors_changed = true;
    bit_set(lapic, LAPIC_IRR, vector);
    set_level(lapic, vector, level);
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
static __attribute__((noinline)) void sync_level_input(struct lapic *lapic)
{
    uint32_t lvt = *lapic_lvt(lapic, LAPIC_LINT0), pending = lvt & LAPIC_LVT_REMOTE_IRR;
    bool level = LAPIC_LVT_DELIVERY(lvt) == APIC_FIXED && lvt & LAPIC_LVT_LEVEL;
    if (!level && pending)
        lapic_put_lvt(lapic, LAPIC_LINT0, lvt & ~LAPIC_LVT_REMOTE_IRR);
    else if (level && !pending && input_asserted(lapic, 0) && accept(lapic, (uint8_t)lvt, true))
        lapic_put_lvt(lapic, LAPIC_LINT0, lvt | LAPIC_LVT_REMOTE_IRR);
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

bool lapic_may_send_nmi(const struct lapic *lapic)
{
    uint32_t lvt = *lapic_lvt(lapic, LAPIC_LINT0);
    return lapic_mode(lapic) != LAPIC_DISABLED && !(lvt & LAPIC_LVT_MASKED) &&
           apic_wakes_always((enum apic_delivery)LAPIC_LVT_DELIVERY(lvt));
}

/* A processor that has TPR alone wants to know of requests that may wait for a lower one. */
static inline bool helper_cares(struct lapic *lapic, bool fixed)
{
    bool held = !fixed && lapic->words[0] != 0;
    bool told = lapic->held;
    lapic->held = held;
    if (lapic->config.help == LAPIC_DELIVERED)
        return lapic->changed || lapic->vectors_changed;
    return lapic->changed || held != told || (held && lapic->vectors_changed);
}

void lapic_sync(struct lapic *lapic)
{
    uint32_t lint0 = *lapic_lvt(lapic, LAPIC_LINT0);
    if ((lint0 & (LAPIC_LVT_LEVEL | LAPIC_LVT_REMOTE_IRR)) && lapic_mode(lapic) != LAPIC_DISABLED)
        sync_level_input(lapic);
    bool fixed = to_be_taken(lapic) != 0, high = fixed || extint_asserted(lapic);
    if (high != lapic->intr_high) {
        lapic->intr_high = high;
        irq_set(&lapic->wiring.intr, high);
    }
    if (helper_cares(lapic, fixed))
        signal_raise(&lapic->wiring.changed);
    lapic->changed = lapic->vectors_changed = false;
}

void lapic_evaluate(struct lapic *lapic)
{
    lapic->changed = true;
    lapic_sync(lapic);
}

/* --- to the processor and out ----------------------------------------------------------------- */

/* The end of an interrupt needs an EOI where something follows from it: a level-triggered source to
 * be told, a request that waits. */
static void offer_end(struct lapic *lapic, uint8_t vector)
{
    if (lapic->wiring.offer_end && lapic->words[0] == 0 && !lapic_is_level(lapic, vector))
        lapic->end_offered = lapic->wiring.offer_end(lapic->wiring.ctx);
}

void lapic_settle_end(struct lapic *lapic)
{
    if (!lapic->end_offered)
        return;
    lapic->end_offered = false;
    if (lapic->wiring.withdraw_end(lapic->wiring.ctx))
        lapic_end_of_interrupt(lapic);
}

/* What the 8259A wants goes first: it waits outside of all priorities. */
int lapic_ack(struct lapic *lapic)
{
    int vector = -1;
    lapic_settle(lapic);
    uint8_t fixed = to_be_taken(lapic);
    if (extint_asserted(lapic)) {
        lapic->extint = false;
        if (lapic->wiring.extint_ack)
            vector = lapic->wiring.extint_ack(lapic->wiring.ctx);
    } else if (fixed) {
        lapic->acks++;
        lapic->vectors_changed = true;
        bit_clear(lapic, LAPIC_IRR, fixed);
        bit_set(lapic, LAPIC_ISR, fixed);
        offer_end(lapic, fixed);
        vector = fixed;
    }
    lapic_sync(lapic);
    return vector;
}

/* A level-triggered interrupt's source may ask again. */
static void tell_source(struct lapic *lapic, uint8_t vector)
{
    uint32_t lint0 = *lapic_lvt(lapic, LAPIC_LINT0);
    if ((lint0 & LAPIC_LVT_VECTOR) == vector)
        lapic_put_lvt(lapic, LAPIC_LINT0, lint0 & ~LAPIC_LVT_REMOTE_IRR);
    if (!(lapic_get(lapic, LAPIC_SVR) & LAPIC_SVR_NO_EOI) && lapic->wiring.eoi)
        lapic->wiring.eoi(lapic->wiring.ctx, vector);
}

void lapic_end_of_interrupt(struct lapic *lapic)
{
    uint8_t vector = lapic_in_service(lapic);
    if (vector == 0)
        return;
    lapic->eois++;
    lapic->vectors_changed = true;
    bit_clear(lapic, LAPIC_ISR, vector);
    if (lapic_is_level(lapic, vector))
        tell_source(lapic, vector);
}

void lapic_ended(struct lapic *lapic, uint8_t vector)
{
    lapic->eois++;
    lapic->vectors_changed = true;
    if (lapic_is_level(lapic, vector))
        tell_source(lapic, vector);
    lapic_sync(lapic);
}

/* --- messages --------------------------------------------------------------------------------- */

/* SDM "Logical Destination Mode", "Logical Destination Mode in x2APIC Mode". */
static bool in_logical_set(const struct lapic *lapic, uint32_t destination)
{
    uint32_t ldr = lapic_get(lapic, LAPIC_LDR);
    if (lapic_mode(lapic) == LAPIC_X2APIC)
        return destination >> 16 == ldr >> 16 && (destination & ldr & 0xFFFF);
    ldr >>= 24;
    if ((lapic_get(lapic, LAPIC_DFR) & LAPIC_DFR_MODEL) == LAPIC_DFR_MODEL)
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
    if (vector < LAPIC_FIRST_LEGAL_VECTOR)
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
    if (vectored && message.vector < LAPIC_FIRST_LEGAL_VECTOR) {
        lapic_error(lapic, LAPIC_ESR_SEND_VECTOR);
        return;
    }
    bool deassert =
        message.delivery == APIC_INIT && icr & LAPIC_ICR_LEVEL && !(icr & LAPIC_ICR_ASSERT);
    bool reserved = message.delivery == APIC_EXTINT; /* 111b, in the ICR */
    if (shorthand == LAPIC_SHORTHAND_NONE && !deassert && !reserved && is_for(lapic, &message))
        deliver(lapic, message.delivery, message.vector, false);
}
