/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/mmio.c vmm/virt/insn.c vmm/virt/segment.c vmm/virt/gwalk.c vmm/emu/exec.c vmm/emu/alu.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* Where an instruction and its operand lie, and what happens when they lie nowhere. */
#include "virt/virt.h"

#include "mmio_guest.h"

/* --- Addresses -------------------------------------------------------------------------------- */

static void the_translation_of_the_exit_saves_the_walk(void **state)
{
    (void)state;
    init64();
    cpu->gpr[VGPR_RBX] = 0x3ff010; /* not mapped: a walk would fault */
    struct vexit exit = data_exit(0xfe000010, true);
    exit.npf.gva = 0x3ff010;
    exit.npf.gva_valid = true;
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_ADVANCE);
    assert_device(0, true, 0xfe000010, 4, 0);
    exit.npf.write = false; /* a read's translation says nothing about writing */
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.vector, 14);
    assert_int_equal(cpu->inject.error, 2);
    assert_int_equal(fake.reg[VREG_CR2], 0x3ff010);
}

static void fs_and_gs_have_a_base_in_64_bit_code_and_others_have_none(void **state)
{
    (void)state;
    init64();
    fake.reg[VREG_GS_BASE] = 0x200000;
    fake.reg[VREG_FS_BASE] = 0x201000;
    fake.seg[VSEG_DS].base = 0x1000;
    cpu->gpr[VGPR_RBX] = 0x20;
    struct vexit exit = data_exit(0xfe000020, true);
    assert_int_equal(RUN("\x65\x89\x03", &exit), EXIT_ADVANCE);
    assert_device(0, true, 0xfe000020, 4, 0);
    assert_int_equal(RUN("\x64\x89\x03", &exit), EXIT_ADVANCE);
    assert_device(1, true, 0xfe001020, 4, 0);
    cpu->gpr[VGPR_RBX] = 0x200020;
    assert_int_equal(RUN("\x3e\x89\x03", &exit), EXIT_ADVANCE);
    assert_device(2, true, 0xfe000020, 4, 0);
}

static void rip_relative_counts_from_the_next_instruction(void **state)
{
    (void)state;
    init64();
    struct vexit exit = data_exit(0xfe000010, true);
    /* MOV dword [RIP + d], imm32: 10 bytes at 10000h */
    assert_int_equal(RUN("\xc7\x05\x06\x00\x1f\x00\x01\x00\x00\x00", &exit), EXIT_ADVANCE);
    assert_device(0, true, 0xfe000010, 4, 1);
}

static void an_address_that_is_not_canonical_faults(void **state)
{
    (void)state;
    init64();
    struct vexit exit = data_exit(0xfe000010, true);
    cpu->gpr[VGPR_RBX] = 0x800000000000;
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.vector, 13);
    cpu->inject.type = VEVENT_NONE;
    cpu->gpr[VGPR_RBX] = 0x7ffffffffffe; /* its last bytes are not */
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.vector, 13);
    cpu->inject.type = VEVENT_NONE;
    cpu->gpr[VGPR_RBP] = 0x800000000000; /* a stack reference */
    assert_int_equal(RUN("\x89\x45\x00", &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.vector, 12);
    assert_int_equal(device_count, 0);
}

static void segment_bases_and_limits_hold_outside_of_64_bit_code(void **state)
{
    (void)state;
    init_flat(32);
    fake.seg[VSEG_DS].base = 0xfd000000;
    fake.seg[VSEG_DS].limit = 0x01000013;
    cpu->gpr[VGPR_RBX] = 0x01000010;
    struct vexit exit = data_exit(0xfe000010, true);
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_ADVANCE);
    assert_device(0, true, 0xfe000010, 4, 0);
    cpu->gpr[VGPR_RBX] = 0x01000011;
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.vector, 13);
    assert_int_equal(device_count, 1);
}

