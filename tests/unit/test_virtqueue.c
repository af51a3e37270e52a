/* needs: vmm/dev/virtqueue.c vmm/dev/gmem.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtio_blk.c vmm/dev/ramdisk.c */
#include "dev/virtqueue.h"

#include "virtqueue_bench.h"

/* Layouts and flags: VIRTIO 1.2, "Split Virtqueues". */

/* --- good chains --- */

static void an_empty_ring_yields_nothing(void **state)
{
    struct bench *r = bench_new(8, 0);
    (void)state;
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_EMPTY);
    assert_false(virtqueue_rearm(&r->queue));
    assert_false(virtqueue_wants_interrupt(&r->queue));
    bench_free(r);
}

static void a_chain_is_sorted_into_readable_and_writable(void **state)
{
    struct bench *r = bench_new(8, 0);
    (void)state;
    desc_set(&r->guest, 3, BUFFER, 16, 1, 7);
    desc_set(&r->guest, 7, BUFFER + 0x100, 32, 1, 0);
    desc_set(&r->guest, 0, BUFFER + 0x200, 64, 3, 1);
    desc_set(&r->guest, 1, BUFFER + 0x300, 1, 2, 3); /* next is ignored without flag 1 */
    make_available(&r->guest, 3);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
    assert_int_equal(r->chain.head, 3);
    assert_int_equal(r->chain.readable_count, 2);
    assert_int_equal(r->chain.writable_count, 2);
    assert_int_equal(r->chain.readable_bytes, 48);
    assert_int_equal(r->chain.writable_bytes, 65);
    assert_int_equal(r->chain.segment[1].gpa, BUFFER + 0x100);
    assert_int_equal(r->chain.segment[2].gpa, BUFFER + 0x200);
    assert_int_equal(r->chain.segment[3].len, 1);
    bench_free(r);
}

static void the_used_ring_gets_head_and_length(void **state)
{
    struct bench *r = bench_new(8, 0);
    (void)state;
    desc_set(&r->guest, 5, BUFFER, 16, 2, 0);
    make_available(&r->guest, 5);
    virtqueue_pop(&r->queue, &r->chain);
    assert_true(virtqueue_push(&r->queue, &r->chain, 0x12345678));
    assert_int_equal(get16(&r->guest, r->guest.used), 0);
    assert_int_equal(get16(&r->guest, r->guest.used + 2), 1);
    assert_int_equal(get32(&r->guest, r->guest.used + 4), 5);
    assert_int_equal(get32(&r->guest, r->guest.used + 8), 0x12345678);
    /* Entry 1 and the event behind entry 7 are untouched. */
    assert_int_equal(get32(&r->guest, r->guest.used + 12), 0);
    assert_int_equal(get16(&r->guest, r->guest.used + 4 + 8 * 8), 0);
    bench_free(r);
}

static void the_longest_chain_is_the_whole_queue(void **state)
{
    struct bench *r = bench_new(8, 0);
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        desc_set(&r->guest, i, BUFFER + 16 * i, 16, i == 7 ? 2 : 1, (uint16_t)(i + 1));
    make_available(&r->guest, 0);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
    assert_int_equal(r->chain.readable_count, 7);
    assert_int_equal(r->chain.writable_count, 1);
    bench_free(r);
}

static void empty_buffers_are_skipped(void **state)
{
    struct bench *r = bench_new(8, 0);
    (void)state;
    desc_set(&r->guest, 0, 0xFFFFFFFFFFFFFFFF, 0, 1, 1);
    desc_set(&r->guest, 1, BUFFER, 16, 1, 2);
    desc_set(&r->guest, 2, 0, 0, 3, 3);
    desc_set(&r->guest, 3, BUFFER, 1, 2, 0);
    make_available(&r->guest, 0);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
    assert_int_equal(r->chain.readable_count, 1);
    assert_int_equal(r->chain.writable_count, 1);
    bench_free(r);
}

static void an_indirect_table_is_walked_from_its_start(void **state)
{
    struct bench *r = bench_new(4, INDIRECT);
    (void)state;
    /* The WRITE flag of the referring descriptor means nothing; the table may be longer than the
     * queue. */
    desc_set(&r->guest, 2, TABLE, 16 * 9, 4 | 2, 0);
    for (unsigned i = 0; i < 9; i++)
        desc_at(&r->guest, TABLE, i, BUFFER + 512 * i, 512,
                i == 8  ? 2
                : i > 4 ? 3
                        : 1,
                (uint16_t)(i + 1));
    make_available(&r->guest, 2);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
    assert_int_equal(r->chain.head, 2);
    assert_int_equal(r->chain.readable_count, 5);
    assert_int_equal(r->chain.writable_count, 4);
    bench_free(r);
}

