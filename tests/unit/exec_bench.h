/* What the tests of the executor share: a CPU's state and a memory that can refuse. */
#ifndef TESTS_EXEC_BENCH_H
#define TESTS_EXEC_BENCH_H

#include "emu/exec.h"

#include <string.h>

#define ARENA_SIZE 1024

struct state {
    uint64_t gpr[16];
    uint64_t rflags;
    uint8_t memory[ARENA_SIZE];
};

/* A memory that starts at `base`; refuses what lies outside, and what a test asks it to refuse. */
struct fake_memory {
    uint64_t base;
    uint8_t *bytes;
    unsigned reads, writes, checks;
    bool checked_before_read;
    enum insn_segment read_segment, write_segment; /* of the last access */
    bool refuse_read, refuse_write, refuse_check;
};

static inline bool fake_read(void *ctx, struct exec_address at, unsigned size, uint64_t *value)
{
    struct fake_memory *memory = ctx;
    memory->reads++;
    memory->read_segment = at.segment;
    memory->checked_before_read = memory->checks > 0;
    if (memory->refuse_read || at.offset - memory->base > ARENA_SIZE - size)
        return false;
    *value = 0xa5a5a5a5a5a5a5a5; /* what lies above the operand must not matter */
    memcpy(value, memory->bytes + (at.offset - memory->base), size);
    return true;
}

static inline bool fake_write(void *ctx, struct exec_address at, unsigned size, uint64_t value)
{
    struct fake_memory *memory = ctx;
    memory->writes++;
    memory->write_segment = at.segment;
    if (memory->refuse_write || at.offset - memory->base > ARENA_SIZE - size)
        return false;
    memcpy(memory->bytes + (at.offset - memory->base), &value, size);
    return true;
}

static inline bool fake_check_write(void *ctx, struct exec_address at, unsigned size)
{
    struct fake_memory *memory = ctx;
    memory->checks++;
    return !memory->refuse_check && at.offset - memory->base <= ARENA_SIZE - size;
}

static inline enum exec_result run_emulated(struct state *state, struct fake_memory *fake,
                                            const struct insn *insn, unsigned max_iterations)
{
    const struct exec_memory memory = {fake, fake_read, fake_write, fake_check_write};
    const struct exec_cpu cpu = {state->gpr, &state->rflags, 0x1000, &memory};
    return exec_insn(insn, &cpu, max_iterations);
}

#endif
