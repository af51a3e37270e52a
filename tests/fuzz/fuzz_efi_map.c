/* needs: stage2/efi/efi_map.c vmm/lib/memmap.c vmm/lib/mem.c */
#include "../../stage2/efi/efi_map.h"

#include "input.h"
#include "lib/mem.h"
#include "lib/memmap.h"

#include <stdlib.h>
#include <string.h>

/* Input: a byte for the size of a descriptor, then UEFI memory descriptors. */

#define MAX_RANGES 256

static void check_map(const struct memmap *map)
{
    check(map->count <= 128);
    for (uint32_t i = 0; i < map->count; i++) {
        const struct boot_memory *range = &map->entry[i];
        check(range->size_bytes > 0 && range->base + range->size_bytes > range->base);
        check(i == 0 || range[-1].base + range[-1].size_bytes <= range->base);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_memory raw[MAX_RANGES];
    static struct memmap map;

    if (size == 0)
        return 0;
    struct efi_map from = {.bytes = data + 1, .size_bytes = size - 1, .descriptor_bytes = data[0]};
    for (int view = EFI_MAP_FREE; view <= EFI_MAP_AFTER; view++) {
        uint32_t count = efi_map_convert(&from, (enum efi_map_view)view, raw, MAX_RANGES);
        if (count == UINT32_MAX)
            continue;
        check(count <= MAX_RANGES);
        for (uint32_t i = 0; i < count; i++)
            check(view == EFI_MAP_AFTER || raw[i].type == BOOT_MEMORY_USABLE);
        if (memmap_build(&map, raw, count))
            check_map(&map);
    }
    return 0;
}
