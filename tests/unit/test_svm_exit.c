/* needs: vmm/virt/nested.c vmm/lib/mem.c */
#include "svm_rig.h"

/* What the VMM makes of the CPU's report, and the events that go back in. */

static struct vcpu *const cpu = &rig.vcpu;

/* The report of the next exits. */
static struct {
    uint64_t code, info_1, info_2, int_info, next_rip, rip;
} report;

static void exits(struct vmcb *vmcb)
{
    vmcb->control.exit_code = report.code;
    vmcb->control.exit_info_1 = report.info_1;
    vmcb->control.exit_info_2 = report.info_2;
    vmcb->control.exit_int_info = report.int_info;
    vmcb->control.next_rip = report.next_rip;
    if (report.rip)
        vmcb->save.rip = report.rip;
}

static void guest_with(uint32_t features)
{
    rig_guest(features, 16);
    memset(&report, 0, sizeof report);
    rig.guest = exits;
    cpu->rip = 0x1000;
}

static const struct vexit *exit_of(uint64_t code)
{
    report.code = code;
    rig_run();
    return &rig.exit;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static void exits_have_neutral_names(void **state)
{
    static const struct {
        uint64_t code;
        enum vexit_kind kind;
    } names[] = {
        {0x04, VEXIT_CR_READ},
        {0x14, VEXIT_CR_WRITE},
        {0x60, VEXIT_HOST_IRQ},
        {0x61, VEXIT_HOST_NMI},
        {0x63, VEXIT_INIT},
        {0x64, VEXIT_IRQ_WINDOW},
        {0x10, VEXIT_CR_WRITE},
        {0x6F, VEXIT_RDPMC},
        {0x72, VEXIT_CPUID},
        {0x76, VEXIT_INVD},
        {0x78, VEXIT_HLT},
        {0x7A, VEXIT_VIRT_INSN},
        {0x7C, VEXIT_RDMSR},
        {0x7F, VEXIT_TRIPLE_FAULT},
        {0x80, VEXIT_VIRT_INSN},
        {0x81, VEXIT_HYPERCALL},
        {0x82, VEXIT_VIRT_INSN},
        {0x83, VEXIT_VIRT_INSN},
        {0x84, VEXIT_VIRT_INSN},
        {0x85, VEXIT_VIRT_INSN},
        {0x86, VEXIT_VIRT_INSN},
        {0x89, VEXIT_WBINVD},
        {0x8A, VEXIT_UNDEFINED_INSN},
        {0x8B, VEXIT_UNDEFINED_INSN},
        {0x8C, VEXIT_UNDEFINED_INSN},
        {0x8D, VEXIT_XSETBV},
        {0x8E, VEXIT_UNDEFINED_INSN},
        {0xA0, VEXIT_UNDEFINED_INSN},
        {0xA4, VEXIT_UNDEFINED_INSN},
        {0x400, VEXIT_NPF},
        {0x87, VEXIT_UNKNOWN},
        {0x62, VEXIT_UNKNOWN},
        {0x401, VEXIT_UNKNOWN},
        {1ull << 32 | 0x72, VEXIT_UNKNOWN},
    };
    (void)state;
    guest_with(NP);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(exit_of(names[i].code)->kind, names[i].kind);
    report.info_1 = 1;
    assert_int_equal(exit_of(0x7C)->kind, VEXIT_WRMSR);
}

/* VMRUN's -1 is 64 bits wide on the CPU. QEMU's TCG and KVM, as an outer hypervisor, write 32. */
static void a_refused_entry_is_known_in_both_widths(void **state)
{
    (void)state;
    guest_with(NP);
    assert_int_equal(exit_of(UINT64_MAX)->kind, VEXIT_ENTRY_FAILED);
    assert_int_equal(exit_of(UINT32_MAX)->kind, VEXIT_ENTRY_FAILED);
}

/* --- lengths ---------------------------------------------------------------------------------- */

static void next_rip_gives_the_length_where_the_cpu_saves_it(void **state)
{
    (void)state;
    guest_with(NP | NRIP);
    report.next_rip = 0x1003;
    assert_int_equal(exit_of(0x72)->insn_len, 3);
    cpu->rip = 0xFFFFFFFE;
    report.next_rip = 0;
    assert_int_equal(exit_of(0x72)->insn_len, 0); /* an outer hypervisor left it out */
    report.next_rip = 0x100000001;
    assert_int_equal(exit_of(0x72)->insn_len, 3);
    cpu->rip = 0xFFFF; /* 16-bit code */
    report.next_rip = 1;
    assert_int_equal(exit_of(0x72)->insn_len, 2);
    guest_with(NP);
    report.next_rip = 0x1003; /* reserved there */
    assert_int_equal(exit_of(0x72)->insn_len, 0);
}

/* --- ports ------------------------------------------------------------------------------------ */

static void ports_tell_all_but_the_segment_of_outs(void **state)
{
    (void)state;
    guest_with(NP);
    report.info_1 = 0x03F8ull << 16 | 1u << 4 | 1;
    report.info_2 = 0x1002;
    const struct vexit *exit = exit_of(0x7B);
    assert_int_equal(exit->kind, VEXIT_PIO);
    assert_int_equal(exit->insn_len, 2);
    assert_int_equal(exit->pio.port, 0x3F8);
    assert_int_equal(exit->pio.size, 1);
    assert_true(exit->pio.in && !exit->pio.string && !exit->pio.rep);

    /* REP OUTSD, 32-bit addresses, FS: */
    report.info_1 = 0xFFFFull << 16 | 4u << 10 | 1u << 8 | 1u << 6 | 1u << 3 | 1u << 2;
    report.info_2 = 0x1004;
    exit = exit_of(0x7B);
    assert_int_equal(exit->pio.port, 0xFFFF);
    assert_int_equal(exit->pio.size, 4);
    assert_int_equal(exit->pio.address_size, 4);
    assert_true(!exit->pio.in && exit->pio.string && exit->pio.rep && !exit->pio.linear_valid);
    assert_int_equal(exit->pio.segment, VEXIT_SEGMENT_UNKNOWN);
    assert_int_equal(exit->insn_len, 4);
}

static void decode_assists_name_the_segment(void **state)
{
    (void)state;
    guest_with(NP | DECODE);
    report.info_1 = 4u << 10 | 1u << 9 | 1u << 5 | 1u << 2;
    report.info_2 = 0x1002;
    const struct vexit *exit = exit_of(0x7B);
    assert_int_equal(exit->pio.segment, VSEG_FS);
    assert_int_equal(exit->pio.address_size, 8);
    assert_int_equal(exit->pio.size, 2);
}

static void the_length_of_port_io_wraps_with_rip(void **state)
{
    (void)state;
    guest_with(NP);
    cpu->rip = 0xFFFF;
    report.info_1 = 1u << 4;
    report.info_2 = 1;
    assert_int_equal(exit_of(0x7B)->insn_len, 2);
}

/* --- control registers ------------------------------------------------------------------------ */

static void without_decode_assists_cr_accesses_are_read_from_their_bytes(void **state)
{
    (void)state;
    guest_with(NP | NRIP);
    report.next_rip = 0x1003;
    report.info_1 = 1ull << 63 | 5; /* reserved there */
    assert_int_equal(exit_of(0x14)->insn_len, 0);
}

static void with_them_a_mov_names_its_register(void **state)
{
    (void)state;
    guest_with(NP | NRIP | DECODE);
    report.next_rip = 0x1003;
    report.info_1 = 1ull << 63 | 13;
    const struct vexit *exit = exit_of(0x14);
    assert_int_equal(exit->kind, VEXIT_CR_WRITE);
    assert_int_equal(exit->insn_len, 3);
    assert_int_equal(exit->cr.cr, 4);
    assert_int_equal(exit->cr.gpr, 13);
    exit = exit_of(0x10);
    assert_int_equal(exit->insn_len, 3);
    assert_int_equal(exit->cr.cr, 0);
    report.info_1 = 0; /* LMSW, which no register is told of */
    assert_int_equal(exit_of(0x10)->insn_len, 0);
}

/* --- nested page faults ----------------------------------------------------------------------- */

static void nested_page_faults_are_told_apart(void **state)
{
    (void)state;
    guest_with(NP);
    report.info_1 = 1ull << 32 | 6; /* a user's write, of the final address */
    report.info_2 = 0xFEBD0004;
    const struct vexit *exit = exit_of(0x400);
    assert_int_equal(exit->kind, VEXIT_NPF);
    assert_true(exit->npf.gpa == 0xFEBD0004);
    assert_true(exit->npf.write && !exit->npf.fetch && !exit->npf.in_page_walk);
    assert_false(exit->npf.gva_valid);
    assert_int_equal(exit->npf.insn_count, 0);
    report.info_1 = 1ull << 33 | 4;
    exit = exit_of(0x400);
    assert_true(!exit->npf.write && !exit->npf.fetch && exit->npf.in_page_walk);
    report.info_1 = 1ull << 32 | 0x14;
    assert_true(exit_of(0x400)->npf.fetch);
    report.info_1 = 1ull << 32 | 0xD;
    assert_int_equal(exit_of(0x400)->kind, VEXIT_NPF_MISCONFIG);
}

static void nested_page_fault_with_bytes(struct vmcb *vmcb)
{
    exits(vmcb);
    vmcb->control.fetched_count = 15;
    memset(vmcb->control.fetched, 0x90, 15);
}

static void bytes_are_taken_with_decode_assists_alone(void **state)
{
    (void)state;
    guest_with(NP | DECODE);
    rig.guest = nested_page_fault_with_bytes;
    const struct vexit *exit = exit_of(0x400);
    assert_int_equal(exit->npf.insn_count, 15);
    assert_int_equal(exit->npf.insn[14], 0x90);
    guest_with(NP);
    rig.guest = nested_page_fault_with_bytes;
    assert_int_equal(exit_of(0x400)->npf.insn_count, 0);
}

/* --- exceptions ------------------------------------------------------------------------------- */

static void intercepted_exceptions_carry_what_their_handlers_need(void **state)
{
    (void)state;
    guest_with(NP);
    report.info_1 = 0;
    svm_backend.reg_set(cpu, VREG_DR6, 0xFFFF4FF2); /* BS and B1 */
    const struct vexit *exit = exit_of(0x41);
    assert_int_equal(exit->kind, VEXIT_EXCEPTION);
    assert_int_equal(exit->exception.vector, 1);
    assert_int_equal(exit->exception_address, 0x4002);
    assert_false(exit->exception.has_error);
    exit = exit_of(0x51);
    assert_int_equal(exit->exception.vector, 17);
    assert_true(exit->exception.has_error);
    assert_int_equal(exit_of(0x52)->exception.vector, 18);
    assert_int_equal(exit_of(0x7E)->exception.vector, 16); /* FERR_FREEZE: #MF */
    assert_int_equal(exit->kind, VEXIT_EXCEPTION);
}

/* --- events whose delivery was broken off ----------------------------------------------------- */

static void check_interrupted(uint64_t info, enum vevent_type type, uint8_t vector)
{
    report.int_info = info;
    const struct vexit *exit = exit_of(0x400);
    assert_int_equal(exit->interrupted.type, type);
    if (type != VEVENT_NONE)
        assert_int_equal(exit->interrupted.vector, vector);
}

static void interrupted_events_are_told(void **state)
{
    (void)state;
    guest_with(NP);
    check_interrupted(0x31, VEVENT_NONE, 0); /* V is clear */
    check_interrupted(0x80000031, VEVENT_IRQ, 0x31);
    check_interrupted(0x80000202, VEVENT_NMI, 2);
    check_interrupted(0x80000306, VEVENT_EXCEPTION, 6);
    assert_false(rig.exit.interrupted.has_error);
    check_interrupted(0x0000001580000B0Eull, VEVENT_EXCEPTION, 14);
    assert_true(rig.exit.interrupted.has_error);
    assert_int_equal(rig.exit.interrupted.error, 0x15);
    check_interrupted(0x80000303, VEVENT_SW_EXCEPTION, 3); /* INT3 */
    check_interrupted(0x80000304, VEVENT_SW_EXCEPTION, 4); /* INTO */
    check_interrupted(0x80000480, VEVENT_SW_INT, 0x80);
}

static uint64_t injected(struct vevent event)
{
    cpu->inject = event;
    uint64_t word = rig_run()->control.event_inj;
    assert_int_equal(cpu->inject.type, VEVENT_NONE);
    assert_int_equal(rig_run()->control.event_inj, 0);
    return word;
}

static void events_enter_once(void **state)
{
    (void)state;
    guest_with(NP | CLEAN);
    report.code = 0x72;
    assert_int_equal(injected((struct vevent){.type = VEVENT_IRQ, .vector = 0x31}), 0x80000031);
    assert_int_equal(injected((struct vevent){.type = VEVENT_NMI, .vector = 2}), 0x80000202);
    assert_int_equal(injected((struct vevent){.type = VEVENT_EXCEPTION, .vector = 6}), 0x80000306);
    assert_true(injected((struct vevent){
                    .type = VEVENT_EXCEPTION, .vector = 13, .has_error = true, .error = 0xFFF8}) ==
                0x0000FFF880000B0Dull);
}

/* RIP points at the instruction, which comes again. */
static void software_events_are_not_injected(void **state)
{
    (void)state;
    guest_with(NP);
    report.code = 0x72;
    assert_int_equal(injected((struct vevent){.type = VEVENT_SW_INT, .vector = 0x80}), 0);
    assert_int_equal(injected((struct vevent){.type = VEVENT_SW_EXCEPTION, .vector = 3}), 0);
}

/* APM "Event Injection": the address that is pushed lies behind the INT3, and comes from RIP or, in
 * a CPU with next-RIP save, from there. */
static void an_intercepted_int3_enters_as_one_with_rip_behind_it(void **state)
{
    (void)state;
    guest_with(NP);
    report.code = 0x72;
    cpu->rip = 0x1000;
    cpu->inject = (struct vevent){.type = VEVENT_SW_EXCEPTION, .vector = 3, .insn_len = 2};
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->control.event_inj, 0x80000303);
    assert_int_equal(vmcb->save.rip, 0x1002);
    assert_int_equal(vmcb->control.next_rip, 0x1002);

    cpu->inject = (struct vevent){.type = VEVENT_SW_INT, .vector = 0x80, .insn_len = 2};
    cpu->rip = 0x1000;
    vmcb = rig_run();
    assert_int_equal(vmcb->control.event_inj, 0x80000480);
    assert_int_equal(vmcb->save.rip, 0x1002);
}

