/* The fixed hardware of ACPI, by the names of the ACPI specification, "PM1 Event Grouping", "PM1
 * Control Grouping" and "Power Management Timer". */
#ifndef DEV_ACPI_PM_REGS_H
#define DEV_ACPI_PM_REGS_H

/* Offsets from the base port. */
#define ACPI_PM1_STS 0 /* 16 bits: write 1 to clear */
#define ACPI_PM1_EN  2 /* 16 bits */
#define ACPI_PM1_CNT 4 /* 16 bits */
#define ACPI_PM_TMR  8 /* 32 bits, RO */

#define ACPI_STS_TMR    0x0001u
#define ACPI_STS_BM     0x0010u
#define ACPI_STS_GBL    0x0020u
#define ACPI_STS_PWRBTN 0x0100u
#define ACPI_STS_SLPBTN 0x0200u
#define ACPI_STS_RTC    0x0400u
#define ACPI_STS_WAK    0x8000u

/* Enable bits sit where their status bits do. */
#define ACPI_EN_MASK                                                                               \
    (ACPI_STS_TMR | ACPI_STS_GBL | ACPI_STS_PWRBTN | ACPI_STS_SLPBTN | ACPI_STS_RTC)

#define ACPI_CNT_SCI_EN        0x0001u /* RO here: always in ACPI mode */
#define ACPI_CNT_BM_RLD        0x0002u
#define ACPI_CNT_SLP_TYP       0x1c00u
#define ACPI_CNT_SLP_TYP_SHIFT 10
#define ACPI_CNT_SLP_EN        0x2000u /* WO */

#endif
