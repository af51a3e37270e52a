/* needs: vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c vmm/dev/virtio_blk.c vmm/dev/ramdisk.c */
#include "dev/virtio_pci.h"

#include "virtio_pci_bench.h"

/* Ids, capabilities and register offsets: VIRTIO 1.2, "Virtio Over PCI Bus". */

static void the_function_is_a_modern_virtio_disk(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    assert_int_equal(cfg_read(m, 1, 0x00, 4), 0x10421AF4);
    assert_int_equal(cfg_read(m, 1, 0x08, 4), 0x01000001);
    assert_int_equal(cfg_read(m, 1, 0x2C, 2), 0x1AF4);
    assert_true(cfg_read(m, 1, 0x2E, 2) >= 0x40);
    assert_int_equal(cfg_read(m, 1, 0x3C, 2), 0x010A);
    assert_int_equal(cfg_read(m, 1, 0x06, 2), 0x0010);
    machine_check_and_free(m);
}

/* As Linux walks: id 9, type at +3, BAR at +4, offset at +8, length at +12. */
static void the_capability_walk_finds_all_five_structures(void **state)
{
    struct machine *m = machine_new(false);
    struct {
        uint32_t bar, offset, length, at;
    } found[6] = {0};
    unsigned count = 0;
    (void)state;
    for (unsigned at = cfg_read(m, 1, 0x34, 1); at != 0; at = cfg_read(m, 1, at + 1, 1)) {
        if (cfg_read(m, 1, at, 1) == 0x11)
            continue; /* MSI-X: test_msix.c */
        unsigned type = cfg_read(m, 1, at + 3, 1);
        assert_int_equal(at % 4, 0);
        assert_int_equal(cfg_read(m, 1, at, 1), 0x09);
        assert_in_range(type, 1, 5);
        assert_int_equal(cfg_read(m, 1, at + 2, 1), type == 2 || type == 5 ? 20 : 16);
        found[type].bar = cfg_read(m, 1, at + 4, 1);
        found[type].offset = cfg_read(m, 1, at + 8, 4);
        found[type].length = cfg_read(m, 1, at + 12, 4);
        found[type].at = at;
        assert_true(++count <= 5);
    }
    assert_int_equal(count, 5);
    for (unsigned type = 1; type <= 4; type++) {
        assert_int_equal(found[type].bar, 0);
        assert_true(found[type].offset + found[type].length <= 0x4000);
    }
    assert_true(found[1].length >= 0x38);
    assert_int_equal(found[1].offset % 4, 0);
    assert_true(found[2].length >= 2);
    assert_int_equal(found[2].offset % 2, 0);
    assert_int_equal(cfg_read(m, 1, found[2].at + 16, 4), 4); /* the multiplier */
    assert_true(found[3].length >= 1);
    assert_true(found[4].length >= 0x18);
    assert_int_equal(found[4].offset % 4, 0);
    cfg_write(m, 1, 0x10, 4, 0xFFFFFFFF);
    assert_int_equal(cfg_read(m, 1, 0x10, 4), 0xFFFFC000);
    machine_check_and_free(m);
}

static void a_notification_serves_and_interrupts(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, 0x100000000);
    offer_read(m, 5);
    assert_false(m->intx[1]);
    notify(m);
    assert_int_equal(used_index(&m->guest), 1);
    assert_memory_equal(guest_ram(&m->guest, SECTOR), disk_sector(m, 5), 512);
    assert_true(m->intx[1]);
    assert_int_equal(cfg_read(m, 1, 0x06, 2) & 0x08, 0x08);
    assert_int_equal(read_isr(m), 0x01);
    assert_false(m->intx[1]);
    assert_int_equal(read_isr(m), 0x00);
    assert_int_equal(cfg_read(m, 1, 0x06, 2) & 0x08, 0x00);
    machine_check_and_free(m);
}

static void intx_disable_masks_the_pin_only(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, 0x100000000);
    cfg_write(m, 1, 0x04, 2, 0x0406);
    offer_read(m, 5);
    notify(m);
    assert_false(m->intx[1]);
    cfg_write(m, 1, 0x04, 2, 0x0006);
    assert_true(m->intx[1]);
    machine_check_and_free(m);
}

static void a_batch_is_one_notification_and_one_interrupt(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, OFFERED);
    for (unsigned i = 0; i < 5; i++)
        offer_read(m, i);
    notify(m);
    assert_int_equal(used_index(&m->guest), 5);
    assert_int_equal(m->intx_changes, 1);
    assert_int_equal(m->vp.interrupts, 1);
    /* With event indices: the driver asked for nothing but entry 0, so it hears no more ... */
    read_isr(m);
    offer_read(m, 1);
    notify(m);
    assert_int_equal(used_index(&m->guest), 6);
    assert_int_equal(read_isr(m), 0);
    /* ... and knows that the next chain, the 7th, is worth a notification. */
    assert_int_equal(get16(&m->guest, m->guest.used + 4 + 8 * 16), 6);
    machine_check_and_free(m);
}

