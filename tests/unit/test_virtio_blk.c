/* needs: vmm/dev/virtio_blk.c vmm/dev/ramdisk.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c */
#include "dev/virtio_blk.h"

#include "virtio_blk_bench.h"

/* Request and configuration layouts: VIRTIO 1.2, "Block Device". */

/* --- configuration --- */

static void the_configuration_tells_capacity_and_limits(void **state)
{
    struct machine *m = machine_new(false);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0002);
    assert_int_equal(mmio_read(m, BAR0 + 0x2000, 4), 64);
    assert_int_equal(mmio_read(m, BAR0 + 0x2004, 4), 0);
    assert_int_equal(mmio_read(m, BAR0 + 0x2000, 8), 64);
    assert_int_equal(mmio_read(m, BAR0 + 0x2008, 4), 65536); /* size_max */
    assert_int_equal(mmio_read(m, BAR0 + 0x200C, 4), 254);   /* seg_max */
    assert_int_equal(mmio_read(m, BAR0 + 0x2014, 4), 512);   /* blk_size */
    assert_int_equal(mmio_read(m, BAR0 + 0x200D, 1), 0);
    assert_int_equal(mmio_read(m, BAR0 + 0x2015, 1), 2);
    assert_int_equal(mmio_read(m, BAR0 + 0x203C, 4), 0xFFFFFFFF);
    mmio_write(m, BAR0 + 0x2000, 4, 0xFFFFFFFF);
    assert_int_equal(mmio_read(m, BAR0 + 0x2000, 4), 64);
    finish(m);
}

static void a_read_only_medium_offers_ro(void **state)
{
    struct machine *m = machine_new(true);
    (void)state;
    cfg_write(m, 1, 0x04, 2, 0x0002);
    assert_int_equal(device_features(m), 0x130000266);
    finish(m);
    m = machine_new(false);
    cfg_write(m, 1, 0x04, 2, 0x0002);
    assert_int_equal(device_features(m), 0x130000246);
    finish(m);
}

/* --- good requests --- */

static void a_read_brings_sectors(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    assert_int_equal(request(m, 0, 62, 1024), 0);
    assert_int_equal(last_used_len(m), 1025);
    expect_bytes(m, DATA, 62, 512);
    expect_bytes(m, DATA + 512, 63, 512);
    expect_bytes(m, DATA + 1024, 0, 512);
    expect_bytes(m, DATA - 512, 0, 512);
    assert_int_equal(m->blk.reads, 1);
    assert_int_equal(m->blk.read_bytes, 1024);
    expect_disk_unchanged(m);
    finish(m);
}

static void a_write_takes_sectors(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    memset(guest_ram(&m->guest, DATA), 0xC3, 1024);
    assert_int_equal(request(m, 1, 10, 1024), 0);
    assert_int_equal(last_used_len(m), 1);
    for (unsigned i = 0; i < 1024; i++)
        assert_int_equal(disk_sector(m, 10)[i], 0xC3);
    assert_int_equal(disk_sector(m, 9)[511], 9);
    assert_int_equal(disk_sector(m, 12)[0], 12);
    assert_int_equal(m->blk.writes, 1);
    assert_int_equal(m->blk.flushes, 0);
    finish(m);
}

static void several_segments_are_one_request(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    header_set(m, 0, 20);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1);
    desc_set(&m->guest, 1, DATA + 0x2000, 512, 3, 2);
    desc_set(&m->guest, 2, DATA, 1536, 3, 3);
    desc_set(&m->guest, 3, DATA + 0x1000, 512, 3, 4);
    desc_set(&m->guest, 4, STATUS, 1, 2, 0);
    assert_int_equal(run(m), 0);
    assert_int_equal(last_used_len(m), 2561);
    expect_bytes(m, DATA + 0x2000, 20, 512);
    expect_bytes(m, DATA, 21, 512);
    expect_bytes(m, DATA + 1024, 23, 512);
    expect_bytes(m, DATA + 0x1000, 24, 512);
    expect_bytes(m, DATA + 0x1200, 0, 512);
    finish(m);
}

