/*
 * VT-x by the manual's own words: VMCS field encodings grouped as SDM "Field Encoding in VMCS"
 * groups them, control bits as "VM-Execution Control Fields" names them, capability MSRs as
 * "VMX Capability Reporting Facility" does.
 */
#ifndef VIRT_VMX_REGS_H
#define VIRT_VMX_REGS_H

#include "lib/bits.h"

/* Capability MSRs */
#define MSR_IA32_FEATURE_CONTROL         0x03Au
#define MSR_IA32_VMX_BASIC               0x480u
#define MSR_IA32_VMX_PINBASED_CTLS       0x481u
#define MSR_IA32_VMX_PROCBASED_CTLS      0x482u
#define MSR_IA32_VMX_EXIT_CTLS           0x483u
#define MSR_IA32_VMX_ENTRY_CTLS          0x484u
#define MSR_IA32_VMX_MISC                0x485u
#define MSR_IA32_VMX_CR0_FIXED0          0x486u
#define MSR_IA32_VMX_CR0_FIXED1          0x487u
#define MSR_IA32_VMX_CR4_FIXED0          0x488u
#define MSR_IA32_VMX_CR4_FIXED1          0x489u
#define MSR_IA32_VMX_PROCBASED_CTLS2     0x48Bu
#define MSR_IA32_VMX_EPT_VPID_CAP        0x48Cu
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS  0x48Du
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS 0x48Eu
#define MSR_IA32_VMX_TRUE_EXIT_CTLS      0x48Fu
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS     0x490u

#define FEATURE_CONTROL_LOCK        BIT(0)
#define FEATURE_CONTROL_VMX_NON_SMX BIT(2)

#define VMX_BASIC_INS_OUTS_INFO BIT64(54)
#define VMX_BASIC_TRUE_CTLS     BIT64(55)

#define EPT_CAP_WALK_4         BIT64(6)
#define EPT_CAP_WB             BIT64(14)
#define EPT_CAP_2M             BIT64(16)
#define EPT_CAP_1G             BIT64(17)
#define EPT_CAP_INVEPT         BIT64(20)
#define EPT_CAP_INVEPT_SINGLE  BIT64(25)
#define EPT_CAP_INVEPT_ALL     BIT64(26)
#define EPT_CAP_INVVPID        BIT64(32)
#define EPT_CAP_INVVPID_SINGLE BIT64(41)

/* Pin-based VM-execution controls */
#define PIN_EXTERNAL_INTERRUPT BIT(0)
#define PIN_NMI                BIT(3)
#define PIN_VIRTUAL_NMIS       BIT(5)
#define PIN_PREEMPTION_TIMER   BIT(6)
#define PIN_POSTED_INTERRUPTS  BIT(7)

/* Primary processor-based VM-execution controls */
#define CPU_INTERRUPT_WINDOW BIT(2)
#define CPU_TSC_OFFSETTING   BIT(3)
#define CPU_HLT              BIT(7)
#define CPU_INVLPG           BIT(9)
#define CPU_MWAIT            BIT(10)
#define CPU_RDPMC            BIT(11)
#define CPU_RDTSC            BIT(12)
#define CPU_CR3_LOAD         BIT(15)
#define CPU_CR3_STORE        BIT(16)
#define CPU_CR8_LOAD         BIT(19)
#define CPU_CR8_STORE        BIT(20)
#define CPU_TPR_SHADOW       BIT(21)
#define CPU_NMI_WINDOW       BIT(22)
#define CPU_MOV_DR           BIT(23)
#define CPU_UNCONDITIONAL_IO BIT(24)
#define CPU_IO_BITMAPS       BIT(25)
#define CPU_MONITOR_TRAP     BIT(27)
#define CPU_MSR_BITMAPS      BIT(28)
#define CPU_MONITOR          BIT(29)
#define CPU_SECONDARY        BIT(31)

/* Secondary processor-based VM-execution controls */
#define CPU2_APIC_ACCESSES      BIT(0)
#define CPU2_EPT                BIT(1)
#define CPU2_RDTSCP             BIT(3)
#define CPU2_X2APIC             BIT(4)
#define CPU2_VPID               BIT(5)
#define CPU2_WBINVD             BIT(6)
#define CPU2_UNRESTRICTED_GUEST BIT(7)
#define CPU2_APIC_REGISTERS     BIT(8)
#define CPU2_INTERRUPT_DELIVERY BIT(9)
#define CPU2_INVPCID            BIT(12)
#define CPU2_XSAVES             BIT(20)

