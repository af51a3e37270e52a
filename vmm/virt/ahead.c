/*
 * Goes on behind an access to a device. A driver's next access often follows at once: behind a
 * register that selects another one (I/O APIC, PCI configuration), or in a loop that polls. It
 * would exit again; so it is carried out here, with the few instructions that stand between, as the
 * CPU would.
 *
 * Only where nobody could tell: 64-bit code at CPL 0, nothing single-stepped or watched, no event
 * waiting. It ends before whatever it doesn't know, and before memory that is neither RAM to be
 * read nor the device's page.
 *
 * What it costs beyond an exit is lost where no access follows: such places are remembered.
 *
 * Such accesses are no exits: the accounts and the trace don't show them, the bus counts them.
 */
#include "emu/plain.h"
#include "lib/mem.h"
#include "virt/handlers.h"
#include "virt/insn.h"
#include "virt/x86.h"

/* Instructions from one access to the next, and accesses, at most. */
#define AHEAD_INSNS    10
#define AHEAD_ACCESSES 32

/* So many times no look is taken where the last one was in vain. */
#define VAIN_VISITS 15

/* 2^64 by the golden ratio: neighbours get places far apart. */
#define SCATTER 0x9e3779b97f4a7c15ull

/* What is looked at for an instruction, in one go. */
#define CODE_BYTES 16

#define DR7_ENABLES 0xffu

struct ahead {
    struct vcpu *vcpu;
    const struct vexit_npf *npf; /* the device's page; NULL behind a port */
    const uint8_t *code;         /* RIP's page */
    bool accessed;               /* a device, by the newest instruction */
    bool writable;               /* the device's page is known to be */
};

/* --- memory ----------------------------------------------------------------------------------- */

/* In 64-bit code the other segments begin at 0. */
static bool is_within_page(const struct ahead *ahead, struct exec_address at, unsigned size)
{
    return at.segment != INSN_FS && at.segment != INSN_GS &&
           vcpu_is_canonical(ahead->vcpu, at.offset) &&
           (at.offset & (PAGE_SIZE - 1)) + size <= PAGE_SIZE;
}

static bool is_device(const struct ahead *ahead, gva_t linear)
{
    const struct vexit_npf *npf = ahead->npf;
    return npf && npf->gva_valid && align_down(linear ^ npf->gva, PAGE_SIZE) == 0;
}

static gpa_t device_gpa(const struct ahead *ahead, gva_t linear)
{
    return align_down(ahead->npf->gpa, PAGE_SIZE) | (linear & (PAGE_SIZE - 1));
}

static bool ram_read(struct vcpu *vcpu, gva_t linear, unsigned size, uint64_t *value)
{
    struct gwalk_result walk = gwalk(vcpu, linear, 0);
    uint8_t bytes[8] = {0};
    if (walk.status != GVA_OK || !vcpu->hooks.mem_read(vcpu->hooks.ctx, walk.gpa, bytes, size))
        return false;
    *value = load_le64(bytes);
    return true;
}

static bool memory_read(void *ctx, struct exec_address at, unsigned size, uint64_t *value)
{
    struct ahead *ahead = ctx;
    const struct vcpu_hooks *hooks = &ahead->vcpu->hooks;
    if (!is_within_page(ahead, at, size))
        return false;
    if (!is_device(ahead, at.offset))
        return ram_read(ahead->vcpu, at.offset, size, value);
    ahead->accessed = true;
    if (!hooks->mmio_read(hooks->ctx, device_gpa(ahead, at.offset), size, value))
        *value = UINT64_MAX;
    return true;
}

/* Where the exit was by a read, the page may not be writable. */
static bool is_writable(struct ahead *ahead, gva_t linear)
{
    if (!ahead->writable) {
        struct gwalk_result walk = gwalk(ahead->vcpu, linear, GWALK_WRITE);
        ahead->writable = walk.status == GVA_OK && walk.gpa == device_gpa(ahead, linear);
    }
    return ahead->writable;
}

static bool memory_check_write(void *ctx, struct exec_address at, unsigned size)
{
    struct ahead *ahead = ctx;
    return is_within_page(ahead, at, size) && is_device(ahead, at.offset) &&
           is_writable(ahead, at.offset);
}

