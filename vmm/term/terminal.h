/*
 * A text terminal: bytes go in, a grid of cells and answers come out. Pure, without a screen. It
 * speaks what TERM=linux, vt100 and vt102 promise to a shell, less, vi or top (docs/CONSOLE.md has
 * the list); what it doesn't know, it swallows. No byte can make it do more than a screenful of
 * work, or answer more than one short sequence.
 */
#ifndef TERM_TERMINAL_H
#define TERM_TERMINAL_H

#include "lib/types.h"

#define TERMINAL_MAX_COLUMNS 200u
#define TERMINAL_MAX_ROWS    75u
#define TERMINAL_MAX_PARAMS  16u

/* A cell holds a glyph (term/charset.h) and an attribute << 8 as the VGA has it: foreground, and
 * background << 4, each 1 blue, 2 green, 4 red, 8 bright. */
#define TERMINAL_BLANK 0x0720u

/* How the next characters look. Colours are a cell's. */
struct terminal_pen {
    uint8_t foreground, background;
    bool plain_foreground; /* no colour was chosen */
    bool bold, faint, underline, reverse, hidden;
};

struct terminal_cursor {
    unsigned column, row;
    bool wrap_next; /* in the last column, and the next character begins a new line */
    bool origin;    /* rows count from the scroll region's top, and the cursor stays inside */
    struct terminal_pen pen;
    bool graphics[2]; /* G0, G1: line drawing instead of ASCII */
    uint8_t shift;    /* which of them is in use */
};

enum terminal_state {
    TERMINAL_GROUND,
    TERMINAL_ESCAPE,       /* after ESC */
    TERMINAL_CHARSET,      /* ESC ( or ESC ): one byte follows */
    TERMINAL_HASH,         /* ESC #: one byte follows */
    TERMINAL_ONE_MORE,     /* another intermediate byte: one byte follows, ignored */
    TERMINAL_CSI,          /* ESC [ parameters */
    TERMINAL_CSI_IGNORE,   /* ... which make no sense, until the final byte */
    TERMINAL_FUNCTION_KEY, /* ESC [ [: one byte follows */
    TERMINAL_OSC,          /* ESC ]: its first byte follows */
    TERMINAL_PALETTE,      /* ESC ] P: seven digits follow */
    TERMINAL_STRING        /* ESC ] P X ^ _ ... until BEL or ESC \ */
};

/* A row's cells that changed since they were last taken: [from, to), equal when there are none. */
struct terminal_span {
    uint8_t from, to;
};

struct terminal {
    /* Configuration. */
    unsigned columns, rows;

    /* Connections; both may be NULL. */
    struct byte_sink answers; /* bytes for the guest to read */
    /* The main screen's first line, before it scrolls off. */
    void (*line_out)(void *ctx, const uint16_t *cells);
    void *line_ctx;

    /* State. */
    struct terminal_cursor cursor;
    struct terminal_cursor saved[2]; /* of the main screen and of the alternate one */
    unsigned top, bottom;            /* the scroll region: rows [top, bottom) */
    bool autowrap, insert, newline;
    bool cursor_visible, cursor_keys; /* cursor_keys: arrows are ESC O x instead of ESC [ x */
    unsigned screen;                  /* 1: the alternate screen shows */
    uint8_t tabs[(TERMINAL_MAX_COLUMNS + 7) / 8];
    uint8_t last_glyph;

    /* The parser. */
    enum terminal_state state;
    unsigned state_bytes; /* of the sequence so far */
    uint8_t charset_slot;
    uint8_t marker;       /* '?', '>', '=', '<' or 0 */
    uint8_t intermediate; /* a byte from 20h to 2Fh before the final one, or 0 */
    unsigned param_count;
    uint16_t param[TERMINAL_MAX_PARAMS];
    uint32_t utf8_code, utf8_least;
    unsigned utf8_left;

    /* The picture. A row shows the line whose number stands in line[]: scrolling moves numbers. */
    struct terminal_span dirty[TERMINAL_MAX_ROWS];
    uint8_t line[2][TERMINAL_MAX_ROWS];
    uint16_t cell[2][TERMINAL_MAX_ROWS][TERMINAL_MAX_COLUMNS];
};

/* Blank, the cursor in the upper left corner, no connections. columns and rows: 1 to the maximum.
 */
void terminal_init(struct terminal *terminal, unsigned columns, unsigned rows);
void terminal_put(struct terminal *terminal, uint8_t byte);
/* The same of several bytes, with little work for each of plain text. */
void terminal_text(struct terminal *terminal, const uint8_t *bytes, unsigned count);

/* The cells of a row that shows. */
static inline uint16_t *terminal_row(struct terminal *terminal, unsigned row)
{
    return terminal->cell[terminal->screen][terminal->line[terminal->screen][row]];
}

#endif
