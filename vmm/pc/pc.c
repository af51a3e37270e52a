/*
 * The whole machine: which device answers at which port, drives which interrupt input, and what it
 * is connected to. layout.h holds the numbers, acpi/dsdt.asl tells them to the guest.
 */
#include "pc/pc.h"

#include "dev/hpet_regs.h"
#include "dev/i8042_regs.h"
#include "dev/pic8259_regs.h"
#include "dev/pit8254_regs.h"
#include "dev/uart16550_regs.h"
#include "dev/virtio_console_regs.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#define LOG_MODULE "pc"
#include "lib/log.h"
#include "lib/mem.h"
#include "pc/firmware.h"
#include "pc/layout.h"

/* PCI slots 1, 2, ... hold the disks: each letter of INTA is a link, link n serves slots n, n + 4.
 */
#define FIRST_DISK_SLOT 1u
#define HVC_SLOT        6u /* with the entropy device on the link that a single disk doesn't use */
#define RNG_SLOT        8u

/* Output that the host had no room for is tried again: in the time in which a serial line sends six
 * bytes. */
#define HVC_RETRY_NS 500000u

#define REPORT_PORTS 12u

/* --- wires ------------------------------------------------------------------------------------ */

static vtime_t now(void *ctx)
{
    struct pc *pc = ctx;

    return pc->config.now(pc->config.now_ctx);
}

/* HPET "Legacy Replacement Routing": IRQ 0 and 8 belong to PIT and RTC, or to the HPET. */
static void drive_clock(struct pc *pc, unsigned n)
{
    static const uint8_t irq[HPET_LEGACY_COUNT] = {PC_IRQ_TIMER, PC_IRQ_RTC};

    pc_set_irq(pc, irq[n], pc->hpet_replaces ? pc->hpet_high[n] : pc->clock_high[n]);
}

static void set_clock(void *ctx, unsigned n, bool high)
{
    struct pc *pc = ctx;

    pc->clock_high[n] = high;
    drive_clock(pc, n);
}

static void set_hpet(void *ctx, unsigned n, bool high)
{
    struct pc *pc = ctx;

    pc->hpet_high[n] = high;
    drive_clock(pc, n);
}

static void replace_clocks(void *ctx, bool on)
{
    struct pc *pc = ctx;

    pc->hpet_replaces = on;
    for (unsigned n = 0; n < HPET_LEGACY_COUNT; n++)
        drive_clock(pc, n);
}

/* Inputs that aren't ISA's are active low, as those of PCI: a guest may let them be shared. */
static void set_hpet_input(void *ctx, unsigned input, bool high)
{
    struct pc *pc = ctx;

    ioapic_set_irq(&pc->ioapic, input, !high);
}

/* The first request wins: what follows it in the same exit comes from a machine that is off. */
void pc_stop(struct pc *pc, enum vm_stop stop)
{
    if (pc->stop == VM_RUNNING)
        pc->stop = stop;
    pc_attend(pc);
}

static void request_power_off(void *ctx)
{
    pc_stop(ctx, VM_STOP_POWER_OFF);
}

static void request_reset(void *ctx)
{
    pc_stop(ctx, VM_STOP_RESET);
}

static void note_room(void *ctx)
{
    struct pc *pc = ctx;

    pc->room = true;
}

static uint32_t put_hvc(void *ctx, const uint8_t *bytes, uint32_t size)
{
    struct pc *pc = ctx;

    pc->com1_sent = pc->com1.tx_bytes;
    return pc->config.hvc.put(pc->config.hvc.ctx, bytes, size);
}

static bool size_of_hvc(void *ctx, uint16_t *columns, uint16_t *rows)
{
    struct pc *pc = ctx;

    return pc->config.hvc.size && pc->config.hvc.size(pc->config.hvc.ctx, columns, rows);
}

static void hvc_stalled(void *ctx)
{
    struct pc *pc = ctx;

    pc->hvc_retry = now(pc) + HVC_RETRY_NS;
    pc->deadline_stale = true;
    pc_attend(pc);
}

static void report_fault(void *ctx, const char *device, const char *reason)
{
    static uint64_t count;
    (void)ctx;
    if (log_ratelimit(&count, 8))
        log_warn("%s stopped until the guest resets it: %s", device, reason);
}

