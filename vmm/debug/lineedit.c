/* See lineedit.h. */
#include "debug/lineedit.h"

#include "lib/mem.h"
#include "lib/text.h"

#define CTRL(letter) ((letter)-0x40)
#define ESC          0x1B
#define DEL          0x7F
#define PARAM_MAX    99u

/* --- the terminal ----------------------------------------------------------------------------- */

static void put(const struct lineedit *edit, uint8_t byte)
{
    edit->out.put(edit->out.ctx, byte);
}

static void write_text(const struct lineedit *edit, const char *text)
{
    for (; *text; text++)
        put(edit, (uint8_t)*text);
}

static void bell(const struct lineedit *edit)
{
    put(edit, '\a');
}

void lineedit_show(struct lineedit *edit)
{
    unsigned behind = edit->length - edit->cursor;

    put(edit, '\r');
    write_text(edit, edit->prompt);
    write_text(edit, edit->line);
    write_text(edit, "\033[K");
    if (behind)
        text_printf(edit->out, "\033[%uD", behind);
}

void lineedit_init(struct lineedit *edit, struct byte_sink out, const char *prompt)
{
    memset(edit, 0, sizeof(*edit));
    edit->out = out;
    edit->prompt = prompt;
}

/* --- editing ---------------------------------------------------------------------------------- */

/* Both leave it to the caller to show the line. */
static void delete_range(struct lineedit *edit, unsigned from, unsigned to)
{
    memmove(edit->line + from, edit->line + to, edit->length - to + 1);
    edit->length -= to - from;
    edit->cursor = from;
}

static void set_line(struct lineedit *edit, const char *text)
{
    str_copy(edit->line, sizeof(edit->line), text);
    edit->length = edit->cursor = (unsigned)str_len(edit->line);
}

static bool insert(struct lineedit *edit, char c)
{
    if (edit->length == LINEEDIT_MAX) {
        bell(edit);
        return false;
    }
    memmove(edit->line + edit->cursor + 1, edit->line + edit->cursor,
            edit->length - edit->cursor + 1);
    edit->line[edit->cursor++] = c;
    edit->length++;
    return true;
}

static void type(struct lineedit *edit, char c)
{
    bool at_end = edit->cursor == edit->length;

    if (!insert(edit, c))
        return;
    if (at_end)
        put(edit, (uint8_t)c);
    else
        lineedit_show(edit);
}

/* Where the word before the cursor begins. */
static unsigned word_start(const struct lineedit *edit)
{
    unsigned at = edit->cursor;

    while (at && edit->line[at - 1] == ' ')
        at--;
    while (at && edit->line[at - 1] != ' ')
        at--;
    return at;
}

static void delete_shown(struct lineedit *edit, unsigned from, unsigned to)
{
    if (from == to) {
        bell(edit);
        return;
    }
    delete_range(edit, from, to);
    lineedit_show(edit);
}

static void move_to(struct lineedit *edit, unsigned cursor)
{
    edit->cursor = cursor;
    lineedit_show(edit);
}

static void left(struct lineedit *edit)
{
    if (edit->cursor)
        move_to(edit, edit->cursor - 1);
}

static void right(struct lineedit *edit)
{
    if (edit->cursor < edit->length)
        move_to(edit, edit->cursor + 1);
}

static void delete_here(struct lineedit *edit)
{
    if (edit->cursor < edit->length)
        delete_shown(edit, edit->cursor, edit->cursor + 1);
}

/* --- history ---------------------------------------------------------------------------------- */

static char *history_line(struct lineedit *edit, unsigned back)
{
    return edit->history[(edit->history_next - back) % LINEEDIT_HISTORY];
}

/* What is blank, or the same as the newest, isn't worth a place. */
static void remember(struct lineedit *edit)
{
    if (edit->length == 0 || (edit->history_count && str_eq(history_line(edit, 1), edit->line)))
        return;
    memcpy(edit->history[edit->history_next++ % LINEEDIT_HISTORY], edit->line, LINEEDIT_SIZE);
    if (edit->history_count < LINEEDIT_HISTORY)
        edit->history_count++;
}

static void older(struct lineedit *edit)
{
    if (edit->back == edit->history_count) {
        bell(edit);
        return;
    }
    if (edit->back == 0)
        memcpy(edit->kept, edit->line, LINEEDIT_SIZE);
    set_line(edit, history_line(edit, ++edit->back));
    lineedit_show(edit);
}

static void newer(struct lineedit *edit)
{
    if (edit->back == 0) {
        bell(edit);
        return;
    }
    edit->back--;
    set_line(edit, edit->back ? history_line(edit, edit->back) : edit->kept);
    lineedit_show(edit);
}

/* --- completion ------------------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *start, unsigned length)
{
    for (unsigned i = 0; i < length; i++)
        if (text[i] != start[i] || !text[i])
            return false;
    return true;
}

/* What the names that fit have in common. */
struct match {
    const char *name;
    unsigned common, count;
};

static struct match find_match(const struct lineedit *edit, unsigned word, unsigned typed)
{
    struct match match = {NULL, 0, 0};
    const char *name;

