; Several events at one boundary: a trap of the instruction before goes first, then an NMI, then an
; interrupt, then a fault of the instruction behind. SDM "Prioritization of Concurrent Events".
%define NAME "priorities"
%include "bzimage.inc"
%include "apic.inc"

%define NMI_TO_ME  4400h
%define IPI_TO_ME  44041h
%define PM_TIMER   608h
%define PM_TIMER_HZ 3579545

; NOTES handler, vector, frame's offset of RIP: writes down that it came, and where.
%macro NOTE 2
        push    rax
        push    rbx
        movzx   ebx, byte [came]
        and     ebx, 7
        mov     byte [kind + rbx], %1
        mov     rax, [rsp + 16 + %2]
        mov     [from + rbx * 8], rax
        inc     byte [came]
        pop     rbx
        pop     rax
%endmacro

on_db:  NOTE    1, 0
        and     dword [rsp + 16], ~100h
        iretq
on_nmi: NOTE    2, 0
        iretq
on_ud:  NOTE    6, 0
        add     qword [rsp], 2
        iretq
on_irq: NOTE    41h, 0
        push    rax
        mov     eax, APIC
        mov     dword [rax + APIC_EOI], 0
        pop     rax
        iretq

; SET_GATE vector, handler
%macro SET_GATE 2
        mov     eax, %2
        mov     [apic_idt + %1 * 16], ax
        shr     eax, 16
        mov     [apic_idt + %1 * 16 + 6], ax
%endmacro

; CAME kinds, "what": the events since the last look, the first one in the low byte.
%macro CAME 2+
        mov     rax, [kind]
        mov     qword [kind], 0
        mov     byte [came], 0
        CHECK   rax, %1, %2
%endmacro

; FROM n, address, "what"
%macro FROM 3+
        CHECK   [from + %1 * 8], %2, %3
%endmacro

; What follows, with RFLAGS of %1; RAX is spent.
%macro FLAGS 1
        pushfq
        or      dword [rsp], %1
        popfq
%endmacro

%define TF   100h
%define IF   200h

main:
        call    apic_setup
        SET_GATE 1, on_db
        SET_GATE 2, on_nmi
        SET_GATE 6, on_ud
        SET_GATE 41h, on_irq
        mov     r11d, APIC
        call    let_host_finish

        ; A fault in STI's shadow goes before the interrupt, behind the shadow it goes after it.
        mov     dword [r11 + APIC_ICR], IPI_TO_ME
        sti
a:      ud2
        nop
        cli
        CAME    4106h, "#UD in STI's shadow, then the interrupt"
        FROM    0, a, "RIP of #UD"
        FROM    1, a + 2, "RIP of the interrupt"
        mov     dword [r11 + APIC_ICR], IPI_TO_ME
        sti
        nop
b:      ud2
        cli
        CAME    0641h, "the interrupt, then #UD"
        FROM    0, b, "RIP of the interrupt before #UD"
        FROM    1, b, "RIP of #UD behind the interrupt"

        ; The single-step trap of an exiting instruction and an interrupt that it sends.
        FLAGS   TF | IF
        mov     dword [r11 + APIC_ICR], IPI_TO_ME
c:      nop
        cli
        CAME    4101h, "#DB, then the interrupt"
        FROM    0, c, "RIP of #DB"
        FROM    1, c, "RIP of the interrupt behind #DB"

        ; An NMI waits for the trap, and is then taken before the trap's handler begins.
        FLAGS   TF
        mov     dword [r11 + APIC_ICR], NMI_TO_ME
d:      nop
        CAME    0102h, "#DB, and the NMI in its handler"
        FROM    0, on_db, "RIP of the NMI"
        FROM    1, d, "RIP of #DB that an NMI follows"

        ; All three: the interrupt comes last.
        WR      APIC_ICR, IPI_TO_ME
        mov     eax, TF | IF
        pushfq
        or      [rsp], eax
        mov     ebx, ss
        cli
        mov     ss, ebx                 ; holds all off until POPF is done
        popfq
e:      nop                             ; POPF sets TF for this one
f:      cli
        CAME    0141h, "the interrupt behind POPF, then #DB"
        FROM    0, e, "RIP of the interrupt behind POPF"
        FROM    1, f, "RIP of #DB behind POPF"

        ; The task priority lowered by an instruction in MOV SS's shadow.
        mov     eax, 5
        mov     cr8, rax
        WR      APIC_ICR, IPI_TO_ME
        sti
        nop
        xor     eax, eax
        mov     ebx, ss
        mov     ss, ebx
        mov     cr8, rax
i:      cli
        CAME    41h, "an interrupt by CR8 in MOV SS's shadow"
        FROM    0, i, "RIP behind MOV to CR8"
        ret

; Bochs 2.7 takes what a guest with IF at 0 has sent itself while an interrupt of the host's is pending
; (vmm/virt/vmx/apic.c). Those of the host's serial line end with the log of its boot: 2 KiB take 180 ms.
let_host_finish:
        mov     edx, PM_TIMER
        in      eax, dx
        mov     ebx, eax
        sti
.more:  in      eax, dx
        sub     eax, ebx
        and     eax, 0FFFFFFh
        cmp     eax, PM_TIMER_HZ / 4
        jb      .more
        cli
        ret

came:   db      0
        align   8, db 0
kind:   dq      0
from:   times 8 dq 0

        END_OF_GUEST
