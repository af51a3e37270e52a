/*
 * Control registers, debug registers and XCR0: the checks that a CPU makes before it changes them.
 * SDM "MOV—Move to/from Control Registers", "LMSW", "CLTS", "XSETBV", "MOV—Move to/from Debug
 * Registers". The backend gets guest-visible values; masks, shadows, EFER.LMA, the loading of PAE's
 * page-directory-pointer entries and the flush that goes with a change are its affair.
 */
#define LOG_MODULE "cr"
#include "virt/handlers.h"
#include "virt/x86.h"

#define CR0_DEFINED                                                                                \
    (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP |    \
     X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)

/* PKE, CET, LA57, VMXE and SMXE belong to features that CPUID hides. MCE does so, too, but a guest
 * runs with it always, and in the TCG of QEMU 10.0 a MOV from CR4 tells so in spite of
 * its intercept: a kernel that keeps what it read there must be able to write it. */
#define CR4_OFFERED                                                                                \
    (X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE |            \
     X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT |               \
     X86_CR4_UMIP | X86_CR4_FSGSBASE | X86_CR4_PCIDE | X86_CR4_OSXSAVE | X86_CR4_SMEP |            \
     X86_CR4_SMAP)

#define XCR0_OFFERED (X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX | X86_XCR0_AVX512)

/* Changes that make a CPU in PAE paging load its four entries anew. */
#define CR4_LOADS_PDPTES (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP)

#define TYPE_TSS16_MASK 0xdu /* types 1 and 3: a 16-bit TSS, available or busy */
#define TYPE_TSS16      1u

uint64_t cr4_guest_allowed(const struct vcpu *vcpu)
{
    uint64_t allowed = vcpu->facts->cr4_allowed & CR4_OFFERED;
    return vcpu->facts->xcr0_allowed ? allowed : allowed & ~X86_CR4_OSXSAVE;
}

uint64_t xcr0_guest_allowed(const struct vcpu *vcpu)
{
    uint64_t allowed = vcpu->facts->xcr0_allowed & XCR0_OFFERED;
    /* AVX-512 comes whole or not at all, and stands on AVX. */
    if ((allowed & X86_XCR0_AVX512) != X86_XCR0_AVX512 || !(allowed & X86_XCR0_AVX))
        allowed &= ~X86_XCR0_AVX512;
    return allowed;
}

static uint64_t get(struct vcpu *vcpu, enum vreg reg)
{
    return vcpu->backend->reg_get(vcpu, reg);
}

static enum exit_action general_protection(struct vcpu *vcpu)
{
    return inject_exception_error(vcpu, X86_GP, 0);
}

static bool in_long_mode(struct vcpu *vcpu)
{
    return get(vcpu, VREG_EFER) & X86_EFER_LMA;
}

bool cr_pdptes_valid(struct vcpu *vcpu, uint64_t cr3)
{
    uint64_t pdpte[4];
    if (!vcpu->hooks.mem_read(vcpu->hooks.ctx, cr3 & 0xffffffe0, pdpte, sizeof(pdpte)))
        return true; /* all ones on a bus: not present, for all that matters */
    uint64_t reserved = (~vcpu->facts->physical_address_mask & ~0xfffull) | 0x1e6;
    for (unsigned i = 0; i < ARRAY_SIZE(pdpte); i++)
        if ((pdpte[i] & 1) && (pdpte[i] & reserved))
            return false;
    return true;
}

static bool tss_is_16_bit(struct vcpu *vcpu)
{
    struct vseg tr;
    vcpu->backend->seg_get(vcpu, VSEG_TR, &tr);
    return (tr.access & TYPE_TSS16_MASK) == TYPE_TSS16;
}

static bool code_is_64_bit_segment(struct vcpu *vcpu)
{
    struct vseg cs;
    vcpu->backend->seg_get(vcpu, VSEG_CS, &cs);
    return cs.access & VSEG_ACCESS_L;
}

static bool paging_may_start(struct vcpu *vcpu)
{
    uint64_t cr4 = get(vcpu, VREG_CR4);
    if (get(vcpu, VREG_EFER) & X86_EFER_LME)
        return (cr4 & X86_CR4_PAE) && !code_is_64_bit_segment(vcpu) && !tss_is_16_bit(vcpu);
    return !(cr4 & X86_CR4_PAE) || cr_pdptes_valid(vcpu, get(vcpu, VREG_CR3));
}

static bool paging_may_end(struct vcpu *vcpu)
{
    return !(get(vcpu, VREG_CR4) & X86_CR4_PCIDE) && vcpu_code_bits(vcpu) != 64;
}

