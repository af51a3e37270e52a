/* A US keyboard in scancode set 1. IBM PS/2 Technical Reference, "Keyboard"; what the keys send is
 * what terminfo's "linux" says. */
#include "term/keymap.h"

#include "lib/bits.h"

#define RELEASE      0x80u
#define EXTENDED     0xE0u
#define PAUSE        0xE1u
#define PAUSE_BYTES  5u /* behind E1h: 1D 45 E1 9D C5 */
#define FIRST_KEYPAD 0x47u
#define LAST_KEYPAD  0x53u
#define ESC          0x1Bu

enum {
    KEY_CTRL = 0x1D,
    KEY_LEFT_SHIFT = 0x2A,
    KEY_SLASH = 0x35,
    KEY_RIGHT_SHIFT = 0x36,
    KEY_ALT = 0x38,
    KEY_SPACE = 0x39,
    KEY_CAPS_LOCK = 0x3A,
    KEY_F1 = 0x3B,
    KEY_F10 = 0x44,
    KEY_NUM_LOCK = 0x45,
    KEY_HOME = 0x47,
    KEY_UP = 0x48,
    KEY_PAGE_UP = 0x49,
    KEY_LEFT = 0x4B,
    KEY_RIGHT = 0x4D,
    KEY_END = 0x4F,
    KEY_DOWN = 0x50,
    KEY_PAGE_DOWN = 0x51,
    KEY_INSERT = 0x52,
    KEY_DELETE = 0x53,
    KEY_F11 = 0x57,
    KEY_F12 = 0x58
};

/* By scancode, 00h to 39h; 0 where the key sends no character. */
static const char plain[] = "\0\x1B"
                            "1234567890-=\x7F\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\x1B"
                              "!@#$%^&*()_+\x7F\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

/* By scancode from 47h on. */
static const char keypad[] = "789-456+1230.";

void keymap_init(struct keymap *keymap)
{
    *keymap = (struct keymap){.num_lock = true};
}

static void type(struct keystroke *stroke, uint8_t byte)
{
    if (stroke->length < KEYMAP_MAX_BYTES)
        stroke->bytes[stroke->length++] = byte;
}

static void type_text(struct keystroke *stroke, const char *text)
{
    for (; *text; text++)
        type(stroke, (uint8_t)*text);
}

/* Ctrl takes a character from the columns of letters to the control characters. The digits and the
 * slash are the VT220's way to those that have no letter. */
static uint8_t with_ctrl(uint8_t c)
{
    static const char digits[] = "\0\x1B\x1C\x1D\x1E\x1F\x7F"; /* 2 to 8 */

    if (c >= '@' && c < 0x7F)
        return c & 0x1F;
    if (c >= '2' && c <= '8')
        return (uint8_t)digits[c - '2'];
    if (c == ' ')
        return 0;
    return c == '/' || c == '-' ? 0x1F : c == 0x7F ? '\b' : c;
}

static void type_character(const struct keymap *keymap, struct keystroke *stroke, uint8_t c)
{
    if (keymap->left_ctrl || keymap->right_ctrl)
        c = with_ctrl(c);
    if (keymap->left_alt)
        type(stroke, ESC);
    type(stroke, c);
}

static bool shift_down(const struct keymap *keymap)
{
    return keymap->left_shift || keymap->right_shift;
}

static void press_character(const struct keymap *keymap, struct keystroke *stroke, unsigned code)
{
    bool shift = shift_down(keymap);
    char c = plain[code];

    if (c == 0)
        return;
    if (c == '\t' && shift) {
        type_text(stroke, "\x1B[Z");
        return;
    }
    if (c >= 'a' && c <= 'z')
        shift ^= keymap->caps_lock;
    type_character(keymap, stroke, (uint8_t)(shift ? shifted[code] : c));
}

/* ESC [ A and the like; ESC O A in an application's mode. */
static void press_arrow(struct keystroke *stroke, char final, bool cursor_keys)
{
    type_text(stroke, cursor_keys ? "\x1BO" : "\x1B[");
    type(stroke, (uint8_t) final);
}

