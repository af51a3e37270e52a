; An hour in HLT: RTC, PM timer, HPET, PIT and TSC must tell the same time at its end.
%define NAME "hour"
%include "bzimage.inc"
%include "apic.inc"

%define HPET     0FED00000h
%define PM_TIMER 608h
%define MINUTES  60
%define NAP      5                      ; minutes: the PM timer's 32 bits go round in 20
%define SECOND   100000000              ; of the HPET's

; RAX: the HPET's counter.
hpet:   mov     eax, HPET
        mov     rax, [rax + 0F0h]
        ret

; EAX: a register of the RTC's that holds two digits. AL: which. Changes EBX.
rtc:    out     RTC_INDEX, al
        in      al, RTC_DATA
        movzx   eax, al
        mov     ebx, eax
        shr     ebx, 4
        and     eax, 15
        imul    ebx, ebx, 10
        add     eax, ebx
        ret

; Writes AH to the RTC's register AL.
rtc_write:
        out     RTC_INDEX, al
        mov     al, ah
        out     RTC_DATA, al
        ret

; R15: seconds of the day, at the moment when one begins: the update-ended interrupt tells it.
rtc_second:
        mov     eax, 120Bh              ; UIE, 24 hours
        call    rtc_write
        mov     al, 0Ch
        call    rtc
        mov     dword [taken + 4], 0
.wait:  sti
        hlt
        cli
        cmp     dword [taken + 4], 0
        je      .wait
        mov     eax, 020Bh
        call    rtc_write
        mov     al, 0Ch
        call    rtc
        xor     eax, eax
        call    rtc
        mov     r15d, eax
        mov     eax, 2
        call    rtc
        imul    eax, eax, 60
        add     r15d, eax
        mov     eax, 4
        call    rtc
        imul    eax, eax, 3600
        add     r15d, eax
        ret

; EAX: what the PIT's counter 0 has counted down, modulo 65536.
pit:    xor     eax, eax
        out     PIT_MODE, al            ; latch
        in      al, PIT_CH0
        mov     bl, al
        in      al, PIT_CH0
        mov     bh, al
        xor     eax, eax
        sub     ax, bx
        ret

; All clocks, into [rdi]: RTC, HPET, PM timer (of 32 bits), TSC, PIT.
clocks: call    rtc_second
        mov     [rdi], r15
        call    hpet
        mov     [rdi + 8], rax
        mov     dx, PM_TIMER
        in      eax, dx
        mov     [rdi + 16], rax
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        mov     [rdi + 24], rax
        call    pit
        mov     [rdi + 32], rax
        ret

; RAX: what a clock has counted. PASSED its offset
%macro PASSED 1
        mov     rax, [last + %1]
        sub     rax, [first + %1]
%endmacro

; NEAR "what": RAX of what R12, which is the true one, says; R13 of them may be missing or too much.
%macro NEAR_TO 1+
        sub     rax, r12
        mov     r8, rax
        neg     rax
        cmovl   rax, r8
        mov     r8, rax
        xor     eax, eax
        cmp     r8, r13
        setbe   al
        CHECK   rax, 1, %1
%endmacro

on_alarm:
        push    rax
        inc     dword [naps]
        mov     eax, APIC
        mov     dword [rax + APIC_EOI], 0
        pop     rax
        iretq

main:
        call    apic_setup
        mov     eax, on_alarm
        mov     [apic_idt + 40h * 16], ax
        shr     eax, 16
        mov     [apic_idt + 40h * 16 + 6], ax

        ; The HPET's timer 0 by input 20 of the I/O APIC, vector 40h: active low. The RTC: input 8, 41h.
        mov     r11d, 0FEC00000h
        mov     dword [r11], 10h + 8 * 2
        mov     dword [r11 + 10h], 41h
        mov     dword [r11], 10h + 20 * 2
        mov     dword [r11 + 10h], 2040h
        mov     ebx, HPET
        mov     dword [rbx + 100h], 20 << 9 | 4
        mov     dword [rbx + 10h], 1
        ; PIT: counter 0 in mode 2 with 65536, nobody listens.
        mov     al, 34h
        out     PIT_MODE, al
        xor     eax, eax
        out     PIT_CH0, al
        out     PIT_CH0, al

        mov     edi, first
        call    clocks
        mov     r10, [first + 16]       ; PM timer: of 64 bits, brought up to date at each nap's end
        mov     r9, r10
        mov     r12, [first + 8]
.nap:   mov     rax, NAP * 60 * SECOND
        add     r12, rax
        mov     ebx, HPET
        mov     [rbx + 108h], r12
        sti
        hlt
        cli
        mov     dx, PM_TIMER
        in      eax, dx
        mov     ebx, eax
        sub     ebx, r9d
        mov     r9d, eax
        add     r10, rbx
        mov     eax, [naps]
        cmp     eax, MINUTES / NAP
        jb      .nap
        mov     edi, last
        call    clocks
        mov     eax, [last + 16]
        sub     eax, r9d
        add     r10, rax
        mov     [last + 16], r10
        mov     eax, [naps]
        CHECK   rax, MINUTES / NAP, "naps"

        ; The HPET is the measure: MINUTES and the second that the RTC's reading took.
        PASSED  8
        mov     r15, rax
        mov     r12, MINUTES * 60 * SECOND
        mov     r13d, 2 * SECOND
        NEAR_TO "the HPET's counter"
        PASSED  0                       ; whole seconds, read as they begin; midnight may lie between
        test    rax, rax
        jns     .day
        add     rax, 86400
.day:   imul    rax, rax, SECOND
        mov     r12, r15
        mov     r13d, SECOND / 100
        NEAR_TO "seconds of the RTC"
        mov     rax, r15                ; in ticks of the PM timer
        mov     ebx, 3579545
        mul     rbx
        mov     ecx, SECOND
        div     rcx
        mov     r12, rax
        PASSED  16
        mov     r13d, 3579545 / 1000
        NEAR_TO "ticks of the PM timer"
        mov     rax, r15                ; in the PIT's, modulo 65536
        mov     ebx, 1193182
        mul     rbx
        mov     ecx, SECOND
        div     rcx
        mov     r12, rax
        PASSED  32
        sub     ax, r12w
        movsx   rax, ax
        add     rax, r12
        mov     r13d, 1193182 / 1000
        NEAR_TO "counts of the PIT"
        mov     eax, 40000010h
        cpuid
        mov     ebx, eax                ; kHz
        mov     rax, r15
        mul     rbx
        mov     ecx, SECOND / 1000
        div     rcx
        mov     r12, rax
        mov     r13, r12
        shr     r13, 14                 ; CPUID tells whole kHz
        PASSED  24
        NEAR_TO "ticks of the TSC"
        ret

naps:   dd      0
        align   8, db 0
first:  times 5 dq 0
last:   times 5 dq 0

        END_OF_GUEST
