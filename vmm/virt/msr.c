/*
 * Model-specific registers: tables of the ones that exist for the guest, one for every CPU and one
 * for its vendor's own. Everything else is #GP, which is what Linux expects of an MSR that a CPU
 * doesn't have. SDM "Model-Specific Registers", APM "MSR Cross-Reference".
 *
 * The MTRRs hold and check what the guest writes, but nothing follows from them: the memory types
 * of guest memory come from the host, through the nested page tables and the guest's PAT.
 */
#define LOG_MODULE "msr"
#include "virt/handlers.h"
#include "virt/msr.h"
#include "virt/x86.h"

#include "lib/log.h"
#include "lib/mem.h"

enum msr_number {
    MSR_TSC = 0x10,
    MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b,
    MSR_TSC_ADJUST = 0x3b,
    MSR_BIOS_SIGN_ID = 0x8b,
    MSR_MTRRCAP = 0xfe,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_DEBUGCTL = 0x1d9,
    MSR_MTRR_PHYSBASE0 = 0x200,
    MSR_MTRR_PHYSMASK7 = 0x20f,
    MSR_MTRR_FIX64K = 0x250,
    MSR_MTRR_FIX16K_80000 = 0x258,
    MSR_MTRR_FIX16K_A0000 = 0x259,
    MSR_MTRR_FIX4K_C0000 = 0x268,
    MSR_MTRR_FIX4K_F8000 = 0x26f,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC_FIRST = 0x800,
    MSR_X2APIC_LAST = 0x8ff,
    MSR_XSS = 0xda0
};
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_FMASK          0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u

#define MTRRCAP_VALUE            0x508u /* 8 variable ranges, fixed ranges, WC */
#define MTRR_DEF_TYPE_BITS       0xcffull
#define MTRR_PHYSMASK_VALID      BIT64(11)
#define APIC_BASE_EN             BIT64(11)
#define MISC_ENABLE_FAST_STRINGS BIT64(0)
#define MISC_ENABLE_RESET        (MISC_ENABLE_FAST_STRINGS | BIT64(11) | BIT64(12)) /* no BTS, PEBS */

/* Places in vcpu->mtrr: base and mask pairs, then the fixed ranges, then the default type. */
enum mtrr_slot {
    MTRR_SLOT_VARIABLE = 0,
    MTRR_SLOT_FIX64K = 16,
    MTRR_SLOT_FIX16K = 17,
    MTRR_SLOT_FIX4K = 19,
    MTRR_SLOT_DEF_TYPE = 27,
    MTRR_SLOT_COUNT
};

_Static_assert(MTRR_SLOT_COUNT <= ARRAY_SIZE(((struct vcpu *)0)->mtrr), "the MTRRs fit");

static bool memory_type_valid(uint8_t type)
{
    return type <= MAP_WB && type != 2 && type != 3;
}

/* --- time ------------------------------------------------------------------------------------- */

static bool read_tsc(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu_tsc(vcpu);
    return true;
}

/* A kernel writes back what is there when it looks whether the firmware has left it alone. */
static void move_tsc(struct vcpu *vcpu, uint64_t by)
{
    if (by == 0)
        return;
    uint64_t offset = vcpu->backend->reg_get(vcpu, VREG_TSC_OFFSET);
    vcpu->backend->reg_set(vcpu, VREG_TSC_OFFSET, offset + by);
    vcpu->tsc_adjust += by;
    pvclock_tsc_moved(vcpu);
    vcpu->hooks.tsc_moved(vcpu->hooks.ctx);
}

static bool write_tsc(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    move_tsc(vcpu, value - vcpu_tsc(vcpu));
    return true;
}

static bool read_tsc_adjust(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->tsc_adjust;
    return true;
}

static bool write_tsc_adjust(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    move_tsc(vcpu, value - vcpu->tsc_adjust);
    return true;
}

/* --- identification --------------------------------------------------------------------------- */

#define DEBUGCTL_LBR BIT64(0)
#define DEBUGCTL_BTF BIT64(1)

bool msr_read_zero(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)vcpu;
    (void)msr;
    *value = 0;
    return true;
}

bool msr_write_zero(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    (void)msr;
    return value == 0;
}

/* LBR and BTF are taken and stay off: a kernel sets them without asking CPUID, on a user's word. */
static bool write_debugctl(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    (void)msr;
    return (value & ~(DEBUGCTL_LBR | DEBUGCTL_BTF)) == 0;
}

