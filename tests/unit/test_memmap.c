/* needs: vmm/lib/memmap.c vmm/lib/mem.c */
#include "lib/memmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct memmap map;

static void assert_entry(unsigned i, uint64_t base, uint64_t size, uint32_t type)
{
    assert_true(i < map.count);
    assert_true(map.entry[i].base == base);
    assert_true(map.entry[i].size_bytes == size);
    assert_int_equal(map.entry[i].type, type);
}

static void entries_are_sorted_and_touching_ones_of_one_type_joined(void **state)
{
    static const struct boot_memory raw[] = {
        {0x100000, 0x700000, 1, 0}, {0xf0000, 0x10000, 2, 0}, {0, 0x9f000, 1, 0},
        {0x800000, 0x800000, 1, 0}, {0xe0000, 0x10000, 2, 0},
    };

    (void)state;
    assert_true(memmap_build(&map, raw, 5));
    assert_int_equal(map.count, 3);
    assert_entry(0, 0, 0x9f000, 1);
    assert_entry(1, 0xe0000, 0x20000, 2);
    assert_entry(2, 0x100000, 0xf00000, 1);
}

static void where_ranges_overlap_the_less_usable_type_counts(void **state)
{
    static const struct boot_memory raw[] = {
        {0, 0x10000, 1, 0},     {0x4000, 0x2000, 2, 0}, {0xf000, 0x3000, 4, 0},
        {0x5000, 0x1000, 5, 0}, {0x4800, 0x100, 1, 0},
    };

    (void)state;
    assert_true(memmap_build(&map, raw, 5));
    assert_int_equal(map.count, 5);
    assert_entry(0, 0, 0x4000, 1);
    assert_entry(1, 0x4000, 0x1000, 2);
    assert_entry(2, 0x5000, 0x1000, 5);
    assert_entry(3, 0x6000, 0x9000, 1);
    assert_entry(4, 0xf000, 0x3000, 4);
}

static void unknown_types_are_reserved(void **state)
{
    static const struct boot_memory raw[] = {
        {0, 0x1000, 7, 0}, {0x1000, 0x1000, 12, 0}, {0x2000, 0x1000, 0, 0}, {0x3000, 0x1000, 3, 0}};

    (void)state;
    assert_true(memmap_build(&map, raw, 4));
    assert_int_equal(map.count, 2);
    assert_entry(0, 0, 0x3000, 2);
    assert_entry(1, 0x3000, 0x1000, 3);
}

static void a_range_that_wraps_ends_at_the_top(void **state)
{
    static const struct boot_memory raw[] = {{0xfffffffffffff000, 0x2000, 2, 0}, {0, 0x1000, 1, 0}};

    (void)state;
    assert_true(memmap_build(&map, raw, 2));
    assert_int_equal(map.count, 2);
    assert_entry(1, 0xfffffffffffff000, 0xfff, 2);
}

static void a_map_with_too_many_pieces_is_refused(void **state)
{
    static struct boot_memory raw[129];

    (void)state;
    for (unsigned i = 0; i < 129; i++)
        raw[i] = (struct boot_memory){i * 0x2000, 0x1000, 1, 0};
    assert_true(memmap_build(&map, raw, 128));
    assert_int_equal(map.count, 128);
    assert_false(memmap_build(&map, raw, 129));
    assert_true(memmap_build(&map, raw, 128));
    assert_false(memmap_reserve(&map, 0x100, 0x100));
    assert_int_equal(map.count, 128);
    assert_entry(0, 0, 0x1000, 1);
    assert_true(memmap_reserve(&map, 0x2000, 0x1000));
    assert_entry(1, 0x2000, 0x1000, 0x1000);
}

static void build_16m(void)
{
    static const struct boot_memory raw[] = {
        {0, 0x9f000, 1, 0}, {0xf0000, 0x10000, 2, 0}, {0x100000, 0xf00000, 1, 0}};

    assert_true(memmap_build(&map, raw, 3));
}

