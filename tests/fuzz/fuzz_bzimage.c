/* needs: vmm/pc/bzimage.c vmm/pc/zero_page.c vmm/pc/e820.c vmm/dev/gmem.c vmm/lib/fmt.c vmm/lib/mem.c */
#include "pc/bzimage.h"

#include <stdlib.h>
#include <string.h>

/*
 * Input: one byte that chooses memory size and initrd, then a kernel file. The guest's RAM is a
 * heap block of exactly its size, so that a write beyond it is an error at once.
 */

#define MIN_RAM 0x200000u
#define STEP    0x080000u

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Every range of a loaded guest lies in RAM, and none over another. */
static void check_layout(const struct bzimage_entry *entry, const struct bzimage_info *info,
                         uint64_t ram, uint64_t initrd_size)
{
    gpa_t load = entry->entry - (entry->long_mode ? 0x200 : 0);

    check(load >= 0x100000 && load + info->code_size_bytes <= entry->kernel_end);
    check(entry->kernel_end <= ram);
    check(!info->relocatable || load % info->alignment == 0);
    if (entry->initrd) {
        check(entry->initrd % 4096 == 0);
        check(entry->initrd >= entry->kernel_end);
        check(entry->initrd + initrd_size <= ram);
        check(entry->initrd + initrd_size <= info->initrd_end_max);
    }
}

static void check_zero_page(const uint8_t *zp, const struct bzimage_info *info)
{
    static const uint8_t zero[0x100];

    check(zp[0x1EF] == 0 && zp[0x210] == 0xFF && (zp[0x211] & 0xC0) == 0x80);
    check(memcmp(zp + info->header_end, zero, 0x2D0 - info->header_end) == 0);
    check(zp[0x1E8] >= 2);
}

static void check_sentence(const char *error)
{
    size_t length = strnlen(error, BZIMAGE_ERROR_SIZE);

    check(length > 20 && length < BZIMAGE_ERROR_SIZE - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t initrd[0x6000];
    struct bzimage_info info;
    struct bzimage_entry entry;
    struct e820 map;
    char error[BZIMAGE_ERROR_SIZE];

    if (size < 1)
        return 0;
    uint64_t ram_size = MIN_RAM + (data[0] & 0x3F) * STEP;
    uint8_t *ram = malloc(ram_size);
    uint8_t *file = malloc(size - 1 ? size - 1 : 1); /* exact, like the RAM */
    struct gmem gmem = {1, {{0, ram_size, ram}}};
    memcpy(file, data + 1, size - 1);
    e820_build(&map, ram_size);
    struct bzimage_request request = {
        .gmem = &gmem,
        .kernel = {"vmlinuz", file, size - 1},
        .initrd = {"initrd.img", initrd, (data[0] >> 6) * 0x1FFFu},
        .cmdline = "console=ttyS0",
        .e820 = &map,
        .rsdp = 0xE0000,
    };

    if (bzimage_load(&request, &entry, error)) {
        check(bzimage_check(&request.kernel, &info, error));
        check_layout(&entry, &info, ram_size, request.initrd.size_bytes);
        check_zero_page(ram + entry.zero_page, &info);
    } else {
        check_sentence(error);
    }
    free(file);
    free(ram);
    return 0;
}
