/* A hardware task switch on its way, shared by task.c (the TSS) and task_load.c (the segments). */
#ifndef VIRT_TASK_H
#define VIRT_TASK_H

#include "virt/handlers.h"

struct task_switch {
    struct vcpu *vcpu;
    uint16_t selector; /* of the new TSS */
    enum vtask_source source;
    uint32_t ext;            /* bit 0 of every error code: the cause is no instruction */
    enum exit_action action; /* set by whatever made a step return false */
};

/* A descriptor's eight bytes, low dword first, and where they lie. */
struct task_descriptor {
    uint32_t low, high;
    gva_t linear;
};

/* All of these return false when the switch can't go on: task->action then says what comes next. */

/* Queues an exception whose error code names the selector. Always false. */
bool task_fault(struct task_switch *task, uint8_t vector, uint16_t selector);
/* Copy with supervisor rights unless access (GWALK_*) says otherwise; a page fault belongs to the
 * guest, a table outside of RAM stops it. */
bool task_read(struct task_switch *task, gva_t linear, void *dst, unsigned len, unsigned access);
bool task_write(struct task_switch *task, gva_t linear, const void *src, unsigned len,
                unsigned access);
/* Reads a descriptor of the GDT or the LDT; the vector is for a selector outside of its table. */
bool task_read_descriptor(struct task_switch *task, uint16_t selector, uint8_t vector,
                          struct task_descriptor *descriptor);
/* The hidden part of a segment register that this descriptor makes. */
struct vseg task_segment(uint16_t selector, const struct task_descriptor *descriptor);

/* Makes the new task's selectors (by enum vseg_name) visible, with nothing behind them yet but what
 * virtual-8086 mode derives from the number: what a fault on the way finds. CS and SS carry the new
 * CPL and what a VM entry asks for. */
void task_set_selectors(struct vcpu *vcpu, const uint16_t selector[VSEG_LDTR + 1],
                        bool virtual_8086);
/* Checks and loads the descriptors that the selectors name, LDTR first. */
bool task_load_segments(struct task_switch *task, const uint16_t selector[VSEG_LDTR + 1],
                        bool virtual_8086);

#endif
