/* needs: vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c vmm/dev/virtqueue.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtio_blk.c vmm/dev/ramdisk.c */
#include "dev/pci.h"

#include "pci_bench.h"

/* Register numbers are those of PCI Local Bus Specification 3.0, "Configuration Space
 * Organization". */

/* --- mechanism #1 --- */

static void linux_probe_of_mechanism_1_succeeds(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    out(&b->m, 0xCFB, 1, 0x01);
    uint32_t saved = in(&b->m, 0xCF8, 4);
    out(&b->m, 0xCF8, 4, 0x80000000);
    assert_int_equal(in(&b->m, 0xCF8, 4), 0x80000000);
    out(&b->m, 0xCF8, 4, saved);
    assert_int_equal(in(&b->m, 0xCF8, 4), 0);
    free(b);
}

static void config_address_answers_dwords_only(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    out(&b->m, 0xCF8, 4, 0xFFFFFFFF);
    assert_int_equal(in(&b->m, 0xCF8, 4), 0x80FFFFFC);
    assert_int_equal(in(&b->m, 0xCF8, 1), 0xFF);
    assert_int_equal(in(&b->m, 0xCF8, 2), 0xFFFF);
    assert_int_equal(in(&b->m, 0xCFA, 2), 0xFFFF);
    out(&b->m, 0xCF8, 1, 0);
    out(&b->m, 0xCF8, 2, 0);
    out(&b->m, 0xCFB, 1, 0);
    assert_int_equal(in(&b->m, 0xCF8, 4), 0x80FFFFFC);
    free(b);
}

static void config_data_has_byte_lanes(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    out(&b->m, 0xCF8, 4, 0x80000000 | 2 << 11);
    assert_int_equal(in(&b->m, 0xCFC, 4), 0x56781234);
    assert_int_equal(in(&b->m, 0xCFC, 2), 0x1234);
    assert_int_equal(in(&b->m, 0xCFE, 2), 0x5678);
    assert_int_equal(in(&b->m, 0xCFD, 2), 0x7812);
    assert_int_equal(in(&b->m, 0xCFC, 1), 0x34);
    assert_int_equal(in(&b->m, 0xCFD, 1), 0x12);
    assert_int_equal(in(&b->m, 0xCFE, 1), 0x78);
    assert_int_equal(in(&b->m, 0xCFF, 1), 0x56);
    /* Beyond CFFh there is no lane. */
    assert_int_equal(in(&b->m, 0xCFE, 4), 0xFFFFFFFF);
    assert_int_equal(in(&b->m, 0xCFF, 2), 0xFFFF);
    /* Interrupt line, lane 0 of 3Ch, is the scratch byte. */
    cfg_write(&b->m, 2, 0x3C, 1, 0x77);
    assert_int_equal(cfg_read(&b->m, 2, 0x3C, 4), 0x00000177);
    free(b);
}

static void without_the_enable_bit_config_data_is_dead(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    out(&b->m, 0xCF8, 4, 2 << 11 | 0x3C);
    assert_int_equal(in(&b->m, 0xCFC, 4), 0xFFFFFFFF);
    out(&b->m, 0xCFC, 1, 0x55);
    assert_int_equal(cfg_read(&b->m, 2, 0x3C, 1), 9);
    free(b);
}

static void byte_accesses_to_cf9_go_to_the_reset_port(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    assert_int_equal(in(&b->m, 0xCF9, 1), 0xFF);
    b->m.pci.wiring.cf9_ops = &scratch_ops;
    b->m.pci.wiring.cf9_dev = &b->scratch[0];
    b->m.pci.wiring.cf9_offset = 7;
    out(&b->m, 0xCF8, 4, 0x80001234);
    out(&b->m, 0xCF9, 1, 0x06);
    assert_int_equal(b->scratch[0].value, 0x06);
    assert_int_equal(b->scratch[0].last_offset, 7);
    assert_int_equal(in(&b->m, 0xCF9, 1), 0x06);
    assert_int_equal(in(&b->m, 0xCF8, 4), 0x80001234);
    out(&b->m, 0xCF9, 2, 0x0E0E);
    assert_int_equal(b->scratch[0].value, 0x06);
    free(b);
}

