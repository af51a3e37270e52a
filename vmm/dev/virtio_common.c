/*
 * The common configuration structure of a virtio-pci device: device status, feature negotiation,
 * queue setup, and the state that goes with them. virtio_pci.c says what is modelled and what a
 * hostile driver may try.
 *
 * Document: VIRTIO 1.2, "Common configuration structure layout", "Device Status Field", "Feature
 * Bits", "Device Initialization".
 */
#include "dev/virtio_common.h"

#include "dev/virtio_regs.h"
#include "lib/bits.h"

/* --- interrupts and faults -------------------------------------------------------------------- */

static void isr_raise(struct virtio_pci *vp, uint8_t isr_bit)
{
    if (!(vp->isr & isr_bit))
        vp->interrupts++;
    vp->isr |= isr_bit;
}

/* "If MSI-X capability is disabled", the ISR tells of a queue; a message does so by its vector. */
static void tell_used(struct virtio_pci *vp, unsigned queue)
{
    if (!msix_enabled(&vp->msix)) {
        isr_raise(vp, VIRTIO_ISR_QUEUE);
        return;
    }
    vp->interrupts++;
    msix_raise(&vp->msix, vp->queue_vector[queue]);
}

static void tell_config(struct virtio_pci *vp)
{
    isr_raise(vp, VIRTIO_ISR_CONFIG);
    msix_raise(&vp->msix, vp->config_vector);
}

/* A vector that can't be had reads back as none. */
static uint16_t vector_accepted(const struct virtio_pci *vp, uint16_t vector)
{
    return vector < vp->msix.count ? vector : VIRTIO_MSI_NO_VECTOR;
}

/* A driver that got as far as DRIVER_OK is told by a configuration interrupt. */
static void device_fail(struct virtio_pci *vp, const char *reason)
{
    vp->faults++;
    vp->status |= VIRTIO_STATUS_NEEDS_RESET;
    if (vp->status & VIRTIO_STATUS_DRIVER_OK)
        tell_config(vp);
    if (vp->fault.report)
        vp->fault.report(vp->fault.ctx, vp->ops->name, reason);
}

/* --- device status and features --------------------------------------------------------------- */

static uint64_t offered_features(const struct virtio_pci *vp)
{
    return vp->ops->features(vp->dev) | BIT64(VIRTIO_F_VERSION_1) |
           BIT64(VIRTIO_F_RING_INDIRECT_DESC) | BIT64(VIRTIO_F_RING_EVENT_IDX);
}

static bool features_acceptable(const struct virtio_pci *vp)
{
    return (vp->driver_features & ~offered_features(vp)) == 0 &&
           (vp->driver_features & BIT64(VIRTIO_F_VERSION_1)) != 0;
}

void virtio_common_reset(struct virtio_pci *vp)
{
    vp->ops->reset(vp->dev);
    for (unsigned i = 0; i < vp->ops->queue_count; i++) {
        virtqueue_reset(&vp->queue[i]);
        vp->queue_vector[i] = VIRTIO_MSI_NO_VECTOR;
    }
    vp->config_vector = VIRTIO_MSI_NO_VECTOR;
    vp->device_feature_select = vp->driver_feature_select = 0;
    vp->driver_features = 0;
    vp->queue_select = 0;
    vp->status = 0;
    vp->isr = 0;
}

static void status_write(struct virtio_pci *vp, uint8_t value)
{
    if (value == 0) {
        virtio_common_reset(vp);
        return;
    }
    /* Bits are only ever added: the driver may not clear one but by a reset. */
    vp->status |= value & (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FAILED);
    if ((value & VIRTIO_STATUS_FEATURES_OK) && !(vp->status & VIRTIO_STATUS_FEATURES_OK) &&
        (vp->status & VIRTIO_STATUS_DRIVER) && features_acceptable(vp)) {
        vp->status |= VIRTIO_STATUS_FEATURES_OK;
        vp->ops->set_features(vp->dev, vp->driver_features);
    }
    if ((value & VIRTIO_STATUS_DRIVER_OK) && (vp->status & VIRTIO_STATUS_FEATURES_OK))
        vp->status |= VIRTIO_STATUS_DRIVER_OK;
}

