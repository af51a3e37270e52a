/*
 * A debugger's stops. The guest's time and its TSC stand still meanwhile; whoever serves the
 * debugger does so within hooks.debug_stopped().
 */
#include "virt/debug_parts.h"

#include "lib/mem.h"
#include "virt/x86.h"

void debug_raise(struct vcpu *vcpu, struct vdebug_stop stop)
{
    if (vcpu->debug.next.reason == VDEBUG_RUNNING)
        vcpu->debug.next = stop;
    vcpu->debugging = true;
}

void vdebug_pause(struct vcpu *vcpu)
{
    if (vdebug_stopped(vcpu))
        return;
    vcpu->debug.pause_wanted = true;
    vcpu->debugging = true;
}

bool vdebug_stopped(const struct vcpu *vcpu)
{
    return vcpu->debug.stop.reason != VDEBUG_RUNNING;
}

const struct vdebug_stop *vdebug_stop(const struct vcpu *vcpu)
{
    return &vcpu->debug.stop;
}

void vdebug_resume(struct vcpu *vcpu, enum vdebug_resume how)
{
    vcpu->debug.how = how;
}

void vdebug_set_step_events(struct vcpu *vcpu, bool taken)
{
    vcpu->debug.step_events = taken;
}

void debug_reset(struct vcpu *vcpu)
{
    struct vdebug *debug = &vcpu->debug;
    debug->step = (struct vdebug_step){.kind = VDEBUG_NO_STEP};
    debug->pause_wanted = false;
    debug->next = debug->stop = (struct vdebug_stop){.reason = VDEBUG_RUNNING};
    debug->owns_registers = false; /* the guest's are the CPU's: those of a power-on */
    debug->controls = (struct vdebug_controls){false};
    vcpu->backend->debug(vcpu, &debug->controls);
    debug_reload_soft(vcpu);
    debug_load(vcpu);
    if (debug->stop_at_start)
        debug_raise(vcpu, (struct vdebug_stop){.reason = VDEBUG_STARTED});
}

/* Time goes on for the guest where it stood. */
static void stand_still(struct vcpu *vcpu)
{
    struct vdebug *debug = &vcpu->debug;
    vcpu->backend->park(vcpu);
    debug->stop = debug->next;
    debug->next = (struct vdebug_stop){.reason = VDEBUG_RUNNING};
    debug->how = VDEBUG_CONTINUE;
    debug->stopped_tsc = vcpu->host->tsc();
    account_leave(&vcpu->account, ACCOUNT_STOPPED, debug->stopped_tsc);
    if (vcpu->hooks.debug_stopped)
        vcpu->hooks.debug_stopped(vcpu->hooks.ctx);
    uint64_t passed = vcpu->host->tsc() - debug->stopped_tsc;
    account_return(&vcpu->account, debug->stopped_tsc + passed);
    uint64_t offset = vcpu->backend->reg_get(vcpu, VREG_TSC_OFFSET);
    vcpu->backend->reg_set(vcpu, VREG_TSC_OFFSET, offset - passed);
    vcpu->clock.tsc_base += passed;
    vcpu->deadline_ns = 0;
    vcpu->deadline_tsc = UINT64_MAX;
    vcpu->devices_touched = true;
    debug->stop.reason = VDEBUG_RUNNING;
    debug->pause_wanted = false;
}

/* A point that the guest stands at would be met again at once: one instruction goes first. A guest
 * that sleeps in HLT isn't at its next instruction yet. */
static void go_on(struct vcpu *vcpu)
{
    if (vcpu->debug.how == VDEBUG_STEP)
        debug_step_begin(vcpu, true);
    else if (!vcpu->halted && debug_point_at_rip(vcpu))
        debug_step_begin(vcpu, false);
}

void debug_attend(struct vcpu *vcpu)
{
    struct vdebug *debug = &vcpu->debug;
    if (debug->pause_wanted)
        debug_raise(vcpu, (struct vdebug_stop){.reason = VDEBUG_PAUSED});
    if (debug->next.reason != VDEBUG_RUNNING) {
        if (debug->step.kind != VDEBUG_NO_STEP)
            debug_step_end(vcpu);
        stand_still(vcpu);
        go_on(vcpu);
    }
    vcpu->debugging = debug->step.kind != VDEBUG_NO_STEP;
}

void debug_guest_ended(struct vcpu *vcpu)
{
    struct vdebug *debug = &vcpu->debug;
    if (debug->step.kind != VDEBUG_NO_STEP)
        debug_step_end(vcpu);
    if (!debug->attached)
        return;
    debug->next = (struct vdebug_stop){.reason = VDEBUG_GUEST_ENDED};
    stand_still(vcpu);
}

bool debug_holds_events(const struct vcpu *vcpu)
{
    const struct vdebug *debug = &vcpu->debug;
    /* An entry with TF leaves the guest's shadow out: its events would come, or a window for them
     * would end it before the instruction, again and again. */
    bool shadow = debug->step.by_flag && vcpu->int_shadow;
    return debug->step.kind == VDEBUG_STEP_OVER_POINT ||
           (debug->step.kind == VDEBUG_STEP_ASKED && (!debug->step_events || shadow));
}

/* --- the guest's debug registers -------------------------------------------------------------- */

uint64_t vdebug_dr(struct vcpu *vcpu, enum vreg reg)
{
    if (vcpu->debug.owns_registers)
        return vcpu->debug.guest_register[reg - VREG_DR0];
    return vcpu->backend->reg_get(vcpu, reg);
}

void vdebug_set_dr(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    if (!vcpu->debug.owns_registers) {
        vcpu->backend->reg_set(vcpu, reg, value);
        return;
    }
    vcpu->debug.guest_register[reg - VREG_DR0] = value;
    debug_load(vcpu);
}
