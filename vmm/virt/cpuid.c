/*
 * What CPUID tells the guest: an allow-list. A bit gets through when the host has it and the guest
 * can use it with no help, or when pxHV honours it; everything else is 0. The answers are computed
 * at reset, since CPUID is also the commonest exit that a benchmark measures; only OSXSAVE, the
 * XSAVE sizes and the APIC's bit follow the guest's registers.
 *
 * Hidden on purpose: VMX and SVM; MONITOR and MWAITX; machine checks; performance counters, IBS,
 * RDPRU; speculation controls, memory encryption, OSVW, LWP and everything else that comes with
 * MSRs which msr.c refuses; INVLPGB; LOCK MOV CR0 for CR8; 5-level paging, protection keys, CET,
 * MPX.
 *
 * The bits are those of SDM "CPUID—CPU Identification" and of APM "Obtaining Processor Information
 * Via the CPUID Instruction".
 */
#define LOG_MODULE "cpuid"
#include "virt/handlers.h"
#include "virt/x86.h"

#include "lib/mem.h"

enum { EAX, EBX, ECX, EDX };

#define LEAF_HYPERVISOR        0x40000000u
#define LEAF_HYPERVISOR_TIMING 0x40000010u
#define LEAF_KVM               0x40000100u
#define LEAF_KVM_FEATURES      0x40000101u
#define LEAF_EXTENDED          0x80000000u
#define LEAF_AMD_CACHES        0x8000001du

#define EXTENDED_COUNT 9u /* up to 80000008h; AMD's CPUs have more */

#define MAX_BASIC_INTEL 0x16u
#define MAX_BASIC_OTHER 0x0du /* what lies above is Intel's alone */

/* Leaves whose answer depends on ECX. */
#define SUBLEAF_LEAVES (BIT(4) | BIT(7) | BIT(0xb) | BIT(0xd))

/* Leaf 1, by bit number. */
#define L1C_PCID       BIT(17)
#define L1C_APIC       (BIT(21) | BIT(24)) /* x2APIC, TSC deadline: dev/lapic.c has both */
#define L1C_XSAVE      BIT(26)
#define L1C_OSXSAVE    BIT(27)
#define L1C_AVX        (BIT(12) | BIT(28) | BIT(29)) /* FMA, AVX, F16C */
#define L1C_HYPERVISOR BIT(31)
/* SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND */
#define L1C_PLAIN                                                                                  \
    (BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(30))
/* FPU VME DE PSE TSC MSR PAE CX8 SEP MTRR PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 SS */
#define L1D_PLAIN 0x0f8bb97fu
#define L1D_APIC  BIT(9)
#define L6A_ARAT  BIT(2) /* the APIC's timer always runs */

/* Leaf 7, subleaf 0. */
#define L7B_FSGSBASE   BIT(0)
#define L7B_TSC_ADJUST BIT(1)
#define L7B_SMEP       BIT(7)
#define L7B_INVPCID    BIT(10)
#define L7B_SMAP       BIT(20)
#define L7B_AVX2       BIT(5)
/* BMI1 FDP_EXCPTN_ONLY BMI2 ERMS no-FCS/FDS RDSEED ADX CLFLUSHOPT CLWB SHA */
#define L7B_PLAIN                                                                                  \
    (BIT(3) | BIT(6) | BIT(8) | BIT(9) | BIT(13) | BIT(18) | BIT(19) | BIT(23) | BIT(24) | BIT(29))
/* F DQ IFMA PF ER CD BW VL */
#define L7B_AVX512 (BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31))
#define L7C_UMIP   BIT(2)
#define L7C_RDPID  BIT(22)
#define L7C_PLAIN  (BIT(0) | BIT(8) | BIT(27) | BIT(28)) /* PREFETCHWT1 GFNI MOVDIRI MOVDIR64B */
#define L7C_AVX    (BIT(9) | BIT(10))                    /* VAES VPCLMULQDQ */
/* VBMI VBMI2 VNNI BITALG VPOPCNTDQ */
#define L7C_AVX512 (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define L7D_PLAIN  (BIT(4) | BIT(10) | BIT(14)) /* FSRM MD_CLEAR SERIALIZE */
#define L7D_AVX512 (BIT(2) | BIT(3) | BIT(8))   /* 4VNNIW 4FMAPS VP2INTERSECT */

