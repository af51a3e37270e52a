/*
 * The escape key: tells what is typed for the guest from what is typed for pxHV. Behind the key one
 * more decides: the key itself is sent once, a command's letter is pxHV's, and with any other key
 * both are the guest's, as if there were no escape key.
 */
#ifndef DEBUG_ESCAPE_H
#define DEBUG_ESCAPE_H

#include "lib/types.h"

enum escape_command {
    ESCAPE_NONE,
    ESCAPE_MONITOR,   /* c: into the monitor, and out of it */
    ESCAPE_HELP,      /* h, ? */
    ESCAPE_POWER_OFF, /* x */
    ESCAPE_GDB,       /* d, where GDB shares the line: it is GDB's, or the console's again */
};

struct escape {
    uint8_t key; /* 0: there is none */
    bool shared; /* GDB has no line of its own */
    bool pending;
};

struct escape_result {
    enum escape_command command;
    unsigned count; /* of the bytes that are to be passed on */
    uint8_t bytes[2];
};

struct escape_result escape_put(struct escape *escape, uint8_t byte);

/* "Ctrl-A" for the key 1; "off" for none. */
#define ESCAPE_NAME_SIZE 8
void escape_name(uint8_t key, char name[ESCAPE_NAME_SIZE]);

#endif
