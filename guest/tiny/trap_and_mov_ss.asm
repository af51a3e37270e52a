; Traps that MOV SS holds off: a data breakpoint that it met itself waits for the end of the next
; instruction, which exits to the VMM, and still goes before an interrupt that this one sends. INT1.
%define NAME "trap_and_mov_ss"
%include "bzimage.inc"
%include "apic.inc"

; Written down: 1 for #DB, 41h for the interrupt, the first in the low byte; and where they came.
on_db:  mov     rax, [rsp]
        mov     [db_rip], rax
        mov     rax, dr6
        mov     [db_dr6], rax
        mov     al, 1
note:   movzx   ebx, byte [came]
        mov     [kind + rbx], al
        inc     byte [came]
        iretq
on_irq: mov     rax, [rsp]
        mov     [irq_rip], rax
        mov     eax, APIC
        mov     dword [rax + APIC_EOI], 0
        mov     al, 41h
        jmp     note

; SET_GATE vector, handler
%macro SET_GATE 2
        mov     eax, %2
        mov     [apic_idt + %1 * 16], ax
        shr     eax, 16
        mov     [apic_idt + %1 * 16 + 6], ax
%endmacro

; CAME kinds, "what": the events since the last look.
%macro CAME 2+
        mov     rax, [kind]
        mov     qword [kind], 0
        mov     byte [came], 0
        CHECK   rax, %1, %2
%endmacro

main:
        call    apic_setup
        SET_GATE 1, on_db
        SET_GATE 41h, on_irq
        mov     eax, selector
        mov     dr0, rax
        mov     eax, 400h | 1 | 3 << 16 | 1 << 18 ; L0: reads and writes of two bytes
        mov     dr7, rax
        mov     [selector], ss
        CAME    1, "#DB of a watched write"

        xor     eax, eax
        mov     dr6, rax
        mov     ss, [selector]
        cpuid
behind_cpuid:
        CAME    1, "#DB held by MOV SS, CPUID"
        CHECK   [db_rip], behind_cpuid, "RIP of #DB held by MOV SS, CPUID"
        mov     rax, [db_dr6]
        and     eax, 1
        CHECK   rax, 1, "DR6.B0 behind MOV SS, CPUID"

        sti
        nop
        mov     r11d, APIC
        mov     ss, [selector]
        mov     dword [r11 + APIC_ICR], 44041h
behind: cli
        mov     eax, 400h
        mov     dr7, rax
        CAME    4101h, "#DB held by MOV SS, then the interrupt"
        CHECK   [db_rip], behind, "RIP of #DB held by MOV SS"
        CHECK   [irq_rip], behind, "RIP of the interrupt behind it"

        db      0F1h
behind_int1:
        CAME    1, "INT1"
        CHECK   [db_rip], behind_int1, "RIP behind INT1"
        ret

came:   db      0
        align   8, db 0
kind:   dq      0
db_rip: dq      0
db_dr6: dq      0
selector: dq    0

        END_OF_GUEST
