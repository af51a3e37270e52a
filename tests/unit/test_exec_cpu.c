/* needs: vmm/emu/plain.c vmm/emu/exec.c vmm/emu/alu.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c */
/* The executor against the CPU that runs the test: the same bytes, registers, flags and memory. */
#include "emu/plain.h"

#include "exec_bench.h"

#include <cpuid.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static uint64_t random_state = 0x2545f4914f6cdd1d;

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

/* --- The real CPU ----------------------------------------------------------------------------- */

/* What the instruction addresses; both runs see its addresses in their registers. */
static uint8_t arena[ARENA_SIZE];

/* Loads all registers but RSP from *state, runs the code (which ends with RET), stores them. */
void run_on_cpu(struct state *state, const void *code);
__asm__(".text\n.globl run_on_cpu\nrun_on_cpu:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "push %rdi; push %rsi\n"
        "pushq 128(%rdi); popfq\n"
        "mov %rdi, %rax\n"
        "mov 8(%rax), %rcx; mov 16(%rax), %rdx; mov 24(%rax), %rbx; mov 40(%rax), %rbp\n"
        "mov 48(%rax), %rsi; mov 56(%rax), %rdi; mov 64(%rax), %r8; mov 72(%rax), %r9\n"
        "mov 80(%rax), %r10; mov 88(%rax), %r11; mov 96(%rax), %r12; mov 104(%rax), %r13\n"
        "mov 112(%rax), %r14; mov 120(%rax), %r15; mov (%rax), %rax\n"
        "call *(%rsp)\n"
        "push %rax; mov 16(%rsp), %rax\n"
        "mov %rcx, 8(%rax); mov %rdx, 16(%rax); mov %rbx, 24(%rax); mov %rbp, 40(%rax)\n"
        "mov %rsi, 48(%rax); mov %rdi, 56(%rax); mov %r8, 64(%rax); mov %r9, 72(%rax)\n"
        "mov %r10, 80(%rax); mov %r11, 88(%rax); mov %r12, 96(%rax); mov %r13, 104(%rax)\n"
        "mov %r14, 112(%rax); mov %r15, 120(%rax); popq (%rax)\n"
        "pushfq; popq 128(%rax); cld\n"
        "pop %rsi; pop %rdi\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "ret\n");

/* --- Generated instructions ------------------------------------------------------------------- */

#define STATUS 0x8d5u /* OF SF ZF AF PF CF */

/* One row of opcodes: first..last in steps, with what follows. */
struct row {
    uint8_t map; /* 0: one byte, 1: 0F, 2: 0F 38 */
    uint8_t first, last;
    int8_t number;  /* ModRM.reg; -1: a register; -2: no ModRM */
    uint8_t imm;    /* 1: byte; 2: as wide as the operand, at most 4 bytes */
    uint16_t flags; /* those that the manual defines */
};

static const struct row rows[] = {
    {0, 0x00, 0x03, -1, 0, STATUS}, {0, 0x08, 0x0b, -1, 0, 0x8c5},  {0, 0x10, 0x13, -1, 0, STATUS},
    {0, 0x18, 0x1b, -1, 0, STATUS}, {0, 0x20, 0x23, -1, 0, 0x8c5},  {0, 0x28, 0x2b, -1, 0, STATUS},
    {0, 0x30, 0x33, -1, 0, 0x8c5},  {0, 0x38, 0x3b, -1, 0, STATUS}, {0, 0x80, 0x80, 0, 1, STATUS},
    {0, 0x80, 0x80, 2, 1, STATUS},  {0, 0x80, 0x80, 3, 1, STATUS},  {0, 0x80, 0x80, 4, 1, 0x8c5},
    {0, 0x80, 0x80, 7, 1, STATUS},  {0, 0x81, 0x81, 0, 2, STATUS},  {0, 0x81, 0x81, 1, 2, 0x8c5},
    {0, 0x81, 0x81, 5, 2, STATUS},  {0, 0x81, 0x81, 7, 2, STATUS},  {0, 0x83, 0x83, 0, 1, STATUS},
    {0, 0x83, 0x83, 3, 1, STATUS},  {0, 0x83, 0x83, 4, 1, 0x8c5},   {0, 0x83, 0x83, 6, 1, 0x8c5},
    {0, 0x83, 0x83, 7, 1, STATUS},  {0, 0x84, 0x85, -1, 0, 0x8c5},  {0, 0x86, 0x87, -1, 0, STATUS},
    {0, 0x88, 0x8b, -1, 0, STATUS}, {0, 0xc6, 0xc6, 0, 1, STATUS},  {0, 0xc7, 0xc7, 0, 2, STATUS},
    {0, 0xf6, 0xf6, 0, 1, 0x8c5},   {0, 0xf7, 0xf7, 0, 2, 0x8c5},   {0, 0xf6, 0xf7, 2, 0, STATUS},
    {0, 0xf6, 0xf7, 3, 0, STATUS},  {0, 0xfe, 0xff, 0, 0, STATUS},  {0, 0xfe, 0xff, 1, 0, STATUS},
    {0, 0x63, 0x63, -1, 0, STATUS}, {1, 0x90, 0x9f, 0, 0, STATUS},  {1, 0xa3, 0xa3, -1, 0, 0x041},
    {1, 0xab, 0xab, -1, 0, 0x041},  {1, 0xb3, 0xb3, -1, 0, 0x041},  {1, 0xbb, 0xbb, -1, 0, 0x041},
    {1, 0xba, 0xba, 4, 1, 0x041},   {1, 0xba, 0xba, 5, 1, 0x041},   {1, 0xba, 0xba, 6, 1, 0x041},
    {1, 0xba, 0xba, 7, 1, 0x041},   {1, 0xb0, 0xb1, -1, 0, STATUS}, {1, 0xb6, 0xb7, -1, 0, STATUS},
    {1, 0xbe, 0xbf, -1, 0, STATUS}, {1, 0xc0, 0xc1, -1, 0, STATUS}, {1, 0xc3, 0xc3, -1, 0, STATUS},
    {2, 0xf0, 0xf1, -1, 0, STATUS}, {0, 0xa4, 0xa7, -2, 0, STATUS}, {0, 0xaa, 0xaf, -2, 0, STATUS},
};

static bool has_movbe(void)
{
    unsigned a, b, c = 0, d;
    __get_cpuid(1, &a, &b, &c, &d);
    return c & bit_MOVBE;
}

/* Values near the edges, where carries and signs live, as often as any. */
static uint64_t random_operand(void)
{
    static const uint64_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff};
    uint64_t edge = edges[below(8)] << (8 * below(8));
    switch (below(4)) {
    case 0:
        return edge;
    case 1:
        return ~edge;
    default:
        return random64();
    }
}

