/*
 * The guest's physical address space: EPT, SDM "The Extended Page Table Mechanism (EPT)". Leaves
 * of 1 GiB, 2 MiB and 4 KiB, the largest that alignment and the CPU allow.
 */
#include "virt/vmx/vmx.h"

#include "lib/assert.h"

#define EPT_RIGHTS      7ull
#define EPT_TYPE_SHIFT  3
#define EPT_LEAF        BIT64(7)
#define EPT_ADDRESS     0x000FFFFFFFFFF000ull
#define EPT_TABLE_FLAGS 7ull /* inner entries grant all; the leaf decides */
#define EPT_ENTRIES     512u

#define EPTP_WALK_4 (3ull << 3)
#define EPTP_WB     6ull

enum invept_type { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
#define INVVPID_SINGLE 1ull

static uint64_t leaf_size(unsigned level)
{
    return 1ull << (12 + 9 * level); /* level 0: 4 KiB, 1: 2 MiB, 2: 1 GiB, 3: 512 GiB */
}

static bool leaf_allowed(unsigned level)
{
    return level == 0 || (level == 1 && (vmx_caps.ept_cap & EPT_CAP_2M)) ||
           (level == 2 && (vmx_caps.ept_cap & EPT_CAP_1G));
}

bool vmx_ept_init(struct vmx_vcpu *state)
{
    state->ept_root = state->frames.alloc(state->frames.ctx);
    return state->ept_root != 0;
}

uint64_t vmx_eptp(const struct vmx_vcpu *state)
{
    return state->ept_root | EPTP_WALK_4 | EPTP_WB;
}

/* The table below *entry, made when it isn't there; a larger leaf is split into equal parts. */
static uint64_t *table_below(struct vmx_vcpu *state, uint64_t *entry, unsigned level)
{
    if ((*entry & EPT_RIGHTS) && !(*entry & EPT_LEAF))
        return (uint64_t *)(*entry & EPT_ADDRESS);

    hpa_t frame = state->frames.alloc(state->frames.ctx);
    if (!frame)
        return NULL;
    uint64_t *table = (uint64_t *)frame;
    if (*entry & EPT_LEAF) {
        uint64_t part = *entry;
        if (level == 1) /* the parts are 4 KiB pages, which have no leaf mark */
            part &= ~EPT_LEAF;
        for (unsigned i = 0; i < EPT_ENTRIES; i++)
            table[i] = part + i * leaf_size(level - 1);
    }
    *entry = frame | EPT_TABLE_FLAGS;
    return table;
}

/* Maps one leaf of leaf_size(level) at gpa. */
static bool set_leaf(struct vmx_vcpu *state, gpa_t gpa, unsigned level, uint64_t leaf)
{
    uint64_t *table = (uint64_t *)state->ept_root;
    for (unsigned l = 3; l > level; l--) {
        table = table_below(state, &table[gpa >> (12 + 9 * l) & 511], l);
        if (!table)
            return false;
    }
    table[gpa >> (12 + 9 * level) & 511] = leaf;
    return true;
}

bool vmx_map(struct vcpu *vcpu, const struct mapping *mapping)
{
    struct vmx_vcpu *state = vmx_state(vcpu);
    gpa_t gpa = mapping->gpa, end = mapping->gpa + mapping->size_bytes;
    hpa_t hpa = mapping->hpa;

    ASSERT(((gpa | hpa | mapping->size_bytes) & (PAGE_SIZE - 1)) == 0);
    while (gpa < end) {
        unsigned level = 2;
        while (level > 0 && (((gpa | hpa) & (leaf_size(level) - 1)) ||
                             end - gpa < leaf_size(level) || !leaf_allowed(level)))
            level--;
        uint64_t leaf = 0;
        if (mapping->rights)
            leaf = hpa | mapping->rights | (uint64_t)mapping->type << EPT_TYPE_SHIFT |
                   (level ? EPT_LEAF : 0);
        if (!set_leaf(state, gpa, level, leaf))
            return false;
        gpa += leaf_size(level);
        hpa += leaf_size(level);
    }
    return true;
}

void vmx_flush(struct vcpu *vcpu)
{
    const struct {
        uint64_t eptp, reserved;
    } descriptor = {vmx_eptp(vmx_state(vcpu)), 0};
    uint64_t type = vmx_caps.ept_cap & EPT_CAP_INVEPT_SINGLE ? INVEPT_SINGLE : INVEPT_ALL;
    __asm__ volatile("invept %0, %1" : : "m"(descriptor), "r"(type) : "cc", "memory");
}

void vmx_flush_linear(struct vcpu *vcpu)
{
    (void)vcpu;
    if (!vmx_caps.vpid)
        return; /* every VM entry and exit flushes then */
    const struct {
        uint64_t vpid, linear;
    } descriptor = {vmread(VMCS_VPID), 0};
    __asm__ volatile("invvpid %0, %1" : : "m"(descriptor), "r"(INVVPID_SINGLE) : "cc", "memory");
}
