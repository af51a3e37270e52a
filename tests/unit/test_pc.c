/* needs: vmm/pc/pc.c vmm/pc/pc_run.c vmm/pc/pc_apic.c vmm/virt/pveoi.c vmm/dev/hpet.c vmm/dev/ioapic.c vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/pc/bzimage.c vmm/pc/zero_page.c vmm/pc/e820.c vmm/pc/acpi.c vmm/pc/firmware.c vmm/dev/acpi_pm.c vmm/dev/gmem.c vmm/dev/i8042.c vmm/dev/iobus.c vmm/dev/pci.c vmm/dev/pic8259.c vmm/dev/pit8254.c vmm/dev/pit_counter.c vmm/dev/ps2kbd.c vmm/dev/ramdisk.c vmm/dev/reset_ports.c vmm/dev/rtc146818.c vmm/dev/rtc_date.c vmm/dev/uart16550.c vmm/dev/virtio_blk.c vmm/dev/virtio_console.c vmm/dev/virtio_rng.c vmm/dev/virtio_common.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtqueue.c vmm/lib/fmt.c vmm/lib/mem.c */
/* The ports and the resets of the machine. */
#include "pc_fixture.h"

#include "lib/fmt.h"
#include "lib/log.h"

static char report[1024];

void log_raw(const char *format, ...)
{
    size_t length = strlen(report);
    va_list args;
    va_start(args, format);
    fmt_vsnprintf(report + length, sizeof(report) - length, format, args);
    va_end(args);
}

static void every_port_of_the_map_answers(void **state)
{
    static const struct {
        uint16_t first, last;
    } map[] = {{0x20, 0x21},   {0xA0, 0xA1}, {0x4D0, 0x4D1}, {0x40, 0x43},
               {0x61, 0x61},   {0x60, 0x60}, {0x64, 0x64},   {0x70, 0x71},
               {0x3F8, 0x3FF}, {0x92, 0x92}, {0x600, 0x60B}, {0xCF8, 0xCFF}};
    bool claimed[0x10000] = {false};

    (void)state;
    for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        for (unsigned port = map[i].first; port <= map[i].last; port++)
            claimed[port] = true;
    for (unsigned port = 0; port < 0x10000; port++) {
        uint64_t before = pc.pio.unclaimed_reads;
        uint32_t value = in((uint16_t)port, 1);

        assert_int_equal(pc.pio.unclaimed_reads - before, claimed[port] ? 0 : 1);
        if (!claimed[port])
            assert_int_equal(value, 0xFF);
    }
}

static void ports_of_absent_devices_read_as_ones_in_any_width(void **state)
{
    (void)state;
    assert_int_equal(in(0x80, 1), 0xFF);
    assert_int_equal(in(0x3C0, 2), 0xFFFF);
    assert_true(in(0x2F8, 4) == 0xFFFFFFFF);
    assert_true(in(0x1000, 4) == 0xFFFFFFFF);
    out(0x80, 1, 0);
}

static void the_isa_bridge_splits_wide_accesses(void **state)
{
    (void)state;
    out(0x3FE, 2, 0x5A00); /* the scratch register is the second byte */
    assert_int_equal(in(0x3FF, 1), 0x5A);
    assert_int_equal(in(0x3FE, 2) >> 8, 0x5A);
    assert_int_equal(in(0x3FC, 4) >> 24, 0x5A);
    assert_int_equal(in(0x3FF, 2), 0xFF5A);
    out(0x70, 2, 0x770E | 0x80); /* index 0Eh with NMI off, then the byte */
    assert_int_equal(in(0x71, 1), 0x77);
}

static void s5_through_pm1_control_powers_off(void **state)
{
    (void)state;
    assert_int_equal(in(0x604, 2) & 1, 1); /* SCI_EN */
    out(0x604, 2, 0x1401);                 /* SLP_TYP 5 alone does nothing */
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_RUNNING);
    out(0x604, 2, 0x3401);
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_STOP_POWER_OFF);
}

