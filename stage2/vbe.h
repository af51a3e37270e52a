/* A framebuffer by the card's VESA BIOS. */
#ifndef STAGE2_VBE_H
#define STAGE2_VBE_H

#include "memmap.h"

/* Sets the largest mode of at most width x height pixels and describes it in *screen. False, with
 * the reason told and the text screen as it was or empty, where there is none. */
bool vbe_set(uint32_t width, uint32_t height, const struct memmap *map, struct boot_screen *screen);

#endif
