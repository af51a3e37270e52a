/* needs: vmm/dev/pic8259.c */
#include "dev/pic8259.h"
#include "pic8259_rig.h"

/* --- power-on and initialization -------------------------------------------------------------- */

static void before_initialization_nothing_interrupts(void **state)
{
    (void)state;
    for (uint32_t offset = 0; offset < 6; offset++)
        assert_int_equal(in(offset), 0x00);
    irq(0, true);
    irq(8, true);
    assert_false(intr.high);
    assert_int_equal(in(0), 0x01); /* yet the request shows */
}

/* Linux probe_8259A(): the mask must hold a value before the chip was initialized. */
static void linux_finds_the_chip_by_its_mask(void **state)
{
    (void)state;
    out(3, 0xff);
    out(1, 0xfb);
    assert_int_equal(in(1), 0xfb);
    assert_int_equal(in(3), 0xff);
}

/* Linux init_8259A(). */
static void linux_initializes_it(void **state)
{
    static const struct {
        uint32_t offset;
        uint8_t value;
    } bytes[] = {{1, 0xff}, {0, 0x11}, {1, 0x30}, {1, 0x04}, {1, 0x01}, {2, 0x11},
                 {3, 0x38}, {3, 0x02}, {3, 0x01}, {1, 0xfb}, {3, 0xff}};
    (void)state;
    for (unsigned i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
        out(bytes[i].offset, bytes[i].value);
    assert_int_equal(in(1), 0xfb);
    assert_int_equal(in(3), 0xff);
    irq(0, true);
    irq(14, true);
    assert_false(intr.high);
    out(1, 0xfa);
    assert_true(intr.high);
    assert_int_equal(pic8259_ack(&pic), 0x30);
    assert_false(intr.high);
    out(0, 0x60); /* specific EOI */
    out(3, 0xbf);
    assert_true(intr.high);
    assert_int_equal(pic8259_ack(&pic), 0x3e);
    out(2, 0x66);
    out(0, 0x62);
    assert_int_equal(pic.master.isr | pic.slave.isr, 0);
}

/* Firmware: the vectors of real mode. */
static void the_vector_base_has_five_bits(void **state)
{
    (void)state;
    for (unsigned base = 0; base < 256; base++) {
        power_on(NULL);
        out(0, 0x11);
        out(1, (uint8_t)base);
        out(1, 0x04);
        out(1, 0x01);
        irq(3, true);
        assert_int_equal(pic8259_ack(&pic), (base & 0xf8) | 3);
    }
}

static void the_sequence_has_2_to_4_words(void **state)
{
    /* ICW1 and how many words follow on the data port before it is the mask again. */
    static const struct {
        uint8_t icw1;
        unsigned words;
    } table[] = {{0x10, 2}, {0x11, 3}, {0x12, 1}, {0x13, 2}, {0x19, 3}};
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        power_on(NULL);
        out(0, table[i].icw1);
        irq(0, true);
        for (unsigned word = 0; word < table[i].words; word++) {
            assert_false(intr.high);
            assert_int_equal(in(1), 0x00);
            out(1, word == 2 ? 0x01 : 0x40);
        }
        assert_true(intr.high);
        out(1, 0xa5);
        assert_int_equal(in(1), 0xa5);
        assert_false(intr.high);
    }
}

static void icw1_resets_the_chip_but_not_its_elcr(void **state)
{
    (void)state;
    irq(5, true);
    irq(4, true);
    pic8259_ack(&pic);
    out(4, 0x08);
    out(1, 0xf0);
    out(0, 0x68); /* special mask mode */
    out(0, 0x0b); /* read ISR */
    out(0, 0xc2); /* priorities */
    out(0, 0x11);
    assert_int_equal(in(1), 0x00);
    assert_int_equal(in(0), 0x00); /* IRR again, and the edges are forgotten */
    assert_int_equal(in(4), 0x08);
    out(1, 0x30);
    out(1, 0x04);
    out(1, 0x01);
    assert_false(intr.high); /* pin 5 is still high, but must rise again */
    irq(5, false);
    irq(5, true);
    assert_int_equal(pic8259_ack(&pic), 0x35);
    assert_false(pic.master.special_mask);
    assert_int_equal(pic.master.lowest, 7);
}

