/*
 * The guest's PC: all of its devices, their wiring, and the calls by which the run loop drives
 * them. pc.c shows the wiring on one page, pc_run.c serves the run loop.
 */
#ifndef PC_PC_H
#define PC_PC_H

#include "dev/acpi_pm.h"
#include "dev/blk.h"
#include "dev/hpet.h"
#include "dev/i8042.h"
#include "dev/ioapic.h"
#include "dev/iobus.h"
#include "dev/lapic.h"
#include "dev/pci.h"
#include "dev/pic8259.h"
#include "dev/pit8254.h"
#include "dev/reset_ports.h"
#include "dev/rtc146818.h"
#include "dev/uart16550.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_console.h"
#include "dev/virtio_pci.h"
#include "dev/virtio_rng.h"
#include "pc/bzimage.h"
#include "virt/vcpu.h"

#define PC_MAX_DISKS 4

/* What is plugged in and who is outside. Everything pointed to must outlive the machine. */
struct pc_config {
    const struct gmem *gmem;
    uint64_t memory_bytes; /* what gmem holds: up to 3 GiB at 0, the rest at 4 GiB */
    struct guest_file kernel;
    struct guest_file initrd;
    const char *cmdline;
    const uint8_t *dsdt; /* pc/acpi/dsdt.h */
    uint64_t dsdt_size_bytes;
    const struct blk_backend *disk; /* an array: vda, vdb, ... */
    unsigned disk_count;            /* up to PC_MAX_DISKS */
    struct byte_sink com1;          /* what the guest sends on COM1 */
    struct console_host hvc;        /* the other end of the virtio console */
    /* The source of the virtio entropy device, which is there where this isn't NULL. */
    uint32_t (*entropy)(void *ctx, uint8_t *bytes, uint32_t size);
    void *entropy_ctx;
    int64_t rtc_epoch_s; /* seconds from 1970 to the date at guest time 0 */

    /* Guest time: never runs backwards, goes on across pc_reset(). */
    vtime_t (*now)(void *ctx);
    void *now_ctx;
    uint32_t *apic_page;            /* 4 KiB for the local APIC's registers */
    uint32_t *apic_posted;          /* a page for what is posted, with VAPIC_POSTED */
    enum vapic_help apic_help;      /* what the CPU does of it by itself */
    uint32_t apic_timer_hz;         /* what CPUID tells of it: cpuid_crystal_hz() */
    uint64_t physical_address_mask; /* guest physical address bits that exist */

    /* May call pc_type(), pc_typed() and pc_keyboard_scancode(). Called when the run loop took a
     * host interrupt, and when a device has room again for bytes that it refused. May be NULL. */
    void (*host_events)(void *ctx);
    /* What the host has to do at a guest time while the guest runs: a deadline like a device's, and
     * the call when it is due. Both or none. */
    vtime_t (*host_deadline)(void *ctx);
    void (*host_advance)(void *ctx, vtime_t now);
    /* The guest stands still for a debugger until this returns: virt/debug.h. May be NULL. */
    void (*debug_stopped)(void *ctx);
    void *host_ctx;
};

struct pc {
    /* Configuration. */
    struct pc_config config;
    struct e820 e820;

    /* Connections. */
    struct iobus pio, mmio;
    struct vcpu *vcpu; /* NULL before pc_connect() */

    /* The devices. */
    struct lapic lapic;
    struct ioapic ioapic;
    struct pic8259 pic;
    struct pit8254 pit;
    struct hpet hpet;
    struct i8042 i8042;
    struct rtc146818 rtc;
    struct uart16550 com1;
    struct acpi_pm pm;
    struct reset_ports reset_ports;
    struct pci pci;
    struct virtio_blk blk[PC_MAX_DISKS];
    struct virtio_blk_work blk_work;
    struct virtio_pci blk_pci[PC_MAX_DISKS];
    struct virtio_console hvc;
    struct virtio_pci hvc_pci;
    struct virtio_rng rng;
    struct virtio_pci rng_pci;

