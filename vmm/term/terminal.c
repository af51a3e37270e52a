/*
 * The terminal's parser: from bytes to characters, controls and sequences. UTF-8 only, so that
 * bytes from 80h to 9Fh are parts of characters and no controls. A broken sequence ends with the
 * byte that breaks it; one that never ends, after a while.
 */
#include "term/terminal_grid.h"

#include "term/charset.h"

#include "lib/bits.h"
#include "lib/mem.h"

enum { BEL = 0x07, SO = 0x0E, SI = 0x0F, CAN = 0x18, SUB = 0x1A, ESC = 0x1B, DEL = 0x7F };

/* A sequence that never ends may not swallow the console for good. */
#define MAX_STRING_BYTES 256u
#define PALETTE_DIGITS   7u
#define MAX_PARAM        9999u

void terminal_init(struct terminal *terminal, unsigned columns, unsigned rows)
{
    memset(terminal, 0, sizeof(*terminal));
    terminal->columns = columns;
    terminal->rows = rows;
    for (unsigned row = 0; row < rows; row++)
        terminal->line[0][row] = terminal->line[1][row] = (uint8_t)row;
    terminal_reset(terminal);
}

/* --- characters ------------------------------------------------------------------------------- */

static void put_character(struct terminal *terminal, uint32_t code)
{
    unsigned width = charset_width(code);
    if (width)
        terminal_glyph(terminal, charset_glyph(code), width);
}

static void broken_character(struct terminal *terminal)
{
    terminal->utf8_left = 0;
    terminal_glyph(terminal, GLYPH_REPLACEMENT, 1);
}

