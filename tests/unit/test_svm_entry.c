/* needs: vmm/virt/nested.c vmm/lib/mem.c */
#include "svm_rig.h"

/* What VMRUN finds in the VMCB, and who holds the CPU between two of them. */

static struct vcpu *const cpu = &rig.vcpu;

/* --- the VMCB --------------------------------------------------------------------------------- */

static void the_first_entry_finds_a_guest_behind_reset(void **state)
{
    (void)state;
    rig_guest(NP, 16);
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->save.efer, 0x1000); /* SVME, which the guest doesn't see */
    assert_int_equal(vmcb->save.cr0, 0x60000010);
    assert_int_equal(vmcb->save.cr4, 0x40); /* MCE, nor that */
    assert_int_equal(svm_backend.reg_get(cpu, VREG_EFER), 0);
    assert_int_equal(svm_backend.reg_get(cpu, VREG_CR4), 0);
    assert_int_equal(vmcb->control.intercept_cr & 1u << 4, 1u << 4); /* reads show no MCE */
    assert_int_equal(vmcb->control.intercept_cr & 1u << 20, 1u << 20);
    assert_int_equal(vmcb->control.intercept_exceptions, 1u << 1 | 1u << 17 | 1u << 18);
    assert_int_equal(vmcb->control.intercept_4 & 1, 1); /* VMRUN, or the CPU refuses */
    assert_int_equal(vmcb->control.np_enable, 1);
    assert_int_equal(vmcb->control.v_intr, 1u << 24); /* V_INTR_MASKING alone */
    assert_int_equal(vmcb->save.rip, 0xFFF0);
    assert_int_equal(vmcb->save.cs.attributes, 0x09B);
    assert_true(vmcb->save.cs.base == 0xFFFF0000);
    assert_int_equal(vmcb->save.cpl, 0);
}

static void ports_and_msrs_exit_unless_opened(void **state)
{
    (void)state;
    rig_guest(NP, 16);
    const uint8_t *iopm = (const uint8_t *)rig_run()->control.iopm_base_pa;
    const uint8_t *msrpm = (const uint8_t *)rig_run()->control.msrpm_base_pa;
    for (unsigned i = 0; i < 0x2001; i++)
        assert_int_equal(iopm[i], 0xFF);
    for (unsigned i = 0; i < 0x2000; i++)
        assert_int_equal(msrpm[i], 0xFF);
    svm_backend.msr_open(cpu, 0x174, true);
    svm_backend.msr_open(cpu, 0xC0000102, true);
    svm_backend.msr_open(cpu, 0xC0010015, false);
    assert_int_equal(msrpm[0x5D], 0xFC);
    assert_int_equal(msrpm[0x840], 0xCF);
    assert_int_equal(msrpm[0x1005], 0xFB);
}

/* VMRUN refuses LME with PG but without LMA to show for it. */
static void lma_follows_lme_and_pg(void **state)
{
    (void)state;
    rig_guest(NP, 16);
    svm_backend.reg_set(cpu, VREG_CR4, 0x20);
    svm_backend.reg_set(cpu, VREG_EFER, 0x100);
    assert_int_equal(rig_run()->save.efer, 0x1100);
    svm_backend.reg_set(cpu, VREG_CR0, 0x80000011);
    assert_int_equal(rig_run()->save.efer, 0x1500);
    assert_int_equal(svm_backend.reg_get(cpu, VREG_EFER), 0x500);
    svm_backend.reg_set(cpu, VREG_CR0, 0x11);
    assert_int_equal(rig_run()->save.efer, 0x1100);
}

static void reads_of_cr4_exit_only_while_it_differs(void **state)
{
    (void)state;
    rig_guest(NP, 16);
    rig.cr4 = 0x20; /* a host without MCE */
    svm_backend.reg_set(cpu, VREG_CR4, 0x20);
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->save.cr4, 0x20);
    assert_int_equal(vmcb->control.intercept_cr & (1u << 20 | 1u << 4), 1u << 20);
}

static void cpl_is_that_of_ss(void **state)
{
    struct vseg seg = {0x2B, 0xC0F3, 0xFFFFFFFF, 0};
    (void)state;
    rig_guest(NP, 16);
    svm_backend.seg_set(cpu, VSEG_SS, &seg);
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->save.cpl, 3);
    assert_int_equal(vmcb->save.ss.attributes, 0xCF3);
    rig.vmcb->save.ss.attributes = 0xC93; /* as SYSRET leaves it */
    svm_backend.seg_get(cpu, VSEG_SS, &seg);
    assert_int_equal(seg.access, 0xC0F3);
}

/* --- clean bits ------------------------------------------------------------------------------- */

