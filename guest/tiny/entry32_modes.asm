; From the 32-bit entry through the CPU's modes, as old kernels and boot loaders go: 32-bit paging,
; long mode and its compatibility mode, back to protected mode, real mode, and back once more.
%define NAME "entry32_modes"
%define ENTRY32
%include "bzimage.inc"

%define EFER   0C0000080h
%define TABLES 200000h                  ; free memory behind this kernel
%define LOW    6000h                    ; below 1 MiB: code for real mode

main:
        lgdt    [gdtr]

        ; 32-bit paging with 4 MiB pages: the first 4 MiB to themselves, 8 MiB up to 4 MiB.
        mov     edi, TABLES
        xor     eax, eax
        mov     ecx, 6 * 1024
        rep stosd
        mov     dword [TABLES], 83h
        mov     dword [TABLES + 8], 400083h
        mov     dword [400000h], 0C0FFEEh
        mov     eax, cr4
        or      eax, 10h                ; PSE
        mov     cr4, eax
        mov     eax, TABLES
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax
        jmp     .paged
.paged: mov     eax, [800000h]
        CHECK   eax, 0C0FFEEh, "memory through 32-bit paging"
        mov     eax, cr0
        and     eax, ~80000000h
        mov     cr0, eax
        mov     eax, cr4
        and     eax, ~10h
        mov     cr4, eax

        ; Long mode: PML4, PDPT, one directory of 2 MiB pages.
        mov     dword [TABLES], TABLES + 1003h
        mov     dword [TABLES + 8], 0
        mov     dword [TABLES + 1000h], TABLES + 2003h
        mov     dword [TABLES + 2000h], 83h
        mov     dword [TABLES + 2008h], 200083h
        mov     eax, cr4
        or      eax, 20h                ; PAE
        mov     cr4, eax
        mov     eax, TABLES
        mov     cr3, eax
        mov     ecx, EFER
        rdmsr
        or      eax, 100h
        wrmsr
        rdmsr
        and     eax, 500h
        CHECK   eax, 100h, "EFER: LME without LMA before paging"
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax
        mov     ecx, EFER
        rdmsr
        and     eax, 500h
        CHECK   eax, 500h, "EFER: LMA follows paging"
        mov     eax, cs                 ; compatibility mode until CS changes
        CHECK   eax, 10h, "CS in compatibility mode"
        jmp     20h:.long
        bits    64
.long:  mov     rax, 123456789ABCDEF0h
        shr     rax, 32
        mov     [high_half], eax
        push    10h
        push    .compatible
        retfq
        bits    32
.compatible:
        mov     eax, [high_half]
        CHECK   eax, 12345678h, "a 64-bit register"
        mov     eax, cr0
        and     eax, ~80000000h
        mov     cr0, eax
        mov     ecx, EFER
        rdmsr
        and     eax, 500h
        CHECK   eax, 100h, "EFER: LMA gone without paging"
        rdmsr
        and     eax, ~100h
        wrmsr
        mov     eax, cr4
        and     eax, ~20h
        mov     cr4, eax

        ; Real mode: needs an unrestricted guest. Its code runs below 1 MiB.
        mov     esi, real
        mov     edi, LOW
        mov     ecx, real_end - real
        rep movsb
        jmp     28h:LOW

        bits    16
real:   mov     eax, 30h                ; 64 KiB segments for real mode
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     eax, cr0
        and     al, 0FEh
        mov     cr0, eax
        jmp     LOW >> 4:.real - real
.real:  mov     ax, cs
        mov     ds, ax
        mov     word [cs:.value - real], 0
        xor     ecx, ecx
        mov     cl, 5
.count: add     word [cs:.value - real], cx
        loop    .count
        in      al, 0EFh                ; an exit from real mode
        mov     ah, 0
        add     [cs:.value - real], ax
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 10h:back
.value: dw      0
real_value equ LOW + .value - real
real_end:
        bits    32
back:   mov     eax, 18h
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        movzx   eax, word [real_value]
        CHECK   eax, 15 + 255, "what real mode computed"
        ret

high_half: dd   0
        align   8, db 0
gdt:    dq      0, 0
        dq      00CF9B000000FFFFh       ; 10h: 32-bit code
        dq      00CF93000000FFFFh       ; 18h: data
        dq      00AF9B000000FFFFh       ; 20h: 64-bit code
        dq      00009B000000FFFFh       ; 28h: 16-bit code
        dq      000093000000FFFFh       ; 30h: 16-bit data
gdtr:   dw      7 * 8 - 1
        dd      gdt

        END_OF_GUEST
