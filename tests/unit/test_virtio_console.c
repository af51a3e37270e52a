/* needs: vmm/dev/virtio_console.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c */
#include "dev/virtio_console.h"

#include "virtio_console_bench.h"

/* Numbers: VIRTIO 1.2, "Console Device". */

static void it_is_a_console_with_two_queues(void **state)
{
    (void)state;
    assert_int_equal(cfg_read(bench.m, 1, 0x00, 4), 0x10431AF4);
    assert_int_equal(cfg_read(bench.m, 1, 0x08, 4), 0x07800001);
    assert_int_equal(cfg_read(bench.m, 1, 0x2C, 4), 0x00431AF4);
    assert_int_equal(mmio_read(bench.m, BAR0 + 0x12, 2), 2);
    assert_int_equal(device_features(bench.m), 0x130000004);
    assert_int_equal(mmio_read(bench.m, BAR0 + 0x2000, 4), 0);
    assert_int_equal(mmio_read(bench.m, BAR0 + 0x200C, 4), 0xFFFFFFFF);
}

static void a_known_size_is_offered(void **state)
{
    (void)state;
    teardown(NULL);
    bench_new(true);
    bench_drive(FEATURE_VERSION_1 | 1);
    assert_int_equal(device_features(bench.m), 0x130000005);
    assert_int_equal(mmio_read(bench.m, BAR0 + 0x2000, 2), 0x80);
    assert_int_equal(mmio_read(bench.m, BAR0 + 0x2002, 2), 0x2F);
}

/* --- output --- */

static void a_buffer_is_sent_whole(void **state)
{
    (void)state;
    offer_text(0, "hello, ");
    offer_text(1, "world\n");
    notify_queue(1);
    assert_sent("hello, world\n");
    assert_int_equal(used_index(&bench.m->guest), 2);
    assert_int_equal(used_head(&bench.m->guest, 1), 1);
    assert_int_equal(used_len(&bench.m->guest, 0), 0);
    assert_int_equal(bench.calls, 2);
    assert_int_equal(read_isr(bench.m), 1);
    assert_int_equal(bench.stalls, 0);
}

static void a_buffer_may_be_cut_anywhere(void **state)
{
    struct guest *tx = &bench.m->guest;
    (void)state;
    memcpy(guest_ram(tx, DATA), "abcdef", 6);
    desc_set(tx, 0, DATA, 1, 1, 1);
    desc_set(tx, 1, DATA + 1, 0, 1, 2);
    desc_set(tx, 2, DATA + 1, 4, 1, 3);
    desc_set(tx, 3, DATA + 5, 1, 1, 4);
    desc_set(tx, 4, DATA + 0x100, 8, 2, 0); /* not the device's to read */
    make_available(tx, 0);
    notify_queue(1);
    assert_sent("abcdef");
    assert_int_equal(*guest_ram(tx, DATA + 0x100), 0);
}

static void an_empty_buffer_comes_back(void **state)
{
    (void)state;
    desc_set(&bench.m->guest, 0, DATA, 8, 2, 0);
    make_available(&bench.m->guest, 0);
    notify_queue(1);
    assert_int_equal(used_index(&bench.m->guest), 1);
    assert_int_equal(bench.sent_count, 0);
    assert_false(bench.console.spoke);
}

static void what_the_host_has_no_room_for_waits(void **state)
{
    (void)state;
    bench.room = 3;
    offer_text(0, "abcdef");
    offer_text(1, "ghi");
    notify_queue(1);
    assert_sent("abc");
    assert_int_equal(used_index(&bench.m->guest), 0);
    assert_int_equal(bench.stalls, 1);
    assert_int_equal(read_isr(bench.m), 0);
    bench.room = 4;
    virtio_pci_serve(&bench.m->vp, 1);
    assert_sent("abcdefg");
    assert_int_equal(used_index(&bench.m->guest), 1);
    assert_int_equal(bench.stalls, 2);
    assert_true(bench.m->intx[1]);
    bench.room = 100;
    virtio_pci_serve(&bench.m->vp, 1);
    assert_sent("abcdefghi");
    assert_int_equal(used_index(&bench.m->guest), 2);
    assert_int_equal(bench.stalls, 2);
}

