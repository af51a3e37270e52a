/* The CPU's privileged instructions and registers, one inline function each. Names and bits are the
 * SDM's ("Control Registers", "Architectural MSRs"). */
#ifndef HW_CPU_H
#define HW_CPU_H

#include "lib/bits.h"

#define CR0_PE BIT64(0)
#define CR0_MP BIT64(1)
#define CR0_EM BIT64(2)
#define CR0_TS BIT64(3)
#define CR0_NE BIT64(5)
#define CR0_WP BIT64(16)
#define CR0_NW BIT64(29)
#define CR0_CD BIT64(30)
#define CR0_PG BIT64(31)

#define CR4_PAE     BIT64(5)
#define CR4_MCE     BIT64(6)
#define CR4_OSFXSR  BIT64(9)
#define CR4_OSXSAVE BIT64(18)

#define EFER_LME BIT64(8)
#define EFER_LMA BIT64(10)
#define EFER_NXE BIT64(11)

#define RFLAGS_IF BIT64(9)
#define RFLAGS_RF BIT64(16)

#define MSR_IA32_APIC_BASE    0x01Bu
#define MSR_IA32_MCG_CAP      0x179u
#define MSR_IA32_MCG_STATUS   0x17Au
#define MSR_IA32_PAT          0x277u
#define MSR_IA32_MC0_STATUS   0x401u /* four MSRs a bank */
#define MSR_IA32_TSC_DEADLINE 0x6E0u
#define MSR_IA32_X2APIC_BASE  0x800u /* plus the xAPIC register's offset / 16 */
#define MSR_IA32_EFER         0xC0000080u
#define MSR_STAR              0xC0000081u
#define MSR_LSTAR             0xC0000082u
#define MSR_CSTAR             0xC0000083u
#define MSR_FMASK             0xC0000084u
#define MSR_KERNEL_GS_BASE    0xC0000102u
#define MSR_TSC_AUX           0xC0000103u

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

/* The trap handler continues at 2: when the instruction at 1: faults (idt.c searches .fixups). */
#define HW_FIXUP                                                                                   \
    ".pushsection .fixups, \"a\"\n"                                                                \
    ".quad 1b, 2b\n"                                                                               \
    ".popsection"

/* False when the CPU answers with #GP: no such MSR. *value is then 0. */
static inline bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    uint32_t ok, low, high;
    __asm__ volatile("xorl %0, %0\n"
                     "1: rdmsr\n"
                     "incl %0\n"
                     "2:\n" HW_FIXUP
                     : "=&r"(ok), "=a"(low), "=d"(high)
                     : "c"(msr)
                     : "cc");
    *value = ok ? (uint64_t)high << 32 | low : 0;
    return ok;
}

/* False when the CPU answers with #GP: no such MSR, or a value that it refuses. */
static inline bool wrmsr_safe(uint32_t msr, uint64_t value)
{
    uint32_t ok;
    __asm__ volatile("xorl %0, %0\n"
                     "1: wrmsr\n"
                     "incl %0\n"
                     "2:\n" HW_FIXUP
                     : "=&r"(ok)
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "cc", "memory");
    return ok;
}

/* out: EAX EBX ECX EDX. A leaf above the highest one gives another leaf's data: check first. */
static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(subleaf));
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* Extended control register 0. The caller has checked the value; CR4.OSXSAVE is set by hw_init().
 */
static inline void write_xcr0(uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* The FPU's registers, which no compiled code of the VMM uses. The image is 512 bytes, aligned to
 * 16; an XSAVE area is aligned to 64, and `components` are bits of XCR0. */
static inline void fxsave64(void *image)
{
    __asm__ volatile("fxsave64 (%0)" : : "r"(image) : "memory");
}

static inline void fxrstor64(const void *image)
{
    __asm__ volatile("fxrstor64 (%0)" : : "r"(image) : "memory");
}

static inline void xsave64(void *area, uint64_t components)
{
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
}

static inline void xrstor64(const void *area, uint64_t components)
{
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
}

#define HW_CONTROL_REGISTER(n)                                                                     \
    static inline uint64_t read_cr##n(void)                                                        \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory");                         \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_cr##n(uint64_t value)                                                 \
    {                                                                                              \
        __asm__ volatile("mov %0, %%cr" #n : : "r"(value) : "memory");                             \
    }

#define HW_DEBUG_REGISTER(n)                                                                       \
    static inline uint64_t read_dr##n(void)                                                        \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%dr" #n ", %0" : "=r"(value) : : "memory");                         \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_dr##n(uint64_t value)                                                 \
    {                                                                                              \
        __asm__ volatile("mov %0, %%dr" #n : : "r"(value) : "memory");                             \
    }

HW_DEBUG_REGISTER(0)
HW_DEBUG_REGISTER(1)
HW_DEBUG_REGISTER(2)
HW_DEBUG_REGISTER(3)
HW_DEBUG_REGISTER(6)
HW_DEBUG_REGISTER(7)

#undef HW_DEBUG_REGISTER

/* DR0 to DR3 by number. */
static inline uint64_t read_dr(unsigned n)
{
    switch (n) {
    case 0:
        return read_dr0();
    case 1:
        return read_dr1();
    case 2:
        return read_dr2();
    default:
        return read_dr3();
    }
}

static inline void write_dr(unsigned n, uint64_t value)
{
    switch (n) {
    case 0:
        write_dr0(value);
        break;
    case 1:
        write_dr1(value);
        break;
    case 2:
        write_dr2(value);
        break;
    default:
        write_dr3(value);
        break;
    }
}

HW_CONTROL_REGISTER(0)
HW_CONTROL_REGISTER(2)
HW_CONTROL_REGISTER(3)
HW_CONTROL_REGISTER(4)

#undef HW_CONTROL_REGISTER

static inline void invlpg(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* The operand of LGDT and LIDT. */
struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static inline void lgdt(const struct descriptor_pointer *pointer)
{
    __asm__ volatile("lgdt %0" : : "m"(*pointer) : "memory");
}

static inline void lidt(const struct descriptor_pointer *pointer)
{
    __asm__ volatile("lidt %0" : : "m"(*pointer) : "memory");
}

static inline void ltr(uint16_t selector)
{
    __asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* False when the CPU has no number ready. Only where CPUID promises the instruction. */
static inline bool rdrand(uint64_t *value)
{
    bool ok;
    __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
    return ok;
}

static inline bool rdseed(uint64_t *value)
{
    bool ok;
    __asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(ok));
    return ok;
}

static inline void memory_fence(void)
{
    __asm__ volatile("mfence" : : : "memory");
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void cpu_hlt(void)
{
    __asm__ volatile("hlt" : : : "memory");
}

static inline void sti(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void cli(void)
{
    __asm__ volatile("cli" : : : "memory");
}

#endif
