/*
 * The virtio transport over PCI: a non-transitional device behind one memory BAR.
 *
 * Document: VIRTIO 1.2, "Virtio Over PCI Bus". virtio_common.c holds the common configuration.
 *
 * Modelled: the five structures (common configuration, notifications, ISR status, device-specific
 * configuration, PCI configuration access), feature negotiation with VERSION_1 required, the
 * device status, queue setup, INTx with the read-to-clear ISR, MSI-X with a vector for each queue,
 * DEVICE_NEEDS_RESET.
 *
 * Not modelled: the legacy interface, queue reset, notification data, shared memory,
 * administration. config_generation stays 0: no device here changes its configuration by itself.
 *
 * Writes that the driver isn't allowed in the current state are dropped. Each common register has
 * one width; 64-bit ones may be written in halves or whole. A hostile driver may
 * - skip negotiation, or accept bits that were not offered: FEATURES_OK stays clear, and with it
 *   queue_enable and DRIVER_OK;
 * - notify queues that are disabled, broken, not there, or without DRIVER_OK or bus mastering:
 *   dropped and counted;
 * - move a ring while it is live: addresses and size are frozen by queue_enable until reset;
 * - break a ring: the device stops, sets NEEDS_RESET, and only a reset revives it;
 * - aim the PCI configuration window outside of the BAR: it then reads as all ones.
 */
#include "dev/virtio_common.h"

#include "dev/virtio_regs.h"
#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/mem.h"

/* --- the interrupt ---------------------------------------------------------------------------- */

static bool virtio_pci_irq_cause(const struct virtio_pci *vp)
{
    return vp->isr != 0 && !msix_enabled(&vp->msix);
}

static void virtio_pci_sync_irq(struct virtio_pci *vp)
{
    pci_set_intx(&vp->pci, virtio_pci_irq_cause(vp));
}

/* --- the BAR ---------------------------------------------------------------------------------- */

static enum io_result isr_read(struct virtio_pci *vp, uint32_t offset, unsigned size,
                               uint64_t *value)
{
    if (offset != 0)
        return IO_NO_REGISTER;
    if (size != 1)
        return IO_BAD_SIZE;
    *value = vp->isr;
    vp->isr = 0;
    return IO_OK;
}

static enum io_result device_config_read(struct virtio_pci *vp, uint32_t offset, unsigned size,
                                         uint64_t *value)
{
    uint8_t bytes[8] = {0};
    if (!range_fits(offset, size, vp->ops->config_size))
        return IO_NO_REGISTER;
    vp->ops->config_read(vp->dev, offset, bytes, size);
    *value = load_le64(bytes);
    return IO_OK;
}

static enum io_result device_config_write(struct virtio_pci *vp, uint32_t offset, unsigned size,
                                          uint64_t value)
{
    uint8_t bytes[8];
    if (!range_fits(offset, size, vp->ops->config_size))
        return IO_NO_REGISTER;
    store_le64(bytes, value);
    if (vp->ops->config_write)
        vp->ops->config_write(vp->dev, offset, bytes, size);
    return IO_OK;
}

static enum io_result bar_read(struct virtio_pci *vp, uint32_t offset, unsigned size,
                               uint64_t *value)
{
    uint32_t inside = offset % VIRTIO_PCI_PAGE_SIZE;
    switch (offset - inside) {
    case VIRTIO_PCI_COMMON_OFFSET:
        return virtio_common_read(vp, inside, size, value);
    case VIRTIO_PCI_ISR_OFFSET:
        return isr_read(vp, inside, size, value);
    case VIRTIO_PCI_DEVICE_OFFSET:
        return device_config_read(vp, inside, size, value);
    default: /* notifications are write-only */
        return IO_NO_REGISTER;
    }
}

static enum io_result notify_write(struct virtio_pci *vp, uint32_t offset, unsigned size)
{
    if (offset % VIRTIO_PCI_NOTIFY_MULTIPLIER != 0)
        return IO_NO_REGISTER;
    if (size != 2 && size != 4)
        return IO_BAD_SIZE;
    virtio_common_notify(vp, offset / VIRTIO_PCI_NOTIFY_MULTIPLIER);
    return IO_OK;
}

