/*
 * One instruction, then a stop.
 *
 * VT-x has a trap for it, the monitor trap flag, that the guest can't see. Without one, RFLAGS.TF
 * is set for the entry and taken away again behind the exit, and what would show it to the guest or
 * lose it is dealt with one by one:
 * - every exception exits, so that none is delivered with TF in its frame;
 * - into a handler (an event being injected, INT n) and behind SYSCALL the CPU goes with TF clear:
 *   a breakpoint waits at the first instruction there;
 * - STI is done here, as QEMU's TCG traps behind the instruction that follows; with prefixes it
 * runs, and its shadow is opened anew;
 * - PUSHF's image is put right; POPF and IRET bring the guest's own TF, and the trap comes all the
 *   same; SYSRET's TF is in R11.
 * The guest's own TF goes on working in either way.
 *
 * Left out, without the CPU's own trap: an instruction right behind MOV SS or POP SS runs along
 * with it, as its trap comes only then, and may push our TF; a step into a task gate, or over an
 * instruction that switches tasks, ends where the next exit says so.
 */
#include "virt/debug_parts.h"

#include "emu/decode.h"
#include "virt/x86.h"

#define DR6_CAUSES    0xe00full
#define SHADOW_OF_STI 1u /* as both vendors have it */

#define DR7_ANY_ENABLED   0xffull
#define RFLAGS_IOPL_SHIFT 12

/* The instructions that save, load or lose TF. */
enum debug_insn {
    DEBUG_PLAIN,
    DEBUG_INT,
    DEBUG_PUSHF,
    DEBUG_LOADS_FLAGS,
    DEBUG_STI,
    DEBUG_SYSCALL,
    DEBUG_SYSRET
};

/* --- begin and end ---------------------------------------------------------------------------- */

/* A halted CPU goes on behind its HLT, as if something had woken it that left no trace, unless the
 * step takes events and so can wait for one. */
void debug_step_begin(struct vcpu *vcpu, bool asked)
{
    struct vdebug *debug = &vcpu->debug;
    const struct vdebug_controls trap = {.trap = true};
    debug->step = (struct vdebug_step){
        .kind = asked ? VDEBUG_STEP_ASKED : VDEBUG_STEP_OVER_POINT,
        .by_flag = !vcpu->backend->debug(vcpu, &trap),
    };
    if (debug_holds_events(vcpu))
        vcpu->halted = false;
    debug_lift_soft(vcpu);
    debug_load(vcpu);
    vcpu->debugging = true;
}

void debug_step_end(struct vcpu *vcpu)
{
    debug_lower_soft(vcpu);
    vcpu->debug.step = (struct vdebug_step){.kind = VDEBUG_NO_STEP};
    debug_load(vcpu);
}

/* --- by RFLAGS.TF: before the entry ----------------------------------------------------------- */

static bool is_primary(const struct insn *insn, uint8_t opcode)
{
    return insn->map == INSN_MAP_PRIMARY && insn->opcode == opcode;
}

static bool is_0f(const struct insn *insn, uint8_t opcode)
{
    return insn->map == INSN_MAP_0F && insn->opcode == opcode;
}

static enum debug_insn insn_at_rip(struct vcpu *vcpu, uint8_t *vector)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    unsigned count = (unsigned)vdebug_read(vcpu, debug_linear_rip(vcpu), bytes, sizeof bytes);
    if (decode_insn(bytes, count, vcpu_code_bits(vcpu), &insn) != DECODE_OK)
        return DEBUG_PLAIN;
    vcpu->debug.step.length = insn.length;
    if (is_primary(&insn, 0xcd)) {
        *vector = bytes[insn.length - 1];
        return DEBUG_INT;
    }
    if (is_primary(&insn, 0x9c))
        return DEBUG_PUSHF;
    if (is_primary(&insn, 0x9d) || is_primary(&insn, 0xcf))
        return DEBUG_LOADS_FLAGS;
    if (is_primary(&insn, 0xfb))
        return DEBUG_STI;
    if (is_0f(&insn, 0x05))
        return DEBUG_SYSCALL;
    return is_0f(&insn, 0x07) ? DEBUG_SYSRET : DEBUG_PLAIN;
}

static void wait_at(struct vcpu *vcpu, gva_t linear)
{
    vcpu->debug.step.gate = linear;
    vcpu->debug.step.gate_set = true;
    debug_load(vcpu);
}