static bool read_apic(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    return vcpu->hooks.apic_read(vcpu->hooks.ctx, msr, value);
}

static bool write_apic(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    return vcpu->hooks.apic_write(vcpu->hooks.ctx, msr, value);
}

/* "The CPUID feature flag for the APIC is also set to 0" while the APIC is disabled. */
static bool write_apic_base(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    if (!write_apic(vcpu, msr, value))
        return false;
    cpuid_show_apic(vcpu, value & APIC_BASE_EN);
    return true;
}

static bool read_bios_sign_id(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->bios_sign_id;
    return true;
}

/* System software writes 0, executes CPUID and reads the microcode's revision. */
static bool write_bios_sign_id(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    vcpu->bios_sign_id = value;
    return true;
}

static bool read_misc_enable(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->misc_enable;
    return true;
}

static bool write_misc_enable(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    if ((value ^ MISC_ENABLE_RESET) & ~MISC_ENABLE_FAST_STRINGS)
        return false;
    vcpu->misc_enable = value;
    return true;
}

/* --- memory types ----------------------------------------------------------------------------- */

static bool read_mtrrcap(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)vcpu;
    (void)msr;
    *value = MTRRCAP_VALUE;
    return true;
}

static unsigned mtrr_slot(uint32_t msr)
{
    if (msr == MSR_MTRR_DEF_TYPE)
        return MTRR_SLOT_DEF_TYPE;
    if (msr >= MSR_MTRR_FIX4K_C0000)
        return MTRR_SLOT_FIX4K + (msr - MSR_MTRR_FIX4K_C0000);
    if (msr >= MSR_MTRR_FIX16K_80000)
        return MTRR_SLOT_FIX16K + (msr - MSR_MTRR_FIX16K_80000);
    if (msr == MSR_MTRR_FIX64K)
        return MTRR_SLOT_FIX64K;
    return MTRR_SLOT_VARIABLE + (msr - MSR_MTRR_PHYSBASE0);
}

static bool read_mtrr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    *value = vcpu->mtrr[mtrr_slot(msr)];
    return true;
}

static bool write_mtrr_variable(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    uint64_t address_bits = vcpu->facts->physical_address_mask & ~0xfffull;
    bool is_mask = msr & 1;
    if (value & ~(address_bits | (is_mask ? MTRR_PHYSMASK_VALID : 0xff)))
        return false;
    if (!is_mask && !memory_type_valid((uint8_t)value))
        return false;
    vcpu->mtrr[mtrr_slot(msr)] = value;
    return true;
}

static bool eight_types_valid(uint64_t value)
{
    for (unsigned i = 0; i < 64; i += 8)
        if (!memory_type_valid((uint8_t)(value >> i)))
            return false;
    return true;
}

static bool write_mtrr_fixed(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    if (!eight_types_valid(value))
        return false;
    vcpu->mtrr[mtrr_slot(msr)] = value;
    return true;
}

static bool write_mtrr_def_type(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    if ((value & ~MTRR_DEF_TYPE_BITS) || !memory_type_valid((uint8_t)value))
        return false;
    vcpu->mtrr[mtrr_slot(msr)] = value;
    return true;
}

/* The PAT has UC- (7) besides the MTRRs' types. */
static bool write_pat(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    for (unsigned i = 0; i < 64; i += 8) {
        uint8_t type = (uint8_t)(value >> i);
        if (type != 7 && !memory_type_valid(type))
            return false;
    }
    vcpu->backend->reg_set(vcpu, VREG_PAT, value);
    return true;
}

/* --- registers that the backend holds --------------------------------------------------------- */

static enum vreg backend_reg(uint32_t msr)
{
    switch (msr) {
    case MSR_SYSENTER_CS:
        return VREG_SYSENTER_CS;
    case MSR_SYSENTER_ESP:
        return VREG_SYSENTER_ESP;
    case MSR_SYSENTER_EIP:
        return VREG_SYSENTER_EIP;
    case MSR_PAT:
        return VREG_PAT;
    case MSR_EFER:
        return VREG_EFER;
    case MSR_FS_BASE:
        return VREG_FS_BASE;
    default:
        return VREG_GS_BASE;
    }
}

static bool read_backend(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    *value = vcpu->backend->reg_get(vcpu, backend_reg(msr));
    return true;
}

static bool write_sysenter_cs(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    vcpu->backend->reg_set(vcpu, backend_reg(msr), (uint32_t)value);
    return true;
}