/* 0x14000 bytes in one chain: five times what one call may send. */
static void a_long_buffer_is_sent_in_portions(void **state)
{
    struct guest *tx = &bench.m->guest;
    (void)state;
    for (unsigned i = 0; i < 0x14000; i++)
        *guest_ram(tx, DATA + i % 0x10000) = (uint8_t)(i * 7);
    desc_set(tx, 0, DATA, 0x10000, 1, 1);
    desc_set(tx, 1, DATA, 0x4000, 0, 0);
    make_available(tx, 0);
    notify_queue(1);
    for (unsigned call = 1; call < 5; call++) {
        assert_int_equal(bench.sent_count, 0x4000 * call);
        assert_int_equal(bench.stalls, call);
        assert_int_equal(used_index(tx), 0);
        virtio_pci_serve(&bench.m->vp, 1);
    }
    assert_int_equal(bench.sent_count, 0x14000);
    assert_int_equal(used_index(tx), 1);
    for (unsigned i = 0; i < 0x14000; i++)
        assert_int_equal(bench.sent[i], *guest_ram(tx, DATA + i % 0x10000));
}

static void a_reset_drops_what_waits(void **state)
{
    (void)state;
    bench.room = 2;
    offer_text(0, "abcdef");
    notify_queue(1);
    assert_true(bench.console.spoke);
    set_status(bench.m, 0);
    assert_false(bench.console.spoke);
    bench.room = 100;
    virtio_pci_serve(&bench.m->vp, 1);
    assert_sent("ab");
}

/* --- input --- */

static void typed_bytes_wait_for_buffers_and_share_one(void **state)
{
    (void)state;
    for (const char *c = "date\r"; *c; c++)
        assert_true(virtio_console_rx(&bench.console, (uint8_t)*c));
    virtio_pci_serve(&bench.m->vp, 0);
    assert_int_equal(used_index(&bench.rx), 0);
    offer_room(0, 4096);
    notify_queue(0);
    assert_int_equal(used_index(&bench.rx), 1);
    assert_int_equal(used_len(&bench.rx, 0), 5);
    assert_memory_equal(guest_ram(&bench.rx, DATA), "date\r", 5);
    assert_int_equal(read_isr(bench.m), 1);
}

static void small_buffers_get_a_piece_each(void **state)
{
    (void)state;
    offer_room(0, 2);
    offer_room(1, 1);
    offer_room(2, 9);
    notify_queue(0);
    assert_int_equal(used_index(&bench.rx), 0);
    for (const char *c = "abcde"; *c; c++)
        virtio_console_rx(&bench.console, (uint8_t)*c);
    virtio_pci_serve(&bench.m->vp, 0);
    assert_int_equal(used_index(&bench.rx), 3);
    assert_memory_equal(guest_ram(&bench.rx, DATA), "ab", 3);
    assert_memory_equal(guest_ram(&bench.rx, DATA + 0x1000), "c", 2);
    assert_memory_equal(guest_ram(&bench.rx, DATA + 0x2000), "de", 3);
}

static void a_full_ring_refuses_and_calls_when_it_has_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++)
        assert_true(virtio_console_rx(&bench.console, (uint8_t)i));
    assert_false(virtio_console_rx(&bench.console, 'x'));
    assert_int_equal(bench.rooms, 0);
    offer_room(0, 10);
    notify_queue(0);
    assert_int_equal(bench.rooms, 1);
    assert_true(virtio_console_rx(&bench.console, 'x'));
}

