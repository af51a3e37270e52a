/* 16550A UART; uart16550.h says what is modelled and what isn't. */
#include "dev/uart16550.h"
#include "dev/uart16550_regs.h"

#define UART_RESET_DIVISOR 12 /* 9600 baud of the PC's 1.8432 MHz crystal */

static bool uart_has_fifo(const struct uart16550 *uart)
{
    return uart->fcr & UART_FCR_ENABLE;
}

static unsigned uart_rx_capacity(const struct uart16550 *uart)
{
    return uart_has_fifo(uart) ? UART16550_FIFO_SIZE : 1;
}

static uint8_t uart_top_error(const struct uart16550 *uart)
{
    return uart->rx_count ? uart->rx_error[uart->rx_head] : 0;
}

static uint8_t uart_line_errors(const struct uart16550 *uart)
{
    return uart_top_error(uart) | (uart->overrun ? UART_LSR_OE : 0);
}

uint8_t uart16550_irq_cause(const struct uart16550 *uart)
{
    static const uint8_t trigger_bytes[4] = {1, 4, 8, 14};
    uint8_t ier = uart->ier;
    if ((ier & UART_IER_ELSI) && uart_line_errors(uart))
        return UART_IIR_RLS;
    if ((ier & UART_IER_ERBFI) && uart->rx_count) {
        if (uart->rx_count >= trigger_bytes[uart->fcr >> UART_FCR_TRIGGER_SHIFT])
            return UART_IIR_RDA;
        return UART_IIR_TIMEOUT;
    }
    if ((ier & UART_IER_ETBEI) && uart->thre_pending)
        return UART_IIR_THRE;
    if ((ier & UART_IER_EDSSI) && (uart->msr & UART_MSR_DELTAS))
        return UART_IIR_MSR;
    return UART_IIR_NONE;
}

