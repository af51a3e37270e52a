/* Guest registers: guest-visible values outside, masks, shadows and fixed bits inside. */
#include "virt/vmx/vmx.h"

#include "hw/cpu.h"

#define ACCESS_PRESENT BIT(7)
#define PDPTE_COUNT    4
#define PDPTE_RESERVED 0x1E6ull

/* Registers that are a VMCS field and nothing more. */
static const uint16_t plain_field[VREG_COUNT] = {
    [VREG_CR3] = VMCS_GUEST_CR3,
    [VREG_DR7] = VMCS_GUEST_DR7,
    [VREG_PAT] = VMCS_GUEST_PAT,
    [VREG_FS_BASE] = VMCS_GUEST_FS_BASE,
    [VREG_GS_BASE] = VMCS_GUEST_GS_BASE,
    [VREG_SYSENTER_CS] = VMCS_GUEST_SYSENTER_CS,
    [VREG_SYSENTER_ESP] = VMCS_GUEST_SYSENTER_ESP,
    [VREG_SYSENTER_EIP] = VMCS_GUEST_SYSENTER_EIP,
    [VREG_GDTR_BASE] = VMCS_GUEST_GDTR_BASE,
    [VREG_GDTR_LIMIT] = VMCS_GUEST_GDTR_LIMIT,
    [VREG_IDTR_BASE] = VMCS_GUEST_IDTR_BASE,
    [VREG_IDTR_LIMIT] = VMCS_GUEST_IDTR_LIMIT,
    [VREG_TSC_OFFSET] = VMCS_TSC_OFFSET,
    [VREG_EFER] = VMCS_GUEST_EFER,
};

static uint64_t guest_cr(uint64_t field, uint64_t shadow_field, uint64_t mask)
{
    return (vmread(field) & ~mask) | (vmread(shadow_field) & mask);
}

uint64_t vmx_reg_get(struct vcpu *vcpu, enum vreg reg)
{
    struct vmx_vcpu *state = vmx_state(vcpu);
    switch (reg) {
    case VREG_CR0:
        return guest_cr(VMCS_GUEST_CR0, VMCS_CR0_SHADOW, state->cr0_mask);
    case VREG_CR4:
        return guest_cr(VMCS_GUEST_CR4, VMCS_CR4_SHADOW, state->cr4_mask);
    case VREG_RSP:
        return vmread(VMCS_GUEST_RSP);
    case VREG_CR2:
        return read_cr2();
    case VREG_CR8:
        return vmx_apic_cr8(vcpu);
    case VREG_NMI_BLOCKED:
        return (state->interruptibility & INTERRUPTIBILITY_NMI) != 0;
    case VREG_PENDING_DB:
        return vmread(VMCS_GUEST_PENDING_DB);
    case VREG_DR0 ... VREG_DR3: /* in no VMCS field, as DR6: the guest's own stay in the CPU */
        return read_dr(reg - VREG_DR0);
    case VREG_DR6:
        return read_dr6();
    case VREG_STAR ... VREG_CSTAR: /* likewise */
        return rdmsr(MSR_STAR + (reg - VREG_STAR));
    case VREG_KERNEL_GS_BASE:
        return rdmsr(MSR_KERNEL_GS_BASE);
    default:
        return plain_field[reg] ? vmread(plain_field[reg]) : 0;
    }
}

/*
 * With EPT the CPU takes PAE paging's four PDPTEs from the VMCS at each entry; a MOV to a control
 * register that exited didn't load them. SDM "Loading Guest Page-Directory-Pointer-Table Entries".
 */
static void reload_pdptes(struct vcpu *vcpu)
{
    uint64_t cr4 = vmread(VMCS_GUEST_CR4);
    if (!(vmread(VMCS_GUEST_CR0) & CR0_PG) || !(cr4 & CR4_PAE) ||
        (vmread(VMCS_GUEST_EFER) & EFER_LMA))
        return;
    uint64_t pdpte[PDPTE_COUNT];
    gpa_t table = vmread(VMCS_GUEST_CR3) & 0xFFFFFFE0u;
    if (!vcpu->hooks.mem_read(vcpu->hooks.ctx, table, pdpte, sizeof pdpte))
        return; /* not RAM: the stale ones stay, all of them checked when they were loaded */
    uint64_t reserved = (~vcpu->facts->physical_address_mask & ~0xFFFull) | PDPTE_RESERVED;
    for (unsigned i = 0; i < PDPTE_COUNT; i++)
        if ((pdpte[i] & 1) && (pdpte[i] & reserved))
            return; /* changed since, and no load was due: the stale ones stay here, too */
    for (unsigned i = 0; i < PDPTE_COUNT; i++)
        vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
}

