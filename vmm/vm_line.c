/*
 * GDB on the console's own serial line ("gdb = com1"): who has it. The escape key and d hand it to
 * GDB and take it back, and it comes back by itself when GDB detaches or kills and when the guest
 * ends for good.
 *
 * While GDB has it, the screen and the keyboard stay the console. What is said there is also kept
 * for the line: GDB shows it on its own screen whenever it waits for the guest, and what is left
 * comes when the line is the console's again. The monitor's answers are the screen's alone.
 */
#define LOG_MODULE "debug"
#include "vm.h"

#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/log.h"
#include "lib/text.h"

#define SAID_BYTES 16384u
/* Text for GDB: packets of lines, of a long one's pieces, or of what an eye would miss by now. */
#define PIECE_BYTES   256u
#define SHOW_AFTER_NS 20000000u

/* --- what the console says meanwhile ---------------------------------------------------------- */

static void hear(void *ctx, uint8_t byte)
{
    struct vm *vm = ctx;
    struct vm_line *line = &vm->line;

    if (vm->mon.open)
        return;
    if (!ring_put(&line->said, byte))
        line->lost++;
    if (byte == '\n' || ring_count(&line->said) % PIECE_BYTES == 0) {
        vm_line_show(vm);
    } else if (line->show_at == VTIME_NEVER) {
        line->show_at = vm_guest_now(vm) + SHOW_AFTER_NS;
        pc_host_deadline_changed(&vm->pc);
    }
}

static void keep(void *ctx, uint8_t byte)
{
    ring_put(ctx, byte);
}

/* What found no room was said last. */
static bool next_said(struct vm_line *line, uint8_t *byte)
{
    if (ring_count(&line->said) == 0 && line->lost) {
        text_printf((struct byte_sink){keep, &line->said},
                    "\n(%llu bytes of the console's output are lost here)\n",
                    (unsigned long long)line->lost);
        line->lost = 0;
    }
    return ring_get(&line->said, byte);
}

void vm_line_show(struct vm *vm)
{
    struct vm_line *line = &vm->line;
    uint8_t piece[PIECE_BYTES];
    uint32_t length;

    line->show_at = VTIME_NEVER;
    if (!line->lent || !vm->gdb.awaited)
        return;
    do {
        for (length = 0; length < PIECE_BYTES && next_said(line, &piece[length]); length++)
            ;
        gdb_console(&vm->gdb, piece, length);
    } while (length == PIECE_BYTES);
}

/* --- whose the line is ------------------------------------------------------------------------ */

void vm_line_lend(struct vm *vm)
{
    char key[ESCAPE_NAME_SIZE];

    if (!vm->line.shared || vm->line.lent)
        return;
    if (vm->vcpu.stop != VM_RUNNING) { /* nobody would listen to GDB */
        log_raw("pxHV: there is no guest for GDB: it has ended\n");
        return;
    }
    escape_name(vm->line.share.escape.key, key);
    log_raw("pxHV: this serial line is GDB's until it detaches; %s d takes it back\n", key);
    vm->line.lent = true;
    vm->line.share.escape.pending = false;
    serial_lend((struct byte_sink){hear, vm});
    vm->debug_at = vm_guest_now(vm); /* what has come already */
    pc_host_deadline_changed(&vm->pc);
}

void vm_line_take_back(struct vm *vm, bool acknowledgement)
{
    struct vm_line *line = &vm->line;
    uint8_t byte;

    if (!line->lent)
        return;
    line->lent = false;
    line->show_at = VTIME_NEVER;
    serial_take_back(acknowledgement);
    while (next_said(line, &byte))
        serial_sink.put(serial_sink.ctx, byte);
    log_raw("\npxHV: the serial line is the console's again\n");
}

void vm_line_toggle(struct vm *vm)
{
    if (!vm->line.lent) {
        vm_line_lend(vm);
        return;
    }
    vm_line_take_back(vm, false);
    gdb_drop(&vm->gdb);
}

struct escape_result vm_line_put(struct vm *vm, uint8_t byte)
{
    if (!vm->line.lent)
        return (struct escape_result){.count = 1, .bytes = {byte}};
    bool in_packet = vm->gdb.link.state != GDB_IDLE;
    struct escape_result result = share_put(&vm->line.share, in_packet, rdtsc(), byte);
    if (result.command == ESCAPE_NONE)
        return result;
    vm_line_toggle(vm);
    if (result.command == ESCAPE_MONITOR && !vm->mon.open)
        vm_monitor_command(vm, ESCAPE_MONITOR);
    return (struct escape_result){.count = 0};
}

void vm_line_init(struct vm *vm, const struct config *config)
{
    struct vm_line *line = &vm->line;

    line->shared = true;
    line->share = (struct share){
        .escape = {.key = config->escape, .shared = true},
        .silence = SHARE_SILENCE_S * hw_facts.tsc_hz,
    };
    ring_init(&line->said, vm_debug_memory(SAID_BYTES), SAID_BYTES);
    vm->mon.escape.shared = vm->mon.hotkey.shared = true;
    vm->gdb.shared = true;
}
