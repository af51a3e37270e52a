/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"
#include "virt/insn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    return 0;
}

static void assert_injected(uint8_t vector, bool has_error, uint32_t error)
{
    assert_int_equal(fake.vcpu.inject.type, VEVENT_EXCEPTION);
    assert_int_equal(fake.vcpu.inject.vector, vector);
    assert_int_equal(fake.vcpu.inject.has_error, has_error);
    assert_int_equal(fake.vcpu.inject.error, error);
}

/* --- RIP -------------------------------------------------------------------------------------- */

/* What each kind does to RIP when the hardware reports an instruction of 3 bytes, with registers
 * that every handler accepts. */
static void every_kind_moves_rip_or_leaves_it(void **state)
{
    (void)state;
    static const struct {
        enum vexit_kind kind;
        uint8_t moved; /* 3 or 0 */
        uint8_t vector;
        bool injects;
        enum vm_stop stop;
    } table[] = {
        {VEXIT_HOST_IRQ, 0, 0, false, VM_RUNNING},
        {VEXIT_HOST_NMI, 0, 0, false, VM_RUNNING},
        {VEXIT_DEADLINE, 0, 0, false, VM_RUNNING},
        {VEXIT_IRQ_WINDOW, 0, 0, false, VM_RUNNING},
        {VEXIT_NMI_WINDOW, 0, 0, false, VM_RUNNING},
        {VEXIT_CPUID, 3, 0, false, VM_RUNNING},
        {VEXIT_HLT, 3, 0, false, VM_RUNNING},
        {VEXIT_PIO, 3, 0, false, VM_RUNNING},
        {VEXIT_RDMSR, 3, 0, false, VM_RUNNING},
        {VEXIT_WRMSR, 3, 0, false, VM_RUNNING},
        {VEXIT_CR_READ, 3, 0, false, VM_RUNNING},
        {VEXIT_CR_WRITE, 0, 13, true, VM_RUNNING}, /* CR0 := 10h without PG in 64-bit mode */
        {VEXIT_CLTS, 3, 0, false, VM_RUNNING},
        {VEXIT_LMSW, 3, 0, false, VM_RUNNING},
        {VEXIT_DR_ACCESS, 3, 0, false, VM_RUNNING},
        {VEXIT_XSETBV, 0, 6, true, VM_RUNNING}, /* CR4.OSXSAVE is clear */
        {VEXIT_NPF, 0, 0, false, VM_RUNNING},   /* the stand-in for mmio.c retries */
        {VEXIT_NPF_MISCONFIG, 0, 0, false, VM_STOP_UNKNOWN_EXIT},
        {VEXIT_EXCEPTION, 0, 6, true, VM_RUNNING},
        {VEXIT_TRIPLE_FAULT, 0, 0, false, VM_STOP_TRIPLE_FAULT},
        {VEXIT_TASK_SWITCH, 0, 0, false, VM_RUNNING}, /* the stand-in for task.c */
        {VEXIT_INVD, 3, 0, false, VM_RUNNING},
        {VEXIT_WBINVD, 3, 0, false, VM_RUNNING},
        {VEXIT_INVLPG, 3, 0, false, VM_RUNNING},
        {VEXIT_RDTSC, 3, 0, false, VM_RUNNING},
        {VEXIT_RDTSCP, 3, 0, false, VM_RUNNING},
        {VEXIT_RDPMC, 0, 13, true, VM_RUNNING},
        {VEXIT_HYPERCALL, 3, 0, false, VM_RUNNING},
        {VEXIT_VIRT_INSN, 0, 6, true, VM_RUNNING},
        {VEXIT_UNDEFINED_INSN, 0, 6, true, VM_RUNNING},
        {VEXIT_PAUSE, 3, 0, false, VM_RUNNING},
        {VEXIT_INIT, 0, 0, false, VM_RUNNING},
        {VEXIT_SIPI, 0, 0, false, VM_RUNNING},
        {VEXIT_INT, 0, 0, false, VM_RUNNING}, /* the stand-in for debug_point.c */
        {VEXIT_STEP, 0, 0, false, VM_RUNNING},
        {VEXIT_APIC_TPR, 0, 0, false, VM_RUNNING},
        {VEXIT_APIC_EOI, 0, 0, false, VM_RUNNING},
        {VEXIT_APIC_WRITE, 0, 0, false, VM_RUNNING},
        {VEXIT_ENTRY_FAILED, 0, 0, false, VM_STOP_ENTRY_FAILED},
        {VEXIT_UNKNOWN, 0, 0, false, VM_STOP_UNKNOWN_EXIT},
    };
    _Static_assert(ARRAY_SIZE(table) == VEXIT_KIND_COUNT, "each kind once");
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init(&fake);
        struct vexit exit = {.kind = table[i].kind, .insn_len = 3};
        fake.vcpu.gpr[VGPR_RAX] = 0x10;
        fake.vcpu.gpr[VGPR_RCX] = 0x8b;
        fake.vcpu.gpr[VGPR_RBX] = 0x10;
        switch (table[i].kind) {
        case VEXIT_PIO:
            exit.pio.size = 1;
            break;
        case VEXIT_CR_READ:
        case VEXIT_CR_WRITE:
            exit.cr.gpr = VGPR_RBX;
            break;
        case VEXIT_EXCEPTION:
            exit.exception = (struct vevent){.type = VEVENT_EXCEPTION, .vector = 6};
            break;
        default:
            break;
        }
        exit_handle(&fake.vcpu, &exit);
        assert_int_equal(table[i].kind, i);
        assert_int_equal(fake.vcpu.rip, 0x1000 + table[i].moved);
        assert_int_equal(fake.vcpu.inject.type, table[i].injects ? VEVENT_EXCEPTION : VEVENT_NONE);
        if (table[i].injects)
            assert_int_equal(fake.vcpu.inject.vector, table[i].vector);
        assert_int_equal(fake.vcpu.stop, table[i].stop);
        assert_int_equal(fake.vcpu.stopped, table[i].stop != VM_RUNNING);
        assert_int_equal(fake.vcpu.exits, 1);
    }
}

