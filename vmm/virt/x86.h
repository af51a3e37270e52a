/* Bits of the architecture's registers that the neutral code judges, in the manuals' words. */
#ifndef VIRT_X86_H
#define VIRT_X86_H

#include "lib/bits.h"

/* SDM "Control Registers" */
#define X86_CR0_PE BIT64(0)
#define X86_CR0_MP BIT64(1)
#define X86_CR0_EM BIT64(2)
#define X86_CR0_TS BIT64(3)
#define X86_CR0_ET BIT64(4)
#define X86_CR0_NE BIT64(5)
#define X86_CR0_WP BIT64(16)
#define X86_CR0_AM BIT64(18)
#define X86_CR0_NW BIT64(29)
#define X86_CR0_CD BIT64(30)
#define X86_CR0_PG BIT64(31)

#define X86_CR4_VME        BIT64(0)
#define X86_CR4_PVI        BIT64(1)
#define X86_CR4_TSD        BIT64(2)
#define X86_CR4_DE         BIT64(3)
#define X86_CR4_PSE        BIT64(4)
#define X86_CR4_PAE        BIT64(5)
#define X86_CR4_MCE        BIT64(6)
#define X86_CR4_PGE        BIT64(7)
#define X86_CR4_PCE        BIT64(8)
#define X86_CR4_OSFXSR     BIT64(9)
#define X86_CR4_OSXMMEXCPT BIT64(10)
#define X86_CR4_UMIP       BIT64(11)
#define X86_CR4_FSGSBASE   BIT64(16)
#define X86_CR4_PCIDE      BIT64(17)
#define X86_CR4_OSXSAVE    BIT64(18)
#define X86_CR4_SMEP       BIT64(20)
#define X86_CR4_SMAP       BIT64(21)

#define X86_CR3_NO_FLUSH BIT64(63) /* with CR4.PCIDE: keep the PCID's translations */

#define X86_EFER_SCE BIT64(0)
#define X86_EFER_LME BIT64(8)
#define X86_EFER_LMA BIT64(10)
#define X86_EFER_NXE BIT64(11)

#define X86_RFLAGS_TF BIT64(8)
#define X86_RFLAGS_IF BIT64(9)
#define X86_RFLAGS_DF BIT64(10)
#define X86_RFLAGS_RF BIT64(16)

#define X86_DR6_BD       BIT64(13) /* a debug register was touched while DR7.GD is set */
#define X86_DR6_BS       BIT64(14) /* single step */
#define X86_DR6_RESERVED 0xffff0ff0ull
#define X86_DR7_GD       BIT64(13)
#define X86_DR7_RESERVED 0x400ull

/* SDM "Exceptions and Interrupts Reference" */
enum x86_vector {
    X86_DE = 0,
    X86_DB = 1,
    X86_NMI = 2,
    X86_BP = 3,
    X86_OF = 4,
    X86_UD = 6,
    X86_DF = 8,
    X86_TS = 10,
    X86_NP = 11,
    X86_SS = 12,
    X86_GP = 13,
    X86_PF = 14,
    X86_AC = 17,
    X86_MC = 18,
    X86_CP = 21
};

/* XCR0, SDM "XSAVE-Supported Features and State-Component Bitmaps" */
#define X86_XCR0_X87    BIT64(0)
#define X86_XCR0_SSE    BIT64(1)
#define X86_XCR0_AVX    BIT64(2)
#define X86_XCR0_AVX512 (7ull << 5) /* opmask, upper halves of ZMM0-15, ZMM16-31 */

/* True when bits 63 to 47 are equal: what a CPU without 5-level paging calls canonical. */
static inline bool x86_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

#endif
