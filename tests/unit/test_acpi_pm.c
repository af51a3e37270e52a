/* needs: vmm/dev/acpi_pm.c */
#include "dev/acpi_pm.h"
#include "dev_rig.h"

static struct acpi_pm pm;
static struct rig_pin sci;
static unsigned offs;

static int setup(void **state)
{
    (void)state;
    sci = (struct rig_pin){0};
    offs = 0;
    acpi_pm_init(&pm, rig_line(&sci), rig_signal(&offs));
    return 0;
}

static uint32_t in(uint32_t offset, unsigned size)
{
    uint64_t value = UINT64_MAX;
    assert_int_equal(acpi_pm_ops.read(&pm, offset, size, &value), IO_OK);
    assert_true(size == 4 ? value <= 0xffffffff : value < 1ull << size * 8);
    return (uint32_t)value;
}

static void out(uint32_t offset, unsigned size, uint32_t value)
{
    assert_int_equal(acpi_pm_ops.write(&pm, offset, size, value), IO_OK);
}

static void reset_values(void **state)
{
    (void)state;
    assert_int_equal(in(0, 2), 0x0000);
    assert_int_equal(in(2, 2), 0x0000);
    assert_int_equal(in(4, 2), 0x0001); /* SCI_EN */
    assert_int_equal(in(8, 4), 0);
}

static void writable_masks(void **state)
{
    (void)state;
    out(2, 2, 0xffff);
    assert_int_equal(in(2, 2), 0x0721);
    out(4, 2, 0xdfff); /* all but SLP_EN */
    assert_int_equal(in(4, 2), 0x1c03);
    out(4, 2, 0x0000);
    assert_int_equal(in(4, 2), 0x0001);
    out(8, 4, 0xffffffff);
    assert_int_equal(in(8, 4), 0);
    out(0, 2, 0xffff); /* status bits can't be set */
    assert_int_equal(in(0, 2), 0);
}

static void the_timer_runs_at_3579545_hz(void **state)
{
    (void)state;
    acpi_pm_ops.advance(&pm, 1000000000);
    assert_int_equal(in(8, 4), 3579545);
    acpi_pm_ops.advance(&pm, 1000000279); /* a tick is 279.36 ns */
    assert_int_equal(in(8, 4), 3579545);
    acpi_pm_ops.advance(&pm, 1000000280);
    assert_int_equal(in(8, 4), 3579546);
    acpi_pm_ops.advance(&pm, 86400ull * 1000000000);
    assert_int_equal(in(8, 4), (uint32_t)(86400ull * 3579545));
}

static void the_timer_is_readable_in_parts(void **state)
{
    (void)state;
    acpi_pm_ops.advance(&pm, 100ull * 1000000000); /* 357954500 is 1555f3c4h */
    assert_int_equal(in(8, 4), 0x1555f3c4);
    assert_int_equal(in(8, 2), 0xf3c4);
    assert_int_equal(in(10, 2), 0x1555);
    assert_int_equal(in(8, 1), 0xc4);
    assert_int_equal(in(11, 1), 0x15);
}

static void bit_31_raises_the_sci_when_enabled(void **state)
{
    (void)state;
    assert_true(acpi_pm_ops.next_deadline(&pm) == UINT64_MAX);
    out(2, 2, 0x0001);
    vtime_t due = acpi_pm_ops.next_deadline(&pm);
    assert_true(due == 599932015941ull); /* 2^31 ticks, rounded up */
    acpi_pm_ops.advance(&pm, due - 1);
    assert_int_equal(in(8, 4), 0x7fffffff);
    assert_false(sci.high);
    acpi_pm_ops.advance(&pm, due);
    assert_int_equal(in(8, 4), 0x80000000);
    assert_true(sci.high);
    assert_int_equal(in(0, 2), 0x0001);
    assert_true(acpi_pm_ops.next_deadline(&pm) == UINT64_MAX); /* until it was cleared */
    out(0, 2, 0x0001);
    assert_false(sci.high);
    assert_true(acpi_pm_ops.next_deadline(&pm) == 1199864031882ull); /* the fall counts too */
}