/* Leaf 80000001h. */
/* LAHF64 LZCNT SSE4A MISALIGNSSE PREFETCHW TBM */
#define E1C_PLAIN   (BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(21))
#define E1C_AVX     (BIT(11) | BIT(16)) /* XOP FMA4 */
#define E1C_TOPOEXT BIT(22)             /* AMD: leaves 8000001Dh and 8000001Eh */
/* What leaf 1 has, too; SYSCALL MMXEXT LM 3DNOWEXT 3DNOW */
#define E1D_PLAIN         ((L1D_PLAIN & 0x0183f3ffu) | BIT(11) | BIT(22) | BIT(29) | BIT(30) | BIT(31))
#define E1D_NX            BIT(20)
#define E1D_GIB           BIT(26)
#define E1D_RDTSCP        BIT(27)
#define E7D_INVARIANT_TSC BIT(8)

/* Leaf 40000101h: Linux, "KVM CPUID bits". No wait at port 80h; the clock of pvclock.c, which is
 * the same on all CPUs. */
#define KVM_FEATURES (BIT(1) | BIT(3) | BIT(24))
#define KVM_PV_EOI   BIT(6) /* pveoi.c */

/* Leaf 80000008h, EBX. */
#define E8B_CLZERO BIT(0)
/* CLZERO RSTR_FP_ERR_PTRS WBNOINVD SSBD_NOT_REQUIRED BTC_NO: instructions and good news */
#define E8B_AMD               (E8B_CLZERO | BIT(2) | BIT(9) | BIT(26) | BIT(29))
#define E8B_LMSLE_UNSUPPORTED BIT(20)

/* Leaf 80000021h: what the CPU does by itself, with no register to switch it. EAX:
 * NO_NESTED_DATA_BP FS_GS_BASE_NOT_SERIALIZING LFENCE_SERIALIZING VERW_CLEAR
 * NULL_SELECT_CLEARS_BASE NO_SMM_CTL FSRS FSRC PREFETCHI SRSO_NO SRSO_USER_KERNEL_NO. ECX:
 * TSA_SQ_NO TSA_L1_NO */
#define E21A_PLAIN                                                                                 \
    (BIT(0) | BIT(1) | BIT(2) | BIT(5) | BIT(6) | BIT(9) | BIT(10) | BIT(11) | BIT(20) | BIT(29) | \
     BIT(30))
#define E21C_PLAIN (BIT(1) | BIT(2))

static void host_leaf(const struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    vcpu->facts->cpuid(leaf, subleaf, out);
}

/* Whether the guest may use a CR4 feature that CPUID announces. */
static uint32_t if_cr4(const struct vcpu *vcpu, uint64_t cr4_bit, uint32_t cpuid_bit)
{
    return (cr4_guest_allowed(vcpu) & cr4_bit) ? cpuid_bit : 0;
}

static uint32_t if_xcr0(const struct vcpu *vcpu, uint64_t components, uint32_t cpuid_bits)
{
    return (xcr0_guest_allowed(vcpu) & components) == components ? cpuid_bits : 0;
}

static bool is_amd(const struct vcpu *vcpu)
{
    return vcpu->facts->vendor == CPU_VENDOR_AMD;
}

static void build_leaf_1(struct vcpu *vcpu, uint32_t out[4])
{
    host_leaf(vcpu, 1, 0, out);
    /* One logical processor, APIC ID 0; CLFLUSH size and brand index are the host's. */
    out[EBX] = (out[EBX] & 0xffff) | 1u << 16;
    out[ECX] &= L1C_PLAIN | if_cr4(vcpu, X86_CR4_PCIDE, L1C_PCID) |
                if_cr4(vcpu, X86_CR4_OSXSAVE, L1C_XSAVE) | if_xcr0(vcpu, X86_XCR0_AVX, L1C_AVX);
    out[ECX] |= L1C_HYPERVISOR | L1C_APIC;
    out[EDX] &= L1D_PLAIN;
}

