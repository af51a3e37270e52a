/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/insn.c vmm/virt/segment.c vmm/virt/gwalk.c vmm/emu/exec.c vmm/emu/alu.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* INS and OUTS where the CPU doesn't give the linear address: segments, limits, types, wrapping. */
#include "virt/virt.h"

#include "insn_guest.h"

static struct vexit exit_now;

/* One exit of a string instruction of 2 bytes at port 1F0h. */
static void string_io(bool in, uint8_t size, bool rep, uint8_t address_size, uint8_t segment)
{
    exit_now = (struct vexit){.kind = VEXIT_PIO, .insn_len = 2};
    exit_now.pio = (struct vexit_pio){.port = 0x1f0,
                                      .size = size,
                                      .in = in,
                                      .string = true,
                                      .rep = rep,
                                      .address_size = address_size,
                                      .segment = segment};
    exit_handle(cpu, &exit_now);
}

static void assert_written(uint32_t value)
{
    assert_int_equal(cpu->inject.type, VEVENT_NONE);
    assert_int_equal(fake.pio_count, 1);
    assert_true(fake.pio[0].write);
    assert_int_equal(fake.pio[0].value, value);
}

static void assert_refused(uint8_t vector)
{
    assert_fault(vector, 0);
    assert_int_equal(fake.pio_count, 0);
}

/* --- which segment ---------------------------------------------------------------------------- */

static void outs_in_16_bit_code_goes_through_the_segment_that_the_cpu_names(void **state)
{
    (void)state;
    for (unsigned segment = VSEG_ES; segment <= VSEG_GS; segment++) {
        init_guest(16);
        for (unsigned i = VSEG_ES; i <= VSEG_GS; i++) {
            fake.seg[i].base = 0x10000 + i * 0x10000;
            fake.ram[fake.seg[i].base + 0x44] = (uint8_t)(0xa0 + i);
        }
        cpu->gpr[VGPR_RSI] = 0xffff0044; /* only SI counts */
        string_io(false, 1, false, 2, (uint8_t)segment);
        assert_written(0xa0 + segment);
        assert_int_equal(cpu->gpr[VGPR_RSI], 0xffff0045);
        assert_int_equal(cpu->rip, 0x8002);
    }
}

static void outs_in_64_bit_code_knows_the_bases_of_fs_and_gs_only(void **state)
{
    (void)state;
    static const struct {
        uint8_t segment;
        uint8_t value;
    } rows[] = {{VSEG_ES, 1}, {VSEG_CS, 1}, {VSEG_SS, 1}, {VSEG_DS, 1}, {VSEG_FS, 2}, {VSEG_GS, 3}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        init_guest(64);
        for (unsigned s = VSEG_ES; s <= VSEG_GS; s++)
            fake.seg[s] = (struct vseg){.base = 0x70000}; /* and no limit, no type */
        fake.seg[VSEG_CS].access = 0xa09b;
        fake.reg[VREG_FS_BASE] = 0x20000;
        fake.reg[VREG_GS_BASE] = 0x30000;
        fake.ram[0x18888] = 1;
        fake.ram[0x38888] = 2;
        fake.ram[0x48888] = 3;
        cpu->gpr[VGPR_RSI] = 0x18888;
        string_io(false, 1, false, 8, rows[i].segment);
        assert_written(rows[i].value);
    }
}

static void a_segment_that_the_cpu_does_not_name_is_in_the_bytes(void **state)
{
    (void)state;
    init_guest(64);
    fake.reg[VREG_FS_BASE] = 0x20000;
    fake.ram[0x28888] = 7;
    cpu->gpr[VGPR_RSI] = 0x8888;
    put_code("\x64\x6e", 2);
    string_io(false, 1, false, 8, VEXIT_SEGMENT_UNKNOWN);
    assert_written(7);

    init_guest(16);
    fake.seg[VSEG_SS].base = 0x20000;
    fake.ram[0x20010] = 9;
    cpu->gpr[VGPR_RSI] = 0x10;
    put_code("\x36\x6e", 2);
    string_io(false, 1, false, 2, 6); /* no segment has this number */
    assert_written(9);

    init_guest(64);
    map_page(0x10, 0, 0);
    string_io(false, 1, false, 8, VEXIT_SEGMENT_UNKNOWN);
    assert_fault(14, 0x10);
    assert_int_equal(fake.pio_count, 0);
}

