/* needs: vmm/dev/uart16550.c */
#include "dev/uart16550.h"
#include "uart16550_rig.h"

/* --- causes ----------------------------------------------------------------------------------- */

/* Makes all four causes true: overrun and data by loopback, transmitter empty, modem deltas. */
static void raise_all_causes(void)
{
    out(1, 0x00);
    out(2, 0x01);
    out(4, 0x10);
    for (unsigned i = 0; i < 17; i++)
        out(0, 'q');
    out(4, 0x08);
}

static void iir_reports_only_the_highest_cause(void **state)
{
    (void)state;
    for (unsigned ier = 0; ier < 16; ier++) {
        uint8_t want = ier & 4 ? 0xc6 : ier & 1 ? 0xc4 : ier & 2 ? 0xc2 : ier & 8 ? 0xc0 : 0xc1;
        setup(NULL);
        raise_all_causes();
        out(1, (uint8_t)ier);
        assert_int_equal(irq.high, ier != 0);
        assert_int_equal(in(2), want);
    }
}

static void each_cause_goes_away_by_its_own_read(void **state)
{
    (void)state;
    raise_all_causes();
    out(1, 0x0f);
    assert_int_equal(in(2), 0xc6);
    assert_int_equal(in(5), 0x63);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(in(2), 0xc4);
        in(0);
    }
    assert_int_equal(in(2), 0xc2);
    assert_int_equal(in(2), 0xc0);
    assert_true(irq.high);
    in(6);
    assert_int_equal(in(2), 0xc1);
    assert_false(irq.high);
}

static void each_cause_alone_needs_its_enable(void **state)
{
    (void)state;
    for (unsigned cause = 0; cause < 4; cause++) {
        for (unsigned enable = 0; enable < 4; enable++) {
            setup(NULL);
            out(4, 0x08);
            if (cause == 2)
                out(0, 'x');
            in(6);
            if (cause == 0)
                receive(1);
            if (cause == 3) {
                out(4, 0x18);
                out(4, 0x08);
            }
            if (cause == 1) {
                out(4, 0x18); /* two bytes into the one holding register */
                out(0, 1);
                out(0, 2);
                in(0);
                in(6);
                out(4, 0x08);
                in(6);
            }
            static const uint8_t enables[] = {0x01, 0x04, 0x02, 0x08};
            static const uint8_t iir[] = {0x04, 0x06, 0x02, 0x00};
            /* Enabling THRE always reports: the transmitter is empty. */
            uint8_t want = enable == cause ? iir[cause] : enable == 2 ? 0x02 : 0x01;
            out(1, enables[enable]);
            assert_int_equal(irq.high, want != 0x01);
            assert_int_equal(in(2), want);
        }
    }
}

static void out2_gates_the_pin_but_not_iir(void **state)
{
    (void)state;
    out(1, 0x01);
    receive(1);
    assert_false(irq.high);
    assert_int_equal(in(2), 0x04);
    out(4, 0x08);
    assert_true(irq.high);
    out(4, 0x18); /* loopback forces OUT2 off */
    assert_false(irq.high);
    out(4, 0x07);
    assert_false(irq.high);
    out(4, 0x08);
    in(0);
    assert_false(irq.high);
    assert_int_equal(irq.rises, 2);
}

/* --- loopback --------------------------------------------------------------------------------- */

static void loopback_joins_the_modem_lines(void **state)
{
    (void)state;
    for (unsigned mcr = 0; mcr < 16; mcr++) {
        uint8_t want = (mcr & 1 ? 0x20 : 0) | (mcr & 2 ? 0x10 : 0) | (mcr & 4 ? 0x40 : 0) |
                       (mcr & 8 ? 0x80 : 0);
        out(4, (uint8_t)(0x10 | mcr));
        assert_int_equal(in(6) & 0xf0, want);
    }
}

static void deltas_tell_changes_and_ri_only_its_end(void **state)
{
    static const struct {
        uint8_t mcr, msr;
    } table[] = {
        {0x10, 0x0b},                                           /* CTS, DSR, DCD go off */
        {0x11, 0x22},                                           /* DSR on */
        {0x10, 0x02}, {0x12, 0x11}, {0x10, 0x01}, {0x14, 0x40}, /* RI on: no delta */
        {0x10, 0x04},                                           /* RI off: TERI */
        {0x18, 0x88}, {0x10, 0x08}, {0x00, 0xbb},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        out(4, table[i].mcr);
        assert_int_equal(in(6), table[i].msr);
        assert_int_equal(in(6), table[i].msr & 0xf0);
    }
}

