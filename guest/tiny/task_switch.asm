; Hardware task switches, as 32-bit kernels of old used them: CALL and IRET, a nested INT, JMP, an
; exception with an error code through a task gate, a 16-bit TSS, a fault that a new task meets, and
; the debug trap of a TSS's T bit. No CPU makes these in a guest: all of it is emulated.
%define NAME "task_switch"
%define ENTRY32
%include "bzimage.inc"

%define TSS_LINK  0
%define TSS_EIP   20h
%define TSS_FLAGS 24h
%define TSS_ESP   38h
%define TSS_SS    50h

%define MAIN      20h                   ; selectors of the TSSs
%define CALLEE    28h
%define GATE_TASK 30h
%define OLD16     38h
%define BROKEN    40h
%define TRAPPED   48h
%define BUSY      2                     ; in a TSS descriptor's byte 5
%define NT        4000h
%define TS        8

; DESCRIBE selector, base, limit, type byte: fills a descriptor of the GDT.
%macro DESCRIBE 4
        mov     eax, %2
        mov     word [gdt + %1], %3
        mov     [gdt + %1 + 2], ax
        shr     eax, 16
        mov     [gdt + %1 + 4], al
        mov     byte [gdt + %1 + 5], %4
        mov     [gdt + %1 + 7], ah
%endmacro

; IDT_GATE vector, offset, selector, type byte
%macro IDT_GATE 4
        mov     eax, %2
        mov     [idt + %1 * 8], ax
        mov     word [idt + %1 * 8 + 2], %3
        mov     word [idt + %1 * 8 + 4], %4 << 8
        shr     eax, 16
        mov     [idt + %1 * 8 + 6], ax
%endmacro

%macro CHECK_BUSY 3
        movzx   eax, byte [gdt + %1 + 5]
        and     eax, BUSY
        CHECK   eax, %2, %3
%endmacro

main:
        DESCRIBE MAIN, tss_main, 67h, 89h
        DESCRIBE CALLEE, tss_callee, 67h, 89h
        DESCRIBE GATE_TASK, tss_gate, 67h, 89h
        DESCRIBE OLD16, tss_old16, 2Bh, 81h
        DESCRIBE BROKEN, tss_broken, 67h, 89h
        DESCRIBE TRAPPED, tss_trapped, 67h, 89h
        IDT_GATE 1, debug, 10h, 8Eh
        IDT_GATE 10, invalid_tss, 10h, 8Eh
        IDT_GATE 13, 0, GATE_TASK, 85h
        IDT_GATE 40h, 0, CALLEE, 85h
        lgdt    [gdtr]
        lidt    [idtr]
        mov     ax, MAIN
        ltr     ax
        clts

        ; CALL and IRET. Every register must come through.
        mov     eax, 11111111h
        mov     ecx, 22222222h
        mov     edx, 33333333h
        mov     ebx, 44444444h
        mov     esi, 66666666h
        mov     edi, 77777777h
        mov     [main_esp], esp
        call    CALLEE:0
