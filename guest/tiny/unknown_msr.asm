; MSRs that don't exist, or that belong to the VMM, raise #GP(0); those that every CPU has work.
%define NAME "unknown_msr"
%include "bzimage.inc"

%macro REFUSED 1
  %defstr MSR_NAME %1
        mov     ecx, %1
        TRY     rdmsr
        FAULTS  VECTOR_GP, 0, "RDMSR of ", MSR_NAME
        mov     ecx, %1
        xor     eax, eax
        xor     edx, edx
        TRY     wrmsr
        FAULTS  VECTOR_GP, 0, "WRMSR of ", MSR_NAME
%endmacro

main:
        REFUSED 12345678h
        REFUSED 40001000h
        REFUSED 480h                    ; IA32_VMX_BASIC
        REFUSED 0C0010114h              ; VM_CR
        REFUSED 0C0010117h              ; VM_HSAVE_PA
        REFUSED 0C0012000h              ; beyond what AMD-V's permission map knows
        REFUSED 0FFFFFFFFh

        ; IA32_FEATURE_CONTROL: locked without VMX where it is readable at all.
        mov     ecx, 3Ah
        TRY     rdmsr
        cmp     qword [fault], -1
        jne     .write
        and     eax, 5
        CHECK   rax, 1, "IA32_FEATURE_CONTROL: locked, VMX off"
.write: mov     ecx, 3Ah
        mov     eax, 5
        xor     edx, edx
        TRY     wrmsr
        FAULTS  VECTOR_GP, 0, "WRMSR of IA32_FEATURE_CONTROL"

        mov     ecx, 10h
        TRY     rdmsr
        NO_FAULT "RDMSR of IA32_TIME_STAMP_COUNTER"

        mov     ecx, 0C0000100h         ; IA32_FS_BASE
        mov     eax, 12345678h
        mov     edx, 7FFFh
        TRY     wrmsr
        NO_FAULT "WRMSR of IA32_FS_BASE"
        mov     ecx, 0C0000100h
        TRY     rdmsr
        shl     rdx, 32
        or      rax, rdx
        NO_FAULT "RDMSR of IA32_FS_BASE"
        mov     rcx, 7FFF12345678h
        CHECK   rax, rcx, "IA32_FS_BASE reads back"
        mov     ecx, 0C0000082h         ; IA32_LSTAR
        mov     eax, 9ABCDEF0h
        mov     edx, -1
        TRY     wrmsr
        NO_FAULT "WRMSR of IA32_LSTAR"
        mov     ecx, 0C0000082h
        TRY     rdmsr
        mov     eax, edx
        mov     r8d, 0FFFFFFFFh
        CHECK   rax, r8, "IA32_LSTAR reads back"

        mov     ecx, 277h               ; IA32_PAT: type 2 is reserved
        mov     eax, 02020202h
        xor     edx, edx
        TRY     wrmsr
        FAULTS  VECTOR_GP, 0, "WRMSR of IA32_PAT with a reserved type"
        ret

        END_OF_GUEST