static void cf9_92h_and_feh_reset(void **state)
{
    char error[BZIMAGE_ERROR_SIZE];

    (void)state;
    out(0xCF9, 1, 0x02);
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_RUNNING);
    out(0xCF9, 1, 0x06);
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_STOP_RESET);
    assert_true(pc_reset(&pc, error));
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_RUNNING);
    out(0x92, 1, 0x01);
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_STOP_RESET);
    assert_true(pc_reset(&pc, error));
    out(0x64, 1, 0xFE);
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_STOP_RESET);
}

static void the_first_stop_request_wins(void **state)
{
    (void)state;
    out(0x604, 2, 0x3401);
    out(0xCF9, 1, 0x06);
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_STOP_POWER_OFF);
}

static void four_disks_fit_and_none_is_a_machine_too(void **state)
{
    static const uint8_t line[] = {10, 11, 10, 11};
    struct blk_backend four[4] = {disk[0], disk[1], disk[0], disk[1]};
    struct pc_config config = pc.config;

    (void)state;
    config.disk = four;
    config.disk_count = 4;
    pc_init(&pc, &config);
    for (unsigned slot = 1; slot <= 4; slot++) {
        assert_int_equal(config_read(slot, 0x00), 0x10421AF4);
        assert_int_equal(config_read(slot, 0x3C) & 0xFF, line[slot - 1]);
    }
    config.disk_count = 0;
    pc_init(&pc, &config);
    assert_true(config_read(1, 0x00) == 0xFFFFFFFF);
}

static void disks_are_virtio_blk_at_slots_1_and_2(void **state)
{
    (void)state;
    assert_int_equal(config_read(0, 0x00), 0x12378086);
    assert_int_equal(config_read(1, 0x00), 0x10421AF4);
    assert_int_equal(config_read(2, 0x00), 0x10421AF4);
    assert_true(config_read(3, 0x00) == 0xFFFFFFFF);
    assert_int_equal(config_read(1, 0x3C) & 0xFFFF, 0x010A); /* INTA, line 10 */
    assert_int_equal(config_read(2, 0x3C) & 0xFFFF, 0x010B);
}

static void a_bar_answers_only_while_decoding_is_on(void **state)
{
    uint64_t value;
    uint64_t bar = config_read(1, 0x10) & ~0xFu;

    (void)state;
    assert_in_range(bar, 0xC0000000, 0xFEBFFFFF);
    assert_false(vcpu.hooks.mmio_read(&pc, bar, 4, &value));
    config_write(1, 0x04, 0x0006);
    assert_true(vcpu.hooks.mmio_read(&pc, bar + 0x12, 2, &value)); /* num_queues */
    assert_int_equal(value, 1);
    assert_true(vcpu.hooks.mmio_write(&pc, bar + 0x14, 1, 1)); /* device_status: ACKNOWLEDGE */
    assert_true(vcpu.hooks.mmio_read(&pc, bar + 0x14, 1, &value));
    assert_int_equal(value, 1);
    assert_false(vcpu.hooks.mmio_read(&pc, bar - 4096, 4, &value));
    assert_false(vcpu.hooks.mmio_write(&pc, 0xFEE01000, 4, 0));
}

static void memory_hooks_stay_inside_of_ram(void **state)
{
    uint32_t word = 0x11223344;

    (void)state;
    assert_true(vcpu.hooks.mem_write(&pc, RAM_SIZE - 4, &word, 4));
    word = 0;
    assert_true(vcpu.hooks.mem_read(&pc, RAM_SIZE - 4, &word, 4));
    assert_int_equal(word, 0x11223344);
    assert_false(vcpu.hooks.mem_read(&pc, RAM_SIZE - 3, &word, 4));
    assert_false(vcpu.hooks.mem_write(&pc, UINT64_MAX - 1, &word, 4));
}

static void reset_leaves_the_elcr_as_a_bios_does(void **state)
{
    (void)state;
    assert_int_equal(in(0x4D0, 1), 0x00);
    assert_int_equal(in(0x4D1, 1), 0x0E);
}

