/* Arithmetic of 1, 2, 4 and 8 bytes with the flags that the manual defines for it. */
#ifndef EMU_ALU_H
#define EMU_ALU_H

#include "emu/decode.h"

/* INSN_ADD to INSN_CMP, INSN_TEST (as AND), INSN_INC, INSN_DEC, INSN_NOT and INSN_NEG of a and b,
 * both zero-extended from `size` bytes; the one-operand ones ignore b. Updates the status flags in
 * *rflags (AF, undefined after AND, OR, XOR and TEST, becomes 0 as on CPUs). CMP gives a - b. */
uint64_t alu_compute(enum insn_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags);

/* BT, BTS, BTR, BTC of bit `bit` (below 8 * size); only CF changes. */
uint64_t alu_bit(enum insn_op op, uint64_t a, unsigned bit, uint64_t *rflags);

/* The condition cc, 0-15, as Jcc and SETcc encode it. */
bool alu_condition(unsigned cc, uint64_t rflags);

#endif
