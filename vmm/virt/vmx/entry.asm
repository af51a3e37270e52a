; The door between host and guest. SDM "VM Entries", "VM Exits".
;
; Only the general registers are moved here: the VMM is built without FPU and vector code, so the
; guest's x87, SSE and AVX state, its DR0-DR3, DR6, CR2 and the syscall MSRs stay live in the CPU
; across an exit. Who calls says to the compiler that RBP alone survives: the VMM's other registers
; need no place of their own.

bits 64
default rel

%include "virt/stamp.inc"

section .text

; struct vcpu begins with gpr[16] in instruction-encoding order (virt/vcpu.h)
%define GPR(n) [rdi + (n) * 8]

; struct vmx_exit_stack (vmx.h), which begins with one word of scratch. VMCS_HOST_RSP points behind
; that word for good, so that an exit finds the vCPU and the stack to go back to.
%define SAVED_HOST_RSP [rsi + 16]

; vmx_launch, vmx_resume: struct vcpu *vcpu [rdi], struct vmx_exit_stack *stack [rsi]; EAX tells how
; it went, as vmx.h says.
%macro ENTER 2
global %1
%1:
    push rbp
    mov SAVED_HOST_RSP, rsp
    STAMP VCPU_ENTERED_TSC
    mov rax, GPR(0)
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
    %2
    jmp failed
%endmacro

ENTER vmx_launch, vmlaunch
ENTER vmx_resume, vmresume

; Still in the host: CF is VMfailInvalid, ZF is VMfailValid. The guest's registers are in struct
; vcpu already; RSP was never touched.
failed:
    mov eax, 1
    mov ecx, 2
    cmovz eax, ecx
    jmp restore

; VMCS_HOST_RIP. Every general register but RSP is the guest's.
global vmx_exit_point
vmx_exit_point:
    push rdi                    ; into the word of scratch
    mov rdi, [rsp + 8]          ; stack->vcpu
    mov GPR(0), rax
    mov GPR(2), rdx
    STAMP VCPU_EXITED_TSC
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
    mov rsp, [rsp + 8]          ; stack->host_rsp
    xor eax, eax
restore:
    pop rbp
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
