/*
 * The VMM's own page tables: everything at its physical address, nothing both writable and
 * executable. SDM "4-Level Paging and 5-Level Paging", "Paging and Memory Typing".
 */
#define LOG_MODULE "paging"
#include "hw/parts.h"

#include "hw/cpu.h"
#include "lib/assert.h"
#include "lib/log.h"

#define PTE_PRESENT   BIT64(0)
#define PTE_WRITE     BIT64(1)
#define PTE_PWT       BIT64(3)
#define PTE_PCD       BIT64(4)
#define PTE_LARGE     BIT64(7) /* PDPTE: 1 GiB, PDE: 2 MiB */
#define PTE_NX        BIT64(63)
#define PTE_ADDRESS   0x000FFFFFFFFFF000ull
#define PTE_COMBINING PTE_PWT             /* PAT entry 1 */
#define PTE_UNCACHED  (PTE_PCD | PTE_PWT) /* PAT entry 3 */

#define ENTRIES 512u

/* The power-on value is WB WT UC- UC, twice. Entry 1 becomes write-combining, which holds whatever
 * the MTRRs say, as UC of entry 3 does. */
#define PAT_VALUE 0x0007040600070106ull

/* Where the lower half of 4-level paging ends. */
#define IDENTITY_LIMIT BIT64(47)

static uint64_t *pml4;
static uint64_t nx; /* PTE_NX where the CPU has it */

/* Bytes that one entry of a level covers: 1 is the page table, 4 the PML4. */
static uint64_t level_bytes(unsigned level)
{
    return (uint64_t)PAGE_SIZE << (9 * (level - 1));
}

/* The table behind an entry of `level`; an empty entry gets a new one, a large page is split. NULL:
 * out of frames. */
static uint64_t *table_below(uint64_t *entry, unsigned level)
{
    uint64_t old = *entry;

    if ((old & PTE_PRESENT) && !(old & PTE_LARGE))
        return (uint64_t *)(old & PTE_ADDRESS);
    uint64_t *table = (uint64_t *)frames_alloc(1, PAGE_SIZE);
    if (!table)
        return NULL;
    if (old & PTE_PRESENT) {
        uint64_t large = level - 1 > 1 ? PTE_LARGE : 0;
        for (unsigned i = 0; i < ENTRIES; i++)
            table[i] = (old & ~PTE_LARGE) + i * level_bytes(level - 1) + large;
    }
    *entry = (uint64_t)table | PTE_PRESENT | PTE_WRITE;
    return table;
}

static bool leaf_allowed(unsigned level)
{
    return level <= 2 || (level == 3 && hw_facts.gib_pages);
}

/* Maps the whole pages of [base, end) below `table` with the largest pages that fit and that
 * replace no table; flags 0 unmaps. Recursion ends at level 1. False: out of frames. */
static bool set_level(uint64_t *table, unsigned level, hpa_t base, hpa_t end, uint64_t flags)
{
    uint64_t bytes = level_bytes(level);

    while (base < end) {
        hpa_t next = min_u64(end, align_down(base, bytes) + bytes);
        uint64_t *entry = &table[base / bytes % ENTRIES];
        bool is_table = level > 1 && (*entry & PTE_PRESENT) && !(*entry & PTE_LARGE);

        if (next - base == bytes && leaf_allowed(level) && !is_table) {
            uint64_t large = level > 1 ? PTE_LARGE : 0;
            *entry = flags ? base | flags | large : 0;
            invlpg(base);
        } else {
            uint64_t *below = table_below(entry, level);
            if (!below || !set_level(below, level - 1, base, next, flags))
                return false;
        }
        base = next;
    }
    return true;
}

static bool set_range(hpa_t base, hpa_t end, uint64_t flags)
{
    return set_level(pml4, 4, align_down(base, PAGE_SIZE), align_up(end, PAGE_SIZE), flags);
}

static void must_set(hpa_t base, hpa_t end, uint64_t flags)
{
    if (!set_range(base, end, flags))
        panic("not enough memory for the VMM's own page tables");
}

static bool is_memory(uint32_t type)
{
    return type == BOOT_MEMORY_USABLE || type == BOOT_MEMORY_LOADER || type == BOOT_MEMORY_ACPI ||
           type == BOOT_MEMORY_NVS;
}

