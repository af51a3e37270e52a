/*
 * The PS/2 keyboard behind the i8042. Source: IBM PS/2 "Keyboard (101- and 102-Key)".
 *
 * Modelled: all commands that set 1 and 2 keyboards know, typed bytes in scan code set 1 or 2.
 * Keys come from a host keyboard as set 1 bytes and are stored as the set that the guest chose.
 * NOT modelled: scan code set 3 (refused with FEh), typematic repeat (the host's keyboard
 * repeats), the half second of the self-test.
 */
#ifndef DEV_PS2KBD_H
#define DEV_PS2KBD_H

#include "lib/types.h"

#define PS2KBD_KEYS    32 /* scan code bytes that wait; a power of two */
#define PS2KBD_ANSWERS 4  /* the longest answer to a command */

enum ps2kbd_expects { PS2KBD_EXPECTS_COMMAND, PS2KBD_EXPECTS_ARGUMENT };

struct ps2kbd {
    enum ps2kbd_expects expects;
    uint8_t command; /* whose argument is expected */
    bool scanning;
    uint8_t set; /* 1 or 2 */
    uint8_t leds;
    uint8_t rate;
    uint8_t last_sent;
    uint8_t answer_next, answer_count;
    uint8_t answer[PS2KBD_ANSWERS];
    uint8_t key_head, key_count;
    uint8_t key[PS2KBD_KEYS];
};

void ps2kbd_reset(struct ps2kbd *kbd);
/* A byte from the controller. */
void ps2kbd_write(struct ps2kbd *kbd, uint8_t byte);
/* The next byte for the controller; false when there is none. *is_key: it is part of a scan code
 * and not an answer. */
bool ps2kbd_read(struct ps2kbd *kbd, uint8_t *byte, bool *is_key);
/* One byte of set 1 from the host's keyboard. False when there is no room for it. */
bool ps2kbd_key(struct ps2kbd *kbd, uint8_t set1_byte);

/* The 8042's translation of a set 2 byte, and its inverse for a set 1 code without its release
 * bit. Bytes that the translation leaves alone come back unchanged. */
uint8_t ps2kbd_set1_from_set2(uint8_t byte);
uint8_t ps2kbd_set2_from_set1(uint8_t code);

#endif