static void random_start(struct state *state)
{
    for (unsigned i = 0; i < 16; i++)
        state->gpr[i] = random_operand();
    state->rflags = (random64() & (STATUS | 0x400)) | 0x202;
    for (unsigned i = 0; i < ARENA_SIZE; i += 8) {
        uint64_t value = random_operand();
        memcpy(state->memory + i, &value, 8);
    }
}

/* Addresses the middle of the arena through [RDI + disp8] or [R14 + R15 * scale + disp32]. */
static unsigned put_modrm(uint8_t *code, struct state *state, unsigned reg, bool indexed)
{
    uint64_t middle = (uint64_t)(uintptr_t)arena + ARENA_SIZE / 2;
    if (!indexed) {
        int8_t disp = (int8_t)random64();
        state->gpr[7] = middle - (uint64_t)(int64_t)disp;
        code[0] = (uint8_t)(0x47 | reg << 3);
        code[1] = (uint8_t)disp;
        return 2;
    }
    unsigned scale = below(4);
    int32_t disp = (int32_t)random64();
    state->gpr[15] = random64();
    state->gpr[14] = middle - (state->gpr[15] << scale) - (uint64_t)(int64_t)disp;
    code[0] = (uint8_t)(0x84 | reg << 3);
    code[1] = (uint8_t)(scale << 6 | 0x3e);
    memcpy(code + 2, &disp, 4);
    return 6;
}

/* Registers that only some rows need to hold certain things. */
static void adjust_start(struct state *state, const struct row *row, unsigned reg)
{
    uint64_t middle = (uint64_t)(uintptr_t)arena + ARENA_SIZE / 2;
    if (row->number == -2) {
        state->gpr[6] = middle + below(32);
        state->gpr[7] = middle + below(32);
        state->gpr[1] = below(9);
    }
    if (row->map == 1 && row->number == -1 && row->flags == 0x041) /* BT: stay in the arena */
        state->gpr[reg] = (uint64_t)((int64_t)below(4096) - 2048);
    if (row->map == 1 && (row->first == 0xb0) && below(2))
        memcpy(&state->gpr[0], state->memory + ARENA_SIZE / 2, 8); /* CMPXCHG: equal */
    if (row->number == -2 && below(2)) { /* CMPS and SCAS: runs of equal items */
        memset(state->memory, 0x55, ARENA_SIZE);
        state->memory[ARENA_SIZE / 2 + below(64)] ^= 1;
        memset(&state->gpr[0], 0x55, 8);
    }
}

