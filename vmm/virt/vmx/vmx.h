/* What the files of virt/vmx share; nobody else includes this. */
#ifndef VIRT_VMX_VMX_H
#define VIRT_VMX_VMX_H

#include "virt/nested.h"
#include "virt/vcpu.h"
#include "virt/vmx/regs.h"

/* --- caps.c: what this CPU's VT-x can do ------------------------------------------------------ */

struct vmx_caps {
    uint32_t revision_id;
    bool ins_outs_info;
    bool preemption_timer, timer_saved, virtual_nmis, vpid, wbinvd, rdtscp, invpcid, xsaves,
        host_pat, monitor_trap, tpr_shadow, interrupt_delivery, posted_interrupts;
    bool delivery_ignores_if;  /* see apic.c */
    unsigned preemption_shift; /* the timer counts TSC ticks >> shift */
    uint64_t ept_cap;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    /* The control words to load: what we want, with the bits that must be 1. */
    uint32_t pin, cpu, cpu2, exit, entry;
};

/* Reads the capability MSRs and settles the control words. NULL, or the sentence that names the
 * missing feature. SDM "VMX Capability Reporting Facility". */
const char *vmx_caps_read(struct vmx_caps *caps);

extern struct vmx_caps vmx_caps;

/* --- the vCPU's VT-x state -------------------------------------------------------------------- */

/* Where the CPU finds itself after an exit: entry.asm knows this layout. */
struct vmx_exit_stack {
    uint64_t scratch;
    struct vcpu *vcpu; /* VMCS_HOST_RSP points here */
    uint64_t host_rsp;
};

struct vmx_vcpu {
    hpa_t vmcs;
    struct nested_tables ept;
    uint8_t *msr_bitmap;
    uint64_t deadline_tsc;
    /* What the VMCS holds, so that only changes are written. */
    uint64_t loaded_rsp, loaded_rflags;
    uint32_t interruptibility;
    struct vmx_exit_stack exit_stack;
    int32_t trust; /* so many more entries may go on with timer and RSP as the exit left them */
    uint32_t cpu_controls, entry_controls;
    bool wants_window[2]; /* by enum vwindow */
    uint64_t cr0_mask, cr4_mask;
    /* The local APIC: what the VMCS and the EPT hold. See apic.c. */
    hpa_t apic_access_page;
    uint64_t eoi_exits[4];
    enum vapic_access apic_access;
    bool apic_delivery, apic_mapped, apic_posting;
    bool apic_waits; /* for a window, as wants_window[] does */
    uint8_t apic_threshold;
    void (*enter)(void); /* vmx_launch or vmx_resume */
};

_Static_assert(sizeof(struct vmx_vcpu) <= VCPU_BACKEND_STATE_SIZE, "enlarge the backend's state");

#define INTERRUPTIBILITY_SHADOW (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)

static inline struct vmx_vcpu *vmx_state(struct vcpu *vcpu)
{
    return (struct vmx_vcpu *)vcpu->backend_state;
}

/* --- instructions ----------------------------------------------------------------------------- */

static inline uint64_t vmread(uint64_t field)
{
    uint64_t value;
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
    return value;
}

static inline void vmwrite(uint64_t field, uint64_t value)
{
    __asm__ volatile("vmwrite %1, %0" : : "r"(field), "r"(value) : "cc", "memory");
}

/* entry.asm. Not for C to call. */
void vmx_launch(void);
void vmx_resume(void);
void vmx_exit_point(void);

/* Loads the guest's GPRs and enters, the first time by VMLAUNCH. *failure is 0: a VM exit happened;
 * 1: VMfailInvalid; 2: VMfailValid (VMCS_INSTRUCTION_ERROR tells why). Gives the vCPU back:
 * entry.asm keeps but that and RBP. */
static inline struct vcpu *vmx_enter(struct vcpu *vcpu, int *failure)
{
    struct vmx_exit_stack *stack = &vmx_state(vcpu)->exit_stack;
    __asm__ volatile(
        "call *%c[door](%%rdi)"
        : "=a"(*failure), "+D"(vcpu), "+S"(stack)
        : [door] "i"(offsetof(struct vcpu, backend_state) + offsetof(struct vmx_vcpu, enter))
        : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
          "cc");
    return vcpu;
}

/* --- control.c ---------------------------------------------------------------------------------
 */

bool vmx_vcpu_init(struct vcpu *vcpu, struct frame_source *frames);
void vmx_vcpu_reset(struct vcpu *vcpu);
void vmx_msr_open(struct vcpu *vcpu, uint32_t msr, bool writes);
void vmx_msr_intercept(struct vmx_vcpu *state, uint32_t msr, bool reads, bool writes);
bool vmx_debug(struct vcpu *vcpu, const struct vdebug_controls *controls);

/* --- state.c: guest registers -------------------------------------------------------------------
 */

uint64_t vmx_reg_get(struct vcpu *vcpu, enum vreg reg);
void vmx_reg_set(struct vcpu *vcpu, enum vreg reg, uint64_t value);
void vmx_seg_get(struct vcpu *vcpu, enum vseg_name name, struct vseg *seg);
void vmx_seg_set(struct vcpu *vcpu, enum vseg_name name, const struct vseg *seg);

/* --- apic.c -------------------------------------------------------------------------------------
 */

enum vapic_help vmx_apic_help(void);
bool vmx_apic_init(struct vcpu *vcpu, struct vmx_vcpu *state, const struct frame_source *frames);
void vmx_apic_reset(struct vcpu *vcpu);
void vmx_apic(struct vcpu *vcpu, const struct vapic *vapic);
bool vmx_post(struct vcpu *vcpu, uint64_t tsc);
uint64_t vmx_apic_cr8(const struct vcpu *vcpu);
void vmx_apic_set_cr8(struct vcpu *vcpu, uint64_t cr8);

/* --- exit.c -------------------------------------------------------------------------------------
 */

void vmx_run(struct vcpu *vcpu);
void vmx_loop(struct vcpu *vcpu);

/* --- backend.c ----------------------------------------------------------------------------------
 */

void vmx_load_windows(struct vcpu *vcpu); /* by wants_window[] and apic_waits */

/* --- paging.c: EPT ------------------------------------------------------------------------------
 */

bool vmx_ept_init(struct vmx_vcpu *state, const struct frame_source *frames);
uint64_t vmx_eptp(const struct vmx_vcpu *state);
bool vmx_map(struct vcpu *vcpu, const struct mapping *mapping);
void vmx_nested_walk(struct vcpu *vcpu, gpa_t gpa, struct nested_walk *walk);
void vmx_flush(struct vcpu *vcpu);
void vmx_flush_linear(struct vcpu *vcpu); /* the guest's own translations, after CR writes */

/* --- dump.c -------------------------------------------------------------------------------------
 */

void vmx_dump(struct vcpu *vcpu, uint64_t error);
const char *vmx_instruction_error_name(uint64_t error);

#endif
