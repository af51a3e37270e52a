; A triple fault resets the PC; only the RTC's bytes are kept.
%define NAME "triple_fault"
%include "bzimage.inc"

main:
        SECOND_BOOT .second, 0A7h
        lidt    [empty]
        ud2
.second:
        CHECK   [fault_count], 0, "memory of the first boot"
        ret

empty:  dw      0
        dq      0

        END_OF_GUEST
