/* needs: vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/lib/mem.c */
/*
 * The local APIC beside a processor that does a part of it in the same page. The processor's part
 * is done by hand here, as SDM "APIC Virtualization and Virtual Interrupts" says.
 */
#include "lapic_rig.h"

static int with_delivery(void **state)
{
    (void)state;
    help = LAPIC_DELIVERED;
    rig_init(0);
    enable();
    changes = 0;
    return 0;
}

static int with_tpr(void **state)
{
    (void)state;
    help = LAPIC_SHARED_TPR;
    rig_init(0);
    enable();
    changes = 0;
    return 0;
}

static void fixed(uint8_t vector, bool level)
{
    const struct apic_message m = {.vector = vector, .delivery = APIC_FIXED, .level = level};
    assert_true(lapic_receive(&lapic, &m));
}

/* What the processor does for a request: SDM "Virtual-Interrupt Delivery". */
static void deliver(uint8_t vector)
{
    page[(0x200 + vector / 32 * 16) / 4] &= ~(1u << vector % 32);
    page[(0x100 + vector / 32 * 16) / 4] |= 1u << vector % 32;
}

/* "EOI Virtualization". */
static void end(uint8_t vector)
{
    page[(0x100 + vector / 32 * 16) / 4] &= ~(1u << vector % 32);
}

static void a_request_is_the_processors_and_not_on_intr(void **state)
{
    (void)state;
    fixed(0x41, false);
    assert_false(intr.high);
    assert_int_equal(changes, 1);
    assert_true(lapic_delivers(&lapic));
    assert_int_equal(lapic_requested(&lapic), 0x41);
    assert_true(lapic_delivery_due(&lapic));
    assert_int_equal(lapic_ack(&lapic), -1);
    assert_int_equal(page[0x220 / 4], 2);
    deliver(0x41);
    assert_int_equal(lapic_requested(&lapic), 0);
    assert_int_equal(lapic_in_service(&lapic), 0x41);
    assert_false(lapic_delivery_due(&lapic));
    assert_int_equal(rd(0x120), 2);
    assert_int_equal(rd(0xa0), 0x40);
    fixed(0x42, false); /* of the same class */
    assert_false(lapic_delivery_due(&lapic));
    fixed(0x51, false);
    assert_true(lapic_delivery_due(&lapic));
}

static void a_request_waits_for_tpr(void **state)
{
    (void)state;
    page[0x80 / 4] = 0x5f; /* the guest, without an exit */
    fixed(0x51, false);
    assert_false(lapic_delivery_due(&lapic));
    assert_int_equal(rd(0x80), 0x5f);
    assert_int_equal(lapic_cr8(&lapic), 5);
    page[0x80 / 4] = 0x40;
    assert_true(lapic_delivery_due(&lapic));
}

static void an_external_interrupt_is_on_intr_as_ever(void **state)
{
    (void)state;
    wr(0x350, 0x700);
    fixed(0x41, false);
    lapic_set_lint(&lapic, 0, true);
    assert_true(intr.high);
    assert_int_equal(lapic_ack(&lapic), 0x30);
    assert_int_equal(page[0x220 / 4], 2);
    lapic_set_lint(&lapic, 0, false);
    assert_false(intr.high);
}

static void a_levels_end_is_told_to_its_source(void **state)
{
    (void)state;
    fixed(0x61, true);
    assert_int_equal(page[0x1b0 / 4], 2); /* TMR: the processor's EOI is an exit */
    deliver(0x61);
    end(0x61);
    lapic_ended(&lapic, 0x61);
    assert_int_equal(eoi_count, 1);
    assert_int_equal(eoi_vector, 0x61);
    wr(0xf0, 0x11ff); /* EOI-broadcast suppression */
    lapic_ended(&lapic, 0x61);
    assert_int_equal(eoi_count, 1);
}

/* Where the processor was asked to tell of an edge's end, too. */
static void an_edges_end_is_told_to_nobody_but_seen(void **state)
{
    (void)state;
    fixed(0x61, false);
    deliver(0x61);
    end(0x61);
    changes = 0;
    lapic_ended(&lapic, 0x61);
    assert_int_equal(eoi_count, 0);
    assert_int_equal(changes, 1); /* what waited behind it may be shown */
}

