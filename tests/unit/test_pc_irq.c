/* needs: vmm/pc/pc.c vmm/pc/pc_run.c vmm/pc/pc_apic.c vmm/virt/pveoi.c vmm/dev/hpet.c vmm/dev/ioapic.c vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/pc/bzimage.c vmm/pc/zero_page.c vmm/pc/e820.c vmm/pc/acpi.c vmm/pc/firmware.c vmm/dev/acpi_pm.c vmm/dev/gmem.c vmm/dev/i8042.c vmm/dev/iobus.c vmm/dev/pci.c vmm/dev/pic8259.c vmm/dev/pit8254.c vmm/dev/pit_counter.c vmm/dev/ps2kbd.c vmm/dev/ramdisk.c vmm/dev/reset_ports.c vmm/dev/rtc146818.c vmm/dev/rtc_date.c vmm/dev/uart16550.c vmm/dev/virtio_blk.c vmm/dev/virtio_console.c vmm/dev/virtio_rng.c vmm/dev/virtio_common.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtqueue.c vmm/lib/fmt.c vmm/lib/mem.c */
/* The interrupts and deadlines of the machine. */
#include "pc_fixture.h"

static void com1_interrupts_on_irq_4(void **state)
{
    (void)state;
    init_pics();
    out(0x3FC, 1, 0x08); /* OUT2 */
    out(0x3F9, 1, 0x01); /* received data */
    assert_false(vcpu.irq_high);
    assert_true(pc_type(&pc, 'x'));
    assert_true(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x34);
    assert_false(vcpu.irq_high);
    assert_int_equal(in(0x3F8, 1), 'x');
    out(0x3F8, 1, 'y');
    assert_int_equal(sent[0], 'y');
    assert_int_equal(sent_count, 1);
}

static void com1_refuses_when_full_and_asks_for_more(void **state)
{
    unsigned taken = 0;

    (void)state;
    out(0x3FA, 1, 0x01); /* FIFO on */
    while (taken < 100 && pc_type(&pc, (uint8_t)taken))
        taken++;
    assert_int_equal(taken, 16);
    assert_int_equal(host_events_calls, 0);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(in(0x3F8, 1), i);
    assert_true(host_events_calls > 0);
    assert_true(pc_type(&pc, 0));
}

static void the_keyboard_interrupts_on_irq_1(void **state)
{
    (void)state;
    init_pics();
    out(0x64, 1, 0x60); /* command byte: translate, interrupt */
    out(0x60, 1, 0x41);
    assert_true(pc_keyboard_scancode(&pc, 0x1E)); /* A */
    assert_true(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x31);
    assert_int_equal(in(0x60, 1), 0x1E);
}

static void the_pit_interrupts_on_irq_0_at_its_deadline(void **state)
{
    (void)state;
    init_pics();
    out(0x43, 1, 0x34); /* counter 0, mode 2 */
    out(0x40, 1, 11932 & 0xFF);
    out(0x40, 1, 11932 >> 8); /* 100 Hz */
    assert_in_range(deadline() - time_ns, 9990000, 10010000);
    pass_time(5000000);
    assert_false(vcpu.irq_high);
    pass_time(deadline() - time_ns);
    assert_true(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x30);
    assert_true(deadline() > time_ns);
}

static void the_deadline_is_computed_again_only_after_a_change(void **state)
{
    vtime_t before;

    (void)state;
    out(0x43, 1, 0x34);
    out(0x40, 1, 0x00);
    out(0x40, 1, 0x10);
    before = deadline();
    /* Behind the machine's back: nothing but an access or advance() may look at a device. */
    memset(&pc.pit.counter[0], 0, sizeof(pc.pit.counter[0]));
    assert_true(deadline() == before);
    in(0x80, 1);
    in(0x3fd, 1); /* neither has a clock */
    assert_true(deadline() == before);
    in(0x61, 1);
    assert_true(deadline() != before);
    before = deadline();
    pc.deadline = 5;
    assert_int_equal(deadline(), 5);
    pass_time(0);
    assert_true(deadline() == before);
}

static void the_run_loop_is_asked_in_only_for_clocks_and_stops(void **state)
{
    (void)state;
    in(0x61, 1);
    vcpu.attention = 0;
    in(0x80, 1);
    in(0x3fd, 1);
    out(0x3ff, 1, 0x5a);
    assert_false(vcpu.devices_touched);
    in(0x61, 1);
    assert_true(vcpu.devices_touched);
    vcpu.attention = 0;
    out(0xcf9, 1, 0x06);
    assert_true(vcpu.devices_touched);
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_STOP_RESET);
}

