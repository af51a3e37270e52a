/* ACPI's list of interrupt controllers. Pure C; its bytes are the firmware's. */
#ifndef HW_MADT_H
#define HW_MADT_H

#include "lib/types.h"

/* Puts the addresses of the I/O APICs that the table (length bytes, header included) names into
 * address[]; at most `most`. How many. An entry that doesn't add up ends the list. */
unsigned madt_io_apics(const uint8_t *table, uint32_t length, uint32_t *address, unsigned most);

#endif
