/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;
enum { EAX, EBX, ECX, EDX };

/* --- an AMD CPU that has every bit: what is left is the allow-list -----------------------------
 */

static uint32_t max_extended;

static void amd_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    static const uint32_t zen_caches[5][4] = {{0x00004121, 0x01c0003f, 0x3f, 0},
                                              {0x00004122, 0x00c0003f, 0xff, 0},
                                              {0x00004143, 0x01c0003f, 0x3ff, 2},
                                              {0x0003c163, 0x03c0003f, 0x3fff, 1},
                                              {0, 0, 0, 0}};
    assert_true(leaf < 0x80000000 || leaf <= max_extended);
    fake_cpuid(leaf, subleaf, out);
    if (leaf == 0) {
        out[0] = 0x10;
        memcpy(&out[1], "Auth", 4);
        memcpy(&out[3], "enti", 4);
        memcpy(&out[2], "cAMD", 4);
    } else if (leaf == 4) {
        memset(out, 0, 16);
    } else if (leaf == 0x80000000) {
        out[0] = max_extended;
    } else if (leaf == 0x8000001d) {
        memcpy(out, zen_caches[subleaf < 4 ? subleaf : 4], 16);
    } else if (leaf > 0x80000008) {
        memset(out, 0xff, 16);
    } else if (leaf == 0x80000005 || leaf == 0x80000006) {
        for (unsigned i = 0; i < 4; i++)
            out[i] = 0x11110000 + leaf - 0x80000000 + i;
    }
}

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    max_extended = 0x80000026;
    fake.facts.vendor = CPU_VENDOR_AMD;
    fake.facts.cpuid = amd_cpuid;
    vcpu_reset(&fake.vcpu);
    return 0;
}

static uint32_t ask(uint32_t leaf, uint32_t subleaf, unsigned reg)
{
    uint32_t out[4];
    cpuid_guest(&fake.vcpu, leaf, subleaf, out);
    return out[reg];
}

static void assert_leaf(uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
                        uint32_t edx)
{
    uint32_t out[4];
    cpuid_guest(&fake.vcpu, leaf, subleaf, out);
    const uint32_t expected[4] = {eax, ebx, ecx, edx};
    assert_memory_equal(out, expected, sizeof(out));
}

static void the_leaves_end_at_dh_and_80000021h(void **state)
{
    (void)state;
    assert_leaf(0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65);
    assert_int_equal(ask(0x80000000, 0, EAX), 0x80000021);
    static const uint32_t beyond[] = {0xe,        0x15,       0x16,       0x1000,
                                      0x80000022, 0x80000026, 0x8fffffff, 0xc0000000};
    for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++)
        assert_leaf(beyond[i], 0, 0, 0, 0, 0);
}

static void leaves_of_intels_are_zero(void **state)
{
    (void)state;
    static const uint32_t leaves[] = {2, 3, 4, 5, 8, 9, 0xa, 0xc};
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
        assert_leaf(leaves[i], 0, 0, 0, 0, 0);
}

static void leaf_7_has_no_tsc_adjust(void **state)
{
    (void)state;
    assert_leaf(7, 0, 0, 0xfdbf27e9, 0x18405f47, 0x0000451c);
}

static void leaf_80000001h_shows_instructions_only(void **state)
{
    (void)state;
    /* ECX: LAHF64 LZCNT SSE4A MISALIGNSSE PREFETCHW XOP FMA4 TBM TOPOEXT. Not CmpLegacy 1, SVM 2,
     * ExtApicSpace 3, AltMovCr8 4, OSVW 9, IBS 10, SKINIT 12, WDT 13, LWP 15, TCE 17, NodeId 19,
     * PerfCtrExt 23 24, DataBkptExt 26, PerfTsc 27 28, MONITORX 29, AddrMaskExt 30. */
    assert_int_equal(ask(0x80000001, 0, ECX), 0x006109e1);
    /* EDX: leaf 1's but for MCE and MCA; SYSCALL NX MMXEXT MMX FXSR 1G RDTSCP LM 3DNOWEXT
     * 3DNOW. Not FFXSR 25. */
    assert_int_equal(ask(0x80000001, 0, EDX), 0xedd3bb7f);
    assert_int_equal(ask(0x80000001, 0, EBX), 0);
}