static void what_the_processor_leaves_in_the_page_is_done(void **state)
{
    (void)state;
    page[0x300 / 4] = 0xfff44052; /* reserved bits: no self-IPI for the processor */
    lapic_written(&lapic, 0x300);
    assert_int_equal(lapic_requested(&lapic), 0x52);
    assert_int_equal(rd(0x300), 0x44052);
    page[0x300 / 4] = 0x44005; /* an illegal vector */
    lapic_written(&lapic, 0x300);
    assert_int_equal(errors(), 0x20);
    x2apic();
    page[0x3f0 / 4] = 7;
    lapic_written(&lapic, 0x3f0);
    wrmsr(0x828, 0);
    assert_int_equal(rdmsr(0x828), 0x20);
    lapic_written(&lapic, 0x3f4); /* no register, and nothing happens */
    lapic_written(&lapic, 0x1000);
}

static void disabled_by_software_the_device_delivers_alone(void **state)
{
    (void)state;
    fixed(0x41, false);
    assert_false(intr.high);
    wr(0xf0, 0xff);
    assert_false(lapic_delivers(&lapic));
    assert_true(intr.high); /* requests that are there stay */
    assert_int_equal(lapic_ack(&lapic), 0x41);
    wr(0xb0, 0);
    wr(0xf0, 0x1ff);
    assert_true(lapic_delivers(&lapic));
}

static void disabled_by_its_base_it_begins_anew(void **state)
{
    (void)state;
    fixed(0x41, false);
    wrmsr(0x1b, 0xfee00100);
    assert_false(lapic_delivers(&lapic));
    assert_int_equal(lapic_requested(&lapic), 0);
    assert_true(changes >= 2);
    wrmsr(0x1b, 0xfee00900);
    assert_false(lapic_delivers(&lapic)); /* until software enables it */
    wr(0xf0, 0x1ff);
    x2apic();
    assert_true(lapic_delivers(&lapic));
}

/* A read of an MSR that doesn't exit gives eight bytes of the page. */
static void the_page_holds_what_reads_in_x2apic_mode_give(void **state)
{
    (void)state;
    static const uint32_t msrs[] = {0x802, 0x803, 0x808, 0x80d, 0x80f, 0x812, 0x81b, 0x822,
                                    0x828, 0x832, 0x833, 0x835, 0x836, 0x837, 0x838, 0x83e};
    x2apic();
    wrmsr(0x808, 0x23);
    wrmsr(0x832, 0x20055);
    wrmsr(0x838, 1000);
    wrmsr(0x83e, 0xb);
    fixed(0x61, true);
    for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        const uint32_t *words = &page[(msrs[i] & 0xff) * 4];
        assert_int_equal(words[0], rdmsr(msrs[i]));
        assert_int_equal(words[1], 0);
    }
    assert_int_equal(page[0x20 / 4], 0);
    rig_init(5);
    assert_int_equal(page[0x20 / 4], 0x5000000);
    x2apic();
    assert_int_equal(page[0x20 / 4], 5);
}

/* --- TPR alone ------------------------------------------------------------------------------- */

static void with_tpr_alone_intr_is_driven_as_ever(void **state)
{
    (void)state;
    fixed(0x41, false);
    assert_true(intr.high);
    assert_int_equal(lapic_ack(&lapic), 0x41);
    wr(0xb0, 0);
    assert_int_equal(changes, 0); /* no request waits for a lower TPR: nothing to tell */
    assert_false(lapic_delivers(&lapic));
    assert_false(lapic_delivery_due(&lapic));
}

static void with_tpr_alone_a_request_that_waits_is_told(void **state)
{
    (void)state;
    page[0x80 / 4] = 0x50; /* by the processor: MOV CR8 */
    fixed(0x41, false);
    assert_false(intr.high);
    assert_int_equal(changes, 1);
    assert_int_equal(lapic_tpr_threshold(&lapic), 4);
    page[0x80 / 4] = 0x30;
    lapic_evaluate(&lapic);
    assert_true(intr.high);
    assert_int_equal(changes, 2);
    assert_int_equal(lapic_tpr_threshold(&lapic), 0);
    page[0x80 / 4] = 0x40; /* raised before the processor takes it */
    assert_int_equal(lapic_ack(&lapic), -1);
    assert_false(intr.high);
    assert_int_equal(changes, 3);
    assert_int_equal(lapic_tpr_threshold(&lapic), 4);
}