static bool memory_write(void *ctx, struct exec_address at, unsigned size, uint64_t value)
{
    struct ahead *ahead = ctx;
    const struct vcpu_hooks *hooks = &ahead->vcpu->hooks;
    if (!memory_check_write(ctx, at, size))
        return false;
    ahead->accessed = true;
    hooks->mmio_write(hooks->ctx, device_gpa(ahead, at.offset), size, value);
    return true;
}

/* --- one instruction -------------------------------------------------------------------------- */

static bool run_port(struct ahead *ahead, const struct insn *insn)
{
    const struct vcpu_hooks *hooks = &ahead->vcpu->hooks;
    uint64_t *gpr = ahead->vcpu->gpr;
    if (insn->map != INSN_MAP_PRIMARY || (insn->opcode & 0xf4) != 0xe4 || insn->lock)
        return false;
    uint16_t port = insn->opcode & 8 ? (uint16_t)gpr[VGPR_RDX] : (uint8_t)insn->imm;
    unsigned size = insn->opcode & 1 ? (unsigned)min_u64(insn->operand_size, 4) : 1;
    uint64_t mask = size == 4 ? UINT64_MAX : size_mask(size);
    ahead->accessed = true;
    if (insn->opcode & 2)
        hooks->pio_write(hooks->ctx, port, size, (uint32_t)(gpr[VGPR_RAX] & size_mask(size)));
    else
        gpr[VGPR_RAX] = (gpr[VGPR_RAX] & ~mask) | (hooks->pio_read(hooks->ctx, port, size) & mask);
    return true;
}

/* A load, a store, or arithmetic; not what reads and writes at once, and not into RSP. */
static bool is_simple_access(const struct insn *insn)
{
    bool load = insn->form == INSN_FORM_REG_MEM;
    if (insn->lock || !insn_has_memory(insn))
        return false;
    if (load && insn->reg == VGPR_RSP && !insn->reg_high)
        return false;
    if (insn->op == INSN_MOV || insn->op == INSN_CMP || insn->op == INSN_TEST)
        return true;
    return load && (insn->op < INSN_CMP || insn->op == INSN_MOVZX || insn->op == INSN_MOVSX);
}

/* What changes RSP isn't done: behind a port it isn't ours. */
static bool run_plain(struct vcpu *vcpu, const struct insn *insn, const struct exec_cpu *cpu,
                      uint64_t *next)
{
    uint64_t rsp = vcpu->gpr[VGPR_RSP], rflags = vcpu->rflags;
    if (!exec_plain(insn, cpu, next))
        return false;
    if (vcpu->gpr[VGPR_RSP] == rsp)
        return true;
    vcpu->gpr[VGPR_RSP] = rsp;
    vcpu->rflags = rflags;
    return false;
}

/* False: nothing was done. All of it, and where it leads to, lies in RIP's page. */
static bool step(struct ahead *ahead)
{
    struct vcpu *vcpu = ahead->vcpu;
    const struct exec_memory memory = {ahead, memory_read, memory_write, memory_check_write};
    const struct exec_cpu cpu = {vcpu->gpr, &vcpu->rflags, vcpu->rip, &memory};
    unsigned offset = vcpu->rip & (PAGE_SIZE - 1);
    uint8_t bytes[CODE_BYTES];
    struct insn insn;
    if (offset >= PAGE_SIZE - sizeof(bytes))
        return false;
    memcpy(bytes, ahead->code + offset, sizeof(bytes)); /* once: the guest owns them */
    if (insn_decode(vcpu, bytes, sizeof(bytes), 64, &insn) != DECODE_OK)
        return false;
    uint64_t next = vcpu->rip + insn.length;
    bool done;
    if (is_simple_access(&insn))
        done = exec_insn(&insn, &cpu, 1) == EXEC_DONE;
    else
        done = run_port(ahead, &insn) || run_plain(vcpu, &insn, &cpu, &next);
    if (!done || align_down(next ^ vcpu->rip, PAGE_SIZE) != 0) /* a jump has changed nothing else */
        return false;
    vcpu->rip = next;
    return true;
}

