/* needs: vmm/term/terminal.c vmm/term/terminal_grid.c vmm/term/terminal_csi.c vmm/term/charset.c vmm/lib/mem.c vmm/lib/fmt.c */
#include "term/terminal.h"

#include "terminal_rig.h"

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
    put("1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8");
    expect_row(0, "3");
    expect_row(4, "7");
    expect_row(5, "8");
    expect_cursor(5, 1);
    assert_string_equal(lost, "12");
}

static void a_full_line_wraps_with_the_next_character(void **state)
{
    (void)state;
    put("abcdefghijklmnopqrst");
    expect_cursor(0, 19);
    put("\r\n");
    expect_cursor(1, 0);
    put("abcdefghijklmnopqrstu");
    expect_row(2, "u");
    expect_cursor(2, 1);
    /* Any movement takes the pending wrap back. */
    put("\x1B[4;20Hx\x1B[20Gy");
    expect_row(3, "                   y");
    expect_row(4, "");
}

static void without_autowrap_the_last_column_is_written_over(void **state)
{
    (void)state;
    put("\x1B[?7labcdefghijklmnopqrstuvwxyz");
    expect_row(0, "abcdefghijklmnopqrsz");
    expect_row(1, "");
    put("\x1B[?7h\r\nabcdefghijklmnopqrstu");
    expect_row(2, "u");
}

static void backspace_and_tab_move_only(void **state)
{
    (void)state;
    put("\b\bab\bc\td\te\tf");
    expect_row(0, "ac      d       e  f");
    expect_cursor(0, 19);
    put("\r\txxxxx\r\ty\x1B[Zz");
    expect_row(0, "ac      zxxxx   e  f");
}

static void tab_stops_are_set_and_cleared(void **state)
{
    (void)state;
    put("\x1B[3g\x1B[4G\x1BH\x1B[12G\x1BH\r\ta\tb\tc");
    expect_row(0, "   a       b       c");
    put("\r\n\x1B[4G\x1B[g\r\td");
    expect_row(1, "           d");
    put("\x1B[2Iq");
    expect_row(1, "           d       q");
}

static void the_cursor_moves_and_stops_at_the_edges(void **state)
{
    (void)state;
    put("\x1B[3;5H");
    expect_cursor(2, 4);
    put("\x1B[A\x1B[2C");
    expect_cursor(1, 6);
    put("\x1B[2B\x1B[D");
    expect_cursor(3, 5);
    put("\x1B[E");
    expect_cursor(4, 0);
    put("\x1B[2F");
    expect_cursor(2, 0);
    put("\x1B[10G\x1B[6d");
    expect_cursor(5, 9);
    put("\x1B[99A\x1B[99D");
    expect_cursor(0, 0);
    put("\x1B[9999B\x1B[9999C");
    expect_cursor(5, 19);
    put("\x1B[0;0H");
    expect_cursor(0, 0);
    put("\x1B[99999999999;99999999999f");
    expect_cursor(5, 19);
    put("\x1B[;7H");
    expect_cursor(0, 6);
}

static void erasing(void **state)
{
    (void)state;
    fill_lines();
    put("\x1B[2;2H\x1B[K");
    expect_row(1, "b");
    put("\x1B[3;2H\x1B[1K");
    expect_row(2, "  c");
    put("\x1B[4;1H\x1B[2K");
    expect_row(3, "");
    put("\x1B[5;2H\x1B[X");
    expect_row(4, "e e");
    put("\x1B[J");
    expect_row(4, "e");
    expect_row(5, "");
    expect_row(0, "aaa");
    put("\x1B[2;1H\x1B[1J");
    expect_row(0, "");
    expect_row(1, "");
    expect_row(2, "  c");
    put("\x1B[2J");
    expect_row(2, "");
    expect_cursor(1, 0);
    assert_string_equal(lost, "");
}

static void erased_cells_take_the_background(void **state)
{
    (void)state;
    put("\x1B[44m\x1B[2J");
    assert_int_equal(corner(), 0x1720);
}

static void lines_are_inserted_and_deleted(void **state)
{
    (void)state;
    fill_lines();
    put("\x1B[2;2H\x1B[2L");
    expect_row(0, "aaa");
    expect_row(1, "");
    expect_row(3, "bbb");
    expect_row(5, "ddd");
    expect_cursor(1, 0);
    put("\x1B[3M");
    expect_row(1, "ccc");
    expect_row(2, "ddd");
    expect_row(3, "");
    put("\x1B[H\x1B[99M");
    expect_row(0, "");
    expect_row(2, "");
    assert_string_equal(lost, "");
}