static void nothing_is_received_before_the_driver_runs(void **state)
{
    (void)state;
    offer_room(0, 10);
    set_status(bench.m, 0);
    virtio_console_rx(&bench.console, 'x');
    virtio_pci_serve(&bench.m->vp, 0);
    virtio_pci_serve(&bench.m->vp, 77);
    assert_int_equal(used_index(&bench.rx), 0);
    assert_int_equal(bench.m->vp.ignored_notifications, 0);
}

/* With event index, buffers that nobody waits for need no notification: the event stays behind. */
static void buffers_in_stock_ask_for_no_notification(void **state)
{
    (void)state;
    bench_drive(FEATURE_VERSION_1 | FEATURE_EVENT_IDX);
    for (unsigned i = 0; i < 4; i++)
        offer_room(i, 16);
    virtio_console_rx(&bench.console, 'a');
    virtio_pci_serve(&bench.m->vp, 0);
    assert_int_equal(used_index(&bench.rx), 1);
    assert_int_equal(get16(&bench.rx, bench.rx.used + 4 + 8 * 16), 0);
    for (unsigned i = 0; i < 49; i++)
        virtio_console_rx(&bench.console, 'b');
    virtio_pci_serve(&bench.m->vp, 0);
    assert_int_equal(used_index(&bench.rx), 4);
    assert_int_equal(get16(&bench.rx, bench.rx.used + 4 + 8 * 16), 4);
}

/* --- emergency write --- */

static void an_emergency_write_works_before_any_set_up(void **state)
{
    (void)state;
    set_status(bench.m, 0);
    mmio_write(bench.m, BAR0 + 0x2008, 4, 'E');
    mmio_write(bench.m, BAR0 + 0x2008, 1, '!');
    mmio_write(bench.m, BAR0 + 0x2009, 1, 'x');
    mmio_write(bench.m, BAR0 + 0x2000, 4, 'x');
    assert_sent("E!");
    assert_int_equal(mmio_read(bench.m, BAR0 + 0x2008, 4), 0);
    assert_false(bench.console.spoke);
}

/* --- bad drivers --- */

static void a_receive_buffer_without_room_breaks_the_queue(void **state)
{
    (void)state;
    desc_set(&bench.rx, 0, DATA, 16, 0, 0);
    make_available(&bench.rx, 0);
    virtio_console_rx(&bench.console, 'x');
    notify_queue(0);
    assert_int_equal(status(bench.m), 0x4F);
    assert_string_equal(bench.m->fault_reason, "a console's receive buffer without room");
    assert_int_equal(used_index(&bench.rx), 0);
}

static void a_buffer_outside_of_ram_breaks_the_queue(void **state)
{
    (void)state;
    desc_set(&bench.m->guest, 0, RAM_BASE + RAM_SIZE - 4, 8, 0, 0);
    make_available(&bench.m->guest, 0);
    notify_queue(1);
    assert_int_equal(status(bench.m), 0x4F);
    assert_int_equal(bench.sent_count, 0);
    assert_int_equal(bench.stalls, 0);
    /* Dead until it is reset. */
    offer_text(1, "more");
    notify_queue(1);
    virtio_pci_serve(&bench.m->vp, 1);
    assert_int_equal(bench.sent_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_a_console_with_two_queues),
        T(a_known_size_is_offered),
        T(a_buffer_is_sent_whole),
        T(a_buffer_may_be_cut_anywhere),
        T(an_empty_buffer_comes_back),
        T(what_the_host_has_no_room_for_waits),
        T(a_long_buffer_is_sent_in_portions),
        T(a_reset_drops_what_waits),
        T(typed_bytes_wait_for_buffers_and_share_one),
        T(small_buffers_get_a_piece_each),
        T(a_full_ring_refuses_and_calls_when_it_has_room),
        T(nothing_is_received_before_the_driver_runs),
        T(buffers_in_stock_ask_for_no_notification),
        T(an_emergency_write_works_before_any_set_up),
        T(a_receive_buffer_without_room_breaks_the_queue),
        T(a_buffer_outside_of_ram_breaks_the_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
