/* needs: vmm/dev/virtio_blk.c vmm/dev/ramdisk.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c */
#include "dev/ramdisk.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_pci.h"
#include "lib/bits.h"
#include "input.h"

#include <stdlib.h>
#include <string.h>

/*
 * Noise against configuration space, BARs and transport registers of a bus with two virtio disks on
 * one interrupt link and a third device with every kind of BAR. Input: commands (see step()).
 *
 * Invariants: the link is the OR of the devices' causes; ranges on the buses lie in the windows and
 * don't overlap; ids don't change; the status bits are in order; queues keep legal sizes; a reset
 * is a fresh init.
 */

#define ECAM      0xFEB00000u
#define RAM_BASE  0x10000u
#define RAM_SIZE  0x4000u
#define DISK_SIZE 2048u
#define DISKS     2u

struct world {
    struct iobus pio, mmio;
    struct pci pci;
    struct gmem gmem;
    struct ramdisk disk[DISKS];
    struct virtio_blk blk[DISKS];
    struct virtio_blk_work work;
    struct virtio_pci vp[DISKS]; /* slots 1 and 5 */
    struct pci_device other;     /* slot 9 */
    uint8_t fresh[3][PCI_CONFIG_SIZE];
    uint8_t *ram, *medium;
    bool pin[PCI_INTX_LINK_COUNT];
};

static const unsigned slots[3] = {1, 5, 9};

static void set_pin(void *sink, unsigned pin, bool high)
{
    ((bool *)sink)[pin] = high;
}

static enum io_result other_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    (void)dev, (void)size;
    check(offset < 0x10000);
    *value = offset;
    return IO_OK;
}

static enum io_result other_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    (void)dev, (void)size, (void)value;
    check(offset < 0x10000);
    return IO_OK;
}

static const struct dev_ops other_ops = {.name = "other", .read = other_read, .write = other_write};

static void other_init(struct world *w)
{
    static const struct pci_identity identity = {
        .vendor_id = 0x1234, .device_id = 0x1111, .class_code = 0xFF0000};
    const struct pci_bar bars[3] = {
        {.kind = PCI_BAR_IO, .size_bytes = 64, .ops = &other_ops},
        {.kind = PCI_BAR_MEM32, .size_bytes = 4096, .ops = &other_ops},
        {.kind = PCI_BAR_MEM64, .size_bytes = 65536, .ops = &other_ops}};
    pci_device_init(&w->other, &identity, NULL, NULL);
    for (unsigned i = 0; i < 3; i++)
        check(pci_add_bar(&w->other, 2 * i, &bars[i]));
    check(pci_attach(&w->pci, &w->other, slots[2]));
}

static struct pci_device *device(struct world *w, unsigned index)
{
    return index < DISKS ? &w->vp[index].pci : &w->other;
}

static void world_init(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->ram = calloc(1, RAM_SIZE);
    w->medium = calloc(DISKS, DISK_SIZE);
    w->gmem.region_count = 1;
    w->gmem.region[0] = (struct gmem_region){RAM_BASE, RAM_SIZE, w->ram};
    struct pci_wiring wiring = {.pio = &w->pio,
                                .mmio = &w->mmio,
                                .io = {0xC000, 0x1000},
                                .mem = {0xE0000000, 0x100000},
                                .mem64 = {0x100000000, 0x100000},
                                .intx_irq = {11, 10, 9, 5}};
    for (unsigned i = 0; i < PCI_INTX_LINK_COUNT; i++)
        wiring.intx[i] = (struct irq_line){set_pin, w->pin, i};
    iobus_init(&w->pio, NULL, NULL);
    iobus_init(&w->mmio, NULL, NULL);
    pci_init(&w->pci, &wiring);
    check(iobus_add(&w->pio, 0xCF8, 8, &pci_ops, &w->pci, 0));
    check(iobus_add(&w->mmio, ECAM, 0x100000, &pci_ecam_ops, &w->pci, 0));
    for (unsigned i = 0; i < DISKS; i++) {
        ramdisk_init(&w->disk[i], w->medium + i * DISK_SIZE, DISK_SIZE, i == 1, "fuzz");
        virtio_blk_init(&w->blk[i], &w->disk[i].backend, &w->gmem, &w->work);
        virtio_pci_init(&w->vp[i], &virtio_blk_ops, &w->blk[i], &w->gmem,
                        (struct virtio_fault_sink){0});
        check(pci_attach(&w->pci, &w->vp[i].pci, slots[i]));
    }
    other_init(w);
    for (unsigned i = 0; i < 3; i++)
        memcpy(w->fresh[i], device(w, i)->config, PCI_CONFIG_SIZE);
}

