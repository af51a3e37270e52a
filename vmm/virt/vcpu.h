/*
 * A virtual CPU as the neutral code sees it. The backend owns `backend_state` and nobody else looks
 * into it. RIP, RFLAGS and the GPRs (RSP: see below) are valid here between exits; all else is read
 * and written through the backend.
 */
#ifndef VIRT_VCPU_H
#define VIRT_VCPU_H

#include "emu/decode.h"
#include "lib/clock.h"
#include "virt/account.h"
#include "virt/backend.h"
#include "virt/debug.h"
#include "virt/timeline.h"
#include "virt/trace.h"

/* Indices as the instruction encoding numbers them. */
enum vgpr {
    VGPR_RAX,
    VGPR_RCX,
    VGPR_RDX,
    VGPR_RBX,
    VGPR_RSP,
    VGPR_RBP,
    VGPR_RSI,
    VGPR_RDI,
    VGPR_R8,
    VGPR_R9,
    VGPR_R10,
    VGPR_R11,
    VGPR_R12,
    VGPR_R13,
    VGPR_R14,
    VGPR_R15
};

/* Why a guest stopped for good, in the order of vm_stop_name(). */
enum vm_stop {
    VM_RUNNING,
    VM_STOP_POWER_OFF,
    VM_STOP_RESET,
    VM_STOP_TRIPLE_FAULT,
    VM_STOP_HALTED_FOREVER, /* HLT with interrupts off, and no NMI can come */
    VM_STOP_UNKNOWN_EXIT,
    VM_STOP_BAD_ACCESS, /* an access that pxHV can't emulate */
    VM_STOP_ENTRY_FAILED,
    VM_STOP_EVENT_LOOP, /* the guest's IDT can't take an exception, over and over */
    VM_STOP_COUNT
};

/* Whose manual the guest's CPU follows. Hygon's CPUs are AMD's in all that matters here. */
enum cpu_vendor { CPU_VENDOR_INTEL, CPU_VENDOR_AMD, CPU_VENDOR_OTHER };

/* The CPU's facts as a snapshot, so that policy code runs in host tests. */
struct cpu_facts {
    enum cpu_vendor vendor; /* CPUID leaf 0 */
    uint64_t tsc_hz;
    uint64_t physical_address_mask; /* guest physical address bits that exist */
    uint64_t xcr0_allowed;          /* XCR0 bits that the host CPU knows; 0 without XSAVE */
    uint64_t cr4_allowed;           /* CR4 bits that the host CPU knows */
    bool gib_pages, nx, rdtscp, invpcid, xsaves;
    uint32_t patch_level;    /* AMD: the microcode's revision */
    bool lfence_serializing; /* AMD: DE_CFG makes LFENCE wait for what came before it */
    void (*cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t out[4]); /* out: EAX EBX ECX EDX */
    void (*xsetbv)(uint64_t xcr0); /* called with a checked value only */
    uint64_t (*xgetbv)(void);      /* both: only where the guest has XSAVE */
};

