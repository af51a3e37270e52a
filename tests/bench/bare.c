/*
 * The other side of every comparison: takes the VMM's place on the stick, puts the same kernel
 * into the real machine's memory with the very loader that pxHV uses, and jumps to it. So bare
 * metal and guest begin with the same file, at the same instruction, in the same state.
 */
#include "dev/gmem.h"
#include "lib/assert.h"
#include "lib/boot_info.h"
#include "lib/config.h"
#include "lib/fmt.h"
#include "lib/mem.h"
#include "pc/bzimage.h"

_Noreturn void bare_enter(gpa_t entry, gpa_t zero_page, gpa_t page_tables, gpa_t stack,
                          const void *gdt_pointer);

static uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void print(const char *text)
{
    for (; *text; text++) {
        while (!(in8(0x3FD) & 0x20))
            ;
        __asm__ volatile("outb %0, %1" : : "a"(*text), "Nd"((uint16_t)0x3F8));
    }
}

static _Noreturn void stop(const char *text)
{
    print("bare: error: ");
    print(text);
    print("\r\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void panic_at(const char *file, int line, const char *format, ...)
{
    (void)file;
    (void)line;
    stop(format);
}

static struct guest_file find(const struct boot_info *boot, const char *name)
{
    for (unsigned i = 0; name[0] && i < boot->file_count; i++)
        if (str_eq(boot->files[i].name, name))
            return (struct guest_file){name, (const uint8_t *)boot->files[i].address,
                                       boot->files[i].size_bytes};
    return (struct guest_file){.name = ""};
}

/* The firmware's map: what the loader holds is the kernel's again, but for the first 4 KiB. */
static void copy_e820(struct e820 *map, const struct boot_info *boot)
{
    map->count = 0;
    for (unsigned i = 0; i < boot->memory_count; i++) {
        const struct boot_memory *from = &boot->memory[i];
        bool usable = from->type == BOOT_MEMORY_USABLE || from->type == BOOT_MEMORY_LOADER;
        enum e820_type type = usable ? E820_USABLE : E820_RESERVED;
        struct e820_entry *last = map->count ? &map->entry[map->count - 1] : NULL;
        if (last && last->type == type && last->base + last->size_bytes == from->base)
            last->size_bytes += from->size_bytes;
        else if (map->count == E820_MAX_ENTRIES)
            stop("the memory map has too many entries");
        else
            map->entry[map->count++] = (struct e820_entry){from->base, from->size_bytes, type};
    }
}

/* The files lie at the top of memory: the kernel and the initrd's copy go below them. */
static uint64_t free_end(const struct boot_info *boot)
{
    uint64_t end = UINT64_MAX;
    for (unsigned i = 0; i < boot->file_count; i++)
        if (boot->files[i].address < end)
            end = boot->files[i].address;
    return end & ~(uint64_t)(PAGE_SIZE - 1);
}

void bare_main(const struct boot_info *from)
{
    static struct boot_info boot;
    static struct config config;
    static struct e820 e820;
    static struct gmem gmem;
    static char text[BZIMAGE_ERROR_SIZE];
    struct ini_error error;

    boot = *from;
    if (!config_parse((const char *)boot.config_address, boot.config_size_bytes, &config, &error))
        stop(error.reason);
    copy_e820(&e820, &boot);
    gmem = (struct gmem){1, {{0, free_end(&boot), (uint8_t *)0}}};
    const struct bzimage_request request = {
        .gmem = &gmem,
        .kernel = find(&boot, config.vm.kernel),
        .initrd = find(&boot, config.vm.initrd),
        .cmdline = config.vm.cmdline,
        .e820 = &e820,
        .rsdp = boot.rsdp,
    };
    struct bzimage_entry entry;
    if (!bzimage_load(&request, &entry, text))
        stop(text);
    if (!entry.long_mode)
        stop("the kernel has no 64-bit entry");

    static struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdt_pointer;
    gdt_pointer.limit = entry.gdt_limit;
    gdt_pointer.base = entry.gdt;
    fmt_snprintf(text, sizeof text, "bench: enter %llu\r\n", (unsigned long long)read_tsc());
    print(text);
    bare_enter(entry.entry, entry.zero_page, entry.page_tables, entry.stack, &gdt_pointer);
}
