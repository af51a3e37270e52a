/*
 * What a debugger may do with a virtual CPU: stop it, look at it, break at an address, run one
 * instruction. The GDB stub and the monitor both stand on this; neither knows a VMCS or a VMCB.
 *
 * The guest stops only between two instructions, in the run loop, which then parks the CPU and
 * calls hooks.debug_stopped(). That call serves whoever debugs and returns when the guest shall go
 * on, after vdebug_resume(). Guest time and the guest's TSC stand still meanwhile. All functions
 * below are for inside of that call, unless they say otherwise.
 */
#ifndef VIRT_DEBUG_H
#define VIRT_DEBUG_H

#include "virt/backend.h"

struct vcpu;

#define VDEBUG_HARD_POINTS 4  /* DR0 to DR3, the debugger's: the guest's own go on working */
#define VDEBUG_SOFT_POINTS 64 /* INT3 in guest memory, hidden from vdebug_read() */

enum vdebug_reason {
    VDEBUG_RUNNING,
    VDEBUG_PAUSED,      /* vdebug_pause() */
    VDEBUG_STARTED,     /* the first instruction after a start, where vcpu->debug.stop_at_start */
    VDEBUG_STEPPED,     /* one instruction after vdebug_resume(VDEBUG_STEP) */
    VDEBUG_SOFT,        /* at a VDEBUG_POINT_SOFT; RIP is the breakpoint's address */
    VDEBUG_HARD,        /* at a VDEBUG_POINT_HARD, before its instruction */
    VDEBUG_WATCH,       /* behind the access to a watchpoint: stop.address */
    VDEBUG_GUEST_ENDED, /* the guest has stopped for good, or asked for a reset: vcpu->stop says
                           how; it can be looked at, not stepped */
};

enum vdebug_point_kind {
    VDEBUG_POINT_SOFT,   /* length 1 */
    VDEBUG_POINT_HARD,   /* length 1 */
    VDEBUG_POINT_WRITE,  /* length 1, 2, 4, 8, address aligned to it */
    VDEBUG_POINT_ACCESS, /* likewise; reads and writes, which is what the CPU has */
};

struct vdebug_stop {
    enum vdebug_reason reason;
    enum vdebug_point_kind kind; /* of the point, where one was met */
    gva_t address;               /* the point's */
};

enum vdebug_resume { VDEBUG_CONTINUE, VDEBUG_STEP };

/* --- the debugger's part of a vCPU ------------------------------------------------------------ */

/* What of the guest's doing ends in an exit beyond the usual: asked of the backend. */
struct vdebug_controls {
    bool breakpoints; /* #BP */
    bool registers;   /* MOV to and from debug registers */
    bool exceptions;  /* every exception */
    bool trap;        /* VEXIT_STEP behind the next instruction, or before the first one of the
                         handler of what comes in its place */
};

struct vdebug_hard {
    bool used;
    uint8_t length;
    enum vdebug_point_kind kind;
    gva_t address;
};

struct vdebug_soft {
    bool used, lifted; /* lifted: the guest's own byte is in its place for one instruction */
    uint8_t original;
    gva_t address; /* as it was asked for */
    gpa_t gpa;     /* where the INT3 is */
};

/* One instruction on its way: debug_step.c. */
struct vdebug_step {
    enum { VDEBUG_NO_STEP, VDEBUG_STEP_ASKED, VDEBUG_STEP_OVER_POINT } kind;
    bool by_flag; /* by RFLAGS.TF: the CPU has no trap of the hypervisor's own */
    bool done;
    /* Of the newest entry, where by_flag: */
    bool flag_set, trapped, gate_set, injected;
    bool by_hand;         /* without the CPU */
    uint8_t insn, length; /* enum debug_insn, and the bytes of what isn't plain */
    uint64_t guest_tf;    /* the guest's own TF and IF before */
    uint64_t guest_if;
    uint64_t rip, rflags11; /* RIP and, for SYSRET, R11 before */
    uint32_t int_shadow;
    gva_t gate; /* the instruction that a one-shot breakpoint waits at */
};

#define VDEBUG_GUEST_REGISTERS 6 /* DR0 to DR3, DR6, DR7: as VREG_DR0 to VREG_DR7 */

struct vdebug {
    /* Set by whoever debugs, at any time. */
    bool attached;      /* a guest's end is shown as VDEBUG_GUEST_ENDED */
    bool stop_at_start; /* the next start of the guest stops as VDEBUG_STARTED */

    bool engaged; /* exceptions are looked at: there are points, or a step is under way */
    bool pause_wanted, step_events;
    enum vdebug_resume how;
    struct vdebug_stop stop; /* while the guest stands still */
    uint64_t stopped_tsc;    /* the host's TSC then, at which the guest's time stands */
    struct vdebug_stop next; /* why it will; VDEBUG_RUNNING: it won't */
    struct vdebug_step step;
    struct vdebug_controls controls; /* what the backend was told last */

