/* See madt.h. ACPI specification "Multiple APIC Description Table (MADT)". */
#include "hw/madt.h"

#include "lib/mem.h"

#define ENTRIES       44u
#define ENTRY_HEADER  2u
#define IO_APIC       1u
#define IO_APIC_BYTES 12u

unsigned madt_io_apics(const uint8_t *table, uint32_t length, uint32_t *address, unsigned most)
{
    unsigned count = 0;

    for (uint32_t at = ENTRIES; at + ENTRY_HEADER <= length && count < most;) {
        const uint8_t *entry = table + at;
        uint8_t size = entry[1];
        if (size < ENTRY_HEADER || size > length - at)
            break;
        if (entry[0] == IO_APIC && size >= IO_APIC_BYTES)
            address[count++] = load_le32(entry + 4);
        at += size;
    }
    return count;
}
