; Reads and writes the demo guest's whole disk through virtio-blk, past the page cache, in pieces
; of a MiB; prints what each direction took and powers off. The demo guest's initramfs runs it in
; the place of the shell.

bits 64
default rel

%include "figure.inc"

%define SYS_OPEN    2
%define SYS_PREAD   17
%define SYS_PWRITE  18
%define O_RDWR      2
%define O_DIRECT    0x4000
%define PIECE       (1 << 20)
%define PIECES      16

; TRANSFER "name", system call number; EBX: the file. Leaves with the first failure.
%macro TRANSFER 2
    TSC
    mov rbp, rax
    xor r15d, r15d
%%piece:
    mov eax, %2
    mov edi, ebx
    lea rsi, [buffer]
    mov edx, PIECE
    mov r10, r15
    shl r10, 20
    syscall
    cmp rax, PIECE
    jne failed
    inc r15d
    cmp r15d, PIECES
    jne %%piece
    TSC
    sub rax, rbp
    FIGURE %1
%endmacro

section .text
global _start
_start:
    mov eax, SYS_OPEN
    lea rdi, [disk]
    mov esi, O_RDWR | O_DIRECT
    syscall
    test eax, eax
    js failed
    mov ebx, eax
    TRANSFER "warm-up", SYS_PREAD ; the buffer's pages, and all else that comes once
    TRANSFER "read", SYS_PREAD
    TRANSFER "write", SYS_PWRITE
    jmp power_off

failed:
    neg rax
    FIGURE "disk-failed"
    jmp power_off

section .data
disk: db "/dev/vda", 0

section .bss
align 4096
buffer: resb PIECE

section .note.GNU-stack noalloc noexec nowrite progbits
