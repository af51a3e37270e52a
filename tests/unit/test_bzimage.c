/* needs: vmm/pc/bzimage.c vmm/pc/zero_page.c vmm/pc/e820.c vmm/dev/gmem.c vmm/lib/fmt.c vmm/lib/mem.c */
/* Where the loader puts a good kernel, and what it tells it. */
#include "bzimage_fixture.h"

static void every_protocol_from_2_06_loads(void **state)
{
    struct fixture *f = *state;

    for (unsigned version = 0x206; version <= 0x20F; version++) {
        make_kernel(f, version);
        load_ok(f);
        /* 64-bit entry from 2.12 on; pref_address from 2.10 on, else 1 MiB aligned to 2 MiB. */
        uint64_t load = version >= 0x20A ? 0x1000000 : 0x200000;
        assert_int_equal(f->entry.long_mode, version >= 0x20C);
        assert_int_equal(f->entry.entry, load + (version >= 0x20C ? 0x200 : 0));
        assert_memory_equal(f->ram + load, f->kernel + 5 * 512, 0x8000);
        assert_int_equal(get32(f->ram + 0x7000 + 0x214), load);
    }
}

static void unknown_newer_protocol_loads(void **state)
{
    struct fixture *f = *state;

    put16(f->kernel + 0x206, 0x0300);
    load_ok(f);
}

static void a_kernel_without_xlf_kernel_64_enters_at_its_first_byte(void **state)
{
    struct fixture *f = *state;

    put16(f->kernel + 0x236, 0xFFFE);
    load_ok(f);
    assert_false(f->entry.long_mode);
    assert_int_equal(f->entry.entry, 0x1000000);
    /* A flat 32-bit code segment at 10h. */
    assert_true(get64(f->ram + f->entry.gdt + 0x10) == 0x00CF9B000000FFFFull);
    assert_true(get64(f->ram + f->entry.gdt + 0x18) == 0x00CF93000000FFFFull);
}

static void xloadflags_count_only_from_2_12(void **state)
{
    struct fixture *f = *state;

    make_kernel(f, 0x20B);
    put16(f->kernel + 0x236, 0x01);
    load_ok(f);
    assert_false(f->entry.long_mode);
}

static void setup_sects_0_means_4(void **state)
{
    struct fixture *f = *state;

    f->kernel[0x1F1] = 0;
    load_ok(f);
    assert_memory_equal(f->ram + 0x1000000, f->kernel + 5 * 512, 0x8000);
}

static void setup_sects_moves_the_code(void **state)
{
    struct fixture *f = *state;

    f->kernel[0x1F1] = 3;
    load_ok(f);
    assert_memory_equal(f->ram + 0x1000000, f->kernel + 4 * 512, 0x8200);
}

static void a_non_relocatable_kernel_loads_at_1_mib_and_claims_its_own_place(void **state)
{
    struct fixture *f = *state;

    f->kernel[0x234] = 0;
    put32(f->kernel + 0x230, 3); /* no alignment is asked for, so none is judged */
    load_ok(f);
    assert_int_equal(f->entry.entry, 0x100200);
    assert_int_equal(f->entry.kernel_end, 0x1100000);
}

static void a_misaligned_preference_is_rounded_up(void **state)
{
    struct fixture *f = *state;

    put32(f->kernel + 0x258, 0x1000001);
    load_ok(f);
    assert_int_equal(f->entry.entry, 0x1200200);
    put32(f->kernel + 0x258, 0); /* no preference */
    load_ok(f);
    assert_int_equal(f->entry.entry, 0x200200);
}

