/* The machine under stage 2: BIOS calls, and memory by its physical address. */
#ifndef STAGE2_MACHINE_H
#define STAGE2_MACHINE_H

#include "cpu.h"
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

/* Switches SSE on: every CPU with long mode has it, and a BIOS leaves it off. */
void cpu_enable_sse(void);

/* Turns paging and long mode on; returns in compatibility mode. */
void long_mode_enable(uint32_t pml4);
/* Enters 64-bit code at `entry` with RDI = boot_info. */
_Noreturn void long_mode_jump(uint32_t entry, uint32_t boot_info);

/* A BIOS table or buffer by its physical address. Reading address 0 to 4095 is meant so here, and
 * the volatile access keeps the compiler from taking it for a null pointer. */
static inline void *at(uint32_t address)
{
    __asm__("" : "+r"(address));
    return (void *)(uintptr_t)address;
}

#endif
