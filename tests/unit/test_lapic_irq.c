/* needs: vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/lib/mem.c */
/* The local APIC: priorities, EOI, pins, messages, interprocessor interrupts. */
#include "lapic_rig.h"

static bool message(uint8_t vector, enum apic_delivery delivery, bool level)
{
    const struct apic_message m = {.vector = vector, .delivery = delivery, .level = level};
    return lapic_receive(&lapic, &m);
}

static void fixed(uint8_t vector)
{
    assert_true(message(vector, APIC_FIXED, false));
}

static void a_request_goes_from_irr_to_isr_and_out_by_eoi(void **state)
{
    (void)state;
    enable();
    fixed(0x41);
    assert_true(intr.high);
    assert_int_equal(rd(0x220), 0x2);
    assert_int_equal(lapic_ack(&lapic), 0x41);
    assert_false(intr.high);
    assert_int_equal(rd(0x220), 0);
    assert_int_equal(rd(0x120), 0x2);
    assert_int_equal(rd(0xa0), 0x40);
    wr(0xb0, 0);
    assert_int_equal(rd(0x120), 0);
    assert_int_equal(rd(0xa0), 0);
    assert_int_equal(eoi_count, 0);
    assert_int_equal(lapic_ack(&lapic), -1);
}

static void every_legal_vector_has_its_bit(void **state)
{
    (void)state;
    enable();
    for (unsigned vector = 16; vector < 256; vector++) {
        fixed((uint8_t)vector);
        assert_int_equal(rd(0x200 + vector / 32 * 0x10), 1u << vector % 32);
        assert_int_equal(lapic_ack(&lapic), vector);
        assert_int_equal(rd(0x100 + vector / 32 * 0x10), 1u << vector % 32);
        wr(0xb0, 0);
    }
}

static void the_highest_class_goes_first_and_lower_ones_wait(void **state)
{
    (void)state;
    enable();
    fixed(0x31);
    fixed(0x52);
    fixed(0x51);
    assert_int_equal(lapic_ack(&lapic), 0x52);
    assert_false(intr.high); /* 51h is of the same class */
    fixed(0x60);
    assert_int_equal(lapic_ack(&lapic), 0x60);
    wr(0xb0, 0); /* ends 60h */
    assert_false(intr.high);
    wr(0xb0, 0);
    assert_int_equal(lapic_ack(&lapic), 0x51);
    wr(0xb0, 0);
    assert_int_equal(lapic_ack(&lapic), 0x31);
}

static void the_ppr_is_the_higher_of_tpr_and_in_service(void **state)
{
    (void)state;
    enable();
    wr(0x80, 0x4a);
    assert_int_equal(rd(0xa0), 0x4a);
    fixed(0x4f);
    assert_false(intr.high);
    fixed(0x53);
    assert_int_equal(lapic_ack(&lapic), 0x53);
    assert_int_equal(rd(0xa0), 0x50);
    wr(0x80, 0x5c);
    assert_int_equal(rd(0xa0), 0x5c);
    wr(0xb0, 0);
    wr(0x80, 0x3f);
    assert_true(intr.high);
    wr(0x80, 0xff);
    assert_false(intr.high);
    assert_int_equal(lapic_ack(&lapic), -1);
}

static void cr8_is_the_class_of_the_tpr(void **state)
{
    (void)state;
    enable();
    wr(0x80, 0x5a);
    assert_int_equal(lapic_cr8(&lapic), 5);
    fixed(0x61);
    lapic_set_cr8(&lapic, 6);
    assert_int_equal(rd(0x80), 0x60);
    assert_false(intr.high);
    lapic_set_cr8(&lapic, 5);
    assert_true(intr.high);
}

static void level_interrupts_set_tmr_and_their_eoi_is_broadcast(void **state)
{
    (void)state;
    enable();
    assert_true(message(0x41, APIC_LOWEST_PRIORITY, true));
    assert_int_equal(rd(0x1a0), 0x2);
    assert_int_equal(lapic_ack(&lapic), 0x41);
    wr(0xb0, 0);
    assert_int_equal(eoi_count, 1);
    assert_int_equal(eoi_vector, 0x41);
    fixed(0x41); /* an edge: the bit goes */
    assert_int_equal(rd(0x1a0), 0);
    lapic_ack(&lapic);
    wr(0xb0, 0);
    assert_int_equal(eoi_count, 1);
}