static void loopback_receives_what_it_sends_and_nothing_else(void **state)
{
    (void)state;
    out(2, 0x01);
    out(4, 0x10);
    out(0, 0xa5);
    assert_int_equal(sent_count, 0);
    assert_int_equal(uart16550_rx_space(&uart), 0);
    assert_false(uart16550_rx(&uart, 'z'));
    assert_int_equal(in(5), 0x61);
    assert_int_equal(in(0), 0xa5);
    assert_int_equal(rooms, 0);
    out(4, 0x00);
    assert_int_equal(rooms, 1);
    assert_int_equal(uart16550_rx_space(&uart), 16);
}

static void only_an_overrun_sets_oe(void **state)
{
    (void)state;
    out(2, 0x01);
    out(4, 0x10);
    for (unsigned i = 0; i < 16; i++) {
        out(0, (uint8_t)i);
        assert_int_equal(in(5), 0x61);
    }
    out(0, 99);
    assert_int_equal(in(5), 0x63);
    assert_int_equal(in(5), 0x61);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(in(0), i); /* the FIFO kept what it had */
    out(2, 0x00);
    out(0, 1);
    out(0, 2);
    assert_int_equal(in(5), 0x63);
    assert_int_equal(in(0), 2); /* the holding register took the new byte */
}

/* --- as drivers do it ------------------------------------------------------------------------- */

/* Linux 8250 autoconfig(): IER mask, loopback lines, FIFO kind. */
static void linux_finds_a_16550a(void **state)
{
    (void)state;
    out(1, 0x00);
    assert_int_equal(in(1) & 0x0f, 0x00);
    out(1, 0x0f);
    assert_int_equal(in(1) & 0x0f, 0x0f);
    out(1, 0x00);
    out(4, 0x1a); /* LOOP, OUT2, RTS */
    assert_int_equal(in(6) & 0xf0, 0x90);
    out(4, 0x00);
    out(3, 0xbf); /* the enhanced feature register of later chips isn't there */
    out(2, 0x00);
    out(3, 0x00);
    out(2, 0x01);
    assert_int_equal(in(2) >> 6, 3);
    out(7, 0x55);
    assert_int_equal(in(7), 0x55);
}

/* Linux autoconfig_16550a(): no 64 byte FIFO of a 16750, no second bank. */
static void linux_takes_it_for_nothing_newer(void **state)
{
    (void)state;
    out(2, 0x01);
    out(3, 0x80);
    out(3, 0x00);
    out(2, 0x21); /* 16750: bit 5 of FCR */
    assert_int_equal(in(2) & 0x20, 0);
    out(3, 0x80);
    out(2, 0x21);
    assert_int_equal(in(2) & 0x20, 0);
    out(3, 0x00);
    out(1, 0x40); /* XScale: UART unit enable */
    assert_int_equal(in(1) & 0x40, 0);
}

/* SeaBIOS and early consoles: 115200 8n1, then poll bit 5 of LSR. */
static void a_polled_console_works(void **state)
{
    (void)state;
    out(3, 0x83);
    out(0, 0x01);
    out(1, 0x00);
    out(3, 0x03);
    for (const char *p = "ok\r\n"; *p; p++) {
        assert_int_equal(in(5) & 0x60, 0x60);
        out(0, (uint8_t)*p);
    }
    assert_memory_equal(sent, "ok\r\n", 4);
}

static void reset_forgets_everything_but_connections_and_counters(void **state)
{
    struct uart16550 fresh;
    (void)state;
    raise_all_causes();
    out(1, 0x0f);
    out(7, 0x77);
    out(3, 0x9b);
    out(0, 1);
    assert_true(irq.high);
    uart16550_ops.reset(&uart);
    assert_false(irq.high);
    uart16550_init(&fresh, uart.irq, uart.tx, uart.rx_room);
    rig_assert_same(&fresh, &uart, ier, rx_error);
    assert_int_equal(uart.tx_bytes, 0);
    assert_int_equal(uart.rx_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(iir_reports_only_the_highest_cause, setup),
        cmocka_unit_test_setup(each_cause_goes_away_by_its_own_read, setup),
        cmocka_unit_test_setup(each_cause_alone_needs_its_enable, setup),
        cmocka_unit_test_setup(out2_gates_the_pin_but_not_iir, setup),
        cmocka_unit_test_setup(loopback_joins_the_modem_lines, setup),
        cmocka_unit_test_setup(deltas_tell_changes_and_ri_only_its_end, setup),
        cmocka_unit_test_setup(loopback_receives_what_it_sends_and_nothing_else, setup),
        cmocka_unit_test_setup(only_an_overrun_sets_oe, setup),
        cmocka_unit_test_setup(linux_finds_a_16550a, setup),
        cmocka_unit_test_setup(linux_takes_it_for_nothing_newer, setup),
        cmocka_unit_test_setup(a_polled_console_works, setup),
        cmocka_unit_test_setup(reset_forgets_everything_but_connections_and_counters, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
