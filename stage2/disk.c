/* Reads by LBA packets into a bounce buffer below 1 MiB, and the search for the own drive. */
#include "disk.h"

#include "layout.h"
#include "lib/bits.h"
#include "lib/mem.h"
#include "machine.h"

#define SECTOR          512u
#define PACKET_SECTORS  127u /* one more than these crosses 64 KiB or fails on many BIOSes */
#define CAREFUL_SECTORS 64u  /* and some can't do so many */
#define READ_TRIES      4
#define LAST_DRIVE      0x8fu

#define MBR_SIGNATURE 440u /* the disk signature, and behind it the partition table */
#define MBR_TABLE     446u
#define MBR_ENTRIES   4u

/* "Disk address packet". */
struct packet {
    uint8_t size;
    uint8_t reserved;
    uint16_t count;
    uint16_t offset;
    uint16_t segment;
    uint64_t lba;
};

static bool has_extensions(uint8_t drive)
{
    struct bios_regs regs = {.eax = 0x4100, .ebx = 0x55aa, .edx = drive};

    bios_call(0x13, &regs);
    /* Some answer without serving packet reads: bit 0 of CX tells. */
    return !(regs.flags & BIOS_CARRY) && (regs.ebx & 0xffff) == 0xaa55 && (regs.ecx & 1);
}

static void reset(const struct disk *disk)
{
    struct bios_regs regs = {.edx = disk->drive};

    bios_call(0x13, &regs);
}

static bool read_packet(struct disk *disk, uint64_t lba, uint32_t count)
{
    struct packet *packet = at(LAYOUT_BIOS_BUFFER);

    for (int i = 0; i < READ_TRIES; i++) {
        /* Anew for each try: a failing BIOS leaves the count that it managed. */
        *packet = (struct packet){.size = sizeof(*packet),
                                  .count = (uint16_t)count,
                                  .segment = LAYOUT_BOUNCE / 16,
                                  .lba = lba};
        struct bios_regs regs = {.eax = 0x4200, .edx = disk->drive, .ds = LAYOUT_BIOS_BUFFER / 16};
        bios_call(0x13, &regs);
        if (!(regs.flags & BIOS_CARRY)) {
            disk->retried += i > 0;
            return true;
        }
        disk->error = (uint8_t)(regs.eax >> 8);
        disk->error_lba = lba;
        reset(disk);
    }
    return false;
}

bool disk_read(void *ctx, uint64_t lba, uint32_t count, void *dst)
{
    struct disk *disk = ctx;
    uint8_t *bytes = dst;
    uint32_t most = disk->packet_sectors;

    while (count) {
        uint32_t now = (uint32_t)min_u64(count, most);
        if (!read_packet(disk, lba, now)) {
            /* One bad sector fails a whole packet, and some BIOSes can't do long ones. */
            if (now == 1)
                return false;
            if (now > CAREFUL_SECTORS)
                most = disk->packet_sectors = CAREFUL_SECTORS;
            else
                most = 1;
            continue;
        }
        memcpy(bytes, at(LAYOUT_BOUNCE), now * SECTOR);
        bytes += now * SECTOR;
        lba += now;
        count -= now;
    }
    return true;
}

/* Phoenix "Enhanced Disk Drive Specification", and what USB BIOSes give back. */
const char *disk_error_text(const struct disk *disk)
{
    switch (disk->error) {
    case 0x01:
        return "the BIOS offers no such read";
    case 0x04:
        return "no such sector: the disk is smaller than its image";
    case 0x0c:
        return "a bad track";
    case 0x31:
        return "no medium";
    case 0x10:
    case 0x11:
        return "a bad sector";
    case 0x20:
    case 0xaa:
    case 0xbb:
    case 0xcc:
        return "the controller or the port failed";
    case 0x80:
        return "no answer in time";
    default:
        return "unknown";
    }
}

/* Is the boot sector of this drive the one in memory? The disk signature and the partition table
 * tell sticks apart that carry the same code. */
static bool is_own(struct disk *disk, uint8_t drive)
{
    uint8_t *sector = at(LAYOUT_BIOS_BUFFER + SECTOR);

    *disk = (struct disk){.drive = drive, .packet_sectors = PACKET_SECTORS};
    return disk_read(disk, 0, 1, sector) &&
           memcmp(sector + MBR_SIGNATURE, (uint8_t *)at(LAYOUT_MBR) + MBR_SIGNATURE,
                  SECTOR - MBR_SIGNATURE) == 0;
}

bool disk_find_own(struct disk *disk, uint8_t hint)
{
    struct disk first;

    /* The boot sector has read from this one: no need to ask whether it can be. */
    if (is_own(disk, hint))
        return true;
    first = *disk;
    for (unsigned drive = 0x80; drive <= LAST_DRIVE; drive++)
        if (drive != hint && has_extensions((uint8_t)drive) && is_own(disk, (uint8_t)drive))
            return true;
    *disk = first; /* its error is the one to tell */
    return false;
}

static bool take_partition(const uint8_t *entry, struct disk_partition *partition)
{
    bool fat32 = entry[4] == 0x0b || entry[4] == 0x0c;

    partition->lba = load_le32(entry + 8);
    partition->sectors = load_le32(entry + 12);
    return fat32 && partition->lba && partition->sectors;
}

bool disk_fat32_partition(unsigned index, struct disk_partition *partition)
{
    const uint8_t *table = (uint8_t *)at(LAYOUT_MBR) + MBR_TABLE;

    for (unsigned active = 2; active-- > 0;) {
        for (unsigned i = 0; i < MBR_ENTRIES; i++) {
            const uint8_t *entry = table + i * 16;
            if ((entry[0] >> 7) == active && take_partition(entry, partition) && index-- == 0)
                return true;
        }
    }
    return false;
}
