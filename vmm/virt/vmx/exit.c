/* Enters the guest and decodes the exit that ends it: facts only, no policy. */
#include "virt/vmx/vmx.h"

#include "virt/exit_loop.h"
#include "hw/cpu.h"
#include "hw/hw.h"

#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_DF  8
#define VECTOR_PF  14

/*
 * The preemption timer counts in the guest only. Where the exit saves what is left of it, an entry
 * after a short exit goes on with that and spares a look at the TSC; the few hundred ticks of the
 * VMM's own that it misses are bounded by a new reckoning after so many exits, and after every exit
 * that may have taken long. Nor does a short exit's handler touch RSP.
 */
#define TRUST     16
#define TRUST_OUT 1 /* what an OUT takes of it besides: behind a port there may be a console */

/* --- entry ------------------------------------------------------------------------------------ */

static const uint8_t entry_type[] = {
    [VEVENT_IRQ] = INTR_TYPE_EXTERNAL,
    [VEVENT_NMI] = INTR_TYPE_NMI,
    [VEVENT_EXCEPTION] = INTR_TYPE_HARDWARE_EXCEPTION,
    [VEVENT_SW_INT] = INTR_TYPE_SOFTWARE_INTERRUPT,
    [VEVENT_SW_EXCEPTION] = INTR_TYPE_SOFTWARE_EXCEPTION,
    [VEVENT_PRIV_SW_EXCEPTION] = INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION,
};

static __attribute__((noinline)) void write_inject(struct vcpu *vcpu)
{
    const struct vevent *event = &vcpu->inject;
    uint32_t info =
        INTR_INFO_VALID | event->vector | (uint32_t)entry_type[event->type] << INTR_INFO_TYPE_SHIFT;

    if (event->has_error) {
        info |= INTR_INFO_ERROR_VALID;
        vmwrite(VMCS_ENTRY_EXCEPTION_ERROR, event->error);
    }
    if (event->type >= VEVENT_SW_INT)
        vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, event->insn_len);
    if (event->type == VEVENT_NMI) /* its delivery sets the blocking itself */
        vmx_reg_set(vcpu, VREG_NMI_BLOCKED, 0);
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, info);
    vcpu->inject.type = VEVENT_NONE;
}

static void arm_deadline(struct vmx_vcpu *state)
{
    if (!vmx_caps.preemption_timer) {
        hw_timer_arm(state->deadline_tsc); /* ends as a host interrupt */
        state->trust = 0;
        return;
    }
    uint64_t now = rdtsc(), timer = 0;
    if (state->deadline_tsc > now)
        timer = min_u64(((state->deadline_tsc - now) >> vmx_caps.preemption_shift) + 1, UINT32_MAX);
    vmwrite(VMCS_PREEMPTION_TIMER, timer);
    state->trust = vmx_caps.timer_saved ? TRUST : 0;
}

/* Writes what changed since the last exit. RIP nearly always has. */
static inline void write_changes(struct vcpu *vcpu, struct vmx_vcpu *state)
{
    vmwrite(VMCS_GUEST_RIP, vcpu->rip);
    if (vcpu->rflags != state->loaded_rflags)
        vmwrite(VMCS_GUEST_RFLAGS, vcpu->rflags);
    if (vcpu->inject.type != VEVENT_NONE)
        write_inject(vcpu);
    if ((state->interruptibility ^ vcpu->int_shadow) & INTERRUPTIBILITY_SHADOW)
        vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
                (state->interruptibility & ~INTERRUPTIBILITY_SHADOW) | vcpu->int_shadow);
    /* Counts down in memory; below 0, which arm_deadline() mends, none is left. */
    if (--state->trust >= 0)
        return;
    if (vcpu->gpr[VGPR_RSP] != state->loaded_rsp) {
        state->loaded_rsp = vcpu->gpr[VGPR_RSP]; /* not every exit reads it anew */
        vmwrite(VMCS_GUEST_RSP, vcpu->gpr[VGPR_RSP]);
    }
    arm_deadline(state);
}

