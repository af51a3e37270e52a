/* The guest's physical address space: APM "Nested Paging". */
#include "virt/svm/svm.h"

/* To the nested tables every access of the guest's is a user's. */
#define NPT_PRESENT BIT64(0)
#define NPT_WRITE   BIT64(1)
#define NPT_USER    BIT64(2)
#define NPT_PWT     BIT64(3)
#define NPT_PCD     BIT64(4)
#define NPT_NX      BIT64(63)

bool svm_npt_init(struct svm_vcpu *state, const struct frame_source *frames, bool gib_pages)
{
    state->npt = (struct nested_tables){
        .frames = *frames,
        .present_mask = NPT_PRESENT,
        .table_flags = NPT_PRESENT | NPT_WRITE | NPT_USER,
        .leaf_2m = true,
        .leaf_1g = gib_pages,
    };
    return nested_init(&state->npt);
}

/*
 * An entry names a type by its place in the host's PAT, and the host's MTRRs hold on top of that.
 * So RAM is mapped write-back, whatever its MTRRs say, and only what must be uncached regardless is
 * marked. APM "Combining Memory Types, MTRRs".
 */
bool svm_map(struct vcpu *vcpu, const struct mapping *mapping)
{
    uint64_t flags = 0;
    if (mapping->rights) {
        flags = NPT_PRESENT | NPT_USER;
        if (mapping->rights & MAP_WRITE)
            flags |= NPT_WRITE;
        if (!(mapping->rights & MAP_EXEC))
            flags |= NPT_NX;
        if (mapping->type == MAP_UC)
            flags |= NPT_PCD | NPT_PWT;
    }
    return nested_map(&svm_state(vcpu)->npt, mapping, flags);
}

void svm_nested_walk(struct vcpu *vcpu, gpa_t gpa, struct nested_walk *walk)
{
    nested_walk(&svm_state(vcpu)->npt, gpa, walk);
    if (!walk->leaf.size_bytes)
        return;
    uint64_t leaf = walk->entry[walk->count - 1].entry;
    walk->leaf.rights =
        MAP_READ | (leaf & NPT_WRITE ? MAP_WRITE : 0) | (leaf & NPT_NX ? 0 : MAP_EXEC);
    walk->leaf.type = leaf & NPT_PCD ? MAP_UC : MAP_WB;
}

/* One ASID tags both kinds of translations, the guest's own and ours. */
void svm_flush(struct vcpu *vcpu)
{
    svm_state(vcpu)->flush = true;
    svm_state(vcpu)->changed = true;
}