/* --- the wiring ------------------------------------------------------------------------------- */

static void init_devices(struct pc *pc)
{
    struct irq_line lint0 = {lapic_set_lint, &pc->lapic, 0};
    struct irq_line timer = {set_clock, pc, 0};
    struct irq_line keyboard = {pc_set_irq, pc, PC_IRQ_KEYBOARD};
    struct irq_line aux = {pc_set_irq, pc, PC_IRQ_AUX};
    struct irq_line com1 = {pc_set_irq, pc, PC_IRQ_COM1};
    struct irq_line rtc = {set_clock, pc, 1};
    struct irq_line sci = {pc_set_irq, pc, PC_IRQ_SCI};
    struct signal_line reset = {request_reset, pc};
    struct signal_line power_off = {request_power_off, pc};
    struct signal_line room = {note_room, pc};
    const struct hpet_wiring hpet = {
        .legacy = {{set_hpet, pc, 0}, {set_hpet, pc, 1}},
        .replace = replace_clocks,
        .replace_ctx = pc,
        .input = {set_hpet_input, pc, 0},
        .input_mask = PC_HPET_INPUTS,
    };

    struct rtc146818_config rtc_config = {
        .epoch_s = pc->config.rtc_epoch_s,
        .ram_below_4g_bytes = pc_low_ram_bytes(pc->config.memory_bytes),
        .ram_above_4g_bytes = pc_high_ram_bytes(pc->config.memory_bytes),
    };

    pc_apic_init(pc);
    pic8259_init(&pc->pic, lint0);
    pit8254_init(&pc->pit, timer);
    hpet_init(&pc->hpet, &hpet);
    i8042_init(&pc->i8042, keyboard, aux, reset, room);
    rtc146818_init(&pc->rtc, rtc, &rtc_config);
    uart16550_init(&pc->com1, com1, pc->config.com1, room);
    acpi_pm_init(&pc->pm, sci, power_off);
    reset_ports_init(&pc->reset_ports, reset);
}

static void init_ports(struct pc *pc)
{
    const struct {
        uint16_t port, count;
        const struct dev_ops *ops;
        void *dev;
        uint32_t offset;
    } wiring[] = {
        {PC_PORT_PIC_MASTER, 2, &pic8259_ops, &pc->pic, PIC_MASTER_COMMAND},
        {PC_PORT_PIC_SLAVE, 2, &pic8259_ops, &pc->pic, PIC_SLAVE_COMMAND},
        {PC_PORT_ELCR, 2, &pic8259_ops, &pc->pic, PIC_MASTER_ELCR},
        {PC_PORT_PIT, 4, &pit8254_ops, &pc->pit, 0},
        {PC_PORT_SYSTEM_B, 1, &pit8254_ops, &pc->pit, PIT_PORT61},
        {PC_PORT_I8042_DATA, 1, &i8042_ops, &pc->i8042, I8042_DATA},
        {PC_PORT_I8042_COMMAND, 1, &i8042_ops, &pc->i8042, I8042_COMMAND},
        {PC_PORT_RTC, RTC146818_PORTS, &rtc146818_ops, &pc->rtc, 0},
        {PC_PORT_SYSTEM_A, 1, &reset_ports_ops, &pc->reset_ports, RESET_PORT_92},
        {PC_PORT_COM1, UART16550_PORTS, &uart16550_ops, &pc->com1, 0},
        {PC_PORT_PM, ACPI_PM_PORTS, &acpi_pm_ops, &pc->pm, 0},
        {PC_PORT_PCI_ADDRESS, PCI_PORT_COUNT, &pci_ops, &pc->pci, 0},
    };

    iobus_init(&pc->pio, now, pc);
    iobus_init(&pc->mmio, now, pc);
    for (unsigned i = 0; i < ARRAY_SIZE(wiring); i++)
        ASSERT(iobus_add(&pc->pio, wiring[i].port, wiring[i].count, wiring[i].ops, wiring[i].dev,
                         wiring[i].offset));
    ASSERT(iobus_add(&pc->mmio, PC_HPET_BASE, HPET_SIZE, &hpet_ops, &pc->hpet, 0));
    ASSERT(iobus_add(&pc->mmio, PC_ECAM_BASE, PCI_ECAM_SIZE, &pci_ecam_ops, &pc->pci, 0));
}

