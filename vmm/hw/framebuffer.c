/* Cells to pixels. A line of pixels is put together in ordinary memory and copied out in one go. */
#include "hw/framebuffer.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define MIN_COLUMNS 40u
#define MIN_ROWS    10u

/* From so many columns on, pixels are doubled, tripled...: 2560 pixels are 160 columns of 16. */
#define WIDEST_COLUMNS 200u

#define CHUNK_CELLS 8u
#define CHUNK_BYTES (CHUNK_CELLS * FRAMEBUFFER_GLYPH_COLUMNS * FRAMEBUFFER_MAX_SCALE * 4u)

/* The VGA's sixteen colours: 1 blue, 2 green, 4 red, 8 bright; 6 is brown, not dark yellow. */
static const uint8_t palette[16][3] = {
    {0x00, 0x00, 0x00}, {0x00, 0x00, 0xAA}, {0x00, 0xAA, 0x00}, {0x00, 0xAA, 0xAA},
    {0xAA, 0x00, 0x00}, {0xAA, 0x00, 0xAA}, {0xAA, 0x55, 0x00}, {0xAA, 0xAA, 0xAA},
    {0x55, 0x55, 0x55}, {0x55, 0x55, 0xFF}, {0x55, 0xFF, 0x55}, {0x55, 0xFF, 0xFF},
    {0xFF, 0x55, 0x55}, {0xFF, 0x55, 0xFF}, {0xFF, 0xFF, 0x55}, {0xFF, 0xFF, 0xFF},
};

static uint32_t part(uint8_t value, unsigned shift, unsigned bits)
{
    uint32_t scaled = (uint32_t)value << 8 >> (16 - bits);
    return scaled << shift;
}

static bool part_fits(unsigned shift, unsigned bits, unsigned bits_per_pixel)
{
    return bits >= 1 && bits <= 16 && shift + bits <= bits_per_pixel;
}

static bool format_ok(const struct boot_screen *screen)
{
    unsigned bits = screen->bits_per_pixel;

    return (bits == 15 || bits == 16 || bits == 24 || bits == 32) &&
           part_fits(screen->red_shift, screen->red_bits, bits) &&
           part_fits(screen->green_shift, screen->green_bits, bits) &&
           part_fits(screen->blue_shift, screen->blue_bits, bits);
}

bool framebuffer_init(struct framebuffer *framebuffer, const struct boot_screen *screen,
                      const uint8_t *font, unsigned max_columns, unsigned max_rows)
{
    unsigned pixel_bytes = (screen->bits_per_pixel + 7) / 8;
    unsigned scale = 1;

    if (!format_ok(screen) || screen->pitch_bytes / pixel_bytes < screen->width)
        return false;
    while (scale <= FRAMEBUFFER_MAX_SCALE &&
           screen->width / (FRAMEBUFFER_GLYPH_COLUMNS * scale) > WIDEST_COLUMNS)
        scale++;
    unsigned columns = screen->width / (FRAMEBUFFER_GLYPH_COLUMNS * scale);
    unsigned rows = screen->height / (FRAMEBUFFER_GLYPH_ROWS * scale);
    if (scale > FRAMEBUFFER_MAX_SCALE || columns < MIN_COLUMNS || rows < MIN_ROWS)
        return false;
    *framebuffer = (struct framebuffer){
        .base = (uint8_t *)screen->address,
        .width = screen->width,
        .height = screen->height,
        .pitch_bytes = screen->pitch_bytes,
        .pixel_bytes = pixel_bytes,
        .scale = scale,
        .columns = (unsigned)min_u64(columns, max_columns),
        .rows = (unsigned)min_u64(rows, max_rows),
        .font = font,
    };
    for (unsigned i = 0; i < 16; i++)
        framebuffer->colour[i] = part(palette[i][0], screen->red_shift, screen->red_bits) |
                                 part(palette[i][1], screen->green_shift, screen->green_bits) |
                                 part(palette[i][2], screen->blue_shift, screen->blue_bits);
    return true;
}

uint64_t framebuffer_size_bytes(const struct framebuffer *framebuffer)
{
    return (uint64_t)framebuffer->pitch_bytes * framebuffer->height;
}

void framebuffer_clear(struct framebuffer *framebuffer)
{
    for (unsigned y = 0; y < framebuffer->height; y++)
        memset(framebuffer->base + (uint64_t)y * framebuffer->pitch_bytes, 0,
               framebuffer->width * framebuffer->pixel_bytes);
}

