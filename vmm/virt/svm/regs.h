/*
 * AMD-V by the manual's own words: the VMCB as AMD APM volume 2 "Layout of VMCB" lays it out,
 * intercepts and exit codes as "VMCB Layout, Control Area" and "SVM Intercept Exit Codes" name
 * them.
 */
#ifndef VIRT_SVM_REGS_H
#define VIRT_SVM_REGS_H

#include "lib/bits.h"

/* MSRs and the bits of them that SVM adds */
#define MSR_VM_CR       0xC0010114u
#define MSR_VM_HSAVE_PA 0xC0010117u

#define VM_CR_LOCK   BIT64(3)
#define VM_CR_SVMDIS BIT64(4)

#define EFER_SVME BIT64(12)

/* CPUID 80000001h ECX */
#define CPUID_SVM BIT(2)

/* CPUID 8000000Ah EDX, "SVM Revision and Feature Identification" */
#define CPUID_SVM_NP               BIT(0)
#define CPUID_SVM_NRIP_SAVE        BIT(3)
#define CPUID_SVM_VMCB_CLEAN       BIT(5)
#define CPUID_SVM_FLUSH_BY_ASID    BIT(6)
#define CPUID_SVM_DECODE_ASSISTS   BIT(7)
#define CPUID_80000008_EBX_RDPRU   BIT(4)
#define CPUID_80000008_EBX_INVLPGB BIT(3)

/* Intercepts of control register accesses: reads in bits 15:0, writes in bits 31:16 */
#define INTERCEPT_CR_READ(n)  BIT(n)
#define INTERCEPT_CR_WRITE(n) BIT(16 + (n))

/* Intercept vector 3 */
#define INTERCEPT_INTR        BIT(0)
#define INTERCEPT_NMI         BIT(1)
#define INTERCEPT_INIT        BIT(3)
#define INTERCEPT_VINTR       BIT(4)
#define INTERCEPT_RDPMC       BIT(15)
#define INTERCEPT_CPUID       BIT(18)
#define INTERCEPT_IRET        BIT(20)
#define INTERCEPT_INTN        BIT(21)
#define INTERCEPT_INVD        BIT(22)
#define INTERCEPT_HLT         BIT(24)
#define INTERCEPT_INVLPGA     BIT(26)
#define INTERCEPT_IOIO        BIT(27)
#define INTERCEPT_MSR         BIT(28)
#define INTERCEPT_FERR_FREEZE BIT(30)
#define INTERCEPT_SHUTDOWN    BIT(31)

/* Intercept vector 4 */
#define INTERCEPT_VMRUN       BIT(0)
#define INTERCEPT_VMMCALL     BIT(1)
#define INTERCEPT_VMLOAD      BIT(2)
#define INTERCEPT_VMSAVE      BIT(3)
#define INTERCEPT_STGI        BIT(4)
#define INTERCEPT_CLGI        BIT(5)
#define INTERCEPT_SKINIT      BIT(6)
#define INTERCEPT_WBINVD      BIT(9)
#define INTERCEPT_MONITOR     BIT(10)
#define INTERCEPT_MWAIT       BIT(11)
#define INTERCEPT_MWAIT_ARMED BIT(12)
#define INTERCEPT_XSETBV      BIT(13)
#define INTERCEPT_RDPRU       BIT(14)

/* Intercept vector 5 */
#define INTERCEPT_INVLPGB BIT(0)
#define INTERCEPT_TLBSYNC BIT(4)

/* TLB_CONTROL */
#define TLB_CONTROL_NOTHING    0u
#define TLB_CONTROL_FLUSH_ALL  1u
#define TLB_CONTROL_FLUSH_ASID 3u

/* Virtual interrupts: offset 60h */
#define V_TPR               0xFFull
#define V_IRQ               BIT64(8)
#define V_INTR_PRIO(p)      ((uint64_t)(p) << 16)
#define V_IGN_TPR           BIT64(20)
#define V_INTR_MASKING      BIT64(24)
#define V_INTR_VECTOR       (0xFFull << V_INTR_VECTOR_SHIFT)
#define V_INTR_VECTOR_SHIFT 32
#define INTERRUPT_SHADOW    BIT64(0)

/* EVENTINJ and EXITINTINFO */
#define EVENT_VECTOR         0xFFull
#define EVENT_TYPE_SHIFT     8
#define EVENT_TYPE_MASK      7u
#define EVENT_TYPE_INTR      0u
#define EVENT_TYPE_NMI       2u
#define EVENT_TYPE_EXCEPTION 3u
#define EVENT_TYPE_SOFTWARE  4u
#define EVENT_ERROR_VALID    BIT64(11)
#define EVENT_VALID          BIT64(31)
#define EVENT_ERROR_SHIFT    32

#define NP_ENABLE BIT64(0)

/* "VMCB Clean Field": a set bit says that the fields of its group are as the last VMRUN left them
 */
#define CLEAN_INTERCEPTS BIT(0) /* intercepts and the TSC offset */
#define CLEAN_PERMISSION BIT(1) /* I/O and MSR permission maps */
#define CLEAN_ASID       BIT(2)
#define CLEAN_VINTR      BIT(3)
#define CLEAN_NP         BIT(4) /* nCR3, gPAT */
#define CLEAN_CR         BIT(5) /* CR0, CR3, CR4, EFER */
#define CLEAN_DR         BIT(6) /* DR6, DR7 */
#define CLEAN_DT         BIT(7) /* GDTR, IDTR */
#define CLEAN_SEG        BIT(8) /* CS, DS, SS, ES, CPL */
#define CLEAN_CR2        BIT(9)
#define CLEAN_ALL        0x3FFu