static void attach(struct pc *pc, struct virtio_pci *vp, const struct virtio_dev_ops *ops,
                   void *dev, unsigned slot)
{
    struct virtio_fault_sink fault = {report_fault, pc};

    virtio_pci_init(vp, ops, dev, pc->config.gmem, fault);
    ASSERT(pci_attach(&pc->pci, &vp->pci, slot));
}

static void init_virtio(struct pc *pc)
{
    const struct console_host host = {put_hvc, size_of_hvc, pc};

    for (unsigned i = 0; i < pc->config.disk_count; i++) {
        virtio_blk_init(&pc->blk[i], &pc->config.disk[i], pc->config.gmem, &pc->blk_work);
        attach(pc, &pc->blk_pci[i], &virtio_blk_ops, &pc->blk[i], FIRST_DISK_SLOT + i);
    }
    virtio_console_init(&pc->hvc, &host, (struct signal_line){hvc_stalled, pc},
                        (struct signal_line){note_room, pc});
    attach(pc, &pc->hvc_pci, &virtio_console_ops, &pc->hvc, HVC_SLOT);
    if (pc->config.entropy) {
        virtio_rng_init(&pc->rng, pc->config.entropy, pc->config.entropy_ctx);
        attach(pc, &pc->rng_pci, &virtio_rng_ops, &pc->rng, RNG_SLOT);
    }
}

/* As in a PC, what isn't RAM is PCI's: a guest that doesn't read the DSDT's window moves BARs to
 * where its memory ends. */
static void init_pci(struct pc *pc)
{
    uint64_t ram_end = pc_low_ram_bytes(pc->config.memory_bytes);
    struct pci_wiring wiring = {
        .pio = &pc->pio,
        .mmio = &pc->mmio,
        .io = {PC_PCI_IO_BASE, PC_PCI_IO_SIZE},
        .mem = {ram_end, PC_ECAM_BASE - ram_end},
        .mem_first = PC_PCI_MMIO_BASE,
        .cf9_ops = &reset_ports_ops,
        .cf9_dev = &pc->reset_ports,
        .cf9_offset = RESET_PORT_CF9,
        .msi = {pc_send_message, pc},
    };

    for (unsigned link = 0; link < PCI_INTX_LINK_COUNT; link++) {
        wiring.intx[link] = (struct irq_line){pc_set_intx, pc, link};
        wiring.intx_irq[link] = (uint8_t)pc_pci_irq(link);
    }
    pci_init(&pc->pci, &wiring);
    init_virtio(pc);
}

void pc_init(struct pc *pc, const struct pc_config *config)
{
    ASSERT(config->disk_count <= PC_MAX_DISKS);
    memset(pc, 0, sizeof(*pc));
    pc->config = *config;
    pc->deadline_stale = true;
    pc->hvc_retry = VTIME_NEVER;
    e820_build(&pc->e820, config->memory_bytes);
    init_ports(pc);
    init_devices(pc);
    init_pci(pc);
}

void pc_connect(struct pc *pc, struct vcpu *vcpu)
{
    pc->vcpu = vcpu;
    vcpu->hooks = pc_hooks;
    vcpu->hooks.ctx = pc;
    vcpu->irq_high = lapic_irq_cause(&pc->lapic);
    vcpu->apic_help = pc->config.apic_help;
    vcpu->apic_page = pc->config.apic_page;
    vcpu->apic_posted = pc->config.apic_posted;
    vcpu->wall_epoch_s = pc->config.rtc_epoch_s;
}

/* --- reset ------------------------------------------------------------------------------------ */

/* The PIC comes last: a device that drops its line on reset must not leave an edge behind. The I/O
 * APIC, all masked after its reset, loses such an edge. */
