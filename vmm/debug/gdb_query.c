/* What GDB asks about the stub and the thread, and what it sets. GDB's manual, "General Query
 * Packets". */
#include "debug/gdb_parts.h"

#include "lib/fmt.h"
#include "lib/mem.h"

static void reply(struct gdb *gdb, const char *text)
{
    gdb_reply(&gdb->link, text);
}

/* qSupported:NAME+;NAME-;NAME=VALUE: a debugger begins. What the last one set is gone: it may have
 * vanished without a word. */
static void supported(struct gdb *gdb, struct gdb_text *text)
{
    char line[160];

    gdb_clear(gdb);
    vdebug_set_step_events(gdb->vcpu, false);
    gdb->step_events = false;
    gdb->physical = false;
    gdb->swbreak = false;
    gdb->hwbreak = false;
    while (gdb_text_left(text)) {
        if (gdb_take_word(text, "swbreak+"))
            gdb->swbreak = true;
        else if (gdb_take_word(text, "hwbreak+"))
            gdb->hwbreak = true;
        else
            text->at++;
    }
    fmt_snprintf(line, sizeof(line),
                 "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;swbreak+;hwbreak+;"
                 "vContSupported+;binary-upload+",
                 GDB_PACKET_BYTES);
    reply(gdb, line);
}

static void read_profile(struct gdb *gdb, uint64_t offset, uint64_t length)
{
    uint8_t *piece = gdb->link.data;
    uint64_t wanted = min_u64(length, GDB_PACKET_BYTES / 2);
    uint64_t got = gdb->host.read_profile(gdb->host.ctx, offset, piece, wanted);

    gdb_begin(&gdb->link);
    gdb_put(&gdb->link, got < wanted ? 'l' : 'm'); /* nothing lies behind it */
    for (uint64_t i = 0; i < got; i++)
        gdb_put(&gdb->link, piece[i]);
    gdb_send(&gdb->link);
}

/* ANNEX:OFFSET,LENGTH of an object that has one annex. An offset behind the end is none that is
 * wrong: nothing lies there. */
static void transfer_piece(struct gdb *gdb, struct gdb_text *text, const char *annex,
                           void (*read)(struct gdb *gdb, uint64_t offset, uint64_t length))
{
    uint64_t offset, length;

    if (!gdb_take_word(text, annex) || !gdb_take(text, ':'))
        reply(gdb, GDB_ERROR_ANNEX);
    else if (!gdb_take_range(text, &offset, &length) || gdb_text_left(text))
        reply(gdb, GDB_ERROR_RANGE);
    else
        read(gdb, offset, length);
}

static void transfer(struct gdb *gdb, struct gdb_text *text)
{
    if (gdb_take_word(text, "features:read:"))
        transfer_piece(gdb, text, "target.xml", gdb_read_target);
    else if (gdb->host.read_profile && gdb_take_word(text, "pxhv-profile:read:"))
        transfer_piece(gdb, text, "", read_profile);
    else
        reply(gdb, GDB_UNSUPPORTED);
}

static void thread_info(struct gdb *gdb)
{
    const char *state = gdb->vcpu->halted ? "CPU 0, in HLT" : "CPU 0";

    gdb_begin(&gdb->link);
    gdb_put_hex(&gdb->link, state, (uint32_t)str_len(state));
    gdb_send(&gdb->link);
}

void gdb_query(struct gdb *gdb, struct gdb_text *text)
{
    if (gdb_take_word(text, "Supported"))
        supported(gdb, text);
    else if (gdb_take_word(text, "Xfer:"))
        transfer(gdb, text);
    else if (gdb_take_word(text, "Rcmd,"))
        gdb_monitor(gdb, text);
    else if (gdb_take_word(text, "Attached"))
        reply(gdb, "1"); /* so that "quit" detaches and does not kill */
    else if (gdb_take_word(text, "fThreadInfo"))
        reply(gdb, "m1");
    else if (gdb_take_word(text, "sThreadInfo"))
        reply(gdb, "l");
    else if (gdb_take_word(text, "ThreadExtraInfo,"))
        thread_info(gdb);
    else if (gdb_take_word(text, "C") && !gdb_text_left(text))
        reply(gdb, "QC1");
    else
        reply(gdb, GDB_UNSUPPORTED);
}

void gdb_set(struct gdb *gdb, struct gdb_text *text)
{
    if (gdb_take_word(text, "StartNoAckMode")) {
        reply(gdb, "OK");
        gdb->link.no_ack = true;
    } else {
        reply(gdb, GDB_UNSUPPORTED);
    }
}
