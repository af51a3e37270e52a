/*
 * From an offset in a segment to a linear address, for accesses that the VMM makes in the place of
 * an instruction. Left out: alignment checks (#AC).
 */
#include "virt/insn.h"
#include "virt/x86.h"

#define RFLAGS_VM BIT64(17)

/* Segment descriptor type bits, S = 1: SDM "Code- and Data-Segment Descriptor Types". */
#define SEG_PRESENT  0x80u
#define SEG_CODE     0x08u
#define SEG_DOWN     0x04u /* data: the valid offsets lie above the limit */
#define SEG_WRITABLE 0x02u /* data */
#define SEG_READABLE 0x02u /* code */

static enum exit_action refuse(struct vcpu *vcpu, enum vseg_name segment)
{
    return inject_exception_error(vcpu, segment == VSEG_SS ? X86_SS : X86_GP, 0);
}

static enum exit_action linear64(struct vcpu *vcpu, const struct segment_access *access,
                                 gva_t *linear)
{
    *linear = access->offset;
    if (access->segment == VSEG_FS)
        *linear += vcpu->backend->reg_get(vcpu, VREG_FS_BASE);
    else if (access->segment == VSEG_GS)
        *linear += vcpu->backend->reg_get(vcpu, VREG_GS_BASE);
    if (vcpu_is_canonical(vcpu, *linear) && vcpu_is_canonical(vcpu, *linear + access->size - 1))
        return EXIT_ADVANCE;
    return refuse(vcpu, access->segment);
}

static bool type_allows(struct vcpu *vcpu, const struct vseg *seg, bool write)
{
    bool has_types =
        (vcpu->backend->reg_get(vcpu, VREG_CR0) & X86_CR0_PE) && !(vcpu->rflags & RFLAGS_VM);
    if (!has_types)
        return true;
    if (!(seg->access & SEG_PRESENT))
        return false;
    if (seg->access & SEG_CODE)
        return !write && (seg->access & SEG_READABLE);
    return !write || (seg->access & SEG_WRITABLE);
}

static bool within_limit(const struct vseg *seg, uint64_t offset, unsigned size)
{
    uint64_t last = offset + size - 1;
    if ((seg->access & (SEG_CODE | SEG_DOWN)) != SEG_DOWN)
        return last <= seg->limit;
    return offset > seg->limit && last <= ((seg->access & VSEG_ACCESS_DB) ? UINT32_MAX : 0xffff);
}

enum exit_action segment_linear(struct vcpu *vcpu, unsigned code_bits,
                                const struct segment_access *access, gva_t *linear)
{
    struct vseg seg;
    if (code_bits == 64)
        return linear64(vcpu, access, linear);
    vcpu->backend->seg_get(vcpu, access->segment, &seg);
    if (!type_allows(vcpu, &seg, access->write) ||
        !within_limit(&seg, access->offset, access->size))
        return refuse(vcpu, access->segment);
    *linear = (uint32_t)(seg.base + access->offset);
    return EXIT_ADVANCE;
}
