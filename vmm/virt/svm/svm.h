/* What the files of virt/svm share; nobody else includes this. */
#ifndef VIRT_SVM_SVM_H
#define VIRT_SVM_SVM_H

#include "virt/nested.h"
#include "virt/svm/regs.h"
#include "virt/vcpu.h"

/* --- caps.c: what this CPU's AMD-V can do ----------------------------------------------------- */

struct svm_caps {
    bool nrip_save, decode_assists, flush_by_asid, rdpru, invlpgb;
    bool injects_twice; /* an interrupt: see virq.c */
    uint32_t clean;     /* CLEAN_ALL, or 0 where the CPU has no clean bits */
    uint32_t asids;     /* ASIDs 1 to asids - 1 are for guests */
};

/* Reads CPUID. NULL, or the sentence that names the missing feature. APM "SVM Revision and Feature
 * Identification". */
const char *svm_caps_read(struct svm_caps *caps);

extern struct svm_caps svm_caps;

/* --- the vCPU's AMD-V state ------------------------------------------------------------------- */

struct svm_vcpu {
    struct vmcb *vmcb;
    /* The CPU holds the guest's FS, GS, LDTR, TR and MSRs of the system calls, and GIF is 0: true
     * from an entry on until svm_park(). */
    bool guest_live;
    bool changed;   /* the next entry has more to write than the general registers */
    uint32_t dirty; /* CLEAN_* of what was written since the last exit */
    bool flush;     /* the guest's translations are to be dropped at the next entry */
    uint64_t pending_db;
    uint64_t cr4; /* as the guest sees it */
    struct nested_tables npt;
    uint8_t *msrpm, *iopm;
    uint32_t asid;

    /* NMIs: see nmi.c. */
    bool nmi_wanted, nmi_blocked;
    bool iret_seen; /* the IRET at iret_rip is about to end the blocking */
    uint64_t iret_rip;
    bool irq_wanted;       /* the interrupt window is to be told of */
    bool virq;             /* the newest entry took an interrupt along: see virq.c */
    bool cr8_exits;        /* writes, by the local APIC's state or for want of its help */
    bool forgets_shadow;   /* seen of this CPU: VMRUN doesn't load the interrupt shadow */
    uint8_t injected_len;  /* of the INT n, INT3 or INTO that the last entry injected */
    uint64_t injected_rip; /* behind it */
    bool stepping;         /* RFLAGS.TF is ours; the guest's own and its DR6: */
    uint64_t step_tf, step_dr6;
    bool entered_in_shadow; /* by the newest entry, and where: */
    uint64_t shadow_rip;
    uint32_t step_exceptions; /* the intercepts that a step or virq.c replaces */
};

_Static_assert(sizeof(struct svm_vcpu) <= VCPU_BACKEND_STATE_SIZE, "enlarge the backend's state");

static inline struct svm_vcpu *svm_state(struct vcpu *vcpu)
{
    return (struct svm_vcpu *)vcpu->backend_state;
}

/* Tells the next entry that fields of these CLEAN_* groups were written. */
static inline void svm_dirty(struct svm_vcpu *state, uint32_t groups)
{
    state->dirty |= groups;
    state->changed = true;
}

/* --- instructions ----------------------------------------------------------------------------- */

static inline void vmload(hpa_t vmcb)
{
    __asm__ volatile("vmload %%rax" : : "a"(vmcb) : "memory");
}

static inline void vmsave(hpa_t vmcb)
{
    __asm__ volatile("vmsave %%rax" : : "a"(vmcb) : "memory");
}

static inline void clgi(void)
{
    __asm__ volatile("clgi" : : : "memory");
}

static inline void stgi(void)
{
    __asm__ volatile("stgi" : : : "memory");
}

/* Loads the guest's general registers but RAX and RSP, which lie in the VMCB, and runs it until an
 * exit. GIF must be 0 and is so afterwards. Gives the vCPU back: entry.asm keeps but that and RBP.
 */
