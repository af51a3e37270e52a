/*
 * A guest for the virtio tests: RAM between guard pages, the driver's side of a split virtqueue,
 * and a machine of two buses, PCI and one virtio disk. All numbers are typed in from the
 * specifications; none is the code's.
 */
#ifndef TESTS_VIRTIO_GUEST_H
#define TESTS_VIRTIO_GUEST_H

#include "dev/iobus.h"
#include "dev/pci.h"
#include "dev/ramdisk.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_pci.h"

#include <stdlib.h>
#include <string.h>

#define RAM_BASE   0x100000ull
#define RAM_SIZE   0x80000ull
#define GUARD      4096
#define GUARD_BYTE 0xA5

struct guest {
    uint8_t *block; /* guard, RAM, guard */
    struct gmem gmem;
    uint16_t size; /* of the queue */
    gpa_t desc, avail, used;
    uint16_t avail_index;
};

static inline void guest_init(struct guest *guest, uint16_t queue_size)
{
    memset(guest, 0, sizeof(*guest));
    guest->block = malloc(RAM_SIZE + 2 * GUARD);
    memset(guest->block, GUARD_BYTE, RAM_SIZE + 2 * GUARD);
    memset(guest->block + GUARD, 0, RAM_SIZE);
    guest->gmem.region_count = 1;
    guest->gmem.region[0] = (struct gmem_region){RAM_BASE, RAM_SIZE, guest->block + GUARD};
    guest->size = queue_size;
    guest->desc = RAM_BASE + 0x1000;
    guest->avail = RAM_BASE + 0x2000;
    guest->used = RAM_BASE + 0x3000;
}

static inline uint8_t *guest_ram(const struct guest *guest, gpa_t gpa)
{
    return guest->block + GUARD + (gpa - RAM_BASE);
}

static inline bool guest_guards_intact(const struct guest *guest)
{
    for (unsigned i = 0; i < GUARD; i++) {
        if (guest->block[i] != GUARD_BYTE || guest->block[GUARD + RAM_SIZE + i] != GUARD_BYTE)
            return false;
    }
    return true;
}

static inline void put16(const struct guest *guest, gpa_t gpa, uint16_t value)
{
    memcpy(guest_ram(guest, gpa), &value, 2);
}

static inline void put32(const struct guest *guest, gpa_t gpa, uint32_t value)
{
    memcpy(guest_ram(guest, gpa), &value, 4);
}

static inline void put64(const struct guest *guest, gpa_t gpa, uint64_t value)
{
    memcpy(guest_ram(guest, gpa), &value, 8);
}

static inline uint16_t get16(const struct guest *guest, gpa_t gpa)
{
    uint16_t value;
    memcpy(&value, guest_ram(guest, gpa), 2);
    return value;
}

static inline uint32_t get32(const struct guest *guest, gpa_t gpa)
{
    uint32_t value;
    memcpy(&value, guest_ram(guest, gpa), 4);
    return value;
}

/* Flags: 1 next, 2 write, 4 indirect. */
static inline void desc_at(const struct guest *guest, gpa_t table, unsigned index, uint64_t addr,
                           uint32_t len, uint16_t flags, uint16_t next)
{
    put64(guest, table + 16 * index, addr);
    put32(guest, table + 16 * index + 8, len);
    put16(guest, table + 16 * index + 12, flags);
    put16(guest, table + 16 * index + 14, next);
}

static inline void desc_set(const struct guest *guest, unsigned index, uint64_t addr, uint32_t len,
                            uint16_t flags, uint16_t next)
{
    desc_at(guest, guest->desc, index, addr, len, flags, next);
}

/* Puts a chain into the available ring and publishes it. */
static inline void make_available(struct guest *guest, uint16_t head)
{
    put16(guest, guest->avail + 4 + 2 * (guest->avail_index % guest->size), head);
    guest->avail_index++;
    put16(guest, guest->avail + 2, guest->avail_index);
}

static inline uint16_t used_index(const struct guest *guest)
{
    return get16(guest, guest->used + 2);
}

