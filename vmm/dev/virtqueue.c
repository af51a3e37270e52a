/*
 * Split virtqueues as a device sees them.
 *
 * Document: VIRTIO 1.2, "Split Virtqueues" and its subsections.
 *
 * Modelled: descriptor chains, one level of indirect tables (also at the end of a direct chain),
 * used ring, event index in both directions, interrupt suppression by flag, free-running 16-bit
 * indices.
 *
 * Not modelled: packed virtqueues, in-order use, platform ordering and address translation, queue
 * reset, the NO_NOTIFY flag (requests are served within the notification, so none is superfluous).
 *
 * Every structure is copied once, the copy checked and used. A hostile driver may
 * - loop a chain: a chain has at most `size` direct descriptors and 256 segments in all;
 * - point beyond RAM, at MMIO or past 2^64: each buffer and each ring is checked against RAM;
 * - jump with the available index or name a descriptor that isn't there: refused;
 * - nest indirect tables, give them odd lengths, mix INDIRECT with NEXT: refused;
 * - put readable buffers behind writable ones, or more than 4 GiB into a chain: refused;
 * - change rings or tables while they are read: only the copy counts;
 * - let rings and buffers overlap: it damages its own memory only.
 * What is refused breaks the queue for good: the transport reports DEVICE_NEEDS_RESET.
 *
 * A chain with buffers of length 0 is legal; they yield no segment.
 */
#include "dev/virtqueue.h"

#include "dev/virtio_regs.h"
#include "lib/bits.h"
#include "lib/mem.h"

