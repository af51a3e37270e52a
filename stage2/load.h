/* Files from the own stick into memory, with a progress display. */
#ifndef STAGE2_LOAD_H
#define STAGE2_LOAD_H

#include "lib/boot_info.h"
#include "lib/config.h"
#include "lib/memmap.h"

/* Finds the own disk and its FAT32 volume; boot_drive as the BIOS named it. */
void load_mount(uint8_t boot_drive);

/* Reads and parses pxhv.cfg: its text lies at LAYOUT_CONFIG. Returns its size. */
uint32_t load_config(struct config *config);

/* Loads pxhv.elf to where it is linked, reserves that in the map, and returns its entry point. */
uint32_t load_vmm(struct memmap *map, struct boot_info *info);

/* Loads every file that the configuration names. */
void load_files(struct memmap *map, const struct config *config, struct boot_info *info);

#endif
