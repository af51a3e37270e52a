/* needs: vmm/lib/config.c vmm/lib/ini.c vmm/lib/fmt.c vmm/lib/mem.c */
#include "lib/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config config;
static struct ini_error error;

static bool parse(const char *text)
{
    memset(&error, 0xee, sizeof(error));
    return config_parse(text, strlen(text), &config, &error);
}

static void assert_fails(const char *text, unsigned line, const char *reason)
{
    assert_false(parse(text));
    assert_string_equal(error.reason, reason);
    assert_int_equal(error.line, line);
}

/* The line under test is line 3 of an otherwise good file. */
static void assert_line_fails(const char *line, const char *reason)
{
    char text[8192];

    snprintf(text, sizeof(text), "[vm linux]\nkernel = k\n%s\n", line);
    assert_fails(text, 3, reason);
}

static void the_example_of_the_documents_is_understood(void **state)
{
    (void)state;
    assert_true(parse("# one section per virtual machine\n"
                      "[vm linux]\n"
                      "kernel  = vmlinuz            ; a file on this stick\n"
                      "initrd  = initrd.img\n"
                      "cmdline = console=ttyS0 root=/dev/vda\n"
                      "memory  = 64M\n"
                      "disk    = disk.img\n"
                      "[pxhv]\n"
                      "log = debug\n"));
    assert_string_equal(config.vm.name, "linux");
    assert_string_equal(config.vm.kernel, "vmlinuz");
    assert_string_equal(config.vm.initrd, "initrd.img");
    assert_string_equal(config.vm.cmdline, "console=ttyS0 root=/dev/vda");
    assert_true(config.vm.memory_bytes == 0x4000000);
    assert_true(config.vm.memory_given);
    assert_int_equal(config.vm.disk_count, 1);
    assert_string_equal(config.vm.disk[0], "disk.img");
    assert_int_equal(config.log_level, 3);
}

static void a_kernel_alone_gets_defaults(void **state)
{
    (void)state;
    assert_true(parse("[vm a]\nkernel=k"));
    assert_string_equal(config.vm.initrd, "");
    assert_string_equal(config.vm.cmdline, "");
    assert_true(config.vm.memory_bytes == 0x10000000);
    assert_false(config.vm.memory_given);
    assert_int_equal(config.vm.disk_count, 0);
    assert_int_equal(config.log_level, 2);
}

static void disks_keep_their_order(void **state)
{
    (void)state;
    assert_true(parse("[vm a]\nkernel=k\ndisk=z\ndisk=a\ndisk=m\ndisk=dir/b\n"));
    assert_int_equal(config.vm.disk_count, 4);
    assert_string_equal(config.vm.disk[0], "z");
    assert_string_equal(config.vm.disk[3], "dir/b");
}

static void memory_sizes_have_three_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } table[] = {
        {"4096K", 0x400000}, {"2048k", 0x200000},    {"2M", 0x200000},    {"1g", 0x40000000},
        {"3G", 0xc0000000},  {"512G", 0x8000000000}, {"0002M", 0x200000}, {"2052K", 0x201000},
    };
    char text[100];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        snprintf(text, sizeof(text), "[vm a]\nkernel=k\nmemory=%s\n", table[i].text);
        assert_true(parse(text));
        assert_true(config.vm.memory_bytes == table[i].bytes);
    }
}

static void bad_memory_sizes_are_named(void **state)
{
    static const char *const not_a_size[] = {"", "lots", "256", "256MB", "M", "-1M", "1.5G", "1 G"};
    static const char *const too_large[] = {"513G", "600000000K", "99999999999999999999999999M",
                                            "18446744073709551616K", "524289M"};
    static const char *const too_small[] = {"0M", "1M", "2047K"};
    char line[200], reason[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(not_a_size); i++) {
        snprintf(line, sizeof(line), "memory = %s", not_a_size[i]);
        snprintf(reason, sizeof(reason),
                 "the memory size \"%s\" is not a number with K, M or G, as in \"256M\"",
                 not_a_size[i]);
        assert_line_fails(line, reason);
    }
    for (size_t i = 0; i < ARRAY_SIZE(too_large); i++) {
        snprintf(line, sizeof(line), "memory = %s", too_large[i]);
        snprintf(reason, sizeof(reason), "the memory size \"%s\" is too large: 512G is the most",
                 too_large[i]);
        assert_line_fails(line, reason);
    }
    for (size_t i = 0; i < ARRAY_SIZE(too_small); i++) {
        snprintf(line, sizeof(line), "memory = %s", too_small[i]);
        snprintf(reason, sizeof(reason), "the memory size \"%s\" is too small: 2M is the least",
                 too_small[i]);
        assert_line_fails(line, reason);
    }
    assert_line_fails("memory = 2049K", "the memory size \"2049K\" is not a multiple of 4K");
}

