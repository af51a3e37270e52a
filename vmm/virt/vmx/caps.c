/* What this CPU's VT-x offers, settled once into the control words that every vCPU loads. */
#include "virt/vmx/vmx.h"

#include "hw/cpu.h"

#define SIGNATURE_MASK 0x0FFF0FFFu /* families, models, stepping */

struct vmx_caps vmx_caps;

/* One capability MSR: bits 31:0 say what must be 1, bits 63:32 what may be 1. */
struct control_word {
    uint32_t msr, true_msr;
    uint32_t required, optional, cleared; /* cleared: off wherever the CPU lets us */
};

/* True when all of word->required is there; *value has optional bits as far as they are. */
static bool settle(const struct control_word *word, bool true_ctls, uint32_t *value)
{
    uint64_t cap = rdmsr(true_ctls && word->true_msr ? word->true_msr : word->msr);
    uint32_t must = (uint32_t)cap, may = (uint32_t)(cap >> 32);

    *value = (((word->required | word->optional) & may) & ~word->cleared) | must;
    return (may & word->required) == word->required;
}

/*
 * CR3 exits are only cleared where TRUE capability MSRs allow it: a CPU without them makes them
 * exit, and virt/cr.c answers those exits all the same.
 */
static const struct control_word pin_word = {
    .msr = MSR_IA32_VMX_PINBASED_CTLS,
    .true_msr = MSR_IA32_VMX_TRUE_PINBASED_CTLS,
    .required = PIN_EXTERNAL_INTERRUPT | PIN_NMI,
    .optional = PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER,
};
static const struct control_word cpu_word = {
    .msr = MSR_IA32_VMX_PROCBASED_CTLS,
    .true_msr = MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
    .required = CPU_TSC_OFFSETTING | CPU_HLT | CPU_MWAIT | CPU_MONITOR | CPU_RDPMC | CPU_CR8_LOAD |
                CPU_CR8_STORE | CPU_UNCONDITIONAL_IO | CPU_MSR_BITMAPS | CPU_SECONDARY,
    .cleared = CPU_CR3_LOAD | CPU_CR3_STORE | CPU_INVLPG | CPU_RDTSC,
};
static const struct control_word cpu2_word = {
    .msr = MSR_IA32_VMX_PROCBASED_CTLS2,
    .optional = CPU2_EPT | CPU2_UNRESTRICTED_GUEST | CPU2_VPID | CPU2_RDTSCP | CPU2_WBINVD |
                CPU2_INVPCID | CPU2_XSAVES,
};
static const struct control_word exit_word = {
    .msr = MSR_IA32_VMX_EXIT_CTLS,
    .true_msr = MSR_IA32_VMX_TRUE_EXIT_CTLS,
    .required = EXI_HOST_ADDRESS_SPACE | EXI_SAVE_DEBUG | EXI_LOAD_EFER,
    .optional = EXI_LOAD_PAT | EXI_SAVE_TIMER,
};
static const struct control_word entry_word = {
    .msr = MSR_IA32_VMX_ENTRY_CTLS,
    .true_msr = MSR_IA32_VMX_TRUE_ENTRY_CTLS,
    .required = ENT_LOAD_DEBUG | ENT_LOAD_EFER | ENT_LOAD_PAT,
};

static bool cpu_control_exists(bool true_ctls, uint32_t bit)
{
    return rdmsr(true_ctls ? cpu_word.true_msr : cpu_word.msr) >> 32 & bit;
}

/* Nothing of it is in the control words: apic.c switches it on and off by the APIC's mode. */
static void look_for_apic_help(struct vmx_caps *caps, bool true_ctls)
{
    const uint32_t cpu2 =
        CPU2_APIC_ACCESSES | CPU2_X2APIC | CPU2_APIC_REGISTERS | CPU2_INTERRUPT_DELIVERY;

    caps->tpr_shadow = cpu_control_exists(true_ctls, CPU_TPR_SHADOW);
    caps->interrupt_delivery = (rdmsr(cpu2_word.msr) >> 32 & cpu2) == cpu2;
    bool posted = rdmsr(true_ctls ? pin_word.true_msr : pin_word.msr) >> 32 & PIN_POSTED_INTERRUPTS;
    caps->delivery_ignores_if = !posted || caps->preemption_shift == 0;
    caps->posted_interrupts =
        posted && caps->interrupt_delivery && caps->preemption_timer &&
        (rdmsr(true_ctls ? exit_word.true_msr : exit_word.msr) >> 32 & EXI_ACKNOWLEDGE);
}

/*
 * Processors whose preemption timer runs at another rate than they say, at times: "VMX-Preemption
 * Timer Does Not Count Down at the Rate Specified" in their "Specification Update". The host's APIC
 * timer ends a guest's turn there. CPUID's signatures, without the processor's type; those without
 * unrestricted guest are left out.
 */
