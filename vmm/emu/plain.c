/*
 * An instruction with a register where it could have memory means the same otherwise. So it is
 * executed by exec_insn(), as the form with memory, where the memory is that register.
 */
#include "emu/plain.h"

#include "emu/alu.h"
#include "emu/classify.h"
#include "lib/bits.h"

/* The register that stands for the memory. */
struct rm {
    uint64_t *gpr;
    bool high; /* AH, CH, DH, BH */
};

static bool rm_read(void *ctx, struct exec_address at, unsigned size, uint64_t *value)
{
    const struct rm *rm = ctx;
    (void)at, (void)size;
    *value = rm->high ? *rm->gpr >> 8 : *rm->gpr;
    return true;
}

static bool rm_write(void *ctx, struct exec_address at, unsigned size, uint64_t value)
{
    const struct rm *rm = ctx;
    uint64_t mask = rm->high ? 0xff00 : size_mask(size);
    (void)at;
    if (size >= 4)
        *rm->gpr = value; /* a 32-bit result clears the upper half */
    else
        *rm->gpr = (*rm->gpr & ~mask) | ((rm->high ? value << 8 : value) & mask);
    return true;
}

static bool rm_check_write(void *ctx, struct exec_address at, unsigned size)
{
    (void)ctx, (void)at, (void)size;
    return true;
}

/* Bit tests aren't the same: there a register's number reaches beyond the operand in memory. */
static bool is_alike(unsigned op)
{
    return op <= INSN_CMP || (op >= INSN_MOV && op <= INSN_MOVSX) || op == INSN_TEST ||
           (op >= INSN_INC && op <= INSN_NEG);
}

static bool run_on_register(const struct insn *insn, const struct exec_cpu *cpu, unsigned number)
{
    bool high = insn->mem_size == 1 && !insn->rex && number >= 4;
    struct rm rm = {&cpu->gpr[high ? number & 3 : number], high};
    const struct exec_memory memory = {&rm, rm_read, rm_write, rm_check_write};
    const struct exec_cpu inner = {cpu->gpr, cpu->rflags, cpu->rip, &memory};
    return is_alike(insn->op) && exec_insn(insn, &inner, 1) == EXEC_DONE;
}

static bool run_modrm(const struct insn *insn, const struct exec_cpu *cpu)
{
    struct insn as_memory = *insn;
    as_memory.modrm &= 0x3f;
    classify_insn(&as_memory);
    return run_on_register(&as_memory, cpu, insn_modrm_rm(insn));
}

/* An immediate and a register that the opcode names. */
static bool run_immediate(const struct insn *insn, const struct exec_cpu *cpu, enum insn_op op,
                          unsigned size, unsigned number)
{
    struct insn as_memory = *insn;
    as_memory.op = op;
    as_memory.form = INSN_FORM_MEM_IMM;
    as_memory.mem_size = (uint8_t)size;
    return run_on_register(&as_memory, cpu, number);
}

static void run_lea(const struct insn *insn, const struct exec_cpu *cpu)
{
    uint64_t offset = exec_effective_address(insn, cpu).offset;
    struct rm rm = {&cpu->gpr[insn_modrm_reg(insn)], false};
    unsigned size = insn->operand_size;
    rm_write(&rm, (struct exec_address){0}, size, offset & size_mask(size));
}

static bool run_jump(const struct insn *insn, bool taken, uint64_t *next)
{
    if (insn->operand_size_prefix) /* vendors differ in what is left of RIP */
        return false;
    if (taken)
        *next += (uint64_t)insn->imm;
    return true;
}

static bool run_primary(const struct insn *insn, const struct exec_cpu *cpu, uint64_t *next)
{
    unsigned opcode = insn->opcode;
    unsigned size = opcode & 1 ? insn->operand_size : 1;
    if (opcode < 0x40 && (opcode & 6) == 4)
        return run_immediate(insn, cpu, opcode >> 3, size, 0);
    switch (opcode) {
    case 0x70 ... 0x7f:
        return run_jump(insn, alu_condition(opcode & 15, *cpu->rflags), next);
    case 0x8d:
        if (!insn_has_memory(insn))
            return false;
        run_lea(insn, cpu);
        return true;
    case 0x90:
        return !(insn->rex & REX_B); /* else XCHG with R8 */
    case 0xa8:
    case 0xa9:
        return run_immediate(insn, cpu, INSN_TEST, size, 0);
    case 0xb8 ... 0xbf:
        return run_immediate(insn, cpu, INSN_MOV, insn->operand_size,
                             (opcode & 7u) | (insn->rex & REX_B ? 8 : 0));
    case 0xe9:
    case 0xeb:
        return run_jump(insn, true, next);
    default:
        return insn->has_modrm && !insn_has_memory(insn) && run_modrm(insn, cpu);
    }
}

static bool run_0f(const struct insn *insn, const struct exec_cpu *cpu, uint64_t *next)
{
    switch (insn->opcode) {
    case 0x1f: /* NOP */
        return true;
    case 0x80 ... 0x8f:
        return run_jump(insn, alu_condition(insn->opcode & 15, *cpu->rflags), next);
    case 0xb6: /* MOVZX, MOVSX */
    case 0xb7:
    case 0xbe:
    case 0xbf:
        return !insn_has_memory(insn) && run_modrm(insn, cpu);
    default:
        return false;
    }
}

bool exec_plain(const struct insn *insn, const struct exec_cpu *cpu, uint64_t *next)
{
    *next = cpu->rip + insn->length;
    if (insn->code_bits != 64 || insn->lock || insn->rep || insn->repne)
        return false;
    if (insn->map == INSN_MAP_PRIMARY)
        return run_primary(insn, cpu, next);
    return insn->map == INSN_MAP_0F && run_0f(insn, cpu, next);
}
