; Where the boot loader enters the VMM: 64-bit mode, interrupts off, the first 4 GiB identity mapped
; by the loader's tables, RDI = struct boot_info *. The loader has placed the ELF's segments and
; cleared .bss.

bits 64
default rel

section .text.entry progbits alloc exec nowrite align=16

extern vmm_main

global _start
_start:
    cld
    mov rsp, boot_stack_top
    xor ebp, ebp                ; ends the call trace of a panic
    call vmm_main
.halt:                          ; vmm_main does not return
    cli
    hlt
    jmp .halt

; A stack grows down into its guard page, which paging.c leaves unmapped: an overflow is a page
; fault that can't be delivered on the same stack, so it becomes a double fault on a stack of its own.
%macro STACK 2 ; name, bytes
global %1_guard, %1_top
%1_guard:
    resb 4096
    resb %2
%1_top:
%endmacro

section .stacks nobits alloc noexec write align=4096
    STACK boot_stack, 32768
    STACK nmi_stack, 4096
    STACK double_fault_stack, 8192
    STACK machine_check_stack, 8192

section .note.GNU-stack noalloc noexec nowrite progbits
