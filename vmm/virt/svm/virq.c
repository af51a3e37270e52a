/*
 * Interrupts on a CPU that delivers an injected one twice (QEMU's TCG): it keeps the number of what
 * VMRUN injected, and where other work makes it leave its loop before the guest's next exit it
 * delivers that again, whatever IF says. A kernel then waits for ever for a lock that the handler
 * holds already.
 *
 * A virtual interrupt comes once. It needs IF and no shadow, as whoever injects has made sure, and
 * may be overtaken by an exit: then it is like one whose delivery was broken off. TCG keeps it
 * pending when its delivery meets an exception, so all of them exit until the next exit. Where the
 * virtual interrupt is wanted as a window, or an NMI's step would overtake it for ever, the number
 * is made harmless by an exit before the handler's first instruction. APM "Virtual Interrupts".
 */
#include "virt/svm/svm.h"

#include "hw/hw.h"

#define PRIORITY_MOST 15

/* In short: there are no clean bits here, so that the next entry need not be told. */
static inline void set_cr8_exits(const struct svm_vcpu *state, struct vmcb_control *control)
{
    if (state->virq || state->cr8_exits || state->irq_wanted)
        control->intercept_cr |= INTERCEPT_CR_WRITE(8);
    else
        control->intercept_cr &= ~INTERCEPT_CR_WRITE(8);
}

bool svm_virq_inject(struct vcpu *vcpu, struct svm_vcpu *state)
{
    struct vmcb_control *control = &state->vmcb->control;
    if (state->irq_wanted || state->nmi_wanted) {
        hw_timer_interrupt();
        return false;
    }
    control->v_intr = (control->v_intr & ~V_INTR_VECTOR) | V_IRQ | V_INTR_PRIO(PRIORITY_MOST) |
                      V_IGN_TPR | (uint64_t)vcpu->inject.vector << V_INTR_VECTOR_SHIFT;
    state->virq = true;
    state->step_exceptions = control->intercept_exceptions;
    control->intercept_exceptions = SVM_EXCEPTIONS_ALL;
    set_cr8_exits(state, control);
    return true;
}

void svm_virq_after_exit(struct svm_vcpu *state, struct vexit *exit)
{
    struct vmcb_control *control = &state->vmcb->control;
    uint8_t vector = (uint8_t)(control->v_intr >> V_INTR_VECTOR_SHIFT);
    /* TCG calls it an exception whose delivery was broken off. */
    if ((control->v_intr & V_IRQ) ||
        (exit->interrupted.type == VEVENT_EXCEPTION && exit->interrupted.vector == vector))
        exit->interrupted = (struct vevent){.type = VEVENT_IRQ, .vector = vector};
    control->v_intr &= ~(V_IRQ | V_INTR_PRIO(PRIORITY_MOST) | V_IGN_TPR | V_INTR_VECTOR);
    control->intercept_exceptions = state->step_exceptions;
    state->virq = false;
    set_cr8_exits(state, control);
}
