/* What terminal.c and terminal_csi.c do to the picture (terminal_grid.c). Rows and columns that
 * come in lie inside the screen; counts may be any. */
#ifndef TERM_TERMINAL_GRID_H
#define TERM_TERMINAL_GRID_H

#include "term/terminal.h"

/* Blank lines, tab stops, modes, pen: what power-on and ESC c leave. Connections stay. */
void terminal_reset(struct terminal *terminal);
void terminal_mark_all(struct terminal *terminal);

/* A glyph at the cursor, `width` columns wide (1 or 2). */
void terminal_glyph(struct terminal *terminal, uint8_t glyph, unsigned width);
/* Glyphs of one column each, as far as nothing comes of it but themselves: up to the last column.
 * Returns how many. */
unsigned terminal_glyphs(struct terminal *terminal, const uint8_t *glyphs, unsigned count);
void terminal_line_feed(struct terminal *terminal);
void terminal_reverse_line_feed(struct terminal *terminal);
void terminal_tab(struct terminal *terminal, unsigned count);
void terminal_back_tab(struct terminal *terminal, unsigned count);
/* Moves the cursor, which stops at the screen's edges. The row counts from the scroll region's top
 * in origin mode. */
void terminal_move_to(struct terminal *terminal, unsigned row, unsigned column);

/* The lines of [top, bottom) move up or down by `count`; blank ones come in. */
void terminal_scroll_up(struct terminal *terminal, unsigned top, unsigned bottom, unsigned count);
void terminal_scroll_down(struct terminal *terminal, unsigned top, unsigned bottom, unsigned count);
/* Cells [from, to) of a row become blank in the pen's background. */
void terminal_erase(struct terminal *terminal, unsigned row, unsigned from, unsigned to);
void terminal_insert_cells(struct terminal *terminal, unsigned count);
void terminal_delete_cells(struct terminal *terminal, unsigned count);
/* Fills the screen with E: DECALN. */
void terminal_fill_with_e(struct terminal *terminal);

void terminal_save_cursor(struct terminal *terminal);
void terminal_restore_cursor(struct terminal *terminal);
/* Shows the main screen (0) or the alternate one (1). */
void terminal_show(struct terminal *terminal, unsigned screen);

/* The parameters of a control sequence (terminal_csi.c). */
void terminal_csi(struct terminal *terminal, uint8_t final);

#endif