static void reset_devices(struct pc *pc)
{
    /* Clocks first: a reset happens now, and not when the device was last looked at. */
    vtime_t time = now(pc);
    pit8254_ops.advance(&pc->pit, time);
    rtc146818_ops.advance(&pc->rtc, time);
    acpi_pm_ops.advance(&pc->pm, time);
    lapic_ops.advance(&pc->lapic, time);
    hpet_ops.advance(&pc->hpet, time);
    pc_apic_reset(pc);
    hpet_ops.reset(&pc->hpet);
    pci_ops.reset(&pc->pci);
    reset_ports_ops.reset(&pc->reset_ports);
    acpi_pm_ops.reset(&pc->pm);
    uart16550_ops.reset(&pc->com1);
    rtc146818_ops.reset(&pc->rtc);
    i8042_ops.reset(&pc->i8042);
    pit8254_ops.reset(&pc->pit);
    pic8259_ops.reset(&pc->pic);
    /* As a BIOS programs it; Linux takes it over without an interrupt source override. */
    iobus_write(&pc->pio, PC_PORT_ELCR, 1, PC_ELCR_LEVEL & 0xFF);
    iobus_write(&pc->pio, PC_PORT_ELCR + 1, 1, PC_ELCR_LEVEL >> 8);
}

bool pc_reset(struct pc *pc, char *error)
{
    struct bzimage_request request = {
        .gmem = pc->config.gmem,
        .kernel = pc->config.kernel,
        .initrd = pc->config.initrd,
        .cmdline = pc->config.cmdline,
        .e820 = &pc->e820,
    };

    reset_devices(pc);
    pc->stop = VM_RUNNING;
    pc->room = false;
    pc->deadline_stale = true;
    request.rsdp = firmware_write(pc->config.gmem, pc->config.dsdt, pc->config.dsdt_size_bytes);
    if (request.rsdp == 0) {
        fmt_snprintf(error, BZIMAGE_ERROR_SIZE,
                     "the ACPI tables don't fit the guest's memory: this is a mistake of pxHV's");
        return false;
    }
    return bzimage_load(&request, &pc->entry, error);
}

/* --- from outside ----------------------------------------------------------------------------- */

static bool hvc_is_typed_to(const struct pc *pc)
{
    bool hvc_last = pc->com1.tx_bytes == pc->com1_sent;
    bool com1_listens = pc->com1.ier & UART_IER_ERBFI;

    return pc->hvc.spoke && virtio_pci_queue_live(&pc->hvc_pci, VIRTIO_CONSOLE_RX) &&
           (hvc_last || !com1_listens);
}

bool pc_type(struct pc *pc, uint8_t byte)
{
    return hvc_is_typed_to(pc) ? virtio_console_rx(&pc->hvc, byte) : uart16550_rx(&pc->com1, byte);
}

void pc_typed(struct pc *pc)
{
    if (ring_count(&pc->hvc.rx) > 0)
        virtio_pci_serve(&pc->hvc_pci, VIRTIO_CONSOLE_RX);
}

void pc_retry_hvc(struct pc *pc)
{
    pc->hvc_retry = VTIME_NEVER;
    if (pc->config.host_events)
        pc->config.host_events(pc->config.host_ctx);
    virtio_pci_serve(&pc->hvc_pci, VIRTIO_CONSOLE_TX);
}

bool pc_keyboard_scancode(struct pc *pc, uint8_t byte)
{
    return i8042_host_scancode(&pc->i8042, byte);
}

void pc_power_button(struct pc *pc)
{
    acpi_pm_power_button(&pc->pm);
}

/* --- the report ------------------------------------------------------------------------------- */

void pc_report_ports(const struct pc *pc)
{
    struct iobus_traffic port = {.count = UINT64_MAX};
    uint64_t unclaimed = pc->pio.unclaimed_reads + pc->pio.unclaimed_writes;

    log_raw("accesses by port, the busiest:\n");
    for (unsigned i = 0; i < REPORT_PORTS && iobus_next_busiest(&pc->pio, &port); i++)
        log_raw("  %10llu  %03llx %s\n", (unsigned long long)port.count,
                (unsigned long long)port.address, port.device);
    if (unclaimed)
        log_raw("  %10llu  without a device, %llx the latest\n", (unsigned long long)unclaimed,
                (unsigned long long)pc->pio.last_unclaimed);
}
