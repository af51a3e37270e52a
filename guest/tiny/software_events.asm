; Events that an instruction of 32-bit code asks for: INT n, INT3, INTO and INT1, with and without a
; needless prefix. Their handlers go back behind the instruction, through a gate and through a task gate;
; a fault on the way leaves EIP at the instruction, which comes again.
%define NAME "software_events"
%define ENTRY32
%include "bzimage.inc"

%define TSS_EIP  20h

%define MAIN     20h                    ; selectors
%define TASK     28h

%define TABLES   200000h                ; free memory behind this kernel: directory and table
%define ALIAS    800000h                ; the IDT's two pages
%define IDT      (ALIAS + 1000h - 5 * 8) ; vectors 0 to 4 lie in the first one

%macro DESCRIBE 2
        mov     eax, %2
        mov     word [gdt + %1], 67h
        mov     [gdt + %1 + 2], ax
        shr     eax, 16
        mov     [gdt + %1 + 4], al
        mov     byte [gdt + %1 + 5], 89h
        mov     [gdt + %1 + 7], ah
%endmacro

; GATE vector, handler
%macro GATE 2
        mov     eax, %2
        mov     [IDT + %1 * 8], ax
        mov     word [IDT + %1 * 8 + 2], 10h
        mov     word [IDT + %1 * 8 + 4], 8E00h
        shr     eax, 16
        mov     [IDT + %1 * 8 + 6], ax
%endmacro
%macro TASK_GATE 1
        mov     word [IDT + %1 * 8 + 2], TASK
        mov     word [IDT + %1 * 8 + 4], 8500h
%endmacro
%macro ABSENT_GATE 1
        mov     byte [IDT + %1 * 8 + 5], 0Eh
%endmacro

; OVERFLOW: OF is set.
%macro OVERFLOW 0
        mov     al, 7Fh
        inc     al
%endmacro

; COMES "what", bytes: runs the instruction, whose handler must be called once, with the EIP behind it.
%macro COMES 2+
        mov     dword [came], 0
        mov     dword [came_eip], -1
        OVERFLOW
        db      %2
%%behind:
        nop
        CHECK   [came], 1, %1
        CHECK   [came_eip], %%behind, %1, " (EIP)"
%endmacro

; ABSENT "what", error code, bytes: the gate isn't present.
%macro ABSENT 3+
        mov     dword [fault_eip], -1
        mov     dword [fault_error], -1
        mov     dword [resume], %%behind
        OVERFLOW
%%at:   db      %3
%%behind:
        nop
        CHECK   [fault_eip], %%at, %1, " (EIP of #NP)"
        CHECK   [fault_error], %2, %1, " (error code of #NP)"
%endmacro

; AWAY "what", vector, bytes: the gate's page isn't there, until #PF brings it back.
%macro AWAY 3+
        mov     dword [page_faults], 0
        mov     dword [fault_eip], -1
        mov     dword [TABLES + 1000h], 0
        invlpg  [ALIAS]
        mov     dword [came], 0
        mov     dword [came_eip], -1
        OVERFLOW
%%at:   db      %3
%%behind:
        nop
        CHECK   [page_faults], 1, %1, " (page faults)"
        CHECK   [fault_eip], %%at, %1, " (EIP of #PF)"
        mov     eax, [fault_cr2]
        and     eax, -8
        CHECK   eax, IDT + %2 * 8, %1, " (CR2)"
        CHECK   [came], 1, %1, " after #PF"
        CHECK   [came_eip], %%behind, %1, " after #PF (EIP)"
%endmacro

; COME_ALL "how": all of them. INT1 on Intel's CPUs alone: AMD-V lets it pass without an exit, and in
; QEMU's TCG it stops the emulator.
%macro COME_ALL 1
        COMES   {"INT ", %1}, 0CDh, 40h
        COMES   {"INT with a prefix ", %1}, 3Eh, 0CDh, 40h
        COMES   {"INT3 ", %1}, 0CCh
        COMES   {"INT3 with two prefixes ", %1}, 2Eh, 3Eh, 0CCh
        COMES   {"INTO ", %1}, 0CEh
        COMES   {"INTO with a prefix ", %1}, 2Eh, 0CEh
        cmp     byte [has_int1], 0
        je      %%unknown
        COMES   {"INT1 ", %1}, 0F1h
        COMES   {"INT1 with a prefix ", %1}, 2Eh, 0F1h
%%unknown:
%endmacro

