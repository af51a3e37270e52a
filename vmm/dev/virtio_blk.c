/*
 * The virtio block device.
 *
 * Document: VIRTIO 1.2, "Block Device" and its subsections.
 *
 * Modelled: read, write, flush and get-id requests of any descriptor layout (header, data and
 * status may be cut anywhere), several segments, capacity, block size 512, the limits SIZE_MAX and
 * SEG_MAX, read-only media, write-through for drivers that did not accept FLUSH. One queue;
 * requests are served in order within the notification and all are complete when it returns.
 *
 * Not modelled: discard, write zeroes, secure erase, lifetime, zones, topology, geometry,
 * CONFIG_WCE, several queues: none is offered, and such a request gets UNSUPP.
 *
 * Data moves between medium and guest memory directly, segment by segment; only a sector that is
 * itself split over segments passes through a bounce buffer.
 *
 * A hostile driver may
 * - address sectors beyond the end, or so high that the sum wraps: IOERR, nothing moved;
 * - ask for a length that is no multiple of 512, or more than SEG_MAX x SIZE_MAX bytes, to keep the
 *   host busy: IOERR;
 * - write to a read-only medium: IOERR, whatever features it accepted;
 * - leave no room for header or status: there is nowhere to answer, the queue is broken;
 * - make chains available faster than they are served: a notification serves at most as many as the
 *   queue has entries.
 */
#include "dev/virtio_blk.h"

#include "dev/virtio_blk_regs.h"
#include "lib/bits.h"
#include "lib/mem.h"

struct blk_request {
    uint64_t sector;
    struct virtq_cursor data;
    uint64_t len;     /* of the data */
    uint64_t written; /* bytes that reached the start of the writable part without a gap */
};

/* --- data ------------------------------------------------------------------------------------- */

/* One sector whose bytes lie in several segments. */
static bool bounce_read(struct virtio_blk *blk, const struct virtqueue *queue,
                        struct virtq_cursor *cursor, uint64_t offset)
{
    const struct blk_backend *backend = blk->backend;
    return backend->read(backend->ctx, offset, &blk->work->bounce_gmem, 0, BLK_SECTOR_SIZE) &&
           virtq_cursor_write(queue, cursor, blk->work->bounce, BLK_SECTOR_SIZE);
}

static bool bounce_write(struct virtio_blk *blk, const struct virtqueue *queue,
                         struct virtq_cursor *cursor, uint64_t offset)
{
    const struct blk_backend *backend = blk->backend;
    return virtq_cursor_read(queue, cursor, blk->work->bounce, BLK_SECTOR_SIZE) &&
           backend->write(backend->ctx, offset, &blk->work->bounce_gmem, 0, BLK_SECTOR_SIZE);
}

/* The bytes at the cursor that may move in one piece: whole sectors, 0 where one is split. */
static uint32_t direct_run(const struct virtq_cursor *cursor, uint64_t left, gpa_t *gpa)
{
    uint64_t run = min_u64(virtq_cursor_run(cursor, gpa), left);
    return (uint32_t)align_down(run, BLK_SECTOR_SIZE);
}

static bool disk_to_guest(struct virtio_blk *blk, const struct virtqueue *queue,
                          struct blk_request *request)
{
    const struct blk_backend *backend = blk->backend;
    uint64_t offset = request->sector * BLK_SECTOR_SIZE;
    while (request->written < request->len) {
        gpa_t gpa = 0;
        uint32_t run = direct_run(&request->data, request->len - request->written, &gpa);
        if (run > 0) {
            if (!backend->read(backend->ctx, offset, blk->gmem, gpa, run))
                return false;
            virtq_cursor_skip(&request->data, run);
        } else {
            run = BLK_SECTOR_SIZE;
            if (!bounce_read(blk, queue, &request->data, offset))
                return false;
        }
        offset += run;
        request->written += run;
    }
    return true;
}

