/* Where an event's handler begins, by the guest's own tables. */
#include "virt/debug_parts.h"

#include "lib/mem.h"
#include "virt/x86.h"

#define SELECTOR_TI 4u

/* SDM "IDT Descriptors": interrupt and trap gates, of 16 and 32 bits; 64-bit ones likewise. */
#define GATE_TYPE_MASK 0x1fu
#define GATE_16_BIT    0x06u /* trap gates have bit 0 set */
#define GATE_32_BIT    0x0eu

static bool read_all(struct vcpu *vcpu, gva_t address, void *to, uint64_t length)
{
    return vdebug_read(vcpu, address, to, length) == length;
}

static bool segment_base(struct vcpu *vcpu, uint16_t selector, uint64_t *base)
{
    struct vseg ldt;
    uint32_t word[2];
    uint64_t table = vcpu->backend->reg_get(vcpu, VREG_GDTR_BASE);
    if (selector & SELECTOR_TI) {
        vcpu->backend->seg_get(vcpu, VSEG_LDTR, &ldt);
        table = ldt.base;
    }
    if (!read_all(vcpu, table + (selector & ~7u), word, sizeof word))
        return false;
    *base = word[0] >> 16 | (word[1] & 0xffu) << 16 | (word[1] & 0xff000000u);
    return true;
}

static bool real_mode_handler(struct vcpu *vcpu, gva_t entry, gva_t *linear)
{
    uint16_t word[2]; /* offset, segment */
    if (!read_all(vcpu, entry, word, sizeof word))
        return false;
    *linear = word[1] * 16u + word[0];
    return true;
}

bool debug_handler(struct vcpu *vcpu, uint8_t vector, gva_t *linear)
{
    const struct backend *backend = vcpu->backend;
    gva_t idt = backend->reg_get(vcpu, VREG_IDTR_BASE);
    bool long_mode = backend->reg_get(vcpu, VREG_EFER) & X86_EFER_LMA;
    uint32_t gate[4] = {0};
    uint64_t base = 0;
    if (!(backend->reg_get(vcpu, VREG_CR0) & X86_CR0_PE))
        return real_mode_handler(vcpu, idt + vector * 4u, linear);
    unsigned size = long_mode ? 16 : 8;
    if (!read_all(vcpu, idt + vector * size, gate, size))
        return false;
    unsigned type = gate[1] >> 8 & GATE_TYPE_MASK & ~1u;
    uint64_t offset = gate[0] & 0xffff;
    if (type == GATE_32_BIT)
        offset |= gate[1] & 0xffff0000u;
    else if (type != GATE_16_BIT)
        return false;
    if (long_mode)
        offset |= (uint64_t)gate[2] << 32;
    else if (!segment_base(vcpu, (uint16_t)(gate[0] >> 16), &base))
        return false;
    *linear = long_mode ? offset : (uint32_t)(base + offset);
    return true;
}
