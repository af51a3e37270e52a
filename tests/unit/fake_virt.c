/*
 * Stand-ins for gwalk.c, insn.c, segment.c, mmio.c, task.c and the debugger's side of virt/, which
 * few tests of their neighbours need for real. They are weak: a test that links the real file gets
 * the real function.
 */
#include "fake_backend.h"

#include "virt/handlers.h"
#include "virt/insn.h"
#include "virt/x86.h"

__attribute__((weak)) struct gwalk_result gwalk(struct vcpu *vcpu, gva_t linear, unsigned access)
{
    struct fake *fake = fake_of(vcpu);
    uint32_t flags = ((access & GWALK_WRITE) ? 2u : 0) | ((access & GWALK_USER) ? 4u : 0);
    if (align_down(linear, PAGE_SIZE) == fake->missing_page)
        return (struct gwalk_result){.status = GVA_FAULT, .error = flags};
    if ((access & GWALK_WRITE) && align_down(linear, PAGE_SIZE) == fake->read_only_page)
        return (struct gwalk_result){.status = GVA_FAULT, .error = flags | 1};
    if (align_down(linear, PAGE_SIZE) == fake->lost_table_page)
        return (struct gwalk_result){.status = GVA_NOT_RAM, .gpa = 0x7ffff000};
    return (struct gwalk_result){.status = GVA_OK, .gpa = linear};
}

__attribute__((weak)) void gwalk_look(struct vcpu *vcpu, gva_t linear, struct vdebug_walk *out)
{
    struct gwalk_result result = gwalk(vcpu, linear, GWALK_LOOK);
    *out = (struct vdebug_walk){.mapped = result.status == GVA_OK, .gpa = result.gpa};
}

__attribute__((weak)) unsigned vcpu_data_access(struct vcpu *vcpu)
{
    return vcpu_cpl(vcpu) == 3 ? GWALK_USER : 0;
}

__attribute__((weak)) bool vcpu_is_canonical(struct vcpu *vcpu, gva_t linear)
{
    return vcpu_code_bits(vcpu) != 64 || x86_canonical(linear);
}

__attribute__((weak)) unsigned vcpu_cpl(struct vcpu *vcpu)
{
    return (fake_of(vcpu)->seg[VSEG_SS].access >> 5) & 3;
}

__attribute__((weak)) unsigned vcpu_code_bits(struct vcpu *vcpu)
{
    struct fake *fake = fake_of(vcpu);
    if ((fake->reg[VREG_EFER] & X86_EFER_LMA) && (fake->seg[VSEG_CS].access & VSEG_ACCESS_L))
        return 64;
    return (fake->seg[VSEG_CS].access & VSEG_ACCESS_DB) ? 32 : 16;
}

__attribute__((weak)) enum exit_action ahead_of(struct vcpu *vcpu, struct vexit *exit)
{
    (void)vcpu, (void)exit;
    return EXIT_ADVANCE;
}

__attribute__((weak)) enum exit_action mmio_emulate(struct vcpu *vcpu, struct vexit *exit)
{
    exit->insn_len = 3;
    fake_of(vcpu)->mmio_calls++;
    return fake_of(vcpu)->mmio_action;
}

/* A CPU's exits have their lengths; others are plain. */
__attribute__((weak)) enum exit_action insn_complete(struct vcpu *vcpu, struct vexit *exit)
{
    (void)vcpu;
    exit->insn_len = exit->kind == VEXIT_HLT ? 1 : 2;
    return EXIT_ADVANCE;
}

__attribute__((weak)) enum exit_action insn_outs_segment(struct vcpu *vcpu, enum vseg_name *segment)
{
    (void)vcpu;
    *segment = VSEG_DS;
    return EXIT_ADVANCE;
}

__attribute__((weak)) enum exit_action segment_linear(struct vcpu *vcpu, unsigned code_bits,
                                                      const struct segment_access *access,
                                                      gva_t *linear)
{
    (void)code_bits;
    *linear = fake_of(vcpu)->seg[access->segment].base + access->offset;
    return EXIT_ADVANCE;
}

