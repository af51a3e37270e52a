/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"
#include "lib/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;
static char text[16384]; /* what the report printed */
static size_t text_len;

/* Takes the place of the stand-in in support.c. */
void log_raw(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text + text_len, sizeof(text) - text_len, format, args);
    va_end(args);
    assert_in_range(text_len + (size_t)len, 0, sizeof(text) - 1);
    text_len += (size_t)len;
}

static int setup(void **state)
{
    (void)state;
    text_len = 0;
    text[0] = '\0';
    fake_init(&fake);
    return 0;
}

static void assert_printed(const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in the report:\n%s", part, text);
}

/* --- birth and reset -------------------------------------------------------------------------- */

static hpa_t no_frames(void *ctx, unsigned count)
{
    (void)ctx;
    (void)count;
    return 0;
}

static void creation_fails_when_frames_run_out(void **state)
{
    (void)state;
    struct frame_source frames = {no_frames, NULL};
    assert_false(vcpu_create(&fake.vcpu, &fake_backend, &frames));
}

static void reset_brings_power_on_state_back(void **state)
{
    (void)state;
    struct vcpu *vcpu = &fake.vcpu;
    vcpu->halted = vcpu->nmi_pending = vcpu->irq_high = vcpu->irq_held = true;
    vcpu->inject = (struct vevent){.type = VEVENT_IRQ, .vector = 1};
    fake.reg[VREG_DR2] = 7;
    vcpu->tsc_adjust = 9;
    vcpu->mtrr[27] = 0;
    vcpu->windows_wanted = 1 << VWINDOW_IRQ;
    fake.window[VWINDOW_IRQ] = true;
    fake.reg[VREG_CR4] = 1 << 18;
    fake_exit(&fake, VEXIT_TRIPLE_FAULT, 0);
    fake.xcr0_loaded = 7;
    vcpu_reset(vcpu);
    assert_int_equal(vcpu->attention, 0);
    assert_int_equal(vcpu->stop, VM_RUNNING);
    assert_string_equal(vcpu->stop_reason, "");
    assert_int_equal(vcpu->inject.type, VEVENT_NONE);
    assert_int_equal(vcpu->rip, 0xfff0);
    assert_int_equal(vcpu->rflags, 2);
    assert_int_equal(vcpu->xcr0, 1);
    assert_int_equal(fake.xcr0_loaded, 1);
    assert_int_equal(fake.reg[VREG_DR2], 0);
    assert_int_equal(fake.reg[VREG_DR6], 0xffff0ff0);
    assert_int_equal(vcpu->tsc_adjust, 0);
    assert_int_equal(vcpu->mtrr[27], 0xc06);
    assert_false(fake.window[VWINDOW_IRQ]);
    assert_int_equal(fake.reg[VREG_CR0], 0x60000010);
}

static void a_guest_runs_again_after_a_reset(void **state)
{
    (void)state;
    assert_int_equal(vcpu_run(&fake.vcpu), VM_STOP_TRIPLE_FAULT);
    vcpu_reset(&fake.vcpu);
    fake_script(&fake, VEXIT_CPUID);
    assert_int_equal(vcpu_run(&fake.vcpu), VM_STOP_TRIPLE_FAULT);
    assert_int_equal(fake.entries, 3);
}

static void reset_without_xsave_leaves_xcr0_alone(void **state)
{
    (void)state;
    fake.facts.xcr0_allowed = 0;
    fake.facts.xsetbv = NULL;
    vcpu_reset(&fake.vcpu);
    assert_int_equal(fake.vcpu.xcr0, 1);
}

/* --- stops ------------------------------------------------------------------------------------ */

static void the_first_stop_wins(void **state)
{
    (void)state;
    vcpu_stop(&fake.vcpu, VM_STOP_POWER_OFF, "first %d", 1);
    vcpu_stop(&fake.vcpu, VM_STOP_RESET, "second");
    assert_int_equal(fake.vcpu.stop, VM_STOP_POWER_OFF);
    assert_string_equal(fake.vcpu.stop_reason, "first 1");
    assert_true(fake.vcpu.stopped);
}

