/* A guest that a scripted debugger stops and lets go on, for the tests of virt/debug*.c. */
#ifndef TESTS_DEBUG_RIG_H
#define TESTS_DEBUG_RIG_H

#include "virt/virt.h"
#include "virt/x86.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;
static struct vcpu *const cpu = &fake.vcpu;

/* What each stop was, and the answers to them in turn; CONTINUE behind the last. */
static struct {
    struct vdebug_stop stop[16];
    uint64_t rip[16], tsc[16];
    unsigned count;
    enum vdebug_resume answer[16];
    void (*look)(unsigned stop);
} session;

static inline void stopped(struct fake *machine)
{
    unsigned n = session.count++;
    assert_in_range(n, 0, 15);
    assert_true(vdebug_stopped(cpu));
    session.stop[n] = *vdebug_stop(cpu);
    session.rip[n] = cpu->rip;
    session.tsc[n] = machine->tsc;
    if (session.look)
        session.look(n);
    vdebug_resume(cpu, session.answer[n]);
}

static inline int setup(void **state)
{
    (void)state;
    memset(&session, 0, sizeof session);
    fake_init(&fake);
    fake.on_debug_stop = stopped;
    return 0;
}

static inline struct vexit *script_exception(uint8_t vector, enum vevent_type type)
{
    struct vexit *exit = fake_script(&fake, VEXIT_EXCEPTION);
    exit->exception = (struct vevent){.type = type, .vector = vector};
    exit->insn_len = type == VEVENT_EXCEPTION ? 0 : 1;
    return exit;
}

static inline void script_cpuid(void)
{
    fake_script(&fake, VEXIT_CPUID)->insn_len = 2;
}

#endif
