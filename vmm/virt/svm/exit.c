/* Enters the guest and decodes the exit that ends it: facts only, no policy. */
#include "virt/svm/svm.h"

#include "virt/exit_loop.h"
#include "hw/cpu.h"

#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_PF 14
#define VECTOR_MF 16

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP */
#define HAS_ERROR_CODE 0x227D00u

#define DR6_CAUSES (BIT64(0) | BIT64(1) | BIT64(2) | BIT64(3) | BIT64(13) | BIT64(14) | BIT64(15))

/* --- the host's CPU and the guest's ----------------------------------------------------------- */

/*
 * A short exit leaves in the CPU what VMLOAD brought in, and GIF at 0: the VMM needs neither FS nor
 * GS nor the MSRs of the system calls, and TR only for the stacks of NMIs and double faults. What
 * is pending meanwhile ends the guest's next turn at once. So CPUID, an MSR or a port costs no
 * VMSAVE, VMLOAD, STGI and CLGI, each of which is an exit of its own under an outer hypervisor.
 */
void svm_park(struct vcpu *vcpu)
{
    struct svm_vcpu *state = svm_state(vcpu);
    if (!state->guest_live)
        return;
    state->guest_live = false;
    vmsave((hpa_t)state->vmcb);
    vmload(svm_host_vmcb);
    stgi();
}

static void unpark(struct svm_vcpu *state)
{
    clgi();
    vmload((hpa_t)state->vmcb);
    state->guest_live = true;
}

/* --- entry ------------------------------------------------------------------------------------ */

static bool is_software(const struct vevent *event)
{
    return event->type == VEVENT_SW_INT || event->type == VEVENT_SW_EXCEPTION;
}

/*
 * APM "Event Injection". A software interrupt whose delivery was broken off isn't injected: RIP
 * still points at its instruction, which runs again, unless it was intercepted: then it is injected
 * with the length that is known.
 */
static uint64_t event_word(const struct vevent *event)
{
    static const uint8_t type[] = {
        [VEVENT_IRQ] = EVENT_TYPE_INTR,
        [VEVENT_NMI] = EVENT_TYPE_NMI,
        [VEVENT_EXCEPTION] = EVENT_TYPE_EXCEPTION,
        [VEVENT_SW_INT] = EVENT_TYPE_SOFTWARE,
        [VEVENT_SW_EXCEPTION] = EVENT_TYPE_EXCEPTION,
        [VEVENT_PRIV_SW_EXCEPTION] = EVENT_TYPE_EXCEPTION,
    };
    if (is_software(event) && !event->insn_len)
        return 0;
    uint64_t word = EVENT_VALID | event->vector | (uint64_t)type[event->type] << EVENT_TYPE_SHIFT;
    if (event->has_error)
        word |= EVENT_ERROR_VALID | (uint64_t)event->error << EVENT_ERROR_SHIFT;
    return word;
}

/* A #DB that became due behind an emulated instruction: VMRUN knows no pending ones. */
static void take_pending_db(struct vcpu *vcpu, struct svm_vcpu *state)
{
    if (!state->pending_db || vcpu->inject.type != VEVENT_NONE)
        return;
    if (vcpu->debug.owns_registers)
        vcpu->debug.guest_register[VREG_DR6 - VREG_DR0] |= state->pending_db;
    else
        svm_reg_set(vcpu, VREG_DR6, state->vmcb->save.dr6 | state->pending_db);
    state->pending_db = 0;
    vcpu->inject = (struct vevent){.type = VEVENT_EXCEPTION, .vector = VECTOR_DB};
}

/* What INT n, INT3 and INTO push is the address behind them; the CPU takes it from RIP or, with
 * next-RIP save, from there. */
static void step_over_trap(struct vcpu *vcpu, struct svm_vcpu *state)
{
    if (!is_software(&vcpu->inject))
        return;
    state->injected_len = vcpu->inject.insn_len;
    vcpu->rip += vcpu->inject.insn_len;
    state->injected_rip = vcpu->rip;
    state->vmcb->control.next_rip = vcpu->rip;
}

static void take_flush(struct svm_vcpu *state)
{
    struct vmcb_control *control = &state->vmcb->control;
    if (!state->flush)
        return;
    state->flush = false;
    if (svm_caps.flush_by_asid) {
        control->tlb_control = TLB_CONTROL_FLUSH_ASID;
        return;
    }
    /* A new ASID has no translations; when they are used up, all start again. */
    state->asid++;
    if (state->asid >= svm_caps.asids) {
        state->asid = 1;
        control->tlb_control = TLB_CONTROL_FLUSH_ALL;
    }
    control->asid = state->asid;
    state->dirty |= CLEAN_ASID;
}

