/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/virt/segment.c vmm/lib/fmt.c */
#include "virt/virt.h"

#include "fake_backend.h"
#include "lib/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fake fake;

static int setup(void **state)
{
    (void)state;
    fake_init(&fake);
    return 0;
}

static void access_port(uint16_t port, uint8_t size, bool in)
{
    struct vexit exit = {.kind = VEXIT_PIO, .insn_len = 1};
    exit.pio = (struct vexit_pio){.port = port, .size = size, .in = in};
    exit_handle(&fake.vcpu, &exit);
}

/* A string instruction of 2 bytes, with the address computed as the CPU does. */
static void string_port(uint8_t size, bool in, bool rep, uint8_t address_size)
{
    struct vexit exit = {.kind = VEXIT_PIO, .insn_len = 2};
    uint64_t index = fake.vcpu.gpr[in ? VGPR_RDI : VGPR_RSI] & size_mask(address_size);
    exit.pio = (struct vexit_pio){.port = 0x1f0,
                                  .size = size,
                                  .in = in,
                                  .string = true,
                                  .rep = rep,
                                  .address_size = address_size,
                                  .linear = fake.seg[in ? VSEG_ES : VSEG_DS].base + index,
                                  .linear_valid = true};
    exit_handle(&fake.vcpu, &exit);
}

/* --- IN and OUT ------------------------------------------------------------------------------- */

static void in_merges_into_rax_by_size(void **state)
{
    (void)state;
    static const struct {
        uint8_t size;
        uint64_t rax;
    } table[] = {{1, 0x1122334455667781}, {2, 0x112233445566f381}, {4, 0xd2e2f381}};
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init(&fake);
        fake.vcpu.gpr[VGPR_RAX] = 0x1122334455667788;
        fake.pio_value = 0xd2e2f381;
        access_port(0x3f8, table[i].size, true);
        assert_true(fake.vcpu.gpr[VGPR_RAX] == table[i].rax);
        assert_int_equal(fake.pio[0].port, 0x3f8);
        assert_int_equal(fake.pio[0].size, table[i].size);
        assert_false(fake.pio[0].write);
        assert_int_equal(fake.vcpu.rip, 0x1001);
    }
}

static void out_takes_the_low_bytes_of_rax(void **state)
{
    (void)state;
    static const struct {
        uint8_t size;
        uint32_t value;
    } table[] = {{1, 0x88}, {2, 0x7788}, {4, 0x55667788}};
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init(&fake);
        fake.vcpu.gpr[VGPR_RAX] = 0x1122334455667788;
        access_port(0xcfc, table[i].size, false);
        assert_int_equal(fake.pio_count, 1);
        assert_true(fake.pio[0].write);
        assert_int_equal(fake.pio[0].value, table[i].value);
        assert_true(fake.vcpu.gpr[VGPR_RAX] == 0x1122334455667788);
    }
}

static void a_port_access_is_counted_with_its_port(void **state)
{
    (void)state;
    access_port(0x3f8, 1, true);
    assert_true(fake.vcpu.account.current->key == 0x08000000000003f8);
}

/* --- one string item -------------------------------------------------------------------------- */

static void outs_without_rep_writes_one_item(void **state)
{
    (void)state;
    memcpy(fake.ram + 0x5000, "\x11\x22\x33\x44", 4);
    fake.vcpu.gpr[VGPR_RSI] = 0x5000;
    fake.vcpu.gpr[VGPR_RCX] = 9;
    string_port(4, false, false, 8);
    assert_int_equal(fake.pio_count, 1);
    assert_int_equal(fake.pio[0].value, 0x44332211);
    assert_int_equal(fake.vcpu.gpr[VGPR_RSI], 0x5004);
    assert_int_equal(fake.vcpu.gpr[VGPR_RCX], 9);
    assert_int_equal(fake.vcpu.rip, 0x1002);
}

static void ins_stores_exactly_its_size(void **state)
{
    (void)state;
    memset(fake.ram + 0x5000, 0xee, 8);
    fake.vcpu.gpr[VGPR_RDI] = 0x5001;
    fake.pio_value = 0x44332211;
    string_port(2, true, false, 8);
    assert_memory_equal(fake.ram + 0x5000, "\xee\x11\x22\xee\xee", 5);
    assert_int_equal(fake.vcpu.gpr[VGPR_RDI], 0x5003);
}

/* --- REP -------------------------------------------------------------------------------------- */

