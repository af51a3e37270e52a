/*
 * Step two of a VM exit: decide. One handler for each kind, in one table; the handlers of CPUID,
 * MSRs, control registers, ports and exceptions live in files of their own. Only this file moves
 * RIP. Nothing here knows a VMCS or a VMCB, so all of it also runs in host tests.
 */
#define LOG_MODULE "exit"
#include "virt/exit_loop.h"

#include "lib/log.h"
#include "lib/mem.h"

/* What the guest finds in RAX after a hypercall: the number that KVM's callers know as "no such
 * call". There are none. */
#define HYPERCALL_NO_SUCH_CALL ((uint64_t)-1000)

/* --- the host's own events -------------------------------------------------------------------- */

static enum exit_action host_irq_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    vcpu->host->take_interrupts();
    vcpu->hooks.host_events(vcpu->hooks.ctx);
    vcpu->devices_touched = true;
    return EXIT_RETRY;
}

static enum exit_action host_nmi_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)vcpu;
    (void)exit;
    static uint64_t count;
    if (log_ratelimit(&count, 4))
        log_warn("NMI on the host (number %llu), ignored", (unsigned long long)count);
    return EXIT_RETRY;
}

#define HOST_POLLS_PER_SECOND 1000u

/* The host is served here too, now and then: Bochs never exits for a host interrupt while the guest
 * keeps IF clear from its entry on, and a UART without an interrupt line has nobody else to poll
 * it. */
static enum exit_action deadline_exit(struct vcpu *vcpu, struct vexit *exit)
{
    if (exit->exited_tsc - vcpu->polled_tsc >= vcpu->clock.tsc_hz / HOST_POLLS_PER_SECOND) {
        vcpu->polled_tsc = exit->exited_tsc;
        vcpu->host->take_interrupts();
        vcpu->hooks.host_events(vcpu->hooks.ctx);
    }
    vcpu->deadline_served = true;
    vcpu->hooks.advance(vcpu->hooks.ctx, clock_ns(&vcpu->clock, vcpu->host->tsc()));
    vcpu->deadline_ns = 0; /* the timer is spent: arm it anew even for the same date */
    vcpu->deadline_tsc = UINT64_MAX;
    vcpu->devices_touched = true;
    return EXIT_RETRY;
}

/* The run loop looks at the pins before each entry; make sure that it does. */
static enum exit_action window_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    if (vcpu->apic_help >= VAPIC_DELIVERY)
        vcpu->apic_stale = true; /* the CPU may have waited for it with a request of the APIC's */
    if (vcpu->attention == 0)
        vcpu->devices_touched = true;
    return EXIT_RETRY;
}

static enum exit_action init_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)vcpu;
    static uint64_t count;
    if (log_ratelimit(&count, 4))
        log_warn("%s on the host (number %llu), ignored", vexit_kind_name(exit->kind),
                 (unsigned long long)count);
    return EXIT_RETRY;
}

/* --- instructions ----------------------------------------------------------------------------- */

/* With TF set the trap behind HLT wakes the CPU at once. */
static enum exit_action hlt_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    vcpu->halted = !(vcpu->rflags & X86_RFLAGS_TF);
    return EXIT_ADVANCE;
}

static enum exit_action nothing_to_do(struct vcpu *vcpu, struct vexit *exit)
{
    (void)vcpu;
    (void)exit;
    return EXIT_ADVANCE;
}

static enum exit_action invlpg_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    vcpu->backend->flush(vcpu);
    return EXIT_ADVANCE;
}

static enum exit_action rdtsc_exit(struct vcpu *vcpu, struct vexit *exit)
{
    if (exit->kind == VEXIT_RDTSCP) {
        if (!vcpu->facts->rdtscp)
            return inject_exception(vcpu, X86_UD);
        /* IA32_TSC_AUX belongs to the guest and lies in the CPU; 0 is Linux's first processor. */
        vcpu->gpr[VGPR_RCX] = 0;
    }
    uint64_t tsc = vcpu_tsc(vcpu);
    vcpu->gpr[VGPR_RAX] = (uint32_t)tsc;
    vcpu->gpr[VGPR_RDX] = tsc >> 32;
    return EXIT_ADVANCE;
}

