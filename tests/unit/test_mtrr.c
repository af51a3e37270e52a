/* needs: vmm/hw/mtrr.c */
#include "hw/mtrr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Types: UC 0, WC 1, WT 4, WP 5, WB 6. Registers hold what firmware wrote, raw. */
#define LEGACY_FIXED                                                                               \
    {                                                                                              \
        0x0606060606060606, 0x0606060606060606, 0, 0x0505050505050505, 0x0505050505050505,         \
            0x0505050505050505, 0x0505050505050505, 0x0505050505050505, 0x0505050505050505,        \
            0x0505050505050505, 0x0505050505050505                                                 \
    }

/* SeaBIOS under QEMU: all write-back but the PCI hole. */
static const struct mtrr_state seabios = {
    .def_type = 0xC06,
    .fixed = LEGACY_FIXED,
    .variable_count = 8,
    .variable = {{0xC0000000, 0xFFC0000800}},
    .physical_bits = 40,
    .has_fixed = true,
};

/* A desktop board with 8 GiB, default uncached: three write-back ranges, an uncached hole cut out
 * of them, a write-combining framebuffer inside the hole's neighbourhood. */
static const struct mtrr_state desktop = {
    .def_type = 0xC00,
    .fixed = LEGACY_FIXED,
    .variable_count = 10,
    .variable = {{0x000000006, 0xF00000800},  /* 0-4 GiB WB */
                 {0x100000006, 0xF00000800},  /* 4-8 GiB WB */
                 {0x200000006, 0xFE0000800},  /* 8-8.5 GiB WB */
                 {0x0E0000000, 0xFE0000800},  /* 3.5-4 GiB UC */
                 {0x0DF800000, 0xFFF800000}}, /* not valid: no bit 11 */
    .physical_bits = 36,
    .has_fixed = true,
};

/* A laptop, default write-back: uncached ranges that end at 4 GiB step by step, and one WC range.
 */
static const struct mtrr_state laptop = {
    .def_type = 0xC06,
    .fixed = LEGACY_FIXED,
    .variable_count = 10,
    .variable = {{0x00C0000000, 0x7FC0000800},
                 {0x00A0000000, 0x7FE0000800},
                 {0x0090000000, 0x7FF0000800},
                 {0x008C000000, 0x7FFC000800},
                 {0x4000000001, 0x7FF0000800}}, /* 256 GiB: 256 MiB WC */
    .physical_bits = 39,
    .has_fixed = true,
};

/* A Zen desktop with 64 GiB: default uncached, one range for the low 2 GiB and one for the next,
 * and nothing above 4 GiB but SYSCFG's MtrrVarDramEn, MtrrTom2En and Tom2ForceMemTypeWB. 2 GiB of
 * the RAM are remapped: TOP_MEM2 is 66 GiB less what firmware keeps. */
static const struct mtrr_state zen = {
    .def_type = 0xC00,
    .fixed = LEGACY_FIXED,
    .variable_count = 8,
    .variable = {{0x000000006, 0xFFFF80000800}, {0x080000006, 0xFFFFC0000800}},
    .syscfg = 0x740000,
    .top_mem2 = 0x103F000000,
    .physical_bits = 48,
    .has_fixed = true,
};

static void expect(const struct mtrr_state *mtrrs, hpa_t hpa, uint64_t size, unsigned type,
                   uint64_t uniform)
{
    uint64_t bytes = 0;
    assert_int_equal(mtrr_lookup(mtrrs, hpa, size, &bytes), type);
    assert_int_equal(bytes, uniform);
}

static void the_fixed_ranges_rule_below_1_mib(void **state)
{
    (void)state;
    expect(&seabios, 0, 0x100000, 6, 0xA0000);
    expect(&seabios, 0x9F000, 0x1000, 6, 0x1000);
    expect(&seabios, 0xA0000, 0x100000, 0, 0x20000);
    expect(&seabios, 0xBFFFF, 0x100, 0, 1);
    expect(&seabios, 0xC0000, 0x100000, 5, 0x40000);
    expect(&desktop, 0xF0000, 0x20000, 5, 0x10000);
}

