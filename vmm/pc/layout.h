/*
 * The guest's PC as numbers: physical memory, ports, interrupt inputs. docs/MEMORY-MAP.md
 * draws the same map; acpi/dsdt.asl tells it to the guest and must agree.
 */
#ifndef PC_LAYOUT_H
#define PC_LAYOUT_H

#include "lib/bits.h"

/* RAM begins at 0 without a gap; what doesn't fit below the PCI hole continues at 4 GiB. */
#define PC_LOW_RAM_MAX   0xC0000000ull
#define PC_HIGH_RAM_BASE 0x100000000ull

/* Up to ECAM. A guest may also use what lies between its RAM and this. */
#define PC_PCI_MMIO_BASE 0xC0000000ull

/* Bus 0's configuration space: the megabyte between the window and the APICs. */
#define PC_ECAM_BASE 0xFEB00000ull

#define PC_HPET_BASE 0xFED00000ull

#define PC_PCI_IO_BASE 0x1000u /* no device has an I/O BAR today */
#define PC_PCI_IO_SIZE 0xF000u

/* The first megabyte as a BIOS leaves it. */
#define PC_EBDA_BASE     0x9FC00u  /* 1 KiB; conventional memory ends here */
#define PC_FIRMWARE_BASE 0xE0000u  /* the ACPI tables; RAM that the E820 map calls reserved */
#define PC_LOW_MEGABYTE  0x100000u /* extended memory begins */

/* What the loader puts into conventional memory. Linux copies or abandons all of it early. */
#define PC_PAGE_TABLES  0x1000u /* six pages */
#define PC_ZERO_PAGE    0x7000u
#define PC_GDT          0x8000u
#define PC_STACK_TOP    0xA000u
#define PC_CMDLINE      0x20000u
#define PC_CMDLINE_SIZE 0x10000u

#define PC_IOAPIC_BASE 0xFEC00000u

#define PC_PORT_PIC_MASTER    0x20u
#define PC_PORT_PIC_SLAVE     0xA0u
#define PC_PORT_ELCR          0x4D0u
#define PC_PORT_PIT           0x40u
#define PC_PORT_SYSTEM_B      0x61u
#define PC_PORT_I8042_DATA    0x60u
#define PC_PORT_I8042_COMMAND 0x64u
#define PC_PORT_RTC           0x70u
#define PC_PORT_SYSTEM_A      0x92u
#define PC_PORT_COM1          0x3F8u
#define PC_PORT_PM            0x600u /* PM1_EVT +0, PM1_CNT +4, PM_TMR +8 */
#define PC_PORT_PCI_ADDRESS   0xCF8u
#define PC_PORT_RESET         0xCF9u
#define PC_PORT_PCI_DATA      0xCFCu

#define PC_IRQ_TIMER    0u
#define PC_IRQ_KEYBOARD 1u
#define PC_IRQ_COM1     4u
#define PC_IRQ_RTC      8u
#define PC_IRQ_SCI      9u
#define PC_IRQ_PCI_A    10u /* INTA of the devices with odd numbers */
#define PC_IRQ_PCI_B    11u /* of those with even numbers */
#define PC_IRQ_AUX      12u /* the i8042's second port: nothing is plugged in */

/* Level-triggered inputs as ELCR bits: a shared pin would lose interrupts as an edge. */
#define PC_ELCR_LEVEL (BIT(PC_IRQ_SCI) | BIT(PC_IRQ_PCI_A) | BIT(PC_IRQ_PCI_B))

/* Inputs of the I/O APIC. The others are those of the 8259As. */
#define PC_GSI_TIMER   2u
#define PC_GSI_PCI_A   16u       /* to 19: the four INTx links, active low */
#define PC_HPET_INPUTS 0xF00000u /* those that a timer can be routed to: 20 to 23, active low */

#define PC_APIC_ID   0u /* of the only processor */
#define PC_IOAPIC_ID 0u

static inline uint64_t pc_low_ram_bytes(uint64_t memory_bytes)
{
    return min_u64(memory_bytes, PC_LOW_RAM_MAX);
}

static inline uint64_t pc_high_ram_bytes(uint64_t memory_bytes)
{
    return memory_bytes - pc_low_ram_bytes(memory_bytes);
}

/* The PIC input that INTA of a PCI device is wired to; acpi/dsdt.asl's _PRT says the same. */
static inline unsigned pc_pci_irq(unsigned device)
{
    return device % 2 ? PC_IRQ_PCI_A : PC_IRQ_PCI_B;
}

#endif
