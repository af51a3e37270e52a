; The host's keyboard is the guest's: a key that is pressed at the host arrives as IRQ 1 and two
; scancode bytes of set 1. tests/boot/test_keyboard.py presses "a".
%define NAME "keyboard"
%include "bzimage.inc"

%define I8042_DATA   60h
%define I8042_STATUS 64h

main:
        mov     al, 60h                 ; write the command byte:
        out     I8042_STATUS, al
        mov     al, 45h                 ; interrupt on, system flag, translation to set 1
        out     I8042_DATA, al
        mov     al, 0FDh                ; IRQ 1 alone
        out     PIC1 + 1, al
        SAY     "tiny: press a", 13, 10

        mov     r12d, 1
        call    next_scancode
        CHECK   rax, 1Eh, "make code of a"
        mov     r12d, 2
        call    next_scancode
        CHECK   rax, 9Eh, "break code of a"
        ret

; RAX: the byte that came with the interrupt number R12D.
next_scancode:
        cli
.wait:  cmp     [irqs + 1 * 4], r12d
        jae     .come
        sti
        hlt
        cli
        jmp     .wait
.come:  xor     eax, eax
        in      al, I8042_DATA
        ret

        END_OF_GUEST
