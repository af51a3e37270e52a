/* The VMCS in words, for the report of a failed VM entry or a stopped guest. */
#define LOG_MODULE "vmx"
#include "virt/vmx/vmx.h"

#include "lib/log.h"

/* SDM "VM-Instruction Error Numbers". */
static const char *const instruction_error[] = {
    [1] = "VMCALL executed in VMX root operation",
    [2] = "VMCLEAR with invalid physical address",
    [3] = "VMCLEAR with VMXON pointer",
    [4] = "VMLAUNCH with non-clear VMCS",
    [5] = "VMRESUME with non-launched VMCS",
    [6] = "VMRESUME after VMXOFF",
    [7] = "VM entry with invalid control field(s)",
    [8] = "VM entry with invalid host-state field(s)",
    [9] = "VMPTRLD with invalid physical address",
    [10] = "VMPTRLD with VMXON pointer",
    [11] = "VMPTRLD with incorrect VMCS revision identifier",
    [12] = "VMREAD/VMWRITE from/to unsupported VMCS component",
    [13] = "VMWRITE to read-only VMCS component",
    [15] = "VMXON executed in VMX root operation",
    [16] = "VM entry with invalid executive-VMCS pointer",
    [17] = "VM entry with non-launched executive VMCS",
    [19] = "VMCALL with non-clear VMCS",
    [20] = "VMCALL with invalid VM-exit control fields",
    [26] = "VM entry with events blocked by MOV SS",
    [28] = "invalid operand to INVEPT/INVVPID",
};

const char *vmx_instruction_error_name(uint64_t error)
{
    if (error < ARRAY_SIZE(instruction_error) && instruction_error[error])
        return instruction_error[error];
    return error == UINT64_MAX ? "VMfailInvalid: no current VMCS" : "unknown";
}

struct named_field {
    uint16_t field;
    const char *name;
};

static const struct named_field fields[] = {
    {VMCS_EXIT_REASON, "exit reason"},
    {VMCS_EXIT_QUALIFICATION, "exit qualification"},
    {VMCS_EXIT_INTERRUPTION_INFO, "exit interruption info"},
    {VMCS_IDT_VECTORING_INFO, "IDT-vectoring info"},
    {VMCS_INSTRUCTION_LENGTH, "instruction length"},
    {VMCS_GUEST_PHYSICAL_ADDRESS, "guest physical address"},
    {VMCS_GUEST_LINEAR, "guest linear address"},
    {VMCS_PIN_CONTROLS, "pin-based controls"},
    {VMCS_CPU_CONTROLS, "primary controls"},
    {VMCS_CPU2_CONTROLS, "secondary controls"},
    {VMCS_EXIT_CONTROLS, "VM-exit controls"},
    {VMCS_ENTRY_CONTROLS, "VM-entry controls"},
    {VMCS_ENTRY_INTERRUPTION_INFO, "entry interruption info"},
    {VMCS_EXCEPTION_BITMAP, "exception bitmap"},
    {VMCS_EPT_POINTER, "EPT pointer"},
    {VMCS_GUEST_CR0, "guest CR0"},
    {VMCS_CR0_SHADOW, "CR0 read shadow"},
    {VMCS_CR0_MASK, "CR0 guest/host mask"},
    {VMCS_GUEST_CR3, "guest CR3"},
    {VMCS_GUEST_CR4, "guest CR4"},
    {VMCS_CR4_SHADOW, "CR4 read shadow"},
    {VMCS_CR4_MASK, "CR4 guest/host mask"},
    {VMCS_GUEST_EFER, "guest EFER"},
    {VMCS_GUEST_PAT, "guest PAT"},
    {VMCS_GUEST_DR7, "guest DR7"},
    {VMCS_GUEST_RIP, "guest RIP"},
    {VMCS_GUEST_RSP, "guest RSP"},
    {VMCS_GUEST_RFLAGS, "guest RFLAGS"},
    {VMCS_GUEST_INTERRUPTIBILITY, "interruptibility"},
    {VMCS_GUEST_ACTIVITY, "activity state"},
    {VMCS_GUEST_PENDING_DB, "pending debug exceptions"},
    {VMCS_GUEST_GDTR_BASE, "guest GDTR base"},
    {VMCS_GUEST_GDTR_LIMIT, "guest GDTR limit"},
    {VMCS_GUEST_IDTR_BASE, "guest IDTR base"},
    {VMCS_GUEST_IDTR_LIMIT, "guest IDTR limit"},
    {VMCS_LINK_POINTER, "VMCS link pointer"},
    {VMCS_HOST_CR0, "host CR0"},
    {VMCS_HOST_CR3, "host CR3"},
    {VMCS_HOST_CR4, "host CR4"},
    {VMCS_HOST_EFER, "host EFER"},
    {VMCS_HOST_RIP, "host RIP"},
    {VMCS_HOST_RSP, "host RSP"},
};

/* SDM "VM-Entry Failures During or After Loading Guest State". */
static void dump_entry_failure(void)
{
    static const char *const detail[] = {[2] = ", the PDPTEs",
                                         [3] = ", an NMI injected into a shadow",
                                         [4] = ", the VMCS link pointer"};
    uint64_t reason = vmread(VMCS_EXIT_REASON), qualification = vmread(VMCS_EXIT_QUALIFICATION);
    const char *name = "machine check";
    if (!(reason & EXIT_REASON_ENTRY_FAILED))
        return;
    if ((reason & EXIT_REASON_BASIC_MASK) == EXIT_REASON_ENTRY_GUEST_STATE)
        name = "invalid guest state";
    else if ((reason & EXIT_REASON_BASIC_MASK) == EXIT_REASON_ENTRY_MSR_LOADING)
        name = "MSR loading";
    const char *more = qualification < ARRAY_SIZE(detail) ? detail[qualification] : NULL;
    log_raw("VM entry failed: %s%s\n", name, more ? more : "");
}

void vmx_dump(struct vcpu *vcpu, uint64_t error)
{
    static const char *const segment[VSEG_COUNT] = {"ES", "CS", "SS",   "DS",
                                                    "FS", "GS", "LDTR", "TR"};
    (void)vcpu;
    if (error)
        log_raw("VM-instruction error %llu: %s\n", (unsigned long long)error,
                vmx_instruction_error_name(error));
    else
        dump_entry_failure();
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i += 2) {
        log_raw("  %-26s %016llx", fields[i].name, (unsigned long long)vmread(fields[i].field));
        if (i + 1 < ARRAY_SIZE(fields))
            log_raw("  %-26s %016llx", fields[i + 1].name,
                    (unsigned long long)vmread(fields[i + 1].field));
        log_raw("\n");
    }
    for (unsigned i = 0; i < VSEG_COUNT; i++)
        log_raw("  %-5s selector %04llx access %05llx limit %08llx base %016llx\n", segment[i],
                (unsigned long long)vmread(VMCS_GUEST_ES_SELECTOR + 2 * i),
                (unsigned long long)vmread(VMCS_GUEST_ES_ACCESS + 2 * i),
                (unsigned long long)vmread(VMCS_GUEST_ES_LIMIT + 2 * i),
                (unsigned long long)vmread(VMCS_GUEST_ES_BASE + 2 * i));
}
