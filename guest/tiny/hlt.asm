; HLT sleeps until the timer's interrupt, which returns behind it, and guest time has passed.
%define NAME "hlt"
%include "bzimage.inc"

main:
        PIT_START 0, 11932              ; 10 ms
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        mov     r12, rax
        sti
        hlt
after_hlt:
        cli
        mov     eax, [irqs]
        CHECK   rax, 1, "timer interrupts"
        CHECK   [irq_rip], after_hlt, "RIP behind HLT"
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        sub     rax, r12
        ; 10 ms are at least 10,000 ticks on any TSC of 1 MHz and above.
        mov     ecx, 10000
        cmp     rax, rcx
        jae     .periodic
        CHECK   rax, rcx, "TSC ticks while halted"

.periodic:
        mov     dword [irqs], 0
        PIT_START 2, 1193               ; 1 ms
        mov     r13d, 5
.again: sti
        hlt
        cli
        dec     r13d
        jnz     .again
        mov     eax, [irqs]
        CHECK   rax, 5, "periodic interrupts"
        ret

        END_OF_GUEST