static void characters_are_inserted_and_deleted(void **state)
{
    (void)state;
    put("abcdefghijklmnopqrst\x1B[2G\x1B[2@");
    expect_row(0, "a  bcdefghijklmnopqr");
    put("\x1B[3P");
    expect_row(0, "acdefghijklmnopqr");
    put("\x1B[4hXY\x1B[4lZ");
    expect_row(0, "aXYZdefghijklmnopqr");
    put("\x1B[999P");
    expect_row(0, "aXYZ");
}

static void a_character_is_repeated(void **state)
{
    (void)state;
    put("x\x1B[4by\x1B[9999b");
    expect_row(4, "yyyyyyyyyyyyyyyyyyyy");
    expect_row(5, "yyyyyy");
}

static void scroll_region(void **state)
{
    (void)state;
    fill_lines();
    put("\x1B[2;4r");
    expect_cursor(0, 0);
    put("\x1B[4;1H\nX");
    expect_row(0, "aaa");
    expect_row(1, "ccc");
    expect_row(3, "X");
    expect_row(4, "eee");
    put("\x1B[2;1H\x1BMY");
    expect_row(1, "Y");
    expect_row(2, "ccc");
    expect_row(3, "ddd");
    expect_row(4, "eee");
    /* Below the region there is no scrolling. */
    put("\x1B[6;1H\n\n!");
    expect_row(5, "!ff");
    put("\x1B[S");
    expect_row(1, "ccc");
    expect_row(3, "");
    put("\x1B[2T");
    expect_row(3, "ccc");
    assert_string_equal(lost, "");
    put("\x1B[r\x1B[6;1H\n");
    expect_row(5, "");
    assert_string_equal(lost, "a");
}

static void a_region_of_one_line_or_none_is_refused(void **state)
{
    (void)state;
    put("\x1B[3;3r\x1B[5;2r\x1B[7;9r");
    assert_int_equal(terminal.top, 0);
    assert_int_equal(terminal.bottom, 6);
    put("\x1B[5;99r");
    assert_int_equal(terminal.top, 4);
    assert_int_equal(terminal.bottom, 6);
}

/* DECRC may bring origin mode back where the region has moved away from the cursor meanwhile. */
static void a_restored_cursor_above_the_region_is_in_its_first_row(void **state)
{
    (void)state;
    put("\x1B[1;3r\x1B[?6h\x1B[2;4H\x1B"
        "7\x1B[4;6r\x1B"
        "8\x1B[6n");
    assert_string_equal(answers, "\x1B[1;4R");
}

static void origin_mode_counts_from_the_region(void **state)
{
    (void)state;
    put("\x1B[3;5r\x1B[?6h");
    expect_cursor(2, 0);
    put("\x1B[2;3H");
    expect_cursor(3, 2);
    put("\x1B[6n");
    assert_string_equal(answers, "\x1B[2;3R");
    put("\x1B[99;1H");
    expect_cursor(4, 0);
    put("\x1B[?6l");
    expect_cursor(0, 0);
}

static void index_and_reverse_index(void **state)
{
    (void)state;
    fill_lines();
    put("\x1B[H\x1BM");
    expect_row(0, "");
    expect_row(1, "aaa");
    put("\x1B[6;3H\x1B"
        "D");
    expect_row(0, "aaa");
    expect_cursor(5, 2);
    put("\x1B[2;3H\x1B"
        "E");
    expect_cursor(2, 0);
}

static void cursor_and_pen_are_saved(void **state)
{
    (void)state;
    put("\x1B[3;4H\x1B[31m\x1B(0\x1B"
        "7\x1B[H\x1B[0m\x1B(B\x1B"
        "8q");
    assert_int_equal(terminal_row(&terminal, 2)[3], 0x0480);
    put("\x1B[s\x1B[H\x1B[u");
    expect_cursor(2, 4);
}

static void the_alternate_screen_leaves_the_main_one_alone(void **state)
{
    (void)state;
    fill_lines();
    put("\x1B[2;2H\x1B[?1049h");
    expect_row(0, "");
    put("\x1B[Hvi\x1B[6;1H\n\n");
    expect_row(0, "");
    put("\x1B[?1049l");
    expect_row(0, "aaa");
    expect_row(5, "fff");
    expect_cursor(1, 1);
    assert_string_equal(lost, ""); /* what scrolls there is not kept */
    put("\x1B[?1049h");
    expect_row(0, "");
    put("\x1B"
        "c");
    assert_int_equal(terminal.screen, 0);
}

