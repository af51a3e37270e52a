/*
 * The virtio console: port 0, without MULTIPORT.
 *
 * Document: VIRTIO 1.2, "Console Device" and its subsections.
 *
 * Modelled: the receive and the transmit queue, the emergency write, the terminal's size where the
 * host knows one. A buffer of any layout and length is sent whole and in order. The host may take
 * less than it was offered: what is left waits in the queue, and the guest's driver with it, until
 * the transport is told to serve the queue again. Bytes that came before the guest gave buffers
 * wait in a ring; what has come by then goes into one buffer, one interrupt for all.
 *
 * Not modelled: MULTIPORT with its control queues, a change of the size, a port that closes.
 *
 * A hostile driver may
 * - send gigabytes: a call sends at most VIRTIO_CONSOLE_TX_BUDGET bytes and ends at most as many
 *   chains as the queue has entries, then the guest runs;
 * - put buffers into the wrong queue: what the device may not read isn't sent, and a receive buffer
 *   that it may not write breaks the queue;
 * - never give receive buffers: the ring is full and says so, the host keeps its bytes;
 * - change a buffer while it is being sent: it sends what it wrote there;
 * - write emergency characters without end: each costs it an exit.
 */
#include "dev/virtio_console.h"

#include "dev/virtio_console_regs.h"
#include "lib/bits.h"
#include "lib/mem.h"

/* What is copied out of guest memory at a time. */
#define PIECE_BYTES 256u

static unsigned events(struct virtqueue *queue)
{
    return (virtqueue_wants_interrupt(queue) ? VIRTIO_EVENT_USED : 0) |
           (queue->broken ? VIRTIO_EVENT_BROKEN : 0);
}

/* --- transmit --------------------------------------------------------------------------------- */

/* Sends of the open chain what budget and host allow. True when nothing of it is left. */
static bool send_open(struct virtio_console *console, struct virtqueue *queue, uint32_t *budget)
{
    while (console->tx_left > 0) {
        uint8_t piece[PIECE_BYTES];
        struct virtq_cursor at = console->tx_rest;
        uint32_t size = (uint32_t)min_u64(console->tx_left, min_u64(sizeof(piece), *budget));
        if (!virtq_cursor_read(queue, &at, piece, size)) {
            virtqueue_break(queue, "a console buffer lies outside of RAM");
            return false;
        }
        uint32_t taken = size ? console->host.put(console->host.ctx, piece, size) : 0;
        console->spoke = console->spoke || size;
        virtq_cursor_skip(&console->tx_rest, taken);
        console->tx_left -= taken;
        console->tx_bytes += taken;
        *budget -= taken;
        if (taken < size || size == 0)
            return false;
    }
    return true;
}

static bool open_next(struct virtio_console *console, struct virtqueue *queue)
{
    if (virtqueue_pop(queue, &console->tx_chain) != VIRTQ_CHAIN)
        return false;
    console->tx_rest = virtq_readable(&console->tx_chain);
    console->tx_left = console->tx_chain.readable_bytes;
    console->tx_open = true;
    return true;
}

static unsigned transmit(struct virtio_console *console, struct virtqueue *queue)
{
    uint32_t budget = VIRTIO_CONSOLE_TX_BUDGET;
    unsigned chains = queue->size;
    do {
        while (chains > 0 && (console->tx_open || open_next(console, queue))) {
            if (!send_open(console, queue, &budget))
                break;
            console->tx_open = false;
            chains--;
            if (!virtqueue_push(queue, &console->tx_chain, 0))
                break;
        }
    } while (!console->tx_open && chains > 0 && virtqueue_rearm(queue));
    if (!queue->broken && (console->tx_open || chains == 0)) {
        console->stalls++;
        signal_raise(&console->stalled);
    }
    return events(queue);
}

/* --- receive ---------------------------------------------------------------------------------- */

bool virtio_console_rx(struct virtio_console *console, uint8_t byte)
{
    console->rx_refused = !ring_put(&console->rx, byte);
    return !console->rx_refused;
}

