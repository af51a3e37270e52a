/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/mmio.c vmm/virt/insn.c vmm/virt/segment.c vmm/virt/gwalk.c vmm/emu/exec.c vmm/emu/alu.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* Instructions of a guest that touch device memory, from the exit to the device and back. */
#include "virt/virt.h"

#include "mmio_guest.h"

/* --- Plain moves ------------------------------------------------------------------------------ */

static void a_store_reaches_the_device_with_its_size(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        unsigned length, size;
        uint64_t value;
    } rows[] = {
        {"\x88\x03", 2, 1, 0x88},
        {"\x66\x89\x03", 3, 2, 0x7788},
        {"\x89\x03", 2, 4, 0x55667788},
        {"\x48\x89\x03", 3, 8, 0x1122334455667788},
        {"\x88\x23", 2, 1, 0x77}, /* AH */
        {"\xc7\x03\x04\x03\x02\x81", 6, 4, 0x81020304},
        {"\x48\xc7\x03\x04\x03\x02\x81", 7, 8, 0xffffffff81020304},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        init64();
        cpu->gpr[VGPR_RAX] = 0x1122334455667788;
        struct vexit exit = data_exit(0xfe000010, true);
        assert_int_equal(run_bytes(rows[i].bytes, rows[i].length, &exit), EXIT_ADVANCE);
        assert_int_equal(exit.insn_len, rows[i].length);
        assert_int_equal(device_count, 1);
        assert_device(0, true, 0xfe000010, rows[i].size, rows[i].value);
        assert_int_equal(cpu->rip, 0x10000); /* the caller moves it */
    }
}

static void a_load_fills_the_register_as_its_size_says(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        unsigned length, size;
        uint64_t value;
    } rows[] = {
        {"\x8a\x03", 2, 1, 0xaaaaaaaaaaaaaaf1},         {"\x8a\x23", 2, 1, 0xaaaaaaaaaaaaf1aa},
        {"\x66\x8b\x03", 3, 2, 0xaaaaaaaaaaaaf2f1},     {"\x8b\x03", 2, 4, 0xf4f3f2f1},
        {"\x48\x8b\x03", 3, 8, 0xf8f7f6f5f4f3f2f1},     {"\x0f\xb6\x03", 3, 1, 0xf1},
        {"\x48\x0f\xbf\x03", 4, 2, 0xfffffffffffff2f1}, {"\x48\x63\x03", 3, 4, 0xfffffffff4f3f2f1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        init64();
        device_value = 0xf8f7f6f5f4f3f2f1;
        cpu->gpr[VGPR_RAX] = 0xaaaaaaaaaaaaaaaa;
        struct vexit exit = data_exit(0xfe000010, false);
        assert_int_equal(run_bytes(rows[i].bytes, rows[i].length, &exit), EXIT_ADVANCE);
        assert_int_equal(exit.insn_len, rows[i].length);
        assert_device(0, false, 0xfe000010, rows[i].size, 0);
        assert_int_equal(cpu->gpr[VGPR_RAX], rows[i].value);
    }
}

static void an_update_reads_and_then_writes(void **state)
{
    (void)state;
    init64();
    device_value = 0xff;
    struct vexit exit = data_exit(0xfe000010, true);
    assert_int_equal(RUN("\x83\x03\x01", &exit), EXIT_ADVANCE); /* ADD dword [RBX], 1 */
    assert_int_equal(device_count, 2);
    assert_device(0, false, 0xfe000010, 4, 0);
    assert_device(1, true, 0xfe000010, 4, 0x100);
    assert_int_equal(cpu->rflags & 0x8d5, 0x14); /* AF, PF */
}

static void an_update_of_read_only_memory_reads_it_and_loses_the_write(void **state)
{
    (void)state;
    init64();
    fake.ram[0x20010] = 0xff;
    cpu->gpr[VGPR_RBX] = 0x20010;
    struct vexit exit = data_exit(0x20010, true); /* a write that the mapping refused */
    assert_int_equal(RUN("\x83\x03\x01", &exit), EXIT_ADVANCE);
    assert_int_equal(device_count, 1);
    assert_device(0, true, 0x20010, 4, 0x100);
    assert_int_equal(fake.ram[0x20010], 0xff);
}

static void unclaimed_addresses_read_all_ones_and_swallow_writes(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RBX] = 0x202000;
    struct vexit exit = data_exit(0xfe002000, false);
    assert_int_equal(RUN("\x8b\x03", &exit), EXIT_ADVANCE);
    assert_int_equal(cpu->gpr[VGPR_RAX], 0xffffffff);
    exit = data_exit(0xfe002000, true);
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_ADVANCE);
    assert_int_equal(cpu->stop, VM_RUNNING);
}

/* --- Two pages -------------------------------------------------------------------------------- */

static void an_access_across_two_device_pages_is_split(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RBX] = 0x200ffd;
    cpu->gpr[VGPR_RAX] = 0x1122334455667788;
    struct vexit exit = data_exit(0xfe000ffd, true);
    assert_int_equal(RUN("\x48\x89\x03", &exit), EXIT_ADVANCE);
    assert_int_equal(device_count, 4);
    assert_device(0, true, 0xfe000ffd, 1, 0x88);
    assert_device(1, true, 0xfe000ffe, 2, 0x6677);
    assert_device(2, true, 0xfe001000, 4, 0x22334455);
    assert_device(3, true, 0xfe001004, 1, 0x11);
}

