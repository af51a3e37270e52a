/* needs: stage2/elf.c vmm/lib/mem.c */
#include "../../stage2/elf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_SIZE 0x3000

static uint8_t file[FILE_SIZE];
static struct elf_image image;

static void put(unsigned offset, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++)
        file[offset + i] = (uint8_t)(value >> (8 * i));
}

static void put_segment(unsigned index, uint64_t offset, uint64_t address, uint64_t file_bytes,
                        uint64_t memory_bytes)
{
    unsigned header = 64 + index * 56;

    put(header, 4, 1);
    put(header + 8, 8, offset);
    put(header + 16, 8, address);
    put(header + 24, 8, address);
    put(header + 32, 8, file_bytes);
    put(header + 40, 8, memory_bytes);
}

/* Two segments: code of 1000h at 100000h, data of 200h at 102000h with 5000h of memory. */
static void build(void)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

    memset(file, 0, sizeof(file));
    memcpy(file, ident, sizeof(ident));
    put(16, 2, 2);
    put(18, 2, 62);
    put(24, 8, 0x100010);
    put(32, 8, 64);
    put(54, 2, 56);
    put(56, 2, 3);
    put_segment(0, 0x1000, 0x100000, 0x1000, 0x1000);
    put_segment(1, 0x2000, 0x102000, 0x200, 0x5000);
    put(64 + 2 * 56, 4, 0x6474e551); /* PT_GNU_STACK: skipped */
}

/* On an exact heap copy, so that the sanitizer sees a read beyond the end. */
static const char *check_bytes(uint32_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, file, size);
    const char *reason = elf_check(copy, size, &image);
    free(copy);
    return reason;
}

static void assert_refused(const char *reason)
{
    const char *given = check_bytes(FILE_SIZE);

    assert_non_null(given);
    assert_string_equal(given, reason);
}

static void a_good_file_lists_its_segments(void **state)
{
    (void)state;
    build();
    assert_null(check_bytes(FILE_SIZE));
    assert_true(image.entry == 0x100010);
    assert_true(image.base == 0x100000);
    assert_true(image.size_bytes == 0x7000);
    assert_int_equal(image.segment_count, 2);
    assert_true(image.segment[1].address == 0x102000);
    assert_int_equal(image.segment[1].file_offset, 0x2000);
    assert_int_equal(image.segment[1].file_bytes, 0x200);
    assert_true(image.segment[1].memory_bytes == 0x5000);
}

static void other_kinds_of_file_are_refused(void **state)
{
    static const struct {
        unsigned offset, value;
    } table[] = {{4, 1}, {5, 2}, {16, 3}, {16, 1}, {18, 3}, {18, 183}};

    (void)state;
    build();
    file[0] = 'M';
    assert_refused("it is not an ELF file");
    build();
    assert_string_equal(check_bytes(63), "it is not an ELF file");
    assert_string_equal(check_bytes(0), "it is not an ELF file");
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        build();
        file[table[i].offset] = (uint8_t)table[i].value;
        assert_refused("it is not a 64-bit x86-64 executable at fixed addresses");
    }
}

static void program_headers_stay_inside_the_file(void **state)
{
    (void)state;
    build();
    put(54, 2, 32);
    assert_refused("its program headers have a strange size");
    build();
    put(56, 2, 0xffff);
    assert_refused("its program headers lie outside the file");
    build();
    put(32, 8, UINT64_MAX - 8);
    assert_refused("its program headers lie outside the file");
    build();
    assert_string_equal(check_bytes(64 + 3 * 56 - 1), "its program headers lie outside the file");
}

static void hostile_segments_are_refused(void **state)
{
    static const struct {
        uint64_t offset, address, file_bytes, memory_bytes;
        const char *reason;
    } table[] = {
        {0x2000, 0x102000, 0x1001, 0x5000, "a segment lies outside the file: it was cut short"},
        {UINT64_MAX, 0x102000, 2, 2, "a segment lies outside the file: it was cut short"},
        {0x2000, 0x102000, UINT64_MAX, 2, "a segment lies outside the file: it was cut short"},
        {0x2000, 0x102000, 0x200, 0x1ff, "a segment is larger in the file than in memory"},
        {0x2000, 0x100000000, 0, 1, "a segment lies above 4 GiB"},
        {0x2000, 0xfffff000, 0, 0x1001, "a segment lies above 4 GiB"},
        {0x2000, 0x102000, 0, UINT64_MAX, "a segment lies above 4 GiB"},
        {0x2000, UINT64_MAX, 0, 1, "a segment lies above 4 GiB"},
        {0x2000, 0x100fff, 1, 1, "two segments overlap"},
        {0x2000, 0xff000, 0, 0x1001, "two segments overlap"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        build();
        put_segment(1, table[i].offset, table[i].address, table[i].file_bytes,
                    table[i].memory_bytes);
        assert_refused(table[i].reason);
    }
    build();
    put(64 + 16, 8, 0xffffffff80100000);
    assert_refused("a segment's virtual and physical addresses differ");
}

static void seventeen_segments_are_too_many(void **state)
{
    (void)state;
    build();
    put(56, 2, 17);
    for (unsigned i = 0; i < 17; i++)
        put_segment(i, 0x1000, 0x100000 + i * 0x1000, 0x100, 0x1000);
    assert_refused("it has too many segments");
    put(56, 2, 16);
    assert_null(check_bytes(FILE_SIZE));
    assert_int_equal(image.segment_count, 16);
}

static void the_entry_lies_in_a_segments_file_part(void **state)
{
    static const uint64_t outside[] = {0, 0xfffff, 0x101000, 0x102200, 0x107000, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
        build();
        put(24, 8, outside[i]);
        assert_refused("its entry point lies outside its segments");
    }
    build();
    put(24, 8, 0x1021ff);
    assert_null(check_bytes(FILE_SIZE));
}

static void a_file_without_segments_is_refused(void **state)
{
    (void)state;
    build();
    put(56, 2, 0);
    assert_refused("it has nothing to load");
    put(56, 2, 3);
    put_segment(0, 0, 0x100000, 0, 0);
    put_segment(1, 0, 0x100000, 0, 0);
    assert_refused("it has nothing to load");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_lists_its_segments),
        cmocka_unit_test(other_kinds_of_file_are_refused),
        cmocka_unit_test(program_headers_stay_inside_the_file),
        cmocka_unit_test(hostile_segments_are_refused),
        cmocka_unit_test(seventeen_segments_are_too_many),
        cmocka_unit_test(the_entry_lies_in_a_segments_file_part),
        cmocka_unit_test(a_file_without_segments_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
