/* What this CPU is: CPUID and the MTRRs, read once. */
#include "hw/parts.h"

#include "hw/cpu.h"
#include "hw/mtrr.h"
#include "lib/mem.h"

struct hw_facts hw_facts;

static struct mtrr_state mtrrs;

enum cpuid_register { EAX, EBX, ECX, EDX };

/* CR4 bits and the CPUID bit that promises each. SDM "CPUID-CPU Identification", "Control
 * Registers". */
static const struct {
    uint8_t cr4_bit;
    uint8_t leaf; /* subleaf 0 */
    uint8_t reg;
    uint8_t bit;
} cr4_promises[] = {
    {0, 1, EDX, 1},   /* VME */
    {1, 1, EDX, 1},   /* PVI */
    {2, 1, EDX, 4},   /* TSD */
    {3, 1, EDX, 2},   /* DE */
    {4, 1, EDX, 3},   /* PSE */
    {5, 1, EDX, 6},   /* PAE */
    {6, 1, EDX, 7},   /* MCE */
    {7, 1, EDX, 13},  /* PGE */
    {9, 1, EDX, 24},  /* OSFXSR */
    {10, 1, EDX, 25}, /* OSXMMEXCPT */
    {11, 7, ECX, 2},  /* UMIP */
    {12, 7, ECX, 16}, /* LA57 */
    {13, 1, ECX, 5},  /* VMXE */
    {14, 1, ECX, 6},  /* SMXE */
    {16, 7, EBX, 0},  /* FSGSBASE */
    {17, 1, ECX, 17}, /* PCIDE */
    {18, 1, ECX, 26}, /* OSXSAVE */
    {20, 7, EBX, 7},  /* SMEP */
    {21, 7, EBX, 20}, /* SMAP */
    {22, 7, ECX, 3},  /* PKE */
    {23, 7, ECX, 7},  /* CET */
    {24, 7, ECX, 31}, /* PKS */
};

#define CR4_PCE BIT64(8) /* no CPUID bit of its own; every 64-bit CPU has it */

static bool has(const uint32_t regs[4], enum cpuid_register reg, unsigned bit)
{
    return regs[reg] & BIT(bit);
}

static uint64_t cr4_from_cpuid(const uint32_t leaf1[4], const uint32_t leaf7[4])
{
    uint64_t supported = CR4_PCE;
    for (unsigned i = 0; i < ARRAY_SIZE(cr4_promises); i++)
        if (has(cr4_promises[i].leaf == 1 ? leaf1 : leaf7, cr4_promises[i].reg,
                cr4_promises[i].bit))
            supported |= BIT64(cr4_promises[i].cr4_bit);
    return supported;
}

#define MSR_PATCH_LEVEL 0x0000008Bu
#define MSR_SYSCFG      0xC0010010u
#define MSR_TOP_MEM2    0xC001001Du
#define MSR_DE_CFG      0xC0011029u

#define SYSCFG_MEM_ENCRYPTION_MOD_EN BIT64(23)
#define DE_CFG_LFENCE_SERIALIZE      BIT64(1)

static void read_xsave(uint32_t max_leaf)
{
    uint32_t regs[4];

    if (max_leaf < 0xD)
        return;
    cpuid(0xD, 0, regs);
    hw_facts.xcr0_supported = (uint64_t)regs[EDX] << 32 | regs[EAX];
    cpuid(0xD, 1, regs);
    hw_facts.xsaves = has(regs, EAX, 3);
}

static void read_names(uint32_t max_extended)
{
    uint32_t regs[4];

    cpuid(0, 0, regs);
    memcpy(hw_facts.vendor, &regs[EBX], 4);
    memcpy(hw_facts.vendor + 4, &regs[EDX], 4);
    memcpy(hw_facts.vendor + 8, &regs[ECX], 4);
    if (max_extended < 0x80000004u) {
        str_copy(hw_facts.brand, sizeof(hw_facts.brand), "unnamed CPU");
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        cpuid(0x80000002u + i, 0, regs);
        memcpy(hw_facts.brand + 16 * i, regs, 16);
    }
}

/* Family and extended family. APM "Obtaining Processor Information Via the CPUID Instruction". */
static unsigned family_of(uint32_t signature)
{
    unsigned family = signature >> 8 & 0xF;
    return family == 0xF ? family + (signature >> 20 & 0xFF) : family;
}

/* An LFENCE that later instructions can't overtake is what code relies on that stops speculation
 * with it, a guest's included. Families 0Fh and 11h are always so and have no such register. */
static void make_lfence_serializing(void)
{
    uint64_t de_cfg;
    if (!rdmsr_safe(MSR_DE_CFG, &de_cfg))
        return;
    if (!(de_cfg & DE_CFG_LFENCE_SERIALIZE))
        wrmsr_safe(MSR_DE_CFG, de_cfg | DE_CFG_LFENCE_SERIALIZE);
    hw_facts.lfence_serializing =
        rdmsr_safe(MSR_DE_CFG, &de_cfg) && (de_cfg & DE_CFG_LFENCE_SERIALIZE);
}

