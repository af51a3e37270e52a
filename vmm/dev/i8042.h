/*
 * i8042 keyboard controller of a PC with one PS/2 keyboard. Source: IBM PS/2 "Keyboard and
 * Auxiliary Device Controller". Byte ports 60h and 64h (offsets 0 and 4; port 61h between them is
 * pit8254's).
 *
 * Modelled: status, command byte, self-tests, the output port with its reset bit, translation of
 * scan code set 2 to set 1, one output buffer that fills again as soon as it was read (the pin
 * falls in between, so that a PIC sees an edge for each byte).
 *
 * NOT modelled: a mouse. The auxiliary port answers like one that nothing is connected to: A9h
 * reports its clock line stuck low, D4h a timeout, D3h comes back as a keyboard's byte. Linux
 * decides from that within one probe that there is no such port, and doesn't wait for it. Nor the
 * A20 gate (its bit is kept, A20 is always on), the controller's RAM but its byte 0, the test
 * inputs, or any delay.
 *
 * A hostile guest can reset itself (FEh, D1h). Queues have fixed sizes and drop nothing of the
 * host's: i8042_host_scancode() says when it has no room.
 */
#ifndef DEV_I8042_H
#define DEV_I8042_H

#include "dev/dev.h"
#include "dev/ps2kbd.h"

/* What the next byte written to port 60h is for. */
enum i8042_expects {
    I8042_EXPECTS_KBD_BYTE, /* nothing special: it goes to the keyboard */
    I8042_EXPECTS_COMMAND_BYTE,
    I8042_EXPECTS_OUTPUT_PORT,
    I8042_EXPECTS_KBD_BUFFER,
    I8042_EXPECTS_AUX_BUFFER,
    I8042_EXPECTS_AUX_BYTE
};

struct i8042 {
    /* Connections. */
    struct irq_line kbd_irq; /* IRQ 1 */
    struct irq_line aux_irq; /* IRQ 12 */
    struct signal_line reset;
    struct signal_line room; /* raised when keys that were refused would fit again */

    /* Counters. */
    uint64_t keys;

    /* Guest-visible state. */
    enum i8042_expects expects;
    uint8_t command_byte;
    uint8_t output_port;
    bool last_was_command;
    bool buffer_full;
    uint8_t buffer;
    uint8_t buffer_source; /* I8042_STATUS_AUX and I8042_STATUS_TIMEOUT bits */
    bool buffer_is_reply;  /* the controller's own, not the keyboard's */
    bool reply_waiting;    /* a reply that found a byte of the keyboard's in the buffer */
    uint8_t reply;
    uint8_t reply_source;
    bool release_seen; /* translation: F0h was taken, the code comes next */
    bool keys_refused;
    struct ps2kbd kbd;
};

extern const struct dev_ops i8042_ops;

void i8042_init(struct i8042 *ctl, struct irq_line kbd_irq, struct irq_line aux_irq,
                struct signal_line reset, struct signal_line room);
/* One byte from the host's keyboard in scan code set 1, prefixes included, as the host's own
 * controller translated it. False when there is no room: the caller keeps it until `room`. */
bool i8042_host_scancode(struct i8042 *ctl, uint8_t byte);
/* What the two pins must show. */
bool i8042_kbd_irq_cause(const struct i8042 *ctl);
bool i8042_aux_irq_cause(const struct i8042 *ctl);

#endif