static void wait_at_handler(struct vcpu *vcpu, uint8_t vector)
{
    gva_t linear;
    if (debug_handler(vcpu, vector, &linear))
        wait_at(vcpu, linear);
}

/* APM "SYSCALL": the target by mode. */
static void wait_at_syscall(struct vcpu *vcpu)
{
    const struct backend *backend = vcpu->backend;
    if (!(backend->reg_get(vcpu, VREG_EFER) & X86_EFER_LMA))
        wait_at(vcpu, (uint32_t)backend->reg_get(vcpu, VREG_STAR));
    else
        wait_at(vcpu, backend->reg_get(vcpu, vcpu_code_bits(vcpu) == 64 ? VREG_LSTAR : VREG_CSTAR));
}

/* With TF set an entry into a shadow would need a trap that is pending already; nothing is injected
 * in this entry, and behind the instruction the shadow is over. SDM "Checks on Guest Non-Register
 * State". */
static void set_flag(struct vcpu *vcpu)
{
    struct vdebug_step *step = &vcpu->debug.step;
    step->flag_set = true;
    step->int_shadow = vcpu->int_shadow;
    vcpu->int_shadow = 0;
    vcpu->rflags |= X86_RFLAGS_TF;
    step->rflags11 = vcpu->gpr[VGPR_R11];
    if (step->insn == DEBUG_SYSRET)
        vcpu->gpr[VGPR_R11] |= X86_RFLAGS_TF;
}

/* Whether STI without prefixes sets IF and does nothing else. SDM "STI—Set Interrupt Flag". */
static bool is_plain_sti(struct vcpu *vcpu)
{
    const struct vdebug *debug = &vcpu->debug;
    bool has_points = debug->guest_register[VREG_DR7 - VREG_DR0] & DR7_ANY_ENABLED;
    unsigned iopl = (unsigned)(vcpu->rflags >> RFLAGS_IOPL_SHIFT) & 3;
    return debug->step.insn == DEBUG_STI && debug->step.length == 1 && !has_points &&
           vcpu_cpl(vcpu) <= iopl;
}

static void sti_by_hand(struct vcpu *vcpu)
{
    bool shadow = !(vcpu->rflags & X86_RFLAGS_IF);
    exit_finish_insn(vcpu, 1);
    vcpu->rflags |= X86_RFLAGS_IF;
    if (shadow)
        vcpu->int_shadow = SHADOW_OF_STI;
}

static void prepare(struct vcpu *vcpu)
{
    struct vdebug_step *step = &vcpu->debug.step;
    uint64_t pending = vcpu->backend->reg_get(vcpu, VREG_PENDING_DB) & DR6_CAUSES;
    uint8_t vector = 0;
    if (pending && vcpu->inject.type == VEVENT_NONE) {
        vcpu->backend->reg_set(vcpu, VREG_PENDING_DB, 0);
        inject_debug(vcpu, pending);
    }
    step->guest_tf = vcpu->rflags & X86_RFLAGS_TF;
    step->guest_if = vcpu->rflags & X86_RFLAGS_IF;
    step->rip = vcpu->rip;
    step->injected = vcpu->inject.type != VEVENT_NONE;
    step->insn = DEBUG_PLAIN;
    if (step->injected) {
        wait_at_handler(vcpu, vcpu->inject.vector);
        return;
    }
    step->insn = insn_at_rip(vcpu, &vector);
    if (step->insn == DEBUG_INT)
        wait_at_handler(vcpu, vector);
    else if (step->insn == DEBUG_SYSCALL)
        wait_at_syscall(vcpu);
    else if (!(step->by_hand = is_plain_sti(vcpu)))
        set_flag(vcpu);
}

/* --- by RFLAGS.TF: behind the exit ------------------------------------------------------------ */

/* The flag is in the second byte of what was pushed last. */
static void clean_pushed_flags(struct vcpu *vcpu)
{
    struct vseg ss;
    gva_t linear = vcpu->gpr[VGPR_RSP] + 1;
    uint8_t byte;
    if (vcpu_code_bits(vcpu) != 64) {
        vcpu->backend->seg_get(vcpu, VSEG_SS, &ss);
        uint32_t mask = ss.access & VSEG_ACCESS_DB ? UINT32_MAX : 0xffff;
        linear = (uint32_t)(ss.base + (linear & mask));
    }
    if (!vdebug_read(vcpu, linear, &byte, 1))
        return;
    byte &= (uint8_t) ~(X86_RFLAGS_TF >> 8);
    vdebug_write(vcpu, linear, &byte, 1);
}

