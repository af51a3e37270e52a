/* needs: vmm/pc/pc.c vmm/pc/pc_run.c vmm/pc/pc_apic.c vmm/virt/pveoi.c vmm/dev/hpet.c vmm/dev/ioapic.c vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/pc/bzimage.c vmm/pc/zero_page.c vmm/pc/e820.c vmm/pc/acpi.c vmm/pc/firmware.c vmm/dev/acpi_pm.c vmm/dev/gmem.c vmm/dev/i8042.c vmm/dev/iobus.c vmm/dev/pci.c vmm/dev/pic8259.c vmm/dev/pit8254.c vmm/dev/pit_counter.c vmm/dev/ps2kbd.c vmm/dev/ramdisk.c vmm/dev/reset_ports.c vmm/dev/rtc146818.c vmm/dev/rtc_date.c vmm/dev/uart16550.c vmm/dev/virtio_blk.c vmm/dev/virtio_console.c vmm/dev/virtio_rng.c vmm/dev/virtio_common.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtqueue.c vmm/lib/fmt.c vmm/lib/mem.c */
/* The virtio console and the HPET in their machine: who gets what is typed, and who has IRQ 0. */
#include "pc_fixture.h"

/* --- slots --- */

static void console_and_entropy_are_in_slots_6_and_8(void **state)
{
    struct pc_config config = pc.config;
    (void)state;
    assert_int_equal(config_read(6, 0x00), 0x10431AF4);
    assert_int_equal(config_read(8, 0x00), 0x10441AF4);
    assert_int_equal(config_read(6, 0x3C) & 0xFFFF, 0x010B);
    assert_int_equal(config_read(8, 0x3C) & 0xFFFF, 0x010B);
    config.entropy = NULL;
    pc_init(&pc, &config);
    assert_int_equal(config_read(6, 0x00), 0x10431AF4);
    assert_true(config_read(8, 0x00) == 0xFFFFFFFF);
}

static void configuration_space_is_memory_at_feb00000(void **state)
{
    uint64_t value;
    (void)state;
    assert_true(vcpu.hooks.mmio_read(&pc, 0xFEB00000, 4, &value));
    assert_int_equal(value, 0x12378086);
    assert_true(vcpu.hooks.mmio_read(&pc, 0xFEB30000, 4, &value));
    assert_int_equal(value, 0x10431AF4);
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEB3003C, 1, 0x77));
    assert_int_equal(config_read(6, 0x3C) & 0xFF, 0x77);
    assert_true(vcpu.hooks.mmio_read(&pc, 0xFEBFFFFC, 4, &value));
    assert_int_equal(value, 0xFFFFFFFF);
    /* No BAR gets there. */
    config_write(6, 0x10, 0xFEB00000);
    config_write(6, 0x04, 0x0002);
    assert_true(vcpu.hooks.mmio_read(&pc, 0xFEB00000, 4, &value));
    assert_int_equal(value, 0x12378086);
}

/* Linux with pci=noacpi moves all BARs to the end of its memory. */
static void bars_may_lie_anywhere_behind_ram(void **state)
{
    uint64_t value, first = config_read(6, 0x10);
    (void)state;
    assert_in_range(first, 0xC0000000, 0xC00FFFFF);
    config_write(6, 0x04, 0x0002);
    config_write(6, 0x10, RAM_SIZE);
    assert_true(vcpu.hooks.mmio_read(&pc, RAM_SIZE + 0x12, 2, &value));
    assert_int_equal(value, 2); /* num_queues */
    assert_false(vcpu.hooks.mmio_read(&pc, first + 0x12, 2, &value));
    config_write(6, 0x10, 0xFEAFC000);
    assert_true(vcpu.hooks.mmio_read(&pc, 0xFEAFC012, 2, &value));
    assert_int_equal(value, 2);
    /* But not in it. */
    config_write(6, 0x10, RAM_SIZE - 0x4000);
    assert_false(vcpu.hooks.mmio_read(&pc, RAM_SIZE - 0x4000 + 0x12, 2, &value));
}

/* --- a driver of the console; rings and buffers lie at 5 MiB --- */

#define RX  0x500000u /* descriptors, 1000h on: available ring, 2000h: used ring, 3000h: buffer */
#define TX  0x510000u
#define BAR (config_read(6, 0x10) & ~0xFu)

static uint16_t get16(uint32_t at)
{
    return (uint16_t)(ram[at] | ram[at + 1] << 8);
}

static void bar_write(uint32_t offset, unsigned size, uint64_t value)
{
    assert_true(vcpu.hooks.mmio_write(&pc, BAR + offset, size, value));
}

static void start_queue(unsigned index, uint32_t rings)
{
    bar_write(0x16, 2, index);
    bar_write(0x18, 2, 8);
    bar_write(0x20, 8, rings);
    bar_write(0x28, 8, rings + 0x1000);
    bar_write(0x30, 8, rings + 0x2000);
    bar_write(0x1C, 2, 1);
}

