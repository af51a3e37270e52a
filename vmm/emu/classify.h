/* What decode.c and classify.c share. */
#ifndef EMU_CLASSIFY_H
#define EMU_CLASSIFY_H

#include "emu/decode.h"

#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

static inline bool insn_has_memory(const struct insn *insn)
{
    return insn->has_modrm && insn->modrm < 0xc0;
}

/* Fills the semantic form, mem.segment excepted, from the opcode, ModRM and sizes. */
void classify_insn(struct insn *insn);

#endif