/* CPUID leaf Ah offers no counters. */
static enum exit_action rdpmc_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    return inject_exception_error(vcpu, X86_GP, 0);
}

static enum exit_action undefined_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    return inject_exception(vcpu, X86_UD);
}

/* A user program must not tell pxHV from bare metal by a hypercall: #UD for it. */
static enum exit_action hypercall_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    if (vcpu_cpl(vcpu) != 0)
        return inject_exception(vcpu, X86_UD);
    vcpu->gpr[VGPR_RAX] =
        vcpu_code_bits(vcpu) == 64 ? HYPERCALL_NO_SUCH_CALL : (uint32_t)HYPERCALL_NO_SUCH_CALL;
    return EXIT_ADVANCE;
}

/* --- memory ----------------------------------------------------------------------------------- */

static enum exit_action npf_exit(struct vcpu *vcpu, struct vexit *exit)
{
    exit_detail(exit, exit->npf.gpa);
    account_detail(&vcpu->account, VEXIT_NPF, exit->npf.gpa / PAGE_SIZE);
    enum exit_action action = mmio_emulate(vcpu, exit);
    return action == EXIT_ADVANCE ? ahead_of(vcpu, exit) : action;
}

static enum exit_action npf_misconfig_exit(struct vcpu *vcpu, struct vexit *exit)
{
    exit_detail(exit, exit->npf.gpa);
    vcpu_stop(vcpu, VM_STOP_UNKNOWN_EXIT,
              "nested page tables are misconfigured at guest address 0x%llx",
              (unsigned long long)exit->npf.gpa);
    return EXIT_STOP;
}

/* --- the end ---------------------------------------------------------------------------------- */

static enum exit_action triple_fault_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    vcpu_stop(vcpu, VM_STOP_TRIPLE_FAULT, "no handler could take an exception at RIP 0x%llx",
              (unsigned long long)vcpu->rip);
    return EXIT_STOP;
}

static enum exit_action entry_failed_exit(struct vcpu *vcpu, struct vexit *exit)
{
    vcpu->entry_error = exit->entry_error;
    vcpu_stop(vcpu, VM_STOP_ENTRY_FAILED, "the CPU refused to enter the guest, error %llu",
              (unsigned long long)exit->entry_error);
    return EXIT_STOP;
}

static enum exit_action unknown_exit(struct vcpu *vcpu, struct vexit *exit)
{
    vcpu_stop(vcpu, VM_STOP_UNKNOWN_EXIT, "unknown exit, reason 0x%llx, qualification 0x%llx",
              (unsigned long long)exit->raw_reason, (unsigned long long)exit->raw_qualification);
    return EXIT_STOP;
}

/* --- the table -------------------------------------------------------------------------------- */

