/* needs: vmm/term/keymap.c */
#include "term/keymap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct keymap keymap;
static bool cursor_keys;

static int set_up(void **state)
{
    (void)state;
    keymap_init(&keymap);
    cursor_keys = false;
    return 0;
}

/* What the scancodes type. */
static void expect(const char *scancodes, unsigned count, const char *bytes, unsigned length)
{
    uint8_t got[64];
    unsigned got_length = 0;
    for (unsigned i = 0; i < count; i++) {
        struct keystroke stroke = keymap_scancode(&keymap, (uint8_t)scancodes[i], cursor_keys);
        memcpy(got + got_length, stroke.bytes, stroke.length);
        got_length += stroke.length;
    }
    assert_int_equal(got_length, length);
    assert_memory_equal(got, bytes, length);
}

#define EXPECT(scancodes, bytes) expect(scancodes, sizeof(scancodes) - 1, bytes, sizeof(bytes) - 1)

static void letters_and_signs(void **state)
{
    (void)state;
    EXPECT("\x1E\x9E\x30\xB0\x2E\xAE", "abc");
    EXPECT("\x02\x03\x0B\x0C\x0D\x1A\x1B\x27\x28\x29\x2B\x33\x34\x35\x39", "120-=[];'`\\,./ ");
    EXPECT("\x1C\x0F\x0E\x01", "\r\t\x7F\x1B");
    EXPECT("\x10\x19\x26\x2C\x32", "qplzm");
}

static void shift_holds_until_it_is_released(void **state)
{
    (void)state;
    EXPECT("\x2A\x1E\x9E\x03\xAA\x1E", "A@a");
    EXPECT("\x36\x0D\x2B\x29\x33\xB6\x0D", "+|~<=");
    EXPECT("\x2A\x36\xAA\x1E\xB6\x1E", "Aa");
    EXPECT("\x2A\x0F\xAA", "\x1B[Z");
}

static void caps_lock_is_for_letters(void **state)
{
    (void)state;
    EXPECT("\x3A\xBA\x1E\x02\x2A\x1E\xAA\x3A\xBA\x1E", "A1aa");
}

static void ctrl_makes_control_characters(void **state)
{
    (void)state;
    EXPECT("\x1D\x2E\x20\x1A\x39\x35\x03\x9D\x2E", "\x03\x04\x1B\0\x1F\0c");
    EXPECT("\xE0\x1D\x2C\xE0\x9D\x2C", "\x1Az");
    EXPECT("\x1D\x2A\x1E\xAA\x9D", "\x01");
}

static void alt_puts_an_escape_before(void **state)
{
    (void)state;
    EXPECT("\x38\x21\xB8\x21", "\x1B"
                               "ff");
    EXPECT("\xE0\x38\x21\xE0\xB8", "f");
}

static void movement_keys(void **state)
{
    (void)state;
    EXPECT("\xE0\x48\xE0\xC8\xE0\x50\xE0\x4D\xE0\x4B", "\x1B[A\x1B[B\x1B[C\x1B[D");
    EXPECT("\xE0\x47\xE0\x52\xE0\x53\xE0\x4F\xE0\x49\xE0\x51",
           "\x1B[1~\x1B[2~\x1B[3~\x1B[4~\x1B[5~\x1B[6~");
    cursor_keys = true;
    EXPECT("\xE0\x48\xE0\x47", "\x1BOA\x1B[1~");
}

static void function_keys(void **state)
{
    (void)state;
    EXPECT("\x3B\x3F\x40\x44\x57\x58", "\x1B[[A\x1B[[E\x1B[17~\x1B[21~\x1B[23~\x1B[24~");
}

static void the_keypad_types_digits_unless_num_lock_is_off(void **state)
{
    (void)state;
    EXPECT("\x47\x4C\x52\x53\x4A\x4E\x37\xE0\x35\xE0\x1C", "750.-+*/\r");
    EXPECT("\x45\xC5\x47\x48\x4C\x4E", "\x1B[1~\x1B[A+");
    EXPECT("\x2A\x48\xAA", "8");
}

static void console_keys_are_told_with_shift(void **state)
{
    (void)state;
    keymap_scancode(&keymap, 0x2A, false);
    keymap_scancode(&keymap, 0xE0, false);
    keymap_scancode(&keymap, 0xAA, false); /* the shift that a keyboard takes back for the while */
    keymap_scancode(&keymap, 0xE0, false);
    struct keystroke stroke = keymap_scancode(&keymap, 0x49, false);
    assert_int_equal(stroke.key, CONSOLE_KEY_PAGE_UP);
    assert_true(stroke.shift);
    keymap_scancode(&keymap, 0xAA, false);
    keymap_scancode(&keymap, 0xE0, false);
    stroke = keymap_scancode(&keymap, 0x51, false);
    assert_int_equal(stroke.key, CONSOLE_KEY_PAGE_DOWN);
    assert_false(stroke.shift);
}

static void pause_and_unknown_keys_type_nothing(void **state)
{
    (void)state;
    EXPECT("\xE1\x1D\x45\xE1\x9D\xC5\x1E", "a"); /* no Ctrl, no Num Lock */
    EXPECT("\x47", "7");
    EXPECT("\x46\x54\x56\x5B\x7F\xE0\x37\xE0\x5B\xE0\x7F\xFF\x00", "");
}

static void any_bytes_are_survived(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int i = 0; i < 100000; i++) {
        seed = seed * 1664525 + 1013904223;
        struct keystroke stroke = keymap_scancode(&keymap, (uint8_t)(seed >> 24), seed & 1);
        assert_true(stroke.length <= 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(letters_and_signs, set_up),
        cmocka_unit_test_setup(shift_holds_until_it_is_released, set_up),
        cmocka_unit_test_setup(caps_lock_is_for_letters, set_up),
        cmocka_unit_test_setup(ctrl_makes_control_characters, set_up),
        cmocka_unit_test_setup(alt_puts_an_escape_before, set_up),
        cmocka_unit_test_setup(movement_keys, set_up),
        cmocka_unit_test_setup(function_keys, set_up),
        cmocka_unit_test_setup(the_keypad_types_digits_unless_num_lock_is_off, set_up),
        cmocka_unit_test_setup(console_keys_are_told_with_shift, set_up),
        cmocka_unit_test_setup(pause_and_unknown_keys_type_nothing, set_up),
        cmocka_unit_test_setup(any_bytes_are_survived, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
