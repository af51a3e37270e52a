/* needs: vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c vmm/dev/virtqueue.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtio_blk.c vmm/dev/ramdisk.c */
#include "dev/pci.h"

#include "pci_bench.h"

/* Register numbers are those of PCI Local Bus Specification 3.0, "Configuration Space
 * Organization". */

/* --- BARs --- */

static void bars_have_addresses_and_are_off_after_init(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    assert_int_equal(cfg_read(&b->m, 2, 0x10, 4), 0xC001);
    assert_int_equal(cfg_read(&b->m, 2, 0x14, 4), 0xE0000000);
    assert_int_equal(cfg_read(&b->m, 2, 0x18, 4), 0xE0010004);
    assert_int_equal(cfg_read(&b->m, 2, 0x1C, 4), 0);
    assert_int_equal(cfg_read(&b->m, 6, 0x10, 4), 0xC021);
    assert_int_equal(cfg_read(&b->m, 6, 0x14, 4), 0xE0020000);
    assert_false(iobus_claims(&b->m.pio, 0xC000));
    assert_false(iobus_claims(&b->m.mmio, 0xE0000000));
    free(b);
}

static void all_ones_tell_a_bars_size(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    cfg_write(&b->m, 2, 0x10, 4, 0xFFFFFFFF);
    assert_int_equal(cfg_read(&b->m, 2, 0x10, 4), 0xFFFFFFE1);
    cfg_write(&b->m, 2, 0x14, 4, 0xFFFFFFFF);
    assert_int_equal(cfg_read(&b->m, 2, 0x14, 4), 0xFFFFF000);
    cfg_write(&b->m, 2, 0x18, 4, 0xFFFFFFFF);
    cfg_write(&b->m, 2, 0x1C, 4, 0xFFFFFFFF);
    assert_int_equal(cfg_read(&b->m, 2, 0x18, 4), 0xFFFF0004);
    assert_int_equal(cfg_read(&b->m, 2, 0x1C, 4), 0xFFFFFFFF);
    free(b);
}

static void command_bits_switch_decoding(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    b->scratch[0].value = 0x5A;
    cfg_write(&b->m, 2, 0x04, 2, 0x0001);
    assert_int_equal(in(&b->m, 0xC01F, 1), 0x5A);
    assert_int_equal(b->scratch[0].last_offset, 0x1F);
    assert_int_equal(in(&b->m, 0xC020, 1), 0xFF);
    assert_false(iobus_claims(&b->m.mmio, 0xE0000000));
    cfg_write(&b->m, 2, 0x04, 2, 0x0002);
    assert_false(iobus_claims(&b->m.pio, 0xC000));
    assert_int_equal(mmio_read(&b->m, 0xE0000FFC, 4), 0x5A);
    assert_int_equal(b->scratch[0].last_offset, 0xFFC);
    assert_int_equal(mmio_read(&b->m, 0xE001FFFC, 4), 0x5A);
    cfg_write(&b->m, 2, 0x04, 2, 0x0000);
    assert_int_equal(mmio_read(&b->m, 0xE0000000, 4), 0xFFFFFFFF);
    free(b);
}

static void a_bar_may_move_within_the_window(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    cfg_write(&b->m, 2, 0x04, 2, 0x0003);
    cfg_write(&b->m, 2, 0x14, 4, 0xE0800000);
    assert_true(iobus_claims(&b->m.mmio, 0xE0800000));
    assert_false(iobus_claims(&b->m.mmio, 0xE0000000));
    cfg_write(&b->m, 2, 0x10, 4, 0xCFE0);
    assert_true(iobus_claims(&b->m.pio, 0xCFFF));
    assert_false(iobus_claims(&b->m.pio, 0xC000));
    /* A 64-bit BAR above 4 GiB, high half first: in between it is nowhere. */
    cfg_write(&b->m, 2, 0x1C, 4, 0x80);
    assert_false(iobus_claims(&b->m.mmio, 0xE0010000));
    cfg_write(&b->m, 2, 0x18, 4, 0x00010000);
    assert_true(iobus_claims(&b->m.mmio, 0x8000010000));
    assert_int_equal(b->m.mmio.range_count, 2);
    free(b);
}

