/* needs: vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/lib/mem.c */
/*
 * The local APIC's timer, posted for a processor that takes posted interrupts. The processor's part
 * is done by hand here, as SDM "Posted-Interrupt Processing" says.
 */
#include "lapic_rig.h"

static unsigned taken_back;
static _Alignas(64) uint32_t posted[16];

static int posting(void **state)
{
    (void)state;
    help = LAPIC_DELIVERED;
    memset(posted, 0, sizeof(posted));
    rig_init(0);
    lapic.config.posted = posted;
    lapic.wiring.taken_back = rig_signal(&taken_back);
    enable();
    changes = taken_back = 0;
    return 0;
}

static void pass(vtime_t ns)
{
    lapic_ops.advance(&lapic, lapic.now + ns);
}

static vtime_t deadline(void)
{
    return lapic_ops.next_deadline(&lapic);
}

/* Vector 42h, at 10 us of guest time: the guest's TSC is 5000 ahead. */
static void arm_deadline(void)
{
    wr(0x320, 0x40042);
    wrmsr(0x6e0, 15000);
}

/* Vector 41h, in 1000 ns. */
static void arm_one_shot(void)
{
    wr(0x320, 0x41);
    wr(0x3e0, 0xb);
    wr(0x380, 100);
}

static void post(vtime_t when)
{
    assert_true(lapic_post(&lapic) == when);
    assert_true(deadline() == VTIME_NEVER);
    assert_int_equal(posted[8], 1);
}

static void nothing_is_posted(void)
{
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(posted[i], 0);
    assert_int_equal(page[0x220 / 4], 0);
}

static void cannot_be_posted(void)
{
    assert_true(lapic_post(&lapic) == VTIME_NEVER);
    nothing_is_posted();
}

/* The notification comes while the guest runs. */
static void notify(void)
{
    posted[8] &= ~1u;
    for (unsigned i = 0; i < 8; i++) {
        page[(0x200 + 16 * i) / 4] |= posted[i];
        posted[i] = 0;
    }
}

static void a_deadline_that_the_processor_takes_is_over(void **state)
{
    (void)state;
    arm_deadline();
    assert_true(deadline() == 10000);
    post(10000);
    assert_int_equal(posted[2], 4);
    pass(9000);
    assert_int_equal(rdmsr(0x6e0), 15000);
    notify();
    pass(1500);
    assert_int_equal(rdmsr(0x6e0), 0);
    assert_int_equal(page[0x220 / 4], 4);
    assert_int_equal(lapic.timer_ticks, 1);
    assert_int_equal(lapic.accepted, 1);
    page[0x220 / 4] = 0; /* delivered */
    pass(100000);
    nothing_is_posted(); /* and not requested a second time */
    assert_int_equal(lapic.timer_ticks, 1);
    assert_int_equal(taken_back, 0);
    cannot_be_posted();
}

static void a_count_that_the_processor_takes_is_over(void **state)
{
    (void)state;
    arm_one_shot();
    post(1000);
    assert_int_equal(posted[2], 2);
    pass(400);
    assert_int_equal(rd(0x390), 60); /* it goes on counting */
    assert_int_equal(posted[8], 1);
    notify();
    pass(700);
    assert_int_equal(rd(0x390), 0);
    assert_int_equal(rd(0x380), 100);
    assert_true(deadline() == VTIME_NEVER);
    assert_int_equal(lapic.timer_ticks, 1);
    page[0x220 / 4] = 0;
    wr(0x380, 100);
    assert_true(deadline() == 2100);
    post(2100);
}

/* The host's timer interrupted while pxHV ran. */
static void nobody_notified_it_and_it_is_requested_as_ever(void **state)
{
    (void)state;
    arm_deadline();
    post(10000);
    pass(9999);
    assert_int_equal(posted[8], 1);
    pass(1);
    assert_int_equal(posted[8], 0);
    assert_int_equal(posted[2], 0);
    assert_int_equal(page[0x220 / 4], 4);
    assert_int_equal(changes, 1);
    assert_int_equal(taken_back, 1);
    assert_int_equal(lapic.timer_ticks, 1);
    assert_int_equal(rdmsr(0x6e0), 0);
    page[0x220 / 4] = 0;
    arm_one_shot();
    post(11000);
    pass(1000);
    assert_int_equal(page[0x220 / 4], 2);
    assert_int_equal(posted[8] | posted[2], 0);
    assert_int_equal(lapic.timer_ticks, 2);
}

static void taken_back_it_is_a_deadline_again(void **state)
{
    (void)state;
    arm_deadline();
    post(10000);
    lapic_take_back(&lapic);
    nothing_is_posted();
    assert_int_equal(taken_back, 1);
    assert_true(deadline() == 10000);
    lapic_take_back(&lapic);
    assert_int_equal(taken_back, 1);
    post(10000);
    assert_true(lapic_post(&lapic) == 10000); /* still is */
    notify();
    lapic_take_back(&lapic); /* too late */
    assert_int_equal(taken_back, 1);
    assert_int_equal(lapic.timer_ticks, 1);
    assert_true(deadline() == VTIME_NEVER);
}