static bool injects_virq(struct vcpu *vcpu, struct svm_vcpu *state)
{
    return svm_caps.injects_twice && vcpu->inject.type == VEVENT_IRQ &&
           svm_virq_inject(vcpu, state);
}

/* What few entries need. */
static __attribute__((noinline)) void write_changes(struct vcpu *vcpu, struct svm_vcpu *state)
{
    struct vmcb_control *control = &state->vmcb->control;
    take_pending_db(vcpu, state);
    if (!svm_nmi_idle(vcpu, state))
        svm_nmi_before_entry(vcpu);
    control->event_inj = 0;
    state->injected_len = 0;
    if (vcpu->inject.type != VEVENT_NONE) {
        if (!injects_virq(vcpu, state))
            control->event_inj = event_word(&vcpu->inject);
        step_over_trap(vcpu, state);
        if (vcpu->inject.type == VEVENT_NMI)
            svm_nmi_injected(state);
        vcpu->inject.type = VEVENT_NONE;
    }
    control->tlb_control = TLB_CONTROL_NOTHING;
    take_flush(state);
    control->clean = svm_caps.clean & ~state->dirty;
    state->dirty = 0;
    /* Once more behind this entry, so that the next one finds these fields at rest. */
    state->changed = control->event_inj || control->tlb_control || state->pending_db ||
                     control->clean != svm_caps.clean;
}

static inline void write_hot_state(struct vcpu *vcpu, struct svm_vcpu *state)
{
    struct vmcb *vmcb = state->vmcb;
    if (state->changed || vcpu->inject.type != VEVENT_NONE)
        write_changes(vcpu, state);
    vmcb->save.rax = vcpu->gpr[VGPR_RAX];
    vmcb->save.rsp = vcpu->gpr[VGPR_RSP];
    vmcb->save.rip = vcpu->rip;
    vmcb->save.rflags = vcpu->rflags;
    vmcb->control.interrupt_shadow = vcpu->int_shadow;
}

static inline void read_hot_state(struct vcpu *vcpu, const struct vmcb *vmcb, struct vexit *exit)
{
    vcpu->gpr[VGPR_RAX] = vmcb->save.rax;
    vcpu->gpr[VGPR_RSP] = vmcb->save.rsp;
    exit->rip = vcpu->rip = vmcb->save.rip;
    vcpu->rflags = vmcb->save.rflags;
    vcpu->int_shadow = vmcb->control.interrupt_shadow & INTERRUPT_SHADOW;
}

/* --- decoding --------------------------------------------------------------------------------- */

/* The event whose delivery an exit broke off. APM "EXITINTINFO Pseudo-Code"; under an outer
 * hypervisor any exit may carry one that was to be injected. */
static __attribute__((noinline)) void decode_interrupted(struct vcpu *vcpu, struct vexit *exit,
                                                         uint64_t info)
{
    struct svm_vcpu *state = svm_state(vcpu);
    static const uint8_t type[8] = {
        [EVENT_TYPE_INTR] = VEVENT_IRQ,
        [EVENT_TYPE_NMI] = VEVENT_NMI,
        [EVENT_TYPE_EXCEPTION] = VEVENT_EXCEPTION,
        [EVENT_TYPE_SOFTWARE] = VEVENT_SW_INT,
    };
    exit->interrupted = (struct vevent){
        .type = type[info >> EVENT_TYPE_SHIFT & EVENT_TYPE_MASK],
        .vector = (uint8_t)(info & EVENT_VECTOR),
        .has_error = info & EVENT_ERROR_VALID,
        .error = info & EVENT_ERROR_VALID ? (uint32_t)(info >> EVENT_ERROR_SHIFT) : 0,
    };
    bool software = exit->interrupted.vector == VECTOR_BP || exit->interrupted.vector == VECTOR_OF;
    if (exit->interrupted.type == VEVENT_EXCEPTION && software)
        exit->interrupted.type = VEVENT_SW_EXCEPTION;
    /* Unless that one has come, and this one is the guest's own: its RIP is right. */
    if (is_software(&exit->interrupted) && vcpu->rip == state->injected_rip) {
        exit->interrupted.insn_len = state->injected_len;
        vcpu->rip -= state->injected_len;
    }
}

static void decode_exception(struct vexit *exit, const struct vmcb *vmcb, uint8_t vector)
{
    exit->kind = VEXIT_EXCEPTION;
    exit->exception = (struct vevent){.type = VEVENT_EXCEPTION, .vector = vector};
    /* DR6 holds the causes already, as the handler is to find them. */
    if (vector == VECTOR_DB)
        exit->exception_address = vmcb->save.dr6 & DR6_CAUSES;
    else if (vector == VECTOR_PF)
        exit->exception_address = vmcb->control.exit_info_2;
    else if (vector == VECTOR_BP || vector == VECTOR_OF)
        exit->exception.type = VEVENT_SW_EXCEPTION;
    if (HAS_ERROR_CODE & BIT(vector)) {
        exit->exception.has_error = true;
        exit->exception.error = (uint32_t)vmcb->control.exit_info_1;
    }
}

