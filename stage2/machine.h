/* The machine under stage 2: BIOS calls and the few instructions that C can't say. */
#ifndef STAGE2_MACHINE_H
#define STAGE2_MACHINE_H

#include "lib/types.h"

#define BIOS_CARRY 1u /* in flags: most calls report failure so */

/* entry.asm knows this layout. */
struct bios_regs {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
    uint16_t ds, es;
    uint16_t flags; /* out */
    uint16_t unused;
};

/* Runs interrupt `vector` in real mode with *regs and gives back what it left there. */
void bios_call(uint32_t vector, struct bios_regs *regs);

bool cpu_has_cpuid(void);

/* Turns paging and long mode on; returns in compatibility mode. */
void long_mode_enable(uint32_t pml4);
/* Enters 64-bit code at `entry` with RDI = boot_info. */
_Noreturn void long_mode_jump(uint32_t entry, uint32_t boot_info);

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint64_t value;
    __asm__ volatile("rdmsr" : "=A"(value) : "c"(msr));
    return value;
}

static inline uint64_t rdtsc(void)
{
    uint64_t value;
    __asm__ volatile("rdtsc" : "=A"(value));
    return value;
}

/* A BIOS table or buffer by its physical address. Reading address 0 to 4095 is meant so here, and
 * the volatile access keeps the compiler from taking it for a null pointer. */
static inline void *at(uint32_t address)
{
    __asm__("" : "+r"(address));
    return (void *)(uintptr_t)address;
}

#endif
