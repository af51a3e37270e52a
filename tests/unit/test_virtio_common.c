/* needs: vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c vmm/dev/virtio_blk.c vmm/dev/ramdisk.c */
#include "dev/virtio_common.h"

#include "virtio_pci_bench.h"

/* Ids, capabilities and register offsets: VIRTIO 1.2, "Virtio Over PCI Bus". */

static void common_registers_after_reset(void **state)
{
    static const struct {
        uint32_t offset;
        unsigned size;
        uint64_t value;
    } table[] = {{0x00, 4, 0},      {0x04, 4, 0x30000246}, {0x08, 4, 0},      {0x0C, 4, 0},
                 {0x10, 2, 0xFFFF}, {0x12, 2, 1},          {0x14, 1, 0},      {0x15, 1, 0},
                 {0x16, 2, 0},      {0x18, 2, 256},        {0x1A, 2, 0xFFFF}, {0x1C, 2, 0},
                 {0x1E, 2, 0},      {0x20, 4, 0},          {0x24, 4, 0},      {0x28, 4, 0},
                 {0x2C, 4, 0},      {0x30, 4, 0},          {0x34, 4, 0},      {0x20, 8, 0},
                 {0x38, 2, 0},      {0x3A, 2, 0}};
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0006);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
            assert_int_equal(mmio_read(m, BAR0 + table[i].offset, table[i].size), table[i].value);
        driver_start(m, OFFERED); /* the second round sees the state after a device reset */
        set_status(m, 0);
    }
    machine_check_and_free(m);
}

static void common_registers_have_one_width(void **state)
{
    static const struct {
        uint32_t offset;
        unsigned size;
    } bad[] = {{0x00, 1},   {0x00, 2},   {0x00, 8},   {0x02, 2},   {0x04, 8},   {0x10, 4},
               {0x12, 1},   {0x13, 1},   {0x14, 2},   {0x14, 4},   {0x15, 2},   {0x16, 4},
               {0x18, 1},   {0x18, 4},   {0x1C, 4},   {0x20, 1},   {0x20, 2},   {0x24, 8},
               {0x22, 4},   {0x34, 8},   {0x38, 4},   {0x38, 8},   {0x3C, 4},   {0xFFC, 4},
               {0x1001, 1}, {0x1000, 2}, {0x1000, 4}, {0x203C, 1}, {0x2039, 4}, {0x3000, 2},
               {0x3000, 4}};
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0002);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        uint64_t ones = bad[i].size == 8 ? UINT64_MAX : (1ull << 8 * bad[i].size) - 1;
        assert_int_equal(mmio_read(m, BAR0 + bad[i].offset, bad[i].size), ones);
    }
    uint64_t before = m->mmio.bad_accesses;
    mmio_write(m, BAR0 + 0x14, 4, 0x0F);
    mmio_write(m, BAR0 + 0x16, 4, 0x0F);
    mmio_write(m, BAR0 + 0x3000, 1, 0);
    mmio_write(m, BAR0 + 0x3002, 2, 0);
    mmio_write(m, BAR0 + 0x1000, 1, 0);
    assert_int_equal(m->mmio.bad_accesses, before + 5);
    assert_int_equal(status(m), 0);
    machine_check_and_free(m);
}

static void feature_halves_are_selected(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0002);
    assert_int_equal(device_features(m), OFFERED);
    for (unsigned i = 2; i != 0; i <<= 1) {
        mmio_write(m, BAR0 + 0x00, 4, i);
        assert_int_equal(mmio_read(m, BAR0 + 0x00, 4), i);
        assert_int_equal(mmio_read(m, BAR0 + 0x04, 4), 0);
        mmio_write(m, BAR0 + 0x08, 4, i);
        mmio_write(m, BAR0 + 0x0C, 4, 0xFFFFFFFF);
        assert_int_equal(mmio_read(m, BAR0 + 0x0C, 4), 0);
    }
    set_driver_features(m, 0x100000042);
    mmio_write(m, BAR0 + 0x08, 4, 0);
    assert_int_equal(mmio_read(m, BAR0 + 0x0C, 4), 0x42);
    mmio_write(m, BAR0 + 0x08, 4, 1);
    assert_int_equal(mmio_read(m, BAR0 + 0x0C, 4), 1);
    machine_check_and_free(m);
}

