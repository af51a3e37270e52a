/*
 * The INI reader behind pxhv.cfg. Pure C: compiled into stage 2 (32-bit), the VMM, the unit tests
 * and the fuzzer. A line is "[section]", "key = value", a comment (';' or '#' at its start, or
 * ';' after white space behind a value) or blank; CR LF is taken as LF; a UTF-8 BOM is skipped.
 */
#ifndef LIB_INI_H
#define LIB_INI_H

#include "lib/types.h"

#define INI_MAX_LINE 4096

struct ini_error {
    unsigned line;    /* counted from 1; 0 where the error is the whole file's */
    char reason[160]; /* one sentence a user can act on */
};

/* A callback may refuse an entry: it fills error->reason and returns false. Strings live only
 * during the call. `key` is NULL when a section begins. */
struct ini_handler {
    bool (*entry)(void *ctx, const char *section, const char *key, const char *value,
                  struct ini_error *error);
    void *ctx;
};

/* Reads text[0, size). False with *error filled at the first bad line. */
bool ini_parse(const char *text, size_t size, struct ini_handler handler, struct ini_error *error);

#endif
