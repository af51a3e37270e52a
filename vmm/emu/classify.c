/* What an instruction with a memory operand means: the second half of decode_insn(). */
#include "emu/classify.h"

/* Byte instructions are the even opcodes of both maps, with few exceptions. */
static void set_op(struct insn *insn, enum insn_op op, enum insn_form form)
{
    insn->op = op;
    insn->form = form;
    insn->mem_size = insn->opcode & 1 ? insn->operand_size : 1;
    insn->reg_size = insn->mem_size;
}

static void classify_group(struct insn *insn)
{
    unsigned number = (insn->modrm >> 3) & 7;
    switch (insn->opcode & 0xfe) {
    case 0xc6:
        if (number == 0)
            set_op(insn, INSN_MOV, INSN_FORM_MEM_IMM);
        return;
    case 0xf6:
        if (number < 2)
            set_op(insn, INSN_TEST, INSN_FORM_MEM_IMM);
        else if (number < 4)
            set_op(insn, number == 2 ? INSN_NOT : INSN_NEG, INSN_FORM_MEM);
        return;
    case 0xfe:
        if (number < 2)
            set_op(insn, number == 0 ? INSN_INC : INSN_DEC, INSN_FORM_MEM);
        return;
    }
}

/* Comparisons instead of one wide switch: its jump table would be larger than this file. */
static void classify_primary(struct insn *insn)
{
    unsigned opcode = insn->opcode;
    enum insn_form direction = opcode & 2 ? INSN_FORM_REG_MEM : INSN_FORM_MEM_REG;
    if (opcode < 0x40) {
        set_op(insn, opcode >> 3, direction); /* ADD to CMP; the rest of the rows has no ModRM */
    } else if (opcode == 0x63) {
        if (insn->code_bits != 64)
            return; /* ARPL */
        set_op(insn, INSN_MOVSX, INSN_FORM_REG_MEM);
        insn->mem_size = insn->operand_size == 2 ? 2 : 4;
    } else if (opcode < 0x80) {
        return; /* BOUND, IMUL */
    } else if (opcode < 0x84) {
        set_op(insn, (insn->modrm >> 3) & 7, INSN_FORM_MEM_IMM);
    } else if (opcode < 0x88) {
        set_op(insn, opcode < 0x86 ? INSN_TEST : INSN_XCHG, INSN_FORM_MEM_REG);
    } else if (opcode < 0x8c) {
        set_op(insn, INSN_MOV, direction);
    } else {
        classify_group(insn);
    }
}

static void classify_0f(struct insn *insn)
{
    unsigned number = (insn->modrm >> 3) & 7;
    switch (insn->opcode) {
    case 0x90 ... 0x9f:
        set_op(insn, INSN_SETCC, INSN_FORM_MEM);
        insn->mem_size = 1;
        return;
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xbb:
        set_op(insn, INSN_BT + ((insn->opcode >> 3) & 3), INSN_FORM_MEM_REG);
        return;
    case 0xba:
        if (number < 4)
            return;
        set_op(insn, INSN_BT + (number & 3), INSN_FORM_MEM_IMM);
        insn->mem_size = insn->operand_size;
        return;
    case 0xb0:
    case 0xb1:
        set_op(insn, INSN_CMPXCHG, INSN_FORM_MEM_REG);
        return;
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
        set_op(insn, insn->opcode & 8 ? INSN_MOVSX : INSN_MOVZX, INSN_FORM_REG_MEM);
        insn->mem_size = insn->opcode & 1 ? 2 : 1;
        insn->reg_size = insn->operand_size;
        return;
    case 0xc0:
    case 0xc1:
        set_op(insn, INSN_XADD, INSN_FORM_MEM_REG);
        return;
    case 0xc3: /* MOVNTI, never of 16 bits */
        if (insn->operand_size_prefix || insn->rep || insn->repne)
            return;
        set_op(insn, INSN_MOV, INSN_FORM_MEM_REG);
        insn->mem_size = insn->reg_size = insn->rex & REX_W ? 8 : 4;
        return;
    }
}

static void classify_0f38(struct insn *insn)
{
    /* Behind F2 the same numbers are CRC32. */
    if ((insn->opcode & 0xfe) != 0xf0 || insn->rep || insn->repne)
        return;
    set_op(insn, INSN_MOVBE, insn->opcode & 1 ? INSN_FORM_MEM_REG : INSN_FORM_REG_MEM);
    insn->mem_size = insn->reg_size = insn->operand_size;
}

/* Instructions whose memory operand has no ModRM byte. */
static void classify_implied(struct insn *insn)
{
    switch (insn->opcode) {
    case 0xa0 ... 0xa3:
        set_op(insn, INSN_MOV, insn->opcode & 2 ? INSN_FORM_MEM_REG : INSN_FORM_REG_MEM);
        insn->mem.displacement = insn->imm;
        return;
    case 0xa4:
    case 0xa5:
        set_op(insn, INSN_MOVS, INSN_FORM_STRING);
        return;
    case 0xa6:
    case 0xa7:
        set_op(insn, INSN_CMPS, INSN_FORM_STRING);
        return;
    case 0xaa ... 0xaf:
        set_op(insn, INSN_STOS + ((insn->opcode - 0xaa) >> 1), INSN_FORM_STRING);
        return;
    }
}

void classify_insn(struct insn *insn)
{
    if (!insn->has_modrm) {
        if (insn->map == INSN_MAP_PRIMARY)
            classify_implied(insn);
    } else if (insn_has_memory(insn)) {
        insn->reg = (uint8_t)insn_modrm_reg(insn);
        if (insn->map == INSN_MAP_PRIMARY)
            classify_primary(insn);
        else if (insn->map == INSN_MAP_0F)
            classify_0f(insn);
        else if (insn->map == INSN_MAP_0F38)
            classify_0f38(insn);
    }
    if (insn->reg_size == 1 && !insn->rex && insn->reg >= 4) {
        insn->reg_high = true;
        insn->reg &= 3;
    }
}