/* RIP is the INT3's again, for a second try with the same length. */
static void an_int3_whose_delivery_breaks_off_is_at_its_place_again(void **state)
{
    (void)state;
    guest_with(NP);
    cpu->rip = 0x1000;
    cpu->inject = (struct vevent){.type = VEVENT_SW_EXCEPTION, .vector = 3, .insn_len = 1};
    report.code = 0x4E;
    report.int_info = 0x80000303;
    rig_run();
    assert_int_equal(cpu->rip, 0x1000);
    assert_int_equal(rig.exit.interrupted.type, VEVENT_SW_EXCEPTION);
    assert_int_equal(rig.exit.interrupted.insn_len, 1);
}

/* INTO, two bytes with its prefix. */
static void an_into_likewise(void **state)
{
    (void)state;
    guest_with(NP);
    cpu->rip = 0x1000;
    cpu->inject = (struct vevent){.type = VEVENT_SW_EXCEPTION, .vector = 4, .insn_len = 2};
    report.code = 0x4E;
    report.int_info = 0x80000304;
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->control.event_inj, 0x80000304);
    assert_int_equal(vmcb->save.rip, 0x1002);
    assert_int_equal(cpu->rip, 0x1000);
    assert_int_equal(rig.exit.interrupted.type, VEVENT_SW_EXCEPTION);
    assert_int_equal(rig.exit.interrupted.insn_len, 2);
}

