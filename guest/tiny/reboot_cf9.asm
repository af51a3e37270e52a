; A reset through port CF9h starts the guest anew; only the RTC's bytes are kept.
%define NAME "reboot_cf9"
%include "bzimage.inc"

main:
        SECOND_BOOT .second, 0A8h
        inc     dword [memory]
        mov     dx, 0CF9h
        mov     al, 2                   ; system reset, not yet
        out     dx, al
        mov     al, 6                   ; now
        out     dx, al
        CHECK   0, 1, "an instruction behind the reset ran"
        ret
.second:
        mov     eax, [memory]
        CHECK   rax, 0, "memory of the first boot"
        ret

memory: dd      0

        END_OF_GUEST
