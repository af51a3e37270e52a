/* needs: vmm/dev/hpet.c */
#include "dev/hpet.h"

#include "dev_rig.h"

/* Registers and bits: IA-PC HPET Specification 1.0a. A tick is 10 ns. */

static struct hpet hpet;
static struct rig_pin legacy[2], input[32];
static bool replaced;
static unsigned replacements;

static void replace(void *ctx, bool on)
{
    (void)ctx;
    replaced = on;
    replacements++;
    assert_false(legacy[0].high || legacy[1].high);
}

static void start_with(uint32_t input_mask)
{
    const struct hpet_wiring wiring = {
        .legacy = {{rig_pin_set, legacy, 0}, {rig_pin_set, legacy, 1}},
        .replace = replace,
        .input = {rig_pin_set, input, 0},
        .input_mask = input_mask,
    };
    memset(legacy, 0, sizeof(legacy));
    memset(input, 0, sizeof(input));
    replaced = false;
    replacements = 0;
    hpet_init(&hpet, &wiring);
}

static int setup(void **state)
{
    (void)state;
    start_with(0);
    return 0;
}

static uint64_t in(uint32_t offset, unsigned size)
{
    uint64_t value = UINT64_MAX;
    assert_int_equal(hpet_ops.read(&hpet, offset, size, &value), IO_OK);
    return value;
}

static void out(uint32_t offset, uint64_t value)
{
    assert_int_equal(hpet_ops.write(&hpet, offset, 8, value), IO_OK);
}

static void out4(uint32_t offset, uint32_t value)
{
    assert_int_equal(hpet_ops.write(&hpet, offset, 4, value), IO_OK);
}

static void at(vtime_t now)
{
    hpet_ops.advance(&hpet, now);
    assert_true(hpet_ops.next_deadline(&hpet) > now);
}

static vtime_t deadline(void)
{
    return hpet_ops.next_deadline(&hpet);
}

static void registers_after_reset(void **state)
{
    (void)state;
    assert_true(in(0x000, 8) == 0x009896808086A201);
    assert_int_equal(in(0x004, 4), 10000000);
    assert_int_equal(in(0x010, 8) | in(0x020, 8) | in(0x0F0, 8), 0);
    for (unsigned n = 0; n < 3; n++) {
        assert_int_equal(in(0x100 + 0x20 * n, 8), 0x30);
        assert_true(in(0x108 + 0x20 * n, 8) == UINT64_MAX);
        assert_int_equal(in(0x110 + 0x20 * n, 8), 0);
    }
    assert_int_equal(in(0x160, 8) | in(0x3F8, 8) | in(0x008, 4), 0);
    assert_true(deadline() == UINT64_MAX);
}

static void only_4_and_8_bytes_aligned(void **state)
{
    uint64_t value;
    (void)state;
    assert_int_equal(hpet_ops.read(&hpet, 0, 1, &value), IO_BAD_SIZE);
    assert_int_equal(hpet_ops.read(&hpet, 0, 2, &value), IO_BAD_SIZE);
    assert_int_equal(hpet_ops.read(&hpet, 4, 8, &value), IO_BAD_SIZE);
    assert_int_equal(hpet_ops.write(&hpet, 0x12, 4, 1), IO_BAD_SIZE);
    assert_int_equal(hpet_ops.read(&hpet, 0x400, 4, &value), IO_NO_REGISTER);
}

static void the_writable_bits_of_a_timer(void **state)
{
    (void)state;
    out(0x100, UINT64_MAX);
    assert_int_equal(in(0x100, 8), 0x013E); /* no input can be chosen, no FSB */
    out(0x000, UINT64_MAX);
    assert_true(in(0x000, 8) == 0x009896808086A201);
    start_with(0x00F00000);
    out(0x140, 22 << 9);
    assert_true(in(0x140, 8) == 0x00F0000000002C30);
    out(0x140, 19 << 9);
    assert_true(in(0x140, 8) == 0x00F0000000002C30);
}

