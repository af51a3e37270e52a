/* needs: vmm/virt/nested.c vmm/lib/mem.c */
#include "svm_rig.h"

/* CPUs that can't do it, and what is said about them. */

static const char untouched[] = "untouched";

static const char *refusal_of_probe(void)
{
    const char *refusal = untouched;
    assert_false(svm_backend.probe(&rig.facts, &refusal));
    return refusal;
}

static const char *refusal_of_enable(void)
{
    const char *refusal = untouched;
    assert_true(svm_backend.probe(&rig.facts, &refusal));
    assert_false(svm_backend.cpu_enable(&rig_frames, &refusal));
    return refusal;
}

static void a_cpu_without_svm_is_left_to_others(void **state)
{
    (void)state;
    rig_cpu(NP, 16);
    rig.leaf[1][2] = ~(1u << 2);
    assert_ptr_equal(refusal_of_probe(), untouched);
}

static void a_lock_of_the_firmware_is_named(void **state)
{
    (void)state;
    rig_cpu(NP, 16);
    rig.vm_cr = 0x18; /* LOCK, SVMDIS */
    assert_non_null(strstr(refusal_of_probe(), "VM_CR.SVMDIS"));
    assert_int_equal(rig.efer, 0xD01);
}

static void svm_that_is_only_switched_off_is_switched_on(void **state)
{
    const char *refusal = untouched;
    (void)state;
    rig_cpu(NP, 16);
    rig.vm_cr = 0x11; /* SVMDIS and DPD */
    assert_true(svm_backend.probe(&rig.facts, &refusal));
    assert_int_equal(rig.vm_cr, 0x11);
    assert_true(svm_backend.cpu_enable(&rig_frames, &refusal));
    assert_int_equal(rig.vm_cr, 0x01);
    assert_int_equal(rig.efer, 0x1D01);
}

static void a_lock_without_svmdis_is_no_matter(void **state)
{
    const char *refusal = untouched;
    (void)state;
    rig_cpu(NP, 16);
    rig.vm_cr = 0x08;
    assert_true(svm_backend.probe(&rig.facts, &refusal));
    assert_true(svm_backend.cpu_enable(&rig_frames, &refusal));
    assert_int_equal(rig.efer, 0x1D01);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    rig_cpu(NP, 16);
    rig.vm_cr_readable = false;
    assert_non_null(strstr(refusal_of_probe(), "VM_CR can't be read"));
    rig_cpu(NP, 16);
    rig.leaf[0][0] = 0x80000009;
    assert_non_null(strstr(refusal_of_probe(), "leaf 8000000Ah"));
    rig_cpu(~NP, 16);
    assert_non_null(strstr(refusal_of_probe(), "nested paging"));
    rig_cpu(NP, 1); /* ASID 0 is the host's */
    assert_non_null(strstr(refusal_of_probe(), "ASID"));
    rig_cpu(NP, 0);
    assert_non_null(strstr(refusal_of_probe(), "ASID"));
}

static void an_efer_that_refuses_is_named(void **state)
{
    (void)state;
    rig_cpu(NP, 16);
    rig.efer_writable = false;
    assert_non_null(strstr(refusal_of_enable(), "EFER.SVME"));
}

/* A guest's turn would have no end. */
static void a_machine_without_local_apic_is_refused(void **state)
{
    (void)state;
    rig_cpu(NP, 16);
    rig.apic = false;
    assert_non_null(strstr(refusal_of_enable(), "local APIC"));
    assert_int_equal(rig.efer, 0xD01);
}

static void enabling_leaves_a_host_save_area(void **state)
{
    const char *refusal = untouched;
    (void)state;
    rig_cpu(NP, 2);
    assert_true(svm_backend.probe(&rig.facts, &refusal));
    assert_true(svm_backend.cpu_enable(&rig_frames, &refusal));
    assert_int_equal(rig.hsave, (uint64_t)rig_memory[0]);
    assert_int_equal(svm_host_vmcb, (uint64_t)rig_memory[1]);
    assert_int_equal(rig.vmsaves, 1);
    assert_true(rig.gif);
}

static void features_are_used_where_cpuid_offers_them(void **state)
{
    (void)state;
    rig_guest(NP, 16);
    assert_int_equal(svm_caps.clean, 0);
    assert_false(svm_caps.nrip_save || svm_caps.decode_assists || svm_caps.flush_by_asid);
    assert_int_equal(rig_run()->control.intercept_4 & 1u << 14, 0);
    assert_int_equal(rig_run()->control.intercept_5, 0);
    rig_guest(NP | NRIP | CLEAN | FLUSH | DECODE, 16);
    assert_int_equal(svm_caps.clean, 0x3FF);
    assert_true(svm_caps.nrip_save && svm_caps.decode_assists && svm_caps.flush_by_asid);
}

static void rdpru_and_invlpgb_are_intercepted_where_they_exist(void **state)
{
    const char *refusal = untouched;
    (void)state;
    rig_cpu(NP, 16);
    rig.leaf[8][1] = 1u << 3 | 1u << 4;
    assert_true(svm_backend.probe(&rig.facts, &refusal));
    rig.vcpu.facts = &rig.facts;
    assert_true(svm_backend.cpu_enable(&rig_frames, &refusal));
    assert_true(svm_backend.vcpu_init(&rig.vcpu, &rig_frames));
    svm_backend.vcpu_reset(&rig.vcpu);
    assert_int_equal(rig_run()->control.intercept_4 & 1u << 14, 1u << 14);
    assert_int_equal(rig_run()->control.intercept_5, 0x11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cpu_without_svm_is_left_to_others),
        cmocka_unit_test(a_lock_of_the_firmware_is_named),
        cmocka_unit_test(svm_that_is_only_switched_off_is_switched_on),
        cmocka_unit_test(a_lock_without_svmdis_is_no_matter),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(an_efer_that_refuses_is_named),
        cmocka_unit_test(a_machine_without_local_apic_is_refused),
        cmocka_unit_test(enabling_leaves_a_host_save_area),
        cmocka_unit_test(features_are_used_where_cpuid_offers_them),
        cmocka_unit_test(rdpru_and_invlpgb_are_intercepted_where_they_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