static void each_fixed_byte_has_its_own_range(void **state)
{
    (void)state;
    struct mtrr_state mtrrs = {.def_type = 0xC06, .physical_bits = 36, .has_fixed = true};
    mtrrs.fixed[0] = 0x0606060606060106;  /* FIX64K_00000, byte 1: 10000h */
    mtrrs.fixed[2] = 0x0400000000000000;  /* FIX16K_A0000, byte 7: BC000h */
    mtrrs.fixed[3] = 0x0000000000050000;  /* FIX4K_C0000, byte 2: C2000h */
    mtrrs.fixed[10] = 0x0600000000000000; /* FIX4K_F8000, byte 7: FF000h */
    expect(&mtrrs, 0x0F000, 0x100000, 6, 0x1000);
    expect(&mtrrs, 0x10000, 0x100000, 1, 0x10000);
    expect(&mtrrs, 0x20000, 0x100000, 6, 0x60000);
    expect(&mtrrs, 0xBC000, 0x100000, 4, 0x4000);
    expect(&mtrrs, 0xC2000, 0x100000, 5, 0x1000);
    expect(&mtrrs, 0xFF000, 0x100000, 6, 0x100000); /* and the default type behind it is WB too */
}

static void fixed_ranges_count_only_when_enabled_and_present(void **state)
{
    (void)state;
    struct mtrr_state mtrrs = seabios;
    mtrrs.def_type = 0x806; /* E without FE */
    expect(&mtrrs, 0xA0000, 0x1000, 6, 0x1000);
    mtrrs = seabios;
    mtrrs.has_fixed = false;
    expect(&mtrrs, 0xA0000, 0x1000, 6, 0x1000);
}

static void disabled_mtrrs_make_everything_uncached(void **state)
{
    (void)state;
    struct mtrr_state mtrrs = seabios;
    mtrrs.def_type = 0x406; /* FE without E */
    expect(&mtrrs, 0, 0x100000000, 0, 0x100000000);
}

static void a_hole_splits_a_range(void **state)
{
    (void)state;
    expect(&seabios, 0x100000, 0x200000000, 6, 0xBFF00000);
    expect(&seabios, 0xC0000000, 0x200000000, 0, 0x40000000);
    expect(&seabios, 0xFEE00000, 0x1000, 0, 0x1000);
    expect(&seabios, 0x100000000, 0x4000000000, 6, 0x4000000000);
}

static void uncached_wins_over_write_back(void **state)
{
    (void)state;
    expect(&desktop, 0x100000, 0x400000000, 6, 0xDFF00000);
    expect(&desktop, 0xE0000000, 0x100000000, 0, 0x20000000);
    expect(&desktop, 0xDF800000, 0x1000, 6, 0x1000); /* the range without its valid bit */
}

static void equal_neighbours_are_one_and_the_default_takes_the_rest(void **state)
{
    (void)state;
    expect(&desktop, 0x100000000, 0x400000000, 6, 0x120000000); /* 4 to 8.5 GiB: two ranges */
    expect(&desktop, 0x220000000, 0x100000000, 0, 0x100000000);
}

static void ranges_that_touch_are_walked_as_one(void **state)
{
    (void)state;
    expect(&laptop, 0x40000000, 0x100000000, 6, 0x4C000000);
    expect(&laptop, 0x8C000000, 0x100000000, 0, 0x74000000);
    expect(&laptop, 0x4000000000, 0x40000000, 1, 0x10000000);
    expect(&laptop, 0x3FFFFFF000, 0x40000000, 6, 0x1000);
}

