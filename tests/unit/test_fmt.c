/* needs: vmm/lib/fmt.c vmm/lib/mem.c */
#include "lib/fmt.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define expect_text(expected, ...)                                                                 \
    do {                                                                                           \
        char text_[128];                                                                           \
        memset(text_, 'Z', sizeof(text_));                                                         \
        int len_ = fmt_snprintf(text_, sizeof(text_), __VA_ARGS__);                                \
        assert_string_equal(text_, expected);                                                      \
        assert_int_equal(len_, strlen(expected));                                                  \
    } while (0)

static void decimal_numbers_have_all_their_digits(void **state)
{
    (void)state;
    expect_text("0", "%d", 0);
    expect_text("9", "%u", 9u);
    expect_text("10", "%u", 10u);
    expect_text("-2147483648", "%d", (int)0x80000000);
    expect_text("4294967295", "%u", 0xFFFFFFFFu);
    expect_text("65536", "%u", 65536u);
    expect_text("4294967296", "%llu", 4294967296ull);
    expect_text("18446744073709551615", "%llu", 0xFFFFFFFFFFFFFFFFull);
    expect_text("-9223372036854775808", "%lld", (long long)0x8000000000000000ull);
    expect_text("1000000000000000000", "%llu", 1000000000000000000ull);
    expect_text("281474976710656", "%lu", 281474976710656ul);
    expect_text("12345", "%zu", (size_t)12345);
    expect_text("-7", "%i", -7);
}

static void division_by_hand_agrees_with_the_cpu(void **state)
{
    (void)state;
    uint64_t value = 1;
    for (int i = 0; i < 2000; i++) {
        value = value * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t n = value >> (i % 64);
        char digits[21] = {0};
        int at = 20;
        uint64_t rest = n;
        do
            digits[--at] = (char)('0' + rest % 10);
        while (rest /= 10);
        expect_text(digits + at, "%llu", (unsigned long long)n);
    }
}

static void hex_numbers(void **state)
{
    (void)state;
    expect_text("0", "%x", 0u);
    expect_text("deadbeef", "%x", 0xDEADBEEFu);
    expect_text("DEADBEEF", "%X", 0xDEADBEEFu);
    expect_text("ffffffffffffffff", "%llx", 0xFFFFFFFFFFFFFFFFull);
    expect_text("00c0", "%04x", 0xC0u);
    expect_text("00000000000b800f", "%p", (void *)0xB800F);
}

static void width_and_flags(void **state)
{
    (void)state;
    expect_text("    42", "%6d", 42);
    expect_text("42    |", "%-6d|", 42);
    expect_text("000042", "%06d", 42);
    expect_text("-00042", "%06d", -42);
    expect_text("   -42", "%6d", -42);
    expect_text("-42   |", "%-6d|", -42);
    expect_text("123456", "%3d", 123456);
    expect_text("   42", "%*d", 5, 42);
}

static void strings(void **state)
{
    (void)state;
    expect_text("abc", "%s", "abc");
    expect_text("  abc", "%5s", "abc");
    expect_text("abc  |", "%-5s|", "abc");
    expect_text("ab", "%.2s", "abc");
    expect_text("   ab", "%5.2s", "abc");
    expect_text("abc", "%.*s", 3, "abcdef");
    expect_text("", "%.0s", "abc");
    char *volatile null = NULL; /* out of the compiler's sight */
    expect_text("(null)", "%s", null);
    expect_text("x y", "%c %c", 'x', 'y');
    expect_text("100%", "%d%%", 100);
}

static void precision_bounds_what_is_read(void **state)
{
    (void)state;
    char *unterminated = malloc(3); /* the sanitizer watches the byte behind it */
    memcpy(unterminated, "abc", 3);
    expect_text("abc", "%.3s", unterminated);
    free(unterminated);
}

static void long_text_is_cut_and_its_length_told(void **state)
{
    (void)state;
    char text[8];
    memset(text, 'Z', sizeof(text));
    assert_int_equal(fmt_snprintf(text, 5, "%s", "abcdefgh"), 8);
    assert_memory_equal(text, "abcd\0ZZZ", 8);
    assert_int_equal(fmt_snprintf(text, 1, "%d", 12345), 5);
    assert_memory_equal(text, "\0", 1);
    assert_int_equal(fmt_snprintf(text, 8, "%s", "1234567"), 7);
    assert_string_equal(text, "1234567");
    assert_int_equal(fmt_snprintf(text, 8, "%s", "12345678"), 8);
    assert_string_equal(text, "1234567");
}

static void a_format_that_breaks_off_ends_the_text(void **state)
{
    (void)state;
    char text[16];
    const char *volatile format = "ab%"; /* likewise */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
    assert_int_equal(fmt_snprintf(text, sizeof(text), format), 2);
    assert_string_equal(text, "ab");
    format = "ab%08l";
    assert_int_equal(fmt_snprintf(text, sizeof(text), format), 2);
#pragma GCC diagnostic pop
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimal_numbers_have_all_their_digits),
        cmocka_unit_test(division_by_hand_agrees_with_the_cpu),
        cmocka_unit_test(hex_numbers),
        cmocka_unit_test(width_and_flags),
        cmocka_unit_test(strings),
        cmocka_unit_test(precision_bounds_what_is_read),
        cmocka_unit_test(long_text_is_cut_and_its_length_told),
        cmocka_unit_test(a_format_that_breaks_off_ends_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