static void absent_devices_read_all_ones(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    for (unsigned slot = 0; slot < 32; slot++) {
        bool there = slot == 0 || slot == 2 || slot == 6;
        assert_int_equal(cfg_read(&b->m, slot, 0x00, 4) != 0xFFFFFFFF, there);
    }
    /* Function 1, bus 1, and the last bus. */
    assert_int_equal(pci_config_read(&b->m.pci, 2 << 3 | 1, 0, 4), 0xFFFFFFFF);
    assert_int_equal(pci_config_read(&b->m.pci, 1 << 8 | 2 << 3, 0, 2), 0xFFFF);
    assert_int_equal(pci_config_read(&b->m.pci, 0xFFF8, 0, 1), 0xFF);
    out(&b->m, 0xCF8, 4, 0x80FFFF00);
    assert_int_equal(in(&b->m, 0xCFC, 4), 0xFFFFFFFF);
    out(&b->m, 0xCFC, 4, 0);
    /* Extended configuration space, reached by ECAM, is empty. */
    assert_int_equal(pci_config_read(&b->m.pci, 2 << 3, 0x100, 4), 0xFFFFFFFF);
    assert_int_equal(pci_config_read(&b->m.pci, 2 << 3, 0xFFC, 4), 0xFFFFFFFF);
    pci_config_write(&b->m.pci, 2 << 3, 0xFFC, 4, 0);
    /* Nothing leaves its dword. */
    assert_int_equal(pci_config_read(&b->m.pci, 2 << 3, 0xFD, 4), 0xFFFFFFFF);
    assert_int_equal(pci_config_read(&b->m.pci, 2 << 3, 0x03, 2), 0xFFFF);
    pci_config_write(&b->m.pci, 2 << 3, 0xFE, 4, 0);
    free(b);
}

/* --- ECAM: bits 19 to 15 are the device, 14 to 12 the function, 11 to 0 the register --- */

#define ECAM 0xB0000000ull

static struct bench *bench_with_ecam(void)
{
    struct bench *b = bench_new();
    assert_true(iobus_add(&b->m.mmio, ECAM, 0x100000, &pci_ecam_ops, &b->m.pci, 0));
    return b;
}

static void ecam_reads_what_mechanism_1_reads(void **state)
{
    struct bench *b = bench_with_ecam();
    (void)state;
    assert_int_equal(iobus_read(&b->m.mmio, ECAM, 4), 0x12378086);
    assert_int_equal(iobus_read(&b->m.mmio, ECAM + 0x10000, 4), 0x56781234);
    assert_int_equal(iobus_read(&b->m.mmio, ECAM + 0x10001, 2), 0x7812);
    assert_int_equal(iobus_read(&b->m.mmio, ECAM + 0x10003, 1), 0x56);
    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned reg = 0; reg < 0x100; reg++) {
            unsigned size = reg & 1 ? 1 : reg & 2 ? 2 : 4;
            assert_int_equal(iobus_read(&b->m.mmio, ECAM + (slot << 15 | reg), size),
                             cfg_read(&b->m, slot, reg, size));
        }
    }
    free(b);
}

static void ecam_writes_what_mechanism_1_writes(void **state)
{
    struct bench *b = bench_with_ecam();
    (void)state;
    iobus_write(&b->m.mmio, ECAM + 0x1003C, 1, 0x42);
    assert_int_equal(cfg_read(&b->m, 2, 0x3C, 4), 0x00000142);
    iobus_write(&b->m.mmio, ECAM + 0x10000, 4, 0xFFFFFFFF); /* read-only */
    assert_int_equal(cfg_read(&b->m, 2, 0x00, 4), 0x56781234);
    iobus_write(&b->m.mmio, ECAM + 0x10004, 2, 0x0002); /* BARs begin to answer */
    assert_int_equal(b->m.mmio.range_count, 3);
    iobus_write(&b->m.mmio, ECAM + 0x10014, 4, 0xFFFFFFFF);
    assert_int_equal(iobus_read(&b->m.mmio, ECAM + 0x10014, 4), 0xFFFFF000);
    free(b);
}

