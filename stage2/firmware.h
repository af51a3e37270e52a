/* What stage 2 asks of the firmware before it loads anything. Each function returns
 * only when the machine can carry on; otherwise it says why not and rests. */
#ifndef STAGE2_FIRMWARE_H
#define STAGE2_FIRMWARE_H

#include "lib/memmap.h"

void firmware_enable_a20(void);
void firmware_read_memory_map(struct memmap *map);
/* The ACPI root pointer by the search that BIOS machines allow; 0 where there is none. */
uint32_t firmware_find_rsdp(void);

#endif
