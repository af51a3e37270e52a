/* needs: vmm/lib/ini.c vmm/lib/fmt.c vmm/lib/mem.c */
#include "lib/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every entry as "section|key=value\n", so that a whole parse is one string to compare. */
struct seen {
    char text[16384];
    const char *refuse; /* the key at which the handler says no */
};

static bool note(void *ctx, const char *section, const char *key, const char *value,
                 struct ini_error *error)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof(seen->text) - len, "%s|%s=%s\n", section, key ? key : "*",
             value);
    if (seen->refuse && key && strcmp(key, seen->refuse) == 0) {
        snprintf(error->reason, sizeof(error->reason), "refused");
        return false;
    }
    return true;
}

static bool parse_bytes(const char *text, size_t size, struct seen *seen, struct ini_error *error)
{
    /* An exact copy on the heap: the sanitizer sees a read beyond the end. */
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    bool ok = ini_parse(copy, size, (struct ini_handler){.entry = note, .ctx = seen}, error);
    free(copy);
    return ok;
}

static void assert_reads(const char *text, const char *entries)
{
    struct seen seen = {.text = ""};
    struct ini_error error;

    assert_true(parse_bytes(text, strlen(text), &seen, &error));
    assert_string_equal(seen.text, entries);
}

static void assert_fails(const char *text, unsigned line, const char *reason)
{
    struct seen seen = {.text = ""};
    struct ini_error error;

    assert_false(parse_bytes(text, strlen(text), &seen, &error));
    assert_string_equal(error.reason, reason);
    assert_int_equal(error.line, line);
}

static void sections_and_keys_reach_the_handler_in_order(void **state)
{
    (void)state;
    assert_reads("[a b]\nk = v\nk2=v2\n[c]\nx=y", "a b|*=\na b|k=v\na b|k2=v2\nc|*=\nc|x=y\n");
    assert_reads("", "");
}

static void white_space_around_everything_is_dropped(void **state)
{
    (void)state;
    assert_reads(" \t[ s ] \n\tk \t=  a  b\t \n\n  \n", "s|*=\ns|k=a  b\n");
}

static void line_ends_of_both_kinds_and_a_byte_order_mark_are_read(void **state)
{
    (void)state;
    assert_reads("\xef\xbb\xbf[s]\r\nk=v\r\n", "s|*=\ns|k=v\n");
    assert_reads("[s]\r\nk=v\r", "s|*=\ns|k=v\n");
}

static void comments_begin_a_line_or_follow_white_space(void **state)
{
    (void)state;
    assert_reads("# one\n; two\n  ; three\n[s] ; four\nk = v ; five\n", "s|*=\ns|k=v\n");
    assert_reads("[s]\nk = ; nothing\n", "s|*=\ns|k=\n");
    assert_reads("[s]\nk = a;b #c\n", "s|*=\ns|k=a;b #c\n");
}

static void a_value_may_hold_equal_signs_and_utf8(void **state)
{
    (void)state;
    assert_reads("[s]\nk = root=/dev/vda \xc3\xa4\n", "s|*=\ns|k=root=/dev/vda \xc3\xa4\n");
}

static void each_bad_line_is_reported_with_its_number(void **state)
{
    (void)state;
    assert_fails("[s]\nnonsense\n", 2, "expected \"key = value\", \"[section]\" or a comment");
    assert_fails("\n[s\n", 2, "a section ends with \"]\", as in \"[vm linux]\"");
    assert_fails("[s] x\n", 1, "there is text behind the section's \"]\": begin a new line");
    assert_fails("[ ]\n", 1, "the section has no name: write it as in \"[vm linux]\"");
    assert_fails("[s]\n\n = v\n", 3, "there is no key before \"=\"");
    assert_fails("[s]\na b = v\n", 2,
                 "a key is one word of letters, digits, \"-\", \"_\" and \".\"");
    assert_fails("k = v\n", 1, "the first line must begin a section, as in \"[vm linux]\"");
    assert_fails("[s]\nk = \x01\n", 2,
                 "the line has a control character: save the file as plain text");
    assert_fails("[s]\nk = \x7f\n", 2,
                 "the line has a control character: save the file as plain text");
}

static void a_nul_byte_is_a_control_character(void **state)
{
    struct seen seen = {.text = ""};
    struct ini_error error;

    (void)state;
    assert_false(parse_bytes("[s]\nk=\0v", 8, &seen, &error));
    assert_int_equal(error.line, 2);
}

static void a_section_name_of_127_bytes_is_the_longest(void **state)
{
    char text[200] = "[";

    (void)state;
    memset(text + 1, 'n', 128);
    strcpy(text + 129, "]");
    assert_fails(text, 1, "the section's name is too long");
    strcpy(text + 128, "]");
    struct seen seen = {.text = ""};
    struct ini_error error;
    assert_true(parse_bytes(text, strlen(text), &seen, &error));
}

static void a_line_of_4096_bytes_is_the_longest(void **state)
{
    static char text[5000] = "[s]\nk=";
    struct seen seen = {.text = ""};
    struct ini_error error;

    (void)state;
    memset(text + 6, 'v', 4094);
    assert_true(parse_bytes(text, 4 + 4096, &seen, &error));
    text[4 + 4096] = 'v';
    assert_false(parse_bytes(text, 4 + 4097, &seen, &error));
    assert_string_equal(error.reason, "the line is too long: 4096 bytes are the most");
    assert_int_equal(error.line, 2);
}

static void a_refusing_handler_ends_the_parse_at_its_line(void **state)
{
    struct seen seen = {.text = "", .refuse = "b"};
    struct ini_error error;
    const char *text = "[s]\na=1\nb=2\nc=3\n";

    (void)state;
    assert_false(parse_bytes(text, strlen(text), &seen, &error));
    assert_string_equal(error.reason, "refused");
    assert_int_equal(error.line, 3);
    assert_string_equal(seen.text, "s|*=\ns|a=1\ns|b=2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_keys_reach_the_handler_in_order),
        cmocka_unit_test(white_space_around_everything_is_dropped),
        cmocka_unit_test(line_ends_of_both_kinds_and_a_byte_order_mark_are_read),
        cmocka_unit_test(comments_begin_a_line_or_follow_white_space),
        cmocka_unit_test(a_value_may_hold_equal_signs_and_utf8),
        cmocka_unit_test(each_bad_line_is_reported_with_its_number),
        cmocka_unit_test(a_nul_byte_is_a_control_character),
        cmocka_unit_test(a_section_name_of_127_bytes_is_the_longest),
        cmocka_unit_test(a_line_of_4096_bytes_is_the_longest),
        cmocka_unit_test(a_refusing_handler_ends_the_parse_at_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
