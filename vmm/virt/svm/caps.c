/* What this CPU's AMD-V offers. APM "SVM Revision and Feature Identification". */
#include "virt/svm/svm.h"

#include "hw/cpu.h"

#define LEAF_EXTENDED_MAX 0x80000000u
#define LEAF_SIZES        0x80000008u
#define LEAF_SVM          0x8000000Au

#define CPUID_1_ECX_HYPERVISOR BIT(31)
#define LEAF_HYPERVISOR        0x40000000u

struct svm_caps svm_caps;

/* The hypervisor's name is "TCGTCGTCGTCG". */
static bool is_tcg(void)
{
    uint32_t regs[4];
    cpuid(1, 0, regs);
    if (!(regs[2] & CPUID_1_ECX_HYPERVISOR))
        return false;
    cpuid(LEAF_HYPERVISOR, 0, regs);
    return regs[1] == 0x54474354 && regs[2] == 0x43544743 && regs[3] == 0x47435447;
}

const char *svm_caps_read(struct svm_caps *caps)
{
    uint32_t regs[4];
    cpuid(LEAF_EXTENDED_MAX, 0, regs);
    if (regs[0] < LEAF_SVM)
        return "CPUID shows AMD-V but not its features (leaf 8000000Ah): the emulator or the outer "
               "hypervisor offers AMD-V only in part";
    cpuid(LEAF_SIZES, 0, regs);
    caps->rdpru = regs[1] & CPUID_80000008_EBX_RDPRU;
    caps->invlpgb = regs[1] & CPUID_80000008_EBX_INVLPGB;

    cpuid(LEAF_SVM, 0, regs);
    if (!(regs[3] & CPUID_SVM_NP))
        return "this CPU's AMD-V lacks nested paging: use AMD Barcelona (2007) or newer, or switch "
               "nested paging (npt) on in the emulator or the outer hypervisor";
    if (regs[1] < 2)
        return "this CPU's AMD-V has no address space identifier (ASID) for a guest: the emulator "
               "or the outer hypervisor offers AMD-V only in part";
    caps->asids = regs[1];
    caps->nrip_save = regs[3] & CPUID_SVM_NRIP_SAVE;
    caps->clean = regs[3] & CPUID_SVM_VMCB_CLEAN ? CLEAN_ALL : 0;
    caps->flush_by_asid = regs[3] & CPUID_SVM_FLUSH_BY_ASID;
    caps->decode_assists = regs[3] & CPUID_SVM_DECODE_ASSISTS;
    caps->injects_twice = is_tcg();
    if (caps->injects_twice)
        caps->clean = 0; /* TCG has none; virq.c counts on it */
    return NULL;
}
