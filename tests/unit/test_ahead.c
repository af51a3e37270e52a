/* needs: vmm/virt/apic.c vmm/virt/pveoi.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/ahead.c vmm/emu/plain.c vmm/virt/mmio.c vmm/virt/insn.c vmm/virt/segment.c vmm/virt/gwalk.c vmm/emu/exec.c vmm/emu/alu.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* What is carried out behind an access to a device, and where that ends. */
#include "virt/virt.h"

#include "mmio_guest.h"

#define CODE 0x10000

/* A guest whose code is `bytes`: its first instruction writes to the device, or reads. */
static void run_code(const char *bytes, unsigned size, bool write)
{
    struct vexit *exit = cpu->trace.next;
    memset(fake.ram + CODE, 0xf4, PAGE_SIZE);
    memcpy(fake.ram + CODE, bytes, size);
    *exit = data_exit(0xfe000010, write);
    exit->rip = cpu->rip;
    exit_handle(cpu, exit);
}

#define WRITES(bytes) run_code(bytes, sizeof(bytes) - 1, true)
#define READS(bytes)  run_code(bytes, sizeof(bytes) - 1, false)

static void assert_ended(unsigned accesses, unsigned rip)
{
    assert_int_equal(device_count, accesses);
    assert_int_equal(cpu->rip, CODE + rip);
}

/* The I/O APIC: its index, then its data. */
static void a_selected_register_is_read_in_the_same_exit(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RSI] = 5;
    WRITES("\x89\x33\x8b\x43\x10"); /* mov [rbx], esi; mov eax, [rbx + 16] */
    assert_ended(2, 5);
    assert_device(0, true, 0xfe000010, 4, 5);
    assert_device(1, false, 0xfe000020, 4, 0);
    assert_int_equal(cpu->gpr[VGPR_RAX], 0x55667788);
    assert_int_equal(cpu->exits, 1);
}

static void registers_may_change_between_the_two(void **state)
{
    (void)state;
    init64();
    WRITES("\x89\x0b"                 /* mov [rbx], ecx */
           "\x41\xb8\x00\x00\x01\x00" /* mov r8d, 10000h */
           "\x44\x89\x43\x10");       /* mov [rbx + 16], r8d */
    assert_ended(2, 12);
    assert_device(1, true, 0xfe000020, 4, 0x10000);
}

/* HPET calibration: reads the count, adds what lies in RAM, writes the sum. */
static void a_polling_loop_goes_round_until_the_most(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RBP] = 0x2000;
    put64(0x2028, 3);
    WRITES("\x48\x89\x13"                 /* mov [rbx], rdx */
           "\x48\x8b\x03"                 /* again: mov rax, [rbx] */
           "\x48\x8b\x55\x28"             /* mov rdx, [rbp + 40] */
           "\x48\x01\xc2"                 /* add rdx, rax */
           "\x48\x89\x13"                 /* mov [rbx], rdx */
           "\x48\x83\xc1\x01"             /* add rcx, 1 */
           "\x48\x81\xf9\xff\x00\x00\x00" /* cmp rcx, 255 */
           "\x72\xe6");                   /* jb again */
    assert_ended(33, 16);
    assert_device(32, true, 0xfe000010, 8, 0x112233445566778b);
    assert_int_equal(cpu->gpr[VGPR_RCX], 15);
}

static void ten_instructions_without_an_access_are_the_most(void **state)
{
    (void)state;
    init64();
    WRITES("\x89\x33\x40\xff\xc1\x40\xff\xc1\xeb\xfe"); /* then: jmp itself */
    assert_ended(1, 8);
    init64();
    WRITES(
        "\x89\x33\xff\xc1\xff\xc1\xff\xc1\xff\xc1\xff\xc1\xff\xc1\xff\xc1\xff\xc1\xff\xc1\xff\xc1"
        "\xff\xc1\xff\xc1");
    assert_int_equal(cpu->gpr[VGPR_RCX], 10);
    assert_ended(1, 22);
}

