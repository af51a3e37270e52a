/* needs: vmm/debug/gdb.c vmm/debug/gdb_stop.c vmm/debug/gdb_packet.c vmm/debug/gdb_text.c vmm/debug/gdb_regs.c vmm/debug/gdb_memory.c vmm/debug/gdb_query.c vmm/debug/gdb_target.c vmm/debug/gdb_monitor.c vmm/lib/fmt.c vmm/lib/mem.c */
/* A debugger that vanished, is made to leave, or shares its line with the console. */
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

static void a_debugger_is_dropped_while_its_guest_stands_still(void **state)
{
    (void)state;
    answer("Z0,1000,1");
    gdb_drop(&rig.gdb);
    assert_true(rig.gdb.resumed);
    assert_int_equal(rig.how, VDEBUG_CONTINUE);
    assert_false(rig.vcpu.debug.attached);
    assert_int_equal(rig_points(), 0);
    assert_true(rig.lefts == 1 && rig.clears == 2); /* the other one was qSupported's */
}

static void a_debugger_is_dropped_while_its_guest_runs(void **state)
{
    (void)state;
    answer("Z0,1000,1");
    answer("c");
    rig_run();
    rig_forget_sent();
    rig_bytes("$m10", 4); /* it vanished in the middle */
    gdb_drop(&rig.gdb);
    assert_int_equal(rig.gdb.link.state, GDB_TEXT); /* until the guest stands still */
    assert_true(rig.pause_wanted && rig_points() == 1);
    rig_stop(VDEBUG_SOFT);
    assert_string_equal(rig.sent, ""); /* nobody is told */
    assert_true(rig.gdb.resumed && rig_points() == 0);
    assert_int_equal(rig.gdb.link.state, GDB_IDLE);
    rig_run();
    rig_stop(VDEBUG_PAUSED);
    assert_false(rig.gdb.resumed);
}

static void a_debugger_that_comes_back_is_not_dropped(void **state)
{
    (void)state;
    answer("c");
    rig_run();
    gdb_drop(&rig.gdb);
    rig_forget_sent();
    rig_packet("?");
    rig_stop(VDEBUG_PAUSED);
    assert_memory_equal(rig.sent, "+$T02", 5);
    assert_false(rig.gdb.resumed);
}

static void without_a_debugger_only_a_guest_that_waits_for_one_goes_on(void **state)
{
    (void)state;
    rig_bytes("$half", 5);
    gdb_drop(&rig.gdb);
    assert_false(rig.pause_wanted);
    assert_int_equal(rig.gdb.link.state, GDB_IDLE);
    rig_stop(VDEBUG_PAUSED); /* for the monitor */
    gdb_drop(&rig.gdb);
    assert_false(rig.gdb.resumed);
    rig_run();
    rig_stop(VDEBUG_STARTED);
    gdb_drop(&rig.gdb);
    assert_true(rig.gdb.resumed);
}

static void who_leaves_may_have_a_last_word(void **state)
{
    (void)state;
    answer("D");
    assert_true(rig.lefts == 1 && rig.acknowledgement);
    rig_run();
    rig_packet("qSupported");
    rig_stop(VDEBUG_PAUSED);
    answer("QStartNoAckMode");
    rig_bytes("+", 1);
    rig_packet("D");
    assert_true(rig.lefts == 2 && !rig.acknowledgement);
}

static void a_shared_line_outlives_no_guest(void **state)
{
    (void)state;
    rig.gdb.shared = true;
    answer("c");
    rig_run();
    rig.vcpu.stop = VM_STOP_TRIPLE_FAULT;
    rig_stop(VDEBUG_GUEST_ENDED);
    assert_string_equal(answer("c"), "X0b");
    assert_true(rig.gdb.resumed && !rig.vcpu.debug.attached);
}

static void a_guest_that_was_powered_off_meanwhile_has_exited(void **state)
{
    (void)state;
    rig.vcpu.stop = VM_STOP_POWER_OFF; /* "monitor power off" */
    rig_stop(VDEBUG_GUEST_ENDED);
    assert_false(rig.gdb.resumed);
    assert_string_equal(answer("c"), "W00");
    assert_true(rig.gdb.resumed && !rig.vcpu.debug.attached);
}

static void a_reset_at_the_console_is_held_for_the_debugger(void **state)
{
    (void)state;
    answer("c");
    rig_run();
    rig_forget_sent();
    gdb_expect_restart(&rig.gdb);
    rig.vcpu.stop = VM_STOP_RESET;
    rig_stop(VDEBUG_GUEST_ENDED);
    assert_true(rig.gdb.resumed);
    assert_string_equal(rig.sent, "");
    rig_run();
    rig.vcpu.stop = VM_RUNNING;
    rig_stop(VDEBUG_STARTED);
    assert_memory_equal(rig.sent, "$T05", 4);
    assert_false(rig.gdb.resumed);
    /* Of a guest that had ended before, no end comes any more. */
    answer("c");
    rig_run();
    rig_forget_sent();
    rig.vcpu.stop = VM_STOP_TRIPLE_FAULT;
    gdb_expect_restart(&rig.gdb);
    rig.vcpu.stop = VM_RUNNING;
    rig_stop(VDEBUG_STARTED);
    assert_memory_equal(rig.sent, "$T05", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_debugger_is_dropped_while_its_guest_stands_still, setup),
        cmocka_unit_test_setup(a_debugger_is_dropped_while_its_guest_runs, setup),
        cmocka_unit_test_setup(a_debugger_that_comes_back_is_not_dropped, setup),
        cmocka_unit_test_setup(without_a_debugger_only_a_guest_that_waits_for_one_goes_on,
                               setup_nobody),
        cmocka_unit_test_setup(who_leaves_may_have_a_last_word, setup),
        cmocka_unit_test_setup(a_shared_line_outlives_no_guest, setup),
        cmocka_unit_test_setup(a_guest_that_was_powered_off_meanwhile_has_exited, setup),
        cmocka_unit_test_setup(a_reset_at_the_console_is_held_for_the_debugger, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