/* --- invariants --- */

static void check_ranges(const struct iobus *bus, const struct pci_window *a,
                         const struct pci_window *b)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < bus->range_count; i++) {
        uint64_t base = bus->range[i].base, size = bus->range[i].size_bytes;
        bool fixed = base == ECAM && size == 0x100000;
        bool in_a = base >= a->base && range_fits(base - a->base, size, a->size_bytes);
        bool in_b = base >= b->base && range_fits(base - b->base, size, b->size_bytes);
        check(fixed || in_a || in_b);
        check(base >= end);
        end = base + size;
    }
}

static bool cause(const struct virtio_pci *vp)
{
    return vp->isr != 0 && !msix_enabled(&vp->msix) && (vp->pci.config[0x05] & 0x04) == 0;
}

static void check_transport(const struct virtio_pci *vp)
{
    const struct virtqueue *queue = &vp->queue[0];
    bool intx = vp->isr != 0 && !msix_enabled(&vp->msix);
    check((vp->pci.config[0x06] & 0x08 ? true : false) == intx);
    check(vp->msix.pending < 1u << vp->msix.count);
    check(vp->config_vector < vp->msix.count || vp->config_vector == 0xFFFF);
    check(vp->queue_vector[0] < vp->msix.count || vp->queue_vector[0] == 0xFFFF);
    check(!(vp->status & 0x04) || (vp->status & 0x08));
    check(!(vp->status & 0x08) || ((vp->status & 0x02) && (vp->driver_features & BIT64(32))));
    check(!queue->enabled || (vp->status & 0x08));
    check(queue->size >= 1 && queue->size <= 256 && (queue->size & (queue->size - 1)) == 0);
}

static void check_world(const struct world *w)
{
    const struct pci_wiring *wiring = &w->pci.wiring;
    const struct pci_window ports = {0xCF8, 8};
    check_ranges(&w->pio, &wiring->io, &ports);
    check_ranges(&w->mmio, &wiring->mem, &wiring->mem64);
    check(w->pin[1] == (cause(&w->vp[0]) || cause(&w->vp[1])));
    check(!w->pin[0] && !w->pin[2] && !w->pin[3]);
    for (unsigned i = 0; i < DISKS; i++) {
        check_transport(&w->vp[i]);
        check(memcmp(w->vp[i].pci.config, w->fresh[i], 4) == 0);
    }
}

static void check_fresh(struct world *w)
{
    for (unsigned i = 0; i < 3; i++)
        check(memcmp(device(w, i)->config, w->fresh[i], PCI_CONFIG_SIZE) == 0);
    for (unsigned i = 0; i < DISKS; i++)
        check(w->vp[i].status == 0 && w->vp[i].isr == 0 && !w->vp[i].queue[0].enabled);
    check(w->mmio.range_count == 1 && w->pio.range_count == 1);
}

/* --- commands --- */

static void access_bus(struct iobus *bus, struct input *in, bool write, uint64_t address,
                       unsigned size)
{
    if (write)
        iobus_write(bus, address, size, (uint32_t)take(in, 4) | (uint64_t)take8(in) << 32);
    else
        check((iobus_read(bus, address, size) & ~size_mask(size)) == 0);
}

/* A register of a disk's BAR, wherever the BAR lies. */
static void access_bar(struct world *w, struct input *in, uint8_t command)
{
    uint8_t where = take8(in);
    bool msix = where == 0xFF;
    const struct pci_bar *bar = &w->vp[command >> 3 & 1].pci.bar[msix];
    uint32_t offset = (uint32_t)(where & 3) << 12 | where >> 2;
    if (msix)
        offset = take8(in) << 4 & 0xFF0;
    if (bar->mapped)
        access_bus(&w->mmio, in, command & 0x80, bar->mapped_base + offset,
                   1u << (command >> 5 & 3));
}

