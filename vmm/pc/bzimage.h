/*
 * The Linux loader: takes a bzImage, an initrd and a command line as untrusted bytes, puts them
 * into guest memory and says how the CPU must look at the kernel's first instruction.
 */
#ifndef PC_BZIMAGE_H
#define PC_BZIMAGE_H

#include "dev/gmem.h"
#include "pc/e820.h"

#define BZIMAGE_ERROR_SIZE 400

/* A file that the boot loader left in host memory. */
struct guest_file {
    const char *name; /* as pxhv.cfg spells it, for messages */
    const uint8_t *data;
    uint64_t size_bytes; /* 0: there is no such file */
};

/* What the setup header says, checked. Fields that the kernel's protocol lacks hold the values
 * that the protocol prescribes for their absence. */
struct bzimage_info {
    uint16_t version;    /* 020Fh is protocol 2.15 */
    uint32_t header_end; /* file offset behind the last byte of the setup header */
    uint64_t code_offset;
    uint64_t code_size_bytes; /* all of the file from code_offset on */
    bool entry64;
    bool relocatable;
    uint32_t alignment;
    gpa_t pref_address; /* 0: no preference */
    uint64_t init_size_bytes;
    uint64_t cmdline_max; /* characters, the final NUL not counted */
    gpa_t initrd_end_max; /* the initrd must end at or below */
};

struct bzimage_request {
    const struct gmem *gmem;
    struct guest_file kernel;
    struct guest_file initrd;
    const char *cmdline;
    const struct e820 *e820;
    gpa_t rsdp; /* 0: none */
};

/* The CPU's state at entry; segments are flat, __BOOT_CS is 10h and __BOOT_DS 18h, interrupts are
 * off. long_mode false: protected mode without paging. */
struct bzimage_entry {
    bool long_mode;
    gpa_t entry;
    gpa_t zero_page; /* goes into RSI */
    gpa_t page_tables;
    gpa_t gdt;
    uint16_t gdt_limit;
    gpa_t stack;
    gpa_t kernel_end; /* the kernel unpacks itself below */
    gpa_t initrd;     /* 0: none */
};

/* False with one sentence in error (BZIMAGE_ERROR_SIZE bytes) that names the file and the remedy.
 * Reads nothing outside of the file. */
bool bzimage_check(const struct guest_file *file, struct bzimage_info *info, char *error);

/* Writes kernel, initrd, command line, zero page, descriptor table and page tables. False as
 * above; guest memory may then be written in part. The guest must not be running. */
bool bzimage_load(const struct bzimage_request *request, struct bzimage_entry *entry, char *error);

#endif
