/*
 * "Zero Page" and "The Linux/x86 Boot Protocol", 32-bit and 64-bit. Everything not named here is
 * zero: in screen_info that means no screen (no lines, no columns), which makes Linux leave the
 * absent VGA alone.
 */
#include "pc/zero_page.h"

#include "lib/mem.h"
#include "pc/layout.h"

#define ZP_ACPI_RSDP_ADDR 0x070u /* ignored by kernels before 5.0, which search for it */
#define ZP_E820_ENTRIES   0x1E8u
#define ZP_HEADER         0x1F1u
#define ZP_VID_MODE       0x1FAu
#define ZP_TYPE_OF_LOADER 0x210u
#define ZP_LOADFLAGS      0x211u
#define ZP_CODE32_START   0x214u
#define ZP_RAMDISK_IMAGE  0x218u
#define ZP_RAMDISK_SIZE   0x21Cu
#define ZP_HEAP_END_PTR   0x224u
#define ZP_CMD_LINE_PTR   0x228u
#define ZP_SUBARCH        0x23Cu
#define ZP_SETUP_DATA     0x250u
#define ZP_E820_TABLE     0x2D0u
#define ZP_E820_SIZE      20u

#define VID_MODE_NORMAL  0xFFFFu
#define LOADER_UNDEFINED 0xFFu
#define LOADFLAGS_HEAP   BIT(7)
#define LOADFLAGS_KEEP   BIT(6) /* KEEP_SEGMENTS: ours to write, and not wanted */
#define HEAP_END         0xFE00u
#define PAGE_TABLE_COUNT 6u
#define PAGE_RW          3u
#define PAGE_RW_LARGE    0x83u

#define GDT_CODE32 0x00CF9B000000FFFFull
#define GDT_CODE64 0x00AF9B000000FFFFull
#define GDT_DATA   0x00CF93000000FFFFull

static void write_e820(uint8_t *page, const struct e820 *map)
{
    page[ZP_E820_ENTRIES] = (uint8_t)map->count;
    for (unsigned i = 0; i < map->count; i++) {
        uint8_t *entry = page + ZP_E820_TABLE + i * ZP_E820_SIZE;

        store_le64(entry, map->entry[i].base);
        store_le64(entry + 8, map->entry[i].size_bytes);
        store_le32(entry + 16, map->entry[i].type);
    }
}

bool zero_page_write(const struct gmem *gmem, const struct zero_page_content *content)
{
    uint8_t *page = gmem_ptr(gmem, PC_ZERO_PAGE, PAGE_SIZE);

    if (!page)
        return false;
    memset(page, 0, PAGE_SIZE);
    memcpy(page + ZP_HEADER, content->setup + ZP_HEADER, content->header_end - ZP_HEADER);
    store_le16(page + ZP_VID_MODE, VID_MODE_NORMAL);
    page[ZP_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    page[ZP_LOADFLAGS] = (uint8_t)((page[ZP_LOADFLAGS] & ~LOADFLAGS_KEEP) | LOADFLAGS_HEAP);
    store_le32(page + ZP_CODE32_START, content->load);
    store_le32(page + ZP_RAMDISK_IMAGE, content->initrd);
    store_le32(page + ZP_RAMDISK_SIZE, content->initrd ? content->initrd_size_bytes : 0);
    store_le16(page + ZP_HEAP_END_PTR, HEAP_END);
    store_le32(page + ZP_CMD_LINE_PTR, PC_CMDLINE);
    /* A file's bytes must not choose a subarchitecture or link a list of our data. */
    if (content->header_end > ZP_SUBARCH)
        memset(page + ZP_SUBARCH, 0, 12);
    if (content->header_end > ZP_SETUP_DATA)
        store_le64(page + ZP_SETUP_DATA, 0);
    store_le64(page + ZP_ACPI_RSDP_ADDR, content->rsdp);
    write_e820(page, content->e820);
    return true;
}

/* Four page directories of 2 MiB pages: no CPU lacks those, 1 GiB pages are optional. */
static void write_page_tables(uint8_t *tables)
{
    uint8_t *pdpt = tables + PAGE_SIZE;
    uint8_t *directories = tables + 2 * PAGE_SIZE;

    memset(tables, 0, 2 * PAGE_SIZE);
    store_le64(tables, (PC_PAGE_TABLES + PAGE_SIZE) | PAGE_RW);
    for (unsigned i = 0; i < 4; i++)
        store_le64(pdpt + i * 8, (PC_PAGE_TABLES + (2 + i) * PAGE_SIZE) | PAGE_RW);
    for (unsigned i = 0; i < 4 * 512; i++)
        store_le64(directories + i * 8, MIB(2) * i | PAGE_RW_LARGE);
}

bool boot_tables_write(const struct gmem *gmem, bool long_mode)
{
    uint8_t *tables = gmem_ptr(gmem, PC_PAGE_TABLES, PAGE_TABLE_COUNT * PAGE_SIZE);
    uint8_t *gdt = gmem_ptr(gmem, PC_GDT, ZERO_PAGE_GDT_SIZE);

    if (!tables || !gdt)
        return false;
    memset(gdt, 0, ZERO_PAGE_GDT_SIZE);
    store_le64(gdt + 0x10, long_mode ? GDT_CODE64 : GDT_CODE32);
    store_le64(gdt + 0x18, GDT_DATA);
    if (long_mode)
        write_page_tables(tables);
    return true;
}
