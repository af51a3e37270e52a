/* needs: vmm/dev/ioapic.c */
/* Numbers are those of the 82093AA data sheet, and of the ICH's for the EOI register. */
#include "dev/ioapic.h"
#include "dev_rig.h"

static struct ioapic ioapic;
static struct apic_message last;
static unsigned sent;
static bool taking;

static bool keep(void *ctx, const struct apic_message *message)
{
    (void)ctx;
    if (!taking)
        return false;
    last = *message;
    sent++;
    return true;
}

static int setup(void **state)
{
    (void)state;
    sent = 0;
    taking = true;
    ioapic_init(&ioapic, (struct apic_bus){keep, NULL});
    return 0;
}

static uint32_t rd(uint8_t reg)
{
    uint64_t value = UINT64_MAX;
    assert_int_equal(ioapic_ops.write(&ioapic, 0x00, 4, reg), IO_OK);
    assert_int_equal(ioapic_ops.read(&ioapic, 0x10, 4, &value), IO_OK);
    return (uint32_t)value;
}

static void wr(uint8_t reg, uint32_t value)
{
    assert_int_equal(ioapic_ops.write(&ioapic, 0x00, 4, reg), IO_OK);
    assert_int_equal(ioapic_ops.write(&ioapic, 0x10, 4, value), IO_OK);
}

static void eoi_register(uint8_t vector)
{
    assert_int_equal(ioapic_ops.write(&ioapic, 0x40, 4, vector), IO_OK);
}

static void registers_after_reset(void **state)
{
    (void)state;
    assert_int_equal(rd(0x00), 0);
    assert_int_equal(rd(0x01), 0x00170020);
    assert_int_equal(rd(0x02), 0);
    for (uint8_t pin = 0; pin < 24; pin++) {
        assert_int_equal(rd((uint8_t)(0x10 + 2 * pin)), 0x10000);
        assert_int_equal(rd((uint8_t)(0x11 + 2 * pin)), 0);
    }
    assert_true(rd(0x40) == 0xffffffff); /* behind the last entry */
    assert_true(rd(0x03) == 0xffffffff);
    assert_true(rd(0xff) == 0xffffffff);
}

static void writable_bits(void **state)
{
    (void)state;
    wr(0x00, 0xffffffff);
    assert_int_equal(rd(0x00), 0x0f000000);
    assert_int_equal(rd(0x02), 0x0f000000);
    wr(0x01, 0);
    assert_int_equal(rd(0x01), 0x00170020);
    wr(0x3e, 0xffffffff);
    assert_int_equal(rd(0x3e), 0x1afff);
    wr(0x3f, 0xffffffff);
    assert_true(rd(0x3f) == 0xff000000);
    assert_int_equal(rd(0x3e), 0x1afff);
    assert_int_equal(rd(0x3c), 0x10000);
}

static void widths(void **state)
{
    uint64_t value = 0;

    (void)state;
    assert_int_equal(ioapic_ops.write(&ioapic, 0, 1, 0x12), IO_OK);
    assert_int_equal(ioapic_ops.read(&ioapic, 0, 4, &value), IO_OK);
    assert_int_equal(value, 0x12);
    assert_int_equal(ioapic_ops.read(&ioapic, 0, 2, &value), IO_BAD_SIZE);
    assert_int_equal(ioapic_ops.read(&ioapic, 0x10, 1, &value), IO_BAD_SIZE);
    assert_int_equal(ioapic_ops.read(&ioapic, 0x10, 8, &value), IO_BAD_SIZE);
    assert_int_equal(ioapic_ops.write(&ioapic, 0x40, 1, 0x12), IO_OK);
    assert_int_equal(ioapic_ops.read(&ioapic, 0x40, 4, &value), IO_NO_REGISTER);
    assert_int_equal(ioapic_ops.read(&ioapic, 0x20, 4, &value), IO_NO_REGISTER);
    assert_int_equal(ioapic_ops.read(&ioapic, 0x04, 4, &value), IO_NO_REGISTER);
}

static void an_edge_sends_its_entry(void **state)
{
    (void)state;
    wr(0x19, 0x03000000);
    wr(0x18, 0x00941); /* pin 4, lowest priority, logical */
    ioapic_set_irq(&ioapic, 4, true);
    assert_int_equal(sent, 1);
    assert_int_equal(last.vector, 0x41);
    assert_int_equal(last.delivery, 1);
    assert_int_equal(last.destination, 3);
    assert_true(last.logical);
    assert_false(last.level);
    ioapic_set_irq(&ioapic, 4, true);
    ioapic_set_irq(&ioapic, 4, false);
    assert_int_equal(sent, 1);
    ioapic_set_irq(&ioapic, 4, true);
    assert_int_equal(sent, 2);
    assert_int_equal(rd(0x18), 0x00941);
    wr(0x19, 0xff000000);
    ioapic_set_irq(&ioapic, 4, false);
    ioapic_set_irq(&ioapic, 4, true);
    assert_true(last.destination == 0xffffffff);
}

static void a_masked_edge_is_lost(void **state)
{
    (void)state;
    wr(0x18, 0x10041);
    ioapic_set_irq(&ioapic, 4, true);
    wr(0x18, 0x00041);
    assert_int_equal(sent, 0);
}