/* What the machine around the CPU offers. All calls come from the run loop. */
struct vcpu_hooks {
    void *ctx;
    uint32_t (*pio_read)(void *ctx, uint16_t port, unsigned size);
    void (*pio_write)(void *ctx, uint16_t port, unsigned size, uint32_t value);
    /* False when nothing is mapped at gpa: reads then give all ones, writes vanish. */
    bool (*mmio_read)(void *ctx, gpa_t gpa, unsigned size, uint64_t *value);
    bool (*mmio_write)(void *ctx, gpa_t gpa, unsigned size, uint64_t value);
    bool (*mem_read)(void *ctx, gpa_t gpa, void *dst, uint64_t len); /* RAM only */
    bool (*mem_write)(void *ctx, gpa_t gpa, const void *src, uint64_t len);
    /* Where the VMM finds the page of RAM at gpa, for ever; NULL when it isn't RAM. The guest may
     * change it at any time. */
    const uint8_t *(*mem_page)(void *ctx, gpa_t gpa);
    int (*irq_ack)(void *ctx); /* INTA: the vector, or -1 when the request went away */
    /* Whether a device could still send an NMI or an INIT, as the guest has set it up. */
    bool (*nmi_may_come)(void *ctx);
    /* The local APIC's MSRs (IA32_APIC_BASE, IA32_TSC_DEADLINE, 800h to 8FFh); false: #GP(0). */
    bool (*apic_read)(void *ctx, uint32_t msr, uint64_t *value);
    bool (*apic_write)(void *ctx, uint32_t msr, uint64_t value);
    uint8_t (*cr8_read)(void *ctx); /* the task priority, 0 to 15 */
    void (*cr8_write)(void *ctx, uint8_t value);
    /* The local APIC for a CPU that helps; whether it is about to take a request by itself; and
     * that it has left something to do: VEXIT_APIC_*. */
    void (*apic_state)(void *ctx, struct vapic *out);
    bool (*apic_due)(void *ctx);
    /* With VAPIC_POSTED: what the local APIC's timer will request is posted for the CPU. Guest time
     * at which the CPU is to be notified, VTIME_NEVER: nothing is posted; next_deadline() leaves
     * out what is. And: it is posted no more, since the CPU won't be notified. */
    vtime_t (*apic_post)(void *ctx);
    void (*apic_take_back)(void *ctx);
    void (*apic_event)(void *ctx, enum vexit_kind kind, uint32_t detail);
    void (*tsc_moved)(void *ctx); /* the guest's TSC was set */
    void (*advance)(void *ctx, vtime_t now);
    vtime_t (*next_deadline)(void *ctx); /* the nearest of all devices */
    void (*host_events)(void *ctx);      /* after a host interrupt: move bytes of the consoles */
    enum vm_stop (*stop_request)(void *ctx); /* VM_RUNNING unless a device asked for a stop */
    void (*debug_stopped)(void *ctx); /* the guest stands still until this returns: debug.h */
};

/* The host, seen from the run loop. */
struct host_ops {
    uint64_t (*tsc)(void);
    void (*take_interrupts)(void); /* opens the interrupt flag for one moment */
    /* Sleeps until an interrupt or until the TSC reaches the deadline (UINT64_MAX: none). */
    void (*sleep_until)(uint64_t tsc_deadline);
};

#define VCPU_CPUID_BASIC    0x17 /* leaves 0 to 16h */
#define VCPU_CPUID_EXTENDED 0x22 /* leaves 80000000h to 80000021h */
#define VCPU_CPUID_CACHES   8
#define VCPU_CPUID_XSAVE    8

/* What CPUID answers, computed ahead: EAX EBX ECX EDX each. See cpuid.c. */
struct vcpu_cpuid {
    uint32_t max_basic;
    uint32_t extended_count; /* how many of extended[] the guest's CPU has */
    uint32_t basic[VCPU_CPUID_BASIC][4];
    uint32_t extended[VCPU_CPUID_EXTENDED][4];
    uint32_t hypervisor[4][4];                /* 40000000h, 40000010h, 40000100h, 40000101h */
    uint32_t cache[VCPU_CPUID_CACHES][4];     /* leaf 4 by subleaf */
    uint32_t amd_cache[VCPU_CPUID_CACHES][4]; /* leaf 8000001Dh by subleaf */
    uint32_t topology[3][4];             /* leaf Bh by subleaf; the last is for all higher ones */
    uint32_t xsave[VCPU_CPUID_XSAVE][4]; /* leaf Dh by subleaf */
};

#define VCPU_BACKEND_STATE_SIZE 4096

/* Where the code page at a RIP was found last: see insn.c. */
struct insn_hint {
    gva_t tag; /* the page's address with bit 0 set; 0: unused */
    const uint8_t *page;
};

/* What these 15 bytes were decoded to: see insn.c. */
struct insn_memo {
    uint64_t first, last; /* bytes 0 to 7 and 7 to 14 */
    struct insn insn;     /* .code_bits 0: unused */
};

/* A RIP behind which no access was found to go on to: see ahead.c. */
struct ahead_vain {
    uint64_t rip;
    uint64_t visits; /* still to be passed by; 0: unused */
};

