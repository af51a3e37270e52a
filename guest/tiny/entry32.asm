; A kernel without a 64-bit entry starts in protected mode as the boot protocol says: flat segments
; 10h and 18h, paging and interrupts off, ESI at a zero page that holds this kernel's own header.
%define NAME "entry32"
%define ENTRY32
%include "bzimage.inc"

main:
        mov     eax, cs
        CHECK   eax, 10h, "CS"
        mov     eax, ds
        CHECK   eax, 18h, "DS"
        mov     eax, es
        CHECK   eax, 18h, "ES"
        mov     eax, ss
        CHECK   eax, 18h, "SS"
        mov     eax, cr0
        and     eax, 80000001h
        CHECK   eax, 1, "CR0.PE without PG"
        pushfd
        pop     eax
        and     eax, 200h
        CHECK   eax, 0, "RFLAGS.IF"
        mov     eax, [ebp + 202h]
        CHECK   eax, 53726448h, "HdrS in the zero page"
        mov     eax, [ebp + 214h]
        CHECK   eax, LOAD, "code32_start"

        ; The descriptors must be there to be loaded again.
        mov     eax, 18h
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        jmp     10h:.reloaded
.reloaded:
        in      al, 0EFh                ; an exit from 32-bit code
        movzx   eax, al
        CHECK   eax, 0FFh, "IN AL, imm8"
        mov     eax, 1
        cpuid
        bt      ecx, 31
        setc    al
        movzx   eax, al
        CHECK   eax, 1, "hypervisor bit"
        ret

        END_OF_GUEST
