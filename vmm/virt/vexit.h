/*
 * A VM exit in neutral words. virt/<vendor>/exit.c decodes the hardware's report into this and
 * carries no policy; virt/exit.c decides. Fields are the hardware's facts, not yet judged.
 */
#ifndef VIRT_VEXIT_H
#define VIRT_VEXIT_H

#include "lib/types.h"

enum vexit_kind {
    VEXIT_HOST_IRQ, /* an interrupt of the host's is pending */
    VEXIT_HOST_NMI,
    VEXIT_DEADLINE,   /* the deadline armed by set_deadline() has come */
    VEXIT_IRQ_WINDOW, /* the guest can take an external interrupt now */
    VEXIT_NMI_WINDOW,
    VEXIT_CPUID,
    VEXIT_HLT,
    VEXIT_PIO,
    VEXIT_RDMSR,
    VEXIT_WRMSR,
    VEXIT_CR_READ,
    VEXIT_CR_WRITE,
    VEXIT_CLTS,
    VEXIT_LMSW,
    VEXIT_DR_ACCESS,
    VEXIT_XSETBV,
    VEXIT_NPF, /* nested page fault: EPT violation, #NPF */
    VEXIT_NPF_MISCONFIG,
    VEXIT_EXCEPTION,
    VEXIT_TRIPLE_FAULT,
    VEXIT_TASK_SWITCH,
    VEXIT_INVD,
    VEXIT_WBINVD,
    VEXIT_INVLPG,
    VEXIT_RDTSC,
    VEXIT_RDTSCP,
    VEXIT_RDPMC,
    VEXIT_HYPERCALL,      /* VMCALL, VMMCALL */
    VEXIT_VIRT_INSN,      /* an instruction of VT-x or AMD-V that the guest doesn't have: #UD */
    VEXIT_UNDEFINED_INSN, /* MONITOR, MWAIT, GETSEC, ... hidden by CPUID: #UD */
    VEXIT_PAUSE,
    VEXIT_INIT,
    VEXIT_SIPI,
    VEXIT_INT,  /* INT n; QEMU's TCG reports INT3 and INTO so, too */
    VEXIT_STEP, /* vdebug_controls.trap */
    /* Where the CPU virtualizes the local APIC; RIP is behind the instruction already: */
    VEXIT_APIC_TPR,     /* TPR fell below vapic.tpr_threshold */
    VEXIT_APIC_EOI,     /* a vector was ended, of vapic.level or that the backend asked for */
    VEXIT_APIC_WRITE,   /* a register in its page was written */
    VEXIT_ENTRY_FAILED, /* the CPU refused the guest state: our bug; the backend's dump says why */
    VEXIT_UNKNOWN,
    VEXIT_KIND_COUNT
};

/* String I/O: the guest address is linear, before paging. */
struct vexit_pio {
    union {
        struct {
            uint8_t size; /* 1, 2, 4 */
            bool in, string, rep;
        };
        uint32_t form; /* these four bytes as a word: a decoder stores them at once */
    };
    uint16_t port;
    /* The rest is set for strings alone. */
    uint8_t address_size; /* 2, 4, 8 bytes */
    bool linear_valid;
    gva_t linear; /* ES:rDI or segment:rSI of the first item */
    /* Where linear isn't valid: OUTS' segment, an enum vseg_name, or VEXIT_SEGMENT_UNKNOWN when it
     * must be had from the instruction's prefixes. INS has no choice. */
    uint8_t segment;
};

/* Of `form`. */
#define VEXIT_PIO_FLAGS    0x01010100u /* the bits of in, string and rep */
#define VEXIT_PIO_IN_BYTE  0x00000101u
#define VEXIT_PIO_OUT_BYTE 0x00000001u

#define VEXIT_SEGMENT_UNKNOWN 0xFFu

struct vexit_npf {
    gpa_t gpa;
    gva_t gva;
    bool gva_valid;
    bool write, fetch;
    bool in_page_walk; /* the access was the CPU's own walk of the guest's page tables */
    /* The bytes at RIP, where the hardware fetched them for us: 0 to 15 of them. */
    uint8_t insn_count;
    union {
        const uint8_t *insn;
        gpa_t code; /* once mmio_emulate() has succeeded: of RIP; 0: it didn't look */
    };
};

/* An event that enters the guest through its IDT. */
enum vevent_type {
    VEVENT_NONE,
    VEVENT_IRQ,
    VEVENT_NMI,
    VEVENT_EXCEPTION,
    VEVENT_SW_INT,
    VEVENT_SW_EXCEPTION /* INT3, INTO */,
    VEVENT_PRIV_SW_EXCEPTION /* INT1 */
};

struct vevent {
    enum vevent_type type;
    uint8_t vector;
    bool has_error;
    uint8_t insn_len; /* software events: length of the instruction */
    uint32_t error;
};

/* What asked for a task switch, numbered as VT-x does. A CALL or JMP through a task gate counts as
 * CALL or JMP; a gate is one in the IDT. */
enum vtask_source { VTASK_CALL, VTASK_IRET, VTASK_JMP, VTASK_GATE };

struct vexit {
    enum vexit_kind kind;
    uint32_t raw_reason; /* the hardware's own word, for reports */
    /* 0 where the hardware doesn't tell: then the operands below (cr, dr, lmsw, the source of a
     * task switch) aren't known either, and all of it is read from the instruction's bytes. */
    uint8_t insn_len;
    struct vevent interrupted; /* an event whose delivery the exit broke off; NONE usually */
    /* Likewise; a handler that knows better what it was about (port, MSR, address, vector) puts
     * that here, for the record. */
    uint64_t raw_qualification;
    union {
        struct vexit_pio pio;
        struct vexit_npf npf;
        struct vevent exception; /* with cr2 in exception_address for #PF, DR6 bits for #DB */
        struct {
            uint8_t cr, gpr;
        } cr;
        struct {
            uint16_t msw;
        } lmsw;
        struct {
            uint8_t dr, gpr;
            bool write;
        } dr;
        struct {
            uint16_t selector; /* of the new TSS */
            uint8_t source;    /* enum vtask_source */
        } task_switch;
        uint32_t apic; /* the vector, or the offset in the page */
        gva_t invlpg;
        uint64_t entry_error;
    };
    uint64_t exception_address;
    /* The record's part: see trace.h. */
    uint64_t rip;
    uint64_t entered_tsc, exited_tsc; /* the guest ran from the one to the other */
};

#endif