static void the_second_entry_is_clean(void **state)
{
    (void)state;
    rig_guest(NP | CLEAN, 16);
    assert_int_equal(rig_run()->control.clean, 0);
    assert_int_equal(rig_run()->control.clean, 0x3FF);
    assert_int_equal(rig_run()->control.clean, 0x3FF);
}

static void without_clean_bits_none_is_set(void **state)
{
    (void)state;
    rig_guest(NP, 16);
    rig_run();
    assert_int_equal(rig_run()->control.clean, 0);
}

static unsigned dirty_after(enum vreg reg)
{
    svm_backend.reg_set(cpu, reg, svm_backend.reg_get(cpu, reg));
    unsigned dirty = 0x3FF & ~rig_run()->control.clean;
    assert_int_equal(rig_run()->control.clean, 0x3FF);
    return dirty;
}

static void what_is_written_is_not_clean(void **state)
{
    static const struct vseg seg = {0x10, 0xA09B, 0xFFFFFFFF, 0};
    (void)state;
    rig_guest(NP | CLEAN | FLUSH, 16);
    rig_run();
    rig_run();
    assert_int_equal(dirty_after(VREG_TSC_OFFSET), 1u << 0);
    assert_int_equal(dirty_after(VREG_PAT), 1u << 4);
    assert_int_equal(dirty_after(VREG_CR0), 1u << 5);
    assert_int_equal(dirty_after(VREG_CR3), 1u << 5);
    assert_int_equal(dirty_after(VREG_CR4), 1u << 5 | 1u << 0);
    assert_int_equal(dirty_after(VREG_EFER), 1u << 5);
    assert_int_equal(dirty_after(VREG_DR7), 1u << 6);
    assert_int_equal(dirty_after(VREG_IDTR_LIMIT), 1u << 7);
    assert_int_equal(dirty_after(VREG_GDTR_BASE), 1u << 7);
    assert_int_equal(dirty_after(VREG_CR2), 1u << 9);
    assert_int_equal(dirty_after(VREG_FS_BASE), 0); /* VMLOAD's */
    svm_backend.seg_set(cpu, VSEG_CS, &seg);
    assert_int_equal(rig_run()->control.clean, 0x3FF & ~(1u << 8));
    svm_backend.want_window(cpu, VWINDOW_IRQ, true);
    assert_int_equal(rig_run()->control.clean, 0x3FF & ~(1u << 0 | 1u << 3));
    svm_backend.msr_open(cpu, 0x174, true);
    assert_int_equal(rig_run()->control.clean, 0x3FF & ~(1u << 1));
}

/* --- translations ----------------------------------------------------------------------------- */

static void a_flush_by_asid_is_asked_for_once(void **state)
{
    (void)state;
    rig_guest(NP | CLEAN | FLUSH, 16);
    uint32_t asid = rig_run()->control.asid;
    assert_in_range(asid, 1, 15);
    assert_int_equal(rig.entry[0].control.tlb_control, 3);
    assert_int_equal(rig_run()->control.tlb_control, 0);
    svm_backend.flush(cpu);
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->control.tlb_control, 3);
    assert_int_equal(vmcb->control.asid, asid);
    assert_int_equal(rig_run()->control.tlb_control, 0);
}

/* What an earlier user of AMD-V left under our ASIDs must not live on. */
static void without_it_the_first_entry_flushes_all(void **state)
{
    (void)state;
    rig_guest(NP | CLEAN, 4);
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->control.tlb_control, 1);
    assert_int_equal(vmcb->control.asid, 1);
}

static void then_each_flush_takes_the_next_asid(void **state)
{
    (void)state;
    rig_guest(NP | CLEAN, 4);
    rig_run();
    for (uint32_t asid = 2; asid < 4; asid++) {
        svm_backend.flush(cpu);
        const struct vmcb *vmcb = rig_run();
        assert_int_equal(vmcb->control.asid, asid);
        assert_int_equal(vmcb->control.tlb_control, 0);
        assert_int_equal(vmcb->control.clean & 1u << 2, 0);
        assert_int_equal(rig_run()->control.clean, 0x3FF);
    }
    svm_backend.flush(cpu); /* ASIDs are used up */
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->control.asid, 1);
    assert_int_equal(vmcb->control.tlb_control, 1);
    assert_int_equal(vmcb->control.clean & 1u << 2, 0);
}

static void one_asid_alone_is_flushed_each_time(void **state)
{
    (void)state;
    rig_guest(NP, 2);
    for (unsigned i = 0; i < 3; i++) {
        svm_backend.flush(cpu);
        const struct vmcb *vmcb = rig_run();
        assert_int_equal(vmcb->control.asid, 1);
        assert_int_equal(vmcb->control.tlb_control, 1);
    }
}

