/*
 * 8254 programmable interval timer and the PC's port 61h. Chip: Intel 8254 data sheet. Four byte
 * ports from 40h, and port 61h as offset PIT_PORT61 through a second bus range.
 *
 * Modelled: three counters in all six modes, binary and BCD, exact to the tick of 1,193,182 Hz:
 * a count is loaded with the tick after its write (modes 0, 2, 3, 4) or after a gate's edge
 * (1, 2, 3, 5), a new count in modes 2 and 3 waits for the end of the (half) cycle; latches,
 * read-back, null count; gate and OUT of counter 2; the refresh toggle.
 *
 * After reset the counters run as PC firmware leaves them (the chip itself would be undefined):
 * 0 in mode 3 with count 65536, 1 in mode 2 with 18, 2 in mode 3 with its gate low.
 *
 * NOT modelled: sound, the gates of counters 0 and 1 (high in a PC), a count of 1 in modes 2 and 3
 * (illegal by the data sheet: OUT stays high).
 *
 * Counter 0 drives the interrupt pin. A deadline is only due for a rising edge, the one that a PIC
 * acts on: falling edges and mode 2's low pulse of one tick show when someone looks, and a rise
 * between two looks is passed on as low, high. A late advance() gives one edge however many
 * periods went by, as a PIC that isn't served would latch one: no storm, and no catching up.
 *
 * A hostile guest may ask for an edge every 1.7 us (count 2). That costs its own running time
 * only: each deadline lies in the future, and advance() takes the same time however far it goes.
 */
#ifndef DEV_PIT8254_H
#define DEV_PIT8254_H

#include "dev/dev.h"

#define PIT_HZ 1193182u

struct pit_counter {
    uint8_t control; /* RW, mode and BCD bits of the last control word */
    bool gate;
    bool null_count;
    bool count_written; /* since the control word */
    uint16_t reload;    /* CR: the count as the guest wrote it */

    /* The counting element: `count` was loaded at tick `start`. */
    bool loaded;
    bool paused; /* by the gate, `paused_after` ticks from start */
    uint32_t count;
    uint64_t start;
    uint64_t paused_after;
    uint16_t held; /* what it shows while not loaded */

    /* A load to come. */
    bool load_pending;
    uint64_t load_at; /* tick; UINT64_MAX: the gate must rise first */

    /* The byte-wide window to the guest. */
    uint8_t write_lsb;
    bool write_msb_next;
    bool read_msb_next;
    bool count_latched;
    uint16_t count_latch;
    bool status_latched;
    uint8_t status_latch;
};

struct pit8254 {
    /* Connections. */
    struct irq_line irq; /* OUT of counter 0 */

    /* Counters. */
    uint64_t edges;

    /* Time: reset leaves it alone. */
    uint64_t tick;

    /* Guest-visible state. */
    struct pit_counter counter[3];
    uint8_t port61;
};

extern const struct dev_ops pit8254_ops;

void pit8254_init(struct pit8254 *pit, struct irq_line irq);
/* OUT of counter 0 at the last advance(): what the interrupt pin must show. */
bool pit8254_irq_cause(const struct pit8254 *pit);

/* For pit8254.c: one counter by itself (pit_counter.c). Ticks never go backwards. */
void pit_counter_reset(struct pit_counter *counter, uint8_t control, uint16_t count, uint64_t tick);
void pit_counter_settle(struct pit_counter *counter, uint64_t tick);
bool pit_counter_out(const struct pit_counter *counter, uint64_t tick);
/* The next tick behind `tick` at which OUT rises; UINT64_MAX: never by itself. */
uint64_t pit_counter_next_rise(const struct pit_counter *counter, uint64_t tick);
void pit_counter_set_gate(struct pit_counter *counter, bool gate, uint64_t tick);
void pit_counter_write_control(struct pit_counter *counter, uint8_t control, uint64_t tick);
void pit_counter_write(struct pit_counter *counter, uint8_t value, uint64_t tick);
uint8_t pit_counter_read(struct pit_counter *counter, uint64_t tick);
void pit_counter_latch_count(struct pit_counter *counter, uint64_t tick);
void pit_counter_latch_status(struct pit_counter *counter, uint64_t tick);

#endif
