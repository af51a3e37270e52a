/* needs: vmm/dev/uart16550.c */
#include "dev/uart16550.h"
#include "uart16550_rig.h"

/* --- reset and masks -------------------------------------------------------------------------- */

static void reset_values_are_the_data_sheets(void **state)
{
    (void)state;
    assert_int_equal(in(1), 0x00);
    assert_int_equal(in(2), 0x01);
    assert_int_equal(in(3), 0x00);
    assert_int_equal(in(4), 0x00);
    assert_int_equal(in(5), 0x60);
    assert_int_equal(in(6), 0xb0);
    assert_false(irq.high);
}

static void writable_masks(void **state)
{
    static const struct {
        uint32_t offset;
        uint8_t mask;
    } table[] = {{1, 0x0f}, {3, 0xff}, {4, 0x1f}, {7, 0xff}};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            out(table[i].offset, (uint8_t)(1u << bit));
            assert_int_equal(in(table[i].offset), (1u << bit) & table[i].mask);
        }
        out(table[i].offset, 0);
        assert_int_equal(in(table[i].offset), 0);
    }
}

static void line_control_survives_a_fifo_clear(void **state)
{
    (void)state;
    out(3, 0x03);
    out(2, 0x07);
    assert_int_equal(in(3), 0x03);
}

static void the_divisor_has_16_bits_behind_dlab(void **state)
{
    (void)state;
    out(1, 0x05);
    out(3, 0x83);
    assert_int_equal(in(0), 0x0c);
    assert_int_equal(in(1), 0x00);
    out(0, 0x80);
    out(1, 0x25);
    assert_int_equal(in(0), 0x80);
    assert_int_equal(in(1), 0x25);
    assert_int_equal(sent_count, 0);
    out(3, 0x03);
    assert_int_equal(in(1), 0x05);
    assert_int_equal(uart.dll | uart.dlm << 8, 0x2580);
}

static void status_registers_are_read_only(void **state)
{
    (void)state;
    out(5, 0xff);
    out(6, 0xff);
    assert_int_equal(in(5), 0x60);
    assert_int_equal(in(6), 0xb0);
}

static void only_bytes_are_answered(void **state)
{
    uint64_t value = 5;
    (void)state;
    for (uint32_t offset = 0; offset < 8; offset++) {
        for (unsigned size = 2; size <= 8; size *= 2) {
            assert_int_equal(uart16550_ops.read(&uart, offset, size, &value), IO_BAD_SIZE);
            assert_int_equal(uart16550_ops.write(&uart, offset, size, 0x55), IO_BAD_SIZE);
        }
    }
    assert_int_equal(uart16550_ops.read(&uart, 8, 1, &value), IO_NO_REGISTER);
    assert_int_equal(uart16550_ops.write(&uart, 8, 1, 0), IO_NO_REGISTER);
    assert_int_equal(value, 5);
    assert_int_equal(sent_count, 0);
}

/* --- transmitter ------------------------------------------------------------------------------ */

static void bytes_are_sent_at_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        out(0, (uint8_t)(0xe0 + i));
        assert_int_equal(in(5), 0x60);
    }
    assert_int_equal(sent_count, 20);
    assert_int_equal(sent[0], 0xe0);
    assert_int_equal(sent[19], 0xf3);
    assert_int_equal(uart.tx_bytes, 20);
}

static void enabling_the_thre_interrupt_reports_an_idle_transmitter(void **state)
{
    (void)state;
    out(4, 0x08);
    out(1, 0x02);
    assert_true(irq.high);
    assert_int_equal(in(2), 0x02); /* and the read acknowledges */
    assert_false(irq.high);
    assert_int_equal(in(2), 0x01);
    out(1, 0x02); /* no change of the bit: nothing new */
    assert_int_equal(in(2), 0x01);
    out(1, 0x00);
    out(1, 0x02); /* Linux's THRE test needs it again */
    assert_int_equal(in(2), 0x02);
    out(0, 'x');
    assert_true(irq.high);
    assert_int_equal(in(2), 0x02);
}

static void iir_clears_thre_only_when_it_reports_it(void **state)
{
    (void)state;
    out(4, 0x08);
    out(1, 0x03);
    receive(1);
    assert_int_equal(in(2), 0x04);
    assert_int_equal(in(2), 0x04);
    assert_int_equal(in(0), 'a');
    assert_int_equal(in(2), 0x02);
    assert_int_equal(in(2), 0x01);
    assert_false(irq.high);
}

/* --- receiver --------------------------------------------------------------------------------- */

static void without_fifo_one_byte_fits(void **state)
{
    (void)state;
    assert_int_equal(uart16550_rx_space(&uart), 1);
    receive(1);
    assert_int_equal(uart16550_rx_space(&uart), 0);
    assert_false(uart16550_rx(&uart, 'z'));
    assert_int_equal(rooms, 0);
    assert_int_equal(in(5), 0x61);
    assert_int_equal(in(0), 'a');
    assert_int_equal(rooms, 1);
    assert_int_equal(in(5), 0x60);
    assert_int_equal(in(0), 'a'); /* an empty receiver shows the last byte */
    assert_int_equal(rooms, 1);
}

