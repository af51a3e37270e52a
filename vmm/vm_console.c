/* The guest's console on the host's: bytes and keys in, output out, and, while the guest runs, the
 * moments at which the screen is drawn and its status line renewed. */
#include "vm.h"

#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/fmt.h"

/* Output waits for so long to be drawn together. A screen that is half drawn waits for its next
 * portion at least four times as long as the last one took, so that a flood of output takes a fifth
 * of the CPU at the most. */
#define DRAW_DELAY_NS   16000000u
#define DRAW_PORTION_NS 2000000u
#define DRAW_REST       4u
#define STATUS_NS       1000000000u
#define LINE_FULL_NS    250000000u

vtime_t vm_guest_now(void *ctx)
{
    const struct vm *vm = ctx;
    bool stopped = vdebug_stopped(&vm->vcpu);
    return clock_ns(&vm->vcpu.clock, stopped ? vm->vcpu.debug.stopped_tsc : rdtsc());
}

/* Moves what was typed into the guest as far as it has room; the rest waits. */
void vm_host_events(void *ctx)
{
    struct vm *vm = ctx;
    serial_poll();
    vm_debug_input(vm);
    vm_monitor_input(vm);
    while (vm->typed_held || ring_get(&vm->mon.to_guest, &vm->typed_byte)) {
        vm->typed_held = !pc_type(&vm->pc, vm->typed_byte);
        if (vm->typed_held)
            break;
    }
    pc_typed(&vm->pc);
    while (vm->key_held || console_get_scancode(&vm->key_byte)) {
        vm->key_held = !pc_keyboard_scancode(&vm->pc, vm->key_byte);
        if (vm->key_held)
            break;
    }
}

static void draw_later(struct vm *vm, uint64_t delay_ns)
{
    vm->draw_at = vm_guest_now(vm) + delay_ns;
    pc_host_deadline_changed(&vm->pc);
}

void vm_console_changed(struct vm *vm)
{
    if (vm->draw_at == VTIME_NEVER && screen_present())
        draw_later(vm, max_u64(DRAW_DELAY_NS, vm->draw_rest_ns));
}

void vm_console_show(struct vm *vm, uint8_t byte)
{
    if (console_put(byte))
        pc_call_host(&vm->pc); /* the terminal has answered */
    vm_console_changed(vm);
}

void vm_console_put(void *ctx, uint8_t byte)
{
    struct vm *vm = ctx;
    if (!vm_monitor_keeps(vm, byte))
        vm_console_show(vm, byte);
}

/* What the serial line takes without a wait. A line that is full for long may be one that nothing
 * drains: serial_sink finds out with the next byte, and then drops. */
static uint32_t line_room(struct vm *vm)
{
    uint32_t room = serial_room();
    vtime_t now;
    if (room > 0) {
        vm->line_full_at = VTIME_NEVER;
        return room;
    }
    now = vm_guest_now(vm);
    vm->line_full_at = min_u64(vm->line_full_at, now);
    return now - vm->line_full_at >= LINE_FULL_NS ? 1 : 0;
}

uint32_t vm_console_put_block(void *ctx, const uint8_t *bytes, uint32_t size)
{
    struct vm *vm = ctx;
    uint32_t room = vm_monitor_room(vm);
    uint32_t taken = (uint32_t)min_u64(size, room == UINT32_MAX ? line_room(vm) : room);
    for (uint32_t i = 0; i < taken; i++)
        vm_console_put(vm, bytes[i]);
    return taken;
}

bool vm_console_size(void *ctx, uint16_t *columns, uint16_t *rows)
{
    (void)ctx;
    return console_size(columns, rows);
}

static void show_status(struct vm *vm, vtime_t now)
{
    char text[128];
    uint64_t exits = vm->vcpu.exits, seconds = now / 1000000000u;
    uint64_t passed_ms = max_u64((now - vm->status_shown_ns) / 1000000u, 1);
    uint64_t rate = (exits - vm->status_exits) * 1000 / passed_ms;

    fmt_snprintf(text, sizeof text,
                 "%s %llu:%02u:%02u | %llu exits/s | guest %llu MiB, pxHV %llu KiB | "
                 "Shift-PgUp: back",
                 vm->config.name, (unsigned long long)(seconds / 3600),
                 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60), (unsigned long long)rate,
                 (unsigned long long)(vm->config.memory_bytes >> 20),
                 (unsigned long long)(frames_stats().resident_bytes >> 10));
    vm->status_exits = exits;
    vm->status_shown_ns = now;
    screen_set_status(text);
    if (vm->draw_at == VTIME_NEVER)
        vm->draw_at = now;
}

static void draw(struct vm *vm)
{
    vtime_t begun = vm_guest_now(vm);
    bool drawn = screen_draw();
    vtime_t now = vm_guest_now(vm);
    vm->draw_rest_ns = max_u64(DRAW_PORTION_NS, (now - begun) * DRAW_REST);
    vm->draw_at = drawn ? VTIME_NEVER : now + vm->draw_rest_ns;
}

vtime_t vm_host_deadline(void *ctx)
{
    const struct vm *vm = ctx;
    vtime_t others = min_u64(min_u64(vm->debug_at, vm->line.show_at), vm_monitor_deadline(vm));
    return min_u64(others, min_u64(vm->draw_at, vm->status_at));
}

void vm_host_advance(void *ctx, vtime_t now)
{
    struct vm *vm = ctx;
    vm_monitor_advance(vm, now);
    if (vm->debug_at <= now)
        vm_debug_input(vm);
    if (vm->line.show_at <= now)
        vm_line_show(vm);
    if (vm->status_at <= now) {
        show_status(vm, now);
        vm->status_at = now + STATUS_NS;
    }
    if (vm->draw_at <= now)
        draw(vm);
}

void vm_console_start(struct vm *vm)
{
    console_set_stopped(false);
    vm->debug_at = VTIME_NEVER;
    vm->draw_at = VTIME_NEVER;
    vm->draw_rest_ns = 0;
    vm->line_full_at = VTIME_NEVER;
    vm->status_shown_ns = vm_guest_now(vm);
    vm->status_exits = vm->vcpu.exits;
    vm->status_at = screen_present() ? vm->status_shown_ns : VTIME_NEVER;
    pc_host_deadline_changed(&vm->pc);
}
