/*
 * The guest under a debugger: COM2's bytes for the GDB stub, and what the stub needs of the CPU.
 * The guest's FPU registers are in the CPU while the VMM runs (ADR 0002); they are stored and
 * loaded here and nowhere else.
 */
#define LOG_MODULE "debug"
#include "vm.h"

#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/log.h"
#include "lib/mem.h"

#define POLLS_PER_SECOND  100u /* of a line whose interrupt isn't wired */
#define POLLS_UNTIL_SHOWN 20u  /* a stop that is over by then isn't worth a line on the screen */

#define AT_ONCE ((vtime_t)1) /* of guest time; at 0 the run loop has no deadline yet */

/* --- the guest's FPU -------------------------------------------------------------------------- */

#define XCR0_AVX BIT64(2)

#define FXSAVE_MXCSR      24
#define FXSAVE_MXCSR_MASK 28
#define MXCSR_MASK_OLD    0xffbfu /* of a CPU that stores 0 there */

/* SDM "XSAVE Area": the legacy region, the header, AVX's component where CPUID says. */
#define XSAVE_HEADER    512u
#define XSAVE_AREA_SIZE 4096u
#define LEAF_XSAVE      0xdu

static uint8_t *xsave_area; /* where there is a line */

/* The instructions fault where CR0 or CR4 hold them off; the host's values are what the firmware
 * and VM exits made of them. */
struct fpu_window {
    uint64_t cr0, cr4;
};

static struct fpu_window open_fpu(void)
{
    struct fpu_window window = {read_cr0(), read_cr4()};
    write_cr0(window.cr0 & ~(CR0_EM | CR0_TS));
    write_cr4(window.cr4 | CR4_OSFXSR);
    return window;
}

static void close_fpu(struct fpu_window window)
{
    write_cr4(window.cr4);
    write_cr0(window.cr0);
}

/* The upper halves of YMM0 to YMM15; NULL: the guest has AVX off, or the CPU puts them beyond our
 * area. XCR0 is the guest's. */
static uint8_t *avx_component(const struct vm *vm)
{
    uint32_t leaf[4];

    if (!(vm->vcpu.xcr0 & XCR0_AVX))
        return NULL;
    cpuid(LEAF_XSAVE, 2, leaf);
    return range_fits(leaf[1], sizeof(vm->fpu.ymm_high), XSAVE_AREA_SIZE) ? xsave_area + leaf[1]
                                                                          : NULL;
}

static void fpu_get(void *ctx, struct gdb_fpu *fpu)
{
    const struct vm *vm = ctx;
    uint8_t *avx = avx_component(vm);
    struct fpu_window window = open_fpu();

    memset(fpu, 0, sizeof(*fpu));
    fxsave64(fpu->fxsave);
    if (avx) {
        memset(xsave_area, 0, XSAVE_AREA_SIZE);
        xsave64(xsave_area, XCR0_AVX);
        memcpy(fpu->ymm_high, avx, sizeof(fpu->ymm_high));
    }
    close_fpu(window);
}

/* A reserved bit in MXCSR would be a #GP for us: "MXCSR Control and Status Register". */
static void clean_mxcsr(uint8_t *fxsave)
{
    static _Alignas(16) uint8_t now[512];

    fxsave64(now);
    uint32_t mask = load_le32(now + FXSAVE_MXCSR_MASK);
    store_le32(fxsave + FXSAVE_MXCSR,
               load_le32(fxsave + FXSAVE_MXCSR) & (mask ? mask : MXCSR_MASK_OLD));
}

static void fpu_set(void *ctx, const struct gdb_fpu *fpu)
{
    struct vm *vm = ctx;
    uint8_t *avx = avx_component(vm);
    struct fpu_window window = open_fpu();

    vm->fpu = *fpu;
    clean_mxcsr(vm->fpu.fxsave);
    fxrstor64(vm->fpu.fxsave);
    if (avx) {
        memset(xsave_area, 0, XSAVE_AREA_SIZE);
        memcpy(xsave_area, vm->fpu.fxsave, sizeof(vm->fpu.fxsave)); /* MXCSR comes along with AVX */
        store_le64(xsave_area + XSAVE_HEADER, XCR0_AVX);
        memcpy(avx, vm->fpu.ymm_high, sizeof(vm->fpu.ymm_high));
        xrstor64(xsave_area, XCR0_AVX);
    }
    close_fpu(window);
}

/* --- the stub --------------------------------------------------------------------------------- */

/* A guest that has ended for another reason may be ended anew. */
static void end_guest(void *ctx, enum vm_stop stop)
{
    struct vm *vm = ctx;

    vm->vcpu.stop = VM_RUNNING;
    vcpu_stop(&vm->vcpu, stop, "the debugger asked for it");
}

static bool monitor_line(void *ctx, const char *line, struct byte_sink out)
{
    struct vm *vm = ctx;

    monitor_command_to(&vm->mon.monitor, line, out);
    return true;
}

static void cleared(void *ctx)
{
    struct vm *vm = ctx;

    monitor_restore_points(&vm->mon.monitor);
}

static void left(void *ctx, bool acknowledgement)
{
    vm_line_take_back(ctx, acknowledgement);
}

