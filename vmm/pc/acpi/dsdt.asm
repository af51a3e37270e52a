; The DSDT as iasl compiled it, inside the VMM's read-only data.
BITS 64
SECTION .rodata align=16

GLOBAL acpi_dsdt
GLOBAL acpi_dsdt_end

acpi_dsdt:
    INCBIN "pc/acpi/dsdt.aml"
acpi_dsdt_end:
