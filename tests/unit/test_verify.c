/* needs: vmm/boot/verify.c vmm/lib/cksum.c vmm/lib/manifest.c vmm/lib/mem.c */
#include "boot/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* printf 123456789 | cksum */
static const char *const sums = "#date 2026-01-01 00:00:00\n930766865 9 vmlinuz\n";

static struct manifest manifest;
static unsigned line;

static struct boot_info with(const char *name, const char *text)
{
    struct boot_info boot = {.file_count = 2};

    strcpy(boot.files[0].name, "vmlinuz");
    strcpy(boot.files[1].name, name);
    boot.files[1].address = (uintptr_t)text;
    boot.files[1].size_bytes = strlen(text);
    return boot;
}

static void a_loader_without_checksums_is_all_right(void **state)
{
    (void)state;
    struct boot_info boot = with("other.sum", "rubbish");
    manifest.text = "left over";
    assert_true(verify_open(&manifest, &boot, &line));
    assert_null(manifest.text);
}

static void damaged_checksums_are_refused_by_their_line(void **state)
{
    (void)state;
    struct boot_info boot = with("pxhv.sum", "#date 2026-01-01 00:00:00\nrubbish\n");
    assert_false(verify_open(&manifest, &boot, &line));
    assert_int_equal(line, 2);
}

static void only_a_listed_file_of_its_size_can_be_damaged(void **state)
{
    (void)state;
    struct boot_info boot = with("pxhv.sum", sums);
    assert_true(verify_open(&manifest, &boot, &line));
    assert_int_equal(verify_file(&manifest, "vmlinuz", "123456789", 9), MANIFEST_OK);
    assert_int_equal(verify_file(&manifest, "vmlinuz", "123456788", 9), MANIFEST_DAMAGED);
    assert_int_equal(verify_file(&manifest, "vmlinuz", "12345678", 8), MANIFEST_CHANGED);
    assert_int_equal(verify_file(&manifest, "initrd", "123456789", 9), MANIFEST_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loader_without_checksums_is_all_right),
        cmocka_unit_test(damaged_checksums_are_refused_by_their_line),
        cmocka_unit_test(only_a_listed_file_of_its_size_can_be_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
