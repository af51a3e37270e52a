; A guest that only waits for its own timer: 200 periods of it. tests/boot/test_time.py counts the exits
; that pxHV reports at its end.
%define NAME "idle"
%include "bzimage.inc"
%include "apic.inc"

%define PERIODS 200

main:
        call    apic_setup
        WR      APIC_DIVIDE, 0Bh
        WR      APIC_LVT_TIMER, 20040h
        WR      APIC_INITIAL, 500000
.more:  sti
        hlt
        cli
        cmp     dword [taken], PERIODS
        jb      .more
        WR      APIC_INITIAL, 0
        mov     eax, [taken]
        CHECK   rax, PERIODS, "periods"
        ret

        END_OF_GUEST
