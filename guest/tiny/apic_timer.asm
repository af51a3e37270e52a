; The local APIC's timer: one-shot, periodic and TSC-deadline mode, a count that counts.
%define NAME "apic_timer"
%include "bzimage.inc"
%include "apic.inc"

; Halts with interrupts on until vector 40h came EBP times.
wait_for_timer:
        sti
.more:  hlt
        cmp     [taken], ebp
        jb      .more
        cli
        ret

; RAX: the TSC.
tsc:    rdtsc
        shl     rdx, 32
        or      rax, rdx
        ret

main:
        call    apic_setup

        ; One-shot: it counts down, comes once and stays at 0.
        WR      APIC_DIVIDE, 0Bh
        WR      APIC_LVT_TIMER, 40h
        WR      APIC_INITIAL, 100000
        RD      r8d, APIC_CURRENT
        RD      r9d, APIC_CURRENT
        xor     eax, eax
        cmp     r9d, r8d
        setbe   al
        CHECK   rax, 1, "the count falls"
        mov     ebp, 1
        call    wait_for_timer
        READS   APIC_CURRENT, 0, "count at its end"
        READS   APIC_INITIAL, 100000, "initial count"
        TAKEN   40h, 1, "one-shot"

        ; A count of 0 stops it.
        WR      APIC_INITIAL, 1000000000
        WR      APIC_INITIAL, 0
        READS   APIC_CURRENT, 0, "stopped"

        ; Masked it counts, and nothing comes of it.
        WR      APIC_LVT_TIMER, 10040h
        WR      APIC_INITIAL, 1000
.count: RD      eax, APIC_CURRENT
        test    eax, eax
        jnz     .count
        sti
        nop
        cli
        TAKEN   40h, 0, "masked"

        ; Periodic: again and again, the count begins anew.
        WR      APIC_LVT_TIMER, 20040h
        WR      APIC_INITIAL, 100000
        mov     ebp, 5
        call    wait_for_timer
        WR      APIC_LVT_TIMER, 30040h
        mov     eax, [taken]
        cmp     eax, 5
        jae     .enough
        CHECK   rax, 5, "periods"
.enough:
        mov     dword [taken], 0
        WR      APIC_INITIAL, 0

        ; TSC-deadline mode.
        mov     eax, 1
        cpuid
        bt      ecx, 24
        jnc     .none
        WR      APIC_LVT_TIMER, 40040h
        WR      APIC_INITIAL, 1000      ; ignored here
        READS   APIC_CURRENT, 0, "no count in TSC-deadline mode"
        call    tsc
        lea     r12, [rax + 1000000]
        WRMSR   MSR_TSC_DEADLINE, r12
        mov     r13, rax
        CHECK   r13, r12, "deadline"
        mov     ebp, 1
        call    wait_for_timer
        call    tsc
        mov     r13, rax
        xor     eax, eax
        cmp     r13, r12
        setae   al
        CHECK   rax, 1, "not before its time"
        RDMSR   MSR_TSC_DEADLINE
        CHECK   rax, 0, "disarmed behind it"
        TAKEN   40h, 1, "TSC deadline"
        WRMSR   MSR_TSC_DEADLINE, 1     ; long ago
        mov     ebp, 1
        call    wait_for_timer
        TAKEN   40h, 1, "a deadline in the past"
        call    tsc
        mov     rcx, 1000000000000
        lea     r12, [rax + rcx]
        WRMSR   MSR_TSC_DEADLINE, r12
        RDMSR   MSR_TSC_DEADLINE
        CHECK   rax, r12, "armed"
        WR      APIC_LVT_TIMER, 40h     ; another mode disarms
        RDMSR   MSR_TSC_DEADLINE
        CHECK   rax, 0, "disarmed by the mode"
        WRMSR   MSR_TSC_DEADLINE, 1
        RDMSR   MSR_TSC_DEADLINE
        CHECK   rax, 0, "ignored outside of its mode"
.none:  ret

        END_OF_GUEST
