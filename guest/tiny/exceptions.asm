; Exceptions reach the guest's own IDT with the right error code, RIP and CR2, and nobody else
; notices.
%define NAME "exceptions"
%include "bzimage.inc"

%define ABSENT 7000123000h              ; beyond what the loader's page tables map

main:
        TRY     ud2
        FAULTS  VECTOR_UD, 0, "UD2"

        xor     edx, edx
        mov     eax, 1
        xor     ecx, ecx
        TRY     div ecx
        FAULTS  VECTOR_DE, 0, "division by zero"

        mov     rax, ABSENT
        TRY     mov rax, [rax]
        FAULTS  VECTOR_PF, 0, "read of an absent page"
        mov     rax, ABSENT
        CHECK   [fault_cr2], rax, "CR2 of a read"
        mov     rax, ABSENT + 8
        TRY     mov [rax], rcx
        FAULTS  VECTOR_PF, 2, "write to an absent page"
        mov     rax, ABSENT + 8
        CHECK   [fault_cr2], rax, "CR2 of a write"

        ; Not canonical: #GP instead of #PF.
        mov     rax, 1234000000000000h
        TRY     mov rax, [rax]
        FAULTS  VECTOR_GP, 0, "an address that isn't canonical"

        ; A selector beyond the GDT.
        mov     eax, 0FFF8h
        TRY     mov es, ax
        FAULTS  VECTOR_GP, 0FFF8h, "a selector beyond the GDT"

        ; Software interrupts: INT3 and INT n return behind themselves.
        mov     qword [resume], .after_bp
        mov     qword [fault], -1
.bp:    int3
.after_bp:
        mov     qword [resume], 0
        CHECK   [fault], VECTOR_BP, "INT3"
        CHECK   [fault_rip], .bp + 1, "RIP behind INT3"
        mov     qword [resume], .after_int
        mov     qword [fault], -1
.int:   int     31
.after_int:
        mov     qword [resume], 0
        CHECK   [fault], 31, "INT 31"
        CHECK   [fault_rip], .int + 2, "RIP behind INT 31"

        ; An intercepted instruction that faults: the exception belongs to the guest.
        mov     ecx, 0C0000080h
        mov     eax, -1
        mov     edx, -1
        TRY     wrmsr
        FAULTS  VECTOR_GP, 0, "WRMSR of EFER with reserved bits"

        ; Device not available: CR0.TS, then CLTS.
        mov     rax, cr0
        or      eax, 8
        and     eax, ~4
        mov     cr0, rax
        TRY     fnop
        FAULTS  VECTOR_NM, 0, "FNOP under CR0.TS"
        clts
        TRY     fnop
        NO_FAULT "FNOP behind CLTS"
        ret

        END_OF_GUEST