/* --- exits without a length ------------------------------------------------------------------- */

/* In the place of insn.c. */
static struct {
    unsigned calls;
    enum exit_action action;
    enum vexit_kind kind; /* what the bytes turn out to be */
    uint8_t length;
} completion;

enum exit_action insn_complete(struct vcpu *vcpu, struct vexit *exit)
{
    assert_ptr_equal(vcpu, &fake.vcpu);
    completion.calls++;
    exit->kind = completion.kind;
    exit->insn_len = completion.length;
    return completion.action;
}

static bool is_instruction(enum vexit_kind kind)
{
    static const enum vexit_kind instructions[] = {
        VEXIT_CPUID,     VEXIT_HLT,    VEXIT_PIO,    VEXIT_RDMSR,  VEXIT_WRMSR,     VEXIT_CR_READ,
        VEXIT_CR_WRITE,  VEXIT_CLTS,   VEXIT_LMSW,   VEXIT_INVD,   VEXIT_DR_ACCESS, VEXIT_XSETBV,
        VEXIT_HYPERCALL, VEXIT_WBINVD, VEXIT_INVLPG, VEXIT_RDTSCP, VEXIT_RDTSC,     VEXIT_PAUSE,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++)
        if (instructions[i] == kind)
            return true;
    return false;
}

static void instructions_without_a_length_and_nothing_else_are_completed(void **state)
{
    (void)state;
    for (unsigned length = 0; length <= 2; length += 2) {
        for (unsigned kind = 0; kind < VEXIT_KIND_COUNT; kind++) {
            fake_init(&fake);
            memset(&completion, 0, sizeof(completion));
            completion.action = EXIT_RETRY;
            completion.kind = kind;
            struct vexit exit = {.kind = kind, .insn_len = length};
            exit.pio.size = 1;
            exit_handle(&fake.vcpu, &exit);
            assert_int_equal(completion.calls, length == 0 && is_instruction(kind));
            assert_int_equal(fake.vcpu.exits, 1);
            if (completion.calls)
                assert_int_equal(fake.vcpu.rip, 0x1000);
        }
    }
}

static void a_completed_instruction_advances_by_the_length_of_its_bytes(void **state)
{
    (void)state;
    completion.action = EXIT_ADVANCE;
    completion.kind = VEXIT_CPUID;
    completion.length = 7;
    fake_exit(&fake, VEXIT_CPUID, 0);
    assert_int_equal(fake.vcpu.rip, 0x1007);
    assert_int_equal(fake.vcpu.exits, 1);
}

