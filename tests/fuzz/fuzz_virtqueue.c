/* needs: vmm/dev/virtio_blk.c vmm/dev/ramdisk.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c */
#include "dev/ramdisk.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_pci.h"
#include "lib/bits.h"
#include "input.h"

#include <stdlib.h>
#include <string.h>

/*
 * A driver that owns the rings of a virtio disk and fills them with noise. RAM begins at address 0,
 * so that small numbers are good addresses. It consists of regions whose borders cut the table, the
 * rings and what they point to; regions and medium are heap blocks of their exact size, so that
 * ASan sees a byte beyond. Input: two bytes of setup, then commands (see step()).
 *
 * Invariants: the pin is the ISR; a notification uses at most a queue's length of chains, in the
 * order of the used index; NEEDS_RESET appears exactly with a fault and then nothing moves; a
 * read-only medium keeps its bytes.
 */

#define RAM_SIZE  0x6000u
#define DISK_SIZE 4096u
#define BAR0      0xE0000000u
#define DESC      0x0000u
#define AVAIL     0x1000u
#define USED      0x2000u

#define REGIONS 7u
static const uint32_t border[REGIONS + 1] = {0,      0x0018, 0x1006, 0x2008,
                                             0x3008, 0x4018, 0x5100, RAM_SIZE};

struct world {
    struct iobus pio, mmio;
    struct pci pci;
    struct gmem gmem;
    struct ramdisk disk;
    struct virtio_blk blk;
    struct virtio_blk_work work;
    struct virtio_pci vp;
    uint8_t *medium;
    bool pin;
    uint16_t queue_size;
    uint64_t features;
};

static void set_pin(void *sink, unsigned pin, bool high)
{
    (void)pin;
    *(bool *)sink = high;
}

static void common_write(struct world *w, uint32_t offset, unsigned size, uint64_t value)
{
    iobus_write(&w->mmio, BAR0 + offset, size, value);
}

static void start(struct world *w)
{
    common_write(w, 0x14, 1, 0);
    common_write(w, 0x14, 1, 3);
    common_write(w, 0x08, 4, 0);
    common_write(w, 0x0C, 4, (uint32_t)w->features);
    common_write(w, 0x08, 4, 1);
    common_write(w, 0x0C, 4, 1);
    common_write(w, 0x14, 1, 0x0B);
    common_write(w, 0x18, 2, w->queue_size);
    common_write(w, 0x20, 8, DESC);
    common_write(w, 0x28, 8, AVAIL);
    common_write(w, 0x30, 8, USED);
    common_write(w, 0x1C, 2, 1);
    common_write(w, 0x14, 1, 0x0F);
    check(w->vp.status == 0x0F);
}

static void world_init(struct world *w, uint8_t setup, uint8_t features)
{
    memset(w, 0, sizeof(*w));
    w->medium = calloc(1, DISK_SIZE);
    for (unsigned i = 0; i < REGIONS; i++) {
        uint32_t size = border[i + 1] - border[i];
        w->gmem.region[i] = (struct gmem_region){border[i], size, calloc(1, size)};
    }
    w->gmem.region_count = REGIONS;
    w->queue_size = (uint16_t)(1u << (setup & 7));
    w->features = (uint64_t)(features & 3) << 28 | (features & 4 ? BIT64(9) : 0);

    struct pci_wiring wiring = {
        .pio = &w->pio, .mmio = &w->mmio, .mem = {BAR0, 0x100000}, .intx_irq = {11, 11, 11, 11}};
    for (unsigned i = 0; i < PCI_INTX_LINK_COUNT; i++)
        wiring.intx[i] = (struct irq_line){set_pin, &w->pin, i};
    iobus_init(&w->pio, NULL, NULL);
    iobus_init(&w->mmio, NULL, NULL);
    pci_init(&w->pci, &wiring);
    ramdisk_init(&w->disk, w->medium, DISK_SIZE, (setup & 0x80) != 0, "fuzz");
    virtio_blk_init(&w->blk, &w->disk.backend, &w->gmem, &w->work);
    virtio_pci_init(&w->vp, &virtio_blk_ops, &w->blk, &w->gmem, (struct virtio_fault_sink){0});
    check(pci_attach(&w->pci, &w->vp.pci, 1));
    pci_config_write(&w->pci, 1 << 3, 0x04, 2, 6);
    start(w);
}

static uint8_t *ram(const struct world *w, uint32_t at)
{
    unsigned i = 0;
    while (at >= border[i + 1])
        i++;
    return w->gmem.region[i].host + (at - border[i]);
}

static void ram_clear(struct world *w, uint32_t at, uint32_t len)
{
    while (len-- > 0)
        *ram(w, at++) = 0;
}

static uint16_t ram16(const struct world *w, uint32_t at)
{
    return (uint16_t)(*ram(w, at) | *ram(w, at + 1) << 8);
}

