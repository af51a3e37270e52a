/*
 * The guest's own paging, in software: where a linear address leads in the guest's current mode,
 * or the page fault that the CPU would raise.
 *
 * Left out: protection keys and shadow stacks, which CPUID doesn't offer. PAE paging reads its four
 * top entries from memory, where a CPU keeps copies from the last load of CR3. The accessed and
 * dirty bits are set without a lock: the only other writer of a guest's tables is the guest's
 * single virtual CPU, which isn't running.
 */
#include "lib/mem.h"
#include "virt/virt.h"
#include "virt/x86.h"

#define CR4_LA57   BIT64(12)
#define RFLAGS_AC  BIT64(18)
#define CR4_PAGING (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_SMEP | X86_CR4_SMAP | CR4_LA57)

/* SDM "Paging-Structure Entries", common to all formats. */
#define PTE_P  BIT64(0)
#define PTE_RW BIT64(1)
#define PTE_US BIT64(2)
#define PTE_A  BIT64(5)
#define PTE_D  BIT64(6)
#define PTE_PS BIT64(7)
#define PTE_XD BIT64(63)

/* SDM "Interrupt 14—Page-Fault Exception (#PF)" */
#define PF_PRESENT  BIT(0)
#define PF_WRITE    BIT(1)
#define PF_USER     BIT(2)
#define PF_RESERVED BIT(3)
#define PF_FETCH    BIT(4)

/* Physical addresses that 32-bit paging can name: 40 bits, through PSE-36. */
#define PSE36_MASK 0xffffffffffull

/* One translation on its way down. */
struct walk {
    struct vcpu *vcpu;
    gva_t linear;
    unsigned access;
    uint64_t cr0, cr4, efer;
    unsigned entry_size; /* 4 or 8 bytes */
    unsigned level;      /* of the current table: 1 is the page table */
    gpa_t table;
    uint64_t reserved;  /* in every entry of 8 bytes */
    gpa_t entry_gpa[5]; /* by level - 1, for the accessed bits; a PAE top entry has none */
    uint64_t entry[5];
    uint64_t rights; /* PTE_RW, PTE_US, PTE_A: the AND over the levels; PTE_XD: the OR */
};

static bool nx_enabled(const struct walk *walk)
{
    return (walk->cr4 & X86_CR4_PAE) && (walk->efer & X86_EFER_NXE);
}

static struct gwalk_result walk_fault(const struct walk *walk, uint32_t cause)
{
    uint32_t error = cause;
    if (walk->access & GWALK_WRITE)
        error |= PF_WRITE;
    if (walk->access & GWALK_USER)
        error |= PF_USER;
    if ((walk->access & GWALK_FETCH) && (nx_enabled(walk) || (walk->cr4 & X86_CR4_SMEP)))
        error |= PF_FETCH;
    return (struct gwalk_result){.status = GVA_FAULT, .error = error};
}

static bool is_32bit_format(const struct walk *walk)
{
    return walk->entry_size == 4;
}

/* PAE's directory-pointer entries hold neither rights nor an accessed bit. */
static bool is_pae_top(const struct walk *walk)
{
    return walk->level == 3 && !(walk->efer & X86_EFER_LMA);
}

static unsigned level_shift(const struct walk *walk, unsigned level)
{
    return 12 + (is_32bit_format(walk) ? 10 : 9) * (level - 1);
}

static inline bool is_large(const struct walk *walk, uint64_t entry)
{
    if (!(entry & PTE_PS) || is_pae_top(walk))
        return false;
    if (is_32bit_format(walk))
        return walk->level == 2 && (walk->cr4 & X86_CR4_PSE);
    return walk->level == 2 || (walk->level == 3 && walk->vcpu->facts->gib_pages);
}

/* Bits that must be 0 in a present entry of 8 bytes, whatever it is. */
static uint64_t always_reserved(const struct walk *walk)
{
    uint64_t reserved = ~(walk->vcpu->facts->physical_address_mask | (PAGE_SIZE - 1));
    reserved &= ~(PTE_XD | (walk->efer & X86_EFER_LMA ? 0x7ffull << 52 : 0));
    return nx_enabled(walk) ? reserved : reserved | PTE_XD;
}

