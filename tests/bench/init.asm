; /init of the benchmark's initramfs: prints the TSC at which the first user instruction ran and
; powers off. A static ELF of a few instructions, so that nothing but the kernel is measured.

bits 64
default rel

%define SYS_WRITE  1
%define SYS_IOCTL  16
%define SYS_REBOOT 169
%define TCSBRK     0x5409

section .text
global _start
_start:
    rdtsc
    shl rdx, 32
    or rax, rdx
    lea rdi, [digits_end]
    mov ecx, 10
.digit:
    xor edx, edx
    div rcx
    add dl, '0'
    dec rdi
    mov [rdi], dl
    test rax, rax
    jnz .digit
    lea rsi, [text]
    mov edx, text_end - text
    mov r12, rdi
    call print
    mov rsi, r12
    lea rdx, [digits_end + 1]
    sub rdx, r12
    call print
    mov eax, SYS_IOCTL          ; tcdrain(): the power must not go before the text has left
    mov edi, 1
    mov esi, TCSBRK
    mov edx, 1
    syscall
    mov eax, SYS_REBOOT
    mov edi, 0xfee1dead
    mov esi, 672274793
    mov edx, 0x4321fedc         ; LINUX_REBOOT_CMD_POWER_OFF
    syscall
.never:
    jmp .never

print:
    mov eax, SYS_WRITE
    mov edi, 1
    syscall
    ret

section .data
text: db "bench: init "
text_end:
digits: times 20 db ' '
digits_end: db 10

section .note.GNU-stack noalloc noexec nowrite progbits