static void a_chain_may_end_in_an_indirect_table(void **state)
{
    struct bench *r = bench_new(4, INDIRECT);
    (void)state;
    desc_set(&r->guest, 0, BUFFER, 16, 1, 1);
    desc_set(&r->guest, 1, TABLE, 32, 4, 0);
    desc_at(&r->guest, TABLE, 0, BUFFER + 0x1000, 512, 3, 1);
    desc_at(&r->guest, TABLE, 1, BUFFER + 0x2000, 1, 2, 0);
    make_available(&r->guest, 0);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
    assert_int_equal(r->chain.readable_bytes, 16);
    assert_int_equal(r->chain.writable_bytes, 513);
    bench_free(r);
}

static void an_indirect_table_may_hold_256_buffers(void **state)
{
    struct bench *r = bench_new(256, INDIRECT);
    (void)state;
    desc_set(&r->guest, 0, TABLE, 16 * 256, 4, 0);
    for (unsigned i = 0; i < 256; i++)
        desc_at(&r->guest, TABLE, i, BUFFER + i, 1, i == 255 ? 0 : 1, (uint16_t)(i + 1));
    /* The used ring of 256 entries needs 2054 bytes: fits the layout of the test's guest. */
    make_available(&r->guest, 0);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
    assert_int_equal(r->chain.readable_count, 256);
    bench_free(r);
}

static void indices_wrap_at_65536(void **state)
{
    struct bench *r = bench_new(4, 0);
    (void)state;
    desc_set(&r->guest, 0, BUFFER, 1, 2, 0);
    for (unsigned i = 0; i < 65536 + 5; i++) {
        make_available(&r->guest, 0);
        assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
        assert_true(virtqueue_push(&r->queue, &r->chain, i));
        assert_int_equal(used_index(&r->guest), (uint16_t)(i + 1));
        assert_int_equal(used_len(&r->guest, (uint16_t)i), i);
    }
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_EMPTY);
    bench_free(r);
}

static void the_copy_counts_not_the_ring(void **state)
{
    struct bench *r = bench_new(4, 0);
    uint8_t byte;
    (void)state;
    desc_set(&r->guest, 0, BUFFER, 1, 0, 0);
    *guest_ram(&r->guest, BUFFER) = 0x77;
    make_available(&r->guest, 0);
    assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
    desc_set(&r->guest, 0, 0xFFFFFFFFFFFFFFF0, 0xFFFFFFFF, 7, 0xFFFF);
    struct virtq_cursor cursor = virtq_readable(&r->chain);
    assert_true(virtq_cursor_read(&r->queue, &cursor, &byte, 1));
    assert_int_equal(byte, 0x77);
    bench_free(r);
}

/* --- suppression, both ways --- */

static void push_some(struct bench *r, unsigned count)
{
    desc_set(&r->guest, 0, BUFFER, 1, 2, 0);
    for (unsigned i = 0; i < count; i++) {
        make_available(&r->guest, 0);
        assert_int_equal(virtqueue_pop(&r->queue, &r->chain), VIRTQ_CHAIN);
        assert_true(virtqueue_push(&r->queue, &r->chain, 0));
    }
}

static void the_no_interrupt_flag_is_honoured(void **state)
{
    struct bench *r = bench_new(4, 0);
    (void)state;
    push_some(r, 1);
    assert_true(virtqueue_wants_interrupt(&r->queue));
    assert_false(virtqueue_wants_interrupt(&r->queue));
    put16(&r->guest, r->guest.avail, 1);
    push_some(r, 1);
    assert_false(virtqueue_wants_interrupt(&r->queue));
    bench_free(r);
}

/* used_event stands behind the available ring's 4 entries, at + 4 + 2 * 4. */
static void an_interrupt_comes_when_the_event_is_passed(void **state)
{
    static const struct {
        uint16_t event;
        unsigned push;
        bool interrupt;
    } steps[] = {
        {0, 1, true},  /* 0 -> 1: entry 0 was used */
        {0, 1, false}, /* 1 -> 2 */
        {4, 2, false}, /* 2 -> 4: entries 2 and 3 */
        {4, 1, true},  /* 4 -> 5 */
        {6, 3, true},  /* 5 -> 8: entry 6 is among them */
        {7, 1, false}, /* 8 -> 9: long passed */
    };
    struct bench *r = bench_new(4, EVENT_IDX);
    (void)state;
    put16(&r->guest, r->guest.avail, 1); /* the flag means nothing with event indices */
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        put16(&r->guest, r->guest.avail + 4 + 2 * 4, steps[i].event);
        push_some(r, steps[i].push);
        assert_int_equal(virtqueue_wants_interrupt(&r->queue), steps[i].interrupt);
    }
    bench_free(r);
}

