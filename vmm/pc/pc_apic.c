/*
 * The machine's two APICs: what leads to them and what the CPU asks of its own one. The 8259As stay
 * beside them, behind LINT0; each of their inputs is an input of the I/O APIC too.
 */
#include "lib/assert.h"
#include "pc/layout.h"
#include "pc/pc.h"
#include "virt/virt.h"

#define NOWHERE UINT64_MAX

static vtime_t now(struct pc *pc)
{
    return pc->config.now(pc->config.now_ctx);
}

/* --- inputs ----------------------------------------------------------------------------------- */

void pc_set_irq(void *ctx, unsigned irq, bool high)
{
    struct pc *pc = ctx;

    pic8259_set_irq(&pc->pic, irq, high);
    ioapic_set_irq(&pc->ioapic, irq == PC_IRQ_TIMER ? PC_GSI_TIMER : irq, high);
}

/* Two INTx links share an input of the 8259As, so that it sees their wired OR; at the I/O APIC each
 * has one for itself, active low as on the bus. */
void pc_set_intx(void *ctx, unsigned link, bool high)
{
    struct pc *pc = ctx;
    unsigned irq = pc_pci_irq(link);
    bool any = false;

    pc->intx = (uint8_t)((pc->intx & ~BIT(link)) | (high ? BIT(link) : 0));
    for (unsigned i = 0; i < PCI_INTX_LINK_COUNT; i++)
        any |= pc_pci_irq(i) == irq && pc->intx & BIT(i);
    pic8259_set_irq(&pc->pic, irq, any);
    ioapic_set_irq(&pc->ioapic, PC_GSI_PCI_A + link, !high);
}

/* --- the local APIC's surroundings ------------------------------------------------------------ */

static void set_intr(void *ctx, unsigned pin, bool high)
{
    struct pc *pc = ctx;

    (void)pin;
    if (pc->vcpu)
        pc->vcpu->irq_high = high;
}

/* The run loop arms it as it arms any device's, or posts it anew. */
static void timer_taken_back(void *ctx)
{
    pc_attend(ctx);
}

/* The run loop tells the CPU before the next entry. */
static void apic_changed(void *ctx)
{
    struct pc *pc = ctx;

    if (pc->vcpu)
        pc->vcpu->apic_stale = true;
}

/* Of a CPU that holds it itself. */
static uint8_t read_cr8(void *ctx)
{
    struct pc *pc = ctx;

    return pc->vcpu && pc->vcpu->backend ? (uint8_t)pc->vcpu->backend->reg_get(pc->vcpu, VREG_CR8)
                                         : 0;
}

static void write_cr8(void *ctx, uint8_t cr8)
{
    struct pc *pc = ctx;

    if (pc->vcpu && pc->vcpu->backend)
        pc->vcpu->backend->reg_set(pc->vcpu, VREG_CR8, cr8);
}

static void raise_nmi(void *ctx)
{
    struct pc *pc = ctx;

    if (pc->vcpu)
        pc->vcpu->nmi_pending = true;
}

/* An INIT of the only processor: there is no firmware that would find it in its reset vector. */
static void take_init(void *ctx)
{
    struct pc *pc = ctx;

    if (pc->stop == VM_RUNNING)
        pc->stop = VM_STOP_RESET;
    pc_attend(pc);
}

static int extint_ack(void *ctx)
{
    struct pc *pc = ctx;

    return pic8259_ack(&pc->pic);
}

static void end_of_interrupt(void *ctx, uint8_t vector)
{
    struct pc *pc = ctx;

    ioapic_eoi(&pc->ioapic, vector);
}

static bool offer_end(void *ctx)
{
    struct pc *pc = ctx;

    return pc->vcpu && pveoi_offer(pc->vcpu);
}

static bool withdraw_end(void *ctx)
{
    struct pc *pc = ctx;

    return pveoi_withdraw(pc->vcpu);
}

bool pc_send_message(void *ctx, const struct apic_message *message)
{
    struct pc *pc = ctx;

    return lapic_receive(&pc->lapic, message);
}

/* Nothing of the machine leads to LINT1. What isn't plugged in has no vectors. */
bool pc_nmi_may_come(void *ctx)
{
    const struct pc *pc = ctx;
    bool any = lapic_may_send_nmi(&pc->lapic) || ioapic_may_send_nmi(&pc->ioapic) ||
               msix_may_send_nmi(&pc->hvc_pci.msix) || msix_may_send_nmi(&pc->rng_pci.msix);

    for (unsigned i = 0; i < PC_MAX_DISKS; i++)
        any |= msix_may_send_nmi(&pc->blk_pci[i].msix);
    return any;
}

