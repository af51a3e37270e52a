; The door between host and guest. APM "VMRUN Instruction", "#VMEXIT".
;
; VMRUN and the exit switch RAX, RSP, RIP, RFLAGS and the control registers; the other general
; registers are moved here. The guest's x87, SSE and AVX state and its DR0-DR3 stay live in the CPU
; across an exit, and so do what VMLOAD brought in until svm_park(). Who calls says to the compiler
; that RBP alone survives: the VMM's other registers need no place of their own.

bits 64
default rel

%include "virt/stamp.inc"

section .text

; struct vcpu begins with gpr[16] in instruction-encoding order (virt/vcpu.h)
%define GPR(n) [rdi + (n) * 8]

; struct vcpu *vcpu [rdi], hpa_t vmcb [rsi]
global svm_vmrun
svm_vmrun:
    push rbp
    push rdi
    STAMP VCPU_ENTERED_TSC
    sti                         ; with GIF 0: it lets interrupts of the host end the guest's turn
    mov rax, rsi
    mov rcx, GPR(1)
    mov rdx, GPR(2)
    mov rbx, GPR(3)
    mov rbp, GPR(5)
    mov rsi, GPR(6)
    mov r8,  GPR(8)
    mov r9,  GPR(9)
    mov r10, GPR(10)
    mov r11, GPR(11)
    mov r12, GPR(12)
    mov r13, GPR(13)
    mov r14, GPR(14)
    mov r15, GPR(15)
    mov rdi, GPR(7)
    vmrun
    cli
    push rdi
    mov rdi, [rsp + 8]
    mov GPR(2), rdx
    STAMP VCPU_EXITED_TSC       ; the guest's RAX is in the VMCB
    mov GPR(1), rcx
    mov GPR(3), rbx
    mov GPR(5), rbp
    mov GPR(6), rsi
    mov GPR(8), r8
    mov GPR(9), r9
    mov GPR(10), r10
    mov GPR(11), r11
    mov GPR(12), r12
    mov GPR(13), r13
    mov GPR(14), r14
    mov GPR(15), r15
    pop qword GPR(7)
    pop rdi
    pop rbp
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