static void features_ok_needs_version_1_and_nothing_beyond_the_offer(void **state)
{
    static const struct {
        uint64_t features;
        bool ok;
    } table[] = {{0x100000000, true},           {OFFERED, true},
                 {0x000000000, false},          {0x030000246, false}, /* no VERSION_1 */
                 {OFFERED | 1ull << 5, false},                        /* RO: the disk is writable */
                 {OFFERED | 1ull << 33, false},                       /* ACCESS_PLATFORM */
                 {OFFERED | 1ull << 34, false},                       /* RING_PACKED */
                 {OFFERED | 1ull << 63, false}, {OFFERED | 1ull << 0, false}};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        struct machine *m = machine_new(false);
        driver_start(m, table[i].features);
        assert_int_equal(status(m), table[i].ok ? 0x0F : 0x03);
        assert_int_equal(mmio_read(m, BAR0 + 0x1C, 2), table[i].ok);
        machine_check_and_free(m);
    }
}

static void features_freeze_with_features_ok(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, 0x100000200);
    set_driver_features(m, OFFERED);
    mmio_write(m, BAR0 + 0x08, 4, 0);
    assert_int_equal(mmio_read(m, BAR0 + 0x0C, 4), 0x200);
    machine_check_and_free(m);
}

static void status_bits_come_in_order(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0006);
    set_driver_features(m, OFFERED);
    set_status(m, 0x08); /* FEATURES_OK without DRIVER */
    assert_int_equal(status(m), 0x00);
    set_status(m, 0x04); /* DRIVER_OK without FEATURES_OK */
    assert_int_equal(status(m), 0x00);
    set_status(m, 0x07);
    assert_int_equal(status(m), 0x03);
    set_status(m, 0x40); /* only the device sets NEEDS_RESET */
    set_status(m, 0x30); /* reserved */
    assert_int_equal(status(m), 0x03);
    set_status(m, 0x0B);
    assert_int_equal(status(m), 0x0B);
    set_status(m, 0x01); /* bits can't be cleared one by one */
    assert_int_equal(status(m), 0x0B);
    set_status(m, 0x8F);
    assert_int_equal(status(m), 0x8F);
    set_status(m, 0x00);
    assert_int_equal(status(m), 0x00);
    machine_check_and_free(m);
}

static void queue_size_takes_powers_of_two_up_to_256(void **state)
{
    static const uint16_t bad[] = {0, 3, 5, 100, 255, 257, 512, 0x8000, 0xFFFF};
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0002);
    for (uint16_t size = 1; size <= 256; size *= 2) {
        mmio_write(m, BAR0 + 0x18, 2, size);
        assert_int_equal(mmio_read(m, BAR0 + 0x18, 2), size);
    }
    mmio_write(m, BAR0 + 0x18, 2, 64);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        mmio_write(m, BAR0 + 0x18, 2, bad[i]);
        assert_int_equal(mmio_read(m, BAR0 + 0x18, 2), 64);
    }
    machine_check_and_free(m);
}

static void queues_that_are_not_there_have_size_0(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, OFFERED);
    for (unsigned i = 1; i <= 0xFFFF; i = i * 2 + 1) {
        mmio_write(m, BAR0 + 0x16, 2, i);
        assert_int_equal(mmio_read(m, BAR0 + 0x16, 2), i);
        mmio_write(m, BAR0 + 0x18, 2, 16);
        mmio_write(m, BAR0 + 0x1C, 2, 1);
        mmio_write(m, BAR0 + 0x20, 8, RAM_BASE);
        for (uint32_t offset = 0x18; offset < 0x20; offset += 2)
            assert_int_equal(mmio_read(m, BAR0 + offset, 2), 0);
        assert_int_equal(mmio_read(m, BAR0 + 0x20, 8), 0);
        mmio_write(m, BAR0 + 0x3000 + 4 * (i % 1024), 2, i);
    }
    machine_check_and_free(m);
}

