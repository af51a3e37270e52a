/* needs: vmm/debug/expr.c */
#include "debug/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static bool value_of(void *ctx, const char *name, unsigned length, uint64_t *value)
{
    (void)ctx;
    *value = 0xffffffff81000000;
    return length == 3 && memcmp(name, "rip", 3) == 0;
}

static const struct expr_names names = {value_of, NULL};

static void expect(const char *text, uint64_t wanted, const char *rest)
{
    uint64_t value = 0;
    assert_null(expr_take(&text, &names, &value));
    assert_true(value == wanted);
    assert_string_equal(text, rest);
}

static void expect_refusal(const char *text, const char *reason)
{
    uint64_t value = 77;
    const char *got = expr_take(&text, &names, &value);
    assert_non_null(got);
    assert_non_null(strstr(got, reason));
    assert_int_equal(value, 77);
}

static void numbers(void **state)
{
    (void)state;
    expect("0", 0, "");
    expect("31", 31, "");
    expect("0x1f", 31, "");
    expect("0X1F 2", 31, " 2");
    expect("18446744073709551615", UINT64_MAX, "");
    expect("0xffffffffffffffff", UINT64_MAX, "");
    expect("007", 7, "");
}

static void registers_and_sums(void **state)
{
    (void)state;
    expect("$rip", 0xffffffff81000000, "");
    expect("$rip+0x10 x", 0xffffffff81000010, " x");
    expect("$rip-1-1+2", 0xffffffff81000000, "");
    expect("1-2", UINT64_MAX, "");
    expect("0xffffffffffffffff+2", 1, "");
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    expect_refusal("", "no number");
    expect_refusal("rip", "no number");
    expect_refusal("0x", "no number");
    expect_refusal("0xg", "no number");
    expect_refusal("12ab", "no number");
    expect_refusal("1+", "no number");
    expect_refusal("1+ 2", "no number");
    expect_refusal("--1", "no number");
    expect_refusal("1*2", "joined by");
    expect_refusal("$", "no such register");
    expect_refusal("$ripx", "no such register");
    expect_refusal("$rip$rip", "joined by");
    expect_refusal("18446744073709551616", "64 bits");
    expect_refusal("0x10000000000000000", "64 bits");
    expect_refusal("99999999999999999999999999999999999999999", "64 bits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(registers_and_sums),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
