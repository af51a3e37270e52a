/* See config.h. Every refusal says what to do; the caller adds the line. */
#include "lib/config.h"

#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/mem.h"

enum seen {
    SEEN_VM = 1,
    SEEN_KERNEL = 2,
    SEEN_INITRD = 4,
    SEEN_CMDLINE = 8,
    SEEN_MEMORY = 16,
    SEEN_LOG = 32,
    SEEN_KEYBOARD = 64,
    SEEN_SCREEN = 128,
    SEEN_TRACE = 256,
    SEEN_ESCAPE = 512,
    SEEN_GDB = 1024,
    SEEN_DEBUG = 2048,
    SEEN_APICV = 4096
};

#define SCREEN_DEFAULT_WIDTH  1024
#define SCREEN_DEFAULT_HEIGHT 768
#define SCREEN_MIN_WIDTH      640
#define SCREEN_MIN_HEIGHT     400
#define SCREEN_MAX            16384

struct parse {
    struct config *config;
    unsigned seen;
    unsigned vm_line;
    struct ini_error *error;
};

#define FAIL(parse, ...)                                                                           \
    (fmt_snprintf((parse)->error->reason, sizeof((parse)->error->reason), __VA_ARGS__), false)

static bool once(struct parse *p, unsigned bit, const char *key)
{
    if (p->seen & bit)
        return FAIL(p, "\"%.32s\" is given twice: delete one of the two lines", key);
    p->seen |= bit;
    return true;
}

static bool copy_value(struct parse *p, char *dst, size_t size, const char *key, const char *value)
{
    if (!str_copy(dst, size, value))
        return FAIL(p, "the value of \"%s\" is too long: %zu bytes are the most", key, size - 1);
    return true;
}

/* A file of the stick. A colon can't be part of a FAT name: it is how a host disk is spelled. */
static bool take_path(struct parse *p, char *dst, const char *key, const char *value)
{
    if (!*value)
        return FAIL(p, "\"%s\" has no value: name a file of this stick", key);
    for (const char *c = value; *c; c++) {
        if (*c == ':')
            return FAIL(p,
                        "\"%.40s\" names a host disk, which is not supported yet: "
                        "name a file of this stick",
                        value);
        if (*c == '\\')
            return FAIL(p, "\"%.40s\": write \"/\" between a folder and a file", value);
    }
    return copy_value(p, dst, CONFIG_PATH_SIZE, key, value);
}

static bool take_disk(struct parse *p, const char *value)
{
    struct vm_config *vm = &p->config->vm;

    if (vm->disk_count == CONFIG_MAX_DISKS)
        return FAIL(p, "there are too many \"disk\" lines: %d are the most", CONFIG_MAX_DISKS);
    if (!take_path(p, vm->disk[vm->disk_count], "disk", value))
        return false;
    for (unsigned i = 0; i < vm->disk_count; i++)
        if (str_eq(vm->disk[i], value))
            return FAIL(p, "the disk \"%.40s\" is given twice: each needs a file of its own",
                        value);
    vm->disk_count++;
    return true;
}

static unsigned suffix_shift(char c)
{
    switch (c) {
    case 'K':
    case 'k':
        return 10;
    case 'M':
    case 'm':
        return 20;
    case 'G':
    case 'g':
        return 30;
    default:
        return 0;
    }
}

static bool take_memory(struct parse *p, const char *value)
{
    const char *c = value;
    uint64_t number = 0;

    /* Past CONFIG_MAX_MEMORY in KiB no digit can make it right again, nor overflow. */
    while (*c >= '0' && *c <= '9' && number <= CONFIG_MAX_MEMORY >> 10)
        number = number * 10 + (uint64_t)(*c++ - '0');
    bool too_many_digits = *c >= '0' && *c <= '9';
    unsigned shift = suffix_shift(*c);
    if (!too_many_digits && (c == value || !shift || c[1]))
        return FAIL(p, "the memory size \"%.40s\" is not a number with K, M or G, as in \"256M\"",
                    value);
    if (too_many_digits || number > CONFIG_MAX_MEMORY >> shift)
        return FAIL(p, "the memory size \"%.40s\" is too large: 512G is the most", value);
    number <<= shift;
    if (number < CONFIG_MIN_MEMORY)
        return FAIL(p, "the memory size \"%.40s\" is too small: 2M is the least", value);
    if (number & (PAGE_SIZE - 1))
        return FAIL(p, "the memory size \"%.40s\" is not a multiple of 4K", value);
    p->config->vm.memory_bytes = number;
    p->config->vm.memory_given = true;
    return true;
}

