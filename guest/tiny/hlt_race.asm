; The race that loses wake-ups: a deadline's interrupt lands at every place around STI; HLT, one tick
; further each time. Each must come once, and each HLT must end.
%define NAME "hlt_race"
%include "bzimage.inc"
%include "apic.inc"

%define ROUNDS 1500
%define STEP   3                        ; of the count

on_timer:
        push    rax
        inc     dword [count]
        mov     rax, [rsp + 8]
        mov     [irq_rip], rax
        mov     eax, APIC
        mov     dword [rax + APIC_EOI], 0
        pop     rax
        iretq

; RAX: the TSC.
tsc:    rdtsc
        shl     rdx, 32
        or      rax, rdx
        ret

; R12: ticks from reading the TSC until WRMSR has armed a deadline.
measure:
        call    tsc
        mov     r12, rax
        mov     rbx, 1000000000000
        add     rax, rbx
        mov     rdx, rax
        shr     rdx, 32
        mov     ecx, MSR_TSC_DEADLINE
        wrmsr
        call    tsc
        sub     rax, r12
        mov     r12, rax
        ret

; From R12 ticks on. R15: how many deadlines were over before STI.
sweep:  mov     r14d, ROUNDS
        xor     r15d, r15d
.round: mov     dword [count], 0
        call    tsc
        add     rax, r12
        mov     r13, rax
        mov     rdx, rax
        shr     rdx, 32
        mov     ecx, MSR_TSC_DEADLINE
        wrmsr
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        sti
        hlt
.behind:
        cli
        cmp     rax, r13
        jb      .later
        inc     r15d
.later: cmp     dword [count], 1
        je      .once
        mov     eax, [count]
        CHECK   rax, 1, "interrupts of one deadline"
        ret
.once:  CHECK   [irq_rip], .behind, "RIP of a deadline's interrupt"
        inc     r12
        dec     r14d
        jnz     .round
        ret

; The same with the timer's count in place of the deadline, in coarser steps.
sweep_count:
        mov     r14d, ROUNDS
.round: mov     dword [count], 0
        WR      APIC_INITIAL, r12d
        sti
        hlt
.behind: cli
        cmp     dword [count], 1
        je      .once
        mov     eax, [count]
        CHECK   rax, 1, "interrupts of one count"
        ret
.once:  add     r12d, STEP
        dec     r14d
        jnz     .round
        ret

main:
        call    apic_setup
        mov     eax, on_timer
        mov     [apic_idt + 40h * 16], ax
        shr     eax, 16
        mov     [apic_idt + 40h * 16 + 6], ax
        mov     eax, 1
        cpuid
        bt      ecx, 24
        jnc     .count
        WR      APIC_LVT_TIMER, 40040h
        call    measure
        call    measure                 ; the second one finds warm caches
        sub     r12, ROUNDS / 2
        call    sweep
        ; Both happened, so the sweep went over the place.
        xor     eax, eax
        cmp     r15d, ROUNDS / 20
        jb      .beside
        cmp     r15d, ROUNDS - ROUNDS / 20
        ja      .beside
        inc     eax
.beside: mov    r13d, eax
        CHECK   r13, 1, "deadlines before and behind STI"
.count: WR      APIC_LVT_TIMER, 40h
        WR      APIC_DIVIDE, 0Bh
        mov     r12d, 1
        call    sweep_count
        ret

count:  dd      0

        END_OF_GUEST
