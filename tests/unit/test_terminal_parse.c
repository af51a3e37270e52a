/* needs: vmm/term/terminal.c vmm/term/terminal_grid.c vmm/term/terminal_csi.c vmm/term/charset.c vmm/lib/mem.c vmm/lib/fmt.c */
#include "term/terminal.h"

#include "terminal_rig.h"

static uint16_t look_of(const char *sequence)
{
    put("\x1B[0m\x1B[H");
    put(sequence);
    put("x");
    return corner() >> 8;
}

static void sixteen_colours(void **state)
{
    (void)state;
    assert_int_equal(look_of(""), 0x07);
    assert_int_equal(look_of("\x1B[31m"), 0x04);
    assert_int_equal(look_of("\x1B[32m"), 0x02);
    assert_int_equal(look_of("\x1B[33m"), 0x06);
    assert_int_equal(look_of("\x1B[34m"), 0x01);
    assert_int_equal(look_of("\x1B[36;41m"), 0x43);
    assert_int_equal(look_of("\x1B[91;104m"), 0x9C);
    assert_int_equal(look_of("\x1B[31;39;44;49m"), 0x07);
    assert_int_equal(look_of("\x1B[31m\x1B[m"), 0x07);
}

static void styles(void **state)
{
    (void)state;
    assert_int_equal(look_of("\x1B[1m"), 0x0F);
    assert_int_equal(look_of("\x1B[1;31m"), 0x0C);
    assert_int_equal(look_of("\x1B[1;31;22m"), 0x04);
    assert_int_equal(look_of("\x1B[2m"), 0x08);
    assert_int_equal(look_of("\x1B[4m"), 0x03);
    assert_int_equal(look_of("\x1B[4;24m"), 0x07);
    assert_int_equal(look_of("\x1B[4;32m"), 0x02);
    assert_int_equal(look_of("\x1B[7m"), 0x70);
    assert_int_equal(look_of("\x1B[1;7m"), 0x70);
    assert_int_equal(look_of("\x1B[7;27m"), 0x07);
    assert_int_equal(look_of("\x1B[31;42;8m"), 0x22);
    assert_int_equal(look_of("\x1B[31;42;8;28m"), 0x24);
    assert_int_equal(look_of("\x1B[3;5;9;53;99;9999m"), 0x07);
}

static void many_colours_become_sixteen(void **state)
{
    (void)state;
    assert_int_equal(look_of("\x1B[38;5;9m"), 0x0C);
    assert_int_equal(look_of("\x1B[38;5;196m"), 0x0C);
    assert_int_equal(look_of("\x1B[38;5;124m"), 0x04);
    assert_int_equal(look_of("\x1B[38;5;21m"), 0x09);
    assert_int_equal(look_of("\x1B[38;5;16m"), 0x00);
    assert_int_equal(look_of("\x1B[38;5;255m"), 0x0F);
    assert_int_equal(look_of("\x1B[38;5;240m"), 0x08);
    assert_int_equal(look_of("\x1B[38;5;999m"), 0x0F);
    assert_int_equal(look_of("\x1B[48;5;22m"), 0x27);
    assert_int_equal(look_of("\x1B[38;2;255;255;0m"), 0x0E);
    assert_int_equal(look_of("\x1B[48;2;0;128;128;1m"), 0x3F);
    assert_int_equal(look_of("\x1B[38:5:9m"), 0x0C);
    /* What is cut off changes nothing and swallows nothing that follows. */
    assert_int_equal(look_of("\x1B[38m\x1B[41m"), 0x47);
    assert_int_equal(look_of("\x1B[38;2m\x1B[41m"), 0x40);
}

static void sequences_of_others_leave_no_trace(void **state)
{
    (void)state;
    put("a\x1B[?2004hb\x1B[>4;1mc\x1B[ qd\x1B[2 qe\x1B[22;0;0tf\x1B=g\x1B>h\x1B%Gi\x1B[[Aj\x1B#3k");
    put("\x1B]0;title\x07l\x1B]2;other\x1B\\m\x1BP1$r0m\x1B\\n\x1B]P1ff00ffo\x1B]Rp\x1B F!");
    expect_row(0, "abcdefghijklmnop!");
    expect_cursor(0, 17);
}

static void a_new_escape_breaks_off_the_old_one(void **state)
{
    (void)state;
    put("a\x1B[12\x1B[1mb\x1B]0;x\x1B[mc");
    expect_row(0, "abc");
    put("\x1B[3\x18"
        "d\x1B[3\x1A"
        "e");
    expect_row(0, "abcde");
}

static void controls_inside_of_a_sequence_are_obeyed(void **state)
{
    (void)state;
    put("ab\x1B[\r3Cc\x1B[1\nGd");
    expect_row(0, "ab c");
    expect_row(1, "d");
}

static void nonsense_in_a_sequence_makes_it_void(void **state)
{
    (void)state;
    put("a\x1B[3?1Cb\x1B[1<Cc\x1B[1!2Cd");
    put("\x1B[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;31me");
    expect_row(0, "abcde");
    assert_int_equal(terminal_row(&terminal, 0)[4] >> 8, 0x07);
}

static void a_string_that_never_ends_gives_the_console_back(void **state)
{
    (void)state;
    put("\x1B]");
    for (int i = 0; i < 300; i++)
        put("x");
    assert_int_equal(terminal.state, TERMINAL_GROUND);
    put("\r\n\n\n\n\n\n!");
    expect_row(5, "!");
}

