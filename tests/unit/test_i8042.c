/* needs: vmm/dev/i8042.c vmm/dev/ps2kbd.c */
#include "dev/i8042.h"
#include "i8042_rig.h"

/* --- controller ------------------------------------------------------------------------------- */

static void reset_values(void **state)
{
    (void)state;
    assert_int_equal(in(4), 0x14);
    out(4, 0x20);
    assert_int_equal(in(4), 0x1d);
    EXPECT("\x65");
    assert_int_equal(in(4), 0x1c);
    assert_int_equal(in(0), 0x65); /* an empty buffer shows its last byte */
}

static void the_command_byte_is_kept(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        set_command_byte((uint8_t)value);
        assert_int_equal(in(4) & 0x04, value & 0x04); /* SYS shows in the status */
        out(4, 0x20);
        assert_int_equal(in(0), value & 0x77);
    }
}

static void commands_that_answer(void **state)
{
    static const struct {
        uint8_t command, answer;
    } table[] = {{0x20, 0x65}, {0xa9, 0x01}, {0xaa, 0x55},
                 {0xab, 0x00}, {0xc0, 0xa0}, {0xd0, 0xc3}};
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        out(4, table[i].command);
        assert_true(full());
        assert_true(irq1.high); /* as any byte that isn't the auxiliary port's */
        assert_int_equal(in(0), table[i].answer);
        assert_false(full());
        assert_false(irq1.high);
    }
}

static void commands_that_switch_bits(void **state)
{
    static const struct {
        uint8_t command, before, after;
    } table[] = {{0xa7, 0x45, 0x65}, {0xa8, 0x65, 0x45}, {0xad, 0x65, 0x75}, {0xae, 0x75, 0x65}};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        set_command_byte(table[i].before);
        out(4, table[i].command);
        assert_false(full());
        out(4, 0x20);
        assert_int_equal(in(0), table[i].after);
    }
}

static void the_output_port_holds_a20_and_the_reset_bit(void **state)
{
    (void)state;
    out(4, 0xd1);
    out(0, 0xdd); /* A20 off */
    out(4, 0xd0);
    assert_int_equal(in(0), 0xc1);
    out(4, 0xd1);
    out(0, 0xdf);
    out(4, 0xd0);
    assert_int_equal(in(0), 0xc3);
    out(4, 0xdd);
    out(4, 0xd0);
    assert_int_equal(in(0), 0xc1);
    out(4, 0xdf);
    out(4, 0xd0);
    assert_int_equal(in(0), 0xc3);
    assert_int_equal(resets, 0);
    out(4, 0xd1);
    out(0, 0x02);
    assert_int_equal(resets, 1);
}

static void only_a_pulse_of_bit_0_resets(void **state)
{
    (void)state;
    for (unsigned command = 0x00; command < 0x100; command++) {
        setup(NULL);
        out(4, (uint8_t)command);
        assert_int_equal(resets, command >= 0xf0 && command % 2 == 0);
    }
}

static void d2_looks_like_the_keyboard(void **state)
{
    (void)state;
    out(4, 0xd2);
    out(0, 0x1c);
    assert_int_equal(in(4) & 0x21, 0x01);
    assert_true(irq1.high);
    EXPECT("\x1c"); /* not translated */
}

static void access_sizes(void **state)
{
    static const uint32_t holes[] = {1, 2, 3, 5};
    uint64_t value = 5;
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(i8042_ops.read(&ctl, holes[i], 1, &value), IO_NO_REGISTER);
        assert_int_equal(i8042_ops.write(&ctl, holes[i], 1, 0), IO_NO_REGISTER);
    }
    for (uint32_t offset = 0; offset <= 4; offset += 4) {
        for (unsigned size = 2; size <= 4; size += 2) {
            assert_int_equal(i8042_ops.read(&ctl, offset, size, &value), IO_BAD_SIZE);
            assert_int_equal(i8042_ops.write(&ctl, offset, size, 0xfe), IO_BAD_SIZE);
        }
    }
    assert_int_equal(value, 5);
    assert_int_equal(resets, 0);
}

