/* See fat32.h. Field offsets are those of the specification's tables, in bytes. */
#include "fat32.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define ENTRY_SIZE    32u
#define ENTRY_FREE    0xe5
#define ATTR_VOLUME   0x08
#define ATTR_FOLDER   0x10
#define ATTR_LONG     0x0f
#define LONG_LAST     0x40
#define LONG_UNITS    13u /* UTF-16 units in one entry */
#define LONG_ENTRIES  20u
#define FOLDER_MAX    65536u /* entries, by the specification */
#define CHAIN_END     0x0ffffff8u
#define CLUSTER_MASK  0x0fffffffu
#define STEP_SECTORS  2048u /* 1 MiB: how often a long run reports its progress */
#define NAME_MAX_UTF8 (LONG_ENTRIES * LONG_UNITS * 3 + 1)

/* A long name while its entries, last part first, come in. */
struct long_name {
    uint16_t units[LONG_ENTRIES * LONG_UNITS];
    unsigned next; /* the ordinal awaited; 0: complete; UINT32_MAX: none */
    unsigned parts;
    uint8_t checksum;
};

struct entry {
    uint32_t cluster;
    uint32_t size_bytes;
    uint32_t date;
    bool folder;
};

static bool is_power_of_two(uint32_t n)
{
    return n && !(n & (n - 1));
}

static enum fat32_result check_boot_sector(struct fat32 *fs, const uint8_t *b, uint64_t lba,
                                           uint64_t sectors)
{
    uint32_t reserved = load_le16(b + 14), fats = b[16], fat_sectors = load_le32(b + 36);
    uint32_t total = load_le32(b + 32), flags = load_le16(b + 40), shift = 0;

    if (load_le16(b + 510) != 0xaa55 || load_le16(b + 11) != FAT32_SECTOR)
        return FAT32_NOT_FAT32;
    if (!is_power_of_two(b[13]) || load_le16(b + 17) || load_le16(b + 22) || load_le16(b + 42))
        return FAT32_NOT_FAT32;
    if (!reserved || !fats || fats > 4 || !fat_sectors || total > sectors)
        return FAT32_NOT_FAT32;

    uint64_t data = reserved + (uint64_t)fats * fat_sectors;
    if (data >= total)
        return FAT32_NOT_FAT32;
    while ((1u << shift) < b[13])
        shift++;
    uint64_t clusters = (total - data) >> shift;
    clusters = min_u64(clusters, (uint64_t)fat_sectors * (FAT32_SECTOR / 4) - 2);
    clusters = min_u64(clusters, 0x0ffffff5);

    /* Without mirroring only one of the FATs is up to date. */
    uint32_t active = flags & 0x80 ? flags & 0x0f : 0;
    if (active >= fats)
        return FAT32_NOT_FAT32;
    fs->fat_lba = lba + reserved + (uint64_t)active * fat_sectors;
    fs->data_lba = lba + data;
    fs->sectors_per_cluster = b[13];
    fs->cluster_count = (uint32_t)clusters;
    fs->root_cluster = load_le32(b + 44) & CLUSTER_MASK;
    return FAT32_OK;
}

enum fat32_result fat32_mount(struct fat32 *fs, struct fat32_disk disk, uint64_t lba,
                              uint64_t sectors)
{
    fs->disk = disk;
    fs->cached_sector = UINT32_MAX;
    if (!sectors || !disk.read_sectors(disk.ctx, lba, 1, fs->sector))
        return FAT32_IO_ERROR;
    return check_boot_sector(fs, fs->sector, lba, sectors);
}

static bool cluster_exists(const struct fat32 *fs, uint32_t cluster)
{
    return cluster >= 2 && cluster - 2 < fs->cluster_count;
}

static uint64_t cluster_lba(const struct fat32 *fs, uint32_t cluster)
{
    return fs->data_lba + (uint64_t)(cluster - 2) * fs->sectors_per_cluster;
}