static void expand_down_segments_begin_above_their_limit(void **state)
{
    (void)state;
    init_flat(32);
    struct vexit exit = data_exit(0xfe000010, true);
    fake.seg[VSEG_DS].access = 0xc097;
    fake.seg[VSEG_DS].limit = 0xfe00000f;
    cpu->gpr[VGPR_RBX] = 0xfe000010;
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_ADVANCE);
    fake.seg[VSEG_DS].limit = 0xfe000010;
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_INJECT);
    cpu->inject.type = VEVENT_NONE;
    fake.seg[VSEG_DS].limit = 0xf;
    fake.seg[VSEG_DS].access = 0x8097; /* 16-bit: up to FFFFh */
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_INJECT);
}

static void read_only_and_null_segments_refuse_stores(void **state)
{
    (void)state;
    static const uint16_t access[] = {0xc091, 0xc09b, 0xc013}; /* data R, code, not present */
    for (unsigned i = 0; i < 3; i++) {
        init_flat(32);
        struct vexit exit = data_exit(0xfe000010, true);
        fake.seg[VSEG_ES].access = access[i];
        cpu->gpr[VGPR_RBX] = 0xfe000010;
        assert_int_equal(RUN("\x26\x89\x03", &exit), EXIT_INJECT);
        assert_int_equal(cpu->inject.vector, 13);
        assert_int_equal(device_count, 0);
    }
}

static void real_mode_checks_the_limit_only(void **state)
{
    (void)state;
    init_flat(16);
    for (unsigned i = VSEG_ES; i <= VSEG_GS; i++)
        fake.seg[i].limit = 0xffff;
    fake.seg[VSEG_CS].base = 0x1000;
    cpu->rip = 0x100;
    fake.seg[VSEG_ES].base = 0xb8000;
    cpu->gpr[VGPR_RDI] = 0x12340010;
    cpu->gpr[VGPR_RAX] = 0x0741;
    memcpy(fake.ram + 0x1100, "\xab", 1); /* STOSW */
    cpu->hooks.mem_write = NULL;          /* no walk and no RAM write in this */
    struct vexit exit = data_exit(0xb8010, true);
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_ADVANCE);
    assert_device(0, true, 0xb8010, 2, 0x0741);
    assert_int_equal(cpu->gpr[VGPR_RDI], 0x12340012);
    cpu->gpr[VGPR_RDI] = 0xffff;
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.vector, 13);
    assert_false(cpu->inject.has_error);
}

/* --- Fetching --------------------------------------------------------------------------------- */

static void only_an_instruction_that_reaches_it_needs_the_second_page(void **state)
{
    (void)state;
    init64();
    put64(0x6000 + 8 * 0x11, 0); /* linear 11000h isn't mapped */
    cpu->rip = 0x10ffe;
    struct vexit exit = data_exit(0xfe000010, true);
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 2);
    memcpy(fake.ram + 0x10ffe, "\x48\x89", 2);
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.vector, 14);
    assert_int_equal(cpu->inject.error, 0x10);
    assert_int_equal(fake.reg[VREG_CR2], 0x11000);
}

static void the_fetch_has_the_rights_of_the_guest_s_privilege_level(void **state)
{
    (void)state;
    init64();
    put64(0x6000 + 8 * 0x10, 0x10003); /* a supervisor page */
    struct vexit exit = data_exit(0xfe000010, true);
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_ADVANCE);
    fake.seg[VSEG_SS].access = 0xc0f3; /* CPL 3 */
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.error, 0x15);
}

static void an_instruction_may_lie_on_two_pages_far_apart(void **state)
{
    (void)state;
    init64();
    put64(0x6000 + 8 * 0x11, 0x30007);
    cpu->rip = 0x10ffe;
    cpu->gpr[VGPR_RAX] = 5;
    memcpy(fake.ram + 0x10ffe, "\x48\x89", 2);
    fake.ram[0x30000] = 0x03;
    struct vexit exit = data_exit(0xfe000010, true);
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 3);
    assert_device(0, true, 0xfe000010, 8, 5);
}

