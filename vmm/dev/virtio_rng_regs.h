/* Virtio 1.2, "Entropy Device": one queue, no feature bits, no configuration. */
#ifndef DEV_VIRTIO_RNG_REGS_H
#define DEV_VIRTIO_RNG_REGS_H

#define VIRTIO_RNG_DEVICE_TYPE 4u
#define VIRTIO_RNG_PCI_CLASS   0x00FF00u /* not one of PCI's classes */

#endif
