/* needs: vmm/lib/cksum.c */
#include "lib/cksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int by_tables(void **state)
{
    (void)state;
    cksum_set_folding(false);
    return 0;
}

/* As a loader does it: CPUs without the instructions have the tables only. */
static int by_folding(void **state)
{
    (void)state;
    cksum_set_folding(__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("ssse3"));
    return 0;
}

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
    memset(megabyte, 0, sizeof(megabyte));
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
    uint8_t bytes[259];
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
    uint8_t bytes[120] = {0};
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

static void both_ways_agree_on_every_size_and_place(void **state)
{
    static uint8_t bytes[400];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * i * 5 + 3 * i + 1);
    for (size_t from = 0; from < 17; from++) {
        for (size_t size = 0; size < 380; size++) {
            by_tables(state);
            uint32_t wanted = sum_of(bytes + from, size);
            by_folding(state);
            assert_int_equal(sum_of(bytes + from, size), wanted);
        }
    }
}

static void folding_takes_two_features(void **state)
{
    (void)state;
    assert_true(cksum_can_fold(0x202));
    assert_true(cksum_can_fold(0xffffffff));
    assert_false(cksum_can_fold(0x200));
    assert_false(cksum_can_fold(0xfffffdff));
}

#define BOTH_WAYS(test)                                                                            \
    cmocka_unit_test_setup(test, by_tables), cmocka_unit_test_setup(test, by_folding)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(sums_are_those_of_the_cksum_command),
        BOTH_WAYS(any_split_gives_the_same_sum),
        BOTH_WAYS(every_bit_counts),
        BOTH_WAYS(a_value_may_be_asked_in_between),
        cmocka_unit_test(both_ways_agree_on_every_size_and_place),
        cmocka_unit_test(folding_takes_two_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
