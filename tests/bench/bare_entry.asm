; Where stage 2 enters the bare-metal loader, and where that one enters the kernel: the same state
; that pxHV gives its guest (pc/entry.c).

bits 64
default rel

section .text.entry progbits alloc exec nowrite align=16

extern bare_main

global _start
_start:
    cld
    lea rsp, [stack_top]
    xor ebp, ebp
    call bare_main
    hlt

; _Noreturn void bare_enter(entry [rdi], zero_page [rsi], page_tables [rdx], stack [rcx],
;                           const void *gdt_pointer [r8])
global bare_enter
bare_enter:
    lgdt [r8]
    mov cr3, rdx
    mov rsp, rcx
    mov eax, 0x18               ; __BOOT_DS
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    push 0x10                   ; __BOOT_CS
    push rdi
    retfq

section .bss nobits alloc noexec write align=16
    resb 16384
stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
