/* VBE's description of a mode (VESA BIOS Extension "Function 01h - Return VBE Mode Information"),
 * checked and compared. Pure C; card BIOSes are not believed. */
#ifndef STAGE2_VBEMODE_H
#define STAGE2_VBEMODE_H

#include "lib/boot_info.h"

#define VBE_MODE_INFO_SIZE 256

/* Fills in the screen that the mode gives: a linear framebuffer of 15 to 32 bits a pixel, whole
 * below 4 GiB, in the card's own memory of memory_bytes. False where the mode is no such one, or
 * its fields contradict each other. `version` is VBE's, 0200h and up. */
bool vbemode_read(const uint8_t info[VBE_MODE_INFO_SIZE], uint16_t version, uint64_t memory_bytes,
                  struct boot_screen *screen);

/* Is `a` nearer to width x height than `b` (all zeros: none yet)? One that is larger never is. */
bool vbemode_is_better(const struct boot_screen *a, const struct boot_screen *b, uint32_t width,
                       uint32_t height);

#endif
