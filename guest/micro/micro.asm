; What an operation costs that a hypervisor may have a hand in: ticks of the TSC, each of a row's rounds
; measured by itself, what an empty round takes left out. Prints the least and the mean:
;
;   micro: CPUID, leaf 0                                  1041      1043.2
;
; A Linux kernel in form (guest/tiny/bzimage.inc, any_loader.inc), so that any hypervisor, emulator or
; boot loader can start it; it needs one CPU, a UART at COM1 and a local APIC, which it uses as an
; x2APIC where there is one. It ends with ACPI's power-off at port 604h, else it halts.
;
; Interrupts are off but where a row waits for one.

%define NAME "micro"
%define ANY_LOADER
%include "bzimage.inc"
%include "rounds.inc"

%define LATE_ROUNDS 200
%define AHEAD       50000               ; ticks from arming a deadline to it

%define APIC        0FEE00000h
%define IOAPIC      0FEC00000h
%define MSR_APIC_BASE    1Bh
%define MSR_TSC_ADJUST   3Bh
%define MSR_TSC_DEADLINE 6E0h
%define MSR_X2APIC       800h           ; and the page's offset / 16
%define MSR_KERNEL_GS    0C0000102h
%define MSR_KVM_PV_EOI   4B564D04h

%define APIC_TPR    80h
%define APIC_EOI    0B0h
%define APIC_SVR    0F0h
%define APIC_ICR    300h
%define APIC_TIMER  320h
%define APIC_LVT0   350h
%define APIC_SELF   3F0h                ; x2APIC only
%define TSC_DEADLINE_MODE 40000h
%define TO_SELF     44000h              ; fixed, assert, shorthand: self

%define VECTOR      2Eh                 ; ends the interrupt
%define VECTOR_EOI  2Dh                 ; measures that
%define VECTOR_LATE 2Ch                 ; takes the time at which it comes
%define VECTOR_PV   2Bh                 ; ends it as Linux does on KVM
%define VECTOR_SPURIOUS 2Fh

; --- interrupts ---------------------------------------------------------------------------------

; Everything that differs between the two modes comes twice: %1 is x2apic or xapic.

%macro EOI 1
%ifidn %1, x2apic
        xor     eax, eax
        xor     edx, edx
        mov     ecx, MSR_X2APIC + APIC_EOI / 16
        wrmsr
%else
        mov     eax, APIC
        mov     dword [rax + APIC_EOI], 0
%endif
%endmacro

%macro HANDLERS 1
handler_%1:
        push    rax
        push    rcx
        push    rdx
        inc     dword [taken]
        EOI     %1
        pop     rdx
        pop     rcx
        pop     rax
        iretq

handler_eoi_%1:
        push    rax
        push    rcx
        push    rdx
        inc     dword [taken]
        BEGIN
        EOI     %1
        END
        pop     rdx
        pop     rcx
        pop     rax
        iretq

handler_late_%1:
        push    rax
        push    rdx
        TSC
        mov     [taken_tsc], rax
        push    rcx
        inc     dword [taken]
        EOI     %1
        pop     rcx
        pop     rdx
        pop     rax
        iretq

handler_pv_%1:
        push    rax
        push    rcx
        push    rdx
        inc     dword [taken]
        btr     dword [pv_eoi], 0       ; the hypervisor has set it: nothing waits behind this one
        jc      %%ended
        EOI     %1
%%ended:
        pop     rdx
        pop     rcx
        pop     rax
        iretq
%endmacro

        HANDLERS x2apic
        HANDLERS xapic

; GATE vector, handler. Changes EAX.
%macro GATE 2
        mov     eax, %2
        mov     [idt + %1 * 16], ax
        shr     eax, 16
        mov     [idt + %1 * 16 + 6], ax
%endmacro

; APIC_WRITE mode, offset, value. Changes EAX, ECX, EDX.
%macro APIC_WRITE 3
        mov     eax, %3
%ifidn %1, x2apic
        xor     edx, edx
        mov     ecx, MSR_X2APIC + %2 / 16
        wrmsr
%else
        mov     ecx, APIC
        mov     [rcx + %2], eax
%endif
%endmacro