/* What the VMCS holds now, for write_changes() to compare with. */
static inline void read_hot_state(struct vcpu *vcpu, struct vmx_vcpu *state, struct vexit *exit)
{
    state->interruptibility = (uint32_t)vmread(VMCS_GUEST_INTERRUPTIBILITY);
    vcpu->int_shadow = state->interruptibility & INTERRUPTIBILITY_SHADOW;
    exit->rip = vcpu->rip = vmread(VMCS_GUEST_RIP);
    state->loaded_rflags = vcpu->rflags = vmread(VMCS_GUEST_RFLAGS);
}

static inline void read_rsp(struct vcpu *vcpu, struct vmx_vcpu *state)
{
    state->loaded_rsp = vcpu->gpr[VGPR_RSP] = vmread(VMCS_GUEST_RSP);
}

/* --- decoding --------------------------------------------------------------------------------- */

static void decode_event(struct vevent *event, uint32_t info, uint64_t error_field)
{
    static const uint8_t type[8] = {
        [INTR_TYPE_EXTERNAL] = VEVENT_IRQ,
        [INTR_TYPE_NMI] = VEVENT_NMI,
        [INTR_TYPE_HARDWARE_EXCEPTION] = VEVENT_EXCEPTION,
        [INTR_TYPE_SOFTWARE_INTERRUPT] = VEVENT_SW_INT,
        [INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION] = VEVENT_PRIV_SW_EXCEPTION,
        [INTR_TYPE_SOFTWARE_EXCEPTION] = VEVENT_SW_EXCEPTION,
    };
    *event = (struct vevent){
        .type = type[info >> INTR_INFO_TYPE_SHIFT & INTR_INFO_TYPE_MASK],
        .vector = (uint8_t)(info & INTR_INFO_VECTOR),
        .has_error = info & INTR_INFO_ERROR_VALID,
        .error = info & INTR_INFO_ERROR_VALID ? (uint32_t)vmread(error_field) : 0,
        .insn_len = (uint8_t)vmread(VMCS_INSTRUCTION_LENGTH),
    };
}

/* The event whose delivery an exit broke off. SDM "Information for VM Exits That Occur During
 * Event Delivery" lists the exits that can; only their decoders ask. */
static bool decode_interrupted(struct vexit *exit)
{
    uint32_t info = (uint32_t)vmread(VMCS_IDT_VECTORING_INFO);
    if (!(info & INTR_INFO_VALID))
        return false;
    decode_event(&exit->interrupted, info, VMCS_IDT_VECTORING_ERROR);
    return true;
}

static void decode_exception(struct vcpu *vcpu, struct vexit *exit)
{
    uint32_t info = (uint32_t)vmread(VMCS_EXIT_INTERRUPTION_INFO);
    if ((info >> INTR_INFO_TYPE_SHIFT & INTR_INFO_TYPE_MASK) == INTR_TYPE_NMI) {
        exit->kind = VEXIT_HOST_NMI;
        return;
    }
    exit->kind = VEXIT_EXCEPTION;
    exit->raw_qualification = vmread(VMCS_EXIT_QUALIFICATION);
    decode_event(&exit->exception, info, VMCS_EXIT_EXCEPTION_ERROR);
    if (exit->exception.vector == VECTOR_PF || exit->exception.vector == VECTOR_DB)
        exit->exception_address = exit->raw_qualification;
    /* An IRET that faulted has ended NMI blocking already: put it back for its second try. */
    if (!decode_interrupted(exit) && (info & INTR_INFO_NMI_UNBLOCK) &&
        exit->exception.vector != VECTOR_DF)
        vmx_reg_set(vcpu, VREG_NMI_BLOCKED, 1);
}

static void decode_ept_violation(struct vcpu *vcpu, struct vexit *exit)
{
    uint64_t qual = vmread(VMCS_EXIT_QUALIFICATION);
    exit->kind = VEXIT_NPF;
    exit->insn_len = 0; /* not reported for this exit */
    exit->raw_qualification = qual;
    exit->npf = (struct vexit_npf){
        .gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS),
        .gva = vmread(VMCS_GUEST_LINEAR),
        .gva_valid = qual & EPT_QUAL_LINEAR_VALID,
        .write = qual & EPT_QUAL_WRITE,
        .fetch = qual & EPT_QUAL_FETCH,
        .in_page_walk = (qual & EPT_QUAL_LINEAR_VALID) && !(qual & EPT_QUAL_TRANSLATED),
    };
    if (!decode_interrupted(exit) && (qual & EPT_QUAL_NMI_UNBLOCK))
        vmx_reg_set(vcpu, VREG_NMI_BLOCKED, 1);
}

