/* needs: vmm/dev/iobus.c */
#include "dev/iobus.h"
#include "dev_rig.h"

struct probe {
    uint32_t offset;
    unsigned size;
    uint64_t value;
    unsigned reads, writes;
    vtime_t advanced_to;
    struct iobus *removes_from;
    uint64_t removes;
};

static enum io_result probe_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct probe *probe = dev;
    probe->offset = offset;
    probe->size = size;
    probe->reads++;
    if (offset == 0x66)
        return IO_NO_REGISTER;
    if (offset == 0x67)
        return IO_BAD_SIZE;
    *value = 0x1122334455667788;
    return IO_OK;
}

static enum io_result probe_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct probe *probe = dev;
    probe->offset = offset;
    probe->size = size;
    probe->value = value;
    probe->writes++;
    if (probe->removes_from)
        iobus_remove(probe->removes_from, probe->removes);
    return offset == 0x66 ? IO_NO_REGISTER : IO_OK;
}

static void probe_advance(void *dev, vtime_t now)
{
    ((struct probe *)dev)->advanced_to = now;
}

static const struct dev_ops plain_ops = {"plain", probe_read, probe_write, NULL, NULL, NULL};
static const struct dev_ops clocked_ops = {"clocked", probe_read,    probe_write,
                                           NULL,      probe_advance, NULL};

static struct iobus bus;
static struct probe a, b;
static unsigned now_calls;

static vtime_t now_is_77(void *ctx)
{
    (void)ctx;
    now_calls++;
    return 77;
}

static int setup(void **state)
{
    (void)state;
    iobus_init(&bus, now_is_77, NULL);
    a = b = (struct probe){0};
    now_calls = 0;
    return 0;
}

static void offsets_are_relative_to_the_range(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, 0x3f8, 8, &plain_ops, &a, 0));
    assert_true(iobus_add(&bus, 0x61, 1, &plain_ops, &b, 4));
    iobus_write(&bus, 0x3fd, 1, 0xab);
    assert_int_equal(a.offset, 5);
    assert_int_equal(a.value, 0xab);
    iobus_read(&bus, 0x61, 1);
    assert_int_equal(b.offset, 4);
    assert_int_equal(b.size, 1);
}

static void values_are_cut_to_the_access(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, 0, 16, &plain_ops, &a, 0));
    assert_int_equal(iobus_read(&bus, 0, 1), 0x88);
    assert_int_equal(iobus_read(&bus, 0, 2), 0x7788);
    assert_int_equal(iobus_read(&bus, 0, 4), 0x55667788);
    assert_true(iobus_read(&bus, 8, 8) == 0x1122334455667788);
    iobus_write(&bus, 0, 1, 0x1ff);
    assert_int_equal(a.value, 0xff);
    iobus_write(&bus, 0, 8, UINT64_MAX);
    assert_true(a.value == UINT64_MAX);
}

static void nobody_reads_all_ones(void **state)
{
    (void)state;
    assert_int_equal(iobus_read(&bus, 0x80, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0x80, 2), 0xffff);
    assert_int_equal(iobus_read(&bus, 0x80, 4), 0xffffffff);
    assert_true(iobus_read(&bus, 0x1080, 8) == UINT64_MAX);
    iobus_write(&bus, 0x90, 4, 0);
    assert_int_equal(bus.unclaimed_reads, 4);
    assert_int_equal(bus.unclaimed_writes, 1);
    assert_int_equal(bus.last_unclaimed, 0x90);
}

static void a_range_must_hold_the_whole_access(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, 0x40, 4, &plain_ops, &a, 0));
    assert_true(iobus_add(&bus, 0x44, 4, &plain_ops, &b, 0));
    assert_int_equal(iobus_read(&bus, 0x43, 2), 0xffff);
    assert_int_equal(iobus_read(&bus, 0x3f, 2), 0xffff);
    assert_int_equal(iobus_read(&bus, 0x46, 4), 0xffffffff);
    assert_int_equal(a.reads + b.reads, 0);
    assert_int_equal(bus.unclaimed_reads, 3);
    assert_int_equal(iobus_read(&bus, 0x44, 4), 0x55667788);
}

static void refused_accesses_read_all_ones_and_are_counted(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, 0, 0x100, &plain_ops, &a, 0));
    assert_int_equal(iobus_read(&bus, 0x66, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0x67, 2), 0xffff);
    iobus_write(&bus, 0x66, 1, 0);
    assert_int_equal(bus.bad_accesses, 3);
    assert_int_equal(bus.unclaimed_reads + bus.unclaimed_writes, 0);
}

