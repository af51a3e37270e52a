#include "emu/exec.h"

#include "emu/alu.h"
#include "lib/bits.h"

enum gpr { RAX = 0, RCX = 1, RSI = 6, RDI = 7 };

/* One run of exec_insn(). */
struct run {
    const struct insn *insn;
    const struct exec_cpu *cpu;
    struct exec_address at; /* the memory operand, string instructions excepted */
};

static bool mem_read(const struct run *run, struct exec_address at, uint64_t *value)
{
    const struct exec_memory *memory = run->cpu->memory;
    unsigned size = run->insn->mem_size;
    if (!memory->read(memory->ctx, at, size, value))
        return false;
    *value &= size_mask(size);
    return true;
}

static bool mem_write(const struct run *run, struct exec_address at, uint64_t value)
{
    const struct exec_memory *memory = run->cpu->memory;
    unsigned size = run->insn->mem_size;
    return memory->write(memory->ctx, at, size, value & size_mask(size));
}

static bool mem_check_write(const struct run *run, struct exec_address at)
{
    const struct exec_memory *memory = run->cpu->memory;
    return memory->check_write(memory->ctx, at, run->insn->mem_size);
}

/* Writes `size` bytes of a register: one or two leave the rest alone, four clear the upper half. */
static void gpr_write(const struct run *run, unsigned reg, unsigned size, uint64_t value)
{
    uint64_t *gpr = &run->cpu->gpr[reg];
    if (size >= 4)
        *gpr = value & size_mask(size);
    else
        *gpr = (*gpr & ~size_mask(size)) | (value & size_mask(size));
}

static uint64_t reg_read(const struct run *run)
{
    const struct insn *insn = run->insn;
    uint64_t value = run->cpu->gpr[insn->reg];
    return (insn->reg_high ? value >> 8 : value) & size_mask(insn->reg_size);
}

static void reg_write(const struct run *run, uint64_t value)
{
    const struct insn *insn = run->insn;
    uint64_t *gpr = &run->cpu->gpr[insn->reg];
    if (insn->reg_high)
        *gpr = (*gpr & ~0xff00ull) | (value & 0xff) << 8;
    else
        gpr_write(run, insn->reg, insn->reg_size, value);
}

static uint64_t sign_extend(uint64_t value, unsigned size)
{
    unsigned shift = 64 - 8 * size;
    return (uint64_t)((int64_t)(value << shift) >> shift);
}

static uint64_t byte_swap(uint64_t value, unsigned size)
{
    return __builtin_bswap64(value) >> (64 - 8 * size);
}

struct exec_address exec_effective_address(const struct insn *insn, const struct exec_cpu *cpu)
{
    const struct insn_memory *mem = &insn->mem;
    uint64_t offset = (uint64_t)mem->displacement;
    if (mem->base != INSN_NO_REGISTER)
        offset += cpu->gpr[mem->base];
    if (mem->index != INSN_NO_REGISTER)
        offset += cpu->gpr[mem->index] << mem->scale_shift;
    if (mem->rip_relative)
        offset += cpu->rip + insn->length;
    return (struct exec_address){mem->segment, offset & size_mask(insn->address_size)};
}

/* --- Moves ------------------------------------------------------------------------------------ */

static bool run_load(const struct run *run)
{
    const struct insn *insn = run->insn;
    uint64_t value;
    if (!mem_read(run, run->at, &value))
        return false;
    if (insn->op == INSN_MOVSX)
        value = sign_extend(value, insn->mem_size);
    else if (insn->op == INSN_MOVBE)
        value = byte_swap(value, insn->mem_size);
    reg_write(run, value);
    return true;
}

static bool run_store(const struct run *run)
{
    const struct insn *insn = run->insn;
    uint64_t value;
    if (insn->op == INSN_SETCC)
        value = alu_condition(insn->opcode & 15, *run->cpu->rflags);
    else if (insn->form == INSN_FORM_MEM_IMM)
        value = (uint64_t)insn->imm;
    else
        value = reg_read(run);
    if (insn->op == INSN_MOVBE)
        value = byte_swap(value, insn->mem_size);
    return mem_write(run, run->at, value);
}

