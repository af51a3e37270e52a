/* Control sequences: ESC [ parameters final. DEC "VT100 User Guide", "Programming"; ECMA-48
 * "Control functions". */
#include "term/terminal_grid.h"

#include "lib/bits.h"
#include "lib/fmt.h"

#define BRIGHT 8u

/* Parameter n, 0 where it is absent. */
static unsigned raw(const struct terminal *terminal, unsigned n)
{
    return n < terminal->param_count ? terminal->param[n] : 0;
}

/* A count or a position, both of which begin at 1. */
static unsigned count(const struct terminal *terminal, unsigned n)
{
    return (unsigned)max_u64(raw(terminal, n), 1);
}

static void answer(struct terminal *terminal, const char *text)
{
    if (terminal->answers.put)
        for (; *text; text++)
            terminal->answers.put(terminal->answers.ctx, (uint8_t)*text);
}

/* --- colours ---------------------------------------------------------------------------------- */

/* ANSI counts red 1 and blue 4, the VGA the other way round. */
static uint8_t vga_colour(unsigned ansi)
{
    return (uint8_t)((ansi & 0xA) | (ansi & 1) << 2 | (ansi >> 2 & 1));
}

/* The nearest of the sixteen: what is lit at all by the highest part, bright by how much. */
static uint8_t nearest(unsigned red, unsigned green, unsigned blue)
{
    unsigned most = (unsigned)max_u64(red, max_u64(green, blue));
    unsigned least = (unsigned)min_u64(red, min_u64(green, blue));

    if (most - least < 32) /* a grey: black, dark, light, white */
        return most < 43 ? 0 : most < 128 ? BRIGHT : most < 213 ? 7 : BRIGHT | 7;
    unsigned lit = least + (most - least) / 2;
    unsigned colour = (red > lit) << 2 | (green > lit) << 1 | (blue > lit);
    return (uint8_t)(most >= 213 ? colour | BRIGHT : colour);
}

/* xterm's 256 colours: 16, a cube of 6 x 6 x 6, 24 greys. */
static uint8_t indexed_colour(unsigned index)
{
    static const uint8_t steps[6] = {0, 95, 135, 175, 215, 255};

    if (index < 16)
        return vga_colour(index);
    if (index >= 232) {
        unsigned grey = (unsigned)min_u64(8 + (index - 232) * 10, 255);
        return nearest(grey, grey, grey);
    }
    index -= 16;
    return nearest(steps[index / 36], steps[index / 6 % 6], steps[index % 6]);
}

/* 38 and 48 take the parameters behind them: 5;index or 2;red;green;blue. The index of the last. */
static unsigned extended_colour(const struct terminal *terminal, unsigned n, uint8_t *colour)
{
    switch (raw(terminal, n + 1)) {
    case 5:
        *colour = indexed_colour((unsigned)min_u64(raw(terminal, n + 2), 255));
        return n + 2;
    case 2:
        *colour = nearest((unsigned)min_u64(raw(terminal, n + 2), 255),
                          (unsigned)min_u64(raw(terminal, n + 3), 255),
                          (unsigned)min_u64(raw(terminal, n + 4), 255));
        return n + 4;
    default:
        return n + 1;
    }
}

static void plain_pen(struct terminal_pen *pen)
{
    *pen = (struct terminal_pen){.foreground = 7, .plain_foreground = true};
}

static void set_foreground(struct terminal_pen *pen, uint8_t colour)
{
    pen->foreground = colour;
    pen->plain_foreground = false;
}

/* The renditions without a colour. */
static void select_style(struct terminal_pen *pen, unsigned code)
{
    switch (code) {
    case 0:
        plain_pen(pen);
        break;
    case 1:
        pen->bold = true;
        break;
    case 2:
        pen->faint = true;
        break;
    case 4:
        pen->underline = true;
        break;
    case 7:
        pen->reverse = true;
        break;
    case 8:
        pen->hidden = true;
        break;
    case 22:
        pen->bold = pen->faint = false;
        break;
    case 24:
        pen->underline = false;
        break;
    case 27:
        pen->reverse = false;
        break;
    case 28:
        pen->hidden = false;
        break;
    default:
        break;
    }
}

static void select_graphics(struct terminal *terminal)
{
    struct terminal_pen *pen = &terminal->cursor.pen;
    uint8_t colour;

    for (unsigned n = 0; n < max_u64(terminal->param_count, 1); n++) {
        unsigned code = raw(terminal, n);
        if (code >= 30 && code <= 37) {
            set_foreground(pen, vga_colour(code - 30));
        } else if (code >= 40 && code <= 47) {
            pen->background = vga_colour(code - 40);
        } else if (code >= 90 && code <= 97) {
            set_foreground(pen, vga_colour(code - 90) | BRIGHT);
        } else if (code >= 100 && code <= 107) {
            pen->background = vga_colour(code - 100) | BRIGHT;
        } else if (code == 38) {
            colour = pen->foreground;
            n = extended_colour(terminal, n, &colour);
            set_foreground(pen, colour);
        } else if (code == 48) {
            colour = pen->background;
            n = extended_colour(terminal, n, &colour);
            pen->background = colour;
        } else if (code == 39) {
            pen->foreground = 7;
            pen->plain_foreground = true;
        } else if (code == 49) {
            pen->background = 0;
        } else {
            select_style(pen, code);
        }
    }
}

