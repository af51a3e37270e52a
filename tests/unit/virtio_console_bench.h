/* What the tests of the virtio console share: a driver with both queues set up, and a host that
 * takes as many bytes as it is told to. Features: SIZE 0, EMERG_WRITE 2. */
#ifndef TESTS_VIRTIO_CONSOLE_BENCH_H
#define TESTS_VIRTIO_CONSOLE_BENCH_H

#include "dev/virtio_console.h"
#include "virtio_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define DATA (RAM_BASE + 0x10000)

struct bench {
    struct machine *m; /* its queue is the transmit queue */
    struct guest rx;   /* the same RAM, the receive queue's rings */
    struct virtio_console console;
    uint8_t sent[0x20000];
    uint32_t sent_count, room;
    unsigned stalls, rooms, calls;
    bool sized;
};

static struct bench bench;

static inline uint32_t host_put(void *ctx, const uint8_t *bytes, uint32_t size)
{
    struct bench *b = ctx;
    uint32_t taken = size < b->room ? size : b->room;
    b->calls++;
    assert_true(size > 0);
    assert_true(b->sent_count + taken <= sizeof(b->sent));
    memcpy(b->sent + b->sent_count, bytes, taken);
    b->sent_count += taken;
    b->room -= taken;
    return taken;
}

static inline bool host_size(void *ctx, uint16_t *columns, uint16_t *rows)
{
    *columns = 0x80;
    *rows = 0x2F;
    return ((struct bench *)ctx)->sized;
}

static inline void count_stall(void *ctx)
{
    ((struct bench *)ctx)->stalls++;
}

static inline void count_room(void *ctx)
{
    ((struct bench *)ctx)->rooms++;
}

static inline void queue_setup(struct machine *m, unsigned index, const struct guest *queue)
{
    mmio_write(m, BAR0 + 0x16, 2, index);
    mmio_write(m, BAR0 + 0x18, 2, queue->size);
    mmio_write(m, BAR0 + 0x20, 8, queue->desc);
    mmio_write(m, BAR0 + 0x28, 8, queue->avail);
    mmio_write(m, BAR0 + 0x30, 8, queue->used);
    mmio_write(m, BAR0 + 0x1C, 2, 1);
}

/* FEATURES_OK, both queues, DRIVER_OK. */
static inline void bench_drive(uint64_t features)
{
    struct machine *m = bench.m;
    cfg_write(m, 1, 0x04, 2, 0x0006);
    set_status(m, 0);
    set_status(m, 0x03);
    set_driver_features(m, features);
    set_status(m, 0x0B);
    queue_setup(m, 0, &bench.rx);
    queue_setup(m, 1, &m->guest);
    set_status(m, 0x0F);
    assert_int_equal(status(m), 0x0F);
}

static inline int bench_new(bool sized)
{
    const struct console_host host = {host_put, host_size, &bench};
    struct machine *m = calloc(1, sizeof(*m));
    memset(&bench, 0, sizeof(bench));
    bench.m = m;
    bench.room = UINT32_MAX;
    bench.sized = sized;
    machine_pci(m);
    guest_init(&m->guest, 16);
    bench.rx = m->guest;
    bench.rx.desc = RAM_BASE + 0x5000;
    bench.rx.avail = RAM_BASE + 0x6000;
    bench.rx.used = RAM_BASE + 0x7000;
    virtio_console_init(&bench.console, &host, (struct signal_line){count_stall, &bench},
                        (struct signal_line){count_room, &bench});
    virtio_pci_init(&m->vp, &virtio_console_ops, &bench.console, &m->guest.gmem,
                    (struct virtio_fault_sink){machine_fault, m});
    pci_attach(&m->pci, &m->vp.pci, 1);
    return 0;
}

static inline int setup(void **state)
{
    (void)state;
    bench_new(false);
    bench_drive(FEATURE_VERSION_1 | FEATURE_INDIRECT);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    assert_true(guest_guards_intact(&bench.m->guest));
    assert_int_equal(bench.m->intx[1], bench.m->vp.isr != 0);
    machine_free(bench.m);
    return 0;
}

/* Queue 0 receives, 1 transmits; notifications are 4 bytes apart. */
static inline void notify_queue(unsigned index)
{
    mmio_write(bench.m, BAR0 + 0x3000 + 4 * index, 2, index);
}

/* A buffer at DATA + 1000h * n of the transmit queue. */
static inline void offer_text(unsigned n, const char *text)
{
    struct guest *tx = &bench.m->guest;
    memcpy(guest_ram(tx, DATA + 0x1000 * n), text, strlen(text));
    desc_set(tx, n, DATA + 0x1000 * n, (uint32_t)strlen(text), 0, 0);
    make_available(tx, (uint16_t)n);
}

/* A receive buffer. */
static inline void offer_room(unsigned n, uint32_t size)
{
    desc_set(&bench.rx, n, DATA + 0x1000 * n, size, 2, 0);
    make_available(&bench.rx, (uint16_t)n);
}

static inline void assert_sent(const char *text)
{
    assert_int_equal(bench.sent_count, strlen(text));
    assert_memory_equal(bench.sent, text, bench.sent_count);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