static void writes_that_drop_translations_flush(void **state)
{
    static const enum vreg regs[] = {VREG_CR3, VREG_CR4, VREG_EFER};
    (void)state;
    rig_guest(NP | FLUSH, 16);
    rig_run();
    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
        svm_backend.reg_set(cpu, regs[i], svm_backend.reg_get(cpu, regs[i]));
        assert_int_equal(rig_run()->control.tlb_control, 3);
        assert_int_equal(rig_run()->control.tlb_control, 0);
    }
}

static void cr0_flushes_but_for_the_bits_of_the_fpu(void **state)
{
    static const uint32_t flushing[] = {1u << 0, 1u << 16, 1u << 30, 1u << 31};
    (void)state;
    rig_guest(NP | FLUSH, 16);
    rig_run();
    svm_backend.reg_set(cpu, VREG_CR0, 0x6000003E); /* MP, EM, TS, NE */
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->save.cr0, 0x6000003E);
    assert_int_equal(vmcb->control.tlb_control, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(flushing); i++) {
        svm_backend.reg_set(cpu, VREG_CR0, svm_backend.reg_get(cpu, VREG_CR0) ^ flushing[i]);
        assert_int_equal(rig_run()->control.tlb_control, 3);
    }
}

/* --- GIF, VMLOAD and VMSAVE ------------------------------------------------------------------- */

static void host_irq(struct vmcb *vmcb)
{
    vmcb->control.exit_code = 0x60;
}

static void host_nmi(struct vmcb *vmcb)
{
    vmcb->control.exit_code = 0x61;
}

static void hlt(struct vmcb *vmcb)
{
    vmcb->control.exit_code = 0x78;
}

static void short_exits_leave_the_guests_state_in_the_cpu(void **state)
{
    (void)state;
    rig_guest(NP, 16);
    unsigned vmsaves = rig.vmsaves, vmloads = rig.vmloads;
    rig_run();
    rig_run();
    rig_run();
    assert_false(rig.gif);
    assert_int_equal(rig.vmloads, vmloads + 1);
    assert_int_equal(rig.vmsaves, vmsaves);
    svm_backend.park(cpu);
    assert_true(rig.gif);
    assert_int_equal(rig.vmsaves, vmsaves + 1);
    assert_true((hpa_t)rig.loaded == svm_host_vmcb);
    svm_backend.park(cpu);
    assert_int_equal(rig.vmsaves, vmsaves + 1);
}

static void the_hosts_own_events_and_sleep_find_the_hosts_state(void **state)
{
    static void (*const guest[])(struct vmcb *) = {host_irq, host_nmi, hlt};
    static const enum vexit_kind kind[] = {VEXIT_HOST_IRQ, VEXIT_HOST_NMI, VEXIT_HLT};
    (void)state;
    rig_guest(NP, 16);
    for (unsigned i = 0; i < ARRAY_SIZE(guest); i++) {
        rig.guest = guest[i];
        rig_run();
        assert_int_equal(rig.exit.kind, kind[i]);
        assert_true(rig.gif);
        assert_true((hpa_t)rig.loaded == svm_host_vmcb);
    }
}

static void registers_of_vmload_are_read_from_a_parked_guest(void **state)
{
    struct vseg seg;
    (void)state;
    rig_guest(NP, 16);
    rig_run();
    rig.vmcb->save.gs.base = 0x1234; /* what VMSAVE brings */
    assert_int_equal(svm_backend.reg_get(cpu, VREG_GS_BASE), 0x1234);
    assert_true(rig.gif);
    rig_run();
    svm_backend.seg_get(cpu, VSEG_CS, &seg);
    assert_false(rig.gif);
    svm_backend.seg_get(cpu, VSEG_TR, &seg);
    assert_true(rig.gif);
}

/* --- resets ----------------------------------------------------------------------------------- */

static void shutdown(struct vmcb *vmcb)
{
    memset(vmcb, 0xEE, sizeof *vmcb);
    vmcb->control.exit_code = 0x7F;
}

/* The manual leaves the VMCB undefined then. */
static void a_reset_behind_a_shutdown_writes_all_of_the_vmcb(void **state)
{
    (void)state;
    rig_guest(NP | CLEAN, 4);
    struct vmcb first = *rig_run();
    rig.guest = shutdown;
    rig_run();
    assert_int_equal(rig.exit.kind, VEXIT_TRIPLE_FAULT);
    svm_backend.vcpu_reset(cpu);
    memset(cpu->gpr, 0, sizeof cpu->gpr);
    const struct vmcb *again = rig_run();
    assert_int_equal(again->control.clean, 0);
    assert_int_equal(again->control.asid, 2); /* and what the guest left there isn't used */
    first.control.asid = 2;
    first.control.tlb_control = 0;
    assert_memory_equal(again, &first, sizeof first);
}