static void what_cannot_be_completed_is_not_handled(void **state)
{
    (void)state;
    static const enum exit_action actions[] = {EXIT_RETRY, EXIT_INJECT, EXIT_STOP};
    for (unsigned i = 0; i < ARRAY_SIZE(actions); i++) {
        completion.action = actions[i];
        completion.kind = VEXIT_HLT;
        fake_exit(&fake, VEXIT_HLT, 0);
        assert_false(fake.vcpu.halted);
        completion.kind = VEXIT_INVLPG;
        fake_exit(&fake, VEXIT_INVLPG, 0);
        assert_int_equal(fake.flushes, 0);
        assert_int_equal(fake.vcpu.rip, 0x1000);
    }
}

static void the_bytes_decide_which_instruction_it_is(void **state)
{
    (void)state;
    completion.action = EXIT_ADVANCE;
    completion.kind = VEXIT_CLTS;
    completion.length = 2;
    fake.reg[VREG_CR0] |= 8;
    fake_exit(&fake, VEXIT_CR_WRITE, 0);
    assert_int_equal(fake.reg[VREG_CR0] & 8, 0);
    assert_int_equal(fake.vcpu.rip, 0x1002);
    assert_int_equal(fake.vcpu.exits, 1);
}

/* --- more of RIP ------------------------------------------------------------------------------ */

static void rip_wraps_with_the_code_segment(void **state)
{
    (void)state;
    static const struct {
        unsigned bits;
        uint64_t before, after;
    } table[] = {
        {16, 0xffff, 0x1},
        {16, 0xfffe, 0x0},
        {16, 0xfffd, 0xffff},
        {32, 0xffff, 0x10001},
        {32, 0xffffffff, 0x1},
        {64, 0xffffffff, 0x100000001},
        {64, 0xffffffff81000000, 0xffffffff81000002},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init_bits(&fake, table[i].bits);
        fake.vcpu.rip = table[i].before;
        fake_exit(&fake, VEXIT_CPUID, 2);
        assert_true(fake.vcpu.rip == table[i].after);
    }
}

/* --- what goes with a finished instruction ---------------------------------------------------- */

static void advancing_ends_the_interrupt_shadow(void **state)
{
    (void)state;
    fake.vcpu.int_shadow = 2;
    fake_exit(&fake, VEXIT_CPUID, 2);
    assert_int_equal(fake.vcpu.int_shadow, 0);
}

static void an_injected_fault_leaves_the_shadow_and_sets_rf(void **state)
{
    (void)state;
    fake.vcpu.int_shadow = 1;
    fake_exit(&fake, VEXIT_UNDEFINED_INSN, 2);
    assert_int_equal(fake.vcpu.int_shadow, 1);
    assert_int_equal(fake.vcpu.rflags, 0x10202);
}

static void advancing_clears_rf(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x10202;
    fake_exit(&fake, VEXIT_CPUID, 2);
    assert_int_equal(fake.vcpu.rflags, 0x202);
    assert_int_equal(fake.reg[VREG_PENDING_DB], 0);
}

static void advancing_under_single_step_raises_a_debug_trap(void **state)
{
    (void)state;
    fake.vcpu.rflags = 0x302;
    fake_exit(&fake, VEXIT_CPUID, 2);
    assert_int_equal(fake.reg[VREG_PENDING_DB], 0x4000);
    assert_int_equal(fake.vcpu.rflags, 0x302);
}

/* --- instructions ----------------------------------------------------------------------------- */

static void rdtsc_gives_host_tsc_plus_offset(void **state)
{
    (void)state;
    fake.tsc = 0x1234567890;
    fake.reg[VREG_TSC_OFFSET] = 0x10;
    fake.vcpu.gpr[VGPR_RAX] = fake.vcpu.gpr[VGPR_RDX] = UINT64_MAX;
    fake_exit(&fake, VEXIT_RDTSC, 2);
    assert_true(fake.vcpu.gpr[VGPR_RAX] == 0x345678a0);
    assert_true(fake.vcpu.gpr[VGPR_RDX] == 0x12);
}

static void rdtscp_without_the_feature_is_undefined(void **state)
{
    (void)state;
    fake.facts.rdtscp = false;
    fake_exit(&fake, VEXIT_RDTSCP, 3);
    assert_injected(6, false, 0);
}

static void rdtscp_names_processor_0(void **state)
{
    (void)state;
    fake.tsc = 5;
    fake.vcpu.gpr[VGPR_RCX] = 77;
    fake_exit(&fake, VEXIT_RDTSCP, 3);
    assert_int_equal(fake.vcpu.gpr[VGPR_RAX], 5);
    assert_int_equal(fake.vcpu.gpr[VGPR_RCX], 0);
}

