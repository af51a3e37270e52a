/*
 * The 256 glyphs of a cell. 20h to 7Eh and A0h to FFh are Unicode's own numbers, ASCII and Latin-1.
 * The 65 numbers between hold lines, blocks and a few signs; CHARSET_EXTRAS says which is which,
 * and vmm/hw/font.py puts the font's glyphs into that order.
 */
#ifndef TERM_CHARSET_H
#define TERM_CHARSET_H

#include "lib/types.h"

#define GLYPH_REPLACEMENT 0x00 /* U+FFFD: what there is no glyph for */

/* The glyph of a Unicode character; what has none gets a likeness or GLYPH_REPLACEMENT. */
uint8_t charset_glyph(uint32_t code);
/* How many columns a character takes: 0, 1 or 2. */
unsigned charset_width(uint32_t code);
/* The glyph of a byte from 20h to 7Eh in the VT100's "special graphics" set. */
uint8_t charset_graphics(uint8_t byte);
/* The character of code page 437, the one in a VGA's ROM, that looks like the glyph. */
uint8_t charset_cp437(uint8_t glyph);

#endif