static void an_indirect_request_is_served(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    header_set(m, 0, 7);
    desc_set(&m->guest, 0, TABLE, 48, 4, 0);
    desc_at(&m->guest, TABLE, 0, HEADER, 16, 1, 1);
    desc_at(&m->guest, TABLE, 1, DATA, 512, 3, 2);
    desc_at(&m->guest, TABLE, 2, STATUS, 1, 2, 0);
    assert_int_equal(run(m), 0);
    assert_int_equal(last_used_len(m), 513);
    expect_bytes(m, DATA, 7, 512);
    finish(m);
}

/* "the device MUST NOT make assumptions about the framing": header and data cut anywhere. */
static void any_layout_of_a_write_is_served(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    header_set(m, 1, 30);
    for (unsigned i = 0; i < 1024; i++)
        *guest_ram(&m->guest, DATA + i) = (uint8_t)(i * 7);
    memmove(guest_ram(&m->guest, DATA + 0x800), guest_ram(&m->guest, DATA), 100);
    memcpy(guest_ram(&m->guest, DATA - 8), guest_ram(&m->guest, HEADER + 8), 8);
    desc_set(&m->guest, 0, HEADER, 5, 1, 1);
    desc_set(&m->guest, 1, HEADER + 5, 3, 1, 2);
    desc_set(&m->guest, 2, DATA - 8, 8 + 700, 1, 3); /* rest of the header, 700 of 1024 bytes */
    desc_set(&m->guest, 3, DATA + 700, 1, 1, 4);
    desc_set(&m->guest, 4, DATA + 701, 323, 1, 5);
    desc_set(&m->guest, 5, STATUS, 1, 2, 0);
    assert_int_equal(run(m), 0);
    for (unsigned i = 0; i < 1024; i++)
        assert_int_equal(disk_sector(m, 30)[i], (uint8_t)(i * 7));
    assert_int_equal(disk_sector(m, 29)[511], 29);
    assert_int_equal(disk_sector(m, 32)[0], 32);
    finish(m);
}

static void any_layout_of_a_read_is_served(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    header_set(m, 0, 40);
    for (unsigned i = 0; i < 1536; i++)
        disk_sector(m, 40)[i] = (uint8_t)(i * 11);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1);
    desc_set(&m->guest, 1, DATA, 3, 3, 2);
    desc_set(&m->guest, 2, DATA + 3, 1, 3, 3);
    desc_set(&m->guest, 3, DATA + 4, 1021, 3, 4);
    desc_set(&m->guest, 4, DATA + 1025, 512, 2, 5); /* 511 bytes of data, then the status */
    assert_int_equal((run(m), *guest_ram(&m->guest, DATA + 1536)), 0);
    assert_int_equal(*guest_ram(&m->guest, STATUS), 0xEE);
    assert_int_equal(last_used_len(m), 1537);
    for (unsigned i = 0; i < 1536; i++)
        assert_int_equal(*guest_ram(&m->guest, DATA + i), (uint8_t)(i * 11));
    expect_bytes(m, DATA + 1537, 0, 64);
    finish(m);
}

static void get_id_fills_20_bytes(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    memset(guest_ram(&m->guest, DATA), 0xFF, 64);
    assert_int_equal(request(m, 8, 0, 20), 0);
    assert_int_equal(last_used_len(m), 21);
    assert_memory_equal(guest_ram(&m->guest, DATA), "pxhv-disk\0\0\0\0\0\0\0\0\0\0\0", 20);
    expect_bytes(m, DATA + 20, 0xFF, 44);
    /* A longer buffer is left alone behind the id, a shorter one gets the beginning. */
    assert_int_equal(request(m, 8, 0, 64), 0);
    assert_int_equal(last_used_len(m), 20);
    expect_bytes(m, DATA + 20, 0xFF, 44);
    memset(guest_ram(&m->guest, DATA), 0xFF, 64);
    assert_int_equal(request(m, 8, 0, 4), 0);
    assert_memory_equal(guest_ram(&m->guest, DATA), "pxhv\xFF", 5);
    finish(m);
}

