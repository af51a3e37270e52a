; A boot sector that puts the local APIC into x2APIC mode, as some firmware does, and then starts the
; stick's own, which lies in sector 70 of the same disk. nasm -f bin
        bits 16
        cpu x64
        org 600h

        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 7C00h
        mov     si, 7C00h
        mov     di, 600h
        mov     cx, 256
        cld
        rep movsw
        jmp     0:.moved
.moved:
        mov     [drive], dl
        mov     ecx, 1Bh                ; IA32_APIC_BASE: EN and EXTD
        rdmsr
        or      ax, 0C00h
        wrmsr
        sti
        mov     si, packet
        mov     ah, 42h
        mov     dl, [drive]
        int     13h
        mov     dl, [drive]
        jmp     0:7C00h

drive:  db      0
packet: dw      16, 1, 7C00h, 0
        dq      70

        times 440 - ($ - $$) db 0
