; What a debugger is tried on (tests/boot/test_gdb.py). By itself it computes, writes a variable,
; says two lines and passes. The table behind "GDBTABLE" tells where everything is.
%define NAME "gdb"
%include "bzimage.inc"

%define ROUNDS 150                      ; of 11 instructions

main:
        mov     rax, cr4
        or      eax, 600h               ; OSFXSR, OSXMMEXCPT
        mov     cr4, rax
        mov     eax, 1
        mov     ecx, ROUNDS
.round: call    mix
        dec     ecx
        jnz     .round
mixed:  mov     [result], rax
written:
        cmp     qword [result], 0
compared:
        mov     rdi, [spin]
busy:   test    rdi, rdi
        jz      .done
        pause
        mov     rdi, [spin]
        jmp     busy
.done:
        mov     esi, message
        call    serial_text
        mov     esi, letter_is
        call    serial_text
        mov     al, 'a'
letter: call    serial_put
        mov     esi, new_line
        call    serial_text
        ; XMM0 has gone through a debugger's hands, or not.
        movq    xmm0, [value]
vector: movq    rax, xmm0
        mov     [result], rax
        call    use_avx
        cmp     qword [crash], 0
        je      finished
        lidt    [no_idt]
ends:   ud2
finished:
        ret

; YMM0 likewise, where the CPU has AVX.
use_avx:
        push    rbx
        mov     eax, 1
        cpuid
        pop     rbx
        and     ecx, 14000000h          ; XSAVE, AVX
        cmp     ecx, 14000000h
        jne     no_avx
        mov     rax, cr4
        or      eax, 40000h             ; OSXSAVE
        mov     cr4, rax
        xor     ecx, ecx
        mov     eax, 7                  ; x87, SSE, AVX
        xor     edx, edx
        xsetbv
        vmovdqu ymm0, [wide]
upper:  vmovdqu [wide], ymm0
no_avx: ret

; A generator of Marsaglia's kind, with a push, a pop and a string instruction in it.
mix:    mov     rdx, rax
        shl     rdx, 13
        xor     rax, rdx
        push    rcx
        mov     edi, scratch
        mov     ecx, 5
        rep stosb
        pop     rcx
        ret

        align   8
table:  db      "GDBTABLE"
        dq      main, mixed, written, compared, busy, letter, vector, ends
        dq      result, spin, message, value, crash, upper, wide
result: dq      0
spin:   dq      0
crash:  dq      0
value:  dq      1234h
wide:   dq      1111h, 2222h, 3333h, 4444h
scratch: dq     0
message: db     "tiny: nobody has changed this", 13, 10, 0
letter_is: db   "tiny: the letter ", 0
new_line: db    13, 10, 0
no_idt: times 10 db 0

        END_OF_GUEST
