/* needs: vmm/debug/lineedit.c vmm/lib/text.c vmm/lib/fmt.c vmm/lib/mem.c vmm/term/terminal.c vmm/term/terminal_grid.c vmm/term/terminal_csi.c vmm/term/charset.c */
/* The line editor at our own terminal: what its screen shows is what counts. */
#include "debug/lineedit.h"
#include "term/terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define UP    "\033[A"
#define DOWN  "\033[B"
#define RIGHT "\033[C"
#define LEFT  "\033[D"

static struct terminal terminal;
static struct lineedit edit;
static const char *finished;
static unsigned bells;

static void show(void *ctx, uint8_t byte)
{
    (void)ctx;
    bells += byte == '\a';
    terminal_put(&terminal, byte);
}

static int set_up(void **state)
{
    (void)state;
    terminal_init(&terminal, 80, 24);
    lineedit_init(&edit, (struct byte_sink){show, NULL}, "> ");
    lineedit_show(&edit);
    bells = 0;
    return 0;
}

static void type_bytes(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char *line = lineedit_put(&edit, (uint8_t)bytes[i]);
        if (line)
            finished = line;
        assert_true(edit.length <= 70 && edit.cursor <= edit.length);
        assert_int_equal(strlen(edit.line), edit.length);
    }
}

#define TYPE(text) type_bytes(text, sizeof(text) - 1)

/* The last row of the screen that is in use, without the blanks at its end. */
static const char *row_text(unsigned row)
{
    static char text[81];
    const uint16_t *cells = terminal_row(&terminal, row);
    unsigned length = 0;
    for (unsigned column = 0; column < 80; column++) {
        text[column] = (char)(cells[column] & 0xff);
        if (text[column] != ' ' && text[column])
            length = column + 1;
    }
    text[length] = '\0';
    return text;
}

/* What the screen shows where the cursor is: text, and the cursor's column. */
static void expect(const char *text, unsigned column)
{
    assert_string_equal(row_text(terminal.cursor.row), text);
    assert_int_equal(terminal.cursor.column, column);
}

static void expect_finished(const char *line)
{
    assert_non_null(finished);
    assert_string_equal(finished, line);
    finished = NULL;
}

static void what_is_typed_shows(void **state)
{
    (void)state;
    expect(">", 2);
    TYPE("help");
    expect("> help", 6);
    TYPE("\r");
    expect_finished("help");
    assert_int_equal(terminal.cursor.row, 1);
    expect("", 0);
}

static void cr_lf_is_one_end(void **state)
{
    (void)state;
    TYPE("a\r\n");
    expect_finished("a");
    TYPE("b\n");
    expect_finished("b");
    TYPE("\n");
    expect_finished("");
}

static void editing_inside_of_a_line(void **state)
{
    (void)state;
    TYPE("abd" LEFT "c");
    expect("> abcd", 5);
    TYPE("\001x\005y");
    expect("> xabcdy", 8);
    TYPE("\033[H\033[3~");
    expect("> abcdy", 2);
    TYPE("\033[F\177");
    expect("> abcd", 6);
    TYPE(LEFT LEFT "\b");
    expect("> acd", 3);
    TYPE("\013");
    expect("> a", 3);
    TYPE("\025");
    expect(">", 2);
    TYPE("\033OD\033[1~\033[4~q\033[7~\033[8~" RIGHT "r\002\006s");
    expect("> qrs", 5);
}

static void ctrl_w_deletes_a_word(void **state)
{
    (void)state;
    TYPE("one two  \027");
    expect("> one", 6);
    TYPE("\027");
    expect(">", 2);
    TYPE("\027");
    assert_int_equal(bells, 1);
}

static void ctrl_c_drops_the_line(void **state)
{
    (void)state;
    TYPE("reset\003");
    assert_string_equal(row_text(0), "> reset^C");
    expect(">", 2);
    TYPE("\r");
    expect_finished("");
}

static void ctrl_l_begins_at_the_top(void **state)
{
    (void)state;
    TYPE("a\rb\rcd\014");
    assert_int_equal(terminal.cursor.row, 0);
    expect("> cd", 4);
}

