/* The framebuffer of the UEFI firmware's Graphics Output Protocol. */
#ifndef STAGE2_EFI_SCREEN_H
#define STAGE2_EFI_SCREEN_H

#include "lib/boot_info.h"

/* Sets the largest mode of at most width x height pixels; says so where there is none, and nothing
 * changes. After a change the firmware's text has no place any more: what is printed goes to COM1
 * and the log. */
void screen_set(uint32_t width, uint32_t height);

/* The mode that the screen is in; BOOT_SCREEN_NONE where there is no framebuffer. */
void screen_describe(struct boot_screen *screen);

#endif