static void overlaps_and_wraps_are_refused(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, 0x100, 0x10, &plain_ops, &a, 0));
    assert_false(iobus_add(&bus, 0x100, 0x10, &plain_ops, &b, 0));
    assert_false(iobus_add(&bus, 0x10f, 1, &plain_ops, &b, 0));
    assert_false(iobus_add(&bus, 0xff, 2, &plain_ops, &b, 0));
    assert_false(iobus_add(&bus, 0x80, 0x1000, &plain_ops, &b, 0));
    assert_false(iobus_add(&bus, 0x104, 1, &plain_ops, &b, 0));
    assert_false(iobus_add(&bus, 0x200, 0, &plain_ops, &b, 0));
    assert_false(iobus_add(&bus, UINT64_MAX, 2, &plain_ops, &b, 0));
    assert_false(iobus_add(&bus, 0x1000, UINT64_MAX, &plain_ops, &b, 0));
    assert_false(iobus_add(&bus, 0x1000, 0x100000000, &plain_ops, &b, 1)); /* offset beyond 32 */
    assert_true(iobus_add(&bus, 0x110, 1, &plain_ops, &b, 0));
    assert_true(iobus_add(&bus, 0xff, 1, &plain_ops, &b, 0));
    assert_int_equal(bus.range_count, 3);
}

static void the_top_of_the_address_space_works(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, UINT64_MAX - 0xf, 0x10, &plain_ops, &a, 0));
    iobus_write(&bus, UINT64_MAX, 1, 0x5a);
    assert_int_equal(a.offset, 15);
    assert_int_equal(iobus_read(&bus, UINT64_MAX, 2), 0xffff);
    assert_true(iobus_claims(&bus, UINT64_MAX));
    assert_false(iobus_claims(&bus, 0));
}

static void a_full_table_refuses(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 48; i++)
        assert_true(iobus_add(&bus, (47 - i) * 2, 1, &plain_ops, &a, i));
    assert_false(iobus_add(&bus, 0x1000, 1, &plain_ops, &a, 0));
    for (unsigned i = 1; i < bus.range_count; i++)
        assert_true(bus.range[i - 1].base < bus.range[i].base);
    for (unsigned i = 0; i < 48; i++) {
        iobus_read(&bus, i * 2, 1);
        assert_int_equal(a.offset, 47 - i);
        assert_false(iobus_claims(&bus, i * 2 + 1));
    }
}

static void removed_ranges_are_gone(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, 0x10, 4, &plain_ops, &a, 0));
    assert_true(iobus_add(&bus, 0x20, 4, &plain_ops, &b, 0));
    iobus_read(&bus, 0x20, 1);
    iobus_remove(&bus, 0x12); /* no range begins there */
    assert_int_equal(bus.range_count, 2);
    iobus_remove(&bus, 0x20);
    assert_int_equal(iobus_read(&bus, 0x20, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0x10, 1), 0x88);
    assert_int_equal(b.reads, 1);
    assert_true(iobus_add(&bus, 0x1f, 4, &plain_ops, &b, 0));
}

/* The bus remembers the last hole: its ends, and that a new range may lie in it. */
static void a_hole_ends_where_ranges_begin(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, 0x10, 4, &plain_ops, &a, 0));
    assert_true(iobus_add(&bus, 0x20, 4, &plain_ops, &b, 0));
    assert_int_equal(iobus_read(&bus, 0x18, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0x1f, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0x14, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0x20, 1), 0x88);
    assert_int_equal(iobus_read(&bus, 0x18, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0x13, 1), 0x88);
    assert_int_equal(iobus_read(&bus, 0xf, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0x24, 1), 0xff);
    assert_int_equal(iobus_read(&bus, 0xffff, 1), 0xff);
    assert_int_equal(a.reads, 1);
    assert_int_equal(b.reads, 1);
    assert_int_equal(bus.unclaimed_reads, 8);
    assert_int_equal(bus.last_unclaimed, 0xffff);
    assert_true(iobus_add(&bus, 0x100, 4, &plain_ops, &b, 0));
    assert_int_equal(iobus_read(&bus, 0x10, 1), 0x88);
    assert_int_equal(iobus_read(&bus, 0x100, 1), 0x88);
    assert_int_equal(iobus_read(&bus, 0x80, 1), 0xff);
    iobus_remove(&bus, 0x20);
    assert_int_equal(iobus_read(&bus, 0x20, 1), 0xff);
    assert_int_equal(b.reads, 2);
}

static void a_device_may_remove_its_own_range(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, 0x10, 4, &plain_ops, &a, 0));
    a.removes_from = &bus;
    a.removes = 0x10;
    iobus_write(&bus, 0x10, 1, 1);
    assert_int_equal(bus.range_count, 0);
    iobus_write(&bus, 0x10, 1, 1);
    assert_int_equal(a.writes, 1);
    assert_int_equal(bus.unclaimed_writes, 1);
}

static void only_clocked_devices_cost_a_clock_read(void **state)
{
    (void)state;
    assert_true(iobus_add(&bus, 0x10, 4, &plain_ops, &a, 0));
    assert_true(iobus_add(&bus, 0x20, 4, &clocked_ops, &b, 0));
    iobus_read(&bus, 0x10, 1);
    iobus_read(&bus, 0x99, 1);
    assert_int_equal(now_calls, 0);
    iobus_write(&bus, 0x20, 1, 0);
    assert_int_equal(b.advanced_to, 77);
    iobus_read(&bus, 0x20, 1);
    assert_int_equal(now_calls, 2);
}

