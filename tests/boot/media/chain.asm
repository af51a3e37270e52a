; A boot sector that starts the stick's own in its place: as badly as some BIOSes do, or on a machine
; that some firmware has left in an unusual state. nasm -f bin with these defined:
;   CHAIN_LBA     where the stick's boot sector lies: in sector 0 of the second disk, or in this one
;                 of the own disk
;   CHAIN_DL      what DL says then: a floppy's number, this disk's, one that there isn't; 0FFFFh: it
;                 isn't changed
;   CHAIN_BPB     1: write a made-up BIOS parameter block into the loaded sector
;   CHAIN_SEGMENT what CS is at the entry: 0 or 07C0h
;   CHAIN_MOST    how many sectors its INT 13h reads in a packet, behind the first 64 of a disk; 0: it
;                 has no such reads at all, nor any other of the extensions
;   CHAIN_E820    how many entries its memory map has before the BIOS's own: pages of one reserved
;                 range
;   CHAIN_X2APIC  1: the local APIC is in x2APIC mode
;   CHAIN_IOAPIC  1: COM1's interrupt comes as vector 99h by the I/O APIC, too
;   CHAIN_SMI     1: input 6 of the I/O APIC makes an SMI
;   CHAIN_HPET    1: the HPET's timer 0 sends vector 98h each millisecond
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
%if CHAIN_X2APIC
        mov     ecx, 1Bh                ; IA32_APIC_BASE: EN and EXTD
        rdmsr
        or      ax, 0C00h
        wrmsr
%endif
%if CHAIN_IOAPIC | CHAIN_SMI | CHAIN_HPET
        lgdt    [gdt_pointer]           ; protected mode for the limit of DS alone
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     bx, 8
        mov     ds, bx
        and     al, ~1
        mov     cr0, eax
        mov     ebx, 0FEC00000h
%if CHAIN_IOAPIC
        mov     dword [ebx], 10h + 2 * 4
        mov     dword [ebx + 10h], 99h  ; fixed, edge, not masked, to APIC 0
%endif
%if CHAIN_SMI
        mov     dword [ebx], 10h + 2 * 6
        mov     dword [ebx + 10h], 200h
%endif
%if CHAIN_HPET
        mov     ebx, 0FED00000h
        mov     dword [ebx + 100h], 404Ch       ; FSB, a value follows, periodic, on
        mov     dword [ebx + 108h], 100000      ; of 10 ns
        mov     dword [ebx + 110h], 98h
        mov     dword [ebx + 114h], 0FEE00000h
        mov     dword [ebx + 10h], 1
%endif
        xor     ax, ax
        mov     ds, ax
%endif
        sti
        mov     si, packet
        mov     ah, 42h
%if CHAIN_LBA
        mov     dl, [drive]
%else
        mov     dl, 81h                 ; the second disk
%endif
        int     13h
        jc      .failed
%if CHAIN_BPB
        mov     di, 7C00h + 3
        mov     cx, 5Ah - 3
        mov     al, 0AAh
        rep stosb
%endif
%if CHAIN_MOST < 127
        cli
        mov     eax, [13h * 4]
        mov     [bios], eax
        mov     dword [13h * 4], int_13h
        sti
%endif
%if CHAIN_E820
        cli
        mov     eax, [15h * 4]
        mov     [bios_15h], eax
        mov     dword [15h * 4], int_15h
        sti
%endif
        mov     eax, 0AAAAAAAAh         ; what a BIOS leaves in the others is its own business
        mov     ebx, eax
        mov     ecx, eax
        mov     esi, eax
        mov     edi, eax
        mov     ebp, eax
%if CHAIN_DL == 0FFFFh
        mov     dl, [drive]
%else
        mov     dx, 0AA00h | CHAIN_DL
%endif
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

int_15h:
        cmp     ax, 0E820h
        jne     .pass
        cmp     ebx, CHAIN_E820
        jae     .bios
        mov     eax, ebx
        shl     eax, 12
        add     eax, 0F0000000h
        mov     [es:di], eax
        xor     eax, eax
        mov     [es:di + 4], eax
        mov     dword [es:di + 8], 1000h
        mov     [es:di + 12], eax
        mov     dword [es:di + 16], 2
        inc     ebx
        mov     eax, 534D4150h          ; "SMAP"
        mov     ecx, 20
        clc
        retf    2
.bios:
        sub     ebx, CHAIN_E820
        pushf
        call    far [cs:bios_15h]
        jc      .end
        test    ebx, ebx                ; 0: that was the last one
        jz      .end
        add     ebx, CHAIN_E820
.end:
        retf    2
.pass:
        jmp     far [cs:bios_15h]

bios:   dd      0
bios_15h: dd    0
drive:  db      0
packet:
        dw      16, 1, 7C00h, 0
        dq      CHAIN_LBA

gdt:    dq      0
        dq      00CF92000000FFFFh       ; data, 4 GiB
gdt_pointer:
        dw      $ - gdt - 1
        dd      gdt

        times 446 - ($ - $$) db 0
        db      80h, 0, 2, 0, 0Ch, 0, 3, 0     ; an active partition, or it isn't booted
        dd      1, 63
        times 510 - ($ - $$) db 0
        dw      0AA55h
