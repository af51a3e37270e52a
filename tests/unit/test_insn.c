/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/insn.c vmm/virt/segment.c vmm/virt/gwalk.c vmm/emu/exec.c vmm/emu/alu.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* Lengths of instructions from their bytes: prefixes, modes, pages, faults, the hint. */
#include "virt/insn.h"

#include "insn_guest.h"

/* --- kinds and prefixes ----------------------------------------------------------------------- */

struct row {
    enum vexit_kind kind;
    unsigned bits; /* 0: 16, 32 and 64 */
    unsigned length;
    const char *bytes;
};

static const struct row valid_rows[] = {
    {VEXIT_CPUID, 0, 2, "\x0f\xa2"},
    {VEXIT_CPUID, 0, 3, "\x66\x0f\xa2"},
    {VEXIT_CPUID, 0, 3, "\xf3\x0f\xa2"},
    {VEXIT_CPUID, 64, 3, "\x48\x0f\xa2"},
    {VEXIT_CPUID, 64, 4, "\x66\x48\x0f\xa2"},
    {VEXIT_CPUID, 0, 15, "\x66\x67\x2e\x36\x3e\x26\x64\x65\xf2\xf3\x66\x67\x2e\x0f\xa2"},
    {VEXIT_HLT, 0, 1, "\xf4"},
    {VEXIT_HLT, 0, 2, "\xf3\xf4"},
    {VEXIT_HLT, 64, 2, "\x40\xf4"},
    {VEXIT_RDMSR, 0, 2, "\x0f\x32"},
    {VEXIT_WRMSR, 0, 2, "\x0f\x30"},
    {VEXIT_WRMSR, 0, 3, "\x3e\x0f\x30"}, /* newer Linux kernels write it so */
    {VEXIT_XSETBV, 0, 3, "\x0f\x01\xd1"},
    {VEXIT_XSETBV, 64, 4, "\x48\x0f\x01\xd1"},
    {VEXIT_INVD, 0, 2, "\x0f\x08"},
    {VEXIT_WBINVD, 0, 2, "\x0f\x09"},
    {VEXIT_WBINVD, 0, 3, "\xf3\x0f\x09"}, /* WBNOINVD */
    {VEXIT_CLTS, 0, 2, "\x0f\x06"},
    {VEXIT_RDTSC, 0, 2, "\x0f\x31"},
    {VEXIT_RDTSCP, 0, 3, "\x0f\x01\xf9"},
    {VEXIT_HYPERCALL, 0, 3, "\x0f\x01\xd9"}, /* VMMCALL */
    {VEXIT_HYPERCALL, 0, 3, "\x0f\x01\xc1"}, /* VMCALL */
    {VEXIT_HYPERCALL, 0, 4, "\x66\x0f\x01\xd9"},
    {VEXIT_PAUSE, 0, 2, "\xf3\x90"},
    {VEXIT_PAUSE, 0, 3, "\xf3\x66\x90"},
    {VEXIT_INVLPG, 0, 3, "\x0f\x01\x38"},
    {VEXIT_INVLPG, 64, 4, "\x41\x0f\x01\x38"},
    {VEXIT_INVLPG, 64, 7, "\x0f\x01\x3d\1\2\3\4"},
    {VEXIT_INVLPG, 32, 7, "\x0f\x01\x3d\1\2\3\4"},
    {VEXIT_INVLPG, 16, 5, "\x0f\x01\x3e\1\2"},
    {VEXIT_INVLPG, 16, 8, "\x67\x0f\x01\x3d\1\2\3\4"},
    {VEXIT_INVLPG, 64, 8, "\x0f\x01\xbc\x24\1\2\3\4"},
    {VEXIT_INVLPG, 64, 9, "\x65\x0f\x01\xbc\x24\1\2\3\4"},
};

static const unsigned modes[] = {16, 32, 64};

static void prefixes_and_operands_count_in_every_mode(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(valid_rows); i++) {
        const struct row *row = &valid_rows[i];
        for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
            struct vexit exit;
            if (row->bits && row->bits != modes[m])
                continue;
            init_guest(modes[m]);
            for (unsigned again = 0; again < 2; again++) { /* then with the hint */
                assert_int_equal(complete_code(row->kind, row->bytes, row->length, &exit),
                                 EXIT_ADVANCE);
                assert_int_equal(exit.insn_len, row->length);
                assert_int_equal(exit.kind, row->kind);
            }
            assert_int_equal(cpu->stop, VM_RUNNING);
            assert_int_equal(cpu->inject.type, VEVENT_NONE);
        }
    }
}

