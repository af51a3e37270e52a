; Events through task gates: an NMI, which blocks the next one until the task's IRET; the single-step
; trap, also of an instruction that exits; a double fault, whose stack is the new task's; an interrupt.
%define NAME "task_events"
%define ENTRY32
%include "bzimage.inc"

%define APIC     0FEE00000h
%define APIC_EOI 0B0h
%define APIC_ICR 300h

%define TSS_EIP  20h
%define TSS_FLAGS 24h

%define MAIN     20h                    ; selectors
%define NMI_TASK 28h
%define DB_TASK  30h
%define DF_TASK  38h
%define IRQ_TASK 40h

; DESCRIBE selector, base: an available 32-bit TSS.
%macro DESCRIBE 2
        mov     eax, %2
        mov     word [gdt + %1], 67h
        mov     [gdt + %1 + 2], ax
        shr     eax, 16
        mov     [gdt + %1 + 4], al
        mov     byte [gdt + %1 + 5], 89h
        mov     [gdt + %1 + 7], ah
%endmacro

%macro TASK_GATE 2
        mov     word [idt + %1 * 8 + 2], %2
        mov     word [idt + %1 * 8 + 4], 8500h
%endmacro
%macro ABSENT_GATE 1
        mov     word [idt + %1 * 8 + 4], 0E00h
%endmacro

; STEP "what", instruction: with TF.
%macro STEP 2+
        mov     dword [db_runs], 0
        pushfd
        or      dword [esp], 100h
        popfd
        %2
%%behind:
        nop
        CHECK   [db_runs], 1, %1
        CHECK   [db_eip], %%behind, %1, " (EIP)"
        CHECK   [db_nt], 4000h, %1, " (NT in the task)"
%endmacro

main:
        DESCRIBE MAIN, tss_main
        DESCRIBE NMI_TASK, tss_nmi
        DESCRIBE DB_TASK, tss_db
        DESCRIBE DF_TASK, tss_df
        DESCRIBE IRQ_TASK, tss_irq
        TASK_GATE 1, DB_TASK
        TASK_GATE 2, NMI_TASK
        TASK_GATE 8, DF_TASK
        TASK_GATE 41h, IRQ_TASK
        ABSENT_GATE 6
        ABSENT_GATE 11
        lgdt    [gdtr]
        lidt    [idtr]
        mov     ax, MAIN
        ltr     ax
        mov     ebp, APIC

        ; Two NMIs: the second one, sent by the task, waits for its IRET, and comes once.
        mov     dword [ebp + APIC_ICR], 4400h
behind_nmi:
        CHECK   [nmi_runs], 2, "NMIs through a task gate"
        CHECK   [nmi_at_iret], 1, "NMIs before the task's IRET"
        CHECK   [nmi_eip], behind_nmi, "EIP in the TSS of the task that the NMI met"
        mov     dword [ebp + APIC_ICR], 4400h
        CHECK   [nmi_runs], 3, "an NMI behind those"

        STEP    "#DB through a task gate", nop
        xor     eax, eax
        STEP    "#DB of CPUID through a task gate", cpuid

        ; #UD, #NP, #NP: a double fault.
fault:  ud2
after_fault:
        CHECK   [df_runs], 1, "#DF through a task gate"
        CHECK   [df_error], 0, "error code of #DF"
        CHECK   [df_eip], fault, "EIP of #DF"

        ; A self-IPI.
        sti
        mov     dword [ebp + APIC_ICR], 44041h
behind_irq:
        cli
        CHECK   [irq_runs], 1, "an interrupt through a task gate"
        CHECK   [irq_eip], behind_irq, "EIP in the TSS of the interrupted task"
        ret

; --- the tasks ----------------------------------------------------------------------------------

nmi_task:
        inc     dword [nmi_runs]
        cmp     dword [nmi_runs], 1
        jne     .leave
        mov     eax, [tss_main + TSS_EIP]
        mov     [nmi_eip], eax
        mov     eax, APIC
        mov     dword [eax + APIC_ICR], 4400h
        xor     eax, eax
        cpuid
        mov     eax, [nmi_runs]
        mov     [nmi_at_iret], eax
.leave: iretd
        jmp     nmi_task

db_task:
        inc     dword [db_runs]
        mov     eax, [tss_main + TSS_EIP]
        mov     [db_eip], eax
        and     dword [tss_main + TSS_FLAGS], ~100h
        pushfd
        pop     eax
        and     eax, 4000h
        mov     [db_nt], eax
        iretd
        jmp     db_task

df_task:
        pop     dword [df_error]
        inc     dword [df_runs]
        mov     eax, [tss_main + TSS_EIP]
        mov     [df_eip], eax
        mov     dword [tss_main + TSS_EIP], after_fault
        iretd
        jmp     df_task

irq_task:
        inc     dword [irq_runs]
        mov     eax, [tss_main + TSS_EIP]
        mov     [irq_eip], eax
        mov     eax, APIC
        mov     dword [eax + APIC_EOI], 0
        iretd
        jmp     irq_task

; --- data ---------------------------------------------------------------------------------------

        align   8, db 0
gdt:    dq      0, 0
        dq      00CF9B000000FFFFh       ; 10h: 32-bit code
        dq      00CF93000000FFFFh       ; 18h: data
        times 5 dq 0                    ; 20h: five TSSs
gdtr:   dw      9 * 8 - 1
        dd      gdt
        align   8, db 0
idt:    times 42h dq 0
idtr:   dw      42h * 8 - 1
        dd      idt

; TSS entry, stack
%macro TSS 2
        dd      0, 0, 0, 0, 0, 0, 0, 0
        dd      %1, 2                   ; EIP, EFLAGS
        dd      0, 0, 0, 0, %2, 0, 0, 0
        dd      18h, 10h, 18h, 18h, 0, 0 ; ES CS SS DS FS GS
        dd      0, 680000h              ; LDT, T and I/O map
%endmacro

tss_main:       times 68h db 0
tss_nmi:        TSS nmi_task, stack_nmi
tss_db:         TSS db_task, stack_db
tss_df:         TSS df_task, stack_df
tss_irq:        TSS irq_task, stack_irq

nmi_runs:       dd 0
nmi_at_iret:    dd 0
nmi_eip:        dd 0
db_runs:        dd 0
db_eip:         dd 0
db_nt:          dd 0
df_runs:        dd 0
df_error:       dd 0
df_eip:         dd 0
irq_runs:       dd 0
irq_eip:        dd 0
        align   16, db 0
        times 128 db 0
stack_nmi:
        times 128 db 0
stack_db:
        times 128 db 0
stack_df:
        times 128 db 0
stack_irq:

        END_OF_GUEST
