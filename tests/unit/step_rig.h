/* A CPU of a few instructions that a debugger steps over, for the tests of virt/debug_step.c. */
#ifndef TESTS_STEP_RIG_H
#define TESTS_STEP_RIG_H

#include "virt/virt.h"
#include "virt/x86.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TF      0x100u
#define CODE    0x1000u
#define STACK   0x8000u
#define IDT     0x5000u
#define HANDLER 0x9000u /* plus 16 for each vector */

static struct fake fake;
static struct vcpu *const cpu = &fake.vcpu;

/* The guest steps until one stop isn't to be followed by another: CONTINUE ends in the script's
 * triple fault. */
static struct {
    unsigned steps, count;
    struct vdebug_stop stop[16];
    uint64_t rip[16], rflags[16];
    enum vevent_type queued[16];
} session;

static inline void stopped(struct fake *machine)
{
    (void)machine;
    unsigned n = session.count++;
    assert_in_range(n, 0, 15);
    session.stop[n] = *vdebug_stop(cpu);
    session.rip[n] = cpu->rip;
    session.rflags[n] = vdebug_rflags(cpu);
    session.queued[n] = cpu->inject.type;
    vdebug_resume(cpu, n < session.steps ? VDEBUG_STEP : VDEBUG_CONTINUE);
}

/* What each entry finds. */
static struct {
    uint64_t rflags, dr7, dr0;
    uint32_t int_shadow;
    struct vdebug_controls controls;
} entry[16];

/* What the guest does in each: NULL, nothing. */
static void (*guest[16])(void);

static inline void enter(struct fake *machine, unsigned n)
{
    assert_in_range(n, 0, 15);
    entry[n].rflags = cpu->rflags;
    entry[n].dr7 = machine->reg[VREG_DR7];
    entry[n].dr0 = machine->reg[VREG_DR0];
    entry[n].int_shadow = cpu->int_shadow;
    entry[n].controls = machine->controls;
    if (guest[n])
        guest[n]();
}

static inline void begin(bool trap, unsigned steps)
{
    memset(&session, 0, sizeof session);
    memset(guest, 0, sizeof guest);
    fake_init(&fake);
    fake.no_trap = !trap;
    fake.on_debug_stop = stopped;
    fake.on_entry = enter;
    fake.reg[VREG_DR6] = X86_DR6_RESERVED;
    fake.reg[VREG_DR7] = 0x400;
    fake.reg[VREG_IDTR_BASE] = IDT;
    cpu->gpr[VGPR_RSP] = STACK;
    for (unsigned n = 0; n < 256; n++) {
        uint32_t handler = HANDLER + 16 * n;
        const uint16_t gate[8] = {(uint16_t)handler, 0x10, 0x8e00, (uint16_t)(handler >> 16)};
        memcpy(fake.ram + IDT + 16 * n, gate, sizeof gate);
    }
    session.steps = steps;
    vdebug_pause(cpu);
}

static inline void code(const char *bytes, unsigned count)
{
    memcpy(fake.ram + CODE, bytes, count);
}

static inline struct vexit *script_exception(uint8_t vector, enum vevent_type type,
                                             uint64_t address)
{
    struct vexit *exit = fake_script(&fake, VEXIT_EXCEPTION);
    exit->exception = (struct vevent){.type = type, .vector = vector};
    exit->exception_address = address;
    return exit;
}

/* The trap behind an instruction that ran with TF. */
static inline void script_trap(void)
{
    script_exception(X86_DB, VEVENT_EXCEPTION, X86_DR6_BS);
}

/* The breakpoint in DR0. */
static inline void script_gate(void)
{
    script_exception(X86_DB, VEVENT_EXCEPTION, 1);
}

static inline void next(void)
{
    cpu->rip++;
}

#endif
