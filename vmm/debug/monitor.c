/* The monitor's table of commands and what all of them share. */
#include "debug/monitor.h"

#include "debug/expr.h"
#include "lib/fmt.h"
#include "lib/mem.h"
#include "lib/text.h"
#include "virt/virt.h"

/* In the order of the help. */
const struct monitor_entry monitor_commands[] = {
    {"help", "[COMMAND]", "this list, or one command's line", monitor_help},
    {"info", "TOPIC", "what there is to know; \"info\" lists the topics", monitor_info},
    {"registers", "[general|segments|control|debug|msrs|all]", "the CPU", monitor_registers},
    {"x", "/16xb ADDRESS", "memory: count, format x d c s i, size b h w g", monitor_x},
    {"xp", "/16xb ADDRESS", "the same by guest physical address", monitor_xp},
    {"walk", "ADDRESS", "the guest's page tables on the way to an address", monitor_walk},
    {"ept", "GPA", "the nested page tables behind a guest physical address", monitor_ept},
    {"pause", "", "the guest and its time stand still (also: stop)", monitor_pause},
    {"resume", "[force]", "the guest goes on (also: cont); force: GDB has vanished",
     monitor_resume},
    {"step", "[N]", "N instructions of a paused guest", monitor_step},
    {"break", "[ADDRESS]", "pause before an instruction; alone: lists them", monitor_break},
    {"watch", "ADDRESS [1|2|4|8]", "pause behind a write there", monitor_watch},
    {"delete", "ADDRESS|all", "drops a break or watch", monitor_delete},
    {"reset", "", "starts the guest anew", monitor_reset},
    {"power", "off|button", "switches off, or asks the guest to do it", monitor_power},
    {"nmi", "", "a non-maskable interrupt for the guest", monitor_nmi},
    {"exits", "", "the same as \"info exits\"", monitor_exits},
    {"top", "[TOPIC]", "exits or another topic, each second, until a key", monitor_top},
    {"trace", "on|off", "the record of all exits", monitor_trace},
    {"log", "[error|warn|info|debug]", "what pxHV itself prints", monitor_log},
};

const unsigned monitor_command_count = ARRAY_SIZE(monitor_commands);

static const struct {
    const char *name, *means;
} aliases[] = {
    {"stop", "pause"}, {"cont", "resume"},        {"c", "resume"},    {"s", "step"},
    {"i", "info"},     {"regs", "registers"},     {"r", "registers"}, {"?", "help"},
    {"b", "break"},    {"poweroff", "power off"},
};

/* --- output ----------------------------------------------------------------------------------- */

/* The last bytes of the bound are for the word that it was reached. */
static void put(void *ctx, uint8_t byte)
{
    static const char cut[] = "\n(cut here: ask for less at a time)\n";
    struct monitor *monitor = ctx;

    if (monitor->room == 0)
        return;
    if (--monitor->room >= sizeof(cut)) {
        monitor->out.put(monitor->out.ctx, byte);
        return;
    }
    monitor->room = 0;
    for (const char *c = cut; *c; c++)
        monitor->out.put(monitor->out.ctx, (uint8_t)*c);
}

struct byte_sink monitor_sink(struct monitor *monitor)
{
    return (struct byte_sink){put, monitor};
}

void monitor_printf(struct monitor *monitor, const char *format, ...)
{
    char text[TEXT_MAX + 1];
    va_list args;

    va_start(args, format);
    fmt_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (const char *c = text; *c; c++)
        put(monitor, (uint8_t)*c);
}

/* --- arguments -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum vreg reg;
} named_registers[] = {
    {"cr0", VREG_CR0},         {"cr2", VREG_CR2},       {"cr3", VREG_CR3},
    {"cr4", VREG_CR4},         {"efer", VREG_EFER},     {"fs_base", VREG_FS_BASE},
    {"gs_base", VREG_GS_BASE}, {"gdt", VREG_GDTR_BASE}, {"idt", VREG_IDTR_BASE},
    {"rsp", VREG_RSP},
};

static bool is_word(const char *name, unsigned length, const char *word)
{
    return str_len(word) == length && memcmp(name, word, length) == 0;
}

static bool register_value(void *ctx, const char *name, unsigned length, uint64_t *value)
{
    static const char general[16][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    struct vcpu *vcpu = ((struct monitor *)ctx)->vcpu;

    if (is_word(name, length, "rip") || is_word(name, length, "pc")) {
        *value = vcpu->rip;
        return true;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(named_registers); i++) {
        if (is_word(name, length, named_registers[i].name)) {
            *value = vcpu->backend->reg_get(vcpu, named_registers[i].reg);
            return true;
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(general); i++) {
        if (is_word(name, length, general[i])) {
            *value = vcpu->gpr[i];
            return true;
        }
    }
    return false;
}

static const char *skip_blanks(const char *text)
{
    while (*text == ' ')
        text++;
    return text;
}

bool monitor_take(struct monitor *monitor, const char **args, uint64_t *value)
{
    const struct expr_names names = {register_value, monitor};
    const char *at = skip_blanks(*args);

    if (!*at) {
        monitor_printf(monitor, "an address is missing\n");
        return false;
    }
    const char *start = at, *wrong = expr_take(&at, &names, value);
    if (wrong) {
        monitor_printf(monitor, "\"%.40s\": %s\n", start, wrong);
        return false;
    }
    *args = skip_blanks(at);
    return true;
}

bool monitor_take_word(const char **args, char *word, size_t size)
{
    const char *at = skip_blanks(*args);
    size_t length = 0;

    while (at[length] && at[length] != ' ')
        length++;
    if (length == 0 || length >= size)
        return false;
    memcpy(word, at, length);
    word[length] = '\0';
    *args = skip_blanks(at + length);
    return true;
}

bool monitor_end(struct monitor *monitor, const char *args)
{
    if (!*args)
        return true;
    monitor_printf(monitor, "\"%.40s\" is too much there\n", args);
    return false;
}

/* --- help ------------------------------------------------------------------------------------- */

