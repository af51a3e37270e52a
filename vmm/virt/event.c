/*
 * Events that enter the guest. At most one is queued (vcpu->inject); an exception that meets a
 * queued event joins with it as SDM "Interrupt 8—Double Fault Exception (#DF)" says.
 */
#define LOG_MODULE "event"
#include "virt/handlers.h"
#include "virt/x86.h"

#include "lib/log.h"

/* A guest whose IDT faults over and over would never execute an instruction again; a real CPU
 * hangs then. So many in a row are no accident. */
#define EVENT_LOOP_LIMIT 10000u

enum event_class { EVENT_BENIGN, EVENT_CONTRIBUTORY, EVENT_PAGE_FAULT, EVENT_DOUBLE_FAULT };

static enum event_class event_class(uint8_t vector)
{
    switch (vector) {
    case X86_DE:
    case X86_TS:
    case X86_NP:
    case X86_SS:
    case X86_GP:
    case X86_CP:
        return EVENT_CONTRIBUTORY;
    case X86_PF:
        return EVENT_PAGE_FAULT;
    case X86_DF:
        return EVENT_DOUBLE_FAULT;
    default:
        return EVENT_BENIGN;
    }
}

static bool event_is_fault(uint8_t vector)
{
    return vector != X86_DB && vector != X86_BP && vector != X86_OF && vector != X86_DF &&
           vector != X86_MC;
}

/* What comes out of `second` raised while `first` was being delivered. */
enum event_join { JOIN_SERIAL, JOIN_DOUBLE_FAULT, JOIN_TRIPLE_FAULT };

static enum event_join event_join(uint8_t first, uint8_t second)
{
    enum event_class a = event_class(first), b = event_class(second);
    if (a == EVENT_DOUBLE_FAULT)
        return b == EVENT_BENIGN ? JOIN_SERIAL : JOIN_TRIPLE_FAULT;
    if (a == EVENT_CONTRIBUTORY && b == EVENT_CONTRIBUTORY)
        return JOIN_DOUBLE_FAULT;
    if (a == EVENT_PAGE_FAULT && (b == EVENT_CONTRIBUTORY || b == EVENT_PAGE_FAULT))
        return JOIN_DOUBLE_FAULT;
    return JOIN_SERIAL;
}

/* The queued event gives way to an exception that its delivery met. It is over then, as on a CPU:
 * an interrupt was acknowledged and isn't asked for again, and NMIs are blocked until an IRET. A
 * software event runs again, since RIP still points at its instruction. */
static void event_give_way(struct vcpu *vcpu)
{
    if (vcpu->inject.type == VEVENT_NMI)
        vcpu->backend->reg_set(vcpu, VREG_NMI_BLOCKED, 1);
}

static enum exit_action event_queue(struct vcpu *vcpu, uint8_t vector, bool has_error,
                                    uint32_t error)
{
    if (vcpu->inject.type == VEVENT_EXCEPTION) {
        switch (event_join(vcpu->inject.vector, vector)) {
        case JOIN_TRIPLE_FAULT:
            vcpu->inject.type = VEVENT_NONE;
            vcpu_stop(vcpu, VM_STOP_TRIPLE_FAULT, "exception %u while a double fault was delivered",
                      vector);
            return EXIT_STOP;
        case JOIN_DOUBLE_FAULT:
            vector = X86_DF;
            has_error = true;
            error = 0;
            break;
        case JOIN_SERIAL:
            break;
        }
    } else {
        event_give_way(vcpu);
    }
    /* Real mode has no error codes, and VM entry refuses one there. */
    has_error = has_error && (vcpu->backend->reg_get(vcpu, VREG_CR0) & X86_CR0_PE);
    vcpu->inject = (struct vevent){.type = VEVENT_EXCEPTION,
                                   .vector = vector,
                                   .has_error = has_error,
                                   .error = has_error ? error : 0};
    if (event_is_fault(vector))
        vcpu->rflags |= X86_RFLAGS_RF;
    return EXIT_INJECT;
}

