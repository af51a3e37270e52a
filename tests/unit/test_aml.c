/* needs: vmm/hw/aml.c vmm/lib/mem.c */
#include "hw/aml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BYTES(...)                                                                                 \
    (const uint8_t[])                                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* In memory of exactly that size, so that the sanitizer sees a read behind its end. */
static bool scan(const uint8_t *bytes, size_t size, unsigned *a, unsigned *b)
{
    uint8_t *copy = malloc(size ? size : 1);
    uint8_t type_a = 0xEE, type_b = 0xEE;
    memcpy(copy, bytes, size);
    bool found = aml_find_s5(copy, size, &type_a, &type_b);
    free(copy);
    *a = type_a;
    *b = type_b;
    return found;
}

#define expect_types(want_a, want_b, ...)                                                          \
    do {                                                                                           \
        unsigned a_, b_;                                                                           \
        assert_true(scan(BYTES(__VA_ARGS__), sizeof(BYTES(__VA_ARGS__)), &a_, &b_));               \
        assert_int_equal(a_, want_a);                                                              \
        assert_int_equal(b_, want_b);                                                              \
    } while (0)

#define expect_none(...)                                                                           \
    do {                                                                                           \
        unsigned a_, b_;                                                                           \
        assert_false(scan(BYTES(__VA_ARGS__), sizeof(BYTES(__VA_ARGS__)), &a_, &b_));              \
    } while (0)

static void packages_as_compilers_write_them(void **state)
{
    (void)state;
    /* iasl: Name (_S5, Package () {0, 0, 0, 0}) as in QEMU's and Bochs' tables */
    expect_types(0, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00);
    /* Package () {7, 7, 0, 0}: bytes */
    expect_types(7, 7, 0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0A, 0x07, 0x0A, 0x07, 0x00,
                 0x00);
    /* Name (\_S5, ...), One, a byte */
    expect_types(1, 5, 0x08, '\\', '_', 'S', '5', '_', 0x12, 0x07, 0x02, 0x01, 0x0A, 0x05, 0x00,
                 0x00);
    /* words and double words */
    expect_types(5, 6, 0x08, '_', 'S', '5', '_', 0x12, 0x0A, 0x02, 0x0B, 0x05, 0x00, 0x0C, 0x06,
                 0x00, 0x00, 0x00);
    /* a length of two bytes: 41h 00h = 1 + 16 * 0 is too short; 48h 00h = 8 */
    expect_types(5, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x48, 0x00, 0x04, 0x0A, 0x05, 0x00, 0x00,
                 0x00);
    /* one element only */
    expect_types(5, 5, 0x08, '_', 'S', '5', '_', 0x12, 0x04, 0x01, 0x0A, 0x05);
}

static void a_mention_that_is_no_definition_is_passed_over(void **state)
{
    (void)state;
    expect_types(5, 5, 0x00, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x01, 0x01, 0x00, 0x00, 0x08,
                 '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0A, 0x05, 0x0A, 0x05, 0x00, 0x00);
    expect_none('_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00); /* nothing before */
    expect_none(0x08, '_', 'S', '4', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00);
}

static void impossible_values_are_refused(void **state)
{
    (void)state;
    expect_none(0x08, '_', 'S', '5', '_', 0x12, 0x05, 0x02, 0x0A, 0x08, 0x00);       /* type 8 */
    expect_none(0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x0B, 0x05, 0x01, 0x00); /* 105h */
    expect_none(0x08, '_', 'S', '5', '_', 0x12, 0x04, 0x02, 0x0D, 0x35);             /* a string */
    expect_none(0x08, '_', 'S', '5', '_', 0x0A, 0x05); /* no package */
}

static void lengths_beyond_the_table_or_the_package_are_refused(void **state)
{
    (void)state;
    expect_none(0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x00, 0x00, 0x00, 0x00);
    expect_none(0x08, '_', 'S', '5', '_', 0x12, 0xCF, 0xFF, 0xFF, 0xFF, 0x04, 0x00, 0x00);
    expect_none(0x08, '_', 'S', '5', '_', 0x12, 0x00, 0x04, 0x00, 0x00);
    expect_none(0x08, '_', 'S', '5', '_', 0x12, 0x41, 0x00, 0x04, 0x00, 0x00);
    expect_none(0x08, '_', 'S', '5', '_', 0x12, 0x02, 0x04, 0x00, 0x00); /* ends before element 1 */
    expect_none(0x08, '_', 'S', '5', '_', 0x12, 0x03, 0x04, 0x0A, 0x05); /* ends inside of it */
}

static void any_truncation_is_survived(void **state)
{
    (void)state;
    static const uint8_t whole[] = {0x08, '_',  'S',  '5',  '_',  0x12, 0x88, 0x00,
                                    0x00, 0x04, 0x0C, 0x05, 0x00, 0x00, 0x00, 0x00};
    unsigned a, b;
    for (size_t size = 0; size < sizeof(whole); size++)
        assert_int_equal(scan(whole, size, &a, &b), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packages_as_compilers_write_them),
        cmocka_unit_test(a_mention_that_is_no_definition_is_passed_over),
        cmocka_unit_test(impossible_values_are_refused),
        cmocka_unit_test(lengths_beyond_the_table_or_the_package_are_refused),
        cmocka_unit_test(any_truncation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