static void build_leaf_7(struct vcpu *vcpu, uint32_t out[4])
{
    host_leaf(vcpu, 7, 0, out);
    out[EAX] = 0;
    out[EBX] &= L7B_PLAIN | if_cr4(vcpu, X86_CR4_FSGSBASE, L7B_FSGSBASE) |
                if_cr4(vcpu, X86_CR4_SMEP, L7B_SMEP) | if_cr4(vcpu, X86_CR4_SMAP, L7B_SMAP) |
                (vcpu->facts->invpcid ? L7B_INVPCID : 0) | if_xcr0(vcpu, X86_XCR0_AVX, L7B_AVX2) |
                if_xcr0(vcpu, X86_XCR0_AVX512, L7B_AVX512);
    if (!is_amd(vcpu))              /* AMD's CPUs have no such MSR */
        out[EBX] |= L7B_TSC_ADJUST; /* msr.c keeps it, whatever the host has */
    out[ECX] &= L7C_PLAIN | if_cr4(vcpu, X86_CR4_UMIP, L7C_UMIP) |
                (vcpu->facts->rdtscp ? L7C_RDPID : 0) | if_xcr0(vcpu, X86_XCR0_AVX, L7C_AVX) |
                if_xcr0(vcpu, X86_XCR0_AVX512, L7C_AVX512);
    out[EDX] &= L7D_PLAIN | if_xcr0(vcpu, X86_XCR0_AVX512, L7D_AVX512);
}

/* Cache parameters, each cache of one core with one thread: leaf 4 and AMD's 8000001Dh, which are
 * alike where it matters. */
static void build_caches(struct vcpu *vcpu, uint32_t leaf, uint32_t table[][4])
{
    for (unsigned i = 0; i + 1 < VCPU_CPUID_CACHES; i++) {
        uint32_t *out = table[i];
        host_leaf(vcpu, leaf, i, out);
        if ((out[EAX] & 0x1f) == 0) {
            memset(out, 0, 4 * sizeof(*out));
            return;
        }
        out[EAX] &= 0x3fff;
    }
}

static void build_topology(struct vcpu *vcpu)
{
    static const uint32_t smt[4] = {0, 1, 1u << 8, 0}, core[4] = {0, 1, 2u << 8 | 1, 0};
    memcpy(vcpu->cpuid.topology[0], smt, sizeof(smt));
    memcpy(vcpu->cpuid.topology[1], core, sizeof(core));
}

/* The area's components are the host's; its sizes follow XCR0: cpuid_update(). */
static void build_xsave(struct vcpu *vcpu)
{
    uint64_t allowed = xcr0_guest_allowed(vcpu);
    if (!(vcpu->cpuid.basic[1][ECX] & L1C_XSAVE))
        return;
    uint32_t *features = vcpu->cpuid.xsave[1];
    host_leaf(vcpu, 0xd, 1, features);
    /* XSAVEOPT and XGETBV of 1; XSAVEC and XSAVES, the compacted format, by the backend's leave. */
    features[EAX] &= vcpu->facts->xsaves ? 0xf : 0x5;
    features[EBX] = features[ECX] = features[EDX] = 0;
    for (unsigned i = 2; i < VCPU_CPUID_XSAVE; i++)
        if (allowed & BIT64(i))
            host_leaf(vcpu, 0xd, i, vcpu->cpuid.xsave[i]);
}

/* Bytes of an XSAVE area with the given components, in either format. SDM "Standard Format of the
 * Extended Region" and "Compacted Format of the Extended Region". */
static uint32_t xsave_size(const struct vcpu_cpuid *table, uint64_t components, bool compacted)
{
    uint32_t size = 512 + 64;
    for (unsigned i = 2; i < VCPU_CPUID_XSAVE; i++) {
        const uint32_t *component = table->xsave[i];
        if (!(components & BIT64(i)))
            continue;
        uint32_t start = component[EBX];
        if (compacted)
            start = (component[ECX] & 2) ? (uint32_t)align_up(size, 64) : size;
        size = (uint32_t)max_u64(size, start + component[EAX]);
    }
    return size;
}