static void ins_stores_through_es_whatever_is_named(void **state)
{
    (void)state;
    static const uint8_t named[] = {VSEG_DS, VSEG_FS, VEXIT_SEGMENT_UNKNOWN};
    for (unsigned i = 0; i < ARRAY_SIZE(named); i++) {
        init_guest(16);
        fake.seg[VSEG_ES].base = 0x40000;
        fake.pio_value = 0x5a;
        cpu->gpr[VGPR_RDI] = 0x20;
        string_io(true, 1, false, 2, named[i]);
        assert_int_equal(fake.ram[0x40020], 0x5a);
        init_guest(64);
        fake.reg[VREG_FS_BASE] = 0x40000;
        fake.pio_value = 0x5b;
        cpu->gpr[VGPR_RDI] = 0x20020;
        string_io(true, 1, false, 8, named[i]);
        assert_int_equal(fake.ram[0x20020], 0x5b);
    }
}

/* --- limits and types ------------------------------------------------------------------------- */

static void the_limit_holds_for_every_byte_of_an_item(void **state)
{
    (void)state;
    for (unsigned in = 0; in < 2; in++) {
        init_guest(32);
        fake.seg[in ? VSEG_ES : VSEG_DS].limit = 0x20003;
        cpu->gpr[VGPR_RSI] = cpu->gpr[VGPR_RDI] = 0x20000;
        string_io(in, 4, false, 4, VSEG_DS);
        assert_int_equal(cpu->inject.type, VEVENT_NONE);
        assert_int_equal(fake.pio_count, 1);
        fake.pio_count = 0;
        cpu->gpr[VGPR_RSI] = cpu->gpr[VGPR_RDI] = 0x20001;
        string_io(in, 4, false, 4, VSEG_DS);
        assert_refused(13);
    }
    init_guest(32);
    fake.seg[VSEG_SS].limit = 0xf;
    cpu->gpr[VGPR_RSI] = 0x10;
    string_io(false, 1, false, 4, VSEG_SS);
    assert_refused(12);
}

static void a_rep_stops_at_the_limit_with_its_registers_there(void **state)
{
    (void)state;
    init_guest(32);
    fake.seg[VSEG_DS].limit = 0x20005;
    cpu->gpr[VGPR_RSI] = 0x20000;
    cpu->gpr[VGPR_RCX] = 9;
    string_io(false, 2, true, 4, VSEG_DS);
    assert_fault(13, 0);
    assert_int_equal(fake.pio_count, 3);
    assert_int_equal(cpu->gpr[VGPR_RSI], 0x20006);
    assert_int_equal(cpu->gpr[VGPR_RCX], 6);
    assert_int_equal(cpu->rip, CODE);
}

static void a_count_of_zero_checks_nothing(void **state)
{
    (void)state;
    init_guest(32);
    fake.seg[VSEG_DS].access = 0;
    string_io(false, 2, true, 4, VSEG_DS);
    assert_int_equal(cpu->inject.type, VEVENT_NONE);
    assert_int_equal(cpu->rip, CODE + 2);
}

static void types_hold_in_protected_mode(void **state)
{
    (void)state;
    static const struct {
        bool in;
        uint16_t access;
        bool allowed;
    } rows[] = {
        {true, 0xc093, true},  {false, 0xc093, true},  /* data, writable */
        {true, 0xc091, false}, {false, 0xc091, true},  /* data, read-only */
        {true, 0xc09b, false}, {false, 0xc09b, true},  /* code, readable */
        {true, 0xc099, false}, {false, 0xc099, false}, /* code, execute-only */
        {true, 0x0000, false}, {false, 0x0000, false}, /* null selector */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        init_guest(32);
        fake.seg[rows[i].in ? VSEG_ES : VSEG_FS].access = rows[i].access;
        string_io(rows[i].in, 1, false, 4, VSEG_FS);
        assert_int_equal(fake.pio_count, rows[i].allowed);
        assert_int_equal(cpu->inject.type, rows[i].allowed ? VEVENT_NONE : VEVENT_EXCEPTION);
        if (!rows[i].allowed)
            assert_fault(13, 0);
    }
    init_guest(16); /* in real mode only the limit does */
    fake.seg[VSEG_FS].access = 0;
    string_io(false, 1, false, 2, VSEG_FS);
    assert_int_equal(fake.pio_count, 1);
}

