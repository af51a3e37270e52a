/* needs: vmm/hw/terminal.c vmm/lib/mem.c */
#include "hw/terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct terminal terminal;

static int set_up(void **state)
{
    (void)state;
    terminal_init(&terminal, 20, 4, 0);
    return 0;
}

static void put(const char *text)
{
    for (; *text; text++)
        terminal_put(&terminal, (uint8_t)*text);
}

static void expect_row(unsigned row, const char *text)
{
    for (unsigned i = 0; i < 20; i++) {
        char want = i < strlen(text) ? text[i] : ' ';
        assert_int_equal(terminal.cell[row * 20 + i], 0x0700 | want);
    }
}

static void expect_cursor(unsigned row, unsigned column)
{
    assert_int_equal(terminal.row, row);
    assert_int_equal(terminal.column, column);
}

static void carriage_return_and_line_feed_are_separate(void **state)
{
    (void)state;
    put("ab\ncd\r\nef\rg");
    expect_row(0, "ab");
    expect_row(1, "  cd");
    expect_row(2, "gf");
    expect_cursor(2, 1);
}

static void the_last_line_scrolls_the_others(void **state)
{
    (void)state;
    put("1\r\n2\r\n3\r\n4\r\n5");
    expect_row(0, "2");
    expect_row(2, "4");
    expect_row(3, "5");
    expect_cursor(3, 1);
    assert_int_equal(terminal.dirty_from, 0);
    assert_int_equal(terminal.dirty_to, 80);
}

static void a_full_line_wraps_with_the_next_character(void **state)
{
    (void)state;
    put("abcdefghijklmnopqrst");
    expect_cursor(0, 20);
    put("\r\n");
    expect_cursor(1, 0);
    put("abcdefghijklmnopqrstu");
    expect_row(2, "u");
    expect_cursor(2, 1);
}

static void backspace_and_tab(void **state)
{
    (void)state;
    put("\b\bab\bc\td\te\tf");
    expect_row(0, "ac      d       e");
    expect_row(1, "f");
    put("\r\t\t\t\t\t");
    expect_cursor(1, 20);
}

static void escape_sequences_leave_no_trace(void **state)
{
    (void)state;
    put("a\x1B[31mb\x1B[0;1;37mc\x1B[6n\x1B[?25h");
    put("\x1B]0;title\x07"
        "d\x1B]2;other\x1B\\e\x1B(Bf\x1B"
        "7g\x1B[H\x1B[J");
    expect_row(0, "abcdefg");
    expect_cursor(0, 7);
}

static void a_new_escape_breaks_off_the_old_one(void **state)
{
    (void)state;
    put("a\x1B[12\x1B[1mb");
    expect_row(0, "ab");
}

static void a_string_that_never_ends_gives_the_console_back(void **state)
{
    (void)state;
    put("\x1B]");
    for (int i = 0; i < 300; i++)
        put("x");
    assert_int_equal(terminal.escape, ESCAPE_NONE);
    put("\r\n\r\n\r\n\r\n!");
    expect_row(3, "!");
}

static void control_and_utf8_bytes(void **state)
{
    (void)state;
    put("a\x01\x07\x7F\x0C"
        "b\xC3\xA4\xE2\x82\xAC.");
    expect_row(0, "ab??.");
}

static void only_changed_cells_are_dirty(void **state)
{
    (void)state;
    assert_int_equal(terminal.dirty_from, terminal.dirty_to);
    put("\r\nab");
    assert_int_equal(terminal.dirty_from, 20);
    assert_int_equal(terminal.dirty_to, 22);
    terminal.dirty_from = terminal.dirty_to = 0;
    put("\x1B[1m\r");
    assert_int_equal(terminal.dirty_from, terminal.dirty_to);
}

static void any_bytes_stay_inside_the_screen(void **state)
{
    (void)state;
    uint32_t seed = 1;
    terminal_init(&terminal, TERMINAL_MAX_COLUMNS, TERMINAL_MAX_ROWS, TERMINAL_MAX_ROWS - 1);
    for (int i = 0; i < 200000; i++) {
        seed = seed * 1664525 + 1013904223;
        terminal_put(&terminal, (uint8_t)(seed >> 24));
        assert_true(terminal.row < 60 && terminal.column <= 132);
        assert_true(terminal.dirty_to <= 60 * 132);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(carriage_return_and_line_feed_are_separate, set_up),
        cmocka_unit_test_setup(the_last_line_scrolls_the_others, set_up),
        cmocka_unit_test_setup(a_full_line_wraps_with_the_next_character, set_up),
        cmocka_unit_test_setup(backspace_and_tab, set_up),
        cmocka_unit_test_setup(escape_sequences_leave_no_trace, set_up),
        cmocka_unit_test_setup(a_new_escape_breaks_off_the_old_one, set_up),
        cmocka_unit_test_setup(a_string_that_never_ends_gives_the_console_back, set_up),
        cmocka_unit_test_setup(control_and_utf8_bytes, set_up),
        cmocka_unit_test_setup(only_changed_cells_are_dirty, set_up),
        cmocka_unit_test_setup(any_bytes_stay_inside_the_screen, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
