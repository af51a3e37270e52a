/*
 * The lines that scrolled off a terminal, the oldest given up for the newest. A line is packed:
 * runs of one attribute, each the attribute, a count, and the glyphs; the blanks at its end aren't
 * kept. Text takes a byte a cell so, and many lines less than half their width.
 */
#ifndef TERM_HISTORY_H
#define TERM_HISTORY_H

#include "lib/types.h"

struct history {
    unsigned columns;
    unsigned capacity; /* in lines; 0: none are kept */
    unsigned count, next;
    uint32_t *start; /* of each line: where in the text it begins */
    uint8_t *text;   /* a ring */
    uint32_t size, used, end;
};

/* Keeps what fits into `bytes` of memory, which is aligned to 4 and may be NULL. columns: up to
 * TERMINAL_MAX_COLUMNS. */
void history_init(struct history *history, void *memory, uint32_t bytes, unsigned columns);
void history_add(struct history *history, const uint16_t *cells);
/* Unpacks the line that scrolled off `back` lines ago, 1 being the newest; back is 1 to count. */
void history_line(const struct history *history, unsigned back, uint16_t *cells);

#endif
