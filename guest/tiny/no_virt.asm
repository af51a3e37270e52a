; A guest has no virtualization of its own, whichever its CPU's vendor: CPUID doesn't show it, its
; instructions are undefined, its registers don't exist. So are those of features that CPUID hides.
%define NAME "no_virt"
%include "bzimage.inc"

%define EFER 0C0000080h

%macro UNDEFINED 1+
        xor     ecx, ecx
        xor     edx, edx
        mov     eax, 8000h
  %defstr WHAT %1
        TRY     %1
        FAULTS  VECTOR_UD, 0, WHAT
%endmacro

%macro REFUSED 2                        ; MSR, what
        mov     ecx, %1
        TRY     rdmsr
        FAULTS  VECTOR_GP, 0, "RDMSR of ", %2
        mov     ecx, %1
        xor     eax, eax
        xor     edx, edx
        TRY     wrmsr
        FAULTS  VECTOR_GP, 0, "WRMSR of ", %2
%endmacro

main:
        mov     eax, 1
        cpuid
        and     ecx, 28h                ; VMX, MONITOR
        CHECK   rcx, 0, "CPUID: VMX, MONITOR"
        mov     eax, 80000001h
        cpuid
        and     ecx, 1004h              ; SVM, SKINIT
        CHECK   rcx, 0, "CPUID: SVM, SKINIT"

        UNDEFINED vmrun
        UNDEFINED vmload
        UNDEFINED vmsave
        UNDEFINED stgi
        UNDEFINED clgi
        UNDEFINED skinit
        UNDEFINED invlpga
        UNDEFINED vmxoff
        UNDEFINED vmread rax, rcx
        UNDEFINED monitor
        UNDEFINED mwait

        REFUSED 0C0010114h, "VM_CR"
        REFUSED 0C0010117h, "VM_HSAVE_PA"
        xor     ecx, ecx
        TRY     rdpmc
        FAULTS  VECTOR_GP, 0, "RDPMC"

        mov     ecx, EFER
        rdmsr
        mov     r12d, eax
        and     eax, 1000h
        CHECK   rax, 0, "EFER.SVME"
        mov     ecx, EFER
        mov     eax, r12d
        or      eax, 1000h
        xor     edx, edx
        TRY     wrmsr
        FAULTS  VECTOR_GP, 0, "WRMSR of EFER with SVME"

        ; What exits and has no effect.
        TRY     wbinvd
        NO_FAULT "WBINVD"
        TRY     invd
        NO_FAULT "INVD"
        ret

        END_OF_GUEST
