/* A guest with a device in its memory, for the tests of mmio.c. */
#ifndef TESTS_MMIO_GUEST_H
#define TESTS_MMIO_GUEST_H

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;
static struct vcpu *const cpu = &fake.vcpu;

/* --- A device that notes what reaches it ------------------------------------------------------ */

#define DEVICE_BASE 0xfe000000ull
#define DEVICE_SIZE 0x2000u

struct device_access {
    bool write;
    gpa_t gpa;
    unsigned size;
    uint64_t value;
};

static struct device_access device_log[512];
static unsigned device_count;
static uint64_t device_value; /* what reads give */

static inline void device_note(bool write, gpa_t gpa, unsigned size, uint64_t value)
{
    if (device_count < 512)
        device_log[device_count] = (struct device_access){write, gpa, size, value};
    device_count++;
}

static inline bool device_read(void *ctx, gpa_t gpa, unsigned size, uint64_t *value)
{
    (void)ctx;
    device_note(false, gpa, size, 0);
    *value = device_value;
    return gpa - DEVICE_BASE < DEVICE_SIZE;
}

static inline bool device_write(void *ctx, gpa_t gpa, unsigned size, uint64_t value)
{
    (void)ctx;
    device_note(true, gpa, size, value);
    return gpa - DEVICE_BASE < DEVICE_SIZE;
}

static inline void assert_device(unsigned n, bool write, gpa_t gpa, unsigned size, uint64_t value)
{
    assert_true(n < device_count);
    assert_int_equal(device_log[n].write, write);
    assert_int_equal(device_log[n].gpa, gpa);
    assert_int_equal(device_log[n].size, size);
    if (write)
        assert_int_equal(device_log[n].value, value);
}

/* --- The guest -------------------------------------------------------------------------------- */

static inline void put64(gpa_t gpa, uint64_t value)
{
    memcpy(fake.ram + gpa, &value, 8);
}

/* 64-bit code. Linear 0 to 1FFFFFh is RAM through 4 KiB pages at 6000h (user pages); 200000h on
 * leads to the device (three pages: two of it and one behind it); 3FF000h isn't mapped. */
static inline void init64(void)
{
    fake_init(&fake);
    cpu->hooks.mmio_read = device_read;
    cpu->hooks.mmio_write = device_write;
    device_count = 0;
    device_value = 0x1122334455667788;
    fake.reg[VREG_CR3] = 0x3000;
    fake.reg[VREG_CR4] = 0x20;
    put64(0x3000, 0x4007);
    put64(0x4000, 0x5007);
    put64(0x5000, 0x6007);
    put64(0x5008, 0x7007);
    for (unsigned i = 0; i < 256; i++)
        put64(0x6000 + 8 * i, i << 12 | 7);
    for (unsigned i = 0; i < 3; i++)
        put64(0x7000 + 8 * i, (DEVICE_BASE + i * 0x1000) | 7);
    cpu->rip = 0x10000;
    cpu->gpr[VGPR_RBX] = 0x200010;
}

/* Without paging, segments flat from 0; 32-bit or 16-bit code. */
static inline void init_flat(unsigned bits)
{
    fake_init_bits(&fake, bits);
    cpu->hooks.mmio_read = device_read;
    cpu->hooks.mmio_write = device_write;
    device_count = 0;
    device_value = 0x1122334455667788;
    cpu->rip = 0x8000;
}

static inline struct vexit data_exit(gpa_t gpa, bool write)
{
    struct vexit exit = {.kind = VEXIT_NPF};
    exit.npf = (struct vexit_npf){.gpa = gpa, .write = write};
    return exit;
}

/* Runs the bytes at RIP as the instruction that made the exit. */
static inline enum exit_action run_bytes(const char *bytes, unsigned size, struct vexit *exit)
{
    memcpy(fake.ram + cpu->rip, bytes, size);
    return mmio_emulate(cpu, exit);
}

#define RUN(bytes, exit) run_bytes(bytes, sizeof(bytes) - 1, exit)

#endif