static bool guest_to_disk(struct virtio_blk *blk, const struct virtqueue *queue,
                          struct blk_request *request)
{
    const struct blk_backend *backend = blk->backend;
    uint64_t offset = request->sector * BLK_SECTOR_SIZE;
    uint64_t end = offset + request->len;
    while (offset < end) {
        gpa_t gpa = 0;
        uint32_t run = direct_run(&request->data, end - offset, &gpa);
        if (run > 0) {
            if (!backend->write(backend->ctx, offset, blk->gmem, gpa, run))
                return false;
            virtq_cursor_skip(&request->data, run);
        } else {
            run = BLK_SECTOR_SIZE;
            if (!bounce_write(blk, queue, &request->data, offset))
                return false;
        }
        offset += run;
    }
    return true;
}

/* --- requests --------------------------------------------------------------------------------- */

static bool range_ok(const struct virtio_blk *blk, const struct blk_request *request)
{
    return request->len % BLK_SECTOR_SIZE == 0 && request->len <= VIRTIO_BLK_REQUEST_MAX &&
           range_fits(request->sector, request->len / BLK_SECTOR_SIZE, blk->backend->sector_count);
}

static uint8_t serve_read(struct virtio_blk *blk, const struct virtqueue *queue,
                          struct blk_request *request)
{
    request->data = virtq_writable(&blk->work->chain);
    request->len = blk->work->chain.writable_bytes - 1;
    if (!range_ok(blk, request) || !disk_to_guest(blk, queue, request))
        return VIRTIO_BLK_S_IOERR;
    blk->reads++;
    blk->read_bytes += request->len;
    return VIRTIO_BLK_S_OK;
}

static uint8_t serve_flush(struct virtio_blk *blk)
{
    blk->flushes++;
    return blk->backend->flush(blk->backend->ctx) ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
}

static uint8_t serve_write(struct virtio_blk *blk, const struct virtqueue *queue,
                           struct blk_request *request)
{
    request->data = virtq_readable(&blk->work->chain);
    virtq_cursor_skip(&request->data, VIRTIO_BLK_HEADER_SIZE);
    request->len = blk->work->chain.readable_bytes - VIRTIO_BLK_HEADER_SIZE;
    if (blk->backend->read_only || !range_ok(blk, request) || !guest_to_disk(blk, queue, request))
        return VIRTIO_BLK_S_IOERR;
    blk->writes++;
    blk->written_bytes += request->len;
    return blk->write_through ? serve_flush(blk) : VIRTIO_BLK_S_OK;
}

static uint8_t serve_get_id(struct virtio_blk *blk, const struct virtqueue *queue,
                            struct blk_request *request)
{
    struct virtq_cursor cursor = virtq_writable(&blk->work->chain);
    uint32_t len = (uint32_t)min_u64(blk->work->chain.writable_bytes - 1, VIRTIO_BLK_ID_SIZE);
    if (!virtq_cursor_write(queue, &cursor, blk->backend->id, len))
        return VIRTIO_BLK_S_IOERR;
    request->written = len;
    return VIRTIO_BLK_S_OK;
}

static uint8_t serve_by_type(struct virtio_blk *blk, const struct virtqueue *queue, uint32_t type,
                             struct blk_request *request)
{
    switch (type) {
    case VIRTIO_BLK_T_IN:
        return serve_read(blk, queue, request);
    case VIRTIO_BLK_T_OUT:
        return serve_write(blk, queue, request);
    case VIRTIO_BLK_T_FLUSH:
        return serve_flush(blk);
    case VIRTIO_BLK_T_GET_ID:
        return serve_get_id(blk, queue, request);
    default:
        return VIRTIO_BLK_S_UNSUPP;
    }
}

