; What is stepped over one by one (tests/boot/test_gdb_steps.py), with a timer's interrupts coming: what
; saves, loads or loses the trap flag, what holds interrupts for an instruction, and what waits for one.
; The table behind "GDBTABLE" has the instructions in their order, then where that ends, where the
; interrupts' handler begins and ends, and 0.
%define NAME "gdb_steps"
%include "bzimage.inc"

%define SOFT       29h                  ; a vector whose IRQ stays masked
%define MSR_EFER   0C0000080h
%define MSR_STAR   0C0000081h
%define MSR_LSTAR  0C0000082h
%define MSR_FMASK  0C0000084h
%define TF         100h

%assign steps 0
; An instruction of the table.
%macro STEP 1+
step_%[steps]:
        %1
%assign steps steps + 1
%endmacro

%macro WRITE_MSR 2
        mov     ecx, %1
        mov     rax, %2
        mov     rdx, rax
        shr     rdx, 32
        wrmsr
%endmacro

main:
        mov     eax, soft
        mov     [idt + SOFT * 16], ax
        shr     eax, 16
        mov     [idt + SOFT * 16 + 6], ax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, 1                  ; SCE
        wrmsr
        WRITE_MSR MSR_STAR, 10h << 32   ; __BOOT_CS
        WRITE_MSR MSR_LSTAR, system
        WRITE_MSR MSR_FMASK, 300h       ; IF, TF
        PIT_START 2, 59659              ; 50 ms: far longer than a handler is stepped through
        STEP    sti
        STEP    nop
        STEP    mov ebx, ss
        STEP    mov ss, ebx
        STEP    nop
        STEP    pushfq
        STEP    pop rbp
        STEP    push rbp
        STEP    popfq
        STEP    mov edi, scratch
        STEP    mov ecx, 3
        STEP    rep stosb
        STEP    hlt
        STEP    int SOFT
%assign soft_is_behind steps
        STEP    syscall
%assign system_is_behind steps
        STEP    cpuid
        STEP    cli
        STEP    sti
        STEP    cli
done:
        mov     r12, r11
        and     ebp, TF
        CHECK   rbp, 0, "TF in what PUSHF pushed"
        and     r12d, TF
        CHECK   r12, 0, "TF in what SYSCALL left in R11"
        mov     eax, [scratch]
        shr     eax, 24
        CHECK   rax, 0FFh, "the byte behind REP STOSB's"
        ret

soft:   iretq

system: push    r11
flags:  popfq
back:   jmp     rcx

; TABLE from, to: the addresses of these steps.
%macro TABLE 2
%assign step %1
%rep %2 - %1
        dq      step_%[step]
%assign step step + 1
%endrep
%endmacro

        align   8
table:  db      "GDBTABLE"
        TABLE   0, soft_is_behind
        dq      soft
        TABLE   soft_is_behind, system_is_behind
        dq      system, flags, back
        TABLE   system_is_behind, steps
        dq      done, stub_0, idt_setup, 0
scratch: dq     -1

        END_OF_GUEST
