/*
 * The I/O APIC. Chip: Intel 82093AA data sheet; the EOI register and version 20h: the ICH data
 * sheets ("EOIR - EOI Register").
 *
 * Modelled: 24 inputs with redirection entries, edge and level with polarity, remote IRR, masks,
 * end of interrupt by the local APICs' broadcast or by the EOI register.
 *
 * Details that matter: an edge on a masked input is lost, as the data sheet has it. A level that a
 * local APIC refused is tried again at the next access; remote IRR is set by the
 * local APIC's acceptance. Changing an entry to edge clears its remote IRR, which is how kernels
 * got rid of one before there was an EOI register.
 *
 * NOT modelled: the bus between the APICs, which takes no time here, so that delivery status always
 * reads as idle; arbitration.
 *
 * A hostile guest can give itself nonsense interrupts and nothing else: a register's number is
 * checked before it becomes a pin's.
 */
#ifndef DEV_IOAPIC_H
#define DEV_IOAPIC_H

#include "dev/apic_message.h"
#include "dev/dev.h"

#define IOAPIC_PINS      24u
#define IOAPIC_PAGE_SIZE 0x1000u

struct ioapic {
    /* Connections. */
    struct apic_bus bus;

    /* Counters. */
    uint64_t sent[IOAPIC_PINS];

    /* The inputs' levels are their devices' and survive reset. */
    uint32_t lines;

    /* Guest-visible state. */
    uint64_t redirection[IOAPIC_PINS];
    uint32_t id;
    uint8_t select;
};

/* IOAPIC_PAGE_SIZE bytes. */
extern const struct dev_ops ioapic_ops;

void ioapic_init(struct ioapic *ioapic, struct apic_bus bus);
/* An input goes to a level; pins beyond the last don't exist. For irq_line.set. */
void ioapic_set_irq(void *ioapic, unsigned pin, bool high);
/* Whether an input is set up to send an NMI or an INIT. */
bool ioapic_may_send_nmi(const struct ioapic *ioapic);
/* A local APIC has ended a level-triggered interrupt. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

#endif