static void an_expand_down_segment_begins_above_its_limit(void **state)
{
    (void)state;
    init_guest(32);
    fake.seg[VSEG_DS].access = 0x4097;
    fake.seg[VSEG_DS].limit = 0x1fff;
    cpu->gpr[VGPR_RSI] = 0x2000;
    string_io(false, 1, false, 4, VSEG_DS);
    assert_int_equal(fake.pio_count, 1);
    fake.pio_count = 0;
    cpu->gpr[VGPR_RSI] = 0x1fff;
    string_io(false, 1, false, 4, VSEG_DS);
    assert_refused(13);
}

/* --- the ends of address space ---------------------------------------------------------------- */

static void sixteen_bit_offsets_wrap_between_items_not_within(void **state)
{
    (void)state;
    init_guest(16);
    fake.seg[VSEG_DS].base = 0x20000;
    memcpy(fake.ram + 0x2fffe, "\x11\x22", 2);
    memcpy(fake.ram + 0x20000, "\x33\x44", 2);
    cpu->gpr[VGPR_RSI] = 0xabcdfffe;
    cpu->gpr[VGPR_RCX] = 2;
    string_io(false, 2, true, 2, VSEG_DS);
    assert_int_equal(cpu->inject.type, VEVENT_NONE);
    assert_int_equal(fake.pio[0].value, 0x2211);
    assert_int_equal(fake.pio[1].value, 0x4433);
    assert_int_equal(cpu->gpr[VGPR_RSI], 0xabcd0002);

    fake.pio_count = 0;
    cpu->gpr[VGPR_RSI] = 0xffff;
    string_io(false, 2, false, 2, VSEG_DS);
    assert_int_equal(cpu->inject.vector, 13);
    assert_false(cpu->inject.has_error); /* real mode */
    assert_int_equal(fake.pio_count, 0);
}

static void linear_addresses_wrap_at_4_gib(void **state)
{
    (void)state;
    init_guest(32);
    fake.seg[VSEG_FS].base = 0xffff0000;
    memcpy(fake.ram + 0x1000, "\x11\x22\x33\x44", 4);
    cpu->gpr[VGPR_RSI] = 0x11000;
    string_io(false, 4, false, 4, VSEG_FS);
    assert_written(0x44332211);
}

static void thirty_two_bit_addresses_in_64_bit_code_begin_at_the_base(void **state)
{
    (void)state;
    init_guest(64);
    fake.reg[VREG_GS_BASE] = 0x20000;
    fake.ram[0x20010] = 0x77;
    cpu->gpr[VGPR_RSI] = 0xffffffff00000010;
    string_io(false, 1, false, 4, VSEG_GS);
    assert_written(0x77);
    assert_int_equal(cpu->gpr[VGPR_RSI], 0x11);
}

static void an_address_that_is_not_canonical_is_a_protection_fault(void **state)
{
    (void)state;
    init_guest(64);
    fake.reg[VREG_FS_BASE] = 0x7fffffffffff;
    cpu->gpr[VGPR_RSI] = 0;
    string_io(false, 2, false, 8, VSEG_FS); /* its second byte */
    assert_refused(13);
    cpu->inject.type = VEVENT_NONE;
    cpu->gpr[VGPR_RDI] = 0x800000000000;
    string_io(true, 1, false, 8, VSEG_DS);
    assert_refused(13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outs_in_16_bit_code_goes_through_the_segment_that_the_cpu_names),
        cmocka_unit_test(outs_in_64_bit_code_knows_the_bases_of_fs_and_gs_only),
        cmocka_unit_test(a_segment_that_the_cpu_does_not_name_is_in_the_bytes),
        cmocka_unit_test(ins_stores_through_es_whatever_is_named),
        cmocka_unit_test(the_limit_holds_for_every_byte_of_an_item),
        cmocka_unit_test(a_rep_stops_at_the_limit_with_its_registers_there),
        cmocka_unit_test(a_count_of_zero_checks_nothing),
        cmocka_unit_test(types_hold_in_protected_mode),
        cmocka_unit_test(an_expand_down_segment_begins_above_its_limit),
        cmocka_unit_test(sixteen_bit_offsets_wrap_between_items_not_within),
        cmocka_unit_test(linear_addresses_wrap_at_4_gib),
        cmocka_unit_test(thirty_two_bit_addresses_in_64_bit_code_begin_at_the_base),
        cmocka_unit_test(an_address_that_is_not_canonical_is_a_protection_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
