/*
 * Characters on a linear framebuffer of 15 to 32 bits a pixel. Pure: it writes to the memory it was
 * given, whole words in ascending order as write-combining wants it, and never reads from there.
 */
#ifndef HW_FRAMEBUFFER_H
#define HW_FRAMEBUFFER_H

#include "lib/boot_info.h"
#include "lib/types.h"

#define FRAMEBUFFER_GLYPH_COLUMNS 8u
#define FRAMEBUFFER_GLYPH_ROWS    16u
#define FRAMEBUFFER_MAX_SCALE     8u

struct framebuffer {
    uint8_t *base;
    unsigned width, height, pitch_bytes, pixel_bytes;
    unsigned scale; /* pixels for each of the font's, in both directions */
    unsigned columns, rows;
    const uint8_t *font; /* 256 glyphs, 16 bytes each, the left pixel in bit 7 */
    uint32_t colour[16]; /* pixels, by the VGA's attribute */
};

/* Takes a loader's word for it and checks that it makes sense: false when it doesn't, or when there
 * are less than 40 columns or 10 rows. Columns and rows are at most what is given. Memory isn't
 * touched. */
bool framebuffer_init(struct framebuffer *framebuffer, const struct boot_screen *screen,
                      const uint8_t *font, unsigned max_columns, unsigned max_rows);
uint64_t framebuffer_size_bytes(const struct framebuffer *framebuffer);
void framebuffer_clear(struct framebuffer *framebuffer);
/* Draws neighbouring cells (glyph, attribute << 8) that lie inside the grid. */
void framebuffer_draw(struct framebuffer *framebuffer, unsigned row, unsigned column,
                      const uint16_t *cells, unsigned count);

#endif
