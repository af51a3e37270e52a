/* The uart16550 on the bench of its tests. */
#ifndef TESTS_UART16550_RIG_H
#define TESTS_UART16550_RIG_H

#include "dev/uart16550.h"
#include "dev_rig.h"

/* Raw numbers of the PC16550D data sheet: offsets 0 RBR/THR/DLL, 1 IER/DLM, 2 IIR/FCR, 3 LCR,
 * 4 MCR, 5 LSR, 6 MSR, 7 SCR. */
static struct uart16550 uart;
static struct rig_pin irq;
static unsigned rooms;
static uint8_t sent[64];
static unsigned sent_count;

static inline void tx_put(void *ctx, uint8_t byte)
{
    (void)ctx;
    assert_true(sent_count < sizeof(sent));
    sent[sent_count++] = byte;
}

static inline int setup(void **state)
{
    (void)state;
    irq = (struct rig_pin){0};
    rooms = 0;
    sent_count = 0;
    uart16550_init(&uart, rig_line(&irq), (struct byte_sink){tx_put, NULL}, rig_signal(&rooms));
    return 0;
}

static inline uint8_t in(uint32_t offset)
{
    return rig_in(&uart16550_ops, &uart, offset);
}

static inline void out(uint32_t offset, uint8_t value)
{
    rig_out(&uart16550_ops, &uart, offset, value);
}

static inline void receive(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_true(uart16550_rx(&uart, (uint8_t)('a' + i)));
}

#endif
