/*
 * The local APIC between the machine, which has it as a device, and a CPU that virtualizes parts of
 * it. Their common ground is the page of registers. What the CPU holds beside that (the highest
 * vectors, TPR's threshold, whose end exits) is brought up to date before the entry that follows a
 * change; while nothing changes nothing is done, and after an exit nothing has to be read back.
 */
#include "virt/handlers.h"
#include "virt/x86.h"

void apic_sync(struct vcpu *vcpu, bool held_off)
{
    struct vapic vapic;

    vcpu->apic_stale = false;
    vcpu->apic_held_off = held_off;
    if (vcpu->apic_help == VAPIC_NONE)
        return;
    vcpu->hooks.apic_state(vcpu->hooks.ctx, &vapic);
    if (held_off)
        vapic.requested = 0;
    vcpu->backend->apic(vcpu, &vapic);
}

bool apic_wakes(struct vcpu *vcpu)
{
    return vcpu->apic_help >= VAPIC_DELIVERY && (vcpu->rflags & X86_RFLAGS_IF) &&
           vcpu->hooks.apic_due(vcpu->hooks.ctx);
}

/* The instruction is over: nothing is to be done again, nor moved, and a shadow has ended with it.
 * Bochs reports MOV SS's behind a MOV to CR8. */
enum exit_action apic_event_exit(struct vcpu *vcpu, struct vexit *exit)
{
    exit_detail(exit, exit->apic);
    vcpu->int_shadow = 0;
    vcpu->hooks.apic_event(vcpu->hooks.ctx, exit->kind, exit->apic);
    return EXIT_RETRY;
}
