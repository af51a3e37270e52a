; The local APIC in xAPIC mode: self-IPIs by priority, TPR and CR8, EOI, the error status register,
; NMIs to itself, software disable.
%define NAME "apic"
%include "bzimage.inc"
%include "apic.inc"

main:
        READS   APIC_SVR, 1FFh, "SVR as firmware leaves it"
        READS   APIC_LVT0, 700h, "LINT0: the 8259A"
        READS   APIC_LVT1, 400h, "LINT1: NMI"
        mov     eax, 1
        cpuid
        shr     edx, 9
        and     edx, 1
        mov     eax, edx
        CHECK   rax, 1, "CPUID: APIC"
        call    apic_setup
        RD      eax, APIC_VER
        and     eax, 0FFh
        CHECK   rax, 14h, "version"

        ; A self-IPI waits for IF, in IRR; then it is in service until EOI.
        WR      APIC_ICR, 44041h
        READS   APIC_IRR + 20h, 2, "IRR with IF clear"
        TAKEN   41h, 0, "taken with IF clear"
        sti
        nop
        cli
        TAKEN   41h, 1, "self-IPI"
        READS   APIC_IRR + 20h, 0, "IRR behind it"
        READS   APIC_ISR + 20h, 0, "ISR behind EOI"

        ; Of three the highest comes first.
        mov     byte [order_next], 0
        WR      APIC_ICR, 44041h
        WR      APIC_ICR, 44052h
        WR      APIC_ICR, 44053h
        sti
        nop
        nop
        cli
        mov     eax, [order]
        and     eax, 0FFFFFFh
        CHECK   rax, 415253h, "order of 53h, 52h, 41h"
        TAKEN   41h, 1, "41h"
        TAKEN   52h, 1, "52h"
        TAKEN   53h, 1, "53h"

        ; STI; HLT with the interrupt pending: it ends HLT.
        WR      APIC_ICR, 44042h
        sti
        hlt
        cli
        TAKEN   42h, 1, "self-IPI that ends HLT"

        ; The task priority holds it up, by its class.
        WR      APIC_TPR, 40h
        READS   APIC_PPR, 40h, "PPR is TPR"
        WR      APIC_ICR, 4404Fh
        sti
        nop
        TAKEN   4Fh, 0, "below TPR"
        WR      APIC_TPR, 3Fh
        nop
        cli
        TAKEN   4Fh, 1, "TPR lowered"
        mov     eax, 5
        mov     cr8, rax
        READS   APIC_TPR, 50h, "TPR by CR8"
        WR      APIC_ICR, 44051h
        sti
        nop
        TAKEN   51h, 0, "below CR8"
        xor     eax, eax
        mov     cr8, rax
        nop
        cli
        TAKEN   51h, 1, "CR8 lowered"
        WR      APIC_TPR, 6Ah
        mov     rax, cr8
        CHECK   rax, 6, "CR8 by TPR"
        WR      APIC_TPR, 0

        ; Other ways to oneself, and to nobody.
        WR      APIC_ICR, 84043h        ; all including self
        WR      APIC_ICR, 0C4044h       ; all but self
        RD      eax, APIC_ID
        WR      APIC_ICR2, eax
        WR      APIC_ICR, 4045h         ; by ID
        WR      APIC_ICR2, 0FF000000h
        WR      APIC_ICR, 4046h         ; everyone
        WR      APIC_ICR2, 7 << 24
        WR      APIC_ICR, 4047h         ; somebody who isn't there
        sti
        nop
        cli
        TAKEN   43h, 1, "all including self"
        TAKEN   44h, 0, "all but self"
        TAKEN   45h, 1, "by ID"
        TAKEN   46h, 1, "by broadcast"
        TAKEN   47h, 0, "to nobody"
        WR      APIC_ICR, 0C4500h       ; INIT and start-up to all others
        WR      APIC_ICR, 0C4610h

        ; An NMI to itself: vector 2, whatever IF is.
        RD      eax, APIC_ID
        WR      APIC_ICR2, eax
        TRY     mov dword [r11 + APIC_ICR], 4400h
        CHECK   [fault], 2, "NMI to itself"

        ; Errors: shown by a write and a read.
        WR      APIC_ESR, 0
        WR      APIC_LVT_ERROR, 4Eh
        WR      APIC_ICR, 44005h
        sti
        nop
        cli
        TAKEN   4Eh, 1, "error interrupt"
        WR      APIC_ESR, 0
        READS   APIC_ESR, 20h, "ESR: send illegal vector"
        WR      APIC_ESR, 0
        READS   APIC_ESR, 0, "ESR behind a second write"

        ; Software disable masks all entries.
        WR      APIC_SVR, 5Fh
        READS   APIC_LVT_ERROR, 1004Eh, "LVT masked"
        WR      APIC_LVT_ERROR, 4Eh
        READS   APIC_LVT_ERROR, 1004Eh, "LVT can't be unmasked"
        WR      APIC_SVR, 15Fh
        WR      APIC_LVT_ERROR, 4Eh
        READS   APIC_LVT_ERROR, 4Eh, "LVT unmasked"
        ret

        END_OF_GUEST