__attribute__((weak)) enum exit_action task_switch_exit(struct vcpu *vcpu, struct vexit *exit)
{
    fake_of(vcpu)->task_switch_selector = exit->task_switch.selector;
    return EXIT_RETRY;
}

/* --- the local APIC --------------------------------------------------------------------------- */

void fake_apic(struct vcpu *vcpu, const struct vapic *vapic)
{
    struct fake *fake = fake_of(vcpu);
    fake->apic_calls++;
    fake->apic_shown = *vapic;
}

/* The local APIC of a machine that doesn't need one. */
static bool fake_apic_has(const struct fake *fake, uint32_t msr)
{
    return msr < 0x800 || (fake->apic_msr[0x1b] & 0xc00) == 0xc00;
}

bool fake_apic_read(void *ctx, uint32_t msr, uint64_t *value)
{
    const struct fake *fake = ctx;
    *value = fake->apic_msr[msr];
    return fake_apic_has(fake, msr);
}

bool fake_apic_write(void *ctx, uint32_t msr, uint64_t value)
{
    struct fake *fake = ctx;
    if (!fake_apic_has(fake, msr))
        return false;
    fake->apic_msr[msr] = value;
    return true;
}

uint8_t fake_cr8_read(void *ctx)
{
    return ((struct fake *)ctx)->cr8;
}

void fake_cr8_write(void *ctx, uint8_t value)
{
    ((struct fake *)ctx)->cr8 = value;
}

void fake_apic_state(void *ctx, struct vapic *out)
{
    *out = ((struct fake *)ctx)->apic_is;
}

bool fake_apic_due(void *ctx)
{
    struct fake *fake = ctx;
    fake->apic_due_calls++;
    return fake->apic_due;
}

vtime_t fake_apic_post(void *ctx)
{
    struct fake *fake = ctx;
    return fake->posted = fake->to_post;
}

void fake_apic_take_back(void *ctx)
{
    struct fake *fake = ctx;
    fake->posted = VTIME_NEVER;
    fake->vcpu.devices_touched = true; /* its deadline is another */
    fake->taken_back++;
}

bool fake_post(struct vcpu *vcpu, uint64_t tsc)
{
    struct fake *fake = fake_of(vcpu);
    fake->posts++;
    fake->notify_tsc = tsc;
    return !fake->refuse_post;
}

void fake_apic_event(void *ctx, enum vexit_kind kind, uint32_t detail)
{
    struct fake *fake = ctx;
    fake->apic_event = kind;
    fake->apic_event_detail = detail;
}

/* --- no debugger ------------------------------------------------------------------------------ */

__attribute__((weak)) void debug_reset(struct vcpu *vcpu)
{
    (void)vcpu;
}

__attribute__((weak)) void debug_attend(struct vcpu *vcpu)
{
    vcpu->debugging = false;
}

__attribute__((weak)) void debug_guest_ended(struct vcpu *vcpu)
{
    (void)vcpu;
}

__attribute__((weak)) bool debug_holds_events(const struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

__attribute__((weak)) void debug_step_round(struct vcpu *vcpu)
{
    (void)vcpu;
}

__attribute__((weak)) enum exit_action debug_step_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)vcpu;
    (void)exit;
    return EXIT_RETRY;
}

__attribute__((weak)) enum exit_action debug_int_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)vcpu;
    (void)exit;
    return EXIT_RETRY;
}

__attribute__((weak)) bool debug_exception(struct vcpu *vcpu, struct vexit *exit)
{
    (void)vcpu;
    (void)exit;
    return false;
}

__attribute__((weak)) uint64_t vdebug_dr(struct vcpu *vcpu, enum vreg reg)
{
    return vcpu->backend->reg_get(vcpu, reg);
}

__attribute__((weak)) void vdebug_set_dr(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    vcpu->backend->reg_set(vcpu, reg, value);
}