static enum exit_action write_cr0(struct vcpu *vcpu, uint64_t value)
{
    uint64_t old = get(vcpu, VREG_CR0);
    if (value >> 32)
        return general_protection(vcpu);
    if ((value & X86_CR0_PG) && !(value & X86_CR0_PE))
        return general_protection(vcpu);
    if ((value & X86_CR0_NW) && !(value & X86_CR0_CD))
        return general_protection(vcpu);
    value = (value & CR0_DEFINED) | X86_CR0_ET; /* other bits are ignored, ET is wired to 1 */
    uint64_t changed = old ^ value;
    if ((changed & X86_CR0_PG) && (value & X86_CR0_PG) && !paging_may_start(vcpu))
        return general_protection(vcpu);
    if ((changed & X86_CR0_PG) && !(value & X86_CR0_PG) && !paging_may_end(vcpu))
        return general_protection(vcpu);
    /* In PAE paging these two load the four entries anew, too. SDM "PDPTE Registers". */
    if ((changed & (X86_CR0_CD | X86_CR0_NW)) && (old & value & X86_CR0_PG) &&
        (get(vcpu, VREG_CR4) & X86_CR4_PAE) && !in_long_mode(vcpu) &&
        !cr_pdptes_valid(vcpu, get(vcpu, VREG_CR3)))
        return general_protection(vcpu);
    vcpu->backend->reg_set(vcpu, VREG_CR0, value);
    return EXIT_ADVANCE;
}

static enum exit_action write_cr3(struct vcpu *vcpu, uint64_t value)
{
    uint64_t cr4 = get(vcpu, VREG_CR4);
    if (cr4 & X86_CR4_PCIDE)
        value &= ~X86_CR3_NO_FLUSH; /* a permission, not an order */
    if (in_long_mode(vcpu)) {
        if (value & ~(vcpu->facts->physical_address_mask | 0xfff))
            return general_protection(vcpu);
    } else if ((get(vcpu, VREG_CR0) & X86_CR0_PG) && (cr4 & X86_CR4_PAE) &&
               !cr_pdptes_valid(vcpu, value)) {
        return general_protection(vcpu);
    }
    vcpu->backend->reg_set(vcpu, VREG_CR3, value);
    return EXIT_ADVANCE;
}

static bool cr4_change_allowed(struct vcpu *vcpu, uint64_t value, uint64_t changed)
{
    if (value & ~cr4_guest_allowed(vcpu))
        return false;
    if (in_long_mode(vcpu)) {
        if (!(value & X86_CR4_PAE))
            return false;
        return !(changed & value & X86_CR4_PCIDE) || (get(vcpu, VREG_CR3) & 0xfff) == 0;
    }
    if (value & X86_CR4_PCIDE)
        return false;
    if ((get(vcpu, VREG_CR0) & X86_CR0_PG) && (value & X86_CR4_PAE) && (changed & CR4_LOADS_PDPTES))
        return cr_pdptes_valid(vcpu, get(vcpu, VREG_CR3));
    return true;
}

static enum exit_action write_cr4(struct vcpu *vcpu, uint64_t value)
{
    uint64_t changed = get(vcpu, VREG_CR4) ^ value;
    if (!cr4_change_allowed(vcpu, value, changed))
        return general_protection(vcpu);
    vcpu->backend->reg_set(vcpu, VREG_CR4, value);
    if (changed & X86_CR4_OSXSAVE)
        cpuid_update(vcpu, value);
    return EXIT_ADVANCE;
}

/* The task priority of the local APIC. */
static enum exit_action write_cr8(struct vcpu *vcpu, uint64_t value)
{
    if (value & ~0xfull)
        return general_protection(vcpu);
    vcpu->hooks.cr8_write(vcpu->hooks.ctx, (uint8_t)value);
    return EXIT_ADVANCE;
}

enum exit_action cr_write_exit(struct vcpu *vcpu, struct vexit *exit)
{
    uint64_t value = vcpu->gpr[exit->cr.gpr & 15];
    if (vcpu_code_bits(vcpu) != 64)
        value = (uint32_t)value;
    switch (exit->cr.cr) {
    case 0:
        return write_cr0(vcpu, value);
    case 3:
        return write_cr3(vcpu, value);
    case 4:
        return write_cr4(vcpu, value);
    case 8:
        return write_cr8(vcpu, value);
    default:
        return inject_exception(vcpu, X86_UD);
    }
}

enum exit_action cr_read_exit(struct vcpu *vcpu, struct vexit *exit)
{
    uint64_t *gpr = &vcpu->gpr[exit->cr.gpr & 15];
    switch (exit->cr.cr) {
    case 0:
        *gpr = get(vcpu, VREG_CR0);
        return EXIT_ADVANCE;
    case 3:
        *gpr = get(vcpu, VREG_CR3);
        return EXIT_ADVANCE;
    case 4:
        *gpr = get(vcpu, VREG_CR4);
        return EXIT_ADVANCE;
    case 8:
        *gpr = vcpu->hooks.cr8_read(vcpu->hooks.ctx);
        return EXIT_ADVANCE;
    default:
        return inject_exception(vcpu, X86_UD);
    }
}

