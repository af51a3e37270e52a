/* See gdb_packet.h. */
#include "debug/gdb_packet.h"

#include "debug/gdb_text.h"
#include "lib/mem.h"

#define BREAK_BYTE 0x03u
#define ESCAPE     '}'
#define ESCAPE_XOR 0x20u

/* "X*c" is X and c - 29 more of it; c is printable and neither "#" nor "$". Three more is the least
 * that pays. */
#define RUN_BASE  29u
#define RUN_LEAST 3u
#define RUN_MOST  (126u - RUN_BASE)

#define REPLY_TOO_LONG "E07" /* E2BIG */
#define REPLY_DAMAGED  "E4a" /* EBADMSG */

void gdb_link_init(struct gdb_link *link, struct byte_sink line, struct gdb_buffers *buffers)
{
    memset(link, 0, sizeof(*link));
    link->line = line;
    if (buffers) {
        link->in = buffers->in;
        link->out = buffers->out;
        link->data = buffers->data;
    }
}

void gdb_link_forget(struct gdb_link *link)
{
    link->state = GDB_IDLE;
    link->known = false;
    link->no_ack = false;
    link->unanswered = false;
}

/* --- sending ---------------------------------------------------------------------------------- */

void gdb_begin(struct gdb_link *link)
{
    link->out_length = 0;
}

uint32_t gdb_room(const struct gdb_link *link)
{
    return GDB_PACKET_BYTES - link->out_length;
}

bool gdb_put(struct gdb_link *link, uint8_t byte)
{
    if (!gdb_room(link))
        return false;
    link->out[link->out_length++] = byte;
    return true;
}

void gdb_put_text(struct gdb_link *link, const char *text)
{
    while (*text)
        gdb_put(link, (uint8_t)*text++);
}

void gdb_put_hex(struct gdb_link *link, const void *bytes, uint32_t count)
{
    const uint8_t *byte = bytes;

    for (uint32_t i = 0; i < count; i++) {
        gdb_put(link, (uint8_t)gdb_digit(byte[i] >> 4));
        gdb_put(link, (uint8_t)gdb_digit(byte[i] & 15));
    }
}

