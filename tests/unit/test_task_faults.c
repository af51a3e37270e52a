/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/task.c vmm/virt/task_load.c vmm/virt/gwalk.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* What a hardware task switch refuses, and in which task: SDM "Task Switching". */
#include "virt/task.h"

#include "task_guest.h"

/* --- faults of the old task ------------------------------------------------------------------- */

static void bad_tss_descriptors_fault_in_the_old_task(void **state)
{
    static const struct {
        uint8_t source;
        uint16_t selector;
        uint64_t descriptor;
        uint8_t vector;
        uint32_t error;
    } table[] = {
        {CALL, 0x30, 0x0000090120000067, 11, 0x30}, /* not present */
        {IRET, 0x30, 0x00000b0120000067, 11, 0x30},
        {CALL, 0x30, 0x00008b0120000067, 13, 0x30}, /* busy */
        {JMP, 0x33, 0x00008b0120000067, 13, 0x30},
        {GATE, 0x30, 0x00008b0120000067, 13, 0x31},
        {IRET, 0x30, 0x0000890120000067, 10, 0x30}, /* not busy */
        {CALL, 0x30, 0x0000820120000067, 13, 0x30}, /* an LDT */
        {CALL, 0x30, 0x0000990120000067, 13, 0x30}, /* code */
        {CALL, 0x30, 0x0000890120000066, 10, 0x30}, /* a byte too short */
        {CALL, 0x30, 0x000081012000002a, 10, 0x30},
        {CALL, 0x34, 0x0000890120000067, 13, 0x34}, /* in the LDT */
        {IRET, 0x34, 0x00008b0120000067, 10, 0x34},
        {CALL, 0x48, 0x0000890120000067, 13, 0x48}, /* beyond the GDT */
        {IRET, 0x48, 0x00008b0120000067, 10, 0x48},
        {JMP, 0x03, 0x0000890120000067, 13, 0x00}, /* null */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        setup(state);
        put64(GDT + 0x30, table[i].descriptor);
        do_switch(table[i].source, table[i].selector);
        assert_fault(table[i].vector, table[i].error);
        assert_int_equal(fake.vcpu.rip, 0x7000);
        assert_int_equal(fake.seg[VSEG_TR].selector, 0x28);
        assert_int_equal(get32(OLD + 0x20), 0);
        assert_int_equal(fake.ram[GDT + 0x2d], 0x8b);
    }
}

/* A descriptor that would do lies where none may be taken from. */
static void a_tss_comes_from_a_whole_entry_of_the_gdt(void **state)
{
    (void)state;
    put64(GDT, 0x0000890120000067);
    do_switch(CALL, 0x02);
    assert_fault(13, 0);

    setup(state);
    put64(0x14030, 0x0000890120000067);
    fake.seg[VSEG_LDTR] = (struct vseg){0x40, 0x82, 0x3f, 0x14000};
    do_switch(CALL, 0x34);
    assert_fault(13, 0x34);

    setup(state);
    fake.reg[VREG_GDTR_LIMIT] = 0x36;
    do_switch(CALL, 0x30);
    assert_fault(13, 0x30);
}

static void an_old_tss_that_is_too_short_is_ts(void **state)
{
    (void)state;
    fake.seg[VSEG_TR].limit = 0x66;
    do_switch(CALL, 0x30);
    assert_fault(10, 0x28);
    assert_int_equal(get32(OLD + 0x20), 0);
}

/* 32-bit paging with WP: the page at `linear` can't be written. */
static void page_with_read_only(gva_t linear)
{
    put32(0x4000, 0x6007);
    for (unsigned i = 0; i < 256; i++)
        put32(0x6000 + 4 * i, i << 12 | 7);
    put32(0x6000 + (uint32_t)(linear >> 12) * 4, (uint32_t)linear | 5);
    put32(NEW + 0x1c, 0x4000);
    fake.reg[VREG_CR0] = 0x80010011;
    fake.reg[VREG_CR3] = 0x4000;
}

