/* Memory from the firmware, and the map of it that the VMM gets. */
#ifndef STAGE2_EFI_MEMORY_H
#define STAGE2_EFI_MEMORY_H

#include "lib/memmap.h"

/* Whole pages for size_bytes, as high as free memory below `limit` allows; 0 where there is no
 * piece so large. Not zeroed. */
uint64_t memory_allocate(uint64_t size_bytes, uint64_t limit);
void memory_zero(uint64_t address, uint64_t size_bytes);
void memory_free(uint64_t address, uint64_t size_bytes);
/* The size of the largest free piece below `limit`. */
uint64_t memory_largest(uint64_t limit);

/* The map as it is after ExitBootServices, with nothing marked as the loader's. */
void memory_map_after_exit(struct memmap *map);
/* Leaves the firmware: from here on none of its services may be called. Gives the same map. */
void memory_exit_boot_services(struct memmap *map);

#endif
