/* needs: stage2/fat32.c vmm/lib/mem.c */
#include "../../stage2/fat32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * A volume in memory, laid out by hand at sector 100 of a disk: 4 reserved sectors, two FATs of
 * 8 sectors (1024 entries), then the clusters from 2 on.
 */
#define BASE     100
#define SECTORS  3000
#define RESERVED 4
#define FAT_SIZE 8
#define DATA     (BASE + RESERVED + 2 * FAT_SIZE)

static uint8_t disk_bytes[(BASE + SECTORS) * 512];
static uint8_t *const boot_sector = disk_bytes + BASE * 512;
static unsigned reads;   /* calls of read_sectors */
static uint64_t bad_lba; /* fails when a read touches it; 0: none does */
static unsigned cluster_sectors;
static struct fat32 fs;
static struct fat32_file file;

static bool read_sectors(void *ctx, uint64_t lba, uint32_t count, void *dst)
{
    assert_ptr_equal(ctx, disk_bytes);
    assert_true(count > 0);
    reads++;
    if (lba + count > BASE + SECTORS || (bad_lba >= lba && bad_lba < lba + count))
        return false;
    memcpy(dst, disk_bytes + lba * 512, count * 512);
    return true;
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v & 0xffff);
    put16(p + 2, v >> 16);
}

static void set_fat(unsigned fat, uint32_t cluster, uint32_t value)
{
    put32(disk_bytes + (BASE + RESERVED + fat * FAT_SIZE) * 512 + cluster * 4, value);
}

static void link_cluster(uint32_t cluster, uint32_t value)
{
    set_fat(0, cluster, value);
    set_fat(1, cluster, value);
}

static uint8_t *cluster_at(uint32_t cluster)
{
    return disk_bytes + (DATA + (cluster - 2) * cluster_sectors) * 512;
}

static void format(unsigned sectors_per_cluster)
{
    uint8_t *b = boot_sector;

    memset(disk_bytes, 0, sizeof(disk_bytes));
    bad_lba = 0;
    reads = 0;
    cluster_sectors = sectors_per_cluster;
    put16(b + 11, 512);
    b[13] = (uint8_t)sectors_per_cluster;
    put16(b + 14, RESERVED);
    b[16] = 2;
    b[21] = 0xf8;
    put32(b + 32, SECTORS);
    put32(b + 36, FAT_SIZE);
    put32(b + 44, 2);
    put16(b + 510, 0xaa55);
    link_cluster(2, 0x0fffffff);
}

static enum fat32_result mount(void)
{
    return fat32_mount(&fs, (struct fat32_disk){.read_sectors = read_sectors, .ctx = disk_bytes},
                       BASE, SECTORS);
}

/* Adds a 32-byte entry at index i of the folder in `folder`. */
static void add_entry(uint32_t folder, unsigned i, const char *name11, uint8_t attributes,
                      uint32_t cluster, uint32_t size)
{
    uint8_t *e = cluster_at(folder) + i * 32;

    memcpy(e, name11, 11);
    e[11] = attributes;
    put16(e + 20, cluster >> 16);
    put16(e + 26, cluster & 0xffff);
    put32(e + 28, size);
}

/* One part of a long name: up to 13 units, 0-ended, filled up with FFFFh. */
static void add_long(uint32_t folder, unsigned i, uint8_t ordinal, uint8_t checksum,
                     const uint16_t *units)
{
    static const uint8_t where[13] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    uint8_t *e = cluster_at(folder) + i * 32;
    bool ended = false;

    e[0] = ordinal;
    e[11] = 0x0f;
    e[13] = checksum;
    for (int u = 0; u < 13; u++) {
        put16(e + where[u], ended ? 0xffff : units[u]);
        ended |= !units[u];
    }
}

static void chain(uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        link_cluster(first + i, i + 1 == count ? 0x0ffffff8 : first + i + 1);
}

/* Contents that tell each byte's place. */
static uint8_t pattern(uint32_t offset)
{
    return (uint8_t)(offset * 7 + (offset >> 8) * 13 + (offset >> 16));
}