static void an_access_half_in_ram_moves_each_half_to_its_place(void **state)
{
    (void)state;
    init64();
    put64(0x67f8, 0xff007); /* linear FF000h: the page before 100000h */
    put64(0x6800, 0xfe000007);
    cpu->gpr[VGPR_RBX] = 0xffffe;
    cpu->gpr[VGPR_RAX] = 0x44332211;
    struct vexit exit = data_exit(0xfe000000, true);
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_ADVANCE);
    assert_memory_equal(fake.ram + 0xffffe, "\x11\x22", 2);
    assert_int_equal(device_count, 1);
    assert_device(0, true, 0xfe000000, 2, 0x4433);
    exit = data_exit(0xfe000000, false);
    device_value = 0xbbaa;
    assert_int_equal(RUN("\x8b\x03", &exit), EXIT_ADVANCE);
    assert_int_equal(cpu->gpr[VGPR_RAX], 0xbbaa2211);
}

static void a_fault_on_the_second_page_keeps_the_first_untouched(void **state)
{
    (void)state;
    init64();
    put64(0x7008, DEVICE_BASE | 0x1005); /* read only */
    fake.seg[VSEG_SS].access = 0xc0f3;   /* CPL 3 */
    cpu->gpr[VGPR_RBX] = 0x200ffe;
    struct vexit exit = data_exit(0xfe000ffe, true);
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.error, 7);
    assert_int_equal(fake.reg[VREG_CR2], 0x201000);
    assert_int_equal(device_count, 0);
}

/* --- Strings ---------------------------------------------------------------------------------- */

static void movs_carries_between_a_device_and_ram(void **state)
{
    (void)state;
    init64();
    device_value = 0x01020304;
    cpu->gpr[VGPR_RSI] = 0x200000;
    cpu->gpr[VGPR_RDI] = 0x20000;
    cpu->gpr[VGPR_RCX] = 3;
    struct vexit exit = data_exit(0xfe000000, false);
    assert_int_equal(RUN("\xf3\xa5", &exit), EXIT_ADVANCE);
    assert_int_equal(device_count, 3);
    assert_device(2, false, 0xfe000008, 4, 0);
    assert_memory_equal(fake.ram + 0x20000, "\4\3\2\1\4\3\2\1\4\3\2\1", 12);
    assert_int_equal(cpu->gpr[VGPR_RCX], 0);

    device_count = 0;
    cpu->gpr[VGPR_RSI] = 0x20000;
    cpu->gpr[VGPR_RDI] = 0x200000;
    exit = data_exit(0xfe000000, true);
    assert_int_equal(RUN("\xa5", &exit), EXIT_ADVANCE);
    assert_device(0, true, 0xfe000000, 4, 0x01020304);
}

static void movs_between_devices_reads_one_and_writes_the_other(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RSI] = 0x200000;
    cpu->gpr[VGPR_RDI] = 0x201000;
    struct vexit exit = data_exit(0xfe000000, false);
    assert_int_equal(RUN("\xa4", &exit), EXIT_ADVANCE);
    assert_device(0, false, 0xfe000000, 1, 0);
    assert_device(1, true, 0xfe001000, 1, 0x88);
}

static void a_long_rep_returns_to_the_guest_and_continues(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RDI] = 0x200000;
    cpu->gpr[VGPR_RCX] = 300;
    struct vexit exit = data_exit(0xfe000000, true);
    unsigned retries = 0;
    enum exit_action action;
    while ((action = RUN("\xf3\xaa", &exit)) == EXIT_RETRY) {
        retries++;
        assert_int_equal(cpu->gpr[VGPR_RCX] + device_count, 300);
        assert_int_equal(cpu->rip, 0x10000);
    }
    assert_int_equal(action, EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 2);
    assert_true(retries >= 1);
    assert_int_equal(device_count, 300);
}

static void a_device_is_not_read_for_a_movs_that_cannot_store(void **state)
{
    (void)state;
    init64();
    put64(0x6000 + 8 * 0x20, 0x20005); /* read-only; CR0.WP is set */
    cpu->gpr[VGPR_RSI] = 0x200000;
    cpu->gpr[VGPR_RDI] = 0x20000;
    cpu->gpr[VGPR_RCX] = 2;
    struct vexit exit = data_exit(0xfe000000, false);
    assert_int_equal(RUN("\xf3\xa5", &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.vector, 14);
    assert_int_equal(cpu->inject.error, 3);
    assert_int_equal(device_count, 0);
    assert_int_equal(cpu->gpr[VGPR_RCX], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_reaches_the_device_with_its_size),
        cmocka_unit_test(a_load_fills_the_register_as_its_size_says),
        cmocka_unit_test(an_update_reads_and_then_writes),
        cmocka_unit_test(an_update_of_read_only_memory_reads_it_and_loses_the_write),
        cmocka_unit_test(unclaimed_addresses_read_all_ones_and_swallow_writes),
        cmocka_unit_test(an_access_across_two_device_pages_is_split),
        cmocka_unit_test(an_access_half_in_ram_moves_each_half_to_its_place),
        cmocka_unit_test(a_fault_on_the_second_page_keeps_the_first_untouched),
        cmocka_unit_test(movs_carries_between_a_device_and_ram),
        cmocka_unit_test(movs_between_devices_reads_one_and_writes_the_other),
        cmocka_unit_test(a_long_rep_returns_to_the_guest_and_continues),
        cmocka_unit_test(a_device_is_not_read_for_a_movs_that_cannot_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