static void ecam_has_no_other_functions_and_no_extended_registers(void **state)
{
    struct bench *b = bench_with_ecam();
    (void)state;
    for (unsigned function = 1; function < 8; function++)
        assert_int_equal(iobus_read(&b->m.mmio, ECAM + (0x10000 | function << 12), 4), 0xFFFFFFFF);
    for (unsigned reg = 0x100; reg < 0x1000; reg += 4) {
        iobus_write(&b->m.mmio, ECAM + 0x10000 + reg, 4, 0);
        assert_int_equal(iobus_read(&b->m.mmio, ECAM + 0x10000 + reg, 4), 0xFFFFFFFF);
        assert_int_equal(iobus_read(&b->m.mmio, ECAM + reg, 1), 0xFF);
    }
    assert_int_equal(cfg_read(&b->m, 2, 0x3C, 4), 0x00000109);
    free(b);
}

static void ecam_accesses_stay_in_a_dword(void **state)
{
    static const struct {
        unsigned reg, size;
    } wrong[] = {{0x3B, 2}, {0x39, 4}, {0x3A, 4}, {0x3B, 4}, {0x38, 8}, {0x3C, 8}, {0x35, 8}};
    struct bench *b = bench_with_ecam();
    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        uint64_t at = ECAM + 0x10000 + wrong[i].reg;
        uint64_t ones = wrong[i].size == 8 ? UINT64_MAX : (1ull << wrong[i].size * 8) - 1;
        iobus_write(&b->m.mmio, at, wrong[i].size, 0);
        assert_true(iobus_read(&b->m.mmio, at, wrong[i].size) == ones);
    }
    assert_int_equal(cfg_read(&b->m, 2, 0x3C, 4), 0x00000109);
    /* The last bytes, and what would run out of the megabyte. */
    assert_int_equal(iobus_read(&b->m.mmio, ECAM + 0xFFFFC, 4), 0xFFFFFFFF);
    assert_int_equal(iobus_read(&b->m.mmio, ECAM + 0xFFFFE, 4), 0xFFFFFFFF);
    free(b);
}

/* --- the header --- */

static void the_host_bridge_is_a_440fx(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    assert_int_equal(cfg_read(&b->m, 0, 0x00, 4), 0x12378086);
    assert_int_equal(cfg_read(&b->m, 0, 0x0A, 2), 0x0600);
    assert_int_equal(cfg_read(&b->m, 0, 0x0E, 1), 0x00);
    assert_int_equal(cfg_read(&b->m, 0, 0x3D, 1), 0x00);
    for (unsigned reg = 0x10; reg < 0x28; reg += 4) {
        cfg_write(&b->m, 0, reg, 4, 0xFFFFFFFF);
        assert_int_equal(cfg_read(&b->m, 0, reg, 4), 0);
    }
    free(b);
}

static void header_fields_lie_where_the_specification_says(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    assert_int_equal(cfg_read(&b->m, 2, 0x00, 2), 0x1234);
    assert_int_equal(cfg_read(&b->m, 2, 0x02, 2), 0x5678);
    assert_int_equal(cfg_read(&b->m, 2, 0x04, 2), 0x0000);
    assert_int_equal(cfg_read(&b->m, 2, 0x06, 2), 0x0000);
    assert_int_equal(cfg_read(&b->m, 2, 0x08, 4), 0x11223344);
    assert_int_equal(cfg_read(&b->m, 2, 0x0C, 4), 0x00000000);
    assert_int_equal(cfg_read(&b->m, 2, 0x2C, 4), 0xDEF09ABC);
    assert_int_equal(cfg_read(&b->m, 2, 0x30, 4), 0x00000000);
    assert_int_equal(cfg_read(&b->m, 2, 0x34, 1), 0x00);
    assert_int_equal(cfg_read(&b->m, 2, 0x3C, 2), 0x0109);
    free(b);
}

