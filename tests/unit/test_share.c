/* needs: vmm/debug/share.c vmm/debug/escape.c vmm/lib/fmt.c */
/* Whose a byte is on a line that is the console's and GDB's by turns. */
#include "debug/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define SILENCE 1000u

static struct share share;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    now = 5000;
    share = (struct share){.escape = {.key = 1, .shared = true}, .silence = SILENCE, .heard = now};
    return 0;
}

/* A byte a tick; what is GDB's must be `passed`, and the last byte's command `command`. */
static void expect(bool in_packet, const char *text, const char *passed,
                   enum escape_command command)
{
    char got[64];
    unsigned length = 0;
    struct escape_result result = {0};
    for (; *text; text++) {
        result = share_put(&share, in_packet, ++now, (uint8_t)*text);
        for (unsigned i = 0; i < result.count; i++)
            got[length++] = (char)result.bytes[i];
    }
    got[length] = '\0';
    assert_string_equal(got, passed);
    assert_int_equal(result.command, command);
}

static void gdbs_bytes_are_gdbs(void **state)
{
    (void)state;
    expect(false, "+-$\003", "+-$\003", ESCAPE_NONE);
    expect(true, "X0,2:\001d\001c#", "X0,2:\001d\001c#", ESCAPE_NONE);
}

static void between_packets_the_key_is_a_persons(void **state)
{
    (void)state;
    expect(false, "\001d", "", ESCAPE_GDB);
    expect(false, "+\001c", "+", ESCAPE_MONITOR);
}

static void other_letters_are_no_commands(void **state)
{
    (void)state;
    expect(false, "\001x\001h\001?\001q", "\001x\001h\001?\001q", ESCAPE_NONE);
    expect(false, "\001\001d", "\001\001d", ESCAPE_NONE);
    expect(false, "\001$", "\001$", ESCAPE_NONE); /* noise, and a packet */
}

static void in_a_packet_that_broke_off_it_is_after_a_silence(void **state)
{
    (void)state;
    expect(true, "m100", "m100", ESCAPE_NONE);
    now += SILENCE - 2;
    expect(true, "\001d", "\001d", ESCAPE_NONE);
    now += SILENCE - 1;
    expect(true, "\001d", "", ESCAPE_GDB);
    now += SILENCE;
    expect(true, "\001z", "\001z", ESCAPE_NONE);
    now += SILENCE;
    expect(true, "a\001d", "a\001d", ESCAPE_NONE); /* the silence ended before */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(gdbs_bytes_are_gdbs, set_up),
        cmocka_unit_test_setup(between_packets_the_key_is_a_persons, set_up),
        cmocka_unit_test_setup(other_letters_are_no_commands, set_up),
        cmocka_unit_test_setup(in_a_packet_that_broke_off_it_is_after_a_silence, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
