/*
 * A serial line that is the console's and GDB's by turns: which of the bytes that come while GDB
 * has it are a person's.
 *
 * Between two packets GDB sends "+", "-", "$" and Ctrl-C, and never the escape key: there the key
 * and a letter are a command. Inside of a packet every byte may be GDB's (a binary one is any
 * number), so that the key counts only where the packet broke off: after a silence, which GDB makes
 * in no packet. Whatever else follows the key is passed on with it.
 */
#ifndef DEBUG_SHARE_H
#define DEBUG_SHARE_H

#include "debug/escape.h"

#define SHARE_SILENCE_S 2u

struct share {
    struct escape escape;
    uint64_t silence,
        heard; /* SHARE_SILENCE_S, and when the last byte came, in ticks of any clock */
};

/* The commands are ESCAPE_GDB and ESCAPE_MONITOR: the line is the console's again, and with the
 * latter the monitor's. All other bytes are GDB's. */
struct escape_result share_put(struct share *share, bool in_packet, uint64_t now, uint8_t byte);

#endif