static void what_cannot_be_written_faults_before_anything_is(void **state)
{
    static const gva_t page[] = {GDT, OLD, NEW};
    for (unsigned i = 0; i < ARRAY_SIZE(page); i++) {
        setup(state);
        page_with_read_only(page[i]);
        do_switch(CALL, 0x30);
        assert_int_equal(fake.vcpu.inject.vector, 14);
        assert_int_equal(fake.vcpu.inject.error, 3);
        assert_int_equal(fake.vcpu.rip, 0x7000);
        assert_int_equal(get32(OLD + 0x20), 0);
        assert_int_equal(fake.ram[GDT + 0x35], 0x89);
    }
    setup(state);
    page_with_read_only(OLD);
    do_switch(JMP, 0x30);
    assert_int_equal(fake.vcpu.inject.vector, 14);
    assert_int_equal(fake.ram[GDT + 0x2d], 0x8b);
}

static void level_3_may_switch_through_supervisor_pages(void **state)
{
    (void)state;
    page_with_read_only(0x20000);
    put32(0x6000 + 4 * 0x10, 0x10003);
    put32(0x6000 + 4 * 0x11, 0x11003);
    put32(0x6000 + 4 * 0x12, 0x12003);
    fake.seg[VSEG_SS].access = 0xc0f3;
    do_switch(CALL, 0x30);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
    assert_int_equal(fake.vcpu.rip, 0x401234);
}

static void tables_outside_of_ram_stop_the_guest(void **state)
{
    (void)state;
    put64(GDT + 0x30, 0x7f00890000000067);
    do_switch(CALL, 0x30);
    assert_int_equal(fake.vcpu.stop, VM_STOP_BAD_ACCESS);
    assert_string_equal(fake.vcpu.stop_reason,
                        "task switch to selector 0x30: its tables at 0x7f000000 aren't in RAM");
}

static void modes_without_tasks_fault(void **state)
{
    (void)state;
    fake.reg[VREG_EFER] = 0x400;
    do_switch(CALL, 0x30);
    assert_fault(13, 0x30);
}

static void an_instruction_of_unknown_length_stops_the_guest(void **state)
{
    (void)state;
    struct vexit exit = {.kind = VEXIT_TASK_SWITCH};
    exit.task_switch.selector = 0x30;
    exit_handle(&fake.vcpu, &exit);
    assert_int_equal(fake.vcpu.stop, VM_STOP_UNKNOWN_EXIT);
}

/* --- faults of the new task ------------------------------------------------------------------- */

/* SDM "Exception Conditions Checked During a Task Switch". field: offset in the TSS. */
static void bad_segments_fault_in_the_new_task(void **state)
{
    static const struct {
        uint8_t field, selector;
        uint64_t descriptor; /* put at 20h when not 0 */
        uint8_t vector;
        uint32_t error;
    } table[] = {
        {0x60, 0x44, 0, 10, 0x44},                  /* LDT in an LDT */
        {0x60, 0x48, 0, 10, 0x48},                  /* beyond the GDT */
        {0x60, 0x10, 0, 10, 0x10},                  /* no LDT */
        {0x60, 0x20, 0x000002014000001f, 10, 0x20}, /* not present */
        {0x4c, 0x00, 0, 10, 0},                     /* CS null */
        {0x4c, 0x10, 0, 10, 0x10},                  /* data */
        {0x4c, 0x24, 0, 10, 0x24},                  /* beyond the LDT */
        {0x4c, 0x20, 0x00cffb000000ffff, 10, 0x20}, /* DPL 3 with RPL 0 */
        {0x4c, 0x20, 0x00cfff000000ffff, 10, 0x20}, /* conforming, DPL above RPL */
        {0x4c, 0x20, 0x00cf1b000000ffff, 11, 0x20}, /* not present */
        {0x50, 0x03, 0, 10, 0},                     /* SS null */
        {0x50, 0x08, 0, 10, 0x08},                  /* code */
        {0x50, 0x20, 0x00cf91000000ffff, 10, 0x20}, /* read-only */
        {0x50, 0x20, 0x00cf13000000ffff, 12, 0x20}, /* not present */
        {0x50, 0x20, 0x00cff3000000ffff, 10, 0x20}, /* DPL 3 at CPL 0 */
        {0x50, 0x13, 0, 10, 0x10},                  /* RPL 3 at CPL 0 */
        {0x54, 0x20, 0x00cf99000000ffff, 10, 0x20}, /* DS: code that can't be read */
        {0x54, 0x20, 0x00cf13000000ffff, 11, 0x20}, /* not present */
        {0x54, 0x13, 0, 10, 0x10},                  /* RPL above DPL */
        {0x5c, 0x28, 0, 10, 0x28},                  /* GS: a TSS */
        {0x48, 0x48, 0, 10, 0x48},                  /* ES beyond the GDT */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        setup(state);
        if (table[i].descriptor)
            put64(GDT + 0x20, table[i].descriptor);
        put16(NEW + table[i].field, table[i].selector);
        do_switch(CALL, 0x30);
        assert_fault(table[i].vector, table[i].error);
        assert_int_equal(fake.vcpu.rip, 0x401234);
        assert_int_equal(fake.seg[VSEG_TR].selector, 0x30);
        assert_int_equal(get32(OLD + 0x20), 0x7007);
        assert_int_equal(fake.vcpu.rflags & 0x14000, 0x14000); /* NT, and RF for the fault */
    }
}