/* Unicode "UTF-8": no overlong forms, no surrogates, nothing above 10FFFFh. */
static void put_utf8(struct terminal *terminal, uint8_t byte)
{
    if (byte < 0xC0) { /* a further byte */
        if (terminal->utf8_left == 0) {
            broken_character(terminal);
            return;
        }
        terminal->utf8_code = terminal->utf8_code << 6 | (byte & 0x3F);
        if (--terminal->utf8_left)
            return;
        uint32_t code = terminal->utf8_code;
        if (code < terminal->utf8_least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
            broken_character(terminal);
        else if (code >= 0xA0)
            put_character(terminal, code);
        return;
    }
    if (terminal->utf8_left)
        broken_character(terminal);
    if (byte >= 0xF8) {
        broken_character(terminal);
        return;
    }
    terminal->utf8_left = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    terminal->utf8_code = byte & (0x3Fu >> terminal->utf8_left);
    terminal->utf8_least = byte >= 0xF0 ? 0x10000 : byte >= 0xE0 ? 0x800 : 0x80;
}

static void put_printable(struct terminal *terminal, uint8_t byte)
{
    const struct terminal_cursor *cursor = &terminal->cursor;

    if (byte >= 0x80) {
        put_utf8(terminal, byte);
        return;
    }
    if (terminal->utf8_left)
        broken_character(terminal);
    terminal_glyph(terminal, cursor->graphics[cursor->shift] ? charset_graphics(byte) : byte, 1);
}

/* --- controls --------------------------------------------------------------------------------- */

static void control(struct terminal *terminal, uint8_t byte)
{
    struct terminal_cursor *cursor = &terminal->cursor;

    switch (byte) {
    case '\b':
        if (cursor->column)
            cursor->column--;
        cursor->wrap_next = false;
        break;
    case '\t':
        terminal_tab(terminal, 1);
        break;
    case '\n':
    case '\v':
    case '\f':
        terminal_line_feed(terminal);
        if (terminal->newline)
            cursor->column = 0;
        break;
    case '\r':
        cursor->column = 0;
        cursor->wrap_next = false;
        break;
    case SO:
    case SI:
        cursor->shift = byte == SO;
        break;
    case CAN:
    case SUB:
        terminal->state = TERMINAL_GROUND;
        break;
    default:
        break;
    }
}

/* --- ESC and one byte ------------------------------------------------------------------------- */

static void set_tab(struct terminal *terminal)
{
    unsigned column = terminal->cursor.column;
    terminal->tabs[column / 8] |= (uint8_t)BIT(column % 8);
}

static void escape_final(struct terminal *terminal, uint8_t byte)
{
    switch (byte) {
    case '7':
        terminal_save_cursor(terminal);
        break;
    case '8':
        terminal_restore_cursor(terminal);
        break;
    case 'D':
        terminal_line_feed(terminal);
        break;
    case 'E':
        terminal_line_feed(terminal);
        terminal->cursor.column = 0;
        break;
    case 'H':
        set_tab(terminal);
        break;
    case 'M':
        terminal_reverse_line_feed(terminal);
        break;
    case 'Z': /* the same question as CSI c */
        terminal->param_count = terminal->marker = terminal->intermediate = 0;
        terminal_csi(terminal, 'c');
        break;
    case 'c':
        terminal_reset(terminal);
        break;
    default:
        break;
    }
}

static enum terminal_state after_escape(struct terminal *terminal, uint8_t byte)
{
    switch (byte) {
    case '[':
        terminal->marker = terminal->intermediate = 0;
        terminal->param_count = 0;
        return TERMINAL_CSI;
    case ']':
        return TERMINAL_OSC;
    case 'P':
    case 'X':
    case '^':
    case '_':
        return TERMINAL_STRING;
    case '(':
    case ')':
        terminal->charset_slot = byte == ')';
        return TERMINAL_CHARSET;
    case '#':
        return TERMINAL_HASH;
    default:
        if (byte >= 0x20 && byte <= 0x2F)
            return TERMINAL_ONE_MORE;
        escape_final(terminal, byte);
        return TERMINAL_GROUND;
    }
}

/* --- control sequences ------------------------------------------------------------------------ */

static void add_digit(struct terminal *terminal, uint8_t byte)
{
    if (terminal->param_count == 0)
        terminal->param[terminal->param_count++] = 0;
    uint16_t *param = &terminal->param[terminal->param_count - 1];
    *param = (uint16_t)min_u64(*param * 10u + (byte - '0'), MAX_PARAM);
}

/* A separator ends a parameter, which is there then even when it is empty, and begins the next. */
static bool next_param(struct terminal *terminal)
{
    if (terminal->param_count == 0)
        terminal->param[terminal->param_count++] = 0;
    if (terminal->param_count == TERMINAL_MAX_PARAMS)
        return false;
    terminal->param[terminal->param_count++] = 0;
    return true;
}

static enum terminal_state in_csi(struct terminal *terminal, uint8_t byte)
{
    if (byte >= 0x40 && byte <= 0x7E) {
        if (byte == '[' && terminal->state_bytes == 2)
            return TERMINAL_FUNCTION_KEY;
        terminal_csi(terminal, byte);
        return TERMINAL_GROUND;
    }
    if (byte <= 0x2F) {
        terminal->intermediate = byte;
        return TERMINAL_CSI;
    }
    if (terminal->intermediate)
        return TERMINAL_CSI_IGNORE;
    if (byte <= '9') {
        add_digit(terminal, byte);
        return TERMINAL_CSI;
    }
    if (byte == ';' || byte == ':')
        return next_param(terminal) ? TERMINAL_CSI : TERMINAL_CSI_IGNORE;
    if (byte >= '<' && byte <= '?' && terminal->state_bytes == 2) {
        terminal->marker = byte;
        return TERMINAL_CSI;
    }
    return TERMINAL_CSI_IGNORE;
}

/* --- the states ------------------------------------------------------------------------------- */

static enum terminal_state in_osc(uint8_t byte)
{
    if (byte == 'P') /* the Linux console's palette has no end mark */
        return TERMINAL_PALETTE;
    return byte == 'R' ? TERMINAL_GROUND : TERMINAL_STRING;
}

static enum terminal_state next_state(struct terminal *terminal, uint8_t byte)
{
    switch (terminal->state) {
    case TERMINAL_ESCAPE:
        return after_escape(terminal, byte);
    case TERMINAL_CHARSET:
        terminal->cursor.graphics[terminal->charset_slot] = byte == '0';
        return TERMINAL_GROUND;
    case TERMINAL_HASH:
        if (byte == '8')
            terminal_fill_with_e(terminal);
        return TERMINAL_GROUND;
    case TERMINAL_CSI:
        return in_csi(terminal, byte);
    case TERMINAL_CSI_IGNORE:
        return byte >= 0x40 && byte <= 0x7E ? TERMINAL_GROUND : TERMINAL_CSI_IGNORE;
    case TERMINAL_OSC:
        return in_osc(byte);
    case TERMINAL_PALETTE:
        return terminal->state_bytes < 2 + PALETTE_DIGITS ? TERMINAL_PALETTE : TERMINAL_GROUND;
    case TERMINAL_STRING:
        return TERMINAL_STRING;
    default:
        return TERMINAL_GROUND;
    }
}

static bool in_string(const struct terminal *terminal)
{
    return terminal->state == TERMINAL_OSC || terminal->state == TERMINAL_PALETTE ||
           terminal->state == TERMINAL_STRING;
}

/* Controls inside of a control sequence are obeyed as if they stood before it; in a string they are
 * a part of it. */
void terminal_put(struct terminal *terminal, uint8_t byte)
{
    if (byte == ESC) {
        if (terminal->utf8_left)
            broken_character(terminal);
        terminal->state = TERMINAL_ESCAPE;
        terminal->state_bytes = 0;
        return;
    }
    if (terminal->state == TERMINAL_GROUND) {
        if (byte >= 0x20 && byte != DEL)
            put_printable(terminal, byte);
        else if (byte < 0x20)
            control(terminal, byte);
        return;
    }
    if (++terminal->state_bytes > MAX_STRING_BYTES) {
        terminal->state = TERMINAL_GROUND;
        return;
    }
    if (in_string(terminal) && (byte == BEL || byte == CAN || byte == SUB))
        terminal->state = TERMINAL_GROUND;
    else if (byte < 0x20 && !in_string(terminal))
        control(terminal, byte);
    else if (byte != DEL)
        terminal->state = next_state(terminal, byte);
}

/* ASCII that is its own glyph, up to the first byte that is something else. */
static unsigned plain_count(const struct terminal *terminal, const uint8_t *bytes, unsigned count)
{
    const struct terminal_cursor *cursor = &terminal->cursor;
    unsigned plain = 0;

    if (terminal->state != TERMINAL_GROUND || terminal->utf8_left ||
        cursor->graphics[cursor->shift])
        return 0;
    while (plain < count && bytes[plain] >= 0x20 && bytes[plain] < DEL)
        plain++;
    return plain;
}

void terminal_text(struct terminal *terminal, const uint8_t *bytes, unsigned count)
{
    while (count) {
        unsigned plain = plain_count(terminal, bytes, count);
        unsigned done = plain ? terminal_glyphs(terminal, bytes, plain) : 0;
        if (done == 0) {
            terminal_put(terminal, bytes[0]);
            done = 1;
        }
        bytes += done;
        count -= done;
    }
}
