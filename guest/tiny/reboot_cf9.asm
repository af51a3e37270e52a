; A reset through port CF9h starts the guest anew; only the RTC's bytes are kept.
%define NAME "reboot_cf9"
%include "bzimage.inc"

%define CELL 72h
%define BOOTED 0A8h

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
        inc     dword [memory]
        mov     dx, 0CF9h
        mov     al, 2                   ; system reset, not yet
        out     dx, al
        mov     al, 6                   ; now
        out     dx, al
        CHECK   0, 1, "an instruction behind the reset ran"
        ret
.second:
        SAY     "tiny: second boot", 13, 10
        mov     eax, [memory]
        CHECK   rax, 0, "memory of the first boot"
        ret

memory: dd      0

        END_OF_GUEST
