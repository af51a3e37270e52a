; An APIC that is programmed anew between an interrupt's arrival and its delivery: what was accepted
; comes, unless the APIC was switched off; and vectors below 16, which only leave an error.
%define NAME "apic_changed"
%include "bzimage.inc"
%include "apic.inc"

%define IOAPIC   0FEC00000h
%define BASE_BITS 900h                  ; enabled, boot processor
%define ELSEWHERE 0FED80000h

; IOAPIC_WRITE register, value
%macro IOAPIC_WRITE 2
        mov     r11d, IOAPIC
        mov     dword [r11], %1
        mov     dword [r11 + 10h], %2
%endmacro

; The timer's interrupt, vector 40h, accepted but held by IF.
hold:   WR      APIC_LVT_TIMER, 40h
        WR      APIC_INITIAL, 1
.wait:  RD      eax, APIC_IRR + 20h
        test    al, 1
        jz      .wait
        ret

; OPEN: a moment in which interrupts may come.
%macro OPEN 0
        sti
        nop
        nop
        cli
%endmacro

; SHOWS error bits, "what": of the error status register since the last look.
%macro SHOWS 2+
        WR      APIC_ESR, 0
        READS   APIC_ESR, %1, %2
        WR      APIC_ESR, 0
%endmacro

main:
        call    apic_setup
        WR      APIC_DIVIDE, 0Bh

        call    hold
        WR      APIC_LVT_TIMER, 10040h
        OPEN
        TAKEN   40h, 1, "LVT masked behind its interrupt"
        call    hold
        WR      APIC_LVT_TIMER, 10055h
        OPEN
        TAKEN   40h, 1, "another vector in the LVT behind its interrupt"
        TAKEN   55h, 0, "the other vector"
        call    hold
        WR      APIC_TPR, 40h
        OPEN
        TAKEN   40h, 0, "TPR raised behind an interrupt"
        WR      APIC_TPR, 0
        OPEN
        TAKEN   40h, 1, "TPR lowered again"
        call    hold
        WR      APIC_SVR, 5Fh
        OPEN
        TAKEN   40h, 1, "software disable behind an interrupt"
        WR      APIC_ICR, 44041h
        OPEN
        TAKEN   41h, 0, "a self-IPI while disabled by software"
        WR      APIC_SVR, 15Fh

        ; The page moves: the interrupt comes, and its end is written to the new place.
        call    hold
        WRMSR   MSR_APIC_BASE, ELSEWHERE | BASE_BITS
        mov     dword [count], 0
        mov     eax, on_moved
        mov     [apic_idt + 40h * 16], ax
        shr     eax, 16
        mov     [apic_idt + 40h * 16 + 6], ax
        OPEN
        mov     eax, [count]
        CHECK   rax, 1, "the page moved behind an interrupt"
        mov     r11d, ELSEWHERE
        mov     eax, [r11 + APIC_ISR + 20h]
        CHECK   rax, 0, "ISR behind an end at the new place"
        WRMSR   MSR_APIC_BASE, APIC | BASE_BITS

        ; Off and on: all is as after a reset.
        call    hold
        WRMSR   MSR_APIC_BASE, APIC | 100h
        OPEN
        WRMSR   MSR_APIC_BASE, APIC | BASE_BITS
        OPEN
        mov     eax, [count]
        CHECK   rax, 1, "the APIC switched off behind an interrupt"
        READS   APIC_IRR + 20h, 0, "IRR behind the APIC's off and on"
        WR      APIC_SVR, 15Fh
        WR      APIC_DIVIDE, 0Bh

        ; In the handler: masked, disabled and with another priority before its end.
        mov     eax, on_changing
        mov     [apic_idt + 40h * 16], ax
        shr     eax, 16
        mov     [apic_idt + 40h * 16 + 6], ax
        mov     dword [count], 0
        WR      APIC_LVT_TIMER, 20040h
        WR      APIC_INITIAL, 100000    ; the handler is done before the next one
        sti
.more:  hlt
        cmp     dword [count], 20
        jb      .more
        cli
        WR      APIC_LVT_TIMER, 10040h
        WR      APIC_INITIAL, 0

        ; Vectors below 16: an LVT's, a self-IPI's, an I/O APIC's. Nothing comes of them.
        WR      APIC_LVT_ERROR, 10000h
        SHOWS   0, "no error before"
        WR      APIC_LVT_TIMER, 0Fh
        WR      APIC_INITIAL, 1
.count: RD      eax, APIC_CURRENT
        test    eax, eax
        jnz     .count
        RD      eax, APIC_SVR           ; a look at its time
        SHOWS   40h, "ESR: received illegal vector 0Fh"
        WR      APIC_ICR, 44000h
        SHOWS   20h, "ESR: sent illegal vector 0"
        IOAPIC_WRITE 15h, 0
        IOAPIC_WRITE 14h, 8
        PIT_START 0, 2
        mov     ecx, 100
.pit:   in      al, PIT_CH0
        dec     ecx
        jnz     .pit
        SHOWS   40h, "ESR: received illegal vector 8"
        IOAPIC_WRITE 14h, 10008h
        OPEN
        mov     eax, [fault_count]
        CHECK   rax, 0, "exceptions by illegal vectors"
        ret

on_moved:
        inc     dword [count]
        push    rax
        mov     eax, ELSEWHERE
        mov     dword [rax + APIC_EOI], 0
        pop     rax
        iretq

on_changing:
        push    rax
        push    r11
        inc     dword [count]
        WR      APIC_LVT_TIMER, 30040h
        WR      APIC_SVR, 5Fh
        WR      APIC_TPR, 0FFh
        WR      APIC_EOI, 0
        WR      APIC_TPR, 0
        WR      APIC_SVR, 15Fh
        WR      APIC_LVT_TIMER, 20040h
        pop     r11
        pop     rax
        iretq

count:  dd      0

        END_OF_GUEST