; Sends the vector of which SEND_READY made R8D to R11 to this CPU.
%macro SEND_READY 2
%ifidn %1, x2apic
        mov     r8d, %2
        xor     r9d, r9d
        mov     r10d, MSR_X2APIC + APIC_SELF / 16
%else
        mov     r8d, TO_SELF | %2
        mov     r11d, APIC + APIC_ICR
%endif
%endmacro
%macro SEND 1
%ifidn %1, x2apic
        wrmsr
%else
        mov     [r11], eax
%endif
%endmacro

; Lets the interrupt come that R13D doesn't count yet; WAIT_HLT sleeps until then.
%macro WAIT 0
        sti
%%more: cmp     [taken], r13d
        jb      %%more
        cli
%endmacro
%macro WAIT_HLT 0
%%more: sti
        hlt
        cli
        cmp     [taken], r13d
        jb      %%more
%endmacro

; IPI_ROW mode, vector, how to wait
%macro IPI_ROW 3
        SEND_READY %1, %2
        mov     r13d, [taken]
        ROUNDS_OF ROUNDS
        inc     r13d
        BEGIN
        SEND    %1
        %3
        END
        ROUNDS_END
%endmacro

; LATE_ROW how to wait
%macro LATE_ROW 1
        mov     r13d, [taken]
        ROUNDS_OF LATE_ROUNDS
        inc     r13d
        TSC
        lea     r14, [rax + AHEAD]
        mov     ecx, MSR_TSC_DEADLINE
        mov     rax, r14
        mov     rdx, r14
        shr     rdx, 32
        wrmsr
        %1
        mov     rax, [taken_tsc]
        sub     rax, r14
        call    round_add_all
        ROUNDS_END
%endmacro

%macro INTERRUPT_ROWS 1
        GATE    VECTOR, handler_%1
        GATE    VECTOR_EOI, handler_eoi_%1
        GATE    VECTOR_LATE, handler_late_%1
        GATE    VECTOR_PV, handler_pv_%1
        APIC_WRITE %1, APIC_SVR, 100h | VECTOR_SPURIOUS
        APIC_WRITE %1, APIC_TPR, 0
        APIC_WRITE %1, APIC_LVT0, 10000h

        SAY_ROW "EOI"
        mov     r13d, [taken]
        ROUNDS_OF ROUNDS
        inc     r13d
        SEND_READY %1, VECTOR_EOI
        mov     eax, r8d
        mov     edx, r9d
        mov     ecx, r10d
        SEND    %1
        WAIT
        ROUNDS_END
        SAY_ROW "self-IPI, STI"
        IPI_ROW %1, VECTOR, WAIT
        SAY_ROW "self-IPI, STI and HLT"
        IPI_ROW %1, VECTOR, WAIT_HLT

        SAY_ROW "self-IPI, STI, KVM's paravirtual EOI"
        call    has_pv_eoi
        jnc     %%no_pv_eoi
        mov     ecx, MSR_KVM_PV_EOI
        mov     eax, pv_eoi + 1
        xor     edx, edx
        wrmsr
        IPI_ROW %1, VECTOR_PV, WAIT
        mov     ecx, MSR_KVM_PV_EOI
        xor     eax, eax
        xor     edx, edx
        wrmsr
        jmp     %%deadline
%%no_pv_eoi:
        call    not_offered

%%deadline:
        bt      dword [features], 24
        jnc     %%no_deadline
        APIC_WRITE %1, APIC_TIMER, TSC_DEADLINE_MODE | VECTOR
        SAY_ROW "TSC deadline, passed when armed, taken"
        mov     r8d, 1
        xor     r9d, r9d
        mov     r10d, MSR_TSC_DEADLINE
        mov     r13d, [taken]
        ROUNDS_OF ROUNDS
        inc     r13d
        sti
        BEGIN
        wrmsr
        WAIT
        END
        ROUNDS_END
        APIC_WRITE %1, APIC_TIMER, TSC_DEADLINE_MODE | VECTOR_LATE
        SAY_ROW "TSC deadline to its handler"
        LATE_ROW WAIT
        SAY_ROW "TSC deadline to its handler, from HLT"
        LATE_ROW WAIT_HLT
        jmp     %%end
%%no_deadline:
        SAY_ROW "TSC deadline"
        call    not_offered