bool uart16550_irq_level(const struct uart16550 *uart)
{
    /* Loopback forces the OUT2 pin inactive, and with it the PC's gate shuts. */
    return (uart->mcr & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2 &&
           uart16550_irq_cause(uart) != UART_IIR_NONE;
}

static void uart_sync_irq(struct uart16550 *uart)
{
    bool level = uart16550_irq_level(uart);
    if (level == uart->pin)
        return;
    uart->pin = level;
    irq_set(&uart->irq, level);
}

/* --- receiver ------------------------------------------------------------------------------- */

static void uart_rx_push(struct uart16550 *uart, uint8_t byte, uint8_t error)
{
    unsigned slot = (uart->rx_head + uart->rx_count) % UART16550_FIFO_SIZE;
    if (uart->rx_count == uart_rx_capacity(uart)) {
        /* "OE": a full FIFO keeps what it has; the holding register takes the new byte. */
        uart->overrun = true;
        if (uart_has_fifo(uart))
            return;
        slot = uart->rx_head;
        uart->rx_count = 0;
    }
    uart->rx_byte[slot] = byte;
    uart->rx_error[slot] = error;
    uart->rx_count++;
}

/* Raises rx_room once for each time that bytes were refused and would fit now. */
static void uart_offer_room(struct uart16550 *uart)
{
    if (!uart->rx_refused || uart16550_rx_space(uart) == 0)
        return;
    uart->rx_refused = false;
    signal_raise(&uart->rx_room);
}

static uint8_t uart_rx_pop(struct uart16550 *uart)
{
    uint8_t byte = uart->rx_byte[uart->rx_head];
    if (uart->rx_count == 0)
        return byte; /* an empty receiver shows an old byte */
    if (uart_has_fifo(uart))
        uart->rx_head = (uart->rx_head + 1) % UART16550_FIFO_SIZE;
    uart->rx_count--;
    return byte;
}

static void uart_rx_clear(struct uart16550 *uart)
{
    uart->rx_head = 0;
    uart->rx_count = 0;
}

unsigned uart16550_rx_space(const struct uart16550 *uart)
{
    if (uart->mcr & UART_MCR_LOOP)
        return 0; /* the receiver is off the line */
    return uart_rx_capacity(uart) - uart->rx_count;
}

static bool uart_rx_from_line(struct uart16550 *uart, uint8_t byte, uint8_t error)
{
    if (uart16550_rx_space(uart) == 0) {
        uart->rx_refused = true;
        return false;
    }
    uart_rx_push(uart, byte, error);
    uart->rx_bytes++;
    uart_sync_irq(uart);
    return true;
}

bool uart16550_rx(struct uart16550 *uart, uint8_t byte)
{
    return uart_rx_from_line(uart, byte, 0);
}

bool uart16550_rx_break(struct uart16550 *uart)
{
    return uart_rx_from_line(uart, 0, UART_LSR_BI | UART_LSR_FE);
}

/* --- registers -------------------------------------------------------------------------------- */

static void uart_transmit(struct uart16550 *uart, uint8_t byte)
{
    if (uart->mcr & UART_MCR_LOOP) {
        uart_rx_push(uart, byte, 0);
    } else {
        uart->tx_bytes++;
        sink_put(&uart->tx, byte);
    }
    uart->thre_pending = true; /* the byte is gone already: empty again */
}

/* The modem inputs: in loopback the outputs, otherwise a peer that is always ready. */
static uint8_t uart_modem_lines(const struct uart16550 *uart)
{
    uint8_t mcr = uart->mcr;
    if (!(mcr & UART_MCR_LOOP))
        return UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
    return (mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) | (mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
           (mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) | (mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
}

static void uart_update_msr(struct uart16550 *uart)
{
    uint8_t lines = uart_modem_lines(uart);
    uint8_t changed = (uart->msr ^ lines) & UART_MSR_LINES;
    uint8_t deltas = changed >> 4;
    /* TERI tells only the trailing edge of RI: on to off. */
    if (lines & UART_MSR_RI)
        deltas &= ~UART_MSR_TERI;
    uart->msr = lines | (uart->msr & UART_MSR_DELTAS) | deltas;
}

static void uart_write_fcr(struct uart16550 *uart, uint8_t value)
{
    if ((uart->fcr ^ value) & UART_FCR_ENABLE)
        uart_rx_clear(uart);
    /* "FCR0 must be a 1 when other FCR bits are written": without it all are as off. */
    if (!(value & UART_FCR_ENABLE))
        value = 0;
    if (value & UART_FCR_CLEAR_RX)
        uart_rx_clear(uart);
    uart->fcr = value & ~(UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX);
    uart_offer_room(uart);
}

static void uart_write_ier(struct uart16550 *uart, uint8_t value)
{
    value &= UART_IER_MASK;
    /* Drivers enable ETBEI to be told at once that an idle transmitter is empty. */
    if (value & ~uart->ier & UART_IER_ETBEI)
        uart->thre_pending = true;
    uart->ier = value;
}

static uint8_t uart_read_iir(struct uart16550 *uart)
{
    uint8_t cause = uart16550_irq_cause(uart);
    if (cause == UART_IIR_THRE)
        uart->thre_pending = false;
    return cause | (uart_has_fifo(uart) ? UART_IIR_FIFOS : 0);
}

static bool uart_error_in_fifo(const struct uart16550 *uart)
{
    for (unsigned i = 0; i < uart->rx_count; i++)
        if (uart->rx_error[(uart->rx_head + i) % UART16550_FIFO_SIZE])
            return true;
    return false;
}

static uint8_t uart_read_lsr(struct uart16550 *uart)
{
    uint8_t lsr = UART_LSR_THRE | UART_LSR_TEMT;
    if (uart->rx_count) {
        lsr |= UART_LSR_DR;
        if (uart_has_fifo(uart) && uart_error_in_fifo(uart))
            lsr |= UART_LSR_FIFO_ERROR;
    }
    lsr |= uart_line_errors(uart);
    uart->overrun = false;
    if (uart->rx_count)
        uart->rx_error[uart->rx_head] = 0;
    return lsr;
}

static uint8_t uart_read_msr(struct uart16550 *uart)
{
    uint8_t msr = uart->msr;
    uart->msr &= ~UART_MSR_DELTAS;
    return msr;
}

static uint8_t uart_read_register(struct uart16550 *uart, uint32_t offset)
{
    bool dlab = uart->lcr & UART_LCR_DLAB;
    switch (offset) {
    case UART_RBR:
        return dlab ? uart->dll : uart_rx_pop(uart);
    case UART_IER:
        return dlab ? uart->dlm : uart->ier;
    case UART_IIR:
        return uart_read_iir(uart);
    case UART_LCR:
        return uart->lcr;
    case UART_MCR:
        return uart->mcr;
    case UART_LSR:
        return uart_read_lsr(uart);
    case UART_MSR:
        return uart_read_msr(uart);
    default:
        return uart->scr;
    }
}

/* Half of what a guest asks of this chip: is there room? Nothing changes where LSR has nothing else
 * to tell. */
static bool uart_idle_lsr(const struct uart16550 *uart, uint32_t offset, unsigned size)
{
    return offset == UART_LSR && size == 1 && uart->rx_count == 0 && !uart->overrun;
}

static enum io_result uart16550_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct uart16550 *uart = dev;
    if (uart_idle_lsr(uart, offset, size)) {
        *value = UART_LSR_THRE | UART_LSR_TEMT;
        return IO_OK;
    }
    if (offset >= UART16550_PORTS)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    *value = uart_read_register(uart, offset);
    uart_offer_room(uart);
    uart_sync_irq(uart);
    return IO_OK;
}

static void uart_write_register(struct uart16550 *uart, uint32_t offset, uint8_t value)
{
    bool dlab = uart->lcr & UART_LCR_DLAB;
    switch (offset) {
    case UART_THR:
        if (dlab)
            uart->dll = value;
        else
            uart_transmit(uart, value);
        break;
    case UART_IER:
        if (dlab)
            uart->dlm = value;
        else
            uart_write_ier(uart, value);
        break;
    case UART_FCR:
        uart_write_fcr(uart, value);
        break;
    case UART_LCR:
        uart->lcr = value;
        break;
    case UART_MCR:
        uart->mcr = value & UART_MCR_MASK;
        uart_update_msr(uart);
        uart_offer_room(uart);
        break;
    case UART_SCR:
        uart->scr = value;
        break;
    default: /* LSR and MSR: "writing is for factory testing" */
        break;
    }
}

static enum io_result uart16550_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct uart16550 *uart = dev;
    if (offset >= UART16550_PORTS)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    uart_write_register(uart, offset, (uint8_t)value);
    uart_sync_irq(uart);
    return IO_OK;
}

static void uart16550_reset(void *dev)
{
    struct uart16550 *uart = dev;
    bool refused = uart->rx_refused;
    *uart = (struct uart16550){
        .irq = uart->irq,
        .tx = uart->tx,
        .rx_room = uart->rx_room,
        .pin = uart->pin,
        .tx_bytes = uart->tx_bytes,
        .rx_bytes = uart->rx_bytes,
        .dll = UART_RESET_DIVISOR,
        .msr = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD,
        .rx_refused = refused,
    };
    uart_offer_room(uart);
    uart_sync_irq(uart);
}

void uart16550_init(struct uart16550 *uart, struct irq_line irq, struct byte_sink tx,
                    struct signal_line rx_room)
{
    *uart = (struct uart16550){.irq = irq, .tx = tx, .rx_room = rx_room};
    uart16550_reset(uart);
}

const struct dev_ops uart16550_ops = {
    .name = "uart16550",
    .read = uart16550_read,
    .write = uart16550_write,
    .reset = uart16550_reset,
};
