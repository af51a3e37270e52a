; STI's shadow covers exactly one instruction, also when that one exits to the VMM: an interrupt that
; waits comes right behind it.
%define NAME "shadows"
%include "bzimage.inc"
%include "apic.inc"

%define MSR_TSC 10h

on_irq: push    rax
        mov     rax, [rsp + 8]
        mov     [irq_rip], rax
        inc     qword [count]
        mov     eax, APIC
        mov     dword [rax + APIC_EOI], 0
        pop     rax
        iretq

; BEHIND_STI "what", instruction: with a self-IPI waiting.
%macro BEHIND_STI 2+
        mov     qword [count], 0
        WR      APIC_ICR, 44041h
        mov     r11d, APIC
        sti
        %2
%%behind:
        cli
        CHECK   [count], 1, %1, ": interrupts"
        CHECK   [irq_rip], %%behind, %1, ": RIP"
%endmacro

main:
        call    apic_setup
        mov     eax, on_irq
        mov     [apic_idt + 41h * 16], ax
        shr     eax, 16
        mov     [apic_idt + 41h * 16 + 6], ax

        BEHIND_STI "NOP", nop
        xor     eax, eax
        BEHIND_STI "CPUID", cpuid
        mov     edx, 0EDh
        BEHIND_STI "IN", in al, dx
        BEHIND_STI "OUT", out dx, al
        mov     esi, text
        BEHIND_STI "OUTSB", outsb
        mov     edi, text
        BEHIND_STI "INSB", insb
        mov     ecx, MSR_APIC_BASE
        BEHIND_STI "RDMSR", rdmsr
        mov     ecx, MSR_TSC
        BEHIND_STI "WRMSR", wrmsr
        BEHIND_STI "a read of device memory", mov eax, [r11 + APIC_VER]
        BEHIND_STI "a write to device memory", mov dword [r11 + APIC_ESR], 0
        BEHIND_STI "RDTSC", rdtsc
        BEHIND_STI "MOV from CR8", mov rax, cr8
        xor     eax, eax
        BEHIND_STI "MOV to CR8", mov cr8, rax
        mov     r12, cr0
        BEHIND_STI "MOV to CR0", mov cr0, r12
        mov     r12, cr4
        BEHIND_STI "MOV to CR4", mov cr4, r12
        BEHIND_STI "CLTS", clts
        BEHIND_STI "WBINVD", wbinvd
        mov     r12, dr7
        BEHIND_STI "MOV to DR7", mov dr7, r12
        BEHIND_STI "HLT", hlt
        BEHIND_STI "INVLPG", invlpg [text]
        ret

text:   db      0, 0
        align   8, db 0
count:  dq      0

        END_OF_GUEST