/* --- the auxiliary port that isn't there -------------------------------------------------------
 */

/* Linux i8042_check_aux(): the loopback byte without its AUX bit, left unread; then the test. */
static void linux_sees_at_once_that_there_is_no_mouse(void **state)
{
    (void)state;
    out(4, 0xd3);
    out(0, 0x5a);
    assert_int_equal(in(4) & 0x21, 0x01);
    out(4, 0xa9);
    assert_int_equal(in(4) & 0x21, 0x01);
    EXPECT("\x01"); /* neither 00, FAh nor FFh, and nothing stays behind */
}

static void a_byte_to_the_mouse_times_out(void **state)
{
    (void)state;
    set_command_byte(0x47);
    out(4, 0xd4);
    out(0, 0xf2);
    assert_int_equal(in(4) & 0x61, 0x61);
    assert_true(irq12.high);
    assert_false(irq1.high);
    EXPECT("\xfe");
    assert_false(irq12.high);
}

/* Every source with every interrupt enable. */
static void each_byte_raises_its_own_pin(void **state)
{
    (void)state;
    for (unsigned enables = 0; enables < 4; enables++) {
        setup(NULL);
        set_command_byte((uint8_t)(0x44 | enables));
        KEYS("\x1e");
        assert_int_equal(irq1.high, enables & 1);
        assert_false(irq12.high);
        in(0);
        out(4, 0xd4);
        out(0, 0xf4);
        assert_false(irq1.high);
        assert_int_equal(irq12.high, enables >> 1);
        in(0);
        assert_false(irq12.high);
    }
}

/* --- keys --------------------------------------------------------------------------------------
 */

static void translated_keys_arrive_as_the_host_sent_them(void **state)
{
    (void)state;
    for (unsigned code = 1; code < 0x80; code++) {
        if (code == 0x60 || code == 0x61)
            continue; /* with the release bit they are the prefixes E0h and E1h */
        const char pair[2] = {(char)code, (char)(code | 0x80)};
        keys(pair, 2);
        expect_bytes(pair, 2);
        const char grey[4] = {(char)0xe0, (char)code, (char)0xe0, (char)(code | 0x80)};
        keys(grey, 4);
        expect_bytes(grey, 4);
    }
    KEYS("\xe1\x1d\x45\xe1\x9d\xc5"); /* Pause */
    EXPECT("\xe1\x1d\x45\xe1\x9d\xc5");
}

static void untranslated_keys_are_set_2(void **state)
{
    static const struct {
        const char *set1, *set2;
    } table[] = {
        {"\x1e\x9e", "\x1c\xf0\x1c"},                 /* A */
        {"\x01\x81", "\x76\xf0\x76"},                 /* Escape */
        {"\x1c\x9c", "\x5a\xf0\x5a"},                 /* Enter */
        {"\x39\xb9", "\x29\xf0\x29"},                 /* Space */
        {"\x41\xc1", "\x83\xf0\x83"},                 /* F7 */
        {"\x54\xd4", "\x84\xf0\x84"},                 /* SysRq */
        {"\x57\xd7", "\x78\xf0\x78"},                 /* F11 */
        {"\xe0\x48\xe0\xc8", "\xe0\x75\xe0\xf0\x75"}, /* up */
        {"\xe0\x1d\xe0\x9d", "\xe0\x14\xe0\xf0\x14"}, /* right Ctrl */
        {"\xe1\x1d\x45\xe1\x9d\xc5", "\xe1\x14\x77\xe1\xf0\x14\xf0\x77"},
    };
    (void)state;
    set_command_byte(0x05);
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        keys(table[i].set1, (unsigned)strlen(table[i].set1));
        expect_bytes(table[i].set2, (unsigned)strlen(table[i].set2));
    }
}

static void set_1_keys_pass_when_the_guest_chose_set_1(void **state)
{
    (void)state;
    set_command_byte(0x05);
    out(0, 0xf0);
    EXPECT("\xfa");
    out(0, 0x01);
    EXPECT("\xfa");
    KEYS("\x1e\x9e\xe0\x48\xe0\xc8");
    EXPECT("\x1e\x9e\xe0\x48\xe0\xc8");
}

