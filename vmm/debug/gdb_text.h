/* The words of a packet: hex numbers and what separates them, read from left to right. */
#ifndef DEBUG_GDB_TEXT_H
#define DEBUG_GDB_TEXT_H

#include "lib/types.h"

/* What is left of a packet. */
struct gdb_text {
    const uint8_t *at, *end;
};

static inline char gdb_digit(unsigned value)
{
    return "0123456789abcdef"[value & 15];
}

/* -1: none. */
static inline int gdb_digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

static inline uint64_t gdb_text_left(const struct gdb_text *text)
{
    return (uint64_t)(text->end - text->at);
}

/* Takes the character if it is the next one. */
bool gdb_take(struct gdb_text *text, char c);
/* Takes the word if the text begins with it. */
bool gdb_take_word(struct gdb_text *text, const char *word);
/* A number of 1 to 16 hex digits. */
bool gdb_take_number(struct gdb_text *text, uint64_t *number);
/* Two numbers and the comma between. */
bool gdb_take_range(struct gdb_text *text, uint64_t *address, uint64_t *length);
/* `count` bytes of two hex digits. */
bool gdb_take_hex(struct gdb_text *text, uint8_t *bytes, uint64_t count);

#endif
