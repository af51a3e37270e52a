/* See gdb_text.h. */
#include "debug/gdb_text.h"

bool gdb_take(struct gdb_text *text, char c)
{
    if (text->at == text->end || *text->at != (uint8_t)c)
        return false;
    text->at++;
    return true;
}

bool gdb_take_word(struct gdb_text *text, const char *word)
{
    struct gdb_text rest = *text;

    while (*word)
        if (!gdb_take(&rest, *word++))
            return false;
    *text = rest;
    return true;
}

bool gdb_take_number(struct gdb_text *text, uint64_t *number)
{
    unsigned digits = 0;

    *number = 0;
    for (; text->at < text->end; text->at++, digits++) {
        int value = gdb_digit_value((char)*text->at);
        if (value < 0)
            break;
        *number = *number << 4 | (unsigned)value;
    }
    return digits >= 1 && digits <= 16;
}

bool gdb_take_range(struct gdb_text *text, uint64_t *address, uint64_t *length)
{
    return gdb_take_number(text, address) && gdb_take(text, ',') && gdb_take_number(text, length);
}

bool gdb_take_hex(struct gdb_text *text, uint8_t *bytes, uint64_t count)
{
    if (gdb_text_left(text) / 2 < count)
        return false;
    for (uint64_t i = 0; i < count; i++, text->at += 2) {
        int high = gdb_digit_value((char)text->at[0]), low = gdb_digit_value((char)text->at[1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
