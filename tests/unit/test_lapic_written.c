/* needs: vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/lib/mem.c */
/*
 * Writes to the page that a processor with APIC-register virtualization has carried out already,
 * raw: SDM "Virtualizing Writes to the APIC-Access Page", "APIC-Write Emulation".
 */
#include "lapic_rig.h"

static int with_delivery(void **state)
{
    (void)state;
    help = LAPIC_DELIVERED;
    rig_init(5);
    enable();
    return 0;
}

static void raw(uint32_t offset, uint32_t value)
{
    page[offset / 4] = value;
    lapic_written(&lapic, offset);
}

static void a_register_shows_what_a_checked_write_leaves(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset, value, shown;
    } writes[] = {
        {0x020, 0xffffffff, 0x05000000}, /* the ID is read-only here */
        {0x0d0, 0x12345678, 0x12000000}, {0x0e0, 0x00000000, 0x0fffffff},
        {0x0e0, 0xf1234567, 0xffffffff}, {0x320, 0xffffffff, 0x000700ff},
        {0x320, 0xfff8ef41, 0x00000041}, {0x330, 0xffffffff, 0x000107ff},
        {0x340, 0xffffffff, 0x000107ff}, {0x350, 0xffffffff, 0x0001a7ff},
        {0x360, 0xffffffff, 0x0001a7ff}, {0x370, 0xffffffff, 0x000100ff},
        {0x380, 0x12345678, 0x12345678}, {0x3e0, 0xffffffff, 0x0000000b},
        {0x280, 0xffffffff, 0x00000000}, {0x310, 0xffffffff, 0xff000000},
        {0x300, 0xfffbf600, 0x0008c600}, /* a STARTUP to the others, of whom there are none */
        {0x0b0, 0xffffffff, 0x00000000}, {0x0f0, 0xffffffff, 0x000011ff},
    };
    for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        raw(writes[i].offset, writes[i].value);
        assert_int_equal(page[writes[i].offset / 4], writes[i].shown);
        assert_int_equal(rd(writes[i].offset), writes[i].shown);
    }
    assert_int_equal(errors(), 0);
}

static void software_disable_masks_the_lvts_in_the_page(void **state)
{
    (void)state;
    raw(0x320, 0x41);
    raw(0x0f0, 0xff);
    assert_false(lapic_delivers(&lapic));
    for (uint32_t lvt = 0x320; lvt <= 0x370; lvt += 0x10)
        assert_int_equal(page[lvt / 4] & 0x10000, 0x10000);
    raw(0x320, 0x41);
    assert_int_equal(page[0x320 / 4], 0x10041);
}

/* Only who knows the mode before can tell. */
static void a_new_timer_mode_disarms(void **state)
{
    (void)state;
    raw(0x3e0, 0xb);
    raw(0x320, 0x41);
    raw(0x380, 100);
    raw(0x320, 0x20042); /* periodic: it goes on */
    assert_int_equal(lapic_ops.next_deadline(&lapic), 1000);
    raw(0x320, 0x40042);
    assert_int_equal(lapic_ops.next_deadline(&lapic), VTIME_NEVER);
    assert_int_equal(page[0x380 / 4], 0);
    raw(0x380, 100); /* not in this mode */
    assert_int_equal(page[0x380 / 4], 0);
}

static void remote_irr_cant_be_written(void **state)
{
    (void)state;
    raw(0x350, 0x8061);
    lapic_set_lint(&lapic, 0, true);
    assert_int_equal(page[0x350 / 4], 0xc061); /* the page follows the pin */
    raw(0x350, 0x8061);
    assert_int_equal(page[0x350 / 4], 0xc061);
    raw(0x360, 0x4400);
    assert_int_equal(page[0x360 / 4], 0x400);
}

static void esr_shows_what_was_collected(void **state)
{
    (void)state;
    raw(0x300, 0x44005);
    assert_int_equal(page[0x280 / 4], 0);
    raw(0x280, 0x55);
    assert_int_equal(page[0x280 / 4], 0x20);
    raw(0x280, 0x55);
    assert_int_equal(page[0x280 / 4], 0);
}

static void part_of_a_register_changes_nothing(void **state)
{
    (void)state;
    static const uint32_t offsets[] = {0x022, 0x0d1, 0x0f1, 0x281, 0x322, 0x381, 0x3e1};
    wr(0x320, 0x41);
    for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        uint32_t before = page[offsets[i] / 4];
        page[offsets[i] / 4] ^= 0xffu << offsets[i] % 4 * 8;
        lapic_written(&lapic, offsets[i]);
        assert_int_equal(page[offsets[i] / 4], before);
        assert_int_equal(rd(offsets[i] & ~15u), before);
    }
    page[0x080 / 4] = 0x1230; /* TPR is the processor's: what it doesn't have goes */
    lapic_written(&lapic, 0x081);
    assert_int_equal(page[0x080 / 4], 0x30);
    page[0x100 / 4] = 0x10000;
    page[0x0a0 / 4] = 0x10;
    lapic_written(&lapic, 0x100); /* no processor writes there */
    lapic_written(&lapic, 0x0a0);
    assert_int_equal(page[0x100 / 4], 0x10000);
    assert_int_equal(page[0x0a0 / 4], 0x10);
}

/* An instruction that faults behind its write: the page has it, and no exit told. */
static void what_was_never_told_is_never_used(void **state)
{
    (void)state;
    wr(0x3e0, 0xb);
    wr(0x320, 0x41);
    wr(0x380, 100);
    page[0x320 / 4] = 0x20400; /* periodic, an NMI */
    page[0x380 / 4] = 1;
    page[0x3e0 / 4] = 0xffffffff;
    page[0x0f0 / 4] = 0;
    page[0x020 / 4] = 0x07000000;
    assert_true(lapic_delivers(&lapic));
    assert_int_equal(lapic_ops.next_deadline(&lapic), 1000);
    lapic_ops.advance(&lapic, 5000);
    assert_int_equal(lapic_requested(&lapic), 0x41);
    assert_int_equal(nmis, 0);
    assert_int_equal(lapic_ops.next_deadline(&lapic), VTIME_NEVER);
    assert_int_equal(rd(0x320), 0x41);
    const struct apic_message m = {.vector = 0x42, .destination = 7};
    assert_false(lapic_receive(&lapic, &m));
    raw(0x280, 0);
    assert_int_equal(rd(0x280), 0);
}

#define D(name) cmocka_unit_test_setup(name, with_delivery)

int main(void)
{
    const struct CMUnitTest tests[] = {
        D(a_register_shows_what_a_checked_write_leaves),
        D(software_disable_masks_the_lvts_in_the_page),
        D(a_new_timer_mode_disarms),
        D(remote_irr_cant_be_written),
        D(esr_shows_what_was_collected),
        D(part_of_a_register_changes_nothing),
        D(what_was_never_told_is_never_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