static void a_bar_outside_of_the_windows_decodes_nothing(void **state)
{
    static const uint32_t places[] = {0x00000000, 0x00100000, 0xDFFFF000,
                                      0xE1000000, 0xFEE00000, 0xFFFFF000};
    struct bench *b = bench_new();
    (void)state;
    cfg_write(&b->m, 2, 0x18, 4, 0xFFFF0000);
    cfg_write(&b->m, 2, 0x1C, 4, 0xFFFFFFFF); /* the very top: base + size wraps */
    cfg_write(&b->m, 2, 0x04, 2, 0x0003);
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        cfg_write(&b->m, 2, 0x14, 4, places[i]);
        assert_int_equal(cfg_read(&b->m, 2, 0x14, 4), places[i]);
        assert_int_equal(b->m.mmio.range_count, 0);
    }
    cfg_write(&b->m, 2, 0x10, 4, 0x0CE0);
    assert_int_equal(b->m.pio.range_count, 1);
    cfg_write(&b->m, 2, 0x10, 4, 0xFFFFC000); /* 32-bit I/O address: no wrap to 16 bits */
    assert_int_equal(b->m.pio.range_count, 1);
    /* A 32-bit BAR can't be in the 64-bit window, and comes back when it is placed well. */
    cfg_write(&b->m, 2, 0x14, 4, 0xE0000000);
    assert_int_equal(b->m.mmio.range_count, 1);
    assert_true(b->m.pci.refused_bars > 0);
    free(b);
}

static void overlapping_bars_wait_for_their_place(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    b->scratch[0].value = 0xAA;
    b->scratch[1].value = 0xBB;
    cfg_write(&b->m, 2, 0x04, 2, 0x0002);
    cfg_write(&b->m, 6, 0x14, 4, 0xE0000000); /* on top of slot 2's */
    cfg_write(&b->m, 6, 0x04, 2, 0x0002);
    assert_int_equal(mmio_read(&b->m, 0xE0000000, 4), 0xAA);
    cfg_write(&b->m, 2, 0x14, 4, 0xE0900000);
    assert_int_equal(mmio_read(&b->m, 0xE0000000, 4), 0xBB);
    assert_int_equal(mmio_read(&b->m, 0xE0900000, 4), 0xAA);
    /* Both BARs of one device at one place: one answers, nothing breaks. */
    cfg_write(&b->m, 2, 0x18, 4, 0xE0900000);
    assert_int_equal(mmio_read(&b->m, 0xE0900000, 4), 0xAA);
    free(b);
}

static void wrong_bars_are_refused(void **state)
{
    struct scratch scratch;
    struct pci_device device;
    (void)state;
    static const struct {
        enum pci_bar_kind kind;
        uint64_t size;
        unsigned index;
    } wrong[] = {{PCI_BAR_NONE, 16, 0},  {PCI_BAR_MEM32, 8, 0},  {PCI_BAR_MEM32, 48, 0},
                 {PCI_BAR_MEM32, 0, 0},  {PCI_BAR_IO, 2, 0},     {PCI_BAR_IO, 512, 0},
                 {PCI_BAR_MEM32, 16, 6}, {PCI_BAR_MEM64, 16, 5}, {PCI_BAR_MEM32, 16, 3}};
    pci_device_init(&device, &scratch_identity, NULL, NULL);
    struct pci_bar wide = make_bar(PCI_BAR_MEM64, 4096, &scratch);
    assert_true(pci_add_bar(&device, 2, &wide));
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct pci_bar bar = make_bar(wrong[i].kind, wrong[i].size, &scratch);
        assert_false(pci_add_bar(&device, wrong[i].index, &bar));
    }
}

static void a_full_window_or_slot_refuses_the_device(void **state)
{
    struct bench *b = bench_new();
    struct pci_device device;
    (void)state;
    struct pci_bar big = make_bar(PCI_BAR_MEM32, 0x2000000, &b->scratch[0]);
    pci_device_init(&device, &scratch_identity, NULL, NULL);
    assert_false(pci_attach(&b->m.pci, &device, 0));
    assert_false(pci_attach(&b->m.pci, &device, 32));
    assert_true(pci_add_bar(&device, 0, &big));
    assert_false(pci_attach(&b->m.pci, &device, 3));
    assert_int_equal(cfg_read(&b->m, 3, 0, 4), 0xFFFFFFFF);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_have_addresses_and_are_off_after_init),
        cmocka_unit_test(all_ones_tell_a_bars_size),
        cmocka_unit_test(command_bits_switch_decoding),
        cmocka_unit_test(a_bar_may_move_within_the_window),
        cmocka_unit_test(a_bar_outside_of_the_windows_decodes_nothing),
        cmocka_unit_test(overlapping_bars_wait_for_their_place),
        cmocka_unit_test(wrong_bars_are_refused),
        cmocka_unit_test(a_full_window_or_slot_refuses_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
