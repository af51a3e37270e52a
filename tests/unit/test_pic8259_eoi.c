/* needs: vmm/dev/pic8259.c */
#include "dev/pic8259.h"
#include "pic8259_rig.h"

/* --- end of interrupt ------------------------------------------------------------------------- */

/* Pins 1, 3 and 5 are in service, 5 was first. */
static void serve_5_3_1(void)
{
    for (unsigned pin = 5; pin >= 1 && pin <= 5; pin -= 2) {
        irq(pin, true);
        pic8259_ack(&pic);
    }
    out(0, 0x0b);
    assert_int_equal(in(0), 0x2a);
}

static void ocw2_commands(void **state)
{
    static const struct {
        uint8_t ocw2, isr, lowest;
    } table[] = {
        {0x20, 0x28, 7}, /* non-specific: the highest */
        {0x63, 0x22, 7}, /* specific */
        {0x64, 0x2a, 7}, /* specific, not in service */
        {0xa0, 0x28, 1}, /* rotate on non-specific */
        {0xe5, 0x0a, 5}, /* rotate on specific */
        {0xc3, 0x2a, 3}, /* set priority */
        {0x40, 0x2a, 7}, /* no operation */
        {0x80, 0x2a, 7}, /* rotate in AEOI: set */
        {0x00, 0x2a, 7}, /* and clear */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        setup(NULL);
        serve_5_3_1();
        out(0, table[i].ocw2);
        assert_int_equal(in(0), table[i].isr);
        assert_int_equal(pic.master.lowest, table[i].lowest);
    }
}

static void an_eoi_without_service_does_nothing(void **state)
{
    (void)state;
    out(0, 0x20);
    out(0, 0xa0);
    assert_int_equal(pic.master.lowest, 7);
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
    (void)state;
    initialize(0x03, 0x03);
    irq(4, true);
    irq(12, true);
    irq(13, true);
    assert_int_equal(pic8259_ack(&pic), 0x3c);
    assert_true(intr.high);
    assert_int_equal(pic8259_ack(&pic), 0x3d);
    assert_int_equal(pic8259_ack(&pic), 0x34);
    assert_int_equal(pic.master.isr | pic.slave.isr, 0);
    assert_false(intr.high);
}

static void automatic_eoi_may_rotate(void **state)
{
    (void)state;
    initialize(0x03, 0x01);
    out(0, 0x80);
    irq(4, true);
    pic8259_ack(&pic);
    assert_int_equal(pic.master.lowest, 4);
    out(0, 0x00);
    irq(5, true);
    pic8259_ack(&pic);
    assert_int_equal(pic.master.lowest, 4);
}

/* --- edge and level --------------------------------------------------------------------------- */

static void an_edge_is_served_once(void **state)
{
    (void)state;
    irq(4, true);
    pic8259_ack(&pic);
    out(0, 0x20);
    assert_false(intr.high);
    irq(4, true);
    assert_false(intr.high);
    irq(4, false);
    irq(4, true);
    assert_true(intr.high);
}

static void an_edge_during_service_is_kept(void **state)
{
    (void)state;
    irq(4, true);
    pic8259_ack(&pic);
    irq(4, false);
    irq(4, true);
    assert_false(intr.high);
    out(0, 0x20);
    assert_true(intr.high);
}

static void a_level_is_served_until_it_falls(void **state)
{
    (void)state;
    out(5, 0x08); /* pin 11 */
    irq(11, true);
    assert_int_equal(pic8259_ack(&pic), 0x3b);
    assert_false(intr.high);
    out(2, 0x20);
    out(0, 0x20);
    assert_true(intr.high);
    assert_int_equal(pic8259_ack(&pic), 0x3b);
    irq(11, false);
    out(2, 0x20);
    out(0, 0x20);
    assert_false(intr.high);
}

static void a_request_that_falls_before_the_ack_is_gone(void **state)
{
    (void)state;
    for (unsigned level = 0; level < 2; level++) {
        setup(NULL);
        out(4, level ? 0x20 : 0x00);
        irq(5, true);
        irq(5, false);
        assert_false(intr.high);
        assert_int_equal(in(0), 0x00);
    }
}

static void an_ack_without_request_is_spurious(void **state)
{
    (void)state;
    irq(5, true);
    irq(5, false); /* too late for a CPU that saw INT */
    assert_int_equal(pic8259_ack(&pic), 0x37);
    out(0, 0x0b);
    assert_int_equal(in(0), 0x00); /* nothing is in service */
    assert_int_equal(pic.spurious, 1);
    irq(7, true);
    assert_int_equal(pic8259_ack(&pic), 0x37); /* the real one is */
    assert_int_equal(in(0), 0x80);
}