static void the_threshold_is_the_class_that_tpr_holds_back(void **state)
{
    (void)state;
    assert_int_equal(lapic_tpr_threshold(&lapic), 0);
    page[0x80 / 4] = 0x60;
    fixed(0x51, false);
    assert_false(intr.high);
    assert_int_equal(lapic_tpr_threshold(&lapic), 5);
    page[0x80 / 4] = 0x40; /* below it: an exit */
    lapic_evaluate(&lapic);
    assert_true(intr.high);
    assert_int_equal(lapic_tpr_threshold(&lapic), 0);
    assert_int_equal(lapic_ack(&lapic), 0x51);
    fixed(0x52, false); /* what is in service holds this one back */
    assert_int_equal(lapic_tpr_threshold(&lapic), 0);
    page[0x80 / 4] = 0xf0;
    fixed(0xf1, false);
    assert_int_equal(lapic_tpr_threshold(&lapic), 15);
}

/* TPR raised without an exit, while a request waits on INTR for the guest's IF. */
static void a_request_that_tpr_overtook_is_not_acknowledged(void **state)
{
    (void)state;
    fixed(0x51, false);
    assert_true(intr.high);
    page[0x80 / 4] = 0x50;
    assert_int_equal(lapic_ack(&lapic), -1);
    assert_false(intr.high);
    assert_int_equal(lapic_tpr_threshold(&lapic), 5);
    assert_int_equal(changes, 1); /* or nobody would see TPR fall */
}

/* The same, and the guest looks at a register meanwhile. */
static void what_tpr_holds_back_is_noted_at_every_look(void **state)
{
    (void)state;
    fixed(0x51, false);
    page[0x80 / 4] = 0x50;
    rd(0x20);
    assert_false(intr.high);
    assert_int_equal(changes, 1);
    rd(0x20);
    assert_int_equal(changes, 1);
    wr(0x80, 0x67); /* bits that CR8 hasn't */
    assert_int_equal(changes, 2);
}

/* --- CR8 outside of the page ------------------------------------------------------------------ */

static uint8_t the_cr8;

static uint8_t get_cr8(void *ctx)
{
    (void)ctx;
    return the_cr8;
}

static void put_cr8(void *ctx, uint8_t cr8)
{
    (void)ctx;
    the_cr8 = cr8;
}

static void a_cr8_of_the_processors_own_is_the_tprs_class(void **state)
{
    (void)state;
    lapic.wiring.cr8 = get_cr8;
    lapic.wiring.set_cr8 = put_cr8;
    wr(0x80, 0x47);
    assert_int_equal(the_cr8, 4);
    assert_int_equal(rd(0x80), 0x47);
    the_cr8 = 9; /* MOV CR8 without an exit */
    assert_int_equal(rd(0x80), 0x90);
    assert_int_equal(rd(0xa0), 0x90);
    fixed(0x81, false);
    assert_false(intr.high);
    assert_int_equal(lapic_tpr_threshold(&lapic), 8);
    lapic_set_cr8(&lapic, 3);
    assert_int_equal(the_cr8, 3);
    assert_true(intr.high);
    lapic_ops.reset(&lapic);
    assert_int_equal(the_cr8, 0);
}

#define DELIVERY(name) cmocka_unit_test_setup(name, with_delivery)
#define TPR(name)      cmocka_unit_test_setup(name, with_tpr)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DELIVERY(a_request_is_the_processors_and_not_on_intr),
        DELIVERY(a_request_waits_for_tpr),
        DELIVERY(an_external_interrupt_is_on_intr_as_ever),
        DELIVERY(a_levels_end_is_told_to_its_source),
        DELIVERY(an_edges_end_is_told_to_nobody_but_seen),
        DELIVERY(what_the_processor_leaves_in_the_page_is_done),
        DELIVERY(disabled_by_software_the_device_delivers_alone),
        DELIVERY(disabled_by_its_base_it_begins_anew),
        DELIVERY(the_page_holds_what_reads_in_x2apic_mode_give),
        TPR(with_tpr_alone_intr_is_driven_as_ever),
        TPR(with_tpr_alone_a_request_that_waits_is_told),
        TPR(the_threshold_is_the_class_that_tpr_holds_back),
        TPR(a_request_that_tpr_overtook_is_not_acknowledged),
        TPR(what_tpr_holds_back_is_noted_at_every_look),
        TPR(a_cr8_of_the_processors_own_is_the_tprs_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