/* --- erasing ---------------------------------------------------------------------------------- */

static void erase_in_line(struct terminal *terminal, unsigned what)
{
    const struct terminal_cursor *cursor = &terminal->cursor;

    if (what > 2)
        return;
    terminal_erase(terminal, cursor->row, what == 0 ? cursor->column : 0,
                   what == 1 ? cursor->column + 1 : terminal->columns);
}

/* What 3 asks for beside, to forget the lines above the screen, is not done. */
static void erase_in_display(struct terminal *terminal, unsigned what)
{
    unsigned from = what == 0 ? terminal->cursor.row + 1 : 0;
    unsigned to = what == 1 ? terminal->cursor.row : terminal->rows;

    if (what > 3)
        return;
    if (what < 2)
        erase_in_line(terminal, what);
    for (unsigned row = from; row < to; row++)
        terminal_erase(terminal, row, 0, terminal->columns);
}

/* --- modes ------------------------------------------------------------------------------------ */

/* The alternate screen comes with a cursor of its own, which is lost when it goes. */
static void alternate_screen(struct terminal *terminal, bool on, bool clear)
{
    if (terminal->screen == on)
        return;
    if (on) {
        terminal_save_cursor(terminal);
        terminal_show(terminal, 1);
        if (clear)
            erase_in_display(terminal, 2);
    } else {
        terminal_show(terminal, 0);
        terminal_restore_cursor(terminal);
    }
}

static void private_mode(struct terminal *terminal, unsigned mode, bool on)
{
    switch (mode) {
    case 1:
        terminal->cursor_keys = on;
        break;
    case 6:
        terminal->cursor.origin = on;
        terminal_move_to(terminal, 0, 0);
        break;
    case 7:
        terminal->autowrap = on;
        terminal->cursor.wrap_next = false;
        break;
    case 25:
        terminal->cursor_visible = on;
        break;
    case 47:
    case 1047:
    case 1049:
        alternate_screen(terminal, on, mode != 47);
        break;
    case 1048:
        if (on)
            terminal_save_cursor(terminal);
        else
            terminal_restore_cursor(terminal);
        break;
    default:
        break;
    }
}

static void set_modes(struct terminal *terminal, bool on)
{
    for (unsigned n = 0; n < terminal->param_count; n++) {
        unsigned mode = terminal->param[n];
        if (terminal->marker == '?')
            private_mode(terminal, mode, on);
        else if (mode == 4)
            terminal->insert = on;
        else if (mode == 20)
            terminal->newline = on;
    }
}

/* DECSTR: what a program that crashed may have left, and the picture stays. */
static void soft_reset(struct terminal *terminal)
{
    terminal->top = 0;
    terminal->bottom = terminal->rows;
    terminal->autowrap = terminal->cursor_visible = true;
    terminal->insert = terminal->newline = terminal->cursor_keys = false;
    terminal->cursor.origin = terminal->cursor.graphics[0] = terminal->cursor.graphics[1] = false;
    terminal->cursor.shift = 0;
    plain_pen(&terminal->cursor.pen);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void report_status(struct terminal *terminal)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    unsigned top = cursor->origin ? (unsigned)min_u64(terminal->top, cursor->row) : 0;
    char text[32];

    if (raw(terminal, 0) == 5)
        answer(terminal, "\x1B[0n");
    if (raw(terminal, 0) != 6)
        return;
    fmt_snprintf(text, sizeof(text), "\x1B[%u;%uR", cursor->row + 1 - top, cursor->column + 1);
    answer(terminal, text);
}

static void set_region(struct terminal *terminal)
{
    unsigned top = count(terminal, 0) - 1;
    unsigned bottom = raw(terminal, 1) ? raw(terminal, 1) : terminal->rows;

    bottom = (unsigned)min_u64(bottom, terminal->rows);
    if (top + 2 > bottom) /* a region has two lines at least */
        return;
    terminal->top = top;
    terminal->bottom = bottom;
    terminal_move_to(terminal, 0, 0);
}

static void clear_tabs(struct terminal *terminal)
{
    unsigned column = terminal->cursor.column;

    if (raw(terminal, 0) == 0)
        terminal->tabs[column / 8] &= (uint8_t)~BIT(column % 8);
    if (raw(terminal, 0) == 3)
        for (unsigned i = 0; i < sizeof(terminal->tabs); i++)
            terminal->tabs[i] = 0;
}

static void repeat_glyph(struct terminal *terminal)
{
    uint64_t times = min_u64(count(terminal, 0), terminal->columns * terminal->rows);

    while (times--)
        terminal_glyph(terminal, terminal->last_glyph, 1);
}