static void answers_go_back(void **state)
{
    (void)state;
    put("\x1B[3;7H\x1B[6n");
    assert_string_equal(answers, "\x1B[3;7R");
    memset(answers, 0, sizeof(answers));
    put("\x1B[5n\x1B[c\x1BZ");
    assert_string_equal(answers, "\x1B[0n\x1B[?6c\x1B[?6c");
    memset(answers, 0, sizeof(answers));
    put("\x1B[999;999H\x1B[6n");
    assert_string_equal(answers, "\x1B[6;20R");
    memset(answers, 0, sizeof(answers));
    put("\x1B[>c\x1B[?6n\x1B[7n");
    assert_string_equal(answers, "");
}

static void nobody_needs_to_listen(void **state)
{
    (void)state;
    terminal.answers.put = NULL;
    terminal.line_out = NULL;
    put("\x1B[6n\n\n\n\n\n\n\n\n\n");
}

static void modes_that_others_ask_for(void **state)
{
    (void)state;
    put("\x1B[?1h\x1B[?25l");
    assert_true(terminal.cursor_keys);
    assert_false(terminal.cursor_visible);
    put("\x1B[?1;25l\x1B[?25h");
    assert_false(terminal.cursor_keys);
    assert_true(terminal.cursor_visible);
    put("\x1B[20hab\nc\x1B[20l\nd");
    expect_row(1, "c");
    expect_row(2, " d");
    put("\x1B[?1h\x1B[4h\x1B[2;3r\x1B[1m\x1B[!p");
    assert_false(terminal.cursor_keys || terminal.insert || terminal.cursor.pen.bold);
    assert_int_equal(terminal.bottom, 6);
}

static void only_changed_cells_are_dirty(void **state)
{
    (void)state;
    memset(terminal.dirty, 0, sizeof(terminal.dirty));
    put("\x1B[1m\r\n");
    for (unsigned row = 0; row < 6; row++)
        assert_int_equal(terminal.dirty[row].from, terminal.dirty[row].to);
    put("ab\x1B[10Gc");
    assert_int_equal(terminal.dirty[0].to, 0);
    assert_int_equal(terminal.dirty[1].from, 0);
    assert_int_equal(terminal.dirty[1].to, 10);
    put("\x1B[3;4Hx");
    assert_int_equal(terminal.dirty[2].from, 3);
    assert_int_equal(terminal.dirty[2].to, 4);
    put("\x1B[6;1H\n");
    assert_int_equal(terminal.dirty[0].to, 20);
}

static void every_cell_is_an_e_for_decaln(void **state)
{
    (void)state;
    put("\x1B#8");
    expect_row(0, "EEEEEEEEEEEEEEEEEEEE");
    expect_row(5, "EEEEEEEEEEEEEEEEEEEE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(carriage_return_and_line_feed_are_separate, set_up),
        cmocka_unit_test_setup(the_last_line_scrolls_the_others, set_up),
        cmocka_unit_test_setup(a_full_line_wraps_with_the_next_character, set_up),
        cmocka_unit_test_setup(without_autowrap_the_last_column_is_written_over, set_up),
        cmocka_unit_test_setup(backspace_and_tab_move_only, set_up),
        cmocka_unit_test_setup(tab_stops_are_set_and_cleared, set_up),
        cmocka_unit_test_setup(the_cursor_moves_and_stops_at_the_edges, set_up),
        cmocka_unit_test_setup(erasing, set_up),
        cmocka_unit_test_setup(erased_cells_take_the_background, set_up),
        cmocka_unit_test_setup(lines_are_inserted_and_deleted, set_up),
        cmocka_unit_test_setup(characters_are_inserted_and_deleted, set_up),
        cmocka_unit_test_setup(a_character_is_repeated, set_up),
        cmocka_unit_test_setup(scroll_region, set_up),
        cmocka_unit_test_setup(a_region_of_one_line_or_none_is_refused, set_up),
        cmocka_unit_test_setup(a_restored_cursor_above_the_region_is_in_its_first_row, set_up),
        cmocka_unit_test_setup(origin_mode_counts_from_the_region, set_up),
        cmocka_unit_test_setup(index_and_reverse_index, set_up),
        cmocka_unit_test_setup(cursor_and_pen_are_saved, set_up),
        cmocka_unit_test_setup(the_alternate_screen_leaves_the_main_one_alone, set_up),
        cmocka_unit_test_setup(answers_go_back, set_up),
        cmocka_unit_test_setup(nobody_needs_to_listen, set_up),
        cmocka_unit_test_setup(modes_that_others_ask_for, set_up),
        cmocka_unit_test_setup(only_changed_cells_are_dirty, set_up),
        cmocka_unit_test_setup(every_cell_is_an_e_for_decaln, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