static void the_cascade_is_held_while_the_slave_asks(void **state)
{
    (void)state;
    irq(12, true);
    irq(9, true);
    assert_int_equal(pic8259_ack(&pic), 0x39);
    assert_false(intr.high);
    out(0, 0x20); /* the master alone: the slave still serves 9 and waits with 12 */
    assert_false(intr.high);
    out(2, 0x20);
    assert_true(intr.high);
    assert_int_equal(pic8259_ack(&pic), 0x3c);
}

static void a_higher_slave_pin_waits_for_the_masters_eoi(void **state)
{
    (void)state;
    for (unsigned nested = 0; nested < 2; nested++) {
        power_on(NULL);
        initialize(nested ? 0x11 : 0x01, 0x01);
        irq(12, true);
        assert_int_equal(pic8259_ack(&pic), 0x3c);
        irq(8, true);
        assert_int_equal(intr.high, nested); /* special fully nested mode lets it in */
        irq(4, true);
        assert_int_equal(intr.high, nested);
        if (!nested)
            out(0, 0x20);
        assert_int_equal(pic8259_ack(&pic), 0x38);
    }
}

/* --- special mask mode and poll --------------------------------------------------------------- */

static void special_mask_mode_opens_lower_priorities(void **state)
{
    (void)state;
    irq(3, true);
    pic8259_ack(&pic);
    irq(6, true);
    assert_false(intr.high);
    out(0, 0x68);
    assert_false(intr.high); /* 3 is in service and not masked */
    out(1, 0x08);
    assert_true(intr.high);
    assert_int_equal(pic8259_ack(&pic), 0x36);
    out(0, 0x20); /* non-specific: 6, since 3 is masked */
    out(0, 0x0b);
    assert_int_equal(in(0), 0x08);
    out(0, 0x48); /* back */
    irq(6, false);
    irq(6, true);
    assert_false(intr.high);
    out(0, 0x20);
    assert_int_equal(in(0), 0x00);
    assert_true(intr.high);
}

static void smm_needs_esmm(void **state)
{
    (void)state;
    out(0, 0x28);
    assert_false(pic.master.special_mask);
    out(0, 0x68);
    out(0, 0x08);
    assert_true(pic.master.special_mask);
}

static void poll_is_an_acknowledge(void **state)
{
    (void)state;
    out(0, 0x0c);
    assert_int_equal(in(0) & 0x80, 0);
    irq(4, true);
    out(0, 0x0c);
    assert_int_equal(in(0), 0x84);
    assert_false(intr.high);
    out(0, 0x0b);
    assert_int_equal(in(0), 0x10);
    out(0, 0x20);
    irq(9, true);
    out(0, 0x0c);
    assert_int_equal(in(1), 0x82); /* either port */
    out(2, 0x0c);
    assert_int_equal(in(2), 0x81);
    assert_int_equal(in(1), 0x00);
    assert_int_equal(in(3), 0x00);
}

static void int_is_recomputed_after_every_write(void **state)
{
    (void)state;
    irq(3, true);
    unsigned rises = intr.rises;
    out(1, 0xff);
    assert_false(intr.high);
    out(1, 0x00);
    assert_true(intr.high);
    assert_int_equal(intr.rises, rises + 1);
}

static void reset_keeps_only_the_inputs_levels(void **state)
{
    struct pic8259 fresh;
    (void)state;
    irq(3, true);
    out(4, 0x08);
    pic8259_ack(&pic);
    out(1, 0x55);
    out(2, 0x68);
    pic8259_ops.reset(&pic);
    assert_false(intr.high);
    pic8259_init(&fresh, pic.intr);
    assert_int_equal(pic.master.lines, 0x08);
    pic.master.lines = 0;
    rig_assert_same(&fresh.master, &pic.master, expects, poll);
    rig_assert_same(&fresh.slave, &pic.slave, expects, poll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ocw2_commands, setup),
        cmocka_unit_test_setup(an_eoi_without_service_does_nothing, setup),
        cmocka_unit_test_setup(automatic_eoi_leaves_nothing_in_service, setup),
        cmocka_unit_test_setup(automatic_eoi_may_rotate, setup),
        cmocka_unit_test_setup(an_edge_is_served_once, setup),
        cmocka_unit_test_setup(an_edge_during_service_is_kept, setup),
        cmocka_unit_test_setup(a_level_is_served_until_it_falls, setup),
        cmocka_unit_test_setup(a_request_that_falls_before_the_ack_is_gone, setup),
        cmocka_unit_test_setup(an_ack_without_request_is_spurious, setup),
        cmocka_unit_test_setup(the_cascade_is_held_while_the_slave_asks, setup),
        cmocka_unit_test_setup(a_higher_slave_pin_waits_for_the_masters_eoi, setup),
        cmocka_unit_test_setup(special_mask_mode_opens_lower_priorities, setup),
        cmocka_unit_test_setup(smm_needs_esmm, setup),
        cmocka_unit_test_setup(poll_is_an_acknowledge, setup),
        cmocka_unit_test_setup(int_is_recomputed_after_every_write, setup),
        cmocka_unit_test_setup(reset_keeps_only_the_inputs_levels, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