static inline uint32_t used_head(const struct guest *guest, uint16_t index)
{
    return get32(guest, guest->used + 4 + 8 * (index % guest->size));
}

static inline uint32_t used_len(const struct guest *guest, uint16_t index)
{
    return get32(guest, guest->used + 4 + 8 * (index % guest->size) + 4);
}

/* --- the machine --- */

#define DISK_SECTORS 64
#define BAR0         0xE0000000ull

struct machine {
    struct iobus pio, mmio;
    struct pci pci;
    struct guest guest;
    uint8_t *disk_block; /* guard, medium, guard */
    struct ramdisk disk;
    struct virtio_blk blk;
    struct virtio_blk_work blk_work;
    struct virtio_pci vp;
    bool intx[4];
    unsigned intx_changes;
    struct apic_message message; /* the newest of the devices' */
    unsigned messages;
    unsigned fault_count;
    const char *fault_reason;
};

static inline void machine_intx(void *sink, unsigned pin, bool high)
{
    struct machine *m = sink;
    m->intx_changes += m->intx[pin] != high;
    m->intx[pin] = high;
}

static inline bool machine_message(void *ctx, const struct apic_message *message)
{
    struct machine *m = ctx;
    m->message = *message;
    m->messages++;
    return true;
}

static inline void machine_fault(void *ctx, const char *device, const char *reason)
{
    struct machine *m = ctx;
    (void)device;
    m->fault_count++;
    m->fault_reason = reason;
}

static inline void machine_pci(struct machine *m)
{
    struct pci_wiring wiring = {
        .pio = &m->pio,
        .mmio = &m->mmio,
        .io = {0xC000, 0x1000},
        .mem = {0xE0000000, 0x1000000},
        .mem64 = {0x8000000000, 0x100000000},
        .intx_irq = {11, 10, 9, 5},
        .msi = {machine_message, m},
    };
    for (unsigned i = 0; i < 4; i++)
        wiring.intx[i] = (struct irq_line){machine_intx, m, i};
    iobus_init(&m->pio, NULL, NULL);
    iobus_init(&m->mmio, NULL, NULL);
    pci_init(&m->pci, &wiring);
    iobus_add(&m->pio, 0xCF8, 8, &pci_ops, &m->pci, 0);
}

/* A machine whose disk is in slot 1. Every sector of the medium is filled with its number. */
static inline struct machine *machine_new(bool read_only)
{
    struct machine *m = calloc(1, sizeof(*m));
    machine_pci(m);
    guest_init(&m->guest, 16);
    m->disk_block = malloc(DISK_SECTORS * 512 + 2 * GUARD);
    memset(m->disk_block, GUARD_BYTE, DISK_SECTORS * 512 + 2 * GUARD);
    for (unsigned i = 0; i < DISK_SECTORS; i++)
        memset(m->disk_block + GUARD + 512 * i, (int)i, 512);
    /* 100 bytes more than whole sectors: they must stay out of reach. */
    ramdisk_init(&m->disk, m->disk_block + GUARD, DISK_SECTORS * 512 + 100, read_only, "pxhv-disk");
    virtio_blk_init(&m->blk, &m->disk.backend, &m->guest.gmem, &m->blk_work);
    virtio_pci_init(&m->vp, &virtio_blk_ops, &m->blk, &m->guest.gmem,
                    (struct virtio_fault_sink){machine_fault, m});
    pci_attach(&m->pci, &m->vp.pci, 1);
    return m;
}

static inline uint8_t *disk_sector(const struct machine *m, unsigned sector)
{
    return m->disk_block + GUARD + 512 * sector;
}

static inline bool disk_guards_intact(const struct machine *m)
{
    for (unsigned i = 0; i < GUARD; i++) {
        if (m->disk_block[i] != GUARD_BYTE ||
            m->disk_block[GUARD + DISK_SECTORS * 512 + i] != GUARD_BYTE)
            return false;
    }
    return true;
}

static inline void machine_free(struct machine *m)
{
    free(m->disk_block);
    free(m->guest.block);
    free(m);
}

static inline uint32_t in(struct machine *m, uint16_t port, unsigned size)
{
    return (uint32_t)iobus_read(&m->pio, port, size);
}

