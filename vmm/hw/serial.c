/*
 * The host's serial lines: COM1, the console, and COM2, a debugger's, who may also be lent COM1.
 * Each is a 16550A or older UART. What is sent waits in a ring; the UART takes 16 bytes at a time
 * when its FIFO is empty, on its interrupt or in serial_poll(). Register names: PC16550D datasheet.
 */
#define LOG_MODULE "serial"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "lib/log.h"
#include "lib/ring.h"

#define TX_RING_BYTES 32768u
#define RX_RING_BYTES 4096u
#define FIFO_BYTES    16u

/* A byte is on the wire for 87 us: room for 16 bytes and an emulator's pauses. Where the TSC's rate
 * isn't known yet only the polls count, of about 1 us each on a PC. */
#define POLLS_FOR_ROOM       100000u
#define WAITS_FOR_ROOM_A_SEC 10u

#define PORT_COM2 0x2F8u

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR };

#define IER_RX       BIT(0)
#define IER_TX       BIT(1)
#define IER_RESERVED 0xF0u
#define IIR_NONE     BIT(0)
#define IIR_FIFO     0xC0u
#define FCR_ENABLE   0x07u /* FIFOs on and cleared, receive trigger at 1 byte */
#define LCR_8N1      0x03u
#define LCR_DLAB     0x80u
#define MCR_RUN      0x0Bu /* DTR, RTS, OUT2: the PC's gate of the interrupt line */
#define MCR_LOOP     0x1Au /* loopback with RTS and OUT2 */
#define LSR_DATA     BIT(0)
#define LSR_BREAK    BIT(4)
#define LSR_THRE     BIT(5)
#define LSR_IDLE     BIT(6)
#define MSR_LINES    0xF0u
#define MSR_LOOPED   0x90u /* RTS shows as CTS, OUT2 as DCD */

struct uart {
    uint16_t base; /* 0: no UART */
    unsigned fifo_bytes;
    unsigned tx_room; /* bytes the UART surely takes now */
    uint8_t ier;
    bool stuck; /* nothing drains: a line held by flow control, or no UART behind the port */
    struct ring tx, rx;
};

/* COM1's are there before there is memory to be had; COM2's come with a debugger's line. */
static uint8_t tx_bytes[TX_RING_BYTES], rx_bytes[RX_RING_BYTES];
static struct uart com1 = {
    .tx = {.bytes = tx_bytes, .size = TX_RING_BYTES},
    .rx = {.bytes = rx_bytes, .size = RX_RING_BYTES},
};
static struct uart com2;

static struct uart *debug_uart; /* the debugger's line; NULL: none */
/* COM1 is lent: who hears in the line's stead what is said to serial_sink; put NULL: it isn't. */
static struct byte_sink listener;
static bool acknowledgement_due; /* the debugger's last byte, "+", may come still */

static void set_ier(struct uart *uart, uint8_t value)
{
    if (uart->ier != value)
        outb(uart->base + REG_IER, value);
    uart->ier = value;
}

/* A register that keeps nothing, or a loopback that loops nothing: no UART. */
static bool probe(uint16_t port)
{
    outb(port + REG_IER, 0);
    if (inb(port + REG_IER) & IER_RESERVED)
        return false;
    outb(port + REG_MCR, MCR_LOOP);
    bool looped = (inb(port + REG_MSR) & MSR_LINES) == MSR_LOOPED;
    outb(port + REG_MCR, MCR_RUN);
    return looped;
}

static bool wait_for(const struct uart *uart, uint8_t lsr_bits)
{
    uint64_t start = rdtsc(), limit = time_tsc_hz() / WAITS_FOR_ROOM_A_SEC;

    for (unsigned i = 0; i < POLLS_FOR_ROOM || rdtsc() - start < limit; i++) {
        if ((inb(uart->base + REG_LSR) & lsr_bits) == lsr_bits)
            return true;
        cpu_pause();
    }
    return false;
}

static void uart_init(struct uart *uart, uint16_t port)
{
    if (port == 0 || !probe(port))
        return;
    uart->base = port;
    uart->stuck = !wait_for(uart, LSR_IDLE); /* what the loader said last is still on the wire */
    outb(port + REG_LCR, LCR_DLAB | LCR_8N1);
    outb(port + REG_DATA, 1); /* divisor 1: 115200 baud */
    outb(port + REG_IER, 0);
    outb(port + REG_LCR, LCR_8N1);
    outb(port + REG_IIR_FCR, FCR_ENABLE);
    uart->fifo_bytes = (inb(port + REG_IIR_FCR) & IIR_FIFO) == IIR_FIFO ? FIFO_BYTES : 1;
    outb(port + REG_MCR, MCR_RUN);
}

/* Fills the UART from the ring. The interrupt is on only while bytes wait. */
static void send_some(struct uart *uart)
{
    uint8_t byte;

    if (uart->tx_room == 0 && (inb(uart->base + REG_LSR) & LSR_THRE)) {
        uart->tx_room = uart->fifo_bytes;
        uart->stuck = false;
    }
    while (uart->tx_room && ring_get(&uart->tx, &byte)) {
        outb(uart->base + REG_DATA, byte);
        uart->tx_room--;
    }
    if (uart->ier & IER_RX)
        set_ier(uart, ring_count(&uart->tx) ? IER_RX | IER_TX : IER_RX);
}

