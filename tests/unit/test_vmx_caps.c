/*
 * What virt/vmx asks for on the processors that people have: the control words out of the
 * capability MSRs that real ones have. The source is included, so that its RDMSR and CPUID can be
 * led elsewhere.
 */
#include "hw/cpu.h"
#include "virt/vmx/vmx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct processor {
    uint32_t signature; /* CPUID leaf 1, EAX */
    uint64_t msr[17];   /* 480h to 490h */
};

static const struct processor *cpu;

static inline uint64_t told_by_rdmsr(uint32_t msr)
{
    assert_in_range(msr, 0x480, 0x490);
    return cpu->msr[msr - 0x480];
}

static inline void told_by_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    assert_int_equal(leaf, 1);
    assert_int_equal(subleaf, 0);
    memset(out, 0, 16);
    out[0] = cpu->signature;
}

#define rdmsr told_by_rdmsr
#define cpuid told_by_cpuid

#include "virt/vmx/caps.c"

/* Core i7 of 2012. */
static const struct processor ivy_bridge = {
    0x306A9,
    {0xDA040000000010, 0x7F00000016, 0xFFF9FFFE0401E172, 0x7FFFFF00036DFF, 0xFFFF000011FF,
     0x100401E5, 0x80000021, 0xFFFFFFFF, 0x2000, 0x1767FF, 0x2A, 0x8FF00000000, 0xF0106114141,
     0x7F00000016, 0xFFF9FFFE04006172, 0x7FFFFF00036DFB, 0xFFFF000011FB},
};

/* Core i7 of 2017. */
static const struct processor coffee_lake = {
    0x906EA,
    {0xDA040000000004, 0x7F00000016, 0xFFF9FFFE0401E172, 0x1FFFFFF00036DFF, 0x3FFFF000011FF,
     0x7004C1E7, 0x80000021, 0xFFFFFFFF, 0x2000, 0x3727FF, 0x2E, 0x5FBCFF00000000, 0xF0106734141,
     0x7F00000016, 0xFFF9FFFE04006172, 0x1FFFFFF00036DFB, 0x3FFFF000011FB},
};

static struct vmx_caps caps_of(const struct processor *processor)
{
    struct vmx_caps caps;
    memset(&caps, 0xA5, sizeof caps);
    cpu = processor;
    assert_null(vmx_caps_read(&caps));
    return caps;
}

static void ivy_bridge_gets_all_that_it_has(void **state)
{
    (void)state;
    struct vmx_caps caps = caps_of(&ivy_bridge);
    assert_int_equal(caps.pin, 0x7F);
    assert_int_equal(caps.cpu, 0xB5186DFA);
    assert_int_equal(caps.cpu2, 0xEA);
    assert_int_equal(caps.exit, 0x6B6FFF);
    assert_int_equal(caps.entry, 0xD1FF);
    assert_int_equal(caps.revision_id, 0x10);
    assert_int_equal(caps.preemption_shift, 5);
    assert_true(caps.preemption_timer && caps.timer_saved && caps.virtual_nmis && caps.vpid);
    assert_true(caps.wbinvd && caps.rdtscp && caps.host_pat && caps.monitor_trap);
    assert_true(caps.ins_outs_info && caps.tpr_shadow);
    assert_false(caps.invpcid || caps.xsaves || caps.interrupt_delivery);
    assert_int_equal(caps.cr4_fixed1, 0x1767FF);
}

static void coffee_lake_has_invpcid_xsaves_and_a_slower_timer(void **state)
{
    (void)state;
    struct vmx_caps caps = caps_of(&coffee_lake);
    assert_int_equal(caps.pin, 0x7F);
    assert_int_equal(caps.cpu, 0xB5186DFA);
    assert_int_equal(caps.cpu2, 0x1010EA);
    assert_int_equal(caps.exit, 0x6B6FFF);
    assert_int_equal(caps.entry, 0xD1FF);
    assert_int_equal(caps.preemption_shift, 7);
    assert_true(caps.invpcid && caps.xsaves && caps.vpid);
    assert_false(caps.interrupt_delivery); /* servers have it in these years */
}

/* Its rate is wrong at times: the specification updates' erratum. */
static void a_preemption_timer_with_the_erratum_is_left_alone(void **state)
{
    static const uint32_t with[] = {0x20652, 0x20655, 0x206E6, 0x306A8, 0x306A8 | 1u << 13};
    static const uint32_t without[] = {0x206A7, 0x206C2, 0x306A9, 0x306C3, 0x10306A8};
    struct processor processor = ivy_bridge;
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(with); i++) {
        processor.signature = with[i];
        struct vmx_caps caps = caps_of(&processor);
        assert_int_equal(caps.pin, 0x3F);
        assert_int_equal(caps.exit, 0x2B6FFF); /* what it saves is invalid without it */
        assert_false(caps.preemption_timer || caps.timer_saved);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(without); i++) {
        processor.signature = without[i];
        assert_int_equal(caps_of(&processor).pin, 0x7F);
    }
}

/* Such as an outer hypervisor offers: what isn't optional is named. */
static void a_processor_without_the_true_msrs_is_asked_by_the_older_ones(void **state)
{
    struct processor processor = ivy_bridge;
    (void)state;
    processor.msr[0] &= ~(1ull << 55);
    memset(&processor.msr[0xD], 0, 4 * sizeof processor.msr[0]);
    struct vmx_caps caps = caps_of(&processor);
    assert_int_equal(caps.cpu, 0xB519EDFA); /* CR3 exits must be on */
    assert_int_equal(caps.exit, 0x6B6FFF);
    assert_int_equal(caps.entry, 0xD1FF);
    assert_true(caps.tpr_shadow && caps.monitor_trap);
}

static void without_unrestricted_guest_it_is_refused(void **state)
{
    struct processor processor = ivy_bridge;
    struct vmx_caps caps;
    (void)state;
    processor.msr[0xB] = 0x7F00000000;
    cpu = &processor;
    const char *refusal = vmx_caps_read(&caps);
    assert_non_null(refusal);
    assert_non_null(strstr(refusal, "unrestricted guest"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ivy_bridge_gets_all_that_it_has),
        cmocka_unit_test(coffee_lake_has_invpcid_xsaves_and_a_slower_timer),
        cmocka_unit_test(a_preemption_timer_with_the_erratum_is_left_alone),
        cmocka_unit_test(a_processor_without_the_true_msrs_is_asked_by_the_older_ones),
        cmocka_unit_test(without_unrestricted_guest_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
