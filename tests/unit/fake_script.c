/* Exits for the fake machine: at its next entry, or at once. */
#include "fake_backend.h"

#include "virt/exit_loop.h"

struct vexit *fake_script(struct fake *fake, enum vexit_kind kind)
{
    struct vexit *exit = &fake->script[fake->script_len++];
    *exit = (struct vexit){.kind = kind};
    return exit;
}

void fake_exit(struct fake *fake, enum vexit_kind kind, uint8_t insn_len)
{
    struct vcpu *vcpu = &fake->vcpu;
    struct vexit *exit = vcpu->trace.next++;
    *exit = (struct vexit){.kind = kind, .insn_len = insn_len, .rip = vcpu->rip};
    exit_handle(vcpu, exit);
    if (vcpu->trace.next == vcpu->trace.end)
        trace_turn(vcpu);
}

static struct vcpu *round_trip(struct vcpu *vcpu)
{
    vcpu->backend->run(vcpu);
    return vcpu;
}

void fake_loop(struct vcpu *vcpu)
{
    exit_loop(vcpu, round_trip);
}