/* Up and down stop at the scroll region's edges for a cursor inside of it, else at the screen's. */
static void move_rows(struct terminal *terminal, unsigned rows, bool down)
{
    struct terminal_cursor *cursor = &terminal->cursor;
    unsigned highest = cursor->row >= terminal->top ? terminal->top : 0;
    unsigned lowest = (cursor->row < terminal->bottom ? terminal->bottom : terminal->rows) - 1;

    cursor->row += down ? (unsigned)min_u64(rows, lowest - cursor->row)
                        : 0 - (unsigned)min_u64(rows, cursor->row - highest);
    cursor->wrap_next = false;
}

static void move_columns(struct terminal *terminal, unsigned columns, bool right)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    cursor->column += right ? (unsigned)min_u64(columns, terminal->columns - 1 - cursor->column)
                            : 0 - (unsigned)min_u64(columns, cursor->column);
    cursor->wrap_next = false;
}

/* IL and DL work from the cursor's row to the end of the region, and only inside of it. */
static void shift_lines(struct terminal *terminal, bool insert)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    if (cursor->row < terminal->top || cursor->row >= terminal->bottom)
        return;
    if (insert)
        terminal_scroll_down(terminal, cursor->row, terminal->bottom, count(terminal, 0));
    else
        terminal_scroll_up(terminal, cursor->row, terminal->bottom, count(terminal, 0));
    cursor->column = 0;
    cursor->wrap_next = false;
}

static void row_of_screen(struct terminal *terminal, unsigned row)
{
    terminal_move_to(terminal, row, terminal->cursor.column);
}

static void column_of_row(struct terminal *terminal, unsigned column)
{
    terminal->cursor.column = (unsigned)min_u64(column, terminal->columns - 1);
    terminal->cursor.wrap_next = false;
}

static bool moves_cursor(struct terminal *terminal, uint8_t final)
{
    unsigned n = count(terminal, 0);

    switch (final) {
    case 'A':
        move_rows(terminal, n, false);
        return true;
    case 'B':
    case 'e':
        move_rows(terminal, n, true);
        return true;
    case 'C':
    case 'a':
        move_columns(terminal, n, true);
        return true;
    case 'D':
        move_columns(terminal, n, false);
        return true;
    case 'E':
    case 'F':
        move_rows(terminal, n, final == 'E');
        column_of_row(terminal, 0);
        return true;
    case 'G':
    case '`':
        column_of_row(terminal, n - 1);
        return true;
    case 'H':
    case 'f':
        terminal_move_to(terminal, n - 1, count(terminal, 1) - 1);
        return true;
    case 'I':
        terminal_tab(terminal, n);
        return true;
    case 'Z':
        terminal_back_tab(terminal, n);
        return true;
    case 'd':
        row_of_screen(terminal, n - 1);
        return true;
    default:
        return false;
    }
}

static bool changes_picture(struct terminal *terminal, uint8_t final)
{
    unsigned n = count(terminal, 0);

    switch (final) {
    case '@':
        terminal_insert_cells(terminal, n);
        return true;
    case 'J':
        erase_in_display(terminal, raw(terminal, 0));
        return true;
    case 'K':
        erase_in_line(terminal, raw(terminal, 0));
        return true;
    case 'L':
    case 'M':
        shift_lines(terminal, final == 'L');
        return true;
    case 'P':
        terminal_delete_cells(terminal, n);
        return true;
    case 'S':
        terminal_scroll_up(terminal, terminal->top, terminal->bottom, n);
        return true;
    case 'T':
        terminal_scroll_down(terminal, terminal->top, terminal->bottom, n);
        return true;
    case 'X':
        terminal_erase(terminal, terminal->cursor.row, terminal->cursor.column,
                       (unsigned)min_u64(terminal->cursor.column + n, terminal->columns));
        return true;
    case 'b':
        repeat_glyph(terminal);
        return true;
    default:
        return false;
    }
}

static void sets_state(struct terminal *terminal, uint8_t final)
{
    switch (final) {
    case 'c':
        answer(terminal, "\x1B[?6c"); /* a VT102 */
        break;
    case 'g':
        clear_tabs(terminal);
        break;
    case 'm':
        select_graphics(terminal);
        break;
    case 'n':
        report_status(terminal);
        break;
    case 'r':
        set_region(terminal);
        break;
    case 's':
        terminal_save_cursor(terminal);
        break;
    case 'u':
        terminal_restore_cursor(terminal);
        break;
    default:
        break;
    }
}

void terminal_csi(struct terminal *terminal, uint8_t final)
{
    if (terminal->intermediate == '!' && final == 'p')
        soft_reset(terminal);
    if (terminal->intermediate)
        return;
    if ((final == 'h' || final == 'l') && (terminal->marker == 0 || terminal->marker == '?')) {
        set_modes(terminal, final == 'h');
        return;
    }
    /* With a marker these are other functions, which no terminal of this kind has. */
    if (terminal->marker)
        return;
    if (!moves_cursor(terminal, final) && !changes_picture(terminal, final))
        sets_state(terminal, final);
}
