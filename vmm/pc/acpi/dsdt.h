/* The compiled acpi/dsdt.asl, linked in by acpi/dsdt.asm. */
#ifndef PC_ACPI_DSDT_H
#define PC_ACPI_DSDT_H

#include "lib/types.h"

extern const uint8_t acpi_dsdt[];
extern const uint8_t acpi_dsdt_end[];

static inline uint64_t acpi_dsdt_size(void)
{
    return (uint64_t)acpi_dsdt_end - (uint64_t)acpi_dsdt;
}

#endif
