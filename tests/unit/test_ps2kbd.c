/* needs: vmm/dev/i8042.c vmm/dev/ps2kbd.c */
#include "dev/ps2kbd.h"
#include "i8042_rig.h"

/* --- keyboard commands -------------------------------------------------------------------------
 */

static void keyboard_commands_and_their_answers(void **state)
{
    static const struct {
        const char *sent;
        unsigned count;
        const char *answer;
    } table[] = {
        {"\xff", 1, "\xfa\xaa"},
        {"\xee", 1, "\xee"},
        {"\xf2", 1, "\xfa\xab\x83"},
        {"\xf4", 1, "\xfa"},
        {"\xf5", 1, "\xfa"},
        {"\xf6", 1, "\xfa"},
        {"\xed\x07", 2, "\xfa\xfa"},
        {"\xf3\x00", 2, "\xfa\xfa"},
        {"\xf0\x01", 2, "\xfa\xfa"},
        {"\xf0\x02", 2, "\xfa\xfa"},
        {"\xf0\x00", 2, "\xfa\xfa\x02"},
        {"\xf0\x03", 2, "\xfa\xfe"},
        {"\xf7", 1, "\xfa"},
        {"\xfa", 1, "\xfa"},
        {"\xfb", 1, "\xfe"},
        {"\x00", 1, "\xfe"},
        {"\xec", 1, "\xfe"},
        {"\xef", 1, "\xfe"},
        {"\xf1", 1, "\xfe"},
        {"\xed\xee", 2, "\xfa\xee"}, /* a command again */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        setup(NULL);
        set_command_byte(0x05);
        const char *answer = table[i].answer;
        for (unsigned j = 0; j < table[i].count; j++) {
            out(0, (uint8_t)table[i].sent[j]);
            if (j + 1 < table[i].count)
                assert_int_equal(in(0), (uint8_t)*answer++);
        }
        expect_bytes(answer, (unsigned)strlen(answer));
    }
}

static void the_set_is_reported_in_translation_as_the_8042_does(void **state)
{
    (void)state;
    out(0, 0xf0);
    in(0);
    out(0, 0x00);
    EXPECT("\xfa\x41");
    out(0, 0xf2);
    EXPECT("\xfa\xab\x41");
}

static void leds_are_kept(void **state)
{
    (void)state;
    out(0, 0xed);
    out(0, 0x1f);
    assert_int_equal(ctl.kbd.leds, 0x07);
}

static void resend_repeats_the_last_byte(void **state)
{
    (void)state;
    set_command_byte(0x05);
    out(0, 0xf2);
    EXPECT("\xfa\xab\x83");
    out(0, 0xfe);
    EXPECT("\x83");
}

static void a_keyboard_that_does_not_scan_sees_no_key(void **state)
{
    (void)state;
    out(0, 0xf5);
    EXPECT("\xfa");
    KEYS("\x1e\x9e");
    assert_false(full());
    out(0, 0xf4);
    EXPECT("\xfa");
    KEYS("\x1e");
    EXPECT("\x1e");
}

static void a_new_command_breaks_off_the_answer(void **state)
{
    (void)state;
    set_command_byte(0x05);
    for (unsigned i = 0; i < 10; i++)
        out(0, 0xf2);
    EXPECT("\xfa\xfa\xab\x83");
}

static void an_answer_goes_before_waiting_keys(void **state)
{
    (void)state;
    out(4, 0xad);
    KEYS("\x1e");
    out(0, 0xee);
    EXPECT("\xee\x1e");
}

/* Linux i8042 and atkbd: flush, self-test, command byte, interface test, identify. */
static void linux_brings_the_keyboard_up(void **state)
{
    (void)state;
    KEYS("\x1e"); /* typed too early: flushed */
    while (full())
        in(0);
    out(4, 0x20);
    uint8_t original = in(0);
    out(4, 0x20);
    assert_int_equal(in(0), original);
    set_command_byte((original | 0x10) & 0xfe);
    assert_false(irq1.high);
    out(4, 0xaa);
    EXPECT("\x55");
    out(4, 0xab);
    EXPECT("\x00");
    set_command_byte((original & 0xef) | 0x01);
    out(0, 0xf2);
    EXPECT("\xfa\xab\x41");
    out(0, 0xed);
    EXPECT("\xfa");
    out(0, 0x00);
    EXPECT("\xfa");
    out(0, 0xf4);
    EXPECT("\xfa");
    KEYS("\x1e\x9e");
    EXPECT("\x1e\x9e");
}

/* Linux's keyboard reset method. */
static void linux_reboots_by_fe(void **state)
{
    (void)state;
    assert_int_equal(in(4) & 0x02, 0);
    out(4, 0xfe);
    assert_int_equal(resets, 1);
}

static void reset_forgets_everything_but_connections(void **state)
{
    struct i8042 fresh;
    (void)state;
    KEYS("\x1e\x9e\x1e");
    set_command_byte(0x01);
    out(4, 0xd1);
    out(0, 0x01);
    out(0, 0xed);
    out(4, 0xaa);
    out(4, 0x60);
    i8042_ops.reset(&ctl);
    assert_false(irq1.high);
    i8042_init(&fresh, ctl.kbd_irq, ctl.aux_irq, ctl.reset, ctl.room);
    rig_assert_same(&fresh, &ctl, expects, keys_refused);
    rig_assert_same(&fresh.kbd, &ctl.kbd, expects, key);
    assert_int_equal(ctl.keys, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keyboard_commands_and_their_answers, setup),
        cmocka_unit_test_setup(the_set_is_reported_in_translation_as_the_8042_does, setup),
        cmocka_unit_test_setup(leds_are_kept, setup),
        cmocka_unit_test_setup(resend_repeats_the_last_byte, setup),
        cmocka_unit_test_setup(a_keyboard_that_does_not_scan_sees_no_key, setup),
        cmocka_unit_test_setup(a_new_command_breaks_off_the_answer, setup),
        cmocka_unit_test_setup(an_answer_goes_before_waiting_keys, setup),
        cmocka_unit_test_setup(linux_brings_the_keyboard_up, setup),
        cmocka_unit_test_setup(linux_reboots_by_fe, setup),
        cmocka_unit_test_setup(reset_forgets_everything_but_connections, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
