/* needs: vmm/dev/virtio_blk.c vmm/dev/ramdisk.c vmm/dev/msix.c vmm/dev/virtio_pci.c vmm/dev/virtio_common.c vmm/dev/virtqueue.c vmm/dev/pci.c vmm/dev/iobus.c vmm/dev/gmem.c */
#include "dev/ramdisk.h"

#include "virtio_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void the_ramdisk_serves_whole_sectors_only(void **state)
{
    struct guest guest;
    struct ramdisk disk;
    uint8_t bytes[1500];
    (void)state;
    guest_init(&guest, 4);
    memset(bytes, 0x3C, sizeof(bytes));
    ramdisk_init(&disk, bytes, sizeof(bytes), false, "a name of more than 20 characters");
    const struct blk_backend *b = &disk.backend;
    assert_int_equal(b->sector_count, 2);
    assert_memory_equal(b->id, "a name of more than ", 20);
    assert_true(b->read(b->ctx, 512, &guest.gmem, RAM_BASE, 512));
    assert_int_equal(*guest_ram(&guest, RAM_BASE + 511), 0x3C);
    assert_int_equal(*guest_ram(&guest, RAM_BASE + 512), 0);
    assert_false(b->read(b->ctx, 1024, &guest.gmem, RAM_BASE, 512));
    assert_false(b->read(b->ctx, 512, &guest.gmem, RAM_BASE, 1024));
    assert_false(b->write(b->ctx, 0xFFFFFFFFFFFFFE00, &guest.gmem, RAM_BASE, 1024));
    assert_false(b->write(b->ctx, 0, &guest.gmem, RAM_BASE + RAM_SIZE, 512));
    assert_true(b->write(b->ctx, 0, &guest.gmem, RAM_BASE + 512, 512));
    assert_int_equal(bytes[511], 0);
    assert_int_equal(bytes[512], 0x3C);
    assert_true(b->flush(b->ctx));

    ramdisk_init(&disk, bytes, 511, true, "");
    assert_int_equal(disk.backend.sector_count, 0);
    ramdisk_init(&disk, bytes, 512, true, "");
    assert_true(disk.backend.read_only);
    assert_false(b->write(b->ctx, 0, &guest.gmem, RAM_BASE, 512));
    free(guest.block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ramdisk_serves_whole_sectors_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
