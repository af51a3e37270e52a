#include "dev/describe.h"

#include "dev/pic8259_regs.h"
#include "dev/pit8254_regs.h"
#include "dev/rtc146818_regs.h"
#include "dev/uart16550_regs.h"
#include "dev/virtio_regs.h"
#include "lib/bits.h"
#include "lib/mem.h"
#include "lib/text.h"

typedef unsigned long long ull;

static uint8_t read_byte(const struct dev_ops *ops, void *dev, uint32_t offset)
{
    uint64_t value = 0;

    ops->read(dev, offset, 1, &value);
    return (uint8_t)value;
}

void describe_bus(const struct iobus *bus, struct byte_sink out)
{
    for (unsigned i = 0; i < bus->range_count; i++) {
        const struct iobus_range *range = &bus->range[i];
        uint64_t count = 0;
        for (unsigned c = 0; c < IOBUS_COUNTERS; c++)
            count += range->count[c];
        text_printf(out, "%8llx-%-8llx %-12s %llu accesses\n", (ull)range->base,
                    (ull)(range->base + range->size_bytes - 1), range->ops->name, (ull)count);
    }
}

/* --- interrupts and timers -------------------------------------------------------------------- */

static void describe_chip(const struct pic8259 *pic, bool slave, struct byte_sink out)
{
    struct pic8259 copy = *pic;
    struct pic_chip *chip = slave ? &copy.slave : &copy.master;
    static const char *const expects[] = {"not initialized", "waits for ICW2", "waits for ICW3",
                                          "waits for ICW4", "in operation"};

    copy.intr = (struct irq_line){.set = NULL};
    chip->poll = chip->read_isr = false;
    uint8_t irr = read_byte(&pic8259_ops, &copy, slave ? PIC_SLAVE_COMMAND : PIC_MASTER_COMMAND);
    text_printf(out,
                "%s: IRR %02x ISR %02x IMR %02x ELCR %02x lines %02x, vectors from %02x, %s%s%s\n",
                slave ? "slave " : "master", irr, chip->isr, chip->imr, chip->elcr, chip->lines,
                chip->icw2, expects[chip->expects], chip->icw4 & PIC_ICW4_AEOI ? ", AEOI" : "",
                chip->special_mask ? ", special mask" : "");
}

void describe_pic(const struct pic8259 *pic, struct byte_sink out)
{
    describe_chip(pic, false, out);
    describe_chip(pic, true, out);
    text_printf(out, "INT to the CPU is %s; %llu acknowledged, %llu spurious\n",
                pic8259_irq_cause(pic) ? "high" : "low", (ull)pic->acks, (ull)pic->spurious);
    for (unsigned pin = 0; pin < PIC8259_PINS; pin++)
        if (pic->pin_acks[pin])
            text_printf(out, "IRQ %2u: %llu\n", pin, (ull)pic->pin_acks[pin]);
}

void describe_pit(const struct pit8254 *pit, vtime_t now, struct byte_sink out)
{
    struct pit8254 copy = *pit;

    copy.irq = (struct irq_line){.set = NULL};
    pit8254_ops.advance(&copy, now);
    for (unsigned i = 0; i < ARRAY_SIZE(copy.counter); i++) {
        struct pit_counter *counter = &copy.counter[i];
        unsigned mode = PIT_MODE(counter->control);
        counter->count_latched = false;
        pit_counter_latch_count(counter, copy.tick);
        text_printf(out, "counter %u: mode %u%s, count %u of %u, gate %s, OUT %s\n", i,
                    mode > 5 ? mode - 4 : mode, counter->control & PIT_CONTROL_BCD ? " BCD" : "",
                    counter->count_latch, counter->reload ? counter->reload : 0x10000,
                    counter->gate ? "high" : "low",
                    pit_counter_out(counter, copy.tick) ? "high" : "low");
    }
    text_printf(out, "port 61 %02x; counter 0 has raised IRQ 0 %llu times\n", copy.port61,
                (ull)pit->edges);
}

