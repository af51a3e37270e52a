; A reset through the keyboard controller's pulse of its reset line starts the guest anew; only the RTC's bytes are kept.
%define NAME "reboot_kbd"
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
.wait:  in      al, 64h
        test    al, 2                   ; input buffer full
        jnz     .wait
        mov     al, 0FEh                ; pulse output port bit 0
        out     64h, al
        CHECK   0, 1, "an instruction behind the reset ran"
        ret
.second:
        SAY     "tiny: second boot", 13, 10
        mov     eax, [memory]
        CHECK   rax, 0, "memory of the first boot"
        ret

memory: dd      0

        END_OF_GUEST
