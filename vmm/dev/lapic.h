/*
 * The local APIC of the guest's one processor. Documents: SDM "Advanced Programmable Interrupt
 * Controller (APIC)" with "Extended XAPIC (x2APIC)".
 *
 * Modelled: the page of xAPIC mode and the MSRs of x2APIC mode; the modes and their transitions by
 * IA32_APIC_BASE; six LVT entries; IRR, ISR and TMR for vectors 16 to 255, priorities, EOI with its
 * broadcast to the I/O APICs and the suppression of that; the ICR with all delivery modes and
 * shorthands; the ESR; software disable; the timer (lapic_timer.c); the 8259A behind LINT0, and
 * NMIs from LINT1.
 *
 * Details that matter: the ID can't be changed. Delivery takes no time, so delivery status always
 * reads as idle, and an acknowledge never finds that its interrupt has gone: the spurious vector is
 * kept, but not used. An illegal vector in an LVT is an error when it is to be delivered, not when
 * it is written. Disabling by IA32_APIC_BASE puts all registers into their state after reset, and
 * the two pins then are the processor's INTR and NMI.
 *
 * NOT modelled: APR and remote read (no processor of the last twenty years has them), focus
 * processor checking, CMCI, thermal and performance interrupts (their LVTs hold what is written),
 * SMI; INIT and start-up to other processors, which aren't there. Shorthands with delivery modes
 * that the manual calls invalid send nothing.
 *
 * The registers are a page in the architecture's own layout, so that a processor which virtualizes
 * the local APIC can work on it beside this code
 * (docs/adr/0012-the-cpus-help-for-the-local-apic.md). TPR, ISR, IRR and ICR are there alone, for
 * it changes them by itself; TMR stands among them. All other registers are in regs[], and the page
 * shows them: what the guest writes there without an exit is unchecked, and the old value is still
 * needed.
 *
 * A processor that takes posted interrupts needs no exit when the timer expires: the timer's vector
 * is posted ahead of time, and the host's own timer notifies the processor then. What was posted is
 * looked after by whatever looks at the timer: the processor has taken it, or it is taken back.
 *
 * A hostile guest can give itself nonsense interrupts and stop its own: vectors index bitmaps of
 * 256 bits, LVTs are found by a switch, and the timer's arithmetic saturates.
 */
#ifndef DEV_LAPIC_H
#define DEV_LAPIC_H

#include "dev/apic_message.h"
#include "dev/dev.h"
#include "dev/lapic_regs.h"

enum lapic_mode { LAPIC_DISABLED, LAPIC_XAPIC, LAPIC_X2APIC };

enum lapic_lvt {
    LAPIC_TIMER,
    LAPIC_THERMAL,
    LAPIC_COUNTERS,
    LAPIC_LINT0,
    LAPIC_LINT1,
    LAPIC_ERROR,
    LAPIC_LVT_COUNT
};

/* What the processor does of the local APIC by itself. */
enum lapic_help {
    LAPIC_ALONE,
    LAPIC_SHARED_TPR, /* CR8 */
    LAPIC_DELIVERED,  /* and, while software has enabled the APIC, it takes requests, and ends them
                       */
};

struct lapic_config {
    uint32_t *page; /* 4 KiB for the registers */
    enum lapic_help help;
    /* For one that also takes posted interrupts: its descriptor, 64 bytes. NULL: it doesn't. */
    uint32_t *posted;
    uint8_t id;
    bool boot_processor;
    uint32_t timer_hz;     /* what the divider divides */
    uint64_t address_mask; /* physical address bits that exist */
};

struct lapic_wiring {
    struct irq_line intr; /* high: lapic_ack() has a vector for the processor */
    /* A processor that helps has to look anew at what is requested, in service or held back, or at
     * the mode. */
    struct signal_line changed;
    struct signal_line nmi; /* an NMI */
    struct signal_line init;
    struct signal_line moved;               /* the mode or the page's address has changed */
    struct signal_line taken_back;          /* next_deadline() gives what was posted again */
    int (*extint_ack)(void *ctx);           /* INTA of the 8259As: the vector */
    void (*eoi)(void *ctx, uint8_t vector); /* a level-triggered interrupt has ended */
    /* The end of the interrupt that lapic_ack() is about to give may come another way than by a
     * write to EOI. False: no. Taking that back: true when it has come. Both may be NULL. */
    bool (*offer_end)(void *ctx);
    bool (*withdraw_end)(void *ctx);
    /* Guest time at which the guest's TSC gets to a value; 0 where it has already. */
    vtime_t (*when_tsc)(void *ctx, uint64_t tsc);
    /* CR8 as a processor that helps holds it; both are NULL where that is in the page alone. */
    uint8_t (*cr8)(void *ctx);
    void (*set_cr8)(void *ctx, uint8_t cr8);
    void *ctx; /* of all these */
};