/* Serves the request in blk->work->chain. False with the queue broken when it can't be answered. */
static bool serve(struct virtio_blk *blk, struct virtqueue *queue)
{
    const struct virtq_chain *chain = &blk->work->chain;
    struct virtq_cursor header = virtq_readable(chain);
    uint8_t raw[VIRTIO_BLK_HEADER_SIZE];
    if (chain->writable_bytes == 0 || !virtq_cursor_read(queue, &header, raw, sizeof(raw))) {
        virtqueue_break(queue, "a block request without room for header or status");
        return false;
    }
    struct blk_request request = {.sector = load_le64(raw + VIRTIO_BLK_HEADER_SECTOR)};
    uint32_t type = load_le32(raw + VIRTIO_BLK_HEADER_TYPE);
    uint8_t status = serve_by_type(blk, queue, type, &request);
    if (status != VIRTIO_BLK_S_OK)
        blk->errors++;

    /* The status is the last writable byte, wherever the data ended. */
    if (!virtq_write_last(queue, chain, status)) {
        virtqueue_break(queue, "the status of a block request lies outside of RAM");
        return false;
    }
    if (request.written == chain->writable_bytes - 1)
        request.written++;
    return virtqueue_push(queue, chain, (uint32_t)request.written);
}

static unsigned blk_notify(void *dev, struct virtqueue *queue, unsigned index)
{
    struct virtio_blk *blk = dev;
    unsigned budget = queue->size;
    (void)index;
    do {
        while (budget > 0 && virtqueue_pop(queue, &blk->work->chain) == VIRTQ_CHAIN) {
            if (!serve(blk, queue))
                break;
            budget--;
        }
    } while (virtqueue_rearm(queue) && budget > 0);
    return (virtqueue_wants_interrupt(queue) ? VIRTIO_EVENT_USED : 0) |
           (queue->broken ? VIRTIO_EVENT_BROKEN : 0);
}

/* --- configuration and life ------------------------------------------------------------------- */

static uint64_t blk_features(const void *dev)
{
    const struct virtio_blk *blk = dev;
    return BIT64(VIRTIO_BLK_F_SIZE_MAX) | BIT64(VIRTIO_BLK_F_SEG_MAX) |
           BIT64(VIRTIO_BLK_F_BLK_SIZE) | BIT64(VIRTIO_BLK_F_FLUSH) |
           (blk->backend->read_only ? BIT64(VIRTIO_BLK_F_RO) : 0);
}

static void blk_set_features(void *dev, uint64_t features)
{
    struct virtio_blk *blk = dev;
    blk->write_through = (features & BIT64(VIRTIO_BLK_F_FLUSH)) == 0;
}

static void blk_config_read(const void *dev, uint32_t offset, void *dst, unsigned len)
{
    const struct virtio_blk *blk = dev;
    uint8_t config[VIRTIO_BLK_CONFIG_LENGTH] = {0};
    store_le64(config + VIRTIO_BLK_CONFIG_CAPACITY, blk->backend->sector_count);
    store_le32(config + VIRTIO_BLK_CONFIG_SIZE_MAX, VIRTIO_BLK_SIZE_MAX);
    store_le32(config + VIRTIO_BLK_CONFIG_SEG_MAX, VIRTIO_BLK_SEG_MAX);
    store_le32(config + VIRTIO_BLK_CONFIG_BLK_SIZE, BLK_SECTOR_SIZE);
    memcpy(dst, config + offset, len);
}

static void blk_reset(void *dev)
{
    struct virtio_blk *blk = dev;
    blk->write_through = false;
}

const struct virtio_dev_ops virtio_blk_ops = {
    .name = "virtio-blk",
    .device_type = VIRTIO_BLK_DEVICE_TYPE,
    .pci_class = VIRTIO_BLK_PCI_CLASS,
    .queue_count = 1,
    .config_size = VIRTIO_BLK_CONFIG_LENGTH,
    .features = blk_features,
    .set_features = blk_set_features,
    .config_read = blk_config_read,
    .config_write = NULL,
    .notify = blk_notify,
    .reset = blk_reset,
};

void virtio_blk_init(struct virtio_blk *blk, const struct blk_backend *backend,
                     const struct gmem *gmem, struct virtio_blk_work *work)
{
    memset(blk, 0, sizeof(*blk));
    blk->backend = backend;
    blk->gmem = gmem;
    blk->work = work;
    work->bounce_gmem.region_count = 1;
    work->bounce_gmem.region[0] = (struct gmem_region){0, sizeof(work->bounce), work->bounce};
}
