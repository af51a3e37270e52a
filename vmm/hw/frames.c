/* The host's memory: what the boot map calls usable, minus the VMM and what the loader left. */
#define LOG_MODULE "frames"
#include "hw/parts.h"

#include "hw/framemap.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/log.h"
#include "lib/mem.h"

/* What guest RAM leaves to the VMM: page tables of large pages take some 100 KiB, those of 4 KiB
 * pages 2 MiB for each GiB. */
#define OWN_BYTES MIB(4)

static struct framemap map;
static struct frames_stats stats;
/* The loader's page tables reach 4 GiB; paging_init() lifts this. */
static uint64_t reach = GIB(4);

void frames_init(const struct boot_info *info)
{
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *memory = &info->memory[i];
        if (memory->type != BOOT_MEMORY_USABLE)
            continue;
        if (!framemap_add(&map, memory->base, memory->size_bytes))
            log_warn("memory map entry %u (%llx, %llx bytes) overlaps another one: not used",
                     (unsigned)i, (unsigned long long)memory->base,
                     (unsigned long long)memory->size_bytes);
    }
    stats.total_bytes = framemap_free_bytes(&map);

    /* The real-mode vectors, the BIOS data area, the EBDA and whatever BIOS calls left behind. */
    framemap_remove(&map, 0, MIB(1));
    framemap_remove(&map, info->vmm_base, info->vmm_size_bytes);
    framemap_remove(&map, (hpa_t)__image_start, (hpa_t)__image_end - (hpa_t)__image_start);
    for (uint32_t i = 0; i < info->memory_count; i++)
        if (info->memory[i].type != BOOT_MEMORY_USABLE)
            framemap_remove(&map, info->memory[i].base, info->memory[i].size_bytes);

    uint64_t beyond = BIT64(hw_facts.physical_bits);
    framemap_remove(&map, beyond, UINT64_MAX - beyond);

    stats.resident_bytes = (hpa_t)__image_end - (hpa_t)__image_start;
}

void frames_set_reach(uint64_t limit)
{
    reach = limit;
}

hpa_t frames_alloc(uint64_t count, uint64_t align_bytes)
{
    struct framemap_request request = {
        .size_bytes = count * PAGE_SIZE,
        .align_bytes = align_bytes,
        .limit = reach,
        .end = FRAMEMAP_LOWEST,
    };
    hpa_t base;

    if (!framemap_take(&map, request, &base))
        return 0;
    stats.resident_bytes += request.size_bytes;
    memset((void *)base, 0, request.size_bytes);
    return base;
}

uint64_t frames_alloc_piece(uint64_t size_bytes, hpa_t *base)
{
    uint64_t free_bytes = framemap_free_bytes(&map);
    uint64_t most = free_bytes > OWN_BYTES ? align_down(free_bytes - OWN_BYTES, MIB(2)) : 0;
    uint64_t size = 0;

    if (most > 0)
        size = framemap_take_piece(&map, min_u64(size_bytes, most), reach, base);
    stats.large_bytes += size;
    return size;
}

void frames_free(hpa_t base, uint64_t size_bytes)
{
    bool added = framemap_add(&map, base, size_bytes);
    ASSERT(added);
}

struct frames_stats frames_stats(void)
{
    stats.free_bytes = framemap_free_bytes(&map);
    return stats;
}
