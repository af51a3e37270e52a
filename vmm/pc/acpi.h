/* The ACPI tables of the guest's PC, written into its memory where a BIOS would have put them. */
#ifndef PC_ACPI_H
#define PC_ACPI_H

#include "dev/gmem.h"

/*
 * Writes RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET, MCFG and the compiled DSDT into the area below
 * 1 MiB and returns the RSDP's address. 0 when dsdt isn't a DSDT that fits there, or RAM ends
 * below. ACPI mode is always on (SMI_CMD is 0), all registers are in the I/O ports of pc/layout.h.
 */
gpa_t acpi_write(const struct gmem *gmem, const uint8_t *dsdt, uint64_t dsdt_size_bytes);

#endif