/* The INT3 came; its handler has an INTO, whose delivery breaks off: RIP is there already. */
static void one_of_the_guests_own_behind_it_has_no_length(void **state)
{
    (void)state;
    guest_with(NP);
    cpu->rip = 0x1000;
    cpu->inject = (struct vevent){.type = VEVENT_SW_EXCEPTION, .vector = 3, .insn_len = 1};
    report.code = 0x4E;
    report.int_info = 0x80000304;
    report.rip = 0x5000;
    rig_run();
    assert_int_equal(cpu->rip, 0x5000);
    assert_int_equal(rig.exit.interrupted.vector, 4);
    assert_int_equal(rig.exit.interrupted.insn_len, 0);
}

/* --- the trap behind an emulated instruction -------------------------------------------------- */

static void a_pending_debug_trap_enters_as_an_exception(void **state)
{
    (void)state;
    guest_with(NP);
    report.code = 0x72;
    rig_run();
    svm_backend.reg_set(cpu, VREG_DR6, 0xFFFF0FF0);
    svm_backend.reg_set(cpu, VREG_PENDING_DB, 0x4000);
    assert_false(svm_backend.can_take(cpu, VWINDOW_NMI));
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->control.event_inj, 0x80000301);
    assert_int_equal(vmcb->save.dr6, 0xFFFF4FF0);
    assert_int_equal(svm_backend.reg_get(cpu, VREG_PENDING_DB), 0);
    assert_int_equal(rig_run()->control.event_inj, 0);
}