static void ram16_set(struct world *w, uint32_t at, uint16_t value)
{
    *ram(w, at) = (uint8_t)value;
    *ram(w, at + 1) = (uint8_t)(value >> 8);
}

static void notify(struct world *w)
{
    bool dead = (w->vp.status & 0x40) != 0;
    uint64_t faults = w->vp.faults, moved = w->blk.read_bytes + w->blk.written_bytes;
    uint16_t used = w->vp.queue[0].used_index;
    iobus_write(&w->mmio, BAR0 + 0x3000, 2, 0);
    uint16_t progress = (uint16_t)(w->vp.queue[0].used_index - used);
    moved = w->blk.read_bytes + w->blk.written_bytes - moved;
    check(progress <= w->queue_size);
    check(moved <= (uint64_t)progress * DISK_SIZE);
    check(!dead || (progress == 0 && w->vp.faults == faults));
    check(dead || (w->vp.faults != faults) == ((w->vp.status & 0x40) != 0));
    check((w->vp.queue[0].broken != NULL) == ((w->vp.status & 0x40) != 0));
}

/* A well-formed request in descriptors first .. first + 2, so that noise has something to bend. */
static void offer_request(struct world *w, struct input *in)
{
    uint16_t mask = (uint16_t)(w->queue_size - 1);
    uint16_t first = take8(in) & mask;
    uint8_t type = take8(in) & 15, sector = take8(in);
    uint16_t len = (uint16_t)take(in, 2);
    uint32_t header = 0x3000u + 32u * first;
    ram_clear(w, header, 16);
    *ram(w, header) = type;
    *ram(w, header + 8) = sector;
    const struct {
        uint32_t addr, len;
        uint16_t flags;
    } desc[3] = {{header, 16, 1}, {0x5000, len, type == 1 ? 1 : 3}, {header + 16, 1, 2}};
    for (uint16_t i = 0; i < 3; i++) {
        uint32_t at = DESC + 16u * ((first + i) & mask);
        ram_clear(w, at, 16);
        ram16_set(w, at, (uint16_t)desc[i].addr);
        ram16_set(w, at + 8, (uint16_t)desc[i].len);
        ram16_set(w, at + 12, desc[i].flags);
        ram16_set(w, at + 14, (first + i + 1) & mask);
    }
    uint16_t index = ram16(w, AVAIL + 2);
    ram16_set(w, AVAIL + 4 + 2u * (index & mask), first);
    ram16_set(w, AVAIL + 2, (uint16_t)(index + 1));
}

static void step(struct world *w, struct input *in)
{
    uint8_t command = take8(in);
    switch (command & 7) {
    case 0: { /* bytes anywhere in RAM */
        uint32_t at = (uint16_t)take(in, 2) % RAM_SIZE;
        for (unsigned len = 1 + (command >> 3); len > 0 && at < RAM_SIZE; len--)
            *ram(w, at++) = take8(in);
        break;
    }
    case 1: { /* a descriptor, in the table or in an indirect one */
        uint32_t at = (command & 0x80 ? 0x4000u : DESC) + 16u * (command >> 3 & 15);
        ram_clear(w, at, 16);
        ram16_set(w, at, (uint16_t)take(in, 2));
        ram16_set(w, at + 8, (uint16_t)take(in, 2));
        *ram(w, at + 12) = take8(in);
        *ram(w, at + 14) = take8(in);
        break;
    }
    case 2: /* a head, published */
        ram16_set(w, AVAIL + 4 + 2u * (ram16(w, AVAIL + 2) % w->queue_size), command >> 3);
        ram16_set(w, AVAIL + 2, (uint16_t)(ram16(w, AVAIL + 2) + 1));
        break;
    case 3: /* the available index */
        ram16_set(w, AVAIL + 2, (uint16_t)(ram16(w, AVAIL + 2) + take8(in)));
        break;
    case 4: /* used_event and flags */
        ram16_set(w, AVAIL + 4 + 2u * w->queue_size, (uint16_t)take(in, 2));
        *ram(w, AVAIL) = command >> 3 & 1;
        break;
    case 5:
        offer_request(w, in);
        break;
    case 6: /* acknowledge, or start over */
        if (command & 8) {
            ram_clear(w, AVAIL, USED + 0x1000 - AVAIL);
            start(w);
        } else {
            iobus_read(&w->mmio, BAR0 + 0x1000, 1);
        }
        break;
    default:
        notify(w);
    }
    check(w->pin == (w->vp.isr != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    static const uint8_t zeroes[DISK_SIZE];
    struct input in = {data, size};
    uint8_t setup = take8(&in);
    world_init(&world, setup, take8(&in));
    while (in.size > 0)
        step(&world, &in);
    notify(&world);
    if (setup & 0x80)
        check(memcmp(world.medium, zeroes, DISK_SIZE) == 0);
    for (unsigned i = 0; i < REGIONS; i++)
        free(world.gmem.region[i].host);
    free(world.medium);
    return 0;
}
