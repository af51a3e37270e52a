/* See vbemode.h. Offsets are those of the specification's ModeInfoBlock, in bytes. */
#include "vbemode.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define ATTRIBUTES_WANTED (BIT(0) | BIT(4) | BIT(7)) /* supported, graphics, linear */
#define MODEL_DIRECT      6
#define VBE_3             0x0300
#define LIMIT             GIB(4)

static bool take_color(const uint8_t *field, uint32_t bits_per_pixel, uint8_t *bits, uint8_t *shift,
                       uint32_t *mask)
{
    *bits = field[0];
    *shift = field[1];
    if (!*bits || *bits > 8 || *shift + *bits > bits_per_pixel)
        return false;
    uint32_t own = ((1u << *bits) - 1) << *shift;
    bool apart = !(*mask & own);
    *mask |= own;
    return apart;
}

/* Three pairs of bytes, red, green and blue: how many bits, and where. */
static bool take_colors(const uint8_t *fields, struct boot_screen *screen)
{
    uint32_t mask = 0, bits = screen->bits_per_pixel;

    return take_color(fields, bits, &screen->red_bits, &screen->red_shift, &mask) &&
           take_color(fields + 2, bits, &screen->green_bits, &screen->green_shift, &mask) &&
           take_color(fields + 4, bits, &screen->blue_bits, &screen->blue_shift, &mask);
}

bool vbemode_read(const uint8_t info[VBE_MODE_INFO_SIZE], uint16_t version, uint64_t memory_bytes,
                  struct boot_screen *screen)
{
    uint32_t bits = info[25];
    bool vbe3 = version >= VBE_3 && load_le16(info + 50);

    *screen = (struct boot_screen){
        .type = BOOT_SCREEN_FRAMEBUFFER,
        .width = load_le16(info + 18),
        .height = load_le16(info + 20),
        .pitch_bytes = load_le16(info + (vbe3 ? 50 : 16)),
        .bits_per_pixel = bits,
        .address = load_le32(info + 40),
    };
    if ((load_le16(info) & ATTRIBUTES_WANTED) != ATTRIBUTES_WANTED || info[27] != MODEL_DIRECT)
        return false;
    if (bits != 15 && bits != 16 && bits != 24 && bits != 32)
        return false;
    if (!screen->width || !screen->height || !screen->address ||
        screen->pitch_bytes < screen->width * ((bits + 7) / 8))
        return false;
    uint64_t size_bytes = (uint64_t)screen->pitch_bytes * screen->height;
    if (size_bytes > memory_bytes || !range_fits(screen->address, size_bytes, LIMIT))
        return false;
    return take_colors(info + (vbe3 ? 54 : 31), screen);
}

bool vbemode_is_better(const struct boot_screen *a, const struct boot_screen *b, uint32_t width,
                       uint32_t height)
{
    if (a->width > width || a->height > height)
        return false;
    uint32_t size_a = a->width * a->height, size_b = b->width * b->height;
    return size_a != size_b ? size_a > size_b : a->bits_per_pixel > b->bits_per_pixel;
}
