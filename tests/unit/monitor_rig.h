/* A monitor whose machine is made of arrays: the fake backend's registers, some memory at two
 * places, and functions of virt/debug.h that a test looks into. */
#ifndef MONITOR_RIG_H
#define MONITOR_RIG_H

#include "debug/monitor.h"
#include "lib/text.h"
#include "lib/log.h"
#include "virt/virt.h"

#include <stdio.h>
#include <string.h>

#define RIG_VIRTUAL  0xffffffff81000000ull
#define RIG_PHYSICAL 0x1000ull
#define RIG_MEMORY   0x2000u

static struct {
    struct vcpu vcpu;
    struct monitor monitor;
    uint64_t reg[VREG_COUNT];
    struct vseg seg[VSEG_COUNT];
    uint8_t memory[RIG_MEMORY];
    struct vdebug_stop stop;
    struct vdebug_walk walk;
    struct nested_walk nested;
    unsigned pauses, resumes, steps, resets, power_offs, buttons, lives, printed_lines;
    unsigned inserted, removed, drops;
    bool refuse_points, traced;
    enum log_level level;
    char out[65536];
    size_t length;
} rig;

/* --- virt/debug.h ----------------------------------------------------------------------------- */

static uint64_t copy(uint64_t base, uint64_t address, void *to, uint64_t length)
{
    if (address < base || address - base >= RIG_MEMORY)
        return 0;
    uint64_t room = RIG_MEMORY - (address - base);
    uint64_t done = length < room ? length : room;
    memcpy(to, rig.memory + (address - base), done);
    return done;
}

uint64_t vdebug_read(struct vcpu *vcpu, gva_t address, void *to, uint64_t length)
{
    (void)vcpu;
    return copy(RIG_VIRTUAL, address, to, length);
}

uint64_t vdebug_read_physical(struct vcpu *vcpu, gpa_t address, void *to, uint64_t length)
{
    (void)vcpu;
    return copy(RIG_PHYSICAL, address, to, length);
}

void vdebug_walk(struct vcpu *vcpu, gva_t address, struct vdebug_walk *walk)
{
    (void)vcpu;
    (void)address;
    *walk = rig.walk;
}

void vdebug_pause(struct vcpu *vcpu)
{
    (void)vcpu;
    rig.pauses++;
}

bool vdebug_stopped(const struct vcpu *vcpu)
{
    (void)vcpu;
    return rig.stop.reason != VDEBUG_RUNNING;
}

const struct vdebug_stop *vdebug_stop(const struct vcpu *vcpu)
{
    (void)vcpu;
    return &rig.stop;
}

void vdebug_resume(struct vcpu *vcpu, enum vdebug_resume how)
{
    (void)vcpu;
    rig.resumes += how == VDEBUG_CONTINUE;
    rig.steps += how == VDEBUG_STEP;
}

bool vdebug_insert(struct vcpu *vcpu, enum vdebug_point_kind kind, gva_t address, unsigned length)
{
    (void)vcpu;
    (void)kind;
    (void)address;
    (void)length;
    rig.inserted += !rig.refuse_points;
    return !rig.refuse_points;
}

bool vdebug_remove(struct vcpu *vcpu, enum vdebug_point_kind kind, gva_t address, unsigned length)
{
    (void)vcpu;
    (void)kind;
    (void)address;
    (void)length;
    rig.removed++;
    return true;
}

uint64_t vdebug_rflags(struct vcpu *vcpu)
{
    return vcpu->rflags;
}

uint64_t vdebug_dr(struct vcpu *vcpu, enum vreg reg)
{
    (void)vcpu;
    return rig.reg[reg];
}

/* --- the rest of virt/ ------------------------------------------------------------------------ */

static uint64_t reg_get(struct vcpu *vcpu, enum vreg reg)
{
    return reg == VREG_RSP ? vcpu->gpr[VGPR_RSP] : rig.reg[reg];
}

