/* needs: vmm/virt/apic.c tests/unit/fake_backend.c tests/unit/fake_script.c tests/unit/fake_virt.c vmm/virt/insn.c vmm/virt/segment.c vmm/virt/gwalk.c vmm/emu/exec.c vmm/emu/alu.c vmm/emu/decode.c vmm/emu/classify.c vmm/emu/opcodes.c vmm/virt/vcpu.c vmm/virt/report.c vmm/lib/text.c vmm/virt/account.c vmm/virt/trace.c vmm/virt/timeline.c vmm/virt/run.c vmm/virt/exit.c vmm/virt/event.c vmm/virt/cpuid.c vmm/virt/msr.c vmm/virt/pvclock.c vmm/virt/pveoi.c vmm/virt/msr_amd.c vmm/virt/cr.c vmm/virt/pio.c vmm/lib/fmt.c */
/* Operands from the instruction's bytes: control and debug registers, LMSW, OUTS' segment. */
#include "virt/insn.h"

#include "insn_guest.h"

/* One exit through the whole of virt/. */
static void exit_code(enum vexit_kind kind, const char *bytes, unsigned count)
{
    put_code(bytes, count);
    struct vexit exit = {.kind = kind};
    memset(&exit.cr, 0xee, sizeof(exit.cr));
    exit_handle(cpu, &exit);
}

/* --- MOV to and from control registers -------------------------------------------------------- */