/* Writes a pattern file over `count` clusters listed in order. */
static void write_file(const uint32_t *clusters, unsigned count)
{
    uint32_t bytes = cluster_sectors * 512;

    for (unsigned i = 0; i < count; i++) {
        for (uint32_t n = 0; n < bytes; n++)
            cluster_at(clusters[i])[n] = pattern(i * bytes + n);
        link_cluster(clusters[i], i + 1 == count ? 0x0fffffff : clusters[i + 1]);
    }
}

static uint32_t steps, last_done;

static void step(void *ctx, uint32_t done, uint32_t total)
{
    assert_ptr_equal(ctx, &steps);
    assert_int_equal(total, file.size_bytes);
    assert_true(done > last_done && done <= total);
    last_done = done;
    steps++;
}

/* Reads into exactly size_bytes of heap, so that the sanitizer sees one byte too many. */
static enum fat32_result read_and_compare(void)
{
    uint8_t *dst = malloc(file.size_bytes ? file.size_bytes : 1);

    steps = last_done = 0;
    enum fat32_result result =
        fat32_read(&fs, &file, dst, (struct fat32_progress){.step = step, .ctx = &steps});
    if (result == FAT32_OK) {
        for (uint32_t i = 0; i < file.size_bytes; i++)
            assert_int_equal(dst[i], pattern(i));
        assert_int_equal(last_done, file.size_bytes);
    }
    free(dst);
    return result;
}

static void short_names_are_found_in_any_case(void **state)
{
    (void)state;
    format(1);
    add_entry(2, 0, "PXHV       ", 0x08, 0, 0);
    add_entry(2, 1, "\xe5XHV    CFG", 0x20, 9, 99);
    add_entry(2, 2, "PXHV    CFG", 0x20, 5, 700);
    add_entry(2, 3, "VMLINUZ    ", 0x20, 7, 1);
    assert_int_equal(mount(), FAT32_OK);
    assert_int_equal(fat32_open(&fs, "pxhv.cfg", &file), FAT32_OK);
    assert_int_equal(file.first_cluster, 5);
    assert_int_equal(file.size_bytes, 700);
    assert_int_equal(fat32_open(&fs, "/VmLinuz", &file), FAT32_OK);
    assert_int_equal(file.first_cluster, 7);
    assert_int_equal(fat32_open(&fs, "vmlinu", &file), FAT32_NOT_FOUND);
    assert_int_equal(fat32_open(&fs, "pxhv", &file), FAT32_NOT_FOUND);
    assert_int_equal(fat32_open(&fs, "", &file), FAT32_NOT_A_FILE);
}

static void names_behind_the_end_mark_do_not_exist(void **state)
{
    (void)state;
    format(1);
    add_entry(2, 1, "LATE       ", 0x20, 5, 1);
    assert_int_equal(mount(), FAT32_OK);
    assert_int_equal(fat32_open(&fs, "late", &file), FAT32_NOT_FOUND);
}

static void long_names_are_found_by_both_names(void **state)
{
    static const uint16_t part1[13] = {'i', 'n', 'i', 't',  'r', 'd', '-',
                                       'n', 'e', 'w', 0xe4, '.', 'i'};
    static const uint16_t part2[13] = {'m', 'g', 0xd83d, 0xde00, 0};

    (void)state;
    format(1);
    /* The checksum of "INITRD~1IMG" by the specification's rule is 00h. */
    add_long(2, 0, 0x42, 0x00, part2);
    add_long(2, 1, 0x01, 0x00, part1);
    add_entry(2, 2, "INITRD~1IMG", 0x20, 0x00010005, 3);
    assert_int_equal(mount(), FAT32_OK);
    assert_int_equal(fat32_open(&fs, "INITRD-new\xc3\xa4.img\xf0\x9f\x98\x80", &file), FAT32_OK);
    assert_int_equal(file.first_cluster, 0x10005);
    assert_int_equal(fat32_open(&fs, "initrd~1.img", &file), FAT32_OK);
}