static void icw1_without_ic4_clears_icw4(void **state)
{
    (void)state;
    initialize(0x03, 0x01); /* AEOI */
    out(0, 0x10);
    out(1, 0x30);
    out(1, 0x04);
    irq(1, true);
    pic8259_ack(&pic);
    out(0, 0x0b);
    assert_int_equal(in(0), 0x02);
}

/* --- ports ------------------------------------------------------------------------------------ */

static void elcr_masks_and_sizes(void **state)
{
    uint64_t value = 5;
    (void)state;
    out(4, 0xff);
    out(5, 0xff);
    assert_int_equal(in(4), 0xf8);
    assert_int_equal(in(5), 0xde);
    for (uint32_t offset = 0; offset < 6; offset++) {
        assert_int_equal(pic8259_ops.read(&pic, offset, 2, &value), IO_BAD_SIZE);
        assert_int_equal(pic8259_ops.read(&pic, offset, 4, &value), IO_BAD_SIZE);
        assert_int_equal(pic8259_ops.write(&pic, offset, 2, 0x1111), IO_BAD_SIZE);
        assert_int_equal(pic8259_ops.write(&pic, offset, 4, 0x11), IO_BAD_SIZE);
    }
    assert_int_equal(pic8259_ops.read(&pic, 6, 1, &value), IO_NO_REGISTER);
    assert_int_equal(pic8259_ops.write(&pic, 6, 1, 0), IO_NO_REGISTER);
    assert_int_equal(value, 5);
}

static void ocw3_selects_irr_or_isr(void **state)
{
    (void)state;
    irq(1, true);
    irq(3, true);
    assert_int_equal(pic8259_ack(&pic), 0x31);
    assert_int_equal(in(0), 0x08);
    out(0, 0x0b);
    assert_int_equal(in(0), 0x02);
    out(0, 0x08); /* RR is 0: no change */
    assert_int_equal(in(0), 0x02);
    out(0, 0x0a);
    assert_int_equal(in(0), 0x08);
    assert_int_equal(in(1), 0x00);
}

/* --- priority --------------------------------------------------------------------------------- */

static void each_pin_has_its_vector(void **state)
{
    (void)state;
    for (unsigned pin = 0; pin < 16; pin++) {
        setup(NULL);
        irq(pin, true);
        if (pin == 2) {
            assert_false(intr.high); /* the cascade is no input */
            continue;
        }
        assert_true(intr.high);
        assert_int_equal(pic8259_ack(&pic), 0x30 + pin);
        assert_false(intr.high);
        assert_int_equal(pic.pin_acks[pin], 1);
        out(0, 0x0b);
        out(2, 0x0b);
        assert_int_equal(in(0), pin < 8 ? 1u << pin : 0x04);
        assert_int_equal(in(2), pin < 8 ? 0 : 1u << (pin - 8));
    }
}

static void pins_that_do_not_exist_are_ignored(void **state)
{
    (void)state;
    irq(16, true);
    irq(0xffffffff, true);
    assert_false(intr.high);
}

static void all_pins_come_by_priority(void **state)
{
    static const uint8_t order[] = {0x30, 0x31, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d,
                                    0x3e, 0x3f, 0x33, 0x34, 0x35, 0x36, 0x37};
    (void)state;
    for (unsigned pin = 0; pin < 16; pin++)
        irq(pin, true);
    for (unsigned i = 0; i < sizeof(order); i++) {
        assert_true(intr.high);
        assert_int_equal(pic8259_ack(&pic), order[i]);
        if (order[i] >= 0x38)
            out(2, 0x20);
        out(0, 0x20);
    }
    assert_false(intr.high);
}

