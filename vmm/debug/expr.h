/* Numbers as a person at the monitor writes them: hexadecimal or decimal, registers, sums. */
#ifndef DEBUG_EXPR_H
#define DEBUG_EXPR_H

#include "lib/types.h"

struct expr_names {
    /* The value of the register with this name (no NUL behind it); false: there is none. */
    bool (*value)(void *ctx, const char *name, unsigned length, uint64_t *value);
    void *ctx;
};

/*
 * Evaluates the expression at *text, up to a blank or the end, and moves *text behind it: terms
 * joined by + and -, each 0x1F, 31, or $name. Sums wrap at 64 bits. NULL, or what is wrong with it
 * as half a sentence.
 */
const char *expr_take(const char **text, const struct expr_names *names, uint64_t *value);

#endif
