; The time-stamp counter: CPUID tells its frequency, and it is true; a write to it moves
; IA32_TSC_ADJUST by as much and the other way round (SDM "IA32_TSC_ADJUST Register"); deadlines and
; the paravirtual clock follow.
%define NAME "tsc"
%include "bzimage.inc"
%include "apic.inc"

%define MSR_TSC        10h
%define MSR_TSC_ADJUST 3Bh
%define MSR_CLOCK      4B564D01h
%define PM_TIMER       608h
%define PM_HZ          3579545

%define FAR   1000000000000             ; further than any run is long
%define NEAR  10000000                  ; longer than some instructions, shorter than a run

; RAX: the TSC.
tsc:    rdtsc
        shl     rdx, 32
        or      rax, rdx
        ret

; NOW register
%macro NOW 1
        call    tsc
        mov     %1, rax
%endmacro

; WITHIN low, value, high, "what": all registers, not those that CHECK changes; RAX is spent.
%macro WITHIN 4+
        xor     eax, eax
        cmp     %2, %1
        jb      %%outside
        cmp     %2, %3
        ja      %%outside
        inc     eax
%%outside:
        CHECK   rax, 1, %4
%endmacro

; EAX: the PM timer, 32 bits.
pm:     mov     dx, PM_TIMER
        in      eax, dx
        ret

; R12: what CPUID says in Hz.
told:   xor     eax, eax
        cpuid
        cmp     ebx, 'Auth'             ; AMD's CPUs have neither leaf
        je      .timing
        CHECK   rax, 16h, "highest leaf"
        mov     eax, 15h
        cpuid
        mov     r12d, ecx
        imul    r12, rbx
        mov     ebx, eax
        xor     edx, edx
        mov     rax, r12
        div     rbx
        mov     r12, rax
        mov     eax, 16h
        cpuid
        mov     r13d, eax
        imul    r13, r13, 1000000
        lea     rax, [r12 - 500001]
        lea     rbx, [r12 + 500000]
        mov     r14, rax
        mov     r15, rbx
        WITHIN  r14, r13, r15, "leaf 16h beside leaf 15h"
.timing:
        mov     eax, 40000010h
        cpuid
        mov     r13d, eax
        imul    r13, r13, 1000
        test    r12, r12
        cmovz   r12, r13
        lea     r14, [r12 - 999]
        WITHIN  r14, r13, r12, "leaf 40000010h in kHz"
        ret

; EAX: the PM timer, and R9 the TSC at the same time: within 60 us, for the VMM may have work to do.
sample: mov     r8, r12
        shr     r8, 14
.again: NOW     r9
        call    pm
        mov     ebx, eax
        NOW     r10
        sub     r10, r9
        mov     eax, ebx
        cmp     r10, r8
        ja      .again
        ret

; What passes of it in 50 ms of the PM timer, against what was told: within 1 in 256.
measured:
        call    sample
        mov     r13d, eax
        mov     r14, r9
.wait:  call    pm
        sub     eax, r13d
        cmp     eax, PM_HZ / 20
        jb      .wait
        call    sample
        sub     eax, r13d
        mov     r13d, eax
        mov     rax, r9
        sub     rax, r14
        mov     ebx, PM_HZ
        mul     rbx
        div     r13
        mov     r13, rax
        mov     rax, r12
        shr     rax, 8
        mov     r14, r12
        sub     r14, rax
        lea     r15, [r12 + rax]
        WITHIN  r14, r13, r15, "the TSC by the PM timer"
        ret

; RDTSC, RDTSCP and RDMSR read one counter, which never goes back.
readers:
        NOW     r12
        mov     ecx, MSR_TSC
        rdmsr
        shl     rdx, 32
        lea     r13, [rax + rdx]
        mov     eax, 80000001h
        cpuid
        bt      edx, 27
        NOW     r14
        jnc     .rdtscp_done
        rdtscp
        shl     rdx, 32
        lea     r14, [rax + rdx]
.rdtscp_done:
        NOW     r15
        WITHIN  r12, r13, r14, "RDMSR of the TSC"
        WITHIN  r13, r14, r15, "RDTSCP"
        ret

; The TSC written: it goes on from there.
written:
        NOW     r12
        mov     rax, FAR
        add     r12, rax
        WRMSR   MSR_TSC, r12
        NOW     r13
        lea     r14, [r12 + NEAR]
        WITHIN  r12, r13, r14, "the TSC behind a write"
        WRMSR   MSR_TSC, 12345
        NOW     r13
        mov     r12d, 12345
        lea     r14, [r12 + NEAR]
        WITHIN  r12, r13, r14, "the TSC behind a write of less"
        ret

