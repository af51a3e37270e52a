/* What the neutral half offers to pc/ and main.c, and its files to one another. */
#ifndef VIRT_VIRT_H
#define VIRT_VIRT_H

#include "virt/vcpu.h"

/* --- vcpu.c ----------------------------------------------------------------------------------- */

/* Binds a vCPU to its backend and collaborators. vcpu->facts, host, hooks and clock must be set.
 * False when the backend runs out of frames. */
bool vcpu_create(struct vcpu *vcpu, const struct backend *backend, struct frame_source *frames);
/* Power-on state of the CPU and of the neutral policy's registers (XCR0, MTRRs, APIC base). */
void vcpu_reset(struct vcpu *vcpu);
/* The sentence for a stop, e.g. "triple fault". */
const char *vm_stop_name(enum vm_stop stop);
/* Prints the guest's registers, the last exits and the backend's dump. */
void vcpu_report(struct vcpu *vcpu);
/* Ends the guest: first stop wins; the text says what the guest did. */
void vcpu_stop(struct vcpu *vcpu, enum vm_stop stop, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What RDTSC gives in the guest. */
static inline uint64_t vcpu_tsc(struct vcpu *vcpu)
{
    return vcpu->host->tsc() + vcpu->backend->reg_get(vcpu, VREG_TSC_OFFSET);
}
/* --- report.c --------------------------------------------------------------------------------- */

/* Prints how many exits of each kind there were and what they cost, and where the time went. */
void vcpu_report_exits(const struct vcpu *vcpu);
/* The same of a snapshot, to `out`. */
void vcpu_print_exits(const struct vcpu *vcpu, const struct account *account, struct byte_sink out);

/* --- run.c ------------------------------------------------------------------------------------ */

/* Runs the guest until it stops. */
enum vm_stop vcpu_run(struct vcpu *vcpu);

/* --- exit.c: step two of an exit -------------------------------------------------------------- */

enum exit_action {
    EXIT_ADVANCE, /* the instruction is done: RIP moves behind it */
    EXIT_RETRY,   /* RIP stays (or was set by the handler) */
    EXIT_INJECT,  /* an exception is in vcpu->inject; RIP stays */
    EXIT_STOP     /* vcpu_stop() was called */
};

/* Decides about one exit and moves RIP where that is due. */
void exit_handle(struct vcpu *vcpu, struct vexit *exit);
/* The same for who wants to know what became of the instruction. */
enum exit_action exit_decide(struct vcpu *vcpu, struct vexit *exit);
const char *vexit_kind_name(enum vexit_kind kind);

/* Queue an exception for the next entry and give EXIT_INJECT; joins with an event whose delivery
 * was broken off as SDM "Interrupt 8—Double Fault Exception" says (event.c). */
enum exit_action inject_exception(struct vcpu *vcpu, uint8_t vector);
enum exit_action inject_exception_error(struct vcpu *vcpu, uint8_t vector, uint32_t error);
enum exit_action inject_page_fault(struct vcpu *vcpu, gva_t address, uint32_t error);

/* --- cpuid.c, msr.c, cr.c, pio.c ----------------------------------------------------------------
 */

/* Brings vcpu->xcr0 up to date. */
void cpuid_follow_xcr0(struct vcpu *vcpu);
void cpuid_guest(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
/* The frequency that leaf 15h calls the core crystal clock's: the local APIC's timer counts it. */
uint32_t cpuid_crystal_hz(const struct cpu_facts *facts);
/* False: the guest gets #GP(0). */
bool msr_guest_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_guest_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
/* Opens the MSRs that need no policy (FS_BASE, STAR, ...) in the backend. */
void msr_open_passthrough(struct vcpu *vcpu);

/* --- pveoi.c: for the local APIC ---------------------------------------------------------------
 */

/* Leaves the end of the interrupt that is being delivered to the guest's memory. False: the guest
 * doesn't want that. */
bool pveoi_offer(struct vcpu *vcpu);
/* Takes an offer back. True: the guest has made use of it, the interrupt is over. */
bool pveoi_withdraw(struct vcpu *vcpu);

/* --- gwalk.c: the guest's own paging ------------------------------------------------------------
 */

#define GWALK_WRITE 1u
#define GWALK_USER  2u /* the access is made at CPL 3 */
#define GWALK_FETCH 4u
#define GWALK_LOOK  8u /* for a person: rights don't matter, accessed and dirty bits stay */

enum gva_status {
    GVA_OK,
    GVA_FAULT,  /* the guest's own tables refuse: gwalk() tells the error code, gva_*() queue it */
    GVA_NOT_RAM /* a table or the address itself lies outside of the guest's RAM */
};

struct gwalk_result {
    enum gva_status status;
    gpa_t gpa;      /* GVA_OK: where the address leads, RAM or not. GVA_NOT_RAM: the table entry */
    uint32_t error; /* GVA_FAULT: the page-fault error code */
};

/* Translates a linear address in the guest's current mode (no paging, 32-bit, PAE, 4-level,
 * 5-level). Sets accessed and dirty bits as the CPU does. access: GWALK_*. */
struct gwalk_result gwalk(struct vcpu *vcpu, gva_t linear, unsigned access);
/* The same with GWALK_LOOK, with its steps; the address is canonical. */
void gwalk_look(struct vcpu *vcpu, gva_t linear, struct vdebug_walk *out);
/* Copy through gwalk; len is 1 to PAGE_SIZE. All or nothing: both pages are translated before a
 * byte moves. GVA_FAULT: the #PF (or #GP for an address that isn't canonical) is in vcpu->inject
 * already, return EXIT_INJECT. GVA_NOT_RAM: nothing is queued, the caller decides. */
enum gva_status gva_read(struct vcpu *vcpu, gva_t linear, void *dst, unsigned len, unsigned access);
enum gva_status gva_write(struct vcpu *vcpu, gva_t linear, const void *src, unsigned len,
                          unsigned access);
/* GWALK_USER at CPL 3, else 0: what a data access of the current instruction starts from. */
unsigned vcpu_data_access(struct vcpu *vcpu);
/* Whether the address is canonical for the current paging mode; true outside of 64-bit code. */
bool vcpu_is_canonical(struct vcpu *vcpu, gva_t linear);
/* CPL of the guest: DPL of SS. */
unsigned vcpu_cpl(struct vcpu *vcpu);
/* 16, 32 or 64: the default operand and address mode of CS. */
unsigned vcpu_code_bits(struct vcpu *vcpu);

/* --- mmio.c --------------------------------------------------------------------------------------
 */

/* Emulates the instruction at RIP that touched exit->npf.gpa. EXIT_ADVANCE: exit->insn_len is set
 * for the caller. EXIT_RETRY: a REP has iterations left. EXIT_INJECT, EXIT_STOP as always. */
enum exit_action mmio_emulate(struct vcpu *vcpu, struct vexit *exit);

#endif
