/* needs: vmm/dev/gmem.c */
#include "dev/gmem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* Two regions that touch at 2000h, one far away at 4 GiB. */
static uint8_t ram[0x3000];
static struct gmem gmem;

static int setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(ram); i++)
        ram[i] = (uint8_t)(i * 7);
    gmem = (struct gmem){.region_count = 3,
                         .region = {{0x1000, 0x1000, ram},
                                    {0x2000, 0x1000, ram + 0x1000},
                                    {0x100000000, 0x1000, ram + 0x2000}}};
    return 0;
}

static void reads_inside_one_region(void **state)
{
    uint8_t buffer[16];
    (void)state;
    assert_true(gmem_read(&gmem, 0x1010, buffer, 16));
    assert_memory_equal(buffer, ram + 0x10, 16);
    assert_true(gmem_read(&gmem, 0x100000ff0, buffer, 16));
    assert_memory_equal(buffer, ram + 0x2ff0, 16);
}

static void writes_land_where_they_belong(void **state)
{
    (void)state;
    assert_true(gmem_write(&gmem, 0x1ffe, "abcd", 4));
    assert_memory_equal(ram + 0xffe, "abcd", 4);
}

static void reads_across_touching_regions(void **state)
{
    uint8_t buffer[0x2000];
    (void)state;
    assert_true(gmem_read(&gmem, 0x1000, buffer, sizeof(buffer)));
    assert_memory_equal(buffer, ram, sizeof(buffer));
}

static const struct {
    gpa_t gpa;
    uint64_t len;
} outside[] = {
    {0, 1},
    {0xfff, 1},
    {0xfff, 2},  /* ends inside */
    {0x2fff, 2}, /* begins inside */
    {0x3000, 1},
    {0x1000, 0x2001},
    {0xffffffff, 2},
    {0x100000fff, 2},
    {0x100001000, 1},
    {UINT64_MAX, 1},
    {UINT64_MAX, 2},
    {0x1000, UINT64_MAX},
    {0x1001, UINT64_MAX - 0x1000}, /* gpa + len is 0 */
    {0x1800, UINT64_MAX - 0x17ff},
};

static void refuses_ranges_that_leave_ram(void **state)
{
    uint8_t before[sizeof(ram)];
    uint8_t buffer[4] = {1, 2, 3, 4};
    (void)state;
    memcpy(before, ram, sizeof(ram));
    for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        assert_false(gmem_read(&gmem, outside[i].gpa, buffer, outside[i].len));
        assert_false(gmem_write(&gmem, outside[i].gpa, buffer, outside[i].len));
        assert_null(gmem_ptr(&gmem, outside[i].gpa, outside[i].len));
    }
    assert_memory_equal(buffer, "\1\2\3\4", 4);
    assert_memory_equal(ram, before, sizeof(ram));
}

static void a_pointer_needs_one_region(void **state)
{
    (void)state;
    assert_ptr_equal(gmem_ptr(&gmem, 0x1000, 0x1000), ram);
    assert_ptr_equal(gmem_ptr(&gmem, 0x2fff, 1), ram + 0x1fff);
    assert_null(gmem_ptr(&gmem, 0x1000, 0x1001));
    assert_ptr_equal(gmem_ptr(&gmem, 0x100000000, 0x1000), ram + 0x2000);
}

static void nothing_is_nothing(void **state)
{
    struct gmem empty = {0};
    uint8_t byte = 9;
    (void)state;
    assert_true(gmem_read(&gmem, 0x1000, &byte, 0));
    assert_false(gmem_read(&empty, 0, &byte, 1));
    assert_null(gmem_ptr(&empty, 0, 1));
    assert_int_equal(byte, 9);
}

#define MANY 32u

/* Regions of 1, 2, 3 ... pages; after each third one there is a hole of a page. */
static uint8_t blocks[MANY * (MANY + 1) / 2 * 0x1000];

static void build_many(struct gmem *many, unsigned count, gpa_t end[MANY])
{
    gpa_t base = 0x5000;
    uint8_t *host = blocks + sizeof(blocks);
    for (unsigned i = 0; i < count; i++) {
        uint64_t size = (i + 1) * 0x1000;
        host -= size; /* the host's order is the other way round */
        many->region[i] = (struct gmem_region){base, size, host};
        end[i] = base + size;
        base = end[i] + (i % 3 == 2 ? 0x1000 : 0);
    }
    many->region_count = count;
}

static void every_border_of_many_regions_is_found(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= MANY; count++) {
        struct gmem many;
        gpa_t end[MANY];
        build_many(&many, count, end);
        assert_null(gmem_ptr(&many, 0x4FFF, 1));
        for (unsigned i = 0; i < count; i++) {
            const struct gmem_region *region = &many.region[i];
            bool touches = i + 1 < count && i % 3 != 2;
            assert_ptr_equal(gmem_ptr(&many, region->base, region->size_bytes), region->host);
            assert_ptr_equal(gmem_ptr(&many, end[i] - 1, 1), region->host + region->size_bytes - 1);
            assert_null(gmem_ptr(&many, end[i] - 1, 2));
            assert_int_equal(gmem_is_ram(&many, end[i] - 1, 2), touches);
            assert_int_equal(gmem_is_ram(&many, end[i], 1), touches);
        }
    }
}

static void copies_cross_many_regions_in_guest_order(void **state)
{
    static uint8_t model[0x6000], buffer[0x6000];
    struct gmem many;
    gpa_t end[MANY];
    (void)state;
    build_many(&many, MANY, end); /* the first three regions touch: 6 pages at 5000h */
    for (unsigned i = 0; i < sizeof(model); i++)
        model[i] = (uint8_t)(i * 11 + i / 256);
    assert_true(gmem_write(&many, 0x5000, model, sizeof(model)));
    assert_memory_equal(many.region[0].host, model, 0x1000);
    assert_memory_equal(many.region[1].host, model + 0x1000, 0x2000);
    assert_memory_equal(many.region[2].host, model + 0x3000, 0x3000);
    assert_true(gmem_read(&many, 0x5000, buffer, sizeof(buffer)));
    assert_memory_equal(buffer, model, sizeof(model));
    memset(buffer, 0xEE, sizeof(buffer));
    assert_false(gmem_write(&many, 0x5000, buffer, 0x6001)); /* ends in the hole */
    assert_memory_equal(many.region[0].host, model, 0x1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reads_inside_one_region, setup),
        cmocka_unit_test_setup(writes_land_where_they_belong, setup),
        cmocka_unit_test_setup(reads_across_touching_regions, setup),
        cmocka_unit_test_setup(refuses_ranges_that_leave_ram, setup),
        cmocka_unit_test_setup(a_pointer_needs_one_region, setup),
        cmocka_unit_test_setup(nothing_is_nothing, setup),
        cmocka_unit_test(every_border_of_many_regions_is_found),
        cmocka_unit_test(copies_cross_many_regions_in_guest_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
