/* The work of the BIOS that this PC doesn't have: what software expects to find in memory. */
#ifndef PC_FIRMWARE_H
#define PC_FIRMWARE_H

#include "dev/gmem.h"

/* Clears the first megabyte, then writes the BIOS data area, the EBDA and the ACPI tables. Gives
 * the RSDP's address; 0 when the DSDT is unusable or the RAM is smaller than 1 MiB. */
gpa_t firmware_write(const struct gmem *gmem, const uint8_t *dsdt, uint64_t dsdt_size_bytes);

#endif