static void usable_means_all_of_it_in_one_usable_range(void **state)
{
    (void)state;
    build_16m();
    assert_true(memmap_is_usable(&map, 0x100000, 0xf00000));
    assert_false(memmap_is_usable(&map, 0x100000, 0xf00001));
    assert_false(memmap_is_usable(&map, 0xfffff, 1));
    assert_true(memmap_is_usable(&map, 0xffffff, 1));
    assert_false(memmap_is_usable(&map, 0xf0000, 0x1000));
    assert_false(memmap_is_usable(&map, 0x100001, UINT64_MAX));
    assert_false(memmap_is_usable(&map, UINT64_MAX, 1));
}

static void reserving_cuts_usable_memory_and_leaves_the_rest(void **state)
{
    (void)state;
    build_16m();
    assert_true(memmap_reserve(&map, 0x200000, 0x1000));
    assert_int_equal(map.count, 5);
    assert_entry(2, 0x100000, 0x100000, 1);
    assert_entry(3, 0x200000, 0x1000, 0x1000);
    assert_entry(4, 0x201000, 0xdff000, 1);
    /* Over several ranges, a reserved one among them; touching pieces are joined. */
    build_16m();
    assert_true(memmap_reserve(&map, 0x90000, 0x71000));
    assert_int_equal(map.count, 5);
    assert_entry(0, 0, 0x90000, 1);
    assert_entry(1, 0x90000, 0xf000, 0x1000);
    assert_entry(2, 0xf0000, 0x10000, 2);
    assert_entry(3, 0x100000, 0x1000, 0x1000);
    assert_true(memmap_reserve(&map, 0x101000, 0x1000));
    assert_int_equal(map.count, 5);
    assert_entry(3, 0x100000, 0x2000, 0x1000);
}

static void allocation_goes_from_the_top_in_whole_pages(void **state)
{
    (void)state;
    build_16m();
    assert_true(memmap_allocate(&map, 1, 0x100000000) == 0xfff000);
    assert_true(memmap_allocate(&map, 0x1001, 0x100000000) == 0xffd000);
    assert_int_equal(map.count, 4);
    assert_entry(3, 0xffd000, 0x3000, 0x1000);
    assert_true(memmap_allocate(&map, 0x1000, 0x800800) == 0x7ff000);
}

static void allocation_takes_a_lower_range_when_the_upper_is_small(void **state)
{
    static const struct boot_memory raw[] = {
        {0x100000, 0x10000, 1, 0}, {0x200800, 0x1800, 1, 0}, {0xfffff000, 0x10000, 1, 0}};

    (void)state;
    assert_true(memmap_build(&map, raw, 3));
    assert_true(memmap_allocate(&map, 0x2000, 0x100000000) == 0x10e000);
    assert_true(memmap_allocate(&map, 0x1000, 0x100000000) == 0xfffff000);
    assert_true(memmap_allocate(&map, 0x1000, 0x100000000) == 0x201000);
    assert_true(memmap_allocate(&map, 0xf000, 0x100000000) == 0);
    assert_true(memmap_allocate(&map, 0xffffffff, 0x100000000) == 0);
}

static void the_largest_range_is_known_for_messages(void **state)
{
    (void)state;
    build_16m();
    assert_true(memmap_largest(&map, 0x100000000) == 0xf00000);
    assert_true(memmap_largest(&map, 0x120000) == 0x9f000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_sorted_and_touching_ones_of_one_type_joined),
        cmocka_unit_test(where_ranges_overlap_the_less_usable_type_counts),
        cmocka_unit_test(unknown_types_are_reserved),
        cmocka_unit_test(a_range_that_wraps_ends_at_the_top),
        cmocka_unit_test(a_map_with_too_many_pieces_is_refused),
        cmocka_unit_test(usable_means_all_of_it_in_one_usable_range),
        cmocka_unit_test(reserving_cuts_usable_memory_and_leaves_the_rest),
        cmocka_unit_test(allocation_goes_from_the_top_in_whole_pages),
        cmocka_unit_test(allocation_takes_a_lower_range_when_the_upper_is_small),
        cmocka_unit_test(the_largest_range_is_known_for_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
