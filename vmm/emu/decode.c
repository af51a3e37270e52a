#include "emu/decode.h"

#include "emu/classify.h"
#include "emu/opcodes.h"

/* How far the decoder has come, and the first reason to stop. */
struct cursor {
    const uint8_t *bytes;
    size_t size;
    unsigned at;
    enum decode_result result;
};

/* Steps over n bytes and gives where they are; NULL, with the reason kept, where there aren't n. */
static const uint8_t *take(struct cursor *c, unsigned n)
{
    if (c->result != DECODE_OK)
        return NULL;
    if (c->at + n > INSN_MAX_LENGTH) {
        c->result = DECODE_INVALID;
        return NULL;
    }
    if (c->at + n > c->size) {
        c->result = DECODE_TOO_SHORT;
        return NULL;
    }
    const uint8_t *p = c->bytes + c->at;
    c->at += n;
    return p;
}

static uint8_t take_byte(struct cursor *c)
{
    const uint8_t *p = take(c, 1);
    return p ? *p : 0;
}

/* A little-endian number of n bytes (0-8), sign-extended. */
static int64_t take_signed(struct cursor *c, unsigned n)
{
    const uint8_t *p = take(c, n);
    if (!p || n == 0)
        return 0;
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++)
        value |= (uint64_t)p[i] << (8 * i);
    unsigned shift = 64 - 8 * n;
    return (int64_t)(value << shift) >> shift;
}

/* --- Prefixes --------------------------------------------------------------------------------- */

struct prefixes {
    bool address_size;
    uint8_t segment; /* INSN_NO_REGISTER where there is none */
};

/* False when the byte isn't a legacy prefix. */
static bool apply_prefix(struct insn *insn, struct prefixes *p, uint8_t byte)
{
    if ((byte & 0xe7) == 0x26) { /* 26, 2E, 36, 3E */
        /* "Segment Override Prefixes" of 64-bit mode: these four don't even undo FS or GS. */
        if (insn->code_bits != 64)
            p->segment = (byte >> 3) & 3;
    } else if ((byte & 0xfe) == 0x64) {
        p->segment = INSN_FS + (byte & 1);
    } else if (byte == 0x66) {
        insn->operand_size_prefix = true;
    } else if (byte == 0x67) {
        p->address_size = true;
    } else if (byte == 0xf0) {
        insn->lock = true;
    } else if ((byte & 0xfe) == 0xf2) {
        insn->repne = byte == 0xf2;
        insn->rep = byte == 0xf3;
    } else {
        return false;
    }
    return true;
}

/* Consumes prefixes and gives the byte behind them. */
static uint8_t take_prefixes(struct cursor *c, struct insn *insn, struct prefixes *p)
{
    for (;;) {
        uint8_t byte = take_byte(c);
        if (c->result != DECODE_OK)
            return 0;
        if (insn->code_bits == 64 && (byte & 0xf0) == 0x40) {
            insn->rex = byte;
        } else if (apply_prefix(insn, p, byte)) {
            insn->rex = 0; /* REX counts only directly before the opcode */
        } else {
            return byte;
        }
    }
}

static void set_sizes(struct insn *insn, const struct prefixes *p)
{
    bool wide = (insn->code_bits != 16) != insn->operand_size_prefix;
    if (insn->rex & REX_W)
        insn->operand_size = 8;
    else if (insn->code_bits == 64)
        insn->operand_size = insn->operand_size_prefix ? 2 : 4;
    else
        insn->operand_size = wide ? 4 : 2;

    if (insn->code_bits == 64)
        insn->address_size = p->address_size ? 4 : 8;
    else
        insn->address_size = (insn->code_bits == 32) != p->address_size ? 4 : 2;
}

/* --- VEX, EVEX, XOP --------------------------------------------------------------------------- */

