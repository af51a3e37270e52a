/* The guest's physical address space: EPT, SDM "The Extended Page Table Mechanism (EPT)". */
#include "virt/vmx/vmx.h"

#define EPT_RIGHTS     7ull
#define EPT_TYPE_SHIFT 3

#define EPTP_WALK_4 (3ull << 3)
#define EPTP_WB     6ull

enum invept_type { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
#define INVVPID_SINGLE 1ull

bool vmx_ept_init(struct vmx_vcpu *state, const struct frame_source *frames)
{
    state->ept = (struct nested_tables){
        .frames = *frames,
        .present_mask = EPT_RIGHTS,
        .table_flags = EPT_RIGHTS,
        .leaf_2m = vmx_caps.ept_cap & EPT_CAP_2M,
        .leaf_1g = vmx_caps.ept_cap & EPT_CAP_1G,
    };
    return nested_init(&state->ept);
}

uint64_t vmx_eptp(const struct vmx_vcpu *state)
{
    return state->ept.root | EPTP_WALK_4 | EPTP_WB;
}

bool vmx_map(struct vcpu *vcpu, const struct mapping *mapping)
{
    uint64_t type = mapping->type;
    return nested_map(&vmx_state(vcpu)->ept, mapping,
                      mapping->rights ? mapping->rights | type << EPT_TYPE_SHIFT : 0);
}

void vmx_nested_walk(struct vcpu *vcpu, gpa_t gpa, struct nested_walk *walk)
{
    nested_walk(&vmx_state(vcpu)->ept, gpa, walk);
    if (!walk->leaf.size_bytes)
        return;
    uint64_t leaf = walk->entry[walk->count - 1].entry;
    walk->leaf.rights = leaf & EPT_RIGHTS;
    walk->leaf.type = (enum map_type)(leaf >> EPT_TYPE_SHIFT & 7);
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