static inline struct vcpu *svm_enter(struct vcpu *vcpu, hpa_t vmcb)
{
    __asm__ volatile("call svm_vmrun"
                     : "+D"(vcpu), "+S"(vmcb)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "memory", "cc");
    return vcpu;
}

/* --- backend.c -------------------------------------------------------------------------------- */

extern hpa_t svm_host_vmcb; /* what VMSAVE keeps of the host's own state */

/* --- control.c -------------------------------------------------------------------------------- */

bool svm_vcpu_init(struct vcpu *vcpu, struct frame_source *frames);
void svm_vcpu_reset(struct vcpu *vcpu);
void svm_msr_open(struct vcpu *vcpu, uint32_t msr, bool writes);
bool svm_debug(struct vcpu *vcpu, const struct vdebug_controls *controls);
enum vapic_help svm_apic_help(void);
void svm_apic(struct vcpu *vcpu, const struct vapic *vapic);
void svm_set_cr8_exits(struct svm_vcpu *state); /* by cr8_exits and irq_wanted */

/* --- state.c: guest registers ----------------------------------------------------------------- */

uint64_t svm_reg_get(struct vcpu *vcpu, enum vreg reg);
void svm_reg_set(struct vcpu *vcpu, enum vreg reg, uint64_t value);
void svm_seg_get(struct vcpu *vcpu, enum vseg_name name, struct vseg *seg);
void svm_seg_set(struct vcpu *vcpu, enum vseg_name name, const struct vseg *seg);

/* Vectors that an exception has: not 2, 9, 15 and 20. */
#define SVM_EXCEPTIONS_ALL 0x2F7DFBu

/* --- nmi.c: what AMD-V leaves to software about NMIs ------------------------------------------ */

/* An NMI is being injected: the guest takes no other one until its IRET. */
void svm_nmi_injected(struct svm_vcpu *state);
void svm_nmi_set_blocked(struct svm_vcpu *state, bool blocked);
void svm_nmi_want(struct vcpu *vcpu, bool wanted);
/* Before an entry with state->changed or an event: sets the trap that a wanted NMI waits for. Where
 * svm_nmi_idle(), there is nothing to do. */
void svm_nmi_before_entry(struct vcpu *vcpu);
static inline bool svm_nmi_idle(const struct vcpu *vcpu, const struct svm_vcpu *state)
{
    return !state->nmi_wanted && !state->iret_seen && !vcpu->int_shadow;
}
/* Where caps.injects_twice, instead of EVENTINJ for the interrupt in vcpu->inject. False: EVENTINJ
 * is to be used all the same. */
bool svm_virq_inject(struct vcpu *vcpu, struct svm_vcpu *state);
/* After an exit with state->virq: the interrupt may not have come. */
void svm_virq_after_exit(struct svm_vcpu *state, struct vexit *exit);

/* After each exit while there is something to watch (nmi_blocked, stepping or virq); may turn the
 * exit into VEXIT_NMI_WINDOW. */
void svm_nmi_after_exit(struct vcpu *vcpu, struct vexit *exit);

/* After the exit of an entry with state->entered_in_shadow. */
void svm_shadow_after_exit(struct vcpu *vcpu, const struct vexit *exit);

/* --- exit.c ----------------------------------------------------------------------------------- */

void svm_run(struct vcpu *vcpu);
void svm_loop(struct vcpu *vcpu);
void svm_park(struct vcpu *vcpu);

/* --- paging.c: nested paging ------------------------------------------------------------------ */

bool svm_npt_init(struct svm_vcpu *state, const struct frame_source *frames, bool gib_pages);
bool svm_map(struct vcpu *vcpu, const struct mapping *mapping);
void svm_nested_walk(struct vcpu *vcpu, gpa_t gpa, struct nested_walk *walk);
void svm_flush(struct vcpu *vcpu);

/* --- dump.c ----------------------------------------------------------------------------------- */

void svm_dump(struct vcpu *vcpu, uint64_t error);

#endif
