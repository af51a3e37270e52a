/* Stage 2's output: the VGA text screen and COM1, as long as they last. */
#ifndef STAGE2_CONSOLE_H
#define STAGE2_CONSOLE_H

#include "lib/types.h"

/* Takes over where the boot sector's output ended. What goes to COM1 is kept as text at LAYOUT_LOG,
 * whether or not there is a UART. */
void console_init(void);

/* To the screen and to COM1. */
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* To one of the two: a progress display suits a screen, a finished line suits a log. */
void console_print_screen(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_print_serial(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Sees to it that the screen is in text mode 3; goes on where its cursor is. */
void console_take_screen(void);
/* The screen is no text screen any more: what is printed from here on goes to COM1 and the log. */
void console_leave_screen(void);

/* "pxHV: error: " and the text, what to do about the power, and rest. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint32_t console_serial_port(void); /* I/O base, 0 where no UART answers */
uint32_t console_row(void);         /* of the screen's cursor, from 0 */
uint32_t console_log_size(void);    /* bytes at LAYOUT_LOG */

#endif
