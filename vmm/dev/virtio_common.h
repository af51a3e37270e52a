/* The inner half of virtio_pci.c: the common configuration structure and what it controls. Only
 * virtio_pci.c calls it, and recomputes the interrupt pin afterwards. */
#ifndef DEV_VIRTIO_COMMON_H
#define DEV_VIRTIO_COMMON_H

#include "dev/virtio_pci.h"

/* Register access; offset counts from the structure's start. */
enum io_result virtio_common_read(struct virtio_pci *vp, uint32_t offset, unsigned size,
                                  uint64_t *value);
enum io_result virtio_common_write(struct virtio_pci *vp, uint32_t offset, unsigned size,
                                   uint64_t value);
/* The driver's notification for a queue; any index. */
void virtio_common_notify(struct virtio_pci *vp, unsigned index);
/* Has the device serve a queue that is live, and tells the driver what came of it. */
void virtio_common_serve(struct virtio_pci *vp, unsigned index);
/* Device reset, by the driver or the bus. Configuration space is the bus's affair. */
void virtio_common_reset(struct virtio_pci *vp);

#endif