/* SDM "Exit Qualification for APIC-Access VM Exits": an access that the CPU leaves to us, as any to
 * device memory. The linear address isn't told. */
static void decode_apic_access(struct vexit *exit)
{
    uint64_t qual = vmread(VMCS_EXIT_QUALIFICATION);
    unsigned type = APIC_QUAL_TYPE(qual);
    exit->kind = VEXIT_NPF;
    exit->insn_len = 0;
    exit->raw_qualification = qual;
    exit->npf = (struct vexit_npf){
        .gpa = VAPIC_USUAL_PAGE | (qual & APIC_QUAL_OFFSET),
        .write = type == APIC_ACCESS_WRITE,
        .fetch = type == APIC_ACCESS_FETCH,
        .in_page_walk = type == APIC_ACCESS_WALK,
    };
    decode_interrupted(exit);
}

/* What the CPU virtualized up to here; RIP is behind the instruction. */
static void decode_apic_event(struct vexit *exit, enum vexit_kind kind)
{
    exit->kind = kind;
    exit->apic = vmread(VMCS_EXIT_QUALIFICATION) & APIC_QUAL_OFFSET;
}

/* SDM "Exit Qualification for Control-Register Accesses". */
static void decode_cr(struct vexit *exit)
{
    static const uint8_t kind[4] = {VEXIT_CR_WRITE, VEXIT_CR_READ, VEXIT_CLTS, VEXIT_LMSW};
    uint64_t qual = vmread(VMCS_EXIT_QUALIFICATION);
    exit->raw_qualification = qual;
    exit->kind = kind[qual >> 4 & 3];
    if (exit->kind == VEXIT_LMSW) {
        exit->lmsw.msw = (uint16_t)(qual >> 16);
    } else {
        exit->cr.cr = qual & 15;
        exit->cr.gpr = qual >> 8 & 15;
    }
}

static void decode_dr(struct vexit *exit)
{
    uint64_t qual = vmread(VMCS_EXIT_QUALIFICATION);
    exit->raw_qualification = qual;
    exit->kind = VEXIT_DR_ACCESS;
    exit->dr.dr = qual & 7;
    exit->dr.write = !(qual & BIT64(4));
    exit->dr.gpr = qual >> 8 & 15;
}

static __attribute__((noinline)) void decode_string(struct vmx_vcpu *state, struct vexit *exit)
{
    state->trust = 0;
    exit->pio.linear = vmread(VMCS_GUEST_LINEAR);
    exit->pio.linear_valid = vmx_caps.ins_outs_info;
    exit->pio.address_size = 0;
    if (vmx_caps.ins_outs_info)
        exit->pio.address_size = (uint8_t)(2u << (vmread(VMCS_INSTRUCTION_INFO) >> 7 & 7));
}

/* SDM "Exit Qualification for I/O Instructions". The product carries bits 3, 4 and 5 (in, string,
 * rep) to bits 8, 16 and 24. */
static inline void decode_io(struct vmx_vcpu *state, struct vexit *exit)
{
    uint32_t qual = (uint32_t)vmread(VMCS_EXIT_QUALIFICATION);
    uint32_t spread = (qual & (IO_QUAL_IN | IO_QUAL_STRING | IO_QUAL_REP)) *
                      (BIT(8 - 3) | BIT(16 - 4) | BIT(24 - 5));
    exit->kind = VEXIT_PIO;
    exit->pio.form = (spread & VEXIT_PIO_FLAGS) + (qual & IO_QUAL_SIZE) + 1;
    exit->pio.port = (uint16_t)(qual >> 16);
    if (qual & IO_QUAL_STRING)
        decode_string(state, exit);
    else if (!(qual & IO_QUAL_IN))
        state->trust -= TRUST_OUT;
}

static void decode_task_switch(struct vexit *exit)
{
    uint64_t qual = vmread(VMCS_EXIT_QUALIFICATION);
    exit->raw_qualification = qual;
    exit->kind = VEXIT_TASK_SWITCH;
    exit->task_switch.selector = (uint16_t)qual;
    exit->task_switch.source = qual >> 30 & 3;
    decode_interrupted(exit);
}