static void read_amd(uint32_t signature, uint32_t max_extended)
{
    uint32_t regs[4];
    uint64_t value;

    hw_facts.family = family_of(signature);
    if (rdmsr_safe(MSR_PATCH_LEVEL, &value))
        hw_facts.patch_level = (uint32_t)value;
    make_lfence_serializing();
    /* Encryption takes address bits away, which CPUID goes on to count. APM "Secure Memory
     * Encryption". */
    if (max_extended >= 0x8000001Fu && rdmsr_safe(MSR_SYSCFG, &value) &&
        (value & SYSCFG_MEM_ENCRYPTION_MOD_EN)) {
        cpuid(0x8000001Fu, 0, regs);
        hw_facts.physical_bits -= min_u64(regs[EBX] >> 6 & 0x3F, hw_facts.physical_bits - 32u);
    }
}

void facts_init(void)
{
    uint32_t regs[4], leaf1[4], leaf7[4] = {0};

    cpuid(0, 0, regs);
    uint32_t max_leaf = regs[EAX];
    cpuid(0x80000000u, 0, regs);
    uint32_t max_extended = regs[EAX];

    cpuid(1, 0, leaf1);
    if (max_leaf >= 7)
        cpuid(7, 0, leaf7);
    hw_facts.cr4_supported = cr4_from_cpuid(leaf1, leaf7);
    hw_facts.tsc_deadline = has(leaf1, ECX, 24);
    hw_facts.xsave = has(leaf1, ECX, 26);
    hw_facts.invpcid = has(leaf7, EBX, 10);
    if (hw_facts.xsave)
        read_xsave(max_leaf);

    cpuid(0x80000001u, 0, regs);
    hw_facts.nx = has(regs, EDX, 20);
    hw_facts.gib_pages = has(regs, EDX, 26);
    hw_facts.rdtscp = has(regs, EDX, 27);
    hw_facts.physical_bits = 36; /* what the SDM says for CPUs without the leaf */
    if (max_extended >= 0x80000008u) {
        cpuid(0x80000008u, 0, regs);
        hw_facts.physical_bits = (uint8_t)min_u64(max_u64(regs[EAX] & 0xFF, 32), 52);
    }
    read_names(max_extended);
    hw_facts.amd =
        str_eq(hw_facts.vendor, "AuthenticAMD") || str_eq(hw_facts.vendor, "HygonGenuine");
    if (hw_facts.amd)
        read_amd(leaf1[EAX], max_extended);
}

#define MSR_IA32_MTRRCAP       0x0FEu
#define MSR_IA32_MTRR_BASE0    0x200u /* base and mask, two MSRs a range */
#define MSR_IA32_MTRR_DEF_TYPE 0x2FFu
#define MTRRCAP_COUNT          0xFFu
#define MTRRCAP_FIXED          BIT64(8)

void mtrr_init(void)
{
    static const uint16_t fixed_msrs[MTRR_FIXED_MSRS] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26A,
                                                         0x26B, 0x26C, 0x26D, 0x26E, 0x26F};
    uint64_t cap;

    mtrrs.physical_bits = hw_facts.physical_bits;
    if (!rdmsr_safe(MSR_IA32_MTRRCAP, &cap)) {
        /* No MTRRs at all: a hypervisor below us. Everything is write-back to it. */
        mtrrs.def_type = BIT64(11) | 6;
        return;
    }
    rdmsr_safe(MSR_IA32_MTRR_DEF_TYPE, &mtrrs.def_type);
    if (hw_facts.amd && rdmsr_safe(MSR_SYSCFG, &mtrrs.syscfg))
        rdmsr_safe(MSR_TOP_MEM2, &mtrrs.top_mem2);
    mtrrs.has_fixed = cap & MTRRCAP_FIXED;
    if (mtrrs.has_fixed)
        for (unsigned i = 0; i < MTRR_FIXED_MSRS; i++)
            rdmsr_safe(fixed_msrs[i], &mtrrs.fixed[i]);
    mtrrs.variable_count = (unsigned)min_u64(cap & MTRRCAP_COUNT, MTRR_MAX_VARIABLE);
    for (unsigned i = 0; i < mtrrs.variable_count; i++) {
        rdmsr_safe(MSR_IA32_MTRR_BASE0 + 2 * i, &mtrrs.variable[i].base);
        rdmsr_safe(MSR_IA32_MTRR_BASE0 + 2 * i + 1, &mtrrs.variable[i].mask);
    }
}

unsigned mtrr_type(hpa_t hpa, uint64_t size_bytes, uint64_t *uniform_bytes)
{
    return mtrr_lookup(&mtrrs, hpa, size_bytes, uniform_bytes);
}
