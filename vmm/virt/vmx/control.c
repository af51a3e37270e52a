/* The VMCS: its life, its control and host fields, and the guest's state after power-on. */
#include "virt/vmx/vmx.h"

#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/assert.h"
#include "lib/mem.h"

#define GUEST_VPID 1u /* 0 is the host's */

#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_AC 17
#define VECTOR_MC 18

/* #DB and #AC can loop inside the CPU's own delivery for ever; #MC is the host's. */
#define EXCEPTIONS_ALWAYS (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC))

/* CR0 bits that the guest may change without an exit. */
#define CR0_GUEST_OWNED                                                                            \
    (BIT64(1) | BIT64(2) | BIT64(3) | BIT64(16) | BIT64(18)) /* MP EM TS WP AM */
/* CR4 likewise: VME PVI TSD DE PSE PGE PCE OSFXSR OSXMMEXCPT FSGSBASE. PGE is how a kernel flushes
 * its TLB; the rest can't change what the host or the paging mode relies on. */
#define CR4_GUEST_OWNED                                                                            \
    (BIT64(0) | BIT64(1) | BIT64(2) | BIT64(3) | BIT64(4) | BIT64(7) | BIT64(8) | BIT64(9) |       \
     BIT64(10) | BIT64(16))

#define MSR_BITMAP_WRITE_HALF 2048u /* bytes: reads low, reads high, writes low, writes high */
#define MSR_BITMAP_HIGH_HALF  1024u
#define MSR_HIGH_BASE         0xC0000000u
#define MSR_RANGE             0x2000u

static void vmclear(hpa_t vmcs)
{
    __asm__ volatile("vmclear %0" : : "m"(vmcs) : "cc", "memory");
}

static bool vmptrld(hpa_t vmcs)
{
    bool ok;
    __asm__ volatile("vmptrld %1" : "=@cca"(ok) : "m"(vmcs) : "memory");
    return ok;
}

static void write_controls(struct vmx_vcpu *state)
{
    state->cpu_controls = vmx_caps.cpu;
    state->entry_controls = vmx_caps.entry & ~ENT_IA32E_MODE;
    vmwrite(VMCS_PIN_CONTROLS, vmx_caps.pin);
    vmwrite(VMCS_CPU_CONTROLS, vmx_caps.cpu);
    vmwrite(VMCS_CPU2_CONTROLS, vmx_caps.cpu2);
    vmwrite(VMCS_EXIT_CONTROLS, vmx_caps.exit);
    vmwrite(VMCS_ENTRY_CONTROLS, state->entry_controls);
    vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
    vmwrite(VMCS_CR3_TARGET_COUNT, 0);
    vmwrite(VMCS_EXCEPTION_BITMAP, EXCEPTIONS_ALWAYS);
    vmwrite(VMCS_PAGE_FAULT_ERROR_MASK, 0);
    vmwrite(VMCS_PAGE_FAULT_ERROR_MATCH, 0);
    vmwrite(VMCS_MSR_BITMAP, (hpa_t)state->msr_bitmap);
    vmwrite(VMCS_EPT_POINTER, vmx_eptp(state));
    vmwrite(VMCS_LINK_POINTER, UINT64_MAX);
    if (vmx_caps.vpid)
        vmwrite(VMCS_VPID, GUEST_VPID);
    if (vmx_caps.xsaves)
        vmwrite(VMCS_XSS_EXITING_BITMAP, UINT64_MAX);
    if (vmx_caps.preemption_timer)
        vmwrite(VMCS_PREEMPTION_TIMER, UINT32_MAX);

    uint64_t must0 = vmx_caps.cr0_fixed0 & ~(BIT64(0) | BIT64(31));
    state->cr0_mask = ~CR0_GUEST_OWNED | must0 | ~vmx_caps.cr0_fixed1;
    state->cr4_mask = ~CR4_GUEST_OWNED | vmx_caps.cr4_fixed0 | ~vmx_caps.cr4_fixed1;
    vmwrite(VMCS_CR0_MASK, state->cr0_mask);
    vmwrite(VMCS_CR4_MASK, state->cr4_mask);
}

