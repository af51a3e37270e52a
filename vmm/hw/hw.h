/*
 * The host machine, for main.c, virt/vmx and virt/svm. One CPU; interrupts are off except inside
 * irq_window() and hw_sleep_until().
 */
#ifndef HW_HW_H
#define HW_HW_H

#include "lib/boot_info.h"
#include "lib/types.h"

/* --- hw.c: the order in which the machine is brought up --------------------------------------- */

struct hw_facts {
    char vendor[13];
    char brand[49];
    bool amd;                /* AMD's and Hygon's CPUs */
    unsigned family;         /* AMD: 0Fh, 10h, ... 1Ah */
    uint32_t patch_level;    /* AMD: the microcode's revision */
    bool lfence_serializing; /* AMD: LFENCE waits for all that came before it, by DE_CFG */
    uint8_t physical_bits;   /* MAXPHYADDR, less what AMD's memory encryption takes */
    bool gib_pages, nx, rdtscp, invpcid, xsave, xsaves, tsc_deadline;
    uint64_t xcr0_supported; /* XCR0 bits the CPU knows; 0 without XSAVE */
    uint64_t cr4_supported;  /* CR4 bits the CPU knows, from CPUID */
    uint64_t tsc_hz;
};

extern struct hw_facts hw_facts;

/* Consoles, descriptor tables, memory, page tables, interrupts, time, ACPI; one log line each.
 * Panics on a boot_info that contradicts itself. */
void hw_init(const struct boot_info *info);

/* --- gdt.c, idt.c: host state for a VMCS or VMCB ---------------------------------------------- */

#define HW_SELECTOR_CODE 0x08u
#define HW_SELECTOR_DATA 0x10u
#define HW_SELECTOR_TSS  0x18u

uint64_t hw_tss_base(void);
uint64_t hw_gdt_base(void);
uint64_t hw_idt_base(void);
/* A VM exit sets TR's limit to 67h, which is our TSS's size, and those of GDTR and IDTR to FFFFh:
 * wider than our tables, which no host code indexes past. Nothing needs to be loaded again. */

/* Interrupts of the host. The handler runs with interrupts off and doesn't send an EOI. Vectors 20h
 * to 2Fh are IRQ 0 to 15, which irq_unmask() lets through; 40h is the timer's own. */
void irq_register(uint8_t vector, void (*handler)(void));
void irq_unmask(unsigned irq);
/* Opens the interrupt flag for one moment: every interrupt that is pending gets its handler. */
void irq_window(void);
/* An interrupt that a VM exit has acknowledged gets its handler. */
void hw_interrupt(uint8_t vector);
/* Host NMIs since start. */
uint64_t hw_nmi_count(void);

/* --- lapic.c: sleeping ------------------------------------------------------------------------ */

/* Halts the CPU until an interrupt was handled or the TSC reaches the deadline (UINT64_MAX: none).
 * Returns at once when the deadline has passed. May return early. */
void hw_sleep_until(uint64_t tsc_deadline);
/* A host interrupt when the TSC reaches the deadline (at once when it has passed; UINT64_MAX:
 * none), for a CPU whose virtualization has no timer of its own. It holds until the next call,
 * through sleeps, and comes once; interrupts before the deadline may come, too. Cheap to call
 * often: the hardware is only touched when it has to interrupt sooner than it would. */
void hw_timer_arm(uint64_t tsc_deadline);
/* A host interrupt at once, before all that. */
void hw_timer_interrupt(void);
/* False: the firmware left the local APIC off, and hw_timer_arm() does nothing. */
bool hw_timer_present(void);
/* For a guest's CPU that takes the timer's interrupt by itself, HW_VECTOR_TIMER: it comes when the
 * TSC reaches the deadline, and not before. False: the deadline has passed, or an earlier interrupt
 * is still pending. In the place of hw_timer_arm(), and up to the next sleep. */
#define HW_VECTOR_TIMER 0x40u
bool hw_timer_notify(uint64_t tsc_deadline);
/* False: this machine's timer can't do that. */
bool hw_timer_exact(void);

/* --- frames.c: host memory -------------------------------------------------------------------- */

/* `count` zeroed, contiguous 4 KiB frames, aligned to align_bytes (a power of two, at least 4096);
 * 0 when there are none. Prefers low memory. */
hpa_t frames_alloc(uint64_t count, uint64_t align_bytes);
/* Guest RAM: the longest piece of up to size_bytes (a multiple of 4 KiB) that is free, from the top
 * of memory, aligned to 1 GiB or 2 MiB: see framemap_take_piece(). A little is left to the VMM. Not
 * zeroed. Its size, 0 when there is none. */
uint64_t frames_alloc_piece(uint64_t size_bytes, hpa_t *base);
void frames_free(hpa_t base, uint64_t size_bytes);

struct frames_stats {
    uint64_t total_bytes; /* usable memory that the boot map showed */
    uint64_t free_bytes;
    uint64_t large_bytes;    /* given out by frames_alloc_piece(): guest RAM */
    uint64_t resident_bytes; /* the VMM's own: image with stacks and .bss, plus frames_alloc() */
};

struct frames_stats frames_stats(void);

/* --- paging.c --------------------------------------------------------------------------------- */

