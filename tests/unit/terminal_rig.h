/* A terminal of 20 columns and 6 rows whose answers and lost lines are kept. */
#ifndef TERMINAL_RIG_H
#define TERMINAL_RIG_H

#include "term/terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define RIG_COLUMNS 20
#define RIG_ROWS    6

static struct terminal terminal;
static char answers[256];
static char lost[256]; /* the first character of each line that scrolled off */

static inline void keep_answer(void *ctx, uint8_t byte)
{
    size_t len = strlen(answers);
    (void)ctx;
    assert_true(len + 1 < sizeof(answers));
    answers[len] = (char)byte;
}

static inline void keep_line(void *ctx, const uint16_t *cells)
{
    size_t len = strlen(lost);
    (void)ctx;
    assert_true(len + 1 < sizeof(lost));
    lost[len] = (char)cells[0];
}

static inline int set_up(void **state)
{
    (void)state;
    memset(answers, 0, sizeof(answers));
    memset(lost, 0, sizeof(lost));
    terminal_init(&terminal, RIG_COLUMNS, RIG_ROWS);
    terminal.answers = (struct byte_sink){keep_answer, NULL};
    terminal.line_out = keep_line;
    return 0;
}

static inline void put(const char *text)
{
    for (; *text; text++)
        terminal_put(&terminal, (uint8_t)*text);
}

/* The row's glyphs, blanks at its end left out. */
static inline void expect_row(unsigned row, const char *text)
{
    char got[RIG_COLUMNS + 1] = "";
    for (unsigned i = 0; i < RIG_COLUMNS; i++)
        got[i] = (char)terminal_row(&terminal, row)[i];
    for (unsigned i = RIG_COLUMNS; i > 0 && got[i - 1] == ' '; i--)
        got[i - 1] = 0;
    assert_string_equal(got, text);
}

static inline void expect_cursor(unsigned row, unsigned column)
{
    assert_int_equal(terminal.cursor.row, row);
    assert_int_equal(terminal.cursor.column, column);
}

/* The cell in the screen's upper left corner: attribute and glyph. */
static inline uint16_t corner(void)
{
    return terminal_row(&terminal, 0)[0];
}

/* Six lines: a b c d e f. */
static inline void fill_lines(void)
{
    put("\x1B[Haaa\r\nbbb\r\nccc\r\nddd\r\neee\r\nfff");
}

#endif
