/* See load.h. The order: the configuration, the VMM, then what the configuration names. */
#include "load.h"

#include "console.h"
#include "disk.h"
#include "elf.h"
#include "fat32.h"
#include "layout.h"
#include "lib/bits.h"
#include "lib/cksum.h"
#include "lib/manifest.h"
#include "lib/mem.h"
#include "machine.h"
#include "progress.h"

_Static_assert(LAYOUT_MANIFEST + MANIFEST_MAX_SIZE <= LAYOUT_CONFIG, "the manifest has its room");

#define CONFIG_FILE "pxhv.cfg"
#define VMM_FILE    "pxhv.elf"
#define LIMIT       GIB(4) /* 32-bit code loads, and the VMM's first page tables end there */

static struct disk disk;
static struct fat32 volume;
static struct manifest manifest;

static _Noreturn void die_of(enum fat32_result result, const char *name)
{
    switch (result) {
    case FAT32_IO_ERROR:
        die("the BIOS can't read \"%s\" (drive %02Xh, sector %llu, INT 13h code %02Xh, %s): the "
            "stick is damaged or its image was cut short: write it again",
            name, disk.drive, (unsigned long long)disk.error_lba, disk.error,
            disk_error_text(&disk));
    case FAT32_NOT_FOUND:
        if (str_eq(name, CONFIG_FILE) || str_eq(name, VMM_FILE))
            die("the file \"%s\" is not on this stick: copy it to the stick's top folder", name);
        die("the file \"%s\" named by " CONFIG_FILE " is not on this stick: copy it there or "
            "correct " CONFIG_FILE,
            name);
    case FAT32_NOT_A_FILE:
        die("\"%s\" is a folder where a file is needed: correct " CONFIG_FILE " or the stick",
            name);
    default:
        die("the file system is damaged at \"%s\": repair it (fsck.vfat, chkdsk) or write the "
            "stick again",
            name);
    }
}

/* ---- one file ---- */

struct reading {
    uint32_t address;
    struct cksum sum;
};

/* Sums up what came since the last step while it is still in the CPU's cache. */
static void step(void *ctx, uint32_t done, uint32_t total)
{
    struct reading *reading = ctx;
    uint32_t before = (uint32_t)reading->sum.size_bytes;

    (void)total;
    cksum_add(&reading->sum, at(reading->address + before), done - before);
    progress_step(done);
}

/* Reads an opened file to address and compares it with the manifest. */
static void read_file(const char *name, const struct fat32_file *file, uint32_t address)
{
    struct reading reading = {.address = address};

    progress_begin(name, file->size_bytes);
    enum fat32_result result = fat32_read(&volume, file, at(address),
                                          (struct fat32_progress){.step = step, .ctx = &reading});
    if (result != FAT32_OK)
        die_of(result, name);
    enum manifest_verdict verdict =
        manifest_judge(&manifest, name, file->size_bytes, file->date, cksum_value(&reading.sum));
    progress_end(manifest.text ? manifest_word(verdict) : "ok");
    if (verdict == MANIFEST_DAMAGED)
        die(MANIFEST_DAMAGED_TEXT, name);
}

/* ---- the volume ---- */

void load_mount(uint8_t boot_drive)
{
    struct disk_partition partition;
    enum fat32_result result = FAT32_NOT_FAT32;

    if (!disk_find_own(&disk, boot_drive))
        die("the BIOS no longer reads the disk it booted from (drive %02Xh, INT 13h code %02Xh, "
            "%s): try another port",
            boot_drive, disk.error, disk_error_text(&disk));
    for (unsigned i = 0; result != FAT32_OK && disk_fat32_partition(i, &partition); i++)
        result = fat32_mount(&volume, (struct fat32_disk){.read_sectors = disk_read, .ctx = &disk},
                             partition.lba, partition.sectors);
    if (result == FAT32_IO_ERROR)
        die_of(result, "the FAT32 partition");
    if (result != FAT32_OK)
        die("this stick has no FAT32 partition with 512-byte sectors: write the image again");
}

static struct fat32_file open_file(const char *name)
{
    struct fat32_file file;
    enum fat32_result result = fat32_open(&volume, name, &file);

    if (result != FAT32_OK)
        die_of(result, name);
    if (!file.size_bytes)
        die("the file \"%s\" is empty: copy it to the stick again", name);
    return file;
}

/* A stick without pxhv.sum is one that somebody put together by hand: nothing to compare with. */
static void load_manifest(void)
{
    struct fat32_file file;
    enum fat32_result result = fat32_open(&volume, MANIFEST_FILE, &file);
    unsigned line;

    if (result == FAT32_NOT_FOUND) {
        console_print("  no " MANIFEST_FILE " on this stick: files are not checked\n");
        return;
    }
    if (result != FAT32_OK)
        die_of(result, MANIFEST_FILE);
    if (file.size_bytes > MANIFEST_MAX_SIZE)
        die(MANIFEST_FILE " is larger than %u KiB: delete it, or write the stick again",
            MANIFEST_MAX_SIZE >> 10);
    read_file(MANIFEST_FILE, &file, LAYOUT_MANIFEST);
    if (!manifest_open(&manifest, at(LAYOUT_MANIFEST), file.size_bytes, &line))
        die(MANIFEST_FILE " is damaged (line %u): write the stick again, or delete " MANIFEST_FILE
                          " to boot without checks",
            line);
}

