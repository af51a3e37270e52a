/* needs: vmm/pc/pc.c vmm/pc/pc_run.c vmm/pc/pc_apic.c vmm/virt/pveoi.c vmm/dev/hpet.c vmm/dev/ioapic.c vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/pc/bzimage.c vmm/pc/zero_page.c vmm/pc/e820.c vmm/pc/acpi.c vmm/pc/firmware.c vmm/dev/acpi_pm.c vmm/dev/gmem.c vmm/dev/i8042.c vmm/dev/iobus.c vmm/dev/pci.c vmm/dev/pic8259.c vmm/dev/pit8254.c vmm/dev/pit_counter.c vmm/dev/ps2kbd.c vmm/dev/ramdisk.c vmm/dev/reset_ports.c vmm/dev/rtc146818.c vmm/dev/rtc_date.c vmm/dev/uart16550.c vmm/dev/virtio_blk.c vmm/dev/virtio_console.c vmm/dev/virtio_rng.c vmm/dev/virtio_common.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtqueue.c vmm/lib/fmt.c vmm/lib/mem.c */
/* What the machine tells a CPU that does a part of the local APIC, and what it hears of it. */
#include "pc_fixture.h"

static uint64_t the_cr8;

static uint64_t get(struct vcpu *cpu, enum vreg reg)
{
    (void)cpu;
    assert_int_equal(reg, VREG_CR8);
    return the_cr8;
}

static void set(struct vcpu *cpu, enum vreg reg, uint64_t value)
{
    (void)cpu;
    assert_int_equal(reg, VREG_CR8);
    the_cr8 = value;
}

static const struct backend backend = {.reg_get = get, .reg_set = set};

static int with(enum vapic_help help)
{
    apic_help = help;
    setup(NULL);
    vcpu.backend = &backend;
    the_cr8 = 0;
    vcpu.attention = 0;
    return 0;
}

static int with_delivery(void **state)
{
    (void)state;
    return with(VAPIC_DELIVERY);
}

static int with_tpr(void **state)
{
    (void)state;
    return with(VAPIC_TPR);
}

static void page_write(uint32_t offset, uint32_t value)
{
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEE00000 + offset, 4, value));
}

static struct vapic state_now(void)
{
    struct vapic vapic;
    vcpu.hooks.apic_state(&pc, &vapic);
    return vapic;
}

static void the_cpu_shares_the_page_and_the_help(void **state)
{
    (void)state;
    assert_ptr_equal(vcpu.apic_page, apic_page);
    assert_int_equal(vcpu.apic_help, VAPIC_DELIVERY);
    struct vapic vapic = state_now();
    assert_true(vapic.delivery); /* firmware leaves it enabled */
    assert_int_equal(vapic.access, VAPIC_PAGE);
    assert_int_equal(vapic.requested, 0);
}

static void a_request_makes_the_run_loop_tell(void **state)
{
    (void)state;
    page_write(0x300, 0x44051);
    assert_true(vcpu.apic_stale);
    assert_false(vcpu.irq_high);
    assert_int_equal(state_now().requested, 0x51);
    assert_true(vcpu.hooks.apic_due(&pc));
    apic_page[0x220 / 4] = 0; /* delivered */
    apic_page[0x120 / 4] = 1u << 17;
    assert_int_equal(state_now().in_service, 0x51);
    assert_int_equal(state_now().requested, 0);
    assert_int_equal(state_now().level[2], 0);
}

static void the_mode_tells_where_the_registers_are(void **state)
{
    (void)state;
    assert_true(vcpu.hooks.apic_write(&pc, 0x1B, 0xD0000900));
    assert_true(vcpu.apic_stale);
    assert_int_equal(state_now().access, VAPIC_NOWHERE);
    assert_true(vcpu.hooks.apic_write(&pc, 0x1B, 0xFEE00900));
    assert_int_equal(state_now().access, VAPIC_PAGE);
    assert_true(vcpu.hooks.apic_write(&pc, 0x1B, 0xFEE00D00));
    assert_int_equal(state_now().access, VAPIC_MSRS);
    assert_true(state_now().delivery);
    assert_true(vcpu.hooks.apic_write(&pc, 0x80F, 0xFF));
    assert_false(state_now().delivery);
    assert_true(vcpu.hooks.apic_write(&pc, 0x1B, 0xFEE00100));
    assert_int_equal(state_now().access, VAPIC_NOWHERE);
    assert_false(state_now().delivery);
}

