/* AMD-V behind the vendor boundary: probing, switching on, and the table of operations. */
#define LOG_MODULE "svm"
#include "virt/svm/svm.h"

#include "virt/svm/backend.h"
#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/log.h"

hpa_t svm_host_vmcb;

static const char locked_off[] =
    "AMD-V is locked off by the firmware (VM_CR.SVMDIS): switch on \"SVM Mode\" (AMD-V, "
    "virtualization) in the BIOS or UEFI setup, then power the machine off and on";

/* APM "Enabling SVM". */
static bool svm_probe(struct cpu_facts *facts, const char **refusal)
{
    uint32_t regs[4];
    uint64_t vm_cr;
    (void)facts;
    cpuid(0x80000001u, 0, regs);
    if (!(regs[2] & CPUID_SVM))
        return false;
    if (!rdmsr_safe(MSR_VM_CR, &vm_cr)) {
        *refusal = "CPUID shows AMD-V but VM_CR can't be read: the outer hypervisor offers AMD-V "
                   "only in part";
        return false;
    }
    if ((vm_cr & VM_CR_SVMDIS) && (vm_cr & VM_CR_LOCK)) {
        *refusal = locked_off;
        return false;
    }
    *refusal = svm_caps_read(&svm_caps);
    return *refusal == NULL;
}

static bool svm_cpu_enable(struct frame_source *frames, const char **refusal)
{
    if (!hw_timer_present()) {
        *refusal = "the local APIC is off, and AMD-V has no other timer to end a guest's turn: "
                   "switch the APIC on in the firmware's setup, the emulator or the outer "
                   "hypervisor";
        return false;
    }
    uint64_t vm_cr = rdmsr(MSR_VM_CR);
    if ((vm_cr & VM_CR_SVMDIS) && !wrmsr_safe(MSR_VM_CR, vm_cr & ~VM_CR_SVMDIS)) {
        *refusal = locked_off;
        return false;
    }
    if (!wrmsr_safe(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SVME)) {
        *refusal = "EFER.SVME can't be set: the firmware or the outer hypervisor holds AMD-V back";
        return false;
    }
    hpa_t host_save = frames->alloc(frames->ctx, 1);
    svm_host_vmcb = frames->alloc(frames->ctx, 1);
    if (!host_save || !svm_host_vmcb) {
        *refusal = "no memory left for AMD-V's host state";
        return false;
    }
    wrmsr(MSR_VM_HSAVE_PA, host_save);
    vmsave(svm_host_vmcb);
    log_info("%u ASIDs%s%s%s%s", svm_caps.asids,
             svm_caps.nrip_save ? ", next-RIP save" : ", no next-RIP save",
             svm_caps.decode_assists ? ", decode assists" : "",
             svm_caps.clean ? ", clean bits" : "", svm_caps.flush_by_asid ? ", flush by ASID" : "");
    return true;
}

static bool svm_can_take(struct vcpu *vcpu, enum vwindow window)
{
    const struct svm_vcpu *state = svm_state(vcpu);
    if (vcpu->inject.type != VEVENT_NONE || vcpu->int_shadow || state->pending_db)
        return false;
    return window == VWINDOW_NMI ? !state->nmi_blocked : (vcpu->rflags & RFLAGS_IF) != 0;
}

/* A virtual interrupt that exits instead of being delivered: APM "Virtual Interrupts", "VINTR
 * Intercept". Its vector never matters. */
static void want_irq_window(struct svm_vcpu *state, bool wanted)
{
    struct vmcb_control *control = &state->vmcb->control;
    state->irq_wanted = wanted;
    if (wanted) {
        control->v_intr |= V_IRQ | V_INTR_PRIO(15) | V_IGN_TPR;
        control->intercept_3 |= INTERCEPT_VINTR;
    } else {
        control->v_intr &= ~(V_IRQ | V_INTR_PRIO(15) | V_IGN_TPR);
        control->intercept_3 &= ~INTERCEPT_VINTR;
    }
    svm_set_cr8_exits(state);
    svm_dirty(state, CLEAN_INTERCEPTS | CLEAN_VINTR);
}

static void svm_want_window(struct vcpu *vcpu, enum vwindow window, bool wanted)
{
    if (window == VWINDOW_NMI)
        svm_nmi_want(vcpu, wanted);
    else
        want_irq_window(svm_state(vcpu), wanted);
}

/* AMD-V has no timer of its own: the host's local APIC ends the guest's turn as an interrupt. */
static void svm_set_deadline(struct vcpu *vcpu, uint64_t tsc)
{
    (void)vcpu;
    hw_timer_arm(tsc);
}

const struct backend svm_backend = {
    .name = "AMD-V",
    .enabled = "EFER.SVME set successfully!",
    .probe = svm_probe,
    .cpu_enable = svm_cpu_enable,
    .vcpu_init = svm_vcpu_init,
    .vcpu_reset = svm_vcpu_reset,
    .run = svm_run,
    .loop = svm_loop,
    .park = svm_park,
    .reg_get = svm_reg_get,
    .reg_set = svm_reg_set,
    .seg_get = svm_seg_get,
    .seg_set = svm_seg_set,
    .can_take = svm_can_take,
    .want_window = svm_want_window,
    .set_deadline = svm_set_deadline,
    .map = svm_map,
    .nested_walk = svm_nested_walk,
    .flush = svm_flush,
    .dump = svm_dump,
    .apic_help = svm_apic_help,
    .apic_help_name = {[VAPIC_TPR] = "V_TPR"},
    .apic = svm_apic,
    .msr_open = svm_msr_open,
    .debug = svm_debug,
};
