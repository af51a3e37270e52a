/* The VMCB in words, for the report of a failed VMRUN or a stopped guest. */
#define LOG_MODULE "svm"
#include "virt/svm/svm.h"

#include "hw/cpu.h"
#include "lib/log.h"

#define ATTRIBUTE_L  BIT(9)
#define ATTRIBUTE_DB BIT(10)

static bool wide(uint64_t value)
{
    return value >> 32 != 0;
}

/* Which of VMRUN's checks failed. APM "Canonicalization and Consistency Checks". */
static const char *why_invalid(const struct vcpu *vcpu, const struct vmcb *vmcb)
{
    const struct vmcb_save *save = &vmcb->save;
    bool long_mode = (save->efer & EFER_LME) && (save->cr0 & CR0_PG);
    if (!(save->efer & EFER_SVME))
        return "EFER.SVME is clear";
    if (!(save->cr0 & CR0_CD) && (save->cr0 & CR0_NW))
        return "CR0.NW is set without CR0.CD";
    if (wide(save->cr0))
        return "CR0 is wider than 32 bits";
    if (long_mode && (save->cr3 & ~vcpu->facts->physical_address_mask))
        return "CR3 has reserved bits";
    if (wide(save->cr4) || (save->cr4 & ~(vcpu->facts->cr4_allowed | CR4_MCE)))
        return "CR4 has reserved bits";
    if (wide(save->dr6))
        return "DR6 is wider than 32 bits";
    if (wide(save->dr7))
        return "DR7 is wider than 32 bits";
    if (long_mode && !(save->cr4 & CR4_PAE))
        return "long mode without CR4.PAE";
    if (long_mode && !(save->cr0 & CR0_PE))
        return "long mode without CR0.PE";
    if (long_mode && (save->cs.attributes & ATTRIBUTE_L) && (save->cs.attributes & ATTRIBUTE_DB))
        return "CS.L and CS.D are both set in long mode";
    if (!(vmcb->control.intercept_4 & INTERCEPT_VMRUN))
        return "VMRUN is not intercepted";
    if (vmcb->control.asid == 0 || vmcb->control.asid >= svm_caps.asids)
        return "the ASID is not a guest's";
    return "none of the checks that this report knows: an event that can't be injected, or "
           "reserved bits of EFER";
}

static void dump_pair(const char *name, uint64_t value, const char *name2, uint64_t value2)
{
    log_raw("  %-26s %016llx  %-26s %016llx\n", name, (unsigned long long)value, name2,
            (unsigned long long)value2);
}

static void dump_control(const struct vmcb_control *control)
{
    dump_pair("exit code", control->exit_code, "exit interruption info", control->exit_int_info);
    dump_pair("exit info 1", control->exit_info_1, "exit info 2", control->exit_info_2);
    dump_pair("intercepts of CR", control->intercept_cr, "of exceptions",
              control->intercept_exceptions);
    dump_pair("intercept vector 3", control->intercept_3, "intercept vector 4",
              control->intercept_4);
    dump_pair("intercept vector 5", control->intercept_5, "ASID", control->asid);
    dump_pair("TLB control", control->tlb_control, "virtual interrupts", control->v_intr);
    dump_pair("interrupt shadow", control->interrupt_shadow, "event injection", control->event_inj);
    dump_pair("I/O permission map", control->iopm_base_pa, "MSR permission map",
              control->msrpm_base_pa);
    dump_pair("nested paging", control->np_enable, "nested CR3", control->n_cr3);
    dump_pair("clean bits", control->clean, "TSC offset", control->tsc_offset);
    dump_pair("next RIP", control->next_rip, "bytes fetched", control->fetched_count);
}

static void dump_save(const struct vmcb_save *save)
{
    dump_pair("guest CR0", save->cr0, "guest CR2", save->cr2);
    dump_pair("guest CR3", save->cr3, "guest CR4", save->cr4);
    dump_pair("guest EFER", save->efer, "guest PAT", save->g_pat);
    dump_pair("guest DR6", save->dr6, "guest DR7", save->dr7);
    dump_pair("guest RIP", save->rip, "guest RFLAGS", save->rflags);
    dump_pair("guest RSP", save->rsp, "guest RAX", save->rax);
    dump_pair("guest GDTR base", save->gdtr.base, "guest GDTR limit", save->gdtr.limit);
    dump_pair("guest IDTR base", save->idtr.base, "guest IDTR limit", save->idtr.limit);
    dump_pair("guest CPL", save->cpl, "guest KERNEL_GS_BASE", save->kernel_gs_base);
}

void svm_dump(struct vcpu *vcpu, uint64_t error)
{
    static const char *const name[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    (void)error;
    svm_park(vcpu); /* brings FS, GS, LDTR and TR into the VMCB */
    const struct vmcb *vmcb = svm_state(vcpu)->vmcb;
    const struct vmcb_segment *segment = &vmcb->save.es;
    if ((uint32_t)vmcb->control.exit_code == EXIT_INVALID)
        log_raw("VMRUN failed, invalid guest state: %s\n", why_invalid(vcpu, vmcb));
    dump_control(&vmcb->control);
    dump_save(&vmcb->save);
    for (unsigned i = 0; i < ARRAY_SIZE(name); i++)
        log_raw("  %-5s selector %04x attributes %03x limit %08x base %016llx\n", name[i],
                segment[i].selector, segment[i].attributes, segment[i].limit,
                (unsigned long long)segment[i].base);
}
