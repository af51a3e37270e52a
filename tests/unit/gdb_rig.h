/* The GDB stub on a vCPU made of arrays: memory at 1000h to 1FFFh, linear and physical alike but
 * for what they hold, points that are only counted, a guest that stops when a test says so. */
#ifndef TESTS_GDB_RIG_H
#define TESTS_GDB_RIG_H

#include "debug/gdb.h"

#include <stdio.h>
#include <string.h>

#define RIG_BASE   0x1000u
#define RIG_BYTES  4096u
#define RIG_POINTS 4u /* of each kind */

struct rig_point {
    bool used;
    enum vdebug_point_kind kind;
    gva_t address;
    unsigned length;
};

static struct {
    struct gdb gdb;
    struct gdb_buffers buffers;
    struct vcpu vcpu;
    struct cpu_facts facts;
    uint64_t reg[VREG_COUNT], gpr[16], rflags;
    uint8_t cr8;
    uint8_t memory[RIG_BYTES], physical[RIG_BYTES];
    struct rig_point point[16];
    struct gdb_fpu fpu;
    bool stopped, pause_wanted, step_events;
    unsigned resumes;
    enum vdebug_resume how;
    struct vdebug_stop stop;
    enum vm_stop ended;
    char monitor_line[256];
    unsigned profile_bytes; /* of "PROFILE", over and over */
    unsigned clears, lefts; /* how often host.cleared() and host.left() were called */
    bool acknowledgement;   /* what the latter was told last */
    char sent[131072];
    unsigned sent_length;
} rig;

/* --- the task priority ------------------------------------------------------------------------ */

static uint8_t rig_cr8_read(void *ctx)
{
    (void)ctx;
    return rig.cr8;
}

static void rig_cr8_write(void *ctx, uint8_t value)
{
    (void)ctx;
    rig.cr8 = value;
}

/* --- virt/debug.h ----------------------------------------------------------------------------- */

void vdebug_pause(struct vcpu *vcpu)
{
    (void)vcpu;
    rig.pause_wanted = true;
}

bool vdebug_stopped(const struct vcpu *vcpu)
{
    (void)vcpu;
    return rig.stopped;
}

const struct vdebug_stop *vdebug_stop(const struct vcpu *vcpu)
{
    (void)vcpu;
    return &rig.stop;
}

void vdebug_resume(struct vcpu *vcpu, enum vdebug_resume how)
{
    (void)vcpu;
    rig.resumes++;
    rig.how = how;
}

void vdebug_set_step_events(struct vcpu *vcpu, bool taken)
{
    (void)vcpu;
    rig.step_events = taken;
}

static inline struct rig_point *rig_find(enum vdebug_point_kind kind, gva_t address,
                                         unsigned length)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rig.point); i++)
        if (rig.point[i].used && rig.point[i].kind == kind && rig.point[i].address == address &&
            rig.point[i].length == length)
            return &rig.point[i];
    return NULL;
}

static inline unsigned rig_points(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(rig.point); i++)
        count += rig.point[i].used;
    return count;
}

bool vdebug_insert(struct vcpu *vcpu, enum vdebug_point_kind kind, gva_t address, unsigned length)
{
    (void)vcpu;
    if (rig_find(kind, address, length))
        return true;
    if (rig_points() == RIG_POINTS)
        return false;
    if (kind == VDEBUG_POINT_SOFT && (address < RIG_BASE || address >= RIG_BASE + RIG_BYTES))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(rig.point); i++) {
        if (rig.point[i].used)
            continue;
        rig.point[i] = (struct rig_point){true, kind, address, length};
        return true;
    }
    return false;
}

bool vdebug_remove(struct vcpu *vcpu, enum vdebug_point_kind kind, gva_t address, unsigned length)
{
    (void)vcpu;
    struct rig_point *point = rig_find(kind, address, length);
    if (point)
        point->used = false;
    return point != NULL;
}

