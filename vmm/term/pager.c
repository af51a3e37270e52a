/* A text as pages. Nothing is kept of it but where the lines that show begin. */
#include "term/pager.h"

#include "term/charset.h"

#include "lib/bits.h"

/* Where the line behind the one at `position` begins: a line ends with a line feed or at the right
 * edge. */
static uint64_t next_line(const struct pager *pager, uint64_t position)
{
    unsigned column = 0;

    while (position < pager->text.end) {
        uint8_t byte = pager->text.at(position++);
        if (byte == '\n')
            break;
        if (byte != '\r' && ++column == pager->columns) {
            /* A line feed right behind a full line belongs to it. */
            if (position < pager->text.end && pager->text.at(position) == '\n')
                position++;
            break;
        }
    }
    return position;
}

/* Walks through the text: counts its lines, and notes where those in the rows begin. */
static void find_lines(struct pager *pager)
{
    uint64_t position = pager->text.begin;
    unsigned line = 0;

    for (; position < pager->text.end; line++) {
        if (line >= pager->top && line - pager->top < pager->rows)
            pager->start[line - pager->top] = position;
        position = next_line(pager, position);
    }
    pager->line_count = line;
    for (; line < pager->top + pager->rows; line++)
        pager->start[line - pager->top] = pager->text.end;
}

static unsigned last_top(const struct pager *pager)
{
    return pager->line_count > pager->rows ? pager->line_count - pager->rows : 0;
}

void pager_open(struct pager *pager, struct pager_text text, unsigned columns, unsigned rows)
{
    *pager = (struct pager){.text = text, .columns = columns, .rows = rows};
    find_lines(pager);
    pager->top = last_top(pager);
    find_lines(pager);
}

void pager_key(struct pager *pager, enum console_key key)
{
    unsigned page = pager->rows > 1 ? pager->rows - 1 : 1; /* one line stays in sight */
    unsigned last = last_top(pager);

    switch (key) {
    case CONSOLE_KEY_UP:
        pager->top -= pager->top > 0;
        break;
    case CONSOLE_KEY_DOWN:
        pager->top++;
        break;
    case CONSOLE_KEY_PAGE_UP:
        pager->top -= (unsigned)min_u64(page, pager->top);
        break;
    case CONSOLE_KEY_PAGE_DOWN:
        pager->top += page;
        break;
    case CONSOLE_KEY_HOME:
        pager->top = 0;
        break;
    case CONSOLE_KEY_END:
        pager->top = last;
        break;
    default:
        break;
    }
    pager->top = (unsigned)min_u64(pager->top, last);
    find_lines(pager);
}

const uint16_t *pager_row(struct pager *pager, unsigned row)
{
    uint64_t position = pager->start[row], end = next_line(pager, position);
    unsigned column = 0;

    for (; position < end && column < pager->columns; position++) {
        uint8_t byte = pager->text.at(position);
        if (byte == '\n')
            break;
        if (byte == '\t')
            byte = ' ';
        if (byte != '\r')
            pager->cells[column++] =
                (uint16_t)((TERMINAL_BLANK & 0xFF00) |
                           (byte >= ' ' && byte < 0x7F ? byte : GLYPH_REPLACEMENT));
    }
    while (column < pager->columns)
        pager->cells[column++] = TERMINAL_BLANK;
    return pager->cells;
}