/* Consumes the rest of a vector prefix and the opcode; gives the opcode's table entry. */
static uint8_t take_vector(struct cursor *c, struct insn *insn, uint8_t prefix)
{
    uint8_t payload = take_byte(c);
    unsigned map = 1;
    if (prefix == 0x62) {
        map = payload & 0x0f; /* bit 3 must be 0: no such map */
        const uint8_t *rest = take(c, 2);
        if (rest && !(rest[0] & 0x04))
            c->result = DECODE_INVALID;
    } else if (prefix != 0xc5) {
        map = payload & 0x1f;
        take(c, 1);
    }
    insn->map = INSN_MAP_VECTOR;
    insn->opcode = take_byte(c);
    if (insn->lock || insn->rep || insn->repne || insn->operand_size_prefix || insn->rex)
        return OPCODE_UNDEFINED;
    switch (map) {
    case 1:
        return opcode_vex_0f(insn->opcode);
    case 2:
        return OPCODE_MODRM;
    case 3:
        return OPCODE_MODRM | IMM_B;
    case 5:
    case 6:
        return prefix == 0x62 ? OPCODE_MODRM : OPCODE_UNDEFINED; /* AVX512-FP16 */
    case 8:
        return prefix == 0x8f ? OPCODE_MODRM | IMM_B : OPCODE_UNDEFINED;
    case 9:
        return prefix == 0x8f ? OPCODE_MODRM : OPCODE_UNDEFINED;
    case 10:
        return prefix == 0x8f ? OPCODE_MODRM | IMM_D : OPCODE_UNDEFINED;
    default:
        return OPCODE_UNDEFINED;
    }
}

/* Whether `byte` begins a vector prefix: outside of 64-bit code BOUND, LES and LDS share the
 * numbers (they can't have a register operand), and POP shares XOP's. */
static bool is_vector_prefix(struct cursor *c, unsigned code_bits, uint8_t byte)
{
    if (byte != 0x62 && byte != 0xc4 && byte != 0xc5 && byte != 0x8f)
        return false;
    if (byte != 0x8f && code_bits == 64)
        return true;
    uint8_t next = take_byte(c);
    if (c->result != DECODE_OK)
        return false;
    c->at--;
    return byte == 0x8f ? (next & 0x1f) >= 8 : (next & 0xc0) == 0xc0;
}

/* --- Opcode, ModRM, immediate ----------------------------------------------------------------- */

/* Consumes the opcode, whose first byte is given, and gives its table entry. */
static uint8_t take_opcode(struct cursor *c, struct insn *insn, uint8_t byte)
{
    if (is_vector_prefix(c, insn->code_bits, byte))
        return take_vector(c, insn, byte);
    insn->opcode = byte;
    if (byte != 0x0f)
        return opcode_map_primary[byte];
    insn->map = INSN_MAP_0F;
    insn->opcode = take_byte(c);
    if (insn->opcode == 0x38) {
        insn->map = INSN_MAP_0F38;
        insn->opcode = take_byte(c);
        return OPCODE_MODRM;
    }
    if (insn->opcode == 0x3a) {
        insn->map = INSN_MAP_0F3A;
        insn->opcode = take_byte(c);
        return OPCODE_MODRM | IMM_B;
    }
    return opcode_map_0f[insn->opcode];
}

/* SDM "16-Bit Addressing Forms with the ModR/M Byte". */
static void take_memory16(struct cursor *c, struct insn *insn)
{
    static const uint8_t base[8] = {3, 3, 5, 5, 6, 7, 5, 3}; /* BX BX BP BP SI DI BP BX */
    static const uint8_t index[4] = {6, 7, 6, 7};
    struct insn_memory *mem = &insn->mem;
    unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;
    mem->base = base[rm];
    if (rm < 4)
        mem->index = index[rm];
    if (mod == 0 && rm == 6)
        mem->base = INSN_NO_REGISTER;
    if (mod == 2 || mem->base == INSN_NO_REGISTER)
        mem->displacement = take_signed(c, 2);
    else if (mod == 1)
        mem->displacement = take_signed(c, 1);
}

