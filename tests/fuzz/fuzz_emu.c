/* needs: vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/emu/exec.c vmm/emu/alu.c */
/*
 * Decoder and executor on noise. Input: a byte with the mode (bits 1:0) and the access that memory
 * refuses (bits 7:2, counted from 1; 0: none), a byte that seeds the registers, the instruction.
 */
#include "emu/decode.h"
#include "emu/exec.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ITERATIONS 4
#define STATUS_FLAGS   0x8d5u /* OF SF ZF AF PF CF: all that an instruction here may change */

struct bench {
    const struct insn *insn;
    unsigned accesses, refuse_at;
    uint64_t noise;
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool note_access(struct bench *bench, struct exec_address at, unsigned size)
{
    unsigned bits = bench->insn->address_size * 8u;
    require(size == 1 || size == 2 || size == 4 || size == 8);
    require(size == bench->insn->mem_size);
    require(at.segment <= INSN_GS);
    require(bits == 64 || at.offset >> bits == 0);
    return ++bench->accesses != bench->refuse_at;
}

static bool noise_read(void *ctx, struct exec_address at, unsigned size, uint64_t *value)
{
    struct bench *bench = ctx;
    bench->noise = bench->noise * 0x5851f42d4c957f2d + 0x14057b7ef767814f;
    *value = bench->noise;
    return note_access(bench, at, size);
}

static bool noise_write(void *ctx, struct exec_address at, unsigned size, uint64_t value)
{
    require(size == 8 || value >> (8 * size) == 0);
    return note_access(ctx, at, size);
}

static bool noise_check(void *ctx, struct exec_address at, unsigned size)
{
    return note_access(ctx, at, size);
}

/* In a heap block of the exact size, where the sanitizer sees each byte read behind the end. */
static enum decode_result decode_exact(const uint8_t *bytes, size_t size, unsigned bits,
                                       struct insn *insn)
{
    uint8_t *copy = malloc(size ? size : 1);
    require(copy != NULL);
    if (size > 0)
        memcpy(copy, bytes, size);
    enum decode_result result = decode_insn(copy, size, bits, insn);
    free(copy);
    return result;
}

/* The same bytes in every size agree with each other. */
static void check_sizes(const uint8_t *bytes, size_t size, unsigned bits, enum decode_result result,
                        const struct insn *insn)
{
    struct insn other;
    if (result == DECODE_OK) {
        require(insn->length >= 1 && insn->length <= INSN_MAX_LENGTH && insn->length <= size);
        for (size_t shorter = 0; shorter < insn->length; shorter++)
            require(decode_exact(bytes, shorter, bits, &other) == DECODE_TOO_SHORT);
        require(decode_exact(bytes, insn->length, bits, &other) == DECODE_OK);
        require(other.length == insn->length && other.op == insn->op);
        return;
    }
    uint8_t longer[2 * INSN_MAX_LENGTH] = {0};
    size_t kept = size < INSN_MAX_LENGTH ? size : INSN_MAX_LENGTH;
    memcpy(longer, bytes, kept);
    enum decode_result padded = decode_exact(longer, sizeof(longer), bits, &other);
    if (result == DECODE_INVALID)
        require(padded == DECODE_INVALID);
    else
        require(size < INSN_MAX_LENGTH && padded != DECODE_TOO_SHORT);
    if (result == DECODE_TOO_SHORT && padded == DECODE_OK)
        require(other.length > size);
}

static void check_run(const struct insn *insn, uint8_t refuse_at, uint8_t seed)
{
    struct bench bench = {.insn = insn, .refuse_at = refuse_at, .noise = seed};
    const struct exec_memory memory = {&bench, noise_read, noise_write, noise_check};
    uint64_t gpr[16], before[16], rflags = 0x202 | (seed & 1 ? 0x400 : 0), flags_before = rflags;
    const struct exec_cpu cpu = {gpr, &rflags, 0xfffffffffffffff0, &memory};
    for (unsigned i = 0; i < 16; i++)
        gpr[i] = (seed + i) * 0x9e3779b97f4a7c15 >> (seed & 0x30);
    memcpy(before, gpr, sizeof(gpr));

    enum exec_result result = exec_insn(insn, &cpu, MAX_ITERATIONS);
    bool string = insn->form == INSN_FORM_STRING;
    require(bench.accesses <= 3 * (string ? MAX_ITERATIONS : 1));
    require(((rflags ^ flags_before) & ~(uint64_t)STATUS_FLAGS) == 0);
    require((result == EXEC_UNSUPPORTED) == (insn->op == INSN_OTHER));
    require((result == EXEC_ABORTED) == (refuse_at != 0 && bench.accesses == refuse_at));
    if (result == EXEC_UNSUPPORTED)
        require(bench.accesses == 0);
    if (result == EXEC_UNSUPPORTED || (result == EXEC_ABORTED && !string))
        require(memcmp(before, gpr, sizeof(gpr)) == 0 && rflags == flags_before);
    if (result == EXEC_AGAIN)
        require(string && (insn->rep || insn->repne) && gpr[1] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned modes[4] = {64, 32, 16, 64};
    struct insn insn;
    if (size < 2)
        return 0;
    unsigned bits = modes[data[0] & 3];
    enum decode_result result = decode_exact(data + 2, size - 2, bits, &insn);
    check_sizes(data + 2, size - 2, bits, result, &insn);
    if (result == DECODE_OK)
        check_run(&insn, data[0] >> 2, data[1]);
    return 0;
}
