/* needs: vmm/debug/gdb_packet.c vmm/debug/gdb_text.c vmm/lib/mem.c */
/* The frame of GDB's remote protocol, byte by byte. */
#include "debug/gdb_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct gdb_link link;
static struct gdb_buffers buffers;
static char sent[65536];
static unsigned sent_length;

static void put(void *ctx, uint8_t byte)
{
    (void)ctx;
    assert_true(sent_length < sizeof(sent) - 1);
    sent[sent_length++] = (char)byte;
    sent[sent_length] = 0;
}

static int setup(void **state)
{
    (void)state;
    gdb_link_init(&link, (struct byte_sink){put, NULL}, &buffers);
    sent_length = 0;
    sent[0] = 0;
    return 0;
}

static enum gdb_event receive_bytes(const char *bytes, size_t count)
{
    enum gdb_event last = GDB_EVENT_NONE;
    for (size_t i = 0; i < count; i++)
        last = gdb_link_receive(&link, (uint8_t)bytes[i]);
    return last;
}

static enum gdb_event receive(const char *bytes)
{
    return receive_bytes(bytes, strlen(bytes));
}

static void assert_sends(const char *text)
{
    assert_string_equal(sent, text);
    sent_length = 0;
    sent[0] = 0;
}

static void a_whole_packet_is_acknowledged_and_given(void **state)
{
    (void)state;
    assert_int_equal(receive("$m1000,4#8e"), GDB_EVENT_PACKET);
    assert_string_equal((char *)link.in, "m1000,4");
    assert_int_equal(link.in_length, 7);
    assert_sends("+");
    assert_int_equal(receive("$?#3F"), GDB_EVENT_PACKET); /* digits of both cases */
    assert_string_equal((char *)link.in, "?");
}

static void an_empty_packet_is_one(void **state)
{
    (void)state;
    assert_int_equal(receive("$#00"), GDB_EVENT_PACKET);
    assert_int_equal(link.in_length, 0);
    assert_sends("+");
}

static void a_wrong_checksum_is_refused(void **state)
{
    (void)state;
    assert_int_equal(receive("$?#3e"), GDB_EVENT_NONE);
    assert_sends("-");
    assert_int_equal(receive("$?#3g"), GDB_EVENT_NONE);
    assert_sends("-");
    assert_int_equal(receive("$?#3f"), GDB_EVENT_PACKET);
    assert_sends("+");
}

static void noise_between_packets_is_skipped(void **state)
{
    (void)state;
    assert_int_equal(receive("login: root\r\n\xff\x80#00}*"), GDB_EVENT_NONE);
    assert_sends("");
    assert_int_equal(receive("$?#3f"), GDB_EVENT_PACKET);
}

static void a_packet_that_breaks_off_is_forgotten_at_the_next_one(void **state)
{
    (void)state;
    assert_int_equal(receive("$m1234,+$?#3f"), GDB_EVENT_PACKET);
    assert_string_equal((char *)link.in, "?");
    assert_int_equal(receive("$g#$?#3f"), GDB_EVENT_PACKET);
    assert_int_equal(receive("$g#6$?#3f"), GDB_EVENT_PACKET);
    assert_int_equal(receive("$X0,1:}$?#3f"), GDB_EVENT_PACKET);
    assert_sends("++++");
}

static void an_escaped_byte_is_the_other_one(void **state)
{
    (void)state;
    /* 7d 03 is #, 7d 04 is $, 7d 5d is }, 7d 0a is *; the sum is of the bytes on the line. */
    assert_int_equal(receive_bytes("$X\x7d\x03\x7d\x04\x7d\x5d\x7d\x0a\x03#bd", 14),
                     GDB_EVENT_PACKET);
    assert_memory_equal(link.in, "X#$}*\x03", 6);
    assert_int_equal(link.in_length, 6);
}

static void a_break_counts_once_a_debugger_has_spoken(void **state)
{
    (void)state;
    assert_int_equal(receive("\x03"), GDB_EVENT_NONE);
    receive("$?#00");
    assert_int_equal(receive("\x03"), GDB_EVENT_NONE);
    receive("$?#3f");
    assert_int_equal(receive("\x03"), GDB_EVENT_BREAK);
    receive("$?"); /* inside of a packet it is data */
    assert_int_equal(receive("\x03"), GDB_EVENT_NONE);
    assert_int_equal(receive("#42"), GDB_EVENT_PACKET);
    gdb_link_forget(&link);
    assert_int_equal(receive("\x03"), GDB_EVENT_NONE);
}

static void the_longest_packet_is_taken_and_a_longer_one_answered(void **state)
{
    (void)state;
    static char text[GDB_PACKET_BYTES + 8];
    memset(text, 0, sizeof(text)); /* zeros: any number of them sums up to the same */
    text[0] = '$';
    memcpy(text + 1 + GDB_PACKET_BYTES, "#00", 3);
    assert_int_equal(receive_bytes(text, GDB_PACKET_BYTES + 4), GDB_EVENT_PACKET);
    assert_int_equal(link.in_length, 16384);
    assert_sends("+");
    text[1 + GDB_PACKET_BYTES] = 0;
    memcpy(text + 2 + GDB_PACKET_BYTES, "#00", 3);
    assert_int_equal(receive_bytes(text, GDB_PACKET_BYTES + 5), GDB_EVENT_NONE);
    assert_sends("+$E07#ac");
    assert_int_equal(receive("$?#3f"), GDB_EVENT_PACKET);
}

