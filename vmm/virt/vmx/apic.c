/*
 * The guest's local APIC as far as VT-x does it. SDM "APIC Virtualization and Virtual Interrupts".
 *
 * The virtual-APIC page is the very page that the device has its registers in. With the TPR shadow
 * MOV CR8 works on it, and an exit comes when TPR falls below the threshold. With virtual-interrupt
 * delivery the CPU also takes what IRR requests and ends what ISR holds; RVI and SVI are then the
 * only state beside the page, and both can be had from it, so that an exit has nothing to save.
 *
 * APIC-register virtualization serves reads in both modes. In xAPIC mode it also puts what the
 * guest writes into the page, raw, and exits behind the instruction: nothing has to be fetched and
 * decoded then. The device trusts nothing there that the guest can write so.
 *
 * Posted interrupts let the guest's timer expire without an exit. The notification is the host
 * timer's own vector: pxHV needs that timer for its sleep alone, and while the guest runs the VMX-
 * preemption timer has all other deadlines. What the CPU takes from the descriptor it puts into the
 * page, and into RVI.
 */
#include "virt/vmx/vmx.h"

#include "hw/cpu.h"
#include "hw/hw.h"
#include "lib/bits.h"

#define X2APIC_FIRST    0x800u
#define X2APIC_TPR      0x808u
#define X2APIC_EOI      0x80Bu
#define X2APIC_SELF_IPI 0x83Fu

#define PAGE_TPR 0x80u
#define PAGE_ISR 0x100u
#define PAGE_IRR 0x200u

#define CR8_EXITS (CPU_CR8_LOAD | CPU_CR8_STORE)

enum vapic_help vmx_apic_help(void)
{
    if (!vmx_caps.tpr_shadow)
        return VAPIC_NONE;
    if (!vmx_caps.interrupt_delivery)
        return VAPIC_TPR;
    return vmx_caps.posted_interrupts && hw_timer_exact() ? VAPIC_POSTED : VAPIC_DELIVERY;
}

bool vmx_apic_init(struct vcpu *vcpu, struct vmx_vcpu *state, const struct frame_source *frames)
{
    if (vcpu->apic_help == VAPIC_NONE)
        return true;
    vmwrite(VMCS_VIRTUAL_APIC_PAGE, (hpa_t)vcpu->apic_page);
    if (vcpu->apic_help < VAPIC_DELIVERY)
        return true;
    if (vcpu->apic_help == VAPIC_POSTED) {
        vmwrite(VMCS_EXIT_CONTROLS, vmx_caps.exit | EXI_ACKNOWLEDGE);
        vmwrite(VMCS_NOTIFICATION_VECTOR, HW_VECTOR_TIMER);
        vmwrite(VMCS_POSTED_DESCRIPTOR, (hpa_t)vcpu->apic_posted);
    }
    state->apic_access_page = frames->alloc(frames->ctx, 1); /* nobody ever reads or writes it */
    vmwrite(VMCS_APIC_ACCESS_PAGE, state->apic_access_page);
    return state->apic_access_page != 0;
}

uint64_t vmx_apic_cr8(const struct vcpu *vcpu)
{
    return vcpu->apic_page[PAGE_TPR / 4] >> 4 & 15;
}

void vmx_apic_set_cr8(struct vcpu *vcpu, uint64_t cr8)
{
    uint32_t *tpr = &vcpu->apic_page[PAGE_TPR / 4];
    if (*tpr >> 4 != cr8)
        *tpr = (uint32_t)cr8 << 4;
}

/* Registers that hold what a read is to give: not EOI, DFR, ICR (whose halves lie apart), SELF IPI,
 * the current count, nor what isn't there. */
static bool readable(uint32_t msr)
{
    static const uint64_t some = BIT64(0x02) | BIT64(0x03) | BIT64(0x08) | BIT64(0x0A) |
                                 BIT64(0x0D) | BIT64(0x0F) | BIT64(0x38) | BIT64(0x3E);
    uint32_t n = msr - X2APIC_FIRST;
    return (n >= 0x10 && n <= 0x28) || (n >= 0x32 && n <= 0x37) || (some >> n & 1);
}

static void open_msrs(struct vmx_vcpu *state, bool open)
{
    for (uint32_t msr = X2APIC_FIRST; msr <= X2APIC_SELF_IPI; msr++) {
        bool writes = msr == X2APIC_TPR || msr == X2APIC_EOI || msr == X2APIC_SELF_IPI;
        vmx_msr_intercept(state, msr, !(open && readable(msr)), !(open && writes));
    }
}

static void map_page(struct vcpu *vcpu, bool mapped)
{
    const struct mapping page = {
        .gpa = VAPIC_USUAL_PAGE,
        .hpa = vmx_state(vcpu)->apic_access_page,
        .size_bytes = PAGE_SIZE,
        .rights = mapped ? MAP_READ | MAP_WRITE : 0,
        .type = MAP_WB,
    };
    vmx_map(vcpu, &page); /* without frames for its tables the accesses exit as elsewhere */
    vmx_flush(vcpu);
}

/* Not without virtual-interrupt delivery: the VM entry would fail. */
static void switch_posting(struct vmx_vcpu *state, bool posting)
{
    if (posting == state->apic_posting)
        return;
    state->apic_posting = posting;
    vmwrite(VMCS_PIN_CONTROLS, vmx_caps.pin | (posting ? PIN_POSTED_INTERRUPTS : 0));
}

/* Off when nothing is posted: what else makes the host's timer interrupt is then an exit. Bochs 3.0
 * takes a notification that finds nothing for vector FFh. */
bool vmx_post(struct vcpu *vcpu, uint64_t tsc)
{
    bool never = tsc == UINT64_MAX, posting = !never && hw_timer_notify(tsc);

    switch_posting(vmx_state(vcpu), posting);
    return posting || never;
}

