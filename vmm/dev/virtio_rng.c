/*
 * The virtio entropy device.
 *
 * Document: VIRTIO 1.2, "Entropy Device". The device may use less than a buffer's length: a buffer
 * gets at most VIRTIO_RNG_BUFFER_MAX bytes, which is what bounds a notification's work: that many
 * for each entry of the queue.
 *
 * Not modelled: buffers that wait for entropy. Where the host's source fails, which its own retries
 * make next to impossible, the queue breaks: the guest must not take anything else for entropy.
 *
 * A hostile driver may
 * - ask for gigabytes: see above;
 * - offer a buffer that can't be written: the queue breaks;
 * - look into the bytes of others: none is kept, each is drawn for the buffer it goes into.
 */
#include "dev/virtio_rng.h"

#include "dev/virtio_rng_regs.h"
#include "lib/bits.h"
#include "lib/mem.h"

static bool serve(struct virtio_rng *rng, struct virtqueue *queue)
{
    const struct virtq_chain *chain = &rng->chain;
    struct virtq_cursor cursor = virtq_writable(chain);
    uint8_t bytes[VIRTIO_RNG_BUFFER_MAX];
    uint32_t wanted = (uint32_t)min_u64(chain->writable_bytes, sizeof(bytes));
    if (wanted == 0) {
        virtqueue_break(queue, "an entropy buffer without room");
        return false;
    }
    uint32_t got = rng->fill(rng->fill_ctx, bytes, wanted);
    if (got == 0) {
        virtqueue_break(queue, "the host's CPU gives no random numbers any more");
        return false;
    }
    bool written = virtq_cursor_write(queue, &cursor, bytes, got);
    memset(bytes, 0, sizeof(bytes));
    if (!written) {
        virtqueue_break(queue, "an entropy buffer lies outside of RAM");
        return false;
    }
    rng->bytes += got;
    return virtqueue_push(queue, chain, got);
}

static unsigned rng_notify(void *dev, struct virtqueue *queue, unsigned index)
{
    struct virtio_rng *rng = dev;
    unsigned budget = queue->size;
    (void)index;
    do {
        while (budget > 0 && virtqueue_pop(queue, &rng->chain) == VIRTQ_CHAIN) {
            if (!serve(rng, queue))
                break;
            budget--;
        }
    } while (virtqueue_rearm(queue) && budget > 0);
    return (virtqueue_wants_interrupt(queue) ? VIRTIO_EVENT_USED : 0) |
           (queue->broken ? VIRTIO_EVENT_BROKEN : 0);
}

static uint64_t rng_features(const void *dev)
{
    (void)dev;
    return 0;
}

static void rng_set_features(void *dev, uint64_t features)
{
    (void)dev;
    (void)features;
}

/* Never called: there is no byte of configuration. */
static void rng_config_read(const void *dev, uint32_t offset, void *dst, unsigned len)
{
    (void)dev;
    (void)offset;
    memset(dst, 0, len);
}

static void rng_reset(void *dev)
{
    (void)dev;
}

const struct virtio_dev_ops virtio_rng_ops = {
    .name = "virtio-rng",
    .device_type = VIRTIO_RNG_DEVICE_TYPE,
    .pci_class = VIRTIO_RNG_PCI_CLASS,
    .queue_count = 1,
    .config_size = 0,
    .features = rng_features,
    .set_features = rng_set_features,
    .config_read = rng_config_read,
    .config_write = NULL,
    .notify = rng_notify,
    .reset = rng_reset,
};

void virtio_rng_init(struct virtio_rng *rng,
                     uint32_t (*fill)(void *ctx, uint8_t *bytes, uint32_t size), void *fill_ctx)
{
    memset(rng, 0, sizeof(*rng));
    rng->fill = fill;
    rng->fill_ctx = fill_ctx;
}