static void the_zero_page_holds_header_and_loader_fields(void **state)
{
    struct fixture *f = *state;
    uint8_t initrd[5000];
    const uint8_t *zp;

    memset(initrd, 0x11, sizeof(initrd));
    f->request.initrd = (struct guest_file){"initrd.img", initrd, sizeof(initrd)};
    f->kernel[0x211] = 0x41;               /* KEEP_SEGMENTS is the loader's to say */
    put32(f->kernel + 0x250, 0xDEADBEEF);  /* setup_data */
    put32(f->kernel + 0x23C, 2);           /* hardware_subarch: Xen */
    put32(f->kernel + 0x240, 0x12345678);  /* hardware_subarch_data */
    put32(f->kernel + 0x268, 0x00C0FFEE);  /* kernel_info_offset */
    memset(f->kernel + 0x26C, 0xCC, 0x20); /* code behind the header */
    load_ok(f);
    assert_int_equal(f->entry.zero_page, 0x7000);
    zp = f->ram + 0x7000;
    assert_memory_equal(zp + 0x1F1, f->kernel + 0x1F1, 0x1FA - 0x1F1);
    assert_int_equal(zp[0x1FA] | zp[0x1FB] << 8, 0xFFFF);
    assert_memory_equal(zp + 0x202, "HdrS", 4);
    assert_int_equal(zp[0x210], 0xFF);
    assert_int_equal(zp[0x211], 0x81);
    assert_int_equal(get32(zp + 0x214), 0x1000000);
    assert_int_equal(get32(zp + 0x218), MIB_(32) - 0x2000);
    assert_int_equal(get32(zp + 0x21C), 5000);
    assert_int_equal(zp[0x224] | zp[0x225] << 8, 0xFE00);
    assert_string_equal((char *)f->ram + get32(zp + 0x228), "console=ttyS0");
    assert_int_equal(get32(zp + 0x230), 0x200000);
    assert_int_equal(get32(zp + 0x23C), 0);
    assert_true(get64(zp + 0x240) == 0);
    assert_true(get64(zp + 0x250) == 0);
    assert_int_equal(get32(zp + 0x260), 0x100000);
    assert_int_equal(get32(zp + 0x268), 0x00C0FFEE);
    for (unsigned i = 0x26C; i < 0x2D0; i++)
        assert_int_equal(zp[i], 0);
}

static void the_zero_page_is_zero_elsewhere(void **state)
{
    struct fixture *f = *state;
    const uint8_t *zp = f->ram + 0x7000;

    load_ok(f);
    for (unsigned i = 0; i < 0x1F1; i++) /* screen_info, ext_*, EFI and the sentinel at 1EFh */
        if (i != 0x1E8 && (i < 0x70 || i >= 0x78))
            assert_int_equal(zp[i], 0);
    assert_true(get64(zp + 0x70) == 0xE0000);
    assert_int_equal(get32(zp + 0x218), 0);
    assert_int_equal(get32(zp + 0x21C), 0);
    for (unsigned i = 0x2D0 + 4 * 20; i < 0x1000; i++)
        assert_int_equal(zp[i], 0);
}

static void the_zero_page_of_2_06_ends_where_its_header_does(void **state)
{
    struct fixture *f = *state;

    make_kernel(f, 0x206);
    memset(f->kernel + 0x23C, 0xCC, 0x100);
    load_ok(f);
    for (unsigned i = 0x23C; i < 0x2D0; i++)
        assert_int_equal(f->ram[0x7000 + i], 0);
}

static void the_zero_page_holds_the_e820_map(void **state)
{
    struct fixture *f = *state;
    const uint8_t *table = f->ram + 0x7000 + 0x2D0;

    load_ok(f);
    assert_int_equal(f->ram[0x7000 + 0x1E8], 4);
    assert_true(get64(table) == 0);
    assert_true(get64(table + 8) == 0x9FC00);
    assert_int_equal(get32(table + 16), 1);
    assert_true(get64(table + 20) == 0x9FC00);
    assert_true(get64(table + 28) == 0x60400);
    assert_int_equal(get32(table + 36), 2);
    assert_true(get64(table + 40) == 0x100000);
    assert_true(get64(table + 48) == MIB_(31));
    assert_int_equal(get32(table + 56), 1);
    /* PCI's configuration space. */
    assert_true(get64(table + 60) == 0xFEB00000);
    assert_true(get64(table + 68) == 0x100000);
    assert_int_equal(get32(table + 76), 2);
}

static void e820_splits_memory_at_the_pci_hole(void **state)
{
    struct e820 map;

    (void)state;
    e820_build(&map, 0xC0000000ull + MIB_(5));
    assert_int_equal(map.count, 5);
    assert_true(map.entry[2].base == 0x100000);
    assert_true(map.entry[2].base + map.entry[2].size_bytes == 0xC0000000);
    assert_true(map.entry[4].base == 0x100000000ull);
    assert_true(map.entry[4].size_bytes == MIB_(5));
    assert_int_equal(map.entry[4].type, 1);

    e820_build(&map, 0xC0000000ull);
    assert_int_equal(map.count, 4);
    e820_build(&map, MIB_(2));
    assert_true(map.entry[2].size_bytes == MIB_(1));
}

