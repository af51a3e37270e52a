/* What a multiboot2 loader hands over, as struct boot_info. Pure C; the loader is not trusted. */
#ifndef BOOT_MULTIBOOT2_H
#define BOOT_MULTIBOOT2_H

#include "lib/boot_info.h"

/* The VMM's own place, and the TSC at its entry. */
struct multiboot2_image {
    uint64_t base, end, tsc;
};

/* Reads the boot information at `info`. What is missing or damaged stays empty in the result, which
 * the VMM then refuses: memory_count 0 where there is no memory map or too long a one,
 * config_address 0 without a module "pxhv.cfg". The result is static. */
const struct boot_info *multiboot2_boot_info(const uint8_t *info,
                                             const struct multiboot2_image *image);

#endif
