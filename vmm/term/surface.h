/*
 * What a screen shows, and how it comes to show something else: only cells that differ are drawn,
 * and no more at a time than the caller has time for. What is on the screen is never read back.
 */
#ifndef TERM_SURFACE_H
#define TERM_SURFACE_H

#include "term/terminal.h"

#define SURFACE_MAX_ROWS (TERMINAL_MAX_ROWS + 1) /* and a status line */
#define SURFACE_RUN      32u                     /* cells that a painter gets at once */

/* Draws `count` (1 to SURFACE_RUN) neighbouring cells. */
struct painter {
    void (*paint)(void *ctx, unsigned row, unsigned column, const uint16_t *cells, unsigned count);
    void *ctx;
};

/* The cells that a row shall show. Valid until the next call. */
struct row_source {
    const uint16_t *(*row)(void *ctx, unsigned row);
    void *ctx;
};

struct surface {
    unsigned columns, rows;
    struct painter painter;
    bool dirty;
    unsigned next_row;                  /* where drawing goes on */
    unsigned cursor_row, cursor_column; /* an inverted cell; row == rows: none */
    struct terminal_span span[SURFACE_MAX_ROWS];
    uint16_t shown[SURFACE_MAX_ROWS][TERMINAL_MAX_COLUMNS];
};

/* Nothing is known to be shown: everything will be drawn. */
void surface_init(struct surface *surface, unsigned columns, unsigned rows, struct painter painter);
/* Cells [from, to) of a row may have changed. */
void surface_mark(struct surface *surface, unsigned row, unsigned from, unsigned to);
void surface_mark_all(struct surface *surface);
/* Where the cursor is drawn; row == rows for nowhere. */
void surface_move_cursor(struct surface *surface, unsigned row, unsigned column);
/* Draws what differs, up to about `cells` of them. True when all is drawn. */
bool surface_draw(struct surface *surface, struct row_source source, unsigned cells);

#endif