/* Bochs has the trap pending already for an instruction that exits. */
static void drop_pending_step(struct vcpu *vcpu)
{
    uint64_t pending = vcpu->backend->reg_get(vcpu, VREG_PENDING_DB);
    if (pending & X86_DR6_BS)
        vcpu->backend->reg_set(vcpu, VREG_PENDING_DB, pending & ~X86_DR6_BS);
}

static void take_flag_back(struct vcpu *vcpu)
{
    struct vdebug_step *step = &vcpu->debug.step;
    uint64_t tf = step->guest_tf;
    if (step->trapped && step->insn == DEBUG_LOADS_FLAGS)
        tf = vcpu->rflags & X86_RFLAGS_TF;
    if (step->insn == DEBUG_SYSRET) {
        vcpu->gpr[VGPR_R11] = step->rflags11;
        if (step->trapped)
            tf = step->rflags11 & X86_RFLAGS_TF;
    }
    vcpu->rflags = (vcpu->rflags & ~X86_RFLAGS_TF) | tf;
    if (step->trapped && step->insn == DEBUG_PUSHF && !tf)
        clean_pushed_flags(vcpu);
    if (!step->trapped && !step->guest_tf)
        drop_pending_step(vcpu);
    if (!step->trapped && vcpu->rip == step->rip)
        vcpu->int_shadow = step->int_shadow;
    if (step->trapped && step->insn == DEBUG_STI && !step->guest_if &&
        (vcpu->rflags & X86_RFLAGS_IF) && vcpu->rip == step->rip + step->length)
        vcpu->int_shadow = SHADOW_OF_STI; /* the trap's exit may have ended it */
}

static void look_at(struct vcpu *vcpu, const struct vexit *exit)
{
    struct vdebug_step *step = &vcpu->debug.step;
    bool exception = exit->kind == VEXIT_EXCEPTION;
    bool debug = exception && exit->exception.vector == X86_DB;
    step->trapped = step->flag_set && debug && (exit->exception_address & X86_DR6_BS);
    step->done = step->trapped;
    if (step->flag_set)
        take_flag_back(vcpu);
    if (exit->interrupted.type != VEVENT_NONE)
        return;
    if (step->injected && !exception) /* delivered, and something else came before its handler */
        step->done = true;
    else if (step->gate_set)
        step->done = debug_linear_rip(vcpu) == step->gate;
}

/* --- a round ---------------------------------------------------------------------------------- */

/* The monitor trap flag's exit comes before a #DB that is due for the same instruction. */
enum exit_action debug_step_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    uint64_t pending = vcpu->backend->reg_get(vcpu, VREG_PENDING_DB);
    uint64_t own = debug_own_hits(vcpu, pending);
    vcpu->debug.step.done = true;
    if (own) {
        debug_take_hits(vcpu, own);
        vcpu->backend->reg_set(vcpu, VREG_PENDING_DB, pending & DR6_CAUSES & ~own);
    }
    return EXIT_RETRY;
}

static void finish(struct vcpu *vcpu)
{
    bool asked = vcpu->debug.step.kind == VDEBUG_STEP_ASKED;
    debug_step_end(vcpu);
    if (asked)
        debug_raise(vcpu, (struct vdebug_stop){.reason = VDEBUG_STEPPED});
}

void debug_step_round(struct vcpu *vcpu)
{
    struct vdebug_step *step = &vcpu->debug.step;
    struct vexit *exit = vcpu->trace.next;
    if (step->by_flag)
        prepare(vcpu);
    if (step->by_hand) {
        sti_by_hand(vcpu);
        finish(vcpu);
        return;
    }
    vcpu->backend->run(vcpu);
    if (step->by_flag)
        look_at(vcpu, exit);
    enum exit_action action = exit_decide(vcpu, exit);
    bool switched = exit->kind == VEXIT_TASK_SWITCH && action == EXIT_RETRY;
    bool behind = exit->kind >= VEXIT_APIC_TPR && exit->kind <= VEXIT_APIC_WRITE;
    trace_step(vcpu);
    step->flag_set = step->gate_set = step->trapped = false;
    bool done = step->done || action == EXIT_ADVANCE || switched || behind;
    if (done && !vcpu->stopped)
        finish(vcpu);
}