static void code_in_16_and_32_bit_mode_is_decoded_as_such(void **state)
{
    (void)state;
    struct vexit exit = data_exit(0xfe000010, true);
    init_flat(32);
    cpu->gpr[VGPR_RBX] = 0xfe000010;
    cpu->gpr[VGPR_RAX] = 0x12345678;
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_ADVANCE);
    assert_device(0, true, 0xfe000010, 4, 0x12345678);
    init_flat(16);
    cpu->gpr[VGPR_RBX] = 0xfe000010;
    cpu->gpr[VGPR_RAX] = 0x12345678;
    assert_int_equal(RUN("\x67\x89\x03", &exit), EXIT_ADVANCE); /* MOV [EBX], AX */
    assert_device(0, true, 0xfe000010, 2, 0x5678);
}

static void the_limit_of_cs_ends_the_code(void **state)
{
    (void)state;
    struct vexit exit = data_exit(0xfe000010, true);
    init_flat(32);
    cpu->gpr[VGPR_RBX] = 0xfe000010;
    fake.seg[VSEG_CS].limit = 0x8001;
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_ADVANCE);
    fake.seg[VSEG_CS].limit = 0x8000;
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_INJECT);
    assert_int_equal(cpu->inject.vector, 13);
    assert_int_equal(device_count, 1);
}

/* --- Bytes from the CPU ----------------------------------------------------------------------- */

static struct vexit told_exit(const char *bytes, unsigned count)
{
    struct vexit exit = data_exit(0xfe000010, true);
    exit.npf.insn = (const uint8_t *)bytes;
    exit.npf.insn_count = (uint8_t)count;
    return exit;
}

static void bytes_from_the_cpu_are_not_fetched_again(void **state)
{
    (void)state;
    init64();
    put64(0x6000 + 8 * 0x10, 0); /* the code isn't mapped any more */
    cpu->gpr[VGPR_RAX] = 0x11223344;
    struct vexit exit =
        told_exit("\x66\x89\x03\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90", 15);
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 3);
    assert_device(0, true, 0xfe000010, 2, 0x3344);
    exit = told_exit("\x89\x03", 2);
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.insn_len, 2);
    assert_device(1, true, 0xfe000010, 4, 0x11223344);
}

static void too_few_or_senseless_bytes_are_fetched(void **state)
{
    (void)state;
    static const char *const told[] = {"\x66\x89", "\x0f\x04\x00", "\x66"};
    for (unsigned i = 0; i < 3; i++) {
        init64();
        struct vexit exit = told_exit(told[i], (unsigned)strlen(told[i]));
        assert_int_equal(RUN("\x66\x89\x03", &exit), EXIT_ADVANCE);
        assert_int_equal(exit.insn_len, 3);
    }
}

static void what_the_cpu_told_is_what_a_refusal_prints(void **state)
{
    (void)state;
    init64();
    struct vexit exit = told_exit("\x0f\x11\x03", 3);
    assert_int_equal(RUN("\x89\x03", &exit), EXIT_STOP);
    assert_non_null(strstr(cpu->stop_reason, "bytes 0f 11 03"));
}

/* --- Refusals --------------------------------------------------------------------------------- */

static void what_cannot_be_emulated_stops_the_guest_with_its_bytes(void **state)
{
    (void)state;
    init64();
    struct vexit exit = data_exit(0xfe000010, true);
    assert_int_equal(RUN("\x0f\x11\x03", &exit), EXIT_STOP); /* MOVUPS [RBX], XMM0 */
    assert_int_equal(cpu->stop, VM_STOP_BAD_ACCESS);
    assert_non_null(strstr(cpu->stop_reason, "0xfe000010"));
    assert_non_null(strstr(cpu->stop_reason, "64-bit code at 0x10000: bytes 0f 11 03"));
    init64();
    assert_int_equal(RUN("\x06", &exit), EXIT_STOP); /* no instruction at all */
    assert_non_null(strstr(cpu->stop_reason, "bytes 06 00"));
}

