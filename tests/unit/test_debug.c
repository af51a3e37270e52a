/* needs: tests/unit/fake_backend.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/virt/debug.c vmm/virt/debug_point.c vmm/virt/debug_step.c vmm/virt/debug_gate.c vmm/virt/debug_memory.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/fmt.c */
/* A debugger's stops, points and memory; single steps are in test_debug_step.c. */
#include "virt/virt.h"
#include "virt/x86.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;
static struct vcpu *const cpu = &fake.vcpu;

/* What each stop was, and the answers to them in turn; CONTINUE behind the last. */
static struct {
    struct vdebug_stop stop[16];
    uint64_t rip[16], tsc[16];
    unsigned count;
    enum vdebug_resume answer[16];
    void (*look)(unsigned stop);
} session;

static void stopped(struct fake *machine)
{
    unsigned n = session.count++;
    assert_in_range(n, 0, 15);
    assert_true(vdebug_stopped(cpu));
    session.stop[n] = *vdebug_stop(cpu);
    session.rip[n] = cpu->rip;
    session.tsc[n] = machine->tsc;
    if (session.look)
        session.look(n);
    vdebug_resume(cpu, session.answer[n]);
}

static int setup(void **state)
{
    (void)state;
    memset(&session, 0, sizeof session);
    fake_init(&fake);
    fake.on_debug_stop = stopped;
    return 0;
}

static struct vexit *script_exception(uint8_t vector, enum vevent_type type)
{
    struct vexit *exit = fake_script(&fake, VEXIT_EXCEPTION);
    exit->exception = (struct vevent){.type = type, .vector = vector};
    exit->insn_len = type == VEVENT_EXCEPTION ? 0 : 1;
    return exit;
}

static void script_cpuid(void)
{
    fake_script(&fake, VEXIT_CPUID)->insn_len = 2;
}

/* --- stops ------------------------------------------------------------------------------------ */

static void pause_in_the_second_entry(struct fake *machine, unsigned entry)
{
    if (entry == 1)
        vdebug_pause(&machine->vcpu);
}

static void a_pause_stops_before_the_next_instruction(void **state)
{
    (void)state;
    script_cpuid();
    script_cpuid();
    fake.on_entry = pause_in_the_second_entry;
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
    assert_int_equal(session.stop[0].reason, VDEBUG_PAUSED);
    assert_int_equal(session.rip[0], 0x1004);
    assert_int_equal(fake.entries, 3);
    assert_false(vdebug_stopped(cpu));
    assert_int_equal(fake.parks, 2);
}

static void pause_and_wake(struct fake *machine)
{
    if (machine->host_event_calls == 1)
        vdebug_pause(&machine->vcpu);
    else
        machine->vcpu.irq_high = true;
}

static void a_pause_ends_the_sleep_of_a_halted_guest_which_then_sleeps_on(void **state)
{
    (void)state;
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    fake.on_host_events = pause_and_wake;
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
    assert_int_equal(session.stop[0].reason, VDEBUG_PAUSED);
    assert_int_equal(session.rip[0], 0x1001);
    assert_int_equal(fake.sleeps, 2);
    assert_int_equal(fake.entry[1].inject.vector, 0x30);
}

static void time_passes(unsigned stop)
{
    (void)stop;
    fake.tsc += 5000000000;
}

static uint64_t ns_before, ns_after;

static void read_the_clock(struct fake *machine, unsigned entry)
{
    *(entry == 0 ? &ns_before : &ns_after) = clock_ns(&machine->vcpu.clock, machine->tsc);
    if (entry == 0)
        vdebug_pause(&machine->vcpu);
}

static void the_guest_s_time_stands_still(void **state)
{
    (void)state;
    fake.next_deadline = 7000;
    fake.reg[VREG_TSC_OFFSET] = 1000;
    script_cpuid();
    fake.on_entry = read_the_clock;
    session.look = time_passes;
    uint64_t begun = fake.tsc;
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
    assert_int_equal(ns_after, ns_before);
    assert_int_equal(fake.reg[VREG_TSC_OFFSET], 1000 - 5000000000);
    /* The deadline lies as far ahead as before the stop. */
    assert_in_range(fake.deadline_tsc - fake.tsc, fake.entry[0].deadline_tsc - begun - 1,
                    fake.entry[0].deadline_tsc - begun + 1);
    assert_int_equal(fake.advances, 0);
}

