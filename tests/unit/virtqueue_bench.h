/* One enabled virtqueue in the RAM of virtio_guest.h, for the tests of virtqueue.c. */
#ifndef TESTS_VIRTQUEUE_BENCH_H
#define TESTS_VIRTQUEUE_BENCH_H

#include "virtio_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define INDIRECT  (1ull << 28)
#define EVENT_IDX (1ull << 29)

#define BUFFER (RAM_BASE + 0x10000)
#define TABLE  (RAM_BASE + 0x8000)

struct bench {
    struct guest guest;
    struct virtqueue queue;
    struct virtq_chain chain;
};

static inline struct bench *bench_new(uint16_t size, uint64_t features)
{
    struct bench *r = calloc(1, sizeof(*r));
    guest_init(&r->guest, size);
    r->queue.gmem = &r->guest.gmem;
    virtqueue_reset(&r->queue);
    r->queue.size = size;
    r->queue.desc = r->guest.desc;
    r->queue.avail = r->guest.avail;
    r->queue.used = r->guest.used;
    assert_true(virtqueue_enable(&r->queue, features));
    return r;
}

static inline void bench_free(struct bench *r)
{
    assert_true(guest_guards_intact(&r->guest));
    free(r->guest.block);
    free(r);
}

#endif