/* --- Arithmetic ------------------------------------------------------------------------------- */

static bool writes_memory(const struct insn *insn)
{
    return insn->form != INSN_FORM_REG_MEM && insn->op != INSN_CMP && insn->op != INSN_TEST &&
           insn->op != INSN_BT;
}

static bool run_arithmetic(const struct run *run)
{
    const struct insn *insn = run->insn;
    uint64_t flags = *run->cpu->rflags;
    uint64_t memory;
    if (writes_memory(insn) && !mem_check_write(run, run->at))
        return false;
    if (!mem_read(run, run->at, &memory))
        return false;
    uint64_t other = insn->form == INSN_FORM_MEM_IMM ? (uint64_t)insn->imm : reg_read(run);
    other &= size_mask(insn->mem_size);
    bool to_reg = insn->form == INSN_FORM_REG_MEM;
    uint64_t result = alu_compute(insn->op, insn->mem_size, to_reg ? other : memory,
                                  to_reg ? memory : other, &flags);
    if (writes_memory(insn) && !mem_write(run, run->at, result))
        return false;
    if (to_reg && insn->op != INSN_CMP)
        reg_write(run, result);
    *run->cpu->rflags = flags;
    return true;
}

/* With a register, the bit number is signed and reaches beyond the operand: SDM "BT—Bit Test". */
static bool run_bit(const struct run *run)
{
    const struct insn *insn = run->insn;
    unsigned bits = insn->mem_size * 8u;
    struct exec_address at = run->at;
    uint64_t flags = *run->cpu->rflags;
    uint64_t memory, number = (uint64_t)insn->imm;
    if (insn->form == INSN_FORM_MEM_REG) {
        number = sign_extend(reg_read(run), insn->reg_size);
        int64_t operands = (int64_t)number >> (__builtin_ctz(bits));
        at.offset += (uint64_t)operands * insn->mem_size;
        at.offset &= size_mask(insn->address_size);
    }
    if (writes_memory(insn) && !mem_check_write(run, at))
        return false;
    if (!mem_read(run, at, &memory))
        return false;
    uint64_t result = alu_bit(insn->op, memory, number & (bits - 1), &flags);
    if (writes_memory(insn) && !mem_write(run, at, result))
        return false;
    *run->cpu->rflags = flags;
    return true;
}

static bool run_exchange(const struct run *run)
{
    const struct insn *insn = run->insn;
    uint64_t flags = *run->cpu->rflags;
    uint64_t memory, reg = reg_read(run), stored = reg;
    if (!mem_check_write(run, run->at) || !mem_read(run, run->at, &memory))
        return false;
    if (insn->op == INSN_XADD)
        stored = alu_compute(INSN_ADD, insn->mem_size, memory, reg, &flags);
    if (!mem_write(run, run->at, stored))
        return false;
    reg_write(run, memory);
    *run->cpu->rflags = flags;
    return true;
}

static bool run_cmpxchg(const struct run *run)
{
    const struct insn *insn = run->insn;
    uint64_t flags = *run->cpu->rflags;
    uint64_t memory, expected = run->cpu->gpr[RAX] & size_mask(insn->mem_size);
    if (!mem_check_write(run, run->at) || !mem_read(run, run->at, &memory))
        return false;
    alu_compute(INSN_CMP, insn->mem_size, expected, memory, &flags);
    bool equal = memory == expected;
    /* The CPU writes in both cases: "the destination is written back". */
    if (!mem_write(run, run->at, equal ? reg_read(run) : memory))
        return false;
    if (!equal)
        gpr_write(run, RAX, insn->mem_size, memory);
    *run->cpu->rflags = flags;
    return true;
}

/* --- Strings ---------------------------------------------------------------------------------- */

static struct exec_address string_address(const struct run *run, unsigned reg)
{
    uint64_t offset = run->cpu->gpr[reg] & size_mask(run->insn->address_size);
    return (struct exec_address){reg == RDI ? INSN_ES : run->insn->mem.segment, offset};
}