const struct exit_kind exit_kinds[] = {
    [VEXIT_HOST_IRQ] = {host_irq_exit, "host interrupt", false},
    [VEXIT_HOST_NMI] = {host_nmi_exit, "host NMI", false},
    [VEXIT_DEADLINE] = {deadline_exit, "deadline", false},
    [VEXIT_IRQ_WINDOW] = {window_exit, "interrupt window", false},
    [VEXIT_NMI_WINDOW] = {window_exit, "NMI window", false},
    [VEXIT_CPUID] = {cpuid_exit, "CPUID", true},
    [VEXIT_HLT] = {hlt_exit, "HLT", true},
    [VEXIT_PIO] = {pio_exit, "port I/O", true},
    [VEXIT_RDMSR] = {msr_read_exit, "RDMSR", true},
    [VEXIT_WRMSR] = {msr_write_exit, "WRMSR", true},
    [VEXIT_CR_READ] = {cr_read_exit, "MOV from CR", true},
    [VEXIT_CR_WRITE] = {cr_write_exit, "MOV to CR", true},
    [VEXIT_CLTS] = {cr_clts_exit, "CLTS", true},
    [VEXIT_LMSW] = {cr_lmsw_exit, "LMSW", true},
    [VEXIT_DR_ACCESS] = {cr_debug_exit, "MOV DR", true},
    [VEXIT_XSETBV] = {cr_xsetbv_exit, "XSETBV", true},
    [VEXIT_NPF] = {npf_exit, "nested page fault", false},
    [VEXIT_NPF_MISCONFIG] = {npf_misconfig_exit, "nested paging misconfigured", false},
    [VEXIT_EXCEPTION] = {event_exception, "exception", false},
    [VEXIT_TRIPLE_FAULT] = {triple_fault_exit, "triple fault", false},
    [VEXIT_TASK_SWITCH] = {task_switch_exit, "task switch", false},
    /* Never INVD on the host: it would throw away the VMM's own dirty lines. The host's caches are
     * coherent with all that the guest can reach, so nothing has to be written back either. */
    [VEXIT_INVD] = {nothing_to_do, "INVD", true},
    [VEXIT_WBINVD] = {nothing_to_do, "WBINVD", true},
    [VEXIT_INVLPG] = {invlpg_exit, "INVLPG", true},
    [VEXIT_RDTSC] = {rdtsc_exit, "RDTSC", true},
    [VEXIT_RDTSCP] = {rdtsc_exit, "RDTSCP", true},
    [VEXIT_RDPMC] = {rdpmc_exit, "RDPMC", false},
    [VEXIT_HYPERCALL] = {hypercall_exit, "hypercall", true},
    [VEXIT_VIRT_INSN] = {undefined_exit, "virtualization instruction", false},
    [VEXIT_UNDEFINED_INSN] = {undefined_exit, "undefined instruction", false},
    [VEXIT_PAUSE] = {nothing_to_do, "PAUSE", true},
    [VEXIT_INIT] = {init_exit, "INIT", false},
    [VEXIT_SIPI] = {init_exit, "SIPI", false},
    [VEXIT_INT] = {debug_int_exit, "INT", false},
    [VEXIT_STEP] = {debug_step_exit, "step", false},
    [VEXIT_APIC_TPR] = {apic_event_exit, "TPR below threshold", false},
    [VEXIT_APIC_EOI] = {apic_event_exit, "end of level interrupt", false},
    [VEXIT_APIC_WRITE] = {apic_event_exit, "APIC write", false},
    [VEXIT_ENTRY_FAILED] = {entry_failed_exit, "failed entry", false},
    [VEXIT_UNKNOWN] = {unknown_exit, "unknown", false},
};

_Static_assert(ARRAY_SIZE(exit_kinds) == VEXIT_KIND_COUNT, "every kind of exit has a handler");

const char *vexit_kind_name(enum vexit_kind kind)
{
    return (unsigned)kind < VEXIT_KIND_COUNT ? exit_kinds[kind].name : "invalid";
}

/* --- moving RIP ------------------------------------------------------------------------------- */

/* A crossing of 64 KiB is rare enough to ask for the mode only then. */
uint64_t exit_wrap_rip(struct vcpu *vcpu, uint64_t rip)
{
    switch (vcpu_code_bits(vcpu)) {
    case 16:
        return (uint16_t)rip;
    case 32:
        return (uint32_t)rip;
    default:
        return rip;
    }
}

void exit_finish_flags(struct vcpu *vcpu)
{
    vcpu->rflags &= ~X86_RFLAGS_RF;
    if (vcpu->rflags & X86_RFLAGS_TF)
        vcpu->backend->reg_set(vcpu, VREG_PENDING_DB,
                               vcpu->backend->reg_get(vcpu, VREG_PENDING_DB) | X86_DR6_BS);
}

void exit_finish_insn(struct vcpu *vcpu, unsigned length)
{
    exit_finish(vcpu, length);
}

/* --- outside of a backend's loop -------------------------------------------------------------- */

enum exit_action exit_decide(struct vcpu *vcpu, struct vexit *exit)
{
    return exit_decide_inline(vcpu, exit);
}

void exit_handle(struct vcpu *vcpu, struct vexit *exit)
{
    exit_decide(vcpu, exit);
}
