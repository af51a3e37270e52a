/* The monitor's commands about memory: dumps, instructions, and both kinds of page tables. */
#include "debug/monitor.h"
#include "emu/decode.h"
#include "lib/mem.h"
#include "virt/virt.h"
#include "virt/x86.h"

#define UNITS_MAX     1024u /* bytes of a dump; units of c, strings, instructions are fewer */
#define STRING_MAX    200u
#define LINE_BYTES    16u
#define DEFAULT_INSNS 8u

typedef unsigned long long ull;

static uint64_t read_bytes(struct monitor *monitor, bool physical, uint64_t address, void *to,
                           uint64_t length)
{
    return physical ? vdebug_read_physical(monitor->vcpu, address, to, length)
                    : vdebug_read(monitor->vcpu, address, to, length);
}

static void print_unreadable(struct monitor *monitor, bool physical, uint64_t address)
{
    monitor_printf(monitor, "%llx: %s\n", (ull)address,
                   physical ? "no RAM of the guest's" : "nothing is mapped there, or no RAM");
}

/* --- the format ------------------------------------------------------------------------------- */

/* One letter of "16xb". */
static bool take_letter(struct monitor_dump *dump, char letter)
{
    static const char formats[] = "xdcsi", sizes[] = "bhwg";

    for (unsigned i = 0; formats[i]; i++) {
        if (letter == formats[i]) {
            dump->format = (enum monitor_format)i;
            return true;
        }
    }
    for (unsigned i = 0; sizes[i]; i++) {
        if (letter == sizes[i]) {
            dump->size = 1u << i;
            return true;
        }
    }
    return false;
}

static bool take_format(struct monitor *monitor, const char **args, struct monitor_dump *dump)
{
    const char *at = *args;
    unsigned count = 0;

    dump->count = 1;
    for (; *at >= '0' && *at <= '9'; at++)
        count = count <= UNITS_MAX ? count * 10 + (unsigned)(*at - '0') : count;
    if (at != *args)
        dump->count = count;
    for (; *at && *at != ' '; at++) {
        if (!take_letter(dump, *at)) {
            monitor_printf(monitor, "\"%c\" is none of the formats x d c s i and sizes b h w g\n",
                           *at);
            return false;
        }
    }
    if (dump->format == FORMAT_CHAR || dump->format == FORMAT_STRING)
        dump->size = 1;
    while (*at == ' ')
        at++;
    *args = at;
    if (dump->count && dump->count * dump->size <= UNITS_MAX)
        return true;
    monitor_printf(monitor, "1 to %u bytes are shown at a time\n", UNITS_MAX);
    return false;
}

/* --- units ------------------------------------------------------------------------------------ */

static void print_char(struct monitor *monitor, uint8_t byte)
{
    if (byte >= ' ' && byte < 0x7F)
        monitor_printf(monitor, byte == '\'' || byte == '\\' ? " '\\%c'" : " '%c'", byte);
    else
        monitor_printf(monitor, " '\\x%02x'", byte);
}

static void print_unit(struct monitor *monitor, const struct monitor_dump *dump,
                       const uint8_t *bytes)
{
    uint64_t value = 0;
    unsigned shift = 64 - 8 * dump->size;

    memcpy(&value, bytes, dump->size);
    if (dump->format == FORMAT_CHAR)
        print_char(monitor, bytes[0]);
    else if (dump->format == FORMAT_DECIMAL)
        monitor_printf(monitor, " %lld", (long long)((int64_t)(value << shift) >> shift));
    else
        monitor_printf(monitor, " %0*llx", (int)(2 * dump->size), (ull)value);
}

static void dump_units(struct monitor *monitor, struct monitor_dump *dump)
{
    unsigned per_line = dump->format == FORMAT_CHAR ? LINE_BYTES / 2 : LINE_BYTES / dump->size;

    for (unsigned done = 0; done < dump->count;) {
        unsigned units = (unsigned)min_u64(per_line, dump->count - done);
        uint8_t bytes[LINE_BYTES];
        uint64_t got =
            read_bytes(monitor, dump->physical, dump->address, bytes, units * dump->size) /
            dump->size;
        if (got)
            monitor_printf(monitor, "%llx:", (ull)dump->address);
        for (unsigned i = 0; i < got; i++)
            print_unit(monitor, dump, bytes + i * dump->size);
        if (got)
            monitor_printf(monitor, "\n");
        dump->address += got * dump->size;
        done += (unsigned)got;
        if (got < units) {
            print_unreadable(monitor, dump->physical, dump->address);
            return;
        }
    }
}

