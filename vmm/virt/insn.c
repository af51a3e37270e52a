/*
 * The instruction at RIP, from its bytes: AMD-V without next-RIP save tells no lengths, without
 * decode assists no operands.
 *
 * The CPU has executed the instruction up to its intercept, so the bytes normally are what the exit
 * says. They may be something else all the same: the CPU may have run them from a translation that
 * the guest's tables no longer hold (no INVLPG yet), or somebody has overwritten them. The first
 * time the guest's translations are dropped and the instruction starts again; should the same place
 * disagree once more, the CPU is taken at its word where that is enough to go on, else the guest
 * stops.
 *
 * Most exits come from few pages, without a prefix. For these a hint per vCPU says where RIP's page
 * lies, and the opcode there is compared. A hint is never wrong about bytes, but may be about the
 * place, when the guest has changed its mappings since (CS too, outside of 64-bit code): then a
 * guest that has the plain instruction at the old place and the same one with needless prefixes at
 * the new place finds itself within the latter. Nobody else is harmed.
 *
 * Reads of CR0 are never intercepted; so SMSW, which exits as one, isn't known here.
 */
#define LOG_MODULE "insn"
#include "virt/insn.h"

#include "emu/exec.h"
#include "lib/fmt.h"
#include "lib/mem.h"
#include "virt/handlers.h"
#include "virt/x86.h"

/* --- decoding --------------------------------------------------------------------------------- */

