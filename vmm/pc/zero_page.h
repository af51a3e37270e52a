/* What a Linux kernel finds at entry: the zero page, a descriptor table and page tables. */
#ifndef PC_ZERO_PAGE_H
#define PC_ZERO_PAGE_H

#include "dev/gmem.h"
#include "pc/e820.h"

#define ZERO_PAGE_HEADER_END 0x290u /* the EDD signatures follow */
#define ZERO_PAGE_GDT_SIZE   32u    /* null, unused, __BOOT_CS 10h, __BOOT_DS 18h */

struct zero_page_content {
    const uint8_t *setup; /* the kernel file, of which [1F1h, header_end) is copied */
    uint32_t header_end;  /* 23Ch to ZERO_PAGE_HEADER_END */
    uint32_t load;
    uint32_t initrd; /* 0: none */
    uint32_t initrd_size_bytes;
    const struct e820 *e820;
    gpa_t rsdp;
};

/* Writes the zero page at PC_ZERO_PAGE for a command line at PC_CMDLINE. False when no RAM is
 * there. */
bool zero_page_write(const struct gmem *gmem, const struct zero_page_content *content);

/* Writes the flat GDT and, for long mode, tables that map the first 4 GiB to themselves. */
bool boot_tables_write(const struct gmem *gmem, bool long_mode);

#endif