/* What a cell's pixels are made of. */
struct brush {
    const uint8_t *glyph;
    uint32_t colour[2]; /* background, foreground */
    uint64_t pair[4];   /* two pixels of 32 bits, by two bits of the glyph, the left one first */
};

static struct brush brush_of(const struct framebuffer *framebuffer, uint16_t cell)
{
    uint64_t off = framebuffer->colour[cell >> 12], on = framebuffer->colour[cell >> 8 & 0xF];

    return (struct brush){
        .glyph = framebuffer->font + (cell & 0xFF) * FRAMEBUFFER_GLYPH_ROWS,
        .colour = {(uint32_t)off, (uint32_t)on},
        .pair = {off | off << 32, off | on << 32, on | off << 32, on | on << 32},
    };
}

static inline uint8_t *put_pixel(uint8_t *to, uint32_t colour, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(colour >> (8 * i));
    return to + bytes;
}

/* Eight pixels of a glyph's line, each `scale` wide. In line, so that `bytes` is a constant. */
static inline uint8_t *put_line_of(uint8_t *to, const struct brush *brush, unsigned bits,
                                   unsigned scale, unsigned bytes)
{
    for (unsigned x = 0; x < FRAMEBUFFER_GLYPH_COLUMNS; x++, bits <<= 1)
        for (unsigned i = 0; i < scale; i++)
            to = put_pixel(to, brush->colour[bits >> 7 & 1], bytes);
    return to;
}

/* What nearly every machine has: pixels of 32 bits, single or doubled. */
static inline uint8_t *put_pairs(uint8_t *to, const struct brush *brush, unsigned bits,
                                 unsigned scale)
{
    uint64_t *pair = (uint64_t *)to;

    if (scale == 1)
        for (unsigned x = 0; x < FRAMEBUFFER_GLYPH_COLUMNS; x += 2, bits <<= 2)
            *pair++ = brush->pair[bits >> 6 & 3];
    else
        for (unsigned x = 0; x < FRAMEBUFFER_GLYPH_COLUMNS; x++, bits <<= 1)
            *pair++ = brush->pair[bits >> 7 & 1 ? 3 : 0];
    return (uint8_t *)pair;
}

static uint8_t *put_line(const struct framebuffer *framebuffer, uint8_t *to,
                         const struct brush *brush, unsigned y)
{
    unsigned scale = framebuffer->scale, bits = brush->glyph[y];

    switch (framebuffer->pixel_bytes) {
    case 2:
        return put_line_of(to, brush, bits, scale, 2);
    case 3:
        return put_line_of(to, brush, bits, scale, 3);
    default:
        return scale <= 2 ? put_pairs(to, brush, bits, scale)
                          : put_line_of(to, brush, bits, scale, 4);
    }
}

static void draw_chunk(const struct framebuffer *framebuffer, uint8_t *to, const uint16_t *cells,
                       unsigned count)
{
    uint8_t line[CHUNK_BYTES] __attribute__((aligned(8)));
    struct brush brush[CHUNK_CELLS];

    for (unsigned i = 0; i < count; i++)
        brush[i] = brush_of(framebuffer, cells[i]);
    for (unsigned y = 0; y < FRAMEBUFFER_GLYPH_ROWS; y++) {
        uint8_t *end = line;
        for (unsigned i = 0; i < count; i++)
            end = put_line(framebuffer, end, &brush[i], y);
        for (unsigned i = 0; i < framebuffer->scale; i++, to += framebuffer->pitch_bytes)
            memcpy(to, line, (size_t)(end - line));
    }
}

void framebuffer_draw(struct framebuffer *framebuffer, unsigned row, unsigned column,
                      const uint16_t *cells, unsigned count)
{
    unsigned cell_bytes = FRAMEBUFFER_GLYPH_COLUMNS * framebuffer->scale * framebuffer->pixel_bytes;
    uint64_t line = (uint64_t)row * FRAMEBUFFER_GLYPH_ROWS * framebuffer->scale;
    uint8_t *to = framebuffer->base + line * framebuffer->pitch_bytes + column * cell_bytes;

    for (unsigned done = 0; done < count; done += CHUNK_CELLS)
        draw_chunk(framebuffer, to + done * cell_bytes, cells + done,
                   (unsigned)min_u64(count - done, CHUNK_CELLS));
}