/* The FAT's entry for an existing cluster. */
static enum fat32_result next_cluster(struct fat32 *fs, uint32_t cluster, uint32_t *next)
{
    uint32_t sector = cluster / (FAT32_SECTOR / 4);
    uint32_t last = (fs->cluster_count + 1) / (FAT32_SECTOR / 4);

    if (fs->cached_sector == UINT32_MAX || sector - fs->cached_sector >= FAT32_CACHE_SECTORS) {
        uint32_t first = sector & ~(FAT32_CACHE_SECTORS - 1);
        uint32_t count = (uint32_t)min_u64(FAT32_CACHE_SECTORS, last - first + 1);
        fs->cached_sector = UINT32_MAX;
        if (!fs->disk.read_sectors(fs->disk.ctx, fs->fat_lba + first, count, fs->cache))
            return FAT32_IO_ERROR;
        fs->cached_sector = first;
    }
    uint32_t offset = cluster * 4 - fs->cached_sector * FAT32_SECTOR;
    *next = load_le32(fs->cache + offset) & CLUSTER_MASK;
    return FAT32_OK;
}

/* ---- names ---- */

static uint8_t short_name_checksum(const uint8_t *name)
{
    uint8_t sum = 0;

    for (int i = 0; i < 11; i++)
        sum = (uint8_t)((sum >> 1 | sum << 7) + name[i]);
    return sum;
}

static void long_name_take(struct long_name *name, const uint8_t *entry)
{
    static const uint8_t offset[LONG_UNITS] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    unsigned ordinal = entry[0] & 0x3f;

    if (entry[0] & LONG_LAST) {
        name->next = name->parts = ordinal;
        name->checksum = entry[13];
    }
    if (!ordinal || ordinal > LONG_ENTRIES || ordinal != name->next ||
        entry[13] != name->checksum) {
        name->next = UINT32_MAX;
        return;
    }
    for (unsigned i = 0; i < LONG_UNITS; i++)
        name->units[(ordinal - 1) * LONG_UNITS + i] = load_le16(entry + offset[i]);
    name->next--;
}