static void long_name_of(const char *name, uint8_t checksum, uint8_t first, uint8_t second)
{
    uint16_t units[13] = {0};

    format(1);
    for (int i = 0; name[i]; i++)
        units[i] = (uint8_t)name[i];
    add_long(2, 0, first, checksum, units);
    add_long(2, 1, second, checksum, units);
    add_entry(2, 2, "INITRD~1IMG", 0x20, 5, 3);
    assert_int_equal(mount(), FAT32_OK);
}

static void a_long_name_that_does_not_belong_is_ignored(void **state)
{
    (void)state;
    long_name_of("x", 0x00, 0xe5, 0x41);
    assert_int_equal(fat32_open(&fs, "x", &file), FAT32_OK);
    long_name_of("x", 0x01, 0xe5, 0x41); /* checksum of another short name */
    assert_int_equal(fat32_open(&fs, "x", &file), FAT32_NOT_FOUND);
    long_name_of("x", 0x00, 0xe5, 0x01); /* without its last part's mark */
    assert_int_equal(fat32_open(&fs, "x", &file), FAT32_NOT_FOUND);
    long_name_of("x", 0x00, 0x43, 0x01); /* a part is missing */
    assert_int_equal(fat32_open(&fs, "x", &file), FAT32_NOT_FOUND);
    long_name_of("x", 0x00, 0x7f, 0x40); /* ordinals out of range */
    assert_int_equal(fat32_open(&fs, "x", &file), FAT32_NOT_FOUND);
    assert_int_equal(fat32_open(&fs, "initrd~1.img", &file), FAT32_OK);
}

static void folders_are_walked(void **state)
{
    (void)state;
    format(2);
    add_entry(2, 0, "BOOT       ", 0x10, 10, 0);
    chain(10, 1);
    add_entry(10, 0, ".          ", 0x10, 10, 0);
    add_entry(10, 1, "..         ", 0x10, 0, 0);
    add_entry(10, 2, "DEEP       ", 0x10, 20, 0);
    add_entry(10, 3, "A       IMG", 0x20, 30, 5);
    link_cluster(20, 25);
    link_cluster(25, 0x0fffffff);
    for (int i = 0; i < 32; i++)
        add_entry(20, (unsigned)i,
                  "\xe5"
                  "          ",
                  0x20, 0, 0);
    add_entry(25, 31, "B       IMG", 0x20, 31, 6);
    for (unsigned i = 0; i < 31; i++)
        add_entry(25, i,
                  "\xe5"
                  "          ",
                  0x20, 0, 0);
    assert_int_equal(mount(), FAT32_OK);
    assert_int_equal(fat32_open(&fs, "boot/a.img", &file), FAT32_OK);
    assert_int_equal(file.first_cluster, 30);
    assert_int_equal(fat32_open(&fs, "boot//deep/b.img", &file), FAT32_OK);
    assert_int_equal(file.first_cluster, 31);
    assert_int_equal(fat32_open(&fs, "boot/../BOOT/a.img", &file), FAT32_OK);
    assert_int_equal(fat32_open(&fs, "boot", &file), FAT32_NOT_A_FILE);
    assert_int_equal(fat32_open(&fs, "boot/a.img/x", &file), FAT32_NOT_FOUND);
    assert_int_equal(fat32_open(&fs, "boat/a.img", &file), FAT32_NOT_FOUND);
}

static void contents_are_exact_at_every_size_and_cluster_size(void **state)
{
    static const uint32_t scattered[] = {40, 41, 42, 7, 60, 59, 61, 62};

    (void)state;
    for (unsigned spc = 1; spc <= 32; spc *= 2) {
        uint32_t all = 8 * spc * 512;
        uint32_t sizes[] = {1, 511, 512, 513, spc * 512, spc * 512 + 1, all - 1, all};
        format(spc);
        write_file(scattered, 8);
        add_entry(2, 0, "F          ", 0x20, 40, 0);
        assert_int_equal(mount(), FAT32_OK);
        assert_int_equal(fat32_open(&fs, "f", &file), FAT32_OK);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            file.size_bytes = sizes[i];
            assert_int_equal(read_and_compare(), FAT32_OK);
        }
    }
}