/* In this present entry. */
static inline uint64_t reserved_bits(const struct walk *walk, bool large)
{
    if (is_32bit_format(walk)) {
        uint64_t above = ~walk->vcpu->facts->physical_address_mask;
        return large ? BIT64(21) | ((above >> 32 & 0xff) << 13) : 0;
    }
    if (large)
        return walk->reserved | ((BIT64(level_shift(walk, walk->level)) - 1) & ~0x1fffull);
    if (is_pae_top(walk))
        return walk->reserved | PTE_XD;
    return walk->level > 1 ? walk->reserved | PTE_PS : walk->reserved;
}

static inline gpa_t entry_address(const struct walk *walk, uint64_t entry, bool large)
{
    if (!is_32bit_format(walk))
        return entry & walk->vcpu->facts->physical_address_mask & ~(uint64_t)(PAGE_SIZE - 1);
    if (!large)
        return entry & 0xfffff000;
    return ((entry & 0xffc00000) | (entry >> 13 & 0xff) << 32) & PSE36_MASK;
}

/* SDM "Determination of Access Rights". */
static bool access_allowed(const struct walk *walk)
{
    bool user_page = walk->rights & PTE_US;
    if ((walk->access & GWALK_FETCH) && (walk->rights & PTE_XD))
        return false;
    if (walk->access & GWALK_USER)
        return user_page && ((walk->rights & PTE_RW) || !(walk->access & GWALK_WRITE));
    if (walk->access & GWALK_FETCH)
        return !(user_page && (walk->cr4 & X86_CR4_SMEP));
    if (user_page && (walk->cr4 & X86_CR4_SMAP) && !(walk->vcpu->rflags & RFLAGS_AC))
        return false;
    return !(walk->access & GWALK_WRITE) || (walk->rights & PTE_RW) || !(walk->cr0 & X86_CR0_WP);
}

/* Sets the accessed bits from the leaf (at `leaf`) up to `top`, and the leaf's dirty bit. */
static void set_accessed_dirty(struct walk *walk, unsigned leaf, unsigned top)
{
    const struct vcpu_hooks *hooks = &walk->vcpu->hooks;
    for (unsigned level = leaf; level <= top; level++) {
        uint64_t wanted = PTE_A;
        if (level == leaf && (walk->access & GWALK_WRITE))
            wanted |= PTE_D;
        uint64_t entry = walk->entry[level - 1] | wanted;
        walk->level = level;
        if (entry == walk->entry[level - 1] || is_pae_top(walk))
            continue;
        /* Little-endian: the low bytes are the entry for either size. In read-only memory the
         * bits stay as they are, as they do on a CPU whose tables are in ROM. */
        hooks->mem_write(hooks->ctx, walk->entry_gpa[level - 1], &entry, walk->entry_size);
    }
}

/* Nearly every translation has been used before. */
static bool accessed_dirty_set(const struct walk *walk, uint64_t leaf)
{
    return (walk->rights & PTE_A) && (!(walk->access & GWALK_WRITE) || (leaf & PTE_D));
}

/* With GWALK_LOOK rights don't matter and nothing is written. */
static struct gwalk_result walk_tables(struct walk *walk)
{
    const struct vcpu_hooks *hooks = &walk->vcpu->hooks;
    bool look = walk->access & GWALK_LOOK;
    unsigned top = walk->level;
    walk->rights = PTE_RW | PTE_US | PTE_A;
    for (;; walk->level--) {
        unsigned shift = level_shift(walk, walk->level);
        uint64_t index_mask = is_32bit_format(walk) ? 0x3ff : 0x1ff;
        gpa_t gpa = walk->table + (walk->linear >> shift & index_mask) * walk->entry_size;
        uint64_t entry = 0;
        if (!hooks->mem_read(hooks->ctx, gpa, &entry, walk->entry_size))
            return (struct gwalk_result){.status = GVA_NOT_RAM, .gpa = gpa};
        walk->entry_gpa[walk->level - 1] = gpa;
        walk->entry[walk->level - 1] = entry;
        if (!(entry & PTE_P))
            return walk_fault(walk, 0);
        bool large = is_large(walk, entry);
        if (entry & reserved_bits(walk, large))
            return walk_fault(walk, PF_PRESENT | PF_RESERVED);
        if (!is_pae_top(walk)) {
            walk->rights &= entry | PTE_XD;
            walk->rights |= entry & PTE_XD;
        }
        gpa_t address = entry_address(walk, entry, large);
        if (walk->level > 1 && !large) {
            walk->table = address;
            continue;
        }
        if (!look && !access_allowed(walk))
            return walk_fault(walk, PF_PRESENT);
        gpa_t in_page = walk->linear & (BIT64(shift) - 1);
        address &= ~(BIT64(shift) - 1);
        if (!look && !accessed_dirty_set(walk, entry))
            set_accessed_dirty(walk, walk->level, top);
        return (struct gwalk_result){.gpa = address | in_page};
    }
}

