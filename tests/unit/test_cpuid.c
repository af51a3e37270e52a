/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;
enum { EAX, EBX, ECX, EDX };

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
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

/* --- the fake host has every bit: what is left is the allow-list -------------------------------
 */

static void leaf_0_keeps_the_vendor_and_ends_at_16h(void **state)
{
    (void)state;
    assert_leaf(0, 0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69);
}

static void leaf_1_hides_what_pxhv_does_not_offer(void **state)
{
    (void)state;
    assert_int_equal(ask(1, 0, EAX), 0x50654);
    assert_int_equal(ask(1, 0, EBX), 0x00010800); /* one CPU, APIC ID 0, CLFLUSH 64 bytes */
    uint32_t ecx = ask(1, 0, ECX), edx = ask(1, 0, EDX);
    static const uint8_t hidden_ecx[] = {2, 3, 4, 5, 6, 7, 8, 10, 11, 14, 15, 16, 18, 27};
    static const uint8_t shown_ecx[] = {0,  1,  9,  12, 13, 17, 19, 20, 21,
                                        22, 23, 24, 25, 26, 28, 29, 30, 31};
    static const uint8_t hidden_edx[] = {7, 10, 14, 18, 20, 21, 22, 28, 29, 30, 31};
    static const uint8_t shown_edx[] = {0,  1,  2,  3,  4,  5,  6,  8,  9,  11, 12,
                                        13, 15, 16, 17, 19, 23, 24, 25, 26, 27};
    for (unsigned i = 0; i < sizeof(hidden_ecx); i++)
        assert_false(ecx >> hidden_ecx[i] & 1);
    for (unsigned i = 0; i < sizeof(shown_ecx); i++)
        assert_true(ecx >> shown_ecx[i] & 1);
    for (unsigned i = 0; i < sizeof(hidden_edx); i++)
        assert_false(edx >> hidden_edx[i] & 1);
    for (unsigned i = 0; i < sizeof(shown_edx); i++)
        assert_true(edx >> shown_edx[i] & 1);
}

static void leaf_4_gives_each_cache_to_one_core(void **state)
{
    (void)state;
    assert_leaf(4, 0, 0x121, 0x01c0003f, 0, 4);
    assert_leaf(4, 3, 0x124, 0x01c0003f, 0, 4);
    assert_leaf(4, 4, 0, 0, 0, 0);
    assert_leaf(4, 0xffffffff, 0, 0, 0, 0);
}

static void leaf_7_shows_user_instructions_only(void **state)
{
    (void)state;
    /* no SGX HLE RTM PQM MPX PQE PT PCOMMIT */
    assert_leaf(7, 0, 0, 0xfdbf27eb, 0x18405f46 | 0x1, 0x0000451c);
    assert_leaf(7, 1, 0, 0, 0, 0);
}

static void leaves_of_hidden_features_are_empty(void **state)
{
    (void)state;
    static const uint32_t leaves[] = {3, 5, 8, 9, 0xa, 0xc, 0xe, 0xf, 0x10, 0x12, 0x14};
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
        assert_leaf(leaves[i], 0, 0, 0, 0, 0);
}

static void leaf_6_tells_of_the_apic_timer_alone(void **state)
{
    (void)state;
    assert_leaf(6, 0, 4, 0, 0, 0);
}

static void leaf_bh_is_one_thread_of_one_core(void **state)
{
    (void)state;
    assert_leaf(0xb, 0, 0, 1, 0x100, 0);
    assert_leaf(0xb, 1, 0, 1, 0x201, 0);
    assert_leaf(0xb, 2, 0, 0, 2, 0);
    assert_leaf(0xb, 0x1234, 0, 0, 0x34, 0);
}

static void the_tsc_frequency_is_told(void **state)
{
    (void)state;
    assert_leaf(0x15, 0, 1, 1, 1000000000, 0);
    assert_leaf(0x16, 0, 1000, 1000, 0, 0);
    assert_leaf(0x40000010, 0, 1000000, 0, 0, 0);
}

static void a_frequency_beyond_32_bits_becomes_a_ratio(void **state)
{
    (void)state;
    fake.facts.tsc_hz = 5000000000;
    vcpu_reset(&fake.vcpu);
    assert_leaf(0x15, 0, 1, 2, 2500000000u, 0);
    assert_leaf(0x16, 0, 5000, 5000, 0, 0);
}

