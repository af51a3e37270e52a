; Programs every emulated port, and then every register of the virtio device, with a generator's
; noise. Nothing is expected of the devices but that the serial line works when it is programmed
; anew, and that the machine can be switched off: the VMM lives.
%define NAME "noise"
%include "bzimage.inc"
%include "virtio.inc"

%define ROUNDS 8000

; RAX: the next pseudo-random number (xorshift64).
random:
        mov     rax, [state]
        mov     rcx, rax
        shl     rcx, 13
        xor     rax, rcx
        mov     rcx, rax
        shr     rcx, 7
        xor     rax, rcx
        mov     rcx, rax
        shl     rcx, 17
        xor     rax, rcx
        mov     [state], rax
        ret

; Noise to and from the port in DX, in a width that bits of RAX choose.
poke_port:
        mov     rbx, rax
        shr     rax, 32
        bt      rbx, 0
        jc      .in
        bt      rbx, 1
        jc      .out_wide
        out     dx, al
        ret
.out_wide:
        bt      rbx, 2
        jc      .out_dword
        out     dx, ax
        ret
.out_dword:
        out     dx, eax
        ret
.in:    bt      rbx, 1
        jc      .in_wide
        in      al, dx
        ret
.in_wide:
        bt      rbx, 2
        jc      .in_dword
        in      ax, dx
        ret
.in_dword:
        in      eax, dx
        ret

main:
        call    virtio_find
        SAY     "tiny: noise on the virtio device", 13, 10
        mov     r14d, ROUNDS
.virtio:
        call    random
        mov     rbx, rax
        mov     r8, [common_cfg]
        and     ebx, 3FFCh              ; the four pages of its BAR
        mov     rcx, rax
        shr     rcx, 20
        test    cl, 3
        jz      .read
        shr     rax, 32
        mov     [r8 + rbx], eax
        test    cl, 12
        jnz     .next
        mov     [r8 + rbx + 1], al
        jmp     .next
.read:  mov     eax, [r8 + rbx]
        mov     al, [r8 + rbx + 3]
.next:  dec     r14d
        jnz     .virtio
        mov     r8, [common_cfg]
        mov     byte [r8 + DEVICE_STATUS], 0

        SAY     "tiny: noise on the ports", 13, 10
        mov     r14d, ROUNDS
.round:
        call    random
        mov     rcx, rax
        shr     rcx, 8
        and     ecx, 31
        movzx   edx, word [ports + rcx * 2]
        call    poke_port
        dec     r14d
        jnz     .round

        ; The serial line as it was: interrupts off, 115200 baud, 8N1, no loopback.
        mov     dx, COM1 + 3
        mov     al, 83h
        out     dx, al
        mov     dx, COM1
        mov     al, 1
        out     dx, al
        mov     dx, COM1 + 1
        xor     eax, eax
        out     dx, al
        mov     dx, COM1 + 3
        mov     al, 3
        out     dx, al
        mov     dx, COM1 + 1
        xor     eax, eax
        out     dx, al
        mov     dx, COM1 + 4
        mov     al, 3
        out     dx, al
        SAY     13, 10
        ret

; Not here: the reset ports, PM1_CNT and the i8042's command port, nor a port below them that a wide
; access would reach them from: noise there ends the guest at once.
ports:  dw      20h, 21h, 0A0h, 0A1h, 4D0h, 4D1h, 40h, 41h, 42h, 43h, 44h, 60h
        dw      70h, 71h, 0CF8h, 0CFCh, 0CFDh, 0CFEh, 0CFFh, 3F9h, 3FAh, 3FBh, 3FCh, 3FEh
        dw      3FFh, 600h, 608h, 609h, 80h, 0EDh, 2F8h, 0FFFFh
state:  dq      9E3779B97F4A7C15h

        END_OF_GUEST
