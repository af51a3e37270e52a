/* needs: vmm/dev/virtio_console.c vmm/dev/virtio_rng.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c */
#include "dev/virtio_console.h"
#include "dev/virtio_pci.h"
#include "dev/virtio_rng.h"
#include "input.h"

#include <string.h>

/*
 * A driver that fills the rings of a virtio console, or of an entropy device, with noise, and a
 * host that takes what it likes. RAM begins at 0 and is a heap block of its exact size. Input: a
 * byte of setup, then commands.
 *
 * Invariants: the pin is the ISR; a call sends at most its budget and ends at most a queue's length
 * of chains; output that waits was announced; what is typed comes out complete and in order or is
 * still in the ring; a broken queue moves nothing.
 */

#define RAM_SIZE   0x6000u
#define BAR0       0xE0000000u
#define QUEUE_SIZE 8u
#define RINGS(q)   (0x1000u * (q)) /* descriptors, +400h available, +800h used */
#define BUFFERS    0x2000u

static struct {
    struct iobus pio, mmio;
    struct pci pci;
    struct gmem gmem;
    struct virtio_console console;
    struct virtio_rng rng;
    struct virtio_pci vp;
    bool pin, stalled, is_rng;
    uint32_t room, put;
    uint64_t typed;
} w;

static void set_pin(void *sink, unsigned pin, bool high)
{
    (void)sink;
    (void)pin;
    w.pin = high;
}

static uint32_t put(void *ctx, const uint8_t *bytes, uint32_t size)
{
    uint32_t taken = size < w.room ? size : w.room;
    (void)ctx;
    check(size > 0 && size <= 256 && bytes[size - 1] + 1 > 0);
    w.room -= taken;
    w.put += taken;
    return taken;
}

static uint32_t fill(void *ctx, uint8_t *bytes, uint32_t size)
{
    uint32_t taken = size < w.room ? size : w.room;
    (void)ctx;
    check(size > 0 && size <= 64);
    memset(bytes, 0xA5, taken);
    w.room -= taken;
    return taken;
}