/* Counter 0 without a count: the PIT has nothing to say. */
static void stop_the_pit(void)
{
    out(0x43, 1, 0x30);
}

static void a_machine_at_rest_has_no_deadline(void **state)
{
    (void)state;
    stop_the_pit();
    assert_true(deadline() == UINT64_MAX);
}

static void the_rtc_interrupts_on_irq_8_at_its_deadline(void **state)
{
    (void)state;
    init_pics();
    stop_the_pit();
    out(0x70, 1, 0x0A);
    out(0x71, 1, 0x26); /* 1024 Hz */
    out(0x70, 1, 0x0B);
    out(0x71, 1, 0x42); /* PIE, 24 hours */
    assert_in_range(deadline(), time_ns + 1, time_ns + 976563);
    pass_time(deadline() - time_ns);
    assert_true(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x38);
}

static void the_pm_timer_raises_the_sci_when_bit_31_changes(void **state)
{
    (void)state;
    init_pics();
    stop_the_pit();
    out(0x602, 2, 0x0001);                                 /* TMR_EN */
    assert_in_range(deadline() / 1000000, 599932, 599934); /* 2^31 / 3579545 Hz */
    pass_time(deadline() - time_ns);
    assert_true(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x39);
    assert_int_equal(in(0x600, 2) & 1, 1);
}

static void intx_links_share_their_pins_as_a_wired_or(void **state)
{
    const struct irq_line *link = pc.pci.wiring.intx;

    (void)state;
    init_pics();
    irq_set(&link[1], true);
    irq_set(&link[3], true);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x3A); /* IRQ 10 */
    irq_set(&link[1], false);
    out(0xA0, 1, 0x20);
    out(0x20, 1, 0x20);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x3A); /* the other link still wants it */
    irq_set(&link[3], false);
    out(0xA0, 1, 0x20);
    out(0x20, 1, 0x20);
    assert_false(vcpu.irq_high);
    irq_set(&link[0], true);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x3B); /* IRQ 11 */
    irq_set(&link[2], true);
    irq_set(&link[0], false);
    out(0xA0, 1, 0x20);
    out(0x20, 1, 0x20);
    assert_true(vcpu.irq_high);
}

static void the_power_button_raises_the_sci(void **state)
{
    (void)state;
    init_pics();
    out(0x602, 2, 0x0100); /* PWRBTN_EN */
    pc_power_button(&pc);
    assert_true(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x39); /* IRQ 9 */
    out(0x600, 2, 0x0100);
    assert_int_equal(in(0x600, 2) & 0x0100, 0);
}

static vtime_t host_deadline_ns;
static vtime_t host_advanced_ns;

static vtime_t host_deadline(void *ctx)
{
    (void)ctx;
    return host_deadline_ns;
}

static void host_advance(void *ctx, vtime_t now_ns)
{
    (void)ctx;
    host_advanced_ns = now_ns;
    host_deadline_ns = VTIME_NEVER;
}

static void the_hosts_deadline_is_one_of_the_machines(void **state)
{
    (void)state;
    host_deadline_ns = VTIME_NEVER;
    host_advanced_ns = 0;
    pc.config.host_deadline = host_deadline;
    pc.config.host_advance = host_advance;
    vtime_t others = deadline();
    host_deadline_ns = time_ns + 500;
    vcpu.devices_touched = false;
    pc_host_deadline_changed(&pc);
    assert_true(vcpu.devices_touched);
    assert_int_equal(deadline(), time_ns + 500);
    pass_time(499);
    assert_int_equal(host_advanced_ns, 0);
    pass_time(1);
    assert_int_equal(host_advanced_ns, time_ns);
    assert_int_equal(deadline(), others);
}

static void a_sink_may_ask_for_the_host(void **state)
{
    (void)state;
    pc_call_host(&pc);
    out(0x3F8, 1, 'x');
    assert_int_equal(host_events_calls, 1);
    out(0x3F8, 1, 'x');
    assert_int_equal(host_events_calls, 1);
}

/* --- through the APICs ------------------------------------------------------------------------ */

static uint64_t page_read(uint32_t offset)
{
    uint64_t value;
    assert_true(vcpu.hooks.mmio_read(&pc, 0xFEE00000 + offset, 4, &value));
    return value;
}

static void page_write(uint32_t offset, uint32_t value)
{
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEE00000 + offset, 4, value));
}

static void redirect(unsigned pin, uint32_t low)
{
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00000, 4, 0x10 + 2 * pin));
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00010, 4, low));
}