static bool dump_string(struct monitor *monitor, struct monitor_dump *dump)
{
    char text[STRING_MAX + 1];
    uint64_t got = read_bytes(monitor, dump->physical, dump->address, text, STRING_MAX);
    uint64_t length = 0;

    if (!got) {
        print_unreadable(monitor, dump->physical, dump->address);
        return false;
    }
    while (length < got && text[length])
        length++;
    for (uint64_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] == 0x7F)
            text[i] = '?';
    text[length] = '\0';
    monitor_printf(monitor, "%llx: \"%s\"%s\n", (ull)dump->address, text,
                   length == STRING_MAX ? "..." : "");
    dump->address += length < got ? length + 1 : length;
    return true;
}

/* --- instructions ----------------------------------------------------------------------------- */

static const char *insn_name(const struct insn *insn)
{
    static const char *const name[] = {
        [INSN_ADD] = "add",     [INSN_OR] = "or",           [INSN_ADC] = "adc",
        [INSN_SBB] = "sbb",     [INSN_AND] = "and",         [INSN_SUB] = "sub",
        [INSN_XOR] = "xor",     [INSN_CMP] = "cmp",         [INSN_BT] = "bt",
        [INSN_BTS] = "bts",     [INSN_BTR] = "btr",         [INSN_BTC] = "btc",
        [INSN_MOV] = "mov",     [INSN_MOVZX] = "movzx",     [INSN_MOVSX] = "movsx",
        [INSN_MOVBE] = "movbe", [INSN_TEST] = "test",       [INSN_XCHG] = "xchg",
        [INSN_XADD] = "xadd",   [INSN_CMPXCHG] = "cmpxchg", [INSN_INC] = "inc",
        [INSN_DEC] = "dec",     [INSN_NOT] = "not",         [INSN_NEG] = "neg",
        [INSN_SETCC] = "setcc", [INSN_MOVS] = "movs",       [INSN_CMPS] = "cmps",
        [INSN_STOS] = "stos",   [INSN_LODS] = "lods",       [INSN_SCAS] = "scas",
        [INSN_OTHER] = "",
    };
    return name[insn->op];
}

unsigned monitor_show_insn(struct monitor *monitor, uint64_t address, bool physical)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    uint64_t got = read_bytes(monitor, physical, address, bytes, sizeof(bytes));
    struct insn insn;

    if (!got) {
        print_unreadable(monitor, physical, address);
        return 0;
    }
    if (decode_insn(bytes, got, vcpu_code_bits(monitor->vcpu), &insn) != DECODE_OK) {
        monitor_printf(monitor, "%llx: %02x  no instruction\n", (ull)address, bytes[0]);
        return 0;
    }
    monitor_printf(monitor, "%llx: %2u ", (ull)address, insn.length);
    for (unsigned i = 0; i < insn.length; i++)
        monitor_printf(monitor, " %02x", bytes[i]);
    const char *name = insn_name(&insn);
    monitor_printf(monitor, "%s%s\n", *name ? "   " : "", name);
    return insn.length;
}

static void dump_many(struct monitor *monitor, struct monitor_dump *dump)
{
    for (unsigned i = 0; i < dump->count && monitor->room; i++) {
        if (dump->format == FORMAT_STRING) {
            if (!dump_string(monitor, dump))
                return;
            continue;
        }
        unsigned length = monitor_show_insn(monitor, dump->address, dump->physical);
        if (length == 0)
            return;
        dump->address += length;
    }
}