static bool write_address(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    if (!x86_canonical(value))
        return false;
    vcpu->backend->reg_set(vcpu, backend_reg(msr), value);
    return true;
}

static bool write_efer(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    uint64_t old = vcpu->backend->reg_get(vcpu, VREG_EFER);
    uint64_t writable = X86_EFER_SCE | X86_EFER_LME | (vcpu->facts->nx ? X86_EFER_NXE : 0);
    if (value & ~(writable | X86_EFER_LMA))
        return false;
    bool paging = vcpu->backend->reg_get(vcpu, VREG_CR0) & X86_CR0_PG;
    if (paging && ((old ^ value) & X86_EFER_LME))
        return false;
    /* LMA follows LME and CR0.PG; what is written to it is ignored. */
    vcpu->backend->reg_set(vcpu, VREG_EFER, (value & writable) | (old & X86_EFER_LMA));
    return true;
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct msr_entry common_entries[] = {
    {MSR_TSC, MSR_TSC, read_tsc, write_tsc},
    {MSR_APIC_BASE, MSR_APIC_BASE, read_apic, write_apic_base},
    {MSR_MTRRCAP, MSR_MTRRCAP, read_mtrrcap, NULL},
    {MSR_SYSENTER_CS, MSR_SYSENTER_CS, read_backend, write_sysenter_cs},
    {MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, read_backend, write_address},
    {MSR_DEBUGCTL, MSR_DEBUGCTL, msr_read_zero, write_debugctl},
    {MSR_MTRR_PHYSBASE0, MSR_MTRR_PHYSMASK7, read_mtrr, write_mtrr_variable},
    {MSR_MTRR_FIX64K, MSR_MTRR_FIX64K, read_mtrr, write_mtrr_fixed},
    {MSR_MTRR_FIX16K_80000, MSR_MTRR_FIX16K_A0000, read_mtrr, write_mtrr_fixed},
    {MSR_MTRR_FIX4K_C0000, MSR_MTRR_FIX4K_F8000, read_mtrr, write_mtrr_fixed},
    {MSR_PAT, MSR_PAT, read_backend, write_pat},
    {MSR_MTRR_DEF_TYPE, MSR_MTRR_DEF_TYPE, read_mtrr, write_mtrr_def_type},
    {MSR_XSS, MSR_XSS, msr_read_zero, msr_write_zero},
    {MSR_PVCLOCK_WALL, MSR_PVCLOCK_SYSTEM_TIME, pvclock_read, pvclock_write},
    {MSR_PVEOI, MSR_PVEOI, pveoi_read, pveoi_write},
    {MSR_EFER, MSR_EFER, read_backend, write_efer},
    {MSR_FS_BASE, MSR_GS_BASE, read_backend, write_address},
};

static const struct msr_entry intel_entries[] = {
    {MSR_PLATFORM_ID, MSR_PLATFORM_ID, msr_read_zero, NULL},
    {MSR_TSC_ADJUST, MSR_TSC_ADJUST, read_tsc_adjust, write_tsc_adjust},
    {MSR_BIOS_SIGN_ID, MSR_BIOS_SIGN_ID, read_bios_sign_id, write_bios_sign_id},
    {MSR_MISC_ENABLE, MSR_MISC_ENABLE, read_misc_enable, write_misc_enable},
};

static const struct msr_table common = {common_entries, ARRAY_SIZE(common_entries)};
static const struct msr_table intel = {intel_entries, ARRAY_SIZE(intel_entries)};

static const struct msr_entry *search(const struct msr_table *table, uint32_t msr)
{
    unsigned low = 0, high = table->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (msr > table->entry[middle].last)
            low = middle + 1;
        else if (msr < table->entry[middle].first)
            high = middle;
        else
            return &table->entry[middle];
    }
    return NULL;
}

/* The local APIC's registers, the busiest of all MSRs, don't wait for the search. */
static inline bool is_apic_register(uint32_t msr)
{
    return msr - MSR_X2APIC_FIRST <= MSR_X2APIC_LAST - MSR_X2APIC_FIRST || msr == MSR_TSC_DEADLINE;
}

static const struct msr_entry *look_up(const struct vcpu *vcpu, uint32_t msr)
{
    if (msr == MSR_XSS && !vcpu->facts->xsaves)
        return NULL;
    const struct msr_entry *entry = search(&common, msr);
    if (entry)
        return entry;
    return search(vcpu->facts->vendor == CPU_VENDOR_AMD ? &msr_amd : &intel, msr);
}

