/* The local APIC's registers and modes; lapic.h says what is modelled. */
#include "dev/lapic.h"
#include "lib/bits.h"
#include "lib/mem.h"

/* What may be written to an LVT entry: vector, delivery mode, polarity, trigger, mask, timer mode.
 */
static const uint32_t lvt_writable[LAPIC_LVT_COUNT] = {
    [LAPIC_TIMER] = 0x700FF, [LAPIC_THERMAL] = 0x107FF, [LAPIC_COUNTERS] = 0x107FF,
    [LAPIC_LINT0] = 0x1A7FF, [LAPIC_LINT1] = 0x1A7FF,   [LAPIC_ERROR] = 0x100FF,
};
#define LVT_READ_ONLY (LAPIC_LVT_STATUS | LAPIC_LVT_REMOTE_IRR)

/* --- modes ------------------------------------------------------------------------------------ */

uint64_t lapic_page(const struct lapic *lapic)
{
    return lapic->base & lapic->config.address_mask & ~(uint64_t)(LAPIC_PAGE_SIZE - 1);
}

/* The ID's place differs between the modes. */
static void show_id(struct lapic *lapic)
{
    uint32_t id = lapic->config.id;
    lapic_put(lapic, LAPIC_ID, lapic_mode(lapic) == LAPIC_X2APIC ? id : id << 24);
}

/* SDM "Local APIC State After Power-Up or Reset": all but IA32_APIC_BASE. */
static void reset_registers(struct lapic *lapic)
{
    memset(lapic->config.page, 0, LAPIC_PAGE_SIZE);
    memset(lapic->regs, 0, sizeof(lapic->regs));
    lapic_forget_vectors(lapic);
    lapic->end_offered = false;
    for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
        lapic_put_lvt(lapic, i, LAPIC_LVT_MASKED);
    lapic_put(lapic, LAPIC_VERSION, LAPIC_VERSION_VALUE);
    lapic_put(lapic, LAPIC_DFR, LAPIC_DFR_RESET);
    lapic_put(lapic, LAPIC_SVR, LAPIC_SVR_RESET);
    show_id(lapic);
    lapic_set_tpr(lapic, 0);
    lapic->errors = 0;
    lapic->error_signalled = false;
    lapic->extint = false;
    lapic_timer_reset(lapic);
}

static enum lapic_mode mode_of_base(uint64_t base)
{
    const struct lapic probe = {.base = base};
    return lapic_mode(&probe);
}

/* SDM "x2APIC State Transitions": x2APIC mode is entered from xAPIC mode and left by disabling. */
static bool transition_allowed(enum lapic_mode old, uint64_t value)
{
    enum lapic_mode new = mode_of_base(value);
    if (new == LAPIC_DISABLED)
        return !(value & LAPIC_BASE_EXTD);
    return new == old || (old != LAPIC_X2APIC && new - old == 1);
}

/* "The LDR is read-only in x2APIC mode": cluster by the upper bits of the ID, one bit of 16. */
static uint32_t x2apic_ldr(uint8_t id)
{
    return (uint32_t)(id >> 4) << 16 | BIT(id & 15);
}

static bool base_write(struct lapic *lapic, uint64_t value)
{
    uint64_t address_bits = lapic->config.address_mask & ~(uint64_t)(LAPIC_PAGE_SIZE - 1);
    enum lapic_mode old = lapic_mode(lapic), new = mode_of_base(value);
    if (value & ~(address_bits | LAPIC_BASE_BSP | LAPIC_BASE_EXTD | LAPIC_BASE_EN))
        return false;
    if (!transition_allowed(old, value))
        return false;
    bool moved = lapic->base != value;
    lapic->base = value;
    if (new != old && (new == LAPIC_DISABLED || old == LAPIC_DISABLED))
        reset_registers(lapic);
    if (new != old &&new == LAPIC_X2APIC) {
        lapic_put(lapic, LAPIC_LDR, x2apic_ldr(lapic->config.id));
        *lapic_reg(lapic, LAPIC_ICR_HIGH) = 0; /* a destination has another shape here */
        show_id(lapic);
    }
    lapic->changed = true;
    if (moved)
        signal_raise(&lapic->wiring.moved);
    return true;
}

/* --- registers that both modes have ----------------------------------------------------------- */

static enum lapic_lvt lvt_of(uint32_t offset)
{
    return (enum lapic_lvt)((offset - LAPIC_LVT_TIMER) / 16);
}

