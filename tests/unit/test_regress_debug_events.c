/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"
#include "virt/x86.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct fake fake;

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    return 0;
}

static void debug_exception(enum vevent_type type, uint64_t causes)
{
    struct vexit exit = {.kind = VEXIT_EXCEPTION, .insn_len = 1, .exception_address = causes};
    exit.exception = (struct vevent){.type = type, .vector = X86_DB};
    exit_handle(&fake.vcpu, &exit);
}

/* SDM "Checks on Guest Non-Register State": with TF set and STI or MOV SS blocking events, BS must
 * be pending; a CPU doesn't save it when #DB itself was the exit. An entry that injects has no
 * blocking anyway. */
static void a_debug_exception_enters_again_without_the_shadow(void **state)
{
    (void)state;
    static const enum vevent_type types[] = {VEVENT_EXCEPTION, VEVENT_PRIV_SW_EXCEPTION};
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        fake_init(&fake);
        fake.vcpu.rflags |= X86_RFLAGS_TF;
        fake.vcpu.int_shadow = 1;
        debug_exception(types[i], X86_DR6_BS);
        assert_int_equal(fake.vcpu.inject.vector, X86_DB);
        assert_true(fake.vcpu.int_shadow == 0 || (fake.reg[VREG_PENDING_DB] & X86_DR6_BS) != 0);
    }
}

/* SDM "Debug Control Register (DR7)": "the processor clears the GD flag upon entering to the
 * debug exception handler", which neither an exit nor an injection does for it. */
static void a_debug_exception_clears_general_detect(void **state)
{
    (void)state;
    fake.reg[VREG_DR7] = 0x2400;
    debug_exception(VEVENT_EXCEPTION, X86_DR6_BD);
    assert_int_equal(fake.vcpu.inject.vector, X86_DB);
    assert_int_equal(fake.reg[VREG_DR7], 0x400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_debug_exception_enters_again_without_the_shadow, setup),
        cmocka_unit_test_setup(a_debug_exception_clears_general_detect, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
