/*
 * Keys to bytes: what a terminal sends for them. Scancodes of set 1 go in, as port 60h gives them;
 * the layout is a US keyboard's.
 */
#ifndef TERM_KEYMAP_H
#define TERM_KEYMAP_H

#include "lib/types.h"

#define KEYMAP_MAX_BYTES 8u

/* Keys that are the console's own business. */
enum console_key {
    CONSOLE_KEY_NONE,
    CONSOLE_KEY_UP,
    CONSOLE_KEY_DOWN,
    CONSOLE_KEY_PAGE_UP,
    CONSOLE_KEY_PAGE_DOWN,
    CONSOLE_KEY_HOME,
    CONSOLE_KEY_END
};

struct keymap {
    bool left_shift, right_shift, left_ctrl, right_ctrl, left_alt;
    bool caps_lock, num_lock;
    bool extended;       /* E0h came */
    unsigned pause_left; /* bytes of the Pause key's E1h sequence that are still to come */
};

/* What one key press means. */
struct keystroke {
    unsigned length; /* of bytes[]; 0: nothing to type */
    uint8_t bytes[KEYMAP_MAX_BYTES];
    enum console_key key; /* a movement key, whatever bytes it has */
    bool shift;           /* ... with Shift */
};

/* No key is down; Num Lock is on, as after a PC's power-on. */
void keymap_init(struct keymap *keymap);
/* Takes one scancode byte. cursor_keys: the arrows are ESC O x instead of ESC [ x. */
struct keystroke keymap_scancode(struct keymap *keymap, uint8_t scancode, bool cursor_keys);

#endif
