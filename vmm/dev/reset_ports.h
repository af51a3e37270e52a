/*
 * The reset ports of a PC: 92h ("fast A20 and reset") and CF9h (reset control). Source: Intel
 * 82371SB (PIIX3) data sheet, "Reset Control Register"; IBM PS/2 "System Control Port A". Byte
 * accesses only.
 *
 * Port CF9h lies inside PCI's CF8h-CFBh: whoever owns that bus range hands byte accesses to CF9h
 * to reset_ports_ops with the offset RESET_PORT_CF9 and keeps all others.
 *
 * Modelled: a rising edge of 92h bit 0 or of CF9h bit 2 raises the reset signal. NOT modelled: the
 * A20 gate (bit 1 of 92h reads back what was written, A20 itself is always on), the difference
 * between soft, hard and full reset, the password and LED bits.
 *
 * A hostile guest can reset itself, as often as it likes; that is what the ports are for.
 */
#ifndef DEV_RESET_PORTS_H
#define DEV_RESET_PORTS_H

#include "dev/dev.h"

#define RESET_PORT_92  0 /* offset of port 92h */
#define RESET_PORT_CF9 1 /* offset of port CF9h */

struct reset_ports {
    /* Connections. */
    struct signal_line reset;

    /* Guest-visible state. */
    uint8_t port92;
    uint8_t cf9;
};

extern const struct dev_ops reset_ports_ops;

void reset_ports_init(struct reset_ports *ports, struct signal_line reset);

#endif