/* VM-exit controls */
#define EXI_SAVE_DEBUG         BIT(2)
#define EXI_HOST_ADDRESS_SPACE BIT(9)
#define EXI_ACKNOWLEDGE        BIT(15)
#define EXI_LOAD_PAT           BIT(19)
#define EXI_LOAD_EFER          BIT(21)
#define EXI_SAVE_TIMER         BIT(22)

/* VM-entry controls */
#define ENT_LOAD_DEBUG BIT(2)
#define ENT_IA32E_MODE BIT(9)
#define ENT_LOAD_PAT   BIT(14)
#define ENT_LOAD_EFER  BIT(15)

/* 16-bit control and guest-state fields */
#define VMCS_VPID                   0x0000u
#define VMCS_NOTIFICATION_VECTOR    0x0002u
#define VMCS_GUEST_ES_SELECTOR      0x0800u /* ES CS SS DS FS GS LDTR TR, two apart */
#define VMCS_GUEST_INTERRUPT_STATUS 0x0810u /* RVI 7-0, SVI 15-8 */

/* 16-bit host-state fields */
#define VMCS_HOST_ES_SELECTOR 0x0C00u
#define VMCS_HOST_CS_SELECTOR 0x0C02u
#define VMCS_HOST_SS_SELECTOR 0x0C04u
#define VMCS_HOST_DS_SELECTOR 0x0C06u
#define VMCS_HOST_FS_SELECTOR 0x0C08u
#define VMCS_HOST_GS_SELECTOR 0x0C0Au
#define VMCS_HOST_TR_SELECTOR 0x0C0Cu

/* 64-bit control fields */
#define VMCS_MSR_BITMAP         0x2004u
#define VMCS_TSC_OFFSET         0x2010u
#define VMCS_VIRTUAL_APIC_PAGE  0x2012u
#define VMCS_APIC_ACCESS_PAGE   0x2014u
#define VMCS_POSTED_DESCRIPTOR  0x2016u
#define VMCS_EPT_POINTER        0x201Au
#define VMCS_EOI_EXIT_BITMAP0   0x201Cu /* four, two apart */
#define VMCS_XSS_EXITING_BITMAP 0x202Cu

/* 64-bit read-only, guest-state and host-state fields */
#define VMCS_GUEST_PHYSICAL_ADDRESS 0x2400u
#define VMCS_LINK_POINTER           0x2800u
#define VMCS_GUEST_DEBUGCTL         0x2802u
#define VMCS_GUEST_PAT              0x2804u
#define VMCS_GUEST_EFER             0x2806u
#define VMCS_GUEST_PDPTE0           0x280Au /* four, two apart */
#define VMCS_HOST_PAT               0x2C00u
#define VMCS_HOST_EFER              0x2C02u

/* 32-bit control fields */
#define VMCS_PIN_CONTROLS             0x4000u
#define VMCS_CPU_CONTROLS             0x4002u
#define VMCS_EXCEPTION_BITMAP         0x4004u
#define VMCS_PAGE_FAULT_ERROR_MASK    0x4006u
#define VMCS_PAGE_FAULT_ERROR_MATCH   0x4008u
#define VMCS_CR3_TARGET_COUNT         0x400Au
#define VMCS_EXIT_CONTROLS            0x400Cu
#define VMCS_EXIT_MSR_STORE_COUNT     0x400Eu
#define VMCS_EXIT_MSR_LOAD_COUNT      0x4010u
#define VMCS_ENTRY_CONTROLS           0x4012u
#define VMCS_ENTRY_MSR_LOAD_COUNT     0x4014u
#define VMCS_ENTRY_INTERRUPTION_INFO  0x4016u
#define VMCS_ENTRY_EXCEPTION_ERROR    0x4018u
#define VMCS_ENTRY_INSTRUCTION_LENGTH 0x401Au
#define VMCS_TPR_THRESHOLD            0x401Cu
#define VMCS_CPU2_CONTROLS            0x401Eu

