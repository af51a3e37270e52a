; A triple fault resets the PC. Memory is the kernel's again after it, so the count of boots lives
; in the RTC's battery-backed bytes, which a reset leaves alone.
%define NAME "triple_fault"
%include "bzimage.inc"

%define CELL 72h                        ; an NVRAM byte that no BIOS uses
%define BOOTED 0A7h

main:
        mov     al, CELL
        out     RTC_INDEX, al
        in      al, RTC_DATA
        cmp     al, BOOTED
        je      .second
        SAY     "tiny: first boot", 13, 10
        mov     al, CELL
        out     RTC_INDEX, al
        mov     al, BOOTED
        out     RTC_DATA, al
        lidt    [empty]
        ud2
.second:
        SAY     "tiny: second boot", 13, 10
        CHECK   [fault_count], 0, "memory of the first boot"
        ret

empty:  dw      0
        dq      0

        END_OF_GUEST
