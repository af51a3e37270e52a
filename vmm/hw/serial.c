/*
 * COM1 of the host: a 16550A or older UART. Text waits in a ring; the UART takes 16 bytes at a time
 * when its FIFO is empty, on its interrupt or in serial_poll(). Register names: PC16550D datasheet.
 */
#include "hw/parts.h"

#include "hw/cpu.h"
#include "lib/ring.h"

#define TX_RING_BYTES 32768u
#define RX_RING_BYTES 4096u
#define FIFO_BYTES    16u

/* About the time of one byte on the wire is 87 us, a port read takes about 1 us: polls that cover
 * 16 bytes, with room for an emulator's pauses. */
#define POLLS_FOR_ROOM 100000u

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

static uint16_t base; /* 0: no UART */
static unsigned fifo_bytes;
static unsigned tx_room; /* bytes the UART surely takes now */
static uint8_t ier;
static bool stuck; /* nothing drains: a line held by flow control, or no UART behind the port */

static uint8_t tx_bytes[TX_RING_BYTES], rx_bytes[RX_RING_BYTES];
static struct ring tx = {.bytes = tx_bytes, .size = TX_RING_BYTES};
static struct ring rx = {.bytes = rx_bytes, .size = RX_RING_BYTES};

static void set_ier(uint8_t value)
{
    if (ier != value)
        outb(base + REG_IER, value);
    ier = value;
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

static bool wait_for(uint8_t lsr_bits)
{
    for (unsigned i = 0; i < POLLS_FOR_ROOM; i++) {
        if ((inb(base + REG_LSR) & lsr_bits) == lsr_bits)
            return true;
        cpu_pause();
    }
    return false;
}

void serial_init(uint16_t port)
{
    if (port == 0 || !probe(port))
        return;
    base = port;
    stuck = !wait_for(LSR_IDLE); /* what the loader said last is still on the wire */
    outb(base + REG_LCR, LCR_DLAB | LCR_8N1);
    outb(base + REG_DATA, 1); /* divisor 1: 115200 baud */
    outb(base + REG_IER, 0);
    outb(base + REG_LCR, LCR_8N1);
    outb(base + REG_IIR_FCR, FCR_ENABLE);
    fifo_bytes = (inb(base + REG_IIR_FCR) & IIR_FIFO) == IIR_FIFO ? FIFO_BYTES : 1;
    outb(base + REG_MCR, MCR_RUN);
}

bool serial_present(void)
{
    return base != 0;
}

/* Fills the UART from the ring. The interrupt is on only while bytes wait. */
static void send_some(void)
{
    uint8_t byte;

    if (tx_room == 0 && (inb(base + REG_LSR) & LSR_THRE)) {
        tx_room = fifo_bytes;
        stuck = false;
    }
    while (tx_room && ring_get(&tx, &byte)) {
        outb(base + REG_DATA, byte);
        tx_room--;
    }
    if (ier & IER_RX)
        set_ier(ring_count(&tx) ? IER_RX | IER_TX : IER_RX);
}

static void receive_some(void)
{
    /* Bounded: a port that reads as all ones would never end. */
    for (unsigned i = 0; i < 4 * FIFO_BYTES; i++) {
        uint8_t lsr = inb(base + REG_LSR);
        if (!(lsr & LSR_DATA))
            break;
        uint8_t byte = inb(base + REG_DATA);
        if (!(lsr & LSR_BREAK))
            ring_put(&rx, byte); /* a full ring drops it, as an overrun would */
    }
}

/* The line is edge triggered: go on until the UART has no cause left. */
static void serial_irq(void)
{
    for (unsigned i = 0; i < 64 && !(inb(base + REG_IIR_FCR) & IIR_NONE); i++) {
        receive_some();
        send_some();
        inb(base + REG_MSR);
    }
}

void serial_irq_init(void)
{
    if (!base)
        return;
    irq_register(VECTOR_IRQ_BASE + IRQ_COM1, serial_irq);
    irq_unmask(IRQ_COM1);
    set_ier(IER_RX);
    send_some();
}

void serial_send(void)
{
    if (base && ring_count(&tx))
        send_some();
}

void serial_poll(void)
{
    if (!base)
        return;
    receive_some();
    serial_send();
}

static void serial_put(void *ctx, uint8_t byte)
{
    (void)ctx;
    if (!base)
        return;
    if (tx_room && ring_count(&tx) == 0) {
        outb(base + REG_DATA, byte);
        tx_room--;
        return;
    }
    if (!ring_put(&tx, byte)) {
        if (stuck || !wait_for(LSR_THRE)) {
            stuck = true;
            return;
        }
        send_some();
        ring_put(&tx, byte);
    }
    /* Now and then by hand: the interrupt may be held back, or not be wired. */
    if (!(ier & IER_TX) || ring_count(&tx) % FIFO_BYTES == 0)
        send_some();
}

const struct byte_sink serial_sink = {.put = serial_put};

unsigned serial_room(void)
{
    return base && !stuck ? TX_RING_BYTES - ring_count(&tx) : UINT32_MAX;
}

bool serial_get(uint8_t *byte)
{
    return ring_get(&rx, byte);
}

void serial_flush(void)
{
    if (!base)
        return;
    while (ring_count(&tx) && wait_for(LSR_THRE))
        send_some();
    wait_for(LSR_IDLE);
}