static void switch_delivery(struct vcpu *vcpu, bool delivery, enum vapic_access access)
{
    struct vmx_vcpu *state = vmx_state(vcpu);
    bool page = delivery && access == VAPIC_PAGE, msrs = delivery && access == VAPIC_MSRS;
    uint32_t cpu2 = vmx_caps.cpu2;

    if (!delivery)
        switch_posting(state, false);
    if (page != state->apic_mapped)
        map_page(vcpu, page);
    state->apic_mapped = page;
    open_msrs(state, msrs);
    if (delivery)
        cpu2 |= CPU2_INTERRUPT_DELIVERY;
    if (page)
        cpu2 |= CPU2_APIC_ACCESSES;
    if (msrs)
        cpu2 |= CPU2_X2APIC;
    if (page || msrs)
        cpu2 |= CPU2_APIC_REGISTERS;
    vmwrite(VMCS_CPU2_CONTROLS, cpu2);
    vmwrite(VMCS_TPR_THRESHOLD, 0);
    state->apic_delivery = delivery;
    state->apic_access = access;
    state->apic_threshold = 0;
}

static void write_eoi_exits(struct vmx_vcpu *state, const uint32_t level[8])
{
    for (unsigned i = 0; i < ARRAY_SIZE(state->eoi_exits); i++) {
        uint64_t exits = (uint64_t)level[2 * i + 1] << 32 | level[2 * i];
        if (exits != state->eoi_exits[i])
            vmwrite(VMCS_EOI_EXIT_BITMAP0 + 2 * i, exits);
        state->eoi_exits[i] = exits;
    }
}

/*
 * Bochs 2.7 delivers what is requested in spite of a clear IF when an interrupt of the host's is
 * pending, too. It offers virtual-interrupt delivery without posted interrupts, which no CPU of
 * Intel's does. Bochs 3.0 does the same in models that have both, and counts its preemption timer
 * by each tick of the TSC, which no CPU of Intel's with both is known to. There a request that
 * finds IF clear waits for an interrupt window, during which the CPU takes none by itself. A
 * request that has to wait for the end of another interrupt, which handlers tell with IF clear,
 * isn't shown before that end has made an exit. Only what the guest sends itself stays at risk.
 */
static bool waits_for_window(const struct vcpu *vcpu, const struct vapic *vapic)
{
    bool deaf = !(vcpu->rflags & RFLAGS_IF) || vcpu->inject.type != VEVENT_NONE;
    return vmx_caps.delivery_ignores_if && vapic->delivery && deaf &&
           vapic->requested >> 4 > vapic->in_service >> 4;
}

/* Whether there is a request behind another interrupt, in service or to be: beside the highest. */
static inline bool queue_forms(const struct vcpu *vcpu, const struct vapic *vapic)
{
    const uint32_t *lowest = vcpu->apic_page + PAGE_IRR / 4;
    const uint32_t *word = lowest + vapic->requested / 32 * 4;
    uint32_t others = vapic->in_service | (*word ^ BIT(vapic->requested % 32));
    while (word > lowest)
        others |= *(word -= 4);
    return others != 0;
}

/* The ends of all that is in the page exit. What can't be taken before one isn't shown. */
static __attribute__((noinline)) void write_queue(struct vcpu *vcpu, const struct vapic *vapic)
{
    bool waits = vapic->requested >> 4 <= vapic->in_service >> 4;
    uint32_t exits[8];
    for (unsigned i = 0; i < ARRAY_SIZE(exits); i++)
        exits[i] = vapic->level[i] | vcpu->apic_page[PAGE_ISR / 4 + 4 * i] |
                   vcpu->apic_page[PAGE_IRR / 4 + 4 * i];
    write_eoi_exits(vmx_state(vcpu), exits);
    vmwrite(VMCS_GUEST_INTERRUPT_STATUS,
            (uint32_t)vapic->in_service << 8 | (waits ? 0 : vapic->requested));
}

static inline void write_delivery(struct vcpu *vcpu, const struct vapic *vapic)
{
    if (vmx_caps.delivery_ignores_if && vapic->requested && queue_forms(vcpu, vapic)) {
        write_queue(vcpu, vapic);
        return;
    }
    write_eoi_exits(vmx_state(vcpu), vapic->level);
    vmwrite(VMCS_GUEST_INTERRUPT_STATUS, (uint32_t)vapic->in_service << 8 | vapic->requested);
}

void vmx_apic(struct vcpu *vcpu, const struct vapic *vapic)
{
    struct vmx_vcpu *state = vmx_state(vcpu);

    if (vapic->delivery != state->apic_delivery || vapic->access != state->apic_access)
        switch_delivery(vcpu, vapic->delivery, vapic->access);
    if (vapic->delivery) {
        write_delivery(vcpu, vapic);
    } else if (vapic->tpr_threshold != state->apic_threshold) {
        state->apic_threshold = vapic->tpr_threshold;
        vmwrite(VMCS_TPR_THRESHOLD, vapic->tpr_threshold);
    }
    bool waits = waits_for_window(vcpu, vapic);
    if (waits == state->apic_waits)
        return;
    state->apic_waits = waits;
    vmx_load_windows(vcpu);
}

/* No help but CR8, until the run loop knows the mode. */
void vmx_apic_reset(struct vcpu *vcpu)
{
    struct vmx_vcpu *state = vmx_state(vcpu);

    if (vcpu->apic_help == VAPIC_NONE)
        return;
    state->cpu_controls = (state->cpu_controls & ~CR8_EXITS) | CPU_TPR_SHADOW;
    state->apic_waits = false;
    switch_delivery(vcpu, false, VAPIC_NOWHERE);
}