static void reset_reloads_the_kernel_and_keeps_the_rest(void **state)
{
    char error[BZIMAGE_ERROR_SIZE];

    (void)state;
    memset(ram, 0xEE, RAM_SIZE);
    medium[0][700] = 0x42;
    config_write(1, 0x04, 0x0006);
    out(0x3FF, 1, 0x77);
    assert_true(pc_reset(&pc, error));
    assert_memory_equal(ram + (pc.entry.entry - 0x200), kernel + 1024, 4096);
    assert_string_equal((char *)ram + 0x20000, "quiet");
    assert_memory_equal(ram + 0xE0000, "RSD PTR ", 8);
    assert_int_equal(ram[0x40E] | ram[0x40F] << 8, 0x9FC0);
    assert_int_equal(ram[0x413] | ram[0x414] << 8, 639);
    assert_int_equal(ram[0x9FC00], 1);
    assert_int_equal(ram[0x50000], 0);     /* the first megabyte is cleared */
    assert_int_equal(ram[0x700000], 0xEE); /* the rest is left alone */
    assert_int_equal(medium[0][700], 0x42);
    assert_int_equal(config_read(1, 0x04) & 0xFFFF, 0);
    assert_false(vcpu.irq_high);
}

static void a_broken_kernel_fails_the_reset_with_its_sentence(void **state)
{
    char error[BZIMAGE_ERROR_SIZE] = "";

    (void)state;
    kernel[0x202] = 0;
    assert_false(pc_reset(&pc, error));
    assert_non_null(strstr(error, "\"vmlinuz\" is not a Linux bzImage"));
}

static void the_rtc_shows_the_epoch_and_the_time_since(void **state)
{
    (void)state;
    time_ns = 3605ull * 1000000000; /* 01:00:05 on 2026-01-01 */
    out(0x70, 1, 0x04);
    assert_int_equal(in(0x71, 1), 0x01);
    out(0x70, 1, 0x09);
    assert_int_equal(in(0x71, 1), 0x26);
    out(0x70, 1, 0x32);
    assert_int_equal(in(0x71, 1), 0x20);
}

static void the_report_names_the_busiest_ports(void **state)
{
    (void)state;
    report[0] = '\0';
    for (unsigned i = 0; i < 1234; i++)
        in(0x3FD, 1);
    for (unsigned i = 0; i < 60; i++)
        out(0x3F8, 1, 'x');
    out(0x80, 1, 0);
    in(0x2F8, 2); /* two bytes of the ISA bus */
    pc_report_ports(&pc);
    assert_string_equal(report, "accesses by port, the busiest:\n"
                                "        1234  3fd uart16550\n"
                                "          60  3f8 uart16550\n"
                                "           1  4d0 pic8259\n" /* the reset's own */
                                "           1  4d1 pic8259\n"
                                "           3  without a device, 2f9 the latest\n");
}

static void the_report_ends_behind_twelve_ports(void **state)
{
    (void)state;
    report[0] = '\0';
    for (unsigned port = 0x3F8; port < 0x400; port++)
        in((uint16_t)port, 1);
    for (unsigned port = 0x40; port < 0x44; port++)
        in((uint16_t)port, 1);
    in(0x61, 1);
    pc_report_ports(&pc);
    assert_non_null(strstr(report, "1  3fe uart16550"));
    assert_null(strstr(report, "3ff"));
    assert_null(strstr(report, "without"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_port_of_the_map_answers),
        T(ports_of_absent_devices_read_as_ones_in_any_width),
        T(the_isa_bridge_splits_wide_accesses),
        T(s5_through_pm1_control_powers_off),
        T(cf9_92h_and_feh_reset),
        T(the_first_stop_request_wins),
        T(four_disks_fit_and_none_is_a_machine_too),
        T(disks_are_virtio_blk_at_slots_1_and_2),
        T(a_bar_answers_only_while_decoding_is_on),
        T(memory_hooks_stay_inside_of_ram),
        T(reset_leaves_the_elcr_as_a_bios_does),
        T(reset_reloads_the_kernel_and_keeps_the_rest),
        T(a_broken_kernel_fails_the_reset_with_its_sentence),
        T(the_rtc_shows_the_epoch_and_the_time_since),
        T(the_report_names_the_busiest_ports),
        T(the_report_ends_behind_twelve_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