static void a_page_that_was_read_is_written_where_it_may_be(void **state)
{
    (void)state;
    init64();
    READS("\x8b\x33\x89\x4b\x10"); /* mov esi, [rbx]; mov [rbx + 16], ecx */
    assert_ended(2, 5);
    assert_device(1, true, 0xfe000020, 4, 0);
    assert_int_equal(fake.ram[0x7000] & 0x60, 0x60); /* accessed, dirty */
    init64();
    fake.reg[VREG_CR0] |= 0x10000; /* WP */
    put64(0x7000, DEVICE_BASE | 5);
    READS("\x8b\x33\x89\x4b\x10");
    assert_ended(1, 2);
    assert_int_equal(cpu->inject.type, VEVENT_NONE); /* the CPU raises that #PF */
    init64();
    put64(0x7000, (DEVICE_BASE + 0x1000) | 7); /* not yet known to the CPU: no INVLPG */
    READS("\x8b\x33\x89\x4b\x10");
    assert_ended(1, 2);
}

#define AGAIN(bytes)                                                                               \
    do {                                                                                           \
        cpu->rip = CODE;                                                                           \
        device_count = 0;                                                                          \
        WRITES(bytes);                                                                             \
    } while (0)

/* mov [rbx], esi; inc ecx; inc ecx; hlt */
static void where_no_access_follows_fifteen_looks_are_left_out(void **state)
{
    (void)state;
    init64();
    for (unsigned round = 0; round < 3; round++) {
        AGAIN("\x89\x33\xff\xc1\xff\xc1");
        assert_ended(1, 6);
        for (unsigned visit = 0; visit < 15; visit++) {
            AGAIN("\x89\x33\xff\xc1\xff\xc1");
            assert_ended(1, 2);
        }
    }
    assert_int_equal(cpu->gpr[VGPR_RCX], 6);
}

/* mov [rbx], esi; inc ecx; mov eax, [rbx + 16]; inc edx; hlt: what an access follows isn't. */
static void only_what_is_behind_the_last_access_is_left_out(void **state)
{
    (void)state;
    init64();
    AGAIN("\x89\x33\xff\xc1\x8b\x43\x10\xff\xc2");
    assert_ended(2, 9);
    for (unsigned visit = 0; visit < 15; visit++) {
        AGAIN("\x89\x33\xff\xc1\x8b\x43\x10\xff\xc2");
        assert_ended(2, 7);
    }
    AGAIN("\x89\x33\xff\xc1\x8b\x43\x10\xff\xc2");
    assert_ended(2, 9);
}

/* An interrupt that waits says nothing about the code. */
static void what_was_cut_short_is_no_waste(void **state)
{
    (void)state;
    init64();
    cpu->irq_high = true;
    AGAIN("\x89\x33\x89\x33");
    assert_ended(1, 2);
    cpu->irq_high = false;
    AGAIN("\x89\x33\x89\x33");
    assert_ended(2, 4);
}

