/*
 * The vendor boundary: all that the VMM may ask of VT-x or AMD-V. virt/vmx and virt/svm each fill
 * one const table; only main.c names the tables.
 */
#ifndef VIRT_BACKEND_H
#define VIRT_BACKEND_H

#include "lib/types.h"
#include "virt/vexit.h"

struct vcpu;
struct cpu_facts;
struct nested_walk;
struct vdebug_controls;

/* Guest-visible values: the backend keeps masks, shadows and fixed bits to itself. Setting a
 * control register or EFER also drops the guest's translations that the write would drop. */
enum vreg {
    VREG_RSP, /* to read only: see gpr[] in struct vcpu */
    VREG_CR0,
    VREG_CR2,
    VREG_CR3,
    VREG_CR4,
    VREG_EFER, /* LMA included: setting CR0 or EFER recomputes it */
    VREG_DR0,  /* DR0 to DR3 in a row */
    VREG_DR1,
    VREG_DR2,
    VREG_DR3,
    VREG_DR6,
    VREG_DR7,
    VREG_PAT,
    VREG_FS_BASE,
    VREG_GS_BASE,
    VREG_SYSENTER_CS,
    VREG_SYSENTER_ESP,
    VREG_SYSENTER_EIP,
    VREG_STAR,
    VREG_LSTAR,
    VREG_CSTAR,
    VREG_KERNEL_GS_BASE,
    VREG_GDTR_BASE,
    VREG_GDTR_LIMIT,
    VREG_IDTR_BASE,
    VREG_IDTR_LIMIT,
    VREG_NMI_BLOCKED,
    VREG_PENDING_DB, /* write DR6 bits: a #DB that is due at the next entry (single step) */
    VREG_TSC_OFFSET,
    VREG_CR8, /* where the CPU has it without an exit: vapic_help */
    VREG_COUNT
};

enum vseg_name {
    VSEG_ES,
    VSEG_CS,
    VSEG_SS,
    VSEG_DS,
    VSEG_FS,
    VSEG_GS,
    VSEG_LDTR,
    VSEG_TR,
    VSEG_COUNT
};

/* Access rights as a descriptor's bytes 5 and 6 hold them: type 3:0, S 4, DPL 6:5, P 7, AVL 12,
 * L 13, D/B 14, G 15. An unusable segment has P = 0. */
struct vseg {
    uint16_t selector;
    uint16_t access;
    uint32_t limit;
    uint64_t base;
};

#define VSEG_ACCESS_L  (1u << 13)
#define VSEG_ACCESS_DB (1u << 14)

enum vwindow { VWINDOW_IRQ, VWINDOW_NMI };

enum map_type { MAP_UC = 0, MAP_WC = 1, MAP_WT = 4, MAP_WP = 5, MAP_WB = 6 };

#define MAP_READ  1u
#define MAP_WRITE 2u
#define MAP_EXEC  4u

/* A range of guest physical memory and what lies behind it. All multiples of 4 KiB. */
struct mapping {
    gpa_t gpa;
    hpa_t hpa;
    uint64_t size_bytes;
    unsigned rights; /* MAP_*; 0 removes the mapping */
    enum map_type type;
};

/* What a CPU does of the guest's local APIC by itself. Each level has those before it. */
enum vapic_help {
    VAPIC_NONE,
    VAPIC_TPR,      /* CR8 */
    VAPIC_DELIVERY, /* it takes requests from IRR and ends them; EOI, TPR and self-IPIs don't exit
                     */
    VAPIC_POSTED, /* and it can be notified of requests while the guest runs, by the host's timer */
    VAPIC_HELP_COUNT
};

/* Where the guest finds the registers: in the usual page, in MSRs, or elsewhere than the CPU could
 * help with. */
enum vapic_access { VAPIC_NOWHERE, VAPIC_PAGE, VAPIC_MSRS };
#define VAPIC_USUAL_PAGE 0xFEE00000u

/* What the CPU is to know before the next entry about the registers in vcpu->apic_page. With
 * `delivery` it changes ISR, IRR, PPR and TPR there; without, TPR alone. */
struct vapic {
    bool delivery;
    enum vapic_access access;
    uint8_t requested;  /* the highest vector in IRR that may be taken; 0: none */
    uint8_t in_service; /* the highest in ISR */
    /* Without delivery: */
    uint8_t tpr;
    uint8_t tpr_threshold; /* an exit as soon as CR8 is lower */
    /* With delivery: */
    uint32_t level[8]; /* TMR: vectors whose end is an exit */
};

