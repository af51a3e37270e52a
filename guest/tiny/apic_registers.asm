; Every register of the page of xAPIC mode, read and written often enough to be counted:
; tests/boot/test_apic.py reads the accounts. What is read, what a write leaves of its value and what
; it does must not depend on who serves it, the CPU or the VMM.
%define NAME "apic_registers"
%include "bzimage.inc"
%include "apic.inc"

%define ROUNDS 100

; Reads all registers of the table ROUNDS times. Of those that differ from what the table says it
; keeps the last one: R8D its offset, R9D what it holds.
read_all:
        xor     r8d, r8d
        xor     r9d, r9d
        mov     ebp, ROUNDS
        mov     r11d, APIC
.round: mov     ebx, reads
.next:  mov     ecx, [rbx]
        mov     eax, [r11 + rcx]
        cmp     eax, [rbx + 4]
        je      .same
        mov     r8d, ecx
        mov     r9d, eax
.same:  add     ebx, 8
        cmp     ebx, reads_end
        jb      .next
        dec     ebp
        jnz     .round
        ret

; Likewise for what is written: value, and what is read behind it.
write_all:
        xor     r8d, r8d
        xor     r9d, r9d
        mov     ebp, ROUNDS
        mov     r11d, APIC
.round: mov     ebx, writes
.next:  mov     ecx, [rbx]
        mov     eax, [rbx + 4]
        mov     [r11 + rcx], eax
        mov     eax, [r11 + rcx]
        cmp     eax, [rbx + 8]
        je      .same
        mov     r8d, ecx
        mov     r9d, eax
.same:  add     ebx, 12
        cmp     ebx, writes_end
        jb      .next
        dec     ebp
        jnz     .round
        ret

main:
        call    apic_setup
        RD      eax, APIC_VER
        mov     [version], eax

        call    read_all
        CHECK   r8, 0, "offset of a register that reads otherwise"
        CHECK   r9, 0, "what it reads"
        call    write_all
        CHECK   r8, 0, "offset of a register that took a write otherwise"
        CHECK   r9, 0, "what it reads behind that"
        WR      APIC_ESR, 0
        READS   APIC_ESR, 0, "errors of all that"
        WR      APIC_SVR, 15Fh

        ; One instruction that reads and writes.
        mov     r11d, APIC
        mov     dword [r11 + APIC_LVT_ERROR], 5Eh
        or      dword [r11 + APIC_LVT_ERROR], 0FFFF0000h
        READS   APIC_LVT_ERROR, 1005Eh, "OR to an LVT"
        mov     eax, 0FFFFFF5Dh
        xchg    [r11 + APIC_LVT_ERROR], eax
        CHECK   rax, 1005Eh, "XCHG from an LVT"
        READS   APIC_LVT_ERROR, 1005Dh, "XCHG to an LVT"

        ; Registers that aren't there, or only to be read.
        RD      eax, 40h
        WR      APIC_ESR, 0
        READS   APIC_ESR, 80h, "ESR: illegal register, read"
        WR      0C0h, 1
        WR      APIC_ESR, 0
        READS   APIC_ESR, 80h, "ESR: illegal register, written"
        WR      APIC_VER, -1
        mov     eax, [version]
        READS   APIC_VER, rax, "version behind a write"
        WR      APIC_ISR, -1
        READS   APIC_ISR, 0, "ISR behind a write"
        WR      APIC_TPR, 20h
        WR      APIC_PPR, -1
        READS   APIC_PPR, 20h, "PPR behind a write"
        WR      APIC_TPR, 0
        WR      APIC_ESR, 0
        READS   APIC_ESR, 0, "ESR behind them"

        ; The error interrupt, and the ESR that collects until it is written.
        WR      APIC_LVT_ERROR, 5Eh
        WR      APIC_ICR, 44005h
        READS   APIC_ESR, 0, "ESR before it is written"
        sti
        nop
        cli
        TAKEN   5Eh, 1, "error interrupt"
        WR      APIC_ESR, -1
        READS   APIC_ESR, 20h, "ESR: send illegal vector"

        ; The timer, whose LVT, count and divider act when they are written.
        WR      APIC_DIVIDE, 0Bh
        WR      APIC_LVT_TIMER, 41h
        WR      APIC_INITIAL, 2000
        sti
        hlt
        cli
        TAKEN   41h, 1, "one-shot"
        READS   APIC_CURRENT, 0, "its count"
        WR      APIC_INITIAL, 1000000000
        RD      r8d, APIC_CURRENT
        RD      r9d, APIC_CURRENT
        xor     eax, eax
        cmp     r9d, r8d
        setb    al
        CHECK   rax, 1, "a count that counts"
        WR      APIC_LVT_TIMER, 40041h  ; another mode disarms
        READS   APIC_INITIAL, 0, "initial count in TSC-deadline mode"
        WR      APIC_INITIAL, 1000
        READS   APIC_INITIAL, 0, "initial count that is ignored"

        ; Software's disabling masks the LVTs, also those that are written then.
        WR      APIC_SVR, 0FFFFE05Fh
        READS   APIC_SVR, 5Fh, "SVR, disabled"
        READS   APIC_LVT_ERROR, 1005Eh, "an LVT that it masked"
        WR      APIC_LVT_ERROR, 5Dh
        READS   APIC_LVT_ERROR, 1005Dh, "an LVT that can't be unmasked"
        WR      APIC_SVR, 15Fh
        READS   APIC_LVT_ERROR, 1005Dh, "an LVT that stays masked"

        ; A logical destination that the device has to know.
        WR      0D0h, 2 << 24
        WR      APIC_ICR2, 2 << 24
        WR      APIC_ICR, 4842h
        WR      0D0h, 1 << 24
        WR      APIC_ICR, 4843h
        sti
        nop
        cli
        TAKEN   42h, 1, "in the logical set"
        TAKEN   43h, 0, "outside of it"

        ; A trap comes right behind a write.
        mov     qword [resume], .stepped
        mov     qword [fault], -1
        mov     r11d, APIC
        pushfq
        or      dword [rsp], 100h
        popfq
        mov     dword [r11 + APIC_LVT_ERROR], 5Fh
