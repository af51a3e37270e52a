/* What the tests of the virtio transport share. The virtio disk is in slot 1; offered features:
 * SIZE_MAX 1, SEG_MAX 2, BLK_SIZE 6, FLUSH 9, INDIRECT 28, EVENT_IDX 29, VERSION_1 32. */
#ifndef TESTS_VIRTIO_PCI_BENCH_H
#define TESTS_VIRTIO_PCI_BENCH_H

#include "virtio_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define OFFERED 0x130000246ull
#define SECTOR  (RAM_BASE + 0x10000)

/* A read of sector `sector` in descriptors 0 to 2, made available. */
static inline void offer_read(struct machine *m, uint64_t sector)
{
    struct guest *guest = &m->guest;
    put32(guest, RAM_BASE + 0x4000, 0);
    put32(guest, RAM_BASE + 0x4004, 0);
    put64(guest, RAM_BASE + 0x4008, sector);
    *guest_ram(guest, RAM_BASE + 0x4010) = 0xEE;
    desc_set(guest, 0, RAM_BASE + 0x4000, 16, 1, 1);
    desc_set(guest, 1, SECTOR, 512, 3, 2);
    desc_set(guest, 2, RAM_BASE + 0x4010, 1, 2, 0);
    make_available(guest, 0);
}

static inline void machine_check_and_free(struct machine *m)
{
    assert_true(guest_guards_intact(&m->guest));
    assert_true(disk_guards_intact(m));
    bool msix = m->vp.pci.config[m->vp.msix.capability + 3] & 0x80;
    assert_int_equal(m->intx[1], m->vp.isr != 0 && !msix && !(m->vp.pci.config[5] & 0x04));
    machine_free(m);
}

#endif
