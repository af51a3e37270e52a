/* needs: vmm/dev/virtqueue.c vmm/dev/gmem.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtio_blk.c vmm/dev/ramdisk.c */
#include "dev/virtqueue.h"

#include "virtqueue_bench.h"

/* Layouts and flags: VIRTIO 1.2, "Split Virtqueues". */

/* Offers the chain at head 0 and expects the queue to break over it, for good. */
static void expect_broken(struct bench *r)
{
    make_available(&r->guest, 0);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_BROKEN);
    assert_non_null(r->queue.broken);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_BROKEN);
    assert_false(virtqueue_rearm(&r->queue));
    assert_int_equal(used_index(&r->guest), 0);
    bench_free(r);
}

static void a_loop_breaks_the_queue(void **state)
{
    struct bench *r = bench_new(4, 0);
    (void)state;
    desc_set(&r->guest, 0, BUFFER, 16, 1, 1);
    desc_set(&r->guest, 1, BUFFER, 16, 1, 0);
    expect_broken(r);
}

static void a_loop_of_empty_buffers_breaks_the_queue(void **state)
{
    struct bench *r = bench_new(4, INDIRECT);
    (void)state;
    desc_set(&r->guest, 0, TABLE, 16, 4, 0);
    desc_at(&r->guest, TABLE, 0, BUFFER, 0, 1, 0);
    expect_broken(r);
}

static void a_next_beyond_the_table_breaks_the_queue(void **state)
{
    (void)state;
    struct bench *r = bench_new(4, 0);
    desc_set(&r->guest, 0, BUFFER, 16, 1, 4);
    expect_broken(r);
    r = bench_new(4, INDIRECT);
    desc_set(&r->guest, 0, TABLE, 32, 4, 0);
    desc_at(&r->guest, TABLE, 0, BUFFER, 16, 1, 2);
    expect_broken(r);
}

static void a_head_beyond_the_table_breaks_the_queue(void **state)
{
    static const uint16_t heads[] = {4, 0x100, 0xFFFF};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct bench *r = bench_new(4, 0);
        make_available(&r->guest, heads[i]);
        assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_BROKEN);
        bench_free(r);
    }
}

static void an_available_index_too_far_ahead_breaks_the_queue(void **state)
{
    static const uint16_t indices[] = {5, 0x8000, 0xFFFF};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct bench *r = bench_new(4, 0);
        put16(&r->guest, r->guest.avail + 2, indices[i]);
        assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_BROKEN);
        bench_free(r);
    }
    struct bench *r = bench_new(4, 0);
    desc_set(&r->guest, 0, BUFFER, 16, 0, 0);
    put16(&r->guest, r->guest.avail + 2, 4);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
    bench_free(r);
}

static void a_buffer_outside_of_ram_breaks_the_queue(void **state)
{
    static const struct {
        uint64_t addr;
        uint32_t len;
    } bad[] = {{RAM_BASE - 1, 1},
               {RAM_BASE - 1, 16},
               {RAM_BASE + RAM_SIZE, 1},
               {RAM_BASE + RAM_SIZE - 15, 16},
               {RAM_BASE, 0xFFFFFFFF},
               {0, 1},
               {0xE0000000, 4},
               {0xFFFFFFFFFFFFFFFF, 1},
               {0xFFFFFFFFFFFFFFF0, 0x200000}};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        for (uint16_t flags = 0; flags <= 2; flags += 2) {
            struct bench *r = bench_new(4, 0);
            desc_set(&r->guest, 0, bad[i].addr, bad[i].len, flags, 0);
            expect_broken(r);
        }
    }
}

static void the_last_bytes_of_ram_are_usable(void **state)
{
    struct bench *r = bench_new(4, 0);
    (void)state;
    desc_set(&r->guest, 0, RAM_BASE + RAM_SIZE - 16, 16, 2, 0);
    make_available(&r->guest, 0);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
    bench_free(r);
}

static void readable_behind_writable_breaks_the_queue(void **state)
{
    struct bench *r = bench_new(4, 0);
    (void)state;
    desc_set(&r->guest, 0, BUFFER, 16, 1 | 2, 1);
    desc_set(&r->guest, 1, BUFFER, 16, 0, 0);
    expect_broken(r);
}

static void a_chain_of_4_gib_breaks_the_queue(void **state)
{
    struct bench *r = bench_new(256, INDIRECT);
    (void)state;
    /* No buffer can be that large in the test's RAM: a hole-free fake region stands in. */
    r->guest.gmem.region_count = 2;
    r->guest.gmem.region[1] = (struct gmem_region){0x100000000, 0x100000000, r->guest.block};
    desc_set(&r->guest, 0, 0x100000000, 0x80000000, 1, 1);
    desc_set(&r->guest, 1, 0x100000000, 0x80000000, 0, 0);
    expect_broken(r);
}

static void bad_indirect_tables_break_the_queue(void **state)
{
    static const struct {
        uint64_t addr;
        uint32_t len;
        uint16_t flags;
    } bad[] = {{TABLE, 0, 4},          {TABLE, 1, 4},
               {TABLE, 15, 4},         {TABLE, 17, 4},
               {TABLE, 0xFFFFFFFF, 4}, {TABLE, 0xFFFFFFF0, 4},
               {TABLE, 32, 4 | 1},     {RAM_BASE + RAM_SIZE - 16, 32, 4},
               {RAM_BASE - 16, 32, 4}, {0xFFFFFFFFFFFFFFF0, 32, 4}};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct bench *r = bench_new(4, INDIRECT);
        desc_at(&r->guest, TABLE, 0, BUFFER, 16, 0, 0);
        desc_set(&r->guest, 0, bad[i].addr, bad[i].len, bad[i].flags, 1);
        desc_set(&r->guest, 1, BUFFER, 16, 0, 0);
        expect_broken(r);
    }
}

