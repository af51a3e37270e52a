/*
 * A block backend over a buffer in host memory.
 *
 * virtio-blk checks ranges against sector_count; they are checked again here, since this is the
 * last line before host memory. A read-only disk refuses writes here as well. There is nothing to
 * flush.
 */
#include "dev/ramdisk.h"

#include "lib/bits.h"
#include "lib/mem.h"

static bool ramdisk_read(void *ctx, uint64_t offset, const struct gmem *gmem, gpa_t gpa,
                         uint32_t len)
{
    const struct ramdisk *disk = ctx;
    return range_fits(offset, len, disk->size_bytes) &&
           gmem_write(gmem, gpa, disk->bytes + offset, len);
}

static bool ramdisk_write(void *ctx, uint64_t offset, const struct gmem *gmem, gpa_t gpa,
                          uint32_t len)
{
    struct ramdisk *disk = ctx;
    return !disk->backend.read_only && range_fits(offset, len, disk->size_bytes) &&
           gmem_read(gmem, gpa, disk->bytes + offset, len);
}

static bool ramdisk_flush(void *ctx)
{
    (void)ctx;
    return true;
}

void ramdisk_init(struct ramdisk *disk, void *bytes, uint64_t size_bytes, bool read_only,
                  const char *id)
{
    memset(disk, 0, sizeof(*disk));
    disk->bytes = bytes;
    disk->size_bytes = align_down(size_bytes, BLK_SECTOR_SIZE);
    disk->backend = (struct blk_backend){
        .ctx = disk,
        .sector_count = disk->size_bytes / BLK_SECTOR_SIZE,
        .read_only = read_only,
        .read = ramdisk_read,
        .write = ramdisk_write,
        .flush = ramdisk_flush,
    };
    for (unsigned i = 0; i < sizeof(disk->backend.id) && id[i] != '\0'; i++)
        disk->backend.id[i] = id[i];
}
