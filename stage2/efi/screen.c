/* See screen.h. UEFI "Graphics Output Protocol". */
#include "screen.h"

#include "console.h"
#include "efi.h"
#include "stage2/vbemode.h"

#define MODES_MAX 256u /* a firmware that counts wrong must not hang us */
#define NO_MODE   UINT32_MAX

static void channel(uint32_t mask, uint8_t *shift, uint8_t *bits)
{
    *shift = *bits = 0;
    if (!mask)
        return;
    while (!(mask >> *shift & 1))
        ++*shift;
    while (*shift + *bits < 32 && (mask >> (*shift + *bits) & 1))
        ++*bits;
}

/* False: no pixels that a program may draw by itself. */
static bool describe(const struct efi_graphics_info *info, struct boot_screen *out)
{
    uint32_t red = info->RedMask, green = info->GreenMask, blue = info->BlueMask;
    uint32_t all = red | green | blue | info->ReservedMask, bytes = 1;

    if (info->PixelFormat > PixelBitMask)
        return false;
    if (info->PixelFormat != PixelBitMask) {
        bool red_first = info->PixelFormat == PixelRedGreenBlueReserved8;
        red = red_first ? 0x0000ff : 0xff0000;
        green = 0x00ff00;
        blue = red_first ? 0xff0000 : 0x0000ff;
        all = 0xffffffff;
    }
    while (bytes < 4 && all >> (8 * bytes))
        bytes++;
    *out = (struct boot_screen){.type = BOOT_SCREEN_FRAMEBUFFER,
                                .width = info->HorizontalResolution,
                                .height = info->VerticalResolution,
                                .pitch_bytes = info->PixelsPerScanLine * bytes,
                                .bits_per_pixel = bytes * 8};
    channel(red, &out->red_shift, &out->red_bits);
    channel(green, &out->green_shift, &out->green_bits);
    channel(blue, &out->blue_shift, &out->blue_bits);
    return true;
}

static uint32_t find_mode(struct efi_graphics_output *graphics, uint32_t width, uint32_t height,
                          struct boot_screen *best)
{
    uint32_t found = NO_MODE;

    *best = (struct boot_screen){0};
    for (uint32_t i = 0; i < graphics->Mode->MaxMode && i < MODES_MAX; i++) {
        struct efi_graphics_info *info = NULL;
        struct boot_screen screen;
        uint64_t size = 0;
        if (graphics->QueryMode(graphics, i, &size, &info) != EFI_SUCCESS || !info)
            continue;
        if (size >= sizeof(*info) && describe(info, &screen) &&
            vbemode_is_better(&screen, best, width, height)) {
            *best = screen;
            found = i;
        }
        efi->BootServices->FreePool(info);
    }
    return found;
}

void screen_set(uint32_t width, uint32_t height)
{
    struct efi_graphics_output *graphics = console_graphics();
    struct boot_screen best;
    uint32_t mode = graphics ? find_mode(graphics, width, height, &best) : NO_MODE;

    if (mode == NO_MODE) {
        console_print("  the firmware has no framebuffer of %ux%u or less: the screen stays as it "
                      "is\n",
                      (unsigned)width, (unsigned)height);
        return;
    }
    if (mode != graphics->Mode->Mode) {
        if (graphics->SetMode(graphics, mode) != EFI_SUCCESS) {
            console_print("  the firmware doesn't set %ux%u: the screen stays as it is\n",
                          (unsigned)best.width, (unsigned)best.height);
            return;
        }
        console_leave_screen();
    }
    console_print("  screen: %ux%u, %u bits a pixel\n", (unsigned)best.width, (unsigned)best.height,
                  (unsigned)best.bits_per_pixel);
}

void screen_describe(struct boot_screen *screen)
{
    const struct efi_graphics_output *graphics = console_graphics();

    *screen = (struct boot_screen){.type = BOOT_SCREEN_NONE};
    if (graphics && describe(graphics->Mode->Info, screen))
        screen->address = graphics->Mode->FrameBufferBase;
}