uint32_t load_config(struct config *config)
{
    progress_init();
    load_manifest();
    struct fat32_file file = open_file(CONFIG_FILE);
    struct ini_error error;

    if (file.size_bytes > LAYOUT_CONFIG_SIZE)
        die(CONFIG_FILE " is larger than %u KiB: is it the right file?", LAYOUT_CONFIG_SIZE >> 10);
    read_file(CONFIG_FILE, &file, LAYOUT_CONFIG);
    if (!config_parse(at(LAYOUT_CONFIG), file.size_bytes, config, &error)) {
        if (error.line)
            die(CONFIG_FILE " line %u: %s", error.line, error.reason);
        die(CONFIG_FILE ": %s", error.reason);
    }
    return file.size_bytes;
}

/* ---- into memory ---- */

/* Loads a file page aligned as high as memory below 4 GiB allows; the last page ends in zeros. */
static uint32_t load_high(struct memmap *map, const char *name, uint32_t *size_bytes)
{
    struct fat32_file file = open_file(name);
    uint64_t address = memmap_allocate(map, file.size_bytes, LIMIT);
    char need[PROGRESS_SIZE_TEXT], have[PROGRESS_SIZE_TEXT];

    if (!address)
        die("the file \"%s\" needs %s of memory, but only %s are free in one piece below 4 GiB: "
            "use a smaller file or a machine with more memory",
            name, progress_size(need, file.size_bytes),
            progress_size(have, memmap_largest(map, LIMIT)));
    read_file(name, &file, (uint32_t)address);
    memset(at((uint32_t)address + file.size_bytes), 0,
           (uint32_t)align_up(file.size_bytes, PAGE_SIZE) - file.size_bytes);
    *size_bytes = file.size_bytes;
    return (uint32_t)address;
}

static void place_segment(const struct memmap *map, const uint8_t *file,
                          const struct elf_segment *segment)
{
    uint8_t *dst = at((uint32_t)segment->address);

    /* The copy of the file is no usable memory any more, so a segment can't lie on it either. */
    if (!memmap_is_usable(map, segment->address, segment->memory_bytes))
        die(VMM_FILE " needs the memory from %llx to %llx, which this machine doesn't have or "
                     "has in use",
            (unsigned long long)segment->address,
            (unsigned long long)(segment->address + segment->memory_bytes));
    memcpy(dst, file + segment->file_offset, segment->file_bytes);
    memset(dst + segment->file_bytes, 0, (uint32_t)segment->memory_bytes - segment->file_bytes);
}

uint32_t load_vmm(struct memmap *map, struct boot_info *info)
{
    static struct memmap with_file;
    struct elf_image image;
    uint32_t size_bytes;

    with_file = *map; /* only here: the memory of the file's copy becomes free again */
    uint8_t *file = at(load_high(&with_file, VMM_FILE, &size_bytes));
    const char *reason = elf_check(file, size_bytes, &image);
    if (reason)
        die(VMM_FILE " can't be started: %s: write the stick again", reason);
    for (unsigned i = 0; i < image.segment_count; i++)
        place_segment(&with_file, file, &image.segment[i]);
    if (!memmap_reserve(map, image.base, image.size_bytes))
        die("the BIOS's memory map is too long: look for a firmware update");
    info->vmm_base = image.base;
    info->vmm_size_bytes = image.size_bytes;
    return (uint32_t)image.entry;
}

/* Two keys may name the same file: it is loaded once. */
static void load_named(struct memmap *map, const char *name, struct boot_info *info)
{
    uint32_t size_bytes;

    if (!*name)
        return;
    for (uint32_t i = 0; i < info->file_count; i++)
        if (str_eq(info->files[i].name, name))
            return;
    uint32_t address = load_high(map, name, &size_bytes);
    struct boot_file *file = &info->files[info->file_count++];
    str_copy(file->name, sizeof(file->name), name);
    file->address = address;
    file->size_bytes = size_bytes;
}

void load_files(struct memmap *map, const struct config *config, struct boot_info *info)
{
    _Static_assert(2 + CONFIG_MAX_DISKS <= BOOT_INFO_MAX_FILES, "every file has an entry");
    _Static_assert(CONFIG_PATH_SIZE <= BOOT_INFO_NAME_SIZE, "every name fits");

    load_named(map, config->vm.kernel, info);
    load_named(map, config->vm.initrd, info);
    for (unsigned i = 0; i < config->vm.disk_count; i++)
        load_named(map, config->vm.disk[i], info);
    progress_total();
    if (disk.retried)
        console_print(
            "  %u reads failed at first (INT 13h code %02Xh, %s): this stick may be failing\n",
            disk.retried, disk.error, disk_error_text(&disk));
}