static void a_status_bit_without_its_enable_stays_quiet(void **state)
{
    static const uint16_t enables[] = {0x0001, 0x0020, 0x0100, 0x0200, 0x0400};
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        out(2, 2, enables[i]);
        acpi_pm_power_button(&pm);
        assert_int_equal(in(0, 2), 0x0100);
        assert_int_equal(sci.high, enables[i] == 0x0100);
        out(0, 2, 0x0100);
        assert_int_equal(in(0, 2), 0x0000);
        assert_false(sci.high);
    }
}

static void status_clears_by_ones_only_where_written(void **state)
{
    (void)state;
    acpi_pm_power_button(&pm);
    out(0, 2, 0x0000);
    assert_int_equal(in(0, 2), 0x0100);
    out(0, 1, 0xff);
    assert_int_equal(in(0, 2), 0x0100);
    out(3, 1, 0x01); /* the enable's high byte */
    assert_int_equal(in(0, 4), 0x01000100);
    assert_true(sci.high);
    out(1, 1, 0x01);
    assert_int_equal(in(0, 4), 0x01000000);
    assert_false(sci.high);
}

static void a_double_word_write_reaches_status_and_enable(void **state)
{
    (void)state;
    acpi_pm_power_button(&pm);
    out(0, 4, 0x03210100);
    assert_int_equal(in(0, 4), 0x03210000);
}

static void sleep_type_5_switches_off(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 8; type++) {
        out(4, 2, type << 10);
        assert_int_equal(offs, 0);
        if (type != 5)
            out(4, 2, type << 10 | 0x2000);
    }
    assert_int_equal(offs, 0);
    out(4, 2, 0x3401);
    assert_int_equal(offs, 1);
    assert_int_equal(in(4, 2), 0x1401); /* SLP_EN reads 0 */
    out(5, 1, 0x34);
    assert_int_equal(offs, 2);
}

static void access_sizes(void **state)
{
    static const struct {
        uint32_t offset;
        unsigned size;
        enum io_result result;
    } table[] = {
        {0, 1, IO_OK},          {0, 2, IO_OK},          {0, 4, IO_OK},
        {1, 1, IO_OK},          {1, 2, IO_BAD_SIZE},    {1, 4, IO_BAD_SIZE},
        {2, 2, IO_OK},          {2, 4, IO_BAD_SIZE},    {3, 1, IO_OK},
        {4, 1, IO_OK},          {4, 2, IO_OK},          {4, 4, IO_BAD_SIZE},
        {5, 1, IO_OK},          {5, 2, IO_BAD_SIZE},    {6, 1, IO_NO_REGISTER},
        {6, 2, IO_NO_REGISTER}, {7, 1, IO_NO_REGISTER}, {8, 1, IO_OK},
        {8, 2, IO_OK},          {8, 4, IO_OK},          {8, 8, IO_BAD_SIZE},
        {9, 2, IO_BAD_SIZE},    {11, 1, IO_OK},         {12, 1, IO_NO_REGISTER},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t value = 0;
        assert_int_equal(acpi_pm_ops.read(&pm, table[i].offset, table[i].size, &value),
                         table[i].result);
        assert_int_equal(acpi_pm_ops.write(&pm, table[i].offset, table[i].size, 0),
                         table[i].result);
    }
}

static void reset_drops_the_sci_and_keeps_time(void **state)
{
    (void)state;
    out(2, 2, 0x0100);
    acpi_pm_power_button(&pm);
    acpi_pm_ops.advance(&pm, 1000000000);
    acpi_pm_ops.reset(&pm);
    assert_false(sci.high);
    assert_int_equal(in(0, 4), 0);
    assert_int_equal(in(8, 4), 3579545);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, setup),
        cmocka_unit_test_setup(writable_masks, setup),
        cmocka_unit_test_setup(the_timer_runs_at_3579545_hz, setup),
        cmocka_unit_test_setup(the_timer_is_readable_in_parts, setup),
        cmocka_unit_test_setup(bit_31_raises_the_sci_when_enabled, setup),
        cmocka_unit_test_setup(a_status_bit_without_its_enable_stays_quiet, setup),
        cmocka_unit_test_setup(status_clears_by_ones_only_where_written, setup),
        cmocka_unit_test_setup(a_double_word_write_reaches_status_and_enable, setup),
        cmocka_unit_test_setup(sleep_type_5_switches_off, setup),
        cmocka_unit_test_setup(access_sizes, setup),
        cmocka_unit_test_setup(reset_drops_the_sci_and_keeps_time, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
