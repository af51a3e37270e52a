/* needs: vmm/lib/mem.c */
/* The bare-metal bodies of memcpy & co are included below under other names, since a hosted build
 * leaves them out; the string functions come from the linked file. */
#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define memcpy   bare_memcpy
#define memmove  bare_memmove
#define memset   bare_memset
#define memcmp   bare_memcmp
#define str_len  bare_str_len
#define str_eq   bare_str_eq
#define str_copy bare_str_copy
size_t bare_str_len(const char *s);
bool bare_str_eq(const char *a, const char *b);
bool bare_str_copy(char *dst, size_t size_bytes, const char *src);
void *bare_memcpy(void *restrict dst, const void *restrict src, size_t n);
void *bare_memmove(void *dst, const void *src, size_t n);
void *bare_memset(void *dst, int byte, size_t n);
int bare_memcmp(const void *a, const void *b, size_t n);
#define MEM_BARE
#include "lib/mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef str_len
#undef str_eq
#undef str_copy

#define AREA 256

static void fill(uint8_t *area)
{
    for (int i = 0; i < AREA; i++)
        area[i] = (uint8_t)(i * 7 + 1);
}

static void copies_every_length_at_every_alignment(void **state)
{
    (void)state;
    uint8_t src[AREA], ours[AREA], theirs[AREA];
    fill(src);
    for (unsigned from = 0; from < 9; from++)
        for (unsigned to = 0; to < 9; to++)
            for (unsigned n = 0; n < 100; n++) {
                memset(ours, 0xEE, AREA);
                memset(theirs, 0xEE, AREA);
                assert_ptr_equal(bare_memcpy(ours + to, src + from, n), ours + to);
                memcpy(theirs + to, src + from, n);
                assert_memory_equal(ours, theirs, AREA);
            }
}

static void moves_overlapping_ranges_both_ways(void **state)
{
    (void)state;
    uint8_t ours[AREA], theirs[AREA];
    for (unsigned from = 0; from < 60; from += 3)
        for (unsigned to = 0; to < 60; to++)
            for (unsigned n = 0; n < 120; n += 5) {
                fill(ours);
                fill(theirs);
                bare_memmove(ours + to, ours + from, n);
                memmove(theirs + to, theirs + from, n);
                assert_memory_equal(ours, theirs, AREA);
            }
}

static void sets_every_length(void **state)
{
    (void)state;
    uint8_t ours[AREA], theirs[AREA];
    for (unsigned to = 0; to < 9; to++)
        for (unsigned n = 0; n < 100; n++) {
            fill(ours);
            fill(theirs);
            bare_memset(ours + to, 0x1A5, n); /* only the low byte counts */
            memset(theirs + to, 0xA5, n);
            assert_memory_equal(ours, theirs, AREA);
        }
}

static void compares_as_unsigned_bytes(void **state)
{
    (void)state;
    assert_int_equal(bare_memcmp("abc", "abc", 3), 0);
    assert_true(bare_memcmp("abc", "abd", 3) < 0);
    assert_true(bare_memcmp("\xFF", "\x01", 1) > 0);
    assert_int_equal(bare_memcmp("abX", "abY", 2), 0);
    assert_int_equal(bare_memcmp("a", "b", 0), 0);
}

static void strings(void **state)
{
    (void)state;
    char text[4];
    assert_int_equal(str_len(""), 0);
    assert_int_equal(str_len("abc"), 3);
    assert_true(str_eq("abc", "abc"));
    assert_false(str_eq("abc", "ab"));
    assert_false(str_eq("ab", "abc"));
    assert_true(str_eq("", ""));
    assert_true(str_copy(text, sizeof(text), "abc"));
    assert_string_equal(text, "abc");
    assert_false(str_copy(text, sizeof(text), "abcd"));
    assert_string_equal(text, "abc");
    assert_true(str_copy(text, sizeof(text), ""));
    assert_string_equal(text, "");
}

static void unaligned_little_endian(void **state)
{
    (void)state;
    uint8_t bytes[9] = {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};
    assert_int_equal(load_le16(bytes + 1), 0x2211);
    assert_int_equal(load_le32(bytes + 1), 0x44332211);
    assert_int_equal(load_le64(bytes + 1), 0x8877665544332211ull);
    store_le64(bytes, 0x0102030405060708ull);
    assert_memory_equal(bytes, "\x08\x07\x06\x05\x04\x03\x02\x01\x88", 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_every_length_at_every_alignment),
        cmocka_unit_test(moves_overlapping_ranges_both_ways),
        cmocka_unit_test(sets_every_length),
        cmocka_unit_test(compares_as_unsigned_bytes),
        cmocka_unit_test(strings),
        cmocka_unit_test(unaligned_little_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
