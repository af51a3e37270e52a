/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/gwalk.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/virt/debug.c vmm/virt/debug_point.c vmm/virt/debug_step.c vmm/virt/debug_gate.c vmm/virt/debug_memory.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/lib/fmt.c */
/* The walk that a debugger looks with, and the handlers that it finds by it. */
#include "virt/debug_parts.h"

#include "gwalk_guest.h"

static struct vcpu *const cpu = &fake.vcpu;

static struct vdebug_walk walk_of(gva_t linear)
{
    struct vdebug_walk walk;
    memset(&walk, 0xa5, sizeof walk);
    vdebug_walk(cpu, linear, &walk);
    return walk;
}

static void assert_entry(const struct vdebug_walk *walk, unsigned n, unsigned level, gpa_t table,
                         unsigned index, uint64_t entry)
{
    assert_int_equal(walk->entry[n].level, level);
    assert_int_equal(walk->entry[n].table, table);
    assert_int_equal(walk->entry[n].index, index);
    assert_int_equal(walk->entry[n].entry, entry);
}

/* --- walks ------------------------------------------------------------------------------------ */

static void a_walk_tells_its_steps(void **state)
{
    (void)state;
    init_4level();
    struct vdebug_walk walk = walk_of(LONG_ADDRESS + 0x123);
    assert_true(walk.mapped);
    assert_int_equal(walk.gpa, 0x123456789123);
    assert_int_equal(walk.page_bytes, 0x1000);
    assert_int_equal(walk.count, 4);
    assert_entry(&walk, 0, 4, 0x1000, 1, 0x2007);
    assert_entry(&walk, 1, 3, 0x2000, 2, 0x3007);
    assert_entry(&walk, 2, 2, 0x3000, 3, 0x4007);
    assert_entry(&walk, 3, 1, 0x4000, 4, 0x123456789007);
}

static void looking_leaves_no_trace_and_needs_no_rights(void **state)
{
    (void)state;
    init_4level();
    put64(0x4020, 0x8000123456789001); /* a supervisor's, read-only, not executable */
    fake.seg[VSEG_SS].access = 0x40f3; /* CPL 3 */
    uint8_t before[0x5000];
    memcpy(before, fake.ram, sizeof before);
    assert_true(walk_of(LONG_ADDRESS).mapped);
    assert_memory_equal(before, fake.ram, sizeof before);
}

static void a_walk_ends_where_nothing_is_mapped(void **state)
{
    (void)state;
    init_4level();
    put64(0x3018, 0x4006);
    struct vdebug_walk walk = walk_of(LONG_ADDRESS);
    assert_false(walk.mapped);
    assert_int_equal(walk.page_bytes, 0);
    assert_int_equal(walk.count, 3);
    assert_entry(&walk, 2, 2, 0x3000, 3, 0x4006);

    put64(0x3018, 0x7ff000007); /* a table that isn't in RAM */
    walk = walk_of(LONG_ADDRESS);
    assert_false(walk.mapped);
    assert_int_equal(walk.count, 3);
    assert_int_equal(walk_of(0x800000000000).count, 0);
    assert_false(walk_of(0x800000000000).mapped);
}

static void large_pages_have_their_size(void **state)
{
    (void)state;
    init_4level();
    put64(0x3018, 0x40000087);
    struct vdebug_walk walk = walk_of(LONG_ADDRESS);
    assert_int_equal(walk.page_bytes, 0x200000);
    assert_int_equal(walk.gpa, 0x40004000);
    put64(0x2010, 0xc0000087);
    walk = walk_of(LONG_ADDRESS);
    assert_int_equal(walk.page_bytes, 0x40000000);
    assert_int_equal(walk.gpa, 0xc0604000);
    assert_int_equal(walk.count, 2);
}

static void five_levels_begin_at_the_fifth(void **state)
{
    (void)state;
    init_4level();
    fake.reg[VREG_CR4] = 0x1020;
    fake.reg[VREG_CR3] = 0x5000;
    put64(0x5018, 0x1007);
    struct vdebug_walk walk = walk_of(0x3000000000000 + LONG_ADDRESS);
    assert_true(walk.mapped);
    assert_int_equal(walk.count, 5);
    assert_entry(&walk, 0, 5, 0x5000, 3, 0x1007);
}

static void without_paging_there_are_no_steps(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    struct vdebug_walk walk = walk_of(0x12345678);
    assert_true(walk.mapped);
    assert_int_equal(walk.gpa, 0x12345678);
    assert_int_equal(walk.count, 0);
    assert_int_equal(walk.page_bytes, 0);
}