main:
        mov     edi, TABLES
        xor     eax, eax
        mov     ecx, 2 * 1024
        rep     stosd
        mov     dword [TABLES], 83h     ; 4 MiB to themselves
        mov     dword [TABLES + (ALIAS >> 22) * 4], TABLES + 1003h
        mov     eax, idt_pages
        or      eax, 3
        mov     [first_page], eax
        mov     [TABLES + 1000h], eax
        add     eax, 1000h
        mov     [TABLES + 1004h], eax
        mov     eax, cr4
        or      eax, 10h                ; PSE
        mov     cr4, eax
        mov     eax, TABLES
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax
        jmp     .paged
.paged: DESCRIBE MAIN, tss_main
        DESCRIBE TASK, tss_task
        lgdt    [gdtr]
        lidt    [idtr]
        mov     ax, MAIN
        ltr     ax
        GATE    1, handler
        GATE    3, handler
        GATE    4, handler
        GATE    11, not_present
        GATE    14, page_fault
        GATE    40h, handler

        xor     eax, eax
        cpuid
        cmp     ecx, 'ntel'
        sete    [has_int1]
        COME_ALL "through a gate"
        mov     dword [came], 0
        xor     eax, eax                ; no overflow
        into
        CHECK   [came], 0, "INTO without overflow"

        ABSENT_GATE 3
        ABSENT_GATE 4
        ABSENT_GATE 40h
        ABSENT  "INT", 40h * 8 + 2, 0CDh, 40h
        ABSENT  "INT3", 3 * 8 + 2, 0CCh
        ABSENT  "INTO", 4 * 8 + 2, 0CEh
        ABSENT  "INTO with a prefix", 4 * 8 + 2, 2Eh, 0CEh
        GATE    3, handler
        GATE    4, handler

        AWAY    "INT3", 3, 0CCh
        AWAY    "INTO", 4, 0CEh
        AWAY    "INTO with a prefix", 4, 2Eh, 0CEh
        cmp     byte [has_int1], 0
        je      .tasks
        AWAY    "INT1", 1, 0F1h
        AWAY    "INT1 with a prefix", 1, 2Eh, 0F1h

.tasks: TASK_GATE 1
        TASK_GATE 3
        TASK_GATE 4
        TASK_GATE 40h
        COME_ALL "through a task gate"
        ret

; --- handlers -----------------------------------------------------------------------------------

handler:
        inc     dword [came]
        push    eax
        mov     eax, [esp + 4]
        mov     [came_eip], eax
        pop     eax
        iretd

not_present:
        push    eax
        mov     eax, [esp + 4]
        mov     [fault_error], eax
        mov     eax, [esp + 8]
        mov     [fault_eip], eax
        mov     eax, [resume]
        mov     [esp + 8], eax
        pop     eax
        add     esp, 4
        iretd

page_fault:
        inc     dword [page_faults]
        push    eax
        mov     eax, [esp + 8]
        mov     [fault_eip], eax
        mov     eax, cr2
        mov     [fault_cr2], eax
        mov     eax, [first_page]
        mov     [TABLES + 1000h], eax
        pop     eax
        add     esp, 4
        iretd

task:
        inc     dword [came]
        mov     eax, [tss_main + TSS_EIP]
        mov     [came_eip], eax
        iretd
        jmp     task

; --- data ---------------------------------------------------------------------------------------

        align   8, db 0
gdt:    dq      0, 0
        dq      00CF9B000000FFFFh       ; 10h: 32-bit code
        dq      00CF93000000FFFFh       ; 18h: data
        dq      0, 0                    ; 20h: two TSSs
gdtr:   dw      6 * 8 - 1
        dd      gdt
idtr:   dw      41h * 8 - 1
        dd      IDT

        align   8, db 0
tss_main: times 1Ch db 0
        dd      TABLES                  ; CR3
        times 68h - ($ - tss_main) db 0
tss_task:
        dd      0, 0, 0, 0, 0, 0, 0, TABLES
        dd      task, 2                 ; EIP, EFLAGS
        dd      0, 0, 0, 0, stack_task, 0, 0, 0
        dd      18h, 10h, 18h, 18h, 0, 0 ; ES CS SS DS FS GS
        dd      0, 680000h              ; LDT, T and I/O map

came:           dd 0
came_eip:       dd 0
fault_eip:      dd 0
fault_error:    dd 0
fault_cr2:      dd 0
page_faults:    dd 0
resume:         dd 0
first_page:     dd 0
has_int1:     db 0
        align   16, db 0
        times 128 db 0
stack_task:
        times (image_start - $) & 0FFFh db 0 ; ALIGN would move the section in its file
idt_pages: times 8192 db 0

        END_OF_GUEST
