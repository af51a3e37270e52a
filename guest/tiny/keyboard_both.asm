; With "keyboard = both" a key that is pressed at the host arrives twice: as two scancode bytes, and as
; a byte typed on COM1. tests/boot/test_keyboard.py presses "a".
%define NAME "keyboard_both"
%include "bzimage.inc"

%define I8042_DATA   60h
%define I8042_STATUS 64h

main:
        SAY     "tiny: press a", 13, 10
        call    next_scancode
        CHECK   rax, 1Eh, "make code of a"
        call    next_scancode
        CHECK   rax, 9Eh, "break code of a"
        mov     dx, COM1 + 5
.wait:  in      al, dx
        test    al, 1                   ; data ready
        jz      .wait
        mov     dx, COM1
        xor     eax, eax
        in      al, dx
        CHECK   rax, 'a', "byte on COM1"
        ret

; RAX: the next byte of the controller's. No interrupt is awaited: it is polled.
next_scancode:
        in      al, I8042_STATUS
        test    al, 1                   ; output buffer full
        jz      next_scancode
        xor     eax, eax
        in      al, I8042_DATA
        ret

        END_OF_GUEST