static void neighbouring_clusters_come_in_one_read(void **state)
{
    uint32_t clusters[200];

    (void)state;
    format(1);
    for (uint32_t i = 0; i < 200; i++)
        clusters[i] = 300 + i;
    write_file(clusters, 200);
    assert_int_equal(mount(), FAT32_OK);
    file = (struct fat32_file){.first_cluster = 300, .size_bytes = 200 * 512};
    reads = 0;
    assert_int_equal(read_and_compare(), FAT32_OK);
    assert_int_equal(reads, 2); /* the FAT and the data */
}

static void clusters_beyond_the_size_are_allowed(void **state)
{
    static const uint32_t clusters[] = {50, 51, 52, 90};

    (void)state;
    format(1);
    write_file(clusters, 4);
    assert_int_equal(mount(), FAT32_OK);
    file = (struct fat32_file){.first_cluster = 50, .size_bytes = 600};
    assert_int_equal(read_and_compare(), FAT32_OK);
    file = (struct fat32_file){.first_cluster = 0, .size_bytes = 0};
    assert_int_equal(read_and_compare(), FAT32_OK);
}

static void broken_chains_are_corrupt(void **state)
{
    static const struct {
        uint32_t cluster, next;
    } breaks[] = {
        {50, 50},         /* a loop of one */
        {53, 50},         /* a loop over the whole file */
        {53, 52},         /* a loop behind the file's middle */
        {51, 0},          /* free */
        {51, 1},          /* reserved */
        {51, 0x0ffffff7}, /* bad */
        {51, 0x0fffffff}, /* ends early */
        {51, 0x00010000}, /* far outside */
        {51, 1000000},
    };
    static const uint32_t clusters[] = {50, 51, 52, 53};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
        format(1);
        write_file(clusters, 4);
        link_cluster(breaks[i].cluster, breaks[i].next);
        assert_int_equal(mount(), FAT32_OK);
        file = (struct fat32_file){.first_cluster = 50, .size_bytes = 4 * 512};
        uint8_t dst[4 * 512];
        assert_int_equal(fat32_read(&fs, &file, dst, (struct fat32_progress){0}), FAT32_CORRUPT);
    }
}

static void a_first_cluster_outside_the_volume_is_corrupt(void **state)
{
    /* 3000 - 20 sectors hold 2980 clusters, of which two FATs of 1024 entries reach 1022. */
    static const uint32_t outside[] = {0, 1, 1024, 2000, 0x0ffffff7, 0x0fffffff};
    uint8_t dst[512];

    (void)state;
    format(1);
    assert_int_equal(mount(), FAT32_OK);
    assert_int_equal(fs.cluster_count, 1022);
    for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
        file = (struct fat32_file){.first_cluster = outside[i], .size_bytes = 1};
        assert_int_equal(fat32_read(&fs, &file, dst, (struct fat32_progress){0}), FAT32_CORRUPT);
    }
}

static void a_looping_folder_ends(void **state)
{
    (void)state;
    format(1);
    for (unsigned i = 0; i < 16; i++)
        add_entry(2, i,
                  "\xe5"
                  "          ",
                  0x20, 0, 0);
    link_cluster(2, 2);
    assert_int_equal(mount(), FAT32_OK);
    assert_int_equal(fat32_open(&fs, "x", &file), FAT32_CORRUPT);
}

static void medium_errors_are_told_apart(void **state)
{
    static const uint32_t clusters[] = {50, 51};

    (void)state;
    format(1);
    write_file(clusters, 2);
    add_entry(2, 0, "F          ", 0x20, 50, 1000);
    assert_int_equal(mount(), FAT32_OK);
    bad_lba = DATA; /* the root folder */
    assert_int_equal(fat32_open(&fs, "f", &file), FAT32_IO_ERROR);
    bad_lba = DATA + 48; /* the first of the file's sectors */
    assert_int_equal(fat32_open(&fs, "f", &file), FAT32_OK);
    assert_int_equal(read_and_compare(), FAT32_IO_ERROR);
    bad_lba = DATA + 49; /* and the one that holds its rest */
    assert_int_equal(read_and_compare(), FAT32_IO_ERROR);
    fs.cached_sector = UINT32_MAX;
    bad_lba = BASE + RESERVED;
    assert_int_equal(read_and_compare(), FAT32_IO_ERROR);
    bad_lba = BASE;
    assert_int_equal(mount(), FAT32_IO_ERROR);
}