/* SDM "32-Bit Addressing Forms with the ModR/M Byte" and "... with the SIB Byte". */
static void take_memory32(struct cursor *c, struct insn *insn)
{
    struct insn_memory *mem = &insn->mem;
    unsigned mod = insn->modrm >> 6, rm = insn->modrm & 7;
    unsigned base = rm;
    if (rm == 4) {
        uint8_t sib = take_byte(c);
        unsigned index = ((sib >> 3) & 7) | (insn->rex & REX_X ? 8 : 0);
        base = sib & 7;
        mem->scale_shift = sib >> 6;
        if (index != 4)
            mem->index = (uint8_t)index;
    }
    bool no_base = mod == 0 && base == 5;
    if (!no_base)
        mem->base = (uint8_t)(base | (insn->rex & REX_B ? 8 : 0));
    mem->rip_relative = no_base && rm == 5 && insn->code_bits == 64;
    if (mod == 2 || no_base)
        mem->displacement = take_signed(c, 4);
    else if (mod == 1)
        mem->displacement = take_signed(c, 1);
}

static void take_modrm(struct cursor *c, struct insn *insn, uint8_t entry)
{
    insn->has_modrm = true;
    insn->modrm = take_byte(c);
    if (entry & OPCODE_MOV_CR)
        insn->modrm |= 0xc0;
    if (!insn_has_memory(insn))
        return;
    if (insn->address_size == 2)
        take_memory16(c, insn);
    else
        take_memory32(c, insn);
}

static unsigned imm_size(const struct insn *insn, unsigned imm)
{
    unsigned z = insn->operand_size == 2 ? 2 : 4;
    bool is_test = !(insn->modrm & 0x30);
    switch (imm) {
    case IMM_B:
        return 1;
    case IMM_W:
        return 2;
    case IMM_WB:
        return 3;
    case IMM_Z:
        return z;
    case IMM_V:
        return insn->operand_size;
    case IMM_J:
        /* Intel's rule; AMD lets 66 shorten a near branch. No near branch touches a device. */
        return insn->code_bits == 64 ? 4 : z;
    case IMM_AP:
        return z + 2;
    case IMM_O:
        return insn->address_size;
    case IMM_G3B:
        return is_test ? 1 : 0;
    case IMM_G3Z:
        return is_test ? z : 0;
    case IMM_SSE4A:
        return insn->operand_size_prefix || insn->repne ? 2 : 0;
    case IMM_D:
        return 4;
    default:
        return 0;
    }
}

static uint8_t effective_segment(const struct insn *insn, const struct prefixes *p)
{
    if (p->segment != INSN_NO_REGISTER)
        return p->segment;
    return insn->mem.base == 4 || insn->mem.base == 5 ? INSN_SS : INSN_DS;
}

enum decode_result decode_insn(const uint8_t *bytes, size_t size, unsigned code_bits,
                               struct insn *insn)
{
    struct cursor c = {.bytes = bytes, .size = size, .result = DECODE_OK};
    struct prefixes p = {.segment = INSN_NO_REGISTER};
    *insn = (struct insn){
        .code_bits = (uint8_t)code_bits,
        .op = INSN_OTHER,
        .mem = {.base = INSN_NO_REGISTER, .index = INSN_NO_REGISTER},
    };
    uint8_t first = take_prefixes(&c, insn, &p);
    if (c.result != DECODE_OK)
        return c.result;
    set_sizes(insn, &p);
    uint8_t entry = take_opcode(&c, insn, first);
    if (c.result != DECODE_OK)
        return c.result;
    if ((entry & OPCODE_UNDEFINED) || (code_bits == 64 && (entry & OPCODE_NOT64)))
        return DECODE_INVALID;
    if (entry & OPCODE_MODRM)
        take_modrm(&c, insn, entry);
    insn->imm_size = (uint8_t)imm_size(insn, OPCODE_IMM(entry));
    insn->imm = take_signed(&c, insn->imm_size);
    if (c.result != DECODE_OK)
        return c.result;
    insn->length = (uint8_t)c.at;
    insn->mem.segment = effective_segment(insn, &p);
    classify_insn(insn);
    return DECODE_OK;
}
