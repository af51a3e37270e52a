/* needs: vmm/virt/nested.c */
#include "virt/nested.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static unsigned given;
static void *frames[32];

static hpa_t give(void *ctx, unsigned count)
{
    (void)ctx;
    assert_true(count == 1 && given < 32);
    frames[given] = aligned_alloc(4096, 4096);
    memset(frames[given], 0, 4096);
    return (hpa_t)frames[given++];
}

static struct nested_tables tables;
static struct nested_walk walk;

static int set_up(void **state)
{
    (void)state;
    given = 0;
    tables = (struct nested_tables){.frames = {give, NULL},
                                    .present_mask = 7,
                                    .table_flags = 7,
                                    .leaf_2m = true,
                                    .leaf_1g = true};
    assert_true(nested_init(&tables));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    while (given)
        free(frames[--given]);
    return 0;
}

static void map(gpa_t gpa, hpa_t hpa, uint64_t size, uint64_t flags)
{
    const struct mapping mapping = {.gpa = gpa, .hpa = hpa, .size_bytes = size};
    assert_true(nested_map(&tables, &mapping, flags));
}

static void the_walk_follows_what_was_mapped(void **state)
{
    (void)state;
    map(0x1000, 0x7000, 0x2000, 0x37);
    nested_walk(&tables, 0x2abc, &walk);
    assert_int_equal(walk.count, 4);
    assert_int_equal(walk.entry[0].level, 4);
    assert_true(walk.entry[0].table == tables.root);
    assert_int_equal(walk.entry[3].level, 1);
    assert_int_equal(walk.entry[3].index, 2);
    assert_true(walk.entry[3].entry == 0x8037);
    assert_true(walk.leaf.gpa == 0x2000 && walk.leaf.hpa == 0x8000);
    assert_true(walk.leaf.size_bytes == 0x1000);
}

static void large_leaves_end_it_sooner(void **state)
{
    (void)state;
    map(0x200000, 0x40200000, 0x200000, 0x37);
    nested_walk(&tables, 0x345678, &walk);
    assert_int_equal(walk.count, 3);
    assert_true(walk.leaf.gpa == 0x200000 && walk.leaf.hpa == 0x40200000);
    assert_true(walk.leaf.size_bytes == 0x200000);
    map(0x140000000, 0x80000000, 0x40000000, 0x35);
    nested_walk(&tables, 0x17fffffff, &walk);
    assert_int_equal(walk.count, 2);
    assert_int_equal(walk.entry[1].index, 5);
    assert_true(walk.leaf.size_bytes == 0x40000000 && walk.leaf.hpa == 0x80000000);
}

static void a_gap_ends_it_with_the_entry_that_is_empty(void **state)
{
    (void)state;
    nested_walk(&tables, 0x5000, &walk);
    assert_int_equal(walk.count, 1);
    assert_true(walk.entry[0].entry == 0 && walk.leaf.size_bytes == 0);
    map(0x1000, 0x7000, 0x1000, 0x37);
    nested_walk(&tables, 0x5000, &walk);
    assert_int_equal(walk.count, 4);
    assert_true(walk.leaf.size_bytes == 0);
    map(0x1000, 0x7000, 0x1000, 0);
    nested_walk(&tables, 0x1000, &walk);
    assert_true(walk.leaf.size_bytes == 0);
}

static void beyond_four_levels_there_is_nothing(void **state)
{
    (void)state;
    map(0, 0x1000, 0x1000, 0x37);
    nested_walk(&tables, 0x1000000000000, &walk);
    assert_int_equal(walk.count, 0);
    nested_walk(&tables, UINT64_MAX, &walk);
    assert_true(walk.count == 0 && walk.leaf.size_bytes == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_walk_follows_what_was_mapped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_leaves_end_it_sooner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_gap_ends_it_with_the_entry_that_is_empty, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(beyond_four_levels_there_is_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
