/*
 * High precision event timers. Document: IA-PC HPET Specification 1.0a. 1 KiB of memory.
 *
 * Modelled: a main counter of 64 bits and 100 MHz, which is guest time in exact tens of
 * nanoseconds; three timers, each one-shot or periodic, of 64 or 32 bits, edge or level; the
 * periodic accumulator with "value set"; legacy replacement; routing to I/O APIC inputs where the
 * machine offers some. Registers take aligned accesses of 4 and 8 bytes; reserved ones read 0.
 *
 * NOT modelled: interrupts by FSB messages. The main counter may be written while it runs, which
 * the document leaves undefined.
 *
 * Nothing counts: the counter is a difference of times. A deadline exists for what would move a
 * pin only. An edge keeps its pin high until the next one, as a PIC wants it that forgets the
 * request of an input that falls; an advance() over many periods gives one edge.
 *
 * A hostile guest may ask for an interrupt each 10 ns: each deadline lies ahead, and advance()
 * takes the same time however far it goes. A period of 0 never comes back.
 */
#ifndef DEV_HPET_H
#define DEV_HPET_H

#include "dev/dev.h"

#define HPET_TIMER_COUNT  3u
#define HPET_LEGACY_COUNT 2u
#define HPET_TICK_NS      10u

/* Where the pins lead. */
struct hpet_wiring {
    struct irq_line legacy[HPET_LEGACY_COUNT]; /* timer 0 to IRQ 0, 1 to IRQ 8 */
    /* Legacy replacement: with true, PIT and RTC are off these two. */
    void (*replace)(void *ctx, bool on);
    void *replace_ctx;
    struct irq_line input; /* I/O APIC inputs; its own pin number isn't used */
    uint32_t input_mask;   /* those that a timer may be routed to */
};

struct hpet_timer {
    uint32_t config;     /* the writable bits */
    bool value_set;      /* the next write to the comparator sets a periodic timer's */
    bool edge;           /* an edge has come, and the pin is still high */
    uint64_t comparator; /* what the counter must reach */
    uint64_t period;     /* the value last written to the comparator */
};

struct hpet {
    /* Connections. */
    struct hpet_wiring wiring;
    uint32_t inputs_high; /* what the I/O APIC inputs were told */

    /* Counters. */
    uint64_t interrupts;

    /* Time: reset leaves it alone. */
    uint64_t tick;

    /* Guest-visible state. */
    uint32_t config;
    uint32_t status;
    uint64_t counter; /* at the tick above */
    struct hpet_timer timer[HPET_TIMER_COUNT];
};

extern const struct dev_ops hpet_ops;

void hpet_init(struct hpet *hpet, const struct hpet_wiring *wiring);
/* What the timer's pin must show, wherever it leads. */
bool hpet_irq_cause(const struct hpet *hpet, unsigned timer);

#endif
