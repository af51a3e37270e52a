; An interrupt whose stack lies where no memory is: what the CPU pushes goes nowhere. Nobody can go on
; from there, and pxHV says so; tests/boot/test_storms.py reads it.
%define NAME "stack_nowhere"
%include "bzimage.inc"

main:
        SAY     "tiny: a stack where no memory is", 13, 10
        mov     esp, 0E0001000h
        int     31
        jmp     tiny_finish

        END_OF_GUEST
