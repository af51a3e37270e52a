/* needs: vmm/debug/gdb.c vmm/debug/gdb_stop.c vmm/debug/gdb_packet.c vmm/debug/gdb_text.c vmm/debug/gdb_regs.c vmm/debug/gdb_memory.c vmm/debug/gdb_query.c vmm/debug/gdb_target.c vmm/debug/gdb_monitor.c vmm/lib/fmt.c vmm/lib/mem.c */
/* The session with GDB: stops, resumptions, its end. */
#include "gdb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A debugger that is there, before a stopped guest. */
static int setup(void **state)
{
    (void)state;
    rig_init();
    rig_packet("qSupported:swbreak+;hwbreak+");
    rig_stop(VDEBUG_PAUSED);
    rig_forget_sent();
    return 0;
}

static int setup_nobody(void **state)
{
    (void)state;
    rig_init();
    return 0;
}

/* The text of the last stop in rig.sent. */
static void assert_stop(const char *text)
{
    assert_memory_equal(rig.sent, text, strlen(text));
}

static void the_first_word_stops_the_guest_and_is_answered_then(void **state)
{
    (void)state;
    rig_packet("qSupported:multiprocess+");
    assert_true(rig.pause_wanted);
    assert_string_equal(rig.sent, "+");
    assert_false(gdb_wants(&rig.gdb));
    assert_true(rig.vcpu.debug.attached);
    rig_bytes("$?#3f", 5); /* must not overwrite what is held */
    rig_stop(VDEBUG_PAUSED);
    assert_non_null(strstr(rig.sent, "PacketSize=40*\"0") ?: strstr(rig.sent, "PacketSize=4000"));
    assert_non_null(strstr(rig.sent, "QStartNoAckMode+"));
    assert_true(gdb_wants(&rig.gdb));
    assert_int_equal(rig.resumes, 0);
}

static void noise_does_not_stop_a_guest(void **state)
{
    (void)state;
    rig_bytes("\x03\x03$g#00\x03+-login: \x03", 18);
    assert_false(rig.pause_wanted);
    assert_false(rig.vcpu.debug.attached);
}

static void a_question_is_answered_with_the_reason(void **state)
{
    (void)state;
    assert_memory_equal(answer("?"), "T02thread:1;", 12);
    rig.stop.reason = VDEBUG_STARTED;
    assert_memory_equal(answer("?"), "T05thread:1;", 12);
}

static void a_stop_brings_rip_and_the_stack(void **state)
{
    (void)state;
    rig.gpr[5] = 0x1122334455667788;
    rig.gpr[4] = 0x10;
    rig.vcpu.rip = 0xffffffff81000000;
    assert_string_equal(answer("?"), "T02thread:1;06:8877665544332211;07:1000000000000000;"
                                     "10:00000081ffffffff;");
}

static void continue_waits_for_the_next_stop(void **state)
{
    (void)state;
    assert_string_equal(answer("c"), "");
    assert_true(rig.gdb.resumed);
    assert_int_equal(rig.how, VDEBUG_CONTINUE);
    assert_false(gdb_wants(&rig.gdb)); /* until the guest runs */
    rig_run();
    assert_true(gdb_wants(&rig.gdb));
    rig_forget_sent();
    rig_stop(VDEBUG_SOFT);
    assert_stop("$T05swbreak:;thread:1;");
    assert_false(rig.gdb.resumed);
}

static void each_reason_has_its_words(void **state)
{
    static const struct {
        struct vdebug_stop stop;
        const char *text;
    } cases[] = {
        {{.reason = VDEBUG_STEPPED}, "$T05thread:1;"},
        {{.reason = VDEBUG_HARD}, "$T05hwbreak:;thread:1;"},
        {{VDEBUG_WATCH, VDEBUG_POINT_WRITE, 0x12345}, "$T05watch:12345;thread:1;"},
        {{VDEBUG_WATCH, VDEBUG_POINT_ACCESS, 0x10}, "$T05awatch:10;thread:1;"},
        {{.reason = VDEBUG_PAUSED}, "$T02thread:1;"},
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        answer("vCont;c");
        rig_run();
        rig_forget_sent();
        rig.stop = cases[i].stop;
        rig_stop(cases[i].stop.reason);
        assert_stop(cases[i].text);
    }
}

