/* needs: vmm/boot/multiboot2.c vmm/lib/memmap.c vmm/lib/mem.c */
#include "boot/multiboot2.h"

#include "input.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* Input: the tags of a multiboot2 loader's information, behind its 8 bytes of sizes. */

#define IMAGE_BASE 0x100000
#define IMAGE_END  0x180000

/* No byte that holds something of the loader's may be given out as free memory. */
static void check_kept(const struct boot_info *boot, uint64_t base, uint64_t end)
{
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        const struct boot_memory *range = &boot->memory[i];
        if (range->type == BOOT_MEMORY_USABLE)
            check(range->base >= end || range->base + range->size_bytes <= base);
    }
}

static void check_memory(const struct boot_info *boot)
{
    check(boot->memory_count <= 128);
    for (uint32_t i = 0; i < boot->memory_count; i++) {
        const struct boot_memory *range = &boot->memory[i];
        check(range->size_bytes > 0 && range->base + range->size_bytes > range->base);
        check(i == 0 || range[-1].base + range[-1].size_bytes <= range->base);
    }
    check_kept(boot, IMAGE_BASE, IMAGE_END);
}

static void check_files(const struct boot_info *boot)
{
    check(boot->file_count <= 16);
    for (uint32_t i = 0; i < boot->file_count; i++) {
        const struct boot_file *file = &boot->files[i];
        check(memchr(file->name, 0, sizeof(file->name)) && file->name[0] && file->size_bytes);
        for (uint32_t k = 0; k < i; k++)
            check(strcmp(boot->files[k].name, file->name) != 0);
        check_kept(boot, file->address, file->address + file->size_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct multiboot2_image image = {.base = IMAGE_BASE, .end = IMAGE_END};

    if (size > 65536)
        return 0;
    uint8_t *info = aligned_alloc(8, (size + 15) / 8 * 8);
    store_le64(info, 0);
    store_le32(info, (uint32_t)size + 8);
    memcpy(info + 8, data, size);
    const struct boot_info *boot = multiboot2_boot_info(info, &image);
    check_memory(boot);
    check_files(boot);
    free(info);
    return 0;
}
