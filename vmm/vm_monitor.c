/*
 * The monitor at the console. Typed bytes pass the escape key's filter (debug/escape.c); while the
 * monitor is open they go to its line editor, else to the guest. What the guest says meanwhile
 * waits in a ring; when that is nearly full the guest stands still until a person has left the
 * monitor and seen it: nothing is lost, and no driver in the guest runs into a timeout.
 */
#include "vm.h"

#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/log.h"
#include "lib/text.h"
#include "virt/debug.h"

#define TO_GUEST_BYTES   16384u
#define FROM_GUEST_BYTES 32768u
/* What one exit can send at the most before the guest stands still: a batch of REP OUTSB. */
#define HOLD_RESERVE 4096u

/* Kept output is shown in portions, each when the line has taken most of those before. */
#define PORTION_BYTES   4096u
#define PORTION_EACH_NS 5000000u

#define LIVE_EACH_S 1u
/* While the guest stands still: for a UART without an interrupt. */
#define POLLS_PER_SECOND 20u

static uint8_t to_guest_bytes[TO_GUEST_BYTES], from_guest_bytes[FROM_GUEST_BYTES];

/* --- output ----------------------------------------------------------------------------------- */

static void put_raw(void *ctx, uint8_t byte)
{
    struct vm *vm = ctx;

    console_put(byte);
    vm_console_changed(vm);
}

static void put_text(void *ctx, uint8_t byte)
{
    if (byte == '\n')
        put_raw(ctx, '\r');
    put_raw(ctx, byte);
}

static struct byte_sink text_sink(struct vm *vm)
{
    return (struct byte_sink){put_text, vm};
}

/* In place of the line being edited, which comes again below. */
static void begin_notice(struct vm *vm)
{
    text_printf(text_sink(vm), "\r\033[K");
}

static void end_notice(struct vm *vm)
{
    if (vm->mon.open && !vm->mon.monitor.live && !vm->mon.monitor.waiting)
        lineedit_show(&vm->mon.edit);
}

/* --- what the guest says ---------------------------------------------------------------------- */

static void show_portion(struct vm *vm, unsigned bytes)
{
    uint8_t byte;

    while (bytes-- && ring_get(&vm->mon.from_guest, &byte))
        vm_console_show(vm, byte);
    if (vm->mon.lost && ring_count(&vm->mon.from_guest) == 0) {
        text_printf(text_sink(vm), "\n(%llu bytes of the guest's output are lost here)\n",
                    (unsigned long long)vm->mon.lost);
        vm->mon.lost = 0;
    }
}

static void show_all(struct vm *vm)
{
    show_portion(vm, FROM_GUEST_BYTES);
    vm->mon.show_at = VTIME_NEVER;
}

bool vm_monitor_keeps(struct vm *vm, uint8_t byte)
{
    struct vm_monitor *mon = &vm->mon;

    if (!mon->open && ring_count(&mon->from_guest) == 0)
        return false;
    if (!mon->open && ring_count(&mon->from_guest) == FROM_GUEST_BYTES)
        show_portion(vm, 1); /* waits for the line, as without a monitor */
    if (!ring_put(&mon->from_guest, byte))
        mon->lost++;
    if (mon->open && !mon->holding &&
        ring_count(&mon->from_guest) >= FROM_GUEST_BYTES - HOLD_RESERVE) {
        mon->holding = true;
        vdebug_pause(&vm->vcpu);
    }
    return true;
}

uint32_t vm_monitor_room(const struct vm *vm)
{
    const struct vm_monitor *mon = &vm->mon;

    if (!mon->open && ring_count(&mon->from_guest) == 0)
        return UINT32_MAX;
    return FROM_GUEST_BYTES - ring_count(&mon->from_guest);
}

/* --- while the guest stands still ------------------------------------------------------------- */

static bool is_told(const struct vm *vm)
{
    return vdebug_stopped(&vm->vcpu) && vm->mon.told_tsc == vm->vcpu.debug.stopped_tsc;
}

/* Stopped for its output's sake, and not at somebody's break. */
static bool is_held(const struct vm *vm)
{
    return vm->mon.holding && vdebug_stop(&vm->vcpu)->reason == VDEBUG_PAUSED;
}

static void resume(struct vm *vm)
{
    vdebug_resume(&vm->vcpu, VDEBUG_CONTINUE);
    vm->mon.monitor.go_on = true;
}

/* --- in and out ------------------------------------------------------------------------------- */

static void open_monitor(struct vm *vm)
{
    char key[ESCAPE_NAME_SIZE];

    escape_name(vm->mon.escape.key, key);
    vm->mon.open = true;
    vm->mon.show_at = VTIME_NEVER;
    console_set_monitor(true);
    text_printf(text_sink(vm), "\npxHV monitor: \"help\" lists its commands, %s c leaves it\n",
                key);
    if (is_told(vm))
        text_printf(text_sink(vm), "the guest stands still\n");
    lineedit_show(&vm->mon.edit);
}