.behind: nop
.stepped:
        mov     qword [resume], 0
        CHECK   [fault], VECTOR_DB, "a step over a write"
        CHECK   [fault_rip], .behind, "its RIP"
        READS   APIC_LVT_ERROR, 5Fh, "what it wrote"
        ret

        align   8, db 0
; Offset, value.
reads:  dd      APIC_ID, 0
        dd      APIC_VER
version: dd     0
        dd      APIC_TPR, 0
        dd      APIC_EOI, 0
        dd      0D0h, 0                 ; LDR
        dd      0E0h, -1                ; DFR
        dd      APIC_SVR, 15Fh
%assign n 0
%rep 24
        dd      APIC_ISR + n * 10h, 0   ; and TMR, IRR
%assign n n + 1
%endrep
        dd      APIC_ESR, 0
        dd      APIC_ICR, 0
        dd      APIC_ICR2, 0
        dd      APIC_LVT_TIMER, 10000h
        dd      330h, 10000h
        dd      340h, 10000h
        dd      APIC_LVT0, 10700h
        dd      APIC_LVT1, 400h
        dd      APIC_LVT_ERROR, 10000h
        dd      APIC_INITIAL, 0
        dd      APIC_DIVIDE, 0
reads_end:

; Offset, what is written, what is read. Twenty lead to something that isn't in the page: the VMM has to
; be told. The last three the CPU serves by itself.
writes: dd      APIC_ID, -1, 0
        dd      0D0h, 12345678h, 12000000h
        dd      0D0h, 1FFFFFFh, 1000000h
        dd      0E0h, 0, 0FFFFFFFh
        dd      0E0h, 0F1234567h, -1
        dd      APIC_SVR, 0FFFFFF5Fh, 115Fh
        dd      APIC_SVR, 0FFFFE15Fh, 15Fh
        dd      APIC_ESR, -1, 0
        dd      APIC_LVT_TIMER, -1, 700FFh
        dd      APIC_LVT_TIMER, 0FFF9EF41h, 10041h
        dd      330h, -1, 107FFh
        dd      340h, -1, 107FFh
        dd      APIC_LVT0, -1, 1A7FFh
        dd      APIC_LVT0, 0FFF55F00h, 10700h
        dd      APIC_LVT1, -1, 1A7FFh
        dd      APIC_LVT_ERROR, -1, 100FFh
        dd      APIC_INITIAL, 123456, 123456
        dd      APIC_INITIAL, 0, 0
        dd      APIC_DIVIDE, -1, 0Bh
        dd      APIC_ICR, 0FFFFF6FFh, 0CC6FFh ; a STARTUP to the others, of whom there are none
        dd      APIC_ICR2, -1, 0FF000000h
        dd      APIC_TPR, 0FFFFFF21h, 21h
        dd      APIC_TPR, 0, 0
writes_end:

        END_OF_GUEST
