/* The terminal's picture: cells, lines, cursor. */
#include "term/terminal_grid.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define ATTRIBUTE_PLAIN 7u /* light grey on black */
#define BRIGHT          8u
#define COLOUR_CYAN     3u

static void mark(struct terminal *terminal, unsigned row, unsigned from, unsigned to)
{
    struct terminal_span *span = &terminal->dirty[row];

    if (from >= to)
        return;
    if (span->from == span->to)
        *span = (struct terminal_span){(uint8_t)from, (uint8_t)to};
    if (from < span->from)
        span->from = (uint8_t)from;
    if (to > span->to)
        span->to = (uint8_t)to;
}

static void mark_rows(struct terminal *terminal, unsigned top, unsigned bottom)
{
    for (unsigned row = top; row < bottom; row++)
        terminal->dirty[row] = (struct terminal_span){0, (uint8_t)terminal->columns};
}

void terminal_mark_all(struct terminal *terminal)
{
    mark_rows(terminal, 0, terminal->rows);
}

/* Bold is a bright colour, underline a colour of its own: a VGA shows no other kind of either. */
static uint16_t attribute(const struct terminal_pen *pen)
{
    unsigned foreground = pen->foreground, background = pen->background;

    if (pen->underline && pen->plain_foreground)
        foreground = COLOUR_CYAN;
    if (pen->bold)
        foreground |= BRIGHT;
    else if (pen->faint && pen->plain_foreground)
        foreground = BRIGHT;
    if (pen->reverse) {
        unsigned swap = foreground;
        foreground = background;
        background = swap & ~BRIGHT;
    }
    if (pen->hidden)
        foreground = background;
    return (uint16_t)((foreground | background << 4) << 8);
}

static uint16_t blank_cell(const struct terminal *terminal)
{
    return (uint16_t)((ATTRIBUTE_PLAIN | terminal->cursor.pen.background << 4) << 8 | ' ');
}

static void fill(uint16_t *cells, unsigned count, uint16_t value)
{
    for (unsigned i = 0; i < count; i++)
        cells[i] = value;
}

void terminal_erase(struct terminal *terminal, unsigned row, unsigned from, unsigned to)
{
    if (from >= to)
        return;
    fill(terminal_row(terminal, row) + from, to - from, blank_cell(terminal));
    mark(terminal, row, from, to);
}

/* Turns numbers round: entry n takes that of n + count, and the first come in at the end. */
static void rotate(uint8_t *line, unsigned size, unsigned count)
{
    uint8_t first[TERMINAL_MAX_ROWS];

    memcpy(first, line, count);
    memmove(line, line + count, size - count);
    memcpy(line + size - count, first, count);
}

void terminal_scroll_up(struct terminal *terminal, unsigned top, unsigned bottom, unsigned count)
{
    uint8_t *line = terminal->line[terminal->screen];

    count = (unsigned)min_u64(count, bottom - top);
    rotate(line + top, bottom - top, count);
    for (unsigned row = bottom - count; row < bottom; row++)
        terminal_erase(terminal, row, 0, terminal->columns);
    mark_rows(terminal, top, bottom);
}

void terminal_scroll_down(struct terminal *terminal, unsigned top, unsigned bottom, unsigned count)
{
    uint8_t *line = terminal->line[terminal->screen];

    count = (unsigned)min_u64(count, bottom - top);
    rotate(line + top, bottom - top, bottom - top - count);
    for (unsigned row = top; row < top + count; row++)
        terminal_erase(terminal, row, 0, terminal->columns);
    mark_rows(terminal, top, bottom);
}

void terminal_line_feed(struct terminal *terminal)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    cursor->wrap_next = false;
    if (cursor->row + 1 == terminal->bottom) {
        if (terminal->top == 0 && terminal->screen == 0 && terminal->line_out)
            terminal->line_out(terminal->line_ctx, terminal_row(terminal, 0));
        terminal_scroll_up(terminal, terminal->top, terminal->bottom, 1);
    } else if (cursor->row + 1 < terminal->rows) {
        cursor->row++;
    }
}

void terminal_reverse_line_feed(struct terminal *terminal)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    cursor->wrap_next = false;
    if (cursor->row == terminal->top)
        terminal_scroll_down(terminal, terminal->top, terminal->bottom, 1);
    else if (cursor->row > 0)
        cursor->row--;
}

void terminal_glyph(struct terminal *terminal, uint8_t glyph, unsigned width)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    width = (unsigned)min_u64(width, terminal->columns);
    if (terminal->autowrap && (cursor->wrap_next || cursor->column + width > terminal->columns)) {
        cursor->column = 0;
        terminal_line_feed(terminal);
    }
    cursor->column = (unsigned)min_u64(cursor->column, terminal->columns - width);
    if (terminal->insert)
        terminal_insert_cells(terminal, width);
    uint16_t *cells = terminal_row(terminal, cursor->row) + cursor->column;
    uint16_t look = attribute(&cursor->pen);
    cells[0] = look | glyph;
    if (width == 2)
        cells[1] = look | ' ';
    mark(terminal, cursor->row, cursor->column, cursor->column + width);
    cursor->column += width;
    if (cursor->column == terminal->columns) {
        cursor->column--;
        cursor->wrap_next = true;
    }
    terminal->last_glyph = glyph;
}