static void conforming_code_and_data_of_level_3_load(void **state)
{
    (void)state;
    put64(GDT + 0x08, 0x00cf9f000000ffff); /* conforming, DPL 0 */
    put16(NEW + 0x4c, 0x0b);
    put16(NEW + 0x50, 0x23);
    put16(NEW + 0x48, 0x23);
    put16(NEW + 0x54, 0x0b); /* conforming code as data: any level */
    put16(NEW + 0x5c, 0x23);
    do_switch(JMP, 0x30);
    assert_int_equal(fake.vcpu.inject.type, VEVENT_NONE);
    assert_int_equal(fake.seg[VSEG_SS].access, 0xc0f3);
    assert_int_equal(fake.seg[VSEG_DS].access, 0xc09f);
    assert_int_equal(vcpu_cpl(&fake.vcpu), 3);
}

static void level_3_may_not_take_data_of_level_0(void **state)
{
    (void)state;
    put16(NEW + 0x48, 0);
    put16(NEW + 0x4c, 0x1b);
    put16(NEW + 0x50, 0x23);
    do_switch(JMP, 0x30); /* DS: 10h, whose RPL is 0 */
    assert_fault(10, 0x10);
}

static void a_task_without_segments_still_passes_vm_entry(void **state)
{
    (void)state;
    put16(NEW + 0x60, 0x48);
    put16(NEW + 0x4c, 0x1b);
    put16(NEW + 0x50, 0x23);
    do_switch(CALL, 0x30);
    assert_fault(10, 0x48);
    assert_int_equal(fake.seg[VSEG_CS].selector, 0x1b);
    assert_int_equal(fake.seg[VSEG_CS].access & 0xff, 0xfb);
    assert_int_equal(fake.seg[VSEG_SS].selector, 0x23);
    assert_int_equal(fake.seg[VSEG_SS].access, 0xc0f7); /* expand-down: nothing fits */
    assert_int_equal(fake.seg[VSEG_SS].limit, 0xffffffff);
    assert_int_equal(fake.seg[VSEG_DS].access, 0);
    assert_int_equal(fake.seg[VSEG_LDTR].access, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bad_tss_descriptors_fault_in_the_old_task),
        TEST(a_tss_comes_from_a_whole_entry_of_the_gdt),
        TEST(an_old_tss_that_is_too_short_is_ts),
        TEST(what_cannot_be_written_faults_before_anything_is),
        TEST(level_3_may_switch_through_supervisor_pages),
        TEST(tables_outside_of_ram_stop_the_guest),
        TEST(modes_without_tasks_fault),
        TEST(an_instruction_of_unknown_length_stops_the_guest),
        TEST(bad_segments_fault_in_the_new_task),
        TEST(conforming_code_and_data_of_level_3_load),
        TEST(level_3_may_not_take_data_of_level_0),
        TEST(a_task_without_segments_still_passes_vm_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