static void history_comes_back(void **state)
{
    (void)state;
    TYPE("one\rtwo\rtwo\r\r");
    lineedit_show(&edit);
    TYPE("new" UP);
    expect("> two", 5);
    TYPE(UP);
    expect("> one", 5);
    TYPE(UP);
    assert_int_equal(bells, 1);
    TYPE(DOWN DOWN);
    expect("> new", 5);
    TYPE(DOWN);
    assert_int_equal(bells, 2);
    TYPE("\020\020!\r");
    expect_finished("one!");
    lineedit_show(&edit);
    TYPE(UP);
    expect("> one!", 6);
    TYPE("\016");
    expect(">", 2);
}

static void history_keeps_sixteen_lines(void **state)
{
    (void)state;
    char line[8];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(line, sizeof(line), "l%u\r", i);
        type_bytes(line, strlen(line));
    }
    lineedit_show(&edit);
    for (unsigned i = 0; i < 16; i++)
        TYPE(UP);
    expect("> l4", 4);
    assert_int_equal(bells, 0);
    TYPE(UP);
    assert_int_equal(bells, 1);
    expect("> l4", 4);
}

static void a_line_ends_before_the_edge(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        TYPE("w");
    assert_int_equal(bells, 30);
    assert_int_equal(terminal.cursor.row, 0);
    assert_int_equal(terminal.cursor.column, 72);
    TYPE("\001v\004u");
    assert_int_equal(bells, 31);
    assert_int_equal(edit.line[0], 'u');
    TYPE("\r");
    assert_int_equal(strlen(finished), 70);
}

static const char *candidate(void *ctx, const char *line, unsigned word, unsigned number)
{
    static const char *const commands[] = {"help", "info", "registers", "reset", "resume"};
    static const char *const topics[] = {"cpu", "pci"};
    (void)ctx;
    if (word == 0)
        return number < 5 ? commands[number] : NULL;
    if (strncmp(line, "info ", 5) == 0)
        return number < 2 ? topics[number] : NULL;
    return NULL;
}

static void tab_completes(void **state)
{
    (void)state;
    TYPE("h\t");
    assert_int_equal(bells, 1);
    edit.candidate = candidate;
    TYPE("\t");
    expect("> help", 7);
    TYPE("x\t");
    assert_int_equal(bells, 2);
    TYPE("\025inf\tp\t");
    expect("> info pci", 11);
    TYPE("\025re\t");
    assert_string_equal(row_text(1), "registers reset resume");
    expect("> re", 4);
    TYPE("s\t");
    assert_string_equal(row_text(3), "reset resume");
    TYPE("u\t");
    expect("> resume", 9);
    TYPE("\001\t");
    assert_int_equal(bells, 3);
    TYPE("\025\005\t");
    assert_int_equal(terminal.cursor.row, 4);
}

static void broken_sequences_leave_no_trace(void **state)
{
    (void)state;
    TYPE("a\033[999999999999999999999~b\033[;?1;2Xc\033\033[Dd\033Ze\033[\003");
    expect(">", 2);
    assert_string_equal(row_text(0), "> abdec^C");
    TYPE("\000\021\022\034\037\200\377\302\251");
    expect(">", 2);
    TYPE("\033[1\rq");
    expect("q", 1);
    assert_string_equal(edit.line, "q");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_typed_shows, set_up),
        cmocka_unit_test_setup(cr_lf_is_one_end, set_up),
        cmocka_unit_test_setup(editing_inside_of_a_line, set_up),
        cmocka_unit_test_setup(ctrl_w_deletes_a_word, set_up),
        cmocka_unit_test_setup(ctrl_c_drops_the_line, set_up),
        cmocka_unit_test_setup(ctrl_l_begins_at_the_top, set_up),
        cmocka_unit_test_setup(history_comes_back, set_up),
        cmocka_unit_test_setup(history_keeps_sixteen_lines, set_up),
        cmocka_unit_test_setup(a_line_ends_before_the_edge, set_up),
        cmocka_unit_test_setup(tab_completes, set_up),
        cmocka_unit_test_setup(broken_sequences_leave_no_trace, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