/* Each begins with a store (89 33) or a load (8b 33); what stands behind it isn't carried out. */
static void it_ends_before(void **state)
{
    (void)state;
    static const struct {
        const char *what, *bytes;
        unsigned size;
    } rows[] = {
        {"a store to RAM", "\x89\x33\x89\x45\x00", 5},
        {"FS", "\x89\x33\x64\x8b\x03", 5},
        {"an operand across the page's end", "\x89\x33\x8b\x83\xee\x0f\x00\x00", 8},
        {"an address that isn't canonical", "\x89\x33\x49\x8b\x00", 5},
        {"a page that isn't there", "\x89\x33\x41\x8b\x01", 5},
        {"RSP loaded from the device", "\x89\x33\x48\x8b\x23", 5},
        {"RSP changed", "\x89\x33\x48\x83\xc4\x08", 6},
        {"XCHG", "\x89\x33\x87\x33", 4},
        {"a bit set", "\x89\x33\x0f\xab\x33", 5},
        {"LOCK", "\x89\x33\xf0\x01\x33", 5},
        {"a string", "\x89\x33\xa4", 3},
        {"CPUID", "\x89\x33\x0f\xa2", 4},
        {"a call", "\x89\x33\xe8\x00\x00\x00\x00", 7},
        {"a return", "\x89\x33\xc3", 3},
        {"a jump to another page", "\x89\x33\xe9\x00\x10\x00\x00", 7},
        {"a port string", "\x89\x33\x6e", 3},
        {"bytes that are none", "\x89\x33\x06", 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        init64();
        cpu->gpr[VGPR_RBP] = 0x2000;
        cpu->gpr[VGPR_R8] = 0x800000000000;
        cpu->gpr[VGPR_R9] = 0x3ff000;
        cpu->gpr[VGPR_RSP] = 0x3000;
        cpu->rflags |= 1;
        run_code(rows[i].bytes, rows[i].size, rows[i].bytes[0] == '\x89');
        if (device_count != 1 || cpu->rip != CODE + 2 || cpu->gpr[VGPR_RSP] != 0x3000 ||
            !(cpu->rflags & 1) || cpu->inject.type != VEVENT_NONE)
            fail_msg("%s was carried out, or left a trace", rows[i].what);
    }
}

static void it_ends_with_the_page_of_code(void **state)
{
    (void)state;
    init64();
    memset(fake.ram + CODE, 0xf4, 2 * PAGE_SIZE);
    memcpy(fake.ram + CODE + PAGE_SIZE - 4, "\x89\x33\x89\x33", 4);
    cpu->rip = CODE + PAGE_SIZE - 4;
    struct vexit *exit = cpu->trace.next;
    *exit = data_exit(0xfe000010, true);
    exit->rip = cpu->rip;
    exit_handle(cpu, exit);
    assert_ended(1, PAGE_SIZE - 2);
}

#define PAIR "\x89\x33\x89\x33"

static void it_does_not_begin_where_somebody_could_tell(void **state)
{
    (void)state;
    init64();
    cpu->rflags |= 0x100; /* TF */
    WRITES(PAIR);
    assert_ended(1, 2);
    init64();
    fake.reg[VREG_DR7] = 0x402; /* breakpoint 0 */
    WRITES(PAIR);
    assert_ended(1, 2);
    init64();
    cpu->debug.engaged = true;
    WRITES(PAIR);
    assert_ended(1, 2);
    init64();
    fake.seg[VSEG_SS].access |= 0x60; /* CPL 3 */
    WRITES(PAIR);
    assert_ended(1, 2);
    init64();
    fake.seg[VSEG_CS].access &= (uint16_t)~VSEG_ACCESS_L; /* compatibility mode */
    fake.seg[VSEG_CS].access |= VSEG_ACCESS_DB;
    WRITES(PAIR);
    assert_ended(1, 2);
}

static void what_waits_for_the_guest_ends_it(void **state)
{
    (void)state;
    init64();
    cpu->irq_high = true;
    WRITES(PAIR);
    assert_ended(1, 2);
    init64();
    cpu->irq_high = true;
    cpu->rflags &= ~0x200ull; /* it has to wait anyway */
    WRITES(PAIR);
    assert_ended(2, 4);
    init64();
    cpu->nmi_pending = true;
    WRITES(PAIR);
    assert_ended(1, 2);
}

/* --- ports ------------------------------------------------------------------------------------ */

static void out_cf8(const char *bytes, unsigned size)
{
    struct vexit *exit = cpu->trace.next;
    memset(fake.ram + CODE, 0xf4, PAGE_SIZE);
    memcpy(fake.ram + CODE, "\xef", 1);
    memcpy(fake.ram + CODE + 1, bytes, size);
    *exit = (struct vexit){.kind = VEXIT_PIO, .insn_len = 1};
    exit->pio = (struct vexit_pio){.port = 0xcf8, .size = 4};
    exit_handle(cpu, exit);
}

static void assert_port(unsigned n, bool write, unsigned port, unsigned size, uint32_t value)
{
    assert_true(n < fake.pio_count);
    assert_int_equal(fake.pio[n].write, write);
    assert_int_equal(fake.pio[n].port, port);
    assert_int_equal(fake.pio[n].size, size);
    if (write)
        assert_int_equal(fake.pio[n].value, value);
}

static void pci_configuration_is_read_in_the_exit_of_its_address(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RAX] = 0xffffffff80000802;
    cpu->gpr[VGPR_R14] = 2;
    cpu->gpr[VGPR_R12] = 0x1e;
    fake.pio_value = 0x12348086;
    out_cf8("\x41\x83\xfe\x04"                 /* cmp r14d, 4 */
            "\x74\x10"                         /* je */
            "\x41\x83\xe4\x02"                 /* and r12d, 2 */
            "\x41\x8d\x94\x24\xfc\x0c\x00\x00" /* lea edx, [r12 + cfch] */
            "\x66\xed"                         /* in ax, dx */
            "\x0f\xb7\xc0",                    /* movzx eax, ax */
            23);
    assert_int_equal(fake.pio_count, 2);
    assert_port(0, true, 0xcf8, 4, 0x80000802);
    assert_port(1, false, 0xcfe, 2, 0);
    assert_int_equal(cpu->gpr[VGPR_RAX], 0x8086);
    assert_int_equal(cpu->rip, CODE + 24);
}

