/*
 * target.xml: the registers as GDB wants them described. GDB's manual, "Target Descriptions", "i386
 * Features". The features of GDB's own names must hold the registers that it knows by them; control
 * registers are in one of ours.
 */
#include "debug/gdb_parts.h"

#include "lib/bits.h"

/* A window of the document: what a reply has room for. */
struct window {
    struct gdb_link *link;
    uint64_t at, begin, end;
};

static void put_text(struct window *window, const char *text)
{
    for (; *text; text++, window->at++)
        if (window->at >= window->begin && window->at < window->end)
            gdb_put(window->link, (uint8_t)*text);
}

static void put_decimal(struct window *window, unsigned number)
{
    char digits[] = {(char)('0' + number / 100), (char)('0' + number / 10 % 10),
                     (char)('0' + number % 10), 0};
    put_text(window, number >= 100 ? digits : number >= 10 ? digits + 1 : digits + 2);
}

#define FLAG(name, bit) "<field name=\"" name "\" start=\"" #bit "\" end=\"" #bit "\"/>"

static const char core_types[] = "<flags id=\"i386_eflags\" size=\"4\">" FLAG("CF", 0) FLAG("", 1)
    FLAG("PF", 2) FLAG("AF", 4) FLAG("ZF", 6) FLAG("SF", 7) FLAG("TF", 8) FLAG("IF", 9)
        FLAG("DF", 10) FLAG("OF", 11) FLAG("NT", 14) FLAG("RF", 16) FLAG("VM", 17) FLAG("AC", 18)
            FLAG("VIF", 19) FLAG("VIP", 20) FLAG("ID", 21) "</flags>";

#define VECTOR(id, type, count) "<vector id=\"" id "\" type=\"" type "\" count=\"" #count "\"/>"
#define FIELD(name, type)       "<field name=\"" name "\" type=\"" type "\"/>"

static const char sse_types[] = VECTOR("v4f", "ieee_single", 4) VECTOR("v2d", "ieee_double", 2)
    VECTOR("v16i8", "int8", 16) VECTOR("v8i16", "int16", 8) VECTOR("v4i32", "int32", 4)
        VECTOR("v2i64", "int64", 2) "<union id=\"vec128\">" FIELD("v4_float", "v4f")
            FIELD("v2_double", "v2d") FIELD("v16_int8", "v16i8") FIELD("v8_int16", "v8i16")
                FIELD("v4_int32", "v4i32") FIELD("v2_int64", "v2i64")
                    FIELD("uint128", "uint128") "</union><flags id=\"i386_mxcsr\" size=\"4\">" FLAG(
                        "IE", 0) FLAG("DE", 1) FLAG("ZE", 2) FLAG("OE", 3) FLAG("UE", 4)
                        FLAG("PE", 5) FLAG("DAZ", 6) FLAG("IM", 7) FLAG("DM", 8) FLAG("ZM", 9)
                            FLAG("OM", 10) FLAG("UM", 11) FLAG("PM", 12) FLAG("FZ", 15) "</flags>";

static const char control_types[] = "<flags id=\"cr0_flags\" size=\"8\">" FLAG("PE", 0) FLAG(
    "MP", 1) FLAG("EM", 2) FLAG("TS", 3) FLAG("ET", 4) FLAG("NE", 5) FLAG("WP", 16) FLAG("AM", 18)
    FLAG("NW", 29) FLAG("CD", 30) FLAG("PG", 31) "</flags><flags id=\"cr4_flags\" size=\"8\">" FLAG(
        "VME", 0) FLAG("PVI", 1) FLAG("TSD", 2) FLAG("DE", 3) FLAG("PSE", 4) FLAG("PAE", 5)
        FLAG("MCE", 6) FLAG("PGE", 7) FLAG("PCE", 8) FLAG("OSFXSR", 9) FLAG("OSXMMEXCPT", 10)
            FLAG("UMIP", 11) FLAG("LA57", 12) FLAG("FSGSBASE", 16) FLAG("PCIDE", 17)
                FLAG("OSXSAVE", 18) FLAG("SMEP", 20) FLAG("SMAP", 21)
                    FLAG("PKE", 22) "</flags><flags id=\"efer_flags\" size=\"8\">" FLAG("SCE", 0)
                        FLAG("LME", 8) FLAG("LMA", 10) FLAG("NXE", 11) "</flags>";

/* Each goes up to the first register of the next one. */
static const struct {
    const char *name, *types;
    unsigned first;
} features[] = {
    {"org.gnu.gdb.i386.core", core_types, 0},
    {"org.gnu.gdb.i386.sse", sse_types, GDB_FIRST_XMM},
    {"org.gnu.gdb.i386.segments", "", GDB_FIRST_BASE},
    {"org.pxhv.control", control_types, GDB_FIRST_CONTROL},
    {"org.gnu.gdb.i386.avx", "", GDB_FIRST_YMM},
    {NULL, NULL, GDB_REGISTER_COUNT},
};

static void put_register(struct window *window, const struct gdb_register *reg)
{
    put_text(window, "<reg name=\"");
    put_text(window, reg->name);
    put_text(window, "\" bitsize=\"");
    put_decimal(window, 8u * reg->bytes);
    put_text(window, "\" type=\"");
    put_text(window, reg->type);
    if (reg->kind == GDB_X87_WORD)
        put_text(window, "\" group=\"float");
    put_text(window, "\"/>");
}

static void put_document(const struct gdb *gdb, struct window *window)
{
    put_text(window, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
                     "<architecture>i386:x86-64</architecture>");
    for (unsigned i = 0; features[i].name && gdb_register(gdb, features[i].first); i++) {
        put_text(window, "<feature name=\"");
        put_text(window, features[i].name);
        put_text(window, "\">");
        put_text(window, features[i].types);
        for (unsigned n = features[i].first; n < features[i + 1].first; n++)
            put_register(window, gdb_register(gdb, n));
        put_text(window, "</feature>");
    }
    put_text(window, "</target>");
}

void gdb_read_target(struct gdb *gdb, uint64_t offset, uint64_t length)
{
    struct gdb_link *link = &gdb->link;
    uint64_t most = min_u64(length, GDB_PACKET_BYTES / 2);
    struct window window = {link, 0, offset, offset + min_u64(most, UINT64_MAX - offset)};

    gdb_begin(link);
    gdb_put(link, 'm');
    put_document(gdb, &window);
    if (window.at <= window.end)
        link->out[0] = 'l'; /* nothing lies behind it */
    gdb_send(link);
}