.back:  mov     [after], eax
        mov     [after + 4], ecx
        mov     [after + 8], edx
        mov     [after + 12], ebx
        mov     [after + 16], esi
        mov     [after + 20], edi
        mov     [after + 24], esp
        pushfd
        pop     dword [after + 28]
        CHECK   [after], 11111111h, "EAX across CALL and IRET"
        CHECK   [after + 4], 22222222h, "ECX across CALL and IRET"
        CHECK   [after + 8], 33333333h, "EDX across CALL and IRET"
        CHECK   [after + 12], 44444444h, "EBX across CALL and IRET"
        CHECK   [after + 16], 66666666h, "ESI across CALL and IRET"
        CHECK   [after + 20], 77777777h, "EDI across CALL and IRET"
        CHECK   [after + 24], [main_esp], "ESP across CALL and IRET"
        mov     eax, [after + 28]
        and     eax, NT
        CHECK   eax, 0, "NT in the caller"
        CHECK   [callee_runs], 1, "the callee ran"
        CHECK   [callee_eax], 0CA11EE00h, "EAX of the callee"
        CHECK   [callee_tr], CALLEE, "TR of the callee"
        CHECK   [callee_ds], 18h, "DS of the callee"
        mov     eax, [callee_flags]
        and     eax, NT
        CHECK   eax, NT, "NT in the callee"
        mov     eax, [callee_cr0]
        and     eax, TS
        CHECK   eax, TS, "CR0.TS in the callee"
        movzx   eax, word [tss_callee + TSS_LINK]
        CHECK   eax, MAIN, "back link"
        CHECK   [tss_main + TSS_EIP], .back, "EIP in the caller's TSS"
        CHECK   [callee_busy], BUSY * 101h, "both TSSs busy in the callee"
        CHECK_BUSY CALLEE, 0, "callee busy after its IRET"
        CHECK_BUSY MAIN, BUSY, "caller busy after the IRET"
        str     ax
        movzx   eax, ax
        CHECK   eax, MAIN, "TR after the IRET"

        ; INT through a task gate: the same callee goes on behind its IRET.
        int     40h
.after_int:
        CHECK   [callee_runs], 2, "the callee ran by INT"
        CHECK   [tss_main + TSS_EIP], .after_int, "EIP behind INT"

        ; JMP there, JMP back.
        mov     dword [tss_callee + TSS_EIP], jumped
        jmp     CALLEE:0
jumped_back:
        CHECK   [jumped_flags], 0, "NT after JMP"
        CHECK   [jumped_busy], BUSY << 8, "busy bits after JMP"
        CHECK_BUSY CALLEE, 0, "busy after JMP away"

        ; #GP with an error code through a task gate: RIP of the fault, code on the new stack.
        mov     eax, 0FFF8h
        mov     ebx, 5A5A5A5Ah
.fault: mov     es, ax
.after_fault:
        CHECK   ebx, 5A5A5A5Ah, "EBX across a fault"
        CHECK   [gate_error], 0FFF8h, "error code on the new task's stack"
        CHECK   [gate_eip], .fault, "EIP of the fault in the TSS"
        mov     eax, [tss_gate + TSS_ESP]
        CHECK   eax, gate_stack_top, "ESP of the gate's task"

        ; A 16-bit TSS.
        mov     eax, 12345678h
        call    OLD16:0
        CHECK   eax, 12345678h, "EAX across a 16-bit task"
        CHECK   [old16_ax], 1616h, "AX of a 16-bit task"

        ; A task whose SS isn't one of its level: #TS in the new task, which the handler ends.
        jmp     BROKEN:0
after_broken:
        CHECK   [ts_error], 10h, "error code of #TS"
        CHECK   [ts_tr], BROKEN, "TR of #TS"
        CHECK   [ts_eip], broken, "EIP of #TS"

        ; The T bit.
        call    TRAPPED:0
        mov     eax, [db_dr6]
        and     eax, 8000h
        CHECK   eax, 8000h, "DR6.BT"
        CHECK   [db_eip], trapped, "EIP of the debug trap"
        CHECK   [trapped_runs], 1, "the trapped task ran"
        ret

; --- the tasks ----------------------------------------------------------------------------------

callee: inc     dword [callee_runs]
        mov     [callee_eax], eax
        mov     ax, ds
        mov     [callee_ds], ax
        str     [callee_tr]
        pushfd
        pop     dword [callee_flags]
        mov     eax, cr0
        mov     [callee_cr0], eax
        mov     al, [gdt + MAIN + 5]
        mov     ah, [gdt + CALLEE + 5]
        and     eax, BUSY * 101h
        mov     [callee_busy], eax
        iretd
        jmp     callee

