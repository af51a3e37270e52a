#include "pc/e820.h"

#include "dev/pci_regs.h"
#include "pc/layout.h"

static void add(struct e820 *map, gpa_t base, uint64_t size_bytes, enum e820_type type)
{
    map->entry[map->count++] = (struct e820_entry){base, size_bytes, type};
}

void e820_build(struct e820 *map, uint64_t memory_bytes)
{
    uint64_t high = pc_high_ram_bytes(memory_bytes);

    map->count = 0;
    add(map, 0, PC_EBDA_BASE, E820_USABLE);
    /* The EBDA, the hole where a VGA would be, and the firmware's tables: one stretch. */
    add(map, PC_EBDA_BASE, PC_LOW_MEGABYTE - PC_EBDA_BASE, E820_RESERVED);
    add(map, PC_LOW_MEGABYTE, pc_low_ram_bytes(memory_bytes) - PC_LOW_MEGABYTE, E820_USABLE);
    /* Linux believes the MCFG table only where the memory map agrees. */
    add(map, PC_ECAM_BASE, PCI_ECAM_SIZE, E820_RESERVED);
    if (high)
        add(map, PC_HIGH_RAM_BASE, high, E820_USABLE);
}
