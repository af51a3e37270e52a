; The boot sector of a first disk, which starts that of the second one as badly as some BIOSes do.
; nasm -f bin with these defined:
;   CHAIN_DL      what DL says: a floppy's number, this disk's, one that there isn't
;   CHAIN_BPB     1: write a made-up BIOS parameter block into the loaded sector
;   CHAIN_SEGMENT what CS is at the entry: 0 or 07C0h
;   CHAIN_MOST    how many sectors its INT 13h reads in a packet, behind the first 64 of a disk; 0: it
;                 has no such reads at all, nor any other of the extensions
        bits 16
        cpu 386
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
        sti
        mov     si, packet
        mov     ah, 42h
        mov     dl, 81h                 ; the second disk
        int     13h
        jc      .failed
%if CHAIN_BPB
        mov     di, 7C00h + 3
        mov     cx, 5Ah - 3
        mov     al, 0AAh
        rep stosb
%endif
        cli
        mov     eax, [13h * 4]
        mov     [bios], eax
        mov     dword [13h * 4], int_13h
        sti
        mov     eax, 0AAAAAAAAh         ; what a BIOS leaves in the others is its own business
        mov     ebx, eax
        mov     ecx, eax
        mov     esi, eax
        mov     edi, eax
        mov     ebp, eax
        mov     dx, 0AA00h | CHAIN_DL
        std
        jmp     CHAIN_SEGMENT:7C00h - CHAIN_SEGMENT * 16
.failed:
        hlt
        jmp     .failed

; The BIOS's, less what it can't do. Stays here, below the stacks of the boot chain.
int_13h:
%if CHAIN_MOST
        cmp     ah, 42h
        jne     .pass
        cmp     dword [si + 8], 64
        jb      .pass
        cmp     word [si + 2], CHAIN_MOST
        jbe     .pass
%else
        cmp     ah, 41h
        jb      .pass
        cmp     ah, 4Fh
        ja      .pass
%endif
        mov     ah, 1                   ; no such function, or a wrong argument
        stc
        retf    2
.pass:
        jmp     far [cs:bios]

bios:   dd      0
packet:
        dw      16, 1, 7C00h, 0
        dq      0

        times 446 - ($ - $$) db 0
        db      80h, 0, 2, 0, 0Ch, 0, 3, 0     ; an active partition, or it isn't booted
        dd      1, 63
        times 510 - ($ - $$) db 0
        dw      0AA55h
