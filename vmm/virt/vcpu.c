/* A virtual CPU's birth, reset and last words. */
#define LOG_MODULE "vcpu"
#include "virt/handlers.h"
#include "virt/x86.h"

#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/mem.h"

#define REPORT_EXITS 16u

bool vcpu_create(struct vcpu *vcpu, const struct backend *backend, struct frame_source *frames)
{
    vcpu->backend = backend;
    account_init(&vcpu->account);
    timeline_init(&vcpu->timeline, vcpu->facts->tsc_hz);
    trace_init(&vcpu->trace);
    return backend->vcpu_init(vcpu, frames);
}

void vcpu_reset(struct vcpu *vcpu)
{
    vcpu->inject = (struct vevent){.type = VEVENT_NONE};
    vcpu->attention = 0;
    vcpu->stop = VM_RUNNING;
    vcpu->stop_reason[0] = '\0';
    vcpu->entry_error = 0;
    vcpu->posted_ns = VTIME_NEVER;
    vcpu->posted_tsc = UINT64_MAX;
    vcpu->post_again = false;
    vcpu->look_ns = VTIME_NEVER;
    vcpu->deadline_ns = 0;
    vcpu->deadline_tsc = UINT64_MAX;
    vcpu->deadline_served = false;
    vcpu->nested_faults = 0;
    vcpu->int_shadow = 0;
    vcpu->backend->want_window(vcpu, VWINDOW_IRQ, false);
    vcpu->backend->want_window(vcpu, VWINDOW_NMI, false);
    vcpu->backend->vcpu_reset(vcpu);
    for (unsigned reg = VREG_DR0; reg <= VREG_DR3; reg++)
        vcpu->backend->reg_set(vcpu, (enum vreg)reg, 0);
    vcpu->backend->reg_set(vcpu, VREG_DR6, X86_DR6_RESERVED);
    debug_reset(vcpu);
    vcpu->xcr0 = X86_XCR0_X87;
    if (vcpu->facts->xcr0_allowed)
        vcpu->facts->xsetbv(vcpu->xcr0);
    vcpu->apic_stale = vcpu->apic_help != VAPIC_NONE;
    vcpu->apic_held_off = false;
    msr_reset(vcpu);
    msr_open_passthrough(vcpu);
    cpuid_build(vcpu);
}

/* --- stops ------------------------------------------------------------------------------------ */

const char *vm_stop_name(enum vm_stop stop)
{
    static const char *const name[] = {
        [VM_RUNNING] = "running",
        [VM_STOP_POWER_OFF] = "power-off",
        [VM_STOP_RESET] = "reset",
        [VM_STOP_TRIPLE_FAULT] = "triple fault",
        [VM_STOP_HALTED_FOREVER] = "halted forever",
        [VM_STOP_UNKNOWN_EXIT] = "unknown exit",
        [VM_STOP_BAD_ACCESS] = "bad access",
        [VM_STOP_ENTRY_FAILED] = "entry failed",
        [VM_STOP_EVENT_LOOP] = "exception loop",
    };
    _Static_assert(ARRAY_SIZE(name) == VM_STOP_COUNT, "every stop has a name");
    return (unsigned)stop < VM_STOP_COUNT ? name[stop] : "invalid";
}

void vcpu_stop(struct vcpu *vcpu, enum vm_stop stop, const char *format, ...)
{
    if (vcpu->stop != VM_RUNNING)
        return;
    va_list args;
    va_start(args, format);
    fmt_vsnprintf(vcpu->stop_reason, sizeof(vcpu->stop_reason), format, args);
    va_end(args);
    vcpu->stop = stop;
    vcpu->stopped = true;
}

/* --- the report ------------------------------------------------------------------------------- */

static unsigned long long report_reg(struct vcpu *vcpu, enum vreg reg)
{
    return vcpu->backend->reg_get(vcpu, reg);
}

static void report_registers(struct vcpu *vcpu)
{
    static const char name[16][4] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                     "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
    log_raw("RIP %016llx  RFLAGS %08llx%s\n", (unsigned long long)vcpu->rip,
            (unsigned long long)vcpu->rflags, vcpu->halted ? "  (halted)" : "");
    for (unsigned i = 0; i < 16; i++)
        log_raw("%.3s %016llx%s", name[i],
                i == VGPR_RSP ? report_reg(vcpu, VREG_RSP) : (unsigned long long)vcpu->gpr[i],
                i % 4 == 3 ? "\n" : "  ");
}

static void report_control(struct vcpu *vcpu)
{
    log_raw("CR0 %08llx  CR2 %016llx  CR3 %016llx  CR4 %08llx\n", report_reg(vcpu, VREG_CR0),
            report_reg(vcpu, VREG_CR2), report_reg(vcpu, VREG_CR3), report_reg(vcpu, VREG_CR4));
    log_raw("EFER %04llx  XCR0 %llx  DR7 %llx  FS %016llx  GS %016llx\n",
            report_reg(vcpu, VREG_EFER), (unsigned long long)vcpu->xcr0, report_reg(vcpu, VREG_DR7),
            report_reg(vcpu, VREG_FS_BASE), report_reg(vcpu, VREG_GS_BASE));
    log_raw("GDTR %016llx:%04llx  IDTR %016llx:%04llx  shadow %llx  NMI blocked %llx\n",
            report_reg(vcpu, VREG_GDTR_BASE), report_reg(vcpu, VREG_GDTR_LIMIT),
            report_reg(vcpu, VREG_IDTR_BASE), report_reg(vcpu, VREG_IDTR_LIMIT),
            (unsigned long long)vcpu->int_shadow, report_reg(vcpu, VREG_NMI_BLOCKED));
}

static void report_segments(struct vcpu *vcpu)
{
    static const char *const name[VSEG_COUNT] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"};
    for (unsigned i = 0; i < VSEG_COUNT; i++) {
        struct vseg seg;
        vcpu->backend->seg_get(vcpu, (enum vseg_name)i, &seg);
        log_raw("%-4s %04x  base %016llx  limit %08x  access %04x\n", name[i], seg.selector,
                (unsigned long long)seg.base, seg.limit, seg.access);
    }
}

static void report_history(const struct vcpu *vcpu)
{
    unsigned count = (unsigned)min_u64(trace_count(&vcpu->trace), REPORT_EXITS);
    log_raw("last %u exits, oldest first:\n", count);
    while (count--) {
        const struct vexit *exit = trace_record(&vcpu->trace, count);
        log_raw("  RIP %016llx  %s (reason 0x%x)  detail %llx\n", (unsigned long long)exit->rip,
                vexit_kind_name(exit->kind), exit->raw_reason,
                (unsigned long long)exit->raw_qualification);
    }
}

void vcpu_report(struct vcpu *vcpu)
{
    if (vcpu->stop == VM_RUNNING)
        log_raw("the guest, as the VMM knew it:\n");
    else
        log_raw("guest stopped: %s: %s\n", vm_stop_name(vcpu->stop), vcpu->stop_reason);
    report_registers(vcpu);
    report_control(vcpu);
    report_segments(vcpu);
    report_history(vcpu);
    vcpu_report_exits(vcpu);
    if (vcpu->stop == VM_STOP_ENTRY_FAILED || vcpu->stop == VM_STOP_UNKNOWN_EXIT)
        vcpu->backend->dump(vcpu, vcpu->entry_error);
}