static struct mtrr_state two_overlapping(uint64_t a, uint64_t b)
{
    return (struct mtrr_state){
        .def_type = 0x806,
        .variable_count = 2,
        .variable = {{0x40000000 | a, 0xFC0000800}, {0x40000000 | b, 0xFC0000800}},
        .physical_bits = 36,
    };
}

static void overlaps_follow_the_precedence_rules(void **state)
{
    (void)state;
    static const struct {
        uint8_t a, b, result;
    } cases[] = {
        {6, 6, 6}, {0, 6, 0}, {6, 0, 0}, {4, 6, 4}, {6, 4, 4},
        {1, 1, 1}, {1, 6, 0}, /* undefined by the manual: the safe type */
        {5, 6, 0}, {4, 0, 0}, {2, 2, 0}, {7, 6, 0}, {3, 3, 0},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct mtrr_state mtrrs = two_overlapping(cases[i].a, cases[i].b);
        expect(&mtrrs, 0x40000000, 0x1000, cases[i].result, 0x1000);
    }
}

static void a_mask_with_holes_matches_again_and_again(void **state)
{
    (void)state;
    /* Bit 32 is not compared: the range appears at 1 GiB and at 5 GiB. */
    const struct mtrr_state mtrrs = {
        .def_type = 0x806,
        .variable_count = 1,
        .variable = {{0x40000000, 0xEC0000800}},
        .physical_bits = 36,
    };
    expect(&mtrrs, 0, 0x400000000, 6, 0x40000000);
    expect(&mtrrs, 0x40000000, 0x400000000, 0, 0x40000000);
    expect(&mtrrs, 0x140000000, 0x400000000, 0, 0x40000000);
    expect(&mtrrs, 0x80000000, 0x400000000, 6, 0xC0000000);
}

static void amd_memory_above_4_gib_is_write_back_up_to_top_mem2(void **state)
{
    (void)state;
    expect(&zen, 0x100000, 0x200000000, 6, 0xBFF00000);
    expect(&zen, 0xC0000000, 0x200000000, 0, 0x40000000);
    expect(&zen, 0xFFFFF000, 0x200000000, 0, 0x1000);
    expect(&zen, 0x100000000, 0x4000000000, 6, 0xF3F000000);
    expect(&zen, 0x103EFFF000, 0x2000, 6, 0x1000);
    expect(&zen, 0x103F000000, 0x40000000, 0, 0x40000000); /* a BAR, say */
    struct mtrr_state mtrrs = zen;
    mtrrs.top_mem2 |= 0x7FFFFF; /* the register counts in units of 8 MiB */
    expect(&mtrrs, 0x103F000000, 0x1000, 0, 0x1000);
    mtrrs.top_mem2 = 0xFF0000103F000000; /* and knows as many address bits as the CPU */
    expect(&mtrrs, 0x103F000000, 0x1000, 0, 0x1000);
}

static void top_mem2_needs_both_of_its_bits_and_the_mtrrs(void **state)
{
    (void)state;
    struct mtrr_state mtrrs = zen;
    mtrrs.syscfg = 0x340000; /* MtrrTom2En alone */
    expect(&mtrrs, 0x100000000, 0x1000, 0, 0x1000);
    mtrrs.syscfg = 0x540000; /* Tom2ForceMemTypeWB alone */
    expect(&mtrrs, 0x100000000, 0x1000, 0, 0x1000);
    mtrrs = zen;
    mtrrs.def_type = 0x400;
    expect(&mtrrs, 0x100000000, 0x1000, 0, 0x1000);
    mtrrs = zen;
    mtrrs.top_mem2 = 0; /* all memory is below 4 GiB */
    expect(&mtrrs, 0x100000000, 0x1000, 0, 0x1000);
    mtrrs.top_mem2 = 0x80000000;
    expect(&mtrrs, 0x40000000, 0x80000000, 6, 0x80000000);
    expect(&mtrrs, 0x100000000, 0x1000, 0, 0x1000);
}

