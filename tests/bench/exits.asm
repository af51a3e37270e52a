; What one exit costs: the same instruction a thousand times between two RDTSCs; a screen of text; and
; how late a HLT wakes. A tiny guest (guest/tiny/bzimage.inc) that also runs on the bare machine; bench.py
; takes the difference, so the loop's own instructions fall out.

%define NAME "exits"
%include "bzimage.inc"

%define ROUNDS 1000

; Prints "bench: name" and the 64-bit number in RBX.
%macro FIGURE 1
        SAY     "bench: ", %1, " 0x"
        call    serial_hex
        SAY     13, 10
%endmacro

; RAX: the TSC. Changes RDX.
%macro TSC 0
        rdtsc
        shl     rdx, 32
        or      rax, rdx
%endmacro

; MEASURE "name", ECX and EDX for the instruction (EAX is 0), the instruction
%macro MEASURE 4+
        TSC
        mov     r14, rax
        mov     r15d, ROUNDS
        mov     r13d, %2
        mov     edx, %3
%%loop:
        mov     ecx, r13d
        xor     eax, eax
        %4
        dec     r15d
        jnz     %%loop
        TSC
        sub     rax, r14
        mov     rbx, rax
        FIGURE  %1
%endmacro

main:
        MEASURE "nop", 0, 0, nop
        MEASURE "cpuid", 0, 0, cpuid
        MEASURE "port-3FD", 0, 3FDh, in al, dx
        MEASURE "port-80", 0, 80h, in al, dx
        MEASURE "port-21", 0, 21h, in al, dx
        MEASURE "port-42", 0, 42h, in al, dx
        MEASURE "msr-1B", 1Bh, 0, rdmsr

        ; A screen full of text: 25 lines of 78 characters, CR and LF, without waiting for the line.
        TSC
        mov     r14, rax
        mov     edx, 3F8h
        mov     r13d, 25
.line:  mov     r15d, 78
        mov     al, '#'
.char:  out     dx, al
        dec     r15d
        jnz     .char
        mov     al, 13
        out     dx, al
        mov     al, 10
        out     dx, al
        dec     r13d
        jnz     .line
        TSC
        sub     rax, r14
        mov     rbx, rax
        FIGURE  "screen"

        mov     r13d, 20
        xor     r12d, r12d
.halt:
        PIT_START 0, 11932              ; one shot of 10 ms
        TSC
        mov     r14, rax
        sti
        hlt
        cli
        TSC
        sub     rax, r14
        add     r12, rax
        dec     r13d
        jnz     .halt
        mov     rbx, r12
        FIGURE  "hlt"
        ret

        END_OF_GUEST