/* With decode assists the register is told; the bytes tell it otherwise. */
static void decode_dr(struct vexit *exit, const struct vmcb *vmcb, uint64_t code)
{
    exit->kind = VEXIT_DR_ACCESS;
    exit->dr.write = code >= EXIT_DR_WRITE;
    exit->dr.dr = code & 15;
    exit->dr.gpr = vmcb->control.exit_info_1 & 15;
    exit->raw_qualification = vmcb->control.exit_info_1;
    if (!svm_caps.decode_assists)
        exit->insn_len = 0;
}

/* APM "IOIO Intercept Information". The product carries bits 0, 2 and 3 (in, string, rep) to bits
 * 8, 16 and 24. */
static inline void decode_io(struct vexit *exit, const struct vmcb *vmcb, uint64_t rip)
{
    uint32_t info = (uint32_t)vmcb->control.exit_info_1;
    uint32_t spread =
        (info & (IOIO_IN | IOIO_STRING | IOIO_REP)) * (BIT(8 - 0) | BIT(16 - 2) | BIT(24 - 3));
    exit->kind = VEXIT_PIO;
    exit->insn_len = (vmcb->control.exit_info_2 - rip) & 15;
    exit->pio.form = (spread & VEXIT_PIO_FLAGS) + (info >> IOIO_SIZE_SHIFT & 7);
    exit->pio.port = (uint16_t)(info >> IOIO_PORT_SHIFT);
    if (__builtin_expect(info & IOIO_STRING, 0)) {
        exit->pio.linear_valid = false;
        exit->pio.address_size = (uint8_t)((info >> IOIO_ADDRESS_SHIFT & 7) << 1);
        exit->pio.segment =
            svm_caps.decode_assists ? info >> IOIO_SEGMENT_SHIFT & 7 : VEXIT_SEGMENT_UNKNOWN;
    }
}

static void decode_npf(struct vexit *exit, const struct vmcb *vmcb)
{
    uint64_t error = vmcb->control.exit_info_1;
    exit->kind = error & NPF_RESERVED ? VEXIT_NPF_MISCONFIG : VEXIT_NPF;
    exit->insn_len = 0;
    exit->raw_qualification = error;
    exit->npf = (struct vexit_npf){
        .gpa = vmcb->control.exit_info_2,
        .write = error & NPF_WRITE,
        .fetch = error & NPF_FETCH,
        .in_page_walk = error & NPF_IN_PAGE_TABLE,
        .insn = vmcb->control.fetched,
        .insn_count = svm_caps.decode_assists ? vmcb->control.fetched_count & 15 : 0,
    };
}

/* With decode assists a MOV tells its register; LMSW, which exits as a write of CR0, doesn't. */
static void decode_cr(struct vexit *exit, const struct vmcb *vmcb, bool write, uint8_t cr)
{
    uint64_t info = vmcb->control.exit_info_1;
    exit->kind = write ? VEXIT_CR_WRITE : VEXIT_CR_READ;
    exit->cr.cr = cr;
    exit->cr.gpr = info & 15;
    exit->raw_qualification = info;
    if (!svm_caps.decode_assists || !(info & CR_ACCESS_MOV))
        exit->insn_len = 0;
}

/* An outer hypervisor may leave the field empty. RIP may have wrapped around at 64 KiB or 4 GiB:
 * the low four bits are all that matters. */
static uint8_t insn_len(const struct vmcb *vmcb, uint64_t rip)
{
    uint64_t next = vmcb->control.next_rip;
    return next ? (next - rip) & 15 : 0;
}

/* Exits that need no more than their neutral name. Kinds are stored plus one: 0 is a code that
 * isn't in the table. */
static const uint8_t plain_kind[] = {
    [EXIT_INTR] = VEXIT_HOST_IRQ + 1,
    [EXIT_NMI] = VEXIT_HOST_NMI + 1,
    [EXIT_INIT] = VEXIT_INIT + 1,
    [EXIT_VINTR] = VEXIT_IRQ_WINDOW + 1,
    [EXIT_RDPMC] = VEXIT_RDPMC + 1,
    [EXIT_CPUID] = VEXIT_CPUID + 1,
    [EXIT_INTN] = VEXIT_INT + 1,
    [EXIT_INVD] = VEXIT_INVD + 1,
    [EXIT_HLT] = VEXIT_HLT + 1,
    [EXIT_INVLPGA] = VEXIT_VIRT_INSN + 1,
    [EXIT_SHUTDOWN] = VEXIT_TRIPLE_FAULT + 1,
    [EXIT_VMRUN] = VEXIT_VIRT_INSN + 1,
    [EXIT_VMMCALL] = VEXIT_HYPERCALL + 1,
    [EXIT_VMLOAD... EXIT_SKINIT] = VEXIT_VIRT_INSN + 1,
    [EXIT_WBINVD] = VEXIT_WBINVD + 1,
    [EXIT_MONITOR... EXIT_MWAIT_ARMED] = VEXIT_UNDEFINED_INSN + 1,
    [EXIT_XSETBV] = VEXIT_XSETBV + 1,
    [EXIT_RDPRU] = VEXIT_UNDEFINED_INSN + 1,
    [EXIT_INVLPGB... EXIT_TLBSYNC] = VEXIT_UNDEFINED_INSN + 1,
};