static unsigned rtc_read(struct rtc146818 *copy, uint8_t reg)
{
    copy->index = reg;
    return read_byte(&rtc146818_ops, copy, RTC_PORT_DATA);
}

void describe_rtc(const struct rtc146818 *rtc, vtime_t now, struct byte_sink out)
{
    struct rtc146818 copy = *rtc;

    copy.irq = (struct irq_line){.set = NULL};
    rtc146818_ops.advance(&copy, now);
    const char *format = rtc->reg_b & RTC_B_DM ? "date %02u%02u-%02u-%02u %02u:%02u:%02u\n"
                                               : "date %02x%02x-%02x-%02x %02x:%02x:%02x\n";
    text_printf(out, "registers A %02x B %02x C %02x, index %02x\n", rtc_read(&copy, RTC_REG_A),
                rtc_read(&copy, RTC_REG_B), copy.reg_c, rtc->index);
    text_printf(out, format, rtc_read(&copy, CMOS_CENTURY), rtc_read(&copy, RTC_YEAR),
                rtc_read(&copy, RTC_MONTH), rtc_read(&copy, RTC_DAY), rtc_read(&copy, RTC_HOURS),
                rtc_read(&copy, RTC_MINUTES), rtc_read(&copy, RTC_SECONDS));
}

void describe_pm(const struct acpi_pm *pm, struct byte_sink out)
{
    text_printf(out, "status %04x enable %04x control %04x, SCI %s\n", pm->status, pm->enable,
                pm->control, acpi_pm_irq_cause(pm) ? "high" : "low");
}

/* --- bytes ------------------------------------------------------------------------------------ */

void describe_uart(const struct uart16550 *uart, struct byte_sink out)
{
    unsigned divisor = (unsigned)(uart->dlm << 8 | uart->dll);

    text_printf(out, "IER %02x FCR %02x LCR %02x MCR %02x MSR %02x, divisor %u, interrupt %s\n",
                uart->ier, uart->fcr, uart->lcr, uart->mcr, uart->msr, divisor,
                uart16550_irq_level(uart) ? "high" : "low");
    text_printf(out, "%llu bytes sent, %llu received, %u wait in its FIFO%s%s\n",
                (ull)uart->tx_bytes, (ull)uart->rx_bytes, uart->rx_count,
                uart->rx_refused ? ", more behind it" : "",
                uart->mcr & UART_MCR_LOOP ? ", looped back" : "");
}

void describe_i8042(const struct i8042 *ctl, struct byte_sink out)
{
    text_printf(out, "command byte %02x output port %02x, %s, IRQ 1 %s, %llu keys\n",
                ctl->command_byte, ctl->output_port,
                ctl->buffer_full ? "a byte waits to be read" : "nothing waits",
                i8042_kbd_irq_cause(ctl) ? "high" : "low", (ull)ctl->keys);
}

/* --- PCI -------------------------------------------------------------------------------------- */

static void describe_function(const struct pci_device *device, struct byte_sink out)
{
    const uint8_t *config = device->config;
    uint16_t command = load_le16(config + PCI_COMMAND);

    text_printf(out, "00:%02x.0 %04x:%04x class %02x%02x, command %04x%s%s%s, pin %u line %u\n",
                device->slot, load_le16(config + PCI_VENDOR_ID), load_le16(config + PCI_DEVICE_ID),
                config[PCI_CLASS_CODE + 2], config[PCI_CLASS_CODE + 1], command,
                command & PCI_COMMAND_IO ? " io" : "",
                command & PCI_COMMAND_MEMORY ? " memory" : "",
                command & PCI_COMMAND_MASTER ? " master" : "", config[PCI_INTERRUPT_PIN],
                config[PCI_INTERRUPT_LINE]);
    for (unsigned i = 0; i < PCI_BAR_REGISTERS; i++) {
        const struct pci_bar *bar = &device->bar[i];
        if (bar->kind == PCI_BAR_NONE)
            continue;
        uint64_t base = load_le32(config + PCI_BAR0 + 4 * i);
        if (bar->kind == PCI_BAR_MEM64)
            base |= (uint64_t)load_le32(config + PCI_BAR0 + 4 * (i + 1)) << 32;
        base &= ~(uint64_t)(bar->kind == PCI_BAR_IO ? PCI_BAR_IO_FLAGS : PCI_BAR_MEM_FLAGS);
        text_printf(out, "        BAR %u: %s %llx, %llu KiB%s\n", i,
                    bar->kind == PCI_BAR_IO ? "I/O" : "memory", (ull)base,
                    (ull)(bar->size_bytes >> 10), bar->mapped ? "" : ", off");
    }
}