static void write_host_state(const struct vmx_vcpu *state)
{
    vmwrite(VMCS_HOST_CR0, read_cr0());
    vmwrite(VMCS_HOST_CR3, read_cr3());
    vmwrite(VMCS_HOST_CR4, read_cr4());
    vmwrite(VMCS_HOST_EFER, rdmsr(MSR_IA32_EFER));
    if (vmx_caps.host_pat)
        vmwrite(VMCS_HOST_PAT, rdmsr(MSR_IA32_PAT));
    vmwrite(VMCS_HOST_CS_SELECTOR, HW_SELECTOR_CODE);
    vmwrite(VMCS_HOST_SS_SELECTOR, HW_SELECTOR_DATA);
    vmwrite(VMCS_HOST_DS_SELECTOR, HW_SELECTOR_DATA);
    vmwrite(VMCS_HOST_ES_SELECTOR, HW_SELECTOR_DATA);
    vmwrite(VMCS_HOST_FS_SELECTOR, 0);
    vmwrite(VMCS_HOST_GS_SELECTOR, 0);
    vmwrite(VMCS_HOST_TR_SELECTOR, HW_SELECTOR_TSS);
    vmwrite(VMCS_HOST_FS_BASE, 0);
    vmwrite(VMCS_HOST_GS_BASE, 0);
    vmwrite(VMCS_HOST_TR_BASE, hw_tss_base());
    vmwrite(VMCS_HOST_GDTR_BASE, hw_gdt_base());
    vmwrite(VMCS_HOST_IDTR_BASE, hw_idt_base());
    vmwrite(VMCS_HOST_SYSENTER_CS, 0);
    vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
    vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
    vmwrite(VMCS_HOST_RIP, (uint64_t)vmx_exit_point);
    vmwrite(VMCS_HOST_RSP, (uint64_t)&state->exit_stack.vcpu);
}

bool vmx_vcpu_init(struct vcpu *vcpu, struct frame_source *frames)
{
    struct vmx_vcpu *state = vmx_state(vcpu);
    *state = (struct vmx_vcpu){.deadline_tsc = UINT64_MAX, .enter = vmx_launch};
    state->exit_stack.vcpu = vcpu;
    state->vmcs = frames->alloc(frames->ctx, 1);
    state->msr_bitmap = (uint8_t *)frames->alloc(frames->ctx, 1);
    if (!state->vmcs || !state->msr_bitmap || !vmx_ept_init(state, frames))
        return false;

    memset(state->msr_bitmap, 0xFF, PAGE_SIZE); /* intercept all; msr_open() makes exceptions */
    *(uint32_t *)state->vmcs = vmx_caps.revision_id;
    vmclear(state->vmcs);
    bool loaded = vmptrld(state->vmcs);
    ASSERT(loaded);
    write_controls(state);
    write_host_state(state);
    return vmx_apic_init(vcpu, state, frames);
}

static void set_bit(uint8_t *byte, unsigned bit, bool value)
{
    *byte = (uint8_t)((*byte & ~BIT(bit)) | (value ? BIT(bit) : 0));
}

void vmx_msr_intercept(struct vmx_vcpu *state, uint32_t msr, bool reads, bool writes)
{
    uint8_t *half = state->msr_bitmap;
    if (msr >= MSR_HIGH_BASE) {
        half += MSR_BITMAP_HIGH_HALF;
        msr -= MSR_HIGH_BASE;
    }
    ASSERT(msr < MSR_RANGE);
    set_bit(&half[msr / 8], msr % 8, reads);
    set_bit(&half[MSR_BITMAP_WRITE_HALF + msr / 8], msr % 8, writes);
}

void vmx_msr_open(struct vcpu *vcpu, uint32_t msr, bool writes)
{
    vmx_msr_intercept(vmx_state(vcpu), msr, false, !writes);
}

