/* What follows each opcode, one byte an entry: a ModRM byte, an immediate, or nothing. */
#ifndef EMU_OPCODES_H
#define EMU_OPCODES_H

#include "lib/types.h"

/* Low nibble: the immediate. The letters are those of SDM "Codes for Operand Type". */
enum opcode_imm {
    IMM_NONE,
    IMM_B,     /* one byte */
    IMM_W,     /* two bytes */
    IMM_WB,    /* ENTER: two bytes and one */
    IMM_Z,     /* two or four bytes, by operand size */
    IMM_V,     /* two, four or eight bytes, by operand size */
    IMM_J,     /* branch displacement: IMM_Z, but always four bytes in 64-bit code */
    IMM_AP,    /* far pointer: IMM_Z and a selector */
    IMM_O,     /* an address as wide as the address size, without ModRM */
    IMM_G3B,   /* F6: a byte for TEST only (ModRM.reg 0 and 1) */
    IMM_G3Z,   /* F7: IMM_Z for TEST only */
    IMM_SSE4A, /* 0F 78: two bytes behind 66 or F2 (EXTRQ, INSERTQ), none in VMREAD */
    IMM_D      /* XOP map 0Ah: always four bytes */
};

#define OPCODE_IMM(entry) ((entry)&0x0f)
#define OPCODE_MODRM      0x10
#define OPCODE_NOT64      0x20 /* undefined in 64-bit code */
#define OPCODE_UNDEFINED  0x40
#define OPCODE_MOV_CR     0x80 /* ModRM names registers whatever its mod field says */

extern const uint8_t opcode_map_primary[256];
extern const uint8_t opcode_map_0f[256];

/* The VEX and EVEX forms of map 0F: not the legacy map's immediates (0F A4, for one, is free). */
uint8_t opcode_vex_0f(uint8_t opcode);

#endif