static inline uint64_t eight_bytes(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* A driver's instruction comes again and again. Its meaning follows from its bytes alone, which are
 * the caller's copy, so that a memory of the newest ones can't be wrong. */
enum decode_result insn_decode(struct vcpu *vcpu, const uint8_t *bytes, unsigned count,
                               unsigned code_bits, struct insn *insn)
{
    struct insn_memo *memo = &vcpu->insn_memo[vcpu->rip % ARRAY_SIZE(vcpu->insn_memo)];
    if (count < INSN_MAX_LENGTH)
        return decode_insn(bytes, count, code_bits, insn);
    uint64_t first = eight_bytes(bytes), last = eight_bytes(bytes + INSN_MAX_LENGTH - 8);
    if (memo->first == first && memo->last == last && memo->insn.code_bits == code_bits) {
        *insn = memo->insn;
        return DECODE_OK;
    }
    enum decode_result result = decode_insn(bytes, count, code_bits, insn);
    if (result == DECODE_OK)
        *memo = (struct insn_memo){first, last, *insn};
    return result;
}

/* --- fetching --------------------------------------------------------------------------------- */

static enum exit_action stop_not_ram(struct vcpu *vcpu, gva_t linear,
                                     const struct gwalk_result *walk)
{
    if (walk->status == GVA_NOT_RAM)
        vcpu_stop(vcpu, VM_STOP_BAD_ACCESS,
                  "the code at 0x%llx isn't in RAM: nor is its page table entry, 0x%llx",
                  (unsigned long long)linear, (unsigned long long)walk->gpa);
    else
        vcpu_stop(vcpu, VM_STOP_BAD_ACCESS, "the code at 0x%llx isn't in RAM",
                  (unsigned long long)linear);
    return EXIT_STOP;
}

/* Reads on to byte number `to`; all of it lies in one page. */
static enum exit_action fetch_piece(struct vcpu *vcpu, struct insn_text *text, gva_t first,
                                    unsigned to)
{
    unsigned from = text->count;
    gva_t linear = first + from;
    if (text->code_bits != 64)
        linear = (uint32_t)linear;
    if (!vcpu_is_canonical(vcpu, linear))
        return inject_exception_error(vcpu, X86_GP, 0);
    struct gwalk_result walk = gwalk(vcpu, linear, text->access | GWALK_FETCH);
    if (walk.status == GVA_FAULT)
        return inject_page_fault(vcpu, linear, walk.error);
    if (walk.status != GVA_OK ||
        !vcpu->hooks.mem_read(vcpu->hooks.ctx, walk.gpa, text->bytes + from, to - from))
        return stop_not_ram(vcpu, linear, &walk);
    if (from == 0)
        text->gpa = walk.gpa;
    text->count = to;
    return EXIT_ADVANCE;
}

/* The linear address of RIP and in *allowed how many bytes the code segment has from there. */
static gva_t linear_rip(struct vcpu *vcpu, unsigned code_bits, uint64_t *allowed)
{
    struct vseg cs;
    *allowed = INSN_MAX_LENGTH;
    if (code_bits == 64)
        return vcpu->rip;
    uint32_t offset = (uint32_t)vcpu->rip;
    vcpu->backend->seg_get(vcpu, VSEG_CS, &cs);
    *allowed = offset <= cs.limit ? (uint64_t)cs.limit - offset + 1 : 0;
    return (uint32_t)(cs.base + offset);
}

enum exit_action insn_fetch(struct vcpu *vcpu, struct insn_text *text)
{
    uint64_t allowed;
    gva_t linear = linear_rip(vcpu, text->code_bits, &allowed);
    unsigned most = (unsigned)min_u64(allowed, INSN_MAX_LENGTH);
    unsigned room = (unsigned)min_u64(PAGE_SIZE - (linear & (PAGE_SIZE - 1)), most);
    text->count = 0;
    text->result = DECODE_TOO_SHORT;
    for (unsigned to = room; text->result == DECODE_TOO_SHORT && text->count < most; to = most) {
        enum exit_action action = fetch_piece(vcpu, text, linear, to);
        if (action != EXIT_ADVANCE)
            return action;
        text->result = insn_decode(vcpu, text->bytes, to, text->code_bits, &text->insn);
    }
    if (text->result == DECODE_TOO_SHORT)
        return inject_exception_error(vcpu, X86_GP, 0); /* beyond the limit of CS */
    return EXIT_ADVANCE;
}

void insn_print_bytes(const struct insn_text *text, char out[INSN_TEXT_SIZE])
{
    out[0] = '\0';
    for (unsigned i = 0; i < text->count; i++)
        fmt_snprintf(out + 3 * i, 4, " %02x", text->bytes[i]);
}

static enum exit_action fetch(struct vcpu *vcpu, struct insn_text *text)
{
    text->code_bits = vcpu_code_bits(vcpu);
    text->access = vcpu_data_access(vcpu);
    return insn_fetch(vcpu, text);
}

/* --- what an exit may be ---------------------------------------------------------------------- */

/* An instruction without operands in its shortest form. */
static const struct plain_insn {
    uint32_t bytes; /* the first one is the lowest */
    uint32_t mask;
    uint8_t length; /* 0: the kind has operands, so the bytes must be looked at */
} plain_insns[VEXIT_KIND_COUNT] = {
    [VEXIT_CPUID] = {0xa20f, 0xffff, 2},         [VEXIT_HLT] = {0xf4, 0xff, 1},
    [VEXIT_RDMSR] = {0x320f, 0xffff, 2},         [VEXIT_WRMSR] = {0x300f, 0xffff, 2},
    [VEXIT_CLTS] = {0x060f, 0xffff, 2},          [VEXIT_XSETBV] = {0xd1010f, 0xffffff, 3},
    [VEXIT_INVD] = {0x080f, 0xffff, 2},          [VEXIT_WBINVD] = {0x090f, 0xffff, 2},
    [VEXIT_RDTSC] = {0x310f, 0xffff, 2},         [VEXIT_RDTSCP] = {0xf9010f, 0xffffff, 3},
    [VEXIT_HYPERCALL] = {0xd9010f, 0xffffff, 3}, /* VMMCALL */
    [VEXIT_PAUSE] = {0x90f3, 0xffff, 2},
};

/* Any prefixes may stand before it. */
static bool is_plain(const struct insn *insn, enum vexit_kind kind)
{
    const struct plain_insn *plain = &plain_insns[kind];
    if (insn->lock || plain->length == 0)
        return false;
    if (plain->length == 1)
        return insn->map == INSN_MAP_PRIMARY && insn->opcode == plain->bytes;
    if (insn->map != INSN_MAP_0F || insn->opcode != (plain->bytes >> 8 & 0xff))
        return false;
    return plain->length == 2 || insn->modrm == plain->bytes >> 16;
}

static bool is_pause(const struct insn *insn)
{
    return insn->map == INSN_MAP_PRIMARY && insn->opcode == 0x90 && insn->rep;
}

/* SDM "Opcode Extensions For One- And Two-byte Opcodes": group 7 is 0F 01. */
static bool is_group7(const struct insn *insn, unsigned number)
{
    return insn->map == INSN_MAP_0F && insn->opcode == 0x01 && !insn->lock &&
           (insn->modrm >> 3 & 7) == number;
}

/* VMCALL, too, where a CPU has both. */
static bool is_hypercall(const struct insn *insn)
{
    return is_plain(insn, VEXIT_HYPERCALL) || (is_group7(insn, 0) && insn->modrm == 0xc1);
}

static bool is_port_io(const struct insn *insn, const struct vexit_pio *pio)
{
    unsigned opcode = insn->opcode;
    if (insn->map != INSN_MAP_PRIMARY || insn->lock || pio->in == ((opcode & 2) != 0))
        return false;
    return pio->string ? (opcode & 0xfc) == 0x6c : (opcode & 0xf4) == 0xe4;
}

/* MOV to and from CR; with LOCK, CR0 stands for CR8: APM "MOV CRn". */
static bool take_mov_cr(struct vexit *exit, const struct insn *insn, uint8_t opcode)
{
    if (insn->map != INSN_MAP_0F || insn->opcode != opcode)
        return false;
    exit->cr.cr = (uint8_t)(insn_modrm_reg(insn) | (insn->lock ? 8 : 0));
    exit->cr.gpr = (uint8_t)insn_modrm_rm(insn);
    return true;
}

/* Three instructions write CR0; AMD-V reports one exit for all. LMSW's operand comes later. */
static bool take_cr_write(struct vexit *exit, const struct insn *insn)
{
    if (take_mov_cr(exit, insn, 0x22))
        exit->kind = VEXIT_CR_WRITE;
    else if (is_plain(insn, VEXIT_CLTS))
        exit->kind = VEXIT_CLTS;
    else if (is_group7(insn, 6))
        exit->kind = VEXIT_LMSW;
    else
        return false;
    return true;
}

static bool take_mov_dr(struct vexit *exit, const struct insn *insn)
{
    if (insn->map != INSN_MAP_0F || (insn->opcode & 0xfd) != 0x21 || insn->lock)
        return false;
    exit->dr.write = insn->opcode & 2;
    exit->dr.dr = (uint8_t)insn_modrm_reg(insn);
    exit->dr.gpr = (uint8_t)insn_modrm_rm(insn);
    return exit->dr.dr < 8;
}

/* QEMU's TCG reports RDTSCP as RDTSC. */
static bool take_rdtsc(struct vexit *exit, const struct insn *insn)
{
    exit->kind = is_plain(insn, VEXIT_RDTSCP) ? VEXIT_RDTSCP : VEXIT_RDTSC;
    return is_plain(insn, exit->kind);
}

/* True when the instruction is what the exit says; operands are filled then. */
static bool take_insn(struct vexit *exit, const struct insn *insn)
{
    switch (exit->kind) {
    case VEXIT_CR_WRITE:
    case VEXIT_CLTS:
    case VEXIT_LMSW:
        return take_cr_write(exit, insn);
    case VEXIT_CR_READ:
        return take_mov_cr(exit, insn, 0x20);
    case VEXIT_DR_ACCESS:
        return take_mov_dr(exit, insn);
    case VEXIT_RDTSC:
    case VEXIT_RDTSCP:
        return take_rdtsc(exit, insn);
    case VEXIT_PIO:
        return is_port_io(insn, &exit->pio);
    case VEXIT_INVLPG:
        return is_group7(insn, 7) && insn_has_memory(insn);
    case VEXIT_HYPERCALL:
        return is_hypercall(insn);
    case VEXIT_PAUSE:
        return is_pause(insn);
    default:
        return is_plain(insn, exit->kind);
    }
}

/* --- LMSW's operand --------------------------------------------------------------------------- */

static enum exit_action read_msw(struct vcpu *vcpu, struct vexit *exit,
                                 const struct insn_text *text)
{
    const struct insn *insn = &text->insn;
    const struct exec_cpu cpu = {vcpu->gpr, &vcpu->rflags, vcpu->rip, NULL};
    if (!insn_has_memory(insn)) {
        exit->lmsw.msw = (uint16_t)vcpu->gpr[insn_modrm_rm(insn)];
        return EXIT_ADVANCE;
    }
    struct exec_address at = exec_effective_address(insn, &cpu);
    struct segment_access access = {(enum vseg_name)at.segment, at.offset, 2, false};
    gva_t linear;
    uint16_t msw;
    enum exit_action action = segment_linear(vcpu, text->code_bits, &access, &linear);
    if (action != EXIT_ADVANCE)
        return action;
    switch (gva_read(vcpu, linear, &msw, sizeof(msw), text->access)) {
    case GVA_OK:
        exit->lmsw.msw = msw;
        return EXIT_ADVANCE;
    case GVA_FAULT:
        return EXIT_INJECT;
    default:
        vcpu_stop(vcpu, VM_STOP_BAD_ACCESS, "LMSW's operand at 0x%llx isn't in RAM",
                  (unsigned long long)linear);
        return EXIT_STOP;
    }
}

/* --- the hint --------------------------------------------------------------------------------- */

/* Never 0, which an unused hint has. */
static inline gva_t hint_tag(uint64_t rip)
{
    return align_down(rip, PAGE_SIZE) | 1;
}

static inline struct insn_hint *hint_of(struct vcpu *vcpu)
{
    return &vcpu->insn_hint[vcpu->rip / PAGE_SIZE % ARRAY_SIZE(vcpu->insn_hint)];
}

static inline bool hint_answers(struct vcpu *vcpu, struct vexit *exit)
{
    const struct plain_insn *plain = &plain_insns[exit->kind];
    const struct insn_hint *hint = hint_of(vcpu);
    unsigned offset = vcpu->rip & (PAGE_SIZE - 1);
    uint32_t bytes;
    if (hint->tag != hint_tag(vcpu->rip) || offset > PAGE_SIZE - sizeof(bytes))
        return false;
    memcpy(&bytes, hint->page + offset, sizeof(bytes));
    exit->insn_len = plain->length;
    return plain->length != 0 && (bytes & plain->mask) == plain->bytes;
}

/* With a base of CS that isn't a multiple of 4 KiB, RIP and its bytes lie differently in their
 * pages. */
static void remember_page(struct vcpu *vcpu, gpa_t gpa)
{
    const struct vcpu_hooks *hooks = &vcpu->hooks;
    if ((gpa ^ vcpu->rip) & (PAGE_SIZE - 1))
        return;
    const uint8_t *page = hooks->mem_page(hooks->ctx, align_down(gpa, PAGE_SIZE));
    if (page)
        *hint_of(vcpu) = (struct insn_hint){hint_tag(vcpu->rip), page};
}

/* --- answers ---------------------------------------------------------------------------------- */

/* True the first time that RIP's bytes aren't what the exit says: the guest is to try again, with
 * fresh translations. Never twice in a row at one place. */
static bool try_again(struct vcpu *vcpu)
{
    gva_t place = vcpu->rip + 1; /* 0: none */
    bool again = vcpu->insn_mismatch != place;
    vcpu->insn_mismatch = again ? place : 0;
    if (again)
        vcpu->backend->flush(vcpu);
    return again;
}

static enum exit_action stop_mismatch(struct vcpu *vcpu, const struct vexit *exit,
                                      const struct insn_text *text)
{
    char bytes[INSN_TEXT_SIZE];
    insn_print_bytes(text, bytes);
    vcpu_stop(vcpu, VM_STOP_UNKNOWN_EXIT,
              "the CPU reports %s, but the %u-bit code at 0x%llx is something else: bytes%s",
              vexit_kind_name(exit->kind), text->code_bits, (unsigned long long)vcpu->rip, bytes);
    return EXIT_STOP;
}

static __attribute__((noinline)) enum exit_action complete_from_bytes(struct vcpu *vcpu,
                                                                      struct vexit *exit)
{
    struct insn_text text;
    enum vexit_kind told = exit->kind;
    enum exit_action action = fetch(vcpu, &text);
    exit->insn_len = 0;
    if (action != EXIT_ADVANCE)
        return action;
    if (text.result == DECODE_OK && take_insn(exit, &text.insn)) {
        exit->insn_len = text.insn.length;
        remember_page(vcpu, text.gpa);
        return exit->kind == VEXIT_LMSW ? read_msw(vcpu, exit, &text) : EXIT_ADVANCE;
    }
    exit->kind = told;
    if (try_again(vcpu))
        return EXIT_RETRY;
    exit->insn_len = plain_insns[told].length;
    return exit->insn_len != 0 ? EXIT_ADVANCE : stop_mismatch(vcpu, exit, &text);
}

enum exit_action insn_complete(struct vcpu *vcpu, struct vexit *exit)
{
    return hint_answers(vcpu, exit) ? EXIT_ADVANCE : complete_from_bytes(vcpu, exit);
}

enum exit_action insn_outs_segment(struct vcpu *vcpu, enum vseg_name *segment)
{
    static const struct vexit_pio outs = {.string = true};
    struct insn_text text;
    enum exit_action action = fetch(vcpu, &text);
    *segment = VSEG_DS;
    if (action != EXIT_ADVANCE)
        return action;
    if (text.result == DECODE_OK && is_port_io(&text.insn, &outs))
        *segment = (enum vseg_name)text.insn.mem.segment;
    else if (try_again(vcpu))
        return EXIT_RETRY;
    return EXIT_ADVANCE;
}
