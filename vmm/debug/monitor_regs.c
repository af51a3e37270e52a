/* The monitor's command "registers". */
#include "debug/monitor.h"
#include "lib/mem.h"
#include "virt/virt.h"
#include "virt/x86.h"

typedef unsigned long long ull;

static ull reg(struct monitor *monitor, enum vreg reg)
{
    return monitor->vcpu->backend->reg_get(monitor->vcpu, reg);
}

/* A bit of a register, by the manuals' name. */
struct bit_name {
    uint64_t bit;
    const char *name;
};

static void print_bits(struct monitor *monitor, uint64_t value, const struct bit_name *names,
                       unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (value & names[i].bit)
            monitor_printf(monitor, " %s", names[i].name);
    monitor_printf(monitor, "\n");
}

#define PRINT_BITS(monitor, value, names) print_bits(monitor, value, names, ARRAY_SIZE(names))

static void print_general(struct monitor *monitor)
{
    static const char name[16][4] = {"RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP",
                                     "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
    static const uint8_t gpr[16] = {VGPR_RAX, VGPR_RBX, VGPR_RCX, VGPR_RDX, VGPR_RSI, VGPR_RDI,
                                    VGPR_RBP, VGPR_RSP, VGPR_R8,  VGPR_R9,  VGPR_R10, VGPR_R11,
                                    VGPR_R12, VGPR_R13, VGPR_R14, VGPR_R15};
    static const struct bit_name flags[] = {
        {BIT64(0), "CF"},  {BIT64(2), "PF"},  {BIT64(4), "AF"},  {BIT64(6), "ZF"},
        {BIT64(7), "SF"},  {BIT64(8), "TF"},  {BIT64(9), "IF"},  {BIT64(10), "DF"},
        {BIT64(11), "OF"}, {BIT64(14), "NT"}, {BIT64(16), "RF"}, {BIT64(17), "VM"},
        {BIT64(18), "AC"}, {BIT64(21), "ID"},
    };
    struct vcpu *vcpu = monitor->vcpu;
    uint64_t rflags = vdebug_rflags(vcpu);

    for (unsigned i = 0; i < 16; i++)
        monitor_printf(monitor, "%.3s %016llx%s", name[i],
                       gpr[i] == VGPR_RSP ? reg(monitor, VREG_RSP) : (ull)vcpu->gpr[gpr[i]],
                       i % 3 == 2 || i == 15 ? "\n" : "  ");
    monitor_printf(monitor, "RIP %016llx  RFLAGS %08llx", (ull)vcpu->rip, (ull)rflags);
    PRINT_BITS(monitor, rflags, flags);
}

static void print_segments(struct monitor *monitor)
{
    static const char name[VSEG_COUNT][5] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"};

    for (unsigned i = 0; i < VSEG_COUNT; i++) {
        struct vseg seg;
        monitor->vcpu->backend->seg_get(monitor->vcpu, (enum vseg_name)i, &seg);
        monitor_printf(monitor, "%-4s %04x  base %016llx  limit %08x  access %04x%s\n", name[i],
                       seg.selector, (ull)seg.base, seg.limit, seg.access,
                       seg.access & BIT(7) ? "" : "  unusable");
    }
    monitor_printf(monitor, "GDTR       base %016llx  limit %08llx\n", reg(monitor, VREG_GDTR_BASE),
                   reg(monitor, VREG_GDTR_LIMIT));
    monitor_printf(monitor, "IDTR       base %016llx  limit %08llx\n", reg(monitor, VREG_IDTR_BASE),
                   reg(monitor, VREG_IDTR_LIMIT));
}

static void print_control(struct monitor *monitor)
{
    static const struct bit_name cr0[] = {
        {X86_CR0_PE, "PE"}, {X86_CR0_MP, "MP"}, {X86_CR0_EM, "EM"}, {X86_CR0_TS, "TS"},
        {X86_CR0_ET, "ET"}, {X86_CR0_NE, "NE"}, {X86_CR0_WP, "WP"}, {X86_CR0_AM, "AM"},
        {X86_CR0_NW, "NW"}, {X86_CR0_CD, "CD"}, {X86_CR0_PG, "PG"},
    };
    static const struct bit_name cr4[] = {
        {X86_CR4_VME, "VME"},     {X86_CR4_PVI, "PVI"},
        {X86_CR4_TSD, "TSD"},     {X86_CR4_DE, "DE"},
        {X86_CR4_PSE, "PSE"},     {X86_CR4_PAE, "PAE"},
        {X86_CR4_MCE, "MCE"},     {X86_CR4_PGE, "PGE"},
        {X86_CR4_PCE, "PCE"},     {X86_CR4_OSFXSR, "OSFXSR"},
        {X86_CR4_UMIP, "UMIP"},   {X86_CR4_OSXMMEXCPT, "OSXMMEXCPT"},
        {BIT64(12), "LA57"},      {X86_CR4_FSGSBASE, "FSGSBASE"},
        {X86_CR4_PCIDE, "PCIDE"}, {X86_CR4_OSXSAVE, "OSXSAVE"},
        {X86_CR4_SMEP, "SMEP"},   {X86_CR4_SMAP, "SMAP"},
    };
    static const struct bit_name efer[] = {
        {X86_EFER_SCE, "SCE"}, {X86_EFER_LME, "LME"}, {X86_EFER_LMA, "LMA"}, {X86_EFER_NXE, "NXE"}};

    monitor_printf(monitor, "CR0  %08llx", reg(monitor, VREG_CR0));
    PRINT_BITS(monitor, reg(monitor, VREG_CR0), cr0);
    monitor_printf(monitor, "CR2  %016llx\nCR3  %016llx\n", reg(monitor, VREG_CR2),
                   reg(monitor, VREG_CR3));
    monitor_printf(monitor, "CR4  %08llx", reg(monitor, VREG_CR4));
    PRINT_BITS(monitor, reg(monitor, VREG_CR4), cr4);
    monitor_printf(monitor, "CR8  %llx\nEFER %08llx",
                   (ull)monitor->vcpu->hooks.cr8_read(monitor->vcpu->hooks.ctx),
                   reg(monitor, VREG_EFER));
    PRINT_BITS(monitor, reg(monitor, VREG_EFER), efer);
    monitor_printf(monitor, "XCR0 %llx\n", (ull)monitor->vcpu->xcr0);
}

/* As the guest knows them: breaks and watches of ours aren't its. */
static void print_debug(struct monitor *monitor)
{
    for (unsigned i = 0; i < 4; i++)
        monitor_printf(monitor, "DR%u %016llx\n", i,
                       (ull)vdebug_dr(monitor->vcpu, (enum vreg)(VREG_DR0 + i)));
    monitor_printf(monitor, "DR6 %08llx  DR7 %08llx\n", (ull)vdebug_dr(monitor->vcpu, VREG_DR6),
                   (ull)vdebug_dr(monitor->vcpu, VREG_DR7));
}

static void print_msrs(struct monitor *monitor)
{
    static const struct {
        uint32_t number;
        enum vreg reg;
        const char *name;
    } msrs[] = {
        {0x174, VREG_SYSENTER_CS, "SYSENTER_CS"},
        {0x175, VREG_SYSENTER_ESP, "SYSENTER_ESP"},
        {0x176, VREG_SYSENTER_EIP, "SYSENTER_EIP"},
        {0x277, VREG_PAT, "PAT"},
        {0xC0000080, VREG_EFER, "EFER"},
        {0xC0000100, VREG_FS_BASE, "FS_BASE"},
        {0xC0000101, VREG_GS_BASE, "GS_BASE"},
    };
    const struct vcpu *vcpu = monitor->vcpu;
    uint64_t apic_base = 0;

    vcpu->hooks.apic_read(vcpu->hooks.ctx, 0x1B, &apic_base);
    monitor_printf(monitor, "%8x %016llx APIC_BASE\n", 0x1B, (ull)apic_base);
    monitor_printf(monitor, "%8x %016llx TSC_ADJUST\n", 0x3B, (ull)vcpu->tsc_adjust);
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
        monitor_printf(monitor, "%8x %016llx %s\n", msrs[i].number, reg(monitor, msrs[i].reg),
                       msrs[i].name);
}

void monitor_registers(struct monitor *monitor, const char *args)
{
    static const struct {
        const char *name;
        void (*print)(struct monitor *monitor);
    } group[] = {
        {"general", print_general}, {"segments", print_segments}, {"control", print_control},
        {"debug", print_debug},     {"msrs", print_msrs},
    };
    bool all = str_eq(args, "all"), found = false;

    for (unsigned i = 0; i < ARRAY_SIZE(group); i++) {
        if (all || str_eq(*args ? args : "general", group[i].name)) {
            group[i].print(monitor);
            found = true;
        }
    }
    if (!found)
        monitor_printf(monitor, "general, segments, control, debug, msrs or all\n");
}
