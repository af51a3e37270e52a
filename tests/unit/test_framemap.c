/* needs: vmm/hw/framemap.c */
#include "hw/framemap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct framemap map;

static int set_up(void **state)
{
    (void)state;
    memset(&map, 0, sizeof(map));
    return 0;
}

static void expect_ranges(unsigned count, const uint64_t pairs[][2])
{
    assert_int_equal(map.count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(map.range[i].base, pairs[i][0]);
        assert_int_equal(map.range[i].size_bytes, pairs[i][1]);
    }
}

static hpa_t take(uint64_t size, uint64_t align, uint64_t limit, enum framemap_end end)
{
    hpa_t base = 0;
    return framemap_take(&map, (struct framemap_request){size, align, limit, end}, &base) ? base
                                                                                          : 0;
}

static void only_whole_pages_are_added(void **state)
{
    (void)state;
    assert_true(framemap_add(&map, 0x1001, 0x3000)); /* 1001h..4001h: pages 2 and 3 */
    assert_true(framemap_add(&map, 0x9FC00, 0x300)); /* not one page */
    expect_ranges(1, (const uint64_t[][2]){{0x2000, 0x2000}});
}

static void neighbours_become_one(void **state)
{
    (void)state;
    assert_true(framemap_add(&map, 0x1000, 0x1000));
    assert_true(framemap_add(&map, 0x5000, 0x1000));
    assert_true(framemap_add(&map, 0x3000, 0x2000)); /* joins the right one */
    expect_ranges(2, (const uint64_t[][2]){{0x1000, 0x1000}, {0x3000, 0x3000}});
    assert_true(framemap_add(&map, 0x2000, 0x1000)); /* joins both */
    expect_ranges(1, (const uint64_t[][2]){{0x1000, 0x5000}});
    assert_true(framemap_add(&map, 0x6000, 0x1000)); /* joins the left one */
    expect_ranges(1, (const uint64_t[][2]){{0x1000, 0x6000}});
}

static void overlaps_and_wraps_are_refused(void **state)
{
    (void)state;
    assert_true(framemap_add(&map, 0x4000, 0x4000));
    assert_false(framemap_add(&map, 0x3000, 0x2000));
    assert_false(framemap_add(&map, 0x7000, 0x2000));
    assert_false(framemap_add(&map, 0x5000, 0x1000));
    assert_false(framemap_add(&map, 0x1000, 0x10000));
    assert_false(framemap_add(&map, 0x10000, UINT64_MAX));
    assert_false(framemap_add(&map, UINT64_MAX - 10, 10));
    expect_ranges(1, (const uint64_t[][2]){{0x4000, 0x4000}});
}

static void every_touched_page_is_removed(void **state)
{
    (void)state;
    framemap_add(&map, 0, 0x10000);
    assert_true(framemap_remove(&map, 0x2FFF, 2)); /* pages 2 and 3 */
    expect_ranges(2, (const uint64_t[][2]){{0, 0x2000}, {0x4000, 0xC000}});
    assert_true(framemap_remove(&map, 0x1000, 0x4000)); /* an end of one, the start of the other */
    expect_ranges(2, (const uint64_t[][2]){{0, 0x1000}, {0x5000, 0xB000}});
    assert_true(framemap_remove(&map, 0x100000, 0)); /* nothing */
    assert_true(framemap_remove(&map, 0x5000, UINT64_MAX));
    expect_ranges(1, (const uint64_t[][2]){{0, 0x1000}});
    assert_true(framemap_remove(&map, 0, UINT64_MAX));
    assert_int_equal(map.count, 0);
}

/* The E820 map of a machine with 6 GiB, as SeaBIOS gives it. */
static void add_six_gib(void)
{
    framemap_add(&map, 0, 0x9FC00);
    framemap_add(&map, 0x100000, 0xBFEE0000);
    framemap_add(&map, 0x100000000, 0xC0000000);
}

static void guest_ram_comes_from_the_top_and_aligned(void **state)
{
    (void)state;
    add_six_gib();
    assert_int_equal(take(0x10000000, 0x200000, UINT64_MAX, FRAMEMAP_HIGHEST), 0x1B0000000);
    assert_int_equal(take(0x40000000, 0x40000000, UINT64_MAX, FRAMEMAP_HIGHEST), 0x140000000);
    assert_int_equal(take(0x10000000, 0x200000, 0x100000000, FRAMEMAP_HIGHEST), 0xAFE00000);
    /* 3 GiB are left in one piece nowhere. */
    assert_int_equal(take(0xC0000000, 0x1000, UINT64_MAX, FRAMEMAP_HIGHEST), 0);
}