static void a_long_reason_is_cut_and_ended(void **state)
{
    (void)state;
    char longer[400];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    vcpu_stop(&fake.vcpu, VM_STOP_RESET, "%s", longer);
    assert_int_equal(strlen(fake.vcpu.stop_reason), sizeof(fake.vcpu.stop_reason) - 1);
}

static void every_stop_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VM_STOP_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(vm_stop_name(i), vm_stop_name(j));
    assert_string_equal(vm_stop_name(VM_STOP_TRIPLE_FAULT), "triple fault");
    assert_string_equal(vm_stop_name(VM_STOP_COUNT), "invalid");
}

/* --- the report ------------------------------------------------------------------------------- */

static void the_report_shows_reason_registers_and_segments(void **state)
{
    (void)state;
    fake.vcpu.gpr[VGPR_RAX] = 0x1122334455667788;
    fake.vcpu.gpr[VGPR_R15] = 0xfedcba9876543210;
    fake.reg[VREG_CR2] = 0xffff800012345678;
    fake_exit(&fake, VEXIT_TRIPLE_FAULT, 0);
    vcpu_report(&fake.vcpu);
    assert_printed(
        "guest stopped: triple fault: no handler could take an exception at RIP 0x1000\n");
    assert_printed("RIP 0000000000001000  RFLAGS 00000202\n");
    assert_printed("RAX 1122334455667788");
    assert_printed("R15 fedcba9876543210\n");
    assert_printed("CR0 80050033  CR2 ffff800012345678  CR3 0000000000002000  CR4 000006a0\n");
    assert_printed("CS   0010  base 0000000000000000  limit ffffffff  access a09b\n");
    assert_printed("TR   0040");
    assert_int_equal(fake.dumps, 0);
}

static void the_report_lists_the_last_16_exits_by_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        fake_exit(&fake, VEXIT_CPUID, 2);
    }
    vcpu_stop(&fake.vcpu, VM_STOP_POWER_OFF, "test");
    account_end(&fake.vcpu.account, 0);
    vcpu_report(&fake.vcpu);
    assert_printed("last 16 exits, oldest first:\n");
    assert_printed("  RIP 0000000000001030  CPUID (reason 0x0)  detail 0\n");
    assert_printed("  RIP 000000000000104e  CPUID (reason 0x0)  detail 0\n");
    assert_null(strstr(text, "RIP 000000000000102e"));
    assert_printed("          40  CPUID  ");
    assert_null(strstr(text, "  HLT"));
}

static void a_report_before_the_first_exit_is_fine(void **state)
{
    (void)state;
    vcpu_stop(&fake.vcpu, VM_STOP_RESET, "test");
    vcpu_report(&fake.vcpu);
    assert_printed("last 0 exits");
}

static void our_own_failures_dump_the_control_structure(void **state)
{
    (void)state;
    struct vexit exit = {.kind = VEXIT_ENTRY_FAILED, .entry_error = 7};
    exit_handle(&fake.vcpu, &exit);
    vcpu_report(&fake.vcpu);
    assert_int_equal(fake.dumps, 1);
    assert_printed("entry failed: the CPU refused to enter the guest, error 7\n");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(creation_fails_when_frames_run_out),
        TEST(reset_brings_power_on_state_back),
        TEST(a_guest_runs_again_after_a_reset),
        TEST(reset_without_xsave_leaves_xcr0_alone),
        TEST(the_first_stop_wins),
        TEST(a_long_reason_is_cut_and_ended),
        TEST(every_stop_has_a_name_of_its_own),
        TEST(the_report_shows_reason_registers_and_segments),
        TEST(the_report_lists_the_last_16_exits_by_name),
        TEST(a_report_before_the_first_exit_is_fine),
        TEST(our_own_failures_dump_the_control_structure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