static void each_byte_is_an_edge_of_irq1(void **state)
{
    (void)state;
    KEYS("\x1e\x9e\x30\xb0");
    assert_int_equal(irq1.rises, 1);
    for (unsigned i = 2; i <= 4; i++) {
        in(0);
        assert_int_equal(irq1.rises, i);
        assert_true(irq1.high);
    }
    in(0);
    assert_false(irq1.high);
}

static void a_disabled_keyboard_keeps_its_keys(void **state)
{
    (void)state;
    out(4, 0xad);
    KEYS("\x1e\x9e");
    assert_false(full());
    out(4, 0xae);
    EXPECT("\x1e\x9e");
    out(4, 0xad);
    out(0, 0xee); /* a byte to the keyboard enables it */
    EXPECT("\xee");
    out(4, 0x20);
    EXPECT("\x65");
}

static void a_full_queue_refuses_and_says_when_there_is_room(void **state)
{
    unsigned taken = 0;
    (void)state;
    while (i8042_host_scancode(&ctl, (uint8_t)(taken % 0x50 + 1)))
        taken++;
    assert_true(taken >= 16);
    assert_false(i8042_host_scancode(&ctl, 0x1e));
    assert_int_equal(rooms, 0);
    for (unsigned i = 0; i < taken; i++)
        assert_int_equal(in(0), i % 0x50 + 1); /* none lost, none doubled */
    assert_false(full());
    assert_int_equal(rooms, 1);
    assert_int_equal(ctl.keys, taken);
}

static void a_release_of_two_bytes_is_refused_whole(void **state)
{
    (void)state;
    set_command_byte(0x15); /* set 2 to the guest, and the keyboard may not talk yet */
    assert_true(i8042_host_scancode(&ctl, 0x30));
    while (i8042_host_scancode(&ctl, 0x9e))
        ;
    out(4, 0xae);
    assert_int_equal(in(0), 0x32); /* the oldest is still there */
    while (full()) {
        assert_int_equal(in(0), 0xf0);
        assert_int_equal(in(0), 0x1c);
    }
    assert_int_equal(rooms, 1);
}

static void a_key_follows_the_controllers_reply(void **state)
{
    (void)state;
    KEYS("\x1e");
    out(4, 0xaa);
    KEYS("\x9e");
    EXPECT("\x1e\x55\x9e");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, setup),
        cmocka_unit_test_setup(the_command_byte_is_kept, setup),
        cmocka_unit_test_setup(commands_that_answer, setup),
        cmocka_unit_test_setup(commands_that_switch_bits, setup),
        cmocka_unit_test_setup(the_output_port_holds_a20_and_the_reset_bit, setup),
        cmocka_unit_test_setup(only_a_pulse_of_bit_0_resets, setup),
        cmocka_unit_test_setup(d2_looks_like_the_keyboard, setup),
        cmocka_unit_test_setup(access_sizes, setup),
        cmocka_unit_test_setup(linux_sees_at_once_that_there_is_no_mouse, setup),
        cmocka_unit_test_setup(a_byte_to_the_mouse_times_out, setup),
        cmocka_unit_test_setup(each_byte_raises_its_own_pin, setup),
        cmocka_unit_test_setup(translated_keys_arrive_as_the_host_sent_them, setup),
        cmocka_unit_test_setup(untranslated_keys_are_set_2, setup),
        cmocka_unit_test_setup(set_1_keys_pass_when_the_guest_chose_set_1, setup),
        cmocka_unit_test_setup(each_byte_is_an_edge_of_irq1, setup),
        cmocka_unit_test_setup(a_disabled_keyboard_keeps_its_keys, setup),
        cmocka_unit_test_setup(a_full_queue_refuses_and_says_when_there_is_room, setup),
        cmocka_unit_test_setup(a_release_of_two_bytes_is_refused_whole, setup),
        cmocka_unit_test_setup(a_key_follows_the_controllers_reply, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
