/* needs: vmm/pc/bzimage.c vmm/pc/zero_page.c vmm/pc/e820.c vmm/dev/gmem.c vmm/lib/fmt.c vmm/lib/mem.c */
/* Bad kernels, and files that fit nowhere: the whole sentence counts, the user gets it. */
#include "bzimage_fixture.h"

static void the_initrd_stays_clear_of_init_size(void **state)
{
    struct fixture *f = *state;
    uint8_t *initrd = calloc(1, MIB_(8));

    f->request.initrd = (struct guest_file){"initrd.img", initrd, MIB_(7)};
    put32(f->kernel + 0x260, 0x900000); /* up to 25 MiB of 32 */
    load_ok(f);
    assert_int_equal(f->entry.initrd, MIB_(25));
    f->request.initrd.size_bytes++;
    load_fails(f, "\"initrd.img\" (7169 KiB) doesn't fit into the 7168 KiB between the kernel, "
                  "which needs memory up to 25 MiB, and the end of memory at 32 MiB: raise memory "
                  "= in pxhv.cfg");
    put32(f->kernel + 0x22C, 0x1BFFFFF);
    load_fails(f, "\"initrd.img\" (7169 KiB) doesn't fit into the 3072 KiB between the kernel, "
                  "which needs memory up to 25 MiB, and the kernel's limit at 28 MiB: use a "
                  "smaller initrd");
    put32(f->kernel + 0x22C, 0);
    assert_false(bzimage_load(&f->request, &f->entry, f->error));
    free(initrd);
}

static void the_command_line_may_fill_cmdline_size(void **state)
{
    struct fixture *f = *state;
    char line[2049];

    memset(line, 'x', sizeof(line));
    line[2047] = 0;
    f->request.cmdline = line;
    load_ok(f);
    assert_string_equal((char *)f->ram + get32(f->ram + 0x7000 + 0x228), line);
    line[2047] = 'x';
    line[2048] = 0;
    load_fails(f, "the kernel command line has 2048 characters, \"vmlinuz\" takes at most 2047: "
                  "shorten cmdline = in pxhv.cfg");
}

static void a_file_without_hdrs_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *sentence = "\"vmlinuz\" is not a Linux bzImage: no \"HdrS\" mark at offset 202h; "
                           "give the file arch/x86/boot/bzImage or a distribution's vmlinuz";

    f->kernel[0x205] = 's';
    load_fails(f, sentence);
    f->kernel[0x205] = 'S';
    for (uint64_t size = 0; size < 0x208; size++) {
        f->request.kernel.size_bytes = size;
        load_fails(f, sentence);
    }
}

static void a_wrong_boot_flag_is_refused(void **state)
{
    struct fixture *f = *state;

    put16(f->kernel + 0x1FE, 0x55AA);
    load_fails(f, "\"vmlinuz\" is damaged: offset 1FEh holds 55AAh instead of AA55h; copy the "
                  "file again");
}

static void protocol_2_05_is_refused(void **state)
{
    struct fixture *f = *state;

    put16(f->kernel + 0x206, 0x0205);
    load_fails(f, "\"vmlinuz\" speaks Linux boot protocol 2.05, pxHV needs 2.06 or later: use "
                  "Linux 2.6.22 or a newer kernel");
}

static void a_zimage_is_refused(void **state)
{
    struct fixture *f = *state;

    f->kernel[0x211] = 0xFE;
    load_fails(f, "\"vmlinuz\" is a zImage, made for memory below 640 KiB: give the kernel's "
                  "bzImage");
}

static void a_truncated_file_is_refused_with_both_sizes(void **state)
{
    struct fixture *f = *state;

    f->request.kernel.size_bytes -= 15; /* syssize rounds up: that much may be missing */
    load_ok(f);
    f->request.kernel.size_bytes -= 1;
    load_fails(f, "\"vmlinuz\" is truncated: its header asks for 35328 bytes, the file has 35312; "
                  "copy the file again");
    f->request.kernel.size_bytes = 0x208;
    load_fails(f, "\"vmlinuz\" is truncated: its header asks for 35328 bytes, the file has 520; "
                  "copy the file again");
    put32(f->kernel + 0x1F4, 0xFFFFFFFF);
    assert_false(bzimage_load(&f->request, &f->entry, f->error));
}

