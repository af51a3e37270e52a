/* MTRR arithmetic. SDM "MTRR Precedences", "Range Size and Alignment Requirement"; APM "Extended
 * Fixed-Range MTRR Type-Field Encodings", "Top of Memory". */
#include "hw/mtrr.h"

#include "lib/bits.h"

enum { TYPE_UC = 0, TYPE_WC = 1, TYPE_WT = 4, TYPE_WP = 5, TYPE_WB = 6 };

#define DEF_TYPE_MASK         0xFFu
#define DEF_TYPE_FIXED_ENABLE BIT64(10)
#define DEF_TYPE_ENABLE       BIT64(11)
#define PHYS_MASK_VALID       BIT64(11)

/* In each byte of a fixed range, on AMD's CPUs: whether reads and writes go to RAM. They show while
 * SYSCFG.MtrrFixDramModEn is set, and change no type. */
#define FIXED_RD_WR_MEM 0x18u

#define SYSCFG_MTRR_TOM2_EN           BIT64(21)
#define SYSCFG_TOM2_FORCE_MEM_TYPE_WB BIT64(22)
#define SYSCFG_TOM2_WB                (SYSCFG_MTRR_TOM2_EN | SYSCFG_TOM2_FORCE_MEM_TYPE_WB)
#define TOP_MEM2_UNIT                 MIB(8)
#define TOP_MEM2_BASE                 GIB(4)

#define FIXED_64K_END 0x80000u
#define FIXED_16K_END 0xC0000u
#define FIXED_END     0x100000u

static unsigned valid_type(uint64_t raw)
{
    unsigned type = raw & DEF_TYPE_MASK;
    return type == TYPE_WC || (type >= TYPE_WT && type <= TYPE_WB) ? type : TYPE_UC;
}

/* Below 1 MiB: the range's index among all 88, and where it ends. */
static unsigned fixed_index(hpa_t hpa, hpa_t *end)
{
    uint64_t unit, index;

    if (hpa < FIXED_64K_END) {
        unit = KIB(64);
        index = hpa / unit;
    } else if (hpa < FIXED_16K_END) {
        unit = KIB(16);
        index = 8 + (hpa - FIXED_64K_END) / unit;
    } else {
        unit = KIB(4);
        index = 24 + (hpa - FIXED_16K_END) / unit;
    }
    *end = align_down(hpa, unit) + unit;
    return (unsigned)index;
}

/* Whether the variable range covers hpa; *change is lowered to the next address at which that may
 * be different. */
static bool variable_covers(const struct mtrr_state *state, unsigned n, hpa_t hpa, hpa_t *change)
{
    uint64_t address_mask = align_down(BIT64(state->physical_bits) - 1, PAGE_SIZE);
    uint64_t mask = state->variable[n].mask & address_mask;
    uint64_t base = state->variable[n].base & mask;
    bool covers = (hpa & mask) == base;

    if (mask == 0)
        return true; /* the whole address space */
    uint64_t unit = mask & -mask;
    if (mask + unit == (address_mask | (PAGE_SIZE - 1)) + 1) {
        /* Ones down to `unit`, zeros below: one range of that size. */
        if (hpa < base)
            *change = min_u64(*change, base);
        else if (hpa - base < unit)
            *change = min_u64(*change, base + unit);
    } else {
        *change = min_u64(*change, align_down(hpa, unit) + unit);
    }
    return covers;
}

static unsigned combine(unsigned a, unsigned b)
{
    if (a == b)
        return a;
    if ((a == TYPE_WT && b == TYPE_WB) || (a == TYPE_WB && b == TYPE_WT))
        return TYPE_WT;
    return TYPE_UC; /* where one is UC, and where the manual calls the result undefined */
}

/* The type where no variable range matches; *change as above. On AMD's CPUs firmware may leave the
 * memory above 4 GiB without ranges: up to TOP_MEM2 it is then write-back. */
static unsigned default_type(const struct mtrr_state *state, hpa_t hpa, hpa_t *change)
{
    uint64_t end = state->top_mem2 & (BIT64(state->physical_bits) - 1);
    end = align_down(end, TOP_MEM2_UNIT);
    if ((state->syscfg & SYSCFG_TOM2_WB) == SYSCFG_TOM2_WB && hpa < end) {
        *change = min_u64(*change, hpa < TOP_MEM2_BASE ? TOP_MEM2_BASE : end);
        if (hpa >= TOP_MEM2_BASE)
            return TYPE_WB;
    }
    return valid_type(state->def_type);
}

/* The type at hpa and in *change the next address where it may be another one. */
static unsigned type_at(const struct mtrr_state *state, hpa_t hpa, hpa_t *change)
{
    *change = UINT64_MAX;
    if (!(state->def_type & DEF_TYPE_ENABLE))
        return TYPE_UC;
    if (hpa < FIXED_END && state->has_fixed && (state->def_type & DEF_TYPE_FIXED_ENABLE)) {
        unsigned index = fixed_index(hpa, change);
        return valid_type((state->fixed[index / 8] >> (index % 8 * 8)) &
                          ~(uint64_t)FIXED_RD_WR_MEM);
    }
    if (hpa < FIXED_END)
        *change = FIXED_END;

    bool matched = false;
    unsigned type = default_type(state, hpa, change);
    for (unsigned n = 0; n < state->variable_count; n++) {
        if (!(state->variable[n].mask & PHYS_MASK_VALID))
            continue;
        if (!variable_covers(state, n, hpa, change))
            continue;
        unsigned own = valid_type(state->variable[n].base);
        type = matched ? combine(type, own) : own;
        matched = true;
    }
    return type;
}

unsigned mtrr_lookup(const struct mtrr_state *state, hpa_t hpa, uint64_t size_bytes,
                     uint64_t *uniform_bytes)
{
    /* UINT64_MAX means "never" in what follows. */
    hpa_t last = hpa + min_u64(size_bytes - 1, UINT64_MAX - 1 - hpa);
    hpa_t change;
    unsigned type = type_at(state, hpa, &change);

    while (change <= last) {
        hpa_t next;
        if (type_at(state, change, &next) != type)
            break;
        change = next;
    }
    *uniform_bytes = change > last ? last - hpa + 1 : change - hpa;
    return type;
}
