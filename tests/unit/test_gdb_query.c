/* needs: vmm/debug/gdb.c vmm/debug/gdb_stop.c vmm/debug/gdb_packet.c vmm/debug/gdb_text.c vmm/debug/gdb_regs.c vmm/debug/gdb_memory.c vmm/debug/gdb_query.c vmm/debug/gdb_target.c vmm/debug/gdb_monitor.c vmm/lib/fmt.c vmm/lib/mem.c */
/* What GDB is told in pieces (qXfer): the target's description, the profile. */
#include "gdb_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state)
{
    (void)state;
    rig_init();
    rig_packet("qSupported:swbreak+;hwbreak+");
    rig_stop(VDEBUG_PAUSED);
    return 0;
}

static void the_description_comes_in_pieces(void **state)
{
    static char whole[16384], pieces[16384], packet[64];
    size_t length = 0;
    (void)state;
    strcpy(whole, answer("qXfer:features:read:target.xml:0,4000"));
    assert_int_equal(whole[0], 'l');
    assert_memory_equal(whole + 1, "<?xml", 5);
    assert_non_null(strstr(whole, "<reg name=\"rip\" bitsize=\"64\" type=\"code_ptr\"/>"));
    assert_non_null(strstr(whole, "<reg name=\"st7\" bitsize=\"80\""));
    assert_non_null(strstr(whole, "<feature name=\"org.gnu.gdb.i386.avx\"><reg name=\"ymm0h\""));
    assert_string_equal(whole + strlen(whole) - 9, "</target>");
    do {
        snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,7b", length);
        const char *piece = answer(packet);
        strcpy(pieces + length, piece + 1);
        length += strlen(piece + 1);
        if (*piece == 'l')
            break;
        assert_int_equal(*piece, 'm');
        assert_int_equal(strlen(piece), 0x7c);
    } while (length < sizeof(pieces) - 1024);
    assert_string_equal(pieces, whole + 1);
}

static void a_transfer_that_is_wrong_gets_an_error(void **state)
{
    static const struct {
        const char *packet, *reply;
    } cases[] = {
        {"features:read:target.xml:ffffff,10", "l"},
        {"features:read:target.xml:ffffffffffffffff,ffffffffffffffff", "l"},
        {"features:read:target.xml:0,0", "m"},
        {"features:read:target.xml:0,5", "m<?xml"},
        {"features:read:other.xml:0,10", "E00"},
        {"features:read::0,10", "E00"},
        {"features:read:target.xml", "E00"},
        {"features:read:target.xmlx:0,10", "E00"},
        {"features:read:target.xml:", "E01"},
        {"features:read:target.xml:0", "E01"},
        {"features:read:target.xml:0,", "E01"},
        {"features:read:target.xml:,10", "E01"},
        {"features:read:target.xml:-1,10", "E01"},
        {"features:read:target.xml:0,10,10", "E01"},
        {"features:read:target.xml:0,1g", "E01"},
        {"features:read:target.xml:10000000000000000,10", "E01"}, /* 17 digits */
        {"features:read:target.xml:0,10000000000000000", "E01"},
        {"features:write:target.xml:0:00", ""},
        {"features", ""},
        {"memory-map:read::0,10", ""},
        {"pxhv-profile:read::0,3", "mPRO"},
        {"pxhv-profile:read::4,10", "lILE"},
        {"pxhv-profile:read::7,1", "l"},
        {"pxhv-profile:read::ffffffffffffffff,1", "l"},
        {"pxhv-profile:read:x:0,3", "E00"},
        {"pxhv-profile:read::0", "E01"},
    };
    char packet[128];
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        snprintf(packet, sizeof(packet), "qXfer:%s", cases[i].packet);
        assert_string_equal(answer(packet), cases[i].reply);
    }
    /* As much as a packet has room for, however much is asked for. */
    assert_int_equal(strlen(answer("qXfer:pxhv-profile:read::0,ffffffffffffffff")), 1 + 7);
    rig.profile_bytes = 1 << 20;
    assert_int_equal(strlen(answer("qXfer:pxhv-profile:read::0,ffffffffffffffff")), 1 + 8192);
    rig.gdb.host.read_profile = NULL;
    assert_string_equal(answer("qXfer:pxhv-profile:read::0,3"), "");
}

static void a_cpu_without_avx_has_no_such_feature(void **state)
{
    (void)state;
    rig.facts.xcr0_allowed = 3;
    assert_null(strstr(answer("qXfer:features:read:target.xml:0,4000"), "ymm0h"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_description_comes_in_pieces, setup),
        cmocka_unit_test_setup(a_transfer_that_is_wrong_gets_an_error, setup),
        cmocka_unit_test_setup(a_cpu_without_avx_has_no_such_feature, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