bool vmx_debug(struct vcpu *vcpu, const struct vdebug_controls *controls)
{
    struct vmx_vcpu *state = vmx_state(vcpu);
    uint32_t cpu = state->cpu_controls & ~(CPU_MOV_DR | CPU_MONITOR_TRAP);
    if (controls->registers)
        cpu |= CPU_MOV_DR;
    if (controls->trap && vmx_caps.monitor_trap)
        cpu |= CPU_MONITOR_TRAP;
    state->cpu_controls = cpu;
    vmwrite(VMCS_CPU_CONTROLS, cpu);
    vmwrite(VMCS_EXCEPTION_BITMAP, controls->exceptions    ? UINT32_MAX
                                   : controls->breakpoints ? EXCEPTIONS_ALWAYS | BIT(VECTOR_BP)
                                                           : EXCEPTIONS_ALWAYS);
    return vmx_caps.monitor_trap || !controls->trap;
}

/* The MSRs that the guest owns without an exit. */
static void clear_guest_msrs(void)
{
    static const uint32_t msrs[] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE};
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
        wrmsr(msrs[i], 0);
    if (vmx_caps.rdtscp)
        wrmsr(MSR_TSC_AUX, 0);
}

/* SDM "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
void vmx_vcpu_reset(struct vcpu *vcpu)
{
    struct vmx_vcpu *state = vmx_state(vcpu);
    const struct vseg code = {0xF000, 0x9B, 0xFFFF, 0xFFFF0000};
    const struct vseg data = {0, 0x93, 0xFFFF, 0};
    const struct vseg ldt = {0, 0x82, 0xFFFF, 0};
    const struct vseg tss = {0, 0x8B, 0xFFFF, 0};

    vmx_seg_set(vcpu, VSEG_CS, &code);
    for (enum vseg_name name = VSEG_ES; name <= VSEG_GS; name++)
        if (name != VSEG_CS)
            vmx_seg_set(vcpu, name, &data);
    vmx_seg_set(vcpu, VSEG_LDTR, &ldt);
    vmx_seg_set(vcpu, VSEG_TR, &tss);
    vmwrite(VMCS_GUEST_GDTR_BASE, 0);
    vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xFFFF);
    vmwrite(VMCS_GUEST_IDTR_BASE, 0);
    vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xFFFF);
    vmwrite(VMCS_GUEST_DR7, 0x400);
    vmwrite(VMCS_GUEST_DEBUGCTL, 0);
    vmwrite(VMCS_GUEST_PAT, 0x0007040600070406ull);
    vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
    vmwrite(VMCS_GUEST_SYSENTER_ESP, 0);
    vmwrite(VMCS_GUEST_SYSENTER_EIP, 0);
    vmwrite(VMCS_GUEST_ACTIVITY, 0);
    vmwrite(VMCS_GUEST_PENDING_DB, 0);
    vmwrite(VMCS_GUEST_CR3, 0);
    vmwrite(VMCS_TSC_OFFSET, 0);
    vmwrite(VMCS_GUEST_EFER, 0);
    for (unsigned i = 0; i < 4; i++)
        vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, 0);
    vmwrite(VMCS_GUEST_CR4, 0); /* reload_pdptes() looks at it */
    vmx_reg_set(vcpu, VREG_CR0, 0x60000010);
    vmx_reg_set(vcpu, VREG_CR4, 0);
    vmx_reg_set(vcpu, VREG_CR2, 0);
    clear_guest_msrs();

    state->wants_window[VWINDOW_IRQ] = state->wants_window[VWINDOW_NMI] = false;
    state->cpu_controls = vmx_caps.cpu;
    vmx_apic_reset(vcpu);
    vmwrite(VMCS_CPU_CONTROLS, state->cpu_controls);
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
    state->deadline_tsc = UINT64_MAX;
    vcpu->rip = 0xFFF0;
    vcpu->rflags = 2;
    vcpu->int_shadow = 0;
    state->interruptibility = 0;
    vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
    state->trust = 0;
    state->loaded_rsp = vcpu->gpr[VGPR_RSP] = 0;
    vmwrite(VMCS_GUEST_RSP, 0);
    state->loaded_rflags = vcpu->rflags;
    vmwrite(VMCS_GUEST_RFLAGS, vcpu->rflags);
    /* What an earlier user of VT-x left under our EPT pointer and VPID. */
    vmx_flush(vcpu);
    vmx_flush_linear(vcpu);
}