/* LMA and the "IA-32e mode guest" control follow from PG and LME, together. */
static void update_long_mode(struct vcpu *vcpu)
{
    struct vmx_vcpu *state = vmx_state(vcpu);
    uint64_t efer = vmread(VMCS_GUEST_EFER) & ~EFER_LMA;
    uint32_t entry = state->entry_controls & ~ENT_IA32E_MODE;

    if ((efer & EFER_LME) && (vmread(VMCS_GUEST_CR0) & CR0_PG)) {
        efer |= EFER_LMA;
        entry |= ENT_IA32E_MODE;
    }
    vmwrite(VMCS_GUEST_EFER, efer);
    if (entry != state->entry_controls) {
        state->entry_controls = entry;
        vmwrite(VMCS_ENTRY_CONTROLS, entry);
    }
}

static void set_cr0(struct vcpu *vcpu, uint64_t value)
{
    /* Unrestricted guest lifts the rule for PE and PG. CD and NW never reach the hardware: the
     * guest's RAM stays cached whatever it believes. */
    uint64_t must = vmx_caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);
    vmwrite(VMCS_CR0_SHADOW, value);
    vmwrite(VMCS_GUEST_CR0, ((value & ~(CR0_CD | CR0_NW)) | must) & vmx_caps.cr0_fixed1);
    update_long_mode(vcpu);
    reload_pdptes(vcpu);
    vmx_flush_linear(vcpu);
}

static void set_cr4(struct vcpu *vcpu, uint64_t value)
{
    vmwrite(VMCS_CR4_SHADOW, value);
    vmwrite(VMCS_GUEST_CR4,
            (value | vmx_caps.cr4_fixed0 | (read_cr4() & CR4_MCE)) & vmx_caps.cr4_fixed1);
    reload_pdptes(vcpu);
    vmx_flush_linear(vcpu);
}

static void set_nmi_blocked(struct vmx_vcpu *state, bool blocked)
{
    state->interruptibility &= ~INTERRUPTIBILITY_NMI;
    if (blocked)
        state->interruptibility |= INTERRUPTIBILITY_NMI;
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY, state->interruptibility);
}

void vmx_reg_set(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    switch (reg) {
    case VREG_CR0:
        set_cr0(vcpu, value);
        break;
    case VREG_CR4:
        set_cr4(vcpu, value);
        break;
    case VREG_CR2:
        write_cr2(value);
        break;
    case VREG_CR3:
        vmwrite(VMCS_GUEST_CR3, value);
        reload_pdptes(vcpu);
        vmx_flush_linear(vcpu);
        break;
    case VREG_EFER:
        vmwrite(VMCS_GUEST_EFER, value);
        update_long_mode(vcpu);
        vmx_flush_linear(vcpu);
        break;
    case VREG_CR8:
        vmx_apic_set_cr8(vcpu, value);
        break;
    case VREG_NMI_BLOCKED:
        set_nmi_blocked(vmx_state(vcpu), value);
        break;
    case VREG_PENDING_DB:
        vmwrite(VMCS_GUEST_PENDING_DB, value);
        break;
    case VREG_DR0 ... VREG_DR3:
        write_dr(reg - VREG_DR0, value);
        break;
    case VREG_DR6:
        write_dr6(value);
        break;
    case VREG_STAR ... VREG_CSTAR:
        wrmsr(MSR_STAR + (reg - VREG_STAR), value);
        break;
    case VREG_KERNEL_GS_BASE:
        wrmsr(MSR_KERNEL_GS_BASE, value);
        break;
    default:
        if (plain_field[reg])
            vmwrite(plain_field[reg], value);
        break;
    }
}

/* The eight segment registers stand two encodings apart, in vseg_name's order. */
void vmx_seg_get(struct vcpu *vcpu, enum vseg_name name, struct vseg *seg)
{
    (void)vcpu;
    uint32_t access = (uint32_t)vmread(VMCS_GUEST_ES_ACCESS + 2u * name);
    seg->selector = (uint16_t)vmread(VMCS_GUEST_ES_SELECTOR + 2u * name);
    seg->access = access & SEGMENT_UNUSABLE ? 0 : (uint16_t)access;
    seg->limit = (uint32_t)vmread(VMCS_GUEST_ES_LIMIT + 2u * name);
    seg->base = vmread(VMCS_GUEST_ES_BASE + 2u * name);
}

void vmx_seg_set(struct vcpu *vcpu, enum vseg_name name, const struct vseg *seg)
{
    (void)vcpu;
    vmwrite(VMCS_GUEST_ES_SELECTOR + 2u * name, seg->selector);
    vmwrite(VMCS_GUEST_ES_ACCESS + 2u * name,
            seg->access & ACCESS_PRESENT ? seg->access : SEGMENT_UNUSABLE);
    vmwrite(VMCS_GUEST_ES_LIMIT + 2u * name, seg->limit);
    vmwrite(VMCS_GUEST_ES_BASE + 2u * name, seg->base);
}
