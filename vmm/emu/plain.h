/*
 * Executes an instruction that touches nothing but registers, flags and RIP: what stands between
 * two accesses to a device in a driver's code.
 */
#ifndef EMU_PLAIN_H
#define EMU_PLAIN_H

#include "emu/exec.h"

/* 64-bit code only: MOV, MOVZX, MOVSX, arithmetic, comparisons among registers and immediates; LEA;
 * jumps by a displacement; NOP. *next: the RIP behind it. False: not one of these, and nothing was
 * touched. cpu->memory isn't used. */
bool exec_plain(const struct insn *insn, const struct exec_cpu *cpu, uint64_t *next);

#endif
