/* The VMCB: its life, its intercepts, and the guest's state after power-on. */
#include "virt/svm/svm.h"

#include "hw/cpu.h"
#include "lib/assert.h"
#include "lib/mem.h"

#define VECTOR_DB 1
#define VECTOR_BP 3
#define VECTOR_AC 17
#define VECTOR_MC 18

/* #DB and #AC can loop inside the CPU's own delivery for ever; #MC is the host's. */
#define EXCEPTIONS_ALWAYS (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC))
#define MSRPM_FRAMES      2u
#define IOPM_FRAMES       3u
#define MSR_RANGE         0x2000u

/*
 * What the guest can't do alone. Not intercepted, because the CPU does it right for the guest: task
 * switches, CR2 and CR3, debug registers, INVLPG, RSM (#UD outside of SMM), and IRET but after
 * an NMI. All writes of CR0 are: the selective intercept would spare those of TS and MP alone,
 * which no kernel makes often, and QEMU's TCG overlooks the upper half of CR0 there.
 */
static void write_intercepts(struct vmcb_control *control)
{
    control->intercept_cr = INTERCEPT_CR_WRITE(0) | INTERCEPT_CR_WRITE(4) | INTERCEPT_CR_WRITE(8) |
                            INTERCEPT_CR_READ(8); /* the task priority is the local APIC's */
    control->intercept_exceptions = EXCEPTIONS_ALWAYS;
    control->intercept_3 = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_RDPMC |
                           INTERCEPT_CPUID | INTERCEPT_INVD | INTERCEPT_HLT | INTERCEPT_INVLPGA |
                           INTERCEPT_IOIO | INTERCEPT_MSR | INTERCEPT_FERR_FREEZE |
                           INTERCEPT_SHUTDOWN;
    control->intercept_4 =
        INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI |
        INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_WBINVD | INTERCEPT_MONITOR | INTERCEPT_MWAIT |
        INTERCEPT_MWAIT_ARMED | INTERCEPT_XSETBV | (svm_caps.rdpru ? INTERCEPT_RDPRU : 0);
    control->intercept_5 = svm_caps.invlpgb ? INTERCEPT_INVLPGB | INTERCEPT_TLBSYNC : 0;
}

bool svm_vcpu_init(struct vcpu *vcpu, struct frame_source *frames)
{
    struct svm_vcpu *state = svm_state(vcpu);
    *state = (struct svm_vcpu){.changed = true, .dirty = CLEAN_ALL};
    state->vmcb = (struct vmcb *)frames->alloc(frames->ctx, 1);
    state->msrpm = (uint8_t *)frames->alloc(frames->ctx, MSRPM_FRAMES);
    state->iopm = (uint8_t *)frames->alloc(frames->ctx, IOPM_FRAMES);
    if (!state->vmcb || !state->msrpm || !state->iopm ||
        !svm_npt_init(state, frames, vcpu->facts->gib_pages))
        return false;

    memset(state->msrpm, 0xFF, MSRPM_FRAMES * PAGE_SIZE); /* msr_open() makes exceptions */
    memset(state->iopm, 0xFF, IOPM_FRAMES * PAGE_SIZE);
    /* The reset asks for a flush, which the last ASID makes one of all: an earlier user of AMD-V
     * may have left translations under any of them. */
    state->asid = svm_caps.asids - 1;
    return true;
}

static void write_control(const struct svm_vcpu *state, struct vmcb_control *control)
{
    write_intercepts(control);
    control->iopm_base_pa = (hpa_t)state->iopm;
    control->msrpm_base_pa = (hpa_t)state->msrpm;
    control->v_intr = V_INTR_MASKING;
    control->np_enable = NP_ENABLE;
    control->n_cr3 = state->npt.root;
    control->asid = state->asid;
}

/* V_TPR comes with V_INTR_MASKING. AVIC isn't used:
 * docs/adr/0012-the-cpus-help-for-the-local-apic.md. */
enum vapic_help svm_apic_help(void)
{
    return VAPIC_TPR;
}

/* MOV CR8 works on V_TPR, which VMRUN loads and an exit saves. There is no threshold: while a
 * request waits for a lower TPR, writes exit. So do they while TPR has more bits than V_TPR, and
 * during an interrupt window, or with an interrupt of virq.c: QEMU's TCG aborts by its own
 * assertion where a guest writes CR8 with a virtual interrupt pending. The window ignores V_TPR
 * (V_IGN_TPR), and interrupts of the host never look at it. */
void svm_set_cr8_exits(struct svm_vcpu *state)
{
    struct vmcb_control *control = &state->vmcb->control;
    uint32_t intercepts = control->intercept_cr & ~INTERCEPT_CR_WRITE(8);

    if (state->cr8_exits || state->irq_wanted || state->virq)
        intercepts |= INTERCEPT_CR_WRITE(8);
    control->intercept_cr = intercepts;
    svm_dirty(state, CLEAN_INTERCEPTS);
}