jumped: pushfd
        pop     eax
        and     eax, NT
        mov     [jumped_flags], eax
        mov     al, [gdt + MAIN + 5]
        mov     ah, [gdt + CALLEE + 5]
        and     eax, BUSY * 101h
        mov     [jumped_busy], eax
        jmp     MAIN:0

; The error code lies on the stack; the faulting task goes on behind its two-byte instruction.
gate_task:
        pop     dword [gate_error]
        mov     eax, [tss_main + TSS_EIP]
        mov     [gate_eip], eax
        add     dword [tss_main + TSS_EIP], 2
        iretd
        jmp     gate_task

; Its state has 16-bit registers, its code runs in the 32-bit segment.
old16:  mov     [old16_ax], eax
        iretd

broken: hlt

trapped:
        inc     dword [trapped_runs]
        iretd

; #TS in the context of the broken task: error code, EIP. Its SS is no stack, so the CPU must switch
; to another one: the task runs at level 3 and its TSS names it.
invalid_tss:
        mov     ax, 18h                 ; the broken task has no data segments
        mov     ds, ax
        pop     dword [ts_error]
        pop     dword [ts_eip]
        str     [ts_tr]
        jmp     MAIN:0

debug:  push    eax
        mov     eax, dr6
        mov     [db_dr6], eax
        mov     eax, [esp + 4]
        mov     [db_eip], eax
        pop     eax
        iretd

; --- data ---------------------------------------------------------------------------------------

        align   8, db 0
gdt:    dq      0, 0
        dq      00CF9B000000FFFFh       ; 10h: 32-bit code
        dq      00CF93000000FFFFh       ; 18h: data
        times 6 dq 0                    ; 20h: six TSSs
        dq      00CFFB000000FFFFh       ; 50h: code of level 3
        dq      00CF9B100000FFFFh       ; 58h: code based at LOAD
gdtr:   dw      12 * 8 - 1
        dd      gdt
        align   8, db 0
idt:    times 41h dq 0
idtr:   dw      41h * 8 - 1
        dd      idt

; TSS entry, stack, CS, SS, data segments, T
%macro TSS 6
        dd      0, stack_0, 18h, 0, 0, 0, 0, 0
        dd      %1, 2                   ; EIP, EFLAGS
        dd      0CA11EE00h, 0, 0, 0, %2, 0, 0, 0
        dd      %5, %3, %4, %5, 0, 0    ; ES CS SS DS FS GS
        dd      0, %6                   ; LDT, T and I/O map
%endmacro

tss_main:       times 68h db 0
        align   8, db 0
tss_callee:     TSS callee, callee_stack_top, 10h, 18h, 18h, 680000h
tss_gate:       TSS gate_task, gate_stack_top, 10h, 18h, 18h, 680000h
tss_broken:     TSS broken, 0, 53h, 10h, 0, 680000h
tss_trapped:    TSS trapped, callee_stack_top, 10h, 18h, 18h, 680001h
; IP is 16 bits wide: old16 starts by way of a code segment based at LOAD.
tss_old16:      dw      0, 0, 0, 0, 0, 0, 0
                dw      old16 - LOAD, 2
                dw      1616h, 0, 0, 0, 0, 0, 0, 0
                dw      18h, 58h, 18h, 18h, 0

callee_runs:    dd 0
callee_eax:     dd 0
callee_ds:      dd 0
callee_tr:      dd 0
callee_flags:   dd 0
callee_cr0:     dd 0
callee_busy:    dd 0
jumped_flags:   dd 0
jumped_busy:    dd 0
gate_error:     dd 0
gate_eip:       dd 0
old16_ax:       dd 0
ts_error:       dd 0
ts_eip:         dd 0
ts_tr:          dd 0
db_dr6:         dd 0
db_eip:         dd 0
trapped_runs:   dd 0
main_esp:       dd 0
after:          times 8 dd 0
        align   16, db 0
        times 256 db 0
callee_stack_top:
        times 256 db 0
gate_stack_top:
        times 256 db 0
stack_0:

        END_OF_GUEST
