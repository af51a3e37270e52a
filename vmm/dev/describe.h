/*
 * What a device's state is, in a few lines for a person. Nothing changes by it: what a register's
 * read would change, or the time that has passed, changes in a copy of the device.
 */
#ifndef DEV_DESCRIBE_H
#define DEV_DESCRIBE_H

#include "dev/acpi_pm.h"
#include "dev/i8042.h"
#include "dev/ioapic.h"
#include "dev/iobus.h"
#include "dev/lapic.h"
#include "dev/pci.h"
#include "dev/pic8259.h"
#include "dev/pit8254.h"
#include "dev/rtc146818.h"
#include "dev/uart16550.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_pci.h"

void describe_bus(const struct iobus *bus, struct byte_sink out);
void describe_pic(const struct pic8259 *pic, struct byte_sink out);
void describe_lapic(const struct lapic *lapic, struct byte_sink out);
void describe_ioapic(const struct ioapic *ioapic, struct byte_sink out);
void describe_pit(const struct pit8254 *pit, vtime_t now, struct byte_sink out);
void describe_rtc(const struct rtc146818 *rtc, vtime_t now, struct byte_sink out);
void describe_uart(const struct uart16550 *uart, struct byte_sink out);
void describe_i8042(const struct i8042 *ctl, struct byte_sink out);
void describe_pm(const struct acpi_pm *pm, struct byte_sink out);
void describe_pci(const struct pci *pci, struct byte_sink out);
void describe_virtio(const struct virtio_pci *vp, struct byte_sink out);
void describe_blk(const struct virtio_blk *blk, struct byte_sink out);

#endif
