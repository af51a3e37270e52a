/*
 * The round trip of a VM exit, as a template. Each backend has its own loop made of it, so that the
 * steps from the exit to the next entry are one piece of code, without calls between them: count,
 * decide by the table in exit.c, move RIP, look whether the run loop is wanted.
 */
#ifndef VIRT_EXIT_LOOP_H
#define VIRT_EXIT_LOOP_H

#include "virt/handlers.h"
#include "virt/insn.h"
#include "virt/x86.h"

/* As large as struct account_slot: one number finds a kind in both tables. */
struct exit_kind {
    _Alignas(32) exit_handler *handler;
    const char *name;
    bool needs_insn; /* the handler needs the instruction's operands, or RIP its length */
};

_Static_assert(sizeof(struct exit_kind) == sizeof(struct account_slot), "one index for both");

extern const struct exit_kind exit_kinds[VEXIT_KIND_COUNT];

/* The rare halves of exit_finish(). */
uint64_t exit_wrap_rip(struct vcpu *vcpu, uint64_t rip);
void exit_finish_flags(struct vcpu *vcpu);

#define EXIT_INLINE static inline __attribute__((always_inline))

/* The instruction is done: RIP moves behind it, and with it goes what belongs to it alone. */
EXIT_INLINE void exit_finish(struct vcpu *vcpu, unsigned length)
{
    uint64_t rip = vcpu->rip + length;
    if (__builtin_expect((rip ^ vcpu->rip) >> 16, 0))
        rip = exit_wrap_rip(vcpu, rip);
    vcpu->rip = rip;
    vcpu->int_shadow = 0;
    if (__builtin_expect(vcpu->rflags & (X86_RFLAGS_RF | X86_RFLAGS_TF), 0))
        exit_finish_flags(vcpu);
}

EXIT_INLINE enum exit_action exit_decide_inline(struct vcpu *vcpu, struct vexit *exit)
{
    uint64_t entered = vcpu->entered_tsc, exited = vcpu->exited_tsc;
    uint64_t kind = exit->kind;
    exit->entered_tsc = entered;
    exit->exited_tsc = exited;
    vcpu->exits++;
    account_exit(&vcpu->account, kind, entered, exited);

    if (__builtin_expect(exit->interrupted.type != VEVENT_NONE, 0))
        event_requeue(vcpu, &exit->interrupted);
    /* Before the handler: its work may not be done twice, and may change how code is fetched. */
    if (exit->insn_len == 0 && exit_kinds[kind].needs_insn) {
        enum exit_action action = insn_complete(vcpu, exit);
        if (action != EXIT_ADVANCE)
            return action;
        kind = exit->kind;
    }
    enum exit_action action = exit_kinds[kind].handler(vcpu, exit);
    if (action == EXIT_ADVANCE)
        exit_finish(vcpu, exit->insn_len);
    return action;
}

/*
 * run: the backend's own, to be inlined. It gives the vCPU back, because no register lives through
 * the guest: the compiler then has nothing to save around it.
 */
EXIT_INLINE void exit_loop(struct vcpu *vcpu, struct vcpu *(*run)(struct vcpu *vcpu))
{
    do {
        vcpu = run(vcpu);
        struct vexit *exit = vcpu->trace.next++;
        exit_decide_inline(vcpu, exit);
        if (__builtin_expect(exit + 1 == vcpu->trace.end, 0))
            trace_turn(vcpu);
    } while (vcpu->attention == 0);
}

#endif
