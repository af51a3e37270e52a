/* needs: vmm/debug/monitor.c vmm/debug/monitor_info.c vmm/debug/monitor_run.c vmm/debug/monitor_regs.c vmm/debug/monitor_memory.c vmm/debug/expr.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/text.c vmm/lib/fmt.c vmm/lib/mem.c */
/* Commands that tell and commands that act; test_monitor_memory.c has those about memory. */
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

/* No line of the answer is wider than a terminal. */
static void expect_narrow(const char *line)
{
    ask(line);
    for (char *at = strtok(rig.out, "\n"); at; at = strtok(NULL, "\n"))
        assert_true(strlen(at) <= 79);
}

static void help_lists_every_command(void **state)
{
    (void)state;
    ask("help");
    for (unsigned i = 0; i < monitor_command_count; i++)
        assert_non_null(strstr(rig.out, monitor_commands[i].name));
    assert_true(rig.length < 2048);
    expect_part("help nmi", "nmi                     a non-maskable interrupt");
    expect("help nothing", "no command \"nothing\": \"help\" lists them\n");
    expect_narrow("help");
}

static void what_is_no_command_is_refused(void **state)
{
    (void)state;
    expect("", "");
    expect("   ", "");
    expect("nothing", "no command \"nothing\": \"help\" lists them\n");
    expect("averylongnamethatnocommandhas",
           "no command \"averylongnameth\": \"help\" lists them\n");
    expect("help\x01", "the line has characters that no command has\n");
    expect("help\xff", "the line has characters that no command has\n");
    char line[600];
    memset(line, 'a', sizeof(line));
    line[599] = '\0';
    expect(line, "the line is too long: 255 characters are the most\n");
    expect("/", "no command \"\": \"help\" lists them\n");
}

static void aliases_are_commands(void **state)
{
    (void)state;
    expect("i cpu", "topic\n");
    expect("poweroff", "");
    assert_int_equal(rig.power_offs, 1);
    expect("  info   cpu  ", "topic\n");
}

static void info_knows_its_topics(void **state)
{
    (void)state;
    expect("info cpu", "topic\n");
    expect_part("info", "info flood      too much\n");
    expect_part("info nothing", "nothing is known");
    expect_part("info cpu now", "\"now\" is too much there");
    expect("exits", "topic\n");
    expect("info log", "log\n");
    assert_int_equal(rig.printed_lines, 20);
    ask("info log 5");
    assert_int_equal(rig.printed_lines, 5);
    ask("info log 0xffffffffffffffff");
    assert_int_equal(rig.printed_lines, 1000);
    ask("info log 0");
    assert_int_equal(rig.printed_lines, 1);
    expect_part("info log x", "no number");
}

static void an_answer_is_bounded(void **state)
{
    (void)state;
    ask("info flood");
    assert_true(rig.length <= 16384);
    assert_non_null(strstr(rig.out, "\n(cut here: ask for less at a time)\n"));
    expect("info cpu", "topic\n"); /* the next one isn't cut */
}

static void top_shows_its_topic_again(void **state)
{
    (void)state;
    expect_part("top", "top exits: any key ends it\ntopic\n");
    assert_int_equal(rig.lives, 1);
    assert_non_null(rig.monitor.live);
    rig.length = 0;
    monitor_refresh(&rig.monitor);
    assert_non_null(strstr(rig.out, "topic\n"));
    monitor_end_live(&rig.monitor);
    rig.length = 0;
    rig.out[0] = '\0';
    monitor_refresh(&rig.monitor);
    assert_string_equal(rig.out, "");
    expect_part("top log", "no such topic");
    expect_part("top nothing", "no such topic");
}

static void another_sink_gets_its_own_answer(void **state)
{
    (void)state;
    rig.length = 0;
    rig.monitor.out.put = NULL;
    monitor_command_to(&rig.monitor, "top cpu", (struct byte_sink){keep, NULL});
    assert_non_null(strstr(rig.out, "topic\n"));
    assert_null(rig.monitor.live);
    assert_null(rig.monitor.out.put);
}

