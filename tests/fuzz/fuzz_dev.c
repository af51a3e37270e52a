/* needs: vmm/dev/iobus.c vmm/dev/uart16550.c vmm/dev/pit8254.c vmm/dev/pit_counter.c vmm/dev/pic8259.c vmm/dev/i8042.c vmm/dev/ps2kbd.c vmm/dev/rtc146818.c vmm/dev/rtc_date.c vmm/dev/acpi_pm.c vmm/dev/reset_ports.c */
/*
 * All chips of the PC on one bus, wired as in a PC, under any sequence of accesses, received
 * bytes, keys, resets and steps of time. After each step every pin shows what its device's state
 * asks for, every deadline lies in the future and every queue within its bounds.
 *
 * Input: commands of four bytes: what to do, a register or device, two bytes of value.
 */
#include "dev/acpi_pm.h"
#include "dev/i8042.h"
#include "dev/iobus.h"
#include "dev/pic8259.h"
#include "dev/pit8254.h"
#include "dev/reset_ports.h"
#include "dev/rtc146818.h"
#include "dev/uart16550.h"

#include <stdlib.h>
#include <string.h>

/* Guest time ends after some 146 years: no sum of times may wrap in a real run either. */
#define TIME_LIMIT (UINT64_MAX / 4)

struct machine {
    vtime_t now;
    struct iobus bus;
    struct uart16550 uart;
    struct pit8254 pit;
    struct pic8259 pic;
    struct i8042 kbc;
    struct rtc146818 rtc;
    struct acpi_pm pm;
    struct reset_ports ports;
    bool intr;
    bool pins[PIC8259_PINS];
    unsigned signals;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static vtime_t machine_now(void *ctx)
{
    return ((struct machine *)ctx)->now;
}

/* Between the devices and the PIC: remembers what each device last said. */
static void machine_pin(void *ctx, unsigned pin, bool high)
{
    struct machine *machine = ctx;
    machine->pins[pin] = high;
    pic8259_set_irq(&machine->pic, pin, high);
}

static void machine_intr(void *ctx, unsigned pin, bool high)
{
    (void)pin;
    ((struct machine *)ctx)->intr = high;
}

static void machine_signal(void *ctx)
{
    ((struct machine *)ctx)->signals++;
}

static void machine_tx(void *ctx, uint8_t byte)
{
    (void)ctx;
    (void)byte;
}

static void machine_init(struct machine *machine)
{
    static const struct rtc146818_config rtc = {1800000000, 256ull << 20, 0};
    struct irq_line pin[PIC8259_PINS];
    for (unsigned i = 0; i < PIC8259_PINS; i++)
        pin[i] = (struct irq_line){machine_pin, machine, i};
    struct signal_line signal = {machine_signal, machine};
    memset(machine, 0, sizeof(*machine));
    pic8259_init(&machine->pic, (struct irq_line){machine_intr, machine, 0});
    pit8254_init(&machine->pit, pin[0]);
    i8042_init(&machine->kbc, pin[1], pin[12], signal, signal);
    uart16550_init(&machine->uart, pin[4], (struct byte_sink){machine_tx, NULL}, signal);
    rtc146818_init(&machine->rtc, pin[8], &rtc);
    acpi_pm_init(&machine->pm, pin[9], signal);
    reset_ports_init(&machine->ports, signal);
    iobus_init(&machine->bus, machine_now, machine);
}

static void machine_wire(struct machine *machine)
{
    const struct {
        uint64_t base, size_bytes;
        const struct dev_ops *ops;
        void *dev;
        uint32_t dev_offset;
    } ranges[] = {
        {0x20, 2, &pic8259_ops, &machine->pic, 0},
        {0x40, 4, &pit8254_ops, &machine->pit, 0},
        {0x60, 1, &i8042_ops, &machine->kbc, 0},
        {0x61, 1, &pit8254_ops, &machine->pit, 4},
        {0x64, 1, &i8042_ops, &machine->kbc, 4},
        {0x70, 2, &rtc146818_ops, &machine->rtc, 0},
        {0x92, 1, &reset_ports_ops, &machine->ports, 0},
        {0xa0, 2, &pic8259_ops, &machine->pic, 2},
        {0xb0, 12, &acpi_pm_ops, &machine->pm, 0},
        {0xd0, 2, &pic8259_ops, &machine->pic, 4},
        {0xd9, 1, &reset_ports_ops, &machine->ports, 1},
        {0xf8, 8, &uart16550_ops, &machine->uart, 0},
    };
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        check(iobus_add(&machine->bus, ranges[i].base, ranges[i].size_bytes, ranges[i].ops,
                        ranges[i].dev, ranges[i].dev_offset));
}

/* --- invariants ------------------------------------------------------------------------------- */

static void check_deadline(const struct dev_ops *ops, void *dev, vtime_t now)
{
    ops->advance(dev, now);
    check(ops->next_deadline(dev) > now);
}

static void check_machine(struct machine *machine)
{
    check(machine->pins[0] == pit8254_irq_cause(&machine->pit));
    check(machine->pins[1] == i8042_kbd_irq_cause(&machine->kbc));
    check(machine->pins[4] == uart16550_irq_level(&machine->uart));
    check(machine->pins[8] == rtc146818_irq_cause(&machine->rtc));
    check(machine->pins[9] == acpi_pm_irq_cause(&machine->pm));
    check(machine->pins[12] == i8042_aux_irq_cause(&machine->kbc));
    check(machine->intr == pic8259_irq_cause(&machine->pic));

    check_deadline(&pit8254_ops, &machine->pit, machine->now);
    check_deadline(&rtc146818_ops, &machine->rtc, machine->now);
    check_deadline(&acpi_pm_ops, &machine->pm, machine->now);

    check(machine->uart.rx_count <= UART16550_FIFO_SIZE);
    check(machine->uart.rx_head < UART16550_FIFO_SIZE);
    check(uart16550_rx_space(&machine->uart) <= UART16550_FIFO_SIZE);
    check(machine->kbc.kbd.key_count <= PS2KBD_KEYS && machine->kbc.kbd.key_head < PS2KBD_KEYS);
    check(machine->kbc.kbd.answer_count <= PS2KBD_ANSWERS);
    check(machine->kbc.kbd.answer_next <= machine->kbc.kbd.answer_count);
    check(!machine->kbc.reply_waiting || machine->kbc.buffer_full);
    check(machine->pic.master.lowest < 8 && machine->pic.slave.lowest < 8);
    check(machine->bus.last_hit < machine->bus.range + IOBUS_MAX_RANGES);
}

/* --- reset == fresh init ---------------------------------------------------------------------- */

#define SAME(a, b, first, last)                                                                    \
    (memcmp(&(a)->first, &(b)->first,                                                              \
            (size_t)((const char *)(&(a)->last + 1) - (const char *)&(a)->first)) == 0)

static void check_counter(const struct pit_counter *a, const struct pit_counter *b)
{
    check(SAME(a, b, control, count));
    check(SAME(a, b, start, load_pending));
    check(SAME(a, b, load_at, status_latch));
}

static void check_chip(const struct pic_chip *was_reset, const struct pic_chip *fresh)
{
    struct pic_chip chip = *was_reset;
    chip.lines = fresh->lines; /* the inputs' levels are their devices' */
    check(SAME(&chip, fresh, expects, poll));
}

static void reset_all(struct machine *machine)
{
    static struct machine fresh;
    machine_init(&fresh);
    fresh.now = machine->now;
    fresh.pit.tick = machine->pit.tick;
    pit8254_ops.reset(&fresh.pit);
    pic8259_ops.reset(&fresh.pic); /* the last, as below: the others' pins move its inputs */

    pit8254_ops.reset(&machine->pit);
    i8042_ops.reset(&machine->kbc);
    uart16550_ops.reset(&machine->uart);
    rtc146818_ops.reset(&machine->rtc);
    acpi_pm_ops.reset(&machine->pm);
    reset_ports_ops.reset(&machine->ports);
    pic8259_ops.reset(&machine->pic);

    check_chip(&machine->pic.master, &fresh.pic.master);
    check_chip(&machine->pic.slave, &fresh.pic.slave);
    for (unsigned i = 0; i < 3; i++)
        check_counter(&machine->pit.counter[i], &fresh.pit.counter[i]);
    check(machine->pit.port61 == 0);
    check(SAME(&machine->kbc, &fresh.kbc, expects, keys_refused));
    check(SAME(&machine->kbc.kbd, &fresh.kbc.kbd, expects, key));
    check(SAME(&machine->uart, &fresh.uart, ier, rx_error));
    check(SAME(&machine->pm, &fresh.pm, status, control));
    check(SAME(&machine->ports, &fresh.ports, port92, cf9));
    check(machine->rtc.index == 0 && machine->rtc.reg_c == 0);
    check((machine->rtc.reg_b & 0x78) == 0);
}

/* --- commands --------------------------------------------------------------------------------- */

static void machine_access(struct machine *machine, bool write, const uint8_t *command)
{
    static const unsigned sizes[] = {1, 1, 1, 1, 1, 2, 4, 8};
    unsigned size = sizes[command[0] >> 5];
    if (write) {
        uint64_t value = command[2] | (uint64_t)command[3] << 8;
        iobus_write(&machine->bus, command[1], size, value | value << 16 | value << 32);
        return;
    }
    uint64_t value = iobus_read(&machine->bus, command[1], size);
    check(size == 8 || value >> size * 8 == 0);
}

/* Steps from one nanosecond to some years, and to the nearest deadline. */
static void machine_time(struct machine *machine, const uint8_t *command)
{
    vtime_t step = (vtime_t)(command[2] | command[3] << 8) << command[1] % 48;
    vtime_t due = pit8254_ops.next_deadline(&machine->pit);
    vtime_t rtc = rtc146818_ops.next_deadline(&machine->rtc);
    vtime_t pm = acpi_pm_ops.next_deadline(&machine->pm);
    due = rtc < due ? rtc : due;
    due = pm < due ? pm : due;
    vtime_t next = command[1] >= 0xc0 ? due : machine->now + step;
    if (next <= TIME_LIMIT)
        machine->now = next;
}

static void machine_step(struct machine *machine, const uint8_t *command)
{
    switch (command[0] & 0x0f) {
    case 0:
    case 1:
    case 2:
    case 3:
        machine_access(machine, false, command);
        break;
    case 4:
        machine_time(machine, command);
        break;
    case 5:
        uart16550_rx(&machine->uart, command[2]);
        break;
    case 6:
        uart16550_rx_break(&machine->uart);
        break;
    case 7:
        i8042_host_scancode(&machine->kbc, command[2]);
        break;
    case 8:
        acpi_pm_power_button(&machine->pm);
        break;
    case 9:
        if (machine->intr)
            check((pic8259_ack(&machine->pic) & ~0xff) == 0);
        break;
    case 10:
        if (command[2] == 0x5a)
            reset_all(machine);
        break;
    default:
        machine_access(machine, true, command);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct machine machine;
    machine_init(&machine);
    machine_wire(&machine);
    for (size_t i = 0; i + 4 <= size && i < 4096; i += 4) {
        machine_step(&machine, data + i);
        check_machine(&machine);
    }
    return 0;
}
