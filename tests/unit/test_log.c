/* needs: vmm/lib/log.c vmm/lib/fmt.c vmm/lib/mem.c */
#include "lib/log.h"

#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static char text[32000];
static size_t len;

static void keep(void *ctx, uint8_t byte)
{
    (void)ctx;
    assert_true(len + 1 < sizeof(text));
    text[len++] = (char)byte;
    text[len] = 0;
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_INFO);
    len = 0;
    text[0] = 0;
    return 0;
}

static void a_line_has_its_module_and_ends_in_cr_lf(void **state)
{
    (void)state;
    log_write(LOG_INFO, "vmx", "%d exits", 7);
    assert_string_equal(text, "vmx: 7 exits\r\n");
}

static void errors_and_warnings_are_marked(void **state)
{
    (void)state;
    log_write(LOG_ERROR, "cfg", "a");
    log_write(LOG_WARN, "cfg", "b");
    assert_string_equal(text, "cfg: error: a\r\ncfg: warning: b\r\n");
}

static void lines_above_the_level_are_dropped(void **state)
{
    (void)state;
    log_write(LOG_DEBUG, "m", "debug");
    log_set_level(LOG_ERROR);
    assert_int_equal(log_get_level(), LOG_ERROR);
    log_write(LOG_WARN, "m", "warning");
    log_write(LOG_INFO, "m", "info");
    assert_string_equal(text, "");
    log_raw("%s", "raw");
    assert_string_equal(text, "raw");
    log_set_level(LOG_DEBUG);
    log_write(LOG_DEBUG, "m", "debug");
    assert_string_equal(text, "rawm: debug\r\n");
}

static void control_characters_of_a_name_do_not_reach_the_terminal(void **state)
{
    (void)state;
    log_write(LOG_INFO, "m", "%s", "a\x1B[2Jb\nc\x7F\td\xC3\xA4");
    assert_string_equal(text, "m: a?[2Jb?c?\td\xC3\xA4\r\n");
}

static void a_long_line_is_cut_visibly(void **state)
{
    (void)state;
    char name[1000];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    log_write(LOG_INFO, "m", "%s", name);
    assert_true(len < 600);
    assert_string_equal(text + len - 6, "x...\r\n");
    assert_int_equal(strspn(text + 3, "x"), 511);
}

static void the_newest_bytes_are_kept(void **state)
{
    (void)state;
    uint64_t first = log_end();
    log_raw("kept\n");
    log_keep('!');
    assert_string_equal(text, "kept\r\n"); /* no sink gets what is only kept */
    assert_int_equal(log_end(), first + 6);
    assert_int_equal(log_at(first), 'k');
    assert_int_equal(log_at(first + 5), '!');
    for (int i = 0; i < 80000; i++)
        log_keep((char)('a' + i % 26));
    assert_int_equal(log_end() - log_begin(), 65536);
    assert_int_equal(log_at(log_end() - 1), 'a' + 79999 % 26);
    assert_int_equal(log_at(log_begin()), 'a' + (80000 - 65536) % 26);
}

static void a_fifth_sink_is_refused(void **state)
{
    (void)state;
    struct byte_sink sink = {keep, NULL};
    assert_true(log_add_sink(sink));
    assert_true(log_add_sink(sink));
    assert_true(log_add_sink(sink));
    assert_false(log_add_sink(sink));
    log_raw("ab\n");
    assert_string_equal(text, "aaaabbbb\r\n\r\n\r\n\r\n");
}

static void rate_limit_lets_doublings_through(void **state)
{
    (void)state;
    uint64_t counter = 0;
    unsigned passed = 0;
    for (int i = 0; i < 1024; i++)
        passed += log_ratelimit(&counter, 4);
    assert_int_equal(passed, 4 + 8); /* 1 2 3 4, then 8 16 32 ... 1024 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_has_its_module_and_ends_in_cr_lf, set_up),
        cmocka_unit_test_setup(errors_and_warnings_are_marked, set_up),
        cmocka_unit_test_setup(lines_above_the_level_are_dropped, set_up),
        cmocka_unit_test_setup(control_characters_of_a_name_do_not_reach_the_terminal, set_up),
        cmocka_unit_test_setup(a_long_line_is_cut_visibly, set_up),
        cmocka_unit_test_setup(the_newest_bytes_are_kept, set_up),
        cmocka_unit_test_setup(a_fifth_sink_is_refused, set_up),
        cmocka_unit_test(rate_limit_lets_doublings_through),
    };
    log_add_sink((struct byte_sink){keep, NULL});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