/* Reasons that need no more than their neutral name and are over in a few hundred ticks. Kinds are
 * stored plus one: 0 is a reason that isn't in the table. */
static const uint8_t quick_kind[] = {
    [EXIT_REASON_CPUID] = VEXIT_CPUID + 1,   [EXIT_REASON_RDMSR] = VEXIT_RDMSR + 1,
    [EXIT_REASON_WRMSR] = VEXIT_WRMSR + 1,   [EXIT_REASON_RDTSC] = VEXIT_RDTSC + 1,
    [EXIT_REASON_RDTSCP] = VEXIT_RDTSCP + 1, [EXIT_REASON_WBINVD] = VEXIT_WBINVD + 1,
    [EXIT_REASON_XSETBV] = VEXIT_XSETBV + 1,
};

/* Likewise, but what follows may take long, or sleep. */
static const uint8_t plain_kind[] = {
    [EXIT_REASON_TRIPLE_FAULT] = VEXIT_TRIPLE_FAULT + 1,
    [EXIT_REASON_INIT] = VEXIT_INIT + 1,
    [EXIT_REASON_SIPI] = VEXIT_SIPI + 1,
    [EXIT_REASON_INTERRUPT_WINDOW] = VEXIT_IRQ_WINDOW + 1,
    [EXIT_REASON_NMI_WINDOW] = VEXIT_NMI_WINDOW + 1,
    [EXIT_REASON_GETSEC] = VEXIT_UNDEFINED_INSN + 1,
    [EXIT_REASON_HLT] = VEXIT_HLT + 1,
    [EXIT_REASON_INVD] = VEXIT_INVD + 1,
    [EXIT_REASON_RDPMC] = VEXIT_RDPMC + 1,
    [EXIT_REASON_VMCALL] = VEXIT_HYPERCALL + 1,
    [EXIT_REASON_VMCLEAR... EXIT_REASON_VMXON] = VEXIT_VIRT_INSN + 1,
    [EXIT_REASON_MWAIT] = VEXIT_UNDEFINED_INSN + 1,
    [EXIT_REASON_MONITOR_TRAP] = VEXIT_STEP + 1,
    [EXIT_REASON_MONITOR] = VEXIT_UNDEFINED_INSN + 1,
    [EXIT_REASON_PAUSE] = VEXIT_PAUSE + 1,
    [EXIT_REASON_TPR_BELOW_THRESHOLD] = VEXIT_APIC_TPR + 1,
    [EXIT_REASON_INVEPT] = VEXIT_VIRT_INSN + 1,
    [EXIT_REASON_PREEMPTION_TIMER] = VEXIT_DEADLINE + 1,
    [EXIT_REASON_INVVPID] = VEXIT_VIRT_INSN + 1,
    [EXIT_REASON_VMFUNC] = VEXIT_UNDEFINED_INSN + 1,
    [EXIT_REASON_ENCLS] = VEXIT_UNDEFINED_INSN + 1,
};

/* Where posted interrupts make the exit acknowledge it, its handler is still to run. */
static __attribute__((noinline)) void decode_external_interrupt(struct vexit *exit)
{
    uint32_t info = (uint32_t)vmread(VMCS_EXIT_INTERRUPTION_INFO);
    exit->kind = VEXIT_HOST_IRQ;
    if (info & INTR_INFO_VALID)
        hw_interrupt((uint8_t)(info & INTR_INFO_VECTOR));
}

