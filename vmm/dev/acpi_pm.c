/* ACPI fixed hardware; acpi_pm.h says what is modelled. */
#include "dev/acpi_pm.h"
#include "dev/acpi_pm_regs.h"
#include "dev/ticks.h"

#define ACPI_TIMER_HALF (1ull << 31) /* ticks between two changes of bit 31 */

bool acpi_pm_irq_cause(const struct acpi_pm *pm)
{
    return pm->status & pm->enable;
}

static void acpi_pm_sync_irq(struct acpi_pm *pm)
{
    irq_set(&pm->sci, acpi_pm_irq_cause(pm));
}

void acpi_pm_power_button(struct acpi_pm *pm)
{
    pm->status |= ACPI_STS_PWRBTN;
    acpi_pm_sync_irq(pm);
}

static void acpi_pm_advance(void *dev, vtime_t now)
{
    struct acpi_pm *pm = dev;
    uint64_t tick = ticks_from_ns(now, ACPI_PM_TIMER_HZ);
    if (tick <= pm->tick)
        return;
    if (tick / ACPI_TIMER_HALF != pm->tick / ACPI_TIMER_HALF)
        pm->status |= ACPI_STS_TMR;
    pm->tick = tick;
    acpi_pm_sync_irq(pm);
}

static vtime_t acpi_pm_next_deadline(const void *dev)
{
    const struct acpi_pm *pm = dev;
    if (!(pm->enable & ACPI_STS_TMR) || (pm->status & ACPI_STS_TMR))
        return VTIME_NEVER;
    return ns_from_ticks((pm->tick / ACPI_TIMER_HALF + 1) * ACPI_TIMER_HALF, ACPI_PM_TIMER_HZ);
}

static void acpi_pm_write_control(struct acpi_pm *pm, uint16_t value)
{
    pm->control = value & (ACPI_CNT_BM_RLD | ACPI_CNT_SLP_TYP);
    if ((value & ACPI_CNT_SLP_EN) &&
        (value & ACPI_CNT_SLP_TYP) >> ACPI_CNT_SLP_TYP_SHIFT == ACPI_PM_SLEEP_TYPE_OFF)
        signal_raise(&pm->power_off);
}

/* The 32-bit group that holds the offset, as the ports show it. */
static uint32_t acpi_pm_group(const struct acpi_pm *pm, uint32_t offset)
{
    switch (offset & ~3u) {
    case ACPI_PM1_STS:
        return pm->status | (uint32_t)pm->enable << 16;
    case ACPI_PM1_CNT:
        return pm->control | ACPI_CNT_SCI_EN;
    default:
        return (uint32_t)pm->tick;
    }
}

static enum io_result acpi_pm_check(uint32_t offset, unsigned size)
{
    bool behind_control = offset == ACPI_PM1_CNT + 2 || offset == ACPI_PM1_CNT + 3;
    if (offset >= ACPI_PM_PORTS || behind_control)
        return IO_NO_REGISTER;
    if ((size != 1 && size != 2 && size != 4) || offset % size != 0)
        return IO_BAD_SIZE;
    if (offset == ACPI_PM1_CNT && size == 4)
        return IO_BAD_SIZE;
    return IO_OK;
}

static enum io_result acpi_pm_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct acpi_pm *pm = dev;
    enum io_result result = acpi_pm_check(offset, size);
    if (result != IO_OK)
        return result;
    uint32_t mask = size == 4 ? UINT32_MAX : (1u << size * 8) - 1;
    *value = acpi_pm_group(pm, offset) >> (offset & 3) * 8 & mask;
    acpi_pm_sync_irq(pm);
    return IO_OK;
}

static enum io_result acpi_pm_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct acpi_pm *pm = dev;
    enum io_result result = acpi_pm_check(offset, size);
    if (result != IO_OK)
        return result;
    unsigned shift = (offset & 3) * 8;
    uint32_t mask = (size == 4 ? UINT32_MAX : (1u << size * 8) - 1) << shift;
    uint32_t bits = (uint32_t)value << shift & mask;
    uint32_t merged = (acpi_pm_group(pm, offset) & ~mask) | bits;
    if (offset < ACPI_PM1_CNT) {
        pm->status &= (uint16_t)~bits; /* only bytes that were written can clear */
        pm->enable = (uint16_t)(merged >> 16) & ACPI_EN_MASK;
    } else if (offset < ACPI_PM_TMR) {
        acpi_pm_write_control(pm, (uint16_t)merged);
    }
    acpi_pm_sync_irq(pm);
    return IO_OK;
}

static void acpi_pm_reset(void *dev)
{
    struct acpi_pm *pm = dev;
    pm->status = 0;
    pm->enable = 0;
    pm->control = 0;
    acpi_pm_sync_irq(pm);
}

void acpi_pm_init(struct acpi_pm *pm, struct irq_line sci, struct signal_line power_off)
{
    *pm = (struct acpi_pm){.sci = sci, .power_off = power_off};
    acpi_pm_reset(pm);
}

const struct dev_ops acpi_pm_ops = {
    .name = "acpi_pm",
    .read = acpi_pm_read,
    .write = acpi_pm_write,
    .reset = acpi_pm_reset,
    .advance = acpi_pm_advance,
    .next_deadline = acpi_pm_next_deadline,
};