static void start_console(void)
{
    config_write(6, 0x04, 0x0006);
    bar_write(0x14, 1, 3);
    bar_write(0x08, 4, 1);
    bar_write(0x0C, 4, 1);
    bar_write(0x14, 1, 0x0B);
    start_queue(0, RX);
    start_queue(1, TX);
    bar_write(0x14, 1, 0x0F);
}

/* Offers a buffer of the queue and notifies. */
static void offer(uint32_t rings, uint8_t size, uint8_t flags)
{
    uint16_t index = get16(rings + 0x1002);

    memset(ram + rings, 0, 16);
    ram[rings + 1] = 0x30;
    ram[rings + 2] = (uint8_t)(rings >> 16);
    ram[rings + 8] = size;
    ram[rings + 12] = flags;
    ram[rings + 0x1004 + 2 * (index % 8)] = 0;
    ram[rings + 0x1002] = (uint8_t)(index + 1);
    bar_write(rings == TX ? 0x3004 : 0x3000, 2, 0);
}

static void say_on_hvc(char c)
{
    ram[TX + 0x3000] = (uint8_t)c;
    offer(TX, 1, 0);
}

/* What the guest reads: the byte came in on COM1, or on hvc0, or 0. */
static char typed_on_com1(void)
{
    return in(0x3FD, 1) & 1 ? (char)in(0x3F8, 1) : 0;
}

static void type(char c)
{
    assert_true(pc_type(&pc, (uint8_t)c));
    pc_typed(&pc);
}

static void typing_goes_to_com1_until_hvc_speaks(void **state)
{
    (void)state;
    type('a');
    assert_int_equal(typed_on_com1(), 'a');
    start_console();
    offer(RX, 16, 2);
    type('b');
    assert_int_equal(typed_on_com1(), 'b');
    assert_int_equal(get16(RX + 0x2002), 0);
    say_on_hvc('$');
    assert_memory_equal(hvc_sent, "$", 1);
    type('c');
    assert_int_equal(typed_on_com1(), 0);
    assert_int_equal(get16(RX + 0x2002), 1);
    assert_int_equal(ram[RX + 0x3000], 'c');
}

static void typing_follows_the_last_output_where_com1_listens(void **state)
{
    (void)state;
    start_console();
    offer(RX, 1, 2);
    say_on_hvc('$');
    out(0x3F8, 1, '#'); /* a kernel's message: nobody reads there */
    type('a');
    assert_int_equal(typed_on_com1(), 0);
    assert_int_equal(ram[RX + 0x3000], 'a');
    out(0x3F9, 1, 1); /* receive interrupt on: somebody does */
    type('b');
    assert_int_equal(typed_on_com1(), 'b');
    offer(RX, 1, 2);
    say_on_hvc('$');
    type('c');
    assert_int_equal(typed_on_com1(), 0);
    assert_int_equal(ram[RX + 0x3000], 'c');
}

static void typing_goes_back_to_com1_when_the_driver_is_gone(void **state)
{
    (void)state;
    start_console();
    say_on_hvc('$');
    bar_write(0x14, 1, 0);
    type('a');
    assert_int_equal(typed_on_com1(), 'a');
}

static void typing_interrupts_the_guest(void **state)
{
    (void)state;
    init_pics();
    start_console();
    say_on_hvc('$');
    vcpu.hooks.mmio_read(&pc, BAR + 0x1000, 1, &(uint64_t){0});
    vcpu.hooks.irq_ack(&pc);
    out(0xA0, 1, 0x20);
    out(0x20, 1, 0x20);
    assert_false(vcpu.irq_high);
    offer(RX, 16, 2);
    type('a');
    assert_true(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x3B);
}

static void output_without_room_is_tried_again(void **state)
{
    unsigned calls = host_events_calls;
    (void)state;
    start_console();
    deadline();
    hvc_room = 0;
    say_on_hvc('x');
    assert_int_equal(get16(TX + 0x2002), 0);
    assert_true(vcpu.devices_touched);
    assert_true(deadline() <= time_ns + 500000);
    hvc_room = 1;
    pass_time(500000);
    assert_int_equal(host_events_calls, calls + 1);
    assert_int_equal(hvc_count, 1);
    assert_int_equal(get16(TX + 0x2002), 1);
}

/* --- HPET --- */

static void hpet_write(uint32_t offset, uint64_t value)
{
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFED00000 + offset, 8, value));
}

static uint64_t hpet_read(uint32_t offset)
{
    uint64_t value = 0;

    assert_true(vcpu.hooks.mmio_read(&pc, 0xFED00000 + offset, 8, &value));
    return value;
}

static void the_hpet_counts_guest_time(void **state)
{
    uint64_t value;
    (void)state;
    assert_true(hpet_read(0) == 0x009896808086A201);
    hpet_write(0x10, 1);
    uint64_t before = hpet_read(0xF0);
    time_ns += 1234560;
    assert_int_equal(hpet_read(0xF0) - before, 123456);
    assert_false(vcpu.hooks.mmio_read(&pc, 0xFED00400, 8, &value));
}

