/* Stage 2's story, from the first line on the screen to the VMM's first instruction. */
#include "console.h"
#include "firmware.h"
#include "layout.h"
#include "lib/bits.h"
#include "lib/boot_info.h"
#include "lib/cksum.h"
#include "lib/config.h"
#include "lib/mem.h"
#include "load.h"
#include "machine.h"
#include "vbe.h"

#define PIC1_MASK 0x21
#define PIC2_MASK 0xa1

#define MSR_EFER      0xc0000080u
#define EFER_LMA      BIT(10)
#define PAGE_PRESENT  BIT(0)
#define PAGE_WRITABLE BIT(1)
#define PAGE_LARGE    BIT(7)

_Static_assert(sizeof(struct boot_info) <= 2 * PAGE_SIZE, "the layout gives it two pages");

/* Identity map of the first 4 GiB with 2 MiB pages; the VMM soon makes its own tables. */
static void build_page_tables(void)
{
    const uint32_t flags = PAGE_PRESENT | PAGE_WRITABLE, directories = LAYOUT_PAGE_TABLES + 0x2000;
    uint64_t *pml4 = at(LAYOUT_PAGE_TABLES), *pdpt = at(LAYOUT_PAGE_TABLES + 0x1000);
    uint64_t *pd = at(directories);

    memset(pml4, 0, 2 * PAGE_SIZE);
    pml4[0] = (LAYOUT_PAGE_TABLES + 0x1000) | flags;
    for (uint32_t i = 0; i < 4; i++)
        pdpt[i] = (directories + i * PAGE_SIZE) | flags;
    for (uint32_t i = 0; i < 4 * 512; i++)
        pd[i] = i * MIB(2) | flags | PAGE_LARGE;
}

static void fill_boot_info(struct boot_info *info, const struct memmap *map)
{
    info->magic = BOOT_INFO_MAGIC;
    info->version = BOOT_INFO_VERSION;
    info->size_bytes = sizeof(*info);
    info->loader = BOOT_LOADER_BIOS;
    info->serial_port = console_serial_port();
    info->rsdp = firmware_find_rsdp();
    info->config_address = LAYOUT_CONFIG;
    info->memory_count = map->count;
    memcpy(info->memory, map->entry, map->count * sizeof(map->entry[0]));
}

static void fill_screen(struct boot_screen *screen, const struct config *config,
                        const struct memmap *map)
{
    if (config->screen_width && vbe_set(config->screen_width, config->screen_height, map, screen))
        return;
    *screen = (struct boot_screen){.type = BOOT_SCREEN_VGA_TEXT,
                                   .width = 80,
                                   .height = 25,
                                   .pitch_bytes = 160,
                                   .bits_per_pixel = 16,
                                   .address = 0xb8000};
}

static void fill_log(struct boot_info *info)
{
    info->log_address = LAYOUT_LOG;
    info->log_size_bytes = console_log_size();
}

static void enter_long_mode(void)
{
    build_page_tables();
    long_mode_enable(LAYOUT_PAGE_TABLES);
    if (!(rdmsr(MSR_EFER) & EFER_LMA))
        die("the CPU doesn't enter long mode although it offers it: is this a restricted "
            "emulator?");
    console_print("Long mode enabled\n");
}

_Noreturn void stage2_main(uint32_t boot_drive)
{
    static struct memmap map;
    static struct config config;
    struct boot_info *info = at(LAYOUT_BOOT_INFO);

    console_init();
    console_print("Stage 2: Hypervisor loader\n");
    memset(info, 0, sizeof(*info));
    cpu_check(cpu_has_cpuid());
    cpu_enable_sse();
    cksum_set_folding(cksum_can_fold(cpuid(1).ecx));
    info->tsc_stage2 = rdtsc();
    firmware_enable_a20();
    firmware_read_memory_map(&map);

    load_mount((uint8_t)boot_drive);
    info->config_size_bytes = load_config(&config);
    uint32_t entry = load_vmm(&map, info);
    load_files(&map, &config, info);
    fill_boot_info(info, &map);
    info->tsc_loaded = rdtsc();
    fill_screen(&info->screen, &config, &map); /* the last call of the BIOS */

    out8(PIC2_MASK, 0xff);
    out8(PIC1_MASK, 0xff);
    enter_long_mode();
    info->screen.cursor_row = console_row();
    fill_log(info);
    long_mode_jump(entry, LAYOUT_BOOT_INFO);
}
