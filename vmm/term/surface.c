/* From wanted cells to drawn ones. */
#include "term/surface.h"

#include "lib/bits.h"
#include "lib/mem.h"

/* No program shows white on white on purpose. */
#define UNKNOWN 0xFFFFu

void surface_init(struct surface *surface, unsigned columns, unsigned rows, struct painter painter)
{
    *surface =
        (struct surface){.columns = columns, .rows = rows, .painter = painter, .cursor_row = rows};
    memset(surface->shown, UNKNOWN & 0xFF, sizeof(surface->shown));
    surface_mark_all(surface);
}

void surface_mark(struct surface *surface, unsigned row, unsigned from, unsigned to)
{
    struct terminal_span *span = &surface->span[row];

    if (from >= to)
        return;
    surface->dirty = true;
    if (span->from == span->to)
        *span = (struct terminal_span){(uint8_t)from, (uint8_t)to};
    span->from = (uint8_t)min_u64(span->from, from);
    span->to = (uint8_t)max_u64(span->to, to);
}

void surface_mark_all(struct surface *surface)
{
    for (unsigned row = 0; row < surface->rows; row++)
        surface_mark(surface, row, 0, surface->columns);
}

static void mark_cursor(struct surface *surface)
{
    if (surface->cursor_row < surface->rows)
        surface_mark(surface, surface->cursor_row, surface->cursor_column,
                     surface->cursor_column + 1);
}

void surface_move_cursor(struct surface *surface, unsigned row, unsigned column)
{
    if (row == surface->cursor_row && column == surface->cursor_column)
        return;
    mark_cursor(surface);
    surface->cursor_row = row;
    surface->cursor_column = column;
    mark_cursor(surface);
}

static uint16_t inverted(uint16_t cell)
{
    return (uint16_t)((cell & 0xFF) | (cell & 0x0F00) << 4 | (cell & 0xF000) >> 4);
}

/* The row as it shall look: with the cursor, in `buffer`. */
static const uint16_t *with_cursor(const struct surface *surface, unsigned row,
                                   const uint16_t *wanted, uint16_t *buffer)
{
    unsigned at = surface->cursor_column;
    if (row != surface->cursor_row || at >= surface->columns)
        return wanted;
    memcpy(buffer, wanted, surface->columns * sizeof(*buffer));
    buffer[at] = inverted(wanted[at]);
    return buffer;
}

static inline uint64_t four_cells(const uint16_t *cells)
{
    uint64_t four;
    memcpy(&four, cells, sizeof(four));
    return four;
}

/* The first column from `column` on that shows something else than is wanted. */
static unsigned first_change(const uint16_t *shown, const uint16_t *wanted, unsigned column,
                             unsigned to)
{
    while (column + 4 <= to && four_cells(shown + column) == four_cells(wanted + column))
        column += 4;
    while (column < to && shown[column] == wanted[column])
        column++;
    return column;
}

/* Draws the row's changed cells, up to `most`, in runs of neighbours; returns how many. */
static unsigned draw_row(struct surface *surface, unsigned row, const uint16_t *wanted,
                         unsigned most)
{
    struct terminal_span *span = &surface->span[row];
    uint16_t *shown = surface->shown[row], buffer[TERMINAL_MAX_COLUMNS];
    unsigned column = span->from, to = span->to, drawn = 0;

    wanted = with_cursor(surface, row, wanted, buffer);
    while (drawn < most) {
        unsigned first = column = first_change(shown, wanted, column, to);
        unsigned end = (unsigned)min_u64(to, first + SURFACE_RUN);
        for (; column < end && shown[column] != wanted[column]; column++)
            shown[column] = wanted[column];
        if (column == first)
            break; /* nothing is left */
        surface->painter.paint(surface->painter.ctx, row, first, shown + first, column - first);
        drawn += column - first;
    }
    span->from = (uint8_t)column;
    return drawn;
}

bool surface_draw(struct surface *surface, struct row_source source, unsigned cells)
{
    for (unsigned n = 0; surface->dirty && n < surface->rows; n++) {
        unsigned row = surface->next_row;
        struct terminal_span *span = &surface->span[row];
        if (span->from < span->to)
            cells -= (unsigned)min_u64(cells,
                                       draw_row(surface, row, source.row(source.ctx, row), cells));
        if (span->from < span->to)
            return false; /* the portion is used up in the middle of a row */
        *span = (struct terminal_span){0, 0};
        surface->next_row = row + 1 == surface->rows ? 0 : row + 1;
    }
    surface->dirty = false;
    return true;
}