static void rep_outs_writes_in_order_and_finishes(void **state)
{
    (void)state;
    memcpy(fake.ram + 0x5000, "hello", 5);
    fake.vcpu.gpr[VGPR_RSI] = 0x5000;
    fake.vcpu.gpr[VGPR_RCX] = 5;
    string_port(1, false, true, 8);
    assert_int_equal(fake.pio_count, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(fake.pio[i].value, "hello"[i]);
    assert_int_equal(fake.vcpu.gpr[VGPR_RSI], 0x5005);
    assert_int_equal(fake.vcpu.gpr[VGPR_RCX], 0);
    assert_int_equal(fake.vcpu.rip, 0x1002);
}

static void rep_with_a_count_of_zero_does_nothing(void **state)
{
    (void)state;
    fake.vcpu.gpr[VGPR_RSI] = 0x5000;
    string_port(4, false, true, 8);
    assert_int_equal(fake.pio_count, 0);
    assert_int_equal(fake.vcpu.gpr[VGPR_RSI], 0x5000);
    assert_int_equal(fake.vcpu.rip, 0x1002);
}

static void rep_runs_in_batches_of_a_page(void **state)
{
    (void)state;
    static const struct {
        uint8_t size;
        unsigned items;
    } table[] = {{1, 4096}, {2, 2048}, {4, 1024}};
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        fake_init(&fake);
        fake.pio_step = 1;
        fake.vcpu.int_shadow = 1;
        fake.vcpu.gpr[VGPR_RDI] = 0x5100;
        fake.vcpu.gpr[VGPR_RCX] = table[i].items + 3;
        string_port(table[i].size, true, true, 8);
        assert_int_equal(fake.pio_count, table[i].items);
        assert_int_equal(fake.vcpu.gpr[VGPR_RCX], 3);
        assert_int_equal(fake.vcpu.gpr[VGPR_RDI], 0x6100);
        assert_int_equal(fake.vcpu.rip, 0x1000); /* not done: interrupts get their turn */
        assert_int_equal(fake.vcpu.int_shadow, 0);
        assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
        string_port(table[i].size, true, true, 8);
        assert_int_equal(fake.vcpu.gpr[VGPR_RCX], 0);
        assert_int_equal(fake.vcpu.rip, 0x1002);
        for (unsigned item = 0; item < table[i].items + 3; item++)
            assert_int_equal(fake.ram[0x5100 + item * table[i].size], item & 0xff);
    }
}

static void the_direction_flag_counts_down(void **state)
{
    (void)state;
    fake.vcpu.rflags |= 0x400;
    fake.pio_value = 0xa0;
    fake.pio_step = 1;
    fake.vcpu.gpr[VGPR_RDI] = 0x5006;
    fake.vcpu.gpr[VGPR_RCX] = 3;
    string_port(2, true, true, 8);
    assert_int_equal(fake.ram[0x5006], 0xa0);
    assert_int_equal(fake.ram[0x5004], 0xa1);
    assert_int_equal(fake.ram[0x5002], 0xa2);
    assert_int_equal(fake.vcpu.gpr[VGPR_RDI], 0x5000);
}

static void single_step_stops_after_each_iteration(void **state)
{
    (void)state;
    fake.vcpu.rflags |= 0x100;
    fake.vcpu.gpr[VGPR_RSI] = 0x5000;
    fake.vcpu.gpr[VGPR_RCX] = 2;
    string_port(1, false, true, 8);
    assert_int_equal(fake.pio_count, 1);
    assert_int_equal(fake.vcpu.rip, 0x1000);
    assert_int_equal(fake.reg[VREG_PENDING_DB], 0x4000);
    string_port(1, false, true, 8);
    assert_int_equal(fake.vcpu.rip, 0x1002);
}

/* --- address sizes ---------------------------------------------------------------------------- */

static void sixteen_bit_addresses_wrap_and_keep_the_upper_bits(void **state)
{
    (void)state;
    fake_init_bits(&fake, 16);
    fake.seg[VSEG_DS].base = 0x20000;
    fake.ram[0x2ffff] = 'a';
    fake.ram[0x20000] = 'b';
    fake.vcpu.gpr[VGPR_RSI] = 0xaaaabbbbccccffff;
    fake.vcpu.gpr[VGPR_RCX] = 0xaaaabbbbcccc0002;
    string_port(1, false, true, 2);
    assert_int_equal(fake.pio[0].value, 'a');
    assert_int_equal(fake.pio[1].value, 'b');
    assert_true(fake.vcpu.gpr[VGPR_RSI] == 0xaaaabbbbcccc0001);
    assert_true(fake.vcpu.gpr[VGPR_RCX] == 0xaaaabbbbcccc0000);
}

