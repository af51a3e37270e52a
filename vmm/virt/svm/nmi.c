/*
 * NMIs. AMD-V injects one but doesn't say when the guest is ready for the next: that is when its
 * handler's IRET has run. So the IRET is intercepted while NMIs are blocked; the exit comes before
 * it runs, so that one instruction has still to be let through. Mostly the next exit, whatever it
 * is, comes behind it. Where an NMI waits, a single-step trap of ours ends the guest's turn right
 * there; the same trap ends an STI's or MOV SS's shadow, which an NMI must not enter.
 *
 * A stepped instruction that pushes RFLAGS would show the guest our TF. One in a shadow behind
 * which something waits is rare enough; an exception pushes them, too, so all of them exit in a
 * step.
 *
 * The step also serves CPUs on which VMRUN forgets the interrupt shadow (QEMU's TCG): an interrupt
 * that waits for the end of STI's would come between STI and HLT, and nothing would end this HLT.
 */
#include "virt/svm/svm.h"

#include "hw/cpu.h"
#include "hw/hw.h"

#define RFLAGS_TF BIT64(8)
#define RFLAGS_IF BIT64(9)
#define DR6_BS    BIT64(14)

#define VECTOR_DB 1

static void intercept_iret(struct svm_vcpu *state, bool wanted)
{
    struct vmcb_control *control = &state->vmcb->control;
    if (wanted)
        control->intercept_3 |= INTERCEPT_IRET;
    else
        control->intercept_3 &= ~INTERCEPT_IRET;
    svm_dirty(state, CLEAN_INTERCEPTS);
}

void svm_nmi_set_blocked(struct svm_vcpu *state, bool blocked)
{
    state->nmi_blocked = blocked;
    state->iret_seen = false;
    intercept_iret(state, blocked);
}

void svm_nmi_injected(struct svm_vcpu *state)
{
    svm_nmi_set_blocked(state, true);
}

void svm_nmi_want(struct vcpu *vcpu, bool wanted)
{
    struct svm_vcpu *state = svm_state(vcpu);
    state->nmi_wanted = wanted;
    state->changed = true;
}

/*
 * Behind an event's injection the trap would lie in its handler, with our TF on the guest's stack:
 * an interrupt of the host's ends the turn instead, before the handler's first instruction. An
 * event that goes before an IRET leaves the blocking to whichever IRET comes next.
 */
static void before_event(struct vcpu *vcpu, struct svm_vcpu *state)
{
    if (state->iret_seen)
        svm_nmi_set_blocked(state, true);
    if (state->nmi_wanted && !state->nmi_blocked && vcpu->inject.type != VEVENT_NMI)
        hw_timer_interrupt();
}

/* A virtual interrupt would come before the step. */
static void begin_step(struct vcpu *vcpu, struct svm_vcpu *state)
{
    struct vmcb *vmcb = state->vmcb;
    state->stepping = true;
    state->step_tf = vcpu->rflags & RFLAGS_TF;
    state->step_dr6 = vmcb->save.dr6;
    vcpu->rflags |= RFLAGS_TF;
    state->step_exceptions = vmcb->control.intercept_exceptions;
    vmcb->control.intercept_exceptions = SVM_EXCEPTIONS_ALL;
    vmcb->control.v_intr &= ~V_IRQ;
    svm_dirty(state, CLEAN_INTERCEPTS | CLEAN_VINTR);
}

void svm_nmi_before_entry(struct vcpu *vcpu)
{
    struct svm_vcpu *state = svm_state(vcpu);
    if (vcpu->inject.type != VEVENT_NONE) {
        before_event(vcpu, state);
        return;
    }
    bool in_the_way = state->nmi_blocked ? state->iret_seen : vcpu->int_shadow != 0;
    bool irq_in_the_way = state->forgets_shadow && state->irq_wanted && vcpu->int_shadow != 0 &&
                          (vcpu->rflags & RFLAGS_IF);
    if ((state->nmi_wanted && in_the_way) || irq_in_the_way)
        begin_step(vcpu, state);
}

/* An entry in a shadow ended where it began. The guest may have executed an instruction that leads
 * to itself; then it executes one more before it takes what waits. */
void svm_shadow_after_exit(struct vcpu *vcpu, const struct vexit *exit)
{
    struct svm_vcpu *state = svm_state(vcpu);
    state->entered_in_shadow = false;
    if (vcpu->rip != state->shadow_rip || vcpu->int_shadow ||
        (exit->kind != VEXIT_HOST_IRQ && exit->kind != VEXIT_IRQ_WINDOW))
        return;
    vcpu->int_shadow = INTERRUPT_SHADOW;
    if (exit->kind == VEXIT_IRQ_WINDOW)
        state->forgets_shadow = true;
    state->changed = true;
}

/* Our trap came. What belongs to the guest of it, a breakpoint or a step of its own, goes on. */
static void end_step(struct vcpu *vcpu, struct vexit *exit)
{
    struct svm_vcpu *state = svm_state(vcpu);
    uint64_t others = state->vmcb->save.dr6 & ~state->step_dr6 & ~DR6_BS;
    if (!state->iret_seen) /* an IRET has loaded the guest's own TF */
        vcpu->rflags = (vcpu->rflags & ~RFLAGS_TF) | state->step_tf;
    if (state->iret_seen)
        svm_nmi_set_blocked(state, false);
    if (state->step_tf)
        return;
    svm_reg_set(vcpu, VREG_DR6, state->step_dr6 | others);
    exit->exception_address = others;
    if (!others)
        exit->kind = VEXIT_NMI_WINDOW;
}

/* By its trap, or by something that came first: then it is tried again. An IRET that faults has
 * ended the blocking all the same: SDM "Handling Multiple NMIs". */
static void after_step(struct vcpu *vcpu, struct svm_vcpu *state, struct vexit *exit)
{
    bool exception = exit->kind == VEXIT_EXCEPTION;
    state->stepping = false;
    state->vmcb->control.intercept_exceptions = state->step_exceptions;
    if (state->irq_wanted)
        state->vmcb->control.v_intr |= V_IRQ;
    svm_dirty(state, CLEAN_INTERCEPTS | CLEAN_VINTR);
    if (exception && exit->exception.vector == VECTOR_DB && (exit->exception_address & DR6_BS)) {
        end_step(vcpu, exit);
        return;
    }
    vcpu->rflags = (vcpu->rflags & ~RFLAGS_TF) | state->step_tf;
    if (exception && state->iret_seen)
        svm_nmi_set_blocked(state, false);
}

void svm_nmi_after_exit(struct vcpu *vcpu, struct vexit *exit)
{
    struct svm_vcpu *state = svm_state(vcpu);
    if (state->virq)
        svm_virq_after_exit(state, exit);
    if (state->stepping)
        after_step(vcpu, state, exit);
    if (exit->raw_reason == EXIT_IRET) {
        intercept_iret(state, false);
        state->iret_seen = true;
        state->iret_rip = vcpu->rip;
    } else if (state->iret_seen && vcpu->rip != state->iret_rip) {
        svm_nmi_set_blocked(state, false);
    }
}