/* A descriptor's copy. */
struct virtq_desc {
    gpa_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

/* Where a chain is being walked: the queue's own table or an indirect one. */
struct virtq_table {
    gpa_t base;
    const uint8_t *host; /* NULL where it lies in several regions of guest RAM, or not in RAM */
    uint32_t count;
    bool indirect;
};

void virtqueue_break(struct virtqueue *queue, const char *reason)
{
    if (!queue->broken)
        queue->broken = reason;
}

/* --- ring memory ------------------------------------------------------------------------------ */

/*
 * Indices are read and written in one piece, which a copy by bytes does not promise and another
 * CPU of the guest relies upon; hence the pointer, alive for one statement. virtqueue_enable()
 * checked that the rings lie in RAM at even addresses. A ring may lie in two regions of guest RAM,
 * a word of it never does.
 */
static uint16_t ring_load16(const struct virtqueue *queue, gpa_t gpa)
{
    const uint8_t *host = gmem_ptr(queue->gmem, gpa, 2);
    return host ? __atomic_load_n((const uint16_t *)host, __ATOMIC_ACQUIRE) : 0;
}

static void ring_store16(const struct virtqueue *queue, gpa_t gpa, uint16_t value)
{
    uint8_t *host = gmem_ptr(queue->gmem, gpa, 2);
    if (host)
        __atomic_store_n((uint16_t *)host, value, __ATOMIC_RELEASE);
}

static gpa_t avail_entry(const struct virtqueue *queue, uint16_t index)
{
    return queue->avail + VIRTQ_RING_ENTRIES +
           VIRTQ_AVAIL_ENTRY_SIZE * (gpa_t)(index & (queue->size - 1));
}

static gpa_t used_entry(const struct virtqueue *queue, uint16_t index)
{
    return queue->used + VIRTQ_RING_ENTRIES +
           VIRTQ_USED_ENTRY_SIZE * (gpa_t)(index & (queue->size - 1));
}

/* The events stand behind the last entry of the other side's ring. */
static gpa_t used_event(const struct virtqueue *queue)
{
    return queue->avail + VIRTQ_RING_ENTRIES + VIRTQ_AVAIL_ENTRY_SIZE * (gpa_t)queue->size;
}

static gpa_t avail_event(const struct virtqueue *queue)
{
    return queue->used + VIRTQ_RING_ENTRIES + VIRTQ_USED_ENTRY_SIZE * (gpa_t)queue->size;
}

/* --- life ------------------------------------------------------------------------------------- */

void virtqueue_reset(struct virtqueue *queue)
{
    const struct gmem *gmem = queue->gmem;
    memset(queue, 0, sizeof(*queue));
    queue->gmem = gmem;
    queue->size = VIRTQUEUE_MAX_SIZE;
}

static bool area_ok(const struct virtqueue *queue, gpa_t gpa, uint64_t len, unsigned align)
{
    return gpa % align == 0 && gmem_is_ram(queue->gmem, gpa, len);
}

bool virtqueue_enable(struct virtqueue *queue, uint64_t features)
{
    uint64_t size = queue->size;
    uint64_t avail_bytes = VIRTQ_RING_OVERHEAD + VIRTQ_AVAIL_ENTRY_SIZE * size;
    uint64_t used_bytes = VIRTQ_RING_OVERHEAD + VIRTQ_USED_ENTRY_SIZE * size;
    if (!area_ok(queue, queue->desc, VIRTQ_DESC_SIZE * size, VIRTQ_DESC_ALIGN) ||
        !area_ok(queue, queue->avail, avail_bytes, VIRTQ_AVAIL_ALIGN) ||
        !area_ok(queue, queue->used, used_bytes, VIRTQ_USED_ALIGN)) {
        virtqueue_break(queue, "a ring lies outside of RAM or is misaligned");
        return false;
    }
    queue->use_indirect = (features & BIT64(VIRTIO_F_RING_INDIRECT_DESC)) != 0;
    queue->use_event_index = (features & BIT64(VIRTIO_F_RING_EVENT_IDX)) != 0;
    queue->enabled = true;
    return true;
}

/* --- descriptor chains ------------------------------------------------------------------------ */

static struct virtq_table table_at(const struct virtqueue *queue, gpa_t base, uint32_t count,
                                   bool indirect)
{
    const uint8_t *host = gmem_ptr(queue->gmem, base, VIRTQ_DESC_SIZE * (uint64_t)count);
    return (struct virtq_table){base, host, count, indirect};
}

static bool desc_read(struct virtqueue *queue, const struct virtq_table *table, uint32_t index,
                      struct virtq_desc *desc)
{
    uint8_t raw[VIRTQ_DESC_SIZE];
    uint64_t offset = VIRTQ_DESC_SIZE * (uint64_t)index;
    if (index >= table->count) {
        virtqueue_break(queue, "a descriptor index is beyond its table");
        return false;
    }
    if (table->host) {
        memcpy(raw, table->host + offset, sizeof(raw));
        __asm__ volatile("" : : : "memory"); /* the compiler may not look there again */
    } else if (!gmem_read(queue->gmem, table->base + offset, raw, sizeof(raw))) {
        virtqueue_break(queue, "an indirect table lies outside of RAM");
        return false;
    }
    desc->addr = load_le64(raw + VIRTQ_DESC_ADDR);
    desc->len = load_le32(raw + VIRTQ_DESC_LEN);
    desc->flags = load_le16(raw + VIRTQ_DESC_FLAGS);
    desc->next = load_le16(raw + VIRTQ_DESC_NEXT);
    return true;
}

/* Enters the indirect table that desc refers to. */
static bool table_enter(struct virtqueue *queue, const struct virtq_desc *desc,
                        struct virtq_table *table)
{
    if (!queue->use_indirect || table->indirect)
        virtqueue_break(queue, "an indirect descriptor that was not agreed on, or within another");
    else if (desc->flags & VIRTQ_DESC_F_NEXT)
        virtqueue_break(queue, "a descriptor with both INDIRECT and NEXT");
    else if (desc->len == 0 || desc->len % VIRTQ_DESC_SIZE != 0)
        virtqueue_break(queue, "the length of an indirect table is not a multiple of 16");
    else if (!gmem_is_ram(queue->gmem, desc->addr, desc->len))
        virtqueue_break(queue, "an indirect table lies outside of RAM");
    if (queue->broken)
        return false;
    *table = table_at(queue, desc->addr, desc->len / VIRTQ_DESC_SIZE, true);
    return true;
}

static bool chain_add(struct virtqueue *queue, struct virtq_chain *chain,
                      const struct virtq_desc *desc)
{
    bool write = (desc->flags & VIRTQ_DESC_F_WRITE) != 0;
    if (!write && chain->writable_count > 0) {
        virtqueue_break(queue, "a readable buffer behind a writable one");
        return false;
    }
    if (desc->len == 0)
        return true;
    if (!gmem_is_ram(queue->gmem, desc->addr, desc->len)) {
        virtqueue_break(queue, "a buffer lies outside of RAM");
        return false;
    }
    if (chain->readable_bytes + chain->writable_bytes + desc->len > UINT32_MAX) {
        virtqueue_break(queue, "a chain of 4 GiB or more");
        return false;
    }
    unsigned index = chain->readable_count + chain->writable_count;
    chain->segment[index] = (struct virtq_segment){desc->addr, desc->len};
    if (write) {
        chain->writable_count++;
        chain->writable_bytes += desc->len;
    } else {
        chain->readable_count++;
        chain->readable_bytes += desc->len;
    }
    return true;
}

static bool chain_walk(struct virtqueue *queue, struct virtq_chain *chain)
{
    struct virtq_table table = table_at(queue, queue->desc, queue->size, false);
    struct virtq_desc desc;
    uint32_t index = chain->head;

    chain->readable_count = chain->writable_count = 0;
    chain->readable_bytes = chain->writable_bytes = 0;
    for (unsigned left = queue->size; left > 0; left--) {
        if (!desc_read(queue, &table, index, &desc))
            return false;
        if (desc.flags & VIRTQ_DESC_F_INDIRECT) {
            if (!table_enter(queue, &desc, &table))
                return false;
            index = 0;
            /* The table brings descriptors of its own; one more for this round's end. */
            left = VIRTQUEUE_MAX_SIZE - (chain->readable_count + chain->writable_count) + 1;
            continue;
        }
        if (!chain_add(queue, chain, &desc))
            return false;
        if (!(desc.flags & VIRTQ_DESC_F_NEXT))
            return true;
        index = desc.next;
    }
    virtqueue_break(queue, "a descriptor chain is a loop or too long");
    return false;
}

/* --- available ring --------------------------------------------------------------------------- */

/* Refreshes seen_avail; false when the driver's index is impossible. */
static bool avail_refresh(struct virtqueue *queue)
{
    queue->seen_avail = ring_load16(queue, queue->avail + VIRTQ_RING_INDEX);
    if ((uint16_t)(queue->seen_avail - queue->next_avail) <= queue->size)
        return true;
    virtqueue_break(queue, "the available index jumped by more than the queue's size");
    return false;
}

enum virtq_pop virtqueue_pop(struct virtqueue *queue, struct virtq_chain *chain)
{
    if (queue->broken)
        return VIRTQ_BROKEN;
    if (queue->seen_avail == queue->next_avail && !avail_refresh(queue))
        return VIRTQ_BROKEN;
    if (queue->seen_avail == queue->next_avail)
        return VIRTQ_EMPTY;
    chain->head = ring_load16(queue, avail_entry(queue, queue->next_avail));
    if (!chain_walk(queue, chain))
        return VIRTQ_BROKEN;
    queue->next_avail++;
    return VIRTQ_CHAIN;
}

bool virtqueue_rearm(struct virtqueue *queue)
{
    if (queue->broken)
        return false;
    if (queue->use_event_index)
        ring_store16(queue, avail_event(queue), queue->next_avail);
    /* The driver first publishes a chain, then looks at the event; here it is the other way. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return avail_refresh(queue) && queue->seen_avail != queue->next_avail;
}

/* --- used ring -------------------------------------------------------------------------------- */

bool virtqueue_push(struct virtqueue *queue, const struct virtq_chain *chain, uint32_t written)
{
    uint8_t raw[VIRTQ_USED_ENTRY_SIZE];
    store_le32(raw, chain->head);
    store_le32(raw + 4, written);
    if (!gmem_write(queue->gmem, used_entry(queue, queue->used_index), raw, sizeof(raw))) {
        virtqueue_break(queue, "the used ring lies outside of RAM");
        return false;
    }
    queue->used_index++;
    ring_store16(queue, queue->used + VIRTQ_RING_INDEX, queue->used_index);
    return true;
}

bool virtqueue_wants_interrupt(struct virtqueue *queue)
{
    uint16_t old = queue->signalled_used;
    uint16_t new = queue->used_index;
    if (old == new)
        return false;
    queue->signalled_used = new;
    /* The driver writes its wish, then looks at the used index: here it is the other way. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!queue->use_event_index) {
        uint16_t flags = ring_load16(queue, queue->avail + VIRTQ_RING_FLAGS);
        return !(flags & VIRTQ_AVAIL_F_NO_INTERRUPT);
    }
    /* True when the event's index is one of old .. new - 1; all counts wrap at 65536. */
    uint16_t event = ring_load16(queue, used_event(queue));
    return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

/* --- cursors ---------------------------------------------------------------------------------- */

struct virtq_cursor virtq_readable(const struct virtq_chain *chain)
{
    return (struct virtq_cursor){chain->segment, chain->readable_count, 0};
}

struct virtq_cursor virtq_writable(const struct virtq_chain *chain)
{
    return (struct virtq_cursor){chain->segment + chain->readable_count, chain->writable_count, 0};
}

bool virtq_cursor_read(const struct virtqueue *queue, struct virtq_cursor *cursor, void *dst,
                       uint32_t len)
{
    uint8_t *bytes = dst;
    gpa_t gpa = 0;
    while (len > 0) {
        uint32_t piece = (uint32_t)min_u64(virtq_cursor_run(cursor, &gpa), len);
        if (piece == 0 || !gmem_read(queue->gmem, gpa, bytes, piece))
            return false;
        virtq_cursor_skip(cursor, piece);
        bytes += piece;
        len -= piece;
    }
    return true;
}

bool virtq_cursor_write(const struct virtqueue *queue, struct virtq_cursor *cursor, const void *src,
                        uint32_t len)
{
    const uint8_t *bytes = src;
    gpa_t gpa = 0;
    while (len > 0) {
        uint32_t piece = (uint32_t)min_u64(virtq_cursor_run(cursor, &gpa), len);
        if (piece == 0 || !gmem_write(queue->gmem, gpa, bytes, piece))
            return false;
        virtq_cursor_skip(cursor, piece);
        bytes += piece;
        len -= piece;
    }
    return true;
}

bool virtq_write_last(const struct virtqueue *queue, const struct virtq_chain *chain, uint8_t byte)
{
    if (chain->writable_count == 0)
        return false;
    const struct virtq_segment *last =
        &chain->segment[chain->readable_count + chain->writable_count - 1];
    return gmem_write(queue->gmem, last->gpa + last->len - 1, &byte, 1);
}