void gdb_put_number(struct gdb_link *link, uint64_t number)
{
    int shift = 60;

    while (shift && !(number >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        gdb_put(link, (uint8_t)gdb_digit(number >> shift & 15));
}

static void put_line(struct gdb_link *link, uint8_t byte)
{
    link->line.put(link->line.ctx, byte);
}

static void put_summed(struct gdb_link *link, uint8_t byte, uint8_t *sum)
{
    *sum = (uint8_t)(*sum + byte);
    put_line(link, byte);
}

static bool needs_escape(uint8_t byte)
{
    return byte == '$' || byte == '#' || byte == ESCAPE || byte == '*';
}

/* How many of the bytes behind `at` are the same and go into one run; 0 where that doesn't pay. */
static uint32_t run_behind(const struct gdb_link *link, uint32_t at)
{
    uint32_t more = 0;

    while (more < RUN_MOST && at + more + 1 < link->out_length &&
           link->out[at + more + 1] == link->out[at])
        more++;
    if (more + RUN_BASE == '#' || more + RUN_BASE == '$')
        more = '#' - 1 - RUN_BASE;
    return more < RUN_LEAST ? 0 : more;
}

static void put_frame(struct gdb_link *link)
{
    uint8_t sum = 0;

    put_line(link, '$');
    for (uint32_t at = 0; at < link->out_length; at++) {
        uint8_t byte = link->out[at];
        if (needs_escape(byte)) {
            put_summed(link, ESCAPE, &sum);
            put_summed(link, byte ^ ESCAPE_XOR, &sum);
            continue;
        }
        put_summed(link, byte, &sum);
        uint32_t more = run_behind(link, at);
        if (more) {
            put_summed(link, '*', &sum);
            put_summed(link, (uint8_t)(more + RUN_BASE), &sum);
            at += more;
        }
    }
    put_line(link, '#');
    put_line(link, (uint8_t)gdb_digit(sum >> 4));
    put_line(link, (uint8_t)gdb_digit(sum & 15));
}

void gdb_send(struct gdb_link *link)
{
    link->unanswered = !link->no_ack;
    link->resends = 0;
    put_frame(link);
}

void gdb_reply(struct gdb_link *link, const char *text)
{
    gdb_begin(link);
    gdb_put_text(link, text);
    gdb_send(link);
}

static void resend(struct gdb_link *link)
{
    if (!link->unanswered || link->resends == GDB_RESENDS)
        return;
    link->resends++;
    put_frame(link);
}

/* --- receiving -------------------------------------------------------------------------------- */

static void begin_text(struct gdb_link *link)
{
    link->state = GDB_TEXT;
    link->in_length = 0;
    link->sum = 0;
    link->too_long = false;
    link->bad_digit = false;
}

static void keep(struct gdb_link *link, uint8_t byte)
{
    if (link->in_length == GDB_PACKET_BYTES)
        link->too_long = true;
    else
        link->in[link->in_length++] = byte;
}

static bool begins_with(const struct gdb_link *link, const char *word)
{
    size_t length = str_len(word);
    return link->in_length >= length && memcmp(link->in, word, length) == 0;
}

/* A packet is complete. A debugger that begins a session doesn't know that the last one had agreed
 * to do without acknowledgements. */
static enum gdb_event judge(struct gdb_link *link)
{
    link->in[link->in_length] = 0;
    bool good = !link->bad_digit && link->check == link->sum;
    if (good && begins_with(link, "qSupported"))
        link->no_ack = false;
    if (!good) {
        if (!link->no_ack)
            put_line(link, '-');
        else if (!link->unasked)
            gdb_reply(link, REPLY_DAMAGED);
        return GDB_EVENT_NONE;
    }
    link->known = true;
    link->unanswered = false;
    if (!link->no_ack)
        put_line(link, '+');
    if (link->too_long) {
        gdb_reply(link, REPLY_TOO_LONG);
        return GDB_EVENT_NONE;
    }
    return GDB_EVENT_PACKET;
}

static enum gdb_event idle_byte(struct gdb_link *link, uint8_t byte)
{
    if (byte == '+')
        link->unanswered = false;
    else if (byte == '-')
        resend(link);
    else if (byte == BREAK_BYTE && link->known)
        return GDB_EVENT_BREAK;
    return GDB_EVENT_NONE;
}

static void text_byte(struct gdb_link *link, uint8_t byte)
{
    if (byte == '#') {
        link->state = GDB_CHECK_HIGH;
        return;
    }
    link->sum = (uint8_t)(link->sum + byte);
    if (link->state == GDB_ESCAPED) {
        keep(link, byte ^ ESCAPE_XOR);
        link->state = GDB_TEXT;
    } else if (byte == ESCAPE) {
        link->state = GDB_ESCAPED;
    } else {
        keep(link, byte);
    }
}

static void check_byte(struct gdb_link *link, uint8_t byte)
{
    int digit = gdb_digit_value((char)byte);

    if (digit < 0)
        link->bad_digit = true;
    link->check = (uint8_t)(link->check << 4 | (digit & 15));
}

enum gdb_event gdb_link_receive(struct gdb_link *link, uint8_t byte)
{
    if (byte == '$') { /* never part of a text: the packet before it broke off */
        begin_text(link);
        return GDB_EVENT_NONE;
    }
    switch (link->state) {
    case GDB_TEXT:
    case GDB_ESCAPED:
        text_byte(link, byte);
        return GDB_EVENT_NONE;
    case GDB_CHECK_HIGH:
        check_byte(link, byte);
        link->state = GDB_CHECK_LOW;
        return GDB_EVENT_NONE;
    case GDB_CHECK_LOW:
        check_byte(link, byte);
        link->state = GDB_IDLE;
        return judge(link);
    default:
        return idle_byte(link, byte);
    }
}
