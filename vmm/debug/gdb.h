/*
 * GDB's remote stub for the guest, on a serial line. One thread, "1", is the guest's CPU. The guest
 * stops when a debugger says its first word, and runs again when it is told to: "continue", "step",
 * "detach", "kill". What it does to the vCPU is virt/debug.h's part; what needs privileged
 * instructions, the machine's end or the monitor comes through struct gdb_host.
 */
#ifndef DEBUG_GDB_H
#define DEBUG_GDB_H

#include "debug/gdb_packet.h"
#include "virt/virt.h"

/* The guest's FPU, SSE and AVX registers as FXSAVE64 and XSAVE lay them out. */
struct gdb_fpu {
    _Alignas(16) uint8_t fxsave[512];
    uint8_t ymm_high[16][16]; /* only where the guest has AVX on in XCR0 */
};

struct gdb_host {
    void *ctx;
    /* The guest's FPU registers; the values given to fpu_set() are any at all. */
    void (*fpu_get)(void *ctx, struct gdb_fpu *fpu);
    void (*fpu_set)(void *ctx, const struct gdb_fpu *fpu);
    /* Ends the guest when it goes on: VM_STOP_RESET starts it anew. */
    void (*end)(void *ctx, enum vm_stop stop);
    /* A line behind "monitor" that is none of the stub's own. False: nobody knows it either. May be
     * NULL. */
    bool (*monitor)(void *ctx, const char *line, struct byte_sink out);
    /* A piece of the profile, as profile_read() gives it; for qXfer:pxhv-profile:read. May be NULL.
     */
    uint64_t (*read_profile)(void *ctx, uint64_t offset, void *to, uint64_t length);
    /* All points have been taken out, also those that weren't GDB's. May be NULL. */
    void (*cleared)(void *ctx);
    /* The debugger has left; a "+" for what it heard last may come still. May be NULL. */
    void (*left)(void *ctx, bool acknowledgement);
};

struct gdb {
    struct gdb_link link;
    struct vcpu *vcpu;
    struct gdb_host host;

    bool shared;           /* the line is the console's, too: no session outlives its guest */
    bool attached;         /* a debugger is there */
    bool dropped;          /* it counts as having left, once the guest stops */
    bool awaited;          /* it waits for the guest to stop */
    bool resumed;          /* the guest shall go on; who serves a stop clears it first */
    bool held;             /* a packet waits in link.in for the guest to stop */
    bool broken;           /* Ctrl-C, for a guest that is about to go on */
    bool restarting;       /* the guest's end is the debugger's doing */
    bool physical;         /* memory by guest physical address */
    bool step_events;      /* interrupts are taken while stepping */
    bool swbreak, hwbreak; /* what the debugger understands in a stop's reason */
    bool in_range;         /* step while RIP is in [range_begin, range_end) */
    uint64_t range_begin, range_end;
};

/* buffers: NULL where there is no line, and nothing will be received. */
void gdb_init(struct gdb *gdb, struct byte_sink line, struct gdb_buffers *buffers,
              struct vcpu *vcpu, const struct gdb_host *host);

/* False while a packet is held, or the guest is about to go on: the next byte has to wait. */
bool gdb_wants(const struct gdb *gdb);
/* A byte of the line, at any time. A packet for a running guest stops it and is held; inside of
 * hooks.debug_stopped() it is answered at once, and gdb->resumed says whether to return. */
void gdb_receive(struct gdb *gdb, uint8_t byte);
/* The guest has just stopped: at the start of hooks.debug_stopped(). May resume it. */
void gdb_guest_stopped(struct gdb *gdb);
/* The debugger counts as having left: its points go out, and a guest that stands still for it goes
 * on. Allowed at any time. */
void gdb_drop(struct gdb *gdb);
/* The guest's end that is to come is a reset by somebody else: a debugger that is there finds it
 * before its first instruction. */
void gdb_expect_restart(struct gdb *gdb);
/* What the guest says, or pxHV's log, for the debugger's screen; only while it waits. */
void gdb_console(struct gdb *gdb, const uint8_t *text, uint32_t length);

#endif