/* Moves what waits into the guest's buffer. */
static bool fill(struct virtio_console *console, struct virtqueue *queue)
{
    const struct virtq_chain *chain = &console->rx_chain;
    struct virtq_cursor cursor = virtq_writable(chain);
    uint8_t bytes[VIRTIO_CONSOLE_RX_BYTES];
    uint32_t size = 0;
    if (chain->writable_bytes == 0) {
        virtqueue_break(queue, "a console's receive buffer without room");
        return false;
    }
    while (size < chain->writable_bytes && ring_get(&console->rx, &bytes[size]))
        size++;
    if (!virtq_cursor_write(queue, &cursor, bytes, size)) {
        virtqueue_break(queue, "a console's receive buffer lies outside of RAM");
        return false;
    }
    console->rx_bytes += size;
    return virtqueue_push(queue, chain, size);
}

/* A notification of new buffers is only asked for while there are bytes for them. */
static unsigned receive(struct virtio_console *console, struct virtqueue *queue)
{
    while (ring_count(&console->rx) > 0) {
        enum virtq_pop pop = virtqueue_pop(queue, &console->rx_chain);
        if (pop == VIRTQ_CHAIN && fill(console, queue))
            continue;
        if (pop != VIRTQ_EMPTY || !virtqueue_rearm(queue))
            break;
    }
    if (console->rx_refused && ring_count(&console->rx) < console->rx.size) {
        console->rx_refused = false;
        signal_raise(&console->rx_room);
    }
    return events(queue);
}

static unsigned console_notify(void *dev, struct virtqueue *queue, unsigned index)
{
    return index == VIRTIO_CONSOLE_TX ? transmit(dev, queue) : receive(dev, queue);
}

/* --- configuration and life ------------------------------------------------------------------- */

static bool terminal_size(const struct virtio_console *console, uint16_t *columns, uint16_t *rows)
{
    return console->host.size && console->host.size(console->host.ctx, columns, rows);
}

static uint64_t console_features(const void *dev)
{
    uint16_t columns, rows;
    return BIT64(VIRTIO_CONSOLE_F_EMERG_WRITE) |
           (terminal_size(dev, &columns, &rows) ? BIT64(VIRTIO_CONSOLE_F_SIZE) : 0);
}

static void console_set_features(void *dev, uint64_t features)
{
    (void)dev;
    (void)features;
}

static void console_config_read(const void *dev, uint32_t offset, void *dst, unsigned len)
{
    uint8_t config[VIRTIO_CONSOLE_CONFIG_LENGTH] = {0};
    uint16_t columns, rows;
    if (terminal_size(dev, &columns, &rows)) {
        store_le16(config + VIRTIO_CONSOLE_CONFIG_COLS, columns);
        store_le16(config + VIRTIO_CONSOLE_CONFIG_ROWS, rows);
    }
    memcpy(dst, config + offset, len);
}

/* The emergency write works in every state: it is for a guest that has nothing else. Where the host
 * has no room the character is lost. */
static void console_config_write(void *dev, uint32_t offset, const void *src, unsigned len)
{
    struct virtio_console *console = dev;
    if (offset != VIRTIO_CONSOLE_CONFIG_EMERG_WR || len == 8)
        return;
    console->tx_bytes += console->host.put(console->host.ctx, src, 1);
}

static void console_reset(void *dev)
{
    struct virtio_console *console = dev;
    console->spoke = false;
    console->tx_open = false;
    console->tx_left = 0;
    ring_init(&console->rx, console->rx_byte, sizeof(console->rx_byte));
    if (console->rx_refused)
        signal_raise(&console->rx_room);
    console->rx_refused = false;
}

const struct virtio_dev_ops virtio_console_ops = {
    .name = "virtio-console",
    .device_type = VIRTIO_CONSOLE_DEVICE_TYPE,
    .pci_class = VIRTIO_CONSOLE_PCI_CLASS,
    .queue_count = VIRTIO_CONSOLE_QUEUE_COUNT,
    .config_size = VIRTIO_CONSOLE_CONFIG_LENGTH,
    .features = console_features,
    .set_features = console_set_features,
    .config_read = console_config_read,
    .config_write = console_config_write,
    .notify = console_notify,
    .reset = console_reset,
};

void virtio_console_init(struct virtio_console *console, const struct console_host *host,
                         struct signal_line stalled, struct signal_line rx_room)
{
    memset(console, 0, sizeof(*console));
    console->host = *host;
    console->stalled = stalled;
    console->rx_room = rx_room;
    console_reset(console);
}