static vtime_t when_tsc(void *ctx, uint64_t tsc)
{
    struct pc *pc = ctx;
    uint64_t guest = pc->vcpu ? vcpu_tsc(pc->vcpu) : 0;

    if (!pc->vcpu || tsc <= guest)
        return 0;
    vtime_t present = now(pc);
    uint64_t ahead = clock_ns_covering(&pc->vcpu->clock, tsc - guest);
    return ahead < VTIME_NEVER - present ? present + ahead : VTIME_NEVER;
}

/* --- the page --------------------------------------------------------------------------------- */

/* The timer's registers alone need the time: an EOI is the commonest access by far. */
static void catch_up(struct pc *pc, uint32_t offset)
{
    switch (offset) {
    case LAPIC_SVR:
    case LAPIC_LVT_TIMER:
    case LAPIC_INITIAL_COUNT:
    case LAPIC_CURRENT_COUNT:
    case LAPIC_DIVIDE:
        lapic_ops.advance(&pc->lapic, now(pc));
        break;
    default:
        break;
    }
}

/* The run loop looks at the deadlines when the local APIC's has become another. */
static void note_deadline(struct pc *pc, vtime_t before)
{
    if (lapic_ops.next_deadline(&pc->lapic) != before)
        pc_attend(pc);
}

static enum io_result page_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct pc *pc = dev;

    catch_up(pc, offset);
    return lapic_ops.read(&pc->lapic, offset, size, value);
}

static enum io_result page_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct pc *pc = dev;
    vtime_t before = lapic_ops.next_deadline(&pc->lapic);

    catch_up(pc, offset);
    enum io_result result = lapic_ops.write(&pc->lapic, offset, size, value);
    note_deadline(pc, before);
    return result;
}

/* The CPU has put the guest's value into the page already. */
static void page_written(struct pc *pc, uint32_t offset)
{
    vtime_t before = lapic_ops.next_deadline(&pc->lapic);

    catch_up(pc, offset);
    lapic_written(&pc->lapic, offset);
    note_deadline(pc, before);
}

static const struct dev_ops page_ops = {.name = "lapic", .read = page_read, .write = page_write};

/* A page that the guest moves over another device answers nowhere; over RAM, RAM answers. */
static void place_page(void *ctx)
{
    struct pc *pc = ctx;
    bool wanted = lapic_mode(&pc->lapic) == LAPIC_XAPIC;
    uint64_t page = lapic_page(&pc->lapic);

    if (pc->lapic_page != NOWHERE)
        iobus_remove(&pc->mmio, pc->lapic_page);
    pc->lapic_page = NOWHERE;
    if (wanted && iobus_add(&pc->mmio, page, LAPIC_PAGE_SIZE, &page_ops, pc, 0))
        pc->lapic_page = page;
}

/* --- MSRs ------------------------------------------------------------------------------------- */

/* Those of the timer: only they need the time, and only they change the next deadline. */
static bool concerns_timer(uint32_t msr)
{
    static const uint64_t timed = BIT64(LAPIC_SVR / 16) | BIT64(LAPIC_LVT_TIMER / 16) |
                                  BIT64(LAPIC_INITIAL_COUNT / 16) |
                                  BIT64(LAPIC_CURRENT_COUNT / 16) | BIT64(LAPIC_DIVIDE / 16);
    uint32_t number = msr - LAPIC_MSR_X2APIC;
    return number < 64 ? timed >> number & 1 : msr < LAPIC_MSR_X2APIC;
}

bool pc_apic_read(void *ctx, uint32_t msr, uint64_t *value)
{
    struct pc *pc = ctx;

    if (msr != LAPIC_MSR_BASE && concerns_timer(msr))
        lapic_ops.advance(&pc->lapic, now(pc));
    return lapic_msr_read(&pc->lapic, msr, value);
}

static __attribute__((noinline)) bool write_timer(struct pc *pc, uint32_t msr, uint64_t value)
{
    vtime_t before = lapic_ops.next_deadline(&pc->lapic);
    /* A kernel's next tick: behind the last one there is nothing that the present could end. */
    lapic_settle_posted(&pc->lapic);
    if (msr != LAPIC_MSR_TSC_DEADLINE || lapic_timer_tsc_deadline(&pc->lapic) != 0)
        lapic_ops.advance(&pc->lapic, now(pc));
    bool done = lapic_msr_write(&pc->lapic, msr, value);
    note_deadline(pc, before);
    return done;
}

bool pc_apic_write(void *ctx, uint32_t msr, uint64_t value)
{
    struct pc *pc = ctx;

    return concerns_timer(msr) ? write_timer(pc, msr, value)
                               : lapic_msr_write(&pc->lapic, msr, value);
}

