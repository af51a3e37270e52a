/* The memory types that the firmware gave to physical memory. SDM "Memory Type Range Registers
 * (MTRRs)", APM "MTRRs". Pure: a snapshot of the registers goes in, a type comes out. */
#ifndef HW_MTRR_H
#define HW_MTRR_H

#include "lib/types.h"

#define MTRR_MAX_VARIABLE 32
#define MTRR_FIXED_MSRS   11

/* Raw register contents. */
struct mtrr_state {
    uint64_t def_type;               /* IA32_MTRR_DEF_TYPE */
    uint64_t fixed[MTRR_FIXED_MSRS]; /* FIX64K_00000, FIX16K_80000, FIX16K_A0000, FIX4K_C0000 ... */
    unsigned variable_count;
    struct {
        uint64_t base, mask; /* IA32_MTRR_PHYSBASEn, IA32_MTRR_PHYSMASKn */
    } variable[MTRR_MAX_VARIABLE];
    uint64_t syscfg, top_mem2; /* AMD's SYSCFG and TOP_MEM2; 0 elsewhere */
    uint8_t physical_bits;
    bool has_fixed; /* IA32_MTRRCAP.FIX */
};

/* The type (UC 0, WC 1, WT 4, WP 5, WB 6) at hpa and in *uniform_bytes (1 to size_bytes) how far
 * from hpa on it holds. Undefined combinations are UC. size_bytes is not 0. */
unsigned mtrr_lookup(const struct mtrr_state *state, hpa_t hpa, uint64_t size_bytes,
                     uint64_t *uniform_bytes);

#endif