/* As a kernel switches over: LINT0 masked, the 8259As too. */
static void use_the_apics(void)
{
    init_pics();
    out(0x21, 1, 0xFF);
    out(0xA1, 1, 0xFF);
    page_write(0x350, 0x10700);
}

static void the_reset_leaves_virtual_wire(void **state)
{
    (void)state;
    assert_int_equal(page_read(0xF0), 0x1FF);
    assert_int_equal(page_read(0x350), 0x700);
    assert_int_equal(page_read(0x360), 0x400);
}

static void isa_interrupts_reach_the_io_apic(void **state)
{
    (void)state;
    use_the_apics();
    redirect(4, 0x41);
    redirect(2, 0x42);
    out(0x3FC, 1, 0x08);
    out(0x3F9, 1, 0x01);
    assert_true(pc_type(&pc, 'x'));
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x41);
    page_write(0xB0, 0);
    assert_false(vcpu.irq_high);
    out(0x43, 1, 0x34);
    out(0x40, 1, 11932 & 0xFF);
    out(0x40, 1, 11932 >> 8);
    pass_time(deadline() - time_ns);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x42); /* IRQ 0 is input 2 */
}

static void intx_links_have_inputs_of_their_own_active_low(void **state)
{
    const struct irq_line *link = pc.pci.wiring.intx;

    (void)state;
    use_the_apics();
    for (unsigned i = 0; i < 4; i++)
        redirect(16 + i, 0xA050 + 0x10 * i);
    assert_false(vcpu.irq_high);
    for (unsigned i = 0; i < 4; i++) {
        irq_set(&link[i], true);
        assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x50 + 0x10 * i);
        page_write(0xB0, 0); /* still low: again */
        assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x50 + 0x10 * i);
        irq_set(&link[i], false);
        page_write(0xB0, 0);
        assert_false(vcpu.irq_high);
    }
}

static void the_page_goes_where_the_base_says(void **state)
{
    uint64_t value;

    (void)state;
    assert_true(vcpu.hooks.apic_write(&pc, 0x1B, 0xD0000900));
    assert_false(vcpu.hooks.mmio_read(&pc, 0xFEE00030, 4, &value));
    assert_true(vcpu.hooks.mmio_read(&pc, 0xD0000030, 4, &value));
    assert_int_equal(value, 0x01050014);
    assert_true(vcpu.hooks.apic_write(&pc, 0x1B, 0xFEC00900)); /* where the I/O APIC is */
    assert_true(vcpu.hooks.mmio_read(&pc, 0xFEC00000, 4, &value));
    assert_int_equal(value, 0);
    assert_true(vcpu.hooks.apic_write(&pc, 0x1B, 0xFEE00900));
    assert_int_equal(page_read(0x30), 0x01050014);
    assert_true(vcpu.hooks.apic_write(&pc, 0x1B, 0xFEE00D00));
    assert_false(vcpu.hooks.mmio_read(&pc, 0xFEE00030, 4, &value));
    assert_true(vcpu.hooks.apic_read(&pc, 0x803, &value));
    assert_int_equal(value, 0x01050014);
}

static void the_apic_timer_is_one_of_the_deadlines(void **state)
{
    (void)state;
    use_the_apics();
    out(0x43, 1, 0x30); /* the PIT has nothing to say */
    page_write(0x320, 0x45);
    page_write(0x3E0, 0x0B);
    vcpu.attention = 0;
    page_write(0x380, 5000);
    assert_true(vcpu.devices_touched);
    assert_int_equal(deadline(), time_ns + 5000);
    vcpu.attention = 0;
    page_write(0xB0, 0); /* an EOI asks for nothing */
    assert_false(vcpu.devices_touched);
    pass_time(5000);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x45);
    assert_true(deadline() == UINT64_MAX);
}

/* A CPU whose TSC runs at 2 GHz, 7000 ticks behind the host's. */
static uint64_t host_tsc(void)
{
    return 2 * time_ns + 50000;
}

static uint64_t tsc_offset(struct vcpu *cpu, enum vreg reg)
{
    (void)cpu;
    assert_int_equal(reg, VREG_TSC_OFFSET);
    return (uint64_t)-7000;
}

