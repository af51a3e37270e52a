/* needs: vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/lib/mem.c */
/* Interrupts whose end the local APIC leaves to somebody else, and learns of later. */
#include "lapic_rig.h"

static unsigned offers, withdrawals;
static bool wanted, ended;

static bool offer(void *ctx)
{
    (void)ctx;
    offers += wanted;
    return wanted;
}

static bool withdraw(void *ctx)
{
    (void)ctx;
    withdrawals++;
    bool was = ended;
    ended = false;
    return was;
}

static int with_offers(void **state)
{
    (void)state;
    rig_init(0);
    lapic.wiring.offer_end = offer;
    lapic.wiring.withdraw_end = withdraw;
    offers = withdrawals = 0;
    wanted = true;
    ended = false;
    enable();
    return 0;
}

static void request(uint8_t vector, bool level)
{
    const struct apic_message m = {.vector = vector, .delivery = APIC_FIXED, .level = level};
    assert_true(lapic_receive(&lapic, &m));
}

static void an_edge_with_nothing_behind_it_is_offered(void **state)
{
    (void)state;
    request(0x41, false);
    assert_int_equal(lapic_ack(&lapic), 0x41);
    assert_int_equal(offers, 1);
    ended = true;
    assert_int_equal(rd(0x120), 0); /* ISR */
    assert_int_equal(withdrawals, 1);
    assert_int_equal(lapic.eois, 1);
}

static void the_next_request_finds_the_end(void **state)
{
    (void)state;
    request(0x41, false);
    lapic_ack(&lapic);
    ended = true;
    request(0x41, false);
    assert_true(intr.high);
    assert_int_equal(lapic_ack(&lapic), 0x41);
    assert_int_equal(offers, 2);
}

static void a_request_during_service_takes_the_offer_back(void **state)
{
    (void)state;
    request(0x41, false);
    lapic_ack(&lapic);
    request(0x42, false);
    assert_int_equal(withdrawals, 1);
    assert_false(intr.high);
    wr(0xb0, 0);
    assert_true(intr.high);
    assert_int_equal(lapic_ack(&lapic), 0x42);
    assert_int_equal(offers, 2);
}

static void the_inner_of_two_ends_before_the_outer(void **state)
{
    (void)state;
    request(0x41, false);
    lapic_ack(&lapic);
    request(0x81, false);
    assert_int_equal(lapic_ack(&lapic), 0x81);
    ended = true; /* 81h, by its bit */
    wr(0xb0, 0);  /* 41h */
    assert_int_equal(rd(0x120), 0);
    assert_int_equal(rd(0x140), 0);
    assert_int_equal(lapic.eois, 2);
}

static void level_and_requests_that_wait_need_an_eoi(void **state)
{
    (void)state;
    request(0x41, true);
    lapic_ack(&lapic);
    wr(0xb0, 0);
    assert_int_equal(eoi_count, 1);
    request(0x51, false);
    request(0x61, false);
    assert_int_equal(lapic_ack(&lapic), 0x61);
    assert_int_equal(offers, 0);
    wr(0xb0, 0);
    assert_int_equal(lapic_ack(&lapic), 0x51);
    assert_int_equal(offers, 1);
}

static void without_a_taker_all_is_as_ever(void **state)
{
    (void)state;
    wanted = false;
    request(0x41, false);
    lapic_ack(&lapic);
    ended = true;
    assert_int_equal(rd(0x120), 2);
    assert_int_equal(withdrawals, 0);
}

static void a_reset_forgets_the_offer(void **state)
{
    (void)state;
    request(0x41, false);
    lapic_ack(&lapic);
    lapic_ops.reset(&lapic);
    enable();
    rd(0x120);
    assert_int_equal(withdrawals, 0);
}

static void whoever_looks_may_settle_it(void **state)
{
    (void)state;
    request(0x41, false);
    lapic_ack(&lapic);
    ended = true;
    lapic_settle_end(&lapic);
    assert_int_equal(page[0x120 / 4], 0);
    lapic_settle_end(&lapic);
    assert_int_equal(withdrawals, 1);
}

#define OFFERED(name) cmocka_unit_test_setup(name, with_offers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OFFERED(an_edge_with_nothing_behind_it_is_offered),
        OFFERED(the_next_request_finds_the_end),
        OFFERED(a_request_during_service_takes_the_offer_back),
        OFFERED(the_inner_of_two_ends_before_the_outer),
        OFFERED(level_and_requests_that_wait_need_an_eoi),
        OFFERED(without_a_taker_all_is_as_ever),
        OFFERED(a_reset_forgets_the_offer),
        OFFERED(whoever_looks_may_settle_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