static void steps_may_begin_elsewhere(void **state)
{
    (void)state;
    assert_string_equal(answer("s1234"), "");
    assert_int_equal(rig.how, VDEBUG_STEP);
    assert_int_equal(rig.vcpu.rip, 0x1234);
    rig_run();
    rig_stop(VDEBUG_STEPPED);
    assert_string_equal(answer("c8000000000000000"), "E16"); /* refused */
    assert_string_equal(answer("c12345678123456781"), "E16");
    assert_string_equal(answer("cxyz"), "E16");
    assert_int_equal(rig.resumes, 1);
    assert_string_equal(answer("S05;2000"), "");
    assert_int_equal(rig.vcpu.rip, 0x2000);
}

static void vcont_takes_the_action_for_our_thread(void **state)
{
    (void)state;
    assert_string_equal(answer("vCont?"), "vCont;c;C;s;S;r");
    assert_string_equal(answer("vCont;s:1;c"), "");
    assert_int_equal(rig.how, VDEBUG_STEP);
    rig_run();
    rig_stop(VDEBUG_STEPPED);
    assert_string_equal(answer("vCont;C05:-1"), "");
    assert_int_equal(rig.how, VDEBUG_CONTINUE);
    rig_run();
    rig_stop(VDEBUG_PAUSED);
    static const char *const bad[] = {"vCont",     "vCont;",      "vCont;q",    "vCont;s:",
                                      "vCont;s:2", "vCont;r1000", "vCont;c;c;", "vCont;C"};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        assert_string_equal(answer(bad[i]), "E16");
    assert_int_equal(rig.resumes, 2);
}

static void a_range_is_stepped_unseen(void **state)
{
    (void)state;
    rig.vcpu.rip = 0x1000;
    answer("vCont;r1000,1010:1");
    rig_forget_sent();
    for (unsigned rip = 0x1001; rip < 0x1010; rip += 7) {
        rig_run();
        rig.vcpu.rip = rip;
        rig_stop(VDEBUG_STEPPED);
        assert_string_equal(rig.sent, "");
        assert_true(rig.gdb.resumed);
        assert_int_equal(rig.how, VDEBUG_STEP);
    }
    rig_run();
    rig.vcpu.rip = 0x1010;
    rig_stop(VDEBUG_STEPPED);
    assert_stop("$T05thread:1;");
}

static void a_breakpoint_or_a_break_ends_a_range(void **state)
{
    (void)state;
    rig.vcpu.rip = 0x1000;
    answer("vCont;r1000,1010:1");
    rig_run();
    rig_forget_sent();
    rig_stop(VDEBUG_SOFT);
    assert_stop("$T05swbreak:;");
    answer("vCont;r1000,1010:1");
    rig_run();
    rig_forget_sent();
    rig.stopped = true; /* the byte comes between the stop and its report */
    rig.gdb.resumed = false;
    rig_bytes("\x03", 1);
    rig_stop(VDEBUG_STEPPED);
    assert_stop("$T02thread:1;");
}

static void ctrl_c_stops_a_guest_that_runs(void **state)
{
    (void)state;
    rig_bytes("\x03", 1); /* it stands already */
    assert_false(rig.pause_wanted);
    answer("c");
    rig_run();
    rig_bytes("\x03", 1);
    assert_true(rig.pause_wanted);
    rig_forget_sent();
    rig_stop(VDEBUG_PAUSED);
    assert_stop("$T02thread:1;");
}

static void detach_leaves_nothing_behind(void **state)
{
    (void)state;
    answer("Z0,1000,1");
    answer("QStartNoAckMode");
    rig.gdb.link.no_ack = false;
    assert_string_equal(answer("D"), "OK");
    assert_int_equal(rig_points(), 0);
    assert_true(rig.gdb.resumed);
    assert_false(rig.vcpu.debug.attached);
    rig_run();
    rig_bytes("\x03", 1);
    assert_false(rig.pause_wanted);
    rig_stop(VDEBUG_PAUSED); /* somebody else's stop */
    assert_false(rig.gdb.resumed);
}