static void what_is_missing_is_reported(void **state)
{
    (void)state;
    assert_fails("", 0, "there is no virtual machine: add a section \"[vm linux]\"");
    assert_fails("[pxhv]\nlog=info\n", 0,
                 "there is no virtual machine: add a section \"[vm linux]\"");
    assert_fails("\n[vm a]\ninitrd=i\n", 2,
                 "the virtual machine has no kernel: add a line \"kernel = vmlinuz\"");
    assert_fails("[vm]\nkernel=k\n", 1,
                 "the virtual machine has no name: write it as in \"[vm linux]\"");
}

static void unknown_sections_and_keys_are_errors(void **state)
{
    (void)state;
    assert_fails("[vmx]\n", 1, "unknown section [vmx]: \"[vm NAME]\" and \"[pxhv]\" are known");
    assert_fails("[global]\n", 1,
                 "unknown section [global]: \"[vm NAME]\" and \"[pxhv]\" are known");
    assert_line_fails("kernal = k",
                      "[vm] has no key \"kernal\": it knows kernel, initrd, cmdline, memory, "
                      "disk and apicv");
    assert_fails("[pxhv]\nmemory=1G\n", 2,
                 "[pxhv] has no key \"memory\": it knows log, keyboard, screen, escape, gdb, debug "
                 "and trace");
    assert_fails("[pxhv]\nlog=loud\n", 2,
                 "the log level \"loud\" is none of error, warn, info, debug");
}

static void doubled_keys_and_sections_are_errors(void **state)
{
    static const char *const keys[] = {"initrd", "cmdline", "memory"};
    char text[200], reason[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        snprintf(text, sizeof(text), "[vm a]\nkernel=k\n%s=4M\n%s=4M\n", keys[i], keys[i]);
        snprintf(reason, sizeof(reason), "\"%s\" is given twice: delete one of the two lines",
                 keys[i]);
        assert_fails(text, 4, reason);
    }
    assert_line_fails("kernel = other", "\"kernel\" is given twice: delete one of the two lines");
    assert_fails("[pxhv]\nlog=info\n[pxhv]\nlog=info\n", 4,
                 "\"log\" is given twice: delete one of the two lines");
    assert_fails("[vm a]\nkernel=k\n[vm b]\n", 3,
                 "there is a second [vm] section: one virtual machine is supported today");
}

static void the_same_disk_twice_is_an_error(void **state)
{
    (void)state;
    assert_fails("[vm a]\nkernel=k\ndisk=d\ndisk=d\n", 4,
                 "the disk \"d\" is given twice: each needs a file of its own");
    assert_fails("[vm a]\ndisk=1\ndisk=2\ndisk=3\ndisk=4\ndisk=5\n", 6,
                 "there are too many \"disk\" lines: 4 are the most");
}

static void host_disks_are_refused_as_not_supported(void **state)
{
    (void)state;
    assert_line_fails("disk = ata0:2", "\"ata0:2\" names a host disk, which is not supported yet: "
                                       "name a file of this stick");
}

static void file_names_are_checked(void **state)
{
    (void)state;
    assert_line_fails("initrd =", "\"initrd\" has no value: name a file of this stick");
    assert_line_fails("disk = ; none", "\"disk\" has no value: name a file of this stick");
    assert_line_fails("initrd = boot\\i.img",
                      "\"boot\\i.img\": write \"/\" between a folder and a file");
}

static void over_long_values_are_errors_and_the_longest_fit(void **state)
{
    static char text[4000];

    (void)state;
    strcpy(text, "[vm a]\ncmdline=");
    memset(text + 15, 'c', 2048);
    assert_fails(text, 2, "the value of \"cmdline\" is too long: 2047 bytes are the most");
    strcpy(text + 15 + 2047, "\nkernel=k");
    assert_true(parse(text));
    assert_int_equal(strlen(config.vm.cmdline), 2047);

    memset(text, 0, sizeof(text));
    strcpy(text, "[vm a]\nkernel=");
    memset(text + 14, 'k', 128);
    assert_fails(text, 2, "the value of \"kernel\" is too long: 127 bytes are the most");
    text[14 + 127] = 0;
    assert_true(parse(text));

    assert_fails("[vm 12345678901234567890123456789012]\n", 1,
                 "the name of the virtual machine is too long: 31 bytes are the most");
}

