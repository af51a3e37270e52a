/*
 * Where stage 2 keeps what: fixed addresses below 640 KiB, drawn in docs/BOOT.md. entry.asm and
 * stage2.ld repeat those marked with a star; a difference would show in the first boot test.
 */
#ifndef STAGE2_LAYOUT_H
#define STAGE2_LAYOUT_H

#define LAYOUT_MBR         0x07c00u /* the boot sector as the BIOS loaded it */
#define LAYOUT_BOUNCE      0x20000u /* BIOS reads land here: one 64 KiB block */
#define LAYOUT_PAGE_TABLES 0x30000u /* PML4, PDPT and four page directories */
#define LAYOUT_BOOT_INFO   0x36000u /* two pages */
#define LAYOUT_BIOS_BUFFER 0x38000u /* what small BIOS calls fill in */
#define LAYOUT_LOG         0x39000u /* what stage 2 said, as text */
#define LAYOUT_LOG_SIZE    0x02000u
#define LAYOUT_MANIFEST    0x3b000u /* the text of pxhv.sum, up to LAYOUT_CONFIG */
#define LAYOUT_CONFIG      0x40000u /* the text of pxhv.cfg */
#define LAYOUT_CONFIG_SIZE 0x10000u
#define LAYOUT_STACK_TOP   0x58000u /* the 32-bit stack, 32 KiB downwards (*) */
#define LAYOUT_END         0x58000u /* all of [0, LAYOUT_END) stays the loader's */

#endif
