/* needs: vmm/dev/lapic.c vmm/dev/lapic_irq.c vmm/dev/lapic_timer.c vmm/lib/mem.c */
/* The local APIC's registers and modes. */
#include "lapic_rig.h"

static void registers_after_reset(void **state)
{
    (void)state;
    assert_int_equal(rdmsr(0x1b), 0xfee00900);
    assert_int_equal(rd(0x20), 0);
    assert_int_equal(rd(0x30), 0x01050014);
    assert_int_equal(rd(0x80), 0);
    assert_int_equal(rd(0xa0), 0);
    assert_int_equal(rd(0xd0), 0);
    assert_true(rd(0xe0) == 0xffffffff);
    assert_int_equal(rd(0xf0), 0xff);
    for (uint32_t offset = 0x100; offset < 0x280; offset += 0x10)
        assert_int_equal(rd(offset), 0);
    assert_int_equal(rd(0x280), 0);
    assert_int_equal(rd(0x300), 0);
    assert_int_equal(rd(0x310), 0);
    for (uint32_t offset = 0x320; offset <= 0x370; offset += 0x10)
        assert_int_equal(rd(offset), 0x10000);
    assert_int_equal(rd(0x380), 0);
    assert_int_equal(rd(0x390), 0);
    assert_int_equal(rd(0x3e0), 0);
    assert_int_equal(errors(), 0);
}

static void writable_bits(void **state)
{
    static const struct {
        uint32_t offset, value;
    } rows[] = {
        {0x20, 0},          {0x30, 0x01050014}, {0x80, 0xff},        {0xd0, 0xff000000},
        {0xe0, 0xffffffff}, {0xf0, 0x11ff},     {0x310, 0xff000000}, {0x320, 0x700ff},
        {0x330, 0x107ff},   {0x340, 0x107ff},   {0x350, 0x1a7ff},    {0x360, 0x1a7ff},
        {0x370, 0x100ff},   {0x3e0, 0x0b},
    };

    (void)state;
    enable();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wr(rows[i].offset, 0xffffffff);
        assert_true(rd(rows[i].offset) == rows[i].value);
    }
    wr(0xe0, 0);
    assert_int_equal(rd(0xe0), 0x0fffffff);
    assert_int_equal(errors(), 0);
}

static void the_id_is_in_the_top_byte(void **state)
{
    (void)state;
    rig_init(0x25);
    assert_int_equal(rd(0x20), 0x25000000);
    x2apic();
    assert_int_equal(rdmsr(0x802), 0x25);
    assert_int_equal(rdmsr(0x80d), 0x20020);
}

static void only_aligned_words_are_registers(void **state)
{
    uint64_t value;

    (void)state;
    for (unsigned size = 1; size <= 8; size *= 2)
        for (uint32_t offset = 0x80; offset < 0x90; offset++)
            assert_int_equal(lapic_ops.read(&lapic, offset, size, &value),
                             size == 4 && offset == 0x80 ? IO_OK : IO_BAD_SIZE);
    assert_int_equal(lapic_ops.write(&lapic, 0x81, 4, 0x55), IO_BAD_SIZE);
    assert_int_equal(lapic_ops.write(&lapic, 0x80, 1, 0x55), IO_BAD_SIZE);
    assert_int_equal(rd(0x80), 0);
    assert_int_equal(lapic_ops.read(&lapic, 0x1000, 4, &value), IO_NO_REGISTER);
}

static void absent_registers_are_an_error(void **state)
{
    static const uint32_t absent[] = {0x00,  0x10,  0x40,  0x70,  0x90,  0xc0, 0x290,
                                      0x2f0, 0x3a0, 0x3d0, 0x3f0, 0x400, 0xff0};

    (void)state;
    enable();
    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        assert_int_equal(rd(absent[i]), 0);
        assert_int_equal(errors(), 0x80);
        wr(absent[i], 0x12);
        assert_int_equal(errors(), 0x80);
    }
    rd(0xb0);     /* write-only, but there */
    wr(0x390, 1); /* read-only */
    wr(0x100, 1);
    assert_int_equal(errors(), 0);
}

