/* The UEFI loader's story, from the firmware's call to the VMM's first instruction: stage 2 of a
 * machine without a BIOS. */
#include "console.h"
#include "efi.h"
#include "handover.h"
#include "lib/cksum.h"
#include "lib/mem.h"
#include "load.h"
#include "memory.h"
#include "screen.h"
#include "stage2/cpu.h"

efi_handle efi_image;
struct efi_system_table *efi;

static const struct efi_guid acpi_20_guid = {
    0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};
static const struct efi_guid acpi_10_guid = {
    0xeb9d2d30, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};

static uint64_t find_table(const struct efi_guid *guid)
{
    for (uint64_t i = 0; i < efi->NumberOfTableEntries; i++)
        if (memcmp(&efi->ConfigurationTable[i].VendorGuid, guid, sizeof(*guid)) == 0)
            return (uint64_t)efi->ConfigurationTable[i].VendorTable;
    return 0;
}

static void greet(void)
{
    char vendor[48];
    unsigned count = 0;

    for (const uint16_t *c = efi->FirmwareVendor; c && *c && count < sizeof(vendor) - 1; c++)
        vendor[count++] = *c >= ' ' && *c <= '~' ? (char)*c : '?';
    vendor[count] = 0;
    console_print("pxHV: Pixel Hypervisor v" PXHV_VERSION "\n");
    console_print("Stage 2: Hypervisor loader\n");
    console_print("UEFI %u.%u by %s\n", efi->Hdr.Revision >> 16, (efi->Hdr.Revision & 0xffff) / 10,
                  vendor);
}

static void fill_boot_info(struct boot_info *info, const struct vmm_image *vmm)
{
    info->magic = BOOT_INFO_MAGIC;
    info->version = BOOT_INFO_VERSION;
    info->size_bytes = sizeof(*info);
    info->loader = BOOT_LOADER_UEFI;
    info->serial_port = console_serial_port();
    info->rsdp = find_table(&acpi_20_guid);
    if (!info->rsdp)
        info->rsdp = find_table(&acpi_10_guid);
    info->vmm_base = vmm->base;
    info->vmm_size_bytes = vmm->size_bytes;
}

/* A refusal must come while the firmware can still show it, so the map is made twice. */
static void leave_firmware(struct boot_info *info, const struct vmm_image *vmm,
                           const struct config *config)
{
    static struct memmap map;

    memory_map_after_exit(&map);
    load_mark(&map, info, vmm);
    if (config->screen_width)
        screen_set(config->screen_width, config->screen_height);
    screen_describe(&info->screen);
    memory_exit_boot_services(&map);
    load_mark(&map, info, vmm);
    info->memory_count = map.count;
    memcpy(info->memory, map.entry, map.count * sizeof(map.entry[0]));
}

EFIAPI efi_status efi_main(efi_handle image, struct efi_system_table *table)
{
    static struct config config;
    struct vmm_image vmm;
    uint64_t begin = rdtsc();

    efi_image = image;
    efi = table;
    efi->BootServices->SetWatchdogTimer(0, 0, 0, NULL);
    console_init();
    greet();
    cpu_check(true);
    cksum_set_folding(cksum_can_fold(cpuid(1).ecx)); /* SSE is on: "x64 Platforms" */
    handover_init();
    struct boot_info *info = handover_boot_info();
    info->tsc_stage2 = begin;

    load_mount();
    load_config(&config, info);
    load_vmm(&vmm);
    load_files(&config, info);
    fill_boot_info(info, &vmm);
    info->tsc_loaded = rdtsc();

    console_print("Long mode enabled\n"); /* by the firmware: a 32-bit one can't start this file */
    leave_firmware(info, &vmm, &config);
    handover_jump(&vmm);
}