enum exit_action inject_exception(struct vcpu *vcpu, uint8_t vector)
{
    return event_queue(vcpu, vector, false, 0);
}

enum exit_action inject_exception_error(struct vcpu *vcpu, uint8_t vector, uint32_t error)
{
    return event_queue(vcpu, vector, true, error);
}

enum exit_action inject_page_fault(struct vcpu *vcpu, gva_t address, uint32_t error)
{
    vcpu->backend->reg_set(vcpu, VREG_CR2, address);
    return event_queue(vcpu, X86_PF, true, error);
}

void event_requeue(struct vcpu *vcpu, const struct vevent *interrupted)
{
    vcpu->inject = *interrupted;
    /* The delivery that was broken off had already blocked NMIs. */
    if (interrupted->type == VEVENT_NMI)
        vcpu->backend->reg_set(vcpu, VREG_NMI_BLOCKED, 0);
}

/* True when the guest has done nothing but take exceptions for far too long. */
static bool event_loops(struct vcpu *vcpu, const struct vexit *exit)
{
    bool in_a_row = vcpu->nested_fault_exit + 1 == vcpu->exits;
    vcpu->nested_fault_exit = vcpu->exits;
    if (exit->interrupted.type != VEVENT_EXCEPTION || !in_a_row)
        vcpu->nested_faults = 0;
    return ++vcpu->nested_faults > EVENT_LOOP_LIMIT;
}

/*
 * What the CPU does on its way into the #DB handler and the exit came before: DR6's sticky bits
 * gain the new causes, bits 3 to 0 are the newest's alone; general detect ends. SDM "Debug Status
 * Register (DR6)", "Debug Control Register (DR7)". The shadow ends too: with TF set, an entry with
 * it would need BS among the pending exceptions. SDM "Checks on Guest Non-Register State".
 */
static void event_debug(struct vcpu *vcpu, uint64_t causes)
{
    uint64_t dr6 = vdebug_dr(vcpu, VREG_DR6);
    uint64_t dr7 = vdebug_dr(vcpu, VREG_DR7);
    if (causes)
        vdebug_set_dr(vcpu, VREG_DR6, (dr6 & ~0xfull) | causes);
    if (dr7 & X86_DR7_GD)
        vdebug_set_dr(vcpu, VREG_DR7, dr7 & ~X86_DR7_GD);
    vcpu->int_shadow = 0;
}

enum exit_action inject_debug(struct vcpu *vcpu, uint64_t causes)
{
    event_debug(vcpu, causes);
    return inject_exception(vcpu, X86_DB);
}

enum exit_action event_exception(struct vcpu *vcpu, struct vexit *exit)
{
    const struct vevent *event = &exit->exception;
    exit_detail(exit, event->vector);
    if (event->vector == X86_MC) {
        vcpu_stop(vcpu, VM_STOP_UNKNOWN_EXIT,
                  "the host reported a machine check while the guest ran: check its hardware");
        return EXIT_STOP;
    }
    if (vcpu->debug.engaged && debug_exception(vcpu, exit))
        return EXIT_RETRY;
    if (event_loops(vcpu, exit)) {
        vcpu_stop(vcpu, VM_STOP_EVENT_LOOP,
                  "exception %u came %u times in a row while another was"
                  " being delivered",
                  event->vector, EVENT_LOOP_LIMIT);
        return EXIT_STOP;
    }
    if (event->vector == X86_DB)
        event_debug(vcpu, event->type == VEVENT_EXCEPTION ? exit->exception_address : 0);
    if (event->type != VEVENT_EXCEPTION) {
        /* INT3, INTO, INT1: traps of an instruction whose length the entry needs. */
        vcpu->inject = *event;
        if (vcpu->inject.insn_len == 0)
            vcpu->inject.insn_len = exit->insn_len;
        return EXIT_INJECT;
    }
    if (event->vector == X86_PF)
        return inject_page_fault(vcpu, exit->exception_address, event->error);
    return event_queue(vcpu, event->vector, event->has_error, event->error);
}
