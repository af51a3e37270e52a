/*
 * MSI-X of a PCI function: a table of messages and an array of pending bits, in a BAR of their own.
 * Document: PCI Local Bus Specification 3.0, "MSI-X Capability and Table Structures".
 *
 * Modelled: enable, function mask, a mask for each vector, pending bits that a masked vector sets
 * and that are sent when it is unmasked. A function that may not be bus master counts as masked.
 *
 * NOT modelled: messages to memory. One whose address isn't an APIC's goes nowhere and is counted.
 *
 * A hostile guest may fill the table with noise: it is only ever read as a message, and local APICs
 * check those. Offsets come in checked.
 */
#ifndef DEV_MSIX_H
#define DEV_MSIX_H

#include "dev/pci.h"

#define MSIX_MAX_VECTORS 8u
#define MSIX_BAR_SIZE    0x1000u

struct msix_vector {
    uint64_t address;
    uint32_t data;
    uint32_t control;
};

struct msix {
    /* Configuration and connections. */
    struct pci_device *device;
    unsigned count;
    uint8_t capability; /* where it lies in configuration space */

    /* Counters. */
    uint64_t sent, lost;

    /* Guest-visible state, beside the capability's. */
    struct msix_vector vector[MSIX_MAX_VECTORS];
    uint32_t pending; /* a bit for each */
};

/* Gives a device under construction the capability, with `count` vectors, and BAR `bar`. */
void msix_init(struct msix *msix, struct pci_device *device, unsigned count, unsigned bar);
void msix_reset(struct msix *msix); /* the bus's RST# */
/* For the device's config_written hook. */
void msix_config_written(struct msix *msix);
/* While true, the function must not use INTx. */
bool msix_enabled(const struct msix *msix);
/* Whether a vector is set up to send an NMI or an INIT. */
bool msix_may_send_nmi(const struct msix *msix);
/* Sends a vector's message, now or when it is no longer masked. Vectors beyond the last and all of
 * them while MSI-X is off send nothing. */
void msix_raise(struct msix *msix, unsigned vector);

#endif
