/* needs: vmm/pc/pc.c vmm/pc/pc_run.c vmm/pc/pc_apic.c vmm/virt/pveoi.c vmm/dev/hpet.c vmm/dev/ioapic.c vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/pc/bzimage.c vmm/pc/zero_page.c vmm/pc/e820.c vmm/pc/acpi.c vmm/pc/firmware.c vmm/dev/acpi_pm.c vmm/dev/gmem.c vmm/dev/i8042.c vmm/dev/iobus.c vmm/dev/pci.c vmm/dev/pic8259.c vmm/dev/pit8254.c vmm/dev/pit_counter.c vmm/dev/ps2kbd.c vmm/dev/ramdisk.c vmm/dev/reset_ports.c vmm/dev/rtc146818.c vmm/dev/rtc_date.c vmm/dev/uart16550.c vmm/dev/virtio_blk.c vmm/dev/virtio_console.c vmm/dev/virtio_rng.c vmm/dev/virtio_common.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtqueue.c vmm/lib/fmt.c vmm/lib/mem.c */
/* An hour of the machine's clocks: none loses or doubles a tick, whether it is looked at in time or
 * not. All numbers are those of the data sheets' frequencies and of 3600 s. */
#include "pc_fixture.h"

/* They begin with the first second, which is a whole number of ticks for each of them. */
#define BEGIN_NS 1000000000ull
#define END_NS   (BEGIN_NS + 3600000000000ull)

static unsigned taken[256];

static void apic(uint32_t offset, uint32_t value)
{
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEE00000 + offset, 4, value));
}

static void hpet_write(uint32_t offset, uint64_t value)
{
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFED00000 + offset, 8, value));
}

static uint64_t hpet_read(uint32_t offset)
{
    uint64_t value;
    assert_true(vcpu.hooks.mmio_read(&pc, 0xFED00000 + offset, 8, &value));
    return value;
}

static uint8_t rtc(uint8_t reg)
{
    out(0x70, 1, reg);
    return (uint8_t)in(0x71, 1);
}

/* The PIT at 100 Hz, the RTC at 64 Hz, the HPET and the local APIC's timer with odd periods. */
static void start_the_clocks(void)
{
    memset(taken, 0, sizeof(taken));
    pass_time(BEGIN_NS - time_ns);
    init_pics();
    out(0x43, 1, 0x34);
    out(0x40, 1, 11932 & 0xFF);
    out(0x40, 1, 11932 >> 8);
    out(0x70, 1, 0x0A);
    out(0x71, 1, 0x2A);
    rtc(0x0C); /* what was before */
    out(0x70, 1, 0x0B);
    out(0x71, 1, 0x42);
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00000, 4, 0x10 + 2 * 20));
    assert_true(vcpu.hooks.mmio_write(&pc, 0xFEC00010, 4, 0x2050));
    hpet_write(0x100, 20 << 9 | 0x4C); /* periodic, its accumulator set */
    hpet_write(0x108, 1234567);
    hpet_write(0x108, 1234567);
    hpet_write(0x10, 1);
    apic(0x320, 0x20045);
    apic(0x3E0, 0x0B);
    apic(0x380, 7777777);
}

static void take_interrupts(void)
{
    while (vcpu.irq_high) {
        int vector = vcpu.hooks.irq_ack(&pc);
        assert_in_range(vector, 0x30, 0x50);
        taken[vector]++;
        if (vector >= 0x40) {
            apic(0xB0, 0);
            continue;
        }
        if (vector == 0x38) {
            rtc(0x0C);
            out(0xA0, 1, 0x20);
        }
        out(0x20, 1, 0x20);
    }
}

static void assert_an_hour_has_passed(void)
{
    assert_int_equal(time_ns, END_NS);
    assert_int_equal(in(0x608, 4), 1460112 + 3579545); /* 3600 * 3579545 modulo 2^32 */
    assert_int_equal(hpet_read(0xF0), 360000000000);
    assert_int_equal(rtc(0x00), 0x01);
    assert_int_equal(rtc(0x02), 0x00);
    assert_int_equal(rtc(0x04), 0x01);
    /* 3600 * 1193182 is 6786 counts behind the 359994th period's end. */
    out(0x43, 1, 0x00);
    uint32_t left = in(0x40, 1);
    left |= in(0x40, 1) << 8;
    assert_in_range(left, 11932 - 6793, 11932 - 6791);
}

static void every_interrupt_of_an_hour_comes_once(void **state)
{
    (void)state;
    start_the_clocks();
    while (time_ns < END_NS) {
        vtime_t next = min_u64(deadline(), END_NS);
        assert_true(next > time_ns);
        pass_time(next - time_ns);
        take_interrupts();
    }
    assert_an_hour_has_passed();
    assert_int_equal(taken[0x30], 359994); /* 4295455200 / 11932 */
    assert_int_equal(taken[0x38], 230400); /* 64 * 3600 */
    assert_int_equal(taken[0x50], 291600); /* 360000000000 / 1234567 */
    assert_int_equal(taken[0x45], 462857); /* 3600000000000 / 7777777 */
}

/* 1193182 a second. */
static uint64_t pit_ticks(uint64_t ns)
{
    return ns / 1000000000 * 1193182 + ns % 1000000000 * 1193182 / 1000000000;
}

/* Of the RTC, the HPET and the local APIC's timer, by their vectors. */
static const struct {
    unsigned vector;
    uint64_t period_ns;
} periodic[] = {{0x38, 15625000}, {0x50, 12345670}, {0x45, 7777777}};

/* Ticks that were missed are one interrupt, and a tick on time is one. */
static void pass_time_and_take(vtime_t ns)
{
    uint64_t before = time_ns - BEGIN_NS, behind = before + ns;
    unsigned were[ARRAY_SIZE(periodic)];

    for (unsigned i = 0; i < ARRAY_SIZE(periodic); i++)
        were[i] = taken[periodic[i].vector];
    pass_time(ns);
    take_interrupts();
    for (unsigned i = 0; i < ARRAY_SIZE(periodic); i++) {
        bool ticked = before / periodic[i].period_ns != behind / periodic[i].period_ns;
        assert_int_equal(taken[periodic[i].vector] - were[i], ticked);
    }
}

/* A host that is slow, at times by seconds: ticks are merged, the clocks go right. */
static void a_slow_host_loses_no_time(void **state)
{
    uint64_t noise = 0x9E3779B97F4A7C15;

    (void)state;
    start_the_clocks();
    while (time_ns < END_NS) {
        noise = noise * 6364136223846793005 + 1442695040888963407;
        uint64_t step = (noise >> 33) % (noise >> 60 ? 20000000 : 3000000000);
        pass_time_and_take(min_u64(step + 1, END_NS - time_ns));
    }
    assert_an_hour_has_passed();
    /* The next ones are in step with the first. */
    pass_time(0);
    take_interrupts();
    for (unsigned i = 0; i < 100; i++) {
        unsigned pit = taken[0x30], hpet = taken[0x50], timer = taken[0x45];
        pass_time(deadline() - time_ns);
        take_interrupts();
        if (taken[0x50] != hpet)
            assert_in_range((time_ns - BEGIN_NS) / 10 % 1234567, 0, 1);
        if (taken[0x45] != timer)
            assert_in_range((time_ns - BEGIN_NS) % 7777777, 0, 1);
        if (taken[0x30] != pit)
            assert_in_range((pit_ticks(time_ns - BEGIN_NS) + 3) % 11932, 0, 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_interrupt_of_an_hour_comes_once),
        T(a_slow_host_loses_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
