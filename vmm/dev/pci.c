/*
 * PCI bus 0 behind configuration mechanism #1 and the memory-mapped one of PCI Express.
 *
 * Document: PCI Local Bus Specification 3.0, "Configuration Space Organization", "Base Addresses",
 * "Software Generation of Configuration Transactions", "Capabilities List"; PCI Express Base
 * Specification, "PCI Express Enhanced Configuration Access Mechanism (ECAM)".
 *
 * Modelled: CONFIG_ADDRESS (dword accesses only) and CONFIG_DATA with its byte lanes; up to 32
 * devices with a type 0 header; a mask of writable bits for each byte; I/O, 32-bit and 64-bit
 * memory BARs with sizing by all ones; command bits for I/O, memory, bus master and INTx; the
 * status register's interrupt and capabilities bits; a capability list; four INTx links, each the
 * wired OR of the devices behind it, slot n's INTA# on link n % 4. ECAM reaches the same registers
 * by address, a device's 4 KiB each. The devices are those of conventional PCI: nothing answers
 * from register 100h on, which is how such a device tells that it has no extended registers.
 *
 * The host bridge calls itself 8086:1237, the Intel 440FX: operating systems and firmware have
 * known it for decades as the bridge of a PC with PIC and ISA, and take no liberties with it. Only
 * the header is there; its memory-control registers read as zero.
 *
 * Not modelled: bridges and further buses, multi-function devices, expansion ROMs, parity and
 * SERR#, power management, mechanism #2, hot plug; latency timer and cache line size read as zero.
 *
 * There is no firmware in the guest, so its work is done here: at init and reset BARs hold usable
 * addresses, "interrupt line" the IRQ; decoding is off, as after RST#.
 *
 * A hostile guest may
 * - move a BAR over RAM, another device or the end of the address space: only a range inside the
 *   injected windows that overlaps nothing is put on a bus; else the BAR decodes nothing;
 * - write any register in any width: each byte passes its write mask, and an access can't leave
 *   its dword, so neither can an index leave configuration space;
 * - touch devices, functions or buses that don't exist: all ones, counted.
 */
#include "dev/pci.h"

#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/mem.h"

/* --- BARs ------------------------------------------------------------------------------------- */

static unsigned bar_register(unsigned index)
{
    return PCI_BAR0 + 4 * index;
}

/* The address that the guest wrote, flags removed. */
static uint64_t bar_base(const struct pci_device *device, unsigned index)
{
    const uint8_t *bytes = &device->config[bar_register(index)];
    switch (device->bar[index].kind) {
    case PCI_BAR_IO:
        return load_le32(bytes) & ~PCI_BAR_IO_FLAGS;
    case PCI_BAR_MEM32:
        return load_le32(bytes) & ~PCI_BAR_MEM_FLAGS;
    case PCI_BAR_MEM64:
        return load_le64(bytes) & ~(uint64_t)PCI_BAR_MEM_FLAGS;
    case PCI_BAR_NONE:
        break;
    }
    return 0;
}

static struct iobus *bar_bus(const struct pci *pci, const struct pci_bar *bar)
{
    return bar->kind == PCI_BAR_IO ? pci->wiring.pio : pci->wiring.mmio;
}

static bool window_holds(const struct pci_window *window, uint64_t base, uint64_t size_bytes)
{
    return base >= window->base && range_fits(base - window->base, size_bytes, window->size_bytes);
}

/* Whether the command register switches this BAR on. */
static bool bar_decoding(const struct pci_device *device, const struct pci_bar *bar)
{
    uint16_t command = load_le16(&device->config[PCI_COMMAND]);
    uint16_t enable = bar->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    return bar->kind != PCI_BAR_NONE && (command & enable) != 0;
}

static bool bar_place_allowed(const struct pci *pci, const struct pci_bar *bar, uint64_t base)
{
    const struct pci_wiring *wiring = &pci->wiring;
    if (bar->kind == PCI_BAR_IO)
        return window_holds(&wiring->io, base, bar->size_bytes);
    return window_holds(&wiring->mem, base, bar->size_bytes) ||
           (bar->kind == PCI_BAR_MEM64 && window_holds(&wiring->mem64, base, bar->size_bytes));
}

/* Takes the device's BARs off their buses where they no longer belong. */
static void bars_unmap_stale(struct pci_device *device)
{
    for (unsigned i = 0; i < PCI_BAR_REGISTERS; i++) {
        struct pci_bar *bar = &device->bar[i];
        if (!bar->mapped)
            continue;
        if (bar_decoding(device, bar) && bar_base(device, i) == bar->mapped_base)
            continue;
        iobus_remove(bar_bus(device->bus, bar), bar->mapped_base);
        bar->mapped = false;
    }
}