/* False without paging. */
static bool walk_begin(struct walk *walk)
{
    struct vcpu *vcpu = walk->vcpu;
    const struct backend *backend = vcpu->backend;
    walk->cr0 = backend->reg_get(vcpu, VREG_CR0);
    if (!(walk->cr0 & X86_CR0_PG))
        return false;
    walk->cr4 = backend->reg_get(vcpu, VREG_CR4) & CR4_PAGING;
    walk->efer = backend->reg_get(vcpu, VREG_EFER);
    walk->entry_size = 8;
    uint64_t cr3 = backend->reg_get(vcpu, VREG_CR3);
    walk->reserved = always_reserved(walk);
    if (walk->efer & X86_EFER_LMA) {
        walk->level = (walk->cr4 & CR4_LA57) ? 5 : 4;
        walk->table = cr3 & vcpu->facts->physical_address_mask & ~(uint64_t)(PAGE_SIZE - 1);
        return true;
    }
    walk->linear = (uint32_t)walk->linear;
    if (walk->cr4 & X86_CR4_PAE) {
        walk->level = 3;
        walk->table = cr3 & 0xffffffe0;
    } else {
        walk->level = 2;
        walk->entry_size = 4;
        walk->table = cr3 & 0xfffff000;
    }
    return true;
}

struct gwalk_result gwalk(struct vcpu *vcpu, gva_t linear, unsigned access)
{
    struct walk walk = {.vcpu = vcpu, .linear = linear, .access = access};
    if (!walk_begin(&walk))
        return (struct gwalk_result){.gpa = (uint32_t)linear};
    return walk_tables(&walk);
}

void gwalk_look(struct vcpu *vcpu, gva_t linear, struct vdebug_walk *out)
{
    struct walk walk = {.vcpu = vcpu, .linear = linear, .access = GWALK_LOOK};
    *out = (struct vdebug_walk){.mapped = true, .gpa = (uint32_t)linear};
    if (!walk_begin(&walk))
        return;
    unsigned top = walk.level;
    struct gwalk_result result = walk_tables(&walk);
    out->mapped = result.status == GVA_OK;
    out->gpa = result.status == GVA_OK ? result.gpa : 0;
    out->page_bytes = out->mapped ? BIT64(level_shift(&walk, walk.level)) : 0;
    /* An entry that couldn't be read has no place in the list. */
    unsigned last = walk.level + (result.status == GVA_NOT_RAM);
    for (unsigned level = top; level >= last && level > 0; level--) {
        gpa_t gpa = walk.entry_gpa[level - 1];
        unsigned index = (unsigned)(walk.linear >> level_shift(&walk, level)) &
                         (is_32bit_format(&walk) ? 0x3ff : 0x1ff);
        out->entry[out->count++] = (struct vdebug_walk_entry){level, gpa - index * walk.entry_size,
                                                              index, walk.entry[level - 1]};
    }
}

/* --- Copies ----------------------------------------------------------------------------------- */

