/* needs: vmm/dev/virtio_blk.c vmm/dev/ramdisk.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c */
#include "dev/virtio_blk.h"

#include "virtio_blk_bench.h"

/* Request and configuration layouts: VIRTIO 1.2, "Block Device". */

static void sectors_beyond_the_end_are_errors(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t len;
        uint8_t status;
    } table[] = {{63, 512, 0},
                 {64, 0, 0},
                 {64, 512, 1},
                 {63, 1024, 1},
                 {0, 64 * 512, 0},
                 {0, 65 * 512, 1},
                 {65, 0, 1},
                 {0x7FFFFFFFFFFFFFFF, 512, 1},
                 {0x0080000000000000, 512, 1}, /* times 512 wraps to 0 */
                 {0xFFFFFFFFFFFFFFFF, 512, 1},
                 {0xFFFFFFFFFFFFFFFF, 1024, 1}};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        for (uint32_t type = 0; type <= 1; type++) {
            struct machine *m = start(BASIC);
            if (table[i].len <= 512 && type == 1)
                memset(guest_ram(&m->guest, DATA), (int)table[i].sector, 512);
            assert_int_equal(request(m, type, table[i].sector, table[i].len), table[i].status);
            if (table[i].status != 0) {
                assert_int_equal(last_used_len(m), type == 1 || table[i].len == 0);
                expect_disk_unchanged(m);
            }
            finish(m);
        }
    }
}

static void lengths_are_whole_sectors(void **state)
{
    static const uint32_t lengths[] = {1, 256, 511, 513, 1000};
    struct machine *m = start(BASIC);
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        assert_int_equal(request(m, 0, 5, lengths[i]), 1);
        assert_int_equal(last_used_len(m), 0);
        expect_bytes(m, DATA, 0, 1024);
        assert_int_equal(request(m, 1, 5, lengths[i]), 1);
    }
    expect_disk_unchanged(m);
    finish(m);
}

static bool endless_read(void *ctx, uint64_t offset, const struct gmem *gmem, gpa_t gpa,
                         uint32_t len)
{
    (void)ctx, (void)offset, (void)gmem, (void)gpa, (void)len;
    return true;
}

/* 254 segments of 64 KiB are the promised limit: 1FC0h times 128 KiB. */
static void a_request_has_a_largest_size(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    m->disk.backend.sector_count = 1ull << 40;
    m->disk.backend.read = endless_read;
    header_set(m, 0, 0);
    desc_set(&m->guest, 0, TABLE, 16 * 256, 4, 0);
    desc_at(&m->guest, TABLE, 0, HEADER, 16, 1, 1);
    for (uint16_t i = 1; i <= 254; i++)
        desc_at(&m->guest, TABLE, i, DATA, 65536, 3, (uint16_t)(i + 1));
    desc_at(&m->guest, TABLE, 255, STATUS, 1, 2, 0);
    assert_int_equal(run(m), 0);
    assert_int_equal(last_used_len(m), 254 * 65536 + 1);
    desc_at(&m->guest, TABLE, 7, DATA, 65536 + 512, 3, 8);
    *guest_ram(&m->guest, STATUS) = 0xEE;
    assert_int_equal(run(m), 1);
    finish(m);
}

static void writes_to_a_read_only_medium_fail(void **state)
{
    struct machine *m = machine_new(true);
    (void)state;
    for (uint64_t ro = 0; ro <= 1ull << 5; ro += 1ull << 5) {
        memset(guest_ram(&m->guest, m->guest.avail), 0, 0x2000);
        m->guest.avail_index = 0;
        driver_start(m, FEATURE_VERSION_1 | ro);
        assert_int_equal(request(m, 1, 5, 512), 1);
        assert_int_equal(request(m, 0, 5, 512), 0);
        expect_bytes(m, DATA, 5, 512);
    }
    expect_disk_unchanged(m);
    finish(m);
}

static void a_read_only_medium_is_not_even_asked_to_write(void **state)
{
    struct machine *m = start(BASIC);
    struct probe probe;
    (void)state;
    probe_install(m, &probe);
    m->disk.backend.read_only = true;
    assert_int_equal(request(m, 1, 5, 512), 1);
    assert_int_equal(probe.accesses, 0);
    finish(m);
}