static bool timer_is_erroneous(void)
{
    static const uint32_t signatures[] = {
        0x20652, 0x20655, /* Core i3, i5, i7 of Westmere: AAT59, AAU65; Xeon L3406: AAX65 */
        0x206E6,          /* Xeon 7500: BA86 */
        0x306A8,          /* Xeon E3-1200 v2, which Linux leaves out likewise */
    };
    uint32_t regs[4];

    cpuid(1, 0, regs);
    for (unsigned i = 0; i < ARRAY_SIZE(signatures); i++)
        if ((regs[0] & SIGNATURE_MASK) == signatures[i])
            return true;
    return false;
}

static const char *settle_controls(struct vmx_caps *caps, bool true_ctls)
{
    if (!settle(&pin_word, true_ctls, &caps->pin))
        return "this CPU's VT-x lacks external-interrupt or NMI exiting: use a newer CPU";
    if (timer_is_erroneous())
        caps->pin &= ~PIN_PREEMPTION_TIMER;
    if (!settle(&cpu_word, true_ctls, &caps->cpu))
        return "this CPU's VT-x lacks MSR bitmaps, TSC offsetting or secondary controls: use a "
               "CPU with EPT and unrestricted guest (Intel Westmere, 2010, or newer)";
    settle(&cpu2_word, false, &caps->cpu2);
    if (!(caps->cpu2 & CPU2_EPT))
        return "this CPU's VT-x lacks EPT (extended page tables): use Intel Nehalem (2008) or "
               "newer, or switch EPT on in the emulator or outer hypervisor";
    if (!(caps->cpu2 & CPU2_UNRESTRICTED_GUEST))
        return "this CPU's VT-x lacks \"unrestricted guest\": use Intel Westmere (2010) or newer, "
               "or switch it on in the emulator or outer hypervisor";
    if (!settle(&exit_word, true_ctls, &caps->exit) ||
        !settle(&entry_word, true_ctls, &caps->entry))
        return "this CPU's VT-x can't switch EFER and PAT at VM entry: use a newer CPU";
    return NULL;
}

static const char *check_ept(struct vmx_caps *caps)
{
    caps->ept_cap = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
    if (!(caps->ept_cap & EPT_CAP_WALK_4))
        return "this CPU's EPT lacks the 4-level walk: use a newer CPU";
    if (!(caps->ept_cap & EPT_CAP_WB))
        return "this CPU's EPT structures can't be write-back cached: use a newer CPU";
    if (!(caps->ept_cap & EPT_CAP_INVEPT) ||
        !(caps->ept_cap & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)))
        return "this CPU's VT-x lacks INVEPT: use a newer CPU";
    return NULL;
}

const char *vmx_caps_read(struct vmx_caps *caps)
{
    uint64_t basic = rdmsr(MSR_IA32_VMX_BASIC);
    const char *refusal = settle_controls(caps, basic & VMX_BASIC_TRUE_CTLS);
    if (!refusal)
        refusal = check_ept(caps);
    if (refusal)
        return refusal;

    caps->revision_id = (uint32_t)basic & 0x7FFFFFFFu;
    caps->ins_outs_info = basic & VMX_BASIC_INS_OUTS_INFO;
    caps->preemption_timer = caps->pin & PIN_PREEMPTION_TIMER;
    if (!caps->preemption_timer) /* the one is invalid without the other */
        caps->exit &= ~EXI_SAVE_TIMER;
    caps->timer_saved = caps->exit & EXI_SAVE_TIMER;
    caps->virtual_nmis = caps->pin & PIN_VIRTUAL_NMIS;
    caps->monitor_trap = cpu_control_exists(basic & VMX_BASIC_TRUE_CTLS, CPU_MONITOR_TRAP);
    caps->preemption_shift = rdmsr(MSR_IA32_VMX_MISC) & 31;
    look_for_apic_help(caps, basic & VMX_BASIC_TRUE_CTLS);
    caps->wbinvd = caps->cpu2 & CPU2_WBINVD;
    caps->rdtscp = caps->cpu2 & CPU2_RDTSCP;
    caps->invpcid = caps->cpu2 & CPU2_INVPCID;
    caps->xsaves = caps->cpu2 & CPU2_XSAVES;
    caps->host_pat = caps->exit & EXI_LOAD_PAT;
    /* A VPID that can't be flushed alone would keep stale translations after a CR write. */
    caps->vpid = (caps->cpu2 & CPU2_VPID) && (caps->ept_cap & EPT_CAP_INVVPID) &&
                 (caps->ept_cap & EPT_CAP_INVVPID_SINGLE);
    if (!caps->vpid)
        caps->cpu2 &= ~CPU2_VPID;

    caps->cr0_fixed0 = rdmsr(MSR_IA32_VMX_CR0_FIXED0);
    caps->cr0_fixed1 = rdmsr(MSR_IA32_VMX_CR0_FIXED1);
    caps->cr4_fixed0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0);
    caps->cr4_fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);
    return NULL;
}
