; A request that comes while its vector is in service waits for the handler's end, and not only for the
; EOI in its middle, with IF clear throughout: what is typed meanwhile gives the host interrupts of its
; own. tests/boot/test_apic.py types.
%define NAME "apic_typed"
%include "bzimage.inc"
%include "apic.inc"

%define IOAPIC 0FEC00000h
%define COM1_PIN 4
%define VECTOR 41h
%define BYTES  600

main:
        call    apic_setup
        mov     esi, handler
        mov     edi, apic_idt + VECTOR * 16
        mov     [rdi], si
        shr     esi, 16
        mov     [rdi + 6], si
        WRMSR   MSR_APIC_BASE, APIC | 0D00h
        mov     r11d, IOAPIC
        mov     dword [r11], 10h + 2 * COM1_PIN
        mov     dword [r11 + 10h], VECTOR
        SAY     "tiny: type", 13, 10
        mov     dx, COM1 + 2
        mov     al, 1                   ; FIFOs, an interrupt from the first byte on
        out     dx, al
        mov     dx, COM1 + 4
        mov     al, 0Bh                 ; OUT2 lets it through
        out     dx, al
        mov     dx, COM1 + 1
        mov     al, 1                   ; received data
        out     dx, al
        sti
.more:  pause
        cmp     dword [bytes], BYTES
        jb      .more
        cli
        CHECK   [nested], 0, "interrupts of the handler with IF clear"
        ret

; Takes what has come, and lets more come in front of the EOI and behind it.
handler:
        push    rax
        push    rcx
        push    rdx
        cmp     dword [inside], 0
        je      .outer
        inc     dword [nested]
.outer: inc     dword [inside]
.next:  mov     dx, COM1 + 5
        in      al, dx
        test    al, 1                   ; data ready
        jz      .taken
        mov     dx, COM1
        in      al, dx
        inc     dword [bytes]
        jmp     .next
.taken: call    while_bytes_come
        mov     ecx, 80Bh
        xor     eax, eax
        xor     edx, edx
        wrmsr
        call    while_bytes_come
        dec     dword [inside]
        pop     rdx
        pop     rcx
        pop     rax
        iretq

while_bytes_come:
        cli                             ; again: it tells Bochs that IF changed
        mov     ecx, 20000
.wait:  dec     ecx
        jnz     .wait
        ret

        align   4, db 0
bytes:  dd      0
inside: dd      0
nested: dq      0

        END_OF_GUEST