static void the_broadcast_can_be_suppressed(void **state)
{
    (void)state;
    wr(0xf0, 0x11ff);
    assert_true(message(0x41, APIC_FIXED, true));
    lapic_ack(&lapic);
    wr(0xb0, 0);
    assert_int_equal(rd(0x120), 0);
    assert_int_equal(eoi_count, 0);
}

static void an_eoi_of_nothing_does_nothing(void **state)
{
    (void)state;
    enable();
    wr(0xb0, 0);
    assert_int_equal(eoi_count, 0);
}

static void disabled_in_software_it_takes_only_nmi_and_init(void **state)
{
    (void)state;
    enable();
    fixed(0x41);
    wr(0xf0, 0xff);
    assert_false(message(0x51, APIC_FIXED, false));
    assert_true(message(0, APIC_NMI, false));
    assert_int_equal(nmis, 1);
    assert_true(message(0, APIC_INIT, false));
    assert_int_equal(inits, 1);
    assert_int_equal(lapic_ack(&lapic), 0x41); /* what was held is the processor's to handle */
    assert_int_equal(lapic_ack(&lapic), -1);
}

static void illegal_vectors_are_received_as_errors(void **state)
{
    (void)state;
    enable();
    for (uint8_t vector = 0; vector < 16; vector++) {
        assert_false(message(vector, APIC_FIXED, false));
        assert_int_equal(errors(), 0x40);
    }
    assert_false(intr.high);
    assert_true(message(16, APIC_FIXED, false));
}

static void destinations(void **state)
{
    static const struct {
        uint32_t dfr, ldr;
        uint32_t destination;
        bool logical, taken;
    } rows[] = {
        {0xffffffff, 0, 0x03, false, true},
        {0xffffffff, 0, 0x02, false, false},
        {0xffffffff, 0, 0xffffffff, false, true},
        {0xffffffff, 0x08000000, 0x08, true, true},
        {0xffffffff, 0x08000000, 0x0f, true, true},
        {0xffffffff, 0x08000000, 0x07, true, false},
        {0xffffffff, 0x00000000, 0xffffffff, true, true},
        {0x0fffffff, 0x21000000, 0x21, true, true}, /* cluster 2, member 0 */
        {0x0fffffff, 0x21000000, 0x23, true, true},
        {0x0fffffff, 0x21000000, 0x22, true, false},
        {0x0fffffff, 0x21000000, 0x31, true, false},
    };

    (void)state;
    rig_init(3);
    enable();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct apic_message m = {
            .destination = rows[i].destination, .logical = rows[i].logical, .vector = 0x40};
        wr(0xe0, rows[i].dfr);
        wr(0xd0, rows[i].ldr);
        assert_int_equal(lapic_receive(&lapic, &m), rows[i].taken);
    }
}

static void logical_destinations_of_x2apic_mode(void **state)
{
    static const struct {
        uint32_t destination;
        bool taken;
    } rows[] = {{0x00020020, true},  {0x0002ffff, true}, {0x0002ffdf, false},
                {0x00010020, false}, {0xffffffff, true}, {0x00000020, false}};

    (void)state;
    rig_init(0x25);
    enable();
    x2apic();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct apic_message m = {
            .destination = rows[i].destination, .logical = true, .vector = 0x40};
        assert_int_equal(lapic_receive(&lapic, &m), rows[i].taken);
    }
}

