; Interrupts around STI and MOV SS: a pending interrupt must wait for the instruction behind them,
; come right after it, and never be lost in front of HLT.
%define NAME "sti_hlt"
%include "bzimage.inc"

; Waits until IRQ 0 is pending in the PIC's request register, interrupts off.
wait_request:
        mov     ecx, 10000000
.poll:  mov     al, 0Ah                 ; OCW3: read IRR
        out     PIC1, al
        in      al, PIC1
        test    al, 1
        jnz     .done
        dec     ecx
        jnz     .poll
.done:  ret

main:
        ; STI; CLI with a request pending: the shadow of STI covers CLI, so nothing comes.
        PIT_START 0, 1193
        call    wait_request
        sti
        cli
        mov     eax, [irqs]
        CHECK   rax, 0, "interrupts between STI and CLI"

        ; STI; NOP: it comes behind NOP.
        sti
        nop
behind_nop:
        cli
        mov     eax, [irqs]
        CHECK   rax, 1, "interrupts behind STI, NOP"
        CHECK   [irq_rip], behind_nop, "RIP behind STI, NOP"

        ; MOV SS holds it for one more instruction.
        mov     dword [irqs], 0
        PIT_START 0, 1193
        call    wait_request
        mov     eax, ss
        sti
        mov     ss, eax                 ; in STI's shadow, opens its own
        nop
behind_ss:
        cli
        mov     eax, [irqs]
        CHECK   rax, 1, "interrupts behind MOV SS, NOP"
        ; The manual leaves open whether a shadow in a shadow counts: behind MOV SS is right too.
        cmp     qword [irq_rip], behind_ss - 1
        je      race
        CHECK   [irq_rip], behind_ss, "RIP behind MOV SS, NOP"

race:   ; The race that loses wake-ups: request pending, STI, HLT. The interrupt must end HLT.
        mov     dword [irqs], 0
        PIT_START 0, 1193
        call    wait_request
        sti
        hlt
behind_hlt:
        cli
        mov     eax, [irqs]
        CHECK   rax, 1, "interrupts behind STI, HLT"
        CHECK   [irq_rip], behind_hlt, "RIP behind STI, HLT"

        ; STI in front of an instruction that exits: its shadow must not survive the exit.
        mov     dword [irqs], 0
        PIT_START 0, 1193
        call    wait_request
        xor     eax, eax
        sti
        cpuid
behind_cpuid:
        cli
        mov     eax, [irqs]
        CHECK   rax, 1, "interrupts behind STI, CPUID"
        CHECK   [irq_rip], behind_cpuid, "RIP behind STI, CPUID"

        ; Masked in the PIC: nothing comes.
        mov     dword [irqs], 0
        mov     al, 0FFh
        out     PIC1 + 1, al
        mov     al, 30h
        out     PIT_MODE, al
        mov     al, 100
        out     PIT_CH0, al
        xor     eax, eax
        out     PIT_CH0, al
        call    wait_request
        sti
        nop
        nop
        cli
        mov     eax, [irqs]
        CHECK   rax, 0, "interrupts that the PIC masks"
        ret

        END_OF_GUEST
