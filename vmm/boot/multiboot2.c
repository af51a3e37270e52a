/* See multiboot2.h. "Multiboot2 Specification", "Boot information format". */
#include "boot/multiboot2.h"

#include "lib/bits.h"
#include "lib/mem.h"
#include "lib/memmap.h"

#define CONFIG_NAME "pxhv.cfg"
#define COM1        0x3f8
#define MAX_BYTES   MIB(1) /* of boot information: far more than any loader has to say */

enum tag {
    TAG_END = 0,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_ACPI_OLD_RSDP = 14,
    TAG_ACPI_NEW_RSDP = 15,
};

#define TAG_HEADER   8u
#define TAG_ALIGN    8u
#define MODULE_NAME  16u /* where its string begins */
#define MAP_ENTRIES  16u
#define MAP_ENTRY    24u
#define SCREEN_COLOR 32u
#define RSDP_BYTES   20u

enum framebuffer_type { FRAMEBUFFER_RGB = 1, FRAMEBUFFER_EGA_TEXT = 2 };

static struct boot_info out;

/* What is to be kept besides the files: no more room is needed than for these. */
static struct memmap map;

/* The module's string where it ends within the tag. GRUB gives what follows the file's name. */
static const char *module_name(const uint8_t *tag, uint32_t size)
{
    for (uint32_t i = MODULE_NAME; i < size; i++)
        if (tag[i] == 0)
            return (const char *)tag + MODULE_NAME;
    return "";
}

/* The first module of a name counts; those without a name and surplus ones are none of ours. */
static void take_module(const uint8_t *tag, uint32_t size)
{
    if (size <= MODULE_NAME)
        return;
    uint32_t begin = load_le32(tag + 8), end = load_le32(tag + 12);
    const char *name = module_name(tag, size);

    if (!*name || end <= begin)
        return;
    if (str_eq(name, CONFIG_NAME) && !out.config_address) {
        out.config_address = begin;
        out.config_size_bytes = end - begin;
        return;
    }
    for (uint32_t i = 0; i < out.file_count; i++)
        if (str_eq(out.files[i].name, name))
            return;
    if (out.file_count == BOOT_INFO_MAX_FILES)
        return;
    struct boot_file *file = &out.files[out.file_count];
    if (!str_copy(file->name, sizeof(file->name), name))
        return;
    file->address = begin;
    file->size_bytes = end - begin;
    out.file_count++;
}

/* False: too many entries. */
static bool take_memory_map(const uint8_t *tag, uint32_t size)
{
    uint32_t entry_size = size >= MAP_ENTRIES ? load_le32(tag + 8) : 0, count = 0;

    if (entry_size < MAP_ENTRY)
        return true;
    for (uint64_t at = MAP_ENTRIES; range_fits(at, MAP_ENTRY, size); at += entry_size) {
        const uint8_t *entry = tag + at;
        if (!load_le64(entry + 8))
            continue;
        if (count == BOOT_INFO_MAX_MEMORY)
            return false;
        out.memory[count++] = (struct boot_memory){.base = load_le64(entry),
                                                   .size_bytes = load_le64(entry + 8),
                                                   .type = load_le32(entry + 16)};
    }
    return memmap_build(&map, out.memory, count);
}

static void take_framebuffer(const uint8_t *tag, uint32_t size)
{
    if (size < SCREEN_COLOR)
        return;
    struct boot_screen screen = {.address = load_le64(tag + 8),
                                 .pitch_bytes = load_le32(tag + 16),
                                 .width = load_le32(tag + 20),
                                 .height = load_le32(tag + 24),
                                 .bits_per_pixel = tag[28]};

    if (tag[29] == FRAMEBUFFER_EGA_TEXT && screen.height) {
        screen.type = BOOT_SCREEN_VGA_TEXT;
        screen.cursor_row = screen.height - 1; /* below whatever the loader left there */
    } else if (tag[29] == FRAMEBUFFER_RGB && size >= SCREEN_COLOR + 6) {
        screen.type = BOOT_SCREEN_FRAMEBUFFER;
        screen.red_shift = tag[SCREEN_COLOR];
        screen.red_bits = tag[SCREEN_COLOR + 1];
        screen.green_shift = tag[SCREEN_COLOR + 2];
        screen.green_bits = tag[SCREEN_COLOR + 3];
        screen.blue_shift = tag[SCREEN_COLOR + 4];
        screen.blue_bits = tag[SCREEN_COLOR + 5];
    } else {
        return;
    }
    out.screen = screen;
}

/* The tag holds a copy of the RSDP: the only one that a UEFI machine's VMM can find. */
static void take_rsdp(const uint8_t *tag, uint32_t type, uint32_t size)
{
    if (size >= TAG_HEADER + RSDP_BYTES && (type == TAG_ACPI_NEW_RSDP || !out.rsdp))
        out.rsdp = (uint64_t)(uintptr_t)tag + TAG_HEADER;
}

static bool take_tag(const uint8_t *tag, uint32_t type, uint32_t size)
{
    switch (type) {
    case TAG_MODULE:
        take_module(tag, size);
        return true;
    case TAG_MEMORY_MAP:
        return take_memory_map(tag, size);
    case TAG_FRAMEBUFFER:
        take_framebuffer(tag, size);
        return true;
    case TAG_ACPI_OLD_RSDP:
    case TAG_ACPI_NEW_RSDP:
        take_rsdp(tag, type, size);
        return true;
    default:
        return true;
    }
}

/* False: the memory map doesn't fit. */
static bool take_tags(const uint8_t *info, uint32_t total)
{
    for (uint32_t at = TAG_HEADER; range_fits(at, TAG_HEADER, total);) {
        uint32_t type = load_le32(info + at), size = load_le32(info + at + 4);
        if (type == TAG_END || size < TAG_HEADER || !range_fits(at, size, total))
            break;
        if (!take_tag(info + at, type, size))
            return false;
        at += (uint32_t)align_up(size, TAG_ALIGN);
    }
    return true;
}

/* The map calls all of these usable: they are the loader's business. */
static bool keep(const uint8_t *info, uint32_t total, const struct multiboot2_image *image)
{
    bool ok = memmap_reserve(&map, image->base, image->end - image->base) &&
              memmap_reserve(&map, (uint64_t)(uintptr_t)info, total) &&
              memmap_reserve(&map, out.config_address, out.config_size_bytes);

    for (uint32_t i = 0; ok && i < out.file_count; i++)
        ok = memmap_reserve(&map, out.files[i].address, out.files[i].size_bytes);
    return ok;
}

const struct boot_info *multiboot2_boot_info(const uint8_t *info,
                                             const struct multiboot2_image *image)
{
    uint32_t total = (uint32_t)min_u64(load_le32(info), MAX_BYTES);

    map.count = 0;
    out = (struct boot_info){.magic = BOOT_INFO_MAGIC,
                             .version = BOOT_INFO_VERSION,
                             .size_bytes = sizeof(out),
                             .serial_port = COM1, /* the VMM looks whether there is a UART */
                             .vmm_base = image->base,
                             .vmm_size_bytes = image->end - image->base,
                             .tsc_stage2 = image->tsc,
                             .tsc_loaded = image->tsc,
                             .loader = BOOT_LOADER_MULTIBOOT2};
    if (!take_tags(info, total) || !keep(info, total, image))
        map.count = 0;
    memcpy(out.memory, map.entry, map.count * sizeof(map.entry[0]));
    out.memory_count = map.count;
    return &out;
}