/* The one before is often wanted again. */
static inline const struct msr_entry *find(struct vcpu *vcpu, uint32_t msr)
{
    const struct msr_entry *entry = vcpu->msr_found;
    if (entry && msr >= entry->first && msr <= entry->last)
        return entry;
    entry = look_up(vcpu, msr);
    vcpu->msr_found = entry;
    return entry;
}

bool msr_guest_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    if (is_apic_register(msr))
        return read_apic(vcpu, msr, value);
    const struct msr_entry *entry = find(vcpu, msr);
    return entry != NULL && entry->read(vcpu, msr, value);
}

bool msr_guest_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    if (is_apic_register(msr))
        return write_apic(vcpu, msr, value);
    const struct msr_entry *entry = find(vcpu, msr);
    return entry != NULL && entry->write != NULL && entry->write(vcpu, msr, value);
}

void msr_reset(struct vcpu *vcpu)
{
    vcpu->misc_enable = MISC_ENABLE_RESET;
    vcpu->bios_sign_id = 0;
    vcpu->tsc_adjust = 0;
    vcpu->msr_found = NULL;
    pvclock_reset(vcpu);
    pveoi_reset(vcpu);
    /* As firmware leaves them, since there is none: all memory WB, the VGA window UC, ROM WP. With
     * MTRRs off, Linux would do without PAT too. */
    memset(vcpu->mtrr, 0, sizeof(vcpu->mtrr));
    vcpu->mtrr[MTRR_SLOT_FIX64K] = 0x0606060606060606;
    vcpu->mtrr[MTRR_SLOT_FIX16K] = 0x0606060606060606;
    for (unsigned i = 0; i < 8; i++)
        vcpu->mtrr[MTRR_SLOT_FIX4K + i] = 0x0505050505050505;
    vcpu->mtrr[MTRR_SLOT_DEF_TYPE] = 0xc06;
}

void msr_open_passthrough(struct vcpu *vcpu)
{
    static const uint32_t open[] = {
        MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,    MSR_LSTAR,
        MSR_CSTAR,       MSR_FMASK,        MSR_FS_BASE,      MSR_GS_BASE, MSR_KERNEL_GS_BASE};
    for (unsigned i = 0; i < ARRAY_SIZE(open); i++)
        vcpu->backend->msr_open(vcpu, open[i], true);
    if (vcpu->facts->rdtscp)
        vcpu->backend->msr_open(vcpu, MSR_TSC_AUX, true);
}

/* --- exits ------------------------------------------------------------------------------------ */

static enum exit_action refuse(struct vcpu *vcpu, const char *verb)
{
    static uint64_t count;
    if (log_ratelimit(&count, 32))
        log_dbg("%s of MSR 0x%x at RIP 0x%llx: #GP", verb, (uint32_t)vcpu->gpr[VGPR_RCX],
                (unsigned long long)vcpu->rip);
    return inject_exception_error(vcpu, X86_GP, 0);
}

enum exit_action msr_read_exit(struct vcpu *vcpu, struct vexit *exit)
{
    uint64_t value;
    exit_detail(exit, (uint32_t)vcpu->gpr[VGPR_RCX]);
    account_detail(&vcpu->account, VEXIT_RDMSR, (uint32_t)vcpu->gpr[VGPR_RCX]);
    if (!msr_guest_read(vcpu, (uint32_t)vcpu->gpr[VGPR_RCX], &value))
        return refuse(vcpu, "read");
    vcpu->gpr[VGPR_RAX] = (uint32_t)value;
    vcpu->gpr[VGPR_RDX] = value >> 32;
    return EXIT_ADVANCE;
}

enum exit_action msr_write_exit(struct vcpu *vcpu, struct vexit *exit)
{
    uint64_t value = vcpu->gpr[VGPR_RDX] << 32 | (uint32_t)vcpu->gpr[VGPR_RAX];
    exit_detail(exit, (uint32_t)vcpu->gpr[VGPR_RCX]);
    account_detail(&vcpu->account, VEXIT_WRMSR, (uint32_t)vcpu->gpr[VGPR_RCX]);
    if (!msr_guest_write(vcpu, (uint32_t)vcpu->gpr[VGPR_RCX], value))
        return refuse(vcpu, "write");
    return EXIT_ADVANCE;
}