static void update_xsave(struct vcpu *vcpu)
{
    struct vcpu_cpuid *table = &vcpu->cpuid;
    uint64_t allowed = xcr0_guest_allowed(vcpu);
    table->xsave[0][EAX] = (uint32_t)allowed;
    table->xsave[0][EBX] = xsave_size(table, vcpu->xcr0, false);
    table->xsave[0][ECX] = xsave_size(table, allowed, false);
    table->xsave[0][EDX] = 0;
    if (table->xsave[1][EAX] & 0xa) /* XSAVEC or XSAVES */
        table->xsave[1][EBX] = xsave_size(table, vcpu->xcr0, true);
}

void cpuid_update(struct vcpu *vcpu, uint64_t cr4)
{
    uint32_t *features = &vcpu->cpuid.basic[1][ECX];
    *features &= ~L1C_OSXSAVE;
    if (!(*features & L1C_XSAVE))
        return;
    if (cr4 & X86_CR4_OSXSAVE)
        *features |= L1C_OSXSAVE;
    update_xsave(vcpu);
}

void cpuid_show_apic(struct vcpu *vcpu, bool enabled)
{
    struct vcpu_cpuid *table = &vcpu->cpuid;
    uint32_t bit = enabled ? L1D_APIC : 0;
    table->basic[1][EDX] = (table->basic[1][EDX] & ~L1D_APIC) | bit;
    if (is_amd(vcpu)) /* AMD's CPUs repeat it */
        table->extended[1][EDX] = (table->extended[1][EDX] & ~L1D_APIC) | bit;
}

/* The guest's XCR0 lies in the CPU. QEMU's TCG doesn't intercept XSETBV, so the CPU is asked. */
void cpuid_follow_xcr0(struct vcpu *vcpu)
{
    if (!(vcpu->cpuid.basic[1][ECX] & L1C_XSAVE))
        return;
    uint64_t xcr0 = vcpu->facts->xgetbv();
    if (xcr0 == vcpu->xcr0)
        return;
    vcpu->xcr0 = xcr0;
    update_xsave(vcpu);
}

static uint32_t crystal_ratio(uint64_t tsc_hz)
{
    uint32_t ratio = 1;
    while (tsc_hz / ratio > UINT32_MAX)
        ratio *= 2;
    return ratio;
}

uint32_t cpuid_crystal_hz(const struct cpu_facts *facts)
{
    return (uint32_t)(facts->tsc_hz / crystal_ratio(facts->tsc_hz));
}

/* The TSC's frequency as crystal times ratio, so that no guest has to measure it. */
static void build_frequencies(struct vcpu *vcpu)
{
    uint64_t hz = vcpu->facts->tsc_hz;
    uint32_t *crystal = vcpu->cpuid.basic[0x15], *mhz = vcpu->cpuid.basic[0x16];
    crystal[EAX] = 1;
    crystal[EBX] = crystal_ratio(hz);
    crystal[ECX] = cpuid_crystal_hz(vcpu->facts);
    mhz[EAX] = mhz[EBX] = (uint32_t)((hz + 500000) / 1000000);

    uint32_t *timing = vcpu->cpuid.hypervisor[1];
    timing[EAX] = (uint32_t)(hz / 1000);
}

/* Leaves that only AMD's CPUs have. What isn't named here is zero: SVM (8000000Ah), IBS, LWP,
 * memory encryption (8000001Fh), quality of service. 8000001Eh is zero because it tells of the
 * first thread of the first core of the only node. */
