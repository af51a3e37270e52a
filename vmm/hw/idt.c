/* The IDT and what happens behind its stubs: exceptions become a panic unless a fixup waits for
 * them, NMIs are counted, everything else is an interrupt. */
#include "hw/parts.h"

#include "hw/cpu.h"

#define EXCEPTION_DEBUG         1
#define EXCEPTION_NMI           2
#define EXCEPTION_DOUBLE_FAULT  8
#define EXCEPTION_GP            13
#define EXCEPTION_MACHINE_CHECK 18
#define EXCEPTION_COUNT         32

#define GATE_INTERRUPT_PRESENT 0x8E /* 64-bit interrupt gate, DPL 0 */

struct gate {
    uint16_t offset_0;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_16;
    uint32_t offset_32;
    uint32_t reserved;
};

struct fixup {
    uint64_t faulting_rip;
    uint64_t continue_rip;
};

extern const uint64_t isr_stubs[];
extern const uint32_t isr_stub_count;
extern uint8_t isr_spurious[], isr_unexpected[];
extern const struct fixup __fixups_start[], __fixups_end[];

static struct gate idt[256];
static volatile uint64_t nmi_count;

static void set_gate(unsigned vector, uint64_t handler, uint8_t ist)
{
    idt[vector] = (struct gate){
        .offset_0 = (uint16_t)handler,
        .selector = HW_SELECTOR_CODE,
        .ist = ist,
        .type = GATE_INTERRUPT_PRESENT,
        .offset_16 = (uint16_t)(handler >> 16),
        .offset_32 = (uint32_t)(handler >> 32),
    };
}

void idt_init(void)
{
    for (unsigned vector = 0; vector < ARRAY_SIZE(idt); vector++)
        set_gate(vector, vector < isr_stub_count ? isr_stubs[vector] : (uint64_t)isr_unexpected, 0);
    set_gate(VECTOR_SPURIOUS, (uint64_t)isr_spurious, 0);
    idt[EXCEPTION_NMI].ist = IST_NMI;
    idt[EXCEPTION_DOUBLE_FAULT].ist = IST_DOUBLE_FAULT;
    idt[EXCEPTION_MACHINE_CHECK].ist = IST_MACHINE_CHECK;

    struct descriptor_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};
    lidt(&pointer);
}

uint64_t hw_idt_base(void)
{
    return (uint64_t)idt;
}

uint64_t hw_nmi_count(void)
{
    return nmi_count;
}

static bool apply_fixup(struct trap_frame *frame)
{
    size_t count = ((uint64_t)__fixups_end - (uint64_t)__fixups_start) / sizeof(struct fixup);

    for (const struct fixup *fixup = __fixups_start; count--; fixup++) {
        if (fixup->faulting_rip == frame->rip) {
            frame->rip = fixup->continue_rip;
            return true;
        }
    }
    return false;
}

/*
 * AMD-V switches DR7 at an exit; QEMU's TCG leaves the guest's breakpoints armed in the host, where
 * one may lie at an address of the VMM's. RF lets the instruction run; DR0 to DR3 may be the
 * guest's, but the VMM sets none for itself.
 */
static void ignore_breakpoint(struct trap_frame *frame)
{
    frame->rflags |= RFLAGS_RF;
}

/* Called by isr.asm. */
void trap_handle(struct trap_frame *frame)
{
    if (frame->vector == EXCEPTION_DEBUG)
        ignore_breakpoint(frame);
    else if (frame->vector == EXCEPTION_NMI)
        nmi_count = nmi_count + 1;
    else if (frame->vector >= EXCEPTION_COUNT)
        irq_dispatch((uint8_t)frame->vector);
    else if (frame->vector != EXCEPTION_GP || !apply_fixup(frame))
        panic_trap(frame);
}