static void ring_addresses_take_halves_and_wholes(void **state)
{
    static const uint32_t registers[] = {0x20, 0x28, 0x30};
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0002);
    for (unsigned i = 0; i < 3; i++) {
        mmio_write(m, BAR0 + registers[i] + 4, 4, 0x11223344 + i);
        mmio_write(m, BAR0 + registers[i], 4, 0x55667788 + i);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(mmio_read(m, BAR0 + registers[i], 8),
                         ((uint64_t)(0x11223344 + i) << 32) | (0x55667788 + i));
        mmio_write(m, BAR0 + registers[i], 8, 0xA1A2A3A4B1B2B3B4);
        assert_int_equal(mmio_read(m, BAR0 + registers[i], 4), 0xB1B2B3B4);
        assert_int_equal(mmio_read(m, BAR0 + registers[i] + 4, 4), 0xA1A2A3A4);
    }
    machine_check_and_free(m);
}

static void vectors_that_the_function_has_read_back(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0002);
    assert_int_equal(mmio_read(m, BAR0 + 0x10, 2), 0xFFFF);
    assert_int_equal(mmio_read(m, BAR0 + 0x1A, 2), 0xFFFF);
    mmio_write(m, BAR0 + 0x10, 2, 0);
    mmio_write(m, BAR0 + 0x1A, 2, 1);
    assert_int_equal(mmio_read(m, BAR0 + 0x10, 2), 0);
    assert_int_equal(mmio_read(m, BAR0 + 0x1A, 2), 1);
    mmio_write(m, BAR0 + 0x10, 2, 2); /* there are two */
    mmio_write(m, BAR0 + 0x1A, 2, 0x100);
    assert_int_equal(mmio_read(m, BAR0 + 0x10, 2), 0xFFFF);
    assert_int_equal(mmio_read(m, BAR0 + 0x1A, 2), 0xFFFF);
    mmio_write(m, BAR0 + 0x1A, 2, 1);
    mmio_write(m, BAR0 + 0x16, 2, 1); /* a queue that isn't there */
    mmio_write(m, BAR0 + 0x1A, 2, 0);
    mmio_write(m, BAR0 + 0x16, 2, 0);
    assert_int_equal(mmio_read(m, BAR0 + 0x1A, 2), 1);
    mmio_write(m, BAR0 + 0x14, 1, 0);
    assert_int_equal(mmio_read(m, BAR0 + 0x1A, 2), 0xFFFF);
    machine_check_and_free(m);
}

static void only_1_enables_a_queue(void **state)
{
    static const uint16_t others[] = {0, 2, 3, 0x101, 0xFFFF};
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, OFFERED);
    set_status(m, 0);
    set_status(m, 0x03);
    set_driver_features(m, OFFERED);
    set_status(m, 0x0B);
    mmio_write(m, BAR0 + 0x20, 8, m->guest.desc);
    mmio_write(m, BAR0 + 0x28, 8, m->guest.avail);
    mmio_write(m, BAR0 + 0x30, 8, m->guest.used);
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
        mmio_write(m, BAR0 + 0x1C, 2, others[i]);
        assert_int_equal(mmio_read(m, BAR0 + 0x1C, 2), 0);
    }
    mmio_write(m, BAR0 + 0x1C, 2, 1);
    assert_int_equal(mmio_read(m, BAR0 + 0x1C, 2), 1);
    machine_check_and_free(m);
}

static void an_enabled_queue_is_frozen(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, OFFERED);
    mmio_write(m, BAR0 + 0x18, 2, 4);
    mmio_write(m, BAR0 + 0x20, 8, 0);
    mmio_write(m, BAR0 + 0x28, 4, 0);
    mmio_write(m, BAR0 + 0x34, 4, 1);
    mmio_write(m, BAR0 + 0x1C, 2, 0);
    assert_int_equal(mmio_read(m, BAR0 + 0x18, 2), 16);
    assert_int_equal(mmio_read(m, BAR0 + 0x20, 8), m->guest.desc);
    assert_int_equal(mmio_read(m, BAR0 + 0x28, 8), m->guest.avail);
    assert_int_equal(mmio_read(m, BAR0 + 0x30, 8), m->guest.used);
    assert_int_equal(mmio_read(m, BAR0 + 0x1C, 2), 1);
    machine_check_and_free(m);
}

