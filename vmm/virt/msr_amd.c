/*
 * The model-specific registers that only AMD's CPUs have. APM "MSR Cross-Reference"; the registers
 * of the model, which no CPUID bit announces, are from the "BIOS and Kernel Developer's Guide" of
 * families 10h to 16h and the "Processor Programming Reference" of 17h on.
 *
 * Listed is what a kernel touches without asking CPUID and without being ready for #GP, and what
 * every 64-bit CPU of AMD's has. All else is #GP: the registers of features that CPUID hides (SVM's
 * VM_CR, performance counters, machine checks, OSVW, IBS, speculation controls), and those that a
 * kernel must not believe to have (LS_CFG would promise it SSBD, TSEG a range to avoid).
 */
#include "virt/msr.h"

#include "lib/bits.h"

#define MSR_PATCH_LEVEL        0x0000008bu
#define MSR_LAST_BRANCH_FROM   0x000001dbu
#define MSR_LAST_EXCEPTION_TO  0x000001deu
#define MSR_SYSCFG             0xc0010010u
#define MSR_HWCR               0xc0010015u
#define MSR_IORR_BASE0         0xc0010016u
#define MSR_TOP_MEM            0xc001001au
#define MSR_TOP_MEM2           0xc001001du
#define MSR_NB_CFG             0xc001001fu
#define MSR_INT_PENDING        0xc0010055u
#define MSR_MMIO_CFG_BASE_ADDR 0xc0010058u
#define MSR_DC_CFG             0xc0011022u
#define MSR_DE_CFG             0xc0011029u
#define MSR_BU_CFG2            0xc001102au

/* HWCR. The bits that may be set without effect: TLBCACHEDIS, FFDIS (Linux sets it on family 0Fh),
 * IGNNE. */
#define HWCR_WITHOUT_EFFECT (BIT64(3) | BIT64(6) | BIT64(8))
#define HWCR_TSC_FREQ_SEL   BIT64(24) /* the TSC counts at the frequency of P-state 0 */

#define DE_CFG_LFENCE_SERIALIZE BIT64(1)

#define CPUID_80000007_EDX_INVARIANT_TSC BIT(8)

static bool read_patch_level(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->facts->patch_level;
    return true;
}

/* Linux takes the firmware for broken when the TSC is invariant and this bit is clear. */
static bool read_hwcr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    bool invariant = vcpu->cpuid.extended[7][3] & CPUID_80000007_EDX_INVARIANT_TSC;
    *value = invariant ? HWCR_TSC_FREQ_SEL : 0;
    return true;
}

static bool write_hwcr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    uint64_t now;
    return read_hwcr(vcpu, msr, &now) && (value & ~(now | HWCR_WITHOUT_EFFECT)) == 0;
}

static bool read_de_cfg(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->facts->lfence_serializing ? DE_CFG_LFENCE_SERIALIZE : 0;
    return true;
}

/* The host's setting stays: a guest may ask for what it has, and gives nothing up. */
static bool write_de_cfg(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    uint64_t now;
    return read_de_cfg(vcpu, msr, &now) && (value & ~now) == 0;
}

/* Where kernels work around errata of the host's, or switch on what our chip set doesn't have. */
static bool write_ignored(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    (void)msr;
    (void)value;
    return true;
}

static const struct msr_entry entries[] = {
    {MSR_PATCH_LEVEL, MSR_PATCH_LEVEL, read_patch_level, NULL},
    {MSR_LAST_BRANCH_FROM, MSR_LAST_EXCEPTION_TO, msr_read_zero, NULL},
    {MSR_SYSCFG, MSR_SYSCFG, msr_read_zero, msr_write_zero}, /* no TOP_MEM, IORRs, SME */
    {MSR_HWCR, MSR_HWCR, read_hwcr, write_hwcr},
    {MSR_IORR_BASE0, MSR_TOP_MEM, msr_read_zero, msr_write_zero},
    {MSR_TOP_MEM2, MSR_TOP_MEM2, msr_read_zero, msr_write_zero},
    {MSR_NB_CFG, MSR_NB_CFG, msr_read_zero, write_ignored},
    {MSR_INT_PENDING, MSR_INT_PENDING, msr_read_zero, msr_write_zero},
    {MSR_MMIO_CFG_BASE_ADDR, MSR_MMIO_CFG_BASE_ADDR, msr_read_zero, msr_write_zero},
    {MSR_DC_CFG, MSR_DC_CFG, msr_read_zero, write_ignored},
    {MSR_DE_CFG, MSR_DE_CFG, read_de_cfg, write_de_cfg},
    {MSR_BU_CFG2, MSR_BU_CFG2, msr_read_zero, write_ignored},
};

const struct msr_table msr_amd = {entries, ARRAY_SIZE(entries)};