/* 32-bit read-only fields */
#define VMCS_INSTRUCTION_ERROR      0x4400u
#define VMCS_EXIT_REASON            0x4402u
#define VMCS_EXIT_INTERRUPTION_INFO 0x4404u
#define VMCS_EXIT_EXCEPTION_ERROR   0x4406u
#define VMCS_IDT_VECTORING_INFO     0x4408u
#define VMCS_IDT_VECTORING_ERROR    0x440Au
#define VMCS_INSTRUCTION_LENGTH     0x440Cu
#define VMCS_INSTRUCTION_INFO       0x440Eu

/* 32-bit guest-state and host-state fields */
#define VMCS_GUEST_ES_LIMIT         0x4800u /* ES CS SS DS FS GS LDTR TR, two apart */
#define VMCS_GUEST_GDTR_LIMIT       0x4810u
#define VMCS_GUEST_IDTR_LIMIT       0x4812u
#define VMCS_GUEST_ES_ACCESS        0x4814u /* likewise */
#define VMCS_GUEST_INTERRUPTIBILITY 0x4824u
#define VMCS_GUEST_ACTIVITY         0x4826u
#define VMCS_GUEST_SYSENTER_CS      0x482Au
#define VMCS_PREEMPTION_TIMER       0x482Eu
#define VMCS_HOST_SYSENTER_CS       0x4C00u

/* Natural-width control and read-only fields */
#define VMCS_CR0_MASK           0x6000u
#define VMCS_CR4_MASK           0x6002u
#define VMCS_CR0_SHADOW         0x6004u
#define VMCS_CR4_SHADOW         0x6006u
#define VMCS_EXIT_QUALIFICATION 0x6400u
#define VMCS_GUEST_LINEAR       0x640Au

/* Natural-width guest-state fields */
#define VMCS_GUEST_CR0          0x6800u
#define VMCS_GUEST_CR3          0x6802u
#define VMCS_GUEST_CR4          0x6804u
#define VMCS_GUEST_ES_BASE      0x6806u /* ES CS SS DS FS GS LDTR TR, two apart */
#define VMCS_GUEST_FS_BASE      0x680Eu
#define VMCS_GUEST_GS_BASE      0x6810u
#define VMCS_GUEST_GDTR_BASE    0x6816u
#define VMCS_GUEST_IDTR_BASE    0x6818u
#define VMCS_GUEST_DR7          0x681Au
#define VMCS_GUEST_RSP          0x681Cu
#define VMCS_GUEST_RIP          0x681Eu
#define VMCS_GUEST_RFLAGS       0x6820u
#define VMCS_GUEST_PENDING_DB   0x6822u
#define VMCS_GUEST_SYSENTER_ESP 0x6824u
#define VMCS_GUEST_SYSENTER_EIP 0x6826u

/* Natural-width host-state fields */
#define VMCS_HOST_CR0          0x6C00u
#define VMCS_HOST_CR3          0x6C02u
#define VMCS_HOST_CR4          0x6C04u
#define VMCS_HOST_FS_BASE      0x6C06u
#define VMCS_HOST_GS_BASE      0x6C08u
#define VMCS_HOST_TR_BASE      0x6C0Au
#define VMCS_HOST_GDTR_BASE    0x6C0Cu
#define VMCS_HOST_IDTR_BASE    0x6C0Eu
#define VMCS_HOST_SYSENTER_ESP 0x6C10u
#define VMCS_HOST_SYSENTER_EIP 0x6C12u
#define VMCS_HOST_RSP          0x6C14u
#define VMCS_HOST_RIP          0x6C16u

/* Interruption information: entry, exit and IDT-vectoring share the layout */
#define INTR_INFO_VECTOR      0xFFu
#define INTR_INFO_TYPE_SHIFT  8
#define INTR_INFO_TYPE_MASK   7u
#define INTR_INFO_ERROR_VALID BIT(11)
#define INTR_INFO_NMI_UNBLOCK BIT(12) /* exit only: IRET had ended NMI blocking */
#define INTR_INFO_VALID       BIT(31)

enum intr_type {
    INTR_TYPE_EXTERNAL = 0,
    INTR_TYPE_NMI = 2,
    INTR_TYPE_HARDWARE_EXCEPTION = 3,
    INTR_TYPE_SOFTWARE_INTERRUPT = 4,
    INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION = 5,
    INTR_TYPE_SOFTWARE_EXCEPTION = 6
};