/* Bit 4: of a device that is there; its extended registers are a quarter of what is accessed. What
 * fits a dword reads as pci_config_read() says, but for the disks, whose window has side effects.
 */
static void access_ecam(struct world *w, struct input *in, uint8_t command)
{
    uint32_t where = (uint32_t)take(in, 3);
    unsigned size = 1u << (command >> 5 & 3);
    if (command & 0x10)
        where = slots[(where & 3) % 3] << 15 | (where >> 2 & 0xFF) | (where & 0xC00 ? 0 : 0x100);
    where &= 0xFFFFF;
    access_bus(&w->mmio, in, command & 0x80, ECAM + where, size);
    if (size <= 4 && where >> 15 != slots[0] && where >> 15 != slots[1])
        check(iobus_read(&w->mmio, ECAM + where, size) ==
              pci_config_read(&w->pci, where >> 12, where & 0xFFF, size));
}

static void start_disk(struct world *w, uint8_t command)
{
    static const struct {
        uint8_t offset, size;
        uint32_t value;
    } writes[] = {{0x14, 1, 0},       {0x14, 1, 3}, {0x08, 4, 1},       {0x0C, 4, 1},
                  {0x14, 1, 0x0B},    {0x18, 2, 4}, {0x20, 8, 0x10000}, {0x28, 8, 0x10100},
                  {0x30, 8, 0x10200}, {0x1C, 2, 1}, {0x14, 1, 0x0F}};
    unsigned index = command >> 3 & 1;
    pci_config_write(&w->pci, slots[index] << 3, 0x04, 2, 6);
    const struct pci_bar *bar = &w->vp[index].pci.bar[0];
    for (unsigned i = 0; i < ARRAY_SIZE(writes) && bar->mapped; i++)
        iobus_write(&w->mmio, bar->mapped_base + writes[i].offset, writes[i].size, writes[i].value);
}

static void step(struct world *w, struct input *in)
{
    uint8_t command = take8(in);
    unsigned size = 1u << (command >> 5 & 3);
    unsigned port_size = size == 8 ? 1 : size;
    switch (command & 7) {
    case 0: /* a port of mechanism #1 */
        access_bus(&w->pio, in, command & 0x80, 0xCF8 + (command >> 3 & 3) * 2, port_size);
        break;
    case 1: { /* configuration space of a device that is there */
        uint8_t reg = take8(in);
        iobus_write(&w->pio, 0xCF8, 4,
                    0x80000000u | slots[(command >> 3 & 3) % 3] << 11 | (reg & 0xFCu));
        access_bus(&w->pio, in, command & 0x80, 0xCFCu + (reg & 3), port_size);
        break;
    }
    case 2: /* any configuration address, as mechanism #1 has it and as memory */
        if (command & 0x08)
            check((pci_config_read(&w->pci, (uint32_t)take(in, 4) & 0xFFFF, take8(in), port_size) &
                   ~size_mask(port_size)) == 0);
        else
            access_ecam(w, in, command);
        break;
    case 3:
    case 4:
        access_bar(w, in, command);
        break;
    case 5: /* any address */
        access_bus(&w->mmio, in, command & 0x80, (uint32_t)take(in, 4), size);
        break;
    case 6: { /* RAM, where the rings may lie */
        uint32_t at = (uint32_t)take(in, 4) % RAM_SIZE;
        w->ram[at] = take8(in);
        break;
    }
    default:
        if (command & 0x80) {
            start_disk(w, command);
        } else if ((command & 0x78) == 0) {
            pci_ops.reset(&w->pci);
            check_fresh(w);
        }
    }
    check_world(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    static const uint8_t zeroes[DISK_SIZE];
    struct input in = {data, size};
    world_init(&world);
    while (in.size > 0)
        step(&world, &in);
    check(memcmp(world.medium + DISK_SIZE, zeroes, DISK_SIZE) == 0); /* the read-only one */
    pci_ops.reset(&world.pci);
    check_fresh(&world);
    check_world(&world);
    free(world.ram);
    free(world.medium);
    return 0;
}