static void rdtscp_that_comes_as_rdtsc_is_rdtscp(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    assert_int_equal(complete_code(VEXIT_RDTSC, "\x0f\x01\xf9", 3, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.kind, VEXIT_RDTSCP);
    assert_int_equal(exit.insn_len, 3);
}

static void port_io_has_a_length_too(void **state)
{
    (void)state;
    static const struct {
        bool in, string;
        unsigned length;
        const char *bytes;
    } rows[] = {
        {true, false, 1, "\xec"},         {true, false, 2, "\xe4\x60"},
        {true, false, 3, "\x66\xe5\x60"}, {false, false, 1, "\xee"},
        {false, false, 2, "\xe6\x80"},    {false, false, 2, "\x66\xef"},
        {true, true, 2, "\xf3\x6c"},      {true, true, 3, "\xf3\x66\x6d"},
        {false, true, 2, "\xf3\x6e"},     {false, true, 3, "\x65\xf3\x6f"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        init_guest(64);
        put_code(rows[i].bytes, rows[i].length);
        struct vexit exit = {.kind = VEXIT_PIO};
        exit.pio.in = rows[i].in;
        exit.pio.string = rows[i].string;
        assert_int_equal(insn_complete(cpu, &exit), EXIT_ADVANCE);
        assert_int_equal(exit.insn_len, rows[i].length);
        exit = (struct vexit){.kind = VEXIT_PIO};
        exit.pio.in = !rows[i].in; /* the other direction: not this instruction */
        exit.pio.string = rows[i].string;
        assert_int_equal(insn_complete(cpu, &exit), EXIT_RETRY);
    }
}

/* --- where the bytes lie ---------------------------------------------------------------------- */

static void the_base_of_cs_counts_outside_of_64_bit_code(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(16);
    fake.seg[VSEG_CS].base = 0x20010;
    memcpy(fake.ram + 0x28010, "\x66\x0f\xa2", 3);
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 3);
    init_guest(64);
    fake.seg[VSEG_CS].base = 0x20010;
    assert_int_equal(complete_code(VEXIT_CPUID, "\x0f\xa2", 2, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 2);
}

static void addresses_wrap_at_4_gib_outside_of_64_bit_code(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(32);
    fake.seg[VSEG_CS].base = 0xfffff000;
    cpu->rip = 0x2000;
    memcpy(fake.ram + 0x1000, "\x66\x0f\xa2", 3);
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 3);
}

static void an_instruction_may_lie_on_two_pages_far_apart(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    map_page(0x11, 0x30000, 7);
    cpu->rip = 0x10ffd;
    memcpy(fake.ram + 0x10ffd, "\x66\x66\x66", 3);
    memcpy(fake.ram + 0x30000, "\x66\x0f\xa2", 3);
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 6);
}

static void the_second_page_counts_only_for_what_reaches_it(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    map_page(0x11, 0, 0);
    cpu->rip = 0x10ffe;
    assert_int_equal(complete_code(VEXIT_CPUID, "\x0f\xa2", 2, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 2);
    cpu->rip = 0x10fff;
    assert_int_equal(complete_code(VEXIT_CPUID, "\x0f\xa2", 2, &exit), EXIT_INJECT);
    assert_fault(14, 0x10); /* a fetch: EFER.NXE is set */
    assert_int_equal(fake.reg[VREG_CR2], 0x11000);
    assert_int_equal(exit.insn_len, 0);
}

static void a_fetch_faults_as_the_cpu_s_does(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    map_page(0x10, CODE, 7);
    put64(0x6000 + 8 * 0x10, 1ull << 63 | CODE | 7); /* no-execute; EFER.NXE is set */
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_INJECT);
    assert_fault(14, 0x11);
    assert_int_equal(fake.reg[VREG_CR2], CODE);

    init_guest(64);
    map_page(0x10, CODE, 3); /* the kernel's */
    fake.seg[VSEG_SS].access = 0xc0f3;
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_INJECT);
    assert_fault(14, 0x15);

    init_guest(64);
    cpu->rip = 0x800000000000;
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_INJECT);
    assert_fault(13, 0);
}

