#include "debug/escape.h"

#include "lib/fmt.h"

static enum escape_command command_of(const struct escape *escape, uint8_t byte)
{
    switch (byte) {
    case 'c':
    case 'C':
        return ESCAPE_MONITOR;
    case 'h':
    case 'H':
    case '?':
        return ESCAPE_HELP;
    case 'x':
    case 'X':
        return ESCAPE_POWER_OFF;
    case 'd':
    case 'D':
        return escape->shared ? ESCAPE_GDB : ESCAPE_NONE;
    default:
        return ESCAPE_NONE;
    }
}

struct escape_result escape_put(struct escape *escape, uint8_t byte)
{
    struct escape_result result = {.command = ESCAPE_NONE};

    if (!escape->pending) {
        escape->pending = escape->key && byte == escape->key;
        if (!escape->pending)
            result.bytes[result.count++] = byte;
        return result;
    }
    escape->pending = false;
    result.command = command_of(escape, byte);
    if (result.command == ESCAPE_NONE) {
        result.bytes[result.count++] = escape->key;
        if (byte != escape->key)
            result.bytes[result.count++] = byte;
    }
    return result;
}

void escape_name(uint8_t key, char name[ESCAPE_NAME_SIZE])
{
    fmt_snprintf(name, ESCAPE_NAME_SIZE, key ? "Ctrl-%c" : "off", '@' + key);
}