struct vcpu {
    /* The vendor's entry code addresses these by offset: keep them first, in this order.
     * gpr[VGPR_RSP] is valid, and what is written there reaches the guest, after exits whose
     * handlers may need it as an operand or a stack: memory, control and debug registers,
     * exceptions, task switches. A report asks for VREG_RSP. */
    uint64_t gpr[16];
    uint64_t entered_tsc, exited_tsc; /* of the newest entry and exit: virt/stamp.inc */
    uint64_t rip;
    uint64_t rflags;
    uint32_t int_shadow; /* nonzero while STI or MOV SS holds interrupts off; write 0 to end it */

    /* Set by neutral code, obeyed and cleared by the backend at the next entry. */
    struct vevent inject;

    const struct backend *backend;
    const struct cpu_facts *facts;
    const struct host_ops *host;
    struct vcpu_hooks hooks;
    struct clock clock;

    /* While all of these are false, the run loop does nothing between two entries. */
    union {
        struct {
            bool irq_high; /* the local APIC's INTR: irq_ack() has something */
            bool nmi_pending;
            bool halted;
            bool devices_touched;   /* deadlines and stop requests may have changed: the machine
                                       says so where it can happen, the run loop then asks */
            bool irq_held : 1;      /* held_vector was acknowledged, but an exception went first */
            bool apic_stale : 1;    /* apic_state() has news for a CPU that helps */
            bool stopped;           /* stop != VM_RUNNING */
            uint8_t windows_wanted; /* bit n: what want_window() was last told of enum vwindow n */
            bool debugging;         /* a debugger's stop or step is due */
        };
        uint64_t attention;
    };
    uint8_t held_vector;
    bool apic_held_off; /* no request was shown to the CPU, because of a debugger's step */
    enum vapic_help apic_help;
    uint32_t *apic_page;    /* the local APIC's registers, for the CPU that helps */
    uint64_t deadline_ns;   /* what set_deadline() was last armed for; 0 forces a new arming */
    uint64_t deadline_tsc;  /* the same as host TSC, UINT64_MAX for none */
    bool deadline_served;   /* one has just passed: the next is to leave the guest some time */
    uint64_t polled_tsc;    /* when a deadline's exit last served the host */
    uint32_t nested_faults; /* exceptions in a row that met an exception's delivery */
    uint64_t nested_fault_exit;

    /* Guest-visible state that no backend register holds. */
    uint64_t xcr0; /* as XSETBV exits and CPUID's leaf Dh saw it */
    uint64_t misc_enable;
    uint64_t mtrr[32]; /* see msr.c */
    uint64_t bios_sign_id;
    uint64_t tsc_adjust;
    const struct msr_entry *msr_found; /* by the newest access, or NULL; see msr.c */
    uint64_t pvclock, pvclock_wall;    /* what the guest wrote to its MSRs: see pvclock.c */
    uint32_t pvclock_version;
    uint64_t pveoi;       /* likewise: pveoi.c */
    gpa_t pveoi_at;       /* where the newest offer was made */
    int64_t wall_epoch_s; /* seconds from 1970 to guest time 0 */
    struct vcpu_cpuid cpuid;

    enum vm_stop stop;
    char stop_reason[160]; /* one line that says what the guest did */
    uint64_t entry_error;  /* of the entry that failed; 0 otherwise */
    uint64_t exits;        /* all that there were */
    struct account account;
    struct timeline timeline;
    struct trace trace;
    struct vdebug debug;
    struct insn_hint insn_hint[8];
    struct insn_memo insn_memo[8];
    struct ahead_vain ahead_vain[32];
    gva_t insn_mismatch; /* insn.c: RIP + 1 where the bytes weren't what the exit said; 0: none */

    /* With VAPIC_POSTED. Behind all that short exits use. */
    uint32_t *apic_posted; /* the descriptor of what is posted */
    uint64_t posted_ns;    /* when the CPU is notified of it; VTIME_NEVER: nothing is posted */
    uint64_t posted_tsc;   /* the same as host TSC, UINT64_MAX for nothing */
    bool post_again;       /* something was taken back for a HLT */
    vtime_t look_ns;       /* meanwhile: when the host is looked after all the same */

    _Alignas(64) uint8_t backend_state[VCPU_BACKEND_STATE_SIZE];
};

_Static_assert(offsetof(struct vcpu, entered_tsc) == 128 &&
                   offsetof(struct vcpu, exited_tsc) == 136,
               "as virt/stamp.inc has them");

#endif
