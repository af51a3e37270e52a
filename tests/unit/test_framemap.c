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

/* --- guest RAM in pieces --- */

#define GIB_1 0x40000000ull
#define MIB_1 0x100000ull

struct backing {
    unsigned pieces, gib, mib2, kib4; /* the pages that can map it */
    uint64_t bytes;
};

/* Pages by the largest that address, host address and length allow. */
static void count_pages(struct backing *backing, uint64_t gpa, uint64_t hpa, uint64_t bytes)
{
    while (bytes > 0) {
        uint64_t size = 0x1000;
        if (((gpa | hpa) & (GIB_1 - 1)) == 0 && bytes >= GIB_1)
            size = GIB_1, backing->gib++;
        else if (((gpa | hpa) & (2 * MIB_1 - 1)) == 0 && bytes >= 2 * MIB_1)
            size = 2 * MIB_1, backing->mib2++;
        else
            backing->kib4++;
        gpa += size, hpa += size, bytes -= size;
    }
}

/* As much of [gpa, gpa + size) as there is, piece by piece as the VMM takes it. */
static void back(struct backing *backing, uint64_t gpa, uint64_t size)
{
    hpa_t base;
    uint64_t piece;
    for (; size > 0 && (piece = framemap_take_piece(&map, size, UINT64_MAX, &base)) > 0;
         gpa += piece, size -= piece) {
        count_pages(backing, gpa, base, piece);
        backing->pieces++;
        backing->bytes += piece;
    }
}

static struct backing back_guest(uint64_t mib)
{
    struct backing backing = {0};
    uint64_t low = mib < 3072 ? mib : 3072;
    back(&backing, 0, low * MIB_1);
    back(&backing, 4 * GIB_1, (mib - low) * MIB_1);
    return backing;
}

/* What is free in a PC when the guest's memory is taken: below 4 GiB from the VMM's end at 1.5 MiB
 * to the files, 33 MiB below the top; above 4 GiB the rest. */
static void add_pc(uint64_t low_mib, uint64_t mib)
{
    uint64_t low = mib < low_mib ? mib : low_mib;
    memset(&map, 0, sizeof(map));
    framemap_add(&map, 0x180000, low * MIB_1 - 33 * MIB_1 - 0x180000);
    framemap_add(&map, 4 * GIB_1, (mib - low) * MIB_1);
}

static void guest_ram_gets_the_largest_pages_there_are(void **state)
{
    static const struct {
        uint64_t low_mib, mib, guest_mib; /* pc has up to 3 GiB below 4 GiB, q35 up to 2 */
        unsigned pieces, gib, mib2;
    } table[] = {
        {3072, 256, 128, 1, 0, 64},    {2048, 256, 128, 1, 0, 64},    {3072, 512, 256, 1, 0, 128},
        {3072, 3072, 2048, 3, 1, 512}, {2048, 3072, 2048, 2, 1, 512}, {3072, 4096, 3584, 5, 2, 768},
        {3072, 8192, 3584, 2, 3, 256}, {2048, 8192, 3584, 2, 3, 256}, {3072, 8192, 6144, 3, 6, 0},
        {2048, 8192, 6144, 2, 6, 0},   {3072, 8192, 1024, 1, 1, 0},   {2048, 8192, 1026, 1, 1, 1},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        add_pc(table[i].low_mib, table[i].mib);
        struct backing backing = back_guest(table[i].guest_mib);
        assert_int_equal(backing.bytes, table[i].guest_mib * MIB_1);
        assert_int_equal(backing.pieces, table[i].pieces);
        assert_int_equal(backing.gib, table[i].gib);
        assert_int_equal(backing.mib2, table[i].mib2);
        assert_int_equal(backing.kib4, 0);
    }
}

static void a_piece_is_whole_pages_of_its_alignment_or_all(void **state)
{
    hpa_t base = 0;
    (void)state;
    framemap_add(&map, 0x10001000, 0x2FFF000); /* 47.99 MiB, of which 46 lie on 2 MiB borders */
    framemap_add(&map, 0x20000000, 0x1FF000);  /* 2 MiB but a page */
    assert_int_equal(framemap_take_piece(&map, 0x3001000, UINT64_MAX, &base), 0x2E00000);
    assert_int_equal(base, 0x10200000);
    assert_int_equal(framemap_take_piece(&map, 0x201000, UINT64_MAX, &base), 0);
    assert_int_equal(framemap_take_piece(&map, 0x3000, UINT64_MAX, &base), 0x3000);
    assert_int_equal(base, 0x20000000);
    assert_int_equal(framemap_take_piece(&map, 0, UINT64_MAX, &base), 0);
}

static void a_piece_ends_below_the_limit(void **state)
{
    hpa_t base = 0;
    (void)state;
    framemap_add(&map, 0x40000000, 0x100000000);
    assert_int_equal(framemap_take_piece(&map, 0xC0000000, 0x90001000, &base), 0x40000000);
    assert_int_equal(base, 0x40000000);
    assert_int_equal(framemap_take_piece(&map, 0xC0000000, 0x90001000, &base), 0x10000000);
    assert_int_equal(base, 0x80000000);
    assert_int_equal(framemap_take_piece(&map, 0xC0000000, 0x80000000, &base), 0);
    framemap_remove(&map, 0, UINT64_MAX);
    framemap_add(&map, UINT64_MAX - 0x100FFF, 0x100000); /* no 2 MiB border behind it */
    assert_int_equal(framemap_take_piece(&map, 0x1000, UINT64_MAX, &base), 0);
}

/* Random memory maps: the pieces lie in free memory and apart, nothing of 2 MiB is left over, and
 * each whole GiB was used for a 1 GiB page as long as there was need of one. */
static void pieces_use_all_that_large_pages_can_map(void **state)
{
    uint64_t seed = 88172645463325252ull;
    (void)state;
    for (int step = 0; step < 2000; step++) {
        uint64_t at = 0x180000, blocks = 0, gib = 0;
        memset(&map, 0, sizeof(map));
        for (int i = 0; i < 5; i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            uint64_t base = at + (seed >> 20) % 0x10000 * 0x1000;
            at = base + (1 + (seed >> 40) % 0x80000) * 0x1000;
            framemap_add(&map, base, at - base);
        }
        for (unsigned i = 0; i < map.count; i++) {
            uint64_t base = map.range[i].base, end = base + map.range[i].size_bytes;
            for (uint64_t b = (base + 0x1FFFFF) & ~0x1FFFFFull; b + 0x200000 <= end; b += 0x200000)
                blocks++;
            for (uint64_t g = (base + GIB_1 - 1) & ~(GIB_1 - 1); g + GIB_1 <= end; g += GIB_1)
                gib++;
        }
        uint64_t free_bytes = framemap_free_bytes(&map), wanted = 1 + seed % (blocks + 100);
        struct backing backing = back_guest(2 * wanted);
        assert_int_equal(backing.bytes, 0x200000 * (wanted < blocks ? wanted : blocks));
        assert_int_equal(framemap_free_bytes(&map), free_bytes - backing.bytes);
        assert_int_equal(backing.kib4, 0);
        assert_true(backing.gib == gib || backing.gib == wanted / 512);
        assert_true(backing.pieces <= 32);
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
        cmocka_unit_test_setup(guest_ram_gets_the_largest_pages_there_are, set_up),
        cmocka_unit_test_setup(a_piece_is_whole_pages_of_its_alignment_or_all, set_up),
        cmocka_unit_test_setup(a_piece_ends_below_the_limit, set_up),
        cmocka_unit_test_setup(pieces_use_all_that_large_pages_can_map, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