static void the_esr_shows_what_was_since_the_last_write(void **state)
{
    (void)state;
    enable();
    rd(0x40);
    assert_int_equal(rd(0x280), 0);
    wr(0x280, 0);
    assert_int_equal(rd(0x280), 0x80);
    assert_int_equal(rd(0x280), 0x80);
    wr(0x280, 0);
    assert_int_equal(rd(0x280), 0);
}

static void the_error_interrupt_comes_once_until_the_esr_is_written(void **state)
{
    (void)state;
    enable();
    wr(0x370, 0x45);
    rd(0x40);
    assert_true(intr.high);
    assert_int_equal(lapic_ack(&lapic), 0x45);
    wr(0xb0, 0);
    rd(0x40);
    assert_false(intr.high);
    wr(0x280, 0);
    rd(0x40);
    assert_true(intr.high);
}

static void an_error_vector_that_is_illegal_itself_ends_there(void **state)
{
    (void)state;
    enable();
    wr(0x370, 0x05);
    rd(0x40);
    assert_false(intr.high);
    assert_int_equal(errors(), 0xc0);
}

static void disabling_in_software_masks_all_entries_for_good(void **state)
{
    (void)state;
    enable();
    for (uint32_t offset = 0x320; offset <= 0x370; offset += 0x10)
        wr(offset, 0x33);
    wr(0xf0, 0x0ff);
    for (uint32_t offset = 0x320; offset <= 0x370; offset += 0x10) {
        assert_int_equal(rd(offset), 0x10033);
        wr(offset, 0x34);
        assert_int_equal(rd(offset), 0x10034);
    }
    enable();
    assert_int_equal(rd(0x350), 0x10034);
    wr(0x350, 0x34);
    assert_int_equal(rd(0x350), 0x34);
}

/* Every pair of states, by the two bits of IA32_APIC_BASE. */
static void the_state_diagram(void **state)
{
    static const uint64_t value[] = {0xfee00100, 0xfee00900, 0xfee00d00, 0xfee00500};
    static const bool allowed[3][4] = {
        /* to: disabled, xAPIC, x2APIC, invalid */
        {true, true, false, false},
        {true, true, true, false},
        {true, false, true, false},
    };

    (void)state;
    for (unsigned from = 0; from < 3; from++)
        for (unsigned to = 0; to < 4; to++) {
            rig_init(0);
            for (unsigned i = from ? 1 : 0; i <= from; i++)
                wrmsr(0x1b, value[i]);
            assert_int_equal(lapic_msr_write(&lapic, 0x1b, value[to]), allowed[from][to]);
            assert_int_equal(rdmsr(0x1b), value[allowed[from][to] ? to : from]);
        }
}

static void reserved_bits_of_the_base_fault(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        bool reserved = bit < 8 || bit == 9 || bit >= 48;
        if (bit == 10 || bit == 11)
            continue;
        assert_int_equal(lapic_msr_write(&lapic, 0x1b, 0xfee00900 ^ 1ull << bit), !reserved);
        assert_true(lapic_msr_write(&lapic, 0x1b, 0xfee00900));
    }
}

static void the_page_moves_and_goes(void **state)
{
    uint64_t value;

    (void)state;
    assert_true(lapic_page(&lapic) == 0xfee00000);
    moves = 0;
    wrmsr(0x1b, 0xd0001900);
    assert_int_equal(moves, 1);
    assert_true(lapic_page(&lapic) == 0xd0001000);
    wrmsr(0x1b, 0xd0001900);
    assert_int_equal(moves, 1);
    wrmsr(0x1b, 0xd0001d00);
    assert_int_equal(moves, 2);
    assert_int_equal(lapic_ops.read(&lapic, 0x20, 4, &value), IO_NO_REGISTER);
    wrmsr(0x1b, 0xd0001100);
    assert_int_equal(lapic_ops.write(&lapic, 0xf0, 4, 0x1ff), IO_NO_REGISTER);
}

static void disabling_and_enabling_resets_all_registers(void **state)
{
    (void)state;
    enable();
    wr(0x80, 0x20);
    wr(0x350, 0x700);
    wr(0x300, 0x44041); /* to itself: vector 41h */
    wrmsr(0x1b, 0xfee00100);
    assert_false(intr.high);
    wrmsr(0x1b, 0xfee00900);
    registers_after_reset(state);
}