; R12 apart: IA32_TSC_ADJUST follows the TSC.
adjusted:
        RDMSR   MSR_TSC_ADJUST
        mov     r15, rax                ; the two writes above
        NOW     r12
        mov     rax, FAR
        add     rax, r12
        WRMSR   MSR_TSC, rax
        RDMSR   MSR_TSC_ADJUST
        sub     rax, r15
        mov     r13, rax
        mov     r14, FAR
        mov     r12, r14
        sub     r12, NEAR               ; the TSC went on until the write
        WITHIN  r12, r13, r14, "IA32_TSC_ADJUST behind a write of the TSC"
        ; and the TSC follows IA32_TSC_ADJUST.
        NOW     r12
        WRMSR   MSR_TSC_ADJUST, 0
        NOW     r13
        RDMSR   MSR_TSC_ADJUST
        CHECK   rax, 0, "IA32_TSC_ADJUST written"
        mov     rax, FAR
        add     rax, r15
        sub     r12, rax
        lea     r14, [r12 + 2 * NEAR]
        sub     r12, NEAR
        WITHIN  r12, r13, r14, "the TSC behind a write of IA32_TSC_ADJUST"
        NOW     r12
        WRMSR   MSR_TSC_ADJUST, -1000
        RDMSR   MSR_TSC_ADJUST
        CHECK   rax, -1000, "a negative IA32_TSC_ADJUST"
        WRMSR   MSR_TSC_ADJUST, 0
        ret

; A deadline is a date of the TSC's: far away until the TSC is set to it, and far away again.
deadlines:
        mov     eax, 1
        cpuid
        bt      ecx, 24
        jc      .offered
        ret
.offered:
        WR      APIC_LVT_TIMER, 40040h
        NOW     r12
        mov     rax, FAR
        add     r12, rax
        WRMSR   MSR_TSC_DEADLINE, r12
        sti
        nop
        cli
        TAKEN   40h, 0, "a deadline far away"
        WRMSR   MSR_TSC, r12
        sti
        nop
        nop
        cli
        TAKEN   40h, 1, "a deadline that the TSC was set to"
        RDMSR   MSR_TSC_DEADLINE
        CHECK   rax, 0, "disarmed behind it"

        NOW     r12
        lea     rax, [r12 + NEAR]
        WRMSR   MSR_TSC_DEADLINE, rax
        mov     rax, FAR
        sub     r12, rax
        WRMSR   MSR_TSC, r12            ; back: twice NEAR from now it isn't due
.wait:  NOW     rax
        sub     rax, r12
        cmp     rax, 2 * NEAR
        jb      .wait
        sti
        nop
        cli
        TAKEN   40h, 0, "a deadline that the TSC was set back from"
        WRMSR   MSR_TSC_DEADLINE, 0
        ret

; R13: nanoseconds by the paravirtual clock, as its record says.
clock:  NOW     rax
        sub     rax, [record + 8]
        mov     cl, [record + 28]
        test    cl, cl
        js      .right
        shl     rax, cl
        jmp     .scale
.right: neg     cl
        shr     rax, cl
.scale: mov     ebx, [record + 24]
        mul     rbx
        shrd    rax, rdx, 32
        add     rax, [record + 16]
        mov     r13, rax
        ret

clocks: WRMSR   MSR_CLOCK, record + 1
        call    clock
        mov     r12, r13
        WRMSR   MSR_TSC, 5
        call    clock
        lea     r14, [r12 + 10000000]   ; 10 ms
        WITHIN  r12, r13, r14, "the paravirtual clock behind a write of the TSC"
        WRMSR   MSR_CLOCK, 0
        ret

main:
        call    apic_setup
        xor     r12d, r12d
        call    told
        call    measured
        call    readers
        mov     eax, 7
        xor     ecx, ecx
        cpuid
        bt      ebx, 1
        setc    byte [has_adjust]
        jnc     .absent
        RDMSR   MSR_TSC_ADJUST
        CHECK   rax, 0, "IA32_TSC_ADJUST at the start"
        jmp     .write
.absent:
        mov     ecx, MSR_TSC_ADJUST
        TRY     rdmsr
        FAULTS  VECTOR_GP, 0, "no IA32_TSC_ADJUST"
.write: call    written
        call    readers                 ; apart from the host's by now
        cmp     byte [has_adjust], 0
        je      .dates
        call    adjusted
.dates: call    deadlines
        call    clocks
        ret

has_adjust: db  0
        align   32, db 0
record: times 32 db 0

        END_OF_GUEST