static void bars_map(struct pci_device *device)
{
    struct pci *pci = device->bus;
    for (unsigned i = 0; i < PCI_BAR_REGISTERS; i++) {
        struct pci_bar *bar = &device->bar[i];
        if (bar->mapped || !bar_decoding(device, bar))
            continue;
        uint64_t base = bar_base(device, i);
        if (!bar_place_allowed(pci, bar, base) ||
            !iobus_add(bar_bus(pci, bar), base, bar->size_bytes, bar->ops, bar->dev, 0)) {
            pci->refused_bars++;
            continue;
        }
        bar->mapped = true;
        bar->mapped_base = base;
    }
}

/* A BAR that moves away may uncover one that could not be mapped before: all devices are asked. */
static void bars_changed(struct pci_device *device)
{
    struct pci *pci = device->bus;
    bars_unmap_stale(device);
    for (unsigned slot = 0; slot < PCI_MAX_SLOTS; slot++) {
        if (pci->device[slot])
            bars_map(pci->device[slot]);
    }
}

/* --- INTx ------------------------------------------------------------------------------------- */

static bool device_pin(const struct pci_device *device)
{
    return (load_le16(&device->config[PCI_STATUS]) & PCI_STATUS_INTERRUPT) &&
           !(load_le16(&device->config[PCI_COMMAND]) & PCI_COMMAND_INTX_DISABLE);
}

static bool pci_irq_cause(const struct pci *pci, unsigned link)
{
    for (unsigned slot = link; slot < PCI_MAX_SLOTS; slot += PCI_INTX_LINK_COUNT) {
        if (pci->device[slot] && device_pin(pci->device[slot]))
            return true;
    }
    return false;
}

static void pci_sync_irq(const struct pci_device *device)
{
    if (device->reset_config[PCI_INTERRUPT_PIN] == 0)
        return;
    unsigned link = device->slot % PCI_INTX_LINK_COUNT;
    irq_set(&device->bus->wiring.intx[link], pci_irq_cause(device->bus, link));
}

void pci_set_intx(struct pci_device *device, bool asserted)
{
    uint16_t status = load_le16(&device->config[PCI_STATUS]);
    status &= (uint16_t)~PCI_STATUS_INTERRUPT;
    if (asserted)
        status |= PCI_STATUS_INTERRUPT;
    store_le16(&device->config[PCI_STATUS], status);
    if (device->bus)
        pci_sync_irq(device);
}

bool pci_bus_master(const struct pci_device *device)
{
    return (load_le16(&device->config[PCI_COMMAND]) & PCI_COMMAND_MASTER) != 0;
}

/* --- configuration space ---------------------------------------------------------------------- */

static bool overlaps(unsigned reg, unsigned size, unsigned first, unsigned len)
{
    return reg < first + len && first < reg + size;
}

/* The device an access means, or NULL: then it reads as all ones. */
static struct pci_device *config_target(struct pci *pci, unsigned bdf, unsigned reg, unsigned size)
{
    bool in_one_dword = size >= 1 && size <= 4 && reg / 4 == (reg + size - 1) / 4;
    bool one_of_ours = bdf < PCI_MAX_SLOTS << 3 && (bdf & 7) == 0;
    if (!in_one_dword || !one_of_ours || !pci->device[bdf >> 3]) {
        pci->absent_accesses++;
        return NULL;
    }
    return reg < PCI_CONFIG_SIZE ? pci->device[bdf >> 3] : NULL;
}

uint32_t pci_config_read(struct pci *pci, unsigned bdf, unsigned reg, unsigned size)
{
    struct pci_device *device = config_target(pci, bdf, reg, size);
    if (!device)
        return (uint32_t)size_mask(size);
    if (device->ops && device->ops->config_read)
        device->ops->config_read(device->ctx, reg, size);
    return load_le32(&device->config[align_down(reg, 4)]) >> (reg % 4 * 8) &
           (uint32_t)size_mask(size);
}

void pci_config_write(struct pci *pci, unsigned bdf, unsigned reg, unsigned size, uint32_t value)
{
    struct pci_device *device = config_target(pci, bdf, reg, size);
    if (!device)
        return;
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = device->write_mask[reg + i];
        uint8_t old = device->config[reg + i];
        device->config[reg + i] = (uint8_t)((old & ~mask) | ((value >> (i * 8)) & mask));
    }
    bool command = overlaps(reg, size, PCI_COMMAND, 2);
    if (command || overlaps(reg, size, PCI_BAR0, 4 * PCI_BAR_REGISTERS))
        bars_changed(device);
    if (command)
        pci_sync_irq(device);
    if (device->ops && device->ops->config_written)
        device->ops->config_written(device->ctx, reg, size);
}

