/* See handover.h. The memory is one block below 4 GiB, which the VMM never uses again. */
#include "handover.h"

#include "console.h"
#include "lib/bits.h"
#include "lib/mem.h"
#include "memory.h"
#include "stage2/cpu.h"

#define PAGE_PRESENT  BIT64(0)
#define PAGE_WRITABLE BIT64(1)
#define PAGE_LARGE    BIT64(7)
#define PAGE_ADDRESS  0x000ffffffffff000ull
#define ENTRIES       512u

#define STACK_PAGES 8u
#define TABLE_PAGES                                                                                \
    12u /* PML5, PML4, PDPT, four directories; up to four tables for this program                  \
         */

#define PIC1_MASK 0x21
#define PIC2_MASK 0xa1

#define TRAMPOLINE_BYTES 256u
extern const uint8_t trampoline[TRAMPOLINE_BYTES];
_Noreturn void efi_leave(const struct handover *handover);

struct block {
    uint64_t tables[TABLE_PAGES][ENTRIES];
    uint8_t stack[STACK_PAGES * PAGE_SIZE];
    union {
        struct boot_info info;
        uint8_t pages[2 * PAGE_SIZE];
    };
    char log[CONSOLE_LOG_SIZE];
    uint8_t trampoline[TRAMPOLINE_BYTES];
    uint64_t gdt[4];
    struct handover handover;
};

static struct block *block;
static unsigned tables_used;

void handover_init(void)
{
    uint64_t address = memory_allocate(sizeof(*block), GIB(4));

    if (!address)
        die("the firmware has no %u KiB of free memory below 4 GiB: look for a firmware update",
            (unsigned)(sizeof(*block) >> 10));
    memory_zero(address, sizeof(*block));
    block = (struct block *)address;
}

struct boot_info *handover_boot_info(void)
{
    return &block->info;
}

uint64_t handover_base(void)
{
    return (uint64_t)block;
}

uint64_t handover_size(void)
{
    return align_up(sizeof(*block), PAGE_SIZE);
}

static uint64_t *new_table(void)
{
    return block->tables[tables_used++];
}

static uint64_t *table_below(uint64_t *entry)
{
    if (!*entry)
        *entry = (uint64_t)new_table() | PAGE_PRESENT | PAGE_WRITABLE;
    return (uint64_t *)(*entry & PAGE_ADDRESS);
}

/* The 2 MiB around the address, at that address. */
static void map(uint64_t *pml4, uint64_t address)
{
    uint64_t *pdpt = table_below(&pml4[address >> 39 & 511]);
    uint64_t *directory = table_below(&pdpt[address >> 30 & 511]);

    directory[address >> 21 & 511] =
        align_down(address, MIB(2)) | PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE;
}

/* The first 4 GiB, and this program's code that loads them, which may lie higher. */
static void build_page_tables(struct handover *handover)
{
    uint64_t *pml5 = new_table(), *pml4 = table_below(&pml5[0]);

    for (uint64_t address = 0; address < GIB(4); address += MIB(2))
        map(pml4, address);
    map(pml4, (uint64_t)efi_leave);
    map(pml4, (uint64_t)efi_leave + PAGE_SIZE);
    handover->pml4 = (uint64_t)pml4;
    handover->pml5 = (uint64_t)pml5;
}

static void build_gdt(struct handover *handover)
{
    block->gdt[1] = 0x00209a0000000000; /* 64-bit code */
    block->gdt[2] = 0x00cf92000000ffff; /* data, 4 GiB */
    block->gdt[3] = 0x00cf9a000000ffff; /* 32-bit code, 4 GiB */
    handover->gdt = (struct descriptor_pointer){sizeof(block->gdt) - 1, (uint64_t)block->gdt};
}

static void copy_log(struct boot_info *info)
{
    info->log_size_bytes = console_log(block->log);
    info->log_address = info->log_size_bytes ? (uint64_t)block->log : 0;
}

_Noreturn void handover_jump(const struct vmm_image *vmm)
{
    struct handover *handover = &block->handover;

    build_page_tables(handover);
    build_gdt(handover);
    copy_log(&block->info);
    memcpy(block->trampoline, trampoline, sizeof(block->trampoline));
    handover->trampoline = (uint64_t)block->trampoline;
    handover->stack_top = (uint64_t)block->stack + sizeof(block->stack);
    handover->vmm_copy = vmm->copy;
    handover->vmm_base = vmm->base;
    handover->vmm_bytes = vmm->size_bytes;
    handover->vmm_entry = vmm->entry;
    handover->boot_info = (uint64_t)&block->info;
    out8(PIC2_MASK, 0xff);
    out8(PIC1_MASK, 0xff);
    efi_leave(handover);
}
