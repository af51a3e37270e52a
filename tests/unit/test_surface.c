/* needs: vmm/term/surface.c vmm/term/history.c vmm/term/pager.c vmm/lib/mem.c */
#include "term/surface.h"

#include "term/history.h"
#include "term/pager.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct surface surface;
static uint16_t wanted[3][100], screen[3][100];
static unsigned painted, calls;

static void paint(void *ctx, unsigned row, unsigned column, const uint16_t *cells, unsigned count)
{
    (void)ctx;
    assert_true(count >= 1 && count <= 32 && row < 3 && column + count <= 100);
    memcpy(&screen[row][column], cells, count * sizeof(*cells));
    painted += count;
    calls++;
}

static const uint16_t *wanted_row(void *ctx, unsigned row)
{
    (void)ctx;
    return wanted[row];
}

static bool draw(unsigned cells)
{
    painted = calls = 0;
    return surface_draw(&surface, (struct row_source){wanted_row, NULL}, cells);
}

static int set_up(void **state)
{
    (void)state;
    memset(wanted, 0x07, sizeof(wanted));
    memset(screen, 0xEE, sizeof(screen));
    surface_init(&surface, 100, 3, (struct painter){paint, NULL});
    return 0;
}

static void everything_is_drawn_first_and_then_only_changes(void **state)
{
    (void)state;
    assert_true(draw(1000));
    assert_int_equal(painted, 300);
    assert_memory_equal(screen, wanted, sizeof(screen));
    surface_mark_all(&surface);
    assert_true(draw(1000));
    assert_int_equal(painted, 0);
    wanted[1][5] = wanted[1][6] = wanted[2][99] = 0x1234;
    surface_mark(&surface, 1, 0, 50);
    surface_mark(&surface, 2, 99, 100);
    assert_true(draw(1000));
    assert_int_equal(painted, 3);
    assert_int_equal(calls, 2);
    assert_memory_equal(screen, wanted, sizeof(screen));
}

static void what_is_not_marked_is_not_looked_at(void **state)
{
    (void)state;
    draw(1000);
    wanted[0][0] = 1;
    surface_mark(&surface, 0, 1, 100);
    surface_mark(&surface, 1, 7, 7);
    assert_true(draw(1000));
    assert_int_equal(painted, 0);
}

static void portions_end_and_go_on(void **state)
{
    (void)state;
    unsigned portions = 1;
    while (!draw(40)) {
        assert_true(painted >= 1 && painted <= 40 + 32);
        portions++;
        assert_true(portions < 20);
    }
    assert_true(portions >= 300 / (40 + 32));
    assert_memory_equal(screen, wanted, sizeof(screen));
    assert_true(draw(40));
    assert_int_equal(painted, 0);
}

static void the_cursor_is_an_inverted_cell(void **state)
{
    (void)state;
    wanted[1][3] = 0x1E41;
    surface_move_cursor(&surface, 1, 3);
    draw(1000);
    assert_int_equal(screen[1][3], 0xE141);
    surface_move_cursor(&surface, 2, 0);
    assert_true(draw(1000));
    assert_int_equal(painted, 2);
    assert_int_equal(screen[1][3], 0x1E41);
    surface_move_cursor(&surface, 3, 0); /* nowhere */
    draw(1000);
    assert_memory_equal(screen, wanted, sizeof(screen));
}

static void check_line(const struct history *history, unsigned back, const uint16_t *line,
                       unsigned columns)
{
    uint16_t cells[201];
    cells[columns] = 0xBEEF;
    history_line(history, back, cells);
    assert_memory_equal(cells, line, columns * sizeof(*line));
    assert_int_equal(cells[columns], 0xBEEF);
}

static void history_keeps_the_newest_lines(void **state)
{
    (void)state;
    struct history history;
    uint32_t memory[30]; /* 3 lines of 4 cells */
    uint16_t line[4] = {0, 0x0720, 0x1E41, 0};
    history_init(&history, memory, sizeof(memory), 4);
    for (uint16_t i = 1; i <= 5; i++) {
        line[0] = line[3] = i;
        history_add(&history, line);
        assert_int_equal(history.count, i < 3 ? i : 3);
        check_line(&history, 1, line, 4);
    }
    line[0] = line[3] = 3;
    check_line(&history, 3, line, 4);
    history_init(&history, NULL, 4096, 4);
    history_add(&history, line);
    assert_int_equal(history.count, 0);
    history_init(&history, memory, 20, 4); /* a line that fits would not be kept for sure */
    history_add(&history, line);
    assert_int_equal(history.count, 0);
}