static void build_amd(struct vcpu *vcpu, const uint32_t host_1[4], const uint32_t host_8[4])
{
    uint32_t(*out)[4] = vcpu->cpuid.extended;
    uint32_t last = LEAF_EXTENDED + vcpu->cpuid.extended_count - 1;
    out[8][EBX] = (host_8[EBX] & E8B_AMD) | E8B_LMSLE_UNSUPPORTED; /* msr.c refuses EFER.LMSLE */
    if (last >= 0x80000019u) {                                     /* TLBs for 1 GiB pages */
        host_leaf(vcpu, 0x80000019u, 0, out[0x19]);
        out[0x19][ECX] = out[0x19][EDX] = 0;
    }
    if (last >= 0x8000001au) { /* how wide the SSE units are */
        host_leaf(vcpu, 0x8000001au, 0, out[0x1a]);
        out[0x1a][EAX] &= 7;
        out[0x1a][EBX] = out[0x1a][ECX] = out[0x1a][EDX] = 0;
    }
    if (last >= LEAF_AMD_CACHES + 1 && (host_1[ECX] & E1C_TOPOEXT)) {
        out[1][ECX] |= E1C_TOPOEXT;
        build_caches(vcpu, LEAF_AMD_CACHES, vcpu->cpuid.amd_cache);
    }
    if (last >= 0x80000021u) {
        host_leaf(vcpu, 0x80000021u, 0, out[0x21]);
        out[0x21][EAX] &= E21A_PLAIN;
        out[0x21][ECX] &= E21C_PLAIN;
        out[0x21][EBX] = out[0x21][EDX] = 0;
    }
}

static void build_extended(struct vcpu *vcpu)
{
    const struct cpu_facts *facts = vcpu->facts;
    uint32_t(*out)[4] = vcpu->cpuid.extended;
    uint32_t host[EXTENDED_COUNT][4] = {0};
    host_leaf(vcpu, LEAF_EXTENDED, 0, host[0]);
    for (unsigned i = 1; i < EXTENDED_COUNT; i++)
        if (host[0][EAX] >= LEAF_EXTENDED + i)
            host_leaf(vcpu, LEAF_EXTENDED + i, 0, host[i]);
    memcpy(out, host, sizeof(host));

    vcpu->cpuid.extended_count = EXTENDED_COUNT;
    if (is_amd(vcpu) && host[0][EAX] >= LEAF_EXTENDED + EXTENDED_COUNT)
        vcpu->cpuid.extended_count =
            (uint32_t)min_u64(host[0][EAX] - LEAF_EXTENDED + 1, VCPU_CPUID_EXTENDED);
    out[0][EAX] = LEAF_EXTENDED + vcpu->cpuid.extended_count - 1;
    out[1][EBX] = 0;
    out[1][ECX] &= E1C_PLAIN | if_xcr0(vcpu, X86_XCR0_AVX, E1C_AVX);
    out[1][EDX] &= E1D_PLAIN | (facts->nx ? E1D_NX : 0) | (facts->gib_pages ? E1D_GIB : 0) |
                   (facts->rdtscp ? E1D_RDTSCP : 0);
    out[7][EAX] = out[7][EBX] = out[7][ECX] = 0;
    out[7][EDX] &= E7D_INVARIANT_TSC;
    unsigned physical_bits = 64 - (unsigned)__builtin_clzll(facts->physical_address_mask | 1);
    out[8][EAX] = physical_bits | 48u << 8;
    out[8][EBX] &= E8B_CLZERO;
    out[8][ECX] = out[8][EDX] = 0;
    if (is_amd(vcpu))
        build_amd(vcpu, host[1], host[8]);
}

void cpuid_build(struct vcpu *vcpu)
{
    static const char signature[13] = "pxHVpxHVpxHV", kvm_signature[13] = "KVMKVMKVM";
    struct vcpu_cpuid *table = &vcpu->cpuid;
    memset(table, 0, sizeof(*table));

    host_leaf(vcpu, 0, 0, table->basic[0]);
    uint32_t host_max = table->basic[0][EAX];
    bool intel = vcpu->facts->vendor == CPU_VENDOR_INTEL;
    table->max_basic = intel ? MAX_BASIC_INTEL : MAX_BASIC_OTHER;
    table->basic[0][EAX] = table->max_basic;
    build_leaf_1(vcpu, table->basic[1]);
    if (host_max >= 2 && intel)
        host_leaf(vcpu, 2, 0, table->basic[2]);
    if (host_max >= 4)
        build_caches(vcpu, 4, table->cache);
    table->basic[6][EAX] = L6A_ARAT;
    if (host_max >= 7)
        build_leaf_7(vcpu, table->basic[7]);
    build_topology(vcpu);
    if (host_max >= 0xd)
        build_xsave(vcpu);
    build_frequencies(vcpu);
    build_extended(vcpu);
    table->hypervisor[0][EAX] = LEAF_HYPERVISOR_TIMING;
    memcpy(&table->hypervisor[0][EBX], signature, 12);
    /* A second interface besides pxHV's own, at the next base where guests look for one. */
    table->hypervisor[2][EAX] = LEAF_KVM_FEATURES;
    memcpy(&table->hypervisor[2][EBX], kvm_signature, 12);
    table->hypervisor[3][EAX] = KVM_FEATURES | (pveoi_shown(vcpu) ? KVM_PV_EOI : 0);
    cpuid_update(vcpu, 0);
    cpuid_show_apic(vcpu, true);
}

