/*
 * Hardware task switches, which no CPU performs for a guest: SDM "Task Switching". The old task's
 * state goes into its TSS, the new one's comes from the other. Up to there a fault belongs to the
 * old task, and all that will be written has proved writable; later faults belong to the new one.
 *
 * Left out: the privilege checks, since the CPU makes them before it reports a task switch (SDM
 * "Treatment of Task Switches"); the check of EIP against the limit of CS, since the first fetch
 * makes it. A 16-bit TSS leaves the upper halves of the registers 0, where the manual says nothing.
 */
#define LOG_MODULE "task"
#include "virt/task.h"

#include "lib/mem.h"
#include "virt/x86.h"

#define SELECTOR_RPL 3u
#define SELECTOR_TI  4u

/* SDM "TSS Descriptor", as bits of struct vseg.access. */
#define ACCESS_P     BIT(7)
#define ACCESS_S     BIT(4)
#define TYPE_IS_32   BIT(3)
#define TYPE_BUSY    BIT(1)
#define TYPE_MASK    0x7u /* what 16-bit and 32-bit TSSs have in common */
#define TYPE_TSS     1u
#define ACCESS_BIT_5 5u /* the descriptor's byte that holds the type */

#define RFLAGS_NT      BIT64(14)
#define RFLAGS_VM      BIT64(17)
#define RFLAGS_DEFINED 0x3f7fd5u
#define RFLAGS_ONE     BIT64(1) /* reads as 1 always */

#define DR6_BT    BIT64(15)
#define DR7_LOCAL 0x155ull /* L0 to L3 and LE */

#define SEG_ACCESS_EXPAND_DOWN BIT(2)

/* SDM "Task-State Segment (TSS)" and "16-Bit Task-State Segment (TSS)": offsets. Registers and
 * selectors lie in the order of enum vgpr and enum vseg_name, one field of `width` bytes each. */
struct tss_layout {
    uint8_t width;
    uint8_t ip, flags, gpr, segs, ldt;
    uint8_t seg_count; /* 16-bit: no FS and GS */
    uint8_t size;
};

#define TSS_LINK  0x00u
#define TSS_CR3   0x1cu /* 32-bit only, as are the trap bit and what follows */
#define TSS_TRAP  0x64u
#define TSS_SIZE  0x68u
#define GPR_COUNT 8u

static const struct tss_layout tss16 = {2, 0x0e, 0x10, 0x12, 0x22, 0x2a, 4, 0x2c};
static const struct tss_layout tss32 = {4, 0x20, 0x24, 0x28, 0x48, 0x60, 6, TSS_SIZE};

static const struct tss_layout *layout_of(const struct vseg *tr)
{
    return tr->access & TYPE_IS_32 ? &tss32 : &tss16;
}

static uint32_t field(const struct tss_layout *layout, const uint8_t *tss, unsigned offset)
{
    uint32_t value = 0;
    memcpy(&value, tss + offset, layout->width);
    return value;
}

static bool is_nested(const struct task_switch *task)
{
    return task->source == VTASK_CALL || task->source == VTASK_GATE;
}

/* --- checks in the old task ------------------------------------------------------------------- */

/* The CPU has made these checks under VT-x already; the guest may have changed nothing since, but
 * other hardware reports earlier. */
static bool check_new_tss(struct task_switch *task, struct task_descriptor *descriptor,
                          struct vseg *tr)
{
    bool iret = task->source == VTASK_IRET;
    uint8_t refusal = iret ? X86_TS : X86_GP;
    if ((task->selector & ~SELECTOR_RPL) == 0 || (task->selector & SELECTOR_TI))
        return task_fault(task, refusal, task->selector);
    if (!task_read_descriptor(task, task->selector, refusal, descriptor))
        return false;
    *tr = task_segment(task->selector, descriptor);
    unsigned type = TYPE_TSS | (iret ? TYPE_BUSY : 0);
    if ((tr->access & (ACCESS_S | TYPE_MASK)) != type)
        return task_fault(task, refusal, task->selector);
    if (!(tr->access & ACCESS_P))
        return task_fault(task, X86_NP, task->selector);
    if (tr->limit < layout_of(tr)->size - 1u)
        return task_fault(task, X86_TS, task->selector);
    return true;
}