struct lapic {
    /* Configuration and connections. */
    struct lapic_config config;
    struct lapic_wiring wiring;

    /* Counters. */
    uint64_t accepted; /* requests that entered the IRR */
    uint64_t acks, eois, ipis, timer_ticks;

    /* Time, and the pins' levels: they are others', and survive reset. */
    vtime_t now;
    uint64_t tick; /* of config.timer_hz */
    bool lint[2];

    /* Guest-visible state. */
    uint32_t regs[64]; /* by offset / 16: see lapic_get() */
    uint64_t base;     /* IA32_APIC_BASE */
    uint8_t errors;    /* since ESR was written */
    bool error_signalled;
    bool extint;           /* an I/O APIC or a message asked for an INTA cycle */
    bool end_offered;      /* of the highest vector in ISR */
    bool changed;          /* wiring.changed is to be told */
    bool vectors_changed;  /* the same if the processor takes vectors by itself */
    bool held;             /* a request isn't deliverable; with TPR it may become so */
    bool intr_high;        /* what INTR shows: its sink is called for changes alone */
    uint8_t words[2];      /* bit n: word n of IRR, of ISR may have bits; all where the processor
                              changes them by itself */
    uint64_t expiry;       /* tick at which the count gets to 0; UINT64_MAX: it is there */
    uint64_t tsc_deadline; /* IA32_TSC_DEADLINE; 0: not armed */
    vtime_t deadline_ns;   /* the same in guest time */
    uint8_t posted;        /* the vector that the timer has posted; 0: none */
};

/* The page of xAPIC mode; LAPIC_PAGE_SIZE bytes at lapic_page(). */
extern const struct dev_ops lapic_ops;

void lapic_init(struct lapic *lapic, const struct lapic_config *config,
                const struct lapic_wiring *wiring);
static inline enum lapic_mode lapic_mode(const struct lapic *lapic)
{
    if (!(lapic->base & LAPIC_BASE_EN))
        return LAPIC_DISABLED;
    return lapic->base & LAPIC_BASE_EXTD ? LAPIC_X2APIC : LAPIC_XAPIC;
}
/* Where the page is to answer; only in xAPIC mode. */
uint64_t lapic_page(const struct lapic *lapic);

/* IA32_APIC_BASE, IA32_TSC_DEADLINE and 800h to 8FFh. False: the guest gets #GP(0). The clock must
 * be up to date: advance() first. */
bool lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *value);
bool lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value);

/* CR8: bits 7 to 4 of TPR. */
uint8_t lapic_cr8(const struct lapic *lapic);
void lapic_set_cr8(struct lapic *lapic, uint8_t cr8);

/* A message on the APICs' bus. False when it isn't for this one, or can't be taken. */
bool lapic_receive(struct lapic *lapic, const struct apic_message *message);
/* LINT0 and LINT1 go to a level. For irq_line.set. */
void lapic_set_lint(void *lapic, unsigned pin, bool high);
/* The processor takes an interrupt: its vector, or -1 when there is none. */
int lapic_ack(struct lapic *lapic);
/* What INTR must show: a request above the processor's priority, or an external interrupt. */
bool lapic_irq_cause(const struct lapic *lapic);
/* Whether LINT0, where the 8259As are, is set up to send an NMI or an INIT. */
bool lapic_may_send_nmi(const struct lapic *lapic);
/* What firmware leaves: virtual wire, the 8259A through LINT0 and NMIs through LINT1. */
void lapic_virtual_wire(struct lapic *lapic);
/* The guest's TSC was set: the date of a deadline is another. */
void lapic_tsc_moved(struct lapic *lapic);
/* Brings ISR up to date with an end that came another way: what every look at it begins with. */
void lapic_settle_end(struct lapic *lapic);

/* --- for a processor that helps --------------------------------------------------------------- */

