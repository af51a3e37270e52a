; The local APIC's timer while the guest is busy, which a CPU with posted interrupts serves without an
; exit: it comes as often as it was armed, never too soon, and not where it was stopped. tests/boot/
; test_apic.py reads the accounts.
%define NAME "apic_posted"
%include "bzimage.inc"
%include "apic.inc"

%define ROUNDS  200
%define SOON    5000                    ; ticks of the TSC from arming to the deadline
%define LATE    60000
%define COUNT   20000                   ; of the timer's own, for one that isn't to end

%define BSP  100h
%define EXTD 400h
%define EN   800h

%define MSR_TSC 10h
%define X2APIC_TPR 808h
%define X2APIC_SVR 80Fh
%define X2APIC_IRR2 822h
%define X2APIC_LVT_TIMER 832h

; Notes when it came.
on_time:
        push    rax
        push    rdx
        rdtsc
        mov     [stamp], eax
        mov     [stamp + 4], edx
        pop     rdx
        inc     dword [taken]
        jmp     apic_end                ; which pops RAX

; RAX: the TSC.
tsc:    rdtsc
        shl     rdx, 32
        or      rax, rdx
        ret

; R12: the deadline, %1 ticks from now.
%macro ARM 1
        call    tsc
        lea     r12, [rax + %1]
        WRMSR   MSR_TSC_DEADLINE, r12
%endmacro

; The TSC goes on %1 ticks from here.
%macro MOVE_TSC 1
        call    tsc
        add     rax, %1
        WRMSR   MSR_TSC, rax
%endmacro

; Spins until the TSC is a little behind R12.
pass:   call    tsc
        sub     rax, 2000
        cmp     rax, r12
        jb      pass
        ret

; Spins until the interrupt has come.
wait_for_it:
        cmp     dword [taken], 0
        je      wait_for_it
        ret

; IN_TIME "what": once, and not before R12.
%macro IN_TIME 1+
        TAKEN   40h, 1, %1
        xor     eax, eax
        cmp     [stamp], r12
        setae   al
        CHECK   rax, 1, %1
%endmacro

; OPEN: a moment in which interrupts may come.
%macro OPEN 0
        sti
        nop
        nop
        cli
%endmacro

main:
        call    apic_setup
        mov     eax, on_time
        mov     [apic_idt + 40h * 16], ax
        shr     eax, 16
        mov     [apic_idt + 40h * 16 + 6], ax

        ; One-shot, in xAPIC mode.
        WR      APIC_DIVIDE, 0Bh
        WR      APIC_LVT_TIMER, 40h
        xor     ebp, ebp
        sti
.shot:  mov     dword [taken], 0
        WR      APIC_INITIAL, 1000
        call    wait_for_it
        inc     ebp
        cmp     ebp, ROUNDS
        jb      .shot
        cli
        TAKEN   40h, 1, "one-shot"
        READS   APIC_CURRENT, 0, "its count"

        ; Masked in mid-count, and another count.
        WR      APIC_INITIAL, COUNT
        WR      APIC_LVT_TIMER, 10040h
.count: RD      eax, APIC_CURRENT
        test    eax, eax
        jnz     .count
        WR      APIC_LVT_TIMER, 40h
        OPEN
        TAKEN   40h, 0, "masked in mid-count"
        WR      APIC_INITIAL, COUNT
        WR      APIC_INITIAL, 0
        sti
        mov     ecx, 100000
.empty: dec     ecx
        jnz     .empty
        cli
        TAKEN   40h, 0, "stopped in mid-count"

        mov     eax, 1
        cpuid
        bt      ecx, 24
        jnc     .none
        WRMSR   MSR_APIC_BASE, APIC | BSP | EN | EXTD
        WRMSR   X2APIC_LVT_TIMER, 40040h
        xor     ebp, ebp
.deadline:
        sti
        ARM     SOON
        call    wait_for_it
        cli
        IN_TIME "a deadline"
        inc     ebp
        cmp     ebp, ROUNDS
        jb      .deadline
        RDMSR   MSR_TSC_DEADLINE
        CHECK   rax, 0, "the deadline behind it"

        ; Another one in its place, later and sooner.
        ARM     SOON
        ARM     LATE
        sti
        call    wait_for_it
        cli
        IN_TIME "later"
        ARM     LATE
        ARM     SOON
        sti
        call    wait_for_it
        cli
        IN_TIME "sooner"
        ARM     SOON
        WRMSR   MSR_TSC_DEADLINE, 0
        sti
        call    pass
        cli
        TAKEN   40h, 0, "taken back"

        ; With IF clear, and below TPR: requested, and it waits.
        ARM     SOON
        call    pass
        TAKEN   40h, 0, "with IF clear"
        RDMSR   MSR_TSC_DEADLINE
        CHECK   rax, 0, "the deadline of a request that waits"
        RDMSR   X2APIC_IRR2
        CHECK   rax, 1, "IRR"
        OPEN
        IN_TIME "with IF set"
        sti
        WRMSR   X2APIC_TPR, 40h
        ARM     SOON
        call    pass
        TAKEN   40h, 0, "below TPR"
        WRMSR   X2APIC_TPR, 0
        nop
        cli
        IN_TIME "above TPR"

        ; Another mode, the TSC moved, the APIC off.
        ARM     SOON
        WRMSR   X2APIC_LVT_TIMER, 40h
        sti
        call    pass
        cli
        TAKEN   40h, 0, "another mode"
        WRMSR   X2APIC_LVT_TIMER, 40040h
        ARM     SOON
        MOVE_TSC -LATE
        sti
        call    wait_for_it
        cli
        IN_TIME "the TSC back"
        ARM     2 * LATE
        MOVE_TSC LATE
        sti
        call    wait_for_it
        cli
        IN_TIME "the TSC ahead"
        ARM     SOON
        WRMSR   X2APIC_SVR, 5Fh
        sti
        call    pass
        cli
        WRMSR   X2APIC_SVR, 15Fh
        WRMSR   X2APIC_LVT_TIMER, 40040h
        OPEN
        TAKEN   40h, 0, "the APIC off by software"

        ; From HLT.
        mov     ebp, 20
.halt:  ARM     SOON
        sti
        hlt
        cli
        IN_TIME "from HLT"
        dec     ebp
        jnz     .halt
.none:
        ret

        align   8, db 0
stamp:  dq      0

        END_OF_GUEST
