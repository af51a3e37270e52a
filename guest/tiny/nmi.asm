; NMIs: at once whatever IF is, blocked until IRET, latched once, before interrupts and behind traps;
; an IRET that faults ends the blocking too. HLT with interrupts off sleeps while one can still come.
%define NAME "nmi"
%include "bzimage.inc"
%include "apic.inc"

%define IOAPIC    0FEC00000h
%define NMI_TO_ME 4400h

; To the APIC with ID 0, which is this one.
%macro SEND_NMI 0
        WR      APIC_ICR, NMI_TO_ME
%endmacro

; NMIS count, "what": how many came since the last look.
%macro NMIS 2+
        mov     eax, [nmis]
        mov     dword [nmis], 0
        CHECK   rax, %1, %2
%endmacro

; IOAPIC_WRITE register, value
%macro IOAPIC_WRITE 2
        mov     r11d, IOAPIC
        mov     dword [r11], %1
        mov     dword [r11 + 10h], %2
%endmacro

; The newest event first: a byte for each, in the order of their coming.
note:   push    rbx
        movzx   ebx, byte [order_next]
        and     ebx, 15
        mov     [order + rbx], al
        inc     byte [order_next]
        pop     rbx
        ret

; What the handler does, by [plan]: nothing; sends two more; sends one more and an interrupt; sends
; one more and leaves by an IRET that faults.
on_nmi: push    rax
        push    rbx
        push    r11
        inc     dword [nmis]
        inc     dword [depth]
        mov     eax, [depth]
        cmp     eax, [deepest]
        jbe     .shallow
        mov     [deepest], eax
.shallow:
        mov     al, 2
        call    note
        mov     rax, [rsp + 24]
        mov     [nmi_rip], rax
        mov     eax, [plan]
        mov     dword [plan], 0
        cmp     eax, 1
        je      .two
        cmp     eax, 2
        je      .mixed
        cmp     eax, 3
        je      .fault
.leave: dec     dword [depth]
        pop     r11
        pop     rbx
        pop     rax
        iretq
.two:   SEND_NMI
        SEND_NMI
        xor     eax, eax
        cpuid                           ; an exit, behind which it could come too early
        jmp     .leave
.mixed: WR      APIC_ICR, 44041h
        SEND_NMI
        or      dword [rsp + 40], 200h  ; back to where interrupts are on
        jmp     .leave
.fault: SEND_NMI
        dec     dword [depth]
        pop     r11
        pop     rbx
        pop     rax
        mov     qword [rsp + 8], 0FFF8h ; CS beyond the GDT
bad_iret:
        iretq

; #GP of that IRET: the NMI behind it must have come by now. The frame is mended and IRET runs again.
on_gp:  mov     eax, [nmis]
        mov     [nmis_at_gp], eax
        mov     rax, [rsp]
        mov     [gp_error], rax
        mov     rax, [rsp + 8]
        mov     [gp_rip], rax
        mov     rax, [rsp + 24]
        mov     [gp_flags], rax
        mov     rax, [rsp + 32]         ; RSP of the faulting IRET
        mov     word [rax + 8], cs
        add     rsp, 8
        iretq

; SET_GATE vector, handler
%macro SET_GATE 2
        mov     eax, %2
        mov     [apic_idt + %1 * 16], ax
        shr     eax, 16
        mov     [apic_idt + %1 * 16 + 6], ax
%endmacro

main:
        call    apic_setup
        SET_GATE 2, on_nmi
        SET_GATE 13, on_gp

        ; With IF clear, at once.
        SEND_NMI
here:   NMIS    1, "an NMI with IF clear"
        CHECK   [nmi_rip], here, "RIP of the NMI"

        ; Two more from inside the handler: one is latched, and waits for IRET.
        mov     dword [plan], 1
        SEND_NMI
        NMIS    2, "of three in a row"
        CHECK   [deepest], 1, "an NMI inside of an NMI's handler"

        ; INT 2 blocks nothing.
        mov     dword [deepest], 0
        mov     dword [plan], 1
        int     2
        NMIS    3, "NMIs in the handler of INT 2"
        CHECK   [deepest], 2, "depth in the handler of INT 2"

        ; Behind the IRET an NMI and an interrupt wait: the NMI goes first.
        mov     dword [plan], 2
        mov     byte [order_next], 0
        SEND_NMI
        nop
        cli
        NMIS    2, "NMI beside an interrupt"
        TAKEN   41h, 1, "the interrupt beside an NMI"
        mov     eax, [order]
        and     eax, 0FFFFFFh
        CHECK   rax, 410202h, "order of NMI, NMI, 41h"

        ; Behind STI: at the latest behind the next instruction.
        sti
        SEND_NMI
        cli
        NMIS    1, "an NMI behind STI"

        ; Behind MOV SS: not before the next instruction, be it one that exits.
        mov     r11d, APIC
        mov     eax, ss
        mov     ss, eax
        mov     dword [r11 + APIC_ICR], NMI_TO_ME
        NMIS    1, "an NMI behind MOV SS"

        ; It ends HLT, whatever IF is. It has come before HLT; so the PIT sends another.
        WR      APIC_LVT0, 400h         ; the 8259A's output is an NMI here
        PIT_START 0, 1193
        cli
        hlt
        NMIS    1, "the 8259A's NMI through LINT0"
        WR      APIC_LVT0, 10700h
        mov     al, 0FFh
        out     PIC1 + 1, al
        IOAPIC_WRITE 15h, 0             ; input 2, the PIT
        IOAPIC_WRITE 14h, 400h
        PIT_START 0, 1193
        hlt
        NMIS    1, "the PIT's NMI through the I/O APIC"
        PIT_START 2, 1193
        mov     r12d, 5
.again: hlt
        dec     r12d
        jnz     .again
        NMIS    5, "NMIs of five periods, each of which ends HLT"
        IOAPIC_WRITE 14h, 10400h

        ; An IRET that faults has ended the blocking.
        mov     dword [plan], 3
        mov     dword [deepest], 0
        SEND_NMI
        NMIS    2, "NMIs around an IRET that faults"
        CHECK   [gp_error], 0FFF8h, "error code of the IRET's #GP"
        CHECK   [nmis_at_gp], 2, "NMIs before the handler of the IRET's #GP"
        CHECK   [gp_rip], bad_iret, "RIP of the IRET's #GP"
        mov     eax, [gp_flags]
        and     eax, 100h
        CHECK   rax, 0, "TF on the stack of the IRET's #GP"
        CHECK   [deepest], 1, "depth around an IRET that faults"
        ; And behind all of it nothing is blocked.
        SEND_NMI
        NMIS    1, "an NMI at the end"
        ret

plan:   dd      0
nmis:   dd      0
        align   8, db 0
depth:  dq      0
deepest: dq     0
nmis_at_gp: dq  0
nmi_rip: dq     0
gp_error: dq    0
gp_rip: dq      0
gp_flags: dq    0

        END_OF_GUEST