static size_t put_utf8(char *dst, uint32_t c)
{
    if (c < 0x80) {
        dst[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        dst[0] = (char)(0xc0 | c >> 6);
        dst[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        dst[0] = (char)(0xe0 | c >> 12);
        dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
        dst[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    dst[0] = (char)(0xf0 | c >> 18);
    dst[1] = (char)(0x80 | (c >> 12 & 0x3f));
    dst[2] = (char)(0x80 | (c >> 6 & 0x3f));
    dst[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static void long_name_to_utf8(const struct long_name *name, char *dst)
{
    unsigned count = name->parts * LONG_UNITS;

    for (unsigned i = 0; i < count && name->units[i]; i++) {
        uint32_t c = name->units[i];
        bool pair =
            (c & 0xfc00) == 0xd800 && i + 1 < count && (name->units[i + 1] & 0xfc00) == 0xdc00;
        if (pair)
            c = 0x10000 + ((c & 0x3ff) << 10) + (name->units[++i] & 0x3ff);
        dst += put_utf8(dst, c);
    }
    *dst = 0;
}

/* "KERNEL  IMG" to "KERNEL.IMG". */
static void short_name_to_text(const uint8_t *name, char *dst)
{
    for (int i = 0; i < 8 && name[i] != ' '; i++)
        *dst++ = (char)(i == 0 && name[0] == 0x05 ? 0xe5 : name[i]);
    if (name[8] != ' ')
        *dst++ = '.';
    for (int i = 8; i < 11 && name[i] != ' '; i++)
        *dst++ = (char)name[i];
    *dst = 0;
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool names_equal(const char *name, const char *wanted, size_t wanted_len)
{
    for (size_t i = 0; i < wanted_len; i++)
        if (!name[i] || to_lower(name[i]) != to_lower(wanted[i]))
            return false;
    return !name[wanted_len];
}

/* ---- folders ---- */

enum match { MATCH_NO, MATCH_YES, MATCH_END };

static enum match match_entry(const uint8_t *raw, struct long_name *name, const char *wanted,
                              size_t wanted_len)
{
    char text[NAME_MAX_UTF8];
    bool hit;

    if (raw[0] == 0)
        return MATCH_END;
    if (raw[0] == ENTRY_FREE) {
        name->next = UINT32_MAX;
        return MATCH_NO;
    }
    if ((raw[11] & 0x3f) == ATTR_LONG) {
        long_name_take(name, raw);
        return MATCH_NO;
    }
    short_name_to_text(raw, text);
    hit = !(raw[11] & ATTR_VOLUME) && names_equal(text, wanted, wanted_len);
    if (!hit && !(raw[11] & ATTR_VOLUME) && name->next == 0 &&
        name->checksum == short_name_checksum(raw)) {
        long_name_to_utf8(name, text);
        hit = names_equal(text, wanted, wanted_len);
    }
    name->next = UINT32_MAX;
    return hit ? MATCH_YES : MATCH_NO;
}

static enum fat32_result find_in_sector(struct fat32 *fs, uint64_t lba, struct long_name *name,
                                        const char *wanted, size_t wanted_len, struct entry *entry,
                                        bool *end)
{
    if (!fs->disk.read_sectors(fs->disk.ctx, lba, 1, fs->sector))
        return FAT32_IO_ERROR;
    for (uint32_t i = 0; i < FAT32_SECTOR; i += ENTRY_SIZE) {
        const uint8_t *raw = fs->sector + i;
        enum match match = match_entry(raw, name, wanted, wanted_len);
        if (match == MATCH_END) {
            *end = true;
            return FAT32_NOT_FOUND;
        }
        if (match == MATCH_YES) {
            entry->cluster =
                (load_le16(raw + 26) | (uint32_t)load_le16(raw + 20) << 16) & CLUSTER_MASK;
            entry->size_bytes = load_le32(raw + 28);
            entry->date = load_le16(raw + 22) | (uint32_t)load_le16(raw + 24) << 16;
            entry->folder = raw[11] & ATTR_FOLDER;
            return FAT32_OK;
        }
    }
    return FAT32_NOT_FOUND;
}

static enum fat32_result find_in_folder(struct fat32 *fs, uint32_t cluster, const char *wanted,
                                        size_t wanted_len, struct entry *entry)
{
    struct long_name name = {.next = UINT32_MAX};
    uint32_t sectors_left = FOLDER_MAX * ENTRY_SIZE / FAT32_SECTOR;
    bool end = false;

    while (cluster < CHAIN_END) {
        if (!cluster_exists(fs, cluster))
            return FAT32_CORRUPT;
        for (uint32_t i = 0; i < fs->sectors_per_cluster; i++) {
            enum fat32_result result = find_in_sector(fs, cluster_lba(fs, cluster) + i, &name,
                                                      wanted, wanted_len, entry, &end);
            if (result != FAT32_NOT_FOUND || end)
                return result;
            /* No folder is longer, so this one's chain loops. */
            if (--sectors_left == 0)
                return FAT32_CORRUPT;
        }
        enum fat32_result result = next_cluster(fs, cluster, &cluster);
        if (result != FAT32_OK)
            return result;
    }
    return FAT32_NOT_FOUND;
}

enum fat32_result fat32_open(struct fat32 *fs, const char *path, struct fat32_file *file)
{
    struct entry entry = {.cluster = fs->root_cluster, .folder = true};

    for (;;) {
        size_t len = 0;
        while (*path == '/')
            path++;
        if (!*path)
            break;
        while (path[len] && path[len] != '/')
            len++;
        if (!entry.folder)
            return FAT32_NOT_FOUND;
        /* A ".." entry says 0 where it means the root. */
        uint32_t cluster = entry.cluster ? entry.cluster : fs->root_cluster;
        enum fat32_result result = find_in_folder(fs, cluster, path, len, &entry);
        if (result != FAT32_OK)
            return result;
        path += len;
    }
    if (entry.folder)
        return FAT32_NOT_A_FILE;
    *file = (struct fat32_file){
        .first_cluster = entry.cluster, .size_bytes = entry.size_bytes, .date = entry.date};
    return FAT32_OK;
}

/* ---- contents ---- */

/* Reads size_bytes from lba on: whole sectors straight to dst, a rest by way of fs->sector, so that
 * dst needs no room beyond its size. */
static enum fat32_result read_run(struct fat32 *fs, uint64_t lba, uint8_t *dst, uint32_t size_bytes,
                                  uint32_t done, uint32_t total, struct fat32_progress progress)
{
    while (size_bytes >= FAT32_SECTOR) {
        uint32_t count = (uint32_t)min_u64(size_bytes / FAT32_SECTOR, STEP_SECTORS);
        if (!fs->disk.read_sectors(fs->disk.ctx, lba, count, dst))
            return FAT32_IO_ERROR;
        lba += count;
        dst += count * FAT32_SECTOR;
        size_bytes -= count * FAT32_SECTOR;
        done += count * FAT32_SECTOR;
        if (progress.step)
            progress.step(progress.ctx, done, total);
    }
    if (size_bytes) {
        if (!fs->disk.read_sectors(fs->disk.ctx, lba, 1, fs->sector))
            return FAT32_IO_ERROR;
        memcpy(dst, fs->sector, size_bytes);
        if (progress.step)
            progress.step(progress.ctx, done + size_bytes, total);
    }
    return FAT32_OK;
}

/* Follows the chain from *cluster over neighbours, at most until `wanted` bytes are covered. Gives
 * the bytes covered and the cluster behind, which is not checked yet. */
static enum fat32_result measure_run(struct fat32 *fs, uint32_t *cluster, uint32_t wanted,
                                     uint32_t *covered)
{
    uint32_t cluster_bytes = fs->sectors_per_cluster * FAT32_SECTOR, bytes = 0, here;

    if (!cluster_exists(fs, *cluster))
        return FAT32_CORRUPT;
    do {
        here = *cluster;
        if (!cluster_exists(fs, here))
            break;
        bytes = (uint32_t)min_u64(wanted, (uint64_t)bytes + cluster_bytes);
        enum fat32_result result = next_cluster(fs, here, cluster);
        if (result != FAT32_OK)
            return result;
    } while (bytes < wanted && *cluster == here + 1);
    *covered = bytes;
    return FAT32_OK;
}

/* A chain that never ends was a loop, and then the contents read from it are wrong too. Clusters
 * beyond the size are allowed: some systems allocate ahead. */
static enum fat32_result check_chain_end(struct fat32 *fs, uint32_t cluster)
{
    for (uint32_t n = 0; n <= fs->cluster_count; n++) {
        if (cluster >= CHAIN_END)
            return FAT32_OK;
        if (!cluster_exists(fs, cluster))
            return FAT32_CORRUPT;
        enum fat32_result result = next_cluster(fs, cluster, &cluster);
        if (result != FAT32_OK)
            return result;
    }
    return FAT32_CORRUPT;
}

enum fat32_result fat32_read(struct fat32 *fs, const struct fat32_file *file, void *dst,
                             struct fat32_progress progress)
{
    uint32_t cluster = file->first_cluster, done = 0;

    if (!file->size_bytes)
        return FAT32_OK;
    while (done < file->size_bytes) {
        uint32_t first = cluster, covered = 0;
        enum fat32_result result = measure_run(fs, &cluster, file->size_bytes - done, &covered);
        if (result == FAT32_OK)
            result = read_run(fs, cluster_lba(fs, first), (uint8_t *)dst + done, covered, done,
                              file->size_bytes, progress);
        if (result != FAT32_OK)
            return result;
        done += covered;
    }
    return check_chain_end(fs, cluster);
}