static void the_limit_of_cs_ends_the_code(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(32);
    fake.seg[VSEG_CS].limit = CODE + 1;
    assert_int_equal(complete_code(VEXIT_CPUID, "\x0f\xa2", 2, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 2);
    memset(cpu->insn_hint, 0, sizeof(cpu->insn_hint));
    fake.seg[VSEG_CS].limit = CODE;
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_INJECT);
    assert_fault(13, 0);
    cpu->inject.type = VEVENT_NONE;
    fake.seg[VSEG_CS].limit = CODE - 1;
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_INJECT);
    assert_fault(13, 0);
}

static void code_outside_of_ram_stops_the_guest(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    cpu->rip = 0x180000;
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_STOP);
    assert_int_equal(cpu->stop, VM_STOP_BAD_ACCESS);
    assert_string_equal(cpu->stop_reason, "the code at 0x180000 isn't in RAM");
    init_guest(64);
    put64(0x5000, 0x400007);
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_STOP);
    assert_string_equal(cpu->stop_reason,
                        "the code at 0x10000 isn't in RAM: nor is its page table entry, 0x400080");
}

/* --- bytes that aren't the instruction -------------------------------------------------------- */

static const struct row other_rows[] = {
    {VEXIT_CPUID, 0, 2, "\x0f\x32"},
    {VEXIT_CPUID, 0, 3, "\xf0\x0f\xa2"},
    {VEXIT_CPUID, 0, 1, "\xa2"},
    {VEXIT_HLT, 0, 2, "\x0f\xf4"},
    {VEXIT_RDMSR, 0, 2, "\x0f\x30"},
    {VEXIT_XSETBV, 0, 3, "\x0f\x01\xd0"},
    {VEXIT_PAUSE, 0, 1, "\x90"},
    {VEXIT_PAUSE, 0, 2, "\xf2\x90"},
    {VEXIT_HYPERCALL, 0, 3, "\x0f\x01\xd8"},
    {VEXIT_CPUID, 0, 2, "\x0f\x04"},
};

static void other_bytes_are_tried_again_and_then_the_cpu_is_believed(void **state)
{
    (void)state;
    static const uint8_t plain[] = {2, 2, 2, 1, 2, 3, 2, 2, 3, 2};
    _Static_assert(sizeof(plain) == ARRAY_SIZE(other_rows), "one each");
    for (unsigned i = 0; i < ARRAY_SIZE(other_rows); i++) {
        const struct row *row = &other_rows[i];
        struct vexit exit;
        init_guest(64);
        assert_int_equal(complete_code(row->kind, row->bytes, row->length, &exit), EXIT_RETRY);
        assert_int_equal(fake.flushes, 1);
        assert_int_equal(exit.insn_len, 0);
        assert_int_equal(cpu->rip, CODE);
        assert_int_equal(complete_as(row->kind, &exit), EXIT_ADVANCE);
        assert_int_equal(exit.insn_len, plain[i]);
        assert_int_equal(exit.kind, row->kind);
        assert_int_equal(fake.flushes, 1);
        /* Whoever comes here later gets his second try as well. */
        assert_int_equal(complete_as(row->kind, &exit), EXIT_RETRY);
        assert_int_equal(complete_as(row->kind, &exit), EXIT_ADVANCE);
        assert_int_equal(cpu->stop, VM_RUNNING);
    }
}

static void without_operands_to_believe_the_guest_stops(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(32);
    memset(fake.ram + CODE, 0x90, 15);
    assert_int_equal(complete_as(VEXIT_CR_WRITE, &exit), EXIT_RETRY);
    assert_int_equal(cpu->stop, VM_RUNNING);
    assert_int_equal(complete_as(VEXIT_CR_WRITE, &exit), EXIT_STOP);
    assert_int_equal(cpu->stop, VM_STOP_UNKNOWN_EXIT);
    assert_string_equal(cpu->stop_reason,
                        "the CPU reports MOV to CR, but the 32-bit code at 0x10000 is something "
                        "else: bytes 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90");
}

static void a_stale_translation_ends_with_the_flush(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    assert_int_equal(complete_code(VEXIT_CPUID, "\x90\x90", 2, &exit), EXIT_RETRY);
    put_code("\xf3\x0f\xa2", 3); /* the guest ran on and came back */
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 3);
}

/* --- the hint --------------------------------------------------------------------------------- */

