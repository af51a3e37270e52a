; Reads and writes beyond the guest's memory: all ones, nothing changes, and the guest goes on. The
; map of memory in the zero page says where memory ends.
%define NAME "beyond_memory"
%include "bzimage.inc"

main:
        ; The end of the usable memory below 4 GiB, from the E820 entries of the zero page.
        movzx   ecx, byte [rbp + 1E8h]
        cmp     ecx, 2
        jae     .map
        CHECK   rcx, 2, "E820 entries, at least"
        movzx   ecx, byte [rbp + 1E8h]
.map:   lea     rsi, [rbp + 2D0h]
        xor     r12d, r12d
.entry: cmp     dword [rsi + 16], 1
        jne     .next
        mov     rax, [rsi]
        mov     rdi, 100000000h
        cmp     rax, rdi
        jae     .next
        add     rax, [rsi + 8]
        cmp     rax, r12
        cmovae  r12, rax
.next:  add     rsi, 20
        dec     ecx
        jnz     .entry

        SAY     "tiny: memory ends at "
        mov     rbx, r12
        call    serial_hex
        SAY     13, 10

        ; The last bytes of memory work; a few behind it don't exist.
        mov     rax, 1122334455667788h
        mov     [r12 - 8], rax
        mov     rdi, 1122334455667788h
        CHECK   [r12 - 8], rdi, "the last bytes of memory"
        mov     rax, [r12]
        CHECK   rax, -1, "8 bytes behind memory"
        mov     qword [r12], 0
        mov     rax, [r12]
        CHECK   rax, -1, "8 bytes behind memory after a write"
        movzx   eax, byte [r12 + 12345h]
        CHECK   rax, 0FFh, "a byte behind memory"
        mov     ebx, 0BFFFFFF0h
        mov     eax, [rbx]
        mov     ecx, 0FFFFFFFFh
        CHECK   rax, rcx, "below the PCI hole"

        ; Half in memory, half behind it.
        mov     rax, [r12 - 4]
        mov     rdi, 0FFFFFFFF11223344h
        CHECK   rax, rdi, "8 bytes across the end of memory"

        ; REP STOS over the end: what lies in memory is written, the rest vanishes.
        lea     rdi, [r12 - 16]
        mov     ecx, 8
        mov     eax, 0A5A5A5A5h
        rep stosd
        mov     rax, [r12 - 8]
        mov     rdi, 0A5A5A5A5A5A5A5A5h
        CHECK   rax, rdi, "REP STOS over the end of memory"
        mov     rax, [r12]
        CHECK   rax, -1, "behind memory after REP STOS"
        ret

        END_OF_GUEST