/* What the guest can change, byte by byte, in a device with I/O and memory BARs. */
static void only_writable_bits_change(void **state)
{
    static const struct {
        unsigned reg;
        uint32_t writable;
    } table[] = {{0x00, 0},          {0x04, 0x00000407}, {0x08, 0},          {0x0C, 0},
                 {0x10, 0xFFFFFFE0}, {0x14, 0xFFFFF000}, {0x18, 0xFFFF0000}, {0x1C, 0xFFFFFFFF},
                 {0x20, 0},          {0x24, 0},          {0x28, 0},          {0x2C, 0},
                 {0x30, 0},          {0x34, 0},          {0x38, 0},          {0x3C, 0x000000FF}};
    struct bench *b = bench_new();
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        uint32_t before = cfg_read(&b->m, 2, table[i].reg, 4);
        cfg_write(&b->m, 2, table[i].reg, 4, 0xFFFFFFFF);
        assert_int_equal(cfg_read(&b->m, 2, table[i].reg, 4), before | table[i].writable);
        cfg_write(&b->m, 2, table[i].reg, 4, 0);
        assert_int_equal(cfg_read(&b->m, 2, table[i].reg, 4), before & ~table[i].writable);
    }
    for (unsigned reg = 0x40; reg < 0x100; reg += 4) {
        cfg_write(&b->m, 2, reg, 4, 0xFFFFFFFF);
        assert_int_equal(cfg_read(&b->m, 2, reg, 4), 0);
    }
    free(b);
}

static void hooks_see_reads_and_writes(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    cfg_read(&b->m, 2, 0x40, 4);
    cfg_write(&b->m, 2, 0x40, 4, 0);
    cfg_write(&b->m, 2, 0x40, 1, 0);
    assert_int_equal(b->scratch[0].reads, 1);
    assert_int_equal(b->scratch[0].writes, 2);
    assert_int_equal(b->scratch[1].reads, 0);
    free(b);
}

/* --- capabilities --- */

static void capabilities_form_a_list(void **state)
{
    static const uint8_t body[6] = {1, 2, 3, 4, 5, 6};
    struct bench *b = bench_new();
    struct pci_device device;
    (void)state;
    pci_device_init(&device, &scratch_identity, NULL, NULL);
    assert_int_equal(pci_add_capability(&device, 0x09, body, 3), 0x40);
    assert_int_equal(pci_add_capability(&device, 0x05, body, 6), 0x48);
    pci_make_writable(&device, 0x4A, 1);
    assert_true(pci_attach(&b->m.pci, &device, 4));
    assert_int_equal(cfg_read(&b->m, 4, 0x06, 2) & 0x10, 0x10);
    assert_int_equal(cfg_read(&b->m, 4, 0x34, 1), 0x40);
    assert_int_equal(cfg_read(&b->m, 4, 0x40, 4), 0x02014809);
    assert_int_equal(cfg_read(&b->m, 4, 0x48, 4), 0x02010005);
    cfg_write(&b->m, 4, 0x48, 4, 0xFFFFFFFF);
    assert_int_equal(cfg_read(&b->m, 4, 0x48, 4), 0x02FF0005);
    free(b);
}

static void a_full_configuration_space_refuses_a_capability(void **state)
{
    uint8_t body[64] = {0};
    struct pci_device device;
    (void)state;
    pci_device_init(&device, &scratch_identity, NULL, NULL);
    unsigned added = 0;
    while (pci_add_capability(&device, 0x09, body, 62) != 0)
        added++;
    assert_int_equal(added, 2);
    assert_int_equal(pci_add_capability(&device, 0x09, body, 2), 0xC0);
}

/* --- INTx --- */

