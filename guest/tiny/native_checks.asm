; What the CPU refuses to a guest without an exit: a CR3 beyond the physical address, and segment
; bases that are not canonical, whose MSRs are the guest's own.
%define NAME "native_checks"
%include "bzimage.inc"

%macro REFUSED 1
  %defstr MSR_NAME %1
        mov     ecx, %1
        xor     eax, eax
        mov     edx, 80000000h
        TRY     wrmsr
        FAULTS  VECTOR_GP, 0, "WRMSR of ", MSR_NAME
%endmacro

main:
        REFUSED 0C0000100h              ; IA32_FS_BASE
        REFUSED 0C0000101h              ; IA32_GS_BASE
        REFUSED 0C0000102h              ; IA32_KERNEL_GS_BASE

        mov     r12, cr3
        mov     rax, 1 << 60
        or      rax, r12
        TRY     mov cr3, rax
        FAULTS  VECTOR_GP, 0, "CR3 bit 60"
        mov     rax, cr3
        CHECK   rax, r12, "CR3 bit 60 (unchanged)"
        ret

        END_OF_GUEST