static void notifications_too_early_are_ignored(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0006);
    notify(m); /* before anything */
    set_status(m, 0x03);
    set_driver_features(m, OFFERED);
    setup_queue(m); /* before FEATURES_OK */
    assert_int_equal(mmio_read(m, BAR0 + 0x1C, 2), 0);
    set_status(m, 0x0B);
    set_status(m, 0x0F);
    offer_read(m, 1);
    notify(m); /* the queue is not enabled */
    assert_int_equal(used_index(&m->guest), 0);

    set_status(m, 0);
    set_status(m, 0x03);
    set_driver_features(m, OFFERED);
    set_status(m, 0x0B);
    setup_queue(m);
    notify(m); /* DRIVER_OK is missing */
    assert_int_equal(used_index(&m->guest), 0);
    set_status(m, 0x0F);
    cfg_write(m, 1, 0x04, 2, 0x0002);
    notify(m); /* bus mastering is off */
    assert_int_equal(used_index(&m->guest), 0);
    assert_int_equal(m->vp.notifications, 0);
    assert_int_equal(m->vp.ignored_notifications, 4);
    assert_false(m->intx[1]);

    cfg_write(m, 1, 0x04, 2, 0x0006);
    notify(m);
    assert_int_equal(used_index(&m->guest), 1);
    machine_check_and_free(m);
}

/* --- access through configuration space --- */

static unsigned pci_cfg_capability(struct machine *m)
{
    unsigned at = cfg_read(m, 1, 0x34, 1);
    while (cfg_read(m, 1, at + 3, 1) != 5)
        at = cfg_read(m, 1, at + 1, 1);
    return at;
}

static void window_aim(struct machine *m, unsigned at, uint32_t bar, uint32_t offset,
                       uint32_t length)
{
    cfg_write(m, 1, at + 4, 1, bar);
    cfg_write(m, 1, at + 8, 4, offset);
    cfg_write(m, 1, at + 12, 4, length);
}

static void the_configuration_window_reaches_the_bar(void **state)
{
    struct machine *m = machine_new(false);
    unsigned at = pci_cfg_capability(m);
    (void)state;
    /* Memory decoding is off: that is what the window is for. */
    window_aim(m, at, 0, 0x04, 4);
    assert_int_equal(cfg_read(m, 1, at + 16, 4), 0x30000246);
    window_aim(m, at, 0, 0x14, 1);
    cfg_write(m, 1, at + 16, 1, 0x03);
    assert_int_equal(m->vp.status, 0x03);
    assert_int_equal(cfg_read(m, 1, at + 16, 1), 0x03);
    window_aim(m, at, 0, 0x18, 2);
    cfg_write(m, 1, at + 16, 2, 128);
    assert_int_equal(cfg_read(m, 1, at + 16, 2), 128);
    window_aim(m, at, 0, 0x2000, 4);
    assert_int_equal(cfg_read(m, 1, at + 16, 4), DISK_SECTORS);
    machine_check_and_free(m);
}

static void the_configuration_window_notifies_and_acknowledges(void **state)
{
    struct machine *m = machine_new(false);
    unsigned at = pci_cfg_capability(m);
    (void)state;
    driver_start(m, 0x100000000);
    offer_read(m, 6);
    window_aim(m, at, 0, 0x3000, 2);
    cfg_write(m, 1, at + 16, 2, 0);
    assert_int_equal(used_index(&m->guest), 1);
    assert_true(m->intx[1]);
    window_aim(m, at, 0, 0x1000, 1);
    assert_int_equal(cfg_read(m, 1, at + 16, 1), 0x01);
    assert_false(m->intx[1]);
    machine_check_and_free(m);
}

static void a_window_aimed_badly_reads_all_ones(void **state)
{
    static const struct {
        uint32_t bar, offset, length;
    } bad[] = {{1, 0x14, 1},       {5, 0x14, 1},   {0xFF, 0x14, 1},       {0, 0x14, 0},
               {0, 0x14, 3},       {0, 0x10, 8},   {0, 0x14, 0xFFFFFFFF}, {0, 0x4000, 1},
               {0, 0x3FFF, 2},     {0, 0x3FFE, 4}, {0, 0xFFFFFFFF, 1},    {0, 0xFFFFFFFC, 4},
               {0, 0x80000014, 1}, {0, 0x19, 2},   {0, 0x2001, 2},        {0, 0x2002, 4}};
    struct machine *m = machine_new(false);
    unsigned at = pci_cfg_capability(m);
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        window_aim(m, at, bad[i].bar, bad[i].offset, bad[i].length);
        cfg_write(m, 1, at + 16, 4, 0x03030303);
        assert_int_equal(cfg_read(m, 1, at + 16, 4), 0xFFFFFFFF);
        assert_int_equal(m->vp.status, 0);
        assert_int_equal(m->vp.queue[0].size, 256);
    }
    machine_check_and_free(m);
}

static void a_window_beyond_the_bar_notifies_nobody(void **state)
{
    static const uint32_t offsets[] = {0x7000, 0x80003000, 0xFFFFF000};
    struct machine *m = machine_new(false);
    unsigned at = pci_cfg_capability(m);
    (void)state;
    driver_start(m, 0x100000000);
    offer_read(m, 6);
    for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++) {
        window_aim(m, at, 0, offsets[i], 2);
        cfg_write(m, 1, at + 16, 2, 0);
        assert_int_equal(used_index(&m->guest), 0);
    }
    machine_check_and_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_function_is_a_modern_virtio_disk),
        cmocka_unit_test(the_capability_walk_finds_all_five_structures),
        cmocka_unit_test(a_notification_serves_and_interrupts),
        cmocka_unit_test(intx_disable_masks_the_pin_only),
        cmocka_unit_test(a_batch_is_one_notification_and_one_interrupt),
        cmocka_unit_test(notifications_too_early_are_ignored),
        cmocka_unit_test(the_configuration_window_reaches_the_bar),
        cmocka_unit_test(the_configuration_window_notifies_and_acknowledges),
        cmocka_unit_test(a_window_aimed_badly_reads_all_ones),
        cmocka_unit_test(a_window_beyond_the_bar_notifies_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