static void a_table_within_a_table_breaks_the_queue(void **state)
{
    struct bench *r = bench_new(4, INDIRECT);
    (void)state;
    desc_set(&r->guest, 0, TABLE, 32, 4, 0);
    desc_at(&r->guest, TABLE, 0, TABLE + 16, 16, 4, 0);
    desc_at(&r->guest, TABLE, 1, BUFFER, 16, 0, 0);
    expect_broken(r);
}

static void indirect_without_the_feature_breaks_the_queue(void **state)
{
    struct bench *r = bench_new(4, EVENT_IDX);
    (void)state;
    desc_set(&r->guest, 0, TABLE, 16, 4, 0);
    desc_at(&r->guest, TABLE, 0, BUFFER, 16, 0, 0);
    expect_broken(r);
}

static void a_257th_buffer_breaks_the_queue(void **state)
{
    struct bench *r = bench_new(256, INDIRECT);
    (void)state;
    desc_set(&r->guest, 0, BUFFER, 1, 1, 1);
    desc_set(&r->guest, 1, TABLE, 16 * 256, 4, 0);
    for (unsigned i = 0; i < 256; i++)
        desc_at(&r->guest, TABLE, i, BUFFER + i, 1, i == 255 ? 0 : 1, (uint16_t)(i + 1));
    expect_broken(r);
}

static void rings_outside_of_ram_or_misaligned_are_refused(void **state)
{
    /* Queue of 4: table 64 bytes, available ring 14, used ring 38. */
    static const struct {
        uint64_t desc, avail, used;
        bool good;
    } table[] = {{RAM_BASE, RAM_BASE + 0x100, RAM_BASE + 0x200, true},
                 {RAM_BASE + 8, RAM_BASE + 0x100, RAM_BASE + 0x200, false},
                 {RAM_BASE, RAM_BASE + 0x101, RAM_BASE + 0x200, false},
                 {RAM_BASE, RAM_BASE + 0x102, RAM_BASE + 0x200, true},
                 {RAM_BASE, RAM_BASE + 0x100, RAM_BASE + 0x202, false},
                 {RAM_BASE, RAM_BASE + 0x100, RAM_BASE + 0x204, true},
                 {RAM_BASE + RAM_SIZE - 64, RAM_BASE + 0x100, RAM_BASE + 0x200, true},
                 {RAM_BASE + RAM_SIZE - 48, RAM_BASE + 0x100, RAM_BASE + 0x200, false},
                 {RAM_BASE, RAM_BASE + RAM_SIZE - 14, RAM_BASE + 0x200, true},
                 {RAM_BASE, RAM_BASE + RAM_SIZE - 12, RAM_BASE + 0x200, false},
                 {RAM_BASE, RAM_BASE + 0x100, RAM_BASE + RAM_SIZE - 40, true},
                 {RAM_BASE, RAM_BASE + 0x100, RAM_BASE + RAM_SIZE - 36, false},
                 {0, RAM_BASE + 0x100, RAM_BASE + 0x200, false},
                 {RAM_BASE, 0xFFFFFFFFFFFFFFFE, RAM_BASE + 0x200, false},
                 {RAM_BASE, RAM_BASE + 0x100, 0xFFFFFFFFFFFFFFFC, false}};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        struct bench *r = bench_new(4, 0);
        virtqueue_reset(&r->queue);
        assert_false(r->queue.enabled);
        assert_int_equal(r->queue.size, 256);
        r->queue.size = 4;
        r->queue.desc = table[i].desc;
        r->queue.avail = table[i].avail;
        r->queue.used = table[i].used;
        assert_int_equal(virtqueue_enable(&r->queue, 0), table[i].good);
        assert_int_equal(r->queue.enabled, table[i].good);
        assert_int_equal(r->queue.broken == NULL, table[i].good);
        bench_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_breaks_the_queue),
        cmocka_unit_test(a_loop_of_empty_buffers_breaks_the_queue),
        cmocka_unit_test(a_next_beyond_the_table_breaks_the_queue),
        cmocka_unit_test(a_head_beyond_the_table_breaks_the_queue),
        cmocka_unit_test(an_available_index_too_far_ahead_breaks_the_queue),
        cmocka_unit_test(a_buffer_outside_of_ram_breaks_the_queue),
        cmocka_unit_test(the_last_bytes_of_ram_are_usable),
        cmocka_unit_test(readable_behind_writable_breaks_the_queue),
        cmocka_unit_test(a_chain_of_4_gib_breaks_the_queue),
        cmocka_unit_test(bad_indirect_tables_break_the_queue),
        cmocka_unit_test(a_table_within_a_table_breaks_the_queue),
        cmocka_unit_test(indirect_without_the_feature_breaks_the_queue),
        cmocka_unit_test(a_257th_buffer_breaks_the_queue),
        cmocka_unit_test(rings_outside_of_ram_or_misaligned_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
