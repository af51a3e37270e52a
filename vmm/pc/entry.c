/*
 * "The Linux/x86 Boot Protocol", the sections on the 32-bit and the 64-bit protocol: flat segments
 * from a GDT in memory, interrupts off, RSI holds the zero page. What a reset leaves right (TR,
 * LDTR, debug registers) stays.
 */
#include "pc/entry.h"

#include "lib/bits.h"
#include "lib/mem.h"

#define BOOT_CS 0x10u
#define BOOT_DS 0x18u

/* Type, S, P, G of a present, accessed segment of 4 GiB at privilege level 0. */
#define ACCESS_CODE (0x8000u | 0x9Bu)
#define ACCESS_DATA (0x8000u | VSEG_ACCESS_DB | 0x93u)

#define CR0_PE BIT(0)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_PG BIT(31)

#define CR4_PAE  BIT(5)
#define EFER_LME BIT(8)

#define RFLAGS_RESERVED 2u

static void set_segments(struct vcpu *vcpu, bool long_mode)
{
    static const enum vseg_name data[] = {VSEG_ES, VSEG_SS, VSEG_DS, VSEG_FS, VSEG_GS};
    struct vseg seg = {
        .selector = BOOT_CS,
        .access = (uint16_t)(ACCESS_CODE | (long_mode ? VSEG_ACCESS_L : VSEG_ACCESS_DB)),
        .limit = 0xFFFFFFFF,
    };

    vcpu->backend->seg_set(vcpu, VSEG_CS, &seg);
    seg.selector = BOOT_DS;
    seg.access = ACCESS_DATA;
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
        vcpu->backend->seg_set(vcpu, data[i], &seg);
}

void pc_set_entry(struct vcpu *vcpu, const struct bzimage_entry *entry)
{
    const struct backend *backend = vcpu->backend;
    uint64_t cr0 = CR0_PE | CR0_ET | CR0_NE;

    /* In the order that a CPU allows: PAE, CR3 and LME come before PG. */
    if (entry->long_mode) {
        backend->reg_set(vcpu, VREG_CR4, CR4_PAE);
        backend->reg_set(vcpu, VREG_CR3, entry->page_tables);
        backend->reg_set(vcpu, VREG_EFER, EFER_LME);
        cr0 |= CR0_PG;
    }
    backend->reg_set(vcpu, VREG_CR0, cr0);
    set_segments(vcpu, entry->long_mode);
    backend->reg_set(vcpu, VREG_GDTR_BASE, entry->gdt);
    backend->reg_set(vcpu, VREG_GDTR_LIMIT, entry->gdt_limit);
    /* No IDT: an exception before the kernel has its own is a triple fault, not a wild jump. */
    backend->reg_set(vcpu, VREG_IDTR_BASE, 0);
    backend->reg_set(vcpu, VREG_IDTR_LIMIT, 0);

    memset(vcpu->gpr, 0, sizeof(vcpu->gpr));
    vcpu->gpr[VGPR_RSI] = entry->zero_page;
    vcpu->gpr[VGPR_RSP] = entry->stack;
    vcpu->rip = entry->entry;
    vcpu->rflags = RFLAGS_RESERVED;
}
