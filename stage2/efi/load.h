/* Files from the volume that this program was started from into memory, with a progress display. */
#ifndef STAGE2_EFI_LOAD_H
#define STAGE2_EFI_LOAD_H

#include "handover.h"
#include "lib/boot_info.h"
#include "lib/config.h"
#include "lib/memmap.h"

/* Opens the volume. */
void load_mount(void);

/* Reads pxhv.sum, then reads and parses pxhv.cfg; its place goes into info. */
void load_config(struct config *config, struct boot_info *info);

/* Reads pxhv.elf and stages what its segments make in memory. */
void load_vmm(struct vmm_image *vmm);

/* Loads every file that the configuration names. */
void load_files(const struct config *config, struct boot_info *info);

/* Marks what info and vmm hold in the map, and that the VMM's own place is free for it. */
void load_mark(struct memmap *map, const struct boot_info *info, const struct vmm_image *vmm);

#endif
