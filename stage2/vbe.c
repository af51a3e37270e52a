/* See vbe.h. VESA BIOS Extension "VBE Functions"; every call may fail, every answer may lie. */
#include "vbe.h"

#include "console.h"
#include "layout.h"
#include "lib/bits.h"
#include "lib/mem.h"
#include "machine.h"
#include "vbemode.h"

#define VBE_OK        0x004f
#define VBE_2         0x0200
#define VBE_INFO_SIZE 512
#define MODE_INFO     (LAYOUT_BIOS_BUFFER + VBE_INFO_SIZE)
#define MODES_MAX     256u
#define MODES_END     0xffff
#define MODE_LINEAR   BIT(14)
#define MODE_NUMBER   0x3fffu
#define NO_MODE       MODES_END

/* A function of VBE with a buffer at ES:DI; a card without VBE gives AX back as it was. */
static bool vbe_call(struct bios_regs *regs, uint32_t buffer)
{
    regs->es = (uint16_t)(buffer / 16);
    regs->edi = 0;
    bios_call(0x10, regs);
    return (regs->eax & 0xffff) == VBE_OK;
}

static bool overlaps_memory(const struct memmap *map, const struct boot_screen *screen)
{
    uint64_t end = screen->address + (uint64_t)screen->pitch_bytes * screen->height;

    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_memory *range = &map->entry[i];
        bool memory = range->type == BOOT_MEMORY_USABLE || range->type == BOOT_MEMORY_LOADER;
        if (memory && screen->address < range->base + range->size_bytes && range->base < end)
            return true;
    }
    return false;
}

/* The list may lie in the buffer that the next call overwrites: copied first. */
static unsigned read_modes(uint16_t modes[MODES_MAX], uint16_t *version, uint64_t *memory_bytes)
{
    uint8_t *info = at(LAYOUT_BIOS_BUFFER);
    struct bios_regs regs = {.eax = 0x4f00};
    unsigned count = 0;

    memset(info, 0, VBE_INFO_SIZE);
    memcpy(info, "VBE2", 4); /* asks for the answer of VBE 2.0 */
    if (!vbe_call(&regs, LAYOUT_BIOS_BUFFER) || memcmp(info, "VESA", 4) != 0)
        return 0;
    *version = load_le16(info + 4);
    *memory_bytes = (uint64_t)load_le16(info + 18) << 16;
    if (*version < VBE_2)
        return 0;
    const uint8_t *list = at(load_le16(info + 14) + load_le16(info + 16) * 16u);
    while (count < MODES_MAX && load_le16(list + count * 2) != MODES_END) {
        modes[count] = load_le16(list + count * 2);
        count++;
    }
    return count;
}

static uint16_t find_mode(uint32_t width, uint32_t height, const struct memmap *map,
                          struct boot_screen *best)
{
    static uint16_t modes[MODES_MAX];
    uint16_t version = 0, found = NO_MODE;
    uint64_t memory_bytes = 0;
    unsigned count = read_modes(modes, &version, &memory_bytes);

    *best = (struct boot_screen){0};
    for (unsigned i = 0; i < count; i++) {
        struct bios_regs regs = {.eax = 0x4f01, .ecx = modes[i]};
        struct boot_screen screen;
        memset(at(MODE_INFO), 0, VBE_MODE_INFO_SIZE);
        if (vbe_call(&regs, MODE_INFO) &&
            vbemode_read(at(MODE_INFO), version, memory_bytes, &screen) &&
            !overlaps_memory(map, &screen) && vbemode_is_better(&screen, best, width, height)) {
            *best = screen;
            found = modes[i] & MODE_NUMBER;
        }
    }
    return found;
}

/* Set, and by the card's own word really set. */
static bool set_mode(uint16_t mode)
{
    struct bios_regs set = {.eax = 0x4f02, .ebx = mode | MODE_LINEAR}, get = {.eax = 0x4f03};

    return vbe_call(&set, LAYOUT_BIOS_BUFFER) && vbe_call(&get, LAYOUT_BIOS_BUFFER) &&
           (get.ebx & MODE_NUMBER) == mode;
}

bool vbe_set(uint32_t width, uint32_t height, const struct memmap *map, struct boot_screen *screen)
{
    uint16_t mode = find_mode(width, height, map, screen);

    if (mode == NO_MODE) {
        console_print("  the card's BIOS has no framebuffer of %ux%u or less: text is used\n",
                      (unsigned)width, (unsigned)height);
        return false;
    }
    if (!set_mode(mode)) {
        console_take_screen();
        console_print("  the card's BIOS doesn't set %ux%u: text is used\n",
                      (unsigned)screen->width, (unsigned)screen->height);
        return false;
    }
    console_leave_screen();
    console_print("  screen: %ux%u, %u bits a pixel\n", (unsigned)screen->width,
                  (unsigned)screen->height, (unsigned)screen->bits_per_pixel);
    return true;
}