static void the_first_instruction_can_be_waited_for(void **state)
{
    (void)state;
    cpu->debug.stop_at_start = true;
    vcpu_reset(cpu);
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
    assert_int_equal(session.stop[0].reason, VDEBUG_STARTED);
    assert_int_equal(session.rip[0], 0xfff0);
    assert_int_equal(fake.entries, 1);
}

static void a_guest_s_end_is_shown_to_who_is_attached(void **state)
{
    (void)state;
    assert_int_equal(vcpu_run(cpu), VM_STOP_TRIPLE_FAULT);
    assert_int_equal(session.count, 0);

    setup(NULL);
    cpu->debug.attached = true;
    session.answer[0] = VDEBUG_STEP; /* in vain */
    assert_int_equal(vcpu_run(cpu), VM_STOP_TRIPLE_FAULT);
    assert_int_equal(session.count, 1);
    assert_int_equal(session.stop[0].reason, VDEBUG_GUEST_ENDED);
    assert_int_equal(fake.entries, 1);
}

/* --- software breakpoints --------------------------------------------------------------------- */

static void an_int3_of_the_debugger_s_stops_and_is_stepped_over(void **state)
{
    (void)state;
    fake.ram[0x1000] = 0x90;
    assert_true(vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000, 1));
    assert_int_equal(fake.ram[0x1000], 0xcc);
    assert_true(fake.controls.breakpoints);
    script_exception(X86_BP, VEVENT_SW_EXCEPTION);
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
    assert_int_equal(session.stop[0].reason, VDEBUG_SOFT);
    assert_int_equal(session.stop[0].address, 0x1000);
    assert_int_equal(session.rip[0], 0x1000);
    assert_int_equal(fake.entries, 3);
    assert_int_equal(fake.ram[0x1000], 0xcc);
    assert_true(vdebug_remove(cpu, VDEBUG_POINT_SOFT, 0x1000, 1));
    assert_int_equal(fake.ram[0x1000], 0x90);
    assert_false(fake.controls.breakpoints);
    assert_false(vdebug_remove(cpu, VDEBUG_POINT_SOFT, 0x1000, 1));
}

static uint8_t byte_at_entry[4];

static void note_byte(struct fake *machine, unsigned entry)
{
    byte_at_entry[entry] = machine->ram[0x1000];
}

static void the_guest_s_byte_is_in_place_for_one_instruction(void **state)
{
    (void)state;
    fake.ram[0x1000] = 0x90;
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000, 1);
    fake.on_entry = note_byte;
    script_exception(X86_BP, VEVENT_SW_EXCEPTION);
    fake_script(&fake, VEXIT_STEP);
    cpu->irq_high = true; /* waits until the instruction is done */
    cpu->rflags &= ~X86_RFLAGS_IF;
    vcpu_run(cpu);
    assert_int_equal(byte_at_entry[0], 0xcc);
    assert_int_equal(byte_at_entry[1], 0x90);
    assert_int_equal(byte_at_entry[2], 0xcc);
}

static void an_int3_of_the_guest_s_is_the_guest_s(void **state)
{
    (void)state;
    fake.ram[0x1000] = 0xcc;
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x2000, 1);
    script_exception(X86_BP, VEVENT_SW_EXCEPTION);
    vcpu_run(cpu);
    assert_int_equal(session.count, 0);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_SW_EXCEPTION);
    assert_int_equal(fake.entry[1].inject.vector, 3);
    assert_int_equal(fake.entry[1].inject.insn_len, 1);
}

/* AMD-V without next-RIP save tells no length: F3 CC has two bytes. */
static void the_length_of_an_int3_comes_from_its_bytes(void **state)
{
    (void)state;
    fake.ram[0x1000] = 0xf3;
    fake.ram[0x1001] = 0xcc;
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x2000, 1);
    script_exception(X86_BP, VEVENT_SW_EXCEPTION)->insn_len = 0;
    vcpu_run(cpu);
    assert_int_equal(fake.entry[1].inject.insn_len, 2);
}