static void page_tables_map_4_gib_to_themselves(void **state)
{
    struct fixture *f = *state;

    load_ok(f);
    for (uint64_t address = 0; address < 4ull << 30; address += 0x1FF000) {
        uint64_t e = get64(f->ram + f->entry.page_tables + (address >> 39) * 8);
        assert_int_equal(e & 0x83, 3);
        e = get64(f->ram + (e & ~0xFFFull) + (address >> 30 & 511) * 8);
        assert_int_equal(e & 0x83, 3);
        e = get64(f->ram + (e & ~0xFFFull) + (address >> 21 & 511) * 8);
        assert_int_equal(e & 0x1FFFFF, 0x83);
        assert_true((e & ~0x1FFFFFull) == (address & ~0x1FFFFFull));
    }
    /* 4 GiB and beyond are not mapped. */
    for (unsigned i = 4; i < 512; i++)
        assert_true(get64(f->ram + f->entry.page_tables + 0x1000 + i * 8) == 0);
    assert_true(get64(f->ram + f->entry.gdt + 0x10) == 0x00AF9B000000FFFFull);
    assert_int_equal(f->entry.gdt_limit, 31);
}

static void the_initrd_lies_at_the_top_on_a_page(void **state)
{
    struct fixture *f = *state;
    uint8_t *initrd = malloc(MIB_(2) + 1);

    memset(initrd, 0x5A, MIB_(2) + 1);
    f->request.initrd = (struct guest_file){"initrd.img", initrd, MIB_(2) + 1};
    load_ok(f);
    assert_int_equal(f->entry.initrd, MIB_(30) - 0x1000);
    assert_memory_equal(f->ram + f->entry.initrd, initrd, MIB_(2) + 1);
    free(initrd);
}

static void the_initrd_stays_below_initrd_addr_max(void **state)
{
    struct fixture *f = *state;
    uint8_t initrd[0x1800] = {1};

    f->request.initrd = (struct guest_file){"initrd.img", initrd, sizeof(initrd)};
    put32(f->kernel + 0x22C, 0x17FFFFF); /* the highest byte that it may take */
    load_ok(f);
    assert_int_equal(f->entry.initrd, 0x17FE000);
    put32(f->kernel + 0x22C, 0x17FFFFE);
    load_ok(f);
    assert_int_equal(f->entry.initrd, 0x17FD000);
}

static void the_initrd_clears_a_file_longer_than_init_size(void **state)
{
    struct fixture *f = *state;

    put32(f->kernel + 0x260, 0x1000);
    load_ok(f);
    assert_int_equal(f->entry.kernel_end, 0x1008000);
}

static void without_init_size_four_times_the_file_is_kept_clear(void **state)
{
    struct fixture *f = *state;

    make_kernel(f, 0x209);
    load_ok(f);
    assert_int_equal(f->entry.kernel_end, 0x200000 + 4 * 0x8000);
}

static void a_huge_cmdline_size_is_cut_to_our_64_kib(void **state)
{
    struct fixture *f = *state;
    struct bzimage_info info;

    put32(f->kernel + 0x238, 0xFFFFFFFF);
    assert_true(bzimage_check(&f->request.kernel, &info, f->error));
    assert_int_equal(info.cmdline_max, 0xFFFF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_protocol_from_2_06_loads),
        T(unknown_newer_protocol_loads),
        T(a_kernel_without_xlf_kernel_64_enters_at_its_first_byte),
        T(xloadflags_count_only_from_2_12),
        T(setup_sects_0_means_4),
        T(setup_sects_moves_the_code),
        T(a_non_relocatable_kernel_loads_at_1_mib_and_claims_its_own_place),
        T(a_misaligned_preference_is_rounded_up),
        T(the_zero_page_holds_header_and_loader_fields),
        T(the_zero_page_is_zero_elsewhere),
        T(the_zero_page_of_2_06_ends_where_its_header_does),
        T(the_zero_page_holds_the_e820_map),
        T(e820_splits_memory_at_the_pci_hole),
        T(page_tables_map_4_gib_to_themselves),
        T(the_initrd_lies_at_the_top_on_a_page),
        T(the_initrd_stays_below_initrd_addr_max),
        T(the_initrd_clears_a_file_longer_than_init_size),
        T(without_init_size_four_times_the_file_is_kept_clear),
        T(a_huge_cmdline_size_is_cut_to_our_64_kib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
