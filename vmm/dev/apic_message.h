/*
 * What travels between APICs: an interrupt with its destination, sent by an I/O APIC, by a device's
 * message (MSI, MSI-X) or by a processor, and received by local APICs. SDM "Message Address
 * Register Format", "Message Data Register Format".
 */
#ifndef DEV_APIC_MESSAGE_H
#define DEV_APIC_MESSAGE_H

#include "lib/types.h"

/* Delivery modes, numbered alike in LVTs, the ICR, redirection entries and message data. */
enum apic_delivery {
    APIC_FIXED = 0,
    APIC_LOWEST_PRIORITY = 1,
    APIC_SMI = 2,
    APIC_RESERVED_3 = 3,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6, /* the ICR's alone */
    APIC_EXTINT = 7   /* not the ICR's */
};

/* What reaches a processor that takes no interrupts. */
static inline bool apic_wakes_always(enum apic_delivery delivery)
{
    return delivery == APIC_NMI || delivery == APIC_INIT;
}

/* Everyone, whatever the destination's width is where it was written. */
#define APIC_EVERYONE 0xFFFFFFFFu

struct apic_message {
    uint32_t destination;
    bool logical; /* the destination is a set of processors, by their LDR and DFR */
    bool level;   /* level-triggered: its end is broadcast to the I/O APICs */
    enum apic_delivery delivery;
    uint8_t vector;
};

/* Where the messages go. False: no local APIC has taken it. */
struct apic_bus {
    bool (*send)(void *ctx, const struct apic_message *message);
    void *ctx;
};

static inline bool apic_send(const struct apic_bus *bus, const struct apic_message *message)
{
    return bus->send && bus->send(bus->ctx, message);
}

/* A destination of eight bits, of which all ones mean everyone. */
static inline uint32_t apic_destination(uint8_t destination)
{
    return destination == 0xFF ? APIC_EVERYONE : destination;
}

#define MSI_ADDRESS_BASE 0xFEE00000u
#define MSI_ADDRESS_DM   0x4u /* the destination is logical */
#define MSI_DATA_LEVEL   0x8000u

/* False when the address isn't an APIC's: the message is then a write to memory or nowhere. */
static inline bool apic_message_from_msi(uint64_t address, uint32_t data,
                                         struct apic_message *message)
{
    if ((address & ~0xFFFFFull) != MSI_ADDRESS_BASE)
        return false;
    *message = (struct apic_message){
        .destination = apic_destination((uint8_t)(address >> 12)),
        .logical = address & MSI_ADDRESS_DM,
        .level = data & MSI_DATA_LEVEL,
        .delivery = (enum apic_delivery)(data >> 8 & 7),
        .vector = (uint8_t)data,
    };
    return true;
}

#endif
