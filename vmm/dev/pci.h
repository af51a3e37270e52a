/*
 * The PCI bus of the guest: configuration mechanism #1 and ECAM, bus 0, single-function devices,
 * BARs on the machine's buses, INTx links. See pci.c for what is modelled and what is not.
 */
#ifndef DEV_PCI_H
#define DEV_PCI_H

#include "dev/apic_message.h"
#include "dev/dev.h"
#include "dev/iobus.h"
#include "dev/pci_regs.h"

struct pci;

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64 };

/* One base address register (a 64-bit one takes the next register too). */
struct pci_bar {
    enum pci_bar_kind kind;
    uint64_t size_bytes;       /* a power of two */
    const struct dev_ops *ops; /* what answers; offsets count from the BAR's first byte */
    void *dev;
    bool mapped; /* whether it is on its bus now, and where */
    uint64_t mapped_base;
};

struct pci_identity {
    uint16_t vendor_id, device_id;
    uint16_t subsystem_vendor_id, subsystem_id;
    uint32_t class_code; /* 24 bits: class, subclass, interface */
    uint8_t revision_id;
    uint8_t interrupt_pin; /* 0 none, 1 INTA# */
};

/* What a device may hook into; each may be NULL. Register numbers are bytes of configuration
 * space. config_read runs before the bytes are taken, config_written after they are stored. */
struct pci_device_ops {
    void (*config_read)(void *ctx, unsigned reg, unsigned size);
    void (*config_written)(void *ctx, unsigned reg, unsigned size);
    void (*reset)(void *ctx); /* the bus's RST# */
};

struct pci_device {
    /* Configuration: built by pci_device_init() and pci_add_*(), fixed after pci_attach(). */
    uint8_t reset_config[PCI_CONFIG_SIZE];
    uint8_t write_mask[PCI_CONFIG_SIZE]; /* bits that the guest may change */
    uint8_t last_capability, next_capability;
    unsigned slot;

    /* Connections. */
    struct pci *bus; /* NULL until pci_attach() */
    const struct pci_device_ops *ops;
    void *ctx;

    /* Guest-visible state. */
    uint8_t config[PCI_CONFIG_SIZE];
    struct pci_bar bar[PCI_BAR_REGISTERS];
};

/* Where the guest may place BARs: never RAM, never another device's fixed range. size 0: none. */
struct pci_window {
    uint64_t base, size_bytes;
};

struct pci_wiring {
    struct iobus *pio, *mmio;
    struct pci_window io, mem; /* mem: below 4 GiB */
    struct pci_window mem64;   /* 64-bit BARs may be moved here as well */
    uint64_t mem_first;        /* BARs get their first places in mem from here on; 0: its base */
    const struct dev_ops *cf9_ops; /* serves byte accesses to CF9h; NULL: nobody */
    void *cf9_dev;
    uint32_t cf9_offset;                       /* what that device calls CF9h */
    struct irq_line intx[PCI_INTX_LINK_COUNT]; /* INTA# of slot n is link n % 4 */
    uint8_t intx_irq[PCI_INTX_LINK_COUNT];     /* the IRQ behind a link, for "interrupt line" */
    struct apic_bus msi;                       /* where messages of devices go */
};

struct pci {
    /* Configuration and connections. */
    struct pci_wiring wiring;
    struct pci_device host_bridge;
    struct pci_device *device[PCI_MAX_SLOTS];
    uint64_t next_io, next_mem; /* first free byte of each window at init */

    /* Counters. */
    uint64_t absent_accesses; /* configuration accesses to devices that don't exist */
    uint64_t refused_bars;    /* placements outside the windows or over something else */

    /* Guest-visible state. */
    uint32_t config_address;
};

/* The bus with its host bridge in slot 0. The machine puts `pci_ops` at PCI_PORT_BASE, size
 * PCI_PORT_COUNT, dev = pci. Its reset() is RST#: all devices are reset, BARs go back to the
 * addresses of init, decoding off. */
void pci_init(struct pci *pci, const struct pci_wiring *wiring);
extern const struct dev_ops pci_ops;
/* Configuration space as memory: the machine puts this at an address aligned to PCI_ECAM_SIZE, of
 * that size, dev = pci. It has no state of its own. */
extern const struct dev_ops pci_ecam_ops;

/* A device under construction. `ops` (may be NULL) and `ctx` are its hooks. */
void pci_device_init(struct pci_device *device, const struct pci_identity *identity,
                     const struct pci_device_ops *ops, void *ctx);
/* Registers `bar`: size a power of two, at least 16 bytes (I/O: 4), a MEM64 one below index 5.
 * False when the parameters are wrong or the register is taken. */
bool pci_add_bar(struct pci_device *device, unsigned index, const struct pci_bar *bar);
/* Appends a capability with `len` bytes behind its id and next pointer; gives its offset, or 0
 * when configuration space is full. The body is read-only until pci_make_writable(). */
uint8_t pci_add_capability(struct pci_device *device, uint8_t id, const void *body, unsigned len);
void pci_make_writable(struct pci_device *device, unsigned reg, unsigned len);
/* Plugs the device into a free slot and gives its BARs addresses. False when the slot is taken or
 * a window is full. */
bool pci_attach(struct pci *pci, struct pci_device *device, unsigned slot);

/* The device's wish for INTx (level). The pin follows unless the guest set "interrupt disable". */
void pci_set_intx(struct pci_device *device, bool asserted);
/* Whether the guest allows the device to touch memory. */
bool pci_bus_master(const struct pci_device *device);

/* Configuration space by address, shared by mechanism #1 and ECAM: bdf is bus << 8 |
 * device << 3 | function; the access (1, 2, 4 bytes) must not leave a dword. What doesn't exist
 * reads as all ones and ignores writes. */
uint32_t pci_config_read(struct pci *pci, unsigned bdf, unsigned reg, unsigned size);
void pci_config_write(struct pci *pci, unsigned bdf, unsigned reg, unsigned size, uint32_t value);

#endif