static void the_counter_is_time_while_it_runs(void **state)
{
    (void)state;
    at(1000);
    out(0x010, 1);
    at(1009);
    assert_int_equal(in(0x0F0, 8), 0);
    at(1010);
    assert_int_equal(in(0x0F0, 8), 1);
    at(10001005);
    assert_int_equal(in(0x0F0, 8), 1000000);
    out(0x010, 0);
    at(20000000);
    assert_int_equal(in(0x0F0, 8), 1000000);
    out4(0x0F0, 5);
    out4(0x0F4, 7);
    assert_true(in(0x0F0, 8) == 0x700000005);
    assert_int_equal(in(0x0F4, 4), 7);
}

static void a_one_shot_timer_is_an_edge(void **state)
{
    (void)state;
    out(0x010, 3);
    assert_true(replaced);
    out(0x100, 0x04);
    out(0x108, 500);
    assert_int_equal(deadline(), 5000);
    at(4999);
    assert_false(legacy[0].high);
    at(5000);
    assert_true(legacy[0].high);
    assert_int_equal(legacy[0].rises, 1);
    assert_int_equal(in(0x020, 8), 0);
    assert_true(deadline() == UINT64_MAX); /* of 64 bits: never again */
    out(0x108, 700);
    at(9000);
    assert_true(legacy[0].high);
    assert_int_equal(legacy[0].rises, 2); /* it fell between the two */
    out(0x100, 0x00);
    assert_false(legacy[0].high);
    assert_false(legacy[1].high);
}

static void a_comparator_on_the_counter_matches_at_once(void **state)
{
    (void)state;
    out(0x010, 3);
    out(0x120, 0x04);
    at(1000);
    out(0x128, 100);
    assert_true(legacy[1].high);
}

static void a_timer_of_32_bits_comes_around(void **state)
{
    (void)state;
    out(0x0F0, 0x1FFFFFFF0);
    out(0x010, 3);
    out(0x100, 0x104);
    out(0x108, 0x5500000010);
    assert_int_equal(in(0x108, 8), 0x10);
    assert_int_equal(deadline(), 0x20 * 10);
    at(0x20 * 10);
    assert_int_equal(legacy[0].rises, 1);
    assert_true(deadline() == (0x20 + 0x100000000) * 10ull);
    assert_true(in(0x0F0, 8) == 0x200000010);
}

/* As Linux programs it: value set, first count, then the period. */
static void a_periodic_timer_goes_on_by_the_value_last_written(void **state)
{
    (void)state;
    out(0x010, 3);
    out(0x100, 0x14C); /* 32 bits, value set, periodic, enabled */
    out4(0x108, 1000);
    out4(0x108, 300);
    assert_int_equal(in(0x108, 4), 1000);
    assert_int_equal(deadline(), 10000);
    at(10000);
    assert_int_equal(in(0x108, 4), 1300);
    assert_int_equal(legacy[0].rises, 1);
    at(13000);
    assert_int_equal(in(0x108, 4), 1600);
    assert_int_equal(legacy[0].rises, 2);
    at(1000005); /* a hundred thousand counts and a half: one edge for all of them */
    assert_int_equal(legacy[0].rises, 3);
    assert_int_equal(in(0x108, 4), 100300);
    out4(0x108, 50); /* without value set: the next match stays where it was */
    assert_int_equal(in(0x108, 4), 100300);
    at(1003000);
    assert_int_equal(in(0x108, 4), 100350);
}

static void value_set_holds_for_one_write(void **state)
{
    (void)state;
    out(0x100, 0x08 | 0x40);
    assert_int_equal(in(0x100, 8), 0x38);
    out(0x108, 111);
    out(0x108, 222);
    assert_int_equal(in(0x108, 8), 111);
    /* In halves, as software of 32 bits does. */
    out4(0x100, 0x48);
    out4(0x108, 0x11111111);
    out4(0x100, 0x48);
    out4(0x10C, 0x22222222);
    assert_true(in(0x108, 8) == 0x2222222211111111);
    out4(0x100, 0x48);
    out4(0x104, 0); /* the upper half of the configuration is read-only */
    out4(0x108, 0x33333333);
    assert_true(in(0x108, 8) == 0x2222222233333333);
}

