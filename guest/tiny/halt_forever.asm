; Halts with interrupts off, which nothing ends: the guest stops, and pxHV asks what shall become of
; it. tests/boot/test_monitor.py looks at what is left.
%define NAME "halt_forever"
%include "bzimage.inc"

main:
        SAY     "tiny: halts for ever", 13, 10
        cli
        hlt
        ret

        END_OF_GUEST