static void no_code_is_refused(void **state)
{
    struct fixture *f = *state;

    put32(f->kernel + 0x1F4, 0);
    load_fails(f, "\"vmlinuz\" is damaged: its header says that it holds no code; copy the file "
                  "again");
}

static void code_without_the_64_bit_entry_is_refused(void **state)
{
    struct fixture *f = *state;

    put32(f->kernel + 0x1F4, 0x20);
    f->request.kernel.size_bytes = 5 * 512 + 0x200;
    load_fails(f, "\"vmlinuz\" is damaged: 512 bytes of code end before the 64-bit entry at 200h; "
                  "copy the file again");
}

static void a_header_that_ends_too_early_or_too_late_is_refused(void **state)
{
    struct fixture *f = *state;

    for (unsigned version = 0x206; version <= 0x20F; version++) {
        make_kernel(f, version);
        f->kernel[0x201]--;
        assert_false(bzimage_load(&f->request, &f->entry, f->error));
        f->kernel[0x201] = 0x8E; /* 290h: the EDD signatures */
        load_ok(f);
        f->kernel[0x201] = 0x8F;
        assert_false(bzimage_load(&f->request, &f->entry, f->error));
    }
    load_fails(f, "\"vmlinuz\" is damaged: the setup header of boot protocol 2.15 can't end at "
                  "offset 291h; copy the file again");
    make_kernel(f, 0x20F);
    f->kernel[0x200] = 0xE9;
    assert_false(bzimage_load(&f->request, &f->entry, f->error));
}

static void an_alignment_that_is_no_power_of_two_is_refused(void **state)
{
    struct fixture *f = *state;

    put32(f->kernel + 0x230, 0x300000);
    load_fails(f, "\"vmlinuz\" is damaged: its kernel_alignment is 300000h, not a power of two; "
                  "copy the file again");
    put32(f->kernel + 0x230, 0);
    assert_false(bzimage_load(&f->request, &f->entry, f->error));
}

static void a_preference_beyond_low_memory_is_refused(void **state)
{
    struct fixture *f = *state;

    put32(f->kernel + 0x25C, 1);
    load_fails(f, "\"vmlinuz\" wants to run at 101000000h, where the guest has no memory: build "
                  "it with a lower CONFIG_PHYSICAL_START");
    put32(f->kernel + 0x25C, 0xFFFFFFFF);
    put32(f->kernel + 0x258, 0xFFFFFFFF);
    assert_false(bzimage_load(&f->request, &f->entry, f->error));
}

static void too_little_memory_is_refused_with_both_sizes(void **state)
{
    struct fixture *f = *state;

    set_memory(f, MIB_(17));
    load_ok(f);
    set_memory(f, MIB_(17) - 4096);
    load_fails(f, "\"vmlinuz\" needs 17 MiB of memory to start, the virtual machine has 16 MiB: "
                  "raise memory = in pxhv.cfg");
    put32(f->kernel + 0x260, 0xFFFFFFFF);
    put32(f->kernel + 0x230, 0x80000000);
    assert_false(bzimage_load(&f->request, &f->entry, f->error));
}

static void a_long_name_cant_overflow_the_message(void **state)
{
    struct fixture *f = *state;
    char name[1000];

    memset(name, 'n', sizeof(name));
    name[999] = 0;
    f->request.kernel.name = name;
    f->request.initrd = (struct guest_file){name, f->kernel, MIB_(100)};
    assert_false(bzimage_load(&f->request, &f->entry, f->error));
    assert_non_null(strstr(f->error, "raise memory = in pxhv.cfg"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_initrd_stays_clear_of_init_size),
        T(the_command_line_may_fill_cmdline_size),
        T(a_file_without_hdrs_is_refused),
        T(a_wrong_boot_flag_is_refused),
        T(protocol_2_05_is_refused),
        T(a_zimage_is_refused),
        T(a_truncated_file_is_refused_with_both_sizes),
        T(no_code_is_refused),
        T(code_without_the_64_bit_entry_is_refused),
        T(a_header_that_ends_too_early_or_too_late_is_refused),
        T(an_alignment_that_is_no_power_of_two_is_refused),
        T(a_preference_beyond_low_memory_is_refused),
        T(too_little_memory_is_refused_with_both_sizes),
        T(a_long_name_cant_overflow_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
