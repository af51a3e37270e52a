/*
 * The frame of GDB's remote protocol: bytes in, packets out. It knows nothing of what a packet
 * says, but for the two that change the frame itself. GDB's manual, "Remote Serial Protocol:
 * Overview".
 *
 * Whatever comes in is hostile or noise: a packet that is damaged or too long is answered as such,
 * a new "$" begins anew wherever the last packet broke off, and a break byte counts only once a
 * debugger has sent something whole.
 */
#ifndef DEBUG_GDB_PACKET_H
#define DEBUG_GDB_PACKET_H

#include "lib/types.h"

#define GDB_PACKET_BYTES 16384u /* the longest text of a packet, both ways */
#define GDB_RESENDS      8u     /* how often one packet is sent again */

enum gdb_event {
    GDB_EVENT_NONE,
    GDB_EVENT_PACKET, /* link->in holds in_length bytes and a NUL behind them */
    GDB_EVENT_BREAK,  /* Ctrl-C */
};

/* What a link keeps of its packets: memory that is wanted only where there is a line. */
struct gdb_buffers {
    uint8_t in[GDB_PACKET_BYTES + 1];
    uint8_t out[GDB_PACKET_BYTES];
    uint8_t data[GDB_PACKET_BYTES]; /* between a packet's text and the guest's memory */
};

struct gdb_link {
    struct byte_sink line;
    uint8_t *in, *out, *data; /* of the buffers */

    /* Reception. */
    enum { GDB_IDLE, GDB_TEXT, GDB_ESCAPED, GDB_CHECK_HIGH, GDB_CHECK_LOW } state;
    bool known;   /* a debugger has sent a whole packet */
    bool no_ack;  /* "QStartNoAckMode": neither side acknowledges */
    bool unasked; /* it waits for a stop: what comes meanwhile is no packet of its, but noise */
    bool too_long, bad_digit;
    uint8_t sum, check;
    uint32_t in_length;

    /* Transmission: the packet that is being put together, or the last one that was sent. */
    bool unanswered;
    unsigned resends;
    uint32_t out_length;
};

void gdb_link_init(struct gdb_link *link, struct byte_sink line, struct gdb_buffers *buffers);
/* Takes one byte of the line. A packet in link->in is valid until the next call. */
enum gdb_event gdb_link_receive(struct gdb_link *link, uint8_t byte);
/* The debugger has left: the next one begins with acknowledgements, and noise can't break. */
void gdb_link_forget(struct gdb_link *link);

/* A packet is begun, filled and sent. What doesn't fit is left out: false. */
void gdb_begin(struct gdb_link *link);
bool gdb_put(struct gdb_link *link, uint8_t byte);
void gdb_put_text(struct gdb_link *link, const char *text);
void gdb_put_hex(struct gdb_link *link, const void *bytes, uint32_t count); /* as hex digits */
void gdb_put_number(struct gdb_link *link, uint64_t number);                /* without zeros */
/* Bytes that gdb_put() still takes. */
uint32_t gdb_room(const struct gdb_link *link);
void gdb_send(struct gdb_link *link);
/* All in one. */
void gdb_reply(struct gdb_link *link, const char *text);

#endif