static void hypercalls_have_no_such_number(void **state)
{
    (void)state;
    fake_exit(&fake, VEXIT_HYPERCALL, 3);
    assert_true((int64_t)fake.vcpu.gpr[VGPR_RAX] == -1000);
    fake_init_bits(&fake, 32);
    fake_exit(&fake, VEXIT_HYPERCALL, 3);
    assert_true(fake.vcpu.gpr[VGPR_RAX] == 0xfffffc18);
}

static void a_hypercall_of_a_user_program_is_undefined(void **state)
{
    (void)state;
    fake.seg[VSEG_SS].access |= 3 << 5;
    fake_exit(&fake, VEXIT_HYPERCALL, 3);
    assert_injected(6, false, 0);
}

static void invlpg_flushes(void **state)
{
    (void)state;
    fake_exit(&fake, VEXIT_INVLPG, 3);
    assert_int_equal(fake.flushes, 1);
}

static void hlt_is_complete_before_the_cpu_is_halted(void **state)
{
    (void)state;
    fake_exit(&fake, VEXIT_HLT, 1);
    assert_true(fake.vcpu.halted);
    assert_int_equal(fake.vcpu.rip, 0x1001);
}

/* --- memory and stops ------------------------------------------------------------------------- */

static void a_nested_fault_goes_to_the_emulator_which_tells_the_length(void **state)
{
    (void)state;
    fake.mmio_action = EXIT_ADVANCE;
    struct vexit exit = {.kind = VEXIT_NPF};
    exit.npf.gpa = 0xfee00000;
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.mmio_calls, 1);
    assert_int_equal(fake.vcpu.rip, 0x1003); /* the stand-in's length */
    assert_int_equal(exit.raw_qualification, 0xfee00000);
}

static void a_task_switch_goes_to_its_emulation_and_rip_stays(void **state)
{
    (void)state;
    struct vexit exit = {.kind = VEXIT_TASK_SWITCH, .insn_len = 7};
    exit.task_switch.selector = 0x48;
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.task_switch_selector, 0x48);
    assert_int_equal(fake.vcpu.rip, 0x1000);
}

static void an_unknown_exit_keeps_the_raw_numbers(void **state)
{
    (void)state;
    struct vexit exit = {.kind = VEXIT_UNKNOWN, .raw_reason = 0x63, .raw_qualification = 0x1234};
    exit_handle(&fake.vcpu, &exit);
    assert_string_equal(fake.vcpu.stop_reason, "unknown exit, reason 0x63, qualification 0x1234");
}

static void a_failed_entry_keeps_its_error_for_the_report(void **state)
{
    (void)state;
    struct vexit exit = {.kind = VEXIT_ENTRY_FAILED, .entry_error = 7};
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.vcpu.stop, VM_STOP_ENTRY_FAILED);
    assert_int_equal(fake.vcpu.entry_error, 7);
}

/* --- bookkeeping ------------------------------------------------------------------------------ */

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VEXIT_KIND_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(vexit_kind_name(i), vexit_kind_name(j));
    assert_string_equal(vexit_kind_name(VEXIT_KIND_COUNT), "invalid");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_moves_rip_or_leaves_it),
        TEST(instructions_without_a_length_and_nothing_else_are_completed),
        TEST(a_completed_instruction_advances_by_the_length_of_its_bytes),
        TEST(what_cannot_be_completed_is_not_handled),
        TEST(the_bytes_decide_which_instruction_it_is),
        TEST(rip_wraps_with_the_code_segment),
        TEST(advancing_ends_the_interrupt_shadow),
        TEST(an_injected_fault_leaves_the_shadow_and_sets_rf),
        TEST(advancing_clears_rf),
        TEST(advancing_under_single_step_raises_a_debug_trap),
        TEST(rdtsc_gives_host_tsc_plus_offset),
        TEST(rdtscp_without_the_feature_is_undefined),
        TEST(rdtscp_names_processor_0),
        TEST(hypercalls_have_no_such_number),
        TEST(a_hypercall_of_a_user_program_is_undefined),
        TEST(invlpg_flushes),
        TEST(hlt_is_complete_before_the_cpu_is_halted),
        TEST(a_nested_fault_goes_to_the_emulator_which_tells_the_length),
        TEST(a_task_switch_goes_to_its_emulation_and_rip_stays),
        TEST(an_unknown_exit_keeps_the_raw_numbers),
        TEST(a_failed_entry_keeps_its_error_for_the_report),
        TEST(every_kind_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