static uint32_t feature_half(uint64_t features, uint32_t select)
{
    return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static void driver_feature_write(struct virtio_pci *vp, uint32_t value)
{
    uint32_t select = vp->driver_feature_select;
    if ((vp->status & VIRTIO_STATUS_FEATURES_OK) || select >= 2)
        return;
    uint64_t others = vp->driver_features & ~(0xFFFFFFFFull << (32 * select));
    vp->driver_features = others | (uint64_t)value << (32 * select);
}

/* --- queues ----------------------------------------------------------------------------------- */

/* The queue that queue_select names, or NULL. */
static struct virtqueue *selected(struct virtio_pci *vp)
{
    return vp->queue_select < vp->ops->queue_count ? &vp->queue[vp->queue_select] : NULL;
}

static void queue_size_write(struct virtqueue *queue, uint16_t size)
{
    bool power_of_two = size != 0 && (size & (size - 1)) == 0;
    if (power_of_two && size <= VIRTQUEUE_MAX_SIZE)
        queue->size = size;
}

static void queue_enable_write(struct virtio_pci *vp, struct virtqueue *queue, uint16_t value)
{
    if (value != 1 || !(vp->status & VIRTIO_STATUS_FEATURES_OK) ||
        (vp->status & VIRTIO_STATUS_NEEDS_RESET))
        return;
    if (!virtqueue_enable(queue, vp->driver_features))
        device_fail(vp, queue->broken);
}

bool virtio_pci_queue_live(const struct virtio_pci *vp, unsigned index)
{
    return (vp->status & VIRTIO_STATUS_DRIVER_OK) && !(vp->status & VIRTIO_STATUS_NEEDS_RESET) &&
           pci_bus_master(&vp->pci) && index < vp->ops->queue_count && vp->queue[index].enabled;
}

void virtio_common_notify(struct virtio_pci *vp, unsigned index)
{
    if (!virtio_pci_queue_live(vp, index)) {
        vp->ignored_notifications++;
        return;
    }
    vp->notifications++;
    virtio_common_serve(vp, index);
}

void virtio_common_serve(struct virtio_pci *vp, unsigned index)
{
    unsigned events = vp->ops->notify(vp->dev, &vp->queue[index], index);
    if (events & VIRTIO_EVENT_USED)
        tell_used(vp, index);
    if (events & VIRTIO_EVENT_BROKEN)
        device_fail(vp, vp->queue[index].broken);
}

/* --- registers -------------------------------------------------------------------------------- */

/* The width of the register that begins at offset, 0 where none does. 64-bit registers are two of
 * 32 bits. */
static unsigned register_width(uint32_t offset)
{
    switch (offset) {
    case VIRTIO_COMMON_DEVICE_STATUS:
    case VIRTIO_COMMON_CONFIG_GENERATION:
        return 1;
    case VIRTIO_COMMON_CONFIG_MSIX_VECTOR:
    case VIRTIO_COMMON_NUM_QUEUES:
    case VIRTIO_COMMON_QUEUE_SELECT:
    case VIRTIO_COMMON_QUEUE_SIZE:
    case VIRTIO_COMMON_QUEUE_MSIX_VECTOR:
    case VIRTIO_COMMON_QUEUE_ENABLE:
    case VIRTIO_COMMON_QUEUE_NOTIFY_OFF:
    case VIRTIO_COMMON_QUEUE_NOTIFY_DATA:
    case VIRTIO_COMMON_QUEUE_RESET:
        return 2;
    case VIRTIO_COMMON_DEVICE_FEATURE_SELECT:
    case VIRTIO_COMMON_DEVICE_FEATURE:
    case VIRTIO_COMMON_DRIVER_FEATURE_SELECT:
    case VIRTIO_COMMON_DRIVER_FEATURE:
    case VIRTIO_COMMON_QUEUE_DESC:
    case VIRTIO_COMMON_QUEUE_DESC + 4:
    case VIRTIO_COMMON_QUEUE_DRIVER:
    case VIRTIO_COMMON_QUEUE_DRIVER + 4:
    case VIRTIO_COMMON_QUEUE_DEVICE:
    case VIRTIO_COMMON_QUEUE_DEVICE + 4:
        return 4;
    default:
        return 0;
    }
}

/* The ring address that a 32-bit half belongs to. */
static gpa_t *queue_address(struct virtqueue *queue, uint32_t offset)
{
    switch (offset & ~7u) {
    case VIRTIO_COMMON_QUEUE_DESC:
        return &queue->desc;
    case VIRTIO_COMMON_QUEUE_DRIVER:
        return &queue->avail;
    default:
        return &queue->used;
    }
}

static uint32_t queue_register_read(struct virtio_pci *vp, unsigned index, uint32_t offset)
{
    struct virtqueue *queue = &vp->queue[index];
    switch (offset) {
    case VIRTIO_COMMON_QUEUE_SIZE:
        return queue->size;
    case VIRTIO_COMMON_QUEUE_MSIX_VECTOR:
        return vp->queue_vector[index];
    case VIRTIO_COMMON_QUEUE_ENABLE:
        return queue->enabled;
    case VIRTIO_COMMON_QUEUE_NOTIFY_OFF:
        return index;
    case VIRTIO_COMMON_QUEUE_NOTIFY_DATA:
    case VIRTIO_COMMON_QUEUE_RESET:
        return 0;
    default:
        return (uint32_t)(*queue_address(queue, offset) >> (offset % 8 * 8));
    }
}

static uint32_t register_read(struct virtio_pci *vp, uint32_t offset)
{
    switch (offset) {
    case VIRTIO_COMMON_DEVICE_FEATURE_SELECT:
        return vp->device_feature_select;
    case VIRTIO_COMMON_DEVICE_FEATURE:
        return feature_half(offered_features(vp), vp->device_feature_select);
    case VIRTIO_COMMON_DRIVER_FEATURE_SELECT:
        return vp->driver_feature_select;
    case VIRTIO_COMMON_DRIVER_FEATURE:
        return feature_half(vp->driver_features, vp->driver_feature_select);
    case VIRTIO_COMMON_CONFIG_MSIX_VECTOR:
        return vp->config_vector;
    case VIRTIO_COMMON_NUM_QUEUES:
        return vp->ops->queue_count;
    case VIRTIO_COMMON_DEVICE_STATUS:
        return vp->status;
    case VIRTIO_COMMON_CONFIG_GENERATION:
        return 0;
    case VIRTIO_COMMON_QUEUE_SELECT:
        return vp->queue_select;
    default: /* a queue that isn't there has size 0, which says so */
        return selected(vp) ? queue_register_read(vp, vp->queue_select, offset) : 0;
    }
}

static void queue_register_write(struct virtio_pci *vp, struct virtqueue *queue, uint32_t offset,
                                 uint32_t value)
{
    if (offset == VIRTIO_COMMON_QUEUE_MSIX_VECTOR) { /* may change at any time */
        vp->queue_vector[vp->queue_select] = vector_accepted(vp, (uint16_t)value);
        return;
    }
    if (queue->enabled)
        return;
    switch (offset) {
    case VIRTIO_COMMON_QUEUE_SIZE:
        queue_size_write(queue, (uint16_t)value);
        return;
    case VIRTIO_COMMON_QUEUE_ENABLE:
        queue_enable_write(vp, queue, (uint16_t)value);
        return;
    case VIRTIO_COMMON_QUEUE_NOTIFY_OFF:
    case VIRTIO_COMMON_QUEUE_NOTIFY_DATA:
    case VIRTIO_COMMON_QUEUE_RESET:
        return;
    default:
        break;
    }
    unsigned shift = offset % 8 * 8;
    gpa_t *address = queue_address(queue, offset);
    *address = (*address & ~(0xFFFFFFFFull << shift)) | (uint64_t)value << shift;
}

static void register_write(struct virtio_pci *vp, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case VIRTIO_COMMON_DEVICE_FEATURE_SELECT:
        vp->device_feature_select = value;
        return;
    case VIRTIO_COMMON_DRIVER_FEATURE_SELECT:
        vp->driver_feature_select = value;
        return;
    case VIRTIO_COMMON_DRIVER_FEATURE:
        driver_feature_write(vp, value);
        return;
    case VIRTIO_COMMON_DEVICE_STATUS:
        status_write(vp, (uint8_t)value);
        return;
    case VIRTIO_COMMON_QUEUE_SELECT:
        vp->queue_select = (uint16_t)value;
        return;
    case VIRTIO_COMMON_CONFIG_MSIX_VECTOR:
        vp->config_vector = vector_accepted(vp, (uint16_t)value);
        return;
    case VIRTIO_COMMON_DEVICE_FEATURE:
    case VIRTIO_COMMON_NUM_QUEUES:
    case VIRTIO_COMMON_CONFIG_GENERATION:
        return;
    default:
        if (selected(vp))
            queue_register_write(vp, selected(vp), offset, value);
    }
}