/* The number of the value among `count` names; false when it is none of them. */
static bool take_name(const char *value, const char *const *names, unsigned count, int *number)
{
    for (unsigned i = 0; i < count; i++) {
        if (str_eq(value, names[i])) {
            *number = (int)i;
            return true;
        }
    }
    return false;
}

static bool take_log(struct parse *p, const char *value)
{
    static const char *const names[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

    if (take_name(value, names, ARRAY_SIZE(names), &p->config->log_level))
        return true;
    return FAIL(p, "the log level \"%.40s\" is none of error, warn, info, debug", value);
}

static bool take_keyboard(struct parse *p, const char *value)
{
    static const char *const names[] = {"console", "ps2", "both"};

    if (take_name(value, names, ARRAY_SIZE(names), &p->config->keyboard))
        return true;
    return FAIL(p, "the keyboard \"%.40s\" is none of console, ps2, both", value);
}

static bool take_trace(struct parse *p, const char *value)
{
    static const char *const names[] = {"off", "on"};

    if (take_name(value, names, ARRAY_SIZE(names), &p->config->trace))
        return true;
    return FAIL(p, "trace \"%.40s\" is neither on nor off", value);
}

static bool take_apicv(struct parse *p, const char *value)
{
    static const char *const names[] = {"off", "tpr", "delivery", "on"};

    if (take_name(value, names, ARRAY_SIZE(names), &p->config->vm.apicv))
        return true;
    return FAIL(p, "apicv \"%.40s\" is none of on, delivery, tpr, off", value);
}

/* A key that terminals send for another one can't be told from it. */
static bool take_escape(struct parse *p, const char *value)
{
    static const char prefix[] = "ctrl-";
    unsigned length = 0;

    while (prefix[length] && value[length] == prefix[length])
        length++;
    char letter = prefix[length] ? 0 : value[length];
    bool good = letter >= 'a' && letter <= 'z' && !value[length + 1];
    if (!good && !str_eq(value, "off"))
        return FAIL(p, "the escape key \"%.40s\" is none of ctrl-a to ctrl-z and off", value);
    if (letter == 'h' || letter == 'i' || letter == 'j' || letter == 'm')
        return FAIL(p, "the escape key \"%s\" is Backspace, Tab or Enter: take another letter",
                    value);
    p->config->escape = good ? (uint8_t)(letter - 'a' + 1) : 0;
    return true;
}

static bool take_gdb(struct parse *p, const char *value)
{
    static const char *const names[] = {
        [CONFIG_GDB_COM2] = "com2", [CONFIG_GDB_COM1] = "com1", [CONFIG_GDB_OFF] = "off"};
    int number;

    if (!take_name(value, names, ARRAY_SIZE(names), &number))
        return FAIL(p, "the line for GDB \"%.40s\" is none of com2, com1, off", value);
    p->config->gdb = (enum config_gdb)number;
    return true;
}

static bool take_debug(struct parse *p, const char *value)
{
    static const char *const names[] = {"run", "wait"};
    int number;

    if (!take_name(value, names, ARRAY_SIZE(names), &number))
        return FAIL(p, "\"debug\" is \"%.40s\", which is neither run nor wait", value);
    p->config->debug_wait = number == 1;
    return true;
}

/* The number there; one of more than `most` stays more than that, however long. */
static unsigned take_size(const char **at, unsigned most)
{
    unsigned number = 0;

    for (; **at >= '0' && **at <= '9'; ++*at)
        if (number <= most)
            number = number * 10 + (unsigned)(**at - '0');
    return number;
}

static bool take_screen(struct parse *p, const char *value)
{
    unsigned width = SCREEN_DEFAULT_WIDTH, height = SCREEN_DEFAULT_HEIGHT;
    const char *at = value;

    if (str_eq(value, "text"))
        return true;
    if (!str_eq(value, "framebuffer")) {
        width = take_size(&at, SCREEN_MAX);
        bool good = *at == 'x';
        at += good;
        height = take_size(&at, SCREEN_MAX);
        if (!good || *at || width < SCREEN_MIN_WIDTH || height < SCREEN_MIN_HEIGHT ||
            width > SCREEN_MAX || height > SCREEN_MAX)
            return FAIL(p,
                        "the screen \"%.40s\" is none of text, framebuffer and a size in pixels "
                        "from 640x400 on, as in \"1024x768\"",
                        value);
    }
    p->config->screen_width = (uint16_t)width;
    p->config->screen_height = (uint16_t)height;
    return true;
}

static bool take_vm_key(struct parse *p, const char *key, const char *value)
{
    struct vm_config *vm = &p->config->vm;

    if (str_eq(key, "kernel"))
        return once(p, SEEN_KERNEL, key) && take_path(p, vm->kernel, key, value);
    if (str_eq(key, "initrd"))
        return once(p, SEEN_INITRD, key) && take_path(p, vm->initrd, key, value);
    if (str_eq(key, "cmdline"))
        return once(p, SEEN_CMDLINE, key) &&
               copy_value(p, vm->cmdline, sizeof(vm->cmdline), key, value);
    if (str_eq(key, "memory"))
        return once(p, SEEN_MEMORY, key) && take_memory(p, value);
    if (str_eq(key, "disk"))
        return take_disk(p, value);
    if (str_eq(key, "apicv"))
        return once(p, SEEN_APICV, key) && take_apicv(p, value);
    return FAIL(p,
                "[vm] has no key \"%.40s\": it knows kernel, initrd, cmdline, memory, disk and "
                "apicv",
                key);
}

/* The NAME of "vm NAME"; NULL where the section is none of a virtual machine. */
static const char *vm_section_name(const char *section)
{
    if (section[0] != 'v' || section[1] != 'm' || (section[2] != ' ' && section[2] != 0))
        return NULL;
    section += 2;
    while (*section == ' ')
        section++;
    return section;
}

static bool begin_section(struct parse *p, const char *section)
{
    const char *name = vm_section_name(section);

    if (!name) {
        if (str_eq(section, "pxhv"))
            return true;
        return FAIL(p, "unknown section [%.40s]: \"[vm NAME]\" and \"[pxhv]\" are known", section);
    }
    if (!*name)
        return FAIL(p, "the virtual machine has no name: write it as in \"[vm linux]\"");
    if (p->seen & SEEN_VM)
        return FAIL(p, "there is a second [vm] section: one virtual machine is supported today");
    p->seen |= SEEN_VM;
    p->vm_line = p->error->line;
    if (!str_copy(p->config->vm.name, sizeof(p->config->vm.name), name))
        return FAIL(p, "the name of the virtual machine is too long: %d bytes are the most",
                    CONFIG_NAME_SIZE - 1);
    return true;
}

static bool take_entry(void *ctx, const char *section, const char *key, const char *value,
                       struct ini_error *error)
{
    struct parse *p = ctx;

    p->error = error;
    if (!key)
        return begin_section(p, section);
    if (vm_section_name(section))
        return take_vm_key(p, key, value);
    if (str_eq(key, "log"))
        return once(p, SEEN_LOG, key) && take_log(p, value);
    if (str_eq(key, "keyboard"))
        return once(p, SEEN_KEYBOARD, key) && take_keyboard(p, value);
    if (str_eq(key, "screen"))
        return once(p, SEEN_SCREEN, key) && take_screen(p, value);
    if (str_eq(key, "escape"))
        return once(p, SEEN_ESCAPE, key) && take_escape(p, value);
    if (str_eq(key, "gdb"))
        return once(p, SEEN_GDB, key) && take_gdb(p, value);
    if (str_eq(key, "debug"))
        return once(p, SEEN_DEBUG, key) && take_debug(p, value);
    if (str_eq(key, "trace"))
        return once(p, SEEN_TRACE, key) && take_trace(p, value);
    return FAIL(p,
                "[pxhv] has no key \"%.40s\": it knows log, keyboard, screen, escape, gdb, debug "
                "and trace",
                key);
}

bool config_parse(const char *text, size_t size, struct config *config, struct ini_error *error)
{
    struct parse p = {.config = config, .error = error};

    memset(config, 0, sizeof(*config));
    config->vm.memory_bytes = MIB(256);
    config->vm.apicv = 3;
    config->log_level = LOG_INFO;
    config->escape = 1;
    if (!ini_parse(text, size, (struct ini_handler){.entry = take_entry, .ctx = &p}, error))
        return false;
    error->line = p.vm_line;
    if (!(p.seen & SEEN_VM))
        return FAIL(&p, "there is no virtual machine: add a section \"[vm linux]\"");
    if (!(p.seen & SEEN_KERNEL))
        return FAIL(&p, "the virtual machine has no kernel: add a line \"kernel = vmlinuz\"");
    error->line = 0;
    if (p.config->debug_wait && p.config->gdb == CONFIG_GDB_OFF)
        return FAIL(&p, "\"debug = wait\" waits for GDB, which \"gdb = off\" keeps out: delete one "
                        "of the two lines");
    if (p.config->gdb == CONFIG_GDB_COM1 && !p.config->escape)
        return FAIL(&p, "\"gdb = com1\" shares the console's line by the escape key, which "
                        "\"escape = off\" takes away: delete one of the two lines");
    return true;
}
