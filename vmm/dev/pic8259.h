/*
 * Two cascaded 8259A interrupt controllers with the edge/level control registers. Chip: Intel
 * 8259A data sheet; ELCR and its masks: Intel 82371SB (PIIX3) data sheet. Six byte ports:
 * 20h 21h, A0h A1h, 4D0h 4D1h.
 *
 * Modelled: ICW1-ICW4, OCW1-OCW3, fully nested and special fully nested mode, rotation, AEOI,
 * special mask mode, poll mode, edge and level inputs, spurious interrupts.
 *
 * Details that matter: an edge request lasts only while its input stays high, as the data sheet
 * has it ("IR inputs must remain high until after the falling edge of the first INTA"). The
 * cascade is held, not pulsed: input 2 of the master is the slave's INT level. INT stays low until
 * ICW1-ICW4 were written; the mask is readable and writable before, as Linux probes for the chip.
 *
 * NOT modelled: MCS-80 mode and buffered mode (their bits are ignored), ICW1's LTIM (the ELCR has
 * replaced it), ICW3 (the wiring is the PC's).
 *
 * A hostile guest can give itself nonsense interrupts and nothing else: every index is a bit
 * number below 8, and a vector is always ICW2's base plus that number.
 */
#ifndef DEV_PIC8259_H
#define DEV_PIC8259_H

#include "dev/dev.h"

#define PIC8259_PINS 16

enum pic_expects {
    PIC_EXPECTS_ICW1, /* after power-on: not yet initialized */
    PIC_EXPECTS_ICW2,
    PIC_EXPECTS_ICW3,
    PIC_EXPECTS_ICW4,
    PIC_EXPECTS_OCW /* initialized: in operation */
};

struct pic_chip {
    enum pic_expects expects;
    uint8_t icw1, icw2, icw4;
    uint8_t elcr;
    uint8_t lines; /* the inputs' levels */
    uint8_t edges; /* inputs that rose and were not acknowledged yet */
    uint8_t imr, isr;
    uint8_t lowest; /* input of lowest priority; rotation moves it */
    bool rotate_on_aeoi;
    bool special_mask;
    bool read_isr;
    bool poll;
};

struct pic8259 {
    /* Connections. */
    struct irq_line intr; /* the master's INT, to the CPU */
    bool intr_high;       /* what it shows: its sink is called for changes alone */
    uint8_t master_requests, slave_requests; /* by the inputs; a mask's write changes neither */

    /* Counters. */
    uint64_t acks;
    uint64_t spurious;
    uint64_t pin_acks[PIC8259_PINS];

    /* Guest-visible state; the inputs' levels are their devices' and survive reset. */
    struct pic_chip master, slave;
};

extern const struct dev_ops pic8259_ops;

void pic8259_init(struct pic8259 *pic, struct irq_line intr);
/* Input 0-15 goes to a level; input 2 and pins beyond 15 don't exist. For irq_line.set. */
void pic8259_set_irq(void *pic, unsigned pin, bool high);
/* The INTA cycle: the vector, and the input is in service. With no request left it is the
 * spurious vector (input 7 of the chip that was asked) and nothing is in service. */
int pic8259_ack(struct pic8259 *pic);
/* What INT must show: an unmasked request of a priority above everything in service. */
bool pic8259_irq_cause(const struct pic8259 *pic);

#endif