/* --- ECAM ------------------------------------------------------------------------------------- */

/* Up to a dword, as with mechanism #1: what a root complex does with more is its own affair. */
static enum io_result ecam_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    if (size > 4)
        return IO_BAD_SIZE;
    *value = pci_config_read(dev, offset >> 12, offset & 0xFFF, size);
    return IO_OK;
}

static enum io_result ecam_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    if (size > 4)
        return IO_BAD_SIZE;
    pci_config_write(dev, offset >> 12, offset & 0xFFF, size, (uint32_t)value);
    return IO_OK;
}

const struct dev_ops pci_ecam_ops = {.name = "pci-ecam", .read = ecam_read, .write = ecam_write};

/* --- configuration mechanism #1 --------------------------------------------------------------- */

static unsigned address_bdf(uint32_t address)
{
    return address >> 8 & 0xFFFF;
}

/* CF9h belongs to the reset control although it lies within CONFIG_ADDRESS: chip sets tell them
 * apart by the width. */
static bool is_reset_port(const struct pci *pci, uint32_t offset, unsigned size)
{
    return offset == PCI_PORT_RESET && size == 1 && pci->wiring.cf9_ops;
}

static enum io_result pci_port_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct pci *pci = dev;
    const struct pci_wiring *wiring = &pci->wiring;
    if (is_reset_port(pci, offset, size))
        return wiring->cf9_ops->read(wiring->cf9_dev, wiring->cf9_offset, size, value);
    if (offset < PCI_PORT_DATA) {
        if (offset != PCI_PORT_ADDRESS || size != 4)
            return IO_BAD_SIZE;
        *value = pci->config_address;
        return IO_OK;
    }
    if (!(pci->config_address & PCI_ADDRESS_ENABLE))
        return IO_NO_REGISTER;
    *value = pci_config_read(pci, address_bdf(pci->config_address),
                             (pci->config_address & 0xFC) + (offset - PCI_PORT_DATA), size);
    return IO_OK;
}

static enum io_result pci_port_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct pci *pci = dev;
    const struct pci_wiring *wiring = &pci->wiring;
    if (is_reset_port(pci, offset, size))
        return wiring->cf9_ops->write(wiring->cf9_dev, wiring->cf9_offset, size, value);
    if (offset < PCI_PORT_DATA) {
        if (offset != PCI_PORT_ADDRESS || size != 4)
            return IO_BAD_SIZE;
        pci->config_address = (uint32_t)value & PCI_ADDRESS_WRITABLE;
        return IO_OK;
    }
    if (!(pci->config_address & PCI_ADDRESS_ENABLE))
        return IO_NO_REGISTER;
    pci_config_write(pci, address_bdf(pci->config_address),
                     (pci->config_address & 0xFC) + (offset - PCI_PORT_DATA), size,
                     (uint32_t)value);
    return IO_OK;
}

static void device_reset(struct pci_device *device)
{
    memcpy(device->config, device->reset_config, sizeof(device->config));
    bars_unmap_stale(device);
    if (device->ops && device->ops->reset)
        device->ops->reset(device->ctx);
    pci_sync_irq(device);
}

static void pci_reset(void *dev)
{
    struct pci *pci = dev;
    pci->config_address = 0;
    for (unsigned slot = 0; slot < PCI_MAX_SLOTS; slot++) {
        if (pci->device[slot])
            device_reset(pci->device[slot]);
    }
}

const struct dev_ops pci_ops = {
    .name = "pci",
    .read = pci_port_read,
    .write = pci_port_write,
    .reset = pci_reset,
};

/* --- construction ----------------------------------------------------------------------------- */

void pci_device_init(struct pci_device *device, const struct pci_identity *identity,
                     const struct pci_device_ops *ops, void *ctx)
{
    memset(device, 0, sizeof(*device));
    device->ops = ops;
    device->ctx = ctx;
    device->next_capability = PCI_HEADER_END;

    uint8_t *config = device->reset_config;
    store_le16(config + PCI_VENDOR_ID, identity->vendor_id);
    store_le16(config + PCI_DEVICE_ID, identity->device_id);
    store_le32(config + PCI_REVISION_ID, identity->class_code << 8 | identity->revision_id);
    store_le16(config + PCI_SUBSYSTEM_VENDOR_ID, identity->subsystem_vendor_id);
    store_le16(config + PCI_SUBSYSTEM_ID, identity->subsystem_id);
    config[PCI_INTERRUPT_PIN] = identity->interrupt_pin;

    uint16_t command = PCI_COMMAND_MASTER;
    if (identity->interrupt_pin) {
        command |= PCI_COMMAND_INTX_DISABLE;
        device->write_mask[PCI_INTERRUPT_LINE] = 0xFF;
    }
    store_le16(device->write_mask + PCI_COMMAND, command);
}