/* Writes what is there already: the guest's tables then allow the real write too. */
static bool prove_writable(struct task_switch *task, gva_t linear, unsigned len)
{
    uint8_t bytes[TSS_SIZE];
    return task_read(task, (uint32_t)linear, bytes, len, 0) &&
           task_write(task, (uint32_t)linear, bytes, len, 0);
}

/* --- busy bits -------------------------------------------------------------------------------- */

static gva_t old_type_byte(struct task_switch *task, const struct vseg *old)
{
    uint64_t gdt = task->vcpu->backend->reg_get(task->vcpu, VREG_GDTR_BASE);
    return (uint32_t)(gdt + (old->selector & ~7u) + ACCESS_BIT_5);
}

/* After a reset TR holds a TSS that no descriptor stands for. */
static bool old_becomes_available(const struct task_switch *task, const struct vseg *old)
{
    return !is_nested(task) && (old->selector & ~SELECTOR_RPL) != 0;
}

static bool change_busy(struct task_switch *task, gva_t linear, bool busy)
{
    uint8_t byte;
    if (!task_read(task, linear, &byte, 1, 0))
        return false;
    byte = busy ? byte | TYPE_BUSY : (uint8_t)(byte & ~TYPE_BUSY);
    return task_write(task, linear, &byte, 1, 0);
}

/* --- the old task ----------------------------------------------------------------------------- */

/* Where the old task goes on: behind the instruction that asked for the switch, or where the event
 * came that met a task gate. */
static uint32_t outgoing_ip(const struct task_switch *task, const struct vexit *exit)
{
    uint64_t ip = task->vcpu->rip;
    if (task->source != VTASK_GATE)
        ip += exit->insn_len;
    else if (exit->interrupted.type >= VEVENT_SW_INT)
        ip += exit->interrupted.insn_len;
    return vcpu_code_bits(task->vcpu) == 16 ? (uint16_t)ip : (uint32_t)ip;
}

static bool save_old(struct task_switch *task, const struct vseg *old, uint32_t ip)
{
    const struct tss_layout *layout = layout_of(old);
    struct vcpu *vcpu = task->vcpu;
    uint8_t tss[TSS_SIZE];
    gva_t from = (uint32_t)(old->base + layout->ip);
    unsigned len = layout->segs + layout->seg_count * layout->width - layout->ip;
    if (!task_read(task, from, tss + layout->ip, len, 0))
        return false;
    uint32_t flags = (uint32_t)vcpu->rflags;
    if (task->source == VTASK_IRET)
        flags &= ~(uint32_t)RFLAGS_NT;
    memcpy(tss + layout->ip, &ip, layout->width);
    memcpy(tss + layout->flags, &flags, layout->width);
    for (unsigned i = 0; i < GPR_COUNT; i++)
        memcpy(tss + layout->gpr + i * layout->width, &vcpu->gpr[i], layout->width);
    for (unsigned i = 0; i < layout->seg_count; i++) {
        struct vseg seg;
        vcpu->backend->seg_get(vcpu, (enum vseg_name)i, &seg);
        memcpy(tss + layout->segs + i * layout->width, &seg.selector, sizeof(seg.selector));
    }
    return task_write(task, from, tss + layout->ip, len, 0);
}

