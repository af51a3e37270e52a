/* The UEFI loader's output: stage2/console.h, and what only a UEFI program has. */
#ifndef STAGE2_EFI_CONSOLE_H
#define STAGE2_EFI_CONSOLE_H

#include "efi.h"
#include "stage2/console.h"

#define CONSOLE_LOG_SIZE 8192u

/* One character of UTF-8 from *text, which moves on, as UEFI's strings have it: what is no
 * character of the Basic Multilingual Plane becomes a question mark. */
uint16_t console_next_unit(const char **text);

/* The graphics device that the screen's text is drawn on, or the only one; NULL: none that a
 * program may draw on by itself. */
struct efi_graphics_output *console_graphics(void);

/* Copies what was said so far (its first CONSOLE_LOG_SIZE bytes) and gives its size. */
uint32_t console_log(char log[CONSOLE_LOG_SIZE]);

#endif