/* Maps [hpa, hpa + size_bytes) uncached, readable and writable, at its own address. False: out of
 * frames, beyond what the CPU or four levels reach, or where something that is no device is mapped.
 */
bool paging_map_mmio(hpa_t hpa, uint64_t size_bytes);
/* The same, write-combining, wherever it is: a framebuffer. */
bool paging_map_wc(hpa_t hpa, uint64_t size_bytes);
/* Maps memory that the boot map calls reserved (firmware tables), write-back and read-only. */
bool paging_map_table(hpa_t hpa, uint64_t size_bytes);

/* --- mtrr.c ----------------------------------------------------------------------------------- */

/* The effective memory type of hpa by the host's MTRRs (UC 0, WC 1, WT 4, WP 5, WB 6: enum map_type
 * of virt/backend.h) and how many bytes from hpa on have that type, at most size_bytes. */
unsigned mtrr_type(hpa_t hpa, uint64_t size_bytes, uint64_t *uniform_bytes);

/* --- serial.c --------------------------------------------------------------------------------- */

extern const struct byte_sink serial_sink; /* never blocks for long; drops where nothing drains */

bool serial_present(void);
/* The next byte received on COM1; false when there is none. */
bool serial_get(uint8_t *byte);
/* How many bytes serial_sink takes now without waiting; where nothing drains it takes and drops any
 * number. */
uint32_t serial_room(void);
/* The line that a debugger has: COM2, or the console's own, COM1, whenever that is lent to it.
 * False: the machine has none, or its COM2 is the console. */
enum debug_line { DEBUG_LINE_COM2, DEBUG_LINE_CONSOLE };
bool debug_line_open(enum debug_line line);
/* COM1 is the debugger's: serial_get() finds nothing, and `hears` gets what is said to serial_sink.
 */
void serial_lend(struct byte_sink hears);
/* COM1 is the console's again. With `acknowledgement` the first byte to come is dropped if it is
 * the debugger's "+" for what it heard last. */
void serial_take_back(bool acknowledgement);
extern const struct byte_sink debug_line_sink;
bool debug_line_get(uint8_t *byte);
bool debug_line_waits(void); /* debug_line_get() has one */
/* Both lines. Moves bytes where interrupts didn't: call it after host interrupts and before
 * sleeping. */
void serial_poll(void);
/* Sends all that waits: up to three seconds where the line takes it, a moment where it does not. */
void serial_flush(void);

/* --- screen.c --------------------------------------------------------------------------------- */

bool screen_present(void);
/* Draws a portion of what has changed. False when something is left to draw. */
bool screen_draw(void);
/* Draws all that has changed. */
void screen_sync(void);
/* The last row. */
void screen_set_status(const char *text);

/* --- console.c: the screen and the keyboard beside the serial line ------------------------------
 */

/* As struct config counts them. */
enum console_keyboard { CONSOLE_KEYBOARD_CONSOLE, CONSOLE_KEYBOARD_PS2, CONSOLE_KEYBOARD_BOTH };

/* Where keys go: typed on the console, to the guest's PS/2 keyboard, or both. */
void console_set_keyboard(enum console_keyboard use);
/* What the guest says, to the serial line and the screen. True when the terminal has an answer. */
bool console_put(uint8_t byte);
/* The size of the terminal that shows what the guest says. False where the serial line may have
 * another one at its far end, which nobody can ask, or where there is no screen. */
bool console_size(uint16_t *columns, uint16_t *rows);
/* The next byte that was typed: on the serial line or the keyboard, or what the screen's terminal
 * answers. False when there is none. */
bool console_get(uint8_t *byte);
/* The monitor has the console, or has it no more: what is typed is for console_get(), whatever
 * console_set_keyboard() said, and the guest's keyboard only sees keys go up. */
void console_set_monitor(bool open);
/* What is typed on a keyboard that is the guest's PS/2 keyboard and nothing else: for keys that
 * pxHV waits for. */
bool console_get_hotkey(uint8_t *byte);
/* The next scancode byte for the guest's keyboard. */
bool console_get_scancode(uint8_t *scancode);
/* The guest has stopped (or runs again): keys without Shift page through the log. */
void console_set_stopped(bool stopped);

/* --- time.c, rtc.c ---------------------------------------------------------------------------- */

uint64_t time_tsc_hz(void);
/* Seconds since 1970-01-01 00:00 by the host's RTC, taken as UTC. False: no RTC or no valid date.
 */
bool rtc_read_epoch(int64_t *seconds);

/* --- random.c --------------------------------------------------------------------------------- */

/* The name of the instruction that random numbers come from; NULL: this CPU has none that works. */
const char *random_init(void);
/* Fills up to size bytes and gives how many: fewer when the CPU has no more. ctx isn't used. */
uint32_t random_fill(void *ctx, uint8_t *bytes, uint32_t size);

/* --- acpi.c, panic.c: the end ----------------------------------------------------------------- */

_Noreturn void host_power_off(void);
/* Says that the machine can be switched off, and halts for good. */
_Noreturn void host_halt(void);
/* A function that adds to a panic's report: the guest's last exits. It may itself fail. */
void panic_set_extra(void (*print)(void));

#endif