/* Whether it takes requests and ends them by itself now: INTR is for external interrupts alone. */
bool lapic_delivers(const struct lapic *lapic);
/* The highest vector in IRR and in ISR; 0: none. */
uint8_t lapic_requested(const struct lapic *lapic);
uint8_t lapic_in_service(const struct lapic *lapic);
/* The class of a request that nothing but TPR holds back; 0: there is none. */
uint8_t lapic_tpr_threshold(const struct lapic *lapic);
/* A request waits that the processor would take by itself. */
bool lapic_delivery_due(const struct lapic *lapic);
/* TPR has fallen: there may be something to deliver. */
void lapic_evaluate(struct lapic *lapic);
/* The processor has ended an interrupt and tells of it: others want to know where TMR says so. */
void lapic_ended(struct lapic *lapic, uint8_t vector);
/* The processor has written to this register in the page, and leaves the rest to us. */
void lapic_written(struct lapic *lapic, uint32_t offset);
/* Posts what the timer will request, where the processor may take it by itself. Guest time at which
 * it has to be notified, no sooner; VTIME_NEVER: nothing is posted. As long as something is,
 * next_deadline() leaves the timer out; advance() notices that the processor has taken it, or that
 * nobody has notified it in time. */
vtime_t lapic_post(struct lapic *lapic);
/* The rare halves of the next two. */
void lapic_look_at_posted(struct lapic *lapic);
void lapic_take_back_posted(struct lapic *lapic);

/* Notices that the processor has taken what was posted, without knowing the time. */
static inline void lapic_settle_posted(struct lapic *lapic)
{
    if (lapic->posted)
        lapic_look_at_posted(lapic);
}

/* There will be no notification; one that comes all the same finds nothing. */
static inline void lapic_take_back(struct lapic *lapic)
{
    if (lapic->posted)
        lapic_take_back_posted(lapic);
}

/* --- between the files of the local APIC ------------------------------------------------------ */

/* The word of TPR, ISR, TMR, IRR or ICR; `offset` is one of lapic_regs.h. */
static inline uint32_t *lapic_reg(const struct lapic *lapic, uint32_t offset)
{
    return (uint32_t *)((uint8_t *)lapic->config.page + offset);
}

/* Of all other registers. */
static inline uint32_t lapic_get(const struct lapic *lapic, uint32_t offset)
{
    return lapic->regs[offset / 16];
}

static inline void lapic_put(struct lapic *lapic, uint32_t offset, uint32_t value)
{
    lapic->regs[offset / 16] = value;
    *lapic_reg(lapic, offset) = value;
}

static inline const uint32_t *lapic_lvt(const struct lapic *lapic, enum lapic_lvt entry)
{
    return &lapic->regs[LAPIC_LVT_TIMER / 16 + entry];
}

static inline void lapic_put_lvt(struct lapic *lapic, enum lapic_lvt entry, uint32_t value)
{
    lapic_put(lapic, LAPIC_LVT_TIMER + 16u * entry, value);
}

static inline void lapic_settle(struct lapic *lapic)
{
    if (lapic->end_offered)
        lapic_settle_end(lapic);
}

static inline bool lapic_is_level(const struct lapic *lapic, uint8_t vector)
{
    return *lapic_reg(lapic, LAPIC_TMR + 16u * (vector / 32)) >> vector % 32 & 1;
}

/* lapic_irq.c */
uint8_t lapic_tpr(const struct lapic *lapic);
void lapic_set_tpr(struct lapic *lapic, uint8_t tpr);
bool lapic_software_enabled(const struct lapic *lapic);
void lapic_forget_vectors(struct lapic *lapic); /* IRR and ISR were cleared */
uint8_t lapic_ppr(const struct lapic *lapic);
void lapic_error(struct lapic *lapic, uint8_t error);
/* An interrupt from inside: by an LVT entry's mode and vector, unless it is masked. */
void lapic_local(struct lapic *lapic, enum lapic_lvt entry);
void lapic_end_of_interrupt(struct lapic *lapic);
void lapic_command(struct lapic *lapic); /* ICR was written */
void lapic_self(struct lapic *lapic, uint8_t vector);
void lapic_sync(struct lapic *lapic); /* the last statement of every entry point */

/* lapic_timer.c */
void lapic_timer_reset(struct lapic *lapic);
void lapic_timer_advance(struct lapic *lapic, vtime_t now);
vtime_t lapic_timer_deadline(const struct lapic *lapic);
uint32_t lapic_timer_count(const struct lapic *lapic);
void lapic_timer_start(struct lapic *lapic, uint32_t initial_count);
void lapic_timer_divide(struct lapic *lapic, uint8_t divide);
void lapic_timer_mode_changed(struct lapic *lapic, uint32_t old_lvt);
uint64_t lapic_timer_tsc_deadline(const struct lapic *lapic);
void lapic_timer_set_tsc_deadline(struct lapic *lapic, uint64_t tsc);

#endif
