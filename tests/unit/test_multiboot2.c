/* needs: vmm/boot/multiboot2.c vmm/lib/memmap.c vmm/lib/mem.c */
#include "boot/multiboot2.h"

#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static _Alignas(8) uint8_t info[32768];
static uint32_t used;
static const struct multiboot2_image image = {.base = 0x100000, .end = 0x180000, .tsc = 12345};

static int begin(void **state)
{
    (void)state;
    memset(info, 0, sizeof(info));
    used = 8;
    return 0;
}

/* Opens a tag with `size` bytes of content behind its header; gives where the content goes. */
static uint8_t *tag(uint32_t type, uint32_t size)
{
    uint8_t *at = info + used;

    store_le32(at, type);
    store_le32(at + 4, 8 + size);
    used += (8 + size + 7) / 8 * 8;
    return at + 8;
}

static void module(uint32_t from, uint32_t to, const char *name)
{
    uint8_t *at = tag(3, 8 + (uint32_t)strlen(name) + 1);

    store_le32(at, from);
    store_le32(at + 4, to);
    memcpy(at + 8, name, strlen(name) + 1);
}

static uint8_t *memory_map(uint32_t entry_size, unsigned entries)
{
    uint8_t *at = tag(6, 8 + entry_size * entries);

    store_le32(at, entry_size);
    return at + 8;
}

static void entry(uint8_t *at, uint64_t base, uint64_t size, uint32_t type)
{
    store_le64(at, base);
    store_le64(at + 8, size);
    store_le32(at + 16, type);
}

static void usual_map(void)
{
    uint8_t *at = memory_map(24, 3);

    entry(at, 0, 0x9fc00, 1);
    entry(at + 24, 0xf0000, 0x10000, 2);
    entry(at + 48, 0x100000, 0x1ff00000, 1);
}

static const struct boot_info *convert(void)
{
    tag(0, 0);
    store_le32(info, used);
    return multiboot2_boot_info(info, &image);
}

static void assert_range(const struct boot_info *boot, unsigned i, uint64_t base, uint64_t end,
                         uint32_t type)
{
    assert_true(i < boot->memory_count);
    assert_true(boot->memory[i].base == base);
    assert_true(boot->memory[i].base + boot->memory[i].size_bytes == end);
    assert_int_equal(boot->memory[i].type, type);
}

static void a_whole_hand_over_becomes_boot_info(void **state)
{
    (void)state;
    memcpy(tag(1, 12), "/pxhv.elf x", 12); /* the command line is skipped */
    module(0x1000000, 0x1000123, "pxhv.cfg");
    module(0x1001000, 0x1801000, "boot/vmlinuz");
    usual_map();
    const struct boot_info *boot = convert();

    assert_int_equal(boot->magic, 0x56487870);
    assert_int_equal(boot->version, 2);
    assert_int_equal(boot->size_bytes, sizeof(struct boot_info));
    assert_int_equal(boot->loader, 3);
    assert_int_equal(boot->serial_port, 0x3f8);
    assert_true(boot->tsc_stage2 == 12345);
    assert_true(boot->vmm_base == 0x100000 && boot->vmm_size_bytes == 0x80000);
    assert_true(boot->config_address == 0x1000000 && boot->config_size_bytes == 0x123);
    assert_int_equal(boot->file_count, 1);
    assert_string_equal(boot->files[0].name, "boot/vmlinuz");
    assert_true(boot->files[0].address == 0x1001000 && boot->files[0].size_bytes == 0x800000);
}

static void what_the_loader_left_is_kept_out_of_free_memory(void **state)
{
    (void)state;
    module(0x1000000, 0x1000123, "pxhv.cfg");
    module(0x2000000, 0x2000001, "a");
    usual_map();
    const struct boot_info *boot = convert();

    assert_int_equal(boot->memory_count, 8);
    assert_range(boot, 0, 0, 0x9fc00, 1);
    assert_range(boot, 1, 0xf0000, 0x100000, 2);
    assert_range(boot, 2, 0x100000, 0x180000, 0x1000);
    assert_range(boot, 3, 0x180000, 0x1000000, 1);
    assert_range(boot, 4, 0x1000000, 0x1000123, 0x1000);
    assert_range(boot, 5, 0x1000123, 0x2000000, 1);
    assert_range(boot, 6, 0x2000000, 0x2000001, 0x1000);
    assert_range(boot, 7, 0x2000001, 0x20000000, 1);
}

static void screens_of_both_kinds_are_taken(void **state)
{
    (void)state;
    uint8_t *at = tag(8, 30);
    store_le64(at, 0xfd000000);
    store_le32(at + 8, 5120);
    store_le32(at + 12, 1280);
    store_le32(at + 16, 800);
    at[20] = 32;
    at[21] = 1;
    memcpy(at + 24, "\x10\x08\x08\x08\x00\x08", 6);
    const struct boot_info *boot = convert();
    assert_int_equal(boot->screen.type, BOOT_SCREEN_FRAMEBUFFER);
    assert_true(boot->screen.address == 0xfd000000);
    assert_int_equal(boot->screen.pitch_bytes, 5120);
    assert_int_equal(boot->screen.width, 1280);
    assert_int_equal(boot->screen.height, 800);
    assert_int_equal(boot->screen.bits_per_pixel, 32);
    assert_int_equal(boot->screen.red_shift, 16);
    assert_int_equal(boot->screen.green_shift, 8);
    assert_int_equal(boot->screen.blue_bits, 8);

    begin(NULL);
    at = tag(8, 24);
    store_le64(at, 0xb8000);
    store_le32(at + 8, 160);
    store_le32(at + 12, 80);
    store_le32(at + 16, 25);
    at[20] = 16;
    at[21] = 2;
    boot = convert();
    assert_int_equal(boot->screen.type, BOOT_SCREEN_VGA_TEXT);
    assert_int_equal(boot->screen.width, 80);
    assert_int_equal(boot->screen.cursor_row, 24);
}