/* Guest interruptibility state */
#define INTERRUPTIBILITY_STI    BIT(0)
#define INTERRUPTIBILITY_MOV_SS BIT(1)
#define INTERRUPTIBILITY_NMI    BIT(3)

/* Guest pending debug exceptions: enabled breakpoint, BS */
#define PENDING_DB_DUE (BIT64(12) | BIT64(14))

/* Segment access rights: descriptor bits, and one more */
#define SEGMENT_UNUSABLE BIT(16)

/* Exit qualification of an EPT violation */
#define EPT_QUAL_WRITE        BIT64(1)
#define EPT_QUAL_FETCH        BIT64(2)
#define EPT_QUAL_LINEAR_VALID BIT64(7)
#define EPT_QUAL_TRANSLATED   BIT64(8) /* clear: the access was to a paging structure */
#define EPT_QUAL_NMI_UNBLOCK  BIT64(12)

/* Exit qualification of an I/O instruction, "Exit Qualification for I/O Instructions" */
#define IO_QUAL_SIZE   7u /* less 1 */
#define IO_QUAL_IN     BIT(3)
#define IO_QUAL_STRING BIT(4)
#define IO_QUAL_REP    BIT(5)

/* Exit qualification of an APIC access */
#define APIC_QUAL_OFFSET     0xFFFu
#define APIC_QUAL_TYPE(qual) ((qual) >> 12 & 15)

enum apic_access_type {
    APIC_ACCESS_READ = 0,
    APIC_ACCESS_WRITE = 1,
    APIC_ACCESS_FETCH = 2,
    APIC_ACCESS_WALK = 15 /* by guest physical address: the guest's page tables lie there */
};

/* SDM "VMX Basic Exit Reasons" */
enum vmx_exit_reason {
    EXIT_REASON_EXCEPTION_NMI = 0,
    EXIT_REASON_EXTERNAL_INTERRUPT = 1,
    EXIT_REASON_TRIPLE_FAULT = 2,
    EXIT_REASON_INIT = 3,
    EXIT_REASON_SIPI = 4,
    EXIT_REASON_INTERRUPT_WINDOW = 7,
    EXIT_REASON_NMI_WINDOW = 8,
    EXIT_REASON_TASK_SWITCH = 9,
    EXIT_REASON_CPUID = 10,
    EXIT_REASON_GETSEC = 11,
    EXIT_REASON_HLT = 12,
    EXIT_REASON_INVD = 13,
    EXIT_REASON_INVLPG = 14,
    EXIT_REASON_RDPMC = 15,
    EXIT_REASON_RDTSC = 16,
    EXIT_REASON_VMCALL = 18,
    EXIT_REASON_VMCLEAR = 19,
    EXIT_REASON_VMXON = 27,
    EXIT_REASON_CR_ACCESS = 28,
    EXIT_REASON_MOV_DR = 29,
    EXIT_REASON_IO = 30,
    EXIT_REASON_RDMSR = 31,
    EXIT_REASON_WRMSR = 32,
    EXIT_REASON_ENTRY_GUEST_STATE = 33,
    EXIT_REASON_ENTRY_MSR_LOADING = 34,
    EXIT_REASON_MWAIT = 36,
    EXIT_REASON_MONITOR_TRAP = 37,
    EXIT_REASON_MONITOR = 39,
    EXIT_REASON_PAUSE = 40,
    EXIT_REASON_ENTRY_MACHINE_CHECK = 41,
    EXIT_REASON_TPR_BELOW_THRESHOLD = 43,
    EXIT_REASON_APIC_ACCESS = 44,
    EXIT_REASON_VIRTUALIZED_EOI = 45,
    EXIT_REASON_EPT_VIOLATION = 48,
    EXIT_REASON_EPT_MISCONFIG = 49,
    EXIT_REASON_INVEPT = 50,
    EXIT_REASON_RDTSCP = 51,
    EXIT_REASON_PREEMPTION_TIMER = 52,
    EXIT_REASON_INVVPID = 53,
    EXIT_REASON_WBINVD = 54,
    EXIT_REASON_XSETBV = 55,
    EXIT_REASON_APIC_WRITE = 56,
    EXIT_REASON_VMFUNC = 59,
    EXIT_REASON_ENCLS = 60
};

#define EXIT_REASON_BASIC_MASK   0xFFFFu
#define EXIT_REASON_ENTRY_FAILED BIT(31)

#endif
