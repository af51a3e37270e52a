/* needs: vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c */
/* libs: -lZydis */
/* The decoder against Zydis on generated instructions. */
#include "emu/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <Zydis/Zydis.h>

/* xorshift64: the same instructions in every run. */
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static unsigned below(unsigned n)
{
    return (unsigned)(random64() >> 33) % n;
}

/* One mode's decoders and what the comparison has seen. */
struct bench {
    unsigned bits;
    ZydisDecoder zydis;
    unsigned compared, meanings, by_op[INSN_OTHER];
};

static void bench_init(struct bench *bench, unsigned bits)
{
    memset(bench, 0, sizeof(*bench));
    bench->bits = bits;
    ZydisMachineMode mode = bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                            : bits == 32 ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                                         : ZYDIS_MACHINE_MODE_LEGACY_16;
    ZydisStackWidth width = bits == 64   ? ZYDIS_STACK_WIDTH_64
                            : bits == 32 ? ZYDIS_STACK_WIDTH_32
                                         : ZYDIS_STACK_WIDTH_16;
    assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&bench->zydis, mode, width)));
}

static void report(const struct bench *bench, const uint8_t *bytes, const char *what)
{
    char text[64];
    int at = 0;
    for (unsigned i = 0; i < INSN_MAX_LENGTH; i++)
        at += snprintf(text + at, sizeof(text) - (size_t)at, " %02x", bytes[i]);
    fail_msg("%u-bit code,%s: %s", bench->bits, text, what);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            report(bench, bytes, #condition);                                                      \
    } while (0)

/* --- Meaning against Zydis -------------------------------------------------------------------- */

static const struct {
    ZydisMnemonic mnemonic;
    enum insn_op op;
} mnemonics[] = {
    {ZYDIS_MNEMONIC_ADD, INSN_ADD},      {ZYDIS_MNEMONIC_OR, INSN_OR},
    {ZYDIS_MNEMONIC_ADC, INSN_ADC},      {ZYDIS_MNEMONIC_SBB, INSN_SBB},
    {ZYDIS_MNEMONIC_AND, INSN_AND},      {ZYDIS_MNEMONIC_SUB, INSN_SUB},
    {ZYDIS_MNEMONIC_XOR, INSN_XOR},      {ZYDIS_MNEMONIC_CMP, INSN_CMP},
    {ZYDIS_MNEMONIC_BT, INSN_BT},        {ZYDIS_MNEMONIC_BTS, INSN_BTS},
    {ZYDIS_MNEMONIC_BTR, INSN_BTR},      {ZYDIS_MNEMONIC_BTC, INSN_BTC},
    {ZYDIS_MNEMONIC_MOV, INSN_MOV},      {ZYDIS_MNEMONIC_MOVNTI, INSN_MOV},
    {ZYDIS_MNEMONIC_MOVZX, INSN_MOVZX},  {ZYDIS_MNEMONIC_MOVSX, INSN_MOVSX},
    {ZYDIS_MNEMONIC_MOVSXD, INSN_MOVSX}, {ZYDIS_MNEMONIC_MOVBE, INSN_MOVBE},
    {ZYDIS_MNEMONIC_TEST, INSN_TEST},    {ZYDIS_MNEMONIC_XCHG, INSN_XCHG},
    {ZYDIS_MNEMONIC_XADD, INSN_XADD},    {ZYDIS_MNEMONIC_CMPXCHG, INSN_CMPXCHG},
    {ZYDIS_MNEMONIC_INC, INSN_INC},      {ZYDIS_MNEMONIC_DEC, INSN_DEC},
    {ZYDIS_MNEMONIC_NOT, INSN_NOT},      {ZYDIS_MNEMONIC_NEG, INSN_NEG},
    {ZYDIS_MNEMONIC_SETO, INSN_SETCC},   {ZYDIS_MNEMONIC_SETNO, INSN_SETCC},
    {ZYDIS_MNEMONIC_SETB, INSN_SETCC},   {ZYDIS_MNEMONIC_SETNB, INSN_SETCC},
    {ZYDIS_MNEMONIC_SETZ, INSN_SETCC},   {ZYDIS_MNEMONIC_SETNZ, INSN_SETCC},
    {ZYDIS_MNEMONIC_SETBE, INSN_SETCC},  {ZYDIS_MNEMONIC_SETNBE, INSN_SETCC},
    {ZYDIS_MNEMONIC_SETS, INSN_SETCC},   {ZYDIS_MNEMONIC_SETNS, INSN_SETCC},
    {ZYDIS_MNEMONIC_SETP, INSN_SETCC},   {ZYDIS_MNEMONIC_SETNP, INSN_SETCC},
    {ZYDIS_MNEMONIC_SETL, INSN_SETCC},   {ZYDIS_MNEMONIC_SETNL, INSN_SETCC},
    {ZYDIS_MNEMONIC_SETLE, INSN_SETCC},  {ZYDIS_MNEMONIC_SETNLE, INSN_SETCC},
    {ZYDIS_MNEMONIC_MOVSB, INSN_MOVS},   {ZYDIS_MNEMONIC_MOVSW, INSN_MOVS},
    {ZYDIS_MNEMONIC_MOVSD, INSN_MOVS},   {ZYDIS_MNEMONIC_MOVSQ, INSN_MOVS},
    {ZYDIS_MNEMONIC_CMPSB, INSN_CMPS},   {ZYDIS_MNEMONIC_CMPSW, INSN_CMPS},
    {ZYDIS_MNEMONIC_CMPSD, INSN_CMPS},   {ZYDIS_MNEMONIC_CMPSQ, INSN_CMPS},
    {ZYDIS_MNEMONIC_STOSB, INSN_STOS},   {ZYDIS_MNEMONIC_STOSW, INSN_STOS},
    {ZYDIS_MNEMONIC_STOSD, INSN_STOS},   {ZYDIS_MNEMONIC_STOSQ, INSN_STOS},
    {ZYDIS_MNEMONIC_LODSB, INSN_LODS},   {ZYDIS_MNEMONIC_LODSW, INSN_LODS},
    {ZYDIS_MNEMONIC_LODSD, INSN_LODS},   {ZYDIS_MNEMONIC_LODSQ, INSN_LODS},
    {ZYDIS_MNEMONIC_SCASB, INSN_SCAS},   {ZYDIS_MNEMONIC_SCASW, INSN_SCAS},
    {ZYDIS_MNEMONIC_SCASD, INSN_SCAS},   {ZYDIS_MNEMONIC_SCASQ, INSN_SCAS},
};

/* The register's number and whether it is one of AH, CH, DH, BH. */
static unsigned register_number(ZydisRegister reg, bool *high)
{
    *high = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
    if (*high)
        return reg - ZYDIS_REGISTER_AH;
    if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
        return reg - ZYDIS_REGISTER_SPL + 4;
    return (unsigned)ZydisRegisterGetId(reg);
}

/* What the instruction is, for Zydis: INSN_OTHER unless it is one of ours with a memory operand. */
static enum insn_op expected_op(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *zo)
{
    bool memory = false;
    if (zi->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return INSN_OTHER;
    for (unsigned i = 0; i < zi->operand_count; i++) {
        if (zo[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            memory = true;
        else if (zo[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                 (ZydisRegisterGetClass(zo[i].reg.value) == ZYDIS_REGCLASS_SEGMENT ||
                  ZydisRegisterGetClass(zo[i].reg.value) == ZYDIS_REGCLASS_XMM))
            return INSN_OTHER; /* MOV Sreg; MOVSD of SSE2 */
    }
    for (unsigned i = 0; memory && i < sizeof(mnemonics) / sizeof(mnemonics[0]); i++)
        if (mnemonics[i].mnemonic == zi->mnemonic)
            return mnemonics[i].op;
    return INSN_OTHER;
}

static void compare_segment(const struct bench *bench, const uint8_t *bytes, unsigned segment,
                            ZydisRegister theirs)
{
    unsigned their_segment = (unsigned)ZydisRegisterGetId(theirs);
    if (bench->bits == 64 && segment < INSN_FS)
        CHECK(their_segment < INSN_FS);
    else
        CHECK(segment == their_segment);
}

static void compare_memory(const struct bench *bench, const uint8_t *bytes, const struct insn *insn,
                           const ZydisDecodedOperand *operand)
{
    const ZydisDecodedOperandMem *theirs = &operand->mem;
    const struct insn_memory *ours = &insn->mem;
    bool ignored;
    /* SDM "MOVSX/MOVSXD": behind 66 it reads a word. Zydis, and AMD's manual, say 32 bits. */
    if (!(insn->op == INSN_MOVSX && insn->opcode == 0x63))
        CHECK(operand->size == insn->mem_size * 8);
    compare_segment(bench, bytes, ours->segment, theirs->segment);
    bool rip = theirs->base == ZYDIS_REGISTER_RIP || theirs->base == ZYDIS_REGISTER_EIP;
    CHECK(ours->rip_relative == rip);
    /* mod 0, SIB base 5 is a bare displacement, REX.B or not (SDM "32-Bit Addressing Forms with the
     * SIB Byte"); Zydis 4.0.0 gets the length right but names R13. */
    bool r13_slip = insn->modrm < 0x40 && (insn->modrm & 7) == 4 && ours->base == INSN_NO_REGISTER;
    if (r13_slip && register_number(theirs->base, &ignored) == 13)
        return;
    if (theirs->base == ZYDIS_REGISTER_NONE || rip)
        CHECK(ours->base == INSN_NO_REGISTER);
    else
        CHECK(ours->base == register_number(theirs->base, &ignored));
    if (theirs->index == ZYDIS_REGISTER_NONE) {
        CHECK(ours->index == INSN_NO_REGISTER);
    } else {
        CHECK(ours->index == register_number(theirs->index, &ignored));
        CHECK((theirs->scale ? theirs->scale : 1) == 1 << ours->scale_shift);
    }
    uint64_t mask = insn->address_size == 8 ? UINT64_MAX : (1ull << 8 * insn->address_size) - 1;
    uint64_t displacement = theirs->disp.has_displacement ? (uint64_t)theirs->disp.value : 0;
    CHECK(((uint64_t)ours->displacement & mask) == (displacement & mask));
}

static void compare_operands(const struct bench *bench, const uint8_t *bytes,
                             const struct insn *insn, const ZydisDecodedInstruction *zi,
                             const ZydisDecodedOperand *zo)
{
    bool high;
    for (unsigned i = 0; i < zi->operand_count_visible; i++) {
        if (zo[i].type == ZYDIS_OPERAND_TYPE_MEMORY) {
            compare_memory(bench, bytes, insn, &zo[i]);
        } else if (zo[i].type == ZYDIS_OPERAND_TYPE_REGISTER) {
            CHECK(insn->form == INSN_FORM_MEM_REG || insn->form == INSN_FORM_REG_MEM);
            CHECK(insn->reg == register_number(zo[i].reg.value, &high));
            CHECK(insn->reg_high == high);
            CHECK(insn->reg_size * 8 == zo[i].size);
        } else if (zo[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            CHECK(insn->form == INSN_FORM_MEM_IMM);
            bool is_bit = insn->op >= INSN_BT && insn->op <= INSN_BTC;
            unsigned size = is_bit ? 1 : insn->mem_size; /* a bit number isn't sign-extended */
            uint64_t mask = size == 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
            CHECK(((uint64_t)insn->imm & mask) == (zo[i].imm.value.u & mask));
        }
    }
    if (insn->op != INSN_XCHG && zi->operand_count_visible == 2)
        CHECK((zo[0].type == ZYDIS_OPERAND_TYPE_REGISTER) == (insn->form == INSN_FORM_REG_MEM));
}

static void compare_string(const struct bench *bench, const uint8_t *bytes, const struct insn *insn,
                           const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *zo)
{
    CHECK(insn->form == INSN_FORM_STRING);
    CHECK(insn->address_size * 8 == zi->address_width);
    for (unsigned i = 0; i < zi->operand_count; i++) {
        if (zo[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        CHECK(zo[i].size == insn->mem_size * 8);
        if (ZydisRegisterGetId(zo[i].mem.base) == 6) /* rSI; rDI goes with ES */
            compare_segment(bench, bytes, insn->mem.segment, zo[i].mem.segment);
    }
}

static void compare_meaning(struct bench *bench, const uint8_t *bytes, const struct insn *insn,
                            const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *zo)
{
    enum insn_op expected = expected_op(zi, zo);
    CHECK(insn->op == expected);
    if (expected == INSN_OTHER)
        return;
    bench->meanings++;
    bench->by_op[expected]++;
    if (expected == INSN_SETCC)
        CHECK(insn->opcode == zi->opcode);
    if (expected >= INSN_MOVS)
        compare_string(bench, bytes, insn, zi, zo);
    else
        compare_operands(bench, bytes, insn, zi, zo);
}

/* A coprocessor that never ran an OS of its own on these encodings: JKZD and its mask moves. */
static bool is_knights_corner(const ZydisDecodedInstruction *zi)
{
    return strncmp(ZydisISAExtGetString(zi->meta.isa_ext), "KNC", 3) == 0;
}

/* bytes[INSN_MAX_LENGTH]. Also walks through all shorter sizes. */
static void compare(struct bench *bench, const uint8_t *bytes)
{
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
    struct insn insn;
    if (ZYAN_FAILED(ZydisDecoderDecodeFull(&bench->zydis, bytes, INSN_MAX_LENGTH, &zi, zo)))
        return;
    if (is_knights_corner(&zi))
        return;
    bench->compared++;
    enum decode_result result = decode_insn(bytes, INSN_MAX_LENGTH, bench->bits, &insn);
    CHECK(result == DECODE_OK);
    CHECK(insn.length == zi.length);
    compare_meaning(bench, bytes, &insn, &zi, zo);
    if (bench->compared % 16 != 0)
        return;
    for (unsigned size = 0; size < zi.length; size++)
        CHECK(decode_insn(bytes, size, bench->bits, &insn) == DECODE_TOO_SHORT);
    CHECK(decode_insn(bytes, zi.length, bench->bits, &insn) == DECODE_OK);
    CHECK(insn.length == zi.length);
}

/* --- Generation ------------------------------------------------------------------------------- */

static const uint8_t prefix_bytes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26,
                                       0x2e, 0x36, 0x3e, 0x64, 0x65, 0x48};

static unsigned put_escape(uint8_t *bytes, unsigned at, unsigned map)
{
    if (map > 0)
        bytes[at++] = 0x0f;
    if (map > 1)
        bytes[at++] = map == 2 ? 0x38 : 0x3a;
    return at;
}

static void fill_random(uint8_t *bytes)
{
    uint64_t words[2] = {random64(), random64()};
    memcpy(bytes, words, INSN_MAX_LENGTH);
}

/* Every opcode with every ModRM byte, bare and behind one prefix. */
static void sweep_legacy(struct bench *bench)
{
    uint8_t bytes[16];
    for (unsigned n = 0; n < 4 * 65536; n++) {
        unsigned prefix = below(2 * sizeof(prefix_bytes));
        fill_random(bytes);
        unsigned at = 0;
        if (prefix < sizeof(prefix_bytes))
            bytes[at++] = prefix_bytes[prefix];
        at = put_escape(bytes, at, n >> 16);
        bytes[at++] = (uint8_t)(n >> 8);
        bytes[at] = (uint8_t)n;
        compare(bench, bytes);
    }
}

/* A few prefixes, an opcode of any map, a ModRM byte of any shape. */
static void random_legacy(struct bench *bench, unsigned count)
{
    uint8_t bytes[16];
    while (count--) {
        unsigned at = 0;
        fill_random(bytes);
        for (unsigned prefixes = below(5); prefixes > 0; prefixes--)
            bytes[at++] = prefix_bytes[below(sizeof(prefix_bytes))];
        if (bench->bits == 64 && below(2))
            bytes[at++] = (uint8_t)(0x40 | below(16));
        at = put_escape(bytes, at, below(3) ? 0 : 1 + below(3));
        compare(bench, bytes);
    }
}

/* VEX, EVEX and XOP with each map and opcode. */
static void random_vector(struct bench *bench, unsigned count)
{
    static const uint8_t lead[] = {0xc5, 0xc4, 0x62, 0x62, 0x8f};
    uint8_t bytes[16];
    while (count--) {
        unsigned at = 0;
        fill_random(bytes);
        if (below(4) == 0)
            bytes[at++] = prefix_bytes[5 + below(6)]; /* segments only: others are refused */
        uint8_t first = lead[below(sizeof(lead))];
        bytes[at] = first;
        unsigned map = first == 0x8f ? 8 + below(3) : 1 + below(first == 0x62 ? 6 : 3);
        if (first != 0xc5)
            bytes[at + 1] = (uint8_t)((bytes[at + 1] & 0xe0) | map);
        if (bench->bits != 64 && first != 0x8f)
            bytes[at + 1] |= 0xc0;
        if (first == 0x62) {
            bytes[at + 1] |= below(2) ? 0x10 : 0;
            bytes[at + 2] |= 0x04 | (below(2) ? 0x78 : 0);
            bytes[at + 3] &= below(2) ? 0xe8 : 0xff;
        } else if (below(2)) {
            bytes[at + (first == 0xc5 ? 1 : 2)] |= 0x78; /* vvvv unused: most forms want that */
        }
        compare(bench, bytes);
    }
}

static void agree_with_zydis(unsigned bits)
{
    static struct bench bench;
    bench_init(&bench, bits);
    sweep_legacy(&bench);
    random_legacy(&bench, 300000);
    random_vector(&bench, 500000);
    assert_true(bench.compared > 200000);
    assert_true(bench.meanings > 10000);
    for (unsigned op = 0; op < INSN_OTHER; op++)
        assert_true(bench.by_op[op] > 0);
}

static void lengths_and_meanings_agree_with_zydis_in_16_bit_code(void **state)
{
    (void)state;
    agree_with_zydis(16);
}

static void lengths_and_meanings_agree_with_zydis_in_32_bit_code(void **state)
{
    (void)state;
    agree_with_zydis(32);
}

static void lengths_and_meanings_agree_with_zydis_in_64_bit_code(void **state)
{
    (void)state;
    agree_with_zydis(64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_and_meanings_agree_with_zydis_in_16_bit_code),
        cmocka_unit_test(lengths_and_meanings_agree_with_zydis_in_32_bit_code),
        cmocka_unit_test(lengths_and_meanings_agree_with_zydis_in_64_bit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