static void only_a_higher_priority_breaks_in(void **state)
{
    (void)state;
    for (unsigned served = 0; served < 8; served++) {
        for (unsigned other = 0; other < 8; other++) {
            if (served == 2 || other == 2 || served == other)
                continue;
            setup(NULL);
            irq(served, true);
            pic8259_ack(&pic);
            irq(other, true);
            assert_int_equal(intr.high, other < served);
        }
    }
}

static void a_mask_holds_back_and_lets_go(void **state)
{
    (void)state;
    for (unsigned pin = 0; pin < 16; pin++) {
        if (pin == 2)
            continue;
        setup(NULL);
        out(1, 0xfb); /* as the pin's bit, the cascade open */
        out(3, 0xff);
        irq(pin, true);
        assert_false(intr.high);
        if (pin < 8)
            out(1, (uint8_t) ~(1u << pin));
        else
            out(3, (uint8_t) ~(1u << (pin - 8)));
        assert_true(intr.high);
        assert_int_equal(pic8259_ack(&pic), 0x30 + pin);
    }
}

/* An input that was taken as an edge asks again once it counts as a level. */
static void a_mask_lets_go_what_the_elcr_has_made_a_request(void **state)
{
    (void)state;
    irq(5, true);
    assert_int_equal(pic8259_ack(&pic), 0x35);
    out(0, 0x20); /* EOI */
    out(1, 0xff);
    out(4, 0x20); /* ELCR: 5 is a level */
    assert_false(intr.high);
    out(1, 0xdf);
    assert_true(intr.high);
    assert_int_equal(pic8259_ack(&pic), 0x35);
}

static void a_masked_cascade_holds_back_the_slave(void **state)
{
    (void)state;
    out(1, 0x04);
    irq(8, true);
    assert_false(intr.high);
    assert_int_equal(in(0), 0x04);
    out(1, 0x00);
    assert_int_equal(pic8259_ack(&pic), 0x38);
}

static void rotation_moves_the_lowest_priority(void **state)
{
    (void)state;
    for (unsigned lowest = 0; lowest < 8; lowest++) {
        setup(NULL);
        out(0, (uint8_t)(0xc0 | lowest));
        for (unsigned pin = 0; pin < 8; pin++)
            irq(pin, true);
        for (unsigned i = 1; i <= 8; i++) {
            unsigned pin = (lowest + i) % 8;
            if (pin == 2)
                continue;
            assert_int_equal(pic8259_ack(&pic), 0x30 + pin);
            out(0, 0x20);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(before_initialization_nothing_interrupts, power_on),
        cmocka_unit_test_setup(linux_finds_the_chip_by_its_mask, power_on),
        cmocka_unit_test_setup(linux_initializes_it, power_on),
        cmocka_unit_test_setup(the_vector_base_has_five_bits, power_on),
        cmocka_unit_test_setup(the_sequence_has_2_to_4_words, power_on),
        cmocka_unit_test_setup(icw1_resets_the_chip_but_not_its_elcr, setup),
        cmocka_unit_test_setup(icw1_without_ic4_clears_icw4, setup),
        cmocka_unit_test_setup(elcr_masks_and_sizes, setup),
        cmocka_unit_test_setup(ocw3_selects_irr_or_isr, setup),
        cmocka_unit_test_setup(each_pin_has_its_vector, setup),
        cmocka_unit_test_setup(pins_that_do_not_exist_are_ignored, setup),
        cmocka_unit_test_setup(all_pins_come_by_priority, setup),
        cmocka_unit_test_setup(only_a_higher_priority_breaks_in, setup),
        cmocka_unit_test_setup(a_mask_holds_back_and_lets_go, setup),
        cmocka_unit_test_setup(a_mask_lets_go_what_the_elcr_has_made_a_request, setup),
        cmocka_unit_test_setup(a_masked_cascade_holds_back_the_slave, setup),
        cmocka_unit_test_setup(rotation_moves_the_lowest_priority, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