static void close_monitor(struct vm *vm)
{
    struct vm_monitor *mon = &vm->mon;
    bool stopped = vdebug_stopped(&vm->vcpu);
    bool held = stopped && is_held(vm) && !vm->gdb.attached; /* GDB was told of the stop */

    monitor_end_live(&mon->monitor);
    mon->live_tsc = UINT64_MAX;
    mon->open = false;
    console_set_monitor(false);
    begin_notice(vm);
    text_printf(text_sink(vm), "back at the guest's console%s\n",
                stopped && !held ? "; the guest is still paused" : "");
    if (stopped) /* no time passes for it: all at once */
        show_all(vm);
    if (held)
        resume(vm);
    mon->holding = false;
    mon->show_at = ring_count(&mon->from_guest) || mon->lost ? vm_guest_now(vm) : VTIME_NEVER;
    pc_host_deadline_changed(&vm->pc);
}

static void help(struct vm *vm)
{
    char key[ESCAPE_NAME_SIZE];

    escape_name(vm->mon.escape.key, key);
    text_printf(text_sink(vm),
                "\n%s c: the monitor, and back; %s x: power off; %s %s: %s for the guest\n", key,
                key, key, key, key);
    if (vm->line.shared)
        text_printf(text_sink(vm), "%s d: the serial line is GDB's, or the console's again\n", key);
    end_notice(vm);
}

/* The machine obeys its owner, whatever a debugger that may have vanished says. */
static void fulfil(struct vm *vm, enum vm_wish wish)
{
    vm->mon.wish = wish;
    if (wish == VM_WISH_RESET)
        gdb_expect_restart(&vm->gdb);
    else if (vdebug_stopped(&vm->vcpu))
        gdb_drop(&vm->gdb);
    pc_stop(&vm->pc, wish == VM_WISH_RESET ? VM_STOP_RESET : VM_STOP_POWER_OFF);
    if (vdebug_stopped(&vm->vcpu))
        resume(vm);
}

/* --- input ------------------------------------------------------------------------------------ */

static void monitor_byte(struct vm *vm, uint8_t byte)
{
    struct vm_monitor *mon = &vm->mon;

    if (mon->monitor.waiting) {
        monitor_interrupt(&mon->monitor);
        return;
    }
    if (mon->monitor.live) {
        monitor_end_live(&mon->monitor);
        mon->live_tsc = UINT64_MAX;
        lineedit_show(&mon->edit);
        return;
    }
    const char *line = lineedit_put(&mon->edit, byte);
    if (!line)
        return;
    monitor_command(&mon->monitor, line);
    end_notice(vm);
}

void vm_monitor_command(struct vm *vm, enum escape_command command)
{
    switch (command) {
    case ESCAPE_MONITOR:
        if (vm->mon.open)
            close_monitor(vm);
        else
            open_monitor(vm);
        break;
    case ESCAPE_HELP:
        help(vm);
        break;
    case ESCAPE_POWER_OFF:
        fulfil(vm, VM_WISH_POWER_OFF);
        break;
    case ESCAPE_GDB:
        if (vm->mon.open)
            close_monitor(vm);
        vm_line_toggle(vm);
        break;
    default:
        break;
    }
}

void vm_monitor_input(struct vm *vm)
{
    struct vm_monitor *mon = &vm->mon;
    uint8_t byte;

    while (!mon->monitor.go_on && console_get(&byte)) {
        struct escape_result result = escape_put(&mon->escape, byte);
        vm_monitor_command(vm, result.command);
        for (unsigned i = 0; i < result.count; i++) {
            if (mon->open)
                monitor_byte(vm, result.bytes[i]);
            else
                ring_put(&mon->to_guest, result.bytes[i]); /* a full ring drops it: an overrun */
        }
    }
    while (console_get_hotkey(&byte))
        vm_monitor_command(vm, escape_put(&mon->hotkey, byte).command);
}

/* --- time ------------------------------------------------------------------------------------- */

static void begin_live(void *ctx)
{
    struct vm *vm = ctx;

    vm->mon.live_tsc = rdtsc() + LIVE_EACH_S * hw_facts.tsc_hz;
    pc_host_deadline_changed(&vm->pc);
}

static void show_live(struct vm *vm)
{
    if (vm->mon.live_tsc > rdtsc())
        return;
    monitor_refresh(&vm->mon.monitor);
    begin_live(vm);
}

vtime_t vm_monitor_deadline(const struct vm *vm)
{
    vtime_t live = VTIME_NEVER;

    if (vm->mon.live_tsc != UINT64_MAX)
        live = clock_ns(&vm->vcpu.clock, vm->mon.live_tsc);
    return min_u64(live, vm->mon.show_at);
}

void vm_monitor_advance(struct vm *vm, vtime_t now)
{
    show_live(vm);
    if (vm->mon.show_at > now)
        return;
    if (serial_room() >= PORTION_BYTES)
        show_portion(vm, PORTION_BYTES);
    vm->mon.show_at = ring_count(&vm->mon.from_guest) ? now + PORTION_EACH_NS : VTIME_NEVER;
}

/* --- serving a stop --------------------------------------------------------------------------- */