static unsigned put_insn(uint8_t *code, struct state *state, const struct row *row)
{
    unsigned at = 0, opcode = row->first + below(row->last - row->first + 1u);
    unsigned width = below(3); /* 0: 66, 1: none, 2: REX.W */
    bool indexed = row->number != -2 && below(2), rex_any = indexed || width == 2 || below(2);
    bool movnti = row->map == 1 && opcode == 0xc3;
    unsigned reg = row->number >= 0 ? (unsigned)row->number : below(4);
    unsigned rex = width == 2 ? 0x48 : 0x40;
    if (row->number == -1 && rex_any && below(2))
        rex |= 4; /* R8-R11 */
    else if (row->number == -1 && !rex_any && row->map != 2 && !(opcode & 1) &&
             row->first != 0xbe && row->first != 0xb6 && !indexed)
        reg += below(2) * 4; /* AH-BH: byte instructions without REX */
    if (row->number == -1)
        adjust_start(state, row, reg | (rex & 4 ? 8 : 0));
    else
        adjust_start(state, row, 0);
    if (row->number == -2 && below(3))
        code[at++] = below(2) ? 0xf2 : 0xf3;
    if (width == 0 && !movnti)
        code[at++] = 0x66;
    if (rex_any)
        code[at++] = (uint8_t)(rex | (indexed ? 3 : 0));
    if (row->map > 0)
        code[at++] = 0x0f;
    if (row->map == 2)
        code[at++] = 0x38;
    code[at++] = (uint8_t)opcode;
    if (row->number != -2)
        at += put_modrm(code + at, state, reg, indexed);
    uint64_t imm = random_operand();
    unsigned imm_size = row->imm == 2 ? (width == 0 ? 2 : 4) : row->imm;
    memcpy(code + at, &imm, imm_size);
    return at + imm_size;
}

static void report(const uint8_t *code, unsigned length, const char *what)
{
    char text[64] = "";
    for (unsigned i = 0; i < length; i++)
        snprintf(text + 3 * i, 4, " %02x", code[i]);
    fail_msg("bytes%s: %s", text, what);
}

static void compare_one(uint8_t *page, const struct row *row)
{
    static struct state real, emulated;
    struct insn insn;
    uint8_t code[32];
    random_start(&real);
    unsigned length = put_insn(code, &real, row);
    emulated = real;
    memcpy(page, code, length);
    page[length] = 0xc3;
    memcpy(arena, real.memory, ARENA_SIZE);
    run_on_cpu(&real, page);

    if (decode_insn(code, length, 64, &insn) != DECODE_OK || insn.length != length)
        report(code, length, "decoded otherwise");
    struct fake_memory fake = {.base = (uint64_t)(uintptr_t)arena, .bytes = emulated.memory};
    if (run_emulated(&emulated, &fake, &insn, 16) != EXEC_DONE)
        report(code, length, "not executed");
    for (unsigned i = 0; i < 16; i++)
        if (i != 4 && real.gpr[i] != emulated.gpr[i])
            report(code, length, "a register differs");
    if (memcmp(arena, emulated.memory, ARENA_SIZE) != 0)
        report(code, length, "memory differs");
    if ((real.rflags ^ emulated.rflags) & (row->flags | 0x400))
        report(code, length, "flags differ");
}

/* --- Registers only: exec_plain() ------------------------------------------------------------- */

static const struct row plain_rows[] = {
    {0, 0x00, 0x03, -1, 0, STATUS}, {0, 0x08, 0x0b, -1, 0, 0x8c5},  {0, 0x10, 0x13, -1, 0, STATUS},
    {0, 0x20, 0x23, -1, 0, 0x8c5},  {0, 0x28, 0x2b, -1, 0, STATUS}, {0, 0x30, 0x33, -1, 0, 0x8c5},
    {0, 0x38, 0x3b, -1, 0, STATUS}, {0, 0x80, 0x80, 4, 1, 0x8c5},   {0, 0x81, 0x81, 5, 2, STATUS},
    {0, 0x83, 0x83, 0, 1, STATUS},  {0, 0x83, 0x83, 7, 1, STATUS},  {0, 0x84, 0x85, -1, 0, 0x8c5},
    {0, 0x88, 0x8b, -1, 0, STATUS}, {0, 0xc6, 0xc6, 0, 1, STATUS},  {0, 0xc7, 0xc7, 0, 2, STATUS},
    {0, 0xf6, 0xf6, 0, 1, 0x8c5},   {0, 0xf7, 0xf7, 0, 2, 0x8c5},   {0, 0xf6, 0xf7, 2, 0, STATUS},
    {0, 0xf6, 0xf7, 3, 0, STATUS},  {0, 0xfe, 0xff, 0, 0, STATUS},  {0, 0xfe, 0xff, 1, 0, STATUS},
    {0, 0x63, 0x63, -1, 0, STATUS}, {1, 0xb6, 0xb7, -1, 0, STATUS}, {1, 0xbe, 0xbf, -1, 0, STATUS},
    {0, 0x05, 0x05, -2, 2, STATUS}, {0, 0x0c, 0x0c, -2, 1, 0x8c5},  {0, 0x25, 0x25, -2, 2, 0x8c5},
    {0, 0x3c, 0x3c, -2, 1, STATUS}, {0, 0x3d, 0x3d, -2, 2, STATUS}, {0, 0xa8, 0xa8, -2, 1, 0x8c5},
    {0, 0xa9, 0xa9, -2, 2, 0x8c5},  {0, 0xb8, 0xbb, -2, 3, STATUS}, {0, 0xbd, 0xbf, -2, 3, STATUS},
    {0, 0x90, 0x90, -2, 0, STATUS}, {0, 0x8d, 0x8d, -3, 0, STATUS},
};

