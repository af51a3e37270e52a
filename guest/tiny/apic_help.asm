; What a CPU can do of the local APIC without an exit, often enough to be counted: TPR and CR8,
; self-IPIs and their ends, in xAPIC and in x2APIC mode. tests/boot/test_apic.py reads the accounts.
; And what must stay right beside it: a level-triggered interrupt comes again after its end while its
; line is high; a request outlives a switch of its APIC.
%define NAME "apic_help"
%include "bzimage.inc"
%include "apic.inc"

%define ROUNDS  300

%define IOAPIC  0FEC00000h
%define PIN     2                       ; the PIT's
%define LEVEL_VECTOR 54h
%define LEVELS  3

%define BSP  100h
%define EXTD 400h
%define EN   800h

; IOAPIC_WR register, value. Changes R11.
%macro IOAPIC_WR 2
        mov     r11d, IOAPIC
        mov     dword [r11], %1
        mov     dword [r11 + 10h], %2
%endmacro

; Takes the interrupt LEVELS times, then masks its input.
level_handler:
        push    rax
        push    r11
        inc     dword [levels]
        cmp     dword [levels], LEVELS
        jb      .end
        IOAPIC_WR 10h + PIN * 2, 18000h | LEVEL_VECTOR
.end:   pop     r11
        jmp     apic_end                ; which pops RAX

; The PIT's output rises and stays. CHECKs that it came LEVELS times.
level:
        mov     eax, level_handler
        mov     [apic_idt + LEVEL_VECTOR * 16], ax
        shr     eax, 16
        mov     [apic_idt + LEVEL_VECTOR * 16 + 6], ax
        mov     dword [levels], 0
        mov     al, 30h                 ; mode 0
        out     PIT_MODE, al
        mov     al, 1
        out     PIT_CH0, al
        mov     al, 0
        out     PIT_CH0, al
        IOAPIC_WR 11h + PIN * 2, 0
        IOAPIC_WR 10h + PIN * 2, 8000h | LEVEL_VECTOR
        sti
        mov     ecx, 1000000
.wait:  cmp     dword [levels], LEVELS
        je      .over
        dec     ecx
        jnz     .wait
.over:  cli
        CHECK   [levels], LEVELS, "a level-triggered interrupt's times"
        mov     r11d, IOAPIC
        mov     dword [r11], 10h + PIN * 2
        mov     eax, [r11 + 10h]
        CHECK   rax, 18000h | LEVEL_VECTOR, "its input behind the last end"
        ret

main:
        call    apic_setup

        ; CR8.
        mov     ebp, ROUNDS
.cr8:   mov     eax, 5
        mov     cr8, rax
        mov     rbx, cr8
        add     [sum], ebx
        xor     eax, eax
        mov     cr8, rax
        dec     ebp
        jnz     .cr8
        mov     eax, [sum]
        CHECK   rax, ROUNDS * 5, "what CR8 read"

        ; xAPIC mode: self-IPIs, ended in the page; TPR.
        sti
        mov     ebp, ROUNDS
.ipi:   WR      APIC_ICR, 44041h
        WR      APIC_TPR, 20h
        dec     ebp
        jnz     .ipi
        cli
        TAKEN   41h, ROUNDS, "self-IPIs in xAPIC mode"
        READS   APIC_TPR, 20h, "TPR"
        READS   APIC_ICR, 44041h, "ICR"
        READS   APIC_ISR + 20h, 0, "ISR"
        call    level
        READS   APIC_TMR + 20h, 1 << (LEVEL_VECTOR & 31), "TMR"
        WR      APIC_TPR, 0

        ; A request is there, and software disables the APIC: it is taken all the same.
        WR      APIC_ICR, 44042h
        WR      APIC_SVR, 5Fh
        sti
        nop
        cli
        TAKEN   42h, 1, "a request behind software's disabling"
        WR      APIC_ICR, 44043h
        sti
        nop
        cli
        TAKEN   43h, 0, "self-IPI while disabled"
        WR      APIC_SVR, 15Fh

        ; A request is there, and the mode changes.
        WR      APIC_ICR, 44044h
        WRMSR   MSR_APIC_BASE, APIC | BSP | EN | EXTD
        sti
        nop
        cli
        TAKEN   44h, 1, "a request of xAPIC mode in x2APIC mode"

        ; x2APIC mode.
        sti
        mov     ebp, ROUNDS
.self:  WRMSR   83Fh, 45h
        WRMSR   808h, 30h
        dec     ebp
        jnz     .self
        cli
        TAKEN   45h, ROUNDS, "SELF IPIs"
        mov     ebp, ROUNDS
.read:  RDMSR   808h
        mov     rbx, rax
        RDMSR   80Ah
        add     rbx, rax
        RDMSR   80Fh
        add     rbx, rax
        dec     ebp
        jnz     .read
        CHECK   rbx, 30h + 30h + 15Fh, "TPR, PPR and SVR"
        WRMSR   808h, 0
        WRMSR   83Fh, 46h
        RDMSR   822h
        CHECK   rax, 40h, "IRR with IF clear"
        sti
        hlt
        cli
        TAKEN   46h, 1, "SELF IPI that ends HLT"
        call    level
        WRMSR   83Fh, 7                 ; an illegal vector
        WRMSR   828h, 0
        RDMSR   828h
        CHECK   rax, 20h, "ESR: send illegal vector"

        ; Off and on again: nothing is left of a request.
        WRMSR   83Fh, 47h
        WRMSR   MSR_APIC_BASE, APIC | BSP
        WRMSR   MSR_APIC_BASE, APIC | BSP | EN
        WR      APIC_SVR, 15Fh
        sti
        nop
        cli
        TAKEN   47h, 0, "a request from before the APIC was off"
        WR      APIC_ICR, 44048h
        sti
        nop
        cli
        TAKEN   48h, 1, "self-IPI behind all that"
        ret

        align   8, db 0
levels: dq      0
sum:    dd      0

        END_OF_GUEST
