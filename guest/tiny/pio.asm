; Port I/O of each size: ports that nobody claims read as all ones and swallow writes, and IN leaves
; the rest of EAX as the manual says.
%define NAME "pio"
%include "bzimage.inc"

%define NOBODY 5A0h

main:
        mov     rax, 1122334455667788h
        mov     dx, NOBODY
        in      al, dx
        mov     rcx, 11223344556677FFh
        CHECK   rax, rcx, "IN AL keeps the rest of RAX"
        mov     rax, 1122334455667788h
        mov     dx, NOBODY
        in      ax, dx
        mov     rcx, 112233445566FFFFh
        CHECK   rax, rcx, "IN AX keeps the rest of RAX"
        mov     rax, 1122334455667788h
        mov     dx, NOBODY
        in      eax, dx
        mov     ecx, 0FFFFFFFFh
        CHECK   rax, rcx, "IN EAX clears the upper half"

        mov     dx, NOBODY
        mov     eax, 12345678h
        out     dx, al
        out     dx, ax
        out     dx, eax
        xor     eax, eax
        in      al, 0EFh                ; the immediate form
        CHECK   rax, 0FFh, "IN AL, imm8"
        out     0EFh, al
        mov     dx, 0FFFFh              ; the last port, with bytes beyond the end
        xor     eax, eax
        in      al, dx
        CHECK   rax, 0FFh, "port FFFFh"
        in      eax, dx
        out     dx, eax

        ; A register that answers: the UART's scratch register keeps what is written.
        mov     dx, COM1 + 7
        mov     al, 5Ah
        out     dx, al
        xor     eax, eax
        in      al, dx
        CHECK   rax, 5Ah, "UART scratch register"
        mov     dx, COM1 + 7
        mov     al, 0A5h
        out     dx, al
        xor     eax, eax
        in      al, dx
        CHECK   rax, 0A5h, "UART scratch register, second value"

        ; PCI configuration mechanism #1: 00:00.0 is a host bridge.
        mov     dx, 0CF8h
        mov     eax, 80000008h
        out     dx, eax
        in      eax, dx
        mov     ecx, 80000008h
        CHECK   rax, rcx, "CONFIG_ADDRESS reads back"
        mov     dx, 0CFCh
        in      eax, dx
        shr     eax, 16
        CHECK   rax, 600h, "class of 00:00.0"
        mov     dx, 0CFFh
        xor     eax, eax
        in      al, dx
        CHECK   rax, 6, "base class as a byte"
        mov     dx, 0CF8h
        mov     eax, 8000F800h          ; 00:1f.0 isn't there
        out     dx, eax
        mov     dx, 0CFCh
        in      eax, dx
        mov     ecx, 0FFFFFFFFh
        CHECK   rax, rcx, "an absent PCI device"
        ret

        END_OF_GUEST