static inline void out(struct machine *m, uint16_t port, unsigned size, uint32_t value)
{
    iobus_write(&m->pio, port, size, value);
}

/* Configuration space of bus 0, function 0, through mechanism #1. */
static inline uint32_t cfg_read(struct machine *m, unsigned slot, unsigned reg, unsigned size)
{
    out(m, 0xCF8, 4, 0x80000000u | slot << 11 | (reg & 0xFC));
    return in(m, (uint16_t)(0xCFC + (reg & 3)), size);
}

static inline void cfg_write(struct machine *m, unsigned slot, unsigned reg, unsigned size,
                             uint32_t value)
{
    out(m, 0xCF8, 4, 0x80000000u | slot << 11 | (reg & 0xFC));
    out(m, (uint16_t)(0xCFC + (reg & 3)), size, value);
}

static inline uint64_t mmio_read(struct machine *m, uint64_t address, unsigned size)
{
    return iobus_read(&m->mmio, address, size);
}

static inline void mmio_write(struct machine *m, uint64_t address, unsigned size, uint64_t value)
{
    iobus_write(&m->mmio, address, size, value);
}

/* --- the driver: common configuration at BAR0 + 0, ISR + 1000h, device + 2000h, notify + 3000h ---
 */

static inline uint8_t status(struct machine *m)
{
    return (uint8_t)mmio_read(m, BAR0 + 0x14, 1);
}

static inline void set_status(struct machine *m, uint8_t value)
{
    mmio_write(m, BAR0 + 0x14, 1, value);
}

static inline uint64_t device_features(struct machine *m)
{
    mmio_write(m, BAR0 + 0x00, 4, 0);
    uint64_t low = mmio_read(m, BAR0 + 0x04, 4);
    mmio_write(m, BAR0 + 0x00, 4, 1);
    return low | mmio_read(m, BAR0 + 0x04, 4) << 32;
}

static inline void set_driver_features(struct machine *m, uint64_t features)
{
    mmio_write(m, BAR0 + 0x08, 4, 0);
    mmio_write(m, BAR0 + 0x0C, 4, (uint32_t)features);
    mmio_write(m, BAR0 + 0x08, 4, 1);
    mmio_write(m, BAR0 + 0x0C, 4, features >> 32);
}

static inline void setup_queue(struct machine *m)
{
    mmio_write(m, BAR0 + 0x16, 2, 0);
    mmio_write(m, BAR0 + 0x18, 2, m->guest.size);
    mmio_write(m, BAR0 + 0x20, 4, (uint32_t)m->guest.desc);
    mmio_write(m, BAR0 + 0x24, 4, m->guest.desc >> 32);
    mmio_write(m, BAR0 + 0x28, 4, (uint32_t)m->guest.avail);
    mmio_write(m, BAR0 + 0x2C, 4, m->guest.avail >> 32);
    mmio_write(m, BAR0 + 0x30, 4, (uint32_t)m->guest.used);
    mmio_write(m, BAR0 + 0x34, 4, m->guest.used >> 32);
    mmio_write(m, BAR0 + 0x1C, 2, 1);
}

#define FEATURE_FLUSH     (1ull << 9)
#define FEATURE_INDIRECT  (1ull << 28)
#define FEATURE_EVENT_IDX (1ull << 29)
#define FEATURE_VERSION_1 (1ull << 32)

/* VIRTIO 1.2 "Device Initialization", with memory decoding and bus mastering on before it. */
static inline void driver_start(struct machine *m, uint64_t features)
{
    cfg_write(m, 1, 0x04, 2, 0x0006);
    set_status(m, 0);
    set_status(m, 0x01);
    set_status(m, 0x03);
    set_driver_features(m, features);
    set_status(m, 0x0B);
    setup_queue(m);
    set_status(m, 0x0F);
}

static inline void notify(struct machine *m)
{
    mmio_write(m, BAR0 + 0x3000, 2, 0);
}

static inline uint8_t read_isr(struct machine *m)
{
    return (uint8_t)mmio_read(m, BAR0 + 0x1000, 1);
}

#endif