static void small_frames_come_from_the_bottom_and_below_the_limit(void **state)
{
    (void)state;
    framemap_add(&map, 0x100000000, 0x10000);
    assert_int_equal(take(0x1000, 0x1000, 0x100000000, FRAMEMAP_LOWEST), 0);
    framemap_add(&map, 0x101000, 0x4000);
    assert_int_equal(take(0x1000, 0x1000, 0x100000000, FRAMEMAP_LOWEST), 0x101000);
    assert_int_equal(take(0x2000, 0x2000, 0x100000000, FRAMEMAP_LOWEST), 0x102000);
    assert_int_equal(take(0x2000, 0x1000, 0x100000000, FRAMEMAP_LOWEST), 0);
    assert_int_equal(take(0x2000, 0x1000, UINT64_MAX, FRAMEMAP_LOWEST), 0x100000000);
    assert_int_equal(take(1, 0x1000, UINT64_MAX, FRAMEMAP_LOWEST), 0x104000);
    assert_int_equal(framemap_free_bytes(&map), 0xE000);
}

static void absurd_requests_fail(void **state)
{
    (void)state;
    add_six_gib();
    assert_int_equal(take(0, 0x1000, UINT64_MAX, FRAMEMAP_LOWEST), 0);
    assert_int_equal(take(UINT64_MAX, 0x1000, UINT64_MAX, FRAMEMAP_LOWEST), 0);
    assert_int_equal(take(UINT64_MAX - 0x1000, 0x1000, UINT64_MAX, FRAMEMAP_HIGHEST), 0);
    assert_int_equal(take(0x1000, 1ull << 63, UINT64_MAX, FRAMEMAP_LOWEST), 0);
    assert_int_equal(take(0x1000, 0x1000, 0, FRAMEMAP_HIGHEST), 0);
}

static void a_full_table_loses_no_page_unseen(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 256; i++)
        assert_true(framemap_add(&map, i * 0x10000, 0x3000));
    assert_false(framemap_add(&map, 256 * 0x10000, 0x1000));
    assert_int_equal(framemap_free_bytes(&map), 256 * 0x3000);
    /* A page that would split a range in two is not to be had now; one at an edge is. */
    assert_int_equal(take(0x1000, 0x1000, 0x2000, FRAMEMAP_HIGHEST), 0);
    assert_int_equal(take(0x1000, 0x1000, UINT64_MAX, FRAMEMAP_HIGHEST), 255 * 0x10000 + 0x2000);
    assert_int_equal(framemap_free_bytes(&map), 256 * 0x3000 - 0x1000);
    assert_false(framemap_remove(&map, 0x1000, 0x1000));
    assert_int_equal(map.range[0].size_bytes, 0x1000);
}

#define MODEL_PAGES 512

/* A random walk against one flag a page. */
static void agrees_with_a_bitmap(void **state)
{
    (void)state;
    bool is_free[MODEL_PAGES] = {false};
    uint64_t seed = 88172645463325252ull;
    for (int step = 0; step < 20000; step++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        unsigned page = seed % MODEL_PAGES, count = 1 + (seed >> 20) % 12;
        if (page + count > MODEL_PAGES)
            continue;
        bool overlaps = false;
        hpa_t base;
        switch ((seed >> 40) % 3) {
        case 0:
            for (unsigned i = page; i < page + count; i++)
                overlaps |= is_free[i];
            assert_int_equal(framemap_add(&map, page * 4096ull, count * 4096ull), !overlaps);
            for (unsigned i = page; i < page + count && !overlaps; i++)
                is_free[i] = true;
            break;
        case 1:
            assert_true(framemap_remove(&map, page * 4096ull, count * 4096ull));
            memset(is_free + page, 0, count);
            break;
        default:
            if (framemap_take(
                    &map, (struct framemap_request){count * 4096ull, 8192, UINT64_MAX, seed >> 63},
                    &base)) {
                assert_int_equal(base % 8192, 0);
                for (unsigned i = base / 4096; i < base / 4096 + count; i++) {
                    assert_true(is_free[i]);
                    is_free[i] = false;
                }
            }
        }
        uint64_t free_bytes = 0;
        for (unsigned i = 0; i < MODEL_PAGES; i++)
            free_bytes += is_free[i] ? 4096 : 0;
        assert_int_equal(framemap_free_bytes(&map), free_bytes);
        for (unsigned i = 1; i < map.count; i++)
            assert_true(map.range[i - 1].base + map.range[i - 1].size_bytes < map.range[i].base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_whole_pages_are_added, set_up),
        cmocka_unit_test_setup(neighbours_become_one, set_up),
        cmocka_unit_test_setup(overlaps_and_wraps_are_refused, set_up),
        cmocka_unit_test_setup(every_touched_page_is_removed, set_up),
        cmocka_unit_test_setup(guest_ram_comes_from_the_top_and_aligned, set_up),
        cmocka_unit_test_setup(small_frames_come_from_the_bottom_and_below_the_limit, set_up),
        cmocka_unit_test_setup(absurd_requests_fail, set_up),
        cmocka_unit_test_setup(a_full_table_loses_no_page_unseen, set_up),
        cmocka_unit_test_setup(agrees_with_a_bitmap, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
