/* needs: vmm/lib/manifest.c vmm/lib/mem.c */
#include "lib/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DATE 0x5c210000u /* 2026-01-01 00:00:00 as FAT keeps it */

static const char *const good = "# pxHV's files\n"
                                "#date 2026-01-01 00:00:00\n"
                                "3735928559 282 pxhv.cfg\n"
                                "17 14155776 boot/my kernel.bin\n";

static struct manifest manifest;

static bool open_text(const char *text, unsigned *line)
{
    return manifest_open(&manifest, text, strlen(text), line);
}

static void open_good(void)
{
    unsigned line;
    assert_true(open_text(good, &line));
    assert_int_equal(manifest.date, DATE);
}

static enum manifest_verdict judge(const char *path, uint64_t size, uint32_t date, uint32_t sum)
{
    return manifest_judge(&manifest, path, size, date, sum);
}

static void dates_are_packed_as_fat_does(void **state)
{
    (void)state;
    assert_int_equal(manifest_date(1980, 1, 1, 0, 0, 0), 0x00210000);
    assert_int_equal(manifest_date(2107, 12, 31, 23, 59, 59), 0xff9fbf7d);
    assert_int_equal(manifest_date(2026, 1, 1, 0, 0, 0), DATE);
    assert_int_equal(manifest_date(2026, 1, 1, 0, 0, 3), DATE + 1);
}

static void the_same_bytes_are_ok_whatever_the_date(void **state)
{
    (void)state;
    open_good();
    assert_int_equal(judge("pxhv.cfg", 282, DATE, 3735928559u), MANIFEST_OK);
    assert_int_equal(judge("pxhv.cfg", 282, 0x5d000000, 3735928559u), MANIFEST_OK);
}

static void other_bytes_in_an_untouched_file_are_damage(void **state)
{
    (void)state;
    open_good();
    assert_int_equal(judge("pxhv.cfg", 282, DATE, 3735928558u), MANIFEST_DAMAGED);
    assert_int_equal(judge("boot/my kernel.bin", 14155776, DATE, 18), MANIFEST_DAMAGED);
}

static void another_date_or_size_is_the_users_doing(void **state)
{
    (void)state;
    open_good();
    assert_int_equal(judge("pxhv.cfg", 282, DATE + 1, 1), MANIFEST_CHANGED);
    assert_int_equal(judge("pxhv.cfg", 281, DATE, 1), MANIFEST_CHANGED);
    assert_int_equal(judge("pxhv.cfg", 281, DATE, 3735928559u), MANIFEST_CHANGED);
}

static void a_file_that_is_not_listed_was_added(void **state)
{
    (void)state;
    open_good();
    assert_int_equal(judge("other", 282, DATE, 3735928559u), MANIFEST_UNKNOWN);
    assert_int_equal(judge("pxhv.cf", 282, DATE, 3735928559u), MANIFEST_UNKNOWN);
    assert_int_equal(judge("pxhv.cfgs", 282, DATE, 3735928559u), MANIFEST_UNKNOWN);
    assert_int_equal(judge("", 282, DATE, 3735928559u), MANIFEST_UNKNOWN);
    manifest = (struct manifest){0};
    assert_int_equal(judge("pxhv.cfg", 282, DATE, 3735928559u), MANIFEST_UNKNOWN);
}

static void paths_match_as_fat_names_do(void **state)
{
    (void)state;
    open_good();
    assert_int_equal(judge("/PXHV.CFG", 282, 0, 3735928559u), MANIFEST_OK);
    assert_int_equal(judge("Boot/My Kernel.bin", 14155776, 0, 17), MANIFEST_OK);
    assert_int_equal(judge("//boot//my kernel.bin", 14155776, 0, 17), MANIFEST_OK);
    assert_int_equal(judge("boot/my kernel.bin/", 14155776, 0, 17), MANIFEST_UNKNOWN);
}

static void lines_may_end_in_cr_lf_or_with_the_text(void **state)
{
    (void)state;
    unsigned line;
    assert_true(open_text("#date 2026-01-01 00:00:00\r\n\r\n5 6 a\r\n7 8 b", &line));
    assert_int_equal(judge("a", 6, 0, 5), MANIFEST_OK);
    assert_int_equal(judge("b", 8, 0, 7), MANIFEST_OK);
}

static void a_damaged_line_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
    } bad[] = {
        {"", 0},
        {"1 2 a\n", 0},
        {"#date 2026-01-01 00:00:00\n1 2\n", 2},
        {"#date 2026-01-01 00:00:00\n1 2 \n", 2},
        {"#date 2026-01-01 00:00:00\n\n1 x a\n", 3},
        {"#date 2026-01-01 00:00:00\n4294967296 2 a\n", 2},
        {"#date 2026-01-01 00:00:00\n1 4294967296 a\n", 2},
        {"#date 2026-01-01 00:00:00\n-1 2 a\n", 2},
        {"#date 2026-01-01 00:00:0\n", 1},
        {"#date 2026-13-01 00:00:00\n", 1},
        {"#date 1979-01-01 00:00:00\n", 1},
        {"#date 2026-01-01 24:00:00\n", 1},
        {"#date 2x26-01-01 00:00:00\n", 1},
        {"1 2 a\n#date\x01", 0},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unsigned line = 99;
        assert_false(open_text(bad[i].text, &line));
        assert_int_equal(line, bad[i].line);
    }
}

static void every_verdict_has_its_words(void **state)
{
    (void)state;
    assert_string_equal(manifest_word(MANIFEST_OK), "ok");
    assert_string_equal(manifest_word(MANIFEST_CHANGED), "ok, changed by hand");
    assert_string_equal(manifest_word(MANIFEST_UNKNOWN), "ok, added by hand");
    assert_string_equal(manifest_word(MANIFEST_DAMAGED), "DAMAGED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_packed_as_fat_does),
        cmocka_unit_test(the_same_bytes_are_ok_whatever_the_date),
        cmocka_unit_test(other_bytes_in_an_untouched_file_are_damage),
        cmocka_unit_test(another_date_or_size_is_the_users_doing),
        cmocka_unit_test(a_file_that_is_not_listed_was_added),
        cmocka_unit_test(paths_match_as_fat_names_do),
        cmocka_unit_test(lines_may_end_in_cr_lf_or_with_the_text),
        cmocka_unit_test(a_damaged_line_is_named),
        cmocka_unit_test(every_verdict_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
