/*
 * A line editor for a terminal at the other end of a byte stream: editing, history, completion of
 * words. Bytes in, bytes out; the escape sequences that it writes are a VT100's, and ours.
 *
 * A line never reaches the terminal's right edge, so that nothing here has to know how terminals
 * wrap. Keys: arrows, Home, End, Delete, Backspace, Ctrl-A E B F (movement), Ctrl-D (delete),
 * Ctrl-K U W (delete to the end, to the start, a word), Ctrl-P N (history), Ctrl-L (clear the
 * screen), Ctrl-C (drop the line), Tab.
 */
#ifndef DEBUG_LINEEDIT_H
#define DEBUG_LINEEDIT_H

#include "lib/types.h"

#define LINEEDIT_MAX     70 /* characters of a line */
#define LINEEDIT_HISTORY 16
#define LINEEDIT_SIZE    (LINEEDIT_MAX + 1)

struct lineedit {
    /* Configuration. */
    struct byte_sink out;
    const char *prompt;
    /* The names that a word beginning at `word` of the line may be, by number from 0 on; NULL
     * behind the last one. May be NULL. */
    const char *(*candidate)(void *ctx, const char *line, unsigned word, unsigned number);
    void *ctx;

    /* The line being edited. */
    char line[LINEEDIT_SIZE];
    unsigned length, cursor;

    /* History, newest at history_next - 1; `back` of them are shown in place of `kept`. */
    char history[LINEEDIT_HISTORY][LINEEDIT_SIZE];
    unsigned history_next, history_count, back;
    char kept[LINEEDIT_SIZE];

    char finished[LINEEDIT_SIZE];
    enum { LINEEDIT_PLAIN, LINEEDIT_ESC, LINEEDIT_CSI, LINEEDIT_SS3 } sequence;
    unsigned parameter;
    bool after_cr; /* a line feed belongs to the carriage return before it */
};

void lineedit_init(struct lineedit *edit, struct byte_sink out, const char *prompt);
/* Shows the prompt and what is typed so far, at the start of a line. */
void lineedit_show(struct lineedit *edit);
/* Takes one typed byte. The line when it was finished, until the next call; NULL otherwise. The
 * cursor then stands on a fresh line; call lineedit_show() to go on. */
const char *lineedit_put(struct lineedit *edit, uint8_t byte);

#endif
