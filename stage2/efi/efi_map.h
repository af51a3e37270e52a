/* UEFI's memory map as ranges of boot_info. Pure C. */
#ifndef STAGE2_EFI_EFI_MAP_H
#define STAGE2_EFI_EFI_MAP_H

#include "lib/boot_info.h"

/* What GetMemoryMap() gave: descriptors, descriptor_bytes apart. */
struct efi_map {
    const uint8_t *bytes;
    uint64_t size_bytes;
    uint64_t descriptor_bytes;
};

enum efi_map_view {
    EFI_MAP_FREE,  /* only what the firmware hasn't given to anyone */
    EFI_MAP_AFTER, /* everything, as it is after ExitBootServices() */
};

/* Converts to ranges in the map's order, neighbours of one type joined, free pieces of less than 64
 * KiB left out of EFI_MAP_FREE. The number of ranges; UINT32_MAX when there are more than `most` or
 * the descriptors have an impossible size. */
uint32_t efi_map_convert(const struct efi_map *map, enum efi_map_view view, struct boot_memory *raw,
                         uint32_t most);

#endif
