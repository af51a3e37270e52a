/* The I/O APIC; ioapic.h says what is modelled. */
#include "dev/ioapic.h"
#include "dev/ioapic_regs.h"
#include "lib/bits.h"

/* --- inputs ----------------------------------------------------------------------------------- */

/* The level behind the entry's polarity. */
static bool pin_asserted(const struct ioapic *ioapic, unsigned pin)
{
    bool low = ioapic->redirection[pin] & IOAPIC_RTE_ACTIVE_LOW;
    return !(ioapic->lines & BIT(pin)) == low;
}

/* "NMI, SMI, INIT and ExtINT are treated as edge-triggered" whatever the entry says. */
static bool pin_is_level(const struct ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->redirection[pin];
    return entry & IOAPIC_RTE_LEVEL && IOAPIC_RTE_DELIVERY(entry) <= APIC_LOWEST_PRIORITY;
}

static bool pin_send(struct ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->redirection[pin];
    const struct apic_message message = {
        .destination = apic_destination(IOAPIC_RTE_DESTINATION(entry)),
        .logical = entry & IOAPIC_RTE_LOGICAL,
        .level = pin_is_level(ioapic, pin),
        .delivery = (enum apic_delivery)IOAPIC_RTE_DELIVERY(entry),
        .vector = (uint8_t)entry,
    };
    if (!apic_send(&ioapic->bus, &message))
        return false;
    ioapic->sent[pin]++;
    return true;
}

/* Sends what a level-triggered input asks for: one request is under way at a time, and remote IRR
 * tells of it. */
static void sync_pin(struct ioapic *ioapic, unsigned pin)
{
    uint64_t *entry = &ioapic->redirection[pin];
    if (!pin_is_level(ioapic, pin))
        *entry &= ~(uint64_t)IOAPIC_RTE_REMOTE_IRR;
    else if (!(*entry & (IOAPIC_RTE_REMOTE_IRR | IOAPIC_RTE_MASKED)) && pin_asserted(ioapic, pin) &&
             pin_send(ioapic, pin))
        *entry |= IOAPIC_RTE_REMOTE_IRR;
}

static void ioapic_sync(struct ioapic *ioapic)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        if (ioapic->redirection[pin] & (IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR))
            sync_pin(ioapic, pin);
}

void ioapic_set_irq(void *dev, unsigned pin, bool high)
{
    struct ioapic *ioapic = dev;
    if (pin >= IOAPIC_PINS || !(ioapic->lines & BIT(pin)) == !high)
        return;
    ioapic->lines ^= BIT(pin);
    if (!pin_is_level(ioapic, pin) && pin_asserted(ioapic, pin) &&
        !(ioapic->redirection[pin] & IOAPIC_RTE_MASKED))
        pin_send(ioapic, pin);
    sync_pin(ioapic, pin);
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        if ((uint8_t)ioapic->redirection[pin] == vector)
            ioapic->redirection[pin] &= ~(uint64_t)IOAPIC_RTE_REMOTE_IRR;
    ioapic_sync(ioapic);
}

bool ioapic_may_send_nmi(const struct ioapic *ioapic)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t entry = ioapic->redirection[pin];
        if (!(entry & IOAPIC_RTE_MASKED) &&
            apic_wakes_always((enum apic_delivery)IOAPIC_RTE_DELIVERY(entry)))
            return true;
    }
    return false;
}

/* --- registers -------------------------------------------------------------------------------- */

/* The entry that REGSEL selects a half of, or NULL. */
static uint64_t *selected_entry(struct ioapic *ioapic)
{
    unsigned pin = (ioapic->select - IOAPIC_REDIRECTION) / 2;
    bool inside = ioapic->select >= IOAPIC_REDIRECTION && pin < IOAPIC_PINS;
    return inside ? &ioapic->redirection[pin] : NULL;
}

static uint32_t window_read(struct ioapic *ioapic)
{
    const uint64_t *entry = selected_entry(ioapic);
    if (entry)
        return (uint32_t)(*entry >> (ioapic->select % 2 * 32));
    switch (ioapic->select) {
    case IOAPIC_ID:
    case IOAPIC_ARBITRATION:
        return ioapic->id;
    case IOAPIC_VERSION:
        return IOAPIC_VERSION_VALUE;
    default:
        return UINT32_MAX;
    }
}

static void window_write(struct ioapic *ioapic, uint32_t value)
{
    uint64_t *entry = selected_entry(ioapic);
    unsigned shift = ioapic->select % 2 * 32;
    uint64_t writable = IOAPIC_RTE_WRITABLE & 0xFFFFFFFFull << shift;
    if (entry)
        *entry = (*entry & ~writable) | ((uint64_t)value << shift & writable);
    else if (ioapic->select == IOAPIC_ID)
        ioapic->id = value & IOAPIC_ID_BITS;
}

/* The selector and the EOI register have a byte each, in a word of 32 bits. */
static enum io_result ioapic_check(uint32_t offset, unsigned size)
{
    if (offset != IOAPIC_REGSEL && offset != IOAPIC_WIN && offset != IOAPIC_EOI)
        return IO_NO_REGISTER;
    return size == 4 || (size == 1 && offset != IOAPIC_WIN) ? IO_OK : IO_BAD_SIZE;
}

static enum io_result ioapic_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct ioapic *ioapic = dev;
    enum io_result result = ioapic_check(offset, size);
    if (result != IO_OK)
        return result;
    if (offset == IOAPIC_EOI)
        return IO_NO_REGISTER;
    *value = offset == IOAPIC_REGSEL ? ioapic->select : window_read(ioapic);
    return IO_OK; /* nothing has changed */
}

static enum io_result ioapic_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct ioapic *ioapic = dev;
    enum io_result result = ioapic_check(offset, size);
    if (result != IO_OK)
        return result;
    if (offset == IOAPIC_REGSEL)
        ioapic->select = (uint8_t)value;
    else if (offset == IOAPIC_WIN)
        window_write(ioapic, (uint32_t)value);
    else
        ioapic_eoi(ioapic, (uint8_t)value);
    ioapic_sync(ioapic);
    return IO_OK;
}

static void ioapic_reset(void *dev)
{
    struct ioapic *ioapic = dev;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        ioapic->redirection[pin] = IOAPIC_RTE_MASKED;
    ioapic->id = 0;
    ioapic->select = 0;
}

void ioapic_init(struct ioapic *ioapic, struct apic_bus bus)
{
    *ioapic = (struct ioapic){.bus = bus};
    ioapic_reset(ioapic);
}

const struct dev_ops ioapic_ops = {
    .name = "ioapic",
    .read = ioapic_read,
    .write = ioapic_write,
    .reset = ioapic_reset,
};
