/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/gwalk.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* Copies through the guest's tables, and what mode the guest is in. */
#include "virt/virt.h"

#include "gwalk_guest.h"

/* --- Copies ----------------------------------------------------------------------------------- */

/* Two neighbours lead to 0x20000 and 0x10000: pages in the wrong order. */
static void init_two_pages(void)
{
    init_4level();
    put64(0x4020, 0x20007);
    put64(0x4028, 0x10007);
}

static void a_copy_follows_each_page_to_its_own_place(void **state)
{
    (void)state;
    char text[9] = "";
    init_two_pages();
    memcpy(fake.ram + 0x20ffd, "abc", 3);
    memcpy(fake.ram + 0x10000, "defgh", 5);
    assert_int_equal(gva_read(&fake.vcpu, LONG_ADDRESS + 0xffd, text, 8, 0), GVA_OK);
    assert_string_equal(text, "abcdefgh");
    assert_int_equal(gva_write(&fake.vcpu, LONG_ADDRESS + 0xffe, "1234", 4, 0), GVA_OK);
    assert_memory_equal(fake.ram + 0x20ffd, "a12", 3);
    assert_memory_equal(fake.ram + 0x10000, "34fgh", 5);
    assert_int_equal(get64(0x4028), 0x10067);
}

static void a_whole_page_is_one_copy(void **state)
{
    (void)state;
    static uint8_t page[4096];
    init_two_pages();
    fake.ram[0x20001] = 1;
    fake.ram[0x10000] = 2;
    assert_int_equal(gva_read(&fake.vcpu, LONG_ADDRESS + 1, page, 4096, 0), GVA_OK);
    assert_int_equal(page[0], 1);
    assert_int_equal(page[4095], 2);
}

static void a_fault_on_the_second_page_writes_nothing(void **state)
{
    (void)state;
    init_two_pages();
    put64(0x4028, 0x10005);
    enum gva_status status = gva_write(&fake.vcpu, LONG_ADDRESS + 0xffe, "1234", 4, USER);
    assert_int_equal(status, GVA_FAULT);
    assert_int_equal(fake.ram[0x20ffe], 0);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_EXCEPTION);
    assert_int_equal(fake.vcpu.inject.vector, 14);
    assert_int_equal(fake.vcpu.inject.error, 7);
    assert_int_equal(fake.reg[VREG_CR2], LONG_ADDRESS + 0x1000);
}

static void memory_that_is_not_ram_is_told_without_a_fault(void **state)
{
    (void)state;
    uint32_t value;
    init_two_pages();
    put64(0x4028, 0xfee00007);
    assert_int_equal(gva_read(&fake.vcpu, LONG_ADDRESS + 0x1000, &value, 4, 0), GVA_NOT_RAM);
    assert_int_equal(gva_write(&fake.vcpu, LONG_ADDRESS + 0xffe, "1234", 4, 0), GVA_NOT_RAM);
    assert_int_equal(fake.ram[0x20ffe], 0);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
}

static void an_address_that_is_not_canonical_is_a_general_protection_fault(void **state)
{
    (void)state;
    uint32_t value;
    init_4level();
    assert_int_equal(gva_read(&fake.vcpu, 0x800000000000, &value, 4, 0), GVA_FAULT);
    assert_int_equal(fake.vcpu.inject.vector, 13);
    assert_true(fake.vcpu.inject.has_error);
    assert_true(vcpu_is_canonical(&fake.vcpu, 0xffff800000000000));
    fake.reg[VREG_CR4] = 0x1020; /* five levels: 57 bits */
    assert_true(vcpu_is_canonical(&fake.vcpu, 0x800000000000));
    assert_false(vcpu_is_canonical(&fake.vcpu, 0x100000000000000));
}

static void copies_wrap_at_4_gib_outside_of_64_bit_code(void **state)
{
    (void)state;
    uint32_t value = 0;
    init_32bit();
    put32(0x1ffc, 0x3007);
    put32(0x3ffc, 0x20007);
    put32(0x1000, 0x4007);
    put32(0x4000, 0x30007);
    memcpy(fake.ram + 0x20ffe, "\x11\x22", 2);
    memcpy(fake.ram + 0x30000, "\x33\x44", 2);
    assert_int_equal(gva_read(&fake.vcpu, 0xfffffffe, &value, 4, 0), GVA_OK);
    assert_int_equal(value, 0x44332211);
}

/* --- Mode ------------------------------------------------------------------------------------- */

static void code_bits_come_from_cs_and_lma(void **state)
{
    (void)state;
    init_4level();
    fake.seg[VSEG_CS].access = 0xa09b;
    assert_int_equal(vcpu_code_bits(&fake.vcpu), 64);
    fake.seg[VSEG_CS].access = 0xc09b; /* compatibility mode */
    assert_int_equal(vcpu_code_bits(&fake.vcpu), 32);
    fake.seg[VSEG_CS].access = 0x009b;
    assert_int_equal(vcpu_code_bits(&fake.vcpu), 16);
    fake.reg[VREG_EFER] = 0;
    fake.seg[VSEG_CS].access = 0xa09b; /* bit 13 means nothing outside of long mode */
    assert_int_equal(vcpu_code_bits(&fake.vcpu), 16);
}

static void cpl_is_the_dpl_of_ss(void **state)
{
    (void)state;
    init_4level();
    fake.seg[VSEG_SS].access = 0xc0f3;
    assert_int_equal(vcpu_cpl(&fake.vcpu), 3);
    assert_int_equal(vcpu_data_access(&fake.vcpu), USER);
    fake.seg[VSEG_SS].access = 0xc0d3;
    assert_int_equal(vcpu_cpl(&fake.vcpu), 2);
    assert_int_equal(vcpu_data_access(&fake.vcpu), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_follows_each_page_to_its_own_place),
        cmocka_unit_test(a_whole_page_is_one_copy),
        cmocka_unit_test(a_fault_on_the_second_page_writes_nothing),
        cmocka_unit_test(memory_that_is_not_ram_is_told_without_a_fault),
        cmocka_unit_test(an_address_that_is_not_canonical_is_a_general_protection_fault),
        cmocka_unit_test(copies_wrap_at_4_gib_outside_of_64_bit_code),
        cmocka_unit_test(code_bits_come_from_cs_and_lma),
        cmocka_unit_test(cpl_is_the_dpl_of_ss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