/* Any two registers but RSP, which the test itself stands on. */
static uint8_t two_registers(unsigned rex, unsigned number)
{
    unsigned reg = number, rm;
    do {
        rm = below(8);
    } while (rm == 4 && !(rex & 1));
    while (number > 7 && ((reg = below(8)) == 4 && !(rex & 4)))
        ;
    return (uint8_t)(0xc0 | (reg & 7) << 3 | rm);
}

static unsigned put_plain(uint8_t *code, const struct row *row)
{
    unsigned at = 0, opcode = row->first + below(row->last - row->first + 1u);
    unsigned width = below(3), rex = width == 2 ? 0x48 : 0x40; /* as above */
    if (row->number > -2 && below(2))
        rex |= row->number == -1 ? below(8) & 5 : 1;
    bool rex_any = rex != 0x40 || below(2);
    if (width == 0)
        code[at++] = 0x66;
    if (rex_any)
        code[at++] = (uint8_t)rex;
    if (row->map > 0)
        code[at++] = 0x0f;
    code[at++] = (uint8_t)opcode;
    if (row->number == -3) {
        const uint8_t address[] = {0x44, 0x8b, (uint8_t)random64()}; /* [RBX + RCX * 4 + disp8] */
        memcpy(code + at, address, sizeof(address));
        at += sizeof(address);
    } else if (row->number != -2) {
        code[at++] = two_registers(rex, row->number >= 0 ? (unsigned)row->number : 8);
    }
    uint64_t imm = random_operand();
    unsigned size = row->imm == 2 ? (width == 0 ? 2 : 4) : row->imm;
    if (row->imm == 3)
        size = width == 0 ? 2 : width == 1 ? 4 : 8;
    memcpy(code + at, &imm, size);
    return at + size;
}

static void compare_plain(uint8_t *page, const struct row *row)
{
    static struct state real, emulated;
    struct insn insn;
    uint8_t code[32];
    uint64_t next;
    random_start(&real);
    unsigned length = put_plain(code, row);
    emulated = real;
    memcpy(page, code, length);
    page[length] = 0xc3;
    run_on_cpu(&real, page);

    if (decode_insn(code, length, 64, &insn) != DECODE_OK || insn.length != length)
        report(code, length, "decoded otherwise");
    const struct exec_cpu cpu = {emulated.gpr, &emulated.rflags, 0x1000, NULL};
    if (!exec_plain(&insn, &cpu, &next) || next != 0x1000 + length)
        report(code, length, "not executed");
    for (unsigned i = 0; i < 16; i++)
        if (i != 4 && real.gpr[i] != emulated.gpr[i])
            report(code, length, "a register differs");
    if ((real.rflags ^ emulated.rflags) & (row->flags | 0x400))
        report(code, length, "flags differ");
}

static void registers_only_gives_what_the_real_cpu_gives(void **state)
{
    (void)state;
    uint8_t *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    for (unsigned i = 0; i < sizeof(plain_rows) / sizeof(plain_rows[0]); i++)
        for (unsigned n = 0; n < 4000; n++)
            compare_plain(page, &plain_rows[i]);
    munmap(page, 4096);
}

static void results_and_flags_are_those_of_the_real_cpu(void **state)
{
    (void)state;
    uint8_t *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].map == 2 && !has_movbe())
            continue;
        for (unsigned n = 0; n < 4000; n++)
            compare_one(page, &rows[i]);
    }
    munmap(page, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_and_flags_are_those_of_the_real_cpu),
        cmocka_unit_test(registers_only_gives_what_the_real_cpu_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
