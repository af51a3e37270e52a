/* needs: stage2/efi/efi_map.c vmm/lib/memmap.c vmm/lib/mem.c */
#include "../../stage2/efi/efi_map.h"

#include "lib/mem.h"
#include "lib/memmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STRIDE 48 /* as EDK II has it: 40 bytes and 8 more */
#define WB     8

static uint8_t bytes[64 * STRIDE];
static unsigned used;
static struct boot_memory raw[64];

static void descriptor(uint32_t type, uint64_t base, uint64_t pages, uint64_t attribute)
{
    uint8_t *d = bytes + used++ * STRIDE;

    memset(d, 0xee, STRIDE);
    store_le32(d, type);
    store_le64(d + 8, base);
    store_le64(d + 16, 0);
    store_le64(d + 24, pages);
    store_le64(d + 32, attribute);
}

static uint32_t convert(enum efi_map_view view, uint32_t most)
{
    struct efi_map map = {.bytes = bytes, .size_bytes = used * STRIDE, .descriptor_bytes = STRIDE};

    return efi_map_convert(&map, view, raw, most);
}

static int begin(void **state)
{
    (void)state;
    used = 0;
    memset(raw, 0, sizeof(raw));
    return 0;
}

static void assert_range(unsigned i, uint64_t base, uint64_t size, uint32_t type)
{
    assert_true(raw[i].base == base);
    assert_true(raw[i].size_bytes == size);
    assert_int_equal(raw[i].type, type);
}

static void after_exit_the_loaders_and_the_boot_services_memory_is_usable(void **state)
{
    (void)state;
    descriptor(3, 0x0, 0x1, 0xf);        /* boot services code */
    descriptor(7, 0x1000, 0x9f, 0xf);    /* conventional */
    descriptor(2, 0x100000, 0x700, 0xf); /* loader data */
    descriptor(1, 0x800000, 0x8, 0xf);   /* loader code */
    descriptor(4, 0x808000, 0x7f8, 0xf); /* boot services data */
    assert_int_equal(convert(EFI_MAP_AFTER, 64), 2);
    assert_range(0, 0x0, 0xa0000, 1);
    assert_range(1, 0x100000, 0xf00000, 1);
}

static void every_other_type_keeps_its_meaning(void **state)
{
    /* reserved, runtime code and data, unusable, ACPI, NVS, MMIO, MMIO ports, PAL, persistent,
     * unaccepted, an OEM's */
    static const uint32_t types[][2] = {{0, 2},  {5, 2},  {6, 2},  {8, 5},
                                        {9, 3},  {10, 4}, {11, 2}, {12, 2},
                                        {13, 2}, {14, 2}, {15, 2}, {0x70000001, 2}};

    (void)state;
    for (unsigned i = 0; i < 12; i++)
        descriptor(types[i][0], (uint64_t)i << 20, 16, 0xf);
    assert_int_equal(convert(EFI_MAP_AFTER, 64), 12);
    for (unsigned i = 0; i < 12; i++)
        assert_range(i, (uint64_t)i << 20, 0x10000, types[i][1]);
}

static void memory_without_write_back_or_of_one_device_is_not_for_guests(void **state)
{
    (void)state;
    descriptor(7, 0x100000, 16, 0x7);
    descriptor(7, 0x200000, 16, 0x4000f);
    assert_int_equal(convert(EFI_MAP_AFTER, 64), 2);
    assert_range(0, 0x100000, 0x10000, 2);
    assert_range(1, 0x200000, 0x10000, 2);
    assert_int_equal(convert(EFI_MAP_FREE, 64), 0);
}

static void only_conventional_memory_in_larger_pieces_is_free_before_exit(void **state)
{
    (void)state;
    descriptor(7, 0x1000, 15, WB);
    descriptor(4, 0x10000, 16, WB);
    descriptor(7, 0x20000, 16, WB);
    descriptor(2, 0x30000, 16, WB);
    assert_int_equal(convert(EFI_MAP_FREE, 64), 1);
    assert_range(0, 0x20000, 0x10000, 1);
}

static void a_range_that_wraps_around_ends_at_the_top(void **state)
{
    static struct memmap map;

    (void)state;
    descriptor(7, 0xffffffff00000000, 0xffffffffffffffff, WB);
    descriptor(7, 0x1000, 0, WB);
    assert_int_equal(convert(EFI_MAP_AFTER, 64), 1);
    assert_range(0, 0xffffffff00000000, 0xfffff000, 1);
    assert_true(memmap_build(&map, raw, 1));
}

static void impossible_sizes_and_too_many_ranges_are_refused(void **state)
{
    struct efi_map map = {.bytes = bytes, .size_bytes = STRIDE, .descriptor_bytes = 39};

    (void)state;
    descriptor(7, 0x100000, 16, WB);
    descriptor(7, 0x200000, 16, WB);
    assert_int_equal(convert(EFI_MAP_AFTER, 1), UINT32_MAX);
    assert_int_equal(efi_map_convert(&map, EFI_MAP_AFTER, raw, 64), UINT32_MAX);
    map.descriptor_bytes = 0;
    assert_int_equal(efi_map_convert(&map, EFI_MAP_AFTER, raw, 64), UINT32_MAX);
}

static void a_descriptor_that_is_cut_short_is_not_read(void **state)
{
    struct efi_map map = {.bytes = bytes, .size_bytes = STRIDE + 39, .descriptor_bytes = STRIDE};

    (void)state;
    descriptor(7, 0x100000, 16, WB);
    descriptor(7, 0x200000, 16, WB);
    assert_int_equal(efi_map_convert(&map, EFI_MAP_AFTER, raw, 64), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_exit_the_loaders_and_the_boot_services_memory_is_usable,
                               begin),
        cmocka_unit_test_setup(every_other_type_keeps_its_meaning, begin),
        cmocka_unit_test_setup(memory_without_write_back_or_of_one_device_is_not_for_guests, begin),
        cmocka_unit_test_setup(only_conventional_memory_in_larger_pieces_is_free_before_exit,
                               begin),
        cmocka_unit_test_setup(a_range_that_wraps_around_ends_at_the_top, begin),
        cmocka_unit_test_setup(impossible_sizes_and_too_many_ranges_are_refused, begin),
        cmocka_unit_test_setup(a_descriptor_that_is_cut_short_is_not_read, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
