/* needs: vmm/emu/plain.c vmm/emu/exec.c vmm/emu/alu.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c */
/* Jumps, LEA and what isn't executed; test_exec_cpu.c compares the rest with the CPU. */
#include "emu/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint64_t gpr[16], rflags, next;

/* At RIP 400000h. */
static bool run(unsigned bits, const char *bytes, unsigned size)
{
    const struct exec_cpu cpu = {gpr, &rflags, 0x400000, NULL};
    struct insn insn;
    assert_int_equal(decode_insn((const uint8_t *)bytes, size, bits, &insn), DECODE_OK);
    assert_int_equal(insn.length, size);
    return exec_plain(&insn, &cpu, &next);
}

#define RUN(bytes) run(64, bytes, sizeof(bytes) - 1)

static void jumps_lead_where_their_displacement_says(void **state)
{
    (void)state;
    rflags = 0x40; /* ZF */
    assert_true(RUN("\x74\x10"));
    assert_int_equal(next, 0x400012);
    assert_true(RUN("\x75\x10"));
    assert_int_equal(next, 0x400002);
    assert_true(RUN("\x74\x80"));
    assert_int_equal(next, 0x3fff82);
    assert_true(RUN("\x0f\x84\x00\x01\x00\x00"));
    assert_int_equal(next, 0x400106);
    assert_true(RUN("\x0f\x85\x00\x01\x00\x00"));
    assert_int_equal(next, 0x400006);
    assert_true(RUN("\xeb\xfe"));
    assert_int_equal(next, 0x400000);
    assert_true(RUN("\xe9\x00\xff\xff\xff"));
    assert_int_equal(next, 0x3fff05);
}

static void lea_has_the_size_of_its_operand(void **state)
{
    (void)state;
    gpr[0] = 0x1111111111111111;
    gpr[12] = 0xffffffff00000003;
    assert_true(RUN("\x41\x8d\x84\x24\xfc\x0c\x00\x00")); /* lea eax, [r12 + cfch] */
    assert_int_equal(gpr[0], 0xcff);
    assert_true(RUN("\x48\x8d\x05\x10\x00\x00\x00")); /* lea rax, [rip + 16] */
    assert_int_equal(gpr[0], 0x400017);
    gpr[0] = 0x1111111111111111;
    assert_true(RUN("\x66\x41\x8d\x44\x24\x01"));
    assert_int_equal(gpr[0], 0x1111111111110004);
}

static void what_it_does_not_know_touches_nothing(void **state)
{
    (void)state;
    static const struct {
        unsigned bits, size;
        const char *bytes;
    } rows[] = {
        {32, 2, "\x89\xc3"},     /* not 64-bit code */
        {64, 2, "\xf3\x90"},     /* PAUSE */
        {64, 2, "\x41\x90"},     /* XCHG R8D, EAX */
        {64, 2, "\x87\xc3"},     /* XCHG */
        {64, 3, "\x0f\xab\xc3"}, /* BTS */
        {64, 3, "\x0f\xc3\xc3"}, /* MOVNTI, never with a register */
        {64, 3, "\x0f\xb1\xc3"}, /* CMPXCHG */
        {64, 3, "\xc1\xe0\x03"}, /* SHL */
        {64, 2, "\xff\xe0"},     /* JMP RAX */
        {64, 2, "\xff\xd0"},     /* CALL RAX */
        {64, 2, "\x8e\xd8"},     /* MOV DS, EAX */
        {64, 1, "\x50"},         /* PUSH RAX */
        {64, 1, "\xfb"},         /* STI */
        {64, 2, "\x89\x03"},     /* memory */
        {64, 3, "\x66\xeb\x00"}, /* a jump with a prefix in which vendors differ */
        {64, 3, "\xf2\x74\x00"},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t before[16];
        for (unsigned n = 0; n < 16; n++)
            gpr[n] = before[n] = 0x0123456789abcdef * (n + 1);
        rflags = 0x8d7;
        assert_false(run(rows[i].bits, rows[i].bytes, rows[i].size));
        assert_memory_equal(gpr, before, sizeof(gpr));
        assert_int_equal(rflags, 0x8d7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jumps_lead_where_their_displacement_says),
        cmocka_unit_test(lea_has_the_size_of_its_operand),
        cmocka_unit_test(what_it_does_not_know_touches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