static void stalled(void *ctx)
{
    (void)ctx;
    w.stalled = true;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void bar_write(uint32_t offset, unsigned size, uint64_t value)
{
    iobus_write(&w.mmio, BAR0 + offset, size, value);
}

static void start(uint8_t features)
{
    bar_write(0x14, 1, 0);
    bar_write(0x14, 1, 3);
    bar_write(0x08, 4, 0);
    bar_write(0x0C, 4, (uint32_t)(features & 3) << 28);
    bar_write(0x08, 4, 1);
    bar_write(0x0C, 4, 1);
    bar_write(0x14, 1, 0x0B);
    for (unsigned q = 0; q < w.vp.ops->queue_count; q++) {
        bar_write(0x16, 2, q);
        bar_write(0x18, 2, QUEUE_SIZE);
        bar_write(0x20, 8, RINGS(q));
        bar_write(0x28, 8, RINGS(q) + 0x400);
        bar_write(0x30, 8, RINGS(q) + 0x800);
        bar_write(0x1C, 2, 1);
    }
    bar_write(0x14, 1, 0x0F);
    check(w.vp.status == 0x0F);
}

static void world_init(uint8_t setup)
{
    const struct console_host host = {put, NULL, NULL};
    struct pci_wiring wiring = {
        .pio = &w.pio, .mmio = &w.mmio, .mem = {BAR0, 0x100000}, .intx_irq = {11, 11, 11, 11}};
    memset(&w, 0, sizeof(w));
    w.is_rng = setup & 4;
    w.gmem.region_count = 1;
    w.gmem.region[0] = (struct gmem_region){0, RAM_SIZE, calloc(1, RAM_SIZE)};
    for (unsigned i = 0; i < PCI_INTX_LINK_COUNT; i++)
        wiring.intx[i] = (struct irq_line){set_pin, NULL, i};
    iobus_init(&w.pio, NULL, NULL);
    iobus_init(&w.mmio, NULL, NULL);
    pci_init(&w.pci, &wiring);
    virtio_console_init(&w.console, &host, (struct signal_line){stalled, NULL},
                        (struct signal_line){nothing, NULL});
    virtio_rng_init(&w.rng, fill, NULL);
    virtio_pci_init(&w.vp, w.is_rng ? &virtio_rng_ops : &virtio_console_ops,
                    w.is_rng ? (void *)&w.rng : &w.console, &w.gmem, (struct virtio_fault_sink){0});
    check(pci_attach(&w.pci, &w.vp.pci, 1));
    pci_config_write(&w.pci, 1 << 3, 0x04, 2, 6);
    start(setup);
}

static uint16_t ram16(uint32_t at)
{
    const uint8_t *ram = w.gmem.region[0].host + at;
    return (uint16_t)(ram[0] | ram[1] << 8);
}

static void ram16_set(uint32_t at, uint16_t value)
{
    w.gmem.region[0].host[at] = (uint8_t)value;
    w.gmem.region[0].host[at + 1] = (uint8_t)(value >> 8);
}

/* Serves a queue, by the driver's notification or the machine's call. */
static void serve(unsigned q, bool from_outside)
{
    bool dead = (w.vp.status & 0x40) != 0;
    uint16_t used = w.vp.queue[q].used_index;
    w.put = 0;
    w.stalled = false;
    if (from_outside)
        virtio_pci_serve(&w.vp, q);
    else
        bar_write(0x3000 + 4 * q, 2, q);
    uint16_t progress = (uint16_t)(w.vp.queue[q].used_index - used);
    check(progress <= QUEUE_SIZE || q == 0);
    check(w.put <= VIRTIO_CONSOLE_TX_BUDGET);
    check(!dead || (progress == 0 && w.put == 0));
    if (!w.is_rng && q == 1 && !(w.vp.status & 0x40))
        check(w.stalled || !w.console.tx_open);
}

static void step(struct input *in)
{
    uint8_t command = take8(in);
    unsigned q = w.is_rng ? 0 : command >> 3 & 1;
    uint32_t ring = RINGS(q);
    switch (command & 7) {
    case 0: { /* bytes anywhere in RAM */
        uint32_t at = (uint32_t)take(in, 2) % RAM_SIZE;
        for (unsigned len = 1 + (command >> 4); len > 0 && at < RAM_SIZE; len--)
            w.gmem.region[0].host[at++] = take8(in);
        break;
    }
    case 1: /* a descriptor */
        ring += 16u * (command >> 4 & 7);
        memset(w.gmem.region[0].host + ring, 0, 16);
        ram16_set(ring, (uint16_t)(BUFFERS + take(in, 2) % 0x4800));
        ram16_set(ring + 8, (uint16_t)take(in, 2));
        ram16_set(ring + 12, take8(in));
        ram16_set(ring + 14, take8(in));
        break;
    case 2: /* a head, published */
        ram16_set(ring + 0x404 + 2u * (ram16(ring + 0x402) % QUEUE_SIZE), command >> 4 & 7);
        ram16_set(ring + 0x402, (uint16_t)(ram16(ring + 0x402) + 1));
        break;
    case 3:
        for (unsigned n = take8(in); n > 0 && !w.is_rng; n--)
            w.typed += virtio_console_rx(&w.console, (uint8_t)n);
        break;
    case 4:
        w.room += (uint32_t)take(in, 2);
        break;
    case 5: /* emergency write, or any register of the device's configuration */
        bar_write(0x2000 + (command >> 4), 1u << (command >> 3 & 3), take(in, 2));
        break;
    case 6:
        if (command & 0x80) {
            memset(w.gmem.region[0].host, 0, BUFFERS);
            start(take8(in));
        } else {
            iobus_read(&w.mmio, BAR0 + 0x1000, 1);
        }
        break;
    default:
        serve(q, command & 0x10);
    }
    check(w.pin == (w.vp.isr != 0));
    check(ring_count(&w.console.rx) <= VIRTIO_CONSOLE_RX_BYTES);
    check(w.console.rx_bytes + ring_count(&w.console.rx) <= w.typed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    world_init(take8(&in));
    while (in.size > 0)
        step(&in);
    free(w.gmem.region[0].host);
    return 0;
}
