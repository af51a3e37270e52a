/* The lines that scrolled off a terminal: a ring of them, the oldest given up for the newest. */
#ifndef TERM_HISTORY_H
#define TERM_HISTORY_H

#include "lib/types.h"

struct history {
    uint16_t *cells; /* NULL: none are kept */
    unsigned columns;
    unsigned capacity; /* in lines */
    unsigned count, next;
};

/* Keeps as many lines as fit into `bytes` of memory. */
void history_init(struct history *history, uint16_t *memory, uint64_t bytes, unsigned columns);
void history_add(struct history *history, const uint16_t *cells);
/* The line that scrolled off `back` lines ago, 1 being the newest; back is 1 to count. */
const uint16_t *history_line(const struct history *history, unsigned back);

#endif