static void receive_some(struct uart *uart)
{
    /* Bounded: a port that reads as all ones would never end. */
    for (unsigned i = 0; i < 4 * FIFO_BYTES; i++) {
        uint8_t lsr = inb(uart->base + REG_LSR);
        if (!(lsr & LSR_DATA))
            break;
        uint8_t byte = inb(uart->base + REG_DATA);
        if (!(lsr & LSR_BREAK))
            ring_put(&uart->rx, byte); /* a full ring drops it, as an overrun would */
    }
}

/* The line is edge triggered: go on until the UART has no cause left. */
static void uart_irq(struct uart *uart)
{
    for (unsigned i = 0; i < 64 && !(inb(uart->base + REG_IIR_FCR) & IIR_NONE); i++) {
        receive_some(uart);
        send_some(uart);
        inb(uart->base + REG_MSR);
    }
}

static void com1_irq(void)
{
    uart_irq(&com1);
}

static void com2_irq(void)
{
    uart_irq(&com2);
}

static void uart_irq_init(struct uart *uart, unsigned irq, void (*handler)(void))
{
    if (!uart->base)
        return;
    irq_register((uint8_t)(VECTOR_IRQ_BASE + irq), handler);
    irq_unmask(irq);
    set_ier(uart, IER_RX);
    send_some(uart);
}

static void uart_send(struct uart *uart)
{
    if (uart->base && ring_count(&uart->tx))
        send_some(uart);
}

static void uart_poll(struct uart *uart)
{
    if (!uart->base)
        return;
    receive_some(uart);
    uart_send(uart);
}

static void uart_put(void *ctx, uint8_t byte)
{
    struct uart *uart = ctx;

    if (!uart->base)
        return;
    if (uart->tx_room && ring_count(&uart->tx) == 0) {
        outb(uart->base + REG_DATA, byte);
        uart->tx_room--;
        return;
    }
    if (!ring_put(&uart->tx, byte)) {
        if (uart->stuck || !wait_for(uart, LSR_THRE)) {
            uart->stuck = true;
            return;
        }
        send_some(uart);
        ring_put(&uart->tx, byte);
    }
    /* Now and then by hand: the interrupt may be held back, or not be wired. */
    if (!(uart->ier & IER_TX) || ring_count(&uart->tx) % FIFO_BYTES == 0)
        send_some(uart);
}

static void uart_flush(struct uart *uart)
{
    if (!uart->base)
        return;
    while (ring_count(&uart->tx) && wait_for(uart, LSR_THRE))
        send_some(uart);
    wait_for(uart, LSR_IDLE);
}

/* --- the public face -------------------------------------------------------------------------- */

static void console_put_line(void *ctx, uint8_t byte)
{
    if (listener.put)
        listener.put(listener.ctx, byte);
    else
        uart_put(ctx, byte);
}

static void debug_put_line(void *ctx, uint8_t byte)
{
    (void)ctx;
    if (debug_uart)
        uart_put(debug_uart, byte);
}

const struct byte_sink serial_sink = {.put = console_put_line, .ctx = &com1};
const struct byte_sink debug_line_sink = {.put = debug_put_line};

void serial_init(uint16_t port)
{
    uart_init(&com1, port);
}

void serial_irq_init(void)
{
    uart_irq_init(&com1, IRQ_COM1, com1_irq);
}

bool serial_present(void)
{
    return com1.base != 0;
}

static void com2_start(void)
{
    uart_init(&com2, PORT_COM2);
    if (!com2.base)
        return;
    uint8_t *bytes =
        (uint8_t *)frames_alloc((TX_RING_BYTES + RX_RING_BYTES) / PAGE_SIZE, PAGE_SIZE);
    if (!bytes) {
        log_warn("no memory is left for what is sent and received on COM2");
        com2.base = 0;
        return;
    }
    ring_init(&com2.tx, bytes, TX_RING_BYTES);
    ring_init(&com2.rx, bytes + TX_RING_BYTES, RX_RING_BYTES);
    uart_irq_init(&com2, IRQ_COM2, com2_irq);
}

bool debug_line_open(enum debug_line line)
{
    struct uart *uart = line == DEBUG_LINE_CONSOLE ? &com1 : &com2;

    if (uart == &com2 && com1.base != PORT_COM2)
        com2_start();
    debug_uart = uart->base ? uart : NULL;
    return debug_uart;
}

void serial_lend(struct byte_sink hears)
{
    listener = hears;
    acknowledgement_due = false;
}

void serial_take_back(bool acknowledgement)
{
    listener.put = NULL;
    acknowledgement_due = acknowledgement;
}

bool serial_get(uint8_t *byte)
{
    if (listener.put || !ring_get(&com1.rx, byte))
        return false;
    bool drop = acknowledgement_due && *byte == '+';
    acknowledgement_due = false;
    return !drop || ring_get(&com1.rx, byte);
}

static bool has_debug_line(void)
{
    return debug_uart && (debug_uart != &com1 || listener.put);
}

bool debug_line_get(uint8_t *byte)
{
    return has_debug_line() && ring_get(&debug_uart->rx, byte);
}

bool debug_line_waits(void)
{
    return has_debug_line() && ring_count(&debug_uart->rx) != 0;
}

void serial_send(void)
{
    uart_send(&com1);
    uart_send(&com2);
}

void serial_poll(void)
{
    uart_poll(&com1);
    uart_poll(&com2);
}

/* What is said on a line that is lent may come back to it as hex digits in packets. */
uint32_t serial_room(void)
{
    uint32_t room = !com1.base || com1.stuck ? TX_RING_BYTES : TX_RING_BYTES - ring_count(&com1.tx);
    return listener.put ? room / 4 : room;
}

void serial_flush(void)
{
    uart_flush(&com1);
    uart_flush(&com2);
}
