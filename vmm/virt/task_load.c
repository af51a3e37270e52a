/*
 * The segment registers of a task that a hardware task switch has just entered: SDM "Task
 * Switching", table "Exception Conditions Checked During a Task Switch". Any fault belongs to the
 * new task, whose selectors are visible already.
 *
 * The manual's order of checks shows only when several selectors are wrong at once; here it is
 * LDTR, CS, SS, then the data segments.
 */
#define LOG_MODULE "task"
#include "virt/task.h"
#include "virt/x86.h"

#define SELECTOR_RPL 3u
#define SELECTOR_TI  4u

/* SDM "Segment Descriptors", as bits of struct vseg.access. */
#define ACCESS_ACCESSED   BIT(0)
#define ACCESS_WRITABLE   BIT(1) /* data */
#define ACCESS_READABLE   BIT(1) /* code */
#define ACCESS_CONFORMING BIT(2) /* code */
#define ACCESS_CODE       BIT(3)
#define ACCESS_S          BIT(4)
#define ACCESS_P          BIT(7)
#define ACCESS_G          BIT(15)
#define ACCESS_TYPE       0xfu
#define TYPE_LDT          2u

/* A stack that no push fits: it grows down from above a limit that is the highest address. Unlike
 * an unusable SS it has a DPL, which is the CPL. */
#define ACCESS_NO_STACK 0xc097u
/* Code that was never fetched: present, accessed, with the DPL to be filled in. */
#define ACCESS_NO_CODE 0x409bu
/* SDM "Checks on Guest Segment Registers": what virtual-8086 mode must have. */
#define ACCESS_VIRTUAL_8086 0xf3u

static uint16_t access_dpl(unsigned dpl)
{
    return (uint16_t)(dpl << 5);
}

static unsigned dpl_of(const struct vseg *seg)
{
    return seg->access >> 5 & 3;
}

static bool is_null(uint16_t selector)
{
    return (selector & ~SELECTOR_RPL) == 0;
}

bool task_fault(struct task_switch *task, uint8_t vector, uint16_t selector)
{
    task->action =
        inject_exception_error(task->vcpu, vector, (selector & ~SELECTOR_RPL) | task->ext);
    return false;
}

static bool copied(struct task_switch *task, enum gva_status status, gva_t linear)
{
    if (status == GVA_OK)
        return true;
    task->action = task->vcpu->stopped ? EXIT_STOP : EXIT_INJECT;
    if (status == GVA_NOT_RAM) {
        vcpu_stop(task->vcpu, VM_STOP_BAD_ACCESS,
                  "task switch to selector 0x%x: its tables at 0x%llx aren't in RAM",
                  task->selector, (unsigned long long)linear);
        task->action = EXIT_STOP;
    }
    return false;
}

bool task_read(struct task_switch *task, gva_t linear, void *dst, unsigned len, unsigned access)
{
    return copied(task, gva_read(task->vcpu, linear, dst, len, access), linear);
}

bool task_write(struct task_switch *task, gva_t linear, const void *src, unsigned len,
                unsigned access)
{
    return copied(task, gva_write(task->vcpu, linear, src, len, access), linear);
}

bool task_read_descriptor(struct task_switch *task, uint16_t selector, uint8_t vector,
                          struct task_descriptor *descriptor)
{
    const struct backend *backend = task->vcpu->backend;
    struct vseg table;
    if (selector & SELECTOR_TI) {
        backend->seg_get(task->vcpu, VSEG_LDTR, &table);
        if (!(table.access & ACCESS_P))
            return task_fault(task, vector, selector);
    } else {
        table.base = backend->reg_get(task->vcpu, VREG_GDTR_BASE);
        table.limit = (uint32_t)backend->reg_get(task->vcpu, VREG_GDTR_LIMIT);
    }
    if ((selector | 7u) > table.limit)
        return task_fault(task, vector, selector);
    uint32_t bytes[2];
    descriptor->linear = (uint32_t)(table.base + (selector & ~7u));
    if (!task_read(task, descriptor->linear, bytes, sizeof(bytes), 0))
        return false;
    descriptor->low = bytes[0];
    descriptor->high = bytes[1];
    return true;
}

struct vseg task_segment(uint16_t selector, const struct task_descriptor *descriptor)
{
    uint32_t low = descriptor->low, high = descriptor->high;
    struct vseg seg = {.selector = selector, .access = (uint16_t)(high >> 8 & 0xf0ff)};
    seg.base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000);
    seg.limit = (low & 0xffff) | (high & 0xf0000);
    if (seg.access & ACCESS_G)
        seg.limit = seg.limit << 12 | 0xfff;
    return seg;
}

/* --- the checks: X86_* vector, or 0 when the segment may be loaded ------------------------------
 */

static uint8_t check_code(const struct vseg *seg)
{
    unsigned rpl = seg->selector & SELECTOR_RPL;
    if ((seg->access & (ACCESS_S | ACCESS_CODE)) != (ACCESS_S | ACCESS_CODE))
        return X86_TS;
    if (seg->access & ACCESS_CONFORMING ? dpl_of(seg) > rpl : dpl_of(seg) != rpl)
        return X86_TS;
    return seg->access & ACCESS_P ? 0 : X86_NP;
}