static void the_pin_follows_the_device_unless_disabled(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    pci_set_intx(&b->device[0], true);
    assert_true(b->m.intx[2]);
    assert_int_equal(cfg_read(&b->m, 2, 0x06, 2), 0x0008);
    cfg_write(&b->m, 2, 0x04, 2, 0x0400);
    assert_false(b->m.intx[2]);
    assert_int_equal(cfg_read(&b->m, 2, 0x06, 2), 0x0008);
    cfg_write(&b->m, 2, 0x05, 1, 0x00);
    assert_true(b->m.intx[2]);
    pci_set_intx(&b->device[0], false);
    assert_false(b->m.intx[2]);
    assert_int_equal(cfg_read(&b->m, 2, 0x06, 2), 0x0000);
    free(b);
}

static void devices_on_one_link_are_a_wired_or(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    pci_set_intx(&b->device[0], true);
    pci_set_intx(&b->device[1], true);
    pci_set_intx(&b->device[0], false);
    assert_true(b->m.intx[2]);
    cfg_write(&b->m, 6, 0x04, 2, 0x0400);
    assert_false(b->m.intx[2]);
    assert_false(b->m.intx[0] || b->m.intx[1] || b->m.intx[3]);
    free(b);
}

static void bus_mastering_is_the_guests_to_give(void **state)
{
    struct bench *b = bench_new();
    (void)state;
    assert_false(pci_bus_master(&b->device[0]));
    cfg_write(&b->m, 2, 0x04, 2, 0x0004);
    assert_true(pci_bus_master(&b->device[0]));
    free(b);
}

static void reset_is_a_fresh_init(void **state)
{
    struct bench *b = bench_new();
    uint8_t before[256];
    (void)state;
    memcpy(before, b->device[0].config, sizeof(before));
    cfg_write(&b->m, 2, 0x10, 4, 0xC800);
    cfg_write(&b->m, 2, 0x14, 4, 0xE0800000);
    cfg_write(&b->m, 2, 0x3C, 1, 0x42);
    cfg_write(&b->m, 2, 0x04, 2, 0x0007);
    pci_set_intx(&b->device[0], true);
    unsigned resets = b->scratch[0].resets;
    pci_ops.reset(&b->m.pci);
    assert_memory_equal(before, b->device[0].config, sizeof(before));
    assert_int_equal(b->scratch[0].resets, resets + 1);
    assert_int_equal(b->m.mmio.range_count, 0);
    assert_int_equal(b->m.pio.range_count, 1);
    assert_false(b->m.intx[2]);
    assert_int_equal(in(&b->m, 0xCF8, 4), 0);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linux_probe_of_mechanism_1_succeeds),
        cmocka_unit_test(config_address_answers_dwords_only),
        cmocka_unit_test(config_data_has_byte_lanes),
        cmocka_unit_test(without_the_enable_bit_config_data_is_dead),
        cmocka_unit_test(byte_accesses_to_cf9_go_to_the_reset_port),
        cmocka_unit_test(absent_devices_read_all_ones),
        cmocka_unit_test(ecam_reads_what_mechanism_1_reads),
        cmocka_unit_test(ecam_writes_what_mechanism_1_writes),
        cmocka_unit_test(ecam_has_no_other_functions_and_no_extended_registers),
        cmocka_unit_test(ecam_accesses_stay_in_a_dword),
        cmocka_unit_test(the_host_bridge_is_a_440fx),
        cmocka_unit_test(header_fields_lie_where_the_specification_says),
        cmocka_unit_test(only_writable_bits_change),
        cmocka_unit_test(hooks_see_reads_and_writes),
        cmocka_unit_test(capabilities_form_a_list),
        cmocka_unit_test(a_full_configuration_space_refuses_a_capability),
        cmocka_unit_test(the_pin_follows_the_device_unless_disabled),
        cmocka_unit_test(devices_on_one_link_are_a_wired_or),
        cmocka_unit_test(bus_mastering_is_the_guests_to_give),
        cmocka_unit_test(reset_is_a_fresh_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