static void assert_next_busiest(struct iobus_traffic *traffic, uint64_t address, uint64_t count)
{
    assert_true(iobus_next_busiest(&bus, traffic));
    assert_int_equal(traffic->address, address);
    assert_int_equal(traffic->count, count);
}

static void access_often(uint64_t address, unsigned reads, unsigned writes)
{
    while (reads-- > 0)
        iobus_read(&bus, address, 1);
    while (writes-- > 0)
        iobus_write(&bus, address, 1, 0);
}

static void accesses_are_counted_by_address_the_busiest_first(void **state)
{
    struct iobus_traffic traffic = {.count = UINT64_MAX};

    (void)state;
    assert_true(iobus_add(&bus, 0x3f8, 8, &plain_ops, &a, 0));
    assert_true(iobus_add(&bus, 0x20, 2, &clocked_ops, &b, 4));
    assert_false(iobus_next_busiest(&bus, &traffic));
    access_often(0x3fd, 5, 0);
    access_often(0x3f8, 1, 3);
    access_often(0x20, 0, 4);
    access_often(0x3ff, 1, 0);
    access_often(0x80, 9, 9); /* nobody's: not in this list */
    assert_next_busiest(&traffic, 0x3fd, 5);
    assert_string_equal(traffic.device, "plain");
    assert_next_busiest(&traffic, 0x20, 4);
    assert_string_equal(traffic.device, "clocked");
    assert_next_busiest(&traffic, 0x3f8, 4);
    assert_next_busiest(&traffic, 0x3ff, 1);
    assert_false(iobus_next_busiest(&bus, &traffic));
    assert_int_equal(traffic.address, 0x3ff);
}

static void a_large_range_is_counted_in_at_most_eight_parts(void **state)
{
    struct iobus_traffic traffic = {.count = UINT64_MAX};

    (void)state;
    assert_true(iobus_add(&bus, 0x600, 12, &plain_ops, &a, 0)); /* by twos */
    assert_true(iobus_add(&bus, 0x1000, 8, &plain_ops, &b, 0));
    assert_true(iobus_add(&bus, UINT64_MAX - 0xffffffff, 0x100000000, &plain_ops, &b, 0));
    access_often(0x60b, 3, 0);
    access_often(0x60a, 0, 1);
    access_often(0x1007, 3, 0);
    access_often(UINT64_MAX, 2, 0);
    access_often(UINT64_MAX - 0xffffffff, 1, 0);
    assert_next_busiest(&traffic, 0x60a, 4);
    assert_next_busiest(&traffic, 0x1007, 3);
    assert_next_busiest(&traffic, UINT64_MAX - 0x1fffffff, 2);
    assert_next_busiest(&traffic, UINT64_MAX - 0xffffffff, 1);
    assert_false(iobus_next_busiest(&bus, &traffic));
}

static void counts_move_with_their_range(void **state)
{
    struct iobus_traffic traffic = {.count = UINT64_MAX};

    (void)state;
    assert_true(iobus_add(&bus, 0x20, 2, &plain_ops, &a, 0));
    assert_true(iobus_add(&bus, 0x30, 2, &plain_ops, &b, 0));
    access_often(0x21, 2, 0);
    access_often(0x30, 1, 0);
    assert_true(iobus_add(&bus, 0x10, 2, &plain_ops, &b, 0));
    iobus_remove(&bus, 0x30);
    assert_next_busiest(&traffic, 0x21, 2);
    assert_false(iobus_next_busiest(&bus, &traffic));
    assert_true(iobus_add(&bus, 0x30, 2, &plain_ops, &b, 0));
    assert_false(iobus_next_busiest(&bus, &traffic));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(offsets_are_relative_to_the_range, setup),
        cmocka_unit_test_setup(values_are_cut_to_the_access, setup),
        cmocka_unit_test_setup(nobody_reads_all_ones, setup),
        cmocka_unit_test_setup(a_range_must_hold_the_whole_access, setup),
        cmocka_unit_test_setup(refused_accesses_read_all_ones_and_are_counted, setup),
        cmocka_unit_test_setup(overlaps_and_wraps_are_refused, setup),
        cmocka_unit_test_setup(the_top_of_the_address_space_works, setup),
        cmocka_unit_test_setup(a_full_table_refuses, setup),
        cmocka_unit_test_setup(removed_ranges_are_gone, setup),
        cmocka_unit_test_setup(a_hole_ends_where_ranges_begin, setup),
        cmocka_unit_test_setup(a_device_may_remove_its_own_range, setup),
        cmocka_unit_test_setup(only_clocked_devices_cost_a_clock_read, setup),
        cmocka_unit_test_setup(accesses_are_counted_by_address_the_busiest_first, setup),
        cmocka_unit_test_setup(a_large_range_is_counted_in_at_most_eight_parts, setup),
        cmocka_unit_test_setup(counts_move_with_their_range, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