static void utf8_becomes_glyphs(void **state)
{
    (void)state;
    put("a\xC3\xA4\xE2\x82\xAC\xE2\x94\x80\xE2\x95\x90\xE2\x96\x88\xF0\x9F\x98\x80.");
    expect_row(0, "a\xE4\x94\x80\x80\x09");
    assert_int_equal(terminal_row(&terminal, 0)[6] & 0xFF, 0x00);
    assert_int_equal(terminal_row(&terminal, 0)[7] & 0xFF, ' ');
    assert_int_equal(terminal_row(&terminal, 0)[8] & 0xFF, '.');
}

static void combining_marks_take_no_column(void **state)
{
    (void)state;
    put("e\xCC\x81x");
    expect_row(0, "ex");
}

static void a_wide_character_does_not_straddle_the_edge(void **state)
{
    (void)state;
    put("\x1B[19Gab\x1B[1;20H\xE4\xB8\xAD.");
    expect_row(0, "                  ab");
    expect_cursor(1, 3);
    assert_int_equal(terminal_row(&terminal, 1)[2] & 0xFF, '.');
}

static void broken_utf8_is_one_mark_each(void **state)
{
    (void)state;
    put("\x80x\xC3y\xE2\x82z\xFFq\xC0\x80r\xED\xA0\x80s\xF5\x80\x80\x80t");
    static const uint8_t wanted[] = {0, 'x', 0, 'y', 0, 'z', 0, 'q', 0, 'r', 0, 's', 0, 't'};
    for (unsigned i = 0; i < sizeof(wanted); i++)
        assert_int_equal(terminal_row(&terminal, 0)[i] & 0xFF, wanted[i]);
}

static void line_drawing(void **state)
{
    (void)state;
    put("\x1B(0lqk\x1B(Bl\x1B)0\x0Ex\x0Fx");
    expect_row(0, "\x82\x80\x83l\x81x");
    put("\r\n\x1B(0`a~_jA");
    expect_row(1, "\x8F\x13\xB7 \x85"
                  "A");
}

static void delete_and_null_are_nothing(void **state)
{
    (void)state;
    put("a\x7F\x01\x07");
    terminal_put(&terminal, 0);
    put("b");
    expect_row(0, "ab");
}

static void any_bytes_stay_inside_the_screen(void **state)
{
    (void)state;
    uint32_t seed = 1;
    terminal_init(&terminal, TERMINAL_MAX_COLUMNS, TERMINAL_MAX_ROWS);
    for (int i = 0; i < 200000; i++) {
        seed = seed * 1664525 + 1013904223;
        terminal_put(&terminal, (uint8_t)(seed >> 24));
        assert_true(terminal.cursor.row < 75 && terminal.cursor.column < 200);
    }
}

/* In all modes that plain text could meet, with sequences cut anywhere. */
static void text_is_what_its_bytes_are(void **state)
{
    static const char *const special[] = {"\r\n",       "\x1B[4h",  "\x1B[4l",  "\x1B(0",
                                          "\x1B(B",     "\x1B[?7l", "\x1B[?7h", "\x1B[31;7m",
                                          "\xE4\xB8",   "\x1B[",    "\x7F",     "\x1B[3b",
                                          "\x1B[2;15H", "\t",       "\x1B[H"};
    static struct terminal one_by_one;
    uint8_t text[400];
    uint32_t seed = 7;
    (void)state;
    terminal_init(&one_by_one, RIG_COLUMNS, RIG_ROWS);
    terminal_init(&terminal, RIG_COLUMNS, RIG_ROWS);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned count = 0;
        while (count < 300) {
            seed = seed * 1664525 + 1013904223;
            const char *more = special[(seed >> 8) % 15];
            unsigned plain = seed >> 27;
            for (; plain; plain--)
                text[count++] = (uint8_t)(0x20 + (seed >> (plain % 20)) % 95);
            for (; *more; more++)
                text[count++] = (uint8_t)*more;
        }
        count -= seed >> 16 & 3;
        for (unsigned i = 0; i < count; i++)
            terminal_put(&one_by_one, text[i]);
        terminal_text(&terminal, text, count);
        assert_memory_equal(&terminal, &one_by_one, sizeof(terminal));
    }
}

static void one_cell_is_a_screen(void **state)
{
    (void)state;
    terminal_init(&terminal, 1, 1);
    put("a\xE4\xB8\xAD\r\n\tb\x1B[5@\x1B[5P\x1B[5L\x1B[5M\x1B[5S\x1B[5T\x1BM\x1B[2;2r\x1B[J\x1B["
        "bx");
    assert_int_equal(corner(), 0x0778);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sixteen_colours, set_up),
        cmocka_unit_test_setup(styles, set_up),
        cmocka_unit_test_setup(many_colours_become_sixteen, set_up),
        cmocka_unit_test_setup(sequences_of_others_leave_no_trace, set_up),
        cmocka_unit_test_setup(a_new_escape_breaks_off_the_old_one, set_up),
        cmocka_unit_test_setup(controls_inside_of_a_sequence_are_obeyed, set_up),
        cmocka_unit_test_setup(nonsense_in_a_sequence_makes_it_void, set_up),
        cmocka_unit_test_setup(a_string_that_never_ends_gives_the_console_back, set_up),
        cmocka_unit_test_setup(utf8_becomes_glyphs, set_up),
        cmocka_unit_test_setup(combining_marks_take_no_column, set_up),
        cmocka_unit_test_setup(a_wide_character_does_not_straddle_the_edge, set_up),
        cmocka_unit_test_setup(broken_utf8_is_one_mark_each, set_up),
        cmocka_unit_test_setup(line_drawing, set_up),
        cmocka_unit_test_setup(delete_and_null_are_nothing, set_up),
        cmocka_unit_test_setup(any_bytes_stay_inside_the_screen, set_up),
        cmocka_unit_test_setup(text_is_what_its_bytes_are, set_up),
        cmocka_unit_test_setup(one_cell_is_a_screen, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