static void a_fat_without_mirroring_is_the_one_that_counts(void **state)
{
    static const uint32_t clusters[] = {50, 70};

    (void)state;
    format(1);
    write_file(clusters, 2);
    set_fat(0, 50, 0);
    put16(boot_sector + 40, 0x81);
    assert_int_equal(mount(), FAT32_OK);
    file = (struct fat32_file){.first_cluster = 50, .size_bytes = 1000};
    assert_int_equal(read_and_compare(), FAT32_OK);
    put16(boot_sector + 40, 0x82); /* the third of two */
    assert_int_equal(mount(), FAT32_NOT_FAT32);
}

static void the_upper_four_bits_of_an_entry_are_not_part_of_it(void **state)
{
    static const uint32_t clusters[] = {50, 51};

    (void)state;
    format(1);
    write_file(clusters, 2);
    link_cluster(50, 0xa0000033);
    assert_int_equal(mount(), FAT32_OK);
    file = (struct fat32_file){.first_cluster = 50, .size_bytes = 1000};
    assert_int_equal(read_and_compare(), FAT32_OK);
}

static void hostile_boot_sectors_are_refused(void **state)
{
    static const struct {
        unsigned offset, size;
        uint32_t value;
    } table[] = {
        {11, 2, 1024}, {11, 2, 0},     {13, 1, 0},          {13, 1, 3},          {14, 2, 0},
        {16, 1, 0},    {16, 1, 5},     {17, 2, 512},        {22, 2, 8},          {32, 4, 0},
        {32, 4, 3001}, {32, 4, 20},    {32, 4, 0xffffffff}, {36, 4, 0},          {36, 4, 1500},
        {42, 2, 1},    {510, 2, 0x55}, {36, 4, 0xffffffff}, {36, 4, 0x80000000}, {14, 2, 0xffff},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        uint8_t *field = boot_sector + table[i].offset;
        format(1);
        for (unsigned n = 0; n < table[i].size; n++)
            field[n] = (uint8_t)(table[i].value >> (8 * n));
        assert_int_equal(mount(), FAT32_NOT_FAT32);
    }
}

static void a_root_folder_outside_the_volume_is_corrupt(void **state)
{
    (void)state;
    format(1);
    put32(boot_sector + 44, 5000);
    assert_int_equal(mount(), FAT32_OK);
    assert_int_equal(fat32_open(&fs, "f", &file), FAT32_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_names_are_found_in_any_case),
        cmocka_unit_test(names_behind_the_end_mark_do_not_exist),
        cmocka_unit_test(long_names_are_found_by_both_names),
        cmocka_unit_test(a_long_name_that_does_not_belong_is_ignored),
        cmocka_unit_test(folders_are_walked),
        cmocka_unit_test(contents_are_exact_at_every_size_and_cluster_size),
        cmocka_unit_test(neighbouring_clusters_come_in_one_read),
        cmocka_unit_test(clusters_beyond_the_size_are_allowed),
        cmocka_unit_test(broken_chains_are_corrupt),
        cmocka_unit_test(a_first_cluster_outside_the_volume_is_corrupt),
        cmocka_unit_test(a_looping_folder_ends),
        cmocka_unit_test(medium_errors_are_told_apart),
        cmocka_unit_test(a_fat_without_mirroring_is_the_one_that_counts),
        cmocka_unit_test(the_upper_four_bits_of_an_entry_are_not_part_of_it),
        cmocka_unit_test(hostile_boot_sectors_are_refused),
        cmocka_unit_test(a_root_folder_outside_the_volume_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