static enum io_result bar_write(struct virtio_pci *vp, uint32_t offset, unsigned size,
                                uint64_t value)
{
    uint32_t inside = offset % VIRTIO_PCI_PAGE_SIZE;
    switch (offset - inside) {
    case VIRTIO_PCI_COMMON_OFFSET:
        return virtio_common_write(vp, inside, size, value);
    case VIRTIO_PCI_ISR_OFFSET:
        return IO_NO_REGISTER;
    case VIRTIO_PCI_DEVICE_OFFSET:
        return device_config_write(vp, inside, size, value);
    default:
        return notify_write(vp, inside, size);
    }
}

static enum io_result virtio_pci_read(void *dev, uint32_t offset, unsigned size, uint64_t *value)
{
    enum io_result result = bar_read(dev, offset, size, value);
    virtio_pci_sync_irq(dev);
    return result;
}

static enum io_result virtio_pci_write(void *dev, uint32_t offset, unsigned size, uint64_t value)
{
    enum io_result result = bar_write(dev, offset, size, value);
    virtio_pci_sync_irq(dev);
    return result;
}

void virtio_pci_serve(struct virtio_pci *vp, unsigned index)
{
    if (virtio_pci_queue_live(vp, index))
        virtio_common_serve(vp, index);
    virtio_pci_sync_irq(vp);
}

static void virtio_pci_reset(void *dev)
{
    struct virtio_pci *vp = dev;
    msix_reset(&vp->msix);
    virtio_common_reset(dev);
    virtio_pci_sync_irq(dev);
}

static const struct dev_ops bar_ops = {
    .name = "virtio-pci",
    .read = virtio_pci_read,
    .write = virtio_pci_write,
    .reset = virtio_pci_reset,
};

/* --- access through configuration space ------------------------------------------------------- */

/* Where the PCI_CFG capability points, when that is inside the BAR and of a legal size. */
static bool window_target(const struct virtio_pci *vp, uint32_t *offset, unsigned *size)
{
    const uint8_t *cap = &vp->pci.config[vp->pci_cfg_cap];
    uint32_t len = load_le32(cap + VIRTIO_PCI_CAP_LENGTH);
    *offset = load_le32(cap + VIRTIO_PCI_CAP_OFFSET);
    *size = len;
    return cap[VIRTIO_PCI_CAP_BAR] == VIRTIO_PCI_BAR && (len == 1 || len == 2 || len == 4) &&
           *offset % len == 0 && range_fits(*offset, len, VIRTIO_PCI_BAR_SIZE);
}

/* Whether a configuration access touches the window's data. */
static bool window_accessed(const struct virtio_pci *vp, unsigned reg, unsigned size)
{
    unsigned data = vp->pci_cfg_cap + VIRTIO_PCI_CAP_DATA;
    return reg < data + 4 && data < reg + size;
}

static void virtio_config_read(void *ctx, unsigned reg, unsigned size)
{
    struct virtio_pci *vp = ctx;
    uint32_t offset;
    unsigned len;
    if (!window_accessed(vp, reg, size))
        return;
    uint64_t value;
    if (!window_target(vp, &offset, &len) || virtio_pci_read(vp, offset, len, &value) != IO_OK)
        value = UINT32_MAX;
    store_le32(&vp->pci.config[vp->pci_cfg_cap + VIRTIO_PCI_CAP_DATA], (uint32_t)value);
}

static void virtio_config_written(void *ctx, unsigned reg, unsigned size)
{
    struct virtio_pci *vp = ctx;
    uint32_t offset;
    unsigned len;
    msix_config_written(&vp->msix);
    virtio_pci_sync_irq(vp);
    if (!window_accessed(vp, reg, size) || !window_target(vp, &offset, &len))
        return;
    uint32_t data = load_le32(&vp->pci.config[vp->pci_cfg_cap + VIRTIO_PCI_CAP_DATA]);
    virtio_pci_write(vp, offset, len, data & size_mask(len));
}