static void a_palette_or_a_short_tag_is_no_screen(void **state)
{
    (void)state;
    uint8_t *at = tag(8, 30);
    store_le32(at + 12, 320);
    store_le32(at + 16, 200);
    assert_int_equal(convert()->screen.type, BOOT_SCREEN_NONE);

    begin(NULL);
    at = tag(8, 28); /* RGB, its last fields cut off */
    at[21] = 1;
    assert_int_equal(convert()->screen.type, BOOT_SCREEN_NONE);
}

static void the_newer_root_pointer_counts_wherever_it_stands(void **state)
{
    (void)state;
    uint8_t *newer = tag(15, 36);
    tag(14, 20);
    assert_true(convert()->rsdp == (uintptr_t)newer);

    begin(NULL);
    uint8_t *older = tag(14, 20);
    tag(15, 19); /* too short to be one */
    assert_true(convert()->rsdp == (uintptr_t)older);
}

static void modules_without_a_name_or_a_size_are_no_files(void **state)
{
    (void)state;
    char long_name[140];

    memset(long_name, 'x', sizeof(long_name));
    long_name[139] = 0;
    module(0x1000000, 0x1001000, "");
    module(0x1001000, 0x1001000, "empty");
    module(0x1002000, 0x1001000, "backwards");
    module(0x1003000, 0x1004000, long_name);
    tag(3, 8);                      /* without a string */
    memset(tag(3, 16) + 8, 'x', 8); /* whose string doesn't end */
    assert_int_equal(convert()->file_count, 0);
    assert_true(convert()->config_address == 0);
}

static void of_two_modules_with_one_name_the_first_counts(void **state)
{
    (void)state;
    module(0x1000000, 0x1001000, "a");
    module(0x1001000, 0x1002000, "a");
    module(0x1002000, 0x1003000, "pxhv.cfg");
    module(0x1003000, 0x1004000, "pxhv.cfg");
    const struct boot_info *boot = convert();

    assert_true(boot->files[0].address == 0x1000000);
    assert_true(boot->config_address == 0x1002000);
}

static void more_modules_than_boot_info_holds_are_left_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        char name[] = {(char)('a' + i), 0};
        module(0x1000000 + i * 0x1000, 0x1001000 + i * 0x1000, name);
    }
    assert_int_equal(convert()->file_count, 16);
}

static void without_a_memory_map_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(convert()->memory_count, 0);
    begin(NULL);
    entry(memory_map(16, 4), 0, 0x1000, 1); /* entries shorter than they can be */
    assert_int_equal(convert()->memory_count, 0);
}

static void a_memory_map_that_is_too_long_is_none(void **state)
{
    (void)state;
    uint8_t *at = memory_map(24, 129);
    for (unsigned i = 0; i < 129; i++)
        entry(at + i * 24, (uint64_t)i << 24, 0x1000, 1);
    assert_int_equal(convert()->memory_count, 0);
}

static void entries_may_be_longer_than_today(void **state)
{
    (void)state;
    uint8_t *at = memory_map(40, 2);
    entry(at, 0x200000, 0x100000, 1);
    entry(at + 40, 0x300000, 0x100000, 3);
    const struct boot_info *boot = convert();
    assert_range(boot, 0, 0x200000, 0x300000, 1);
    assert_range(boot, 1, 0x300000, 0x400000, 3);
}

static void a_tag_that_leaves_the_information_ends_it(void **state)
{
    (void)state;
    usual_map();
    uint8_t *at = tag(3, 32);
    store_le32(at - 4, 0xffffffff);
    assert_int_equal(convert()->file_count, 0);
    begin(NULL);
    usual_map();
    store_le32(tag(3, 32) - 4, 7); /* shorter than its own header: it would never end */
    assert_range(convert(), 0, 0, 0x9fc00, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_whole_hand_over_becomes_boot_info, begin),
        cmocka_unit_test_setup(what_the_loader_left_is_kept_out_of_free_memory, begin),
        cmocka_unit_test_setup(screens_of_both_kinds_are_taken, begin),
        cmocka_unit_test_setup(a_palette_or_a_short_tag_is_no_screen, begin),
        cmocka_unit_test_setup(the_newer_root_pointer_counts_wherever_it_stands, begin),
        cmocka_unit_test_setup(modules_without_a_name_or_a_size_are_no_files, begin),
        cmocka_unit_test_setup(of_two_modules_with_one_name_the_first_counts, begin),
        cmocka_unit_test_setup(more_modules_than_boot_info_holds_are_left_out, begin),
        cmocka_unit_test_setup(without_a_memory_map_there_is_none, begin),
        cmocka_unit_test_setup(a_memory_map_that_is_too_long_is_none, begin),
        cmocka_unit_test_setup(entries_may_be_longer_than_today, begin),
        cmocka_unit_test_setup(a_tag_that_leaves_the_information_ends_it, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