static void lvt_write(struct lapic *lapic, enum lapic_lvt entry, uint32_t value)
{
    uint32_t old = *lapic_lvt(lapic, entry);
    if (entry == LAPIC_TIMER)
        lapic_take_back(lapic);
    value = (value & lvt_writable[entry]) | (old & LAPIC_LVT_REMOTE_IRR);
    if (!lapic_software_enabled(lapic))
        value |= LAPIC_LVT_MASKED;
    lapic_put_lvt(lapic, entry, value);
    if (entry == LAPIC_TIMER)
        lapic_timer_mode_changed(lapic, old);
}

/* "The mask bits for all the LVT entries are set" by the write that disables. */
static void svr_write(struct lapic *lapic, uint32_t value)
{
    lapic_take_back(lapic);
    lapic_put(lapic, LAPIC_SVR, value & LAPIC_SVR_WRITABLE);
    lapic->changed = true;
    if (!(value & LAPIC_SVR_ENABLE))
        for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
            lapic_put_lvt(lapic, i, *lapic_lvt(lapic, i) | LAPIC_LVT_MASKED);
}

/* "A write to the ESR ... updates the ESR with any errors detected since the last write", and lets
 * the next error interrupt. */
static void esr_write(struct lapic *lapic)
{
    lapic_put(lapic, LAPIC_ESR, lapic->errors);
    lapic->errors = 0;
    lapic->error_signalled = false;
}

/* False when there is no such register in either mode. */
static bool register_read(const struct lapic *lapic, uint32_t offset, uint32_t *value)
{
    switch (offset) {
    case LAPIC_TPR:
        *value = lapic_tpr(lapic);
        return true;
    case LAPIC_PPR:
        *value = lapic_ppr(lapic);
        return true;
    case LAPIC_CURRENT_COUNT:
        *value = lapic_timer_count(lapic);
        return true;
    case LAPIC_ISR ... LAPIC_IRR_END - 1:
        *value = *lapic_reg(lapic, offset);
        return true;
    case LAPIC_ID:
    case LAPIC_VERSION:
    case LAPIC_LDR:
    case LAPIC_SVR:
    case LAPIC_ESR:
    case LAPIC_LVT_TIMER:
    case LAPIC_LVT_THERMAL:
    case LAPIC_LVT_COUNTERS:
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
    case LAPIC_LVT_ERROR:
    case LAPIC_INITIAL_COUNT:
    case LAPIC_DIVIDE:
        *value = lapic_get(lapic, offset);
        return true;
    default:
        return false;
    }
}

/* Values are checked already, or their other bits ignored. False: nothing to write there. */
static bool register_write(struct lapic *lapic, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case LAPIC_TPR:
        lapic_set_tpr(lapic, (uint8_t)value);
        return true;
    case LAPIC_EOI:
        lapic_end_of_interrupt(lapic);
        return true;
    case LAPIC_SVR:
        svr_write(lapic, value);
        return true;
    case LAPIC_ESR:
        esr_write(lapic);
        return true;
    case LAPIC_LVT_TIMER:
    case LAPIC_LVT_THERMAL:
    case LAPIC_LVT_COUNTERS:
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
    case LAPIC_LVT_ERROR:
        lvt_write(lapic, lvt_of(offset), value);
        return true;
    case LAPIC_INITIAL_COUNT:
        lapic_timer_start(lapic, value);
        return true;
    case LAPIC_DIVIDE:
        lapic_timer_divide(lapic, (uint8_t)value);
        return true;
    default:
        return false;
    }
}

/* --- xAPIC mode: the page --------------------------------------------------------------------- */

static uint32_t page_read(struct lapic *lapic, uint32_t offset)
{
    uint32_t value = 0;
    switch (offset) {
    case LAPIC_EOI:
        return 0;
    case LAPIC_DFR:
        return lapic_get(lapic, offset);
    case LAPIC_ICR:
    case LAPIC_ICR_HIGH:
        return *lapic_reg(lapic, offset);
    default:
        if (!register_read(lapic, offset, &value))
            lapic_error(lapic, LAPIC_ESR_ILLEGAL_REGISTER);
        return value;
    }
}

static void page_write(struct lapic *lapic, uint32_t offset, uint32_t value)
{
    uint32_t unused;
    switch (offset) {
    case LAPIC_ID:
        break;
    case LAPIC_LDR:
        lapic_put(lapic, offset, value & LAPIC_XAPIC_HIGH_BYTE);
        break;
    case LAPIC_DFR:
        lapic_put(lapic, offset, value | ~LAPIC_DFR_MODEL);
        break;
    case LAPIC_ICR:
        *lapic_reg(lapic, offset) = value & LAPIC_ICR_WRITABLE;
        lapic_command(lapic);
        break;
    case LAPIC_ICR_HIGH:
        *lapic_reg(lapic, offset) = value & LAPIC_XAPIC_HIGH_BYTE;
        break;
    default:
        if (!register_write(lapic, offset, value) && !register_read(lapic, offset, &unused))
            lapic_error(lapic, LAPIC_ESR_ILLEGAL_REGISTER);
        break;
    }
}

