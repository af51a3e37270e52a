; A reset through the keyboard controller's pulse of its reset line starts the guest anew; only the RTC's bytes are kept.
%define NAME "reboot_kbd"
%include "bzimage.inc"

main:
        SECOND_BOOT .second, 0A8h
        inc     dword [memory]
.wait:  in      al, 64h
        test    al, 2                   ; input buffer full
        jnz     .wait
        mov     al, 0FEh                ; pulse output port bit 0
        out     64h, al
        CHECK   0, 1, "an instruction behind the reset ran"
        ret
.second:
        mov     eax, [memory]
        CHECK   rax, 0, "memory of the first boot"
        ret

memory: dd      0

        END_OF_GUEST
