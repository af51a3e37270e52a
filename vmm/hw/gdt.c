/* The GDT with one TSS, and the stacks that the TSS names. SDM "64-Bit TSS", "Interrupt Stack
 * Table". */
#include "hw/parts.h"

#include "hw/cpu.h"

extern uint8_t boot_stack_guard[], boot_stack_top[];
extern uint8_t nmi_stack_guard[], nmi_stack_top[];
extern uint8_t double_fault_stack_guard[], double_fault_stack_top[];
extern uint8_t machine_check_stack_guard[], machine_check_stack_top[];

const struct stack stacks[STACK_COUNT] = {
    {"boot", boot_stack_guard, boot_stack_top},
    {"NMI", nmi_stack_guard, nmi_stack_top},
    {"double fault", double_fault_stack_guard, double_fault_stack_top},
    {"machine check", machine_check_stack_guard, machine_check_stack_top},
};

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __attribute__((packed));

/* The limit that TR has after a VM exit: any other size would have to be loaded again each time. */
_Static_assert(sizeof(struct tss) == 0x68, "the TSS must end where a VM exit sets its limit");

static struct tss tss;

/* Accessed and busy bits are set by the CPU, so the table is writable. The code and data segments
 * have them set already. */
static uint64_t gdt[] = {
    0,
    0x00AF9B000000FFFFull, /* code: 64-bit, present, DPL 0, accessed */
    0x00CF93000000FFFFull, /* data: present, DPL 0, writable, accessed */
    0,                     /* TSS: two entries, filled in by gdt_init() */
    0,
};

#define DESCRIPTOR_TSS_PRESENT (0x89ull << 40)

static void load_segments(void)
{
    __asm__ volatile("pushq %0\n"
                     "leaq 1f(%%rip), %%rax\n"
                     "pushq %%rax\n"
                     "lretq\n"
                     "1:\n"
                     "movl %1, %%eax\n"
                     "movl %%eax, %%ds\n"
                     "movl %%eax, %%es\n"
                     "movl %%eax, %%ss\n"
                     "xorl %%eax, %%eax\n"
                     "movl %%eax, %%fs\n"
                     "movl %%eax, %%gs\n"
                     "lldt %%ax\n"
                     :
                     : "i"(HW_SELECTOR_CODE), "i"(HW_SELECTOR_DATA)
                     : "rax", "memory");
}

void gdt_init(void)
{
    uint64_t base = (uint64_t)&tss;
    uint64_t limit = sizeof(tss) - 1;

    for (unsigned i = 1; i < STACK_COUNT; i++)
        tss.ist[i - 1] = (uint64_t)stacks[i].top;
    tss.io_map_base = sizeof(tss);

    gdt[3] = limit | (base & 0xFFFFFF) << 16 | DESCRIPTOR_TSS_PRESENT | (base >> 24 & 0xFF) << 56;
    gdt[4] = base >> 32;

    struct descriptor_pointer pointer = {sizeof(gdt) - 1, (uint64_t)gdt};
    lgdt(&pointer);
    load_segments();
    ltr(HW_SELECTOR_TSS);
}

uint64_t hw_tss_base(void)
{
    return (uint64_t)&tss;
}

uint64_t hw_gdt_base(void)
{
    return (uint64_t)gdt;
}
