/* What a virtio device (virtio_blk.c) and its transport (virtio_pci.c) know of each other. */
#ifndef DEV_VIRTIO_H
#define DEV_VIRTIO_H

#include "dev/virtqueue.h"

/* What a device has to tell the driver after it served a queue. */
#define VIRTIO_EVENT_USED   0x1u /* interrupt: buffers were used */
#define VIRTIO_EVENT_BROKEN 0x2u /* a queue is broken: DEVICE_NEEDS_RESET */

struct virtio_dev_ops {
    const char *name;
    uint16_t device_type; /* VIRTIO 1.2, "Device Types" */
    uint32_t pci_class;   /* 24 bits */
    unsigned queue_count;
    uint32_t config_size; /* bytes of the device-specific configuration */
    /* The device's own feature bits; the transport adds those of rings and transport. */
    uint64_t (*features)(const void *dev);
    /* Called when FEATURES_OK is granted, with all negotiated bits. */
    void (*set_features)(void *dev, uint64_t features);
    /* [offset, offset + len) lies inside config_size, len is at most 8. */
    void (*config_read)(const void *dev, uint32_t offset, void *dst, unsigned len);
    void (*config_write)(void *dev, uint32_t offset, const void *src, unsigned len); /* or NULL */
    /* Serves a queue that is enabled, after DRIVER_OK. Gives VIRTIO_EVENT_* bits. */
    unsigned (*notify)(void *dev, struct virtqueue *queue, unsigned index);
    void (*reset)(void *dev);
};

/* Learns why a device went dead, for the machine's log: a device itself can't print. */
struct virtio_fault_sink {
    void (*report)(void *ctx, const char *device, const char *reason);
    void *ctx;
};

#endif