void vdebug_clear(struct vcpu *vcpu)
{
    (void)vcpu;
    memset(rig.point, 0, sizeof(rig.point));
}

static uint64_t rig_copy(uint8_t *memory, uint64_t address, void *to, const void *from,
                         uint64_t length)
{
    uint64_t done = 0;
    for (; done < length; done++) {
        uint64_t at = address + done - RIG_BASE;
        if (at >= RIG_BYTES)
            break;
        if (to)
            ((uint8_t *)to)[done] = memory[at];
        else
            memory[at] = ((const uint8_t *)from)[done];
    }
    return done;
}

uint64_t vdebug_read(struct vcpu *vcpu, gva_t address, void *to, uint64_t length)
{
    (void)vcpu;
    return rig_copy(rig.memory, address, to, NULL, length);
}

uint64_t vdebug_write(struct vcpu *vcpu, gva_t address, const void *from, uint64_t length)
{
    (void)vcpu;
    return rig_copy(rig.memory, address, NULL, from, length);
}

uint64_t vdebug_read_physical(struct vcpu *vcpu, gpa_t address, void *to, uint64_t length)
{
    (void)vcpu;
    return rig_copy(rig.physical, address, to, NULL, length);
}

uint64_t vdebug_write_physical(struct vcpu *vcpu, gpa_t address, const void *from, uint64_t length)
{
    (void)vcpu;
    return rig_copy(rig.physical, address, NULL, from, length);
}

bool vdebug_set_rip(struct vcpu *vcpu, uint64_t rip)
{
    if (rip == 0x8000000000000000u)
        return false;
    vcpu->rip = rip;
    return true;
}

bool vdebug_set_rflags(struct vcpu *vcpu, uint64_t rflags)
{
    (void)vcpu;
    rig.rflags = rflags | 2;
    return true;
}

void vdebug_set_gpr(struct vcpu *vcpu, unsigned gpr, uint64_t value)
{
    (void)vcpu;
    rig.gpr[gpr] = value;
}

uint64_t vdebug_gpr(struct vcpu *vcpu, unsigned gpr)
{
    (void)vcpu;
    return rig.gpr[gpr];
}

uint64_t vdebug_rflags(struct vcpu *vcpu)
{
    (void)vcpu;
    return rig.rflags;
}

const char *vm_stop_name(enum vm_stop stop)
{
    return stop == VM_STOP_TRIPLE_FAULT ? "triple fault" : "another end";
}

/* --- the backend and the host ----------------------------------------------------------------- */

static uint64_t rig_reg_get(struct vcpu *vcpu, enum vreg reg)
{
    (void)vcpu;
    return rig.reg[reg];
}

static void rig_reg_set(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    (void)vcpu;
    rig.reg[reg] = value;
}

static void rig_seg_get(struct vcpu *vcpu, enum vseg_name name, struct vseg *seg)
{
    (void)vcpu;
    *seg = (struct vseg){.selector = (uint16_t)(0x10 * (name + 1))};
}

static const struct backend rig_backend = {
    .reg_get = rig_reg_get, .reg_set = rig_reg_set, .seg_get = rig_seg_get};

static void rig_put(void *ctx, uint8_t byte)
{
    (void)ctx;
    if (rig.sent_length == sizeof(rig.sent) - 1)
        rig.sent_length = 0;
    rig.sent[rig.sent_length++] = (char)byte;
    rig.sent[rig.sent_length] = 0;
}

static void rig_fpu_get(void *ctx, struct gdb_fpu *fpu)
{
    (void)ctx;
    *fpu = rig.fpu;
}

static void rig_fpu_set(void *ctx, const struct gdb_fpu *fpu)
{
    (void)ctx;
    rig.fpu = *fpu;
}

static void rig_end(void *ctx, enum vm_stop stop)
{
    (void)ctx;
    rig.ended = stop;
}