static void the_hypervisor_leaf_signs_pxhv(void **state)
{
    (void)state;
    assert_leaf(0x40000000, 0, 0x40000010, 0x56487870, 0x56487870, 0x56487870);
    assert_leaf(0x40000001, 0, 0, 0, 0, 0);
    assert_leaf(0x40000200, 0, 0, 0, 0, 0);
}

static void extended_leaves_hide_svm_and_keep_long_mode(void **state)
{
    (void)state;
    assert_int_equal(ask(0x80000000, 0, EAX), 0x80000008);
    uint32_t ecx = ask(0x80000001, 0, ECX), edx = ask(0x80000001, 0, EDX);
    assert_int_equal(ecx & 0x4, 0);                 /* SVM */
    assert_int_equal(ecx & 0x121, 0x121);           /* LAHF64, LZCNT, PREFETCHW */
    assert_int_equal(edx & 0x2c100800, 0x2c100800); /* LM RDTSCP 1G NX SYSCALL */
    assert_int_equal(edx >> 25 & 1, 0);             /* FFXSR */
    uint32_t brand[4];
    cpuid_guest(&fake.vcpu, 0x80000002, 0, brand);
    assert_memory_equal(brand, "Fake CPU @ 1 GHz", 16);
    assert_leaf(0x80000007, 0, 0, 0, 0, 0x100);
    assert_leaf(0x80000008, 0, 0x302e, 1, 0, 0);  /* 46 and 48 bits */
    assert_leaf(0x8000000a, 0, 1000, 1000, 0, 0); /* beyond the end: SVM stays unseen */
}

static void features_without_the_backends_consent_are_hidden(void **state)
{
    (void)state;
    fake.facts.rdtscp = fake.facts.invpcid = fake.facts.nx = fake.facts.gib_pages = false;
    fake.facts.cr4_allowed = 0x6f8;
    fake.facts.xcr0_allowed = 0;
    vcpu_reset(&fake.vcpu);
    assert_int_equal(ask(1, 0, ECX) & (1 << 26 | 1 << 28 | 1 << 12 | 1 << 29 | 1 << 17), 0);
    uint32_t ebx = ask(7, 0, EBX);
    assert_int_equal(ebx & (1 << 0 | 1 << 5 | 1 << 7 | 1 << 10 | 1 << 16 | 1 << 20), 0);
    assert_int_equal(ask(7, 0, ECX) & (1 << 2 | 1 << 22 | 1 << 9), 0);
    assert_int_equal(ask(0x80000001, 0, EDX) & (1 << 20 | 1 << 26 | 1 << 27), 0);
    assert_leaf(0xd, 0, 0, 0, 0, 0);
    assert_leaf(0xd, 1, 0, 0, 0, 0);
}

/* --- XSAVE ------------------------------------------------------------------------------------ */

static void leaf_dh_follows_xcr0(void **state)
{
    (void)state;
    fake.reg[VREG_CR4] |= 1 << 18;
    assert_leaf(0xd, 0, 0xe7, 576, 2688, 0); /* x87 alone is enabled; all would need 2688 */
    static const struct {
        uint32_t xcr0, standard, compacted;
    } table[] = {{0x1, 576, 576}, {0x3, 576, 576}, {0x7, 832, 832}, {0xe7, 2688, 2432}};
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake.vcpu.gpr[VGPR_RAX] = table[i].xcr0;
        fake.vcpu.gpr[VGPR_RCX] = fake.vcpu.gpr[VGPR_RDX] = 0;
        fake_exit(&fake, VEXIT_XSETBV, 3);
        assert_int_equal(fake.xcr0_loaded, table[i].xcr0);
        assert_leaf(0xd, 0, 0xe7, table[i].standard, 2688, 0);
        assert_leaf(0xd, 1, 0xf, table[i].compacted, 0, 0);
    }
    assert_leaf(0xd, 2, 256, 576, 0, 0);
    assert_leaf(0xd, 3, 0, 0, 0, 0); /* MPX is hidden */
    assert_leaf(0xd, 7, 1024, 1664, 0, 0);
    assert_leaf(0xd, 8, 0, 0, 0, 0);
}

