/* The virtio transport over PCI (non-transitional, "modern"). See virtio_pci.c. */
#ifndef DEV_VIRTIO_PCI_H
#define DEV_VIRTIO_PCI_H

#include "dev/msix.h"
#include "dev/pci.h"
#include "dev/virtio.h"

#define VIRTIO_PCI_MAX_QUEUES 4u

/* The memory BAR: one page for each structure, so that a page can be mapped by itself later. */
#define VIRTIO_PCI_BAR               0u
#define VIRTIO_PCI_BAR_SIZE          0x4000u
#define VIRTIO_PCI_PAGE_SIZE         0x1000u
#define VIRTIO_PCI_COMMON_OFFSET     0x0000u
#define VIRTIO_PCI_ISR_OFFSET        0x1000u
#define VIRTIO_PCI_DEVICE_OFFSET     0x2000u
#define VIRTIO_PCI_NOTIFY_OFFSET     0x3000u
#define VIRTIO_PCI_NOTIFY_MULTIPLIER 4u

#define VIRTIO_PCI_MSIX_BAR 1u

struct virtio_pci {
    /* Configuration. */
    struct pci_device pci; /* the machine passes it to pci_attach() */
    uint8_t pci_cfg_cap;   /* where the PCI_CFG capability lies in configuration space */

    /* Connections. */
    const struct virtio_dev_ops *ops;
    void *dev;
    struct virtio_fault_sink fault;
    struct msix msix; /* a vector for each queue, and one for the configuration */

    /* Counters. */
    uint64_t notifications, ignored_notifications, interrupts, faults;

    /* Guest-visible state. */
    uint32_t device_feature_select, driver_feature_select;
    uint64_t driver_features;
    uint16_t queue_select;
    uint8_t status;
    uint8_t isr;
    uint16_t config_vector, queue_vector[VIRTIO_PCI_MAX_QUEUES]; /* of MSI-X, or NO_VECTOR */
    struct virtqueue queue[VIRTIO_PCI_MAX_QUEUES];
};

/* Builds the PCI function around a virtio device; pci_attach(&vp->pci) plugs it in. */
void virtio_pci_init(struct virtio_pci *vp, const struct virtio_dev_ops *ops, void *dev,
                     const struct gmem *gmem, struct virtio_fault_sink fault);

/* Whether the driver runs and has set up the queue; any index. */
bool virtio_pci_queue_live(const struct virtio_pci *vp, unsigned index);
/* Has the device serve a queue because something happened outside: as a notification by the driver,
 * interrupt included. Nothing happens where the queue isn't live. */
void virtio_pci_serve(struct virtio_pci *vp, unsigned index);

#endif
