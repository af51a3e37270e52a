/*
 * The host's I/O APICs: not used, and therefore silent. Firmware that worked with them, as UEFI
 * does, leaves entries on, whose interrupts would come on vectors that nobody serves. 82093AA
 * datasheet "I/O APIC Registers". Entries that pass the 8259s' interrupts on stay: a board may have
 * no other wire for them (MultiProcessor Specification "Virtual Wire Mode"). Those of SMIs are
 * the firmware's own.
 */
#define LOG_MODULE "ioapic"
#include "hw/parts.h"

#include "lib/bits.h"
#include "lib/log.h"

#define MAX_IO_APICS 16u
#define BYTES        0x14u
#define IOREGSEL     0x00u
#define IOWIN        0x10u

#define REG_VERSION      0x01u /* bits 16 to 23: the last entry's number */
#define REG_ENTRY_LOW(n) (0x10u + 2 * (n))
#define LAST_ENTRY       239u

#define ENTRY_MODE   (7u << 8)
#define ENTRY_SMI    (2u << 8)
#define ENTRY_EXTINT (7u << 8)
#define ENTRY_MASKED BIT(16)
#define NOBODY       UINT32_MAX

static uint32_t read(hpa_t base, unsigned reg)
{
    *(volatile uint32_t *)(base + IOREGSEL) = reg;
    return *(volatile uint32_t *)(base + IOWIN);
}

static void write(hpa_t base, unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)(base + IOREGSEL) = reg;
    *(volatile uint32_t *)(base + IOWIN) = value;
}

static bool stays(uint32_t low)
{
    uint32_t mode = low & ENTRY_MODE;
    return (low & ENTRY_MASKED) || mode == ENTRY_EXTINT || mode == ENTRY_SMI;
}

/* How many entries were on. */
static unsigned mask_entries(hpa_t base)
{
    uint32_t version = read(base, REG_VERSION);
    unsigned last = (unsigned)min_u64(version >> 16 & 0xFF, LAST_ENTRY), count = 0;

    for (unsigned n = 0; version != NOBODY && n <= last; n++) {
        uint32_t low = read(base, REG_ENTRY_LOW(n));
        if (stays(low))
            continue;
        write(base, REG_ENTRY_LOW(n), low | ENTRY_MASKED);
        count++;
    }
    return count;
}

void ioapic_mask(void)
{
    uint32_t address[MAX_IO_APICS];
    unsigned count = acpi_io_apics(address, MAX_IO_APICS), masked = 0;

    for (unsigned i = 0; i < count; i++) {
        if (paging_map_mmio(address[i], BYTES))
            masked += mask_entries(address[i]);
        else
            log_warn("the I/O APIC at %x can't be mapped: its interrupts stay as they are",
                     (unsigned)address[i]);
    }
    if (masked)
        log_info("%u interrupts that the firmware left on are masked", masked);
}