static void old_caches_and_the_tsc_are_told_as_they_are(void **state)
{
    (void)state;
    assert_leaf(0x80000005, 0, 0x11110005, 0x11110006, 0x11110007, 0x11110008);
    assert_leaf(0x80000006, 0, 0x11110006, 0x11110007, 0x11110008, 0x11110009);
    assert_leaf(0x80000007, 0, 0, 0, 0, 0x100);
}

static void leaf_80000008h_is_one_core_without_msrs(void **state)
{
    (void)state;
    /* EBX: CLZERO 0, RstrFpErrPtrs 2, WBNOINVD 9, EferLmsleUnsupported 20, SsbdNotRequired 26,
     * BTC_NO 29. Not InstRetCnt 1, INVLPGB 3, RDPRU 4, MCOMMIT 8, IBPB 12, IBRS 14, STIBP 15,
     * SSBD 24, VirtSsbd 25, CPPC 27, PSFD 28. */
    assert_leaf(0x80000008, 0, 0x302e, 0x24100205, 0, 0);
}

static void lmsle_is_unsupported_whatever_the_host_says(void **state)
{
    (void)state;
    max_extended = 0x80000007;
    vcpu_reset(&fake.vcpu);
    assert_leaf(0x80000008, 0, 0x302e, 0x00100000, 0, 0);
}

static void leaves_of_hidden_features_are_zero(void **state)
{
    (void)state;
    static const uint32_t leaves[] = {0x80000009, 0x8000000a, 0x8000000b, 0x80000018,
                                      0x8000001b, 0x8000001c, 0x8000001f, 0x80000020};
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
        assert_leaf(leaves[i], 0, 0, 0, 0, 0);
}

static void leaves_that_only_tell_are_passed_on(void **state)
{
    (void)state;
    assert_leaf(0x80000019, 0, UINT32_MAX, UINT32_MAX, 0, 0);
    assert_leaf(0x8000001a, 0, 7, 0, 0, 0);
    /* EAX, not: SmmPgCfgLock 3, UpperAddressIgnore 7, AutomaticIBRS 8, PrefetchCtlMsr 13,
     * CpuidUserDis 17, EPSF 18, SBPB 27, IBPB_BRTYPE 28. */
    assert_leaf(0x80000021, 0, 0x60100e67, 0, 6, 0);
}

static void every_leaf_tells_of_one_thread(void **state)
{
    (void)state;
    assert_int_equal(ask(1, 0, EBX) >> 16, 1);             /* APIC ID 0, one logical CPU */
    assert_int_equal(ask(1, 0, EDX) >> 28 & 1, 0);         /* HTT */
    assert_int_equal(ask(0x80000001, 0, ECX) >> 1 & 1, 0); /* CmpLegacy */
    assert_int_equal(ask(0x80000008, 0, ECX), 0);          /* NC, ApicIdSize */
    assert_leaf(0xb, 0, 0, 1, 0x100, 0);
    assert_leaf(0xb, 1, 0, 1, 0x201, 0);
    assert_leaf(0x8000001e, 0, 0, 0, 0, 0); /* APIC ID, core and node 0; one thread, one node */
    assert_leaf(0x8000001d, 0, 0x121, 0x01c0003f, 0x3f, 0);
    assert_leaf(0x8000001d, 1, 0x122, 0x00c0003f, 0xff, 0);
    assert_leaf(0x8000001d, 2, 0x143, 0x01c0003f, 0x3ff, 2);
    assert_leaf(0x8000001d, 3, 0x163, 0x03c0003f, 0x3fff, 1);
    assert_leaf(0x8000001d, 4, 0, 0, 0, 0);
    assert_leaf(0x8000001d, 0xffffffff, 0, 0, 0, 0);
}