/* --- the CPU's help --------------------------------------------------------------------------- */

static enum vapic_access access_of(const struct pc *pc)
{
    if (lapic_mode(&pc->lapic) == LAPIC_X2APIC)
        return VAPIC_MSRS;
    /* RAM that lies there answers first, as always. */
    bool usual = pc->lapic_page == LAPIC_BASE_ADDRESS &&
                 !gmem_is_ram(pc->config.gmem, LAPIC_BASE_ADDRESS, LAPIC_PAGE_SIZE);
    return usual ? VAPIC_PAGE : VAPIC_NOWHERE;
}

void pc_apic_state(void *ctx, struct vapic *out)
{
    struct pc *pc = ctx;
    const struct lapic *lapic = &pc->lapic;

    if (pc->config.apic_help < VAPIC_DELIVERY) { /* then nobody asks for the rest */
        *out = (struct vapic){.tpr = lapic_tpr(lapic), .tpr_threshold = lapic_tpr_threshold(lapic)};
        return;
    }
    *out = (struct vapic){
        .delivery = lapic_delivers(lapic),
        .access = access_of(pc),
        .requested = lapic_requested(lapic),
        .in_service = lapic_in_service(lapic),
    };
    if (!out->delivery) {
        out->tpr = lapic_tpr(lapic);
        out->tpr_threshold = lapic_tpr_threshold(lapic);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(out->level); i++)
        out->level[i] = *lapic_reg(lapic, LAPIC_TMR + 16 * i);
}

bool pc_apic_due(void *ctx)
{
    const struct pc *pc = ctx;

    return lapic_delivery_due(&pc->lapic);
}

vtime_t pc_apic_post(void *ctx)
{
    struct pc *pc = ctx;

    return lapic_post(&pc->lapic);
}

void pc_apic_take_back(void *ctx)
{
    struct pc *pc = ctx;

    lapic_take_back(&pc->lapic);
}

void pc_apic_event(void *ctx, enum vexit_kind kind, uint32_t detail)
{
    struct pc *pc = ctx;

    switch (kind) {
    case VEXIT_APIC_EOI:
        lapic_ended(&pc->lapic, (uint8_t)detail);
        break;
    case VEXIT_APIC_WRITE:
        page_written(pc, detail);
        break;
    default:
        lapic_evaluate(&pc->lapic);
        break;
    }
}

/* --- construction ----------------------------------------------------------------------------- */

void pc_apic_init(struct pc *pc)
{
    static const enum lapic_help help[] = {
        [VAPIC_NONE] = LAPIC_ALONE,
        [VAPIC_TPR] = LAPIC_SHARED_TPR,
        [VAPIC_DELIVERY] = LAPIC_DELIVERED,
        [VAPIC_POSTED] = LAPIC_DELIVERED,
    };
    const struct lapic_config config = {
        .page = pc->config.apic_page,
        .help = help[pc->config.apic_help],
        .posted = pc->config.apic_help == VAPIC_POSTED ? pc->config.apic_posted : NULL,
        .id = PC_APIC_ID,
        .boot_processor = true,
        .timer_hz = pc->config.apic_timer_hz,
        .address_mask = pc->config.physical_address_mask,
    };
    struct lapic_wiring wiring = {
        .intr = {set_intr, pc, 0},
        .nmi = {raise_nmi, pc},
        .init = {take_init, pc},
        .moved = {place_page, pc},
        .taken_back = {timer_taken_back, pc},
        .extint_ack = extint_ack,
        .eoi = end_of_interrupt,
        .offer_end = offer_end,
        .withdraw_end = withdraw_end,
        .when_tsc = when_tsc,
        .ctx = pc,
    };

    if (config.help != LAPIC_ALONE) {
        wiring.changed = (struct signal_line){apic_changed, pc};
        wiring.cr8 = read_cr8;
        wiring.set_cr8 = write_cr8;
    }
    pc->lapic_page = NOWHERE;
    lapic_init(&pc->lapic, &config, &wiring);
    ioapic_init(&pc->ioapic, (struct apic_bus){pc_send_message, pc});
    ASSERT(iobus_add(&pc->mmio, PC_IOAPIC_BASE, IOAPIC_PAGE_SIZE, &ioapic_ops, &pc->ioapic, 0));
    for (unsigned input = PC_GSI_PCI_A; input < IOAPIC_PINS; input++)
        ioapic_set_irq(&pc->ioapic, input, true); /* active low */
}

/* With what firmware does: the 8259As reach the processor as if there were no APIC. */
void pc_apic_reset(struct pc *pc)
{
    ioapic_ops.reset(&pc->ioapic);
    lapic_ops.reset(&pc->lapic);
    lapic_virtual_wire(&pc->lapic);
}
