/* See load.h. The same order and the same words as stage2/load.c; here the firmware reads the file
 * system. */
#include "load.h"

#include "console.h"
#include "efi.h"
#include "lib/bits.h"
#include "lib/cksum.h"
#include "lib/manifest.h"
#include "lib/mem.h"
#include "memory.h"
#include "stage2/elf.h"
#include "stage2/progress.h"

#define CONFIG_FILE  "pxhv.cfg"
#define CONFIG_BYTES KIB(64)
#define VMM_FILE     "pxhv.elf"
#define VMM_BYTES    MIB(64)
#define STEP_BYTES   MIB(1) /* some firmware fails on larger reads */
#define NAME_UNITS   (BOOT_INFO_NAME_SIZE + 2)

static const struct efi_guid loaded_image_guid = {
    0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid simple_file_system_guid = {
    0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid file_info_guid = {
    0x09576e92, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};

static struct efi_file *volume;
static struct manifest manifest;

struct open_file {
    const char *name;
    struct efi_file *file;
    uint64_t size_bytes;
    uint32_t date; /* of the last write, as manifest_date() packs it */
};

static _Noreturn void die_of(const char *name, efi_status status)
{
    if (status != EFI_NOT_FOUND)
        die("the firmware can't read \"%s\" (status %llx): the stick or its file system is "
            "damaged: repair it (fsck.vfat, chkdsk) or write the stick again",
            name, (unsigned long long)status);
    if (str_eq(name, CONFIG_FILE) || str_eq(name, VMM_FILE))
        die("the file \"%s\" is not on this stick: copy it to the stick's top folder", name);
    die("the file \"%s\" named by " CONFIG_FILE
        " is not on this stick: copy it there or correct " CONFIG_FILE,
        name);
}

/* ---- the volume ---- */

void load_mount(void)
{
    struct efi_boot_services *boot = efi->BootServices;
    struct efi_loaded_image *image = NULL;
    struct efi_simple_file_system *file_system = NULL;

    if (boot->HandleProtocol(efi_image, &loaded_image_guid, &image) != EFI_SUCCESS ||
        boot->HandleProtocol(image->DeviceHandle, &simple_file_system_guid, &file_system) !=
            EFI_SUCCESS ||
        file_system->OpenVolume(file_system, &volume) != EFI_SUCCESS)
        die("the firmware doesn't give access to the volume that it started this program from: "
            "start \\EFI\\BOOT\\BOOTX64.EFI from the stick itself");
}

/* In UTF-16, from the top folder, with the separator of UEFI's paths. */
static void path_of(uint16_t path[NAME_UNITS], const char *name)
{
    unsigned count = 0;

    path[count++] = '\\';
    while (*name && count < NAME_UNITS - 1) {
        uint16_t unit = console_next_unit(&name);
        path[count++] = unit == '/' ? '\\' : unit;
    }
    path[count] = 0;
}

/* Not read yet. *status is EFI_NOT_FOUND where there is no such file. */
static struct open_file try_open(const char *name, efi_status *status)
{
    struct open_file opened = {.name = name};
    uint16_t path[NAME_UNITS];
    union {
        struct efi_file_info info;
        uint8_t bytes[sizeof(struct efi_file_info) + 1024];
    } buffer;
    const struct efi_time *time = &buffer.info.ModificationTime;
    uint64_t size = sizeof(buffer);

    path_of(path, name);
    *status = volume->Open(volume, &opened.file, path, EFI_FILE_MODE_READ, 0);
    if (*status == EFI_SUCCESS)
        *status = opened.file->GetInfo(opened.file, &file_info_guid, &size, &buffer);
    if (*status != EFI_SUCCESS)
        return opened;
    if (buffer.info.Attribute & EFI_FILE_DIRECTORY)
        die("\"%s\" is a folder where a file is needed: correct " CONFIG_FILE " or the stick",
            name);
    opened.size_bytes = buffer.info.FileSize;
    opened.date =
        manifest_date(time->Year, time->Month, time->Day, time->Hour, time->Minute, time->Second);
    return opened;
}

static struct open_file open_file(const char *name)
{
    efi_status status;
    struct open_file opened = try_open(name, &status);

    if (status != EFI_SUCCESS)
        die_of(name, status);
    if (!opened.size_bytes)
        die("the file \"%s\" is empty: copy it to the stick again", name);
    return opened;
}

/* ---- one file ---- */

/* Reads an opened file to address and compares it with the manifest. */
static void read_file(struct open_file *opened, uint64_t address)
{
    struct cksum sum = {0};

    progress_begin(opened->name, (uint32_t)opened->size_bytes);
    for (uint64_t done = 0; done < opened->size_bytes; progress_step((uint32_t)done)) {
        uint64_t size = min_u64(STEP_BYTES, opened->size_bytes - done), wanted = size;
        efi_status status = opened->file->Read(opened->file, &size, (void *)(address + done));
        if (status != EFI_SUCCESS || size != wanted)
            die_of(opened->name, status == EFI_NOT_FOUND ? EFI_ERROR : status);
        cksum_add(&sum, (const void *)(address + done), size);
        done += size;
    }
    opened->file->Close(opened->file);
    enum manifest_verdict verdict = manifest_judge(&manifest, opened->name, opened->size_bytes,
                                                   opened->date, cksum_value(&sum));
    progress_end(manifest.text ? manifest_word(verdict) : "ok");
    if (verdict == MANIFEST_DAMAGED)
        die(MANIFEST_DAMAGED_TEXT, opened->name);
}

/* A stick without pxhv.sum is one that somebody put together by hand: nothing to compare with. */
static void load_manifest(void)
{
    static char text[MANIFEST_MAX_SIZE];
    efi_status status;
    struct open_file opened = try_open(MANIFEST_FILE, &status);
    unsigned line;

    if (status == EFI_NOT_FOUND) {
        console_print("  no " MANIFEST_FILE " on this stick: files are not checked\n");
        return;
    }
    if (status != EFI_SUCCESS)
        die_of(MANIFEST_FILE, status);
    if (opened.size_bytes > MANIFEST_MAX_SIZE)
        die(MANIFEST_FILE " is larger than %u KiB: delete it, or write the stick again",
            MANIFEST_MAX_SIZE >> 10);
    read_file(&opened, (uint64_t)text);
    if (!manifest_open(&manifest, text, opened.size_bytes, &line))
        die(MANIFEST_FILE " is damaged (line %u): write the stick again, or delete " MANIFEST_FILE
                          " to boot without checks",
            line);
}

/* ---- into memory ---- */

/* Loads a file page aligned, below 4 GiB where there is room; the last page ends in zeros. */
static uint64_t load_file(const char *name, uint64_t most, uint64_t *size_bytes)
{
    struct open_file opened = open_file(name);
    char need[PROGRESS_SIZE_TEXT], have[PROGRESS_SIZE_TEXT];

    if (opened.size_bytes > most)
        die("%s is larger than %s: is it the right file?", name, progress_size(have, most));
    uint64_t address = memory_allocate(opened.size_bytes, GIB(4));
    if (!address)
        address = memory_allocate(opened.size_bytes, UINT64_MAX);
    if (!address)
        die("the file \"%s\" needs %s of memory, but only %s are free in one piece: use a smaller "
            "file or a machine with more memory",
            name, progress_size(need, opened.size_bytes),
            progress_size(have, memory_largest(UINT64_MAX)));
    read_file(&opened, address);
    memory_zero(address + opened.size_bytes,
                align_up(opened.size_bytes, PAGE_SIZE) - opened.size_bytes);
    *size_bytes = opened.size_bytes;
    return address;
}

void load_config(struct config *config, struct boot_info *info)
{
    struct ini_error error;

    progress_init();
    load_manifest();
    info->config_address = load_file(CONFIG_FILE, CONFIG_BYTES, &info->config_size_bytes);
    if (!config_parse((const char *)info->config_address, info->config_size_bytes, config,
                      &error)) {
        if (error.line)
            die(CONFIG_FILE " line %u: %s", error.line, error.reason);
        die(CONFIG_FILE ": %s", error.reason);
    }
}

/* The VMM's place may still be the firmware's: what shall be there is laid out elsewhere. */
void load_vmm(struct vmm_image *vmm)
{
    struct elf_image image;
    uint64_t size_bytes, file = load_file(VMM_FILE, VMM_BYTES, &size_bytes);
    const uint8_t *bytes = (const uint8_t *)file;
    const char *reason = elf_check(bytes, (uint32_t)size_bytes, &image);

    if (reason)
        die(VMM_FILE " can't be started: %s: write the stick again", reason);
    uint64_t copy = memory_allocate(image.size_bytes, GIB(4));
    if (!copy)
        die(VMM_FILE " needs more memory below 4 GiB than this machine has free");
    memory_zero(copy, image.size_bytes);
    for (unsigned i = 0; i < image.segment_count; i++) {
        const struct elf_segment *segment = &image.segment[i];
        memcpy((uint8_t *)copy + (segment->address - image.base), bytes + segment->file_offset,
               segment->file_bytes);
    }
    memory_free(file, size_bytes);
    *vmm = (struct vmm_image){copy, image.base, image.size_bytes, image.entry};
}

/* Two keys may name the same file: it is loaded once. */
static void load_named(const char *name, struct boot_info *info)
{
    if (!*name)
        return;
    for (uint32_t i = 0; i < info->file_count; i++)
        if (str_eq(info->files[i].name, name))
            return;
    struct boot_file *file = &info->files[info->file_count];
    file->address = load_file(name, UINT32_MAX, &file->size_bytes);
    str_copy(file->name, sizeof(file->name), name);
    info->file_count++;
}

void load_files(const struct config *config, struct boot_info *info)
{
    _Static_assert(2 + CONFIG_MAX_DISKS <= BOOT_INFO_MAX_FILES, "every file has an entry");
    _Static_assert(CONFIG_PATH_SIZE <= BOOT_INFO_NAME_SIZE, "every name fits");

    load_named(config->vm.kernel, info);
    load_named(config->vm.initrd, info);
    for (unsigned i = 0; i < config->vm.disk_count; i++)
        load_named(config->vm.disk[i], info);
    progress_total();
}

static void mark(struct memmap *map, uint64_t address, uint64_t size_bytes)
{
    if (!memmap_reserve(map, align_down(address, PAGE_SIZE), align_up(size_bytes, PAGE_SIZE)))
        die("the firmware's memory map is too long: look for a firmware update");
}

void load_mark(struct memmap *map, const struct boot_info *info, const struct vmm_image *vmm)
{
    mark(map, info->config_address, info->config_size_bytes);
    for (uint32_t i = 0; i < info->file_count; i++)
        mark(map, info->files[i].address, info->files[i].size_bytes);
    mark(map, handover_base(), handover_size());
    if (!memmap_is_usable(map, vmm->base, vmm->size_bytes))
        die(VMM_FILE " needs the memory from %llx to %llx, which this machine doesn't have or has "
                     "in use",
            (unsigned long long)vmm->base, (unsigned long long)(vmm->base + vmm->size_bytes));
    mark(map, vmm->base, vmm->size_bytes);
}
