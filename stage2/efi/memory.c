/* See memory.h. Places are chosen here and not by the firmware, so that they don't depend on its
 * mood: high up, away from where the VMM is linked. */
#include "memory.h"

#include "console.h"
#include "efi.h"
#include "efi_map.h"
#include "lib/bits.h"
#include "lib/mem.h"

#define MAP_BYTES  65536u /* more than a thousand descriptors */
#define MAX_RANGES 1024u
#define EXIT_TRIES 4

/* Static: to ask for memory would change the map. */
static uint8_t map_bytes[MAP_BYTES];
static struct boot_memory raw[MAX_RANGES];

static uint64_t read_map(struct efi_map *map)
{
    uint64_t size = sizeof(map_bytes), key = 0;
    uint32_t version;

    *map = (struct efi_map){.bytes = map_bytes};
    efi_status status =
        efi->BootServices->GetMemoryMap(&size, map_bytes, &key, &map->descriptor_bytes, &version);
    if (status != EFI_SUCCESS)
        die("the firmware doesn't give its memory map (status %llx): look for a firmware update",
            (unsigned long long)status);
    map->size_bytes = min_u64(size, sizeof(map_bytes));
    return key;
}

static void build(struct memmap *map, const struct efi_map *from, enum efi_map_view view)
{
    uint32_t count = efi_map_convert(from, view, raw, MAX_RANGES);

    if (count == UINT32_MAX || !memmap_build(map, raw, count))
        die("the firmware's memory map has more than %d entries: look for a firmware update",
            BOOT_INFO_MAX_MEMORY);
}

static void read_free(struct memmap *map)
{
    struct efi_map from;

    read_map(&from);
    build(map, &from, EFI_MAP_FREE);
}

uint64_t memory_allocate(uint64_t size_bytes, uint64_t limit)
{
    static struct memmap free;

    read_free(&free);
    uint64_t address = memmap_allocate(&free, size_bytes, limit);
    if (!address || efi->BootServices->AllocatePages(AllocateAddress, EfiLoaderData,
                                                     align_up(size_bytes, PAGE_SIZE) / PAGE_SIZE,
                                                     &address) != EFI_SUCCESS)
        return 0;
    return address;
}

void memory_zero(uint64_t address, uint64_t size_bytes)
{
    memset((void *)address, 0, size_bytes);
}

void memory_free(uint64_t address, uint64_t size_bytes)
{
    efi->BootServices->FreePages(address, align_up(size_bytes, PAGE_SIZE) / PAGE_SIZE);
}

uint64_t memory_largest(uint64_t limit)
{
    static struct memmap free;

    read_free(&free);
    return memmap_largest(&free, limit);
}

void memory_map_after_exit(struct memmap *map)
{
    struct efi_map from;

    read_map(&from);
    build(map, &from, EFI_MAP_AFTER);
}

/* The key is good for the map as it was read. An event handler of the firmware's that runs before
 * or in the call may change it: then both are done again, and nothing else may be called. */
void memory_exit_boot_services(struct memmap *map)
{
    struct efi_map from;

    for (int i = 0; i < EXIT_TRIES; i++) {
        uint64_t key = read_map(&from);
        if (efi->BootServices->ExitBootServices(efi_image, key) != EFI_SUCCESS)
            continue;
        console_leave_screen();
        build(map, &from, EFI_MAP_AFTER);
        return;
    }
    die("the firmware doesn't let go of the machine (ExitBootServices): look for a firmware "
        "update");
}