static void the_plain_form_needs_the_tables_once_for_a_page(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    assert_int_equal(complete_code(VEXIT_CPUID, "\x0f\xa2\x0f\x30\xf4\x0f\x01\xd1", 8, &exit),
                     EXIT_ADVANCE);
    assert_true(reads > 0);
    reads = 0;
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 2);
    cpu->rip += 2;
    assert_int_equal(complete_as(VEXIT_WRMSR, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 2);
    cpu->rip += 2;
    assert_int_equal(complete_as(VEXIT_HLT, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 1);
    cpu->rip += 1;
    assert_int_equal(complete_as(VEXIT_XSETBV, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 3);
    assert_int_equal(reads, 0);
}

static void two_pages_share_no_hint(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    memcpy(fake.ram + 0x10000, "\x0f\xa2", 2);
    memcpy(fake.ram + 0x18000, "\x66\x0f\xa2", 3); /* takes the same place */
    for (unsigned i = 0; i < 4; i++) {
        cpu->rip = i & 1 ? 0x18000 : 0x10000;
        assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_ADVANCE);
        assert_int_equal(exit.insn_len, i & 1 ? 3 : 2);
    }
}

static void a_stale_hint_with_other_bytes_is_replaced(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    assert_int_equal(complete_code(VEXIT_CPUID, "\x0f\xa2", 2, &exit), EXIT_ADVANCE);
    map_page(0x10, 0x40000, 7);
    memcpy(fake.ram + 0x10000, "\xcc\xcc\xcc", 3);
    memcpy(fake.ram + 0x40000, "\x66\x0f\xa2\x0f\xa2", 5);
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 3);
    cpu->rip += 3;
    reads = 0;
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 2);
    assert_int_equal(reads, 0); /* the new page's hint */
}

static void the_last_bytes_of_a_page_are_read_through_the_tables(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    assert_int_equal(complete_code(VEXIT_CPUID, "\x0f\xa2", 2, &exit), EXIT_ADVANCE);
    map_page(0x11, 0x50000, 7);
    fake.ram[0x11000] = 0xa2; /* what follows the page in RAM isn't what follows in the guest */
    fake.ram[0x50000] = 0x30;
    cpu->rip = 0x10fff;
    fake.ram[0x10fff] = 0x0f;
    assert_int_equal(complete_as(VEXIT_WRMSR, &exit), EXIT_ADVANCE);
    assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_RETRY);
}

static void no_hint_is_kept_where_cs_shifts_the_pages(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(16);
    fake.seg[VSEG_CS].base = 0x20010;
    memcpy(fake.ram + 0x28010, "\x66\x0f\xa2", 3);
    memcpy(fake.ram + 0x28000, "\x0f\xa2", 2); /* at RIP's offset in the page */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(complete_as(VEXIT_CPUID, &exit), EXIT_ADVANCE);
        assert_int_equal(exit.insn_len, 3);
    }
}

static void a_page_at_0_is_no_unused_hint(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(16);
    cpu->rip = 0x10;
    assert_int_equal(complete_code(VEXIT_HLT, "\xf4", 1, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_and_operands_count_in_every_mode),
        cmocka_unit_test(rdtscp_that_comes_as_rdtsc_is_rdtscp),
        cmocka_unit_test(port_io_has_a_length_too),
        cmocka_unit_test(the_base_of_cs_counts_outside_of_64_bit_code),
        cmocka_unit_test(addresses_wrap_at_4_gib_outside_of_64_bit_code),
        cmocka_unit_test(an_instruction_may_lie_on_two_pages_far_apart),
        cmocka_unit_test(the_second_page_counts_only_for_what_reaches_it),
        cmocka_unit_test(a_fetch_faults_as_the_cpu_s_does),
        cmocka_unit_test(the_limit_of_cs_ends_the_code),
        cmocka_unit_test(code_outside_of_ram_stops_the_guest),
        cmocka_unit_test(other_bytes_are_tried_again_and_then_the_cpu_is_believed),
        cmocka_unit_test(without_operands_to_believe_the_guest_stops),
        cmocka_unit_test(a_stale_translation_ends_with_the_flush),
        cmocka_unit_test(the_plain_form_needs_the_tables_once_for_a_page),
        cmocka_unit_test(two_pages_share_no_hint),
        cmocka_unit_test(a_stale_hint_with_other_bytes_is_replaced),
        cmocka_unit_test(the_last_bytes_of_a_page_are_read_through_the_tables),
        cmocka_unit_test(no_hint_is_kept_where_cs_shifts_the_pages),
        cmocka_unit_test(a_page_at_0_is_no_unused_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