static void tell_stop(struct vm *vm)
{
    struct vm_monitor *mon = &vm->mon;

    mon->told_tsc = vm->vcpu.debug.stopped_tsc;
    if (!mon->open && monitor_owns_stop(&mon->monitor))
        open_monitor(vm);
    if (!mon->open)
        return;
    if (vdebug_stop(&vm->vcpu)->reason != VDEBUG_STEPPED)
        begin_notice(vm);
    if (is_held(vm))
        text_printf(text_sink(vm),
                    "the guest stands still: %u bytes of its output wait for you to leave\n",
                    ring_count(&mon->from_guest));
    else
        monitor_stopped(&mon->monitor);
    end_notice(vm);
}

bool vm_monitor_serve(struct vm *vm)
{
    if (!is_told(vm))
        tell_stop(vm);
    serial_poll();
    vm_monitor_input(vm);
    show_live(vm);
    screen_sync();
    bool go_on = vm->mon.monitor.go_on;
    if (go_on)
        vm->mon.holding = vm->mon.monitor.go_on = false; /* a full ring holds it again */
    return go_on;
}

uint64_t vm_monitor_wakeup(const struct vm *vm)
{
    return min_u64(vm->mon.live_tsc, rdtsc() + hw_facts.tsc_hz / POLLS_PER_SECOND);
}

/* --- the guest's start and end ---------------------------------------------------------------- */

void vm_monitor_guest_starts(struct vm *vm)
{
    end_notice(vm);
}

void vm_monitor_guest_ended(struct vm *vm)
{
    if (vm->mon.wish != VM_WISH_RESET && vm->mon.open)
        close_monitor(vm);
    if (!vm->mon.open)
        show_all(vm);
    vm->mon.holding = vm->mon.monitor.waiting = false;
}

bool vm_monitor_wished(struct vm *vm)
{
    bool wished = vm->mon.wish != VM_WISH_NONE;

    vm->mon.wish = VM_WISH_NONE;
    return wished;
}

bool vm_monitor_ask(struct vm *vm)
{
    uint8_t byte;

    while (ring_get(&vm->mon.to_guest, &byte))
        ; /* typed for a guest that isn't there any more */
    for (;;) {
        vm_monitor_input(vm);
        show_live(vm);
        while (ring_get(&vm->mon.to_guest, &byte)) {
            if (byte == 'r' || byte == 'R')
                return true;
            if (byte == 'p' || byte == 'P')
                return false;
        }
        if (vm->mon.wish != VM_WISH_NONE) {
            bool reset = vm->mon.wish == VM_WISH_RESET;
            vm->mon.wish = VM_WISH_NONE;
            return reset;
        }
        screen_sync();
        hw_sleep_until(vm_monitor_wakeup(vm));
        serial_poll();
    }
}

/* --- wiring ----------------------------------------------------------------------------------- */

static void reset(void *ctx)
{
    fulfil(ctx, VM_WISH_RESET);
}

/* GDB is told of it as of a power-off by the guest. */
static void power_off(void *ctx)
{
    struct vm *vm = ctx;

    if (!vm->mon.monitor.remote) {
        fulfil(vm, VM_WISH_POWER_OFF);
        return;
    }
    pc_stop(&vm->pc, VM_STOP_POWER_OFF);
    resume(vm);
}

static void drop_debugger(void *ctx)
{
    struct vm *vm = ctx;

    gdb_drop(&vm->gdb);
}

static void power_button(void *ctx)
{
    struct vm *vm = ctx;

    pc_power_button(&vm->pc);
    pc_attend(&vm->pc);
}

static void trace(void *ctx, bool on)
{
    struct vm *vm = ctx;

    if (!vm_trace(vm, on))
        text_printf(text_sink(vm), "there is no memory left for the trace\n");
}

void vm_monitor_init(struct vm *vm, uint8_t escape_key)
{
    static struct monitor_ops ops = {
        .topic = vm_topics,
        .print_log = vm_print_log,
        .reset = reset,
        .power_off = power_off,
        .power_button = power_button,
        .drop_debugger = drop_debugger,
        .begin_live = begin_live,
        .trace = trace,
    };
    struct vm_monitor *mon = &vm->mon;

    ops.topic_count = vm_topic_count;
    monitor_init(&mon->monitor, &vm->vcpu, &ops, vm, text_sink(vm));
    lineedit_init(&mon->edit, (struct byte_sink){put_raw, vm}, "(pxhv) ");
    mon->edit.candidate = monitor_candidate;
    mon->edit.ctx = &mon->monitor;
    mon->escape.key = mon->hotkey.key = escape_key;
    mon->live_tsc = UINT64_MAX;
    mon->show_at = VTIME_NEVER;
    ring_init(&mon->to_guest, to_guest_bytes, TO_GUEST_BYTES);
    ring_init(&mon->from_guest, from_guest_bytes, FROM_GUEST_BYTES);
}

void vm_monitor_announce(const struct vm *vm)
{
    char key[ESCAPE_NAME_SIZE];

    escape_name(vm->mon.escape.key, key);
    if (vm->mon.escape.key)
        log_info("%s c opens the monitor, %s h tells more", key, key);
    if (vm->line.shared)
        log_info("%s d hands COM1 to GDB, and takes it back", key);
}