%%end:
%endmacro

; CF: the paravirtual EOI is there. KVM's leaves may lie behind those of the hypervisor's own.
has_pv_eoi:
        bt      dword [features], 31    ; a hypervisor
        jnc     .none
        mov     esi, 40000000h
.base:  mov     eax, esi
        cpuid
        cmp     ebx, "KVMK"
        jne     .next
        cmp     ecx, "VMKV"
        jne     .next
        cmp     edx, "M"
        jne     .next
        lea     eax, [rsi + 1]
        cpuid
        bt      eax, 6
        ret
.next:  add     esi, 100h
        cmp     esi, 40010000h
        jb      .base
.none:  clc
        ret

not_offered:
        mov     esi, .text
        jmp     text_add
.text:  db      "not offered", 13, 10, 0

; --- the rows -----------------------------------------------------------------------------------

main:
        mov     eax, 1
        xor     ecx, ecx
        cpuid
        mov     [features], ecx
        SAY_ROW "least and mean, ticks; an empty round"
        ROUNDS_OF ROUNDS
        BEGIN
        END
        ROUNDS_END
        mov     rax, [least]
        mov     [empty], rax

        ROW     "CPUID, leaf 0", 0, 0, 0
        cpuid
        ROW_END
        ROW     "IN from the 8259A's mask", 0, 21h, 0
        in      al, dx
        ROW_END
        ROW     "OUT to the 8259A's mask", 0FFh, 21h, 0
        out     dx, al
        ROW_END
        ROW     "IN from COM1's line status", 0, COM1 + 5, 0
        in      al, dx
        ROW_END
        ROW     "IN from the 8254's counter 2", 0, 42h, 0
        in      al, dx
        ROW_END
        ROW     "IN from a port without a device", 0, 80h, 0
        in      al, dx
        ROW_END
        ROW     "RDMSR of IA32_APIC_BASE", 0, 0, MSR_APIC_BASE
        rdmsr
        ROW_END

        mov     eax, 7
        xor     ecx, ecx
        cpuid
        bt      ebx, 1
        jnc     .no_adjust
        mov     ecx, MSR_TSC_ADJUST
        rdmsr
        mov     r11d, eax
        mov     r12d, edx
        ROW     "WRMSR of IA32_TSC_ADJUST", r11d, r12d, MSR_TSC_ADJUST
        wrmsr
        ROW_END
        jmp     .adjusted
.no_adjust:
        SAY_ROW "WRMSR of IA32_TSC_ADJUST"
        call    not_offered
.adjusted:
        ROW     "WRMSR of KERNEL_GS_BASE", 0, 0, MSR_KERNEL_GS
        wrmsr
        ROW_END

        mov     r11, cr0
        mov     r12, r11
        btc     r12, 16                 ; WP
        ROW     "MOV to CR0, twice: WP", 0, 0, 0
        mov     cr0, r12
        mov     cr0, r11
        ROW_END
        mov     r11, cr4
        mov     r12, r11
        btc     r12, 7                  ; PGE
        ROW     "MOV to CR4, twice: PGE", 0, 0, 0
        mov     cr4, r12
        mov     cr4, r11
        ROW_END
        ROW     "MOV to CR8", 0, 0, 0
        mov     cr8, rax
        ROW_END
        ROW     "MOV to DR7", 400h, 0, 0
        mov     dr7, rax
        ROW_END

        mov     r11d, IOAPIC
        mov     dword [r11], 1          ; its version
        ROW     "MMIO: read of the I/O APIC's window", 0, 0, 0
        mov     eax, [r11 + 10h]
        ROW_END

        mov     ecx, MSR_APIC_BASE
        rdmsr
        or      eax, 800h               ; on
        wrmsr
        bt      dword [features], 21    ; an x2APIC
        jnc     .xapic
        or      eax, 0C00h
        wrmsr
        INTERRUPT_ROWS x2apic
        jmp     rows_send
.xapic:
        INTERRUPT_ROWS xapic
        jmp     rows_send

        align   8, db 0
taken_tsc:      dq 0
features:       dd 0                    ; CPUID leaf 1, ECX
taken:          dd 0
pv_eoi:         dd 0

        END_OF_GUEST