static void what_the_guest_changes_takes_it_back(void **state)
{
    (void)state;
    arm_deadline();
    post(10000);
    wrmsr(0x6e0, 16000);
    nothing_is_posted();
    assert_true(deadline() == 11000);
    post(11000);
    wrmsr(0x6e0, 0);
    cannot_be_posted();
    arm_deadline();
    post(10000);
    wr(0x320, 0x50042); /* masked */
    cannot_be_posted();
    assert_true(deadline() == VTIME_NEVER);
    wr(0x320, 0x40045); /* another vector */
    post(10000);
    assert_int_equal(posted[2], 0x20);
    wr(0x320, 0x45); /* another mode */
    cannot_be_posted();
    arm_one_shot();
    post(1000);
    wr(0x3e0, 3); /* by 16 */
    nothing_is_posted();
    post(16000);
    wr(0x380, 10);
    nothing_is_posted();
    post(1600);
    wr(0x320, 0x20041); /* periodic: the processor wouldn't begin anew */
    cannot_be_posted();
    assert_true(deadline() == 1600);
    assert_int_equal(lapic.timer_ticks, 0);
}

static void what_the_guest_changes_too_late_finds_it_taken(void **state)
{
    (void)state;
    arm_deadline();
    post(10000);
    notify();
    wr(0x320, 0x10042);
    assert_int_equal(rdmsr(0x6e0), 0);
    assert_int_equal(page[0x220 / 4], 4);
    page[0x220 / 4] = 0;
    arm_one_shot();
    post(1000);
    notify();
    wr(0x380, 50);
    assert_int_equal(lapic.timer_ticks, 2);
    assert_true(deadline() == 500);
}

static void a_tsc_that_moves_takes_it_back(void **state)
{
    (void)state;
    arm_deadline();
    post(10000);
    lapic_tsc_moved(&lapic);
    nothing_is_posted();
    assert_true(deadline() == 10000);
    assert_int_equal(taken_back, 1);
    post(10000);
    notify();
    lapic_tsc_moved(&lapic); /* what is over isn't armed again */
    assert_int_equal(rdmsr(0x6e0), 0);
    assert_true(deadline() == VTIME_NEVER);
}

static void while_it_doesnt_deliver_nothing_is_posted(void **state)
{
    (void)state;
    arm_deadline();
    post(10000);
    wr(0xf0, 0xff); /* software disables it, which masks the timer */
    cannot_be_posted();
    wr(0xf0, 0x1ff);
    cannot_be_posted();
    wr(0x320, 0x40042);
    post(10000);
    wrmsr(0x1b, 0xfee00100);
    nothing_is_posted();
    wrmsr(0x1b, 0xfee00900);
    enable();
    arm_deadline();
    post(10000);
    x2apic(); /* changes nothing */
    assert_int_equal(posted[8], 1);
    lapic_ops.reset(&lapic);
    cannot_be_posted();
    assert_true(deadline() == VTIME_NEVER);
}

static void a_processor_without_them_has_an_ordinary_deadline(void **state)
{
    (void)state;
    lapic.config.posted = NULL;
    arm_deadline();
    assert_true(lapic_post(&lapic) == VTIME_NEVER);
    assert_true(deadline() == 10000);
}

static void an_illegal_vector_is_an_error_as_ever(void **state)
{
    (void)state;
    wr(0x320, 0x4000f);
    wrmsr(0x6e0, 15000);
    cannot_be_posted();
    pass(10000);
    assert_int_equal(errors(), 0x40);
    wr(0x320, 0x40010);
    wrmsr(0x6e0, 25000);
    post(20000);
    assert_int_equal(posted[0], 0x10000);
}

static void message(uint8_t vector, bool level)
{
    const struct apic_message m = {.vector = vector, .delivery = APIC_FIXED, .level = level};
    assert_true(lapic_receive(&lapic, &m));
}

/* The processor doesn't clear TMR's bit, and the end would be told to an I/O APIC. */
static void a_vector_of_a_levels_isnt_posted(void **state)
{
    (void)state;
    message(0x42, true);
    page[0x220 / 4] = 0;
    arm_deadline();
    assert_true(lapic_post(&lapic) == VTIME_NEVER);
    assert_true(deadline() == 10000);
    pass(10000);
    assert_int_equal(page[0x1a0 / 4], 0); /* an edge: the next one may be */
    page[0x220 / 4] = 0;
    wrmsr(0x6e0, 25000);
    post(20000);
    message(0x42, false);
    assert_int_equal(posted[8], 1);
    message(0x43, true);
    assert_int_equal(posted[8], 1);
    message(0x42, true);
    assert_int_equal(posted[8] | posted[2], 0);
    assert_true(deadline() == 20000);
}

/* The other vectors of the descriptor are nobody's here. */
static void what_others_have_posted_stays(void **state)
{
    (void)state;
    posted[7] = 0x80000000;
    posted[9] = 0x12345678;
    arm_deadline();
    post(10000);
    lapic_take_back(&lapic);
    assert_int_equal(posted[7], 0x80000000);
    assert_int_equal(posted[9], 0x12345678);
}

#define P(name) cmocka_unit_test_setup(name, posting)

int main(void)
{
    const struct CMUnitTest tests[] = {
        P(a_deadline_that_the_processor_takes_is_over),
        P(a_count_that_the_processor_takes_is_over),
        P(nobody_notified_it_and_it_is_requested_as_ever),
        P(taken_back_it_is_a_deadline_again),
        P(what_the_guest_changes_takes_it_back),
        P(what_the_guest_changes_too_late_finds_it_taken),
        P(a_tsc_that_moves_takes_it_back),
        P(while_it_doesnt_deliver_nothing_is_posted),
        P(a_processor_without_them_has_an_ordinary_deadline),
        P(an_illegal_vector_is_an_error_as_ever),
        P(a_vector_of_a_levels_isnt_posted),
        P(what_others_have_posted_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