static void a_period_of_zero_never_comes_back(void **state)
{
    (void)state;
    out(0x010, 3);
    out(0x100, 0x4C);
    out(0x108, 10);
    out(0x108, 0);
    at(100);
    assert_int_equal(legacy[0].rises, 1);
    assert_true(deadline() == UINT64_MAX);
}

static void a_level_stays_until_its_status_is_cleared(void **state)
{
    (void)state;
    start_with(1 << 20);
    out(0x010, 1);
    out(0x140, 20 << 9 | 0x4E); /* periodic, level */
    out(0x148, 100);
    at(1000);
    assert_true(input[20].high);
    assert_int_equal(in(0x020, 8), 4);
    assert_true(deadline() == UINT64_MAX); /* nothing would change */
    out(0x020, 3);
    assert_true(input[20].high);
    out4(0x020, 4);
    assert_false(input[20].high);
    assert_int_equal(deadline(), 2000);
    at(2000);
    assert_int_equal(input[20].rises, 2);
    out(0x010, 0);
    assert_false(input[20].high);
}

static void a_pending_level_moves_along_with_its_route(void **state)
{
    (void)state;
    start_with(1 << 20);
    out(0x010, 1);
    out(0x100, 20 << 9 | 0x06);
    out(0x108, 100);
    at(1000);
    assert_true(input[20].high);
    out(0x010, 3);
    assert_true(legacy[0].high);
    assert_false(input[20].high);
    out(0x010, 1);
    assert_true(input[20].high);
    assert_false(legacy[0].high);
}

static void status_shows_without_an_enabled_interrupt(void **state)
{
    (void)state;
    out(0x010, 1);
    out(0x120, 0x02);
    out(0x128, 100);
    assert_true(deadline() == UINT64_MAX);
    at(1000);
    assert_int_equal(in(0x020, 8), 2);
    assert_false(legacy[1].high);
}

static void without_a_route_there_is_no_deadline(void **state)
{
    (void)state;
    out(0x010, 1);
    out(0x100, 0x04);
    out(0x108, 100);
    assert_true(deadline() == UINT64_MAX);
    out(0x010, 3);
    assert_int_equal(deadline(), 1000);
    out(0x140, 0x04); /* timer 2 has no legacy input */
    out(0x148, 50);
    assert_int_equal(deadline(), 1000);
}

static void legacy_replacement_takes_and_gives_back(void **state)
{
    (void)state;
    out(0x010, 3);
    out(0x010, 3);
    assert_int_equal(replacements, 1);
    out(0x100, 0x04);
    out(0x108, 10);
    at(100);
    assert_true(legacy[0].high);
    out(0x010, 1);
    assert_int_equal(replacements, 2);
    assert_false(replaced || legacy[0].high);
    out(0x010, 3);
    hpet_ops.reset(&hpet);
    assert_false(replaced);
    registers_after_reset(NULL);
}

static void no_deadline_wraps(void **state)
{
    (void)state;
    out(0x010, 3);
    out(0x100, 0x04);
    out(0x108, UINT64_MAX - 1);
    assert_true(deadline() == UINT64_MAX);
    at(UINT64_MAX - 1000);
    out(0x108, in(0x0F0, 8) + 50);
    assert_true(deadline() > UINT64_MAX - 1000 && deadline() < UINT64_MAX);
    out(0x108, in(0x0F0, 8) + 5000);
    assert_true(deadline() == UINT64_MAX);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(registers_after_reset),
        T(only_4_and_8_bytes_aligned),
        T(the_writable_bits_of_a_timer),
        T(the_counter_is_time_while_it_runs),
        T(a_one_shot_timer_is_an_edge),
        T(a_comparator_on_the_counter_matches_at_once),
        T(a_timer_of_32_bits_comes_around),
        T(a_periodic_timer_goes_on_by_the_value_last_written),
        T(value_set_holds_for_one_write),
        T(a_period_of_zero_never_comes_back),
        T(a_level_stays_until_its_status_is_cleared),
        T(a_pending_level_moves_along_with_its_route),
        T(status_shows_without_an_enabled_interrupt),
        T(without_a_route_there_is_no_deadline),
        T(legacy_replacement_takes_and_gives_back),
        T(no_deadline_wraps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