static void kill_powers_the_guest_off(void **state)
{
    (void)state;
    answer("Z0,1000,1");
    assert_string_equal(answer("k"), "");
    assert_int_equal(rig.ended, VM_STOP_POWER_OFF);
    assert_int_equal(rig_points(), 0);
    assert_true(rig.gdb.resumed);
}

static void vkill_is_answered_first(void **state)
{
    (void)state;
    assert_string_equal(answer("vKill;1"), "OK");
    assert_int_equal(rig.ended, VM_STOP_POWER_OFF);
}

static void a_power_off_ends_the_session(void **state)
{
    (void)state;
    answer("c");
    rig_run();
    rig_forget_sent();
    rig.vcpu.stop = VM_STOP_POWER_OFF;
    rig_stop(VDEBUG_GUEST_ENDED);
    assert_string_equal(rig.sent, "$W00#b7");
    assert_true(rig.gdb.resumed);
    assert_false(rig.vcpu.debug.attached);
}

static void a_triple_fault_can_be_looked_at_and_not_stepped(void **state)
{
    (void)state;
    answer("c");
    rig_run();
    rig_forget_sent();
    rig.vcpu.stop = VM_STOP_TRIPLE_FAULT;
    rig_stop(VDEBUG_GUEST_ENDED);
    assert_int_equal(rig.sent[1], 'O');                /* in words */
    assert_non_null(strstr(rig.sent, "747269706c65")); /* "triple" */
    assert_non_null(strstr(rig.sent, "$T0bthread:1;"));
    assert_false(rig.gdb.resumed);
    assert_memory_equal(answer("s"), "T0b", 3);
    assert_false(rig.gdb.resumed);
    answer("c");
    assert_true(rig.gdb.resumed);
}

static void a_reset_keeps_the_debugger(void **state)
{
    (void)state;
    answer("c");
    rig_run();
    rig_forget_sent();
    rig.vcpu.stop = VM_STOP_RESET;
    rig_stop(VDEBUG_GUEST_ENDED);
    assert_non_null(strstr(rig.sent, "$T05thread:1;"));
    answer("c");
    assert_true(rig.vcpu.debug.attached);
}

static void the_monitor_resets_the_guest_at_once(void **state)
{
    (void)state;
    rig_packet("qRcmd,7265736574"); /* reset */
    assert_int_equal(rig.ended, VM_STOP_RESET);
    assert_true(rig.vcpu.debug.stop_at_start);
    assert_true(rig.gdb.resumed);
    rig_run();
    rig_forget_sent();
    rig.vcpu.stop = VM_STOP_RESET;
    rig_stop(VDEBUG_GUEST_ENDED);
    assert_true(rig.gdb.resumed);
    rig_run();
    rig_stop(VDEBUG_STARTED);
    assert_false(rig.gdb.resumed);
    assert_false(rig.vcpu.debug.stop_at_start);
    assert_string_equal(rig.sent, ""); /* nobody waits for it */
    assert_memory_equal(answer("?"), "T05", 3);
}

static void a_second_debugger_takes_over_from_one_that_vanished(void **state)
{
    (void)state;
    answer("Z1,1000,1");
    answer("c");
    rig.gdb.link.no_ack = true;
    rig_run();
    rig_forget_sent();
    rig_packet("qSupported:");
    assert_true(rig.pause_wanted);
    assert_string_equal(rig.sent, "+");
    rig_stop(VDEBUG_PAUSED);
    assert_int_equal(rig_points(), 0);
    assert_null(strstr(rig.sent, "$T"));
    assert_memory_equal(answer("?"), "T02", 3);
}

static void what_the_guest_says_is_shown_while_it_runs(void **state)
{
    (void)state;
    gdb_console(&rig.gdb, (const uint8_t *)"hi\n", 3);
    assert_string_equal(rig.sent, "");
    answer("c");
    rig_forget_sent();
    gdb_console(&rig.gdb, (const uint8_t *)"hi\n", 3);
    assert_string_equal(rig.sent, "$O68690a#bd");
}

