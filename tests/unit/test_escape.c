/* needs: vmm/debug/escape.c vmm/lib/fmt.c */
#include "debug/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct escape escape;

static int set_up(void **state)
{
    (void)state;
    escape = (struct escape){.key = 1};
    return 0;
}

/* Types the text; what is passed on must be `passed`, and the last byte's command `command`. */
static void expect(const char *text, const char *passed, enum escape_command command)
{
    char got[64];
    unsigned length = 0;
    struct escape_result result = {0};
    for (; *text; text++) {
        result = escape_put(&escape, (uint8_t)*text);
        assert_true(result.count <= 2);
        for (unsigned i = 0; i < result.count; i++)
            got[length++] = (char)result.bytes[i];
    }
    got[length] = '\0';
    assert_string_equal(got, passed);
    assert_int_equal(result.command, command);
}

static void what_is_typed_passes(void **state)
{
    (void)state;
    expect("ls -l\r\003\377", "ls -l\r\003\377", ESCAPE_NONE);
}

static void the_key_and_a_letter_are_a_command(void **state)
{
    (void)state;
    expect("a\001c", "a", ESCAPE_MONITOR);
    expect("b\001C", "b", ESCAPE_MONITOR);
    expect("\001h", "", ESCAPE_HELP);
    expect("\001?", "", ESCAPE_HELP);
    expect("\001x", "", ESCAPE_POWER_OFF);
    expect("cx", "cx", ESCAPE_NONE);
}

static void a_shared_line_has_one_letter_more(void **state)
{
    (void)state;
    expect("\001d", "\001d", ESCAPE_NONE);
    escape.shared = true;
    expect("\001d", "", ESCAPE_GDB);
    expect("a\001D", "a", ESCAPE_GDB);
}

static void the_key_twice_is_the_key_once(void **state)
{
    (void)state;
    expect("\001\001c", "\001c", ESCAPE_NONE);
    expect("\001\001\001\001", "\001\001", ESCAPE_NONE);
}

static void with_another_key_both_pass(void **state)
{
    (void)state;
    expect("\001z\001\r", "\001z\001\r", ESCAPE_NONE);
}

static void off_means_that_all_passes(void **state)
{
    (void)state;
    escape.key = 0;
    expect("\001c\001\001x", "\001c\001\001x", ESCAPE_NONE);
    struct escape_result result = escape_put(&escape, 0);
    assert_int_equal(result.count, 1);
    assert_int_equal(escape_put(&escape, 'c').command, ESCAPE_NONE);
}

static void another_key_can_be_chosen(void **state)
{
    (void)state;
    char name[ESCAPE_NAME_SIZE];
    escape.key = 0x1A;
    expect("\001c\032c", "\001c", ESCAPE_MONITOR);
    escape_name(0x1A, name);
    assert_string_equal(name, "Ctrl-Z");
    escape_name(1, name);
    assert_string_equal(name, "Ctrl-A");
    escape_name(0, name);
    assert_string_equal(name, "off");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_typed_passes, set_up),
        cmocka_unit_test_setup(the_key_and_a_letter_are_a_command, set_up),
        cmocka_unit_test_setup(a_shared_line_has_one_letter_more, set_up),
        cmocka_unit_test_setup(the_key_twice_is_the_key_once, set_up),
        cmocka_unit_test_setup(with_another_key_both_pass, set_up),
        cmocka_unit_test_setup(off_means_that_all_passes, set_up),
        cmocka_unit_test_setup(another_key_can_be_chosen, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