/* --- older hosts ------------------------------------------------------------------------------ */

static void leaves_that_the_host_lacks_are_not_there(void **state)
{
    (void)state;
    for (max_extended = 0x80000001; max_extended <= 0x80000022; max_extended++) {
        vcpu_reset(&fake.vcpu);
        uint32_t last = max_extended < 0x80000008   ? 0x80000008
                        : max_extended > 0x80000021 ? 0x80000021
                                                    : max_extended;
        assert_int_equal(ask(0x80000000, 0, EAX), last);
        for (uint32_t leaf = last + 1; leaf < 0x80000030; leaf++)
            assert_leaf(leaf, 0, 0, 0, 0, 0);
        assert_int_equal(ask(0x80000019, 0, EAX) != 0, max_extended >= 0x80000019);
        assert_int_equal(ask(0x8000001a, 0, EAX) != 0, max_extended >= 0x8000001a);
        assert_int_equal(ask(0x80000021, 0, EAX) != 0, max_extended >= 0x80000021);
        /* TOPOEXT comes with both of its leaves. */
        assert_int_equal(ask(0x80000001, 0, ECX) >> 22 & 1, max_extended >= 0x8000001e);
        assert_int_equal(ask(0x8000001d, 0, EAX) != 0, max_extended >= 0x8000001e);
    }
}

static void no_topoext_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    amd_cpuid(leaf, subleaf, out);
    if (leaf == 0x80000001)
        out[ECX] &= ~(1u << 22);
}

static void without_topoext_its_leaves_are_empty(void **state)
{
    (void)state;
    fake.facts.cpuid = no_topoext_cpuid;
    vcpu_reset(&fake.vcpu);
    assert_int_equal(ask(0x80000001, 0, ECX) >> 22 & 1, 0);
    assert_leaf(0x8000001d, 0, 0, 0, 0, 0);
}

static void a_cpu_of_intels_has_none_of_these(void **state)
{
    (void)state;
    fake.facts.vendor = CPU_VENDOR_INTEL;
    vcpu_reset(&fake.vcpu);
    assert_int_equal(ask(0x80000000, 0, EAX), 0x80000008);
    assert_int_equal(ask(0x80000001, 0, ECX) >> 22 & 1, 0);
    assert_int_equal(ask(0x80000008, 0, EBX), 1);
    assert_int_equal(ask(7, 0, EBX) >> 1 & 1, 1);
    /* Leaf 16h, as beyond the end. */
    assert_leaf(0x8000001d, 0, 1000, 1000, 0, 0);
}

static void the_exit_finds_a_subleaf_of_8000001dh(void **state)
{
    (void)state;
    fake.vcpu.gpr[VGPR_RAX] = 0xffffffff8000001d;
    fake.vcpu.gpr[VGPR_RCX] = 0xffffffff00000003;
    fake_exit(&fake, VEXIT_CPUID, 2);
    assert_true(fake.vcpu.gpr[VGPR_RAX] == 0x163);
    assert_true(fake.vcpu.gpr[VGPR_RCX] == 0x3fff);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_leaves_end_at_dh_and_80000021h),
        TEST(leaves_of_intels_are_zero),
        TEST(leaf_7_has_no_tsc_adjust),
        TEST(leaf_80000001h_shows_instructions_only),
        TEST(old_caches_and_the_tsc_are_told_as_they_are),
        TEST(leaf_80000008h_is_one_core_without_msrs),
        TEST(lmsle_is_unsupported_whatever_the_host_says),
        TEST(leaves_of_hidden_features_are_zero),
        TEST(leaves_that_only_tell_are_passed_on),
        TEST(every_leaf_tells_of_one_thread),
        TEST(leaves_that_the_host_lacks_are_not_there),
        TEST(without_topoext_its_leaves_are_empty),
        TEST(a_cpu_of_intels_has_none_of_these),
        TEST(the_exit_finds_a_subleaf_of_8000001dh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
