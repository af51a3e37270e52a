; A level that is asserted for ever: its handler ends the interrupt and never serves its cause, so that
; the next one is there at once. tests/boot/test_storms.py talks to the monitor beside it.
%define NAME "storm_forever"
%include "bzimage.inc"
%include "apic.inc"

%define IOAPIC 0FEC00000h

main:
        call    apic_setup
        SAY     "tiny: press a", 13, 10
        mov     r11d, IOAPIC
        mov     dword [r11], 10h + 20 * 2
        mov     dword [r11 + 10h], 8041h ; level, active high; the input rests high
        sti
.stay:  jmp     .stay

        END_OF_GUEST
