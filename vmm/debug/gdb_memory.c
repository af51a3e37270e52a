/*
 * Memory and breakpoints. An address is what the guest's current mode makes of a linear address,
 * or guest physical after "monitor phys on". Only RAM is read and written: a device's register
 * would change by being looked at.
 */
#include "debug/gdb_parts.h"

#include "lib/bits.h"

#define READ_MOST  (GDB_PACKET_BYTES / 2)
#define WRITE_MOST GDB_PACKET_BYTES

static void reply(struct gdb *gdb, const char *text)
{
    gdb_reply(&gdb->link, text);
}

static uint64_t read_some(struct gdb *gdb, uint64_t address, uint64_t length)
{
    if (gdb->physical)
        return vdebug_read_physical(gdb->vcpu, address, gdb->link.data, length);
    return vdebug_read(gdb->vcpu, address, gdb->link.data, length);
}

static uint64_t write_some(struct gdb *gdb, uint64_t address, uint64_t length)
{
    if (gdb->physical)
        return vdebug_write_physical(gdb->vcpu, address, gdb->link.data, length);
    return vdebug_write(gdb->vcpu, address, gdb->link.data, length);
}

/* The bytes of "ADDRESS,LENGTH", as many as there are; 0 after an error reply. A binary read of
 * nothing is how GDB asks whether there is such a packet. */
static bool take_read(struct gdb *gdb, struct gdb_text *text, uint64_t *done)
{
    uint64_t address, length;

    if (!gdb_take_range(text, &address, &length) || gdb_text_left(text)) {
        reply(gdb, GDB_ERROR_INVALID);
        return false;
    }
    *done = read_some(gdb, address, min_u64(length, READ_MOST));
    if (*done == 0 && length != 0) {
        reply(gdb, GDB_ERROR_FAULT);
        return false;
    }
    return true;
}

void gdb_read_memory(struct gdb *gdb, struct gdb_text *text)
{
    uint64_t done;

    if (!take_read(gdb, text, &done))
        return;
    gdb_begin(&gdb->link);
    gdb_put_hex(&gdb->link, gdb->link.data, (uint32_t)done);
    gdb_send(&gdb->link);
}

void gdb_read_memory_binary(struct gdb *gdb, struct gdb_text *text)
{
    uint64_t done;

    if (!take_read(gdb, text, &done))
        return;
    gdb_begin(&gdb->link);
    gdb_put(&gdb->link, 'b');
    for (uint64_t i = 0; i < done; i++)
        gdb_put(&gdb->link, gdb->link.data[i]);
    gdb_send(&gdb->link);
}

static void finish_write(struct gdb *gdb, bool good, uint64_t address, uint64_t length)
{
    if (!good)
        reply(gdb, GDB_ERROR_INVALID);
    else if (write_some(gdb, address, length) != length)
        reply(gdb, GDB_ERROR_FAULT);
    else
        reply(gdb, "OK");
}

void gdb_write_memory(struct gdb *gdb, struct gdb_text *text)
{
    uint64_t address = 0, length = 0;
    bool good = gdb_take_range(text, &address, &length) && gdb_take(text, ':') &&
                length <= WRITE_MOST && gdb_take_hex(text, gdb->link.data, length) &&
                !gdb_text_left(text);

    finish_write(gdb, good, address, length);
}

void gdb_write_memory_binary(struct gdb *gdb, struct gdb_text *text)
{
    uint64_t address = 0, length = 0;
    bool good = gdb_take_range(text, &address, &length) && gdb_take(text, ':') &&
                length == gdb_text_left(text);

    for (uint64_t i = 0; good && i < length; i++)
        gdb->link.data[i] = text->at[i];
    finish_write(gdb, good, address, length);
}

/* --- points ----------------------------------------------------------------------------------- */

struct point {
    enum vdebug_point_kind kind;
    uint64_t address, length;
};

/* TYPE,ADDRESS,LENGTH. Type 3, a read watchpoint, isn't what an x86 CPU has: GDB then takes an
 * access watchpoint by itself and looks whether the value has changed. False after a reply. */
static bool take_point(struct gdb *gdb, struct gdb_text *text, struct point *point)
{
    uint64_t type = 0;
    bool good = gdb_take_number(text, &type) && gdb_take(text, ',') &&
                gdb_take_range(text, &point->address, &point->length);

    switch (good ? type : UINT64_MAX) {
    case 0:
    case 1:
        point->kind = type == 0 ? VDEBUG_POINT_SOFT : VDEBUG_POINT_HARD;
        point->length = 1; /* what GDB gives is the kind of instruction, of which x86 has one */
        return true;
    case 2:
    case 4:
        point->kind = type == 2 ? VDEBUG_POINT_WRITE : VDEBUG_POINT_ACCESS;
        if (point->length != 0 && point->length <= 8 * VDEBUG_HARD_POINTS)
            return true;
        reply(gdb, point->length ? GDB_ERROR_NO_SPACE : GDB_ERROR_INVALID);
        return false;
    default:
        reply(gdb, good ? GDB_UNSUPPORTED : GDB_ERROR_INVALID);
        return false;
    }
}

/* The first piece of a range that one debug register covers: 1, 2, 4 or 8 bytes, aligned. */
static unsigned first_piece(uint64_t address, uint64_t length)
{
    unsigned piece = 8;

    while (piece > length || address % piece)
        piece /= 2;
    return piece;
}

static bool remove_pieces(struct gdb *gdb, const struct point *point, uint64_t length)
{
    bool all = true;

    for (uint64_t done = 0, piece; done < length; done += piece) {
        piece = first_piece(point->address + done, point->length - done);
        all &= vdebug_remove(gdb->vcpu, point->kind, point->address + done, (unsigned)piece);
    }
    return all;
}

void gdb_insert_point(struct gdb *gdb, struct gdb_text *text)
{
    struct point point;

    if (!take_point(gdb, text, &point))
        return;
    for (uint64_t done = 0, piece; done < point.length; done += piece) {
        piece = first_piece(point.address + done, point.length - done);
        if (vdebug_insert(gdb->vcpu, point.kind, point.address + done, (unsigned)piece))
            continue;
        remove_pieces(gdb, &point, done);
        reply(gdb, point.kind == VDEBUG_POINT_SOFT ? GDB_ERROR_FAULT : GDB_ERROR_NO_SPACE);
        return;
    }
    reply(gdb, "OK");
}

void gdb_remove_point(struct gdb *gdb, struct gdb_text *text)
{
    struct point point;

    if (take_point(gdb, text, &point))
        reply(gdb, remove_pieces(gdb, &point, point.length) ? "OK" : GDB_ERROR_INVALID);
}