static void string_advance(const struct run *run, unsigned reg)
{
    uint64_t step = run->insn->mem_size;
    if (*run->cpu->rflags & RFLAGS_DF)
        step = -step;
    gpr_write(run, reg, run->insn->address_size, run->cpu->gpr[reg] + step);
}

/* SCAS compares the accumulator with ES:rDI, CMPS segment:rSI with ES:rDI. */
static bool string_compare(const struct run *run)
{
    const struct insn *insn = run->insn;
    uint64_t left = run->cpu->gpr[RAX] & size_mask(insn->mem_size);
    uint64_t right;
    if (insn->op == INSN_CMPS && !mem_read(run, string_address(run, RSI), &left))
        return false;
    if (!mem_read(run, string_address(run, RDI), &right))
        return false;
    alu_compute(INSN_CMP, insn->mem_size, left, right, run->cpu->rflags);
    return true;
}

static bool string_step(const struct run *run)
{
    uint64_t value = run->cpu->gpr[RAX];
    switch (run->insn->op) {
    case INSN_MOVS:
        if (!mem_check_write(run, string_address(run, RDI)) ||
            !mem_read(run, string_address(run, RSI), &value) ||
            !mem_write(run, string_address(run, RDI), value))
            return false;
        break;
    case INSN_STOS:
        if (!mem_write(run, string_address(run, RDI), value))
            return false;
        break;
    case INSN_LODS:
        if (!mem_read(run, string_address(run, RSI), &value))
            return false;
        gpr_write(run, RAX, run->insn->mem_size, value);
        break;
    default:
        if (!string_compare(run))
            return false;
    }
    if (run->insn->op != INSN_STOS && run->insn->op != INSN_SCAS)
        string_advance(run, RSI);
    if (run->insn->op != INSN_LODS)
        string_advance(run, RDI);
    return true;
}

/* Whether REPE or REPNE ends CMPS or SCAS here. */
static bool string_decided(const struct run *run)
{
    if (run->insn->op != INSN_CMPS && run->insn->op != INSN_SCAS)
        return false;
    bool equal = *run->cpu->rflags & RFLAGS_ZF;
    return equal ? run->insn->repne : run->insn->rep;
}

static enum exec_result run_string(const struct run *run, unsigned max_iterations)
{
    const struct insn *insn = run->insn;
    if (!insn->rep && !insn->repne)
        return string_step(run) ? EXEC_DONE : EXEC_ABORTED;
    uint64_t mask = size_mask(insn->address_size);
    for (; run->cpu->gpr[RCX] & mask; max_iterations--) {
        if (max_iterations == 0)
            return EXEC_AGAIN;
        if (!string_step(run))
            return EXEC_ABORTED;
        gpr_write(run, RCX, insn->address_size, run->cpu->gpr[RCX] - 1);
        if (string_decided(run))
            break;
    }
    return EXEC_DONE;
}

/* --- Dispatch --------------------------------------------------------------------------------- */

enum exec_result exec_insn(const struct insn *insn, const struct exec_cpu *cpu,
                           unsigned max_iterations)
{
    struct run run = {.insn = insn, .cpu = cpu};
    bool ok;
    if (insn->op >= INSN_OTHER)
        return EXEC_UNSUPPORTED;
    if (insn->form == INSN_FORM_STRING)
        return run_string(&run, max_iterations);
    run.at = exec_effective_address(insn, cpu);
    switch ((enum insn_op)insn->op) {
    case INSN_MOV:
    case INSN_MOVZX:
    case INSN_MOVSX:
    case INSN_MOVBE:
    case INSN_SETCC:
        ok = insn->form == INSN_FORM_REG_MEM ? run_load(&run) : run_store(&run);
        break;
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        ok = run_bit(&run);
        break;
    case INSN_XCHG:
    case INSN_XADD:
        ok = run_exchange(&run);
        break;
    case INSN_CMPXCHG:
        ok = run_cmpxchg(&run);
        break;
    default: /* ADD to CMP, TEST, INC, DEC, NOT, NEG */
        ok = run_arithmetic(&run);
    }
    return ok ? EXEC_DONE : EXEC_ABORTED;
}