static void thirty_two_bit_addresses_clear_the_upper_half(void **state)
{
    (void)state;
    fake.vcpu.gpr[VGPR_RSI] = 0xffffffff00005000;
    fake.vcpu.gpr[VGPR_RCX] = 0xffffffff00000001;
    string_port(1, false, true, 4);
    assert_int_equal(fake.pio_count, 1);
    assert_true(fake.vcpu.gpr[VGPR_RSI] == 0x5001);
    assert_true(fake.vcpu.gpr[VGPR_RCX] == 0);
}

static void linear_addresses_wrap_at_4_gib_outside_of_64_bit_code(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    fake.seg[VSEG_ES].base = 0xfffff000;
    fake.vcpu.gpr[VGPR_RDI] = 0x3000;
    fake.pio_value = 0x5a;
    string_port(1, true, false, 4);
    assert_int_equal(fake.ram[0x2000], 0x5a);
}

static void without_the_cpus_help_the_segments_give_the_address(void **state)
{
    (void)state;
    fake_init_bits(&fake, 16);
    fake.seg[VSEG_DS].base = 0x30000;
    fake.seg[VSEG_ES].base = 0x40000;
    fake.ram[0x30010] = 'x';
    struct vexit exit = {.kind = VEXIT_PIO, .insn_len = 1};
    exit.pio = (struct vexit_pio){.port = 1, .size = 1, .string = true, .segment = VSEG_DS};
    fake.vcpu.gpr[VGPR_RSI] = 0x10;
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.pio[0].value, 'x');
    exit.pio.in = true;
    fake.pio_value = 'y';
    fake.vcpu.gpr[VGPR_RDI] = 0x20;
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.ram[0x40020], 'y');
    assert_int_equal(fake.vcpu.gpr[VGPR_RDI], 0x21);
}

/* --- faults ----------------------------------------------------------------------------------- */

static void a_fault_leaves_the_string_restartable(void **state)
{
    (void)state;
    fake.missing_page = 0x6000;
    fake.pio_step = 1;
    fake.vcpu.gpr[VGPR_RDI] = 0x5ff8;
    fake.vcpu.gpr[VGPR_RCX] = 4;
    string_port(4, true, true, 8);
    assert_int_equal(fake.pio_count, 2); /* the port isn't read for an item that can't be stored */
    assert_int_equal(fake.vcpu.gpr[VGPR_RDI], 0x6000);
    assert_int_equal(fake.vcpu.gpr[VGPR_RCX], 2);
    assert_int_equal(fake.vcpu.inject.vector, 14);
    assert_int_equal(fake.vcpu.inject.error, 2);
    assert_int_equal(fake.reg[VREG_CR2], 0x6000);
    assert_int_equal(fake.vcpu.rip, 0x1000);

    fake.missing_page = UINT64_MAX;
    fake.vcpu.inject.type = VEVENT_NONE;
    string_port(4, true, true, 8);
    assert_int_equal(fake.pio_count, 4);
    assert_int_equal(fake.ram[0x6004], 3);
    assert_int_equal(fake.vcpu.rip, 0x1002);
}

static void an_item_across_two_pages_needs_both(void **state)
{
    (void)state;
    fake.missing_page = 0x6000;
    fake.vcpu.gpr[VGPR_RDI] = 0x5ffe;
    string_port(4, true, false, 8);
    assert_int_equal(fake.pio_count, 0);
    assert_int_equal(fake.reg[VREG_CR2], 0x6000); /* the first byte that faults */
    fake.missing_page = UINT64_MAX;
    fake.vcpu.inject.type = VEVENT_NONE;
    fake.pio_value = 0x44332211;
    string_port(4, true, false, 8);
    assert_memory_equal(fake.ram + 0x5ffe, "\x11\x22\x33\x44", 4);
    fake.vcpu.gpr[VGPR_RSI] = 0x5ffe;
    string_port(4, false, false, 8);
    assert_int_equal(fake.pio[1].value, 0x44332211);
}