/* Everything that is written before the new task begins; old and new may be the same TSS. */
static bool leave_old(struct task_switch *task, const struct vexit *exit, const struct vseg *old,
                      const struct vseg *new, const struct task_descriptor *descriptor)
{
    const struct tss_layout *layout = layout_of(old);
    gva_t new_type_byte = (uint32_t)(descriptor->linear + ACCESS_BIT_5);
    uint8_t whole[TSS_SIZE];
    if (!(old->access & ACCESS_P) || old->limit < layout->size - 1u)
        return task_fault(task, X86_TS, old->selector);
    if (!task_read(task, new->base, whole, layout_of(new)->size, 0) ||
        !prove_writable(task, old->base + layout->ip, layout->size - layout->ip))
        return false;
    if (is_nested(task) && !prove_writable(task, new->base + TSS_LINK, 2))
        return false;
    if (task->source != VTASK_IRET && !prove_writable(task, new_type_byte, 1))
        return false;
    if (old_becomes_available(task, old) && !change_busy(task, old_type_byte(task, old), false))
        return false;
    if (!save_old(task, old, outgoing_ip(task, exit)))
        return false;
    if (is_nested(task) &&
        !task_write(task, new->base + TSS_LINK, &old->selector, sizeof(old->selector), 0))
        return false;
    return task->source == VTASK_IRET || change_busy(task, new_type_byte, true);
}

/* --- the new task ----------------------------------------------------------------------------- */

static void load_registers(struct task_switch *task, const struct tss_layout *layout,
                           const uint8_t *tss)
{
    struct vcpu *vcpu = task->vcpu;
    vcpu->rip = field(layout, tss, layout->ip);
    vcpu->rflags = (field(layout, tss, layout->flags) & RFLAGS_DEFINED) | RFLAGS_ONE;
    if (is_nested(task))
        vcpu->rflags |= RFLAGS_NT;
    for (unsigned i = 0; i < GPR_COUNT; i++)
        vcpu->gpr[i] = field(layout, tss, layout->gpr + i * layout->width);

    const struct backend *backend = vcpu->backend;
    uint64_t cr0 = backend->reg_get(vcpu, VREG_CR0);
    if (!(cr0 & X86_CR0_TS))
        backend->reg_set(vcpu, VREG_CR0, cr0 | X86_CR0_TS);
    vdebug_set_dr(vcpu, VREG_DR7, vdebug_dr(vcpu, VREG_DR7) & ~DR7_LOCAL);
    vcpu->int_shadow = 0;
}

static bool load_cr3(struct task_switch *task, const uint8_t *tss)
{
    struct vcpu *vcpu = task->vcpu;
    uint64_t cr3 = field(&tss32, tss, TSS_CR3);
    if (!(vcpu->backend->reg_get(vcpu, VREG_CR0) & X86_CR0_PG))
        return true;
    if ((vcpu->backend->reg_get(vcpu, VREG_CR4) & X86_CR4_PAE) && !cr_pdptes_valid(vcpu, cr3)) {
        task->action = inject_exception_error(vcpu, X86_GP, task->ext);
        return false;
    }
    vcpu->backend->reg_set(vcpu, VREG_CR3, cr3);
    return true;
}

/* What becomes of the event that came through the gate, and of NMI blocking. An exception stays
 * queued for now: a fault of the new task's segments still joins with it. */
static void settle_event(struct task_switch *task, const struct vevent *event)
{
    struct vcpu *vcpu = task->vcpu;
    if (task->source == VTASK_IRET)
        vcpu->backend->reg_set(vcpu, VREG_NMI_BLOCKED, 0);
    if (task->source != VTASK_GATE || event->type == VEVENT_EXCEPTION)
        return;
    if (event->type == VEVENT_NMI)
        vcpu->backend->reg_set(vcpu, VREG_NMI_BLOCKED, 1);
    vcpu->inject.type = VEVENT_NONE;
}

/* The error code goes onto the new task's stack, as wide as its TSS. */
static bool push_error(struct task_switch *task, unsigned width, uint32_t error)
{
    struct vcpu *vcpu = task->vcpu;
    struct vseg ss;
    vcpu->backend->seg_get(vcpu, VSEG_SS, &ss);
    uint32_t mask = ss.access & VSEG_ACCESS_DB ? UINT32_MAX : 0xffff;
    uint32_t first = ((uint32_t)vcpu->gpr[VGPR_RSP] - width) & mask;
    uint64_t last = (uint64_t)first + width - 1;
    bool fits =
        ss.access & SEG_ACCESS_EXPAND_DOWN ? first > ss.limit && last <= mask : last <= ss.limit;
    if (!fits)
        return task_fault(task, X86_SS, 0);
    if (!task_write(task, (uint32_t)(ss.base + first), &error, width, vcpu_data_access(vcpu)))
        return false;
    vcpu->gpr[VGPR_RSP] = ((uint32_t)vcpu->gpr[VGPR_RSP] & ~mask) | first;
    return true;
}