static void a_tsc_deadline_is_a_date_of_guest_time(void **state)
{
    static const struct backend backend = {.reg_get = tsc_offset};
    static const struct host_ops host = {.tsc = host_tsc};

    (void)state;
    vcpu.backend = &backend;
    vcpu.host = &host;
    clock_init(&vcpu.clock, 2000000000, 50000);
    use_the_apics();
    out(0x43, 1, 0x30);
    page_write(0x320, 0x40046);
    uint64_t present = host_tsc() - 7000;
    assert_true(vcpu.hooks.apic_write(&pc, 0x6E0, present + 20000));
    assert_in_range(deadline() - time_ns, 10000, 10002); /* never too early */
    pass_time(9999);
    assert_false(vcpu.irq_high);
    pass_time(3);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x46);
    page_write(0xB0, 0);
    assert_true(vcpu.hooks.apic_write(&pc, 0x6E0, present)); /* it has been */
    assert_true(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.irq_ack(&pc), 0x46);
    assert_true(vcpu.hooks.apic_write(&pc, 0x6E0, UINT64_MAX));
    assert_true(deadline() > time_ns + 1000000000);
}

static void nmi_and_init_reach_the_machine(void **state)
{
    (void)state;
    page_write(0x300, 0x4400); /* to ID 0 */
    assert_true(vcpu.nmi_pending);
    page_write(0x300, 0x4500);
    assert_int_equal(vcpu.hooks.stop_request(&pc), VM_STOP_RESET);
}

/* HLT with interrupts off asks. */
static void an_nmi_may_come_by_lint0_the_io_apic_and_msi_x(void **state)
{
    (void)state;
    assert_false(vcpu.hooks.nmi_may_come(&pc));
    page_write(0x350, 0x400);
    assert_true(vcpu.hooks.nmi_may_come(&pc));
    page_write(0x350, 0x10400);
    assert_false(vcpu.hooks.nmi_may_come(&pc));
    redirect(8, 0x400);
    assert_true(vcpu.hooks.nmi_may_come(&pc));
    redirect(8, 0x500); /* INIT */
    assert_true(vcpu.hooks.nmi_may_come(&pc));
    redirect(8, 0x10400);
    assert_false(vcpu.hooks.nmi_may_come(&pc));

    /* The first disk's table, in BAR 1. */
    uint64_t table = config_read(1, 0x14);
    unsigned capability = config_read(1, 0x34) & 0xFF;
    while ((config_read(1, capability) & 0xFF) != 0x11)
        capability = config_read(1, capability) >> 8 & 0xFF;
    config_write(1, 0x04, 0x6);
    config_write(1, capability, config_read(1, capability) | 0x80000000);
    assert_true(vcpu.hooks.mmio_write(&pc, table, 4, 0xFEE00000));
    assert_true(vcpu.hooks.mmio_write(&pc, table + 8, 4, 0x400));
    assert_false(vcpu.hooks.nmi_may_come(&pc));
    assert_true(vcpu.hooks.mmio_write(&pc, table + 12, 4, 0));
    assert_true(vcpu.hooks.nmi_may_come(&pc));
    config_write(1, capability, config_read(1, capability) & 0x7FFFFFFF);
    assert_false(vcpu.hooks.nmi_may_come(&pc));
}

static void cr8_holds_interrupts_up(void **state)
{
    (void)state;
    page_write(0x300, 0x44051);
    assert_true(vcpu.irq_high);
    vcpu.hooks.cr8_write(&pc, 5);
    assert_false(vcpu.irq_high);
    assert_int_equal(vcpu.hooks.cr8_read(&pc), 5);
    assert_int_equal(page_read(0x80), 0x50);
    vcpu.hooks.cr8_write(&pc, 4);
    assert_true(vcpu.irq_high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(com1_interrupts_on_irq_4),
        T(com1_refuses_when_full_and_asks_for_more),
        T(the_keyboard_interrupts_on_irq_1),
        T(the_pit_interrupts_on_irq_0_at_its_deadline),
        T(the_deadline_is_computed_again_only_after_a_change),
        T(the_run_loop_is_asked_in_only_for_clocks_and_stops),
        T(a_machine_at_rest_has_no_deadline),
        T(the_rtc_interrupts_on_irq_8_at_its_deadline),
        T(the_pm_timer_raises_the_sci_when_bit_31_changes),
        T(intx_links_share_their_pins_as_a_wired_or),
        T(the_power_button_raises_the_sci),
        T(the_hosts_deadline_is_one_of_the_machines),
        T(a_sink_may_ask_for_the_host),
        T(the_reset_leaves_virtual_wire),
        T(isa_interrupts_reach_the_io_apic),
        T(intx_links_have_inputs_of_their_own_active_low),
        T(the_page_goes_where_the_base_says),
        T(the_apic_timer_is_one_of_the_deadlines),
        T(a_tsc_deadline_is_a_date_of_guest_time),
        T(nmi_and_init_reach_the_machine),
        T(an_nmi_may_come_by_lint0_the_io_apic_and_msi_x),
        T(cr8_holds_interrupts_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
