/* Pages through a text, in lines as wide as the screen. */
#ifndef TERM_PAGER_H
#define TERM_PAGER_H

#include "term/keymap.h"
#include "term/terminal.h"

/* Bytes [begin, end) by position: a log whose oldest part may be gone. */
struct pager_text {
    uint64_t begin, end;
    uint8_t (*at)(uint64_t position);
};

struct pager {
    struct pager_text text;
    unsigned columns, rows;
    unsigned line_count;
    unsigned top; /* the line in the first row */
    uint64_t start[TERMINAL_MAX_ROWS];
    uint16_t cells[TERMINAL_MAX_COLUMNS];
};

/* Shows the text's end. */
void pager_open(struct pager *pager, struct pager_text text, unsigned columns, unsigned rows);
/* Moves as the key says. */
void pager_key(struct pager *pager, enum console_key key);
/* The cells of a row; valid until the next call. */
const uint16_t *pager_row(struct pager *pager, unsigned row);

#endif