static void the_8259_comes_through_lint0_as_virtual_wire(void **state)
{
    (void)state;
    lapic_set_lint(&lapic, 0, true);
    assert_false(intr.high); /* masked after reset */
    lapic_virtual_wire(&lapic);
    assert_int_equal(rd(0xf0), 0x1ff);
    assert_int_equal(rd(0x350), 0x700);
    assert_int_equal(rd(0x360), 0x400);
    assert_true(intr.high);
    wr(0x80, 0xff); /* no priority holds it up */
    assert_true(intr.high);
    assert_int_equal(lapic_ack(&lapic), 0x30);
    assert_int_equal(extint_acks, 1);
    assert_int_equal(rd(0x110), 0); /* not in service here */
    lapic_set_lint(&lapic, 0, false);
    assert_false(intr.high);
    lapic_set_lint(&lapic, 0, true);
    wr(0x350, 0x10700);
    assert_false(intr.high);
}

static void lint1_is_an_nmi(void **state)
{
    (void)state;
    lapic_virtual_wire(&lapic);
    lapic_set_lint(&lapic, 1, true);
    lapic_set_lint(&lapic, 1, true);
    assert_int_equal(nmis, 1);
    lapic_set_lint(&lapic, 1, false);
    wr(0x360, 0x10400);
    lapic_set_lint(&lapic, 1, true);
    assert_int_equal(nmis, 1);
}

static void disabled_by_its_base_the_pins_are_the_processors(void **state)
{
    (void)state;
    wrmsr(0x1b, 0xfee00100);
    lapic_set_lint(&lapic, 0, true);
    assert_true(intr.high);
    assert_int_equal(lapic_ack(&lapic), 0x30);
    lapic_set_lint(&lapic, 1, true);
    assert_int_equal(nmis, 1);
    assert_false(message(0x41, APIC_FIXED, false));
}

static void lint0_as_an_edge(void **state)
{
    (void)state;
    enable();
    wr(0x350, 0x44);
    lapic_set_lint(&lapic, 0, true);
    assert_int_equal(lapic_ack(&lapic), 0x44);
    wr(0xb0, 0);
    assert_false(intr.high);
    lapic_set_lint(&lapic, 0, false);
    wr(0x350, 0x2044); /* active low: it rises when the pin falls */
    lapic_set_lint(&lapic, 0, true);
    assert_false(intr.high);
    lapic_set_lint(&lapic, 0, false);
    assert_true(intr.high);
}

static void lint0_as_a_level_has_a_remote_irr(void **state)
{
    (void)state;
    enable();
    wr(0x350, 0x8044);
    lapic_set_lint(&lapic, 0, true);
    assert_int_equal(rd(0x350), 0xc044);
    assert_int_equal(lapic_ack(&lapic), 0x44);
    assert_false(intr.high);
    wr(0xb0, 0); /* still high: again */
    assert_int_equal(rd(0x350), 0xc044);
    assert_int_equal(lapic_ack(&lapic), 0x44);
    lapic_set_lint(&lapic, 0, false);
    wr(0xb0, 0);
    assert_int_equal(rd(0x350), 0x8044);
    assert_false(intr.high);
}

static void an_extint_message_is_one_inta_cycle(void **state)
{
    (void)state;
    enable();
    assert_true(message(0, APIC_EXTINT, false));
    assert_true(intr.high);
    assert_int_equal(lapic_ack(&lapic), 0x30);
    assert_false(intr.high);
}

static void self_ipis_by_shorthand(void **state)
{
    (void)state;
    enable();
    wr(0x300, 0x44041); /* self, fixed, assert */
    assert_int_equal(rd(0x300), 0x44041);
    assert_int_equal(lapic_ack(&lapic), 0x41);
    wr(0xb0, 0);
    wr(0x300, 0x84042); /* all including self */
    assert_int_equal(lapic_ack(&lapic), 0x42);
    wr(0xb0, 0);
    wr(0x300, 0xc4043); /* all but self: nobody */
    assert_false(intr.high);
    wr(0x300, 0x44400); /* NMI to self: not a valid combination */
    assert_int_equal(nmis, 0);
}