static void an_item_across_two_pages_of_32_bit_code_needs_both(void **state)
{
    (void)state;
    fake_init_bits(&fake, 32);
    fake.pio_value = 0x44332211;
    fake.vcpu.gpr[VGPR_RDI] = 0x5ffd;
    string_port(4, true, false, 4);
    assert_memory_equal(fake.ram + 0x5ffd, "\x11\x22\x33\x44", 4);
    fake.missing_page = 0x6000;
    fake.vcpu.gpr[VGPR_RDI] = 0x5ffd;
    string_port(4, true, false, 4);
    assert_int_equal(fake.reg[VREG_CR2], 0x6000);
}

static void outs_reads_what_ins_may_not_write(void **state)
{
    (void)state;
    fake.read_only_page = 0x5000;
    fake.vcpu.gpr[VGPR_RSI] = fake.vcpu.gpr[VGPR_RDI] = 0x5000;
    string_port(1, false, false, 8);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
    string_port(1, true, false, 8);
    assert_int_equal(fake.vcpu.inject.vector, 14);
    assert_int_equal(fake.vcpu.inject.error, 3);
}

static void a_user_programs_fault_says_user(void **state)
{
    (void)state;
    fake.seg[VSEG_SS].access |= 3 << 5;
    fake.missing_page = 0x5000;
    fake.vcpu.gpr[VGPR_RSI] = 0x5000;
    string_port(1, false, false, 8);
    assert_int_equal(fake.vcpu.inject.error, 4);
}

static void an_address_that_is_not_canonical_is_a_protection_fault(void **state)
{
    (void)state;
    static const uint64_t bad[] = {0x800000000000, 0x7ffffffffffe, 0xffff7ffffffffffc};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        fake_init(&fake);
        fake.vcpu.gpr[VGPR_RSI] = bad[i];
        string_port(4, false, false, 8);
        assert_int_equal(fake.vcpu.inject.vector, 13);
        assert_int_equal(fake.pio_count, 0);
    }
}

static void a_page_table_outside_of_ram_stops_the_guest(void **state)
{
    (void)state;
    fake.lost_table_page = 0x5000;
    fake.vcpu.gpr[VGPR_RSI] = 0x5000;
    string_port(1, false, false, 8);
    assert_int_equal(fake.vcpu.stop, VM_STOP_BAD_ACCESS);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
    assert_int_equal(fake.pio_count, 0);
}

static void strings_reach_devices_and_holes(void **state)
{
    (void)state;
    fake.vcpu.gpr[VGPR_RSI] = 0xfee00000; /* a device: each byte reads 88h */
    string_port(4, false, false, 8);
    assert_int_equal(fake.pio[0].value, 0x88888888);
    fake.vcpu.gpr[VGPR_RSI] = 0xe0000000; /* nothing there */
    string_port(2, false, false, 8);
    assert_int_equal(fake.pio[1].value, 0xffff);
    fake.vcpu.gpr[VGPR_RDI] = 0xe0000000;
    string_port(2, true, false, 8);
    assert_int_equal(fake.mmio_gpa, 0xe0000001); /* the second byte of two */
    assert_int_equal(fake.vcpu.stop, VM_RUNNING);
    assert_int_equal(fake.pio_count, 3);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(in_merges_into_rax_by_size),
        TEST(out_takes_the_low_bytes_of_rax),
        TEST(a_port_access_is_counted_with_its_port),
        TEST(outs_without_rep_writes_one_item),
        TEST(ins_stores_exactly_its_size),
        TEST(rep_outs_writes_in_order_and_finishes),
        TEST(rep_with_a_count_of_zero_does_nothing),
        TEST(rep_runs_in_batches_of_a_page),
        TEST(the_direction_flag_counts_down),
        TEST(single_step_stops_after_each_iteration),
        TEST(sixteen_bit_addresses_wrap_and_keep_the_upper_bits),
        TEST(thirty_two_bit_addresses_clear_the_upper_half),
        TEST(linear_addresses_wrap_at_4_gib_outside_of_64_bit_code),
        TEST(without_the_cpus_help_the_segments_give_the_address),
        TEST(a_fault_leaves_the_string_restartable),
        TEST(an_item_across_two_pages_needs_both),
        TEST(an_item_across_two_pages_of_32_bit_code_needs_both),
        TEST(outs_reads_what_ins_may_not_write),
        TEST(a_user_programs_fault_says_user),
        TEST(an_address_that_is_not_canonical_is_a_protection_fault),
        TEST(a_page_table_outside_of_ram_stops_the_guest),
        TEST(strings_reach_devices_and_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