/* Input 20 of the I/O APIC, level-triggered, active low: what its end is for. */
static void the_end_of_a_level_reaches_the_io_apic(void **state)
{
    (void)state;
    uint64_t value;
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00000, 4, 0x10 + 2 * 16));
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00010, 4, 0xA061));
    pc_set_intx(&pc, 0, true);
    assert_int_equal(state_now().requested, 0x61);
    assert_int_equal(state_now().level[3], 2);
    assert_true(vcpu.hooks.mmio_read(&pc, 0xFEC00010, 4, &value));
    assert_int_equal(value, 0xE061); /* remote IRR */
    apic_page[0x230 / 4] = 0;
    vcpu.hooks.apic_event(&pc, VEXIT_APIC_EOI, 0x61);
    assert_int_equal(state_now().requested, 0x61); /* still asserted: again */
    pc_set_intx(&pc, 0, false);
    apic_page[0x230 / 4] = 0;
    vcpu.hooks.apic_event(&pc, VEXIT_APIC_EOI, 0x61);
    assert_int_equal(state_now().requested, 0);
}

static void a_write_that_the_cpu_leaves_is_done(void **state)
{
    (void)state;
    apic_page[0x300 / 4] = 0x4400; /* an NMI to ID 0 */
    vcpu.hooks.apic_event(&pc, VEXIT_APIC_WRITE, 0x300);
    assert_true(vcpu.nmi_pending);
}

/* The timer's registers: what was due before the write still comes, and the run loop hears of the
 * new deadline. */
static void a_write_to_the_timer_that_the_cpu_leaves_knows_the_time(void **state)
{
    (void)state;
    apic_page[0x3E0 / 4] = 0xB;
    vcpu.hooks.apic_event(&pc, VEXIT_APIC_WRITE, 0x3E0);
    apic_page[0x320 / 4] = 0x41;
    vcpu.hooks.apic_event(&pc, VEXIT_APIC_WRITE, 0x320);
    time_ns = 1000;
    vcpu.attention = 0;
    apic_page[0x380 / 4] = 5;
    vcpu.hooks.apic_event(&pc, VEXIT_APIC_WRITE, 0x380);
    assert_true(vcpu.devices_touched);
    vtime_t deadline = vcpu.hooks.next_deadline(&pc);
    assert_true(deadline > 1000 && deadline < VTIME_NEVER);
    time_ns = deadline;
    apic_page[0x320 / 4] = 0x42;
    vcpu.hooks.apic_event(&pc, VEXIT_APIC_WRITE, 0x320);
    assert_int_equal(state_now().requested, 0x41);
}

static void with_tpr_alone_the_threshold_is_told(void **state)
{
    (void)state;
    the_cr8 = 5; /* MOV CR8 without an exit */
    page_write(0x300, 0x44051);
    assert_true(vcpu.apic_stale);
    assert_false(vcpu.irq_high);
    struct vapic vapic = state_now();
    assert_false(vapic.delivery);
    assert_int_equal(vapic.tpr, 0x50);
    assert_int_equal(vapic.tpr_threshold, 5);
    the_cr8 = 4;
    vcpu.hooks.apic_event(&pc, VEXIT_APIC_TPR, 0);
    assert_true(vcpu.irq_high);
    assert_int_equal(state_now().tpr_threshold, 0);
    page_write(0x80, 0x70);
    assert_int_equal(the_cr8, 7);
}

/* --- posted interrupts ----------------------------------------------------------------------- */

static int with_posting(void **state)
{
    (void)state;
    memset(apic_posted, 0, sizeof(apic_posted));
    int failed = with(VAPIC_POSTED);
    assert_true(vcpu.hooks.apic_write(&pc, 0x1B, 0xFEE00D00));
    assert_true(vcpu.hooks.apic_write(&pc, 0x80F, 0x1FF));
    assert_true(vcpu.hooks.apic_write(&pc, 0x83E, 0xB));
    vcpu.attention = 0;
    return failed;
}

/* The one-shot timer, vector 41h. */
static vtime_t arm(void)
{
    assert_true(vcpu.hooks.apic_write(&pc, 0x832, 0x41));
    assert_true(vcpu.hooks.apic_write(&pc, 0x838, 50));
    assert_true(vcpu.devices_touched);
    vtime_t when = vcpu.hooks.next_deadline(&pc);
    assert_true(when > time_ns);
    vcpu.attention = 0;
    return when;
}

static uint64_t count_now(void)
{
    uint64_t count = UINT64_MAX;
    assert_true(vcpu.hooks.apic_read(&pc, 0x839, &count));
    return count;
}

