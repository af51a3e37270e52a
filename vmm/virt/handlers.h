/* What the files of virt/ share among themselves: exit handlers and helpers, not for pc/. */
#ifndef VIRT_HANDLERS_H
#define VIRT_HANDLERS_H

#include "virt/virt.h"

/* A handler may change registers and guest state, never RIP (except before EXIT_RETRY). */
typedef enum exit_action exit_handler(struct vcpu *vcpu, struct vexit *exit);

exit_handler cpuid_exit;                    /* cpuid.c */
exit_handler msr_read_exit, msr_write_exit; /* msr.c */
exit_handler cr_read_exit, cr_write_exit;   /* cr.c */
exit_handler cr_clts_exit, cr_lmsw_exit, cr_xsetbv_exit, cr_debug_exit;
exit_handler pio_exit;         /* pio.c */
exit_handler task_switch_exit; /* task.c */
exit_handler event_exception;  /* event.c: an intercepted exception */
exit_handler apic_event_exit;  /* apic.c: what a CPU that helps leaves to do */
exit_handler debug_int_exit;   /* debug_point.c */
exit_handler debug_step_exit;  /* debug_step.c */

/* Fills vcpu->cpuid from the facts: at reset. */
void cpuid_build(struct vcpu *vcpu);
/* Brings the bits that follow CR4 and XCR0 up to date. */
void cpuid_update(struct vcpu *vcpu, uint64_t cr4);
/* The bits that follow IA32_APIC_BASE. */
void cpuid_show_apic(struct vcpu *vcpu, bool enabled);

/* The bits that a guest may set: what the CPU knows and CPUID offers. */
uint64_t cr4_guest_allowed(const struct vcpu *vcpu);
uint64_t xcr0_guest_allowed(const struct vcpu *vcpu);

/* Whether the four entries that PAE paging would load from here are free of reserved bits; a VM
 * entry refuses others. */
bool cr_pdptes_valid(struct vcpu *vcpu, uint64_t cr3);

/* Power-on values of the MSRs kept in struct vcpu. */
void msr_reset(struct vcpu *vcpu);

/* Queues a #DB with these bits in the guest's DR6. */
enum exit_action inject_debug(struct vcpu *vcpu, uint64_t causes);

/* pvclock.c: the paravirtual clock's MSRs, by their numbers; false: #GP(0). */
#define MSR_PVCLOCK_WALL        0x4b564d00u
#define MSR_PVCLOCK_SYSTEM_TIME 0x4b564d01u
bool pvclock_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool pvclock_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
void pvclock_tsc_moved(struct vcpu *vcpu);
void pvclock_reset(struct vcpu *vcpu);

/* apic.c: tells a CPU that helps with the local APIC what has changed there; while `held_off`, that
 * nothing is requested. */
void apic_sync(struct vcpu *vcpu, bool held_off);
/* Whether such a CPU is about to take an interrupt, which ends HLT. */
bool apic_wakes(struct vcpu *vcpu);

/* pveoi.c: likewise; and whether the guest is offered it at all: not where the CPU ends interrupts
 * by itself. */
#define MSR_PVEOI 0x4b564d04u
bool pveoi_shown(const struct vcpu *vcpu);
bool pveoi_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool pveoi_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
void pveoi_reset(struct vcpu *vcpu);

/* Queues the event whose delivery the exit broke off, so that it enters again. */
void event_requeue(struct vcpu *vcpu, const struct vevent *interrupted);

/* The state that goes with a finished instruction: interrupt shadow, RF, single step. RIP moves by
 * length bytes, wrapped as the code segment asks. */
void exit_finish_insn(struct vcpu *vcpu, unsigned length);

/* ahead.c: behind an access to a device that has succeeded (EXIT_ADVANCE), carries out what would
 * make the next exits, where that is easy. EXIT_RETRY: RIP has moved. */
enum exit_action ahead_of(struct vcpu *vcpu, struct vexit *exit);

/* --- debug.c, debug_point.c, debug_step.c: the run loop's and the exits' side of virt/debug.h --
 */

/* At power-on: the points stay, the guest's debug registers don't. */
void debug_reset(struct vcpu *vcpu);
/* Stops the guest if that is due, for as long as the debugger likes. While vcpu->debugging. */
void debug_attend(struct vcpu *vcpu);
/* Shows the guest's end to a debugger that is attached. */
void debug_guest_ended(struct vcpu *vcpu);
/* Whether a step keeps interrupts and NMIs from the guest. */
bool debug_holds_events(const struct vcpu *vcpu);
/* One entry and exit of a step. */
void debug_step_round(struct vcpu *vcpu);
/* While debug.engaged: true when an exception was the debugger's alone. What of a #DB is the
 * guest's stays in exit->exception_address. */
bool debug_exception(struct vcpu *vcpu, struct vexit *exit);

/* What the exit was about, for the record. */
static inline void exit_detail(struct vexit *exit, uint64_t detail)
{
    exit->raw_qualification = detail;
}

#endif
