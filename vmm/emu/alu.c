#include "emu/alu.h"

#include "emu/exec.h"
#include "lib/bits.h"

#define STATUS_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static uint64_t result_flags(uint64_t result, unsigned size)
{
    uint64_t flags = 0;
    unsigned low = result & 0xff;
    low ^= low >> 4;
    if (!((0x6996u >> (low & 15)) & 1)) /* bit n of 6996h: n has an odd number of ones */
        flags |= RFLAGS_PF;
    if (result == 0)
        flags |= RFLAGS_ZF;
    if (result >> (8 * size - 1))
        flags |= RFLAGS_SF;
    return flags;
}

/* `carries` and `overflows` hold a bit for each position: carry (or borrow) out of it, and whether
 * it would be a signed overflow were it the top one. */
static uint64_t carry_flags(uint64_t carries, uint64_t overflows, unsigned size)
{
    unsigned top = 8 * size - 1;
    uint64_t flags = 0;
    if ((carries >> top) & 1)
        flags |= RFLAGS_CF;
    if ((carries >> 3) & 1)
        flags |= RFLAGS_AF;
    if ((overflows >> top) & 1)
        flags |= RFLAGS_OF;
    return flags;
}

static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, unsigned size, uint64_t *flags)
{
    uint64_t result = (a + b + carry) & size_mask(size);
    uint64_t carries = (a & b) | ((a | b) & ~result);
    *flags = carry_flags(carries, (a ^ result) & (b ^ result), size) | result_flags(result, size);
    return result;
}

static uint64_t subtract(uint64_t a, uint64_t b, uint64_t borrow, unsigned size, uint64_t *flags)
{
    uint64_t result = (a - b - borrow) & size_mask(size);
    uint64_t borrows = (~a & b) | (~(a ^ b) & result);
    *flags = carry_flags(borrows, (a ^ b) & (a ^ result), size) | result_flags(result, size);
    return result;
}

uint64_t alu_compute(enum insn_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags)
{
    uint64_t carry = *rflags & RFLAGS_CF;
    uint64_t changed = STATUS_FLAGS;
    uint64_t flags = 0;
    uint64_t result;
    switch (op) {
    case INSN_ADD:
    case INSN_ADC:
        result = add(a, b, op == INSN_ADC ? carry : 0, size, &flags);
        break;
    case INSN_SUB:
    case INSN_CMP:
    case INSN_SBB:
        result = subtract(a, b, op == INSN_SBB ? carry : 0, size, &flags);
        break;
    case INSN_INC:
        result = add(a, 1, 0, size, &flags);
        changed &= ~RFLAGS_CF;
        break;
    case INSN_DEC:
        result = subtract(a, 1, 0, size, &flags);
        changed &= ~RFLAGS_CF;
        break;
    case INSN_NEG:
        result = subtract(0, a, 0, size, &flags);
        break;
    case INSN_NOT:
        return ~a & size_mask(size);
    default:
        if (op == INSN_OR)
            result = a | b;
        else if (op == INSN_XOR)
            result = a ^ b;
        else
            result = a & b;
        flags = result_flags(result, size);
    }
    *rflags = (*rflags & ~changed) | (flags & changed);
    return result;
}

uint64_t alu_bit(enum insn_op op, uint64_t a, unsigned bit, uint64_t *rflags)
{
    uint64_t mask = BIT64(bit);
    *rflags = (*rflags & ~(uint64_t)RFLAGS_CF) | ((a & mask) ? RFLAGS_CF : 0);
    switch (op) {
    case INSN_BTS:
        return a | mask;
    case INSN_BTR:
        return a & ~mask;
    case INSN_BTC:
        return a ^ mask;
    default:
        return a;
    }
}

bool alu_condition(unsigned cc, uint64_t rflags)
{
    bool cf = rflags & RFLAGS_CF, zf = rflags & RFLAGS_ZF;
    bool less = !(rflags & RFLAGS_SF) != !(rflags & RFLAGS_OF);
    bool holds;
    switch (cc >> 1) {
    case 0:
        holds = rflags & RFLAGS_OF;
        break;
    case 1:
        holds = cf;
        break;
    case 2:
        holds = zf;
        break;
    case 3:
        holds = cf || zf;
        break;
    case 4:
        holds = rflags & RFLAGS_SF;
        break;
    case 5:
        holds = rflags & RFLAGS_PF;
        break;
    case 6:
        holds = less;
        break;
    default:
        holds = less || zf;
    }
    return holds != (cc & 1);
}
