/* What the files of the stub share. Each function answers one kind of packet: `text` is what stands
 * behind its letter. */
#ifndef DEBUG_GDB_PARTS_H
#define DEBUG_GDB_PARTS_H

#include "debug/gdb.h"
#include "debug/gdb_text.h"

/* Errors are numbers that mean nothing to GDB; these are Linux's. */
#define GDB_ERROR_FAULT    "E0e" /* EFAULT: no memory there */
#define GDB_ERROR_INVALID  "E16" /* EINVAL: not a packet that makes sense, or a value refused */
#define GDB_ERROR_NO_SPACE "E1c" /* ENOSPC: no breakpoint left */
#define GDB_UNSUPPORTED    ""
/* Of qXfer: GDB's manual gives "E00" to a wrong annex, another number to the rest. */
#define GDB_ERROR_ANNEX "E00"
#define GDB_ERROR_RANGE "E01"

/* --- gdb.c ------------------------------------------------------------------------------------ */

/* Takes all points out. */
void gdb_clear(struct gdb *gdb);
/* The guest starts anew, once this packet is answered, and stops at its first instruction. */
void gdb_restart(struct gdb *gdb);

/* --- gdb_stop.c ------------------------------------------------------------------------------- */

void gdb_reply_stop(struct gdb *gdb);
/* Whether the stop is the end of a guest that powered off. */
bool gdb_powered_off(const struct gdb *gdb);
/* Said once, before the stop itself: GDB shows text only while it waits. */
void gdb_explain_end(struct gdb *gdb);

/* --- gdb_regs.c ------------------------------------------------------------------------------- */

enum gdb_register_kind {
    GDB_GPR,
    GDB_RIP,
    GDB_RFLAGS,
    GDB_SELECTOR, /* index: enum vseg_name */
    GDB_X87,      /* index: the register's place in the stack */
    GDB_X87_WORD, /* index: enum gdb_x87_word */
    GDB_XMM,
    GDB_MXCSR,
    GDB_VREG, /* index: enum vreg */
    GDB_CR8,
    GDB_YMM_HIGH,
};

/* In GDB's order. */
enum gdb_x87_word {
    GDB_FCTRL,
    GDB_FSTAT,
    GDB_FTAG,
    GDB_FISEG,
    GDB_FIOFF,
    GDB_FOSEG,
    GDB_FOOFF,
    GDB_FOP
};

struct gdb_register {
    char name[10];
    uint8_t kind, index, bytes;
    const char *type;
};

/* Numbers at which the features of gdb_target.c begin, and some that a stop tells. */
#define GDB_FIRST_XMM      40u
#define GDB_FIRST_BASE     57u
#define GDB_FIRST_CONTROL  59u
#define GDB_FIRST_YMM      66u
#define GDB_REGISTER_COUNT 82u

#define GDB_REGISTER_MAX_BYTES 16u
#define GDB_NUMBER_RBP         6u
#define GDB_NUMBER_RSP         7u
#define GDB_NUMBER_RIP         16u

/* By GDB's number; NULL behind the last. */
const struct gdb_register *gdb_register(const struct gdb *gdb, uint64_t number);
void gdb_put_register(struct gdb *gdb, uint64_t number);
void gdb_read_registers(struct gdb *gdb);                         /* g */
void gdb_write_registers(struct gdb *gdb, struct gdb_text *text); /* G */
void gdb_read_register(struct gdb *gdb, struct gdb_text *text);   /* p */
void gdb_write_register(struct gdb *gdb, struct gdb_text *text);  /* P */

/* --- gdb_target.c: qXfer:features:read:target.xml: -------------------------------------------- */

void gdb_read_target(struct gdb *gdb, uint64_t offset, uint64_t length);

/* --- gdb_memory.c ----------------------------------------------------------------------------- */

void gdb_read_memory(struct gdb *gdb, struct gdb_text *text);         /* m */
void gdb_read_memory_binary(struct gdb *gdb, struct gdb_text *text);  /* x */
void gdb_write_memory(struct gdb *gdb, struct gdb_text *text);        /* M */
void gdb_write_memory_binary(struct gdb *gdb, struct gdb_text *text); /* X */
void gdb_insert_point(struct gdb *gdb, struct gdb_text *text);        /* Z */
void gdb_remove_point(struct gdb *gdb, struct gdb_text *text);        /* z */

/* --- gdb_query.c, gdb_monitor.c --------------------------------------------------------------- */

void gdb_query(struct gdb *gdb, struct gdb_text *text);   /* q */
void gdb_set(struct gdb *gdb, struct gdb_text *text);     /* Q */
void gdb_monitor(struct gdb *gdb, struct gdb_text *text); /* qRcmd, */

#endif