static void legacy_replacement_takes_irq_0_from_the_pit(void **state)
{
    (void)state;
    init_pics();
    out(0x43, 1, 0x34);
    out(0x40, 1, 0xE8); /* the PIT in mode 2, 1000 ticks: 838 us */
    out(0x40, 1, 0x03);
    while (vcpu.irq_high) {
        vcpu.hooks.irq_ack(&pc);
        out(0x20, 1, 0x20);
    }
    hpet_write(0x10, 3);
    hpet_write(0x100, 0x04);
    hpet_write(0x108, hpet_read(0xF0) + 1000000); /* 10 ms */
    for (unsigned i = 0; i < 9; i++) {
        pass_time(1000000);
        assert_false(vcpu.irq_high);
    }
    pass_time(1000000);
    assert_true(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x30);
    out(0x20, 1, 0x20);
    assert_false(vcpu.irq_high);
    hpet_write(0x10, 1);
    pass_time(1000000);
    assert_true(vcpu.irq_high); /* the PIT's again */
}

static void timer_1_is_irq_8_and_a_reset_ends_it(void **state)
{
    char error[BZIMAGE_ERROR_SIZE];
    (void)state;
    init_pics();
    hpet_write(0x10, 3);
    while (vcpu.irq_high) {
        vcpu.hooks.irq_ack(&pc);
        out(0x20, 1, 0x20);
    }
    hpet_write(0x120, 0x04);
    hpet_write(0x128, hpet_read(0xF0) + 10);
    assert_int_equal(deadline(), (time_ns / 10 + 10) * 10);
    pass_time(110);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x38);
    assert_true(pc_reset(&pc, error));
    assert_int_equal(hpet_read(0x10) | hpet_read(0xF0), 0);
    assert_false(pc.hpet_replaces);
}

static void redirect(unsigned input, uint32_t entry)
{
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00000, 4, 0x10 + 2 * input));
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00010, 4, entry));
}

static void end_interrupt(void)
{
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEE000B0, 4, 0));
}

static void timers_reach_inputs_20_to_23_of_the_io_apic(void **state)
{
    (void)state;
    assert_true(hpet_read(0x100) >> 32 == 0xF00000);
    assert_true(hpet_read(0x120) >> 32 == 0xF00000);
    assert_true(hpet_read(0x140) >> 32 == 0xF00000);
    hpet_write(0x10, 1);
    redirect(23, 0x2051); /* edge, active low: vector 51h */
    hpet_write(0x140, 23 << 9 | 0x4C);
    hpet_write(0x148, 1000); /* first match and period: 10 us */
    for (unsigned i = 0; i < 3; i++) {
        assert_false(vcpu.irq_high);
        pass_time(deadline() - time_ns);
        assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x51);
        end_interrupt();
    }
}

static void a_timers_level_comes_back_until_its_status_is_cleared(void **state)
{
    (void)state;
    redirect(20, 0xA052); /* level, active low: vector 52h */
    assert_false(vcpu.irq_high);
    hpet_write(0x10, 1);
    hpet_write(0x100, 20 << 9 | 0x06);
    hpet_write(0x108, 100);
    pass_time(deadline() - time_ns);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x52);
    assert_false(vcpu.irq_high);
    end_interrupt();
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x52);
    hpet_write(0x20, 1);
    end_interrupt();
    assert_false(vcpu.irq_high);
}

static void legacy_replacement_is_input_2_of_the_io_apic(void **state)
{
    (void)state;
    hpet_write(0x10, 3);
    redirect(2, 0x50); /* edge, active high: vector 50h */
    redirect(8, 0x58);
    hpet_write(0x100, 0x04);
    hpet_write(0x108, 100);
    pass_time(deadline() - time_ns);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x50);
    end_interrupt();
    hpet_write(0x120, 0x04);
    hpet_write(0x128, 200);
    pass_time(deadline() - time_ns);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x58);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(console_and_entropy_are_in_slots_6_and_8),
        T(configuration_space_is_memory_at_feb00000),
        T(bars_may_lie_anywhere_behind_ram),
        T(typing_goes_to_com1_until_hvc_speaks),
        T(typing_follows_the_last_output_where_com1_listens),
        T(typing_goes_back_to_com1_when_the_driver_is_gone),
        T(typing_interrupts_the_guest),
        T(output_without_room_is_tried_again),
        T(the_hpet_counts_guest_time),
        T(legacy_replacement_takes_irq_0_from_the_pit),
        T(timer_1_is_irq_8_and_a_reset_ends_it),
        T(timers_reach_inputs_20_to_23_of_the_io_apic),
        T(a_timers_level_comes_back_until_its_status_is_cleared),
        T(legacy_replacement_is_input_2_of_the_io_apic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
