/* needs: vmm/dev/virtqueue.c vmm/dev/gmem.c vmm/dev/virtio_blk.c vmm/dev/ramdisk.c */
#include "dev/ramdisk.h"
#include "dev/virtio_blk.h"
#include "dev/virtqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/*
 * Guest RAM in pieces that lie apart in the host: each page is a region and a heap block of its
 * own, so that ASan sees a byte too far. Layouts and flags: VIRTIO 1.2, "Split Virtqueues".
 */

#define RAM_BASE  0x100000ull
#define RAM_PAGES 32u
#define PAGE      0x1000ull

#define EVENT_IDX (1ull << 29)
#define INDIRECT  (1ull << 28)

/* 256 descriptors: a table of 4096 bytes, rings of 518 and 2054. Each crosses a border, and used
 * entry 100 lies half on each side of one. */
#define QUEUE_SIZE 256u
#define DESC       (RAM_BASE + PAGE - 0x800)
#define AVAIL      (RAM_BASE + 4 * PAGE - 0x100)
#define USED       (RAM_BASE + 6 * PAGE - 4 - 4 - 8 * 100)
#define BUFFER     (RAM_BASE + 10 * PAGE)

struct scattered {
    uint8_t *page[RAM_PAGES];
    struct gmem gmem;
    struct virtqueue queue;
    struct virtq_chain chain;
    uint16_t avail_index;
};

static uint8_t *byte_at(struct scattered *s, uint64_t gpa)
{
    return &s->page[(gpa - RAM_BASE) / PAGE][gpa % PAGE];
}

static void put(struct scattered *s, uint64_t gpa, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        *byte_at(s, gpa + i) = (uint8_t)(value >> (8 * i));
}

static uint64_t get(struct scattered *s, uint64_t gpa, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)*byte_at(s, gpa + i) << (8 * i);
    return value;
}

/* Flags: 1 next, 2 write, 4 indirect. */
static void desc_at(struct scattered *s, uint64_t table, unsigned index, uint64_t addr,
                    uint32_t len, uint16_t flags, uint16_t next)
{
    put(s, table + 16 * index, 8, addr);
    put(s, table + 16 * index + 8, 4, len);
    put(s, table + 16 * index + 12, 2, flags);
    put(s, table + 16 * index + 14, 2, next);
}

static void offer(struct scattered *s, uint16_t head)
{
    put(s, AVAIL + 4 + 2 * (s->avail_index % QUEUE_SIZE), 2, head);
    s->avail_index++;
    put(s, AVAIL + 2, 2, s->avail_index);
}

static int set_up(void **state)
{
    struct scattered *s = calloc(1, sizeof(*s));
    for (unsigned i = 0; i < RAM_PAGES; i++) {
        s->page[i] = calloc(1, PAGE);
        s->gmem.region[i] = (struct gmem_region){RAM_BASE + i * PAGE, PAGE, s->page[i]};
    }
    s->gmem.region_count = RAM_PAGES;
    s->queue.gmem = &s->gmem;
    virtqueue_reset(&s->queue);
    s->queue.size = QUEUE_SIZE;
    s->queue.desc = DESC;
    s->queue.avail = AVAIL;
    s->queue.used = USED;
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scattered *s = *state;
    for (unsigned i = 0; i < RAM_PAGES; i++)
        free(s->page[i]);
    free(s);
    return 0;
}

static void rings_and_table_may_cross_regions(void **state)
{
    struct scattered *s = *state;
    assert_true(virtqueue_enable(&s->queue, EVENT_IDX));
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        desc_at(s, DESC, i, BUFFER + 16 * i, 16 + i, 2, 0);
    for (uint32_t n = 0; n < 3 * QUEUE_SIZE; n++) {
        uint16_t head = (uint16_t)(n * 7 % QUEUE_SIZE), slot = n % QUEUE_SIZE;
        put(s, AVAIL + 4 + 2 * QUEUE_SIZE, 2, n); /* used_event: wake me at this one */
        offer(s, head);
        assert_int_equal(virtqueue_pop(&s->queue, &s->chain), VIRTQ_CHAIN);
        assert_int_equal(s->chain.head, head);
        assert_int_equal(s->chain.segment[0].gpa, BUFFER + 16 * head);
        assert_int_equal(s->chain.segment[0].len, 16 + head);
        assert_true(virtqueue_push(&s->queue, &s->chain, 0x1000 + n));
        assert_int_equal(get(s, USED + 4 + 8 * slot, 4), head);
        assert_int_equal(get(s, USED + 8 + 8 * slot, 4), 0x1000 + n);
        assert_int_equal(get(s, USED + 2, 2), n + 1);
        assert_true(virtqueue_wants_interrupt(&s->queue));
        assert_false(virtqueue_rearm(&s->queue));
        assert_int_equal(get(s, USED + 4 + 8 * QUEUE_SIZE, 2), n + 1); /* avail_event */
    }
}

static void an_indirect_table_may_cross_regions(void **state)
{
    struct scattered *s = *state;
    uint64_t table = RAM_BASE + 21 * PAGE - 16 * 5 - 7; /* nobody said that it is aligned */
    assert_true(virtqueue_enable(&s->queue, INDIRECT));
    desc_at(s, DESC, 200, table, 16 * 10, 4, 0);
    for (unsigned i = 0; i < 10; i++)
        desc_at(s, table, i, BUFFER + 0x123 * i, 100 + i, i == 9 ? 2 : 1, (uint16_t)(i + 1));
    offer(s, 200);
    assert_int_equal(virtqueue_pop(&s->queue, &s->chain), VIRTQ_CHAIN);
    assert_int_equal(s->chain.readable_count, 9);
    assert_int_equal(s->chain.writable_count, 1);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(s->chain.segment[i].gpa, BUFFER + 0x123 * i);
        assert_int_equal(s->chain.segment[i].len, 100 + i);
    }
}