static void log_sets_the_level(void **state)
{
    (void)state;
    expect("log debug", "pxHV prints debug now\n");
    assert_int_equal(rig.level, LOG_DEBUG);
    expect_part("log", "pxHV prints debug; ");
    expect_part("log loud", "one of error, warn, info, debug");
    assert_int_equal(rig.level, LOG_DEBUG);
}

static void trace_says_when_it_is_not_there(void **state)
{
    (void)state;
    expect("trace on", "this pxHV has no exit trace\n");
    rig_ops.trace = set_trace;
    expect("trace on", "");
    assert_true(rig.traced);
    expect_part("trace maybe", "write \"trace on\"");
    assert_true(rig.traced);
    expect("trace off", "");
    assert_false(rig.traced);
}

/* --- stopping --------------------------------------------------------------------------------- */

static void stop_at(enum vdebug_reason reason, gva_t address)
{
    rig.stop = (struct vdebug_stop){.reason = reason, .address = address};
    rig.monitor.go_on = false;
    rig.length = 0;
    rig.out[0] = '\0';
    monitor_stopped(&rig.monitor);
}

static void pause_and_resume(void **state)
{
    (void)state;
    expect("resume", "the guest runs already\n");
    expect("pause", "");
    assert_true(rig.pauses == 1 && rig.monitor.waiting);
    stop_at(VDEBUG_PAUSED, 0);
    assert_string_equal(rig.out, "paused\nffffffff81000000:  2  00 01   add\n");
    assert_false(rig.monitor.waiting);
    expect("stop", "the guest stands still already\n");
    expect("cont", "the guest goes on\n");
    assert_true(rig.resumes == 1 && rig.monitor.go_on);
    expect_part("pause now", "too much");
}

static void steps_go_on_by_themselves(void **state)
{
    (void)state;
    expect("step", "the guest runs: \"pause\" it first\n");
    stop_at(VDEBUG_PAUSED, 0);
    expect("step 3", "");
    for (unsigned i = 0; i < 2; i++) {
        stop_at(VDEBUG_STEPPED, 0);
        assert_true(rig.monitor.go_on && rig.monitor.waiting);
        assert_non_null(strstr(rig.out, "ffffffff81000000:"));
    }
    stop_at(VDEBUG_STEPPED, 0);
    assert_false(rig.monitor.go_on || rig.monitor.waiting);
    assert_int_equal(rig.steps, 3);
    expect_part("step 0", "1 to 100000 steps");
    expect_part("step 100001", "1 to 100000 steps");
    expect_part("step 0xffffffffffffffff", "1 to 100000 steps");
    expect_part("step x", "no number");
}

static void many_steps_say_little(void **state)
{
    (void)state;
    unsigned lines = 0;
    stop_at(VDEBUG_PAUSED, 0);
    ask("step 100000");
    for (unsigned i = 0; i < 100000; i++) {
        stop_at(VDEBUG_STEPPED, 0);
        for (size_t c = 0; c < rig.length; c++)
            lines += rig.out[c] == '\n';
    }
    assert_int_equal(lines, 18);
    assert_false(rig.monitor.waiting);
}

static void a_key_ends_the_steps(void **state)
{
    (void)state;
    stop_at(VDEBUG_PAUSED, 0);
    ask("step 1000");
    monitor_interrupt(&rig.monitor);
    assert_true(rig.pauses == 1 && !rig.monitor.waiting);
    stop_at(VDEBUG_STEPPED, 0);
    assert_false(rig.monitor.go_on);
}

static void a_point_in_the_middle_ends_the_steps(void **state)
{
    (void)state;
    stop_at(VDEBUG_PAUSED, 0);
    ask("step 5");
    stop_at(VDEBUG_HARD, 0x77);
    assert_non_null(strstr(rig.out, "at the break 0x77\n"));
    assert_false(rig.monitor.go_on);
}