static __attribute__((noinline)) void decode_rest(struct vexit *exit, const struct vmcb *vmcb)
{
    uint64_t code = vmcb->control.exit_code;
    if (code == EXIT_NPF) {
        decode_npf(exit, vmcb);
    } else if (code < EXIT_CR_WRITE + 16) {
        decode_cr(exit, vmcb, code >= EXIT_CR_WRITE, code & 15);
    } else if (code < EXIT_EXCEPTION) {
        decode_dr(exit, vmcb, code);
    } else if (code < EXIT_EXCEPTION + 32) {
        decode_exception(exit, vmcb, (uint8_t)(code - EXIT_EXCEPTION));
    } else if (code == EXIT_FERR_FREEZE) {
        /* CR0.NE is clear and a PC's IRQ 13 would come: the exception instead, as VT-x does it. */
        decode_exception(exit, vmcb, VECTOR_MF);
    } else if (code == EXIT_IRET) {
        exit->kind = VEXIT_NMI_WINDOW; /* svm_nmi_after_exit() has seen it: the guest goes on */
    } else if ((uint32_t)code == EXIT_INVALID) {
        exit->kind = VEXIT_ENTRY_FAILED;
        exit->entry_error = 0;
    } else {
        exit->kind = VEXIT_UNKNOWN;
        exit->raw_qualification = vmcb->control.exit_info_1;
    }
}

EXIT_INLINE void decode(struct vcpu *vcpu, struct vexit *exit, const struct vmcb *vmcb)
{
    uint64_t code = vmcb->control.exit_code;
    exit->raw_reason = (uint32_t)code;
    exit->raw_qualification = 0;
    exit->interrupted.type = VEVENT_NONE;
    exit->insn_len = svm_caps.nrip_save ? insn_len(vmcb, vcpu->rip) : 0;
    if (__builtin_expect((vmcb->control.exit_int_info & EVENT_VALID) != 0, 0))
        decode_interrupted(vcpu, exit, vmcb->control.exit_int_info);
    if (code == EXIT_IOIO)
        decode_io(exit, vmcb, vcpu->rip);
    else if (code == EXIT_MSR)
        exit->kind = vmcb->control.exit_info_1 & 1 ? VEXIT_WRMSR : VEXIT_RDMSR;
    else if (code < ARRAY_SIZE(plain_kind) && plain_kind[code])
        exit->kind = plain_kind[code] - 1u;
    else
        decode_rest(exit, vmcb);
}

/* --- the round trip --------------------------------------------------------------------------- */

/* After these the host takes what is pending, or sleeps. */
static bool ends_turn(enum vexit_kind kind)
{
    return kind == VEXIT_HOST_IRQ || kind == VEXIT_HOST_NMI || kind == VEXIT_HLT ||
           kind == VEXIT_INIT;
}

EXIT_INLINE struct vcpu *enter_and_decode(struct vcpu *vcpu)
{
    struct svm_vcpu *state = svm_state(vcpu);
    write_hot_state(vcpu, state);
    if (__builtin_expect(vcpu->int_shadow != 0, 0)) {
        state->entered_in_shadow = true;
        state->shadow_rip = vcpu->rip;
    }
    if (__builtin_expect(!state->guest_live, 0))
        unpark(state);
    vcpu = svm_enter(vcpu, (hpa_t)state->vmcb);
    state = svm_state(vcpu);
    struct vexit *exit = vcpu->trace.next;
    read_hot_state(vcpu, state->vmcb, exit);
    decode(vcpu, exit, state->vmcb);
    if (__builtin_expect(state->nmi_blocked || state->stepping || state->virq, 0))
        svm_nmi_after_exit(vcpu, exit);
    if (__builtin_expect(state->entered_in_shadow, 0))
        svm_shadow_after_exit(vcpu, exit);
    if (ends_turn(exit->kind))
        svm_park(vcpu);
    return vcpu;
}

void svm_run(struct vcpu *vcpu)
{
    enter_and_decode(vcpu);
}

void svm_loop(struct vcpu *vcpu)
{
    exit_loop(vcpu, enter_and_decode);
}