/* 80 columns, 8192 bytes of memory: 204 lines and 7376 bytes of text, of which one stays free. */
static void history_takes_a_byte_for_a_cell_of_text(void **state)
{
    (void)state;
    static uint32_t memory[2048];
    struct history history;
    uint16_t line[80];
    history_init(&history, memory, sizeof(memory), 80);
    for (unsigned i = 0; i < 80; i++)
        line[i] = i < 48 ? 0x0741 : 0x0720;
    for (unsigned i = 0; i < 1000; i++)
        history_add(&history, line);
    assert_int_equal(history.count, 147); /* of 50 bytes */
    check_line(&history, 147, line, 80);
    for (unsigned i = 0; i < 80; i++)
        line[i] = (uint16_t)(i << 8);
    for (unsigned i = 0; i < 1000; i++)
        history_add(&history, line);
    assert_int_equal(history.count, 30); /* of 240 bytes */
    check_line(&history, 30, line, 80);
    for (unsigned i = 0; i < 80; i++)
        line[i] = 0x0720;
    for (unsigned i = 0; i < 1000; i++)
        history_add(&history, line);
    assert_int_equal(history.count, 204);
    check_line(&history, 204, line, 80);
}

/* Lines of all lengths and any attributes, against a list of them. */
static void history_gives_lines_back_as_they_were(void **state)
{
    (void)state;
    static uint32_t memory[1024];
    static uint16_t lines[3000][200];
    struct history history;
    uint32_t noise = 1;
    history_init(&history, memory, sizeof(memory), 200);
    for (unsigned n = 0; n < 3000; n++) {
        noise = noise * 1664525 + 1013904223;
        unsigned width = (noise >> 8) % 201, mask = noise >> 30 ? 0x10F : 0xFFFF;
        for (unsigned i = 0; i < 200; i++) {
            noise = noise * 1664525 + 1013904223;
            lines[n][i] = i < width ? (uint16_t)(noise >> 16 & mask) : 0x0720;
        }
        history_add(&history, lines[n]);
        assert_in_range(history.count, 1, 102);
        for (unsigned back = 1; back <= history.count; back++)
            check_line(&history, back, lines[n + 1 - back], 200);
    }
}

static const char *text;

static uint8_t text_at(uint64_t position)
{
    return (uint8_t)text[position - 1000];
}

static void expect_page(struct pager *pager, const char *rows)
{
    char got[64] = "";
    for (unsigned row = 0; row < pager->rows; row++) {
        const uint16_t *cells = pager_row(pager, row);
        unsigned length = strlen(got);
        for (unsigned column = 0; column < pager->columns; column++)
            got[length++] = (cells[column] & 0xFF) ? (char)cells[column] : '#';
        got[length] = '|';
    }
    assert_string_equal(got, rows);
}

static void a_log_is_paged_through(void **state)
{
    (void)state;
    struct pager pager;
    text = "one\r\ntwo\nabcdefgh\nab\n\nend\x01";
    pager_open(&pager, (struct pager_text){1000, 1000 + strlen(text), text_at}, 4, 3);
    assert_int_equal(pager.line_count, 7);
    expect_page(&pager, "ab  |    |end#|"); /* a control character has no glyph */
    pager_key(&pager, CONSOLE_KEY_UP);
    expect_page(&pager, "efgh|ab  |    |");
    pager_key(&pager, CONSOLE_KEY_PAGE_UP);
    expect_page(&pager, "two |abcd|efgh|");
    pager_key(&pager, CONSOLE_KEY_HOME);
    expect_page(&pager, "one |two |abcd|");
    pager_key(&pager, CONSOLE_KEY_UP);
    expect_page(&pager, "one |two |abcd|");
    pager_key(&pager, CONSOLE_KEY_PAGE_DOWN);
    expect_page(&pager, "abcd|efgh|ab  |");
    pager_key(&pager, CONSOLE_KEY_DOWN);
    expect_page(&pager, "efgh|ab  |    |");
    pager_key(&pager, CONSOLE_KEY_END);
    assert_int_equal(pager.top, 4);
    pager_key(&pager, CONSOLE_KEY_PAGE_DOWN);
    assert_int_equal(pager.top, 4);
}

static void a_short_log_fills_the_rest_with_blanks(void **state)
{
    (void)state;
    struct pager pager;
    text = "a\n";
    pager_open(&pager, (struct pager_text){1000, 1002, text_at}, 4, 3);
    expect_page(&pager, "a   |    |    |");
    pager_open(&pager, (struct pager_text){1000, 1000, text_at}, 4, 3);
    pager_key(&pager, CONSOLE_KEY_PAGE_UP);
    expect_page(&pager, "    |    |    |");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(everything_is_drawn_first_and_then_only_changes, set_up),
        cmocka_unit_test_setup(what_is_not_marked_is_not_looked_at, set_up),
        cmocka_unit_test_setup(portions_end_and_go_on, set_up),
        cmocka_unit_test_setup(the_cursor_is_an_inverted_cell, set_up),
        cmocka_unit_test(history_keeps_the_newest_lines),
        cmocka_unit_test(history_takes_a_byte_for_a_cell_of_text),
        cmocka_unit_test(history_gives_lines_back_as_they_were),
        cmocka_unit_test(a_log_is_paged_through),
        cmocka_unit_test(a_short_log_fills_the_rest_with_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
