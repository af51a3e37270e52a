/* needs: vmm/emu/exec.c vmm/emu/alu.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c */
/* What the executor promises about faults, REP and addresses; test_exec_cpu.c compares results. */
#include "emu/exec.h"

#include "exec_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Decodes `bytes` and gives a state with RBX, RSI and RDI in a memory at 0x2000. */
static struct insn prepare(unsigned bits, const char *bytes, size_t size, struct state *state,
                           struct fake_memory *fake)
{
    struct insn insn;
    assert_int_equal(decode_insn((const uint8_t *)bytes, size, bits, &insn), DECODE_OK);
    memset(state, 0, sizeof(*state));
    state->gpr[3] = 0x2000;
    state->gpr[6] = 0x2000;
    state->gpr[7] = 0x2100;
    state->rflags = 2;
    *fake = (struct fake_memory){.base = 0x2000, .bytes = state->memory};
    return insn;
}

static void a_refused_access_changes_no_register_and_no_flag(void **unused)
{
    (void)unused;
    static const struct {
        unsigned size;
        const char *bytes;
    } cases[] = {
        {2, "\x8b\x03"},     {2, "\x01\x03"},     {2, "\x03\x03"},     {2, "\x87\x03"},
        {3, "\x0f\xc1\x03"}, {3, "\x0f\xb1\x03"}, {2, "\xff\x03"},     {3, "\x0f\xab\x03"},
        {1, "\xa4"},         {1, "\xa6"},         {1, "\xae"},         {1, "\xac"},
        {1, "\xaa"},         {2, "\x89\x03"},     {3, "\x0f\x95\x03"}, {2, "\xf3\xa4"},
    };
    static struct state before, after;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_memory fake;
        struct insn insn = prepare(64, cases[i].bytes, cases[i].size, &after, &fake);
        after.gpr[0] = 0x11;
        after.gpr[1] = 5;
        memset(after.memory, 0x77, ARENA_SIZE);
        before = after;
        fake.refuse_read = fake.refuse_write = true;
        assert_int_equal(run_emulated(&after, &fake, &insn, 8), EXEC_ABORTED);
        assert_memory_equal(&before, &after, sizeof(before));
        fake.refuse_read = false;
        enum exec_result result = run_emulated(&after, &fake, &insn, 8);
        assert_int_equal(result, fake.writes ? EXEC_ABORTED : EXEC_DONE);
        if (fake.writes)
            assert_memory_equal(&before, &after, sizeof(before));
    }
}

static void a_read_for_update_happens_only_after_the_write_was_checked(void **unused)
{
    (void)unused;
    static const struct {
        unsigned size;
        const char *bytes;
    } cases[] = {{2, "\x01\x03"},     {2, "\x87\x03"}, {3, "\x0f\xc1\x03"}, {3, "\x0f\xb1\x03"},
                 {3, "\x0f\xab\x03"}, {2, "\xf7\x13"}, {1, "\xa4"},         {2, "\xf3\xa5"}};
    static struct state state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_memory fake;
        struct insn insn = prepare(64, cases[i].bytes, cases[i].size, &state, &fake);
        state.gpr[1] = 1;
        fake.refuse_check = true;
        assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_ABORTED);
        assert_int_equal(fake.reads, 0);
        fake.refuse_check = false;
        assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_DONE);
        assert_true(fake.checked_before_read);
    }
}

static void reads_only_do_not_ask_for_write_permission(void **unused)
{
    (void)unused;
    static const char *const cases[] = {"\x39\x03\x90", "\x85\x03\x90", "\x0f\xa3\x03",
                                        "\x03\x03\x90", "\xac\x90\x90", "\xa6\x90\x90"};
    static struct state state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_memory fake;
        struct insn insn = prepare(64, cases[i], 3, &state, &fake);
        fake.refuse_check = fake.refuse_write = true;
        assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_DONE);
        assert_int_equal(fake.checks + fake.writes, 0);
    }
}

static void a_long_rep_stops_and_continues_where_it_was(void **unused)
{
    (void)unused;
    static struct state state;
    struct fake_memory fake;
    struct insn insn = prepare(64, "\xf3\xa5", 2, &state, &fake); /* REP MOVSD */
    for (unsigned i = 0; i < 80; i++)
        state.memory[i] = (uint8_t)(i + 1);
    state.gpr[1] = 20;
    assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_AGAIN);
    assert_int_equal(state.gpr[1], 12);
    assert_int_equal(state.gpr[6], 0x2020);
    assert_int_equal(state.gpr[7], 0x2120);
    assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_AGAIN);
    assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_DONE);
    assert_int_equal(state.gpr[1], 0);
    assert_memory_equal(state.memory, state.memory + 0x100, 80);
    assert_int_equal(fake.writes, 20);
}

static void a_rep_that_faults_keeps_the_iterations_before(void **unused)
{
    (void)unused;
    static struct state state;
    struct fake_memory fake;
    struct insn insn = prepare(64, "\xf3\xab", 2, &state, &fake); /* REP STOSD */
    state.gpr[7] = 0x2000 + ARENA_SIZE - 12;
    state.gpr[1] = 5;
    assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_ABORTED);
    assert_int_equal(state.gpr[1], 2);
    assert_int_equal(state.gpr[7], 0x2000 + ARENA_SIZE);
}

