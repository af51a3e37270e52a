/* The virtio console. See virtio_console.c; its transport is virtio_pci.h. */
#ifndef DEV_VIRTIO_CONSOLE_H
#define DEV_VIRTIO_CONSOLE_H

#include "dev/dev.h"
#include "dev/virtio.h"
#include "lib/ring.h"

#define VIRTIO_CONSOLE_RX_BYTES  256u   /* a power of two */
#define VIRTIO_CONSOLE_TX_BUDGET 16384u /* bytes sent in one go */

/* The other end. */
struct console_host {
    /* Takes bytes and says how many: the rest is offered again by virtio_console_resume(). */
    uint32_t (*put)(void *ctx, const uint8_t *bytes, uint32_t size);
    /* The size of the terminal; false, or NULL: it isn't known. Must not change its mind. */
    bool (*size)(void *ctx, uint16_t *columns, uint16_t *rows);
    void *ctx;
};

struct virtio_console {
    /* Connections. */
    struct console_host host;
    struct signal_line stalled; /* raised when output waits: serve the transmit queue later */
    struct signal_line rx_room; /* raised when bytes that virtio_console_rx() refused would fit */

    /* Counters. */
    uint64_t rx_bytes, tx_bytes, stalls;

    /* Guest-visible state. */
    bool spoke; /* the guest has sent something */
    bool rx_refused;
    struct ring rx; /* what was typed and found no buffer yet */
    uint8_t rx_byte[VIRTIO_CONSOLE_RX_BYTES];
    bool tx_open; /* tx_chain holds the rest of a buffer that the host had no room for */
    struct virtq_chain tx_chain;
    struct virtq_cursor tx_rest;
    uint64_t tx_left; /* bytes behind tx_rest */

    /* The buffer being filled; dead between calls. */
    struct virtq_chain rx_chain;
};

void virtio_console_init(struct virtio_console *console, const struct console_host *host,
                         struct signal_line stalled, struct signal_line rx_room);
extern const struct virtio_dev_ops virtio_console_ops;

/* A byte for the guest; it goes there when the transport serves VIRTIO_CONSOLE_RX. False when
 * there is no room: the caller keeps the byte and tries again when rx_room is raised. */
bool virtio_console_rx(struct virtio_console *console, uint8_t byte);

#endif