static uint64_t read_profile(void *ctx, uint64_t offset, void *to, uint64_t length)
{
    const struct vm *vm = ctx;

    return profile_read(&vm->profile, offset, to, length);
}

/* What only a machine with a debugger's line needs. */
void *vm_debug_memory(uint64_t size_bytes)
{
    hpa_t base = frames_alloc(align_up(size_bytes, PAGE_SIZE) / PAGE_SIZE, PAGE_SIZE);

    if (!base)
        vm_refuse("no memory is left for GDB's line: \"gdb = off\" in pxhv.cfg does without");
    return (void *)base;
}

void vm_debug_init(struct vm *vm, const struct config *config)
{
    const struct gdb_host host = {
        .ctx = vm,
        .fpu_get = fpu_get,
        .fpu_set = fpu_set,
        .end = end_guest,
        .monitor = monitor_line,
        .read_profile = read_profile,
        .cleared = cleared,
        .left = left,
    };

    vm->debug_wait = config->debug_wait;
    bool on_com1 = config->gdb == CONFIG_GDB_COM1;
    vm->debug_line = config->gdb != CONFIG_GDB_OFF &&
                     debug_line_open(on_com1 ? DEBUG_LINE_CONSOLE : DEBUG_LINE_COM2);
    if (config->debug_wait && !vm->debug_line)
        vm_refuse("\"debug = wait\" in pxhv.cfg waits for GDB on %s, which this machine does not "
                  "have: delete the line",
                  on_com1 ? "COM1" : "COM2");
    if (on_com1 && !vm->debug_line)
        log_warn("\"gdb = com1\" in pxhv.cfg finds no COM1: this machine has none");
    struct gdb_buffers *buffers = NULL;
    if (vm->debug_line) {
        buffers = vm_debug_memory(sizeof(*buffers));
        xsave_area = vm_debug_memory(XSAVE_AREA_SIZE);
    }
    gdb_init(&vm->gdb, debug_line_sink, buffers, &vm->vcpu, &host);
    vm->line.show_at = VTIME_NEVER;
    if (on_com1 && vm->debug_line)
        vm_line_init(vm, config);
}

void vm_debug_start(struct vm *vm)
{
    vm->vcpu.debug.stop_at_start = vm->debug_wait;
}

void vm_debug_input(struct vm *vm)
{
    uint8_t byte;

    vm->debug_at = VTIME_NEVER;
    while (vm->debug_line && gdb_wants(&vm->gdb) && debug_line_get(&byte)) {
        struct escape_result result = vm_line_put(vm, byte);
        for (unsigned i = 0; i < result.count; i++)
            gdb_receive(&vm->gdb, result.bytes[i]);
    }
    if (vm->gdb.held) /* a reset forgets it */
        vdebug_pause(&vm->vcpu);
}

/* Whether the guest stands before its first instruction for a debugger who hasn't come yet. */
static bool is_expected(const struct vm *vm)
{
    return vm->debug_line && !vm->gdb.attached && vdebug_stop(&vm->vcpu)->reason == VDEBUG_STARTED;
}

static void announce(struct vm *vm)
{
    log_raw("pxHV: waiting for GDB on %s at 115200 8N1; at its prompt: target remote /dev/ttyS0\n",
            vm->line.shared ? "COM1" : "COM2");
    vm_line_lend(vm);
}

/* What a person at the machine sees of a stop by GDB that takes a while. */
static void show_stop(struct vm *vm)
{
    const char *waiting = vm->line.shared ? "waiting for GDB on COM1" : "waiting for GDB on COM2";

    screen_set_status(vm->gdb.attached ? "stopped by the debugger" : waiting);
    screen_sync();
    vm->status_at =
        screen_present() ? AT_ONCE : VTIME_NEVER; /* shown anew when the guest goes on */
}

/* Whether the guest stands still for GDB, be it there or expected. */
static bool is_gdbs(const struct vm *vm)
{
    return is_expected(vm) || (vm->debug_line && vm->gdb.attached);
}

/* A stop is served for GDB and the monitor alike; either may let the guest go on. */
void vm_debug_stopped(void *ctx)
{
    struct vm *vm = ctx;

    vm->gdb.resumed = false;
    cpuid_follow_xcr0(&vm->vcpu);
    vm_line_show(vm);
    serial_poll();
    if (is_expected(vm))
        announce(vm);
    vm_debug_input(vm);
    if (vm->debug_line)
        gdb_guest_stopped(&vm->gdb);
    for (unsigned polls = 0; !vm_monitor_serve(vm) && !vm->gdb.resumed; polls++) {
        if (is_gdbs(vm) && polls == (vm->gdb.attached ? POLLS_UNTIL_SHOWN : 0))
            show_stop(vm);
        hw_sleep_until(
            min_u64(vm_monitor_wakeup(vm), rdtsc() + hw_facts.tsc_hz / POLLS_PER_SECOND));
        serial_poll();
        vm_debug_input(vm);
    }
    vm->mon.holding = false; /* a full ring holds it again */
    vm_line_show(vm);
    if (vm->debug_line && debug_line_waits()) {
        vm->debug_at = AT_ONCE;
        pc_host_deadline_changed(&vm->pc);
    }
}
