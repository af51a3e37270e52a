; Control registers: what the guest writes it reads back, and reserved bits or forbidden
; combinations raise #GP(0) and change nothing.
%define NAME "cr"
%include "bzimage.inc"

%define EFER 0C0000080h

%macro REFUSE_CR 3                      ; register, value, what
        mov     r12, %1
        mov     rax, %2
        TRY     mov %1, rax
        FAULTS  VECTOR_GP, 0, %3
        mov     rax, %1
        CHECK   rax, r12, %3, " (unchanged)"
%endmacro

main:
        ; CR0: TS and MP read back; PE, PG stay.
        mov     rax, cr0
        mov     r13, rax
        or      eax, 8 | 2
        mov     cr0, rax
        mov     r14, rax
        mov     rax, cr0
        or      r14d, 10h               ; ET is always 1
        or      eax, 10h
        CHECK   rax, r14, "CR0 reads back"
        smsw    ax
        and     eax, 0Fh
        CHECK   rax, 0Bh, "SMSW: PE, MP, TS"
        clts
        mov     rax, cr0
        and     eax, 8
        CHECK   rax, 0, "TS behind CLTS"
        mov     ax, 0Bh
        lmsw    ax
        mov     rax, cr0
        and     eax, 0Bh
        CHECK   rax, 0Bh, "LMSW sets TS"
        clts

        ; Caching may be switched off; the memory must stay what it is.
        mov     rax, cr0
        or      eax, 40000000h          ; CD
        mov     cr0, rax
        mov     rax, cr0
        and     eax, 60000000h
        CHECK   rax, 40000000h, "CR0.CD reads back"
        mov     cr0, r13

        mov     r15, 80000000h
        not     r15
        and     r15, r13
        REFUSE_CR cr0, r15, "CR0.PG cleared in 64-bit mode"
        mov     r15, r13
        and     r15, ~1
        REFUSE_CR cr0, r15, "CR0.PG without PE"
        mov     r15, 1 << 32
        or      r15, r13
        REFUSE_CR cr0, r15, "CR0 bit 32"
        mov     r15d, 20000000h
        or      r15, r13
        and     r15, ~40000000h
        REFUSE_CR cr0, r15, "CR0.NW without CD"

        ; CR4.
        mov     rax, cr4
        mov     r13, rax
        or      eax, 80h                ; PGE
        mov     cr4, rax
        mov     r14, rax
        mov     rax, cr4
        CHECK   rax, r14, "CR4.PGE reads back"
        mov     cr4, r13
        mov     rax, cr4
        CHECK   rax, r13, "CR4 reads back"
        mov     rax, r13
        or      rax, 40h                ; MCE, which CPUID hides and kernels keep when they see it
        mov     r14, rax
        TRY     mov cr4, rax
        NO_FAULT "CR4.MCE"
        mov     rax, cr4
        CHECK   rax, r14, "CR4.MCE reads back"
        mov     cr4, r13
        mov     r15, r13
        and     r15, ~20h
        REFUSE_CR cr4, r15, "CR4.PAE cleared in 64-bit mode"
        mov     r15, r13
        or      r15, 2000h
        REFUSE_CR cr4, r15, "CR4.VMXE"
        mov     r15, 1 << 40
        or      r15, r13
        REFUSE_CR cr4, r15, "CR4 bit 40"

        ; CR3: a flush. What it refuses is in native_checks.asm.
        mov     rax, cr3
        mov     cr3, rax

        ; CR8 is the task priority, also without an APIC.
        mov     eax, 5
        TRY     mov cr8, rax
        NO_FAULT "MOV to CR8"
        xor     eax, eax
        TRY     mov cr8, rax

        ; EFER: LMA follows, LME can't change while paging is on.
        mov     ecx, EFER
        rdmsr
        mov     r14d, eax
        and     eax, 500h
        CHECK   rax, 500h, "EFER.LME and LMA"
        mov     ecx, EFER
        mov     eax, r14d
        and     eax, ~100h
        xor     edx, edx
        TRY     wrmsr
        FAULTS  VECTOR_GP, 0, "EFER.LME cleared while paging"
        mov     ecx, EFER
        mov     eax, r14d
        or      eax, 1                  ; SCE
        xor     edx, edx
        TRY     wrmsr
        NO_FAULT "EFER.SCE"
        mov     ecx, EFER
        rdmsr
        and     eax, 501h
        CHECK   rax, 501h, "EFER.SCE reads back"

        ; XSETBV, where there is XSAVE.
        mov     eax, 1
        cpuid
        bt      ecx, 26
        jnc     .done
        mov     rax, cr4
        or      eax, 40000h
        mov     cr4, rax
        xor     ecx, ecx
        mov     eax, 3                  ; x87, SSE
        xor     edx, edx
        TRY     xsetbv
        NO_FAULT "XCR0 = 3"
        xor     ecx, ecx
        xgetbv
        CHECK   rax, 3, "XCR0 reads back"
        xor     ecx, ecx
        mov     eax, 2                  ; bit 0 must be 1
        xor     edx, edx
        TRY     xsetbv
        FAULTS  VECTOR_GP, 0, "XCR0 without x87"
        xor     ecx, ecx
        mov     eax, 5                  ; AVX needs SSE
        xor     edx, edx
        TRY     xsetbv
        FAULTS  VECTOR_GP, 0, "XCR0 with AVX but no SSE"
        xor     ecx, ecx
        mov     eax, 3
        mov     edx, 40000000h
        TRY     xsetbv
        FAULTS  VECTOR_GP, 0, "XCR0 with an unknown bit"
        mov     ecx, 1
        mov     eax, 3
        xor     edx, edx
        TRY     xsetbv
        FAULTS  VECTOR_GP, 0, "XSETBV of XCR1"
.done:  ret

        END_OF_GUEST