static uint8_t check_stack(const struct vseg *seg, unsigned cpl)
{
    if ((seg->access & (ACCESS_S | ACCESS_CODE | ACCESS_WRITABLE)) != (ACCESS_S | ACCESS_WRITABLE))
        return X86_TS;
    if (!(seg->access & ACCESS_P))
        return X86_SS;
    return dpl_of(seg) == cpl && (seg->selector & SELECTOR_RPL) == cpl ? 0 : X86_TS;
}

static uint8_t check_data(const struct vseg *seg, unsigned cpl)
{
    bool code = seg->access & ACCESS_CODE;
    if (!(seg->access & ACCESS_S) || (code && !(seg->access & ACCESS_READABLE)))
        return X86_TS;
    unsigned rpl = seg->selector & SELECTOR_RPL;
    if (!(code && (seg->access & ACCESS_CONFORMING)) && (dpl_of(seg) < cpl || dpl_of(seg) < rpl))
        return X86_TS;
    return seg->access & ACCESS_P ? 0 : X86_NP;
}

static uint8_t check_segment(enum vseg_name name, const struct vseg *seg, unsigned cpl)
{
    switch (name) {
    case VSEG_CS:
        return check_code(seg);
    case VSEG_SS:
        return check_stack(seg, cpl);
    default:
        return check_data(seg, cpl);
    }
}

/* --- loading ---------------------------------------------------------------------------------- */

static bool load_ldtr(struct task_switch *task, uint16_t selector)
{
    struct task_descriptor descriptor;
    if (is_null(selector))
        return true;
    if (selector & SELECTOR_TI)
        return task_fault(task, X86_TS, selector);
    if (!task_read_descriptor(task, selector, X86_TS, &descriptor))
        return false;
    struct vseg ldt = task_segment(selector, &descriptor);
    if ((ldt.access & (ACCESS_P | ACCESS_S | ACCESS_TYPE)) != (ACCESS_P | TYPE_LDT))
        return task_fault(task, X86_TS, selector);
    task->vcpu->backend->seg_set(task->vcpu, VSEG_LDTR, &ldt);
    return true;
}

static bool load_segment(struct task_switch *task, enum vseg_name name, uint16_t selector,
                         unsigned cpl)
{
    struct task_descriptor descriptor;
    if (is_null(selector))
        return (name != VSEG_CS && name != VSEG_SS) || task_fault(task, X86_TS, selector);
    if (!task_read_descriptor(task, selector, X86_TS, &descriptor))
        return false;
    struct vseg seg = task_segment(selector, &descriptor);
    uint8_t vector = check_segment(name, &seg, cpl);
    if (vector != 0)
        return task_fault(task, vector, selector);
    if (!(seg.access & ACCESS_ACCESSED)) {
        seg.access |= ACCESS_ACCESSED;
        uint8_t byte = (uint8_t)seg.access;
        if (!task_write(task, (uint32_t)(descriptor.linear + 5), &byte, 1, 0))
            return false;
    }
    task->vcpu->backend->seg_set(task->vcpu, name, &seg);
    return true;
}

static void load_virtual_8086(struct vcpu *vcpu, const uint16_t selector[VSEG_LDTR + 1])
{
    for (unsigned name = VSEG_ES; name <= VSEG_GS; name++) {
        struct vseg seg = {selector[name], ACCESS_VIRTUAL_8086, 0xffff,
                           (uint64_t)selector[name] << 4};
        vcpu->backend->seg_set(vcpu, name, &seg);
    }
}

void task_set_selectors(struct vcpu *vcpu, const uint16_t selector[VSEG_LDTR + 1],
                        bool virtual_8086)
{
    uint16_t cpl = access_dpl(selector[VSEG_CS] & SELECTOR_RPL);
    for (unsigned name = VSEG_ES; name <= VSEG_LDTR; name++) {
        struct vseg seg = {.selector = selector[name]};
        if (name == VSEG_CS)
            seg.access = ACCESS_NO_CODE | cpl;
        if (name == VSEG_SS) {
            seg.access = ACCESS_NO_STACK | cpl;
            seg.limit = UINT32_MAX;
        }
        vcpu->backend->seg_set(vcpu, name, &seg);
    }
    if (virtual_8086)
        load_virtual_8086(vcpu, selector);
}

bool task_load_segments(struct task_switch *task, const uint16_t selector[VSEG_LDTR + 1],
                        bool virtual_8086)
{
    static const uint8_t order[] = {VSEG_CS, VSEG_SS, VSEG_ES, VSEG_DS, VSEG_FS, VSEG_GS};
    if (!load_ldtr(task, selector[VSEG_LDTR]))
        return false;
    if (virtual_8086)
        return true;
    unsigned cpl = selector[VSEG_CS] & SELECTOR_RPL;
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
        if (!load_segment(task, order[i], selector[order[i]], cpl))
            return false;
    return true;
}