static void the_timer_is_posted_and_taken(void **state)
{
    (void)state;
    vtime_t when = arm();
    assert_ptr_equal(vcpu.apic_posted, apic_posted);
    assert_true(vcpu.hooks.apic_post(&pc) == when);
    assert_int_equal(apic_posted[2], 2);
    assert_int_equal(apic_posted[8], 1);
    assert_true(vcpu.hooks.next_deadline(&pc) > when);
    apic_posted[2] = apic_posted[8] = 0; /* notified; and delivered */
    time_ns = when;
    vcpu.hooks.advance(&pc, when);
    assert_int_equal(count_now(), 0);
    assert_int_equal(state_now().requested, 0);
    assert_true(vcpu.hooks.apic_post(&pc) == VTIME_NEVER);
    arm();
}

static void a_timer_that_nobody_notified_is_requested(void **state)
{
    (void)state;
    vtime_t when = arm();
    vcpu.hooks.apic_post(&pc);
    time_ns = when;
    vcpu.hooks.advance(&pc, when);
    assert_int_equal(apic_posted[8], 0);
    assert_int_equal(state_now().requested, 0x41);
    assert_true(vcpu.apic_stale);
}

static void what_takes_the_timer_back_makes_the_run_loop_look(void **state)
{
    (void)state;
    vtime_t when = arm();
    vcpu.hooks.apic_post(&pc);
    vcpu.hooks.apic_take_back(&pc);
    assert_true(vcpu.devices_touched);
    assert_true(vcpu.hooks.next_deadline(&pc) == when);
    vcpu.hooks.apic_post(&pc);
    vcpu.attention = 0;
    assert_true(vcpu.hooks.apic_write(&pc, 0x838, 0)); /* no deadline before nor behind it */
    assert_true(vcpu.devices_touched);
    assert_int_equal(apic_posted[8], 0);
    arm();
    vcpu.hooks.apic_post(&pc);
    /* A level-triggered interrupt of the same vector. */
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00000, 4, 0x10 + 2 * 16));
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00010, 4, 0xA041));
    vcpu.attention = 0;
    pc_set_intx(&pc, 0, true);
    assert_true(vcpu.devices_touched);
    assert_int_equal(apic_posted[8], 0);
}

static uint64_t no_offset(struct vcpu *cpu, enum vreg reg)
{
    return reg == VREG_TSC_OFFSET ? 0 : get(cpu, reg);
}

static uint64_t host_tsc(void)
{
    return time_ns;
}

static void a_deadline_that_was_taken_makes_way_for_the_next(void **state)
{
    (void)state;
    static const struct backend with_tsc = {.reg_get = no_offset, .reg_set = set};
    static const struct host_ops host = {.tsc = host_tsc};
    vcpu.backend = &with_tsc;
    vcpu.host = &host;
    clock_init(&vcpu.clock, 1000000000, 0);
    assert_true(vcpu.hooks.apic_write(&pc, 0x832, 0x40041));
    assert_true(vcpu.hooks.apic_write(&pc, 0x6E0, 6000));
    vtime_t when = vcpu.hooks.apic_post(&pc);
    assert_true(when >= 6000 && when <= 6002);
    apic_posted[2] = apic_posted[8] = 0;
    time_ns = 6005;
    vcpu.attention = 0;
    assert_true(vcpu.hooks.apic_write(&pc, 0x6E0, 9000));
    assert_true(vcpu.devices_touched);
    assert_int_equal(pc.lapic.timer_ticks, 1);
    assert_int_equal(state_now().requested, 0);
    assert_true(vcpu.hooks.apic_post(&pc) > 9000 - 1);
}

#define DELIVERY(name) cmocka_unit_test_setup_teardown(name, with_delivery, teardown)
#define POSTING(name)  cmocka_unit_test_setup_teardown(name, with_posting, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DELIVERY(the_cpu_shares_the_page_and_the_help),
        DELIVERY(a_request_makes_the_run_loop_tell),
        DELIVERY(the_mode_tells_where_the_registers_are),
        DELIVERY(the_end_of_a_level_reaches_the_io_apic),
        DELIVERY(a_write_that_the_cpu_leaves_is_done),
        DELIVERY(a_write_to_the_timer_that_the_cpu_leaves_knows_the_time),
        POSTING(the_timer_is_posted_and_taken),
        POSTING(a_timer_that_nobody_notified_is_requested),
        POSTING(what_takes_the_timer_back_makes_the_run_loop_look),
        POSTING(a_deadline_that_was_taken_makes_way_for_the_next),
        cmocka_unit_test_setup_teardown(with_tpr_alone_the_threshold_is_told, with_tpr, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