/* A request that can't be answered breaks the device: status 4Fh, nothing used, dead until reset.
 */
static void expect_needs_reset(struct machine *m)
{
    make_available(&m->guest, 0);
    notify(m);
    assert_int_equal(status(m), 0x4F);
    assert_int_equal(used_index(&m->guest), 0);
    assert_int_equal(read_isr(m), 0x02);
    assert_int_equal(m->fault_count, 1);
    expect_disk_unchanged(m);
    finish(m);
}

static void no_room_for_header_or_status_needs_reset(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    header_set(m, 1, 5);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1); /* no status */
    desc_set(&m->guest, 1, DATA, 512, 0, 2);
    expect_needs_reset(m);

    m = start(BASIC);
    desc_set(&m->guest, 0, HEADER, 15, 1, 1); /* a short header */
    desc_set(&m->guest, 1, STATUS, 1, 2, 0);
    expect_needs_reset(m);

    m = start(BASIC);
    desc_set(&m->guest, 0, STATUS, 1, 2, 0); /* no header */
    expect_needs_reset(m);

    m = start(BASIC);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1); /* a status of no bytes */
    desc_set(&m->guest, 1, STATUS, 0, 2, 0);
    expect_needs_reset(m);
}

static void broken_chains_need_reset(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    desc_set(&m->guest, 0, HEADER, 16, 1, 0); /* a loop */
    expect_needs_reset(m);

    m = start(BASIC);
    header_set(m, 0, 0);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1);
    desc_set(&m->guest, 1, RAM_BASE + RAM_SIZE - 511, 512, 3, 2); /* a byte beyond RAM */
    desc_set(&m->guest, 2, STATUS, 1, 2, 0);
    expect_needs_reset(m);

    m = start(BASIC);
    desc_set(&m->guest, 0, DATA, 512, 3, 1); /* writable first */
    desc_set(&m->guest, 1, HEADER, 16, 1, 2);
    desc_set(&m->guest, 2, STATUS, 1, 2, 0);
    expect_needs_reset(m);
}

/* A read may land on the rings themselves: the guest's own loss, but the work stays bounded. */
static void a_read_over_the_rings_ends(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    for (unsigned i = 0; i < 512; i++)
        disk_sector(m, 1)[i] = (uint8_t)(i % 2 ? 0 : 15);
    header_set(m, 0, 1);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1);
    desc_set(&m->guest, 1, m->guest.avail, 512, 3, 2);
    desc_set(&m->guest, 2, STATUS, 1, 2, 0);
    make_available(&m->guest, 0);
    notify(m);
    assert_int_equal(*guest_ram(&m->guest, STATUS), 0);
    finish(m);
}

/* A medium in league with the driver: each read makes one more chain available. */
static bool feeding_read(void *ctx, uint64_t offset, const struct gmem *gmem, gpa_t gpa,
                         uint32_t len)
{
    struct machine *m = ctx;
    (void)offset, (void)gmem, (void)gpa, (void)len;
    make_available(&m->guest, 0);
    return true;
}

static void a_notification_serves_one_queue_length_at_most(void **state)
{
    struct machine *m = start(BASIC);
    (void)state;
    m->disk.backend.ctx = m;
    m->disk.backend.read = feeding_read;
    header_set(m, 0, 0);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1);
    desc_set(&m->guest, 1, DATA, 512, 3, 2);
    desc_set(&m->guest, 2, STATUS, 1, 2, 0);
    make_available(&m->guest, 0);
    notify(m);
    assert_int_equal(used_index(&m->guest), 16);
    notify(m);
    assert_int_equal(used_index(&m->guest), 32);
    assert_int_equal(status(m), 0x0F);
    finish(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sectors_beyond_the_end_are_errors),
        cmocka_unit_test(lengths_are_whole_sectors),
        cmocka_unit_test(a_request_has_a_largest_size),
        cmocka_unit_test(writes_to_a_read_only_medium_fail),
        cmocka_unit_test(a_read_only_medium_is_not_even_asked_to_write),
        cmocka_unit_test(no_room_for_header_or_status_needs_reset),
        cmocka_unit_test(broken_chains_need_reset),
        cmocka_unit_test(a_read_over_the_rings_ends),
        cmocka_unit_test(a_notification_serves_one_queue_length_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