bool pci_add_bar(struct pci_device *device, unsigned index, const struct pci_bar *bar)
{
    uint64_t min = bar->kind == PCI_BAR_IO ? PCI_BAR_MIN_IO : PCI_BAR_MIN_MEMORY;
    uint64_t max = bar->kind == PCI_BAR_IO ? 256 : MIB(1024);
    bool wide = bar->kind == PCI_BAR_MEM64;
    if (bar->kind == PCI_BAR_NONE || index + wide >= PCI_BAR_REGISTERS || bar->size_bytes < min ||
        bar->size_bytes > max || (bar->size_bytes & (bar->size_bytes - 1)) != 0)
        return false;
    uint8_t *mask = device->write_mask + bar_register(index);
    if (load_le32(mask) != 0 || (wide && load_le32(mask + 4) != 0))
        return false;

    device->bar[index] = *bar;
    device->bar[index].mapped = false;
    uint16_t enable = bar->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    device->write_mask[PCI_COMMAND] |= (uint8_t)enable;
    uint64_t address_bits = ~(bar->size_bytes - 1);
    store_le32(mask, (uint32_t)address_bits);
    if (wide)
        store_le32(mask + 4, (uint32_t)(address_bits >> 32));
    uint8_t *config = device->reset_config + bar_register(index);
    config[0] = bar->kind == PCI_BAR_IO ? PCI_BAR_TYPE_IO : wide ? PCI_BAR_TYPE_MEM64 : 0;
    return true;
}

uint8_t pci_add_capability(struct pci_device *device, uint8_t id, const void *body, unsigned len)
{
    uint8_t offset = device->next_capability;
    if (!range_fits(offset, len + 2ull, PCI_CONFIG_SIZE - 4))
        return 0; /* the last dword stays free, so that next_capability fits its byte */
    uint8_t *config = device->reset_config;
    config[offset] = id;
    config[offset + 1] = 0;
    memcpy(config + offset + 2, body, len);
    config[device->last_capability ? device->last_capability + 1u : PCI_CAPABILITIES] = offset;
    config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    device->last_capability = offset;
    device->next_capability = (uint8_t)align_up(offset + 2ull + len, 4);
    return offset;
}

void pci_make_writable(struct pci_device *device, unsigned reg, unsigned len)
{
    ASSERT(range_fits(reg, len, PCI_CONFIG_SIZE));
    memset(device->write_mask + reg, 0xFF, len);
}

/* Finds the BAR's first place: the job of firmware on a real machine. */
static bool bar_assign(struct pci *pci, struct pci_device *device, unsigned index)
{
    const struct pci_bar *bar = &device->bar[index];
    if (bar->kind == PCI_BAR_NONE)
        return true;
    bool io = bar->kind == PCI_BAR_IO;
    const struct pci_window *window = io ? &pci->wiring.io : &pci->wiring.mem;
    uint64_t *next = io ? &pci->next_io : &pci->next_mem;
    uint64_t base = align_up(*next, bar->size_bytes);
    if (!window_holds(window, base, bar->size_bytes))
        return false;
    *next = base + bar->size_bytes;
    uint8_t *config = device->reset_config + bar_register(index);
    store_le32(config, (uint32_t)base | config[0]);
    return true;
}

bool pci_attach(struct pci *pci, struct pci_device *device, unsigned slot)
{
    if (slot >= PCI_MAX_SLOTS || pci->device[slot])
        return false;
    for (unsigned i = 0; i < PCI_BAR_REGISTERS; i++) {
        if (!bar_assign(pci, device, i))
            return false;
    }
    if (device->reset_config[PCI_INTERRUPT_PIN])
        device->reset_config[PCI_INTERRUPT_LINE] = pci->wiring.intx_irq[slot % PCI_INTX_LINK_COUNT];
    device->slot = slot;
    device->bus = pci;
    pci->device[slot] = device;
    device_reset(device);
    return true;
}

void pci_init(struct pci *pci, const struct pci_wiring *wiring)
{
    static const struct pci_identity host_bridge = {
        .vendor_id = 0x8086, .device_id = 0x1237, .revision_id = 0x02, .class_code = 0x060000};

    memset(pci, 0, sizeof(*pci));
    pci->wiring = *wiring;
    pci->next_io = wiring->io.base;
    pci->next_mem = max_u64(wiring->mem.base, wiring->mem_first);
    pci_device_init(&pci->host_bridge, &host_bridge, NULL, NULL);
    ASSERT(pci_attach(pci, &pci->host_bridge, 0));
}