static void x2apic_mode_keeps_what_was_there(void **state)
{
    (void)state;
    enable();
    wr(0x80, 0x10);
    wr(0x350, 0x700);
    wr(0x310, 0x12000000);
    wr(0x300, 0x40041);
    x2apic();
    assert_int_equal(rdmsr(0x808), 0x10);
    assert_int_equal(rdmsr(0x80f), 0x1ff);
    assert_int_equal(rdmsr(0x835), 0x700);
    assert_int_equal(rdmsr(0x822), 2); /* IRR of 40h to 5Fh */
    assert_int_equal(rdmsr(0x830), 0x40041);
    assert_int_equal(lapic_ack(&lapic), 0x41);
}

static void which_x2apic_registers_there_are(void **state)
{
    (void)state;
    for (uint32_t msr = 0x800; msr <= 0x8ff; msr++)
        read_faults(msr);
    x2apic();
    for (uint32_t msr = 0x7ff; msr <= 0x900; msr++) {
        bool bitmap = msr >= 0x810 && msr <= 0x827;
        bool lvt = msr >= 0x832 && msr <= 0x837;
        bool there = msr == 0x802 || msr == 0x803 || msr == 0x808 || msr == 0x80a || msr == 0x80d ||
                     msr == 0x80f || bitmap || msr == 0x828 || msr == 0x830 || lvt ||
                     msr == 0x838 || msr == 0x839 || msr == 0x83e;
        bool writable = msr == 0x808 || msr == 0x80b || msr == 0x80f || msr == 0x828 ||
                        msr == 0x830 || lvt || msr == 0x838 || msr == 0x83e;
        uint64_t value;
        assert_int_equal(lapic_msr_read(&lapic, msr, &value), there);
        /* 0 is legal wherever something can be written; SELF IPI takes any vector. */
        assert_int_equal(lapic_msr_write(&lapic, msr, 0), writable || msr == 0x83f);
    }
}

static void reserved_bits_of_x2apic_registers_fault(void **state)
{
    static const struct {
        uint32_t msr;
        uint64_t allowed;
    } rows[] = {
        {0x808, 0xff},       {0x80b, 0},
        {0x80f, 0x11ff},     {0x828, 0},
        {0x832, 0x710ff},    {0x833, 0x157ff},
        {0x834, 0x157ff},    {0x835, 0x1f7ff},
        {0x836, 0x1f7ff},    {0x837, 0x150ff},
        {0x838, 0xffffffff}, {0x83e, 0x0b},
        {0x83f, 0xff},       {0x830, 0xffffffff000ccfff},
    };

    (void)state;
    x2apic();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned bit = 0; bit < 64; bit++) {
            bool allowed = rows[i].allowed >> bit & 1;
            bool remote_irr = bit == 14 && rows[i].msr >= 0x832 && rows[i].msr <= 0x837;
            if (remote_irr)
                continue; /* read-only in LINT entries; nothing in the others */
            assert_int_equal(lapic_msr_write(&lapic, rows[i].msr, 1ull << bit), allowed);
        }
}

static void reset_is_init(void **state)
{
    (void)state;
    struct lapic fresh = lapic;
    enable();
    wr(0x80, 0x10);
    wr(0x3e0, 3);
    wr(0x320, 0x20040);
    wr(0x380, 100);
    wr(0x300, 0x44041);
    x2apic();
    lapic_ops.reset(&lapic);
    rig_assert_same(&lapic, &fresh, base, extint);
    rig_assert_same(&lapic, &fresh, expiry, deadline_ns);
    assert_false(intr.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(registers_after_reset),
        T(writable_bits),
        T(the_id_is_in_the_top_byte),
        T(only_aligned_words_are_registers),
        T(absent_registers_are_an_error),
        T(the_esr_shows_what_was_since_the_last_write),
        T(the_error_interrupt_comes_once_until_the_esr_is_written),
        T(an_error_vector_that_is_illegal_itself_ends_there),
        T(disabling_in_software_masks_all_entries_for_good),
        T(the_state_diagram),
        T(reserved_bits_of_the_base_fault),
        T(the_page_moves_and_goes),
        T(disabling_and_enabling_resets_all_registers),
        T(x2apic_mode_keeps_what_was_there),
        T(which_x2apic_registers_there_are),
        T(reserved_bits_of_x2apic_registers_fault),
        T(reset_is_init),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