static void print_help(struct monitor *monitor, const struct monitor_entry *entry)
{
    char usage[64];

    fmt_snprintf(usage, sizeof(usage), "%s%s%s", entry->name,
                 *entry->args && *entry->args != '/' ? " " : "", entry->args);
    /* One line of 80 columns, or two. */
    if (str_len(usage) > 22)
        monitor_printf(monitor, "%s\n%-22s  %s\n", usage, "", entry->help);
    else
        monitor_printf(monitor, "%-22s  %s\n", usage, entry->help);
}

static const struct monitor_entry *find(const char *name)
{
    for (unsigned i = 0; i < monitor_command_count; i++)
        if (str_eq(monitor_commands[i].name, name))
            return &monitor_commands[i];
    return NULL;
}

void monitor_help(struct monitor *monitor, const char *args)
{
    const struct monitor_entry *entry = *args ? find(args) : NULL;

    if (*args && !entry) {
        monitor_printf(monitor, "no command \"%.20s\": \"help\" lists them\n", args);
        return;
    }
    if (entry) {
        print_help(monitor, entry);
        return;
    }
    for (unsigned i = 0; i < monitor_command_count; i++)
        print_help(monitor, &monitor_commands[i]);
    monitor_printf(monitor, "An address is a sum of numbers (0x1f, 31) and registers ($rip, $rsp, "
                            "$cr3).\nTab completes, the arrows up and down recall lines.\n");
}

/* --- dispatch --------------------------------------------------------------------------------- */

static bool is_printable(const char *line)
{
    for (; *line; line++)
        if (*line < ' ' || *line == 0x7F)
            return false;
    return true;
}

/* The name ends at a blank or, for "x/16xb", at the slash. */
static const char *split_name(const char *line, char *name, size_t size)
{
    size_t length = 0;

    while (line[length] && line[length] != ' ' && line[length] != '/')
        length++;
    bool fits = length < size;
    memcpy(name, line, fits ? length : size - 1);
    name[fits ? length : size - 1] = '\0';
    return skip_blanks(line + length);
}

static void dispatch(struct monitor *monitor, const char *line)
{
    char name[16];
    const char *args = split_name(line, name, sizeof(name));

    for (unsigned i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (str_eq(aliases[i].name, name)) {
            const char *rest = split_name(aliases[i].means, name, sizeof(name));
            args = *rest ? rest : args;
            break;
        }
    }
    const struct monitor_entry *entry = find(name);
    if (!entry)
        monitor_printf(monitor, "no command \"%s\": \"help\" lists them\n", name);
    else
        entry->handler(monitor, args);
}

void monitor_command(struct monitor *monitor, const char *line)
{
    monitor->room = MONITOR_ANSWER_MAX;
    line = skip_blanks(line);
    if (!*line)
        return;
    if (str_len(line) > MONITOR_LINE_MAX)
        monitor_printf(monitor, "the line is too long: %u characters are the most\n",
                       MONITOR_LINE_MAX);
    else if (!is_printable(line))
        monitor_printf(monitor, "the line has characters that no command has\n");
    else
        dispatch(monitor, line);
}

void monitor_command_to(struct monitor *monitor, const char *line, struct byte_sink out)
{
    struct byte_sink own = monitor->out;

    monitor->out = out;
    monitor->remote = true;
    monitor_command(monitor, line);
    monitor->remote = false;
    monitor_end_live(monitor);
    monitor->out = own;
}

const char *monitor_candidate(void *ctx, const char *line, unsigned word, unsigned number)
{
    const struct monitor *monitor = ctx;
    char first[16];

    if (word == 0)
        return number < monitor_command_count ? monitor_commands[number].name : NULL;
    split_name(line, first, sizeof(first));
    if (str_eq(first, "help"))
        return number < monitor_command_count ? monitor_commands[number].name : NULL;
    if (str_eq(first, "info") || str_eq(first, "i") || str_eq(first, "top"))
        return number < monitor->ops->topic_count ? monitor->ops->topic[number].name : NULL;
    return NULL;
}

void monitor_init(struct monitor *monitor, struct vcpu *vcpu, const struct monitor_ops *ops,
                  void *ctx, struct byte_sink out)
{
    memset(monitor, 0, sizeof(*monitor));
    monitor->vcpu = vcpu;
    monitor->ops = ops;
    monitor->ctx = ctx;
    monitor->out = out;
    monitor->dump = (struct monitor_dump){.count = 8, .format = FORMAT_HEX, .size = 8};
}