static void the_fifo_holds_16_in_order_and_loses_none(void **state)
{
    (void)state;
    out(2, 0x01);
    for (unsigned round = 0; round < 3; round++) {
        receive(16);
        assert_false(uart16550_rx(&uart, 'z'));
        for (unsigned i = 0; i < 16; i++) {
            assert_int_equal(in(5), 0x61); /* and no overrun */
            assert_int_equal(in(0), 'a' + i);
            if (i == 4)
                receive(1); /* behind the others, in the place of the first */
        }
        assert_int_equal(in(0), 'a');
        assert_int_equal(in(5), 0x60);
    }
    assert_int_equal(uart.rx_bytes, 51);
    assert_int_equal(rooms, 3);
}

static void trigger_levels_are_1_4_8_14(void **state)
{
    static const struct {
        uint8_t fcr;
        unsigned level;
    } table[] = {{0x01, 1}, {0x41, 4}, {0x81, 8}, {0xc1, 14}};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        out(2, table[i].fcr | 0x02);
        out(1, 0x01);
        for (unsigned count = 1; count <= 16; count++) {
            receive(1);
            assert_int_equal(in(2), count >= table[i].level ? 0xc4 : 0xcc);
        }
        for (unsigned left = 15; left > 0; left--) {
            in(0);
            assert_int_equal(in(2), left >= table[i].level ? 0xc4 : 0xcc);
        }
        in(0);
        assert_int_equal(in(2), 0xc1);
    }
}

static void fifo_clear_and_fifo_switch_empty_the_receiver(void **state)
{
    static const uint8_t fcr[] = {0x03, 0x00, 0x01, 0x03};
    (void)state;
    out(2, 0x01);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(in(5), 0x60);
        receive(1);
        assert_int_equal(in(5), 0x61);
        out(2, fcr[i]);
        assert_int_equal(in(5), 0x60);
        assert_int_equal(in(2), fcr[i] & 1 ? 0xc1 : 0x01);
    }
    receive(5);
    out(2, 0x05); /* the transmitter's clear leaves the receiver alone */
    assert_int_equal(uart16550_rx_space(&uart), 11);
}

static void fcr_without_bit_0_programs_nothing(void **state)
{
    (void)state;
    out(2, 0xc0);
    out(1, 0x01);
    receive(1);
    assert_int_equal(in(2), 0x04); /* trigger 1, not 14 */
}

static void clearing_the_fifo_offers_room_again(void **state)
{
    (void)state;
    out(2, 0x01);
    receive(16);
    assert_false(uart16550_rx(&uart, 'z'));
    out(2, 0x03);
    assert_int_equal(rooms, 1);
}

static void a_break_is_a_line_status_interrupt(void **state)
{
    (void)state;
    out(4, 0x08);
    out(2, 0x01);
    out(1, 0x05);
    receive(1);
    assert_true(uart16550_rx_break(&uart));
    receive(1);
    assert_int_equal(in(2), 0xc4);
    assert_int_equal(in(5), 0xe1); /* somewhere in the FIFO */
    assert_int_equal(in(0), 'a');
    assert_int_equal(in(2), 0xc6);
    assert_int_equal(in(5), 0xf9); /* now at its top: BI, FE */
    assert_int_equal(in(5), 0x61); /* read once */
    assert_int_equal(in(2), 0xc4);
    assert_int_equal(in(0), 0x00);
    assert_int_equal(in(0), 'a');
    assert_false(irq.high);
}

static void a_break_without_fifo_has_no_fifo_error(void **state)
{
    (void)state;
    assert_true(uart16550_rx_break(&uart));
    assert_int_equal(in(5), 0x79);
    assert_int_equal(in(5), 0x61);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values_are_the_data_sheets, setup),
        cmocka_unit_test_setup(writable_masks, setup),
        cmocka_unit_test_setup(line_control_survives_a_fifo_clear, setup),
        cmocka_unit_test_setup(the_divisor_has_16_bits_behind_dlab, setup),
        cmocka_unit_test_setup(status_registers_are_read_only, setup),
        cmocka_unit_test_setup(only_bytes_are_answered, setup),
        cmocka_unit_test_setup(bytes_are_sent_at_once, setup),
        cmocka_unit_test_setup(enabling_the_thre_interrupt_reports_an_idle_transmitter, setup),
        cmocka_unit_test_setup(iir_clears_thre_only_when_it_reports_it, setup),
        cmocka_unit_test_setup(without_fifo_one_byte_fits, setup),
        cmocka_unit_test_setup(the_fifo_holds_16_in_order_and_loses_none, setup),
        cmocka_unit_test_setup(trigger_levels_are_1_4_8_14, setup),
        cmocka_unit_test_setup(fifo_clear_and_fifo_switch_empty_the_receiver, setup),
        cmocka_unit_test_setup(fcr_without_bit_0_programs_nothing, setup),
        cmocka_unit_test_setup(clearing_the_fifo_offers_room_again, setup),
        cmocka_unit_test_setup(a_break_is_a_line_status_interrupt, setup),
        cmocka_unit_test_setup(a_break_without_fifo_has_no_fifo_error, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