static void points_are_kept(void **state)
{
    (void)state;
    expect("break $rip", "the guest runs: \"pause\" it first\n");
    stop_at(VDEBUG_PAUSED, 0);
    expect("break $rip", "");
    expect("watch 0x1000 4", "");
    expect("break", "break 0xffffffff81000000 1\nwatch 0x1000 4\n");
    ask("break 1");
    ask("break 2");
    expect_part("break 3", "4 points are the most");
    assert_int_equal(rig.inserted, 4);
    stop_at(VDEBUG_WATCH, 0x1000);
    assert_true(monitor_owns_stop(&rig.monitor));
    assert_non_null(strstr(rig.out, "behind an access to 0x1000"));
    stop_at(VDEBUG_WATCH, 0x2000);
    assert_false(monitor_owns_stop(&rig.monitor));
    stop_at(VDEBUG_PAUSED, 0x1000);
    assert_false(monitor_owns_stop(&rig.monitor));
    expect("delete 1", "");
    expect("delete 1", "there is none\n");
    expect("delete all", "");
    assert_int_equal(rig.removed, 4);
    expect("break", "");
    rig.refuse_points = true;
    expect_part("break 9", "no room for it");
    expect("break", "");
    expect_part("watch 0x1001 4", "at a multiple");
    expect_part("watch 0x1000 3", "1, 2, 4 or 8");
    expect_part("watch 0x1000 0", "1, 2, 4 or 8");
    expect_part("watch", "an address is missing");
}

static void a_guest_that_gdb_holds_is_gdbs(void **state)
{
    (void)state;
    const char *no = "GDB holds the guest: \"continue\" or \"detach\" there; if it has vanished, "
                     "\"resume force\" here\n";
    rig.vcpu.debug.attached = true;
    expect("resume force", "the guest runs already\n");
    stop_at(VDEBUG_PAUSED, 0);
    expect("resume", no);
    expect("step 5", no);
    expect_part("resume farce", "too much");
    assert_true(rig.resumes + rig.steps + rig.drops == 0 && !rig.monitor.go_on);
    /* GDB's own "monitor resume" would have it wait for nothing. */
    rig.length = 0;
    monitor_command_to(&rig.monitor, "resume force", rig.monitor.out);
    assert_string_equal(rig.out, "GDB holds the guest: say \"continue\" or \"stepi\"\n");
    assert_true(rig.resumes + rig.drops == 0);
    expect("resume force", "GDB counts as detached\nthe guest goes on\n");
    assert_true(rig.drops == 1 && rig.resumes == 1 && rig.monitor.go_on);
    stop_at(VDEBUG_PAUSED, 0);
    expect("resume force", "the guest goes on\n");
    assert_int_equal(rig.drops, 1);
}

static void gdb_ends_the_monitors_steps(void **state)
{
    (void)state;
    stop_at(VDEBUG_PAUSED, 0);
    ask("step 1000");
    stop_at(VDEBUG_STEPPED, 0);
    assert_true(rig.monitor.go_on);
    rig.vcpu.debug.attached = true;
    stop_at(VDEBUG_STEPPED, 0);
    assert_false(rig.monitor.go_on || rig.monitor.waiting);
}

static void points_outlive_gdbs(void **state)
{
    (void)state;
    stop_at(VDEBUG_PAUSED, 0);
    ask("break 1");
    ask("watch 0x1000 4");
    ask("delete 1");
    rig.inserted = 0;
    monitor_restore_points(&rig.monitor);
    assert_int_equal(rig.inserted, 1);
}

static void a_guest_that_ended_can_only_be_looked_at(void **state)
{
    (void)state;
    rig.vcpu.stop = VM_STOP_TRIPLE_FAULT;
    const char *no = "the guest has ended (triple fault): \"reset\" starts it anew\n";
    expect("pause", no);
    expect("resume", no);
    expect("step", no);
    expect("nmi", no);
    expect("power button", no);
    assert_int_equal(rig.pauses + rig.resumes + rig.steps + rig.buttons, 0);
    expect_part("registers", "RIP ffffffff81000000");
    expect("reset", "");
    assert_int_equal(rig.resets, 1);
    strcpy(rig.vcpu.stop_reason, "because");
    stop_at(VDEBUG_GUEST_ENDED, 0);
    assert_non_null(strstr(rig.out, "the guest has ended: triple fault: because\n"));
}

static void the_machine_obeys(void **state)
{
    (void)state;
    expect("power button", "");
    expect("power off", "");
    assert_true(rig.buttons == 1 && rig.power_offs == 1);
    expect_part("power", "write \"power off\"");
    expect_part("power down", "write \"power off\"");
    expect("nmi", "the guest gets an NMI\n");
    assert_true(rig.vcpu.nmi_pending);
    expect_part("reset it", "too much");
    assert_int_equal(rig.resets, 0);
}