static void ipis_by_destination(void **state)
{
    (void)state;
    rig_init(3);
    enable();
    wr(0x310, 0x03000000);
    wr(0x300, 0x4041);
    assert_int_equal(lapic_ack(&lapic), 0x41);
    wr(0xb0, 0);
    wr(0x300, 0x4142); /* lowest priority */
    assert_int_equal(lapic_ack(&lapic), 0x42);
    wr(0xb0, 0);
    wr(0x300, 0x4400);
    assert_int_equal(nmis, 1);
    wr(0x300, 0x4500); /* INIT, edge */
    assert_int_equal(inits, 1);
    wr(0x300, 0x8500); /* the end of an INIT */
    wr(0x300, 0x4612); /* start-up */
    wr(0x300, 0x4200); /* SMI */
    wr(0x300, 0x4300);
    wr(0x300, 0x4700);
    assert_int_equal(inits, 1);
    assert_false(intr.high);
    wr(0x310, 0x04000000);
    wr(0x300, 0x4041);
    assert_false(intr.high);
    wr(0x310, 0xff000000);
    wr(0x300, 0x4041);
    assert_true(intr.high);
    assert_int_equal(errors(), 0);
}

static void ipis_of_x2apic_mode(void **state)
{
    (void)state;
    rig_init(3);
    enable();
    x2apic();
    wrmsr(0x830, 0x300004041);
    assert_true(rdmsr(0x830) == 0x300004041);
    assert_int_equal(lapic_ack(&lapic), 0x41);
    wrmsr(0x80b, 0);
    wrmsr(0x830, 0xff00004041);
    assert_false(intr.high);
    wrmsr(0x830, 0xffffffff00004041);
    assert_int_equal(lapic_ack(&lapic), 0x41);
    wrmsr(0x80b, 0);
    wrmsr(0x83f, 0x42);
    assert_int_equal(lapic_ack(&lapic), 0x42);
}

static void illegal_vectors_are_sent_as_errors(void **state)
{
    (void)state;
    enable();
    wr(0x300, 0x4404f - 0x40);
    assert_int_equal(errors(), 0x20);
    wr(0x300, 0xc4001); /* though nobody would get it */
    assert_int_equal(errors(), 0x20);
    x2apic();
    wrmsr(0x83f, 0x0f);
    wrmsr(0x828, 0);
    assert_int_equal(rdmsr(0x828), 0x20);
}

static void messages_of_devices(void **state)
{
    struct apic_message m;

    (void)state;
    assert_true(apic_message_from_msi(0xfee03000, 0x4041, &m));
    assert_int_equal(m.destination, 3);
    assert_false(m.logical);
    assert_false(m.level);
    assert_int_equal(m.delivery, 0);
    assert_int_equal(m.vector, 0x41);
    assert_true(apic_message_from_msi(0xfeeff00c, 0xc145, &m));
    assert_true(m.destination == 0xffffffff);
    assert_true(m.logical);
    assert_true(m.level);
    assert_int_equal(m.delivery, 1);
    assert_int_equal(m.vector, 0x45);
    assert_false(apic_message_from_msi(0xfed00000, 0x41, &m));
    assert_false(apic_message_from_msi(0x1fee00000, 0x41, &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_request_goes_from_irr_to_isr_and_out_by_eoi),
        T(every_legal_vector_has_its_bit),
        T(the_highest_class_goes_first_and_lower_ones_wait),
        T(the_ppr_is_the_higher_of_tpr_and_in_service),
        T(cr8_is_the_class_of_the_tpr),
        T(level_interrupts_set_tmr_and_their_eoi_is_broadcast),
        T(the_broadcast_can_be_suppressed),
        T(an_eoi_of_nothing_does_nothing),
        T(disabled_in_software_it_takes_only_nmi_and_init),
        T(illegal_vectors_are_received_as_errors),
        T(destinations),
        T(logical_destinations_of_x2apic_mode),
        T(the_8259_comes_through_lint0_as_virtual_wire),
        T(lint1_is_an_nmi),
        T(disabled_by_its_base_the_pins_are_the_processors),
        T(lint0_as_an_edge),
        T(lint0_as_a_level_has_a_remote_irr),
        T(an_extint_message_is_one_inta_cycle),
        T(self_ipis_by_shorthand),
        T(ipis_by_destination),
        T(ipis_of_x2apic_mode),
        T(illegal_vectors_are_sent_as_errors),
        T(messages_of_devices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
