; Waits for interrupts that nobody asked for: a guest that lives until somebody ends it.
; tests/boot/test_monitor.py opens the monitor beside it.
%define NAME "wait_forever"
%include "bzimage.inc"

main:
        SAY     "tiny: press a", 13, 10
.wait:  sti
        hlt
        jmp     .wait

        END_OF_GUEST