static void a_ring_outside_of_ram_needs_reset(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    gpa_t good = m->guest.used;
    m->guest.used = RAM_BASE + RAM_SIZE - 4;
    driver_start(m, OFFERED);
    assert_int_equal(status(m), 0x4F);
    assert_int_equal(mmio_read(m, BAR0 + 0x1C, 2), 0);
    assert_int_equal(m->fault_count, 1);
    notify(m);
    /* The device stays dead: no enabling until reset. */
    mmio_write(m, BAR0 + 0x30, 8, good);
    mmio_write(m, BAR0 + 0x1C, 2, 1);
    assert_int_equal(mmio_read(m, BAR0 + 0x1C, 2), 0);
    m->guest.used = good;
    driver_start(m, OFFERED);
    assert_int_equal(status(m), 0x0F);
    machine_check_and_free(m);
}

static void a_broken_ring_stops_the_device_until_reset(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, 0x100000000);
    offer_read(m, 3);
    make_available(&m->guest, 16); /* a head beyond the table */
    notify(m);
    /* The good request before it is complete and both interrupts are up. */
    assert_int_equal(used_index(&m->guest), 1);
    assert_int_equal(status(m), 0x4F);
    assert_true(m->intx[1]);
    assert_int_equal(m->fault_count, 1);
    assert_non_null(m->fault_reason);
    assert_int_equal(read_isr(m), 0x03);
    assert_false(m->intx[1]);

    memset(guest_ram(&m->guest, SECTOR), 0x11, 512);
    offer_read(m, 4);
    notify(m);
    set_status(m, 0x0F);
    notify(m);
    assert_int_equal(used_index(&m->guest), 1);
    assert_int_equal(*guest_ram(&m->guest, SECTOR), 0x11);
    assert_int_equal(status(m), 0x4F);
    assert_int_equal(read_isr(m), 0x00);

    memset(guest_ram(&m->guest, m->guest.avail), 0, 0x2000);
    m->guest.avail_index = 0;
    driver_start(m, 0x100000000);
    offer_read(m, 4);
    notify(m);
    assert_int_equal(status(m), 0x0F);
    assert_int_equal(*guest_ram(&m->guest, SECTOR), 4);
    assert_int_equal(m->fault_count, 1);
    machine_check_and_free(m);
}

static void reset_in_the_middle_drops_everything(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, OFFERED);
    offer_read(m, 1);
    notify(m);
    assert_true(m->intx[1]);
    offer_read(m, 2);
    set_status(m, 0);
    assert_false(m->intx[1]);
    assert_int_equal(read_isr(m), 0);
    notify(m);
    assert_int_equal(used_index(&m->guest), 1);
    assert_int_equal(mmio_read(m, BAR0 + 0x1C, 2), 0);
    assert_int_equal(mmio_read(m, BAR0 + 0x18, 2), 256);
    assert_int_equal(mmio_read(m, BAR0 + 0x20, 8), 0);
    /* Configuration space is not touched by it. */
    assert_int_equal(cfg_read(m, 1, 0x04, 2), 0x0006);
    machine_check_and_free(m);
}

static void the_bus_reset_resets_the_device(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    driver_start(m, OFFERED);
    offer_read(m, 1);
    notify(m);
    pci_ops.reset(&m->pci);
    assert_false(m->intx[1]);
    assert_false(iobus_claims(&m->mmio, BAR0));
    cfg_write(m, 1, 0x04, 2, 0x0002);
    assert_int_equal(status(m), 0);
    assert_int_equal(read_isr(m), 0);
    machine_check_and_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_registers_after_reset),
        cmocka_unit_test(common_registers_have_one_width),
        cmocka_unit_test(feature_halves_are_selected),
        cmocka_unit_test(features_ok_needs_version_1_and_nothing_beyond_the_offer),
        cmocka_unit_test(features_freeze_with_features_ok),
        cmocka_unit_test(status_bits_come_in_order),
        cmocka_unit_test(queue_size_takes_powers_of_two_up_to_256),
        cmocka_unit_test(queues_that_are_not_there_have_size_0),
        cmocka_unit_test(ring_addresses_take_halves_and_wholes),
        cmocka_unit_test(vectors_that_the_function_has_read_back),
        cmocka_unit_test(only_1_enables_a_queue),
        cmocka_unit_test(an_enabled_queue_is_frozen),
        cmocka_unit_test(a_ring_outside_of_ram_needs_reset),
        cmocka_unit_test(a_broken_ring_stops_the_device_until_reset),
        cmocka_unit_test(reset_in_the_middle_drops_everything),
        cmocka_unit_test(the_bus_reset_resets_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