    /* The machine's own state. */
    uint8_t intx;        /* levels of the four INTx links, one bit each */
    uint64_t lapic_page; /* where the local APIC's page answers; UINT64_MAX: nowhere */
    /* IRQ 0 and 8: what PIT and RTC say, what the HPET says, and whether that counts. */
    bool clock_high[HPET_LEGACY_COUNT], hpet_high[HPET_LEGACY_COUNT], hpet_replaces;
    enum vm_stop stop;          /* what a device asked for */
    uint64_t com1_sent;         /* bytes that COM1 had sent when hvc0 last sent one */
    vtime_t hvc_retry;          /* when hvc0 goes on with output that the host had no room for */
    bool room;                  /* a device has room again, or so: host_events() is due */
    bool deadline_stale;        /* a device was touched since `deadline` was computed, or so */
    vtime_t deadline;           /* the nearest one but for the local APIC's */
    struct bzimage_entry entry; /* where the CPU begins */
};

/* Builds the machine in its state after power-on; the guest's memory isn't touched. */
void pc_init(struct pc *pc, const struct pc_config *config);

/* Connects the CPU: fills vcpu->hooks, and the local APIC's INTR drives vcpu->irq_high. */
void pc_connect(struct pc *pc, struct vcpu *vcpu);

/*
 * The machine's reset: devices as after power-on, firmware data, kernel and initrd written to guest
 * memory anew (docs/MEMORY-MAP.md says what stays). Disks keep their content, the clock its
 * date. The vCPU must be reset behind it: vcpu_reset(), then pc_set_entry(vcpu, &pc->entry).
 * False with one sentence in error (BZIMAGE_ERROR_SIZE bytes) when the kernel can't be loaded.
 */
bool pc_reset(struct pc *pc, char *error);

/*
 * A byte that was typed on the console, for COM1 or the virtio console, never for both: for the one
 * that the guest wrote to last. The virtio console is out of question while its driver isn't
 * running or hasn't written since it began; COM1 is while its receive interrupt is off and the
 * other isn't out of question. pc_typed() must follow behind one or more of them.
 */
bool pc_type(struct pc *pc, uint8_t byte);
void pc_typed(struct pc *pc);
/* A byte of a scancode for the keyboard (set 1, as a PC's port 60h gives it). Both are false when
 * there is no room: keep the byte until host_events() is called. */
bool pc_keyboard_scancode(struct pc *pc, uint8_t byte);
/* Ends the guest's run, as a device of its own would: VM_STOP_RESET or VM_STOP_POWER_OFF. */
void pc_stop(struct pc *pc, enum vm_stop stop);
/* The button on the case: asks the guest to shut down. */
void pc_power_button(struct pc *pc);

/* Prints which ports the guest used most since power-on, a line each, and how often it used one
 * where nothing answers. An access of the ISA bus that is wider than a byte counts for each. */
void pc_report_ports(const struct pc *pc);

/* Asks the run loop to look at deadlines and stop requests before the next entry. */
static inline void pc_attend(struct pc *pc)
{
    if (pc->vcpu)
        pc->vcpu->devices_touched = true;
}

/* host_deadline() gives another time now. */
static inline void pc_host_deadline_changed(struct pc *pc)
{
    pc->deadline_stale = true;
    pc_attend(pc);
}

/* For a byte_sink: asks for host_events() when the access is done. */
static inline void pc_call_host(struct pc *pc)
{
    pc->room = true;
}

/* --- between the files of the machine --------------------------------------------------------- */

/* For pc_run.c: guest time has come to hvc_retry. */
void pc_retry_hvc(struct pc *pc);

/* What the run loop calls (pc_run.c). `ctx` is the struct pc. */
extern const struct vcpu_hooks pc_hooks;

/* pc_apic.c: the APICs, what leads to them, and what the CPU asks of its own. */
void pc_apic_init(struct pc *pc);
void pc_apic_reset(struct pc *pc); /* before the devices that drive the I/O APIC's inputs */
/* Input 0 to 15 of the 8259As and its twin at the I/O APIC go to a level. For irq_line.set. */
void pc_set_irq(void *pc, unsigned irq, bool high);
bool pc_send_message(void *pc, const struct apic_message *message); /* for an apic_bus */
void pc_set_intx(void *pc, unsigned link, bool high); /* likewise, an INTx link of PCI */
bool pc_nmi_may_come(void *pc);
bool pc_apic_read(void *pc, uint32_t msr, uint64_t *value);
bool pc_apic_write(void *pc, uint32_t msr, uint64_t value);
void pc_apic_state(void *pc, struct vapic *out);
bool pc_apic_due(void *pc);
vtime_t pc_apic_post(void *pc);
void pc_apic_take_back(void *pc);
void pc_apic_event(void *pc, enum vexit_kind kind, uint32_t detail);

#endif