/* QEMU's TCG runs the guest's XSETBV without the exit that AMD-V was asked for. */
static void leaf_dh_follows_xcr0_without_an_exit(void **state)
{
    (void)state;
    fake.reg[VREG_CR4] |= 1 << 18;
    assert_leaf(0xd, 0, 0xe7, 576, 2688, 0);
    fake.xcr0_loaded = 7;
    assert_leaf(0xd, 0, 0xe7, 832, 2688, 0);
    assert_leaf(0xd, 1, 0xf, 832, 0, 0);
    assert_int_equal(fake.vcpu.xcr0, 7);
}

static void without_xsaves_only_the_standard_format_is_offered(void **state)
{
    (void)state;
    fake.facts.xsaves = false;
    vcpu_reset(&fake.vcpu);
    assert_leaf(0xd, 1, 0x5, 0, 0, 0);
}

static void osxsave_mirrors_cr4(void **state)
{
    (void)state;
    assert_false(ask(1, 0, ECX) >> 27 & 1);
    struct vexit exit = {.kind = VEXIT_CR_WRITE, .insn_len = 3, .cr = {4, VGPR_RBX}};
    fake.vcpu.gpr[VGPR_RBX] = fake.reg[VREG_CR4] | 1 << 18;
    exit_handle(&fake.vcpu, &exit);
    assert_true(ask(1, 0, ECX) >> 27 & 1);
    fake.vcpu.gpr[VGPR_RBX] &= ~(1ull << 18);
    exit_handle(&fake.vcpu, &exit);
    assert_false(ask(1, 0, ECX) >> 27 & 1);
    fake.vcpu.gpr[VGPR_RBX] |= 1 << 18;
    exit_handle(&fake.vcpu, &exit);
    vcpu_reset(&fake.vcpu);
    assert_false(ask(1, 0, ECX) >> 27 & 1);
}

static void a_component_alone_does_not_make_avx512(void **state)
{
    (void)state;
    fake.facts.xcr0_allowed = 0x27;
    vcpu_reset(&fake.vcpu);
    assert_int_equal(ask(0xd, 0, EAX), 0x7);
    assert_int_equal(ask(7, 0, EBX) & 0xd8230000 & ~(1 << 20), 0);
    fake.facts.xcr0_allowed = 0xe3; /* without AVX below it */
    vcpu_reset(&fake.vcpu);
    assert_int_equal(ask(0xd, 0, EAX), 0x3);
}

/* --- other hosts ------------------------------------------------------------------------------ */

static void another_vendors_cpu_has_no_leaves_of_intels(void **state)
{
    (void)state;
    fake.facts.vendor = CPU_VENDOR_OTHER;
    vcpu_reset(&fake.vcpu);
    assert_int_equal(ask(0, 0, EAX), 0xd);
    assert_int_equal(ask(0x80000000, 0, EAX), 0x80000008);
    assert_leaf(2, 0, 0, 0, 0, 0);
    assert_leaf(0x15, 0, 0, 0, 0, 0);
    assert_leaf(0x1000, 0, 0, 0, 0, 0);
}

static void beyond_the_end_an_intel_cpu_repeats_its_last_leaf(void **state)
{
    (void)state;
    assert_leaf(0x17, 0, 1000, 1000, 0, 0);
    assert_leaf(0x80000009, 0, 1000, 1000, 0, 0);
    assert_leaf(0xffffffff, 7, 1000, 1000, 0, 0);
}

static uint32_t last_leaf;

static void short_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    fake_cpuid(leaf, subleaf, out);
    if (leaf == 0)
        out[0] = last_leaf;
    assert_true(leaf <= last_leaf || leaf >= 0x80000000);
}

static void the_hosts_last_leaf_is_still_asked_for(void **state)
{
    (void)state;
    fake.facts.cpuid = short_cpuid;
    for (last_leaf = 1; last_leaf <= 0xd; last_leaf++) {
        vcpu_reset(&fake.vcpu);
        assert_int_equal(ask(2, 0, EAX) != 0, last_leaf >= 2);
        assert_int_equal(ask(4, 0, EAX) != 0, last_leaf >= 4);
        assert_int_equal(ask(7, 0, EBX) != 0, last_leaf >= 7);
        assert_int_equal(ask(0xd, 2, EAX) != 0, last_leaf >= 0xd);
    }
}

