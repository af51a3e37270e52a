/* One virtual machine: the guest's memory and disks, its PC, its CPU, and the host behind them. */
#ifndef VM_H
#define VM_H

#include "debug/gdb.h"
#include "debug/profile.h"
#include "debug/share.h"
#include "dev/ramdisk.h"
#include "lib/boot_info.h"
#include "lib/config.h"
#include "pc/pc.h"
#include "virt/virt.h"
#include "vm_monitor.h"

/* The console's serial line where GDB shares it: vm_line.c. */
struct vm_line {
    bool shared, lent; /* pxhv.cfg says so; GDB has it now */
    struct share share;
    struct ring said; /* on the console meanwhile, and not yet shown to GDB */
    uint64_t lost;    /* bytes that found no room there */
    vtime_t show_at;  /* when it is shown at the latest; VTIME_NEVER: nothing waits */
};

struct vm {
    struct vm_config config;
    bool trace_wanted; /* by pxhv.cfg */
    struct gmem gmem;
    struct ramdisk disk[CONFIG_MAX_DISKS];
    struct blk_backend disk_backend[CONFIG_MAX_DISKS];
    struct pc pc;
    struct vcpu vcpu;
    struct cpu_facts facts;

    /* The host's TSC when virtualization was switched on, and at the guest's newest start. */
    uint64_t enabled_tsc, launch_tsc;
    struct profile_source profile; /* what profile_read() is to read */

    struct vm_monitor mon;

    /* The debugger. */
    struct gdb gdb;
    bool debug_line, debug_wait; /* there is one; the guest's first start waits for it */
    struct gdb_fpu fpu;          /* the guest's registers on their way */
    vtime_t debug_at;            /* when what has come on the line is looked at anew */

    struct vm_line line;

    /* A byte that the guest had no room for yet. */
    bool typed_held, key_held;
    uint8_t typed_byte, key_byte;
    /* When the serial line's ring was first seen full; VTIME_NEVER: there is room. */
    vtime_t line_full_at;

    /* Guest times at which the screen is drawn and its status line renewed; VTIME_NEVER: not. */
    vtime_t draw_at, status_at;
    uint64_t draw_rest_ns;   /* between two portions of a drawing */
    vtime_t status_shown_ns; /* when it was renewed last, and how many exits there had been */
    uint64_t status_exits;
};

/* Stops the machine before there is a guest: one sentence, on every console, that names the file or
 * the feature and what to do. */
_Noreturn void vm_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Host frames for page tables and control structures. */
extern struct frame_source vm_frames;

/* Fills vm->facts with what the host CPU can do; backend->probe() then takes away what it can't
 * virtualize. */
void vm_facts(struct vm *vm);

/* Reads pxhv.cfg, finds its files, gives the guest its memory and disks, and maps them. Stops the
 * machine with one clear sentence when anything is missing or wrong. */
void vm_create(struct vm *vm, const struct backend *backend, const struct boot_info *boot);

/* Puts the machine into its state after power-on, with the kernel and initrd loaded anew; the disks
 * keep their content. Stops the machine with one clear sentence when the kernel can't be loaded. */
void vm_reset(struct vm *vm);

/* Logs how long the way to the guest's first instruction took. */
void vm_print_times(const struct vm *vm, const struct boot_info *boot);

/* Switches the trace of exits. False: no memory is left for it. */
bool vm_trace(struct vm *vm, bool on);

/* Runs the guest until it stops. */
enum vm_stop vm_run(struct vm *vm);

/* --- vm_console.c: callbacks of the PC, whose ctx is the struct vm ------------------------------
 */

vtime_t vm_guest_now(void *ctx);
void vm_console_put(void *ctx, uint8_t byte);
uint32_t vm_console_put_block(void *ctx, const uint8_t *bytes, uint32_t size);
bool vm_console_size(void *ctx, uint16_t *columns, uint16_t *rows);
/* Shows a byte on the console, as the guest's. */
void vm_console_show(struct vm *vm, uint8_t byte);
/* The screen has something to draw. */
void vm_console_changed(struct vm *vm);
void vm_host_events(void *ctx);
vtime_t vm_host_deadline(void *ctx);
void vm_host_advance(void *ctx, vtime_t now);
/* The guest begins to run: the status line shows it. */
void vm_console_start(struct vm *vm);

/* --- vm_debug.c -------------------------------------------------------------------------------
 */

/* Opens the line to a debugger as pxhv.cfg says. Stops the machine where the guest shall wait for
 * one and there is no line. */
void vm_debug_init(struct vm *vm, const struct config *config);
/* Zeroed memory for what is needed only where a debugger has a line. Stops the machine where there
 * is none. */
void *vm_debug_memory(uint64_t size_bytes);
/* Behind vcpu_create(), before the guest's first start. */
void vm_debug_start(struct vm *vm);
/* Takes what has come on the line. */
void vm_debug_input(struct vm *vm);
/* A callback of the PC, whose ctx is the struct vm. */
void vm_debug_stopped(void *ctx);

/* --- vm_line.c --------------------------------------------------------------------------------
 */

/* GDB shares the console's line. */
void vm_line_init(struct vm *vm, const struct config *config);
/* The line is GDB's; nothing happens where it isn't shared, or is GDB's already. */
void vm_line_lend(struct vm *vm);
/* The line is the console's; GDB's acknowledgement may come on it still. */
void vm_line_take_back(struct vm *vm, bool acknowledgement);
/* What the escape key and d do: GDB counts as detached when the line is taken back. */
void vm_line_toggle(struct vm *vm);
/* A byte of GDB's line: gives what of it is GDB's, after it has obeyed a person. */
struct escape_result vm_line_put(struct vm *vm, uint8_t byte);
/* Shows GDB what the console said, if it waits for the guest. */
void vm_line_show(struct vm *vm);

#endif
