/* needs: vmm/debug/gdb.c vmm/debug/gdb_stop.c vmm/debug/gdb_packet.c vmm/debug/gdb_text.c vmm/debug/gdb_regs.c vmm/debug/gdb_memory.c vmm/debug/gdb_query.c vmm/debug/gdb_target.c vmm/debug/gdb_monitor.c vmm/lib/fmt.c vmm/lib/mem.c */
/* What GDB reads and changes: registers, memory, points, "monitor". */
#include "gdb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
    (void)state;
    rig_init();
    rig_packet("qSupported:swbreak+;hwbreak+");
    rig_stop(VDEBUG_PAUSED);
    return 0;
}

/* --- registers -------------------------------------------------------------------------------- */

static void registers_have_gdbs_numbers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++)
        rig.gpr[i] = i + 1; /* by the encoding's number: rax rcx rdx rbx rsp rbp rsi rdi */
    rig.vcpu.rip = 0x1234;
    rig.rflags = 0x246;
    rig.reg[VREG_FS_BASE] = 0xf5;
    rig.reg[VREG_GS_BASE] = 0x65;
    rig.reg[VREG_KERNEL_GS_BASE] = 0xffff888000000000;
    rig.reg[VREG_CR0] = 0x80050033;
    rig.reg[VREG_CR3] = 0x1000;
    rig.cr8 = 9;
    static const struct {
        const char *packet, *value;
    } cases[] = {
        {"p0", "0100000000000000"}, /* rax */
        {"p1", "0400000000000000"}, /* rbx */
        {"p2", "0200000000000000"}, /* rcx */
        {"p3", "0300000000000000"}, /* rdx */
        {"p4", "0700000000000000"}, /* rsi */
        {"p5", "0800000000000000"}, /* rdi */
        {"p6", "0600000000000000"}, /* rbp */
        {"p7", "0500000000000000"}, /* rsp */
        {"pf", "1000000000000000"}, /* r15 */
        {"p10", "3412000000000000"},
        {"p11", "46020000"},
        {"p12", "20000000"}, /* cs; the rig's selectors are 10h * (1 + enum vseg_name) */
        {"p13", "30000000"}, /* ss */
        {"p14", "40000000"}, /* ds */
        {"p15", "10000000"}, /* es */
        {"p39", "f500000000000000"},
        {"p3a", "6500000000000000"},
        {"p3b", "000000008088ffff"},
        {"p3c", "3300058000000000"},
        {"p3e", "0010000000000000"},
        {"p40", "0900000000000000"},
        {"p41", "0005000000000000"},
        {"p52", "E16"},
        {"p", "E16"},
        {"p1x", "E16"},
        {"pffffffffffffffff", "E16"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(answer(cases[i].packet), cases[i].value);
}

static void all_registers_come_in_one_packet(void **state)
{
    (void)state;
    /* 17 of 8 bytes, eflags and 6 selectors, 8 of 10, 8 words, 16 of 16, mxcsr, 2 + 7 of 8, 16 of
     * 16. */
    unsigned bytes = 17 * 8 + 7 * 4 + 80 + 32 + 256 + 4 + 72 + 256;
    assert_int_equal(strlen(answer("g")), 2 * bytes);
    rig.facts.xcr0_allowed = 3; /* a CPU without AVX */
    assert_int_equal(strlen(answer("g")), 2 * (bytes - 256));
    assert_string_equal(answer("p42"), "E16");
}

static void avx_that_is_off_is_not_available(void **state)
{
    (void)state;
    rig.fpu.ymm_high[0][15] = 0xab;
    assert_string_equal(answer("p42"), "000000000000000000000000000000ab");
    rig.vcpu.xcr0 = 3;
    assert_string_equal(answer("p42"), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    assert_string_equal(answer("P42=00000000000000000000000000000001"), "E16");
}

static void a_register_is_written_whole_or_not(void **state)
{
    (void)state;
    assert_string_equal(answer("P0=8877665544332211"), "OK");
    assert_int_equal(rig.gpr[0], 0x1122334455667788);
    assert_string_equal(answer("P0=88776655443322"), "E16");
    assert_string_equal(answer("P0=887766554433221100"), "E16");
    assert_string_equal(answer("P0=88776655443322zz"), "E16");
    assert_string_equal(answer("P0"), "E16");
    assert_string_equal(answer("P52=00"), "E16");
    assert_int_equal(rig.gpr[0], 0x1122334455667788);
    assert_string_equal(answer("P10=0000000000000080"), "E16"); /* the CPU refuses */
    assert_string_equal(answer("P10=0000000000000040"), "OK");
    assert_string_equal(answer("P11=01000000"), "OK");
    assert_int_equal(rig.rflags, 3);
}

static void control_registers_take_what_the_guest_can_run_with(void **state)
{
    (void)state;
    assert_string_equal(answer("P3c=3300058000000000"), "E16"); /* cr0 */
    assert_string_equal(answer("P3c=0000000000000000"), "OK");  /* as it is */
    assert_string_equal(answer("P12=33000000"), "E16");         /* cs */
    assert_string_equal(answer("P12=20000000"), "OK");
    assert_string_equal(answer("P39=0000000000800000"), "E16"); /* fs_base, not canonical */
    assert_string_equal(answer("P39=00000000000080ff"), "E16");
    assert_string_equal(answer("P39=000000000080ffff"), "OK");
    assert_int_equal(rig.reg[VREG_FS_BASE], 0xffff800000000000);
    assert_string_equal(answer("P3d=1122334455667788"), "OK");  /* cr2 */
    assert_string_equal(answer("P3e=0010000000010000"), "E16"); /* cr3, beyond 40 bits */
    assert_string_equal(answer("P3e=0010000000000000"), "OK");
    rig.reg[VREG_EFER] = 0;
    assert_string_equal(answer("P3e=0020000000000000"), "E16"); /* outside of long mode */
    assert_string_equal(answer("P40=1000000000000000"), "E16"); /* cr8 */
    assert_string_equal(answer("P40=0f00000000000000"), "OK");
    assert_int_equal(rig.cr8, 15);
}

/* FXSAVE's image: FCW at 0, FSW at 2, FTW at 4, FOP 6, FIP 8, FCS 12, FDP 16, FDS 20, MXCSR 24, ST0
 * at 32, XMM0 at 160. */
static void fpu_registers_are_fxsaves(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 512; i++)
        rig.fpu.fxsave[i] = (uint8_t)i;
    assert_string_equal(answer("p18"), "202122232425262728"
                                       "29");                               /* st0 */
    assert_string_equal(answer("p20"), "00010000");                         /* fctrl */
    assert_string_equal(answer("p21"), "02030000");                         /* fstat */
    assert_string_equal(answer("p23"), "0c0d0000");                         /* fiseg */
    assert_string_equal(answer("p24"), "08090a0b");                         /* fioff */
    assert_string_equal(answer("p25"), "14150000");                         /* foseg */
    assert_string_equal(answer("p26"), "10111213");                         /* fooff */
    assert_string_equal(answer("p27"), "06070000");                         /* fop */
    assert_string_equal(answer("p28"), "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"); /* xmm0 */
    assert_string_equal(answer("p38"), "18191a1b");                         /* mxcsr */
    assert_string_equal(answer("P29=000102030405060708090a0b0c0d0eff"), "OK");
    assert_int_equal(rig.fpu.fxsave[160 + 16 + 15], 0xff);
    assert_string_equal(answer("P20=7f030000"), "OK");
    assert_int_equal(rig.fpu.fxsave[0], 0x7f);
    assert_int_equal(rig.fpu.fxsave[2], 2); /* its neighbour stays */
}

static void the_tag_word_has_two_bits_a_register(void **state)
{
    (void)state;
    assert_string_equal(answer("p22"), "ffff0000"); /* all empty */
    /* TOP is 6: ST0 is register 6, ST1 7, ST2 0. Valid, zero, special (infinity). */
    rig.fpu.fxsave[3] = 6 << 3;
    rig.fpu.fxsave[4] = 0xc1;
    rig.fpu.fxsave[32 + 7] = 0x80;
    rig.fpu.fxsave[32 + 9] = 0x3f;
    rig.fpu.fxsave[64 + 7] = 0x80;
    rig.fpu.fxsave[64 + 8] = 0xff;
    rig.fpu.fxsave[64 + 9] = 0x7f;
    assert_string_equal(answer("p22"), "fe4f0000");
    assert_string_equal(answer("P22=3fff0000"), "OK");
    assert_int_equal(rig.fpu.fxsave[4], 0x08);
}

static void all_registers_are_written_in_one_packet(void **state)
{
    static char packet[8192];
    (void)state;
    rig.gpr[0] = 5;
    rig.vcpu.rip = 0x1000;
    snprintf(packet, sizeof(packet), "G%.8000s", answer("g"));
    assert_string_equal(answer(packet), "OK"); /* nothing changes, so nothing is refused */
    memcpy(packet + 1, "07", 2);
    assert_string_equal(answer(packet), "OK");
    assert_int_equal(rig.gpr[0], 7);
    memset(packet + 1, 'x', 16);
    assert_string_equal(answer(packet), "OK");
    assert_int_equal(rig.gpr[0], 7);
    assert_string_equal(answer("G0800000000000000"), "OK"); /* the first one only */
    assert_int_equal(rig.gpr[0], 8);
    assert_string_equal(answer("G08"), "E16");
    assert_string_equal(answer("G080000000000000q"), "E16");
}

/* --- memory ----------------------------------------------------------------------------------- */

static void memory_is_read_as_far_as_it_is_there(void **state)
{
    (void)state;
    memcpy(rig.memory, "\x01\x23\xff", 3);
    assert_string_equal(answer("m1000,3"), "0123ff");
    assert_string_equal(answer("m1fff,10"), "00");
    assert_string_equal(answer("m2000,1"), "E0e");
    assert_string_equal(answer("mfff,2"), "E0e");
    assert_string_equal(answer("mffffffffffffffff,ffffffffffffffff"), "E0e");
    static const char *const bad[] = {
        "m", "m1000", "m1000,", "m,3", "m1000,3,", "m1000;3", "m10000000000000000,1"};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        assert_string_equal(answer(bad[i]), "E16");
}

static void binary_reads_are_escaped(void **state)
{
    (void)state;
    memcpy(rig.memory, "#$}*a", 5);
    assert_string_equal(answer("x1000,5"), "b#$}*a");
    assert_string_equal(answer("x1000,0"), "b");
    assert_string_equal(answer("x2000,1"), "E0e");
}

static void memory_is_written_in_hex_and_binary(void **state)
{
    (void)state;
    assert_string_equal(answer("M1001,2:abCD"), "OK");
    assert_memory_equal(rig.memory, "\x00\xab\xcd\x00", 4);
    assert_string_equal(answer("X1000,0:"), "OK");
    assert_string_equal(answer("X1000,3:x}\x03y"), "OK");
    assert_memory_equal(rig.memory, "x#y", 3);
    assert_string_equal(answer("M1fff,2:0102"), "E0e");
    assert_string_equal(answer("Xffffffffffffffff,1:a"), "E0e");
    static const char *const bad[] = {
        "M1000,2:ab", "M1000,1:abcd", "M1000,1:zz", "M1000,1",
        "X1000,2:a",  "X1000,1:ab",   "X1000,1",    "M1000,ffffffffffffffff:00"};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        assert_string_equal(answer(bad[i]), "E16");
}

static void zeros_are_short_on_the_line(void **state)
{
    (void)state;
    answer("m1000,800"); /* 4096 digits: 41 runs of 98, one of 78 */
    assert_true(rig.sent_length < 150);
}

/* --- points ----------------------------------------------------------------------------------- */

static void points_are_set_and_taken(void **state)
{
    (void)state;
    assert_string_equal(answer("Z0,1000,1"), "OK");
    assert_string_equal(answer("Z1,ffffffff81000000,1"), "OK");
    assert_string_equal(answer("Z2,1008,8"), "OK");
    assert_string_equal(answer("Z4,1003,1"), "OK");
    assert_non_null(rig_find(VDEBUG_POINT_SOFT, 0x1000, 1));
    assert_non_null(rig_find(VDEBUG_POINT_HARD, 0xffffffff81000000, 1));
    assert_non_null(rig_find(VDEBUG_POINT_WRITE, 0x1008, 8));
    assert_non_null(rig_find(VDEBUG_POINT_ACCESS, 0x1003, 1));
    assert_string_equal(answer("Z1,1000,1"), "E1c");
    assert_string_equal(answer("z4,1003,1"), "OK");
    assert_string_equal(answer("z4,1003,1"), "E16");
    assert_string_equal(answer("Z0,9000,1"), "E0e");
    assert_int_equal(rig_points(), 3);
}

static void a_read_watchpoint_is_left_to_gdb(void **state)
{
    (void)state;
    assert_string_equal(answer("Z3,1000,8"), "");
    assert_string_equal(answer("Z5,1000,8"), "");
}

static void a_range_takes_as_many_points_as_it_needs(void **state)
{
    (void)state;
    assert_string_equal(answer("Z2,1003,9"), "OK"); /* 1003, 1004 to 1007, 1008 to 100B */
    assert_non_null(rig_find(VDEBUG_POINT_WRITE, 0x1003, 1));
    assert_non_null(rig_find(VDEBUG_POINT_WRITE, 0x1004, 4));
    assert_non_null(rig_find(VDEBUG_POINT_WRITE, 0x1008, 4));
    assert_int_equal(rig_points(), 3);
    assert_string_equal(answer("Z2,2000,10"), "E1c"); /* two more, and one is left */
    assert_int_equal(rig_points(), 3);
    assert_string_equal(answer("z2,1003,9"), "OK");
    assert_int_equal(rig_points(), 0);
    assert_string_equal(answer("Z2,1000,20"), "OK");
    assert_string_equal(answer("z2,1000,20"), "OK");
    assert_string_equal(answer("Z2,1000,21"), "E1c");
    assert_string_equal(answer("Z2,1000,0"), "E16");
    assert_string_equal(answer("Z2,ffffffffffffffff,ffffffffffffffff"), "E1c");
    assert_string_equal(answer("Z2,1000"), "E16");
    assert_string_equal(answer("Z"), "E16");
    assert_int_equal(rig_points(), 0);
}

/* --- monitor ---------------------------------------------------------------------------------- */

static const char *monitor(const char *line)
{
    char packet[1024] = "qRcmd,";
    for (size_t i = 0; line[i]; i++)
        snprintf(packet + 6 + 2 * i, 3, "%02x", (unsigned char)line[i]);
    return answer(packet);
}

static void phys_changes_what_an_address_is(void **state)
{
    (void)state;
    rig.memory[0] = 0x11;
    rig.physical[0] = 0x22;
    assert_string_equal(answer("m1000,1"), "11");
    assert_string_equal(monitor("phys on"), "O70687973206973206f6e0a\nOK"); /* phys is on */
    assert_string_equal(answer("m1000,1"), "22");
    assert_string_equal(answer("M1000,1:33"), "OK");
    assert_int_equal(rig.physical[0], 0x33);
    monitor("phys");
    assert_string_equal(answer("m1000,1"), "33");
    monitor("phys off");
    assert_string_equal(answer("m1000,1"), "11");
    monitor("phys on");
    rig_packet("qSupported");
    assert_string_equal(answer("m1000,1"), "11");
}

static void interrupts_while_stepping_are_a_choice(void **state)
{
    (void)state;
    monitor("step-events on");
    assert_true(rig.step_events);
    monitor("step-events nonsense");
    assert_true(rig.step_events);
    monitor("step-events off");
    assert_false(rig.step_events);
    monitor("step-events on");
    rig_packet("qSupported"); /* another debugger, behind one that vanished */
    assert_false(rig.step_events);
    assert_string_equal(monitor("step-events"), "O737465702d6576656e7473206973206f66663b20736179"
                                                "20226d6f6e69746f7220737465702d6576656e7473206f"
                                                "6e22206f7220226f6666220a\nOK");
    monitor("step-events on");
    answer("D");
    assert_false(rig.step_events);
}

static void other_words_go_to_the_monitor(void **state)
{
    (void)state;
    assert_string_equal(monitor("hello"), "O68690a\nOK");
    assert_string_equal(rig.monitor_line, "hello");
    monitor("physics");
    assert_string_equal(rig.monitor_line, "physics");
    assert_memory_equal(rig_text, "O7468", 5); /* th(ere is no such command) */
    monitor("help");
    assert_string_equal(rig.monitor_line, "help");
    assert_memory_equal(rig_text, "O6d6f6e", 7); /* mon(itor phys ...) */
    monitor("\x01\xff");
    assert_string_equal(rig.monitor_line, "  ");
}

static void a_line_that_is_no_line_is_refused(void **state)
{
    static char packet[1024] = "qRcmd,";
    (void)state;
    assert_string_equal(answer("qRcmd,7"), "E16");
    assert_string_equal(answer("qRcmd,7x"), "E16");
    memset(packet + 6, '6', 510);
    assert_memory_equal(answer(packet), "O", 1);
    memset(packet + 6, '6', 512);
    assert_string_equal(answer(packet), "E16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers_have_gdbs_numbers, setup),
        cmocka_unit_test_setup(all_registers_come_in_one_packet, setup),
        cmocka_unit_test_setup(avx_that_is_off_is_not_available, setup),
        cmocka_unit_test_setup(a_register_is_written_whole_or_not, setup),
        cmocka_unit_test_setup(control_registers_take_what_the_guest_can_run_with, setup),
        cmocka_unit_test_setup(fpu_registers_are_fxsaves, setup),
        cmocka_unit_test_setup(the_tag_word_has_two_bits_a_register, setup),
        cmocka_unit_test_setup(all_registers_are_written_in_one_packet, setup),
        cmocka_unit_test_setup(memory_is_read_as_far_as_it_is_there, setup),
        cmocka_unit_test_setup(binary_reads_are_escaped, setup),
        cmocka_unit_test_setup(memory_is_written_in_hex_and_binary, setup),
        cmocka_unit_test_setup(zeros_are_short_on_the_line, setup),
        cmocka_unit_test_setup(points_are_set_and_taken, setup),
        cmocka_unit_test_setup(a_read_watchpoint_is_left_to_gdb, setup),
        cmocka_unit_test_setup(a_range_takes_as_many_points_as_it_needs, setup),
        cmocka_unit_test_setup(phys_changes_what_an_address_is, setup),
        cmocka_unit_test_setup(interrupts_while_stepping_are_a_choice, setup),
        cmocka_unit_test_setup(other_words_go_to_the_monitor, setup),
        cmocka_unit_test_setup(a_line_that_is_no_line_is_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
