/* VT-x behind the vendor boundary: probing, switching on, and the table of operations. */
#include "virt/vmx/vmx.h"

#include "virt/vmx/backend.h"
#include "hw/cpu.h"

#define CPUID_1_ECX_VMX BIT(5)
#define CR4_VMXE        BIT64(13)

static const char locked_off[] =
    "VT-x is locked off by the firmware (IA32_FEATURE_CONTROL): switch on \"Intel Virtualization "
    "Technology\" (VT-x, VMX) in the BIOS or UEFI setup, then power the machine off and on";

/* SDM "Enabling and Entering VMX Operation". */
static bool vmx_probe(struct cpu_facts *facts, const char **refusal)
{
    uint32_t regs[4];
    cpuid(1, 0, regs);
    if (!(regs[2] & CPUID_1_ECX_VMX))
        return false;
    uint64_t control;
    if (!rdmsr_safe(MSR_IA32_FEATURE_CONTROL, &control)) {
        *refusal = "CPUID shows VT-x but IA32_FEATURE_CONTROL can't be read: the outer hypervisor "
                   "offers VT-x only in part";
        return false;
    }
    if ((control & FEATURE_CONTROL_LOCK) && !(control & FEATURE_CONTROL_VMX_NON_SMX)) {
        *refusal = locked_off;
        return false;
    }
    *refusal = vmx_caps_read(&vmx_caps);
    facts->rdtscp &= vmx_caps.rdtscp; /* without their controls these instructions are #UD */
    facts->invpcid &= vmx_caps.invpcid;
    facts->xsaves &= vmx_caps.xsaves;
    return *refusal == NULL;
}

static bool vmxon(hpa_t region)
{
    bool ok;
    __asm__ volatile("vmxon %1" : "=@cca"(ok) : "m"(region) : "memory");
    return ok;
}

static bool vmx_cpu_enable(struct frame_source *frames, const char **refusal)
{
    uint64_t control = rdmsr(MSR_IA32_FEATURE_CONTROL);
    if (!(control & FEATURE_CONTROL_LOCK))
        wrmsr(MSR_IA32_FEATURE_CONTROL,
              control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_NON_SMX);

    write_cr0((read_cr0() | vmx_caps.cr0_fixed0) & vmx_caps.cr0_fixed1);
    write_cr4((read_cr4() | vmx_caps.cr4_fixed0 | CR4_VMXE) & vmx_caps.cr4_fixed1);

    hpa_t region = frames->alloc(frames->ctx, 1);
    if (!region) {
        *refusal = "no memory left for the VMXON region";
        return false;
    }
    *(uint32_t *)region = vmx_caps.revision_id;
    if (!vmxon(region)) {
        *refusal = "VMXON failed: the firmware or an outer hypervisor already uses VT-x";
        return false;
    }
    return true;
}

/* An entry that injects an event forgets a #DB that is pending, which goes first: SDM "Delivery of
 * Pending Debug Exceptions after VM Entry". */
static bool vmx_can_take(struct vcpu *vcpu, enum vwindow window)
{
    if (vcpu->inject.type != VEVENT_NONE || vcpu->int_shadow)
        return false;
    bool takes = window == VWINDOW_NMI ? !(vmx_state(vcpu)->interruptibility & INTERRUPTIBILITY_NMI)
                                       : (vcpu->rflags & RFLAGS_IF) != 0;
    return takes && !(vmread(VMCS_GUEST_PENDING_DB) & PENDING_DB_DUE);
}

/* An NMI window opens in STI's shadow, too, where can_take() doesn't: an exit before the very next
 * instruction, for ever. The interrupt window waits for the shadow's end; it also serves where the
 * CPU has no virtual NMIs. SDM "Other Causes of VM Exits". */
static uint32_t window_controls(const struct vcpu *vcpu, const struct vmx_vcpu *state)
{
    uint32_t bits =
        state->wants_window[VWINDOW_IRQ] || state->apic_waits ? CPU_INTERRUPT_WINDOW : 0;
    if (state->wants_window[VWINDOW_NMI])
        bits |= vmx_caps.virtual_nmis && !(vcpu->int_shadow & INTERRUPTIBILITY_STI)
                    ? CPU_NMI_WINDOW
                    : CPU_INTERRUPT_WINDOW;
    return bits;
}

void vmx_load_windows(struct vcpu *vcpu)
{
    struct vmx_vcpu *state = vmx_state(vcpu);
    uint32_t controls = (state->cpu_controls & ~(CPU_INTERRUPT_WINDOW | CPU_NMI_WINDOW)) |
                        window_controls(vcpu, state);
    if (controls != state->cpu_controls) {
        state->cpu_controls = controls;
        vmwrite(VMCS_CPU_CONTROLS, controls);
    }
}

static void vmx_want_window(struct vcpu *vcpu, enum vwindow window, bool wanted)
{
    vmx_state(vcpu)->wants_window[window] = wanted;
    vmx_load_windows(vcpu);
}

static void vmx_set_deadline(struct vcpu *vcpu, uint64_t tsc)
{
    vmx_state(vcpu)->deadline_tsc = tsc;
    vmx_state(vcpu)->trust = 0;
}

/* The CPU loads all of the host's state at each exit. Short exits leave RSP where it is, unless a
 * handler has changed it. */
static void vmx_park(struct vcpu *vcpu)
{
    struct vmx_vcpu *state = vmx_state(vcpu);
    if (vcpu->gpr[VGPR_RSP] == state->loaded_rsp)
        state->loaded_rsp = vcpu->gpr[VGPR_RSP] = vmread(VMCS_GUEST_RSP);
    state->trust = 0;
}

#define DELIVERY_NAMES                                                                             \
    "TPR shadow, APIC-register virtualization, virtual-interrupt delivery, APIC-access page, "     \
    "x2APIC mode"

const struct backend vmx_backend = {
    .name = "VT-x",
    .enabled = "VMXON executed successfully!",
    .probe = vmx_probe,
    .cpu_enable = vmx_cpu_enable,
    .vcpu_init = vmx_vcpu_init,
    .vcpu_reset = vmx_vcpu_reset,
    .run = vmx_run,
    .loop = vmx_loop,
    .park = vmx_park,
    .reg_get = vmx_reg_get,
    .reg_set = vmx_reg_set,
    .seg_get = vmx_seg_get,
    .seg_set = vmx_seg_set,
    .can_take = vmx_can_take,
    .want_window = vmx_want_window,
    .set_deadline = vmx_set_deadline,
    .map = vmx_map,
    .nested_walk = vmx_nested_walk,
    .flush = vmx_flush,
    .dump = vmx_dump,
    .apic_help = vmx_apic_help,
    .apic_help_name = {[VAPIC_TPR] = "TPR shadow",
                       [VAPIC_DELIVERY] = DELIVERY_NAMES,
                       [VAPIC_POSTED] = DELIVERY_NAMES ", posted interrupts"},
    .apic = vmx_apic,
    .post = vmx_post,
    .msr_open = vmx_msr_open,
    .debug = vmx_debug,
};