static void there_is_one_thread(void **state)
{
    (void)state;
    assert_string_equal(answer("qC"), "QC1");
    assert_string_equal(answer("qfThreadInfo"), "m1");
    assert_string_equal(answer("qsThreadInfo"), "l");
    assert_string_equal(answer("qThreadExtraInfo,1"), "4350552030"); /* CPU 0 */
    assert_string_equal(answer("qAttached"), "1");
    assert_string_equal(answer("Hg0"), "OK");
    assert_string_equal(answer("Hc-1"), "OK");
    assert_string_equal(answer("Hg2"), "E16");
    assert_string_equal(answer("Hx1"), "E16");
    assert_string_equal(answer("T1"), "OK");
    assert_string_equal(answer("T2"), "E16");
}

static void what_is_not_known_gets_the_empty_reply(void **state)
{
    static const char *const packets[] = {"vMustReplyEmpty",
                                          "qTStatus",
                                          "QNonStop:0",
                                          "jx",
                                          "",
                                          "A",
                                          "vRun;",
                                          "qXfer:memory-map:read::0,10"};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(packets); i++)
        assert_string_equal(answer(packets[i]), "");
    assert_string_equal(answer("!"), "OK");
}

/* An error would end GDB's wait for the stop. */
static void noise_while_it_waits_is_not_answered(void **state)
{
    (void)state;
    answer("QStartNoAckMode");
    rig_forget_sent();
    rig_bytes("$g#00", 5);
    assert_string_equal(sent_packets(), "E4a");
    answer("c");
    rig_run();
    rig_forget_sent();
    rig_bytes("$g#00", 5);
    assert_string_equal(rig.sent, "");
    rig_stop(VDEBUG_SOFT);
    rig_forget_sent();
    rig_bytes("$g#00", 5);
    assert_string_equal(sent_packets(), "E4a");
}

static void no_acknowledgements_by_agreement(void **state)
{
    (void)state;
    assert_string_equal(answer("QStartNoAckMode"), "OK");
    rig_forget_sent();
    rig_packet("qC");
    assert_string_equal(rig.sent, "$QC1#c5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_word_stops_the_guest_and_is_answered_then, setup_nobody),
        cmocka_unit_test_setup(noise_does_not_stop_a_guest, setup_nobody),
        cmocka_unit_test_setup(a_question_is_answered_with_the_reason, setup),
        cmocka_unit_test_setup(a_stop_brings_rip_and_the_stack, setup),
        cmocka_unit_test_setup(continue_waits_for_the_next_stop, setup),
        cmocka_unit_test_setup(each_reason_has_its_words, setup),
        cmocka_unit_test_setup(steps_may_begin_elsewhere, setup),
        cmocka_unit_test_setup(vcont_takes_the_action_for_our_thread, setup),
        cmocka_unit_test_setup(a_range_is_stepped_unseen, setup),
        cmocka_unit_test_setup(a_breakpoint_or_a_break_ends_a_range, setup),
        cmocka_unit_test_setup(ctrl_c_stops_a_guest_that_runs, setup),
        cmocka_unit_test_setup(detach_leaves_nothing_behind, setup),
        cmocka_unit_test_setup(kill_powers_the_guest_off, setup),
        cmocka_unit_test_setup(vkill_is_answered_first, setup),
        cmocka_unit_test_setup(a_power_off_ends_the_session, setup),
        cmocka_unit_test_setup(a_triple_fault_can_be_looked_at_and_not_stepped, setup),
        cmocka_unit_test_setup(a_reset_keeps_the_debugger, setup),
        cmocka_unit_test_setup(the_monitor_resets_the_guest_at_once, setup),
        cmocka_unit_test_setup(a_second_debugger_takes_over_from_one_that_vanished, setup),
        cmocka_unit_test_setup(what_the_guest_says_is_shown_while_it_runs, setup),
        cmocka_unit_test_setup(there_is_one_thread, setup),
        cmocka_unit_test_setup(what_is_not_known_gets_the_empty_reply, setup),
        cmocka_unit_test_setup(noise_while_it_waits_is_not_answered, setup),
        cmocka_unit_test_setup(no_acknowledgements_by_agreement, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