static void a_byte_that_the_guest_wrote_stays(void **state)
{
    (void)state;
    fake.ram[0x1000] = 0x90;
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000, 1);
    fake.ram[0x1000] = 0x55;
    vdebug_clear(cpu);
    assert_int_equal(fake.ram[0x1000], 0x55);
}

static void software_breakpoints_survive_a_reset(void **state)
{
    (void)state;
    fake.ram[0x1000] = 0x90;
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000, 1);
    fake.ram[0x1000] = 0x55; /* another kernel */
    vcpu_reset(cpu);
    assert_int_equal(fake.ram[0x1000], 0xcc);
    assert_true(fake.controls.breakpoints);
    vdebug_clear(cpu);
    assert_int_equal(fake.ram[0x1000], 0x55);
}

static void a_breakpoint_needs_memory(void **state)
{
    (void)state;
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_SOFT, FAKE_RAM_SIZE, 1));
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000, 2));
    fake.missing_page = 0x3000;
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x3004, 1));
    for (unsigned i = 0; i < 64; i++)
        assert_true(vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000 + i, 1));
    assert_true(vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000, 1));
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x2000, 1));
}

/* --- debug registers -------------------------------------------------------------------------- */

static void points_lie_in_the_debug_registers(void **state)
{
    (void)state;
    fake.reg[VREG_DR7] = 0x400;
    assert_true(vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x1111, 1));
    assert_true(vdebug_insert(cpu, VDEBUG_POINT_WRITE, 0x2222, 2));
    assert_true(vdebug_insert(cpu, VDEBUG_POINT_ACCESS, 0x3338, 8));
    assert_true(vdebug_insert(cpu, VDEBUG_POINT_WRITE, 0x4444, 4));
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x5555, 1));
    assert_int_equal(fake.reg[VREG_DR0], 0x1111);
    assert_int_equal(fake.reg[VREG_DR1], 0x2222);
    assert_int_equal(fake.reg[VREG_DR2], 0x3338);
    assert_int_equal(fake.reg[VREG_DR3], 0x4444);
    assert_int_equal(fake.reg[VREG_DR7], 0xdb5004aa);
    assert_true(fake.controls.registers);
    vdebug_clear(cpu);
    assert_int_equal(fake.reg[VREG_DR0], 0);
    assert_int_equal(fake.reg[VREG_DR7], 0x400);
    assert_false(fake.controls.registers);
}

static void a_bad_length_or_alignment_is_refused(void **state)
{
    (void)state;
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x1000, 2));
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_WRITE, 0x1000, 3));
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_WRITE, 0x1002, 4));
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_ACCESS, 0x1000, 0));
    assert_false(vdebug_insert(cpu, VDEBUG_POINT_ACCESS, 0x1004, 8));
}

static void a_breakpoint_stops_before_its_instruction_and_is_passed(void **state)
{
    (void)state;
    vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x1000, 1);
    script_exception(X86_DB, VEVENT_EXCEPTION)->exception_address = 1;
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
    assert_int_equal(session.stop[0].reason, VDEBUG_HARD);
    assert_int_equal(session.stop[0].address, 0x1000);
    assert_int_equal(fake.entries, 3);
    assert_int_equal(fake.entry[2].inject.type, VEVENT_NONE);
    assert_int_equal(fake.reg[VREG_DR7] & 2, 2);
}

static void a_watchpoint_stops_behind_the_access(void **state)
{
    (void)state;
    vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x9000, 1);
    vdebug_insert(cpu, VDEBUG_POINT_WRITE, 0x2000, 4);
    script_exception(X86_DB, VEVENT_EXCEPTION)->exception_address = 2;
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
    assert_int_equal(session.stop[0].reason, VDEBUG_WATCH);
    assert_int_equal(session.stop[0].kind, VDEBUG_POINT_WRITE);
    assert_int_equal(session.stop[0].address, 0x2000);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_NONE);
}

