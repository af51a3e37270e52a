/* needs: vmm/debug/monitor.c vmm/debug/monitor_info.c vmm/debug/monitor_run.c vmm/debug/monitor_regs.c vmm/debug/monitor_memory.c vmm/debug/expr.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/text.c vmm/lib/fmt.c vmm/lib/mem.c */
/* x, xp, walk, ept. The rig's memory holds its own offsets' low bytes. */
#include "monitor_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int set_up(void **state)
{
    (void)state;
    rig_init();
    return 0;
}

static void expect(const char *line, const char *answer)
{
    assert_string_equal(ask(line), answer);
}

static void expect_part(const char *line, const char *part)
{
    if (!strstr(ask(line), part))
        fail_msg("%s: no \"%s\" in \"%s\"", line, part, rig.out);
}

static void dumps_in_all_sizes(void **state)
{
    (void)state;
    expect("x/4xb $rip", "ffffffff81000000: 00 01 02 03\n");
    expect("x/2xh $rip+1", "ffffffff81000001: 0201 0403\n");
    expect("x/2xw $rip", "ffffffff81000000: 03020100 07060504\n");
    expect("x/1xg $rip", "ffffffff81000000: 0706050403020100\n");
    expect("xp/2xb 0x1000", "1000: 00 01\n");
    expect("x/20xb $rip", "ffffffff81000000: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n"
                          "ffffffff81000010: 10 11 12 13\n");
}

static void dumps_in_other_formats(void **state)
{
    (void)state;
    expect("x/2db $rip+0xfe", "ffffffff810000fe: -2 -1\n");
    expect("x/1dg $rip", "ffffffff81000000: 506097522914230528\n");
    expect("x/3c $rip+0x26", "ffffffff81000026: '&' '\\'' '('\n");
    expect("x/2c $rip+0x5c", "ffffffff8100005c: '\\\\' ']'\n");
    expect("x/1c $rip", "ffffffff81000000: '\\x00'\n");
    strcpy((char *)rig.memory, "two\033words");
    strcpy((char *)rig.memory + 10, "next");
    expect("x/2s $rip", "ffffffff81000000: \"two?words\"\nffffffff8100000a: \"next\"\n");
}

static void a_long_string_is_cut(void **state)
{
    (void)state;
    memset(rig.memory, 'a', 1000);
    expect_part("x/s $rip", "a\"...\n");
    assert_true(rig.length < 230);
}

static void without_arguments_it_goes_on(void **state)
{
    (void)state;
    expect("x/2xb $rip", "ffffffff81000000: 00 01\n");
    expect("x", "ffffffff81000002: 02 03\n");
    expect("x/1", "ffffffff81000004: 04\n");
    expect("x 0xffffffff81000008", "ffffffff81000008: 08\n");
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    expect("x/4xb 0", "0: nothing is mapped there, or no RAM\n");
    expect("xp/4xb 0", "0: no RAM of the guest's\n");
    expect("xp/8xb 0x2ffc", "2ffc: fc fd fe ff\n3000: no RAM of the guest's\n");
    expect("xp/2xg 0x2ff4", "2ff4: fbfaf9f8f7f6f5f4\n2ffc: no RAM of the guest's\n");
    expect_part("x/s 0", "nothing is mapped");
    expect_part("x/i 0", "nothing is mapped");
    expect("x/4xb 0xffffffffffffffff", "ffffffffffffffff: nothing is mapped there, or no RAM\n");
}

static void absurd_formats_are_refused(void **state)
{
    (void)state;
    const char *bound = "1 to 1024 bytes are shown at a time\n";
    expect("x/0xb $rip", bound);
    expect("x/1025xb $rip", bound);
    expect("x/129xg $rip", bound);
    expect("x/99999999999999999999999999xb $rip", bound);
    expect("x/4294967297xb $rip", bound);
    expect_part("x/1024xb $rip", "ffffffff810003f0:");
    expect_part("x/4q $rip", "\"q\" is none of the formats");
    expect_part("x/-1xb $rip", "\"-\" is none of the formats");
    expect_part("x/4xb", "ffffffff81000400: 00 01"); /* a refusal moves nothing */
    expect_part("x/4xb $nothing", "no such register");
    expect_part("x/4xb $rip 5", "\"5\" is too much there");
}

static void instructions_have_bytes_and_length(void **state)
{
    (void)state;
    memcpy(rig.memory, "\x48\x8b\x05\x10\x00\x00\x00\xf4\x90", 9);
    expect("x/3i $rip", "ffffffff81000000:  7  48 8b 05 10 00 00 00   mov\n"
                        "ffffffff81000007:  1  f4\n"
                        "ffffffff81000008:  1  90\n");
    memset(rig.memory, 0x66, 15);
    expect("x/2i $rip", "ffffffff81000000: 66  no instruction\n");
    rig.memory[RIG_MEMORY - 1] = 0x48; /* the rest of it isn't mapped */
    expect("x/i $rip+0x1fff", "ffffffff81001fff: 48  no instruction\n");
}

static void a_walk_names_each_level(void **state)
{
    (void)state;
    rig.walk = (struct vdebug_walk){.count = 2,
                                    .entry = {{4, 0x1000, 511, 0x2067}, {3, 0x2000, 1, 0x80e3}},
                                    .mapped = true,
                                    .gpa = 0x8123,
                                    .page_bytes = 0x40000000};
    expect("walk 0x123", "level 4  1000[511] = 0000000000002067 present writable user accessed "
                         "dirty\n"
                         "level 3  2000[1] = 00000000000080e3 present writable accessed dirty\n"
                         "123 is guest physical 8123, in a page of 1024 MiB\n");
    rig.walk.page_bytes = 4096;
    expect_part("walk 0x123", "in a page of 4 KiB\n");
    rig.walk.mapped = false;
    expect_part("walk 0x123", "123 isn't mapped\n");
    rig.walk = (struct vdebug_walk){.mapped = true, .gpa = 5};
    expect("walk 5", "5 is guest physical 5: the guest has no paging on\n");
    expect_part("walk", "an address is missing");
}

static void a_nested_walk_ends_at_the_host(void **state)
{
    (void)state;
    rig.nested =
        (struct nested_walk){.count = 1,
                             .entry = {{4, 0x9000, 3, 0xabc}},
                             .leaf = {0x200000, 0x40000000, 0x200000, MAP_READ | MAP_EXEC, MAP_UC}};
    expect("ept 0x201234", "level 4  9000[3] = 0000000000000abc\n"
                           "guest physical 201234 is host 40001234, r-x, uncached, in a page of "
                           "2 MiB\n");
    rig.nested.leaf.rights = 0;
    expect_part("ept 0xfee00000", "guest physical fee00000 isn't mapped: a device's, or nothing\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(dumps_in_all_sizes, set_up),
        cmocka_unit_test_setup(dumps_in_other_formats, set_up),
        cmocka_unit_test_setup(a_long_string_is_cut, set_up),
        cmocka_unit_test_setup(without_arguments_it_goes_on, set_up),
        cmocka_unit_test_setup(what_is_not_there_is_said, set_up),
        cmocka_unit_test_setup(absurd_formats_are_refused, set_up),
        cmocka_unit_test_setup(instructions_have_bytes_and_length, set_up),
        cmocka_unit_test_setup(a_walk_names_each_level, set_up),
        cmocka_unit_test_setup(a_nested_walk_ends_at_the_host, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