/* --- lookup ----------------------------------------------------------------------------------- */

static const uint32_t nothing[4];

static const uint32_t *find_subleaf(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    struct vcpu_cpuid *table = &vcpu->cpuid;
    switch (leaf) {
    case 4:
        return subleaf < VCPU_CPUID_CACHES ? table->cache[subleaf] : nothing;
    case 7:
        return subleaf == 0 ? table->basic[7] : nothing;
    case 0xb:
        if (subleaf < 2)
            return table->topology[subleaf];
        table->topology[2][ECX] = subleaf & 0xff; /* the CPU echoes it */
        return table->topology[2];
    default:
        cpuid_follow_xcr0(vcpu);
        return subleaf < VCPU_CPUID_XSAVE ? table->xsave[subleaf] : nothing;
    }
}

static const uint32_t *find(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    struct vcpu_cpuid *table = &vcpu->cpuid;
    if (leaf <= table->max_basic) {
        if (BIT(leaf) & SUBLEAF_LEAVES)
            return find_subleaf(vcpu, leaf, subleaf);
        return table->basic[leaf];
    }
    if (leaf - LEAF_EXTENDED < table->extended_count) {
        if (leaf == LEAF_AMD_CACHES)
            return subleaf < VCPU_CPUID_CACHES ? table->amd_cache[subleaf] : nothing;
        return table->extended[leaf - LEAF_EXTENDED];
    }
    if (leaf == LEAF_HYPERVISOR)
        return table->hypervisor[0];
    if (leaf == LEAF_HYPERVISOR_TIMING)
        return table->hypervisor[1];
    if (leaf == LEAF_KVM || leaf == LEAF_KVM_FEATURES)
        return table->hypervisor[2 + (leaf - LEAF_KVM)];
    if (leaf >> 28 == LEAF_HYPERVISOR >> 28 || table->max_basic != MAX_BASIC_INTEL)
        return nothing;
    /* SDM "CPUID—CPU Identification": beyond the end, the highest basic leaf answers. */
    return table->basic[MAX_BASIC_INTEL];
}

void cpuid_guest(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memcpy(out, find(vcpu, leaf, subleaf), 4 * sizeof(uint32_t));
}

static inline enum exit_action answer(struct vcpu *vcpu, const uint32_t *out)
{
    vcpu->gpr[VGPR_RAX] = out[EAX];
    vcpu->gpr[VGPR_RBX] = out[EBX];
    vcpu->gpr[VGPR_RCX] = out[ECX];
    vcpu->gpr[VGPR_RDX] = out[EDX];
    return EXIT_ADVANCE;
}

/* Apart, so that the leaves that are asked for most don't pay for its stack frame. */
static __attribute__((noinline)) enum exit_action answer_other(struct vcpu *vcpu)
{
    return answer(vcpu, find(vcpu, (uint32_t)vcpu->gpr[VGPR_RAX], (uint32_t)vcpu->gpr[VGPR_RCX]));
}

enum exit_action cpuid_exit(struct vcpu *vcpu, struct vexit *exit)
{
    (void)exit;
    uint32_t leaf = (uint32_t)vcpu->gpr[VGPR_RAX];
    if (leaf <= vcpu->cpuid.max_basic && !(BIT(leaf) & SUBLEAF_LEAVES))
        return answer(vcpu, vcpu->cpuid.basic[leaf]);
    return answer_other(vcpu);
}
