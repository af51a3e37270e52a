/*
 * The console: what the guest's serial port is connected to. The serial line and the screen show
 * the same; what is typed on either reaches the guest. Keys with Shift move the view, which the
 * guest doesn't notice; after a stop those without page through the log.
 */
#include "hw/parts.h"

#include "hw/cpu.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "term/keymap.h"
#include "term/pager.h"

#define SCANCODE_EXTENDED 0xE0u
#define SCANCODE_RELEASE  0x80u

static uint8_t typed_bytes[1024], key_bytes[256], hotkey_bytes[16];
static struct ring typed = {.bytes = typed_bytes, .size = sizeof(typed_bytes)};
static struct ring keys = {.bytes = key_bytes, .size = sizeof(key_bytes)};
static struct ring hotkeys = {.bytes = hotkey_bytes, .size = sizeof(hotkey_bytes)};

static struct keymap keymap;
static struct pager pager;
static enum console_keyboard keyboard_use;
static bool typed_here; /* the last key came from the keyboard, not from the serial line */
static bool stopped, paging, monitor;
static bool extended; /* the newest scancode byte was a prefix */

static void type(uint8_t byte)
{
    ring_put(&typed, byte); /* a full ring drops it, as a keyboard would */
}

/*
 * A program that asks the terminal where its cursor is gets one answer: from the terminal at which
 * somebody types. At the serial line's far end there may be a terminal that answers, too.
 */
static void answer(void *ctx, uint8_t byte)
{
    (void)ctx;
    if (typed_here || !serial_present())
        type(byte);
}

void console_init(void)
{
    keymap_init(&keymap);
    screen_terminal()->answers = (struct byte_sink){answer, NULL};
}

void console_set_keyboard(enum console_keyboard use)
{
    keyboard_use = use;
}

bool console_put(uint8_t byte)
{
    serial_sink.put(serial_sink.ctx, byte);
    screen_put(byte);
    return ring_count(&typed) != 0;
}

bool console_size(uint16_t *columns, uint16_t *rows)
{
    *columns = (uint16_t)screen_terminal()->columns;
    *rows = (uint16_t)screen_terminal()->rows;
    return screen_present() && !serial_present();
}

/* --- the view --------------------------------------------------------------------------------- */

static const uint16_t *page_row(void *ctx, unsigned row)
{
    (void)ctx;
    return pager_row(&pager, row);
}

static void page_log(enum console_key key)
{
    const struct pager_text text = {log_begin(), log_end(), log_at};
    char line[TERMINAL_MAX_COLUMNS];

    if (!paging)
        pager_open(&pager, text, screen_terminal()->columns, screen_rows());
    paging = true;
    pager_key(&pager, key);
    fmt_snprintf(line, sizeof(line),
                 "log: line %u of %u | PgUp PgDn Up Down Home End | any other key: back",
                 pager.top + 1, pager.line_count);
    screen_set_status(line);
    screen_show_page((struct row_source){page_row, NULL});
}

static void scroll(enum console_key key)
{
    int screenful = (int)screen_rows() - 1;

    switch (key) {
    case CONSOLE_KEY_UP:
        screen_scroll(1);
        break;
    case CONSOLE_KEY_DOWN:
        screen_scroll(-1);
        break;
    case CONSOLE_KEY_PAGE_UP:
        screen_scroll(screenful);
        break;
    case CONSOLE_KEY_PAGE_DOWN:
        screen_scroll(-screenful);
        break;
    case CONSOLE_KEY_HOME:
        screen_scroll(INT32_MAX);
        break;
    default:
        screen_live();
        break;
    }
}

static void show_stopped(void)
{
    screen_set_status("stopped | PgUp and PgDn page through the log of the whole boot");
}

static void leave_pages(void)
{
    if (paging)
        show_stopped();
    paging = false;
    screen_live();
}

void console_set_stopped(bool now_stopped)
{
    stopped = now_stopped;
    leave_pages();
    if (stopped)
        show_stopped();
}

/* --- keys ------------------------------------------------------------------------------------- */

static void take_keystroke(struct keystroke stroke)
{
    if (stroke.key != CONSOLE_KEY_NONE && stroke.shift) {
        paging = false;
        scroll(stroke.key);
    } else if (stroke.key != CONSOLE_KEY_NONE && stopped && !monitor) {
        page_log(stroke.key);
    } else if (stroke.length) {
        bool guests_alone = !stopped && !monitor && keyboard_use == CONSOLE_KEYBOARD_PS2;
        leave_pages();
        typed_here = true;
        for (unsigned i = 0; i < stroke.length; i++)
            if (guests_alone)
                ring_put(&hotkeys, stroke.bytes[i]);
            else
                type(stroke.bytes[i]);
    }
}

/* The keys that opened the monitor are down for the guest until it sees them go up. */
static void pass_scancode(uint8_t scancode)
{
    bool prefix = scancode == SCANCODE_EXTENDED;

    if (!monitor || (!prefix && scancode & SCANCODE_RELEASE)) {
        if (monitor && extended)
            ring_put(&keys, SCANCODE_EXTENDED);
        ring_put(&keys, scancode);
    }
    extended = prefix;
}

static void take_keys(void)
{
    uint8_t scancode;

    while (keyboard_get(&scancode)) {
        if (!stopped && keyboard_use != CONSOLE_KEYBOARD_CONSOLE)
            pass_scancode(scancode);
        take_keystroke(keymap_scancode(&keymap, scancode, screen_terminal()->cursor_keys));
    }
}

bool console_get_scancode(uint8_t *scancode)
{
    take_keys();
    return ring_get(&keys, scancode);
}

bool console_get_hotkey(uint8_t *byte)
{
    return ring_get(&hotkeys, byte);
}

void console_set_monitor(bool open)
{
    monitor = open;
    leave_pages();
}

bool console_get(uint8_t *byte)
{
    take_keys();
    if (ring_get(&typed, byte))
        return true;
    if (!serial_get(byte))
        return false;
    typed_here = false;
    return true;
}

/* --- the end ---------------------------------------------------------------------------------- */

_Noreturn void console_rest(void)
{
    uint8_t byte;

    serial_flush();
    console_set_stopped(true);
    screen_sync();
    if (keyboard_present() && screen_present())
        irq_only_keyboard();
    while (keyboard_present() && screen_present()) {
        while (console_get(&byte))
            ;
        hw_sleep_until(UINT64_MAX);
    }
    for (;;) {
        cli();
        cpu_hlt();
    }
}
