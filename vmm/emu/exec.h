/*
 * Executes one decoded instruction that has a memory operand. Memory, and whatever stands between
 * an offset in a segment and the bytes (limits, paging, devices), belongs to the caller.
 *
 * A register or flag changes only after every access of the instruction (of the iteration, under
 * REP) has succeeded, so an instruction that faults can be run again.
 *
 * Not modelled: LOCK. The caller runs one virtual CPU, and what a device does isn't atomic to
 * begin with.
 */
#ifndef EMU_EXEC_H
#define EMU_EXEC_H

#include "emu/decode.h"

#define RFLAGS_CF (1u << 0)
#define RFLAGS_PF (1u << 2)
#define RFLAGS_AF (1u << 4)
#define RFLAGS_ZF (1u << 6)
#define RFLAGS_SF (1u << 7)
#define RFLAGS_DF (1u << 10)
#define RFLAGS_OF (1u << 11)

enum exec_result {
    EXEC_DONE,
    EXEC_AGAIN,      /* a REP whose iterations aren't over: registers are up to date */
    EXEC_ABORTED,    /* a callback refused; it knows why */
    EXEC_UNSUPPORTED /* INSN_OTHER: nothing was touched */
};

struct exec_address {
    enum insn_segment segment;
    uint64_t offset; /* within address_size */
};

/* size: 1, 2, 4 or 8 bytes. False ends the instruction with EXEC_ABORTED. */
struct exec_memory {
    void *ctx;
    bool (*read)(void *ctx, struct exec_address at, unsigned size, uint64_t *value);
    bool (*write)(void *ctx, struct exec_address at, unsigned size, uint64_t value);
    /* Whether write() would find its way. Comes before the read of an instruction that does both:
     * reading a device's register and faulting afterwards would lose what the read took. */
    bool (*check_write)(void *ctx, struct exec_address at, unsigned size);
};

struct exec_cpu {
    uint64_t *gpr; /* 16, in the order of the encoding */
    uint64_t *rflags;
    uint64_t rip; /* of this instruction */
    const struct exec_memory *memory;
};

/* Runs the instruction; under REP at most max_iterations (1 or more) of it. Moves no RIP. */
enum exec_result exec_insn(const struct insn *insn, const struct exec_cpu *cpu,
                           unsigned max_iterations);

/* Where the memory operand of an instruction that isn't INSN_FORM_STRING begins. */
struct exec_address exec_effective_address(const struct insn *insn, const struct exec_cpu *cpu);

#endif