static void events_wrap_from_65535_to_0(void **state)
{
    struct bench *r = bench_new(4, EVENT_IDX);
    (void)state;
    gpa_t event = r->guest.avail + 4 + 2 * 4;
    put16(&r->guest, event, 0xFFF0);
    for (unsigned i = 0; i < 0xFFFE; i++) {
        push_some(r, 1);
        assert_int_equal(virtqueue_wants_interrupt(&r->queue), i == 0xFFF0);
    }
    put16(&r->guest, event, 0xFFFF);
    push_some(r, 1); /* FFFE -> FFFF */
    assert_false(virtqueue_wants_interrupt(&r->queue));
    push_some(r, 1); /* FFFF -> 0 */
    assert_int_equal(used_index(&r->guest), 0);
    assert_true(virtqueue_wants_interrupt(&r->queue));
    put16(&r->guest, event, 1);
    push_some(r, 1); /* 0 -> 1 */
    assert_false(virtqueue_wants_interrupt(&r->queue));
    push_some(r, 2); /* 1 -> 3 */
    assert_true(virtqueue_wants_interrupt(&r->queue));
    bench_free(r);
}

/* avail_event stands behind the used ring's 4 entries, at + 4 + 8 * 4. */
static void rearming_tells_the_driver_when_to_notify(void **state)
{
    struct bench *r = bench_new(4, EVENT_IDX);
    (void)state;
    gpa_t event = r->guest.used + 4 + 8 * 4;
    push_some(r, 3);
    assert_int_equal(get16(&r->guest, event), 0);
    assert_false(virtqueue_rearm(&r->queue));
    assert_int_equal(get16(&r->guest, event), 3);
    make_available(&r->guest, 0);
    assert_true(virtqueue_rearm(&r->queue));
    bench_free(r);

    r = bench_new(4, 0);
    push_some(r, 3);
    assert_false(virtqueue_rearm(&r->queue));
    assert_int_equal(get16(&r->guest, event), 0);
    bench_free(r);
}

/* --- cursors --- */

static void cursors_cross_segments(void **state)
{
    struct bench *r = bench_new(8, 0);
    char text[16] = {0};
    gpa_t gpa = 0;
    (void)state;
    memcpy(guest_ram(&r->guest, BUFFER), "abc", 3);
    memcpy(guest_ram(&r->guest, BUFFER + 100), "defgh", 5);
    desc_set(&r->guest, 0, BUFFER, 3, 1, 1);
    desc_set(&r->guest, 1, BUFFER + 100, 5, 1, 2);
    desc_set(&r->guest, 2, BUFFER + 200, 2, 3, 3);
    desc_set(&r->guest, 3, BUFFER + 300, 4, 2, 0);
    make_available(&r->guest, 0);
    virtqueue_pop(&r->queue, &r->chain);

    struct virtq_cursor cursor = virtq_readable(&r->chain);
    assert_true(virtq_cursor_read(&r->queue, &cursor, text, 4));
    assert_string_equal(text, "abcd");
    assert_int_equal(virtq_cursor_run(&cursor, &gpa), 4);
    assert_int_equal(gpa, BUFFER + 101);
    virtq_cursor_skip(&cursor, 3);
    assert_true(virtq_cursor_read(&r->queue, &cursor, text, 1));
    assert_int_equal(text[0], 'h');
    assert_int_equal(virtq_cursor_run(&cursor, &gpa), 0);
    assert_false(virtq_cursor_read(&r->queue, &cursor, text, 1));
    virtq_cursor_skip(&cursor, 0xFFFFFFFFFFFFFFFF);

    cursor = virtq_writable(&r->chain);
    assert_true(virtq_cursor_write(&r->queue, &cursor, "123", 3));
    assert_memory_equal(guest_ram(&r->guest, BUFFER + 200), "12", 2);
    assert_int_equal(*guest_ram(&r->guest, BUFFER + 202), 0);
    assert_int_equal(*guest_ram(&r->guest, BUFFER + 300), '3');
    assert_false(virtq_cursor_write(&r->queue, &cursor, "4567", 4));
    bench_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_ring_yields_nothing),
        cmocka_unit_test(a_chain_is_sorted_into_readable_and_writable),
        cmocka_unit_test(the_used_ring_gets_head_and_length),
        cmocka_unit_test(the_longest_chain_is_the_whole_queue),
        cmocka_unit_test(empty_buffers_are_skipped),
        cmocka_unit_test(an_indirect_table_is_walked_from_its_start),
        cmocka_unit_test(a_chain_may_end_in_an_indirect_table),
        cmocka_unit_test(an_indirect_table_may_hold_256_buffers),
        cmocka_unit_test(indices_wrap_at_65536),
        cmocka_unit_test(the_copy_counts_not_the_ring),
        cmocka_unit_test(the_no_interrupt_flag_is_honoured),
        cmocka_unit_test(an_interrupt_comes_when_the_event_is_passed),
        cmocka_unit_test(events_wrap_from_65535_to_0),
        cmocka_unit_test(rearming_tells_the_driver_when_to_notify),
        cmocka_unit_test(cursors_cross_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
