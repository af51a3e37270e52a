/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/virt/debug.c vmm/virt/debug_point.c vmm/virt/debug_step.c vmm/virt/debug_gate.c vmm/virt/debug_memory.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/fmt.c */
/* A debugger's stops, and what it finds; points and steps have files of their own. */
#include "debug_rig.h"

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

/* It isn't at the instruction behind HLT before something wakes it. */
static void a_point_behind_hlt_doesn_t_end_the_sleep(void **state)
{
    (void)state;
    vdebug_insert(cpu, VDEBUG_POINT_HARD, 0x1001, 1);
    fake_script(&fake, VEXIT_HLT)->insn_len = 1;
    fake.on_host_events = pause_and_wake;
    vcpu_run(cpu);
    assert_int_equal(session.count, 1);
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

static void another_rip_wakes_a_halted_guest(void **state)
{
    (void)state;
    cpu->halted = true;
    cpu->int_shadow = 1;
    assert_true(vdebug_set_rip(cpu, cpu->rip));
    assert_true(cpu->halted);
    assert_true(vdebug_set_rip(cpu, 0x4000));
    assert_false(cpu->halted);
    assert_int_equal(cpu->int_shadow, 0);
}

static void an_interrupt_on_its_way_waits_for_if(void **state)
{
    (void)state;
    cpu->inject = (struct vevent){.type = VEVENT_IRQ, .vector = 0x35};
    assert_true(vdebug_set_rflags(cpu, 2));
    assert_int_equal(cpu->inject.type, VEVENT_NONE);
    assert_true(cpu->irq_held);
    assert_int_equal(cpu->held_vector, 0x35);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_pause_stops_before_the_next_instruction, setup),
        cmocka_unit_test_setup(a_pause_ends_the_sleep_of_a_halted_guest_which_then_sleeps_on,
                               setup),
        cmocka_unit_test_setup(a_point_behind_hlt_doesn_t_end_the_sleep, setup),
        cmocka_unit_test_setup(the_guest_s_time_stands_still, setup),
        cmocka_unit_test_setup(the_first_instruction_can_be_waited_for, setup),
        cmocka_unit_test_setup(a_guest_s_end_is_shown_to_who_is_attached, setup),
        cmocka_unit_test_setup(reads_hide_breakpoints_and_writes_keep_them, setup),
        cmocka_unit_test_setup(memory_ends_where_nothing_is_mapped, setup),
        cmocka_unit_test_setup(values_that_no_entry_takes_are_refused, setup),
        cmocka_unit_test_setup(another_rip_wakes_a_halted_guest, setup),
        cmocka_unit_test_setup(an_interrupt_on_its_way_waits_for_if, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