static void polarity_turns_the_edge(void **state)
{
    (void)state;
    wr(0x18, 0x02041);
    ioapic_set_irq(&ioapic, 4, true);
    assert_int_equal(sent, 0);
    ioapic_set_irq(&ioapic, 4, false);
    assert_int_equal(sent, 1);
}

static void a_level_is_sent_until_it_falls(void **state)
{
    (void)state;
    wr(0x24, 0x08051); /* pin 10 */
    ioapic_set_irq(&ioapic, 10, true);
    assert_int_equal(sent, 1);
    assert_true(last.level);
    assert_int_equal(rd(0x24), 0x0c051); /* remote IRR */
    ioapic_eoi(&ioapic, 0x50);
    assert_int_equal(sent, 1);
    ioapic_eoi(&ioapic, 0x51);
    assert_int_equal(sent, 2);
    assert_int_equal(rd(0x24), 0x0c051);
    ioapic_set_irq(&ioapic, 10, false);
    assert_int_equal(rd(0x24), 0x0c051); /* the local APIC is still at it */
    eoi_register(0x51);
    assert_int_equal(rd(0x24), 0x08051);
    assert_int_equal(sent, 2);
}

static void a_masked_level_waits(void **state)
{
    (void)state;
    wr(0x24, 0x18051);
    ioapic_set_irq(&ioapic, 10, true);
    assert_int_equal(sent, 0);
    wr(0x24, 0x08051);
    assert_int_equal(sent, 1);
    wr(0x24, 0x18051); /* what was accepted is not taken back */
    assert_int_equal(rd(0x24), 0x1c051);
    eoi_register(0x51);
    assert_int_equal(rd(0x24), 0x18051);
    assert_int_equal(sent, 1);
}

static void an_active_low_level(void **state)
{
    (void)state;
    ioapic_set_irq(&ioapic, 10, true);
    wr(0x24, 0x0a051);
    assert_int_equal(sent, 0);
    ioapic_set_irq(&ioapic, 10, false);
    assert_int_equal(sent, 1);
}

static void remote_irr_is_not_set_where_nobody_accepts(void **state)
{
    (void)state;
    taking = false;
    wr(0x24, 0x08051);
    ioapic_set_irq(&ioapic, 10, true);
    assert_int_equal(rd(0x24), 0x08051);
    taking = true;
    assert_int_equal(rd(0x24), 0x0c051); /* tried again */
    assert_int_equal(sent, 1);
}

static void the_old_way_to_clear_remote_irr(void **state)
{
    (void)state;
    wr(0x24, 0x08051);
    ioapic_set_irq(&ioapic, 10, true);
    wr(0x24, 0x10051); /* masked, edge */
    assert_int_equal(rd(0x24), 0x10051);
    wr(0x24, 0x18051);
    assert_int_equal(rd(0x24), 0x18051);
}

static void nmi_and_extint_are_edges(void **state)
{
    static const uint32_t mode[] = {0x200, 0x400, 0x500, 0x700};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        wr(0x10, 0x08000 | mode[i]);
        ioapic_set_irq(&ioapic, 0, true);
        assert_int_equal(sent, i + 1);
        assert_int_equal(last.delivery, mode[i] >> 8);
        assert_false(last.level);
        assert_int_equal(rd(0x10), 0x08000 | mode[i]);
        ioapic_set_irq(&ioapic, 0, false);
    }
}

static void two_pins_may_share_a_vector(void **state)
{
    (void)state;
    wr(0x24, 0x08051);
    wr(0x26, 0x08051);
    ioapic_set_irq(&ioapic, 10, true);
    ioapic_set_irq(&ioapic, 11, true);
    assert_int_equal(sent, 2);
    ioapic_eoi(&ioapic, 0x51);
    assert_int_equal(sent, 4);
}

static void pins_beyond_the_last_dont_exist(void **state)
{
    (void)state;
    wr(0x3e, 0x00041);
    ioapic_set_irq(&ioapic, 24, true);
    ioapic_set_irq(&ioapic, 1000, true);
    assert_int_equal(sent, 0);
    ioapic_set_irq(&ioapic, 23, true);
    assert_int_equal(sent, 1);
}

static void reset_is_init_but_for_the_lines(void **state)
{
    (void)state;
    struct ioapic fresh = ioapic;
    wr(0x00, 0x0f000000);
    wr(0x24, 0x08051);
    ioapic_set_irq(&ioapic, 10, true);
    ioapic_ops.reset(&ioapic);
    rig_assert_same(&ioapic, &fresh, redirection, select);
    wr(0x24, 0x08051);
    assert_int_equal(sent, 2); /* the line is still high */
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(registers_after_reset),
        T(writable_bits),
        T(widths),
        T(an_edge_sends_its_entry),
        T(a_masked_edge_is_lost),
        T(polarity_turns_the_edge),
        T(a_level_is_sent_until_it_falls),
        T(a_masked_level_waits),
        T(an_active_low_level),
        T(remote_irr_is_not_set_where_nobody_accepts),
        T(the_old_way_to_clear_remote_irr),
        T(nmi_and_extint_are_edges),
        T(two_pins_may_share_a_vector),
        T(pins_beyond_the_last_dont_exist),
        T(reset_is_init_but_for_the_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
