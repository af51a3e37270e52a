/*
 * 16550A UART in both directions. Chip: National PC16550D data sheet. Eight ports from its base,
 * byte accesses only.
 *
 * Modelled: receiver FIFO of 16 with its trigger levels, or the single holding register; all five
 * interrupt causes with their priorities; loopback with the modem lines; OUT2 as the gate of the
 * interrupt pin; modem status deltas; break from the line.
 *
 * NOT modelled: line speed, word length, parity, stop bits and the DMA pins. A byte is sent at
 * once, so THRE and TEMT always read 1. The line counts as idle after each received byte: a byte
 * below the trigger level reports the character timeout at once and not four character times
 * later, so the device needs no clock and a key press no wait. Incoming bytes wait with the caller
 * while the FIFO is full or the guest loops the line back: the line itself never overruns.
 *
 * A hostile guest can only flood its own sink: indices are masked, no state grows, no time passes
 * here; how fast the sink's medium drains is the sink's affair.
 */
#ifndef DEV_UART16550_H
#define DEV_UART16550_H

#include "dev/dev.h"

#define UART16550_FIFO_SIZE 16 /* a power of two */
#define UART16550_PORTS     8

struct uart16550 {
    /* Connections. */
    struct irq_line irq;
    struct byte_sink tx;
    struct signal_line rx_room; /* raised when bytes that uart16550_rx() refused would fit again */
    bool pin;                   /* what irq was told last */

    /* Counters. */
    uint64_t tx_bytes;
    uint64_t rx_bytes;

    /* Guest-visible state. */
    uint8_t ier, fcr, lcr, mcr, scr;
    uint8_t dll, dlm;
    uint8_t msr;
    bool overrun;
    bool thre_pending; /* the "transmitter empty" cause, until IIR reported it */
    bool rx_refused;
    uint8_t rx_head; /* index of the oldest byte */
    uint8_t rx_count;
    uint8_t rx_byte[UART16550_FIFO_SIZE];
    uint8_t rx_error[UART16550_FIFO_SIZE]; /* LSR bits that came with the byte */
};

extern const struct dev_ops uart16550_ops;

void uart16550_init(struct uart16550 *uart, struct irq_line irq, struct byte_sink tx,
                    struct signal_line rx_room);
/* A byte from the line. False when there is no room: the caller keeps the byte and tries again
 * when rx_room is raised. */
bool uart16550_rx(struct uart16550 *uart, uint8_t byte);
/* The same for a break on the line (Linux: the prefix of a magic SysRq key). */
bool uart16550_rx_break(struct uart16550 *uart);
/* How many bytes uart16550_rx() would take now. */
unsigned uart16550_rx_space(const struct uart16550 *uart);
/* The highest enabled cause, as the low four bits of IIR name it. */
uint8_t uart16550_irq_cause(const struct uart16550 *uart);
/* What the interrupt pin must show: a cause, and OUT2 lets it through. */
bool uart16550_irq_level(const struct uart16550 *uart);

#endif
