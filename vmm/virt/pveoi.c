/*
 * The end of an interrupt without an exit: a bit in the guest's memory that the hypervisor sets
 * when an interrupt is delivered whose end needs nobody's attention, and that the guest then clears
 * in the place of the EOI register. Linux, "KVM-specific MSRs", MSR_KVM_PV_EOI_EN; ADR 0015 has the
 * rules.
 *
 * The local APIC decides when an end may be left to the guest and asks in time whether it has come;
 * this file has the MSR and the bit.
 *
 * A hostile guest can name any address, and change the bit as it likes: the word lies in RAM,
 * whole, or the MSR's write is #GP; what the bit says moves the guest's own interrupts alone.
 */
#include "virt/handlers.h"

#include "lib/bits.h"

#define PVEOI_ENABLE   BIT64(0)
#define PVEOI_RESERVED BIT64(1)
#define PVEOI_BIT      BIT(0) /* of the word: "the guest can skip writing EOI" */

bool pveoi_shown(const struct vcpu *vcpu)
{
    return vcpu->apic_help < VAPIC_DELIVERY;
}

static bool read_word(struct vcpu *vcpu, gpa_t gpa, uint8_t word[4])
{
    return vcpu->hooks.mem_read(vcpu->hooks.ctx, gpa, word, 4);
}

bool pveoi_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vcpu->pveoi;
    return pveoi_shown(vcpu);
}

/* An offer that is open goes on at the old address. */
bool pveoi_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    uint8_t word[4];
    (void)msr;
    if (!pveoi_shown(vcpu) || (value & PVEOI_RESERVED))
        return false;
    if ((value & PVEOI_ENABLE) && !read_word(vcpu, value & ~PVEOI_ENABLE, word))
        return false;
    vcpu->pveoi = value;
    return true;
}

bool pveoi_offer(struct vcpu *vcpu)
{
    uint8_t word[4];
    gpa_t gpa = vcpu->pveoi & ~PVEOI_ENABLE;
    if (!(vcpu->pveoi & PVEOI_ENABLE) || !read_word(vcpu, gpa, word))
        return false;
    word[0] |= PVEOI_BIT;
    vcpu->pveoi_at = gpa;
    return vcpu->hooks.mem_write(vcpu->hooks.ctx, gpa, word, 4);
}

bool pveoi_withdraw(struct vcpu *vcpu)
{
    uint8_t word[4];
    if (!read_word(vcpu, vcpu->pveoi_at, word))
        return false;
    if (!(word[0] & PVEOI_BIT))
        return true;
    word[0] &= (uint8_t)~PVEOI_BIT;
    vcpu->hooks.mem_write(vcpu->hooks.ctx, vcpu->pveoi_at, word, 4);
    return false;
}

void pveoi_reset(struct vcpu *vcpu)
{
    vcpu->pveoi = 0;
}