static void seg_get(struct vcpu *vcpu, enum vseg_name name, struct vseg *seg)
{
    (void)vcpu;
    *seg = rig.seg[name];
}

static bool apic_read(void *ctx, uint32_t msr, uint64_t *value)
{
    (void)ctx;
    *value = msr == 0x1b ? 0xfee00900 : 0;
    return true;
}

static uint8_t cr8_read(void *ctx)
{
    (void)ctx;
    return 5;
}

static void walk_nested(struct vcpu *vcpu, gpa_t gpa, struct nested_walk *walk)
{
    (void)vcpu;
    (void)gpa;
    *walk = rig.nested;
}

unsigned vcpu_code_bits(struct vcpu *vcpu)
{
    (void)vcpu;
    return 64;
}

const char *vm_stop_name(enum vm_stop stop)
{
    return stop == VM_STOP_TRIPLE_FAULT ? "triple fault" : "?";
}

void log_set_level(enum log_level level)
{
    rig.level = level;
}

enum log_level log_get_level(void)
{
    return rig.level;
}

/* --- the machine around it -------------------------------------------------------------------- */

static void print_topic(void *ctx, struct byte_sink out)
{
    (void)ctx;
    text_printf(out, "topic\n");
}

static void print_flood(void *ctx, struct byte_sink out)
{
    (void)ctx;
    for (unsigned i = 0; i < 10000; i++)
        text_printf(out, "line %u\n", i);
}

static void print_log(void *ctx, struct byte_sink out, unsigned lines)
{
    (void)ctx;
    rig.printed_lines = lines;
    text_printf(out, "log\n");
}

static void count_reset(void *ctx)
{
    (void)ctx;
    rig.resets++;
}

static void count_power_off(void *ctx)
{
    (void)ctx;
    rig.power_offs++;
}

static void count_button(void *ctx)
{
    (void)ctx;
    rig.buttons++;
}

static void drop_debugger(void *ctx)
{
    (void)ctx;
    rig.vcpu.debug.attached = false;
    rig.drops++;
}

static void count_live(void *ctx)
{
    (void)ctx;
    rig.lives++;
}

static inline void set_trace(void *ctx, bool on)
{
    (void)ctx;
    rig.traced = on;
}

static void keep(void *ctx, uint8_t byte)
{
    (void)ctx;
    if (rig.length + 1 < sizeof(rig.out)) {
        rig.out[rig.length++] = (char)byte;
        rig.out[rig.length] = '\0';
    }
}

static const struct monitor_topic rig_topics[] = {
    {"cpu", "the CPU", print_topic},
    {"exits", "exits", print_topic},
    {"flood", "too much", print_flood},
    {"log", "the log", NULL},
};

static struct monitor_ops rig_ops = {
    .topic = rig_topics,
    .topic_count = 4,
    .print_log = print_log,
    .reset = count_reset,
    .power_off = count_power_off,
    .power_button = count_button,
    .begin_live = count_live,
    .drop_debugger = drop_debugger,
};

static void rig_init(void)
{
    static const struct backend backend = {
        .reg_get = reg_get, .seg_get = seg_get, .nested_walk = walk_nested};

    memset(&rig, 0, sizeof(rig));
    rig_ops.trace = NULL;
    rig.vcpu.backend = &backend;
    rig.vcpu.hooks.apic_read = apic_read;
    rig.vcpu.hooks.cr8_read = cr8_read;
    rig.vcpu.rip = RIG_VIRTUAL;
    for (unsigned i = 0; i < RIG_MEMORY; i++)
        rig.memory[i] = (uint8_t)i;
    monitor_init(&rig.monitor, &rig.vcpu, &rig_ops, NULL, (struct byte_sink){keep, NULL});
}

/* What the monitor answers to a line. */
static inline const char *ask(const char *line)
{
    rig.length = 0;
    rig.out[0] = '\0';
    monitor_command(&rig.monitor, line);
    return rig.out;
}

#endif
