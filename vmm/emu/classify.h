/* What decode.c and classify.c share. */
#ifndef EMU_CLASSIFY_H
#define EMU_CLASSIFY_H

#include "emu/decode.h"

/* Fills the semantic form, mem.segment excepted, from the opcode, ModRM and sizes. */
void classify_insn(struct insn *insn);

#endif