/* Neighbouring entries are mapped as one, so that large pages may cross from one to the next. */
static void map_memory(const struct boot_info *info)
{
    hpa_t limit = min_u64(IDENTITY_LIMIT, BIT64(hw_facts.physical_bits));

    for (uint32_t i = 0; i < info->memory_count;) {
        const struct boot_memory *memory = &info->memory[i++];
        if (!is_memory(memory->type))
            continue;
        hpa_t base = memory->base;
        hpa_t end = base + min_u64(memory->size_bytes, limit - min_u64(base, limit));
        while (i < info->memory_count && info->memory[i].base == end &&
               is_memory(info->memory[i].type)) {
            end += min_u64(info->memory[i].size_bytes, limit - min_u64(end, limit));
            i++;
        }
        must_set(base, end, PTE_PRESENT | PTE_WRITE | nx);
        if (end == limit)
            log_warn("memory above %llu GiB is out of reach: not used",
                     (unsigned long long)(limit >> 30));
    }
}

static void map_image(void)
{
    must_set((hpa_t)__text_start, (hpa_t)__text_end, PTE_PRESENT);
    must_set((hpa_t)__rodata_start, (hpa_t)__rodata_end, PTE_PRESENT | nx);
    must_set((hpa_t)__data_start, (hpa_t)__data_end, PTE_PRESENT | PTE_WRITE | nx);
    must_set((hpa_t)__symbols_start, (hpa_t)__symbols_end, PTE_PRESENT | nx);
    for (unsigned i = 0; i < STACK_COUNT; i++)
        must_set((hpa_t)stacks[i].guard, (hpa_t)stacks[i].guard + PAGE_SIZE, 0);
}

void paging_init(const struct boot_info *info)
{
    nx = hw_facts.nx ? PTE_NX : 0;
    pml4 = (uint64_t *)frames_alloc(1, PAGE_SIZE);
    if (!pml4)
        panic("no free memory below 4 GiB for the VMM's page tables");

    map_memory(info);
    /* VGA memory, the EBDA and the BIOS, which no map entry covers; never page 0. The fixed MTRRs
     * say which of it is cached. */
    must_set(PAGE_SIZE, MIB(1), PTE_PRESENT | PTE_WRITE | nx);
    must_set(0, PAGE_SIZE, 0);
    map_image();

    wrmsr(MSR_IA32_PAT, PAT_VALUE);
    if (hw_facts.nx)
        wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_NXE);
    write_cr3((uint64_t)pml4);
    write_cr0((read_cr0() | CR0_WP | CR0_NE | CR0_MP) & ~(CR0_EM | CR0_TS));
    frames_set_reach(min_u64(IDENTITY_LIMIT, BIT64(hw_facts.physical_bits)));
    paging_map_table((hpa_t)info, sizeof(*info));
}

/* A range whose addresses the CPU has: an entry with more bits set would fault when it is used. */
static bool is_reachable(hpa_t hpa, uint64_t size_bytes)
{
    return range_fits(hpa, size_bytes, min_u64(IDENTITY_LIMIT, BIT64(hw_facts.physical_bits)));
}

/* The entry that maps the address, or the empty one. */
static uint64_t entry_of(hpa_t hpa)
{
    const uint64_t *table = pml4;

    for (unsigned level = 4;; level--) {
        uint64_t entry = table[hpa / level_bytes(level) % ENTRIES];
        if (level == 1 || !(entry & PTE_PRESENT) || (entry & PTE_LARGE))
            return entry;
        table = (const uint64_t *)(entry & PTE_ADDRESS);
    }
}

/* The address comes from firmware and may be any: what is mapped as memory is no device. */
bool paging_map_mmio(hpa_t hpa, uint64_t size_bytes)
{
    if (!is_reachable(hpa, size_bytes))
        return false;
    for (hpa_t page = align_down(hpa, PAGE_SIZE); page < hpa + size_bytes; page += PAGE_SIZE) {
        uint64_t entry = entry_of(page);
        if ((entry & PTE_PRESENT) && (entry & PTE_UNCACHED) != PTE_UNCACHED)
            return false;
    }
    return set_range(hpa, hpa + size_bytes, PTE_PRESENT | PTE_WRITE | PTE_UNCACHED | nx);
}

bool paging_map_wc(hpa_t hpa, uint64_t size_bytes)
{
    return is_reachable(hpa, size_bytes) &&
           set_range(hpa, hpa + size_bytes, PTE_PRESENT | PTE_WRITE | PTE_COMBINING | nx);
}

/* The address comes from firmware and may be any: what is mapped already keeps its rights. */
bool paging_map_table(hpa_t hpa, uint64_t size_bytes)
{
    if (!is_reachable(hpa, size_bytes))
        return false;
    for (hpa_t page = align_down(hpa, PAGE_SIZE); page < hpa + size_bytes; page += PAGE_SIZE)
        if (!(entry_of(page) & PTE_PRESENT) && !set_range(page, page + PAGE_SIZE, PTE_PRESENT | nx))
            return false;
    return true;
}
