/* needs: vmm/dev/describe.c vmm/dev/pic8259.c vmm/dev/pit8254.c vmm/dev/pit_counter.c vmm/dev/rtc146818.c vmm/dev/rtc_date.c vmm/dev/uart16550.c vmm/dev/i8042.c vmm/dev/ps2kbd.c vmm/dev/acpi_pm.c vmm/dev/iobus.c vmm/dev/pci.c vmm/dev/virtio_pci.c vmm/dev/msix.c vmm/dev/virtio_common.c vmm/dev/virtio_blk.c vmm/dev/virtqueue.c vmm/dev/gmem.c vmm/dev/ramdisk.c vmm/lib/text.c vmm/lib/fmt.c vmm/lib/mem.c */
/* What devices tell about themselves; telling changes nothing, to the byte. */
#include "dev/describe.h"
#include "dev/ramdisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static char text[4096];
static unsigned raised; /* how often any line or signal of a device moved */

static void keep(void *ctx, uint8_t byte)
{
    size_t length = strlen(text);
    (void)ctx;
    assert_true(length + 1 < sizeof(text));
    text[length] = (char)byte;
    text[length + 1] = '\0';
}

static const struct byte_sink out = {keep, NULL};

static void set_line(void *sink, unsigned pin, bool high)
{
    (void)sink;
    (void)pin;
    (void)high;
    raised++;
}

static const struct irq_line line = {set_line, NULL, 0};
static const struct signal_line no_signal = {NULL, NULL};

/* Describes with `call`; the device's bytes and its pins must be what they were. */
#define DESCRIBE(device, call)                                                                     \
    do {                                                                                           \
        unsigned char before[sizeof(device)];                                                      \
        memcpy(before, &(device), sizeof(device));                                                 \
        raised = 0;                                                                                \
        text[0] = '\0';                                                                            \
        call;                                                                                      \
        assert_memory_equal(before, &(device), sizeof(device));                                    \
        assert_int_equal(raised, 0);                                                               \
    } while (0)

static void expect(const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text);
}

static void write(const struct dev_ops *ops, void *dev, uint32_t offset, uint8_t value)
{
    assert_int_equal(ops->write(dev, offset, 1, value), IO_OK);
}

static void the_pic(void **state)
{
    (void)state;
    static struct pic8259 pic;
    pic8259_init(&pic, line);
    DESCRIBE(pic, describe_pic(&pic, out));
    expect("master: IRR 00 ISR 00 IMR 00 ELCR 00 lines 00, vectors from 00, not initialized\n");
    static const uint8_t icw[] = {0x11, 0x30, 0x04, 0x01};
    for (unsigned i = 0; i < 4; i++)
        write(&pic8259_ops, &pic, i != 0, icw[i]);
    write(&pic8259_ops, &pic, 1, 0xe0);
    write(&pic8259_ops, &pic, 0, 0x0b); /* reads give ISR: telling doesn't mind */
    pic8259_set_irq(&pic, 3, true);
    DESCRIBE(pic, describe_pic(&pic, out));
    expect("master: IRR 08 ISR 00 IMR e0 ELCR 00 lines 08, vectors from 30, in operation\n");
    expect("INT to the CPU is high; 0 acknowledged, 0 spurious\n");
    assert_int_equal(pic8259_ack(&pic), 0x33);
    DESCRIBE(pic, describe_pic(&pic, out));
    expect("ISR 08");
    expect("IRQ  3: 1\n");
}

static void the_pit(void **state)
{
    (void)state;
    static struct pit8254 pit;
    pit8254_init(&pit, line);
    write(&pit8254_ops, &pit, 3, 0x34);
    write(&pit8254_ops, &pit, 0, 0xa9);
    write(&pit8254_ops, &pit, 0, 0x04); /* 1193 ticks: a millisecond */
    pit8254_ops.advance(&pit, 1000000000);
    write(&pit8254_ops, &pit, 3, 0x00); /* a latch of the guest's stays its own */
    DESCRIBE(pit, describe_pit(&pit, 1000100000, out));
    expect("counter 0: mode 2, count ");
    expect(" of 1193, gate high, OUT high\n");
    expect("counter 2: mode 3, count ");
    expect("gate low");
}

