/* A guest whose exits come without length and operands, for the tests of insn.c. */
#ifndef TESTS_INSN_GUEST_H
#define TESTS_INSN_GUEST_H

#include "fake_backend.h"
#include "lib/bits.h"
#include "virt/insn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;
static struct vcpu *const cpu = &fake.vcpu;
static unsigned reads; /* how often the guest's memory was asked for */

#define CODE 0x10000u

static inline void put64(gpa_t gpa, uint64_t value)
{
    memcpy(fake.ram + gpa, &value, 8);
}

static inline bool counted_read(void *ctx, gpa_t gpa, void *dst, uint64_t len)
{
    struct fake *f = ctx;
    reads++;
    if (!range_fits(gpa, len, FAKE_RAM_SIZE))
        return false;
    memcpy(dst, f->ram + gpa, len);
    return true;
}

/* Where linear page `page` (0 to 511) leads; flags 7: present, writable, user. */
static inline void map_page(unsigned page, gpa_t gpa, unsigned flags)
{
    put64(0x6000 + 8 * page, gpa | flags);
}

/* 64-bit code: 4 KiB pages at 6000h map the first 2 MiB to themselves, of which 1 MiB is RAM.
 * 32-bit code: no paging, flat segments. 16-bit code: real mode. */
static inline void init_guest(unsigned bits)
{
    fake_init_bits(&fake, bits);
    cpu->hooks.mem_read = counted_read;
    reads = 0;
    cpu->rip = bits == 16 ? 0x8000 : CODE;
    for (unsigned i = VSEG_ES; bits == 16 && i <= VSEG_GS; i++)
        fake.seg[i].limit = 0xffff;
    if (bits != 64)
        return;
    fake.reg[VREG_CR3] = 0x3000;
    fake.reg[VREG_CR4] = 0x20;
    put64(0x3000, 0x4007);
    put64(0x4000, 0x5007);
    put64(0x5000, 0x6007);
    for (unsigned i = 0; i < 512; i++)
        map_page(i, i << 12, 7);
}

/* Puts the bytes at RIP, where linear and physical addresses are equal. */
static inline void put_code(const char *bytes, unsigned count)
{
    memcpy(fake.ram + cpu->rip, bytes, count);
}

/* What insn_complete() makes of an exit of this kind; *exit is the whole of it. */
static inline enum exit_action complete_as(enum vexit_kind kind, struct vexit *exit)
{
    *exit = (struct vexit){.kind = kind};
    return insn_complete(cpu, exit);
}

static inline enum exit_action complete_code(enum vexit_kind kind, const char *bytes,
                                             unsigned count, struct vexit *exit)
{
    put_code(bytes, count);
    return complete_as(kind, exit);
}

static inline void assert_fault(uint8_t vector, uint32_t error)
{
    assert_int_equal(cpu->inject.type, VEVENT_EXCEPTION);
    assert_int_equal(cpu->inject.vector, vector);
    assert_true(cpu->inject.has_error);
    assert_int_equal(cpu->inject.error, error);
}

#endif
