/* needs: vmm/pc/pc.c vmm/pc/pc_run.c vmm/pc/pc_apic.c vmm/virt/pveoi.c vmm/dev/hpet.c vmm/dev/ioapic.c vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/pc/bzimage.c vmm/pc/zero_page.c vmm/pc/e820.c vmm/pc/acpi.c vmm/pc/firmware.c vmm/dev/acpi_pm.c vmm/dev/gmem.c vmm/dev/i8042.c vmm/dev/iobus.c vmm/dev/pci.c vmm/dev/pic8259.c vmm/dev/pit8254.c vmm/dev/pit_counter.c vmm/dev/ps2kbd.c vmm/dev/ramdisk.c vmm/dev/reset_ports.c vmm/dev/rtc146818.c vmm/dev/rtc_date.c vmm/dev/uart16550.c vmm/dev/virtio_blk.c vmm/dev/virtio_console.c vmm/dev/virtio_rng.c vmm/dev/virtio_common.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtqueue.c vmm/lib/fmt.c vmm/lib/mem.c */
#include "pc/pc.h"

#include "dev/ramdisk.h"
#include "lib/bits.h"
#include "input.h"

#include <stdlib.h>
#include <string.h>

/*
 * The whole machine under a guest that writes anything anywhere: ports, BARs, the memory in which
 * its rings lie; with time, keys and serial bytes coming in. Each operation is an opcode byte and
 * its operands. After each one the wires must agree with the devices.
 */

#define RAM_SIZE  0x180000u
#define DISK_SIZE 2048u

static struct pc pc;
static struct vcpu vcpu;
static vtime_t time_ns;

/* Little-endian; zeros behind the end. */
static vtime_t now(void *ctx)
{
    (void)ctx;
    return time_ns;
}

static void drop_byte(void *ctx, uint8_t byte)
{
    (void)ctx;
    (void)byte;
}

/* A line that takes a byte now and nothing then. */
static uint32_t take_some(void *ctx, const uint8_t *bytes, uint32_t size)
{
    (void)ctx;
    check(size > 0 && size <= 256);
    return bytes[0] & 1 ? size / 2 : size;
}

static uint32_t draw(void *ctx, uint8_t *bytes, uint32_t size)
{
    (void)ctx;
    memset(bytes, 0x77, size);
    return size;
}

static void feed(void *ctx)
{
    (void)ctx;
    pc_type(&pc, 0x5A);
    pc_typed(&pc);
    pc_keyboard_scancode(&pc, 0x1E);
}

static bool pin(unsigned irq)
{
    const struct pic_chip *chip = irq < 8 ? &pc.pic.master : &pc.pic.slave;
    return chip->lines >> (irq & 7) & 1;
}

/* Inputs 16 to 23 of the I/O APIC are low while something asks for an interrupt there. */
static uint32_t asked_inputs(void)
{
    uint32_t asked = pc.intx & 0xFu;
    for (unsigned n = (pc.hpet.config & 2) ? 2 : 0; n < 3; n++)
        if (hpet_irq_cause(&pc.hpet, n))
            asked |= (1u << (pc.hpet.timer[n].config >> 9 & 31) & 0xF00000) >> 16;
    return asked;
}

static void check_wires(void)
{
    check(vcpu.irq_high == lapic_irq_cause(&pc.lapic));
    check(pc.lapic.lint[0] == pic8259_irq_cause(&pc.pic));
    bool legacy = (pc.hpet.config & 2) != 0;
    check(legacy == pc.hpet_replaces);
    check(pin(0) == (legacy ? hpet_irq_cause(&pc.hpet, 0) : pit8254_irq_cause(&pc.pit)));
    check(pin(8) == (legacy ? hpet_irq_cause(&pc.hpet, 1) : rtc146818_irq_cause(&pc.rtc)));
    check(pin(1) == i8042_kbd_irq_cause(&pc.i8042));
    check(pin(4) == uart16550_irq_level(&pc.com1));
    check(pin(9) == acpi_pm_irq_cause(&pc.pm));
    check(pin(10) == ((pc.intx & 0xA) != 0));
    check(pin(11) == ((pc.intx & 0x5) != 0));
    check(pin(12) == i8042_aux_irq_cause(&pc.i8042));
    for (unsigned irq = 0; irq < 16; irq++)
        check(irq == 2 || pin(irq) == (pc.ioapic.lines >> (irq ? irq : 2) & 1));
    check(pc.ioapic.lines >> 16 == (~asked_inputs() & 0xFF));
    check(pc.stop == VM_RUNNING || pc.stop == VM_STOP_POWER_OFF || pc.stop == VM_STOP_RESET);
}

static void check_buses(void)
{
    for (unsigned i = 0; i < pc.mmio.range_count; i++) {
        const struct iobus_range *range = &pc.mmio.range[i];

        bool fixed = range->base == 0xFEB00000 || range->base == 0xFEC00000 ||
                     range->base == 0xFED00000 || range->base == pc.lapic_page;
        check(fixed || (range->base >= RAM_SIZE && range->base + range->size_bytes <= 0xFEB00000));
        check(i == 0 || range[-1].base + range[-1].size_bytes <= range->base);
    }
    check(pc.pio.range_count >= 12);
}

