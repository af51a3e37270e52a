/* PS/2 keyboard; ps2kbd.h says what is modelled. */
#include "dev/ps2kbd.h"
#include "dev/i8042_regs.h"

#define KBD_DEFAULT_RATE 0x2b /* 10.9 characters a second after 500 ms */

/* The table in every 8042's ROM: set 2 codes 00h-7Fh to set 1. */
static const uint8_t set1_of_set2[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

/* Two set 2 codes lie above the table, and their set 1 codes occur in the table once more. */
#define SET2_F7    0x83
#define SET1_F7    0x41
#define SET2_SYSRQ 0x84
#define SET1_SYSRQ 0x54

uint8_t ps2kbd_set1_from_set2(uint8_t byte)
{
    if (byte < sizeof(set1_of_set2))
        return set1_of_set2[byte];
    if (byte == SET2_F7)
        return SET1_F7;
    return byte == SET2_SYSRQ ? SET1_SYSRQ : byte;
}

uint8_t ps2kbd_set2_from_set1(uint8_t code)
{
    if (code == SET1_F7)
        return SET2_F7;
    if (code == SET1_SYSRQ)
        return SET2_SYSRQ;
    for (unsigned i = 1; i < sizeof(set1_of_set2); i++)
        if (set1_of_set2[i] == code)
            return (uint8_t)i;
    return code;
}

/* --- keys ------------------------------------------------------------------------------------- */

static void kbd_push_key(struct ps2kbd *kbd, uint8_t byte)
{
    kbd->key[(kbd->key_head + kbd->key_count) % PS2KBD_KEYS] = byte;
    kbd->key_count++;
}

bool ps2kbd_key(struct ps2kbd *kbd, uint8_t set1_byte)
{
    if (!kbd->scanning)
        return true; /* a keyboard that doesn't scan sees no key */
    if (kbd->key_count + 2 > PS2KBD_KEYS)
        return false;
    if (kbd->set == 1 || set1_byte == KBD_PREFIX_E0 || set1_byte == KBD_PREFIX_E1) {
        kbd_push_key(kbd, set1_byte);
        return true;
    }
    if (set1_byte & KBD_SET1_BREAK)
        kbd_push_key(kbd, KBD_RELEASE);
    kbd_push_key(kbd, ps2kbd_set2_from_set1(set1_byte & ~KBD_SET1_BREAK));
    return true;
}

bool ps2kbd_read(struct ps2kbd *kbd, uint8_t *byte, bool *is_key)
{
    *is_key = kbd->answer_next == kbd->answer_count;
    if (!*is_key) {
        *byte = kbd->answer[kbd->answer_next++];
    } else if (kbd->key_count > 0) {
        *byte = kbd->key[kbd->key_head];
        kbd->key_head = (kbd->key_head + 1) % PS2KBD_KEYS;
        kbd->key_count--;
    } else {
        return false;
    }
    kbd->last_sent = *byte;
    return true;
}

/* --- commands --------------------------------------------------------------------------------- */

static void kbd_answer(struct ps2kbd *kbd, uint8_t byte)
{
    if (kbd->answer_count < PS2KBD_ANSWERS)
        kbd->answer[kbd->answer_count++] = byte;
}

static void kbd_forget_keys(struct ps2kbd *kbd)
{
    kbd->key_head = 0;
    kbd->key_count = 0;
}

static void kbd_set_defaults(struct ps2kbd *kbd, bool scanning)
{
    kbd->scanning = scanning;
    kbd->set = 2;
    kbd->rate = KBD_DEFAULT_RATE;
    kbd_forget_keys(kbd);
}

void ps2kbd_reset(struct ps2kbd *kbd)
{
    *kbd = (struct ps2kbd){0};
    kbd_set_defaults(kbd, true);
}

static void kbd_argument(struct ps2kbd *kbd, uint8_t byte)
{
    kbd->expects = PS2KBD_EXPECTS_COMMAND;
    if (kbd->command == KBD_SCANCODE_SET && byte > 2) {
        kbd_answer(kbd, KBD_NAK);
        return;
    }
    kbd_answer(kbd, KBD_ACK);
    if (kbd->command == KBD_SET_LEDS) {
        kbd->leds = byte & KBD_LED_MASK;
    } else if (kbd->command == KBD_SET_RATE) {
        kbd->rate = byte;
    } else if (byte == 0) {
        kbd_answer(kbd, kbd->set);
    } else {
        kbd->set = byte;
        kbd_forget_keys(kbd);
    }
}

static void kbd_command(struct ps2kbd *kbd, uint8_t byte)
{
    switch (byte) {
    case KBD_SET_LEDS:
    case KBD_SCANCODE_SET:
    case KBD_SET_RATE:
        kbd->command = byte;
        kbd->expects = PS2KBD_EXPECTS_ARGUMENT;
        kbd_answer(kbd, KBD_ACK);
        break;
    case KBD_ECHO:
        kbd_answer(kbd, KBD_ECHO);
        break;
    case KBD_IDENTIFY:
        kbd_answer(kbd, KBD_ACK);
        kbd_answer(kbd, KBD_ID_FIRST);
        kbd_answer(kbd, KBD_ID_SECOND);
        break;
    case KBD_SCAN_ON:
        kbd->scanning = true;
        kbd_forget_keys(kbd);
        kbd_answer(kbd, KBD_ACK);
        break;
    case KBD_DEFAULTS_OFF:
    case KBD_DEFAULTS:
        kbd_set_defaults(kbd, byte == KBD_DEFAULTS);
        kbd_answer(kbd, KBD_ACK);
        break;
    case KBD_RESEND:
        kbd_answer(kbd, kbd->last_sent);
        break;
    case KBD_RESET:
        ps2kbd_reset(kbd);
        kbd_answer(kbd, KBD_ACK);
        kbd_answer(kbd, KBD_SELF_TEST);
        break;
    default:
        kbd_answer(kbd, byte >= KBD_ALL_TYPEMATIC && byte <= KBD_ALL_BOTH ? KBD_ACK : KBD_NAK);
        break;
    }
}

void ps2kbd_write(struct ps2kbd *kbd, uint8_t byte)
{
    /* A new byte breaks off what the keyboard still had to say to the one before. */
    kbd->answer_next = 0;
    kbd->answer_count = 0;
    /* Arguments lie below EDh; a command in an argument's place is a command. */
    if (kbd->expects == PS2KBD_EXPECTS_ARGUMENT && byte < KBD_SET_LEDS) {
        kbd_argument(kbd, byte);
        return;
    }
    kbd->expects = PS2KBD_EXPECTS_COMMAND;
    kbd_command(kbd, byte);
}