static void decode_rest(struct vcpu *vcpu, struct vexit *exit, uint32_t reason)
{
    switch (reason) {
    case EXIT_REASON_EXCEPTION_NMI:
        decode_exception(vcpu, exit);
        break;
    case EXIT_REASON_EXTERNAL_INTERRUPT:
        decode_external_interrupt(exit);
        break;
    case EXIT_REASON_EPT_VIOLATION:
        decode_ept_violation(vcpu, exit);
        break;
    case EXIT_REASON_APIC_ACCESS:
        decode_apic_access(exit);
        break;
    case EXIT_REASON_VIRTUALIZED_EOI:
        decode_apic_event(exit, VEXIT_APIC_EOI);
        break;
    case EXIT_REASON_APIC_WRITE:
        decode_apic_event(exit, VEXIT_APIC_WRITE);
        break;
    case EXIT_REASON_CR_ACCESS:
        decode_cr(exit);
        break;
    case EXIT_REASON_MOV_DR:
        decode_dr(exit);
        break;
    case EXIT_REASON_TASK_SWITCH:
        decode_task_switch(exit);
        break;
    case EXIT_REASON_INVLPG:
        exit->kind = VEXIT_INVLPG;
        exit->invlpg = vmread(VMCS_EXIT_QUALIFICATION);
        break;
    case EXIT_REASON_EPT_MISCONFIG:
        exit->kind = VEXIT_NPF_MISCONFIG;
        exit->npf = (struct vexit_npf){.gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS)};
        decode_interrupted(exit);
        break;
    default:
        exit->kind = VEXIT_UNKNOWN;
        exit->raw_qualification = vmread(VMCS_EXIT_QUALIFICATION);
        break;
    }
}

/* Bits 27 to 16 qualify a reason: an enclave, a bus lock, a pending MTF exit. */
static uint32_t basic_reason(uint32_t reason)
{
    return reason & EXIT_REASON_BASIC_MASK;
}

static void decode_entry_failure(struct vexit *exit)
{
    exit->kind = VEXIT_ENTRY_FAILED;
    exit->raw_qualification = vmread(VMCS_EXIT_QUALIFICATION);
    exit->entry_error = 0;
}

EXIT_INLINE void decode(struct vcpu *vcpu, struct vmx_vcpu *state, struct vexit *exit)
{
    uint32_t reason = (uint32_t)vmread(VMCS_EXIT_REASON);
    exit->raw_reason = reason;
    exit->raw_qualification = 0;
    exit->interrupted.type = VEVENT_NONE;
    exit->insn_len = (uint8_t)vmread(VMCS_INSTRUCTION_LENGTH);
    if (reason == EXIT_REASON_IO) {
        state->enter = vmx_resume;
        decode_io(state, exit);
        return;
    }
    if (reason < ARRAY_SIZE(quick_kind) && quick_kind[reason]) {
        state->enter = vmx_resume;
        exit->kind = quick_kind[reason] - 1u;
        return;
    }
    state->trust = 0;
    if (!(reason & EXIT_REASON_ENTRY_FAILED)) /* the launch state changes by success alone */
        state->enter = vmx_resume;
    read_rsp(vcpu, state);
    if (reason & EXIT_REASON_ENTRY_FAILED)
        decode_entry_failure(exit);
    else if (basic_reason(reason) < ARRAY_SIZE(plain_kind) && plain_kind[basic_reason(reason)])
        exit->kind = plain_kind[basic_reason(reason)] - 1u;
    else
        decode_rest(vcpu, exit, basic_reason(reason));
}

/* --- the round trip --------------------------------------------------------------------------- */

static __attribute__((noinline)) void entry_refused(struct vcpu *vcpu, int failure)
{
    uint64_t error = failure == 2 ? vmread(VMCS_INSTRUCTION_ERROR) : UINT64_MAX;
    *vcpu->trace.next = (struct vexit){.kind = VEXIT_ENTRY_FAILED,
                                       .raw_reason = (uint32_t)error,
                                       .entry_error = error,
                                       .rip = vcpu->rip};
    vcpu->exited_tsc = vcpu->entered_tsc;
}

EXIT_INLINE struct vcpu *enter_and_decode(struct vcpu *vcpu)
{
    int failure;
    write_changes(vcpu, vmx_state(vcpu));
    vcpu = vmx_enter(vcpu, &failure);
    if (__builtin_expect(failure, 0)) {
        entry_refused(vcpu, failure);
        return vcpu;
    }
    struct vmx_vcpu *state = vmx_state(vcpu);
    struct vexit *exit = vcpu->trace.next;
    read_hot_state(vcpu, state, exit);
    decode(vcpu, state, exit);
    return vcpu;
}

void vmx_run(struct vcpu *vcpu)
{
    enter_and_decode(vcpu);
}

void vmx_loop(struct vcpu *vcpu)
{
    exit_loop(vcpu, enter_and_decode);
}