static void write_dr(uint8_t dr, uint64_t value)
{
    struct vexit exit = {.kind = VEXIT_DR_ACCESS, .insn_len = 3};
    exit.dr.dr = dr;
    exit.dr.gpr = VGPR_RAX;
    exit.dr.write = true;
    cpu->gpr[VGPR_RAX] = value;
    exit_handle(cpu, &exit);
}

static uint64_t read_dr(uint8_t dr)
{
    struct vexit exit = {.kind = VEXIT_DR_ACCESS, .insn_len = 3};
    exit.dr.dr = dr;
    exit.dr.gpr = VGPR_RAX;
    exit_handle(cpu, &exit);
    return cpu->gpr[VGPR_RAX];
}

static void the_guest_sees_its_own_registers(void **state)
{
    (void)state;
    fake.reg[VREG_DR0] = 0x7777;
    fake.reg[VREG_DR6] = 0xffff4ff0;
    fake.reg[VREG_DR7] = 0x400;
    vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x9000, 1);
    assert_int_equal(read_dr(0), 0x7777);
    assert_int_equal(read_dr(6), 0xffff4ff0);
    assert_int_equal(read_dr(7), 0x400);
    write_dr(0, 0x5000);
    write_dr(7, 0x00010401); /* L0, write, 1 byte */
    assert_int_equal(read_dr(0), 0x5000);
    assert_int_equal(read_dr(7), 0x00010401);
    /* Its breakpoint lies where there is room, the debugger's stays. */
    assert_int_equal(fake.reg[VREG_DR0], 0x9000);
    assert_int_equal(fake.reg[VREG_DR1], 0x5000);
    assert_int_equal(fake.reg[VREG_DR7], 0x00100406);
    vdebug_clear(cpu);
    assert_int_equal(fake.reg[VREG_DR0], 0x5000);
    assert_int_equal(fake.reg[VREG_DR7], 0x00010401);
    assert_int_equal(fake.reg[VREG_DR6], 0xffff4ff0);
}

static void the_guest_s_own_breakpoint_is_delivered_by_its_own_number(void **state)
{
    (void)state;
    fake.reg[VREG_DR6] = 0xffff0ff0;
    fake.reg[VREG_DR7] = 0x400;
    vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x9000, 1);
    write_dr(0, 0x5000);
    write_dr(7, 0x00010401);
    script_exception(X86_DB, VEVENT_EXCEPTION)->exception_address = 2;
    vcpu_run(cpu);
    assert_int_equal(session.count, 0);
    assert_int_equal(fake.entry[1].inject.vector, 1);
    assert_int_equal(read_dr(6), 0xffff0ff1);
    assert_int_equal(fake.reg[VREG_DR6], 0xffff0ff0);
}

static void general_detect_is_the_guest_s(void **state)
{
    (void)state;
    fake.reg[VREG_DR7] = 0x400;
    vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x9000, 1);
    write_dr(7, 0x2400);
    assert_int_equal(fake.reg[VREG_DR7] & 0x2000, 0);
    write_dr(0, 1);
    assert_int_equal(cpu->inject.vector, 1);
    assert_int_equal(read_dr(6) & 0x2000, 0x2000);
    assert_int_equal(read_dr(7), 0x400);
}

static void points_survive_a_reset_and_the_guest_s_registers_do_not(void **state)
{
    (void)state;
    vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x9000, 1);
    write_dr(1, 0x5000);
    vcpu_reset(cpu);
    assert_int_equal(fake.reg[VREG_DR0], 0x9000);
    assert_int_equal(fake.reg[VREG_DR7] & 2, 2);
    assert_true(fake.controls.registers);
    assert_int_equal(read_dr(1), 0);
}

/* --- memory and registers --------------------------------------------------------------------- */

