/* The text terminal behind the screen. */
#include "hw/terminal.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define ATTRIBUTE   0x0700u /* light grey on black */
#define TAB_COLUMNS 8u
#define ESC         0x1B
#define BEL         0x07
#define DEL         0x7F

/* A sequence that never ends may not swallow the console for good. */
#define MAX_ESCAPE_BYTES 256u

static void mark_dirty(struct terminal *terminal, unsigned from, unsigned to)
{
    if (terminal->dirty_from == terminal->dirty_to) {
        terminal->dirty_from = from;
        terminal->dirty_to = to;
    } else {
        terminal->dirty_from = (unsigned)min_u64(terminal->dirty_from, from);
        terminal->dirty_to = (unsigned)max_u64(terminal->dirty_to, to);
    }
}

static void blank(struct terminal *terminal, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        terminal->cell[i] = ATTRIBUTE | ' ';
}

void terminal_init(struct terminal *terminal, unsigned columns, unsigned rows, unsigned row)
{
    *terminal = (struct terminal){.columns = columns, .rows = rows, .row = row};
    blank(terminal, 0, columns * rows);
}

static void line_feed(struct terminal *terminal)
{
    unsigned cells = terminal->columns * terminal->rows;

    if (terminal->row + 1 < terminal->rows) {
        terminal->row++;
        return;
    }
    memmove(terminal->cell, terminal->cell + terminal->columns,
            (cells - terminal->columns) * sizeof(terminal->cell[0]));
    blank(terminal, cells - terminal->columns, cells);
    mark_dirty(terminal, 0, cells);
}

static void put_cell(struct terminal *terminal, uint8_t byte)
{
    if (terminal->column == terminal->columns) {
        terminal->column = 0;
        line_feed(terminal);
    }
    unsigned at = terminal->row * terminal->columns + terminal->column++;
    terminal->cell[at] = ATTRIBUTE | byte;
    mark_dirty(terminal, at, at + 1);
}

static enum terminal_escape after_esc(uint8_t byte)
{
    switch (byte) {
    case '[':
        return ESCAPE_CSI;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        return ESCAPE_STRING;
    case '(':
    case ')':
    case '*':
    case '+':
    case '#':
    case '%':
    case ' ':
        return ESCAPE_ONE_MORE;
    default:
        return ESCAPE_NONE;
    }
}

static enum terminal_escape next_escape(struct terminal *terminal, uint8_t byte)
{
    if (byte == ESC) {
        terminal->escape_bytes = 0;
        return ESCAPE_BEGUN;
    }
    if (++terminal->escape_bytes > MAX_ESCAPE_BYTES)
        return ESCAPE_NONE;
    switch (terminal->escape) {
    case ESCAPE_BEGUN:
        return after_esc(byte);
    case ESCAPE_CSI:
        return byte >= 0x40 && byte <= 0x7E ? ESCAPE_NONE : ESCAPE_CSI;
    case ESCAPE_STRING:
        return byte == BEL ? ESCAPE_NONE : ESCAPE_STRING;
    default:
        return ESCAPE_NONE;
    }
}

static void put_control(struct terminal *terminal, uint8_t byte)
{
    switch (byte) {
    case '\r':
        terminal->column = 0;
        break;
    case '\n':
        line_feed(terminal);
        break;
    case '\b':
        if (terminal->column)
            terminal->column--;
        break;
    case '\t':
        while (terminal->column < terminal->columns) {
            put_cell(terminal, ' ');
            if (terminal->column % TAB_COLUMNS == 0)
                break;
        }
        break;
    default:
        break;
    }
}

void terminal_put(struct terminal *terminal, uint8_t byte)
{
    if (terminal->escape != ESCAPE_NONE || byte == ESC)
        terminal->escape = next_escape(terminal, byte);
    else if (byte < ' ' || byte == DEL)
        put_control(terminal, byte);
    else if (byte < 0x80)
        put_cell(terminal, byte);
    else if (byte >= 0xC0) /* UTF-8: one mark a character, its further bytes (80h to BFh) none */
        put_cell(terminal, '?');
}