static void memory_is_read_over_the_end_of_a_page(void **state)
{
    (void)state;
    uint8_t bytes[8] = {0};
    init_4level();
    put64(0x4020, 0x8007);
    put64(0x4028, 0x6007);
    memcpy(fake.ram + 0x8ffc, "\x11\x22\x33\x44", 4);
    memcpy(fake.ram + 0x6000, "\x55\x66\x77\x88", 4);
    assert_int_equal(vdebug_read(cpu, LONG_ADDRESS + 0xffc, bytes, 8), 8);
    assert_memory_equal(bytes, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
    assert_int_equal(vdebug_read(cpu, LONG_ADDRESS + 0x1ffc, bytes, 8), 4);
}

static void two_addresses_may_share_a_breakpoint_s_byte(void **state)
{
    (void)state;
    init_4level();
    put64(0x4020, 0x8007);
    put64(0x4028, 0x8007);
    fake.ram[0x8010] = 0x90;
    assert_true(vdebug_insert(cpu, VDEBUG_POINT_SOFT, LONG_ADDRESS + 0x10, 1));
    assert_true(vdebug_insert(cpu, VDEBUG_POINT_SOFT, LONG_ADDRESS + 0x1010, 1));
    assert_true(vdebug_remove(cpu, VDEBUG_POINT_SOFT, LONG_ADDRESS + 0x10, 1));
    assert_int_equal(fake.ram[0x8010], 0xcc);
    assert_true(vdebug_remove(cpu, VDEBUG_POINT_SOFT, LONG_ADDRESS + 0x1010, 1));
    assert_int_equal(fake.ram[0x8010], 0x90);
}

/* --- handlers --------------------------------------------------------------------------------- */

static void real_mode_s_handlers_come_from_its_vectors(void **state)
{
    (void)state;
    gva_t linear;
    fake_init_bits(&fake, 16);
    put32(0x21 * 4, 0xf0001234);
    assert_true(debug_handler(cpu, 0x21, &linear));
    assert_int_equal(linear, 0xf1234);
}

static void a_32_bit_gate_leads_through_its_segment(void **state)
{
    (void)state;
    gva_t linear;
    fake_init_bits(&fake, 32);
    fake.reg[VREG_IDTR_BASE] = 0x5000;
    fake.reg[VREG_GDTR_BASE] = 0x6000;
    fake.seg[VSEG_LDTR].base = 0x7000;
    put32(0x6008, 0x5678ffff);
    put32(0x600c, 0x12cf9b34); /* base 12345678h */
    put32(0x700c, 0x00cf9b10); /* base 100000h */
    put32(0x5000, 0x00082345);
    put32(0x5004, 0x00018e00);
    assert_true(debug_handler(cpu, 0, &linear));
    assert_int_equal(linear, 0x12345678 + 0x12345);
    put32(0x5000, 0x000c2345); /* the LDT's, and a 16-bit trap gate */
    put32(0x5004, 0x00018700);
    assert_true(debug_handler(cpu, 0, &linear));
    assert_int_equal(linear, 0x102345);
    put32(0x5004, 0x00008500); /* a task gate */
    assert_false(debug_handler(cpu, 0, &linear));
}

static void a_64_bit_gate_has_the_whole_address(void **state)
{
    (void)state;
    gva_t linear;
    init_4level();
    put64(0x4020, 0x8007);
    fake.reg[VREG_IDTR_BASE] = LONG_ADDRESS;
    put64(0x80e0, 0x80008e0000101234);
    put64(0x80e8, 0xffffffff);
    assert_true(debug_handler(cpu, 14, &linear));
    assert_int_equal(linear, 0xffffffff80001234);
    fake.reg[VREG_IDTR_BASE] = LONG_ADDRESS + 0x5000; /* not mapped */
    assert_false(debug_handler(cpu, 14, &linear));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_tells_its_steps),
        cmocka_unit_test(looking_leaves_no_trace_and_needs_no_rights),
        cmocka_unit_test(a_walk_ends_where_nothing_is_mapped),
        cmocka_unit_test(large_pages_have_their_size),
        cmocka_unit_test(five_levels_begin_at_the_fifth),
        cmocka_unit_test(without_paging_there_are_no_steps),
        cmocka_unit_test(memory_is_read_over_the_end_of_a_page),
        cmocka_unit_test(two_addresses_may_share_a_breakpoint_s_byte),
        cmocka_unit_test(real_mode_s_handlers_come_from_its_vectors),
        cmocka_unit_test(a_32_bit_gate_leads_through_its_segment),
        cmocka_unit_test(a_64_bit_gate_has_the_whole_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
