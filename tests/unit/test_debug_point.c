/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/virt/debug.c vmm/virt/debug_point.c vmm/virt/debug_step.c vmm/virt/debug_gate.c vmm/virt/debug_memory.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/fmt.c */
/* Breakpoints and watchpoints, the debugger's and the guest's own. */
#include "debug_rig.h"

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

/* QEMU's TCG reports both as INT n. */
static void an_int3_may_come_as_an_int(void **state)
{
    (void)state;
    fake.ram[0x1000] = 0x90;
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000, 1);
    fake_script(&fake, VEXIT_INT);
    fake_script(&fake, VEXIT_STEP);
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
    assert_int_equal(session.stop[0].reason, VDEBUG_SOFT);

    setup(NULL);
    fake.ram[0x1000] = 0xcc;
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x2000, 1);
    fake_script(&fake, VEXIT_INT);
    vcpu_run(cpu);
    assert_int_equal(session.count, 0);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_SW_EXCEPTION);
    assert_int_equal(fake.entry[1].inject.vector, 3);
    assert_int_equal(fake.entry[1].inject.insn_len, 1);
}

static void an_int_n_enters_as_itself(void **state)
{
    (void)state;
    memcpy(fake.ram + 0x1000, "\xcd\x80", 2);
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x2000, 1);
    fake_script(&fake, VEXIT_INT);
    vcpu_run(cpu);
    assert_int_equal(fake.entry[1].inject.type, VEVENT_SW_INT);
    assert_int_equal(fake.entry[1].inject.vector, 0x80);
    assert_int_equal(fake.entry[1].inject.insn_len, 2);
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

static void a_reset_that_loads_nothing_there_changes_nothing(void **state)
{
    (void)state;
    fake.ram[0x1000] = 0x90;
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000, 1);
    vcpu_reset(cpu);
    vdebug_clear(cpu);
    assert_int_equal(fake.ram[0x1000], 0x90);
}

/* Behind the stop for ours comes the guest's own. */
static void an_int3_of_the_guest_s_may_lie_under_ours(void **state)
{
    (void)state;
    fake.ram[0x1000] = 0xcc;
    vdebug_insert(cpu, VDEBUG_POINT_SOFT, 0x1000, 1);
    script_exception(X86_BP, VEVENT_SW_EXCEPTION);
    script_exception(X86_BP, VEVENT_SW_EXCEPTION);
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
    assert_int_equal(session.stop[0].reason, VDEBUG_SOFT);
    assert_int_equal(fake.entry[2].inject.type, VEVENT_SW_EXCEPTION);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_int3_of_the_debugger_s_stops_and_is_stepped_over, setup),
        cmocka_unit_test_setup(the_guest_s_byte_is_in_place_for_one_instruction, setup),
        cmocka_unit_test_setup(an_int3_of_the_guest_s_is_the_guest_s, setup),
        cmocka_unit_test_setup(an_int3_may_come_as_an_int, setup),
        cmocka_unit_test_setup(an_int_n_enters_as_itself, setup),
        cmocka_unit_test_setup(the_length_of_an_int3_comes_from_its_bytes, setup),
        cmocka_unit_test_setup(a_byte_that_the_guest_wrote_stays, setup),
        cmocka_unit_test_setup(software_breakpoints_survive_a_reset, setup),
        cmocka_unit_test_setup(a_reset_that_loads_nothing_there_changes_nothing, setup),
        cmocka_unit_test_setup(an_int3_of_the_guest_s_may_lie_under_ours, setup),
        cmocka_unit_test_setup(a_breakpoint_needs_memory, setup),
        cmocka_unit_test_setup(points_lie_in_the_debug_registers, setup),
        cmocka_unit_test_setup(a_bad_length_or_alignment_is_refused, setup),
        cmocka_unit_test_setup(a_breakpoint_stops_before_its_instruction_and_is_passed, setup),
        cmocka_unit_test_setup(a_watchpoint_stops_behind_the_access, setup),
        cmocka_unit_test_setup(the_guest_sees_its_own_registers, setup),
        cmocka_unit_test_setup(the_guest_s_own_breakpoint_is_delivered_by_its_own_number, setup),
        cmocka_unit_test_setup(general_detect_is_the_guest_s, setup),
        cmocka_unit_test_setup(points_survive_a_reset_and_the_guest_s_registers_do_not, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
