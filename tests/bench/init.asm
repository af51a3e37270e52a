; /init of the benchmark's initramfs: prints the TSC at which the first user instruction ran and
; powers off. Nothing but the kernel is measured.

bits 64
default rel

section .text
global _start
_start:
    rdtsc
    shl rdx, 32
    or rax, rdx
    jmp begin

%include "figure.inc"

begin:
    FIGURE "init"
    jmp power_off

section .note.GNU-stack noalloc noexec nowrite progbits
