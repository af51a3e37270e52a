; CPUID: a vendor and a hypervisor bit, but neither VT-x nor AMD-V, and OSXSAVE follows CR4.
%define NAME "cpuid"
%include "bzimage.inc"

main:
        xor     eax, eax
        cpuid
        mov     [vendor], ebx
        mov     [vendor + 4], edx
        mov     [vendor + 8], ecx
        SAY     "tiny: vendor "
        mov     esi, vendor
        call    serial_text
        SAY     13, 10
        cmp     dword [vendor], 0
        jne     .leaf1
        CHECK   0, 1, "vendor string"

.leaf1: mov     eax, 1
        cpuid
        mov     r12d, ecx
        bt      r12d, 5
        setc    al
        movzx   eax, al
        CHECK   rax, 0, "VMX bit"
        bt      r12d, 31
        setc    al
        movzx   eax, al
        CHECK   rax, 1, "hypervisor bit"
        bt      r12d, 27
        setc    al
        movzx   eax, al
        CHECK   rax, 0, "OSXSAVE before CR4.OSXSAVE"
        bt      r12d, 26
        jnc     .svm                    ; a host without XSAVE
        mov     rax, cr4
        or      eax, 1 << 18
        mov     cr4, rax
        mov     eax, 1
        cpuid
        bt      ecx, 27
        setc    al
        movzx   eax, al
        CHECK   rax, 1, "OSXSAVE after CR4.OSXSAVE"

.svm:   mov     eax, 80000001h
        cpuid
        mov     r13d, edx
        bt      ecx, 2
        setc    al
        movzx   eax, al
        CHECK   rax, 0, "SVM bit"
        bt      r13d, 29
        setc    al
        movzx   eax, al
        CHECK   rax, 1, "long mode bit"

        ; VMXON and VMCALL's relatives don't exist for the guest.
        TRY     vmxon [vendor]
        FAULTS  VECTOR_UD, 0, "VMXON"
        TRY     vmptrst [vendor]
        FAULTS  VECTOR_UD, 0, "VMPTRST"
        ret

vendor: times 12 db 0
        db      0

        END_OF_GUEST