static enum io_result access_ok(uint32_t offset, unsigned size)
{
    /* A 64-bit access is two halves, so it must begin where a 64-bit register does. */
    bool pair = size == 8 && offset % 8 == 0 && offset >= VIRTIO_COMMON_QUEUE_DESC &&
                offset < VIRTIO_COMMON_QUEUE_NOTIFY_DATA;
    unsigned width = register_width(offset);
    if (width == 0)
        return IO_NO_REGISTER;
    return width == size || pair ? IO_OK : IO_BAD_SIZE;
}

enum io_result virtio_common_read(struct virtio_pci *vp, uint32_t offset, unsigned size,
                                  uint64_t *value)
{
    enum io_result result = access_ok(offset, size);
    if (result != IO_OK)
        return result;
    *value = register_read(vp, offset);
    if (size == 8)
        *value |= (uint64_t)register_read(vp, offset + 4) << 32;
    return IO_OK;
}

enum io_result virtio_common_write(struct virtio_pci *vp, uint32_t offset, unsigned size,
                                   uint64_t value)
{
    enum io_result result = access_ok(offset, size);
    if (result != IO_OK)
        return result;
    register_write(vp, offset, (uint32_t)value);
    if (size == 8)
        register_write(vp, offset + 4, (uint32_t)(value >> 32));
    return IO_OK;
}