static void odd_xsave_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    fake_cpuid(leaf, subleaf, out);
    if (leaf == 0xd && subleaf == 2)
        out[0] = 100;
    if (leaf == 0xd && subleaf == 5)
        out[2] = 2; /* aligned to 64 bytes in the compacted format */
}

static void the_compacted_format_aligns_what_asks_for_it(void **state)
{
    (void)state;
    fake.facts.cpuid = odd_xsave_cpuid;
    vcpu_reset(&fake.vcpu);
    fake.reg[VREG_CR4] |= 1 << 18;
    fake.vcpu.gpr[VGPR_RAX] = 0xe7;
    fake_exit(&fake, VEXIT_XSETBV, 3);
    assert_int_equal(ask(0xd, 1, EBX), 704 + 64 + 512 + 1024);
}

static void old_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    fake_cpuid(leaf, subleaf, out);
    if (leaf == 0)
        out[0] = 2;
    if (leaf == 0x80000000)
        out[0] = 0x80000001;
    assert_true(leaf <= 2 || (leaf >= 0x80000000 && leaf <= 0x80000001));
}

static void leaves_that_the_host_lacks_are_not_asked_for(void **state)
{
    (void)state;
    fake.facts.cpuid = old_cpuid;
    fake.facts.xcr0_allowed = 0;
    vcpu_reset(&fake.vcpu);
    assert_leaf(7, 0, 0, 0, 0, 0);
    assert_leaf(0x80000002, 0, 0, 0, 0, 0);
    assert_leaf(0x80000008, 0, 0x302e, 0, 0, 0);
}

/* --- the exit --------------------------------------------------------------------------------- */

static void the_exit_looks_at_32_bits_and_clears_the_upper_halves(void **state)
{
    (void)state;
    fake.vcpu.gpr[VGPR_RAX] = 0xffffffff0000000b;
    fake.vcpu.gpr[VGPR_RCX] = 0xffffffff00000001;
    fake.vcpu.gpr[VGPR_RBX] = fake.vcpu.gpr[VGPR_RDX] = UINT64_MAX;
    fake_exit(&fake, VEXIT_CPUID, 2);
    assert_true(fake.vcpu.gpr[VGPR_RAX] == 0);
    assert_true(fake.vcpu.gpr[VGPR_RBX] == 1);
    assert_true(fake.vcpu.gpr[VGPR_RCX] == 0x201);
    assert_true(fake.vcpu.gpr[VGPR_RDX] == 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(leaf_0_keeps_the_vendor_and_ends_at_16h),
        TEST(leaf_1_hides_what_pxhv_does_not_offer),
        TEST(leaf_4_gives_each_cache_to_one_core),
        TEST(leaf_7_shows_user_instructions_only),
        TEST(leaves_of_hidden_features_are_empty),
        TEST(leaf_6_tells_of_the_apic_timer_alone),
        TEST(leaf_bh_is_one_thread_of_one_core),
        TEST(the_tsc_frequency_is_told),
        TEST(a_frequency_beyond_32_bits_becomes_a_ratio),
        TEST(the_hypervisor_leaf_signs_pxhv),
        TEST(extended_leaves_hide_svm_and_keep_long_mode),
        TEST(features_without_the_backends_consent_are_hidden),
        TEST(leaf_dh_follows_xcr0),
        TEST(leaf_dh_follows_xcr0_without_an_exit),
        TEST(without_xsaves_only_the_standard_format_is_offered),
        TEST(osxsave_mirrors_cr4),
        TEST(a_component_alone_does_not_make_avx512),
        TEST(another_vendors_cpu_has_no_leaves_of_intels),
        TEST(beyond_the_end_an_intel_cpu_repeats_its_last_leaf),
        TEST(the_hosts_last_leaf_is_still_asked_for),
        TEST(the_compacted_format_aligns_what_asks_for_it),
        TEST(leaves_that_the_host_lacks_are_not_asked_for),
        TEST(the_exit_looks_at_32_bits_and_clears_the_upper_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