static void a_range_goes_before_top_mem2s_default(void **state)
{
    (void)state;
    struct mtrr_state mtrrs = zen;
    mtrrs.variable[2].base = 0x800000001; /* 32 GiB: 256 MiB WC */
    mtrrs.variable[2].mask = 0xFFFFF0000800;
    expect(&mtrrs, 0x100000000, 0x1000000000, 6, 0x700000000);
    expect(&mtrrs, 0x800000000, 0x1000000000, 1, 0x10000000);
    expect(&mtrrs, 0x810000000, 0x1000000000, 6, 0x82F000000);
}

static void intels_registers_have_no_top_mem2(void **state)
{
    (void)state;
    expect(&desktop, 0x220000000, 0x1000, 0, 0x1000);
}

/* SYSCFG.MtrrFixDramModEn left set: RdMem (bit 4) and WrMem (bit 3) show in every byte. */
static void amd_routing_bits_in_fixed_ranges_change_no_type(void **state)
{
    (void)state;
    struct mtrr_state mtrrs = zen;
    mtrrs.syscfg |= 0x80000;
    mtrrs.fixed[0] = mtrrs.fixed[1] = 0x1E1E1E1E1E1E1E1E; /* WB, both to RAM */
    mtrrs.fixed[2] = 0;                                   /* UC, both to the VGA card */
    mtrrs.fixed[3] = 0x1515151515151515;                  /* WP, reads from RAM */
    mtrrs.fixed[4] = 0x1919191919191919;                  /* WC */
    mtrrs.fixed[5] = 0x1818181818181818;                  /* UC */
    mtrrs.fixed[6] = 0x1C1C1C1C1C1C1C1C;                  /* WT */
    expect(&mtrrs, 0, 0x100000, 6, 0xA0000);
    expect(&mtrrs, 0xA0000, 0x100000, 0, 0x20000);
    expect(&mtrrs, 0xC0000, 0x100000, 5, 0x8000);
    expect(&mtrrs, 0xC8000, 0x100000, 1, 0x8000);
    expect(&mtrrs, 0xD0000, 0x100000, 0, 0x8000);
    expect(&mtrrs, 0xD8000, 0x100000, 4, 0x8000);
}

static void the_end_of_the_address_space_is_safe(void **state)
{
    (void)state;
    expect(&seabios, UINT64_MAX - 1, 1, 6, 1);
    expect(&seabios, 0xFFFFFFFFFFFFF000, 0xFFF, 6, 0xFFF);
    uint64_t bytes;
    mtrr_lookup(&seabios, 0, UINT64_MAX, &bytes);
    mtrr_lookup(&laptop, 0x100000000, UINT64_MAX, &bytes);
    assert_int_equal(bytes, 0x3F00000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fixed_ranges_rule_below_1_mib),
        cmocka_unit_test(each_fixed_byte_has_its_own_range),
        cmocka_unit_test(fixed_ranges_count_only_when_enabled_and_present),
        cmocka_unit_test(disabled_mtrrs_make_everything_uncached),
        cmocka_unit_test(a_hole_splits_a_range),
        cmocka_unit_test(uncached_wins_over_write_back),
        cmocka_unit_test(equal_neighbours_are_one_and_the_default_takes_the_rest),
        cmocka_unit_test(ranges_that_touch_are_walked_as_one),
        cmocka_unit_test(overlaps_follow_the_precedence_rules),
        cmocka_unit_test(a_mask_with_holes_matches_again_and_again),
        cmocka_unit_test(amd_memory_above_4_gib_is_write_back_up_to_top_mem2),
        cmocka_unit_test(top_mem2_needs_both_of_its_bits_and_the_mtrrs),
        cmocka_unit_test(a_range_goes_before_top_mem2s_default),
        cmocka_unit_test(intels_registers_have_no_top_mem2),
        cmocka_unit_test(amd_routing_bits_in_fixed_ranges_change_no_type),
        cmocka_unit_test(the_end_of_the_address_space_is_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
