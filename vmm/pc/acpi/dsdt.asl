// What the hardware can't be asked for: where things are and how they are wired. The numbers are
// those of pc/layout.h.
DefinitionBlock ("dsdt.aml", "DSDT", 2, "PXHV  ", "PXHVPC  ", 1)
{
    // Soft off: the value that goes into SLP_TYP of PM1_CNT.
    Name (\_S5, Package () { 5, 5, 0, 0 })

    // The operating system tells which interrupt controllers it uses: 0 is the two 8259A, 1 the APICs.
    Name (PICM, 0)
    Method (\_PIC, 1, NotSerialized)
    {
        PICM = Arg0
    }

    Scope (\_SB)
    {
        Device (CPU0)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 0)
        }

        // What no driver owns: the delay port, port 92h, the ACPI block itself, and PCI's configuration
        // space, which is to be found here as well as in the MCFG table.
        Device (MBRD)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0080, 0x0080, 1, 1)
                IO (Decode16, 0x0092, 0x0092, 1, 1)
                IO (Decode16, 0x0600, 0x0600, 1, 12)
                Memory32Fixed (ReadWrite, 0xFEB00000, 0x00100000)
            })
        }

        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xFED00000, 0x400)
            })
        }

        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_BBN, 0)
            Name (_CRS, ResourceTemplate ()
            {
                // One bus: nothing here is a bridge.
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0, 0, 0, 0, 1)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x0000, 0x0CF7, 0, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x0D00, 0xFFFF, 0, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    NonCacheable, ReadWrite,
                    0, 0xC0000000, 0xFEAFFFFF, 0, 0x3EB00000)
            })

            // INTA of each device, soldered to an interrupt input: no link device to program. At the
            // 8259As two of the four lines share an input.
            Name (PRTP, Package ()
            {
                Package () { 0x0001FFFF, 0, 0, 10 },
                Package () { 0x0002FFFF, 0, 0, 11 },
                Package () { 0x0003FFFF, 0, 0, 10 },
                Package () { 0x0004FFFF, 0, 0, 11 },
                Package () { 0x0005FFFF, 0, 0, 10 },
                Package () { 0x0006FFFF, 0, 0, 11 },
                Package () { 0x0007FFFF, 0, 0, 10 },
                Package () { 0x0008FFFF, 0, 0, 11 }
            })
            Name (PRTA, Package ()
            {
                Package () { 0x0001FFFF, 0, 0, 17 },
                Package () { 0x0002FFFF, 0, 0, 18 },
                Package () { 0x0003FFFF, 0, 0, 19 },
                Package () { 0x0004FFFF, 0, 0, 16 },
                Package () { 0x0005FFFF, 0, 0, 17 },
                Package () { 0x0006FFFF, 0, 0, 18 },
                Package () { 0x0007FFFF, 0, 0, 19 },
                Package () { 0x0008FFFF, 0, 0, 16 }
            })
            Method (_PRT, 0, NotSerialized)
            {
                If (PICM)
                {
                    Return (PRTA)
                }
                Return (PRTP)
            }

            Device (PIC)
            {
                Name (_HID, EisaId ("PNP0000"))
                Name (_CRS, ResourceTemplate ()
                {
                    IO (Decode16, 0x0020, 0x0020, 1, 2)
                    IO (Decode16, 0x00A0, 0x00A0, 1, 2)
                    IO (Decode16, 0x04D0, 0x04D0, 1, 2)
                    IRQNoFlags () { 2 }
                })
            }

            Device (TMR)
            {
                Name (_HID, EisaId ("PNP0100"))
                Name (_CRS, ResourceTemplate ()
                {
                    IO (Decode16, 0x0040, 0x0040, 1, 4)
                    IRQNoFlags () { 0 }
                })
            }

            Device (SPKR)
            {
                Name (_HID, EisaId ("PNP0800"))
                Name (_CRS, ResourceTemplate ()
                {
                    IO (Decode16, 0x0061, 0x0061, 1, 1)
                })
            }

            Device (RTC)
            {
                Name (_HID, EisaId ("PNP0B00"))
                Name (_CRS, ResourceTemplate ()
                {
                    IO (Decode16, 0x0070, 0x0070, 1, 2)
                    IRQNoFlags () { 8 }
                })
            }

            Device (KBD)
            {
                Name (_HID, EisaId ("PNP0303"))
                Name (_STA, 0x0F)
                Name (_CRS, ResourceTemplate ()
                {
                    IO (Decode16, 0x0060, 0x0060, 1, 1)
                    IO (Decode16, 0x0064, 0x0064, 1, 1)
                    IRQNoFlags () { 1 }
                })
            }

            Device (COM1)
            {
                Name (_HID, EisaId ("PNP0501"))
                Name (_UID, 1)
                Name (_STA, 0x0F)
                Name (_CRS, ResourceTemplate ()
                {
                    IO (Decode16, 0x03F8, 0x03F8, 1, 8)
                    IRQNoFlags () { 4 }
                })
            }
        }
    }
}
