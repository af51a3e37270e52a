/* Guest registers: guest-visible values outside, what the host needs of the same registers inside.
 */
#include "virt/svm/svm.h"

#include "hw/cpu.h"

#define ACCESS_PRESENT  BIT(7)
#define ACCESS_DPL_MASK (3u << 5)
#define ACCESS_DPL(dpl) ((unsigned)(dpl) << 5)
#define TYPE_ACCESSED   BIT(0)
#define TYPE_BUSY       BIT(1)

#define CR4_READ_INTERCEPT INTERCEPT_CR_READ(4)

#define DR7_GD BIT64(13)

/* Registers that are a VMCB field and nothing more, and the clean group of each. The ones that
 * VMLOAD and VMSAVE move (CLEAN_NONE) are in the VMCB only while the guest is parked. */
#define CLEAN_NONE 0u
struct field {
    uint16_t offset;
    uint16_t clean;
};
#define CONTROL(name, group)                                                                       \
    {                                                                                              \
        offsetof(struct vmcb, control.name), group                                                 \
    }
#define SAVE(name, group)                                                                          \
    {                                                                                              \
        offsetof(struct vmcb, save.name), group                                                    \
    }

static const struct field plain_field[VREG_COUNT] = {
    [VREG_CR2] = SAVE(cr2, CLEAN_CR2),
    [VREG_CR3] = SAVE(cr3, CLEAN_CR),
    [VREG_DR6] = SAVE(dr6, CLEAN_DR),
    [VREG_DR7] = SAVE(dr7, CLEAN_DR),
    [VREG_PAT] = SAVE(g_pat, CLEAN_NP),
    [VREG_GDTR_BASE] = SAVE(gdtr.base, CLEAN_DT),
    [VREG_IDTR_BASE] = SAVE(idtr.base, CLEAN_DT),
    [VREG_TSC_OFFSET] = CONTROL(tsc_offset, CLEAN_INTERCEPTS),
    [VREG_RSP] = SAVE(rsp, CLEAN_NONE),
    [VREG_FS_BASE] = SAVE(fs.base, CLEAN_NONE),
    [VREG_GS_BASE] = SAVE(gs.base, CLEAN_NONE),
    [VREG_SYSENTER_CS] = SAVE(sysenter_cs, CLEAN_NONE),
    [VREG_SYSENTER_ESP] = SAVE(sysenter_esp, CLEAN_NONE),
    [VREG_SYSENTER_EIP] = SAVE(sysenter_eip, CLEAN_NONE),
    [VREG_STAR] = SAVE(star, CLEAN_NONE),
    [VREG_LSTAR] = SAVE(lstar, CLEAN_NONE),
    [VREG_CSTAR] = SAVE(cstar, CLEAN_NONE),
    [VREG_KERNEL_GS_BASE] = SAVE(kernel_gs_base, CLEAN_NONE),
};

static uint64_t *field_of(struct vcpu *vcpu, enum vreg reg)
{
    if (!plain_field[reg].offset)
        return NULL;
    if (plain_field[reg].clean == CLEAN_NONE && reg != VREG_RSP)
        svm_park(vcpu);
    return (uint64_t *)((uint8_t *)svm_state(vcpu)->vmcb + plain_field[reg].offset);
}

uint64_t svm_reg_get(struct vcpu *vcpu, enum vreg reg)
{
    struct svm_vcpu *state = svm_state(vcpu);
    const struct vmcb_save *save = &state->vmcb->save;
    switch (reg) {
    case VREG_CR0:
        return save->cr0;
    case VREG_CR4:
        return state->cr4;
    case VREG_EFER:
        return save->efer & ~EFER_SVME;
    case VREG_GDTR_LIMIT:
        return save->gdtr.limit;
    case VREG_IDTR_LIMIT:
        return save->idtr.limit;
    case VREG_CR8:
        return state->vmcb->control.v_intr & V_TPR;
    case VREG_NMI_BLOCKED:
        return state->nmi_blocked;
    case VREG_PENDING_DB:
        return state->pending_db;
    case VREG_DR0 ... VREG_DR3: /* in no VMCB field: the guest's own stay in the CPU */
        return read_dr(reg - VREG_DR0);
    default: {
        const uint64_t *field = field_of(vcpu, reg);
        return field ? *field : 0;
    }
    }
}

/* VMRUN finds long mode in EFER.LMA, which follows from PG and LME. */
static void update_long_mode(struct svm_vcpu *state)
{
    struct vmcb_save *save = &state->vmcb->save;
    save->efer &= ~EFER_LMA;
    if ((save->efer & EFER_LME) && (save->cr0 & CR0_PG))
        save->efer |= EFER_LMA;
    svm_dirty(state, CLEAN_CR);
}

/* These have no part in translations, and kernels that load the FPU late change TS at each of their
 * task switches. */
#define CR0_FPU (CR0_MP | CR0_EM | CR0_TS | CR0_NE)

/* The guest's own CD and NW hold: a guest that disables its caches runs slowly and coherently. */
static void set_cr0(struct vcpu *vcpu, uint64_t value)
{
    struct svm_vcpu *state = svm_state(vcpu);
    uint64_t changed = state->vmcb->save.cr0 ^ value;
    state->vmcb->save.cr0 = value;
    update_long_mode(state);
    if (changed & ~CR0_FPU)
        svm_flush(vcpu);
}

/* Without CR4.MCE a machine check would shut the host down, so the guest runs with it, and its
 * reads exit while it believes otherwise. */
static void set_cr4(struct vcpu *vcpu, uint64_t value)
{
    struct svm_vcpu *state = svm_state(vcpu);
    struct vmcb *vmcb = state->vmcb;
    state->cr4 = value;
    vmcb->save.cr4 = value | (read_cr4() & CR4_MCE);
    vmcb->control.intercept_cr &= ~CR4_READ_INTERCEPT;
    if (vmcb->save.cr4 != value)
        vmcb->control.intercept_cr |= CR4_READ_INTERCEPT;
    svm_dirty(state, CLEAN_CR | CLEAN_INTERCEPTS);
    svm_flush(vcpu);
}

/*
 * VMRUN loads DR7 from the VMCB. QEMU's TCG does that, too, but arms breakpoints by MOV DR7 alone;
 * so that is done as well, without GD, which would meet the VMM's own MOV DR. On a CPU these are
 * armed in the host until its next exit, on TCG for longer: hw/idt.c ignores what they hit.
 */
static void arm_breakpoints(uint64_t dr7)
{
    write_dr7(dr7 & ~DR7_GD);
}

static void set_plain(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    uint64_t *field = field_of(vcpu, reg);
    if (!field)
        return;
    *field = value;
    svm_dirty(svm_state(vcpu), plain_field[reg].clean);
}

void svm_reg_set(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    struct svm_vcpu *state = svm_state(vcpu);
    struct vmcb_save *save = &state->vmcb->save;
    switch (reg) {
    case VREG_CR0:
        set_cr0(vcpu, value);
        break;
    case VREG_CR4:
        set_cr4(vcpu, value);
        break;
    case VREG_CR3:
        set_plain(vcpu, reg, value);
        svm_flush(vcpu);
        break;
    case VREG_EFER:
        save->efer = value | EFER_SVME;
        update_long_mode(state);
        svm_flush(vcpu);
        break;
    case VREG_GDTR_LIMIT:
        save->gdtr.limit = (uint32_t)value;
        svm_dirty(state, CLEAN_DT);
        break;
    case VREG_IDTR_LIMIT:
        save->idtr.limit = (uint32_t)value;
        svm_dirty(state, CLEAN_DT);
        break;
    case VREG_CR8:
        state->vmcb->control.v_intr = (state->vmcb->control.v_intr & ~V_TPR) | (value & V_TPR);
        svm_dirty(state, CLEAN_VINTR);
        break;
    case VREG_NMI_BLOCKED:
        svm_nmi_set_blocked(state, value);
        break;
    case VREG_PENDING_DB:
        state->pending_db = value;
        state->changed = true;
        break;
    case VREG_DR0 ... VREG_DR3:
        write_dr(reg - VREG_DR0, value);
        break;
    case VREG_DR7:
        set_plain(vcpu, reg, value);
        arm_breakpoints(value);
        break;
    default:
        set_plain(vcpu, reg, value);
        break;
    }
}

/* --- segments --------------------------------------------------------------------------------- */

static struct vmcb_segment *segment_of(struct vcpu *vcpu, enum vseg_name name)
{
    struct vmcb_save *save = &svm_state(vcpu)->vmcb->save;
    switch (name) {
    case VSEG_ES:
        return &save->es;
    case VSEG_CS:
        return &save->cs;
    case VSEG_SS:
        return &save->ss;
    case VSEG_DS:
        return &save->ds;
    case VSEG_FS:
        svm_park(vcpu);
        return &save->fs;
    case VSEG_GS:
        svm_park(vcpu);
        return &save->gs;
    case VSEG_LDTR:
        svm_park(vcpu);
        return &save->ldtr;
    default:
        svm_park(vcpu);
        return &save->tr;
    }
}

/*
 * Some CPUs keep in the hidden part of a segment what the manual doesn't promise: SYSRET leaves SS
 * with DPL 0 at CPL 3, TR's busy bit and a segment's accessed bit may read as clear. The neutral
 * code gets what the architecture says.
 */
void svm_seg_get(struct vcpu *vcpu, enum vseg_name name, struct vseg *seg)
{
    const struct vmcb_segment *from = segment_of(vcpu, name);
    unsigned access = (from->attributes & 0xFFu) | (from->attributes & 0xF00u) << 4;
    if (name == VSEG_SS)
        access = (access & ~ACCESS_DPL_MASK) | ACCESS_DPL(svm_state(vcpu)->vmcb->save.cpl);
    if (access & ACCESS_PRESENT) {
        if (name == VSEG_TR)
            access |= TYPE_BUSY;
        else if (name != VSEG_LDTR)
            access |= TYPE_ACCESSED;
    }
    seg->selector = from->selector;
    seg->access = access & ACCESS_PRESENT || name == VSEG_SS ? (uint16_t)access : 0;
    seg->limit = from->limit;
    seg->base = from->base;
}

void svm_seg_set(struct vcpu *vcpu, enum vseg_name name, const struct vseg *seg)
{
    struct vmcb_segment *to = segment_of(vcpu, name);
    to->selector = seg->selector;
    to->attributes = (uint16_t)((seg->access & 0xFFu) | (seg->access >> 4 & 0xF00u));
    to->limit = seg->limit;
    to->base = seg->base;
    if (name == VSEG_SS)
        svm_state(vcpu)->vmcb->save.cpl = seg->access >> 5 & 3;
    svm_dirty(svm_state(vcpu), CLEAN_SEG);
}