static void mov_cr_names_its_registers(void **state)
{
    (void)state;
    static const struct {
        enum vexit_kind kind;
        unsigned bits, length, cr, gpr;
        const char *bytes;
    } rows[] = {
        {VEXIT_CR_WRITE, 64, 3, 0, 0, "\x0f\x22\xc0"},
        {VEXIT_CR_WRITE, 64, 3, 4, 3, "\x0f\x22\xe3"},
        {VEXIT_CR_WRITE, 64, 4, 4, 9, "\x41\x0f\x22\xe1"},
        {VEXIT_CR_WRITE, 64, 4, 8, 0, "\x44\x0f\x22\xc0"},
        {VEXIT_CR_WRITE, 64, 4, 8, 15, "\x45\x0f\x22\xc7"},
        {VEXIT_CR_WRITE, 64, 4, 0, 6, "\x48\x0f\x22\xc6"},
        {VEXIT_CR_WRITE, 64, 5, 0, 6, "\x66\x48\x0f\x22\xc6"},
        {VEXIT_CR_WRITE, 64, 4, 8, 3, "\xf0\x0f\x22\xc3"}, /* LOCK MOV CR0 is MOV CR8 */
        {VEXIT_CR_WRITE, 32, 4, 8, 3, "\xf0\x0f\x22\xc3"},
        {VEXIT_CR_WRITE, 64, 5, 8, 11, "\xf0\x41\x0f\x22\xc3"},
        {VEXIT_CR_WRITE, 64, 3, 0, 5, "\x0f\x22\x05"}, /* no memory operand, whatever mod says */
        {VEXIT_CR_WRITE, 32, 3, 3, 4, "\x0f\x22\x5c"},
        {VEXIT_CR_WRITE, 16, 3, 0, 7, "\x0f\x22\xc7"},
        {VEXIT_CR_READ, 64, 3, 4, 2, "\x0f\x20\xe2"},
        {VEXIT_CR_READ, 64, 4, 8, 1, "\x44\x0f\x20\xc1"},
        {VEXIT_CR_READ, 32, 4, 8, 1, "\xf0\x0f\x20\xc1"},
        {VEXIT_CR_READ, 16, 3, 3, 5, "\x0f\x20\xdd"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vexit exit;
        init_guest(rows[i].bits);
        for (unsigned again = 0; again < 2; again++) {
            assert_int_equal(complete_code(rows[i].kind, rows[i].bytes, rows[i].length, &exit),
                             EXIT_ADVANCE);
            assert_int_equal(exit.kind, rows[i].kind);
            assert_int_equal(exit.insn_len, rows[i].length);
            assert_int_equal(exit.cr.cr, rows[i].cr);
            assert_int_equal(exit.cr.gpr, rows[i].gpr);
        }
    }
}

/* At one RIP: every one of the 15 bytes that are fetched counts, and so does the mode. */
static void other_bytes_are_another_instruction(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    assert_int_equal(complete_code(VEXIT_CR_WRITE, "\x0f\x22\xc1", 3, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.cr.gpr, 1);
    assert_int_equal(complete_code(VEXIT_CR_WRITE, "\x0f\x22\xc2", 3, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.cr.gpr, 2);
    for (unsigned gpr = 3; gpr < 8; gpr++) { /* behind needless prefixes: the last bytes */
        uint8_t bytes[15];
        memset(bytes, 0x66, sizeof(bytes));
        bytes[12] = 0x0f;
        bytes[13] = 0x22;
        bytes[14] = (uint8_t)(0xc0 | gpr);
        assert_int_equal(complete_code(VEXIT_CR_WRITE, (const char *)bytes, 15, &exit),
                         EXIT_ADVANCE);
        assert_int_equal(exit.insn_len, 15);
        assert_int_equal(exit.cr.gpr, gpr);
    }
    /* INC and a MOV that isn't reached, or the MOV with REX.B. */
    assert_int_equal(complete_code(VEXIT_CR_WRITE, "\x41\x0f\x22\xc0", 4, &exit), EXIT_ADVANCE);
    assert_int_equal(exit.cr.gpr, 8);
    fake.seg[VSEG_CS].access = 0xc09b; /* D, not L */
    fake.seg[VSEG_CS].limit = 0xffffffff;
    assert_int_equal(complete_code(VEXIT_CR_WRITE, "\x41\x0f\x22\xc0", 4, &exit), EXIT_RETRY);
}

static void a_read_is_no_write_and_a_write_no_read(void **state)
{
    (void)state;
    struct vexit exit;
    init_guest(64);
    assert_int_equal(complete_code(VEXIT_CR_READ, "\x0f\x22\xc0", 3, &exit), EXIT_RETRY);
    init_guest(64);
    assert_int_equal(complete_code(VEXIT_CR_WRITE, "\x0f\x20\xc0", 3, &exit), EXIT_RETRY);
    init_guest(64);
    assert_int_equal(complete_code(VEXIT_CR_READ, "\x0f\x01\xe0", 3, &exit), EXIT_RETRY); /* SMSW */
}

static void a_write_of_cr0_happens_and_moves_rip(void **state)
{
    (void)state;
    init_guest(64);
    cpu->gpr[VGPR_R10] = 0x8005003b;
    exit_code(VEXIT_CR_WRITE, "\x41\x0f\x22\xc2", 4);
    assert_int_equal(fake.reg[VREG_CR0], 0x8005003b);
    assert_int_equal(cpu->rip, CODE + 4);
    cpu->gpr[VGPR_RBX] = 5;
    exit_code(VEXIT_CR_WRITE, "\xf0\x0f\x22\xc3", 4);
    assert_int_equal(fake.cr8, 5);
    assert_int_equal(cpu->rip, CODE + 8);
    exit_code(VEXIT_CR_READ, "\x44\x0f\x20\xc6", 4);
    assert_int_equal(cpu->gpr[VGPR_RSI], 5);
    exit_code(VEXIT_CR_WRITE, "\x0f\x06", 2); /* CLTS */
    assert_int_equal(fake.reg[VREG_CR0], 0x80050033);
    assert_int_equal(cpu->rip, CODE + 14);
}

static void the_mode_before_the_write_decodes_it(void **state)
{
    (void)state;
    init_guest(32);
    fake.reg[VREG_CR0] = 0x80000011;
    fake.reg[VREG_CR3] = 0x3000;
    put64(0x3000, 0x4007);                 /* page directory */
    put64(0x4000 + 4 * 0x10, 0x20000 | 7); /* linear 10000h is physical 20000h */
    memcpy(fake.ram + 0x20000, "\x66\x0f\x22\xc0", 4);
    cpu->gpr[VGPR_RAX] = 0x11;
    struct vexit exit = {.kind = VEXIT_CR_WRITE};
    exit_handle(cpu, &exit);
    assert_int_equal(fake.reg[VREG_CR0], 0x11); /* paging is off now */
    assert_int_equal(cpu->rip, CODE + 4);
}

/* --- debug registers -------------------------------------------------------------------------- */

static void mov_dr_names_its_registers_and_direction(void **state)
{
    (void)state;
    static const struct {
        unsigned bits, length, dr, gpr;
        bool write;
        const char *bytes;
    } rows[] = {
        {64, 3, 7, 0, true, "\x0f\x23\xf8"},     {64, 3, 6, 2, false, "\x0f\x21\xf2"},
        {64, 4, 0, 8, true, "\x41\x0f\x23\xc0"}, {32, 3, 3, 5, false, "\x0f\x21\x1d"},
        {16, 4, 7, 1, true, "\x66\x0f\x23\xf9"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vexit exit;
        init_guest(rows[i].bits);
        assert_int_equal(complete_code(VEXIT_DR_ACCESS, rows[i].bytes, rows[i].length, &exit),
                         EXIT_ADVANCE);
        assert_int_equal(exit.insn_len, rows[i].length);
        assert_int_equal(exit.dr.dr, rows[i].dr);
        assert_int_equal(exit.dr.gpr, rows[i].gpr);
        assert_int_equal(exit.dr.write, rows[i].write);
    }
    struct vexit exit;
    init_guest(64); /* DR8 */
    assert_int_equal(complete_code(VEXIT_DR_ACCESS, "\x44\x0f\x23\xc0", 4, &exit), EXIT_RETRY);
}

/* --- LMSW ------------------------------------------------------------------------------------- */

static void lmsw_finds_its_operand(void **state)
{
    (void)state;
    static const struct {
        unsigned bits, length;
        const char *bytes;
        gpa_t operand; /* 0: a register */
    } rows[] = {
        {64, 3, "\x0f\x01\xf3", 0},                       /* BX */
        {64, 4, "\x41\x0f\x01\xf4", 0},                   /* R12W */
        {16, 3, "\x0f\x01\xf3", 0},                       /* BX */
        {64, 3, "\x0f\x01\x33", 0x30000},                 /* [RBX] */
        {64, 6, "\x41\x0f\x01\x74\x24\x10", 0x35010},     /* [R12 + 10h] */
        {64, 7, "\x0f\x01\x35\xf9\xff\x00\x00", 0x20000}, /* [RIP + FFF9h] */
        {64, 4, "\x65\x0f\x01\x33", 0x30000 + 0x40000},   /* GS:[RBX] */
        {64, 4, "\x67\x0f\x01\x33", 0x30000},             /* [EBX] */
        {32, 3, "\x0f\x01\x33", 0x30000},                 /* DS:[EBX] */
        {32, 4, "\x64\x0f\x01\x33", 0x30000 + 0x50000},   /* FS:[EBX] */
        {16, 5, "\x0f\x01\x36\x34\x12", 0x1234},          /* DS:[1234h] */
        {16, 4, "\x26\x0f\x01\x37", 0x60000 + 0x2000},    /* ES:[BX] */
        {16, 4, "\x0f\x01\x76\x04", 0x70000 + 0x3004},    /* SS:[BP + 4] */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vexit exit;
        init_guest(rows[i].bits);
        cpu->gpr[VGPR_RBX] = rows[i].bits == 16 ? 0x2000 : 0x30000;
        cpu->gpr[VGPR_RBP] = 0x3000;
        cpu->gpr[VGPR_R12] = 0x35000;
        fake.reg[VREG_GS_BASE] = 0x40000;
        fake.seg[VSEG_FS].base = 0x50000;
        if (rows[i].bits == 16) {
            fake.seg[VSEG_ES].base = 0x60000;
            fake.seg[VSEG_SS].base = 0x70000;
        }
        if (rows[i].operand)
            memcpy(fake.ram + rows[i].operand, "\xab\x89", 2);
        else
            cpu->gpr[i == 1 ? VGPR_R12 : VGPR_RBX] = 0x1122334455aa89ab & ~0xff0000ull;
        assert_int_equal(complete_code(VEXIT_CR_WRITE, rows[i].bytes, rows[i].length, &exit),
                         EXIT_ADVANCE);
        assert_int_equal(exit.kind, VEXIT_LMSW);
        assert_int_equal(exit.insn_len, rows[i].length);
        assert_int_equal(exit.lmsw.msw, 0x89ab);
    }
}

static void lmsw_happens_and_moves_rip(void **state)
{
    (void)state;
    init_guest(16);
    fake.ram[0x1234] = 0x09; /* PE and TS */
    exit_code(VEXIT_CR_WRITE, "\x0f\x01\x36\x34\x12", 5);
    assert_int_equal(fake.reg[VREG_CR0], 0x19);
    assert_int_equal(cpu->rip, 0x8005);
}

static void lmsw_faults_as_any_load_does(void **state)
{
    (void)state;
    init_guest(64);
    uint64_t cr0 = fake.reg[VREG_CR0];
    map_page(0x30, 0, 0);
    cpu->gpr[VGPR_RBX] = 0x30ffe;
    exit_code(VEXIT_CR_WRITE, "\x0f\x01\x33", 3);
    assert_fault(14, 0);
    assert_int_equal(fake.reg[VREG_CR2], 0x30ffe);
    assert_int_equal(cpu->rip, CODE);

    cpu->inject.type = VEVENT_NONE;
    cpu->gpr[VGPR_RBX] = 0x2ffff; /* its second byte */
    exit_code(VEXIT_CR_WRITE, "\x0f\x01\x33", 3);
    assert_fault(14, 0);
    assert_int_equal(fake.reg[VREG_CR2], 0x30000);

    cpu->inject.type = VEVENT_NONE;
    cpu->gpr[VGPR_RBX] = 0x800000000000;
    exit_code(VEXIT_CR_WRITE, "\x0f\x01\x33", 3);
    assert_fault(13, 0);
    cpu->inject.type = VEVENT_NONE;
    cpu->gpr[VGPR_RBP] = 0x800000000000;
    exit_code(VEXIT_CR_WRITE, "\x0f\x01\x75\x00", 4);
    assert_fault(12, 0);
    assert_int_equal(fake.reg[VREG_CR0], cr0);

    init_guest(32);
    fake.seg[VSEG_DS].limit = 0x30000;
    cpu->gpr[VGPR_RBX] = 0x30000;
    exit_code(VEXIT_CR_WRITE, "\x0f\x01\x33", 3);
    assert_fault(13, 0);
    assert_int_equal(cpu->rip, CODE);

    init_guest(64);
    cpu->gpr[VGPR_RBX] = 0x180000;
    exit_code(VEXIT_CR_WRITE, "\x0f\x01\x33", 3);
    assert_int_equal(cpu->stop, VM_STOP_BAD_ACCESS);
    assert_string_equal(cpu->stop_reason, "LMSW's operand at 0x180000 isn't in RAM");
}

/* --- OUTS' segment ---------------------------------------------------------------------------- */

static enum vseg_name outs_segment(unsigned bits, const char *bytes, unsigned count)
{
    enum vseg_name segment = VSEG_TR;
    init_guest(bits);
    put_code(bytes, count);
    assert_int_equal(insn_outs_segment(cpu, &segment), EXIT_ADVANCE);
    return segment;
}

static void outs_takes_the_segment_of_its_prefix(void **state)
{
    (void)state;
    assert_int_equal(outs_segment(16, "\x6e", 1), VSEG_DS);
    assert_int_equal(outs_segment(16, "\x26\x6e", 2), VSEG_ES);
    assert_int_equal(outs_segment(16, "\xf3\x2e\x6f", 3), VSEG_CS);
    assert_int_equal(outs_segment(32, "\x36\xf3\x6f", 3), VSEG_SS);
    assert_int_equal(outs_segment(32, "\x64\x66\x6f", 3), VSEG_FS);
    assert_int_equal(outs_segment(32, "\x65\x3e\x6f", 3), VSEG_DS); /* the last one counts */
    assert_int_equal(outs_segment(64, "\x65\x67\x6f", 3), VSEG_GS);
    assert_int_equal(outs_segment(64, "\x36\x6f", 2), VSEG_DS); /* ignored there */
    assert_int_equal(outs_segment(64, "\x64\x36\x6f", 3), VSEG_FS);
}

static void bytes_that_are_no_outs_are_tried_again_and_then_taken_for_a_plain_one(void **state)
{
    (void)state;
    enum vseg_name segment;
    init_guest(64);
    put_code("\x65\x6c", 2); /* INS */
    assert_int_equal(insn_outs_segment(cpu, &segment), EXIT_RETRY);
    assert_int_equal(fake.flushes, 1);
    assert_int_equal(insn_outs_segment(cpu, &segment), EXIT_ADVANCE);
    assert_int_equal(segment, VSEG_DS);
    map_page(0x10, 0, 0);
    assert_int_equal(insn_outs_segment(cpu, &segment), EXIT_INJECT);
    assert_fault(14, 0x10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mov_cr_names_its_registers),
        cmocka_unit_test(other_bytes_are_another_instruction),
        cmocka_unit_test(a_read_is_no_write_and_a_write_no_read),
        cmocka_unit_test(a_write_of_cr0_happens_and_moves_rip),
        cmocka_unit_test(the_mode_before_the_write_decodes_it),
        cmocka_unit_test(mov_dr_names_its_registers_and_direction),
        cmocka_unit_test(lmsw_finds_its_operand),
        cmocka_unit_test(lmsw_happens_and_moves_rip),
        cmocka_unit_test(lmsw_faults_as_any_load_does),
        cmocka_unit_test(outs_takes_the_segment_of_its_prefix),
        cmocka_unit_test(bytes_that_are_no_outs_are_tried_again_and_then_taken_for_a_plain_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
