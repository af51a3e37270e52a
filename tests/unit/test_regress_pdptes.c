/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"
#include "virt/x86.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct fake fake;

/* SDM "PDPTE Registers": in PAE paging, MOV to CR0 that changes CD or NW loads the four entries
 * anew, and a reserved bit in a present one is #GP(0). The backend loads them on every such write,
 * so what isn't refused here fails the next VM entry. */
static void changing_cd_checks_the_pdptes(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    fake.reg[VREG_CR0] = X86_CR0_PE | X86_CR0_ET | X86_CR0_PG;
    fake.reg[VREG_CR4] = X86_CR4_PAE;
    fake.reg[VREG_CR3] = 0x2000;
    fake.ram[0x2000] = 0x07; /* present, and the reserved bits 1 and 2 */
    fake.vcpu.gpr[VGPR_RAX] = X86_CR0_PE | X86_CR0_ET | X86_CR0_PG | X86_CR0_CD;
    struct vexit exit = {.kind = VEXIT_CR_WRITE, .insn_len = 3};
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_EXCEPTION);
    assert_int_equal(fake.vcpu.inject.vector, X86_GP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changing_cd_checks_the_pdptes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
