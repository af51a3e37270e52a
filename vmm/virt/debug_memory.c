/* The guest's memory and registers for a debugger: nothing of the guest changes by looking. */
#include "virt/debug_parts.h"

#include "lib/mem.h"
#include "virt/x86.h"

#define RFLAGS_ONE     BIT64(1) /* reads as 1 always */
#define RFLAGS_VM      BIT64(17)
#define RFLAGS_DEFINED 0x3f7fd5ull

/* --- addresses -------------------------------------------------------------------------------- */

gva_t debug_linear_rip(struct vcpu *vcpu)
{
    struct vseg cs;
    if (vcpu_code_bits(vcpu) == 64)
        return vcpu->rip;
    vcpu->backend->seg_get(vcpu, VSEG_CS, &cs);
    return (uint32_t)(cs.base + vcpu->rip);
}

void vdebug_walk(struct vcpu *vcpu, gva_t address, struct vdebug_walk *walk)
{
    *walk = (struct vdebug_walk){.count = 0};
    if (vcpu_is_canonical(vcpu, address))
        gwalk_look(vcpu, address, walk);
}

bool debug_translate(struct vcpu *vcpu, gva_t linear, gpa_t *gpa)
{
    struct vdebug_walk walk;
    vdebug_walk(vcpu, linear, &walk);
    *gpa = walk.gpa;
    return walk.mapped;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* So much goes at once: never more than one page, which is RAM as a whole or not at all. */
#define PIECE 256u

static bool hides(const struct vdebug_soft *soft, gpa_t gpa, uint64_t length, const uint8_t *bytes)
{
    return soft->used && !soft->lifted && soft->gpa - gpa < length &&
           bytes[soft->gpa - gpa] == INT3; /* else the guest has written over it */
}

static bool read_piece(struct vcpu *vcpu, gpa_t gpa, uint8_t *to, uint64_t length)
{
    if (!vcpu->hooks.mem_read(vcpu->hooks.ctx, gpa, to, length))
        return false;
    for (unsigned n = 0; n < VDEBUG_SOFT_POINTS; n++) {
        const struct vdebug_soft *soft = &vcpu->debug.soft[n];
        if (hides(soft, gpa, length, to))
            to[soft->gpa - gpa] = soft->original;
    }
    return true;
}

static bool write_piece(struct vcpu *vcpu, gpa_t gpa, const uint8_t *from, uint64_t length)
{
    uint8_t old[PIECE], new[PIECE];
    if (!vcpu->hooks.mem_read(vcpu->hooks.ctx, gpa, old, length))
        return false;
    memcpy(new, from, length);
    for (unsigned n = 0; n < VDEBUG_SOFT_POINTS; n++) {
        struct vdebug_soft *soft = &vcpu->debug.soft[n];
        if (!hides(soft, gpa, length, old))
            continue;
        soft->original = from[soft->gpa - gpa];
        new[soft->gpa - gpa] = INT3;
    }
    return vcpu->hooks.mem_write(vcpu->hooks.ctx, gpa, new, length);
}

static uint64_t piece_length(uint64_t address, uint64_t length)
{
    return min_u64(length, PIECE - (address & (PIECE - 1)));
}

uint64_t vdebug_read_physical(struct vcpu *vcpu, gpa_t address, void *to, uint64_t length)
{
    uint64_t done = 0;
    while (done < length) {
        uint64_t piece = piece_length(address + done, length - done);
        if (!read_piece(vcpu, address + done, (uint8_t *)to + done, piece))
            break;
        done += piece;
    }
    return done;
}

uint64_t vdebug_write_physical(struct vcpu *vcpu, gpa_t address, const void *from, uint64_t length)
{
    uint64_t done = 0;
    while (done < length) {
        uint64_t piece = piece_length(address + done, length - done);
        if (!write_piece(vcpu, address + done, (const uint8_t *)from + done, piece))
            break;
        done += piece;
    }
    return done;
}

uint64_t vdebug_read(struct vcpu *vcpu, gva_t address, void *to, uint64_t length)
{
    uint64_t done = 0;
    gpa_t gpa;
    while (done < length && debug_translate(vcpu, address + done, &gpa)) {
        uint64_t room = min_u64(length - done, PAGE_SIZE - (gpa & (PAGE_SIZE - 1)));
        uint64_t piece = vdebug_read_physical(vcpu, gpa, (uint8_t *)to + done, room);
        done += piece;
        if (piece < room)
            break;
    }
    return done;
}

uint64_t vdebug_write(struct vcpu *vcpu, gva_t address, const void *from, uint64_t length)
{
    uint64_t done = 0;
    gpa_t gpa;
    while (done < length && debug_translate(vcpu, address + done, &gpa)) {
        uint64_t room = min_u64(length - done, PAGE_SIZE - (gpa & (PAGE_SIZE - 1)));
        uint64_t piece = vdebug_write_physical(vcpu, gpa, (const uint8_t *)from + done, room);
        done += piece;
        if (piece < room)
            break;
    }
    return done;
}

/* --- registers -------------------------------------------------------------------------------- */

bool vdebug_set_rip(struct vcpu *vcpu, uint64_t rip)
{
    bool valid = vcpu_code_bits(vcpu) == 64 ? vcpu_is_canonical(vcpu, rip) : rip >> 32 == 0;
    if (!valid)
        return false;
    if (rip != vcpu->rip) {
        vcpu->int_shadow = 0;
        vcpu->halted = false;
    }
    vcpu->rip = rip;
    return true;
}

/* Bits that don't exist stay as the CPU has them; VM goes with segments of another kind. An
 * interrupt that was acknowledged waits where IF no longer lets it in. */
bool vdebug_set_rflags(struct vcpu *vcpu, uint64_t rflags)
{
    rflags = (rflags & RFLAGS_DEFINED) | RFLAGS_ONE;
    if ((rflags ^ vcpu->rflags) & RFLAGS_VM)
        return false;
    if (!(rflags & X86_RFLAGS_IF) && vcpu->inject.type == VEVENT_IRQ) {
        vcpu->irq_held = true;
        vcpu->held_vector = vcpu->inject.vector;
        vcpu->inject.type = VEVENT_NONE;
    }
    if (rflags & ~vcpu->rflags & X86_RFLAGS_TF || !(rflags & X86_RFLAGS_IF))
        vcpu->int_shadow = 0;
    vcpu->rflags = rflags;
    return true;
}

uint64_t vdebug_rflags(struct vcpu *vcpu)
{
    return vcpu->rflags;
}

void vdebug_set_gpr(struct vcpu *vcpu, unsigned gpr, uint64_t value)
{
    vcpu->gpr[gpr & 15] = value;
}

uint64_t vdebug_gpr(struct vcpu *vcpu, unsigned gpr)
{
    if (gpr == VGPR_RSP && !vdebug_stopped(vcpu))
        return vcpu->backend->reg_get(vcpu, VREG_RSP);
    return vcpu->gpr[gpr & 15];
}
