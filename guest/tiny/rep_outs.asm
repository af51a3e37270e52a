; String I/O: REP OUTSB to COM1, REP INS of each size from a port that nobody claims, both
; directions, a count of zero, and a buffer that crosses a page.
%define NAME "rep_outs"
%include "bzimage.inc"

%define NOBODY 5A0h

main:
        mov     esi, line
        mov     ecx, line_end - line
        mov     dx, COM1
        rep outsb
        CHECK   rsi, line_end, "RSI behind REP OUTSB"
        CHECK   rcx, 0, "RCX behind REP OUTSB"

        ; A count of zero touches nothing.
        mov     esi, line
        xor     ecx, ecx
        mov     dx, COM1
        rep outsb
        CHECK   rsi, line, "RSI behind REP OUTSB of 0"

        mov     edi, page_cross
        mov     ecx, 16
        mov     dx, NOBODY
        rep insb
        CHECK   rdi, page_cross + 16, "RDI behind REP INSB"
        CHECK   [page_cross], -1, "what REP INSB read"
        CHECK   [page_cross + 8], -1, "what REP INSB read behind the page"
        CHECK   [page_cross + 16], 0, "the byte behind REP INSB"

        mov     qword [page_cross], 0
        mov     qword [page_cross + 8], 0
        mov     edi, page_cross
        mov     ecx, 3
        mov     dx, NOBODY
        rep insw
        CHECK   rdi, page_cross + 6, "RDI behind REP INSW"
        mov     rcx, 0000FFFFFFFFFFFFh
        CHECK   [page_cross], rcx, "what REP INSW read"

        mov     qword [page_cross], 0
        mov     edi, page_cross + 12
        mov     ecx, 3
        mov     dx, NOBODY
        std
        rep insd
        cld
        CHECK   rdi, page_cross, "RDI behind REP INSD downwards"
        mov     rcx, 0FFFFFFFF00000000h
        CHECK   [page_cross], rcx, "what REP INSD read, lower half"
        CHECK   [page_cross + 8], -1, "what REP INSD read, upper half"

        ; Without REP, and with a 32-bit address.
        mov     esi, star
        mov     dx, COM1
        outsb
        CHECK   rsi, star + 1, "RSI behind OUTSB"
        mov     esi, star
        mov     dx, COM1
        a32 outsb
        CHECK   rsi, star + 1, "ESI behind OUTSB with a 32-bit address"

        ; Input from a device that answers: the RTC's index register selects, port 71h reads.
        mov     al, 0Dh
        out     RTC_INDEX, al
        mov     byte [page_cross], 0
        mov     edi, page_cross
        mov     dx, RTC_DATA
        insb
        movzx   eax, byte [page_cross]
        CHECK   rax, 80h, "INSB from RTC register D"
        SAY     13, 10
        ret

line:   db      "tiny: this line came by REP OUTSB", 13, 10
line_end:
star:   db      "*"

        times 4096 - (($ - image_start) % 4096) + 4088 db 0
page_cross:
        times 32 db 0

        END_OF_GUEST