static void a_rep_of_nothing_touches_nothing(void **unused)
{
    (void)unused;
    static struct state state;
    struct fake_memory fake;
    struct insn insn = prepare(64, "\xf3\xa5", 2, &state, &fake);
    assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_DONE);
    assert_int_equal(fake.reads + fake.writes + fake.checks, 0);
    assert_int_equal(state.gpr[6], 0x2000);
}

static void addresses_wrap_at_the_address_size(void **unused)
{
    (void)unused;
    static struct state state;
    struct fake_memory fake;
    struct insn insn = prepare(16, "\x88\x00", 2, &state, &fake); /* MOV [BX + SI], AL */
    struct exec_cpu cpu = {state.gpr, &state.rflags, 0x1000, NULL};
    state.gpr[3] = 0x5678fff0;
    state.gpr[6] = 0x12340020;
    assert_int_equal(exec_effective_address(&insn, &cpu).offset, 0x10);

    insn = prepare(32, "\x88\x04\x73", 3, &state, &fake); /* MOV [EBX + ESI * 2], AL */
    state.gpr[3] = 0xfffffff0;
    state.gpr[6] = 0x90000010;
    assert_int_equal(exec_effective_address(&insn, &cpu).offset, 0x20000010);

    insn = prepare(64, "\x67\x88\x03", 3, &state, &fake); /* MOV [EBX], AL */
    state.gpr[3] = 0x1111111122222222;
    assert_int_equal(exec_effective_address(&insn, &cpu).offset, 0x22222222);

    insn = prepare(64, "\x88\x05\xf0\xff\xff\xff", 6, &state, &fake); /* MOV [RIP - 16], AL */
    assert_int_equal(exec_effective_address(&insn, &cpu).offset, 0x1000 + 6 - 16);
}

static void string_registers_advance_by_the_address_size(void **unused)
{
    (void)unused;
    static struct state state;
    struct fake_memory fake;
    struct insn insn = prepare(16, "\xf3\xaa", 2, &state, &fake); /* REP STOSB */
    fake.base = 0xffff;
    state.gpr[7] = 0x1234ffff;
    state.gpr[1] = 0x56780001;
    assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_DONE);
    assert_int_equal(state.gpr[7], 0x12340000);
    assert_int_equal(state.gpr[1], 0x56780000);

    insn = prepare(64, "\x67\xf3\xaa", 3, &state, &fake); /* with EDI and ECX */
    fake.base = 0xffffffff;
    state.gpr[7] = 0x11111111ffffffff;
    state.gpr[1] = 0x2222222200000001;
    assert_int_equal(run_emulated(&state, &fake, &insn, 8), EXEC_DONE);
    assert_int_equal(state.gpr[7], 0);
    assert_int_equal(state.gpr[1], 0);
}

static void string_operands_use_the_segment_override_for_the_source_only(void **unused)
{
    (void)unused;
    static struct state state;
    struct fake_memory fake;
    struct insn insn = prepare(32, "\x64\xa4", 2, &state, &fake); /* MOVSB ES:[EDI], FS:[ESI] */
    assert_int_equal(run_emulated(&state, &fake, &insn, 1), EXEC_DONE);
    assert_int_equal(fake.read_segment, INSN_FS);
    assert_int_equal(fake.write_segment, INSN_ES);
}

static void moffs_moves_the_accumulator(void **unused)
{
    (void)unused;
    static struct state state;
    struct fake_memory fake;
    struct insn insn = prepare(64, "\xa1\x10\x20\0\0\0\0\0\0", 9, &state, &fake);
    memcpy(state.memory + 0x10, "\x78\x56\x34\x12", 4);
    state.gpr[0] = UINT64_MAX;
    assert_int_equal(run_emulated(&state, &fake, &insn, 1), EXEC_DONE);
    assert_int_equal(state.gpr[0], 0x12345678);
    insn = prepare(16, "\xa2\x21\x20", 3, &state, &fake); /* MOV [2021h], AL */
    state.gpr[0] = 0xabcd;
    assert_int_equal(run_emulated(&state, &fake, &insn, 1), EXEC_DONE);
    assert_int_equal(state.memory[0x21], 0xcd);
    assert_int_equal(state.memory[0x22], 0);
}

static void what_is_not_known_is_not_touched(void **unused)
{
    (void)unused;
    static struct state state;
    struct fake_memory fake;
    struct insn insn = prepare(64, "\x0f\x11\x03", 3, &state, &fake); /* MOVUPS [RBX], XMM0 */
    assert_int_equal(run_emulated(&state, &fake, &insn, 1), EXEC_UNSUPPORTED);
    assert_int_equal(fake.reads + fake.writes + fake.checks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_access_changes_no_register_and_no_flag),
        cmocka_unit_test(a_read_for_update_happens_only_after_the_write_was_checked),
        cmocka_unit_test(reads_only_do_not_ask_for_write_permission),
        cmocka_unit_test(a_long_rep_stops_and_continues_where_it_was),
        cmocka_unit_test(a_rep_that_faults_keeps_the_iterations_before),
        cmocka_unit_test(a_rep_of_nothing_touches_nothing),
        cmocka_unit_test(addresses_wrap_at_the_address_size),
        cmocka_unit_test(string_registers_advance_by_the_address_size),
        cmocka_unit_test(string_operands_use_the_segment_override_for_the_source_only),
        cmocka_unit_test(moffs_moves_the_accumulator),
        cmocka_unit_test(what_is_not_known_is_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
