/* Split virtqueues, the device's side. See virtqueue.c for rules and limits. */
#ifndef DEV_VIRTQUEUE_H
#define DEV_VIRTQUEUE_H

#include "dev/gmem.h"

#define VIRTQUEUE_MAX_SIZE 256u

struct virtqueue {
    /* Connections. */
    const struct gmem *gmem;

    /* Guest-visible state: written by the transport while !enabled. */
    uint16_t size; /* descriptors; a power of two, 1 to VIRTQUEUE_MAX_SIZE */
    gpa_t desc;    /* descriptor table */
    gpa_t avail;   /* driver area */
    gpa_t used;    /* device area */
    bool enabled;

    /* Guest-visible state: the ring's. */
    bool use_indirect, use_event_index; /* negotiated */
    uint16_t next_avail;                /* of the available ring: the next to take */
    uint16_t seen_avail;                /* its index when last read */
    uint16_t used_index;
    uint16_t signalled_used; /* used_index at the last decision about an interrupt */
    const char *broken;      /* NULL, or what the driver did wrong: the queue is dead */
};

/* A piece of guest RAM, checked. */
struct virtq_segment {
    gpa_t gpa;
    uint32_t len; /* never 0 */
};

/* A descriptor chain, copied and checked. Readable segments come first. */
struct virtq_chain {
    uint16_t head;
    unsigned readable_count, writable_count;
    uint64_t readable_bytes, writable_bytes; /* together at most 4 GiB - 1 */
    struct virtq_segment segment[VIRTQUEUE_MAX_SIZE];
};

/* A position in the readable or the writable part of a chain. */
struct virtq_cursor {
    const struct virtq_segment *segment;
    unsigned count; /* segments from here on */
    uint32_t taken; /* bytes of the first one that are behind the cursor */
};

enum virtq_pop { VIRTQ_EMPTY, VIRTQ_CHAIN, VIRTQ_BROKEN };

/* Back to the state after a device reset: largest size, no addresses, disabled. */
void virtqueue_reset(struct virtqueue *queue);
/* Checks addresses and alignment and starts at index 0. False with queue->broken set. */
bool virtqueue_enable(struct virtqueue *queue, uint64_t features);

/* Takes the next available chain. VIRTQ_BROKEN sets queue->broken. */
enum virtq_pop virtqueue_pop(struct virtqueue *queue, struct virtq_chain *chain);
/* Gives the chain back; written: bytes from the start of its writable part. */
bool virtqueue_push(struct virtqueue *queue, const struct virtq_chain *chain, uint32_t written);
/* Asks for a notification of the next chain; true when one became available meanwhile. */
bool virtqueue_rearm(struct virtqueue *queue);
/* Whether the chains given back since the last call are worth an interrupt to the driver. */
bool virtqueue_wants_interrupt(struct virtqueue *queue);
/* Declares the queue dead; the first reason stays. */
void virtqueue_break(struct virtqueue *queue, const char *reason);

struct virtq_cursor virtq_readable(const struct virtq_chain *chain);
struct virtq_cursor virtq_writable(const struct virtq_chain *chain);

/* The contiguous guest memory at the cursor: its length, 0 at the end. */
static inline uint32_t virtq_cursor_run(const struct virtq_cursor *cursor, gpa_t *gpa)
{
    if (cursor->count == 0)
        return 0;
    *gpa = cursor->segment->gpa + cursor->taken;
    return cursor->segment->len - cursor->taken;
}

/* Moves forward; stops at the end. */
static inline void virtq_cursor_skip(struct virtq_cursor *cursor, uint64_t len)
{
    while (len > 0 && cursor->count > 0) {
        uint32_t run = cursor->segment->len - cursor->taken;
        if (len < run) {
            cursor->taken += (uint32_t)len;
            return;
        }
        len -= run;
        cursor->segment++;
        cursor->count--;
        cursor->taken = 0;
    }
}

/* Copy len bytes and move. False when fewer are left. */
bool virtq_cursor_read(const struct virtqueue *queue, struct virtq_cursor *cursor, void *dst,
                       uint32_t len);
bool virtq_cursor_write(const struct virtqueue *queue, struct virtq_cursor *cursor, const void *src,
                        uint32_t len);
/* Writes the chain's last writable byte. False when there is none. */
bool virtq_write_last(const struct virtqueue *queue, const struct virtq_chain *chain, uint8_t byte);

#endif
