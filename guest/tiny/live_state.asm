; What stays in the CPU over a short exit and is put away for a long one comes back from both: the
; bases of FS and GS, the MSRs of the system calls, TR, LDTR and the debug registers.
%define NAME "live_state"
%include "bzimage.inc"

%define TSS      20h                    ; selectors
%define LDT      30h
%define IN_LDT   4                      ; its first descriptor
%define ADDRESS  7FFF00000000h          ; canonical, and nobody's

; Writes value + index * 10h to each MSR, or checks that it is still there.
write_msrs:
        xor     r12d, r12d
.next:  mov     ecx, [msrs + r12 * 4]
        mov     rax, r12
        shl     eax, 4
        mov     rdx, ADDRESS
        or      rax, rdx
        shr     rdx, 32
        cmp     ecx, 174h               ; SYSENTER_CS has 32 bits
        jne     .write
        xor     edx, edx
.write: wrmsr
        inc     r12d
        cmp     r12d, MSRS
        jb      .next
        ret

check_msrs:
        xor     r12d, r12d
.next:  mov     ecx, [msrs + r12 * 4]
        rdmsr
        shl     rdx, 32
        or      rax, rdx
        mov     r13, r12
        shl     r13, 4
        mov     rdx, ADDRESS
        cmp     ecx, 174h
        je      .check
        or      r13, rdx
.check: CHECK   rax, r13, "an MSR"
        inc     r12d
        cmp     r12d, MSRS
        jb      .next
        ret

%macro CHECK_DR 2
        mov     rax, dr%1
        CHECK   rax, %2, "DR%1"
%endmacro

check_all:
        call    check_msrs
        CHECK_DR 0, 1111h
        CHECK_DR 1, 2222h
        CHECK_DR 2, 3333h
        CHECK_DR 3, 4444h
        str     ax
        movzx   eax, ax
        CHECK   rax, TSS, "TR"
        sldt    ax
        movzx   eax, ax
        CHECK   rax, LDT, "LDTR"
        ; Both still lead to their tables: a descriptor of the LDT, a stack of the TSS.
        mov     eax, IN_LDT
        TRY     mov es, ax
        NO_FAULT "a selector of the LDT"
        mov     qword [resume], .after
        mov     qword [int_rsp], 0
        int     31
.after: CHECK   [int_rsp], ist_top - 28h, "RSP by the TSS's IST"
        ret

; Vector 31, on a stack of its own.
on_ist: mov     [int_rsp], rsp
        iretq

main:
        lgdt    [gdtr]
        mov     eax, tss                ; the tables' addresses lie below 16 MiB
        mov     [gdt + TSS + 2], ax
        shr     eax, 16
        mov     [gdt + TSS + 4], al
        mov     eax, ldt
        mov     [gdt + LDT + 2], ax
        shr     eax, 16
        mov     [gdt + LDT + 4], al
        mov     eax, on_ist
        mov     [idt + 31 * 16], ax
        mov     byte [idt + 31 * 16 + 4], 1
        shr     eax, 16
        mov     [idt + 31 * 16 + 6], ax
        mov     eax, TSS
        ltr     ax
        mov     eax, LDT
        lldt    ax
        mov     eax, 1111h
        mov     dr0, rax
        mov     eax, 2222h
        mov     dr1, rax
        mov     eax, 3333h
        mov     dr2, rax
        mov     eax, 4444h
        mov     dr3, rax
        call    write_msrs
        call    check_all

        ; Short exits.
        xor     eax, eax
        cpuid
        in      al, 0EFh
        call    check_all

        ; A long one: the host sleeps until the timer.
        PIT_START 0, 1193
        sti
        hlt
        cli
        call    check_all

        ; One that looks at a base: the VMM reads the byte through GS.
        mov     ecx, 0C0000101h
        mov     eax, text
        xor     edx, edx
        wrmsr
        xor     esi, esi
        mov     dx, 0EFh
        gs outsb
        call    write_msrs
        call    check_all
        ret

msrs:   dd      174h, 175h, 176h        ; SYSENTER
        dd      0C0000081h, 0C0000082h, 0C0000083h ; STAR, LSTAR, CSTAR
        dd      0C0000100h, 0C0000101h, 0C0000102h ; FS, GS, KERNEL_GS
MSRS    equ     ($ - msrs) / 4

text:   db      "x"
        align   8, db 0
int_rsp: dq     0
gdt:    dq      0, 0
        dq      00AF9B000000FFFFh       ; 10h: 64-bit code
        dq      00CF93000000FFFFh       ; 18h: data
        dq      0000890000000067h, 0    ; 20h: the TSS
        dq      000082000000000Fh, 0    ; 30h: the LDT
gdtr:   dw      8 * 8 - 1
        dq      gdt
ldt:    dq      00CF93000000FFFFh, 0
tss:    times 24h db 0
        dq      ist_top
        times 68h - ($ - tss) db 0
        align   16, db 0
        times 256 db 0
ist_top:

        END_OF_GUEST
