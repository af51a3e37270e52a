/* needs: vmm/debug/gdb.c vmm/debug/gdb_stop.c vmm/debug/gdb_packet.c vmm/debug/gdb_text.c vmm/debug/gdb_regs.c vmm/debug/gdb_memory.c vmm/debug/gdb_query.c vmm/debug/gdb_target.c vmm/debug/gdb_monitor.c vmm/lib/fmt.c vmm/lib/mem.c */
/*
 * The GDB stub on a vCPU made of arrays, under any bytes on its line and any stops of its guest.
 * All that it sends is framed and summed rightly, it asks the vCPU only while the guest stands
 * still, and it writes no RIP that the vCPU refuses.
 *
 * Input: FFh and a byte is a stop of the guest, or its going on; FEh, a length and a text is a
 * packet whose frame is made here; FDh and a byte is somebody at the console; every other byte is
 * one of the line.
 */
#include "../unit/gdb_rig.h"
#include "input.h"

/* Each frame that was sent: "$", no byte of a frame, "#" and the sum; "+" and "-" between. */
static void check_sent(void)
{
    const char *at = rig.sent;

    while (at < rig.sent + rig.sent_length) {
        unsigned sum = 0;
        if (*at == '+' || *at == '-') {
            at++;
            continue;
        }
        check(*at++ == '$');
        for (; *at != '#'; at++) {
            check(*at != '$' && at < rig.sent + rig.sent_length);
            sum += (uint8_t)*at;
        }
        check(strtoul((char[3]){at[1], at[2], 0}, NULL, 16) == (sum & 0xff));
        at += 3;
    }
    rig_forget_sent();
}

static void guest_stops_or_runs(uint8_t how)
{
    static const enum vdebug_reason reasons[] = {VDEBUG_PAUSED,     VDEBUG_STARTED, VDEBUG_STEPPED,
                                                 VDEBUG_SOFT,       VDEBUG_HARD,    VDEBUG_WATCH,
                                                 VDEBUG_GUEST_ENDED};
    if (rig.stopped) {
        if (rig.gdb.resumed)
            rig_run();
        return;
    }
    rig.vcpu.stop = how & 8 ? VM_STOP_POWER_OFF : how & 16 ? VM_STOP_RESET : VM_STOP_TRIPLE_FAULT;
    rig.vcpu.rip += how & 3;
    rig_stop(reasons[how % ARRAY_SIZE(reasons)]);
}

static void console(uint8_t what)
{
    rig.gdb.shared ^= what >> 2 & 1;
    if (what & 1)
        gdb_drop(&rig.gdb);
    if (what & 2)
        gdb_expect_restart(&rig.gdb);
    if (what & 8)
        gdb_console(&rig.gdb, (const uint8_t *)"$text#00", 8);
    /* Who is dropped before a stopped guest has left. */
    check(!(what & 1) || !rig.stopped || !rig.vcpu.debug.attached);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char packet[256];

    rig_init();
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 0xff && i + 1 < size) {
            guest_stops_or_runs(data[++i]);
        } else if (data[i] == 0xfe && i + 1 < size) {
            size_t length = data[++i];
            length = length < size - i - 1 ? length : size - i - 1;
            memcpy(packet, data + i + 1, length);
            packet[length] = 0;
            i += length;
            rig_packet(packet);
        } else if (data[i] == 0xfd && i + 1 < size) {
            console(data[++i]);
        } else {
            gdb_receive(&rig.gdb, data[i]);
        }
        check_sent();
        check(rig_points() <= RIG_POINTS);
        check(rig.vcpu.rip != 0x8000000000000000u);
        check(!(rig.gdb.held && rig.stopped && !rig.gdb.awaited));
        check(rig.cr8 <= 15);
    }
    return 0;
}
