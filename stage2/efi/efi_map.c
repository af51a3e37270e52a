/* See efi_map.h. UEFI "Memory Type Usage after ExitBootServices()". */
#include "efi_map.h"

#include "efi.h"
#include "lib/bits.h"
#include "lib/mem.h"

#define SMALL_BYTES KIB(64)

/* The loader's own memory is usable here: who built the map marks what is to be kept. */
static uint32_t type_after(const struct efi_memory_descriptor *descriptor)
{
    switch (descriptor->Type) {
    case EfiLoaderCode:
    case EfiLoaderData:
    case EfiBootServicesCode:
    case EfiBootServicesData:
    case EfiConventionalMemory:
        /* Memory that can't be cached, or that is meant for one device, is nothing for a guest. */
        return (descriptor->Attribute & EFI_MEMORY_WB) && !(descriptor->Attribute & EFI_MEMORY_SP)
                   ? BOOT_MEMORY_USABLE
                   : BOOT_MEMORY_RESERVED;
    case EfiUnusableMemory:
        return BOOT_MEMORY_BAD;
    case EfiACPIReclaimMemory:
        return BOOT_MEMORY_ACPI;
    case EfiACPIMemoryNVS:
        return BOOT_MEMORY_NVS;
    default:
        return BOOT_MEMORY_RESERVED;
    }
}

static bool wanted(const struct efi_memory_descriptor *descriptor, enum efi_map_view view)
{
    if (!descriptor->NumberOfPages)
        return false;
    return view == EFI_MAP_AFTER || (descriptor->Type == EfiConventionalMemory &&
                                     type_after(descriptor) == BOOT_MEMORY_USABLE &&
                                     descriptor->NumberOfPages >= SMALL_BYTES / PAGE_SIZE);
}

static struct boot_memory range_of(const struct efi_memory_descriptor *descriptor)
{
    uint64_t most = (UINT64_MAX - descriptor->PhysicalStart) / PAGE_SIZE;

    return (struct boot_memory){.base = descriptor->PhysicalStart,
                                .size_bytes = min_u64(descriptor->NumberOfPages, most) * PAGE_SIZE,
                                .type = type_after(descriptor)};
}

uint32_t efi_map_convert(const struct efi_map *map, enum efi_map_view view, struct boot_memory *raw,
                         uint32_t most)
{
    struct efi_memory_descriptor descriptor;
    uint32_t count = 0;

    if (map->descriptor_bytes < sizeof(descriptor))
        return UINT32_MAX;
    for (uint64_t at = 0; range_fits(at, sizeof(descriptor), map->size_bytes);
         at += map->descriptor_bytes) {
        memcpy(&descriptor, map->bytes + at, sizeof(descriptor));
        if (!wanted(&descriptor, view))
            continue;
        struct boot_memory range = range_of(&descriptor);
        struct boot_memory *last = count ? &raw[count - 1] : NULL;
        if (last && last->type == range.type && last->base + last->size_bytes == range.base) {
            last->size_bytes += range.size_bytes;
            continue;
        }
        if (count == most)
            return UINT32_MAX;
        raw[count++] = range;
    }
    return count;
}