static void a_reset_clears_cr8_and_the_window(void **state)
{
    (void)state;
    rig_guest(NP, 16);
    rig_run();
    rig.vmcb->control.v_intr |= 0x0F; /* the guest's MOV to CR8 */
    svm_backend.want_window(cpu, VWINDOW_IRQ, true);
    svm_backend.vcpu_reset(cpu);
    assert_int_equal(rig_run()->control.v_intr, 1u << 24);
}

/* --- CR8 --------------------------------------------------------------------------------------
 */

static void cr8_is_v_tpr_and_its_writes_exit_only_while_a_request_waits(void **state)
{
    (void)state;
    struct vapic vapic = {.requested = 0x41};
    rig_guest(NP | CLEAN, 16);
    assert_int_equal(rig_run()->control.intercept_cr & (1u << 8 | 1u << 24), 1u << 8 | 1u << 24);
    assert_int_equal(svm_backend.apic_help(), VAPIC_TPR);
    svm_backend.apic(cpu, &vapic);
    assert_int_equal(rig_run()->control.intercept_cr & (1u << 8 | 1u << 24), 0);
    vapic.tpr = 0x50;
    vapic.tpr_threshold = 4;
    svm_backend.apic(cpu, &vapic);
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->control.intercept_cr & (1u << 8 | 1u << 24), 1u << 24);
    assert_int_equal(vmcb->control.clean & 1, 0);
    vapic.tpr_threshold = 0;
    vapic.tpr = 0x51; /* V_TPR hasn't the lower half */
    svm_backend.apic(cpu, &vapic);
    assert_int_equal(rig_run()->control.intercept_cr & (1u << 8 | 1u << 24), 1u << 24);
}

static void v_tpr_and_the_interrupt_window_leave_one_another_alone(void **state)
{
    (void)state;
    struct vapic vapic = {.tpr = 0x90};
    rig_guest(NP | CLEAN, 16);
    svm_backend.apic(cpu, &vapic);
    assert_int_equal(rig_run()->control.intercept_cr & 1u << 24, 0);
    svm_backend.reg_set(cpu, VREG_CR8, 9);
    const struct vmcb *vmcb = rig_run();
    assert_int_equal(vmcb->control.v_intr, 1u << 24 | 9);
    assert_int_equal(vmcb->control.clean >> 3 & 1, 0);
    svm_backend.want_window(cpu, VWINDOW_IRQ, true); /* whatever V_TPR is: V_IGN_TPR */
    assert_int_equal(rig_run()->control.v_intr, 1u << 24 | 1u << 20 | 15u << 16 | 1u << 8 | 9);
    assert_int_equal(rig_run()->control.intercept_cr & 1u << 24, 1u << 24);
    rig.vmcb->control.v_intr = (rig.vmcb->control.v_intr & ~0xffull) | 3; /* MOV CR8 */
    assert_int_equal(svm_backend.reg_get(cpu, VREG_CR8), 3);
    svm_backend.want_window(cpu, VWINDOW_IRQ, false);
    assert_int_equal(rig_run()->control.v_intr, 1u << 24 | 3);
    assert_int_equal(rig.vmcb->control.intercept_cr & 1u << 24, 0);
    svm_backend.vcpu_reset(cpu);
    assert_int_equal(rig_run()->control.v_intr, 1u << 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_entry_finds_a_guest_behind_reset),
        cmocka_unit_test(ports_and_msrs_exit_unless_opened),
        cmocka_unit_test(lma_follows_lme_and_pg),
        cmocka_unit_test(reads_of_cr4_exit_only_while_it_differs),
        cmocka_unit_test(cpl_is_that_of_ss),
        cmocka_unit_test(the_second_entry_is_clean),
        cmocka_unit_test(without_clean_bits_none_is_set),
        cmocka_unit_test(what_is_written_is_not_clean),
        cmocka_unit_test(a_flush_by_asid_is_asked_for_once),
        cmocka_unit_test(without_it_the_first_entry_flushes_all),
        cmocka_unit_test(then_each_flush_takes_the_next_asid),
        cmocka_unit_test(one_asid_alone_is_flushed_each_time),
        cmocka_unit_test(writes_that_drop_translations_flush),
        cmocka_unit_test(cr0_flushes_but_for_the_bits_of_the_fpu),
        cmocka_unit_test(short_exits_leave_the_guests_state_in_the_cpu),
        cmocka_unit_test(the_hosts_own_events_and_sleep_find_the_hosts_state),
        cmocka_unit_test(registers_of_vmload_are_read_from_a_parked_guest),
        cmocka_unit_test(a_reset_behind_a_shutdown_writes_all_of_the_vmcb),
        cmocka_unit_test(a_reset_clears_cr8_and_the_window),
        cmocka_unit_test(cr8_is_v_tpr_and_its_writes_exit_only_while_a_request_waits),
        cmocka_unit_test(v_tpr_and_the_interrupt_window_leave_one_another_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