/* Frames for page tables and control structures: injected, since virt knows no allocator. */
struct frame_source {
    /* `count` contiguous zeroed 4 KiB frames below the CPU's limit; 0 when out. */
    hpa_t (*alloc)(void *ctx, unsigned count);
    void *ctx;
};

struct backend {
    const char *name;    /* "VT-x", "AMD-V" */
    const char *enabled; /* what the log says after cpu_enable() */

    /* Whether this CPU and firmware allow it. On false, *refusal is one sentence that names the
     * missing feature and says what to do; it stays as it was where CPUID doesn't show this kind of
     * virtualization at all. Clears the facts that it can't virtualize. No side effects on the
     * CPU. */
    bool (*probe)(struct cpu_facts *facts, const char **refusal);
    /* Turns virtualization on, on the calling CPU. False with *refusal as above. */
    bool (*cpu_enable)(struct frame_source *frames, const char **refusal);
    /* Gives the vCPU its control structure and an empty address space. False: out of frames. */
    bool (*vcpu_init)(struct vcpu *vcpu, struct frame_source *frames);
    /* The state after power-on: "Processor State After Reset". The address space stays. */
    void (*vcpu_reset)(struct vcpu *vcpu);
    /* Enters the guest (vcpu->inject first) and decodes the exit that ends it into its place in
     * the record, vcpu->trace.next. Interrupts are off before and after. */
    void (*run)(struct vcpu *vcpu);
    /* The same again and again, with each exit decided, until vcpu->attention isn't 0: see
     * exit_loop.h. */
    void (*loop)(struct vcpu *vcpu);
    /* The guest will not be entered for a while: gives the host what a short exit may have left
     * the guest's (NMIs held, task register). What waits for longer than a moment comes after. */
    void (*park)(struct vcpu *vcpu);

    uint64_t (*reg_get)(struct vcpu *vcpu, enum vreg reg);
    void (*reg_set)(struct vcpu *vcpu, enum vreg reg, uint64_t value);
    void (*seg_get)(struct vcpu *vcpu, enum vseg_name name, struct vseg *seg);
    void (*seg_set)(struct vcpu *vcpu, enum vseg_name name, const struct vseg *seg);

    /* Whether an event could be delivered at the next entry; IF and shadows considered. */
    bool (*can_take)(struct vcpu *vcpu, enum vwindow window);
    /* Asks for an exit (VEXIT_IRQ_WINDOW, VEXIT_NMI_WINDOW) as soon as can_take() holds. */
    void (*want_window)(struct vcpu *vcpu, enum vwindow window, bool wanted);
    /* An exit (VEXIT_DEADLINE) no later than shortly after the host's TSC passes `tsc`. */
    void (*set_deadline)(struct vcpu *vcpu, uint64_t tsc); /* UINT64_MAX: none */

    bool (*map)(struct vcpu *vcpu, const struct mapping *mapping); /* false: out of frames */
    /* How the nested tables take gpa to the host: for a person to read. */
    void (*nested_walk)(struct vcpu *vcpu, gpa_t gpa, struct nested_walk *walk);
    void (*flush)(struct vcpu *vcpu); /* after rights were taken away or memory was moved */
    /* Prints the control structure for a report; `error` is vexit.entry_error or 0. */
    void (*dump)(struct vcpu *vcpu, uint64_t error);
    /* What the CPU can do of the local APIC; behind probe(). The name is for the log. */
    enum vapic_help (*apic_help)(void);
    const char *apic_help_name[VAPIC_HELP_COUNT];
    /* Before an entry, where vcpu->apic_help isn't VAPIC_NONE: see struct vapic. */
    void (*apic)(struct vcpu *vcpu, const struct vapic *vapic);
    /* With VAPIC_POSTED: notifies the CPU of what is posted when the host's TSC gets to `tsc`, and
     * no sooner; UINT64_MAX: not at all. False: that can't be promised now, and it won't. */
    bool (*post)(struct vcpu *vcpu, uint64_t tsc);
    /* MSRs that the guest may touch without an exit: reads, or reads and writes. */
    void (*msr_open)(struct vcpu *vcpu, uint32_t msr, bool writes);
    /* What a debugger wants to see, from the next entry on (debug.h). False: controls->trap was
     * asked for and this CPU has none. */
    bool (*debug)(struct vcpu *vcpu, const struct vdebug_controls *controls);
};

#endif
