; PCI's configuration space as memory: the same registers as behind the ports CF8h and CFCh, and what
; isn't there reads as all ones.
%define NAME "ecam"
%include "bzimage.inc"

%define ECAM    0FEB00000h
%define DISK    ECAM + (1 << 15)
%define MOVED   0C0100000h

main:
        ; Every register of function 0 of each device, by both ways.
        xor     r12d, r12d              ; device
        xor     r14d, r14d              ; how many differ
        xor     r11d, r11d              ; how many devices there are
.device:
        xor     r13d, r13d              ; register
.register:
        mov     eax, r12d
        shl     eax, 11
        or      eax, r13d
        or      eax, 80000000h
        mov     dx, 0CF8h
        out     dx, eax
        mov     dx, 0CFCh
        in      eax, dx
        mov     r8d, r12d
        shl     r8d, 15
        mov     r9d, ECAM
        add     r8, r9
        cmp     eax, [r8 + r13]
        setne   cl
        movzx   ecx, cl
        add     r14d, ecx
        test    r13d, r13d
        jnz     .next
        cmp     eax, -1
        setne   cl
        movzx   ecx, cl
        add     r11d, ecx
.next:  add     r13d, 4
        cmp     r13d, 100h
        jb      .register
        inc     r12d
        cmp     r12d, 32
        jb      .device
        CHECK   r14, 0, "registers that differ"
        cmp     r11d, 3
        jae     .widths
        CHECK   r11, 3, "devices, at least: bridge, disk, console"

        ; Bytes, words and dwords; none leaves its dword.
.widths:
        mov     r15d, DISK
        movzx   eax, byte [r15 + 1]
        CHECK   rax, 1Ah, "a byte"
        movzx   eax, word [r15 + 2]
        CHECK   rax, 1042h, "a word"
        movzx   eax, word [r15 + 1]
        CHECK   rax, 421Ah, "a word at an odd address"
        movzx   eax, word [r15 + 3]
        CHECK   rax, 0FFFFh, "a word over the end of a dword"
        mov     eax, [r15 + 2]
        mov     ecx, -1
        CHECK   rax, rcx, "a dword over the end of a dword"
        mov     rax, [r15]
        CHECK   rax, -1, "a quadword"
        mov     byte [r15 + 3Ch], 5Ah   ; interrupt line
        mov     eax, [r15 + 3Ch]
        CHECK   rax, 015Ah, "a byte that was written"

        ; Another function, registers of PCI Express, the last device of the bus.
        mov     edi, 0FFFFFFFFh
        mov     eax, [r15 + 1000h]
        CHECK   rax, rdi, "function 1"
        mov     eax, [r15 + 100h]
        CHECK   rax, rdi, "register 100h"
        mov     dword [r15 + 0FFCh], 0
        mov     eax, [r15 + 0FFCh]
        CHECK   rax, rdi, "register FFCh"
        mov     r8d, ECAM + 0FFFFCh
        mov     eax, [r8]
        CHECK   rax, rdi, "the last register of all"

        ; The disk's BAR 0 goes elsewhere by a write to memory, and answers there.
        mov     dword [r15 + 10h], -1
        mov     eax, [r15 + 10h]
        mov     edi, 0FFFFC000h
        CHECK   rax, rdi, "the BAR's size"
        mov     dword [r15 + 10h], MOVED
        mov     word [r15 + 4], 2
        mov     r8d, MOVED
        movzx   eax, word [r8 + 12h]    ; num_queues
        CHECK   rax, 1, "the disk's queues behind a BAR that moved"
        ret

        END_OF_GUEST