static void a_reply_is_framed(void **state)
{
    (void)state;
    gdb_reply(&link, "OK");
    assert_sends("$OK#9a");
    gdb_reply(&link, "");
    assert_sends("$#00");
}

static void numbers_have_no_zeros_in_front_and_bytes_have(void **state)
{
    (void)state;
    gdb_begin(&link);
    gdb_put_number(&link, 0xffffffff81000000u);
    gdb_put(&link, ';');
    gdb_put_number(&link, 0);
    gdb_put_hex(&link, "\x01\xab", 2);
    gdb_send(&link);
    assert_memory_equal(link.out, "ffffffff81000000;001ab", 22);
    assert_int_equal(link.out_length, 22);
}

static void runs_are_shortened(void **state)
{
    (void)state;
    gdb_reply(&link, "000"); /* two more: not worth it */
    assert_sends("$000#90");
    gdb_reply(&link, "0000"); /* three more: the character 32 */
    assert_sends("$0* #7a");
    gdb_reply(&link, "0000000"); /* six more would be "#", so five and one on its own */
    assert_sends("$0*\"0#ac");
    gdb_reply(&link, "00000000"); /* seven more would be "$" */
    assert_sends("$0*\"00#dc");
    gdb_reply(&link, "000000000"); /* eight more is "%" */
    assert_sends("$0*%#7f");
}

static void a_run_has_97_more_at_the_most(void **state)
{
    (void)state;
    char text[99];
    memset(text, 'f', 98);
    text[98] = 0;
    gdb_reply(&link, text);
    assert_sends("$f*~#0e");
}

static void bytes_of_the_frame_are_escaped(void **state)
{
    (void)state;
    gdb_reply(&link, "$#}*");
    assert_sends("$}\x04}\x03}]}\n#62");
    gdb_reply(&link, "****"); /* an escaped byte has no run */
    assert_sends("$}\n}\n}\n}\n#1c");
}

static void a_minus_sends_again_until_it_is_too_often(void **state)
{
    (void)state;
    gdb_reply(&link, "OK");
    assert_sends("$OK#9a");
    for (unsigned i = 0; i < 8; i++) {
        receive("-");
        assert_sends("$OK#9a");
    }
    receive("-");
    assert_sends("");
    gdb_reply(&link, "OK");
    receive("+");
    sent_length = 0;
    sent[0] = 0;
    receive("-"); /* acknowledged already */
    assert_sends("");
}

static void without_acknowledgements_a_damaged_packet_gets_an_error(void **state)
{
    (void)state;
    link.no_ack = true;
    assert_int_equal(receive("$?#3f"), GDB_EVENT_PACKET);
    assert_sends("");
    assert_int_equal(receive("$?#3e"), GDB_EVENT_NONE);
    assert_sends("$E4a#da");
    receive("-");
    assert_sends("");
}

static void a_new_session_begins_with_acknowledgements(void **state)
{
    (void)state;
    link.no_ack = true;
    assert_int_equal(receive("$qSupported#37"), GDB_EVENT_PACKET);
    assert_sends("+");
    assert_false(link.no_ack);
}

static void what_does_not_fit_is_left_out(void **state)
{
    (void)state;
    gdb_begin(&link);
    for (unsigned i = 0; i < GDB_PACKET_BYTES; i++)
        assert_true(gdb_put(&link, (uint8_t)('a' + i % 2)));
    assert_false(gdb_put(&link, 'c'));
    assert_int_equal(gdb_room(&link), 0);
    gdb_send(&link);
    assert_int_equal(sent_length, 16384 + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_whole_packet_is_acknowledged_and_given, setup),
        cmocka_unit_test_setup(an_empty_packet_is_one, setup),
        cmocka_unit_test_setup(a_wrong_checksum_is_refused, setup),
        cmocka_unit_test_setup(noise_between_packets_is_skipped, setup),
        cmocka_unit_test_setup(a_packet_that_breaks_off_is_forgotten_at_the_next_one, setup),
        cmocka_unit_test_setup(an_escaped_byte_is_the_other_one, setup),
        cmocka_unit_test_setup(a_break_counts_once_a_debugger_has_spoken, setup),
        cmocka_unit_test_setup(the_longest_packet_is_taken_and_a_longer_one_answered, setup),
        cmocka_unit_test_setup(a_reply_is_framed, setup),
        cmocka_unit_test_setup(numbers_have_no_zeros_in_front_and_bytes_have, setup),
        cmocka_unit_test_setup(runs_are_shortened, setup),
        cmocka_unit_test_setup(a_run_has_97_more_at_the_most, setup),
        cmocka_unit_test_setup(bytes_of_the_frame_are_escaped, setup),
        cmocka_unit_test_setup(a_minus_sends_again_until_it_is_too_often, setup),
        cmocka_unit_test_setup(without_acknowledgements_a_damaged_packet_gets_an_error, setup),
        cmocka_unit_test_setup(a_new_session_begins_with_acknowledgements, setup),
        cmocka_unit_test_setup(what_does_not_fit_is_left_out, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