/* --- registers and names ---------------------------------------------------------------------- */

static void registers_by_group(void **state)
{
    (void)state;
    rig.vcpu.gpr[VGPR_RBX] = 0x1234;
    rig.vcpu.gpr[VGPR_RSP] = 0x5678;
    rig.vcpu.rflags = 0x246;
    rig.reg[VREG_CR0] = 0x80000011;
    rig.reg[VREG_DR0 + 3] = 0x99;
    rig.seg[VSEG_CS] = (struct vseg){0x10, 0xa09b, 0xffffffff, 0};
    ask("registers");
    assert_non_null(strstr(rig.out, "RBX 0000000000001234"));
    assert_non_null(strstr(rig.out, "RSP 0000000000005678"));
    assert_non_null(strstr(rig.out, "RFLAGS 00000246 PF ZF IF\n"));
    assert_null(strstr(rig.out, "CR0"));
    expect_part("registers control", "CR0  80000011 PE ET PG\n");
    expect_part("registers segments",
                "CS   0010  base 0000000000000000  limit ffffffff  access a09b\n");
    expect_part("registers segments", "access 0000  unusable");
    expect_part("registers debug", "DR3 0000000000000099\n");
    expect_part("registers control", "CR8  5\n");
    expect_part("registers msrs", "c0000080 0000000000000000 EFER\n");
    expect_part("registers msrs", "1b 00000000fee00900 APIC_BASE\n");
    ask("registers all");
    assert_non_null(strstr(rig.out, "RBX"));
    assert_non_null(strstr(rig.out, "EFER"));
    expect("registers nonsense", "general, segments, control, debug, msrs or all\n");
    expect_narrow("registers all");
}

static void completion_offers_commands_and_topics(void **state)
{
    (void)state;
    assert_string_equal(monitor_candidate(&rig.monitor, "", 0, 0), "help");
    assert_null(monitor_candidate(&rig.monitor, "", 0, monitor_command_count));
    assert_string_equal(monitor_candidate(&rig.monitor, "info ", 5, 1), "exits");
    assert_string_equal(monitor_candidate(&rig.monitor, "top c", 4, 0), "cpu");
    assert_string_equal(monitor_candidate(&rig.monitor, "help ", 5, 1), "info");
    assert_null(monitor_candidate(&rig.monitor, "info ", 5, 4));
    assert_null(monitor_candidate(&rig.monitor, "x ", 2, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(help_lists_every_command, set_up),
        cmocka_unit_test_setup(what_is_no_command_is_refused, set_up),
        cmocka_unit_test_setup(aliases_are_commands, set_up),
        cmocka_unit_test_setup(info_knows_its_topics, set_up),
        cmocka_unit_test_setup(an_answer_is_bounded, set_up),
        cmocka_unit_test_setup(top_shows_its_topic_again, set_up),
        cmocka_unit_test_setup(another_sink_gets_its_own_answer, set_up),
        cmocka_unit_test_setup(log_sets_the_level, set_up),
        cmocka_unit_test_setup(trace_says_when_it_is_not_there, set_up),
        cmocka_unit_test_setup(pause_and_resume, set_up),
        cmocka_unit_test_setup(steps_go_on_by_themselves, set_up),
        cmocka_unit_test_setup(many_steps_say_little, set_up),
        cmocka_unit_test_setup(a_key_ends_the_steps, set_up),
        cmocka_unit_test_setup(a_point_in_the_middle_ends_the_steps, set_up),
        cmocka_unit_test_setup(points_are_kept, set_up),
        cmocka_unit_test_setup(a_guest_that_gdb_holds_is_gdbs, set_up),
        cmocka_unit_test_setup(gdb_ends_the_monitors_steps, set_up),
        cmocka_unit_test_setup(points_outlive_gdbs, set_up),
        cmocka_unit_test_setup(a_guest_that_ended_can_only_be_looked_at, set_up),
        cmocka_unit_test_setup(the_machine_obeys, set_up),
        cmocka_unit_test_setup(registers_by_group, set_up),
        cmocka_unit_test_setup(completion_offers_commands_and_topics, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
