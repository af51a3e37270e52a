/* needs: vmm/lib/cksum.c */
#include "lib/cksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t sum_of(const void *bytes, size_t size)
{
    struct cksum sum = {0};
    cksum_add(&sum, bytes, size);
    return cksum_value(&sum);
}

/* The numbers are what coreutils' cksum prints for the same bytes. */
static void sums_are_those_of_the_cksum_command(void **state)
{
    (void)state;
    static uint8_t megabyte[1000000];
    assert_int_equal(sum_of("", 0), 4294967295u);
    assert_int_equal(sum_of("a", 1), 1220704766u);
    assert_int_equal(sum_of("123456789", 9), 930766865u);
    assert_int_equal(sum_of("pxHV\n", 5), 1276713107u);
    assert_int_equal(sum_of(megabyte, sizeof(megabyte)), 1345294785u);
    for (size_t i = 0; i < sizeof(megabyte); i++)
        megabyte[i] = (uint8_t)(i * 7 + (i >> 8));
    assert_int_equal(sum_of(megabyte, sizeof(megabyte)), 1893305680u);
}

static void any_split_gives_the_same_sum(void **state)
{
    (void)state;
    uint8_t bytes[67];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    uint32_t whole = sum_of(bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        struct cksum sum = {0};
        cksum_add(&sum, bytes, cut);
        cksum_add(&sum, bytes + cut, sizeof(bytes) - cut);
        assert_int_equal(cksum_value(&sum), whole);
    }
}

static void every_bit_counts(void **state)
{
    (void)state;
    uint8_t bytes[40] = {0};
    uint32_t whole = sum_of(bytes, sizeof(bytes));
    for (unsigned bit = 0; bit < sizeof(bytes) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(sum_of(bytes, sizeof(bytes)), whole);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_not_equal(sum_of(bytes, sizeof(bytes) - 1), whole);
}

static void a_value_may_be_asked_in_between(void **state)
{
    (void)state;
    struct cksum sum = {0};
    cksum_add(&sum, "1234", 4);
    cksum_value(&sum);
    cksum_add(&sum, "56789", 5);
    assert_int_equal(cksum_value(&sum), 930766865u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_cksum_command),
        cmocka_unit_test(any_split_gives_the_same_sum),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(a_value_may_be_asked_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