bool vcpu_is_canonical(struct vcpu *vcpu, gva_t linear)
{
    if (x86_canonical(linear))
        return true;
    if (!(vcpu->backend->reg_get(vcpu, VREG_EFER) & X86_EFER_LMA))
        return true;
    if (!(vcpu->backend->reg_get(vcpu, VREG_CR4) & CR4_LA57))
        return false;
    return (uint64_t)((int64_t)(linear << 7) >> 7) == linear;
}

/* A span of linear addresses as at most two pieces of physical ones. */
struct span {
    gpa_t gpa[2];
    unsigned len[2];
};

static enum gva_status translate_piece(struct vcpu *vcpu, gva_t linear, unsigned access, gpa_t *gpa)
{
    if (!vcpu_is_canonical(vcpu, linear)) {
        inject_exception_error(vcpu, X86_GP, 0);
        return GVA_FAULT;
    }
    struct gwalk_result result = gwalk(vcpu, linear, access);
    if (result.status == GVA_FAULT)
        inject_page_fault(vcpu, linear, result.error);
    *gpa = result.gpa;
    return result.status;
}

static enum gva_status translate_span(struct vcpu *vcpu, gva_t linear, unsigned len,
                                      unsigned access, struct span *span)
{
    unsigned room = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));
    span->len[0] = len < room ? len : room;
    span->len[1] = len - span->len[0];
    enum gva_status status = translate_piece(vcpu, linear, access, &span->gpa[0]);
    if (status != GVA_OK || span->len[1] == 0)
        return status;
    linear += room;
    if (vcpu_code_bits(vcpu) != 64)
        linear = (uint32_t)linear;
    return translate_piece(vcpu, linear, access, &span->gpa[1]);
}

enum gva_status gva_read(struct vcpu *vcpu, gva_t linear, void *dst, unsigned len, unsigned access)
{
    const struct vcpu_hooks *hooks = &vcpu->hooks;
    struct span span;
    enum gva_status status = translate_span(vcpu, linear, len, access, &span);
    if (status != GVA_OK)
        return status;
    if (!hooks->mem_read(hooks->ctx, span.gpa[0], dst, span.len[0]))
        return GVA_NOT_RAM;
    uint8_t *rest = (uint8_t *)dst + span.len[0];
    if (span.len[1] != 0 && !hooks->mem_read(hooks->ctx, span.gpa[1], rest, span.len[1]))
        return GVA_NOT_RAM;
    return GVA_OK;
}

enum gva_status gva_write(struct vcpu *vcpu, gva_t linear, const void *src, unsigned len,
                          unsigned access)
{
    const struct vcpu_hooks *hooks = &vcpu->hooks;
    const uint8_t *rest = src;
    struct span span;
    uint8_t probe;
    enum gva_status status = translate_span(vcpu, linear, len, access | GWALK_WRITE, &span);
    if (status != GVA_OK)
        return status;
    rest += span.len[0];
    if (span.len[1] != 0 && !hooks->mem_read(hooks->ctx, span.gpa[1], &probe, 1))
        return GVA_NOT_RAM;
    if (!hooks->mem_write(hooks->ctx, span.gpa[0], src, span.len[0]))
        return GVA_NOT_RAM;
    if (span.len[1] != 0 && !hooks->mem_write(hooks->ctx, span.gpa[1], rest, span.len[1]))
        return GVA_NOT_RAM;
    return GVA_OK;
}

/* --- Mode ------------------------------------------------------------------------------------- */

unsigned vcpu_cpl(struct vcpu *vcpu)
{
    struct vseg ss;
    vcpu->backend->seg_get(vcpu, VSEG_SS, &ss);
    return (ss.access >> 5) & 3;
}

unsigned vcpu_data_access(struct vcpu *vcpu)
{
    return vcpu_cpl(vcpu) == 3 ? GWALK_USER : 0;
}

unsigned vcpu_code_bits(struct vcpu *vcpu)
{
    struct vseg cs;
    vcpu->backend->seg_get(vcpu, VSEG_CS, &cs);
    if ((cs.access & VSEG_ACCESS_L) && (vcpu->backend->reg_get(vcpu, VREG_EFER) & X86_EFER_LMA))
        return 64;
    return (cs.access & VSEG_ACCESS_DB) ? 32 : 16;
}