/* --- the interrupt window --------------------------------------------------------------------- */

static void an_interrupt_window_is_a_virtual_interrupt_that_exits(void **state)
{
    (void)state;
    guest_with(NP);
    report.code = 0x64;
    svm_backend.want_window(cpu, VWINDOW_IRQ, true);
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->control.v_intr, 1u << 24 | 1u << 20 | 15u << 16 | 1u << 8);
    assert_int_equal(vmcb->control.intercept_3 & 1u << 4, 1u << 4);
    assert_int_equal(rig.exit.kind, VEXIT_IRQ_WINDOW);
    svm_backend.want_window(cpu, VWINDOW_IRQ, false);
    vmcb = rig_run();
    assert_int_equal(vmcb->control.v_intr, 1u << 24);
    assert_int_equal(vmcb->control.intercept_3 & 1u << 4, 0);
}

static void a_guest_takes_interrupts_by_its_flag_and_shadow(void **state)
{
    (void)state;
    guest_with(NP);
    cpu->rflags = 0x202;
    assert_true(svm_backend.can_take(cpu, VWINDOW_IRQ));
    cpu->int_shadow = 1;
    assert_false(svm_backend.can_take(cpu, VWINDOW_IRQ));
    assert_int_equal(rig_run()->control.interrupt_shadow, 1);
    cpu->int_shadow = 0;
    cpu->rflags = 2;
    assert_false(svm_backend.can_take(cpu, VWINDOW_IRQ));
    cpu->rflags = 0x202;
    cpu->inject.type = VEVENT_EXCEPTION;
    assert_false(svm_backend.can_take(cpu, VWINDOW_IRQ));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exits_have_neutral_names),
        cmocka_unit_test(a_refused_entry_is_known_in_both_widths),
        cmocka_unit_test(next_rip_gives_the_length_where_the_cpu_saves_it),
        cmocka_unit_test(ports_tell_all_but_the_segment_of_outs),
        cmocka_unit_test(decode_assists_name_the_segment),
        cmocka_unit_test(the_length_of_port_io_wraps_with_rip),
        cmocka_unit_test(without_decode_assists_cr_accesses_are_read_from_their_bytes),
        cmocka_unit_test(with_them_a_mov_names_its_register),
        cmocka_unit_test(nested_page_faults_are_told_apart),
        cmocka_unit_test(bytes_are_taken_with_decode_assists_alone),
        cmocka_unit_test(intercepted_exceptions_carry_what_their_handlers_need),
        cmocka_unit_test(interrupted_events_are_told),
        cmocka_unit_test(events_enter_once),
        cmocka_unit_test(software_events_are_not_injected),
        cmocka_unit_test(an_intercepted_int3_enters_as_one_with_rip_behind_it),
        cmocka_unit_test(an_int3_whose_delivery_breaks_off_is_at_its_place_again),
        cmocka_unit_test(an_into_likewise),
        cmocka_unit_test(one_of_the_guests_own_behind_it_has_no_length),
        cmocka_unit_test(a_pending_debug_trap_enters_as_an_exception),
        cmocka_unit_test(an_interrupt_window_is_a_virtual_interrupt_that_exits),
        cmocka_unit_test(a_guest_takes_interrupts_by_its_flag_and_shadow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