enum svm_exit_code {
    EXIT_CR_READ = 0x00,
    EXIT_CR_WRITE = 0x10,
    EXIT_DR_READ = 0x20,
    EXIT_DR_WRITE = 0x30,
    EXIT_EXCEPTION = 0x40,
    EXIT_INTR = 0x60,
    EXIT_NMI = 0x61,
    EXIT_INIT = 0x63,
    EXIT_VINTR = 0x64,
    EXIT_RDPMC = 0x6F,
    EXIT_CPUID = 0x72,
    EXIT_IRET = 0x74,
    EXIT_INTN = 0x75,
    EXIT_INVD = 0x76,
    EXIT_HLT = 0x78,
    EXIT_INVLPGA = 0x7A,
    EXIT_IOIO = 0x7B,
    EXIT_MSR = 0x7C,
    EXIT_FERR_FREEZE = 0x7E,
    EXIT_SHUTDOWN = 0x7F,
    EXIT_VMRUN = 0x80,
    EXIT_VMMCALL = 0x81,
    EXIT_VMLOAD = 0x82,
    EXIT_VMSAVE = 0x83,
    EXIT_STGI = 0x84,
    EXIT_CLGI = 0x85,
    EXIT_SKINIT = 0x86,
    EXIT_WBINVD = 0x89,
    EXIT_MONITOR = 0x8A,
    EXIT_MWAIT = 0x8B,
    EXIT_MWAIT_ARMED = 0x8C,
    EXIT_XSETBV = 0x8D,
    EXIT_RDPRU = 0x8E,
    EXIT_INVLPGB = 0xA0,
    EXIT_TLBSYNC = 0xA4,
    EXIT_NPF = 0x400
};
/* VMRUN found the VMCB inconsistent: -1. QEMU's TCG stores the low half of it, so that is compared.
 */
#define EXIT_INVALID UINT32_MAX

/* EXITINFO1 of an IOIO exit, "IOIO Intercept Information" */
#define IOIO_IN            BIT(0)
#define IOIO_STRING        BIT(2)
#define IOIO_REP           BIT(3)
#define IOIO_SIZE_SHIFT    4 /* one bit each for 8, 16, 32 bits */
#define IOIO_ADDRESS_SHIFT 7 /* one bit each for 16, 32, 64 bits */
#define IOIO_SEGMENT_SHIFT 10
#define IOIO_PORT_SHIFT    16

/* EXITINFO1 of a MOV CR exit with decode assists */
#define CR_ACCESS_MOV BIT64(63)

/* EXITINFO1 of a nested page fault, "Nested versus Guest Page Faults, Fault Ordering" */
#define NPF_WRITE         BIT64(1)
#define NPF_RESERVED      BIT64(3)
#define NPF_FETCH         BIT64(4)
#define NPF_IN_PAGE_TABLE BIT64(33)

struct vmcb_segment {
    uint16_t selector;
    uint16_t attributes; /* a descriptor's bits 55:52 and 47:40, side by side */
    uint32_t limit;
    uint64_t base;
};

struct vmcb_control {
    uint32_t intercept_cr;
    uint32_t intercept_dr;
    uint32_t intercept_exceptions;
    uint32_t intercept_3, intercept_4, intercept_5;
    uint8_t reserved_018[0x40 - 0x18];
    uint64_t iopm_base_pa, msrpm_base_pa;
    uint64_t tsc_offset;
    uint32_t asid;
    uint8_t tlb_control;
    uint8_t reserved_05d[3];
    uint64_t v_intr;
    uint64_t interrupt_shadow;
    uint64_t exit_code, exit_info_1, exit_info_2, exit_int_info;
    uint64_t np_enable;
    uint8_t reserved_098[0xA8 - 0x98];
    uint64_t event_inj;
    uint64_t n_cr3;
    uint64_t lbr_virtualization;
    uint32_t clean;
    uint32_t reserved_0c4;
    uint64_t next_rip;
    uint8_t fetched_count; /* decode assists */
    uint8_t fetched[15];
    uint8_t reserved_0e0[0x400 - 0xE0];
};

struct vmcb_save {
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_0a0[0xCB - 0xA0];
    uint8_t cpl;
    uint32_t reserved_0cc;
    uint64_t efer;
    uint8_t reserved_0d8[0x148 - 0xD8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_180[0x1D8 - 0x180];
    uint64_t rsp;
    uint8_t reserved_1e0[0x1F8 - 0x1E0];
    uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2;
    uint8_t reserved_248[0x268 - 0x248];
    uint64_t g_pat;
    uint8_t reserved_270[0xC00 - 0x270];
};

struct vmcb {
    struct vmcb_control control;
    struct vmcb_save save;
};

_Static_assert(offsetof(struct vmcb, control.iopm_base_pa) == 0x40, "VMCB layout");
_Static_assert(offsetof(struct vmcb, control.asid) == 0x58, "VMCB layout");
_Static_assert(offsetof(struct vmcb, control.exit_code) == 0x70, "VMCB layout");
_Static_assert(offsetof(struct vmcb, control.np_enable) == 0x90, "VMCB layout");
_Static_assert(offsetof(struct vmcb, control.event_inj) == 0xA8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, control.clean) == 0xC0, "VMCB layout");
_Static_assert(offsetof(struct vmcb, control.fetched) == 0xD1, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.es) == 0x400, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.tr) == 0x490, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.cpl) == 0x4CB, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.efer) == 0x4D0, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.cr4) == 0x548, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.rip) == 0x578, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.rsp) == 0x5D8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.rax) == 0x5F8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.cr2) == 0x640, "VMCB layout");
_Static_assert(offsetof(struct vmcb, save.g_pat) == 0x668, "VMCB layout");
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "VMCB layout");

#endif
