; The entry stubs of the IDT. SDM "64-Bit Mode Stack Frame": the CPU pushes SS RSP RFLAGS CS RIP and
; for some exceptions an error code; the others get a zero here, so that struct trap_frame (parts.h)
; fits all. Only general registers are saved: the x87, SSE and AVX state is the guest's and the VMM
; never touches it.

bits 64
default rel

extern trap_handle

; Vectors 0-1Fh exceptions, 20h-2Fh the 8259s, 40h the LAPIC timer.
STUB_COUNT equ 0x41
ERROR_CODES equ 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | \
                1 << 29 | 1 << 30

section .text

%assign vector 0
%rep STUB_COUNT
stub_ %+ vector:
%if vector >= 32 || (ERROR_CODES & (1 << vector)) == 0
    push 0
%endif
    push vector
    jmp save_and_handle
%assign vector vector + 1
%endrep

; The LAPIC's spurious interrupt (parts.h VECTOR_SPURIOUS): no EOI, nothing to do.
global isr_spurious
isr_spurious:
    iretq

; Any other vector: nothing of ours raises it, so firmware left a source on.
global isr_unexpected
isr_unexpected:
    push 0
    push 0xFE
    jmp save_and_handle

save_and_handle:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    ; A frame for the call trace: the interrupted function appears as the caller.
    push qword [rdi + 17 * 8]   ; trap_frame.rip
    push rbp
    mov rbp, rsp
    and rsp, -16
    call trap_handle
    lea rsp, [rbp + 16]
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16                 ; vector, error code
    iretq

section .rodata

global isr_stubs, isr_stub_count
align 8
isr_stubs:
%assign vector 0
%rep STUB_COUNT
    dq stub_ %+ vector
%assign vector vector + 1
%endrep
isr_stub_count:
    dd STUB_COUNT

section .note.GNU-stack noalloc noexec nowrite progbits