static bool enter_new(struct task_switch *task, const struct vevent *event, struct vseg *tr)
{
    const struct tss_layout *layout = layout_of(tr);
    uint8_t tss[TSS_SIZE] = {0};
    uint16_t selector[VSEG_LDTR + 1] = {0};
    if (!task_read(task, tr->base, tss, layout->size, 0))
        return false;
    for (unsigned i = 0; i < layout->seg_count; i++)
        selector[i] = (uint16_t)field(layout, tss, layout->segs + i * layout->width);
    selector[VSEG_LDTR] = (uint16_t)field(layout, tss, layout->ldt);

    tr->access |= TYPE_BUSY;
    task->vcpu->backend->seg_set(task->vcpu, VSEG_TR, tr);
    load_registers(task, layout, tss);
    settle_event(task, event);
    bool virtual_8086 = task->vcpu->rflags & RFLAGS_VM;
    task_set_selectors(task->vcpu, selector, virtual_8086);
    if ((layout == &tss32 && !load_cr3(task, tss)) ||
        !task_load_segments(task, selector, virtual_8086))
        return false;
    if (task->source == VTASK_GATE && event->has_error &&
        !push_error(task, layout->width, event->error))
        return false;
    if (task->source == VTASK_GATE)
        task->vcpu->inject.type = VEVENT_NONE;
    if (tss[TSS_TRAP] & 1) {
        uint64_t dr6 = vdebug_dr(task->vcpu, VREG_DR6);
        vdebug_set_dr(task->vcpu, VREG_DR6, dr6 | DR6_BT);
        task->action = inject_exception(task->vcpu, X86_DB);
    }
    return true;
}

/* --- the handler ------------------------------------------------------------------------------ */

/* Bit 0 of an error code: no instruction of the program's caused it. INT1 counts as the hardware's
 * own, SDM "Error Code". */
static uint32_t external(const struct task_switch *task, const struct vevent *event)
{
    return task->source == VTASK_GATE && event->type != VEVENT_SW_INT &&
           event->type != VEVENT_SW_EXCEPTION;
}

enum exit_action task_switch_exit(struct vcpu *vcpu, struct vexit *exit)
{
    const struct backend *backend = vcpu->backend;
    struct task_switch task = {.vcpu = vcpu,
                               .selector = exit->task_switch.selector,
                               .source = (enum vtask_source)(exit->task_switch.source & 3),
                               .action = EXIT_RETRY};
    struct task_descriptor descriptor;
    struct vseg old, new;
    task.ext = external(&task, &exit->interrupted);
    history_detail(vcpu, task.selector);
    /* Real mode has no tasks and long mode faults instead: the CPU doesn't report one there. */
    if (!(backend->reg_get(vcpu, VREG_CR0) & X86_CR0_PE) ||
        (backend->reg_get(vcpu, VREG_EFER) & X86_EFER_LMA)) {
        task_fault(&task, X86_GP, task.selector);
        return task.action;
    }
    if (task.source != VTASK_GATE && exit->insn_len == 0) {
        vcpu_stop(vcpu, VM_STOP_UNKNOWN_EXIT,
                  "the CPU doesn't tell the length of a task switch's instruction");
        return EXIT_STOP;
    }
    backend->seg_get(vcpu, VSEG_TR, &old);
    if (check_new_tss(&task, &descriptor, &new) && leave_old(&task, exit, &old, &new, &descriptor))
        enter_new(&task, &exit->interrupted, &new);
    return task.action;
}