unsigned terminal_glyphs(struct terminal *terminal, const uint8_t *glyphs, unsigned count)
{
    struct terminal_cursor *cursor = &terminal->cursor;
    unsigned from = cursor->column;

    count = (unsigned)min_u64(count, terminal->columns - 1 - from);
    if (count == 0 || cursor->wrap_next || terminal->insert)
        return 0;
    uint16_t *cells = terminal_row(terminal, cursor->row) + from;
    uint16_t look = attribute(&cursor->pen);
    for (unsigned i = 0; i < count; i++)
        cells[i] = look | glyphs[i];
    mark(terminal, cursor->row, from, from + count);
    cursor->column = from + count;
    terminal->last_glyph = glyphs[count - 1];
    return count;
}

static bool is_tab(const struct terminal *terminal, unsigned column)
{
    return terminal->tabs[column / 8] & BIT(column % 8);
}

void terminal_tab(struct terminal *terminal, unsigned count)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    while (count-- && cursor->column + 1 < terminal->columns)
        do
            cursor->column++;
        while (cursor->column + 1 < terminal->columns && !is_tab(terminal, cursor->column));
}

void terminal_back_tab(struct terminal *terminal, unsigned count)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    cursor->wrap_next = false;
    while (count-- && cursor->column > 0)
        do
            cursor->column--;
        while (cursor->column > 0 && !is_tab(terminal, cursor->column));
}

void terminal_move_to(struct terminal *terminal, unsigned row, unsigned column)
{
    struct terminal_cursor *cursor = &terminal->cursor;
    unsigned top = cursor->origin ? terminal->top : 0;
    unsigned bottom = cursor->origin ? terminal->bottom : terminal->rows;

    cursor->row = top + (unsigned)min_u64(row, bottom - top - 1);
    cursor->column = (unsigned)min_u64(column, terminal->columns - 1);
    cursor->wrap_next = false;
}

void terminal_insert_cells(struct terminal *terminal, unsigned count)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    uint16_t *cells = terminal_row(terminal, cursor->row) + cursor->column;
    unsigned room = terminal->columns - cursor->column;

    count = (unsigned)min_u64(count, room);
    memmove(cells + count, cells, (room - count) * sizeof(cells[0]));
    terminal_erase(terminal, cursor->row, cursor->column, cursor->column + count);
    mark(terminal, cursor->row, cursor->column, terminal->columns);
}

void terminal_delete_cells(struct terminal *terminal, unsigned count)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    uint16_t *cells = terminal_row(terminal, cursor->row) + cursor->column;
    unsigned room = terminal->columns - cursor->column;

    count = (unsigned)min_u64(count, room);
    memmove(cells, cells + count, (room - count) * sizeof(cells[0]));
    terminal_erase(terminal, cursor->row, terminal->columns - count, terminal->columns);
    mark(terminal, cursor->row, cursor->column, terminal->columns);
}

void terminal_fill_with_e(struct terminal *terminal)
{
    for (unsigned row = 0; row < terminal->rows; row++)
        fill(terminal_row(terminal, row), terminal->columns, ATTRIBUTE_PLAIN << 8 | 'E');
    terminal_mark_all(terminal);
}

void terminal_save_cursor(struct terminal *terminal)
{
    terminal->saved[terminal->screen] = terminal->cursor;
}

void terminal_restore_cursor(struct terminal *terminal)
{
    terminal->cursor = terminal->saved[terminal->screen];
}

void terminal_show(struct terminal *terminal, unsigned screen)
{
    if (terminal->screen == screen)
        return;
    terminal->screen = screen;
    terminal_mark_all(terminal);
}

void terminal_reset(struct terminal *terminal)
{
    const struct terminal_cursor home = {
        .pen = {.foreground = ATTRIBUTE_PLAIN, .plain_foreground = true},
    };

    terminal->cursor = terminal->saved[0] = terminal->saved[1] = home;
    terminal->top = 0;
    terminal->bottom = terminal->rows;
    terminal->autowrap = terminal->cursor_visible = true;
    terminal->insert = terminal->newline = terminal->cursor_keys = false;
    terminal->last_glyph = ' ';
    for (unsigned column = 0; column < sizeof(terminal->tabs); column++)
        terminal->tabs[column] = 1; /* each eighth column */
    for (unsigned screen = 0; screen < 2; screen++) {
        terminal->screen = 1 - screen;
        for (unsigned row = 0; row < terminal->rows; row++)
            terminal_erase(terminal, row, 0, terminal->columns);
    }
    terminal_mark_all(terminal);
}
