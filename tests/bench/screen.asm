; What a screen of text costs: 25 lines of 78 characters, CR and LF to COM1, without waiting for the
; line. A tiny guest (guest/tiny/bzimage.inc) that also runs on the bare machine.

%define NAME "screen"
%include "bzimage.inc"

; RAX: the TSC. Changes RDX.
%macro TSC 0
        rdtsc
        shl     rdx, 32
        or      rax, rdx
%endmacro

main:
        TSC
        mov     r14, rax
        mov     edx, COM1
        mov     r13d, 25
.line:  mov     r15d, 78
        mov     al, '#'
.char:  out     dx, al
        dec     r15d
        jnz     .char
        mov     al, 13
        out     dx, al
        mov     al, 10
        out     dx, al
        dec     r13d
        jnz     .line
        TSC
        sub     rax, r14
        mov     rbx, rax
        SAY     "bench: screen 0x"
        call    serial_hex
        SAY     13, 10
        ret

        END_OF_GUEST