static bool rig_monitor(void *ctx, const char *line, struct byte_sink out)
{
    (void)ctx;
    snprintf(rig.monitor_line, sizeof(rig.monitor_line), "%s", line);
    if (strcmp(line, "hello") != 0)
        return false;
    out.put(out.ctx, 'h');
    out.put(out.ctx, 'i');
    out.put(out.ctx, '\n');
    return true;
}

static uint64_t rig_read_profile(void *ctx, uint64_t offset, void *to, uint64_t length)
{
    uint64_t done = 0;
    (void)ctx;
    for (; done < length && offset < rig.profile_bytes; done++, offset++)
        ((char *)to)[done] = "PROFILE"[offset % 7];
    return done;
}

static void rig_cleared(void *ctx)
{
    (void)ctx;
    rig.clears++;
}

static void rig_left(void *ctx, bool acknowledgement)
{
    (void)ctx;
    rig.lefts++;
    rig.acknowledgement = acknowledgement;
}

/* In long mode, AVX there and on, running. */
static void rig_init(void)
{
    static const struct gdb_host host = {
        .fpu_get = rig_fpu_get,
        .fpu_set = rig_fpu_set,
        .end = rig_end,
        .monitor = rig_monitor,
        .read_profile = rig_read_profile,
        .cleared = rig_cleared,
        .left = rig_left,
    };

    memset(&rig, 0, sizeof(rig));
    rig.facts = (struct cpu_facts){.xcr0_allowed = 7, .physical_address_mask = 0xffffffffff};
    rig.vcpu.facts = &rig.facts;
    rig.vcpu.hooks.cr8_read = rig_cr8_read;
    rig.vcpu.hooks.cr8_write = rig_cr8_write;
    rig.vcpu.backend = &rig_backend;
    rig.vcpu.xcr0 = 7;
    rig.reg[VREG_EFER] = 0x500;
    rig.profile_bytes = 7;
    gdb_init(&rig.gdb, (struct byte_sink){rig_put, NULL}, &rig.buffers, &rig.vcpu, &host);
}

static void rig_bytes(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        gdb_receive(&rig.gdb, (uint8_t)text[i]);
}

static void rig_forget_sent(void)
{
    rig.sent_length = 0;
    rig.sent[0] = 0;
}

/* A packet with its frame. */
static void rig_packet(const char *text)
{
    char end[4];
    uint8_t sum = 0;

    for (const char *c = text; *c; c++)
        sum = (uint8_t)(sum + (uint8_t)*c);
    snprintf(end, sizeof(end), "#%02x", sum);
    rig_bytes("$", 1);
    rig_bytes(text, strlen(text));
    rig_bytes(end, 3);
}

static char rig_text[131072];

/* The packets sent so far, without frames, runs written out, escapes taken out; a line each. */
static inline const char *sent_packets(void)
{
    size_t length = 0;

    for (const char *c = rig.sent; *c;) {
        if (*c++ != '$')
            continue;
        for (; *c != '#'; c++) {
            if (*c == '*') {
                for (int more = *++c - 29; more > 0; more--, length++)
                    rig_text[length] = rig_text[length - 1];
            } else if (*c == '}') {
                rig_text[length++] = (char)(*++c ^ 0x20);
            } else {
                rig_text[length++] = *c;
            }
        }
        rig_text[length++] = '\n';
    }
    if (length)
        length--;
    rig_text[length] = 0;
    return rig_text;
}

/* What a packet is answered with; "" also where no packet came. */
static inline const char *answer(const char *packet)
{
    rig_forget_sent();
    rig_packet(packet);
    return sent_packets();
}

/* What hooks.debug_stopped() does first. */
static void rig_stop(enum vdebug_reason reason)
{
    rig.stopped = true;
    rig.stop.reason = reason;
    rig.pause_wanted = false;
    rig.gdb.resumed = false;
    gdb_guest_stopped(&rig.gdb);
}

/* The guest goes on when it was told to. */
static inline void rig_run(void)
{
    rig.stopped = false;
    rig.stop.reason = VDEBUG_RUNNING;
}

#endif
