/* The tables of model-specific registers: msr.c has what all CPUs share and Intel's own, msr_amd.c
 * has AMD's. */
#ifndef VIRT_MSR_H
#define VIRT_MSR_H

#include "virt/vcpu.h"

/* Handlers give false for #GP(0). */
struct msr_entry {
    uint32_t first, last;
    bool (*read)(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
    bool (*write)(struct vcpu *vcpu, uint32_t msr, uint64_t value); /* NULL: read-only */
};

/* Sorted by number. */
struct msr_table {
    const struct msr_entry *entry;
    unsigned count;
};

extern const struct msr_table msr_amd;

/* A register whose every bit belongs to a hidden feature: reads 0, and 0 may be written. */
bool msr_read_zero(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_write_zero(struct vcpu *vcpu, uint32_t msr, uint64_t value);

#endif