static void sizes_and_forms_of_in_and_out(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RAX] = 0xaaaaaaaabbbbbbbb;
    cpu->gpr[VGPR_RDX] = 0x12345678;
    fake.pio_value = 0xccddeeff;
    out_cf8("\xec\xe6\x21\xed\x66\xef", 6); /* in al, dx; out 21h, al; in eax, dx; out dx, ax */
    assert_int_equal(fake.pio_count, 5);
    assert_port(1, false, 0x5678, 1, 0);
    assert_port(2, true, 0x21, 1, 0xff);
    assert_port(3, false, 0x5678, 4, 0);
    assert_port(4, true, 0x5678, 2, 0xeeff);
    assert_int_equal(cpu->gpr[VGPR_RAX], 0xccddeeff);
    assert_int_equal(cpu->rip, CODE + 7);
}

/* A reset by port CF9h, say. */
static void a_port_that_touches_the_machine_ends_it(void **state)
{
    (void)state;
    init64();
    cpu->devices_touched = true;
    out_cf8("\xee", 1);
    assert_int_equal(fake.pio_count, 1);
    assert_int_equal(cpu->rip, CODE + 1);
}

static void memory_is_no_device_behind_a_port(void **state)
{
    (void)state;
    init64();
    out_cf8("\x8b\x03", 2); /* mov eax, [rbx] */
    assert_int_equal(device_count, 0);
    assert_int_equal(cpu->rip, CODE + 1);
}

/* VT-x reads RSP late, and writes what it finds changed. */
static void behind_a_port_rsp_stays_as_the_backend_left_it(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RDX] = 0xcf8;
    cpu->gpr[VGPR_RSP] = 0x1234;
    out_cf8("\xba\xfc\x0c\x00\x00\xed", 6); /* mov edx, 0xcfc; in eax, dx */
    assert_int_equal(cpu->gpr[VGPR_RSP], 0x1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_selected_register_is_read_in_the_same_exit),
        cmocka_unit_test(registers_may_change_between_the_two),
        cmocka_unit_test(a_polling_loop_goes_round_until_the_most),
        cmocka_unit_test(ten_instructions_without_an_access_are_the_most),
        cmocka_unit_test(a_page_that_was_read_is_written_where_it_may_be),
        cmocka_unit_test(where_no_access_follows_fifteen_looks_are_left_out),
        cmocka_unit_test(only_what_is_behind_the_last_access_is_left_out),
        cmocka_unit_test(what_was_cut_short_is_no_waste),
        cmocka_unit_test(it_ends_before),
        cmocka_unit_test(it_ends_with_the_page_of_code),
        cmocka_unit_test(it_does_not_begin_where_somebody_could_tell),
        cmocka_unit_test(what_waits_for_the_guest_ends_it),
        cmocka_unit_test(pci_configuration_is_read_in_the_exit_of_its_address),
        cmocka_unit_test(sizes_and_forms_of_in_and_out),
        cmocka_unit_test(a_port_that_touches_the_machine_ends_it),
        cmocka_unit_test(memory_is_no_device_behind_a_port),
        cmocka_unit_test(behind_a_port_rsp_stays_as_the_backend_left_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