/* --- how far ---------------------------------------------------------------------------------- */

static bool may_go_on(struct vcpu *vcpu)
{
    return !(vcpu->rflags & X86_RFLAGS_TF) && !vcpu->debug.engaged && vcpu_cpl(vcpu) == 0 &&
           vcpu_code_bits(vcpu) == 64 && !(vcpu->backend->reg_get(vcpu, VREG_DR7) & DR7_ENABLES);
}

/* A device behind a port may have asked for the guest's end; one in memory can't. */
static bool is_wanted(const struct ahead *ahead)
{
    const struct vcpu *vcpu = ahead->vcpu;
    bool irq = (vcpu->irq_high || vcpu->irq_held) && (vcpu->rflags & X86_RFLAGS_IF);
    return irq || vcpu->nmi_pending || vcpu->stopped || vcpu->debugging ||
           (vcpu->devices_touched && !ahead->npf);
}

/* Where no access was found the next looks are left out, but not for good: a loop that polls ends
 * in vain, and goes round when it comes again. */
static struct ahead_vain *vain_of(struct vcpu *vcpu, uint64_t rip)
{
    return &vcpu->ahead_vain[(rip * SCATTER >> 32) % ARRAY_SIZE(vcpu->ahead_vain)];
}

static bool is_vain(struct vcpu *vcpu, uint64_t rip)
{
    struct ahead_vain *vain = vain_of(vcpu, rip);
    if (vain->rip != rip || vain->visits == 0)
        return false;
    vain->visits--;
    return true;
}

/* RIP's page as the VMM sees it; NULL: not RAM. */
static const uint8_t *code_page(struct vcpu *vcpu, const struct vexit *exit)
{
    gpa_t gpa = exit->kind == VEXIT_NPF ? exit->npf.code : 0;
    if (gpa == 0 || align_down(vcpu->rip ^ exit->rip, PAGE_SIZE) != 0) {
        struct gwalk_result walk = gwalk(vcpu, vcpu->rip, GWALK_FETCH);
        if (walk.status != GVA_OK)
            return NULL;
        gpa = walk.gpa;
    }
    return vcpu->hooks.mem_page(vcpu->hooks.ctx, align_down(gpa, PAGE_SIZE));
}

/* Goes on up to the next access, which is carried out, too. False: that wasn't to be, or isn't
 * worth a try. */
static bool find_access(struct ahead *ahead)
{
    struct vcpu *vcpu = ahead->vcpu;
    uint64_t from = vcpu->rip;
    ahead->accessed = false;
    if (is_vain(vcpu, from))
        return false;
    for (unsigned insns = 0; insns < AHEAD_INSNS && !ahead->accessed; insns++) {
        if (is_wanted(ahead))
            return false;
        if (!step(ahead))
            break;
    }
    if (!ahead->accessed)
        *vain_of(vcpu, from) = (struct ahead_vain){from, VAIN_VISITS};
    return ahead->accessed;
}

enum exit_action ahead_of(struct vcpu *vcpu, struct vexit *exit)
{
    struct ahead ahead = {.vcpu = vcpu, .npf = exit->kind == VEXIT_NPF ? &exit->npf : NULL};
    if (is_vain(vcpu, vcpu->rip + exit->insn_len) || !may_go_on(vcpu))
        return EXIT_ADVANCE;
    exit_finish_insn(vcpu, exit->insn_len);
    ahead.writable = ahead.npf && ahead.npf->write;
    ahead.code = code_page(vcpu, exit);
    if (!ahead.code)
        return EXIT_RETRY;
    /* Behind a port the backend may not have read RSP, and then takes a new one for a change. */
    uint64_t rsp = vcpu->gpr[VGPR_RSP];
    if (!ahead.npf)
        vcpu->gpr[VGPR_RSP] = vcpu->backend->reg_get(vcpu, VREG_RSP);
    for (unsigned accesses = 0; accesses < AHEAD_ACCESSES && find_access(&ahead); accesses++)
        ;
    vcpu->gpr[VGPR_RSP] = rsp; /* no instruction here changes it */
    return EXIT_RETRY;
}