static void unknown_types_are_unsupported(void **state)
{
    static const uint32_t types[] = {2, 3, 5, 6, 7, 9, 11, 13, 14, 0x80000000, 0xFFFFFFFF};
    struct machine *m = start(BASIC);
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        assert_int_equal(request(m, types[i], 0, 512), 2);
        assert_int_equal(last_used_len(m), 0);
    }
    expect_bytes(m, DATA, 0, 512);
    expect_disk_unchanged(m);
    finish(m);
}

static uint8_t flush(struct machine *m)
{
    header_set(m, 4, 0);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1);
    desc_set(&m->guest, 1, STATUS, 1, 2, 0);
    return run(m);
}

static void flush_waits_for_the_backend(void **state)
{
    struct machine *m = start(BASIC);
    struct probe probe;
    (void)state;
    probe_install(m, &probe);
    assert_int_equal(flush(m), 0);
    assert_int_equal(last_used_len(m), 1);
    assert_int_equal(probe.flushes, 1);
    probe.fail_flush = true;
    assert_int_equal(flush(m), 1);
    assert_int_equal(probe.flushes, 2);
    finish(m);
}

static void a_driver_without_flush_gets_write_through(void **state)
{
    struct machine *m = start(FEATURE_VERSION_1);
    struct probe probe;
    (void)state;
    probe_install(m, &probe);
    assert_int_equal(request(m, 1, 0, 512), 0);
    assert_int_equal(probe.flushes, 1);
    assert_int_equal(request(m, 0, 0, 512), 0);
    assert_int_equal(probe.flushes, 1);
    probe.fail_flush = true;
    assert_int_equal(request(m, 1, 0, 512), 1);

    /* The next driver, with FLUSH, is its own master again. */
    memset(guest_ram(&m->guest, m->guest.avail), 0, 0x2000);
    m->guest.avail_index = 0;
    driver_start(m, BASIC);
    assert_int_equal(request(m, 1, 0, 512), 0);
    assert_int_equal(probe.flushes, 2);
    finish(m);
}

static void a_whole_segment_moves_in_one_piece(void **state)
{
    struct machine *m = start(BASIC);
    struct probe probe;
    (void)state;
    probe_install(m, &probe);
    assert_int_equal(request(m, 0, 0, 64 * 512), 0);
    assert_int_equal(probe.accesses, 1);
    finish(m);
}

static void an_error_of_the_medium_is_reported(void **state)
{
    struct machine *m = start(BASIC);
    struct probe probe;
    (void)state;
    probe_install(m, &probe);
    probe.fail_offset = 512 * 3;
    assert_int_equal(request(m, 1, 3, 512), 1);
    assert_int_equal(last_used_len(m), 1);
    /* A read in two segments, the second of which fails: one sector arrived. */
    header_set(m, 0, 2);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1);
    desc_set(&m->guest, 1, DATA, 512, 3, 2);
    desc_set(&m->guest, 2, DATA + 512, 512, 3, 3);
    desc_set(&m->guest, 3, STATUS, 1, 2, 0);
    assert_int_equal(run(m), 1);
    assert_int_equal(last_used_len(m), 512);
    expect_bytes(m, DATA, 2, 512);
    assert_int_equal(m->blk.errors, 2);
    finish(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_tells_capacity_and_limits),
        cmocka_unit_test(a_read_only_medium_offers_ro),
        cmocka_unit_test(a_read_brings_sectors),
        cmocka_unit_test(a_write_takes_sectors),
        cmocka_unit_test(several_segments_are_one_request),
        cmocka_unit_test(an_indirect_request_is_served),
        cmocka_unit_test(any_layout_of_a_write_is_served),
        cmocka_unit_test(any_layout_of_a_read_is_served),
        cmocka_unit_test(get_id_fills_20_bytes),
        cmocka_unit_test(unknown_types_are_unsupported),
        cmocka_unit_test(flush_waits_for_the_backend),
        cmocka_unit_test(a_driver_without_flush_gets_write_through),
        cmocka_unit_test(a_whole_segment_moves_in_one_piece),
        cmocka_unit_test(an_error_of_the_medium_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