void svm_apic(struct vcpu *vcpu, const struct vapic *vapic)
{
    struct svm_vcpu *state = svm_state(vcpu);
    struct vmcb_control *control = &state->vmcb->control;
    bool exits = vapic->tpr_threshold || vapic->tpr & 15;

    if (exits == state->cr8_exits && !(control->intercept_cr & INTERCEPT_CR_READ(8)))
        return;
    control->intercept_cr &= ~INTERCEPT_CR_READ(8);
    state->cr8_exits = exits;
    svm_set_cr8_exits(state);
}

/* Two bits for each MSR, reads and writes; three ranges, 2 KiB of map each. APM "MSR Intercepts".
 */
void svm_msr_open(struct vcpu *vcpu, uint32_t msr, bool writes)
{
    static const uint32_t base[] = {0, 0xC0000000u, 0xC0010000u};
    struct svm_vcpu *state = svm_state(vcpu);
    unsigned range = 0;
    while (range < ARRAY_SIZE(base) - 1 && msr - base[range] >= MSR_RANGE)
        range++;
    ASSERT(msr - base[range] < MSR_RANGE);
    uint32_t bit = range * MSR_RANGE * 2 + (msr - base[range]) * 2;
    state->msrpm[bit / 8] &= (uint8_t) ~((writes ? 3u : 1u) << bit % 8);
    svm_dirty(state, CLEAN_PERMISSION);
}

/* There is no trap flag of the hypervisor's own here: debug_step.c has RFLAGS.TF. */
bool svm_debug(struct vcpu *vcpu, const struct vdebug_controls *controls)
{
    struct vmcb_control *control = &svm_state(vcpu)->vmcb->control;
    control->intercept_dr = controls->registers ? UINT32_MAX : 0;
    control->intercept_exceptions = controls->exceptions    ? SVM_EXCEPTIONS_ALL
                                    : controls->breakpoints ? EXCEPTIONS_ALWAYS | BIT(VECTOR_BP)
                                                            : EXCEPTIONS_ALWAYS;
    /* QEMU's TCG takes INT3 and INTO for an INT n. */
    control->intercept_3 &= ~INTERCEPT_INTN;
    if (controls->breakpoints || controls->exceptions)
        control->intercept_3 |= INTERCEPT_INTN;
    svm_dirty(svm_state(vcpu), CLEAN_INTERCEPTS);
    return !controls->trap;
}

/* APM "Processor Initialization State". VMLOAD brings the MSRs of the system calls. All of the VMCB
 * is written anew, since a shutdown leaves it undefined: APM "Shutdown Intercept". */
void svm_vcpu_reset(struct vcpu *vcpu)
{
    struct svm_vcpu *state = svm_state(vcpu);
    const struct vseg code = {0xF000, 0x9B, 0xFFFF, 0xFFFF0000};
    const struct vseg data = {0, 0x93, 0xFFFF, 0};
    const struct vseg ldt = {0, 0x82, 0xFFFF, 0};
    const struct vseg tss = {0, 0x8B, 0xFFFF, 0};

    svm_park(vcpu);
    struct vmcb_save *save = &state->vmcb->save;
    memset(state->vmcb, 0, sizeof *state->vmcb);
    write_control(state, &state->vmcb->control);
    svm_seg_set(vcpu, VSEG_CS, &code);
    for (enum vseg_name name = VSEG_ES; name <= VSEG_GS; name++)
        if (name != VSEG_CS)
            svm_seg_set(vcpu, name, &data);
    svm_seg_set(vcpu, VSEG_LDTR, &ldt);
    svm_seg_set(vcpu, VSEG_TR, &tss);
    save->gdtr.limit = save->idtr.limit = 0xFFFF;
    save->dr7 = 0x400;
    save->g_pat = 0x0007040600070406ull;
    save->efer = EFER_SVME;
    svm_reg_set(vcpu, VREG_CR0, 0x60000010);
    svm_reg_set(vcpu, VREG_CR4, 0);
    if (vcpu->facts->rdtscp)
        wrmsr(MSR_TSC_AUX, 0);

    svm_nmi_set_blocked(state, false);
    state->nmi_wanted = state->irq_wanted = state->stepping = false;
    state->entered_in_shadow = false;
    state->cr8_exits = true;
    state->pending_db = 0;
    vcpu->gpr[VGPR_RSP] = 0;
    vcpu->rip = 0xFFF0;
    vcpu->rflags = 2;
    vcpu->int_shadow = 0;
    svm_dirty(state, CLEAN_ALL);
    svm_flush(vcpu);
}