static bool parse_screen(const char *value)
{
    static char line[256];
    snprintf(line, sizeof(line), "[vm a]\nkernel=k\n[pxhv]\nscreen = %s\n", value);
    return parse(line);
}

static void screens_are_text_or_a_size(void **state)
{
    (void)state;
    assert_true(parse_screen("text"));
    assert_int_equal(config.screen_width, 0);
    assert_true(parse_screen("framebuffer"));
    assert_int_equal(config.screen_width, 1024);
    assert_int_equal(config.screen_height, 768);
    assert_true(parse_screen("640x400"));
    assert_true(parse_screen("16384x16384"));
    assert_int_equal(config.screen_height, 16384);
    static const char *const bad[] = {
        "",     "Text", "639x400",  "640x399",   "16385x480", "640x16385",     "640",
        "640x", "x480", "640x480x", "640 x 480", "-640x480",  "640x4294967776"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(parse_screen(bad[i]));
    assert_fails("[vm a]\nkernel=k\n[pxhv]\nscreen=wide\n", 4,
                 "the screen \"wide\" is none of text, framebuffer and a size in pixels from "
                 "640x400 on, as in \"1024x768\"");
    assert_fails("[vm a]\nkernel=k\n[pxhv]\nscreen=text\nscreen=text\n", 5,
                 "\"screen\" is given twice: delete one of the two lines");
}

static void an_error_of_the_ini_layer_passes_through(void **state)
{
    (void)state;
    assert_fails("[vm a]\nkernel\n", 2, "expected \"key = value\", \"[section]\" or a comment");
}

static void the_help_for_the_local_apic_has_three_levels(void **state)
{
    (void)state;
    assert_true(parse("[vm a]\nkernel=k\n"));
    assert_int_equal(config.vm.apicv, 3);
    assert_true(parse("[vm a]\nkernel=k\napicv = on\n"));
    assert_int_equal(config.vm.apicv, 3);
    assert_true(parse("[vm a]\nkernel=k\napicv = delivery\n"));
    assert_int_equal(config.vm.apicv, 2);
    assert_true(parse("[vm a]\nkernel=k\napicv = tpr\n"));
    assert_int_equal(config.vm.apicv, 1);
    assert_true(parse("[vm a]\nkernel=k\napicv = off\n"));
    assert_int_equal(config.vm.apicv, 0);
    assert_line_fails("apicv = yes", "apicv \"yes\" is none of on, delivery, tpr, off");
    assert_fails("[vm a]\napicv=on\napicv=on\n", 3,
                 "\"apicv\" is given twice: delete one of the two lines");
}

static void the_trace_is_on_or_off(void **state)
{
    (void)state;
    assert_true(parse("[vm a]\nkernel=k\n"));
    assert_int_equal(config.trace, 0);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\ntrace = on\n"));
    assert_int_equal(config.trace, 1);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\ntrace = off\n"));
    assert_int_equal(config.trace, 0);
    assert_fails("[pxhv]\ntrace=yes\n", 2, "trace \"yes\" is neither on nor off");
    assert_fails("[pxhv]\ntrace=on\ntrace=on\n", 3,
                 "\"trace\" is given twice: delete one of the two lines");
}

static void the_escape_key_is_a_letter_with_ctrl_or_none(void **state)
{
    (void)state;
    assert_true(parse("[vm a]\nkernel=k\n"));
    assert_int_equal(config.escape, 1);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\nescape = ctrl-a\n"));
    assert_int_equal(config.escape, 1);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\nescape = ctrl-z\n"));
    assert_int_equal(config.escape, 26);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\nescape = off\n"));
    assert_int_equal(config.escape, 0);
    static const char *const wrong[] = {"a",      "ctrl-",  "ctrl-A", "ctrl-aa",
                                        "ctrl-1", "Ctrl-a", "ctrla"};
    for (unsigned i = 0; i < 7; i++) {
        char text[128], reason[128];
        snprintf(text, sizeof(text), "[pxhv]\nescape = %s\n", wrong[i]);
        snprintf(reason, sizeof(reason),
                 "the escape key \"%s\" is none of ctrl-a to ctrl-z and off", wrong[i]);
        assert_fails(text, 2, reason);
    }
    assert_fails("[pxhv]\nescape = ctrl-m\n", 2,
                 "the escape key \"ctrl-m\" is Backspace, Tab or Enter: take another letter");
    assert_fails("[pxhv]\nescape=off\nescape=off\n", 3,
                 "\"escape\" is given twice: delete one of the two lines");
}

static void the_keyboard_has_three_uses(void **state)
{
    (void)state;
    assert_true(parse("[vm a]\nkernel=k\n"));
    assert_int_equal(config.keyboard, 0);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\nkeyboard = console\n"));
    assert_int_equal(config.keyboard, 0);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\nkeyboard = ps2\n"));
    assert_int_equal(config.keyboard, 1);
    assert_true(parse("[pxhv]\nkeyboard=both\nlog=warn\n[vm a]\nkernel=k\n"));
    assert_int_equal(config.keyboard, 2);
    assert_fails("[pxhv]\nkeyboard=usb\n", 2, "the keyboard \"usb\" is none of console, ps2, both");
    assert_fails("[pxhv]\nkeyboard=ps2\nkeyboard=ps2\n", 3,
                 "\"keyboard\" is given twice: delete one of the two lines");
}

static void gdb_has_a_line_or_none(void **state)
{
    (void)state;
    assert_true(parse("[vm a]\nkernel=k\n"));
    assert_int_equal(config.gdb, 0);
    assert_false(config.debug_wait);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\ngdb=com2\ndebug=run\n"));
    assert_int_equal(config.gdb, 0);
    assert_false(config.debug_wait);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\ndebug=wait\ngdb=com2\n"));
    assert_int_equal(config.gdb, 0);
    assert_true(config.debug_wait);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\ngdb=off\n"));
    assert_int_equal(config.gdb, CONFIG_GDB_OFF);
    assert_true(parse("[vm a]\nkernel=k\n[pxhv]\ngdb=com1\ndebug=wait\n"));
    assert_int_equal(config.gdb, CONFIG_GDB_COM1);
    assert_true(config.debug_wait);
    assert_fails("[pxhv]\ngdb=com3\n", 2, "the line for GDB \"com3\" is none of com2, com1, off");
    assert_fails("[pxhv]\ngdb=\n", 2, "the line for GDB \"\" is none of com2, com1, off");
    assert_fails("[vm a]\nkernel=k\n[pxhv]\nescape=off\ngdb=com1\n", 0,
                 "\"gdb = com1\" shares the console's line by the escape key, which \"escape = "
                 "off\" takes away: delete one of the two lines");
    assert_fails("[pxhv]\ndebug=on\n", 2, "\"debug\" is \"on\", which is neither run nor wait");
    assert_fails("[pxhv]\ndebug=run\ndebug=run\n", 3,
                 "\"debug\" is given twice: delete one of the two lines");
    assert_fails("[pxhv]\ngdb=off\ngdb=off\n", 3,
                 "\"gdb\" is given twice: delete one of the two lines");
    assert_fails("[vm a]\nkernel=k\n[pxhv]\ngdb=off\ndebug=wait\n", 0,
                 "\"debug = wait\" waits for GDB, which \"gdb = off\" keeps out: delete one of "
                 "the two lines");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_documents_is_understood),
        cmocka_unit_test(a_kernel_alone_gets_defaults),
        cmocka_unit_test(disks_keep_their_order),
        cmocka_unit_test(memory_sizes_have_three_units),
        cmocka_unit_test(bad_memory_sizes_are_named),
        cmocka_unit_test(what_is_missing_is_reported),
        cmocka_unit_test(unknown_sections_and_keys_are_errors),
        cmocka_unit_test(doubled_keys_and_sections_are_errors),
        cmocka_unit_test(the_same_disk_twice_is_an_error),
        cmocka_unit_test(host_disks_are_refused_as_not_supported),
        cmocka_unit_test(file_names_are_checked),
        cmocka_unit_test(over_long_values_are_errors_and_the_longest_fit),
        cmocka_unit_test(screens_are_text_or_a_size),
        cmocka_unit_test(an_error_of_the_ini_layer_passes_through),
        cmocka_unit_test(the_escape_key_is_a_letter_with_ctrl_or_none),
        cmocka_unit_test(the_keyboard_has_three_uses),
        cmocka_unit_test(the_trace_is_on_or_off),
        cmocka_unit_test(the_help_for_the_local_apic_has_three_levels),
        cmocka_unit_test(gdb_has_a_line_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
