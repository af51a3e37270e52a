/*
 * ACPI fixed hardware: PM1 events, PM1 control and the power management timer. Source: ACPI
 * specification, "ACPI Register Model". Twelve ports from the base that the FADT names: PM1 event
 * block at +0, PM1 control block at +4, timer at +8.
 *
 * Modelled: the 32-bit timer (the FADT must set TMR_VAL_EXT) of 3.579545 MHz with its status bit
 * at each change of bit 31, the power button, the SCI, power-off by SLP_EN with sleep type 5 (what
 * the \_S5 package must name). Any aligned access of 1, 2 or 4 bytes within a register.
 *
 * NOT modelled: SMI and legacy mode (SCI_EN always reads 1), the sleep states S1-S4 (other types
 * are ignored), the global lock's release, bus master status, general purpose events.
 *
 * A hostile guest can switch itself off; the SCI is a level that only its own enables can raise.
 */
#ifndef DEV_ACPI_PM_H
#define DEV_ACPI_PM_H

#include "dev/dev.h"

#define ACPI_PM_PORTS          12
#define ACPI_PM_TIMER_HZ       3579545u
#define ACPI_PM_SLEEP_TYPE_OFF 5 /* SLP_TYP of S5 */

struct acpi_pm {
    /* Connections. */
    struct irq_line sci; /* active high level; IRQ 9 by custom */
    struct signal_line power_off;

    /* Time: reset leaves it alone. */
    uint64_t tick; /* of the timer, not wrapped */

    /* Guest-visible state. */
    uint16_t status;
    uint16_t enable;
    uint16_t control;
};

extern const struct dev_ops acpi_pm_ops;

void acpi_pm_init(struct acpi_pm *pm, struct irq_line sci, struct signal_line power_off);
/* Somebody pressed the power button. */
void acpi_pm_power_button(struct acpi_pm *pm);
/* What the SCI must show. */
bool acpi_pm_irq_cause(const struct acpi_pm *pm);

#endif