static void the_rtc(void **state)
{
    (void)state;
    static struct rtc146818 rtc;
    const struct rtc146818_config config = {.epoch_s = 1767225599}; /* 2025-12-31 23:59:59 */
    rtc146818_init(&rtc, line, &config);
    write(&rtc146818_ops, &rtc, 0, 0x0c);
    rtc.reg_c = 0x10; /* a read would clear it */
    DESCRIBE(rtc, describe_rtc(&rtc, 0, out));
    expect("date 2025-12-31 23:59:59\n");
    expect("C 10, index 0c");
    DESCRIBE(rtc, describe_rtc(&rtc, 1000000000, out));
    expect("date 2026-01-01 00:00:00\n");
    write(&rtc146818_ops, &rtc, 0, 0x0b);
    write(&rtc146818_ops, &rtc, 1, 0x06);
    DESCRIBE(rtc, describe_rtc(&rtc, 1000000000, out));
    expect("date 2026-01-01 00:00:00\n");
}

static void the_uart(void **state)
{
    (void)state;
    static struct uart16550 uart;
    uart16550_init(&uart, line, (struct byte_sink){NULL, NULL}, no_signal);
    write(&uart16550_ops, &uart, 2, 0x01);
    write(&uart16550_ops, &uart, 0, 'x');
    assert_true(uart16550_rx(&uart, 'a'));
    assert_true(uart16550_rx_break(&uart)); /* an error that a read of LSR would clear */
    DESCRIBE(uart, describe_uart(&uart, out));
    expect("divisor 12, interrupt low\n");
    expect("1 bytes sent, 2 received, 2 wait in its FIFO\n");
}

static void keyboard_and_power(void **state)
{
    (void)state;
    static struct i8042 ctl;
    static struct acpi_pm pm;
    i8042_init(&ctl, line, line, no_signal, no_signal);
    write(&i8042_ops, &ctl, 4, 0xaa);
    DESCRIBE(ctl, describe_i8042(&ctl, out));
    expect("a byte waits to be read");
    acpi_pm_init(&pm, line, no_signal);
    acpi_pm_power_button(&pm);
    DESCRIBE(pm, describe_pm(&pm, out));
    expect("status 0100 enable 0000 control 0000, SCI low\n");
}

static void bus_and_disk(void **state)
{
    (void)state;
    static struct iobus pio, mmio;
    static struct pci pci;
    static struct virtio_blk blk;
    static struct virtio_blk_work work;
    static struct virtio_pci vp;
    static struct ramdisk disk;
    static struct gmem gmem;
    static uint8_t bytes[4096];
    struct pci_wiring wiring = {.pio = &pio, .mmio = &mmio, .mem = {0xc0000000, 0x100000}};
    iobus_init(&pio, NULL, NULL);
    iobus_init(&mmio, NULL, NULL);
    pci_init(&pci, &wiring);
    ramdisk_init(&disk, bytes, sizeof(bytes), true, "a name of 20 letters.");
    virtio_blk_init(&blk, &disk.backend, &gmem, &work);
    virtio_pci_init(&vp, &virtio_blk_ops, &blk, &gmem, (struct virtio_fault_sink){NULL, NULL});
    assert_true(pci_attach(&pci, &vp.pci, 3));
    pci_config_write(&pci, 3 << 3, 4, 2, 2);
    DESCRIBE(pci, describe_pci(&pci, out));
    expect("00:00.0 8086:1237 class 0600");
    expect("00:03.0 1af4:1042 class 0100, command 0002 memory, pin 1 line 0\n");
    expect("BAR 0: memory c0000000, 16 KiB\n");
    iobus_write(&mmio, 0xc0000014, 1, 3);
    DESCRIBE(mmio, describe_bus(&mmio, out));
    expect("c0000000-c0003fff virtio-pci   1 accesses\n");
    vp.isr = 1;
    DESCRIBE(vp, describe_virtio(&vp, out));
    expect("slot 3, virtio-blk: status 03 acknowledged driver, ISR 1, features 0\n");
    expect("  queue 0: off\n");
    vp.queue[0].enabled = true;
    vp.queue[0].broken = "for a reason";
    DESCRIBE(vp, describe_virtio(&vp, out));
    expect("BROKEN: for a reason\n");
    DESCRIBE(blk, describe_blk(&blk, out));
    expect("a name of 20 letters: 4 KiB read-only, 0 reads of 0 KiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pic),
        cmocka_unit_test(the_pit),
        cmocka_unit_test(the_rtc),
        cmocka_unit_test(the_uart),
        cmocka_unit_test(keyboard_and_power),
        cmocka_unit_test(bus_and_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
