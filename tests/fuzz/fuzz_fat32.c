/* needs: stage2/fat32.c vmm/lib/mem.c */
#include "../../stage2/fat32.h"

#include <stdlib.h>
#include <string.h>

/*
 * Input: a boot sector, and the sectors behind it. A volume larger than the input repeats those, so
 * that few bytes make large, strange volumes. Nothing outside the volume may be read, no work may
 * go on without end, and a file must fit the memory of its size.
 */

#define BASE      2048u
#define SECTORS   (1u << 20)
#define FILE_MAX  (1u << 20)
#define READS_MAX 200000u /* a folder of 65536 entries, its FAT and a file, with all to spare */

struct input {
    const uint8_t *data;
    size_t sectors;
    unsigned reads;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool read_sectors(void *ctx, uint64_t lba, uint32_t count, void *dst)
{
    struct input *input = ctx;

    check(count > 0 && lba >= BASE && lba - BASE < SECTORS && count <= SECTORS - (lba - BASE));
    check(++input->reads < READS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t sector = lba - BASE + i;
        if (sector >= input->sectors)
            sector = 1 + (sector - 1) % (input->sectors - 1);
        memcpy((uint8_t *)dst + i * 512, input->data + sector * 512, 512);
    }
    return true;
}

static void open_and_read(struct fat32 *fs, const char *path)
{
    struct fat32_file file;

    if (fat32_open(fs, path, &file) != FAT32_OK || file.size_bytes > FILE_MAX)
        return;
    uint8_t *dst = malloc(file.size_bytes ? file.size_bytes : 1);
    fat32_read(fs, &file, dst, (struct fat32_progress){0});
    free(dst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fat32 fs;
    struct input input = {.data = data, .sectors = size / 512};

    if (input.sectors < 2)
        return 0;
    if (fat32_mount(&fs, (struct fat32_disk){.read_sectors = read_sectors, .ctx = &input}, BASE,
                    SECTORS) != FAT32_OK)
        return 0;
    open_and_read(&fs, "pxhv.cfg");
    input.reads = 0;
    open_and_read(&fs, "boot/initrd-long.img");
    return 0;
}
