/* needs: vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c */
/* The decoder against rows of the manuals; test_decode_zydis.c has the generated instructions. */
#include "emu/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static enum decode_result decode_bytes(unsigned bits, const char *bytes, size_t size,
                                       struct insn *insn)
{
    return decode_insn((const uint8_t *)bytes, size, bits, insn);
}

static void rows_of_the_manual_have_their_length(void **state)
{
    (void)state;
    static const struct {
        unsigned bits, length;
        const char *bytes;
    } rows[] = {
        {64, 2, "\x0f\xa2"},                           /* CPUID */
        {64, 1, "\xf4"},                               /* HLT */
        {64, 2, "\x0f\x30"},                           /* WRMSR */
        {64, 3, "\x0f\x01\xd1"},                       /* XSETBV */
        {64, 3, "\x0f\x22\xc0"},                       /* MOV CR0, RAX */
        {64, 4, "\x44\x0f\x20\xc0"},                   /* MOV RAX, CR8 */
        {64, 3, "\x0f\x20\x05"},                       /* MOV CRn: mod is ignored */
        {64, 3, "\x0f\x01\x38"},                       /* INVLPG [RAX] */
        {64, 2, "\xf3\x6e"},                           /* REP OUTSB */
        {64, 10, "\x48\xb8\1\2\3\4\5\6\7\x8"},         /* MOV RAX, imm64 */
        {64, 9, "\xa1\1\2\3\4\5\6\7\x8"},              /* MOV EAX, moffs64 */
        {64, 6, "\x67\xa1\1\2\3\4"},                   /* MOV EAX, moffs32 */
        {32, 4, "\x67\xa1\1\2"},                       /* MOV EAX, moffs16 */
        {16, 3, "\xa1\1\2"},                           /* MOV AX, moffs16 */
        {64, 6, "\x8b\x05\1\2\3\4"},                   /* MOV EAX, [RIP + d] */
        {32, 7, "\x8b\x04\x25\1\2\3\4"},               /* MOV EAX, [d] by SIB */
        {16, 4, "\x8b\x06\1\2"},                       /* MOV AX, [d] */
        {64, 12, "\x48\xc7\x84\x24\1\2\3\4\5\6\7\x8"}, /* MOV qword [RSP + d], imm32 */
        {64, 8, "\x49\x89\x0c\x45\1\2\3\4"},           /* MOV [RAX * 2 + d], RCX with REX.B */
        {64, 2, "\xf6\xd0"},                           /* NOT AL: no immediate */
        {64, 3, "\xf6\xc0\1"},                         /* TEST AL, imm8 */
        {32, 7, "\x9a\1\2\3\4\5\6"},                   /* CALL far */
        {32, 4, "\xc8\1\2\3"},                         /* ENTER */
        {64, 5, "\xe8\1\2\3\4"},                       /* CALL */
        {16, 3, "\xe8\1\2"},                           /* CALL */
        {32, 2, "\xc5\x10"},                           /* LDS EDX, [EAX] */
        {32, 4, "\xc5\xf8\x28\xc1"},                   /* VMOVAPS */
        {64, 3, "\xc5\xf8\x77"},                       /* VZEROUPPER */
        {64, 6, "\x62\xf1\x7c\x48\x28\xc1"},           /* VMOVAPS ZMM0, ZMM1 */
        {64, 4, "\x0f\x0f\xc1\x9e"},                   /* PFADD MM0, MM1 */
        {64, 15, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"}, /* NOP */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[INSN_MAX_LENGTH] = {0};
        struct insn insn;
        memcpy(bytes, rows[i].bytes, rows[i].length);
        assert_int_equal(decode_insn(bytes, rows[i].length, rows[i].bits, &insn), DECODE_OK);
        assert_int_equal(insn.length, rows[i].length);
        assert_int_equal(decode_insn(bytes, rows[i].length - 1, rows[i].bits, &insn),
                         DECODE_TOO_SHORT);
    }
}

static void sixteen_bytes_are_never_an_instruction(void **state)
{
    (void)state;
    struct insn insn;
    uint8_t bytes[32];
    memset(bytes, 0x66, sizeof(bytes));
    assert_int_equal(decode_insn(bytes, 14, 64, &insn), DECODE_TOO_SHORT);
    assert_int_equal(decode_insn(bytes, 15, 64, &insn), DECODE_INVALID);
    assert_int_equal(decode_insn(bytes, 32, 64, &insn), DECODE_INVALID);
    bytes[12] = 0xb8; /* MOV AX, imm16 would end with byte 14, MOV EAX, imm32 one byte too late */
    assert_int_equal(decode_insn(bytes, 32, 64, &insn), DECODE_OK);
    assert_int_equal(insn.length, 15);
    assert_int_equal(decode_insn(bytes, 13, 16, &insn), DECODE_INVALID);
}

static void undefined_opcodes_are_invalid(void **state)
{
    (void)state;
    static const uint8_t not_in_64[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37,
                                        0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea};
    static const uint8_t not_in_0f[] = {0x04, 0x0a, 0x0c, 0x24, 0x36, 0x39, 0x3f, 0x7a};
    struct insn insn;
    uint8_t bytes[INSN_MAX_LENGTH] = {0};
    for (unsigned i = 0; i < sizeof(not_in_64); i++) {
        bytes[0] = not_in_64[i];
        assert_int_equal(decode_insn(bytes, sizeof(bytes), 64, &insn), DECODE_INVALID);
        assert_int_equal(decode_insn(bytes, sizeof(bytes), 32, &insn), DECODE_OK);
    }
    bytes[0] = 0x0f;
    for (unsigned i = 0; i < sizeof(not_in_0f); i++) {
        bytes[1] = not_in_0f[i];
        assert_int_equal(decode_insn(bytes, sizeof(bytes), 64, &insn), DECODE_INVALID);
    }
    assert_int_equal(decode_bytes(64, "\x66\xc5\xf8\x28\xc1", 5, &insn), DECODE_INVALID);
    assert_int_equal(decode_bytes(64, "\x48\xc5\xf8\x28\xc1", 5, &insn), DECODE_INVALID);
    assert_int_equal(decode_bytes(64, "\x62\xf4\x7c\x48\x28\xc1", 6, &insn), DECODE_INVALID);
}

static void a_rex_prefix_counts_only_before_the_opcode(void **state)
{
    (void)state;
    struct insn insn;
    assert_int_equal(decode_bytes(64, "\x48\x66\x89\x03", 4, &insn), DECODE_OK);
    assert_int_equal(insn.mem_size, 2); /* MOV [RBX], AX */
    assert_int_equal(decode_bytes(64, "\x66\x48\x89\x03", 4, &insn), DECODE_OK);
    assert_int_equal(insn.mem_size, 8); /* MOV [RBX], RAX */
}

static void a_null_segment_override_keeps_fs_in_64_bit_code(void **state)
{
    (void)state;
    struct insn insn;
    assert_int_equal(decode_bytes(64, "\x64\x2e\x89\x03", 4, &insn), DECODE_OK);
    assert_int_equal(insn.mem.segment, INSN_FS);
    assert_int_equal(decode_bytes(32, "\x64\x2e\x89\x03", 4, &insn), DECODE_OK);
    assert_int_equal(insn.mem.segment, INSN_CS);
    assert_int_equal(decode_bytes(32, "\x89\x45\x00", 3, &insn), DECODE_OK);
    assert_int_equal(insn.mem.segment, INSN_SS);
}

static void register_forms_have_no_meaning_here(void **state)
{
    (void)state;
    struct insn insn;
    assert_int_equal(decode_bytes(64, "\x89\xc3", 2, &insn), DECODE_OK);
    assert_int_equal(insn.op, INSN_OTHER);
    assert_int_equal(insn.length, 2);
    assert_int_equal(decode_bytes(64, "\xf2\x0f\x38\xf1\x03", 5, &insn), DECODE_OK);
    assert_int_equal(insn.op, INSN_OTHER); /* CRC32, not MOVBE */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_manual_have_their_length),
        cmocka_unit_test(sixteen_bytes_are_never_an_instruction),
        cmocka_unit_test(undefined_opcodes_are_invalid),
        cmocka_unit_test(a_rex_prefix_counts_only_before_the_opcode),
        cmocka_unit_test(a_null_segment_override_keeps_fs_in_64_bit_code),
        cmocka_unit_test(register_forms_have_no_meaning_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