static void code_and_tables_outside_of_ram_stop_the_guest(void **state)
{
    (void)state;
    struct vexit exit = data_exit(0xfe000010, false);
    init64();
    exit.npf.fetch = true;
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_STOP);
    assert_string_equal(cpu->stop_reason, "the guest ran code at 0xfe000010, which isn't RAM");
    init64();
    exit = data_exit(0xfe000010, false);
    exit.npf.in_page_walk = true;
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_STOP);
    assert_non_null(strstr(cpu->stop_reason, "page tables"));
    init64();
    exit = data_exit(0xfe000010, false);
    exit.interrupted = (struct vevent){.type = VEVENT_IRQ, .vector = 0x20};
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_STOP);
    assert_non_null(strstr(cpu->stop_reason, "delivery of an event"));
    init64();
    exit = data_exit(0xfe000010, false);
    cpu->rip = 0x200000;
    assert_int_equal(mmio_emulate(cpu, &exit), EXIT_STOP);
    assert_string_equal(cpu->stop_reason, "the code at 0x200000 isn't in RAM");
    init64();
    exit = data_exit(0xfe000010, false);
    put64(0x5008, 0x80000007);
    assert_int_equal(RUN("\x8b\x03", &exit), EXIT_STOP);
    assert_non_null(strstr(cpu->stop_reason, "0x80000000"));
}

/* Any bytes, any registers: the guest advances, faults or stops; the VMM lives. */
static void noise_as_code_is_survived(void **state)
{
    (void)state;
    uint64_t random = 0x9e3779b97f4a7c15;
    unsigned actions[4] = {0};
    for (unsigned round = 0; round < 30000; round++) {
        if (round % 3 == 0)
            init64();
        else
            init_flat(round % 3 == 1 ? 32 : 16);
        for (unsigned i = 0; i < 18; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if (i < 16)
                cpu->gpr[i] = random & 8 ? random & 0x3fffff : random;
            else
                put64(cpu->rip + 8 * (i - 16), random);
        }
        struct vexit exit = data_exit(0xfe000000 | (random & 0xfff), random & 0x10000);
        enum exit_action action = mmio_emulate(cpu, &exit);
        actions[action]++;
        assert_true(action != EXIT_ADVANCE || (exit.insn_len >= 1 && exit.insn_len <= 15));
        assert_true((action == EXIT_STOP) == (cpu->stop != VM_RUNNING));
        assert_true((action == EXIT_INJECT) == (cpu->inject.type != VEVENT_NONE));
    }
    assert_true(actions[EXIT_ADVANCE] > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_translation_of_the_exit_saves_the_walk),
        cmocka_unit_test(fs_and_gs_have_a_base_in_64_bit_code_and_others_have_none),
        cmocka_unit_test(rip_relative_counts_from_the_next_instruction),
        cmocka_unit_test(an_address_that_is_not_canonical_faults),
        cmocka_unit_test(segment_bases_and_limits_hold_outside_of_64_bit_code),
        cmocka_unit_test(expand_down_segments_begin_above_their_limit),
        cmocka_unit_test(read_only_and_null_segments_refuse_stores),
        cmocka_unit_test(real_mode_checks_the_limit_only),
        cmocka_unit_test(only_an_instruction_that_reaches_it_needs_the_second_page),
        cmocka_unit_test(the_fetch_has_the_rights_of_the_guest_s_privilege_level),
        cmocka_unit_test(an_instruction_may_lie_on_two_pages_far_apart),
        cmocka_unit_test(code_in_16_and_32_bit_mode_is_decoded_as_such),
        cmocka_unit_test(the_limit_of_cs_ends_the_code),
        cmocka_unit_test(bytes_from_the_cpu_are_not_fetched_again),
        cmocka_unit_test(too_few_or_senseless_bytes_are_fetched),
        cmocka_unit_test(what_the_cpu_told_is_what_a_refusal_prints),
        cmocka_unit_test(what_cannot_be_emulated_stops_the_guest_with_its_bytes),
        cmocka_unit_test(code_and_tables_outside_of_ram_stop_the_guest),
        cmocka_unit_test(noise_as_code_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
