/*
 * One x86 instruction, decoded: its length for every instruction of the general-purpose, x87, SSE,
 * AVX, AVX-512 and XOP sets, and the meaning of the integer instructions that have a memory
 * operand, which is what a device driver uses to touch its registers.
 *
 * Pure: bytes in, a struct out. The bytes are a guest's and may be anything.
 *
 * Not modelled: whatever makes the CPU refuse an encoding beyond what its length depends on (LOCK
 * where it isn't allowed, LEA with a register, unassigned numbers in an opcode group or in maps
 * 0F 38 and 0F 3A). Such bytes may give DECODE_OK with INSN_OTHER or, under LOCK, the plain
 * instruction: the caller comes from a VM exit, so the CPU has executed them already.
 */
#ifndef EMU_DECODE_H
#define EMU_DECODE_H

#include "lib/types.h"

#define INSN_MAX_LENGTH 15

enum decode_result {
    DECODE_OK,
    DECODE_INVALID,  /* no bytes behind these make an instruction of them */
    DECODE_TOO_SHORT /* more bytes are needed: never given for INSN_MAX_LENGTH bytes */
};

/* The first eight are in the order of the encoding, group 1 and opcodes 00-3Fh alike. */
enum insn_op {
    INSN_ADD,
    INSN_OR,
    INSN_ADC,
    INSN_SBB,
    INSN_AND,
    INSN_SUB,
    INSN_XOR,
    INSN_CMP,
    INSN_BT, /* BT to BTC also in the order of the encoding */
    INSN_BTS,
    INSN_BTR,
    INSN_BTC,
    INSN_MOV,
    INSN_MOVZX,
    INSN_MOVSX, /* MOVSXD too */
    INSN_MOVBE,
    INSN_TEST,
    INSN_XCHG,
    INSN_XADD,
    INSN_CMPXCHG,
    INSN_INC,
    INSN_DEC,
    INSN_NOT,
    INSN_NEG,
    INSN_SETCC, /* condition: the low nibble of insn.opcode */
    INSN_MOVS,
    INSN_CMPS,
    INSN_STOS,
    INSN_LODS,
    INSN_SCAS,
    INSN_OTHER /* only the length is known */
};

enum insn_form {
    INSN_FORM_NONE,
    INSN_FORM_MEM_REG, /* destination memory, source register */
    INSN_FORM_REG_MEM,
    INSN_FORM_MEM_IMM,
    INSN_FORM_MEM,
    INSN_FORM_STRING /* addresses are implied: segment:rSI and ES:rDI */
};

/* In the order of the encoding. */
enum insn_segment { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS };

#define INSN_NO_REGISTER 0xff

#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

/* The memory operand. In 64-bit code ES, CS, SS and DS have base 0, and their override prefixes
 * are ignored. */
struct insn_memory {
    uint8_t segment;     /* enum insn_segment */
    uint8_t base, index; /* 0-15 or INSN_NO_REGISTER */
    uint8_t scale_shift; /* 0-3 */
    bool rip_relative;   /* the displacement counts from the next instruction */
    int64_t displacement;
};

struct insn {
    uint8_t length; /* 1-15 */
    uint8_t code_bits;
    uint8_t map; /* enum insn_map */
    uint8_t opcode;
    uint8_t modrm;
    bool has_modrm;
    bool rep, repne; /* F3, F2: the last one counts */
    bool lock, operand_size_prefix;
    uint8_t rex;          /* 0 where there is none */
    uint8_t address_size; /* 2, 4, 8 bytes */
    uint8_t operand_size; /* 2, 4, 8 bytes: the instruction's, were it not a byte instruction */
    uint8_t imm_size;     /* 0-8 bytes */

    /* The semantic form; op is INSN_OTHER and the rest means nothing where there is none. */
    uint8_t op;       /* enum insn_op */
    uint8_t form;     /* enum insn_form */
    uint8_t mem_size; /* bytes of the memory operand */
    uint8_t reg;      /* the register operand, 0-15 */
    uint8_t reg_size;
    bool reg_high; /* AH, CH, DH, BH: bits 15:8 of registers 0-3 */
    int64_t imm;   /* sign-extended */
    struct insn_memory mem;
};

enum insn_map {
    INSN_MAP_PRIMARY,
    INSN_MAP_0F,
    INSN_MAP_0F38,
    INSN_MAP_0F3A,
    INSN_MAP_VECTOR /* VEX, EVEX, XOP */
};

static inline bool insn_has_memory(const struct insn *insn)
{
    return insn->has_modrm && insn->modrm < 0xc0;
}

/* The two register numbers of a ModRM byte, 0-15: the reg field with REX.R, the rm field with
 * REX.B. */
static inline unsigned insn_modrm_reg(const struct insn *insn)
{
    return (insn->modrm >> 3 & 7u) | (insn->rex & REX_R ? 8 : 0);
}

static inline unsigned insn_modrm_rm(const struct insn *insn)
{
    return (insn->modrm & 7u) | (insn->rex & REX_B ? 8 : 0);
}

/* Decodes the instruction at bytes[0]; size may exceed INSN_MAX_LENGTH. code_bits: 16, 32 or 64.
 * *insn is valid for DECODE_OK only. */
enum decode_result decode_insn(const uint8_t *bytes, size_t size, unsigned code_bits,
                               struct insn *insn);

#endif