static void reads_hide_breakpoints_and_writes_keep_them(void **state)
{
    (void)state;
    uint8_t bytes[4] = {0};
    memcpy(fake.ram + 0x1000, "\x11\x22\x33\x44", 4);
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1001, 1);
    assert_int_equal(vdebug_read(cpu, 0x1000, bytes, 4), 4);
    assert_memory_equal(bytes, "\x11\x22\x33\x44", 4);
    assert_int_equal(vdebug_write(cpu, 0x1000, "\x55\x66\x77\x88", 4), 4);
    assert_memory_equal(fake.ram + 0x1000, "\x55\xcc\x77\x88", 4);
    assert_int_equal(vdebug_read_physical(cpu, 0x1000, bytes, 4), 4);
    assert_memory_equal(bytes, "\x55\x66\x77\x88", 4);
    vdebug_clear(cpu);
    assert_memory_equal(fake.ram + 0x1000, "\x55\x66\x77\x88", 4);
}

static void memory_ends_where_nothing_is_mapped(void **state)
{
    (void)state;
    static uint8_t bytes[0x3000];
    fake.missing_page = 0x3000;
    assert_int_equal(vdebug_read(cpu, 0x1800, bytes, sizeof bytes), 0x1800);
    assert_int_equal(vdebug_read_physical(cpu, FAKE_RAM_SIZE - 0x100, bytes, 0x1000), 0x100);
    assert_int_equal(vdebug_write_physical(cpu, FAKE_RAM_SIZE, bytes, 1), 0);
    assert_int_equal(vdebug_read_physical(cpu, UINT64_MAX, bytes, 16), 0);
}

static void values_that_no_entry_takes_are_refused(void **state)
{
    (void)state;
    assert_true(vdebug_set_rip(cpu, 0xffffffff81000000));
    assert_false(vdebug_set_rip(cpu, 0x800000000000));
    assert_int_equal(cpu->rip, 0xffffffff81000000);
    assert_true(vdebug_set_rflags(cpu, 0xfffffffffff5ffff));
    assert_int_equal(cpu->rflags, 0x357fd7);
    assert_false(vdebug_set_rflags(cpu, 0x20002));
    fake_init_bits(&fake, 32);
    assert_false(vdebug_set_rip(cpu, 0x100000000));
    assert_true(vdebug_set_rip(cpu, 0xffffffff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_pause_stops_before_the_next_instruction, setup),
        cmocka_unit_test_setup(a_pause_ends_the_sleep_of_a_halted_guest_which_then_sleeps_on,
                               setup),
        cmocka_unit_test_setup(the_guest_s_time_stands_still, setup),
        cmocka_unit_test_setup(the_first_instruction_can_be_waited_for, setup),
        cmocka_unit_test_setup(a_guest_s_end_is_shown_to_who_is_attached, setup),
        cmocka_unit_test_setup(an_int3_of_the_debugger_s_stops_and_is_stepped_over, setup),
        cmocka_unit_test_setup(the_guest_s_byte_is_in_place_for_one_instruction, setup),
        cmocka_unit_test_setup(an_int3_of_the_guest_s_is_the_guest_s, setup),
        cmocka_unit_test_setup(the_length_of_an_int3_comes_from_its_bytes, setup),
        cmocka_unit_test_setup(a_byte_that_the_guest_wrote_stays, setup),
        cmocka_unit_test_setup(software_breakpoints_survive_a_reset, setup),
        cmocka_unit_test_setup(a_breakpoint_needs_memory, setup),
        cmocka_unit_test_setup(points_lie_in_the_debug_registers, setup),
        cmocka_unit_test_setup(a_bad_length_or_alignment_is_refused, setup),
        cmocka_unit_test_setup(a_breakpoint_stops_before_its_instruction_and_is_passed, setup),
        cmocka_unit_test_setup(a_watchpoint_stops_behind_the_access, setup),
        cmocka_unit_test_setup(the_guest_sees_its_own_registers, setup),
        cmocka_unit_test_setup(the_guest_s_own_breakpoint_is_delivered_by_its_own_number, setup),
        cmocka_unit_test_setup(general_detect_is_the_guest_s, setup),
        cmocka_unit_test_setup(points_survive_a_reset_and_the_guest_s_registers_do_not, setup),
        cmocka_unit_test_setup(reads_hide_breakpoints_and_writes_keep_them, setup),
        cmocka_unit_test_setup(memory_ends_where_nothing_is_mapped, setup),
        cmocka_unit_test_setup(values_that_no_entry_takes_are_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