static const struct pci_device_ops pci_hooks = {
    .config_read = virtio_config_read,
    .config_written = virtio_config_written,
    .reset = virtio_pci_reset,
};

/* --- construction ----------------------------------------------------------------------------- */

/* Adds one of the five vendor capabilities. extra_len: 0, or 4 for a dword behind the common part
 * (the multiplier, the window's data). */
static uint8_t add_structure(struct virtio_pci *vp, uint8_t type, uint32_t offset, uint32_t len,
                             unsigned extra_len)
{
    uint8_t cap[VIRTIO_PCI_CAP_SIZE + 4] = {0};
    unsigned size = VIRTIO_PCI_CAP_SIZE + extra_len;
    cap[2] = (uint8_t)size;
    cap[3] = type;
    cap[VIRTIO_PCI_CAP_BAR] = VIRTIO_PCI_BAR;
    store_le32(cap + VIRTIO_PCI_CAP_OFFSET, offset);
    store_le32(cap + VIRTIO_PCI_CAP_LENGTH, len);
    if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
        store_le32(cap + VIRTIO_PCI_CAP_DATA, VIRTIO_PCI_NOTIFY_MULTIPLIER);
    uint8_t at = pci_add_capability(&vp->pci, PCI_CAP_ID_VENDOR, cap + 2, size - 2);
    ASSERT(at != 0);
    return at;
}

static void add_structures(struct virtio_pci *vp)
{
    uint32_t notify_len = VIRTIO_PCI_NOTIFY_MULTIPLIER * vp->ops->queue_count;
    add_structure(vp, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_OFFSET, VIRTIO_COMMON_SIZE, 0);
    add_structure(vp, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_PCI_NOTIFY_OFFSET, notify_len, 4);
    add_structure(vp, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_PCI_ISR_OFFSET, 1, 0);
    if (vp->ops->config_size > 0)
        add_structure(vp, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_PCI_DEVICE_OFFSET, vp->ops->config_size,
                      0);
    vp->pci_cfg_cap = add_structure(vp, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 4);
    pci_make_writable(&vp->pci, vp->pci_cfg_cap + VIRTIO_PCI_CAP_BAR, 1);
    pci_make_writable(&vp->pci, vp->pci_cfg_cap + VIRTIO_PCI_CAP_OFFSET, 12);
}

void virtio_pci_init(struct virtio_pci *vp, const struct virtio_dev_ops *ops, void *dev,
                     const struct gmem *gmem, struct virtio_fault_sink fault)
{
    const struct pci_identity identity = {
        .vendor_id = VIRTIO_PCI_VENDOR_ID,
        .device_id = (uint16_t)(VIRTIO_PCI_DEVICE_BASE + ops->device_type),
        .subsystem_vendor_id = VIRTIO_PCI_VENDOR_ID,
        .subsystem_id = (uint16_t)(VIRTIO_PCI_SUBSYSTEM_BASE + ops->device_type),
        .class_code = ops->pci_class,
        .revision_id = VIRTIO_PCI_REVISION,
        .interrupt_pin = 1,
    };
    const struct pci_bar bar = {
        .kind = PCI_BAR_MEM32, .size_bytes = VIRTIO_PCI_BAR_SIZE, .ops = &bar_ops, .dev = vp};

    ASSERT(ops->queue_count <= VIRTIO_PCI_MAX_QUEUES);
    memset(vp, 0, sizeof(*vp));
    vp->ops = ops;
    vp->dev = dev;
    vp->fault = fault;
    for (unsigned i = 0; i < VIRTIO_PCI_MAX_QUEUES; i++)
        vp->queue[i].gmem = gmem;
    pci_device_init(&vp->pci, &identity, &pci_hooks, vp);
    ASSERT(pci_add_bar(&vp->pci, VIRTIO_PCI_BAR, &bar));
    add_structures(vp);
    msix_init(&vp->msix, &vp->pci, ops->queue_count + 1, VIRTIO_PCI_MSIX_BAR);
    virtio_common_reset(vp);
}