static void dump(struct monitor *monitor, const char *args, bool physical)
{
    struct monitor_dump *dump = &monitor->dump;
    struct monitor_dump wanted = *dump;

    if (*args == '/') {
        args++;
        if (!take_format(monitor, &args, &wanted))
            return;
    }
    if (*args && (!monitor_take(monitor, &args, &wanted.address) || !monitor_end(monitor, args)))
        return;
    wanted.physical = physical;
    *dump = wanted;
    if (dump->format == FORMAT_STRING || dump->format == FORMAT_INSN)
        dump_many(monitor, dump);
    else
        dump_units(monitor, dump);
}

void monitor_x(struct monitor *monitor, const char *args)
{
    dump(monitor, args, false);
}

void monitor_xp(struct monitor *monitor, const char *args)
{
    dump(monitor, args, true);
}

/* --- page tables ------------------------------------------------------------------------------ */

static void print_page(struct monitor *monitor, uint64_t bytes)
{
    monitor_printf(monitor,
                   bytes >= MIB(1) ? ", in a page of %llu MiB\n" : ", in a page of %llu KiB\n",
                   (ull)(bytes >= MIB(1) ? bytes >> 20 : bytes >> 10));
}

void monitor_walk(struct monitor *monitor, const char *args)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } bits[] = {{BIT64(0), "present"},  {BIT64(1), "writable"}, {BIT64(2), "user"},
                {BIT64(5), "accessed"}, {BIT64(6), "dirty"},    {BIT64(63), "no-execute"}};
    struct vdebug_walk walk;
    uint64_t address;

    if (!monitor_take(monitor, &args, &address) || !monitor_end(monitor, args))
        return;
    vdebug_walk(monitor->vcpu, address, &walk);
    for (unsigned i = 0; i < walk.count; i++) {
        const struct vdebug_walk_entry *entry = &walk.entry[i];
        monitor_printf(monitor, "level %u  %llx[%u] = %016llx", entry->level, (ull)entry->table,
                       entry->index, (ull)entry->entry);
        for (unsigned b = 0; b < ARRAY_SIZE(bits); b++)
            if (entry->entry & bits[b].bit)
                monitor_printf(monitor, " %s", bits[b].name);
        monitor_printf(monitor, "\n");
    }
    if (!walk.mapped) {
        monitor_printf(monitor, "%llx isn't mapped\n", (ull)address);
        return;
    }
    monitor_printf(monitor, "%llx is guest physical %llx", (ull)address, (ull)walk.gpa);
    if (walk.page_bytes)
        print_page(monitor, walk.page_bytes);
    else
        monitor_printf(monitor, ": the guest has no paging on\n");
}

static const char *type_name(enum map_type type)
{
    switch (type) {
    case MAP_UC:
        return "uncached";
    case MAP_WC:
        return "write-combining";
    case MAP_WT:
        return "write-through";
    case MAP_WP:
        return "write-protected";
    default:
        return "write-back";
    }
}

void monitor_ept(struct monitor *monitor, const char *args)
{
    struct nested_walk walk;
    uint64_t gpa;

    if (!monitor_take(monitor, &args, &gpa) || !monitor_end(monitor, args))
        return;
    monitor->vcpu->backend->nested_walk(monitor->vcpu, gpa, &walk);
    for (unsigned i = 0; i < walk.count; i++)
        monitor_printf(monitor, "level %u  %llx[%u] = %016llx\n", walk.entry[i].level,
                       (ull)walk.entry[i].table, walk.entry[i].index, (ull)walk.entry[i].entry);
    if (!walk.leaf.rights) {
        monitor_printf(monitor, "guest physical %llx isn't mapped: a device's, or nothing\n",
                       (ull)gpa);
        return;
    }
    monitor_printf(monitor, "guest physical %llx is host %llx, %s%s%s, %s", (ull)gpa,
                   (ull)(walk.leaf.hpa + (gpa - walk.leaf.gpa)),
                   walk.leaf.rights & MAP_READ ? "r" : "-",
                   walk.leaf.rights & MAP_WRITE ? "w" : "-",
                   walk.leaf.rights & MAP_EXEC ? "x" : "-", type_name(walk.leaf.type));
    print_page(monitor, walk.leaf.size_bytes);
}
