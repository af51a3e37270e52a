/*
 * The paravirtual clock that Linux, FreeBSD and others know as KVM's: a record in the guest's
 * memory by which it turns its TSC into nanoseconds without asking anybody, and a wall clock at
 * time 0. Linux, "KVM-specific MSRs" and "KVM CPUID bits" (Documentation/virt/kvm/x86). AMD's CPUs
 * have no CPUID leaf for the TSC's frequency, and a guest that has to measure it makes ten
 * thousands of exits.
 *
 * The frequency never changes, so the record is written when the guest asks for it and when it sets
 * its TSC; nothing has to be done at an entry.
 *
 * A hostile guest can name any address: the record goes to RAM, whole, or the MSR's write is #GP.
 */
#include "virt/handlers.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define SYSTEM_TIME_ENABLE BIT64(0)
#define SYSTEM_TIME_SIZE   32u
#define WALL_CLOCK_SIZE    12u
#define FLAG_TSC_STABLE    BIT(0)
#define NS_PER_SECOND      1000000000ull

/* ns = (ticks shifted left by shift, right where it is negative) * mul >> 32 */
struct scale {
    uint32_t mul;
    int8_t shift;
};

/* Brings the frequency between 1 and 2 GHz, where mul has all of its 32 bits. */
static struct scale scale_of(uint64_t hz)
{
    struct scale scale = {.shift = 0};
    for (; hz > 2 * NS_PER_SECOND; hz >>= 1)
        scale.shift--;
    for (; hz <= NS_PER_SECOND; hz <<= 1)
        scale.shift++;
    scale.mul = (uint32_t)((NS_PER_SECOND << 32) / hz);
    return scale;
}

/* The version is odd while a record is being written; no other CPU could see it so here. */
static bool write_system_time(struct vcpu *vcpu)
{
    struct scale scale = scale_of(vcpu->clock.tsc_hz);
    uint8_t record[SYSTEM_TIME_SIZE] = {0};
    uint64_t tsc = vcpu->host->tsc();
    vcpu->pvclock_version += 2;
    store_le32(record, vcpu->pvclock_version);
    store_le64(record + 8, tsc + vcpu->backend->reg_get(vcpu, VREG_TSC_OFFSET));
    store_le64(record + 16, clock_ns(&vcpu->clock, tsc));
    store_le32(record + 24, scale.mul);
    record[28] = (uint8_t)scale.shift;
    record[29] = FLAG_TSC_STABLE;
    return vcpu->hooks.mem_write(vcpu->hooks.ctx, vcpu->pvclock & ~SYSTEM_TIME_ENABLE, record,
                                 sizeof(record));
}

static bool write_wall_clock(struct vcpu *vcpu, gpa_t gpa)
{
    uint8_t record[WALL_CLOCK_SIZE] = {0};
    store_le32(record, 2);
    store_le32(record + 4, (uint32_t)vcpu->wall_epoch_s);
    return vcpu->hooks.mem_write(vcpu->hooks.ctx, gpa, record, sizeof(record));
}

bool pvclock_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    *value = msr == MSR_PVCLOCK_SYSTEM_TIME ? vcpu->pvclock : vcpu->pvclock_wall;
    return true;
}

bool pvclock_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    if (msr == MSR_PVCLOCK_WALL) {
        vcpu->pvclock_wall = value;
        return write_wall_clock(vcpu, value);
    }
    vcpu->pvclock = value;
    if (!(value & SYSTEM_TIME_ENABLE) || write_system_time(vcpu))
        return true;
    vcpu->pvclock = 0;
    return false;
}

void pvclock_tsc_moved(struct vcpu *vcpu)
{
    if (vcpu->pvclock & SYSTEM_TIME_ENABLE)
        write_system_time(vcpu);
}

void pvclock_reset(struct vcpu *vcpu)
{
    vcpu->pvclock = vcpu->pvclock_wall = 0;
    vcpu->pvclock_version = 0;
}
