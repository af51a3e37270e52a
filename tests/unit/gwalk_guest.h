/* Guests with page tables in the fake's RAM, for the tests of gwalk.c. */
#ifndef TESTS_GWALK_GUEST_H
#define TESTS_GWALK_GUEST_H

#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { READ = 0, WRITE = 1, USER = 2, FETCH = 4 };

static struct fake fake;

static inline void put64(gpa_t gpa, uint64_t value)
{
    assert_true(gpa + 8 <= FAKE_RAM_SIZE);
    memcpy(fake.ram + gpa, &value, 8);
}

static inline void put32(gpa_t gpa, uint32_t value)
{
    assert_true(gpa + 4 <= FAKE_RAM_SIZE);
    memcpy(fake.ram + gpa, &value, 4);
}

static inline uint64_t get64(gpa_t gpa)
{
    uint64_t value;
    memcpy(&value, fake.ram + gpa, 8);
    return value;
}

static inline uint32_t get32(gpa_t gpa)
{
    uint32_t value;
    memcpy(&value, fake.ram + gpa, 4);
    return value;
}

/* Tables at 1000h (PML4), 2000h, 3000h, 4000h (page table) map 0x8080604000 + n * 1000h: PML4 entry
 * 1, PDPT entry 2, PD entry 3, PT entry 4 + n. */
#define LONG_ADDRESS 0x8080604000ull

static inline void init_4level(void)
{
    fake_init(&fake);
    fake.reg[VREG_CR0] = 0x80010033;
    fake.reg[VREG_CR3] = 0x1000;
    fake.reg[VREG_CR4] = 0x20;
    fake.reg[VREG_EFER] = 0xd01;
    put64(0x1008, 0x2007);
    put64(0x2010, 0x3007);
    put64(0x3018, 0x4007);
    put64(0x4020, 0x123456789007);
}

/* Page directory at 1000h, page table at 2000h: 0x00c05000 is PD entry 3, PT entry 5. */
static inline void init_32bit(void)
{
    fake_init_bits(&fake, 32);
    fake.reg[VREG_CR0] = 0x80010011;
    fake.reg[VREG_CR3] = 0x1000;
    put32(0x100c, 0x2007);
    put32(0x2014, 0xabcde007);
}

/* Directory pointers at 1020h, directory at 2000h, table at 3000h: 0x40605000 is 1, 3, 5. */
static inline void init_pae(void)
{
    fake_init_bits(&fake, 32);
    fake.reg[VREG_CR0] = 0x80010011;
    fake.reg[VREG_CR3] = 0x1020;
    fake.reg[VREG_CR4] = 0x20;
    fake.reg[VREG_EFER] = 0x800;
    put64(0x1028, 0x2001);
    put64(0x2018, 0x3007);
    put64(0x3028, 0x723456789007);
    fake.facts.physical_address_mask = 0x7fffffffffff;
}

#endif
