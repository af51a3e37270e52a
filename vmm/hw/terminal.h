/* A text terminal's state: pure, without the screen. It knows CR LF BS TAB, and swallows the ANSI
 * escape sequences that a guest's console sends. */
#ifndef HW_TERMINAL_H
#define HW_TERMINAL_H

#include "lib/types.h"

#define TERMINAL_MAX_COLUMNS 132u
#define TERMINAL_MAX_ROWS    60u

enum terminal_escape {
    ESCAPE_NONE,
    ESCAPE_BEGUN,   /* after ESC */
    ESCAPE_CSI,     /* ESC [ ... until a byte from 40h to 7Eh */
    ESCAPE_STRING,  /* ESC ] and its like, until BEL or ESC \ */
    ESCAPE_ONE_MORE /* ESC ( and its like: one byte follows */
};

struct terminal {
    unsigned columns, rows;
    unsigned column, row; /* column == columns: the next character begins a new line */
    enum terminal_escape escape;
    unsigned escape_bytes;
    unsigned dirty_from, dirty_to; /* cells that the screen doesn't show yet; equal: none */
    uint16_t cell[TERMINAL_MAX_ROWS * TERMINAL_MAX_COLUMNS]; /* VGA: character, attribute << 8 */
};

/* Blank, the cursor at the start of `row`. columns and rows: 1 to the maximum; row below rows. */
void terminal_init(struct terminal *terminal, unsigned columns, unsigned rows, unsigned row);
void terminal_put(struct terminal *terminal, uint8_t byte);

#endif