static void a_buffer_may_cross_many_regions(void **state)
{
    struct scattered *s = *state;
    uint8_t out[3 * PAGE], in[3 * PAGE];
    for (unsigned i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 31 + i / 256);
    assert_true(virtqueue_enable(&s->queue, 0));
    desc_at(s, DESC, 0, BUFFER + 0xFFF, sizeof(out), 1, 1);
    desc_at(s, DESC, 1, BUFFER + 5 * PAGE + 1, sizeof(in), 2, 0);
    for (unsigned i = 0; i < sizeof(out); i++)
        *byte_at(s, BUFFER + 0xFFF + i) = out[i];
    offer(s, 0);
    assert_int_equal(virtqueue_pop(&s->queue, &s->chain), VIRTQ_CHAIN);
    assert_int_equal(s->chain.readable_bytes, 3 * PAGE);
    struct virtq_cursor from = virtq_readable(&s->chain), to = virtq_writable(&s->chain);
    assert_true(virtq_cursor_read(&s->queue, &from, in, 5));
    assert_true(virtq_cursor_read(&s->queue, &from, in + 5, sizeof(in) - 5));
    assert_memory_equal(in, out, sizeof(out));
    assert_true(virtq_cursor_write(&s->queue, &to, out, sizeof(out)));
    for (unsigned i = 0; i < sizeof(out); i++)
        assert_int_equal(*byte_at(s, BUFFER + 5 * PAGE + 1 + i), out[i]);
    assert_int_equal(*byte_at(s, BUFFER + 5 * PAGE), 0);
    assert_int_equal(*byte_at(s, BUFFER + 8 * PAGE + 1), 0);
}

#define SECTORS 64u

/* Header, data and status each lie across a border; the data in two buffers that cut a sector. */
static void a_disk_request_may_cross_regions(void **state)
{
    struct scattered *s = *state;
    uint8_t *medium = malloc(512 * SECTORS);
    struct virtio_blk *blk = malloc(sizeof(*blk));
    struct virtio_blk_work *work = calloc(1, sizeof(*work));
    struct ramdisk disk;
    uint64_t header = RAM_BASE + 20 * PAGE - 9, data = BUFFER + 0xF01;

    for (unsigned i = 0; i < 512 * SECTORS; i++)
        medium[i] = (uint8_t)(i * 13 + i / 512);
    ramdisk_init(&disk, medium, 512 * SECTORS, false, "test");
    virtio_blk_init(blk, &disk.backend, &s->gmem, work);
    assert_true(virtqueue_enable(&s->queue, 0));
    for (uint32_t type = 0; type <= 1; type++) { /* 0 reads the disk, 1 writes */
        uint16_t flags = type == 0 ? 3 : 1;
        put(s, header, 8, type);
        put(s, header + 8, 8, 3 + 20 * type);
        desc_at(s, DESC, 0, header, 16, 1, 1);
        desc_at(s, DESC, 1, data, 4096 + 100, flags, 2);
        desc_at(s, DESC, 2, data + 4096 + 100, 4096 - 100, flags, 3);
        desc_at(s, DESC, 3, header + 16, 1, 2, 0);
        *byte_at(s, header + 16) = 0xFF;
        offer(s, 0);
        virtio_blk_ops.notify(blk, &s->queue, 0);
        assert_null(s->queue.broken);
        assert_int_equal(*byte_at(s, header + 16), 0);
        for (unsigned i = 0; i < 8192; i++)
            assert_int_equal(*byte_at(s, data + i), (uint8_t)((i + 1536) * 13 + (i + 1536) / 512));
    }
    assert_memory_equal(medium + 23 * 512, medium + 3 * 512, 8192);
    free(work);
    free(blk);
    free(medium);
}

static void a_hole_between_regions_is_no_ram(void **state)
{
    struct scattered *s = *state;
    static const uint64_t last_page[3] = {
        (DESC - RAM_BASE) / PAGE + 1, (AVAIL - RAM_BASE) / PAGE + 1, (USED - RAM_BASE) / PAGE + 1};
    for (unsigned i = 0; i < 3; i++) {
        struct gmem_region *region = &s->gmem.region[last_page[i]];
        region->base += 1;
        region->size_bytes -= 1; /* one byte is missing in the middle of the ring */
        virtqueue_reset(&s->queue);
        s->queue.size = QUEUE_SIZE;
        s->queue.desc = DESC;
        s->queue.avail = AVAIL;
        s->queue.used = USED;
        assert_false(virtqueue_enable(&s->queue, 0));
        assert_non_null(s->queue.broken);
        region->base -= 1;
        region->size_bytes += 1;
    }
    s->queue.broken = NULL;
    assert_true(virtqueue_enable(&s->queue, 0));
    s->gmem.region[12].size_bytes -= 1;
    desc_at(s, DESC, 0, BUFFER, 3 * PAGE, 2, 0);
    offer(s, 0);
    assert_int_equal(virtqueue_pop(&s->queue, &s->chain), VIRTQ_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rings_and_table_may_cross_regions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_indirect_table_may_cross_regions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_buffer_may_cross_many_regions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disk_request_may_cross_regions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hole_between_regions_is_no_ram, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
