/*
 * The opcode maps of SDM "One-Byte, Two-Byte, and Three-Byte Opcode Maps" and APM3 "Opcode and
 * Operand Encodings", reduced to lengths. Maps 0F 38 and 0F 3A need no table: each of their opcodes
 * has a ModRM byte, and each of 0F 3A an immediate byte.
 *
 * Prefixes and escapes have entries that nobody reads: the decoder sees them first.
 */
#include "emu/opcodes.h"

#define __ 0
#define M_ OPCODE_MODRM
#define MB (OPCODE_MODRM | IMM_B)
#define MZ (OPCODE_MODRM | IMM_Z)
#define B_ IMM_B
#define W_ IMM_W
#define WB IMM_WB
#define Z_ IMM_Z
#define V_ IMM_V
#define J_ IMM_J
#define O_ IMM_O
#define GB (OPCODE_MODRM | IMM_G3B)
#define GZ (OPCODE_MODRM | IMM_G3Z)
#define MS (OPCODE_MODRM | IMM_SSE4A)
#define n_ OPCODE_NOT64
#define nM (OPCODE_NOT64 | OPCODE_MODRM)
#define nB (OPCODE_NOT64 | IMM_B)
#define nG (OPCODE_NOT64 | OPCODE_MODRM | IMM_B)
#define nA (OPCODE_NOT64 | IMM_AP)
#define C_ (OPCODE_MODRM | OPCODE_MOV_CR)
#define X_ OPCODE_UNDEFINED

/* clang-format off */
const uint8_t opcode_map_primary[256] = {
    /*      0   1   2   3   4   5   6   7   8   9   A   B   C   D   E   F */
    /* 0 */ M_, M_, M_, M_, B_, Z_, n_, n_, M_, M_, M_, M_, B_, Z_, n_, __,
    /* 1 */ M_, M_, M_, M_, B_, Z_, n_, n_, M_, M_, M_, M_, B_, Z_, n_, n_,
    /* 2 */ M_, M_, M_, M_, B_, Z_, __, n_, M_, M_, M_, M_, B_, Z_, __, n_,
    /* 3 */ M_, M_, M_, M_, B_, Z_, __, n_, M_, M_, M_, M_, B_, Z_, __, n_,
    /* 4 */ __, __, __, __, __, __, __, __, __, __, __, __, __, __, __, __,
    /* 5 */ __, __, __, __, __, __, __, __, __, __, __, __, __, __, __, __,
    /* 6 */ n_, n_, nM, M_, __, __, __, __, Z_, MZ, B_, MB, __, __, __, __,
    /* 7 */ B_, B_, B_, B_, B_, B_, B_, B_, B_, B_, B_, B_, B_, B_, B_, B_,
    /* 8 */ MB, MZ, nG, MB, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
    /* 9 */ __, __, __, __, __, __, __, __, __, __, nA, __, __, __, __, __,
    /* A */ O_, O_, O_, O_, __, __, __, __, B_, Z_, __, __, __, __, __, __,
    /* B */ B_, B_, B_, B_, B_, B_, B_, B_, V_, V_, V_, V_, V_, V_, V_, V_,
    /* C */ MB, MB, W_, __, nM, nM, MB, MZ, WB, __, W_, __, __, B_, n_, __,
    /* D */ M_, M_, M_, M_, nB, nB, n_, __, M_, M_, M_, M_, M_, M_, M_, M_,
    /* E */ B_, B_, B_, B_, B_, B_, B_, B_, J_, J_, nA, B_, __, __, __, __,
    /* F */ __, __, __, __, __, __, GB, GZ, __, __, __, __, __, __, M_, M_,
};

const uint8_t opcode_map_0f[256] = {
    /*      0   1   2   3   4   5   6   7   8   9   A   B   C   D   E   F */
    /* 0 */ M_, M_, M_, M_, X_, __, __, __, __, __, X_, __, X_, M_, __, MB,
    /* 1 */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
    /* 2 */ C_, C_, C_, C_, X_, X_, X_, X_, M_, M_, M_, M_, M_, M_, M_, M_,
    /* 3 */ __, __, __, __, __, __, X_, __, __, X_, __, X_, X_, X_, X_, X_,
    /* 4 */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
    /* 5 */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
    /* 6 */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
    /* 7 */ MB, MB, MB, MB, M_, M_, M_, __, MS, M_, X_, X_, M_, M_, M_, M_,
    /* 8 */ J_, J_, J_, J_, J_, J_, J_, J_, J_, J_, J_, J_, J_, J_, J_, J_,
    /* 9 */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
    /* A */ __, __, __, M_, MB, M_, M_, M_, __, __, __, M_, MB, M_, M_, M_,
    /* B */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, MB, M_, M_, M_, M_, M_,
    /* C */ M_, M_, MB, M_, MB, MB, MB, M_, __, __, __, __, __, __, __, __,
    /* D */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
    /* E */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
    /* F */ M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_, M_,
};
/* clang-format on */

uint8_t opcode_vex_0f(uint8_t opcode)
{
    switch (opcode) {
    case 0x70 ... 0x73: /* PSHUF, the shift groups */
    case 0xc2:          /* CMPPS and its kin */
    case 0xc4 ... 0xc6: /* PINSRW, PEXTRW, SHUFPS */
        return MB;
    case 0x77: /* VZEROUPPER, VZEROALL */
        return __;
    default:
        return M_;
    }
}