    bool owns_registers; /* the CPU's debug registers are the debugger's; the guest's own: */
    uint64_t guest_register[VDEBUG_GUEST_REGISTERS];
    uint8_t slot[VDEBUG_HARD_POINTS]; /* whose DR0 to DR3 are: debug_point.c */
    struct vdebug_hard hard[VDEBUG_HARD_POINTS];
    struct vdebug_soft soft[VDEBUG_SOFT_POINTS];
};

/* --- stops ------------------------------------------------------------------------------------ */

/* Stops the guest before its next instruction, with reason VDEBUG_PAUSED. Allowed at any time, also
 * while it runs or sleeps in HLT; nothing happens when it is stopped already. */
void vdebug_pause(struct vcpu *vcpu);
/* Whether the guest stands still for a debugger, and why. Allowed at any time. */
bool vdebug_stopped(const struct vcpu *vcpu);
const struct vdebug_stop *vdebug_stop(const struct vcpu *vcpu);

/* Lets the guest go on once hooks.debug_stopped() has returned. */
void vdebug_resume(struct vcpu *vcpu, enum vdebug_resume how);
/* Whether interrupts and NMIs are held off while stepping; they are after vcpu_create(). */
void vdebug_set_step_events(struct vcpu *vcpu, bool taken);

/* --- points ----------------------------------------------------------------------------------- */

/* Sets a point; one that is set already is true at once. False: no room left, a bad length or
 * alignment, or nothing mapped there (VDEBUG_POINT_SOFT).
 *
 * Points survive a reset of the guest. A VDEBUG_POINT_SOFT is kept by guest physical address: after
 * a reset it is put in again there, into whatever was loaded. A guest that writes over its byte has
 * removed it, and one that reads its own code finds CC. */
bool vdebug_insert(struct vcpu *vcpu, enum vdebug_point_kind kind, gva_t address, unsigned length);
/* False: there was none. */
bool vdebug_remove(struct vcpu *vcpu, enum vdebug_point_kind kind, gva_t address, unsigned length);
/* Removes all points. */
void vdebug_clear(struct vcpu *vcpu);

/* --- memory ----------------------------------------------------------------------------------- */

/* The guest's memory at a linear address in its current mode, as its kernel may see it, whatever
 * the page's rights; nothing of the guest changes by it (no accessed bits). Reads give the bytes
 * without breakpoints; writes keep breakpoints in. The number of bytes done: less than length where
 * nothing is mapped, or no RAM is behind it. */
uint64_t vdebug_read(struct vcpu *vcpu, gva_t address, void *to, uint64_t length);
uint64_t vdebug_write(struct vcpu *vcpu, gva_t address, const void *from, uint64_t length);
/* The same by guest physical address. */
uint64_t vdebug_read_physical(struct vcpu *vcpu, gpa_t address, void *to, uint64_t length);
uint64_t vdebug_write_physical(struct vcpu *vcpu, gpa_t address, const void *from, uint64_t length);

/* One step of a page walk, for a person to read. */
struct vdebug_walk_entry {
    unsigned level; /* 5 to 1 */
    gpa_t table;
    unsigned index;
    uint64_t entry;
};
struct vdebug_walk {
    unsigned count;
    struct vdebug_walk_entry entry[5];
    bool mapped;
    gpa_t gpa;
    uint64_t page_bytes; /* 4 KiB, 2 MiB, 4 MiB, 1 GiB; 0 without paging */
};
void vdebug_walk(struct vcpu *vcpu, gva_t address, struct vdebug_walk *walk);

/* --- registers -------------------------------------------------------------------------------- */

/* Registers of the guest by name, for setting: checked so that the guest can be entered with the
 * value. False: the CPU would refuse it. RIP, RFLAGS and gpr[] may be set in struct vcpu directly
 * (RFLAGS by vdebug_set_rflags()). */
bool vdebug_set_rip(struct vcpu *vcpu, uint64_t rip);
bool vdebug_set_rflags(struct vcpu *vcpu, uint64_t rflags);
void vdebug_set_gpr(struct vcpu *vcpu, unsigned gpr, uint64_t value);
uint64_t vdebug_gpr(struct vcpu *vcpu, unsigned gpr);
/* RFLAGS, DR6, DR7 and DR0 to DR3 as the guest knows them: without what stepping and points put
 * there. */
uint64_t vdebug_rflags(struct vcpu *vcpu);
uint64_t vdebug_dr(struct vcpu *vcpu, enum vreg reg); /* VREG_DR0 to VREG_DR7 */
void vdebug_set_dr(struct vcpu *vcpu, enum vreg reg, uint64_t value);

#endif
