/* The last step: out of the firmware, the VMM to its place, and into it. */
#ifndef STAGE2_EFI_HANDOVER_H
#define STAGE2_EFI_HANDOVER_H

#include "lib/boot_info.h"
#include "lib/types.h"

struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* entry.asm knows this layout. Everything it points to lies below 4 GiB. */
struct handover {
    struct descriptor_pointer gdt, idt;
    uint32_t unused;
    uint64_t pml4, pml5; /* PML5 for a firmware that has five levels on */
    uint64_t trampoline, stack_top;
    uint64_t vmm_copy, vmm_base, vmm_bytes, vmm_entry;
    uint64_t boot_info;
};

_Static_assert(offsetof(struct handover, pml4) == 24 && offsetof(struct handover, boot_info) == 88,
               "entry.asm");

/* The memory that outlives the firmware: page tables, stack, GDT, trampoline, boot_info, the log.
 * Dies where there is none. */
void handover_init(void);
struct boot_info *handover_boot_info(void);
/* Its place, for the memory map. */
uint64_t handover_base(void);
uint64_t handover_size(void);

/* After ExitBootServices. vmm: the staged copy, which is copied to where it is linked. */
struct vmm_image {
    uint64_t copy, base, size_bytes, entry;
};
_Noreturn void handover_jump(const struct vmm_image *vmm);

#endif
