; INTO in 32-bit code whose IDT lies where no memory is. Nobody can go on from there, and pxHV says so;
; tests/boot/test_storms.py reads it.
%define NAME "into_nowhere"
%define ENTRY32
%include "bzimage.inc"

main:
        SAY     "tiny: an IDT where no memory is", 13, 10
        lidt    [idtr]
        mov     al, 7Fh
        inc     al                      ; OF
        into
        jmp     tiny_finish

idtr:   dw      7FFh
        dd      0E0000000h

        END_OF_GUEST