enum exit_action cr_clts_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    vcpu->backend->reg_set(vcpu, VREG_CR0, get(vcpu, VREG_CR0) & ~X86_CR0_TS);
    return EXIT_ADVANCE;
}

/* LMSW reaches PE, MP, EM and TS only, and can set PE but not clear it. */
enum exit_action cr_lmsw_exit(struct vcpu *vcpu, struct vexit *exit)
{
    uint64_t cr0 = get(vcpu, VREG_CR0);
    uint64_t writable = X86_CR0_MP | X86_CR0_EM | X86_CR0_TS;
    return write_cr0(vcpu, (cr0 & ~writable) | (exit->lmsw.msw & (writable | X86_CR0_PE)));
}

static bool xcr0_valid(const struct vcpu *vcpu, uint64_t value)
{
    if (!(value & X86_XCR0_X87) || (value & ~xcr0_guest_allowed(vcpu)))
        return false;
    if ((value & X86_XCR0_AVX) && !(value & X86_XCR0_SSE))
        return false;
    uint64_t avx512 = value & X86_XCR0_AVX512;
    return avx512 == 0 || (avx512 == X86_XCR0_AVX512 && (value & X86_XCR0_AVX));
}

enum exit_action cr_xsetbv_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    uint64_t cr4 = get(vcpu, VREG_CR4);
    if (!(cr4 & X86_CR4_OSXSAVE))
        return inject_exception(vcpu, X86_UD);
    uint64_t value = vcpu->gpr[VGPR_RDX] << 32 | (uint32_t)vcpu->gpr[VGPR_RAX];
    if (vcpu_cpl(vcpu) != 0 || (uint32_t)vcpu->gpr[VGPR_RCX] != 0 || !xcr0_valid(vcpu, value))
        return general_protection(vcpu);
    vcpu->xcr0 = value;
    vcpu->facts->xsetbv(value);
    cpuid_update(vcpu, cr4);
    return EXIT_ADVANCE;
}

/* --- debug registers --------------------------------------------------------------------------
 *
 * Only where a backend intercepts MOV DR. */

static enum exit_action write_dr(struct vcpu *vcpu, unsigned dr, uint64_t value)
{
    if (dr < 4) {
        vdebug_set_dr(vcpu, (enum vreg)(VREG_DR0 + dr), value);
        return EXIT_ADVANCE;
    }
    if (value >> 32)
        return general_protection(vcpu);
    if (dr == 6)
        vdebug_set_dr(vcpu, VREG_DR6, (value & 0xe00f) | X86_DR6_RESERVED);
    else
        vdebug_set_dr(vcpu, VREG_DR7, (value & 0xffff23ff) | X86_DR7_RESERVED);
    return EXIT_ADVANCE;
}

static uint64_t read_dr(struct vcpu *vcpu, unsigned dr)
{
    if (dr < 4)
        return vdebug_dr(vcpu, (enum vreg)(VREG_DR0 + dr));
    return vdebug_dr(vcpu, dr == 6 ? VREG_DR6 : VREG_DR7);
}

enum exit_action cr_debug_exit(struct vcpu *vcpu, struct vexit *exit)
{
    unsigned dr = exit->dr.dr & 7;
    uint64_t *gpr = &vcpu->gpr[exit->dr.gpr & 15];
    if ((dr == 4 || dr == 5) && (get(vcpu, VREG_CR4) & X86_CR4_DE))
        return inject_exception(vcpu, X86_UD);
    if (vdebug_dr(vcpu, VREG_DR7) & X86_DR7_GD) {
        vdebug_set_dr(vcpu, VREG_DR6, vdebug_dr(vcpu, VREG_DR6) | X86_DR6_BD);
        vdebug_set_dr(vcpu, VREG_DR7, vdebug_dr(vcpu, VREG_DR7) & ~X86_DR7_GD);
        return inject_exception(vcpu, X86_DB);
    }
    if (dr == 4 || dr == 5)
        dr += 2; /* without CR4.DE these name DR6 and DR7 */
    bool wide = vcpu_code_bits(vcpu) == 64;
    if (exit->dr.write)
        return write_dr(vcpu, dr, wide ? *gpr : (uint32_t)*gpr);
    *gpr = wide ? read_dr(vcpu, dr) : (uint32_t)read_dr(vcpu, dr);
    return EXIT_ADVANCE;
}