/* "Must be accessed using 128-bit aligned 32-bit loads or stores". */
static enum io_result page_check(const struct lapic *lapic, uint32_t offset, unsigned size)
{
    if (lapic_mode(lapic) != LAPIC_XAPIC || offset >= LAPIC_PAGE_SIZE)
        return IO_NO_REGISTER;
    return size == 4 && offset % 16 == 0 ? IO_OK : IO_BAD_SIZE;
}

static enum io_result lapic_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct lapic *lapic = dev;
    enum io_result result = page_check(lapic, offset, size);
    lapic_settle(lapic);
    if (result == IO_OK)
        *value = page_read(lapic, offset);
    lapic_sync(lapic);
    return result;
}

static enum io_result lapic_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct lapic *lapic = dev;
    enum io_result result = page_check(lapic, offset, size);
    lapic_settle(lapic);
    if (result == IO_OK)
        page_write(lapic, offset, (uint32_t)value);
    lapic_sync(lapic);
    return result;
}

/* --- x2APIC mode: MSRs ------------------------------------------------------------------------ */

static bool x2apic_read(const struct lapic *lapic, uint32_t offset, uint64_t *value)
{
    uint32_t word;
    switch (offset) {
    case LAPIC_ICR:
        *value = (uint64_t)*lapic_reg(lapic, LAPIC_ICR_HIGH) << 32 | *lapic_reg(lapic, LAPIC_ICR);
        return true;
    default:
        if (!register_read(lapic, offset, &word))
            return false;
        *value = word;
        return true;
    }
}

/* The bits of a register that aren't reserved; none where it is read-only or absent, which
 * register_write() then finds out. */
static uint64_t x2apic_writable(uint32_t offset)
{
    switch (offset) {
    case LAPIC_TPR:
        return 0xFF;
    case LAPIC_SVR:
        return LAPIC_SVR_WRITABLE;
    case LAPIC_ICR:
        return 0xFFFFFFFFull << 32 | LAPIC_ICR_WRITABLE;
    case LAPIC_LVT_TIMER:
    case LAPIC_LVT_THERMAL:
    case LAPIC_LVT_COUNTERS:
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
    case LAPIC_LVT_ERROR:
        return lvt_writable[lvt_of(offset)] | LVT_READ_ONLY;
    case LAPIC_INITIAL_COUNT:
        return UINT32_MAX;
    case LAPIC_DIVIDE:
        return LAPIC_DIVIDE_WRITABLE;
    default: /* EOI and ESR take only 0 */
        return 0;
    }
}

static bool x2apic_write_other(struct lapic *lapic, uint32_t offset, uint64_t value)
{
    if (value & ~x2apic_writable(offset))
        return false;
    if (offset != LAPIC_ICR)
        return register_write(lapic, offset, (uint32_t)value);
    *lapic_reg(lapic, LAPIC_ICR) = (uint32_t)value;
    *lapic_reg(lapic, LAPIC_ICR_HIGH) = (uint32_t)(value >> 32);
    lapic_command(lapic);
    return true;
}

/* The two that interrupts are made of don't wait for the tables. */
static bool x2apic_write(struct lapic *lapic, uint32_t offset, uint64_t value)
{
    if (offset == LAPIC_EOI && value == 0)
        lapic_end_of_interrupt(lapic);
    else if (offset == LAPIC_SELF_IPI && value <= UINT8_MAX)
        lapic_self(lapic, (uint8_t)value);
    else
        return x2apic_write_other(lapic, offset, value);
    return true;
}

static uint32_t msr_offset(uint32_t msr)
{
    return (msr - LAPIC_MSR_X2APIC) * 16;
}

static inline bool is_x2apic_msr(uint32_t msr)
{
    return msr - LAPIC_MSR_X2APIC <= LAPIC_MSR_X2APIC_LAST - LAPIC_MSR_X2APIC;
}

