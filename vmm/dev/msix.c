/* MSI-X; msix.h says what is modelled. */
#include "dev/msix.h"

#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/mem.h"

/* The capability's body behind id and next pointer. */
#define MSIX_CONTROL        2u      /* RW 16 */
#define MSIX_CONTROL_MASK   0x4000u /* RW: all vectors masked */
#define MSIX_CONTROL_ENABLE 0x8000u /* RW */

/* Offsets in the BAR. */
#define MSIX_TABLE      0x000u
#define MSIX_PBA        0x800u
#define MSIX_ENTRY_SIZE 16u

#define MSIX_VECTOR_MASKED 1u /* of the vector control word, which has no other bit */

static uint16_t control(const struct msix *msix)
{
    return load_le16(&msix->device->config[msix->capability + MSIX_CONTROL]);
}

bool msix_enabled(const struct msix *msix)
{
    return control(msix) & MSIX_CONTROL_ENABLE;
}

/* --- messages --------------------------------------------------------------------------------- */

static bool may_send(const struct msix *msix, unsigned vector)
{
    return msix_enabled(msix) && !(control(msix) & MSIX_CONTROL_MASK) &&
           !(msix->vector[vector].control & MSIX_VECTOR_MASKED) && pci_bus_master(msix->device);
}

static void send(struct msix *msix, unsigned vector)
{
    const struct msix_vector *entry = &msix->vector[vector];
    struct apic_message message;
    if (msix->device->bus && apic_message_from_msi(entry->address, entry->data, &message) &&
        apic_send(&msix->device->bus->wiring.msi, &message))
        msix->sent++;
    else
        msix->lost++;
}

bool msix_may_send_nmi(const struct msix *msix)
{
    struct apic_message message;
    for (unsigned i = 0; i < msix->count; i++)
        if (may_send(msix, i) &&
            apic_message_from_msi(msix->vector[i].address, msix->vector[i].data, &message) &&
            apic_wakes_always(message.delivery))
            return true;
    return false;
}

static void send_pending(struct msix *msix)
{
    for (unsigned i = 0; i < msix->count; i++) {
        if (!(msix->pending & BIT(i)) || !may_send(msix, i))
            continue;
        msix->pending &= ~BIT(i);
        send(msix, i);
    }
}

void msix_raise(struct msix *msix, unsigned vector)
{
    if (vector >= msix->count || !msix_enabled(msix))
        return;
    msix->pending |= BIT(vector);
    send_pending(msix);
}

void msix_config_written(struct msix *msix)
{
    send_pending(msix);
}

/* --- the BAR ---------------------------------------------------------------------------------- */

static uint32_t table_read(const struct msix *msix, uint32_t offset)
{
    const struct msix_vector *entry = &msix->vector[offset / MSIX_ENTRY_SIZE];
    switch (offset % MSIX_ENTRY_SIZE) {
    case 0:
        return (uint32_t)entry->address;
    case 4:
        return (uint32_t)(entry->address >> 32);
    case 8:
        return entry->data;
    default:
        return entry->control;
    }
}

static void table_write(struct msix *msix, uint32_t offset, uint32_t value)
{
    struct msix_vector *entry = &msix->vector[offset / MSIX_ENTRY_SIZE];
    switch (offset % MSIX_ENTRY_SIZE) {
    case 0:
        entry->address = (entry->address & ~0xFFFFFFFFull) | (value & ~3u);
        break;
    case 4:
        entry->address = (uint32_t)entry->address | (uint64_t)value << 32;
        break;
    case 8:
        entry->data = value;
        break;
    default:
        entry->control = value & MSIX_VECTOR_MASKED;
        break;
    }
}

/* "Software must use aligned DWORD or aligned QWORD transactions". */
static enum io_result check(const struct msix *msix, uint32_t offset, unsigned size)
{
    bool table = offset < MSIX_TABLE + MSIX_ENTRY_SIZE * msix->count;
    bool array = offset >= MSIX_PBA && offset < MSIX_PBA + 8;
    if (!table && !array)
        return IO_NO_REGISTER;
    return (size == 4 || size == 8) && offset % size == 0 ? IO_OK : IO_BAD_SIZE;
}

static uint32_t word_read(const struct msix *msix, uint32_t offset)
{
    if (offset < MSIX_PBA)
        return table_read(msix, offset);
    return offset == MSIX_PBA ? msix->pending : 0;
}

static enum io_result msix_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    struct msix *msix = dev;
    enum io_result result = check(msix, offset, size);
    if (result != IO_OK)
        return result;
    *value = word_read(msix, offset);
    if (size == 8)
        *value |= (uint64_t)word_read(msix, offset + 4) << 32;
    return IO_OK;
}

static enum io_result msix_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    struct msix *msix = dev;
    enum io_result result = check(msix, offset, size);
    if (result != IO_OK || offset >= MSIX_PBA)
        return result;
    table_write(msix, offset, (uint32_t)value);
    if (size == 8)
        table_write(msix, offset + 4, (uint32_t)(value >> 32));
    send_pending(msix);
    return IO_OK;
}

void msix_reset(struct msix *msix)
{
    memset(msix->vector, 0, sizeof(msix->vector));
    for (unsigned i = 0; i < msix->count; i++)
        msix->vector[i].control = MSIX_VECTOR_MASKED;
    msix->pending = 0;
}

static const struct dev_ops msix_ops = {.name = "msi-x", .read = msix_read, .write = msix_write};

void msix_init(struct msix *msix, struct pci_device *device, unsigned count, unsigned bar)
{
    const struct pci_bar window = {
        .kind = PCI_BAR_MEM32, .size_bytes = MSIX_BAR_SIZE, .ops = &msix_ops, .dev = msix};
    uint8_t body[10];

    ASSERT(count >= 1 && count <= MSIX_MAX_VECTORS);
    *msix = (struct msix){.device = device, .count = count};
    store_le16(body, (uint16_t)(count - 1));
    store_le32(body + 2, MSIX_TABLE | bar);
    store_le32(body + 6, MSIX_PBA | bar);
    msix->capability = pci_add_capability(device, PCI_CAP_ID_MSIX, body, sizeof(body));
    ASSERT(msix->capability != 0 && pci_add_bar(device, bar, &window));
    device->write_mask[msix->capability + MSIX_CONTROL + 1] =
        (MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK) >> 8;
    msix_reset(msix);
}
