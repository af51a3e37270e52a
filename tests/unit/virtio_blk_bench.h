/* What the tests of the virtio disk share: requests, and a backend that can fail and that counts.
 * The disk has 64 sectors, each filled with its number. Types: 0 read, 1 write, 4 flush, 8 get id.
 * Status: 0 OK, 1 IOERR, 2 UNSUPP. */
#ifndef TESTS_VIRTIO_BLK_BENCH_H
#define TESTS_VIRTIO_BLK_BENCH_H

#include "virtio_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define BASIC  (FEATURE_VERSION_1 | FEATURE_FLUSH | FEATURE_INDIRECT)
#define HEADER (RAM_BASE + 0x4000)
#define STATUS (RAM_BASE + 0x4100)
#define DATA   (RAM_BASE + 0x10000)
#define TABLE  (RAM_BASE + 0x5000)

static inline struct machine *start(uint64_t features)
{
    struct machine *m = machine_new(false);
    driver_start(m, features);
    assert_int_equal(status(m), 0x0F);
    return m;
}

static inline void finish(struct machine *m)
{
    assert_true(guest_guards_intact(&m->guest));
    assert_true(disk_guards_intact(m));
    machine_free(m);
}

static inline void header_set(struct machine *m, uint32_t type, uint64_t sector)
{
    put32(&m->guest, HEADER, type);
    put32(&m->guest, HEADER + 4, 0);
    put64(&m->guest, HEADER + 8, sector);
    *guest_ram(&m->guest, STATUS) = 0xEE;
}

/* Offers the chain at descriptor 0; its status byte is at STATUS. */
static inline uint8_t run(struct machine *m)
{
    make_available(&m->guest, 0);
    notify(m);
    assert_int_equal(used_index(&m->guest), m->guest.avail_index);
    assert_int_equal(used_head(&m->guest, (uint16_t)(m->guest.avail_index - 1)), 0);
    return *guest_ram(&m->guest, STATUS);
}

static inline uint32_t last_used_len(const struct machine *m)
{
    return used_len(&m->guest, (uint16_t)(m->guest.avail_index - 1));
}

/* The usual layout: header, one data buffer, status. */
static inline uint8_t request(struct machine *m, uint32_t type, uint64_t sector, uint32_t len)
{
    bool to_guest = type != 1;
    header_set(m, type, sector);
    desc_set(&m->guest, 0, HEADER, 16, 1, 1);
    desc_set(&m->guest, 1, DATA, len, to_guest ? 3 : 1, 2);
    desc_set(&m->guest, 2, STATUS, 1, 2, 0);
    return run(m);
}

static inline void expect_disk_unchanged(const struct machine *m)
{
    for (unsigned sector = 0; sector < DISK_SECTORS; sector++) {
        for (unsigned i = 0; i < 512; i++)
            assert_int_equal(disk_sector(m, sector)[i], sector);
    }
}

static inline void expect_bytes(const struct machine *m, gpa_t gpa, uint8_t byte, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        assert_int_equal(*guest_ram(&m->guest, gpa + i), byte);
}

/* --- a backend that can fail and that counts --- */

struct probe {
    struct blk_backend real;
    unsigned flushes, accesses;
    bool fail_flush;
    uint64_t fail_offset; /* of accesses that fail */
};

static inline bool probe_read(void *ctx, uint64_t offset, const struct gmem *gmem, gpa_t gpa,
                              uint32_t len)
{
    struct probe *probe = ctx;
    probe->accesses++;
    return offset != probe->fail_offset &&
           probe->real.read(probe->real.ctx, offset, gmem, gpa, len);
}

static inline bool probe_write(void *ctx, uint64_t offset, const struct gmem *gmem, gpa_t gpa,
                               uint32_t len)
{
    struct probe *probe = ctx;
    probe->accesses++;
    return offset != probe->fail_offset &&
           probe->real.write(probe->real.ctx, offset, gmem, gpa, len);
}

static inline bool probe_flush(void *ctx)
{
    struct probe *probe = ctx;
    probe->flushes++;
    return !probe->fail_flush;
}

static inline void probe_install(struct machine *m, struct probe *probe)
{
    *probe = (struct probe){.real = m->disk.backend, .fail_offset = UINT64_MAX};
    m->disk.backend.ctx = probe;
    m->disk.backend.read = probe_read;
    m->disk.backend.write = probe_write;
    m->disk.backend.flush = probe_flush;
}

#endif
