/* What the files of vmm/hw share; everybody else includes hw.h. */
#ifndef HW_PARTS_H
#define HW_PARTS_H

#include "hw/hw.h"
#include "term/surface.h"

#define VECTOR_IRQ_BASE 0x20u /* the 8259s: IRQ 0 to 15 */
#define VECTOR_TIMER    HW_VECTOR_TIMER
#define VECTOR_OTHER    0xFEu /* stands for all that have no stub of their own: isr.asm */
#define VECTOR_SPURIOUS 0xFFu

#define IRQ_KEYBOARD 1
#define IRQ_CASCADE  2
#define IRQ_COM2     3
#define IRQ_COM1     4
#define IRQ_MOUSE    12

/* --- linker.ld, entry.asm --------------------------------------------------------------------- */

extern uint8_t __image_start[], __image_end[];
extern uint8_t __text_start[], __text_end[];
extern uint8_t __rodata_start[], __rodata_end[];
extern uint8_t __data_start[], __data_end[];
extern uint8_t __symbols_start[], __symbols_end[];

/* --- gdt.c, idt.c ----------------------------------------------------------------------------- */

enum { IST_NMI = 1, IST_DOUBLE_FAULT = 2, IST_MACHINE_CHECK = 3 };

struct stack {
    const char *name;
    uint8_t *guard; /* the unmapped page; the stack begins behind it */
    uint8_t *top;
};

#define STACK_COUNT 4
extern const struct stack stacks[STACK_COUNT]; /* the boot stack, then by IST number */

void gdt_init(void);
void idt_init(void);

/* What isr.asm pushes, and the CPU before it. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* --- panic.c, trace.c ------------------------------------------------------------------------- */

_Noreturn void panic_trap(const struct trap_frame *frame);
/* Prints the callers, innermost first: the function at rip (or, where that is
 * none of ours, who called it), then along the frame pointers. */
void trace_print(uint64_t rip, uint64_t rsp, uint64_t rbp);

/* --- facts.c, frames.c, paging.c, mtrr.c ------------------------------------------------------ */

void facts_init(void);
void frames_init(const struct boot_info *info);
/* frames_alloc() and frames_alloc_piece() stay below it: 4 GiB until paging_init() is through. */
void frames_set_reach(uint64_t limit);
void paging_init(const struct boot_info *info);
void mtrr_init(void);

/* --- irq.c, ioapic.c, lapic.c ----------------------------------------------------------------- */

void pic_init(void);
void irq_dispatch(uint8_t vector);
/* Masks what the firmware left on. */
void ioapic_mask(void);
/* Needs time_tsc_hz(). */
void hw_lapic_init(void);
void lapic_eoi(void);

/* --- time.c, acpi.c --------------------------------------------------------------------------- */

void time_init(void);
void acpi_init(const struct boot_info *info);
/* The I/O port of ACPI's power management timer; 0 where there is none. */
uint16_t acpi_pm_timer_port(void);
/* The registers of the high precision event timer; 0 where there is none. */
hpa_t acpi_hpet_address(void);
/* The registers of the I/O APICs, at most `most`; how many. */
unsigned acpi_io_apics(uint32_t *address, unsigned most);

/* --- consoles --------------------------------------------------------------------------------- */

void serial_init(uint16_t port); /* 0: none */
void serial_irq_init(void);
/* Sends what the UART has room for; receives nothing. */
void serial_send(void);
void keyboard_init(void);
bool keyboard_present(void);
/* The next scancode byte of the host's keyboard, as port 60h gave it; false when there is none. */
bool keyboard_get(uint8_t *scancode);
/* No line but the keyboard's interrupts any more. */
void irq_only_keyboard(void);

/* --- screen.c, console.c ------------------------------------------------------------------------
 */

void screen_init(const struct boot_screen *screen);
/* Makes the framebuffer the VMM's; needs paging_init(). */
void screen_map(const struct boot_info *info);
/* A byte for the terminal, drawn later. */
void screen_put(uint8_t byte);
extern const struct byte_sink screen_sink; /* for the log: draws at the end of a line */
struct terminal *screen_terminal(void);
unsigned screen_rows(void); /* the status line not counted */
/* Shows these rows instead of the terminal's. */
void screen_show_page(struct row_source source);
/* Shows older lines (up is positive); leaves a page. */
void screen_scroll(int lines);
/* Back to what is written now. */
void screen_live(void);
void console_init(void);
/* The end: shows the log as long as somebody wants to read it. */
_Noreturn void console_rest(void);

#endif
