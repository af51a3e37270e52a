/* Two tasks in the fake's RAM, on raw descriptors and TSSs, for the tests of task switches. */
#ifndef TESTS_TASK_GUEST_H
#define TESTS_TASK_GUEST_H

#include "gwalk_guest.h"

/*
 * GDT at 10000h: 08h code and 10h data of level 0, 18h code and 20h data of level 3, 28h the old
 * TSS at 11000h, 30h the new one at 12000h, 38h a 16-bit one at 13000h, 40h an LDT at 14000h.
 */
#define GDT 0x10000u
#define OLD 0x11000u
#define NEW 0x12000u
#define SML 0x13000u

enum { CALL = 0, IRET = 1, JMP = 2, GATE = 3 };

static inline void put16(gpa_t gpa, uint16_t value)
{
    memcpy(fake.ram + gpa, &value, 2);
}

static inline uint16_t get16(gpa_t gpa)
{
    uint16_t value;
    memcpy(&value, fake.ram + gpa, 2);
    return value;
}

static inline void fill_new_tss(void)
{
    put32(NEW + 0x1c, 0x5000);
    put32(NEW + 0x20, 0x00401234);
    put32(NEW + 0x24, 0x00000046);
    for (unsigned i = 0; i < 8; i++)
        put32(NEW + 0x28 + 4 * i, 0xa0000000 + i);
    put16(NEW + 0x48, 0x10);
    put16(NEW + 0x4c, 0x08);
    put16(NEW + 0x50, 0x10);
    put16(NEW + 0x54, 0x10);
    put16(NEW + 0x58, 0);
    put16(NEW + 0x5c, 0x10);
    put16(NEW + 0x60, 0x40);
}

static inline void fill_small_tss(void)
{
    put16(SML + 0x0e, 0x4321);
    put16(SML + 0x10, 0x0002);
    for (unsigned i = 0; i < 8; i++)
        put16(SML + 0x12 + 2 * i, (uint16_t)(0xb000 + i));
    put16(SML + 0x22, 0x10);
    put16(SML + 0x24, 0x08);
    put16(SML + 0x26, 0x10);
    put16(SML + 0x28, 0x10);
    put16(SML + 0x2a, 0x40);
}

static inline int setup(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    fake.reg[VREG_GDTR_BASE] = GDT;
    fake.reg[VREG_GDTR_LIMIT] = 0x47;
    fake.reg[VREG_DR7] = 0x7ff;
    fake.seg[VSEG_TR] = (struct vseg){0x28, 0x8b, 0x67, OLD};
    put64(GDT + 0x08, 0x00cf9b000000ffff);
    put64(GDT + 0x10, 0x00cf93000000ffff);
    put64(GDT + 0x18, 0x00cffb000000ffff);
    put64(GDT + 0x20, 0x00cff3000000ffff);
    put64(GDT + 0x28, 0x00008b0110000067);
    put64(GDT + 0x30, 0x0000890120000067);
    put64(GDT + 0x38, 0x000081013000002b);
    put64(GDT + 0x40, 0x000082014000001f);
    fill_new_tss();
    fill_small_tss();
    fake.vcpu.rip = 0x7000;
    fake.vcpu.rflags = 0x4202; /* NT, IF */
    for (unsigned i = 0; i < 8; i++)
        fake.vcpu.gpr[i] = 0xc0000000 + i;
    for (unsigned i = 0; i < 6; i++)
        fake.seg[i].selector = (uint16_t)(0x100 + 8 * i);
    return 0;
}

static inline void do_switch(unsigned source, uint16_t selector)
{
    struct vexit exit = {.kind = VEXIT_TASK_SWITCH, .insn_len = 7};
    exit.task_switch.selector = selector;
    exit.task_switch.source = (uint8_t)source;
    exit_handle(&fake.vcpu, &exit);
}

static inline void do_gate(struct vevent event)
{
    struct vexit exit = {.kind = VEXIT_TASK_SWITCH, .insn_len = 7, .interrupted = event};
    exit.task_switch.selector = 0x30;
    exit.task_switch.source = GATE;
    exit_handle(&fake.vcpu, &exit);
}

static inline void make_iret_possible(void)
{
    put64(GDT + 0x30, 0x00008b0120000067);
}

static inline void assert_fault(uint8_t vector, uint32_t error)
{
    assert_int_equal(fake.vcpu.inject.type, VEVENT_EXCEPTION);
    assert_int_equal(fake.vcpu.inject.vector, vector);
    assert_true(fake.vcpu.inject.has_error);
    assert_int_equal(fake.vcpu.inject.error, error);
}

#endif
