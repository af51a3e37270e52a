/* Why the guest stopped, as GDB is told. The vCPU's stops are numbered as GDB numbers signals.
 * GDB's manual, "Stop Reply Packets". */
#include "debug/gdb_parts.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define SIGNAL_INT  2
#define SIGNAL_TRAP 5
#define SIGNAL_SEGV 11

/* Enough for one line of a message. */
#define CONSOLE_CHUNK 1024u

static void put_signal(struct gdb *gdb, char kind, unsigned signal)
{
    uint8_t byte = (uint8_t)signal;

    gdb_put(&gdb->link, (uint8_t)kind);
    gdb_put_hex(&gdb->link, &byte, 1);
}

/* The registers that a step is judged by come with the stop: it saves reading all of them. */
static void put_expedited(struct gdb *gdb)
{
    static const uint8_t numbers[] = {GDB_NUMBER_RBP, GDB_NUMBER_RSP, GDB_NUMBER_RIP};

    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        gdb_put_hex(&gdb->link, &numbers[i], 1);
        gdb_put(&gdb->link, ':');
        gdb_put_register(gdb, numbers[i]);
        gdb_put(&gdb->link, ';');
    }
}

static unsigned signal_of(const struct gdb *gdb, const struct vdebug_stop *stop)
{
    if (stop->reason == VDEBUG_PAUSED || gdb->broken)
        return SIGNAL_INT;
    if (stop->reason == VDEBUG_GUEST_ENDED && gdb->vcpu->stop != VM_STOP_RESET)
        return SIGNAL_SEGV;
    return SIGNAL_TRAP;
}

static void put_reason(struct gdb *gdb, const struct vdebug_stop *stop)
{
    if (stop->reason == VDEBUG_SOFT && gdb->swbreak)
        gdb_put_text(&gdb->link, "swbreak:;");
    if (stop->reason == VDEBUG_HARD && gdb->hwbreak)
        gdb_put_text(&gdb->link, "hwbreak:;");
    if (stop->reason != VDEBUG_WATCH)
        return;
    gdb_put_text(&gdb->link, stop->kind == VDEBUG_POINT_WRITE ? "watch:" : "awatch:");
    gdb_put_number(&gdb->link, stop->address);
    gdb_put(&gdb->link, ';');
}

void gdb_reply_stop(struct gdb *gdb)
{
    const struct vdebug_stop *stop = vdebug_stop(gdb->vcpu);

    gdb_begin(&gdb->link);
    put_signal(gdb, 'T', signal_of(gdb, stop));
    put_reason(gdb, stop);
    gdb_put_text(&gdb->link, "thread:1;");
    put_expedited(gdb);
    gdb_send(&gdb->link);
}

bool gdb_powered_off(const struct gdb *gdb)
{
    return vdebug_stop(gdb->vcpu)->reason == VDEBUG_GUEST_ENDED &&
           gdb->vcpu->stop == VM_STOP_POWER_OFF;
}

static void console_text(struct gdb *gdb, const char *text)
{
    gdb_console(gdb, (const uint8_t *)text, (uint32_t)str_len(text));
}

void gdb_explain_end(struct gdb *gdb)
{
    console_text(gdb, "pxHV: ");
    if (gdb->vcpu->stop == VM_STOP_RESET) {
        console_text(gdb, "the guest asked for a reset; \"continue\" starts it anew\n");
        return;
    }
    console_text(gdb, vm_stop_name(gdb->vcpu->stop));
    console_text(gdb, ": ");
    console_text(gdb, gdb->vcpu->stop_reason);
    console_text(gdb, "\npxHV: the guest can be looked at; \"continue\" leaves it to pxHV\n");
}

void gdb_console(struct gdb *gdb, const uint8_t *text, uint32_t length)
{
    if (!gdb->awaited)
        return;
    while (length) {
        uint32_t piece = (uint32_t)min_u64(length, CONSOLE_CHUNK);
        gdb_begin(&gdb->link);
        gdb_put(&gdb->link, 'O');
        gdb_put_hex(&gdb->link, text, piece);
        gdb_send(&gdb->link);
        text += piece;
        length -= piece;
    }
}