static void press_movement(struct keystroke *stroke, unsigned code, bool cursor_keys)
{
    switch (code) {
    case KEY_UP:
        stroke->key = CONSOLE_KEY_UP;
        press_arrow(stroke, 'A', cursor_keys);
        break;
    case KEY_DOWN:
        stroke->key = CONSOLE_KEY_DOWN;
        press_arrow(stroke, 'B', cursor_keys);
        break;
    case KEY_RIGHT:
        press_arrow(stroke, 'C', cursor_keys);
        break;
    case KEY_LEFT:
        press_arrow(stroke, 'D', cursor_keys);
        break;
    case KEY_HOME:
        stroke->key = CONSOLE_KEY_HOME;
        type_text(stroke, "\x1B[1~");
        break;
    case KEY_INSERT:
        type_text(stroke, "\x1B[2~");
        break;
    case KEY_DELETE:
        type_text(stroke, "\x1B[3~");
        break;
    case KEY_END:
        stroke->key = CONSOLE_KEY_END;
        type_text(stroke, "\x1B[4~");
        break;
    case KEY_PAGE_UP:
        stroke->key = CONSOLE_KEY_PAGE_UP;
        type_text(stroke, "\x1B[5~");
        break;
    case KEY_PAGE_DOWN:
        stroke->key = CONSOLE_KEY_PAGE_DOWN;
        type_text(stroke, "\x1B[6~");
        break;
    default:
        break;
    }
}

static void press_function(struct keystroke *stroke, unsigned number)
{
    static const char *const sequences[] = {"\x1B[[A",  "\x1B[[B",  "\x1B[[C",  "\x1B[[D",
                                            "\x1B[[E",  "\x1B[17~", "\x1B[18~", "\x1B[19~",
                                            "\x1B[20~", "\x1B[21~", "\x1B[23~", "\x1B[24~"};
    type_text(stroke, sequences[number - 1]);
}

/* A keypad's key is a digit with Num Lock on, and Shift turns that round. */
static void press_keypad(const struct keymap *keymap, struct keystroke *stroke, unsigned code,
                         bool cursor_keys)
{
    char c = keypad[code - FIRST_KEYPAD];

    if (c == '-' || c == '+' || keymap->num_lock != shift_down(keymap))
        type_character(keymap, stroke, (uint8_t)c);
    else
        press_movement(stroke, code, cursor_keys);
}

static bool press_modifier(struct keymap *keymap, unsigned code, bool extended, bool down)
{
    switch (code) {
    case KEY_CTRL:
        *(extended ? &keymap->right_ctrl : &keymap->left_ctrl) = down;
        return true;
    case KEY_ALT: /* extended it is AltGr, which a US layout doesn't use */
        if (!extended)
            keymap->left_alt = down;
        return true;
    case KEY_LEFT_SHIFT:
    case KEY_RIGHT_SHIFT: /* extended they are put around a movement key, and are no keys */
        if (!extended)
            *(code == KEY_LEFT_SHIFT ? &keymap->left_shift : &keymap->right_shift) = down;
        return true;
    case KEY_CAPS_LOCK:
        keymap->caps_lock ^= down;
        return true;
    case KEY_NUM_LOCK:
        keymap->num_lock ^= down && !extended;
        return true;
    default:
        return false;
    }
}

static void press_extended(const struct keymap *keymap, struct keystroke *stroke, unsigned code,
                           bool cursor_keys)
{
    if (code == KEY_SLASH)
        type_character(keymap, stroke, '/');
    else if (code == 0x1C)
        type_character(keymap, stroke, '\r');
    else
        press_movement(stroke, code, cursor_keys);
}

static void press(struct keymap *keymap, struct keystroke *stroke, unsigned code, bool cursor_keys)
{
    if (code <= KEY_SPACE)
        press_character(keymap, stroke, code);
    else if (code >= KEY_F1 && code <= KEY_F10)
        press_function(stroke, code - KEY_F1 + 1);
    else if (code == KEY_F11 || code == KEY_F12)
        press_function(stroke, code - KEY_F11 + 11);
    else if (code >= FIRST_KEYPAD && code <= LAST_KEYPAD)
        press_keypad(keymap, stroke, code, cursor_keys);
}

struct keystroke keymap_scancode(struct keymap *keymap, uint8_t scancode, bool cursor_keys)
{
    struct keystroke stroke = {.shift = shift_down(keymap)};
    unsigned code = scancode & ~RELEASE;
    bool extended = keymap->extended, down = !(scancode & RELEASE);

    if (keymap->pause_left) {
        keymap->pause_left--;
        return stroke;
    }
    keymap->extended = scancode == EXTENDED;
    if (scancode == PAUSE)
        keymap->pause_left = PAUSE_BYTES;
    if (scancode == EXTENDED || scancode == PAUSE)
        return stroke;
    if (press_modifier(keymap, code, extended, down) || !down)
        return stroke;
    if (extended)
        press_extended(keymap, &stroke, code, cursor_keys);
    else
        press(keymap, &stroke, code, cursor_keys);
    return stroke;
}