void describe_pci(const struct pci *pci, struct byte_sink out)
{
    for (unsigned slot = 0; slot < PCI_MAX_SLOTS; slot++)
        if (pci->device[slot])
            describe_function(pci->device[slot], out);
    text_printf(out, "%llu accesses to absent functions, %llu BARs refused\n",
                (ull)pci->absent_accesses, (ull)pci->refused_bars);
}

/* --- virtio ----------------------------------------------------------------------------------- */

static void describe_queue(const struct virtqueue *queue, unsigned index, struct byte_sink out)
{
    if (!queue->enabled) {
        text_printf(out, "  queue %u: off\n", index);
        return;
    }
    text_printf(out, "  queue %u: %u descriptors at %llx, available %llx, used %llx\n", index,
                queue->size, (ull)queue->desc, (ull)queue->avail, (ull)queue->used);
    text_printf(out, "           taken %u of %u, used %u%s%s\n", queue->next_avail,
                queue->seen_avail, queue->used_index, queue->broken ? ", BROKEN: " : "",
                queue->broken ? queue->broken : "");
}

void describe_virtio(const struct virtio_pci *vp, struct byte_sink out)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } states[] = {
        {VIRTIO_STATUS_ACKNOWLEDGE, "acknowledged"}, {VIRTIO_STATUS_DRIVER, "driver"},
        {VIRTIO_STATUS_FEATURES_OK, "features"},     {VIRTIO_STATUS_DRIVER_OK, "running"},
        {VIRTIO_STATUS_NEEDS_RESET, "NEEDS RESET"},  {VIRTIO_STATUS_FAILED, "FAILED"},
    };

    text_printf(out, "slot %u, %s: status %02x", vp->pci.slot, vp->ops->name, vp->status);
    for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
        if (vp->status & states[i].bit)
            text_printf(out, " %s", states[i].name);
    text_printf(out, ", ISR %u, features %llx\n", vp->isr, (ull)vp->driver_features);
    text_printf(out, "  %llu notifications, %llu ignored, %llu interrupts, %llu faults\n",
                (ull)vp->notifications, (ull)vp->ignored_notifications, (ull)vp->interrupts,
                (ull)vp->faults);
    for (unsigned i = 0; i < vp->ops->queue_count && i < VIRTIO_PCI_MAX_QUEUES; i++)
        describe_queue(&vp->queue[i], i, out);
}

void describe_blk(const struct virtio_blk *blk, struct byte_sink out)
{
    char id[sizeof(blk->backend->id) + 1];

    memcpy(id, blk->backend->id, sizeof(blk->backend->id));
    id[sizeof(id) - 1] = '\0';
    text_printf(out,
                "%s: %llu KiB%s, %llu reads of %llu KiB, %llu writes of %llu KiB, "
                "%llu flushes, %llu errors\n",
                id, (ull)(blk->backend->sector_count * BLK_SECTOR_SIZE >> 10),
                blk->backend->read_only ? " read-only" : "", (ull)blk->reads,
                (ull)(blk->read_bytes >> 10), (ull)blk->writes, (ull)(blk->written_bytes >> 10),
                (ull)blk->flushes, (ull)blk->errors);
}
