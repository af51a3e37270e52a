/* needs: vmm/dev/reset_ports.c */
#include "dev/reset_ports.h"
#include "dev_rig.h"

/* Offsets: 0 is port 92h, 1 is port CF9h. */
static struct reset_ports ports;
static unsigned resets;

static int setup(void **state)
{
    (void)state;
    resets = 0;
    reset_ports_init(&ports, rig_signal(&resets));
    return 0;
}

static uint8_t in(uint32_t offset)
{
    return rig_in(&reset_ports_ops, &ports, offset);
}

static void out(uint32_t offset, uint8_t value)
{
    rig_out(&reset_ports_ops, &ports, offset, value);
}

static void reset_values(void **state)
{
    (void)state;
    assert_int_equal(in(0), 0x02); /* A20 on */
    assert_int_equal(in(1), 0x00);
    out(0, 0x00);
    out(1, 0x0a);
    reset_ports_ops.reset(&ports);
    assert_int_equal(in(0), 0x02);
    assert_int_equal(in(1), 0x00);
    assert_int_equal(resets, 0);
}

static void writable_masks(void **state)
{
    (void)state;
    out(0, 0xfe);
    assert_int_equal(in(0), 0x02);
    out(0, 0x00);
    assert_int_equal(in(0), 0x00);
    out(1, 0xfb);
    assert_int_equal(in(1), 0x0a);
    assert_int_equal(resets, 0);
}

static void port_92_resets_by_a_rising_bit_0(void **state)
{
    (void)state;
    out(0, 0x03);
    assert_int_equal(resets, 1);
    out(0, 0x01); /* stays high */
    assert_int_equal(resets, 1);
    out(0, 0x02);
    out(0, 0x03);
    assert_int_equal(resets, 2);
}

static void a_fast_a20_switch_resets_nothing(void **state)
{
    (void)state;
    uint8_t value = in(0);
    out(0, (value | 0x02) & 0xfe);
    assert_int_equal(resets, 0);
}

static void linux_resets_through_cf9(void **state)
{
    (void)state;
    uint8_t value = in(1) & ~0x0e;
    out(1, value | 0x02);
    assert_int_equal(resets, 0);
    out(1, value | 0x0e);
    assert_int_equal(resets, 1);
}

static void the_acpi_reset_register_needs_one_write(void **state)
{
    (void)state;
    out(1, 0x06);
    assert_int_equal(resets, 1);
    out(1, 0x06);
    assert_int_equal(resets, 1); /* bit 2 must rise */
}

static void only_bytes_are_answered(void **state)
{
    uint64_t value = 5;
    (void)state;
    for (uint32_t offset = 0; offset < 2; offset++) {
        assert_int_equal(reset_ports_ops.read(&ports, offset, 2, &value), IO_BAD_SIZE);
        assert_int_equal(reset_ports_ops.read(&ports, offset, 4, &value), IO_BAD_SIZE);
        assert_int_equal(reset_ports_ops.write(&ports, offset, 2, 0x0707), IO_BAD_SIZE);
        assert_int_equal(reset_ports_ops.write(&ports, offset, 4, 0x07), IO_BAD_SIZE);
    }
    assert_int_equal(reset_ports_ops.read(&ports, 2, 1, &value), IO_NO_REGISTER);
    assert_int_equal(reset_ports_ops.write(&ports, 2, 1, 7), IO_NO_REGISTER);
    assert_int_equal(value, 5);
    assert_int_equal(resets, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, setup),
        cmocka_unit_test_setup(writable_masks, setup),
        cmocka_unit_test_setup(port_92_resets_by_a_rising_bit_0, setup),
        cmocka_unit_test_setup(a_fast_a20_switch_resets_nothing, setup),
        cmocka_unit_test_setup(linux_resets_through_cf9, setup),
        cmocka_unit_test_setup(the_acpi_reset_register_needs_one_write, setup),
        cmocka_unit_test_setup(only_bytes_are_answered, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