/* Ports that exist are likelier than others. */
static uint16_t take_port(struct input *input)
{
    static const uint16_t known[] = {0x20,  0x21,  0xA0,  0xA1,  0x4D0, 0x4D1, 0x40,  0x42,
                                     0x43,  0x61,  0x60,  0x64,  0x70,  0x71,  0x3F8, 0x3F9,
                                     0x3FA, 0x3FB, 0x3FC, 0x3FD, 0x600, 0x602, 0x604, 0x608,
                                     0xCF8, 0xCF9, 0xCFC, 0xCFD, 0xCFE, 0x92};
    uint8_t choice = (uint8_t)take(input, 1);

    return choice < 0xF0 ? known[choice % ARRAY_SIZE(known)] : (uint16_t)take(input, 2);
}

/* The disks' BARs, or the APICs' and the HPET's registers, or configuration space. */
static gpa_t take_device_address(struct input *input, uint8_t op)
{
    gpa_t offset = take(input, 2);

    if (op & 0x08)
        return offset + (offset & 0x1000 ? 0xFEC00000 : 0xFEE00000);
    if (offset >= 0x8000 && offset < 0x8800)
        return offset - 0x8000 + 0xFED00000;
    if (offset >= 0xE000) /* a byte of registers of 16 devices, and a bit beyond */
        return 0xFEB00000 + ((offset & 0x1E00) << 6) + (offset & 0x1FF);
    return offset + 0xC0000000;
}

static void access_apic(struct input *input, uint8_t op)
{
    static const uint32_t others[] = {0x1B, 0x6E0};
    uint8_t choice = take8(input);
    uint32_t msr = choice < 0xF0 ? 0x800u + choice : others[choice & 1];
    uint64_t value;

    if (op & 0x80)
        vcpu.hooks.apic_write(&pc, msr,
                              msr == 0x1B ? 0xFEE00100 | take(input, 3) << 8
                                          : take(input, 1u << (op >> 4 & 3)));
    else
        vcpu.hooks.apic_read(&pc, msr, &value);
    vcpu.hooks.cr8_write(&pc, choice & 15);
}

static void one_operation(struct input *input)
{
    uint8_t op = (uint8_t)take(input, 1);
    unsigned size = 1u << (op >> 4 & 3);
    char error[BZIMAGE_ERROR_SIZE];
    uint8_t bytes[16];
    uint64_t value;
    gpa_t gpa;

    switch (op & 7) {
    case 0:
        value = vcpu.hooks.pio_read(&pc, take_port(input), size > 4 ? 4 : size);
        check(value <= size_mask(size));
        break;
    case 1:
    case 2: {
        uint16_t port = take_port(input);
        size = size > 4 ? 4 : size;
        vcpu.hooks.pio_write(&pc, port, size, (uint32_t)take(input, size));
        break;
    }
    case 3:
        gpa = take_device_address(input, op);
        if (op & 0x80)
            vcpu.hooks.mmio_write(&pc, gpa, size, take(input, size));
        else if (vcpu.hooks.mmio_read(&pc, gpa, size, &value))
            check(value <= size_mask(size));
        break;
    case 4:
        time_ns += take(input, op >> 5);
        vcpu.hooks.advance(&pc, time_ns);
        check(vcpu.hooks.next_deadline(&pc) > time_ns);
        break;
    case 5:
        value = take(input, 1);
        if (op & 0x80)
            pc_type(&pc, (uint8_t)value);
        else if (op & 0x40)
            pc_typed(&pc);
        else
            pc_keyboard_scancode(&pc, (uint8_t)value);
        break;
    case 6:
        /* Rings of a page or two: the addresses collide often. */
        gpa = 0x100000 + (take(input, 2) & 0x1FFF);
        for (unsigned i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)take(input, 1);
        vcpu.hooks.mem_write(&pc, gpa, bytes, sizeof(bytes));
        break;
    case 7:
        if (op & 0x08)
            access_apic(input, op);
        else if (vcpu.irq_high)
            check((unsigned)vcpu.hooks.irq_ack(&pc) < 256);
        else if (op & 0x80)
            pc_power_button(&pc);
        else if (op & 0x40)
            check(!pc_reset(&pc, error)); /* there is no kernel file */
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t dsdt[36] = {'D', 'S', 'D', 'T', 36};
    struct input input = {data, size};
    uint8_t *ram = calloc(1, RAM_SIZE);
    uint8_t *medium = calloc(2, DISK_SIZE);
    static _Alignas(4096) uint32_t apic_page[1024];
    struct gmem gmem = {1, {{0, RAM_SIZE, ram}}};
    struct ramdisk ramdisk[2];
    struct blk_backend disk[2];

    for (unsigned i = 0; i < 2; i++) {
        ramdisk_init(&ramdisk[i], medium + i * DISK_SIZE, DISK_SIZE, i == 1, "disk");
        disk[i] = ramdisk[i].backend;
    }
    struct pc_config config = {
        .gmem = &gmem,
        .memory_bytes = RAM_SIZE,
        .kernel = {"vmlinuz", dsdt, sizeof(dsdt)},
        .cmdline = "",
        .dsdt = dsdt,
        .dsdt_size_bytes = sizeof(dsdt),
        .disk = disk,
        .disk_count = 2,
        .com1 = {drop_byte, NULL},
        .hvc = {take_some, NULL, NULL},
        .entropy = draw,
        .rtc_epoch_s = 1767225600,
        .now = now,
        .apic_page = apic_page,
        .apic_timer_hz = 1000000000,
        .physical_address_mask = (1ull << 40) - 1,
        .host_events = feed,
    };
    memset(&vcpu, 0, sizeof(vcpu));
    time_ns = 0;
    pc_init(&pc, &config);
    pc_connect(&pc, &vcpu);
    while (input.size) {
        one_operation(&input);
        check_wires();
        check_buses();
    }
    free(medium);
    free(ram);
    return 0;
}
