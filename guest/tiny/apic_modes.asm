; IA32_APIC_BASE: the transitions that are and those that are not, relocation, x2APIC mode and the
; reserved bits of its registers, the 8259A without an APIC.
%define NAME "apic_modes"
%include "bzimage.inc"
%include "apic.inc"

%define BSP  100h
%define EXTD 400h
%define EN   800h

; REFUSES msr, value, "what"
%macro REFUSES 3+
        mov     r12, %2
        mov     ecx, %1
        mov     rax, r12
        mov     rdx, r12
        shr     rdx, 32
        TRY     wrmsr
        FAULTS  VECTOR_GP, 0, %3
%endmacro

%macro NO_MSR 2+
        mov     ecx, %1
        TRY     rdmsr
        FAULTS  VECTOR_GP, 0, %2
%endmacro

; IRQ 0 through the 8259A, by polling for the count.
pit_interrupt:
        mov     dword [irqs], 0
        PIT_START 0, 1193
        sti
.wait:  hlt
        cmp     dword [irqs], 0
        je      .wait
        cli
        mov     al, 0FFh
        out     PIC1 + 1, al
        ret

main:
        RDMSR   MSR_APIC_BASE
        CHECK   rax, APIC | BSP | EN, "IA32_APIC_BASE at the start"
        REFUSES MSR_APIC_BASE, APIC | BSP | EXTD, "EXTD without EN"
        REFUSES MSR_APIC_BASE, APIC | BSP | EN | 200h, "bit 9"
        REFUSES MSR_APIC_BASE, APIC | BSP | EN | 1, "bit 0"
        REFUSES MSR_APIC_BASE, APIC | BSP | EN | (1 << 63), "an address that doesn't exist"
        NO_MSR  802h, "x2APIC register in xAPIC mode"

        ; The page moves.
        WRMSR   MSR_APIC_BASE, 0D0000000h | BSP | EN
        mov     eax, 0D0000000h
        mov     eax, [rax + APIC_SVR]
        CHECK   rax, 1FFh, "SVR at its new place"
        WRMSR   MSR_APIC_BASE, APIC | BSP | EN
        READS   APIC_SVR, 1FFh, "SVR at its old place"

        ; Disabled: CPUID says so, the 8259A goes on, the registers come back as after reset.
        WRMSR   MSR_APIC_BASE, APIC | BSP
        mov     eax, 1
        cpuid
        shr     edx, 9
        and     edx, 1
        mov     eax, edx
        CHECK   rax, 0, "CPUID: APIC while disabled"
        REFUSES MSR_APIC_BASE, APIC | BSP | EN | EXTD, "from disabled to x2APIC mode"
        call    pit_interrupt
        WRMSR   MSR_APIC_BASE, APIC | BSP | EN
        mov     eax, 1
        cpuid
        shr     edx, 9
        and     edx, 1
        mov     eax, edx
        CHECK   rax, 1, "CPUID: APIC again"
        READS   APIC_SVR, 0FFh, "SVR behind disabling"
        READS   APIC_LVT0, 10000h, "LINT0 behind disabling"

        ; x2APIC mode.
        call    apic_setup
        WRMSR   MSR_APIC_BASE, APIC | BSP | EN | EXTD
        RDMSR   80Fh
        CHECK   rax, 15Fh, "SVR in x2APIC mode"
        REFUSES MSR_APIC_BASE, APIC | BSP | EN, "from x2APIC to xAPIC mode"
        REFUSES 808h, 100h, "TPR's reserved bits"
        REFUSES 80Bh, 1, "EOI of 1"
        REFUSES 828h, 1, "ESR of 1"
        REFUSES 802h, 0, "ID is read-only"
        REFUSES 831h, 0, "no ICR high"
        NO_MSR  80Bh, "EOI is write-only"
        NO_MSR  80Eh, "no DFR"
        NO_MSR  83Fh, "SELF IPI is write-only"
        NO_MSR  840h, "nothing at 840h"
        RDMSR   80Dh
        CHECK   rax, 1, "LDR by the ID"
        WRMSR   83Fh, 41h
        WRMSR   830h, 44042h
        sti
        nop
        cli
        TAKEN   41h, 1, "SELF IPI"
        TAKEN   42h, 1, "self-IPI by ICR"
        RDMSR   812h
        CHECK   rax, 0, "ISR behind EOI"

        WRMSR   MSR_APIC_BASE, APIC | BSP
        WRMSR   MSR_APIC_BASE, APIC | BSP | EN
        READS   APIC_SVR, 0FFh, "SVR behind x2APIC mode"
        ret

        END_OF_GUEST