bool lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *value)
{
    lapic_settle(lapic);
    if (msr == LAPIC_MSR_BASE) {
        *value = lapic->base;
        return true;
    }
    if (msr == LAPIC_MSR_TSC_DEADLINE) {
        *value = lapic_timer_tsc_deadline(lapic);
        return true;
    }
    return is_x2apic_msr(msr) && lapic_mode(lapic) == LAPIC_X2APIC &&
           x2apic_read(lapic, msr_offset(msr), value);
}

bool lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value)
{
    bool done = false;
    lapic_settle(lapic);
    if (is_x2apic_msr(msr)) {
        done = lapic_mode(lapic) == LAPIC_X2APIC && x2apic_write(lapic, msr_offset(msr), value);
    } else if (msr == LAPIC_MSR_TSC_DEADLINE) {
        lapic_timer_set_tsc_deadline(lapic, value);
        done = true;
    } else if (msr == LAPIC_MSR_BASE) {
        done = base_write(lapic, value);
    }
    lapic_sync(lapic);
    return done;
}

/* What the guest has written to the page gives way to what the register holds now. */
static void show_again(struct lapic *lapic, uint32_t offset)
{
    switch (offset) {
    case LAPIC_TPR:
        *lapic_reg(lapic, offset) &= 0xFF;
        break;
    case LAPIC_ICR:
        *lapic_reg(lapic, offset) &= LAPIC_ICR_WRITABLE;
        break;
    case LAPIC_ICR_HIGH:
        *lapic_reg(lapic, offset) &= LAPIC_XAPIC_HIGH_BYTE;
        break;
    case LAPIC_PPR:
    case LAPIC_ISR ... LAPIC_IRR_END - 1:
        break;
    default:
        *lapic_reg(lapic, offset) = lapic_get(lapic, offset);
        break;
    }
}

/* The processor checked an x2APIC register's reserved bits; in the page it takes any value, of any
 * size. What doesn't begin where a register does changes nothing, as in lapic_write(). */
void lapic_written(struct lapic *lapic, uint32_t offset)
{
    bool x2apic = lapic_mode(lapic) == LAPIC_X2APIC;
    if (offset >= 16 * ARRAY_SIZE(lapic->regs))
        return;
    lapic_settle(lapic);
    if (offset % 16 == 0 && x2apic)
        x2apic_write(lapic, offset, *lapic_reg(lapic, offset));
    else if (offset % 16 == 0)
        page_write(lapic, offset, *lapic_reg(lapic, offset));
    if (!x2apic)
        show_again(lapic, offset & ~15u);
    lapic_sync(lapic);
}

/* --- the rest --------------------------------------------------------------------------------- */

uint8_t lapic_cr8(const struct lapic *lapic)
{
    return lapic_tpr(lapic) >> 4;
}

void lapic_set_cr8(struct lapic *lapic, uint8_t cr8)
{
    lapic_settle(lapic);
    lapic_set_tpr(lapic, (uint8_t)(cr8 << 4));
    lapic_sync(lapic);
}

void lapic_tsc_moved(struct lapic *lapic)
{
    lapic_take_back(lapic);
    if (lapic->tsc_deadline)
        lapic_timer_set_tsc_deadline(lapic, lapic->tsc_deadline);
    lapic_sync(lapic);
}

void lapic_virtual_wire(struct lapic *lapic)
{
    svr_write(lapic, LAPIC_SVR_RESET | LAPIC_SVR_ENABLE);
    lvt_write(lapic, LAPIC_LINT0, APIC_EXTINT << 8);
    lvt_write(lapic, LAPIC_LINT1, APIC_NMI << 8);
    lapic_sync(lapic);
}

static void lapic_advance(void *dev, vtime_t now)
{
    lapic_timer_advance(dev, now);
    lapic_sync(dev);
}

static vtime_t lapic_next_deadline(const void *dev)
{
    return lapic_timer_deadline(dev);
}

static void lapic_reset(void *dev)
{
    struct lapic *lapic = dev;
    lapic->base = LAPIC_BASE_ADDRESS | LAPIC_BASE_EN;
    if (lapic->config.boot_processor)
        lapic->base |= LAPIC_BASE_BSP;
    reset_registers(lapic);
    signal_raise(&lapic->wiring.moved);
    lapic_sync(lapic);
}

void lapic_init(struct lapic *lapic, const struct lapic_config *config,
                const struct lapic_wiring *wiring)
{
    *lapic = (struct lapic){.config = *config, .wiring = *wiring};
    lapic_reset(lapic);
}

const struct dev_ops lapic_ops = {
    .name = "lapic",
    .read = lapic_read,
    .write = lapic_write,
    .reset = lapic_reset,
    .advance = lapic_advance,
    .next_deadline = lapic_next_deadline,
};