    for (unsigned i = 0; (name = edit->candidate(edit->ctx, edit->line, word, i)); i++) {
        if (!begins_with(name, edit->line + word, typed))
            continue;
        if (match.count++ == 0) {
            match.name = name;
            match.common = (unsigned)str_len(name);
        }
        while (!begins_with(name, match.name, match.common))
            match.common--;
    }
    return match;
}

static void list_matches(struct lineedit *edit, unsigned word, unsigned typed)
{
    const char *name, *before = "\r\n";

    for (unsigned i = 0; (name = edit->candidate(edit->ctx, edit->line, word, i)); i++) {
        if (!begins_with(name, edit->line + word, typed))
            continue;
        text_printf(edit->out, "%s%s", before, name);
        before = " ";
    }
    write_text(edit, "\r\n");
}

static void complete(struct lineedit *edit)
{
    unsigned word = edit->cursor;

    while (word && edit->line[word - 1] != ' ')
        word--;
    if (!edit->candidate || edit->cursor != edit->length) {
        bell(edit);
        return;
    }
    unsigned typed = edit->length - word;
    struct match match = find_match(edit, word, typed);
    if (match.count == 0) {
        bell(edit);
        return;
    }
    if (match.count > 1 && match.common == typed)
        list_matches(edit, word, typed);
    for (unsigned i = typed; i < match.common; i++)
        insert(edit, match.name[i]);
    if (match.count == 1)
        insert(edit, ' ');
    lineedit_show(edit);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void drop_line(struct lineedit *edit)
{
    edit->back = 0;
    set_line(edit, "");
}

static const char *finish(struct lineedit *edit)
{
    write_text(edit, "\r\n");
    remember(edit);
    memcpy(edit->finished, edit->line, LINEEDIT_SIZE);
    drop_line(edit);
    return edit->finished;
}

static void control(struct lineedit *edit, uint8_t byte)
{
    switch (byte) {
    case CTRL('A'):
        move_to(edit, 0);
        break;
    case CTRL('B'):
        left(edit);
        break;
    case CTRL('C'):
        move_to(edit, edit->length);
        write_text(edit, "^C\r\n");
        drop_line(edit);
        lineedit_show(edit);
        break;
    case CTRL('D'):
        delete_here(edit);
        break;
    case CTRL('E'):
        move_to(edit, edit->length);
        break;
    case CTRL('F'):
        right(edit);
        break;
    case '\b':
    case DEL:
        delete_shown(edit, edit->cursor ? edit->cursor - 1 : 0, edit->cursor);
        break;
    case '\t':
        complete(edit);
        break;
    case CTRL('K'):
        delete_shown(edit, edit->cursor, edit->length);
        break;
    case CTRL('L'):
        write_text(edit, "\033[H\033[J");
        lineedit_show(edit);
        break;
    case CTRL('N'):
        newer(edit);
        break;
    case CTRL('P'):
        older(edit);
        break;
    case CTRL('U'):
        delete_shown(edit, 0, edit->cursor);
        break;
    case CTRL('W'):
        delete_shown(edit, word_start(edit), edit->cursor);
        break;
    default:
        break;
    }
}

/* The last byte of ESC [ ... or ESC O. */
static void function_key(struct lineedit *edit, uint8_t byte)
{
    switch (byte) {
    case 'A':
        older(edit);
        break;
    case 'B':
        newer(edit);
        break;
    case 'C':
        right(edit);
        break;
    case 'D':
        left(edit);
        break;
    case 'H':
        move_to(edit, 0);
        break;
    case 'F':
        move_to(edit, edit->length);
        break;
    case '~':
        if (edit->parameter == 1 || edit->parameter == 7)
            move_to(edit, 0);
        else if (edit->parameter == 4 || edit->parameter == 8)
            move_to(edit, edit->length);
        else if (edit->parameter == 3)
            delete_here(edit);
        break;
    default:
        break;
    }
}

/* True while the byte belongs to an escape sequence. */
static bool take_sequence(struct lineedit *edit, uint8_t byte)
{
    if (byte < ' ' || byte == DEL) { /* none of a sequence: it was broken off */
        edit->sequence = byte == ESC ? LINEEDIT_ESC : LINEEDIT_PLAIN;
        edit->parameter = 0;
        return byte == ESC;
    }
    switch (edit->sequence) {
    case LINEEDIT_ESC:
        edit->sequence = byte == '[' ? LINEEDIT_CSI : byte == 'O' ? LINEEDIT_SS3 : LINEEDIT_PLAIN;
        return true;
    case LINEEDIT_CSI:
        if (byte >= '0' && byte <= '9')
            edit->parameter =
                edit->parameter < PARAM_MAX ? edit->parameter * 10 + byte - '0' : edit->parameter;
        if (byte < '@')
            return true;
        break;
    case LINEEDIT_SS3:
        break;
    default:
        return false;
    }
    edit->sequence = LINEEDIT_PLAIN;
    function_key(edit, byte);
    return true;
}

const char *lineedit_put(struct lineedit *edit, uint8_t byte)
{
    bool after_cr = edit->after_cr;

    edit->after_cr = byte == '\r';
    if (byte == '\n' && after_cr)
        return NULL;
    if (take_sequence(edit, byte))
        return NULL;
    if (byte == '\r' || byte == '\n')
        return finish(edit);
    if (byte >= ' ' && byte < DEL)
        type(edit, (char)byte);
    else
        control(edit, byte);
    return NULL;
}
