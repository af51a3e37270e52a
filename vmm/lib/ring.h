/* A byte ring for one producer and one consumer (an interrupt handler and the run loop). */
#ifndef LIB_RING_H
#define LIB_RING_H

#include "lib/types.h"

struct ring {
    uint8_t *bytes;
    uint32_t size; /* a power of two */
    uint32_t head; /* counts bytes put, wraps freely */
    uint32_t tail; /* counts bytes taken */
};

static inline void ring_init(struct ring *ring, uint8_t *bytes, uint32_t size_power_of_two)
{
    *ring = (struct ring){.bytes = bytes, .size = size_power_of_two};
}

static inline uint32_t ring_count(const struct ring *ring)
{
    return __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) -
           __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
}

/* False when the ring is full; the byte is then not stored. */
static inline bool ring_put(struct ring *ring, uint8_t byte)
{
    if (ring_count(ring) == ring->size)
        return false;
    ring->bytes[ring->head & (ring->size - 1)] = byte;
    __atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
    return true;
}

/* False when the ring is empty. */
static inline bool ring_get(struct ring *ring, uint8_t *byte)
{
    if (ring_count(ring) == 0)
        return false;
    *byte = ring->bytes[ring->tail & (ring->size - 1)];
    __atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELEASE);
    return true;
}

/* The bytes that may be taken in one piece, *count of them; ring_drop() takes what was used. */
static inline const uint8_t *ring_piece(const struct ring *ring, uint32_t *count)
{
    uint32_t at = ring->tail & (ring->size - 1), all = ring_count(ring);
    *count = all < ring->size - at ? all : ring->size - at;
    return ring->bytes + at;
}

static inline void ring_drop(struct ring *ring, uint32_t count)
{
    __atomic_store_n(&ring->tail, ring->tail + count, __ATOMIC_RELEASE);
}

#endif
