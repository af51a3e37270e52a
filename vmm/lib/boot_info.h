/*
 * What a boot loader hands to the VMM: our stage 2 on a BIOS, our UEFI program, GRUB. Written by
 * 32-bit code and read by 64-bit code, so every field has a fixed width and natural alignment.
 */
#ifndef LIB_BOOT_INFO_H
#define LIB_BOOT_INFO_H

#include "lib/types.h"

#define BOOT_INFO_MAGIC      0x56487870u /* "pxHV" */
#define BOOT_INFO_VERSION    2u
#define BOOT_INFO_MAX_MEMORY 128
#define BOOT_INFO_MAX_FILES  16
#define BOOT_INFO_NAME_SIZE  128

/* Memory types as the BIOS's INT 15h E820h names them. */
enum boot_memory_type {
    BOOT_MEMORY_USABLE = 1,
    BOOT_MEMORY_RESERVED = 2,
    BOOT_MEMORY_ACPI = 3,
    BOOT_MEMORY_NVS = 4,
    BOOT_MEMORY_BAD = 5,
    BOOT_MEMORY_LOADER = 0x1000 /* the loader's own: files, boot_info, VMM image; never reused */
};

struct boot_memory {
    uint64_t base;
    uint64_t size_bytes;
    uint32_t type;
    uint32_t reserved;
};

struct boot_file {
    char name[BOOT_INFO_NAME_SIZE]; /* as pxhv.cfg spells it */
    uint64_t address;               /* physical, page aligned */
    uint64_t size_bytes;
};

enum boot_screen_type { BOOT_SCREEN_NONE, BOOT_SCREEN_VGA_TEXT, BOOT_SCREEN_FRAMEBUFFER };

struct boot_screen {
    uint32_t type;
    uint32_t width; /* characters or pixels */
    uint32_t height;
    uint32_t pitch_bytes;
    uint32_t bits_per_pixel;
    uint32_t cursor_row; /* text: where the loader's output ended */
    uint64_t address;
    /* Framebuffer of 15 to 32 bits a pixel: where a colour's bits lie in a pixel, and how many. */
    uint8_t red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
    uint8_t reserved[2];
};

enum boot_loader { BOOT_LOADER_BIOS = 1, BOOT_LOADER_UEFI = 2, BOOT_LOADER_MULTIBOOT2 = 3 };

struct boot_info {
    uint32_t magic;
    uint32_t version;
    uint32_t size_bytes; /* sizeof(struct boot_info), a check of both sides */
    uint32_t memory_count;
    uint32_t file_count;
    uint32_t serial_port;    /* I/O base of COM1 (3F8h), 0 where no UART answered */
    uint64_t rsdp;           /* ACPI root pointer, 0 where the loader doesn't know */
    uint64_t config_address; /* the text of pxhv.cfg */
    uint64_t config_size_bytes;
    uint64_t vmm_base; /* what the VMM's ELF segments occupy, .bss included */
    uint64_t vmm_size_bytes;
    uint64_t tsc_stage2;  /* TSC when stage 2 began: 0 where unknown */
    uint64_t tsc_loaded;  /* TSC when the files were in memory */
    uint64_t log_address; /* what the loader has said so far, as text; 0: not kept */
    uint32_t log_size_bytes;
    uint32_t loader; /* enum boot_loader */
    struct boot_screen screen;
    struct boot_memory memory[BOOT_INFO_MAX_MEMORY]; /* sorted by base, not overlapping */
    struct boot_file files[BOOT_INFO_MAX_FILES];     /* each name once */
};

#endif
