; Exceptions that meet the delivery of another event: a gate that isn't there, an IDT or a stack on a
; page that isn't. SDM "Interrupt 8-Double Fault Exception (#DF)".
%define NAME "delivery"
%include "bzimage.inc"
%include "apic.inc"

%define ALIAS     8000000000h           ; this guest's own page tables: three pages
%define NO_STACK  ALIAS + 4000h         ; behind them, nothing
%define ABSENT    7000123000h
%define LATE_GATE 40h                   ; the first one in the IDT's second page

; IDT_BYTE vector, byte of its gate, value
%macro IDT_BYTE 3
        mov     byte [tables_idt + %1 * 16 + %2], %3
%endmacro
%macro PRESENT 1
        IDT_BYTE %1, 5, 8Eh
%endmacro
%macro NOT_PRESENT 1
        IDT_BYTE %1, 5, 0Eh
%endmacro
%macro IST 2
        IDT_BYTE %1, 4, %2
%endmacro

; The alias' pages: 0 and 1 are the IDT's.
map_alias:
        mov     eax, pdpt
        or      eax, 3
        mov     rbx, cr3
        and     rbx, -4096
        mov     [rbx + 8], rax          ; PML4 entry 1
        mov     eax, directory
        or      eax, 3
        mov     [pdpt], rax
        mov     eax, table
        or      eax, 3
        mov     [directory], rax
        mov     eax, idt_pages
        or      eax, 3
        mov     [table], rax
        add     eax, 1000h
        mov     [table + 8], rax
        mov     rax, cr3
        mov     cr3, rax
        ret

; EXTERNAL vector: a self-IPI, whose delivery must fault behind the instruction that sent it.
%macro EXTERNAL 1
        mov     qword [resume], %%after
        mov     qword [fault], -1
        mov     qword [fault_at], %%behind
        sti
        WR      APIC_ICR, 44000h | %1
%%behind:
        nop
%%after:
        cli
        mov     qword [resume], 0
        RD      r12d, APIC_ISR + (%1) / 32 * 10h
        WR      APIC_EOI, 0             ; it was acknowledged all the same
        CHECK   r12, 1 << (%1) % 32, "in service behind a fault in the delivery"
%endmacro

; NO_GATE vector, EXT, "what": the error code tells vector, IDT, and whether the event came from
; outside. TCG, which delivers by itself, leaves EXT out and, before QEMU 10.0, doubles the vector.
%macro NO_GATE 3+
        xor     eax, eax
        cpuid
        cmp     ecx, "cAMD"
        jne     %%own
        mov     rax, [fault_error]
        cmp     eax, %1 * 16 + 2
        je      %%known
        cmp     eax, %1 * 8 + 2
        jne     %%own
%%known:
        mov     qword [fault_error], %1 * 8 + 2 + %2
%%own:
        FAULTS  11, %1 * 8 + 2 + %2, %3
%endmacro

main:
        call    apic_setup
        call    map_alias
        mov     esi, apic_idt
        mov     edi, tables_idt
        mov     ecx, (FIRST_VECTOR + 32) * 16 / 8
        rep     movsq
        lgdt    [gdtr]
        mov     eax, tss
        mov     [gdt + 20h + 2], ax
        shr     eax, 16
        mov     [gdt + 20h + 4], al
        mov     eax, 20h
        ltr     ax
        mov     rax, NO_STACK
        mov     [tss_ist2], rax
        lidt    [alias_idtr]
        IST     8, 1

        ; A gate that isn't present.
        NOT_PRESENT 30h
        TRY     int 30h
        NO_GATE 30h, 0, "INT through an absent gate"
        NOT_PRESENT 31h
        EXTERNAL 31h
        NO_GATE 31h, 1, "an interrupt through an absent gate"

        ; The gate is on an absent page.
        mov     qword [table + 8], 0
        mov     rax, alias_idt + LATE_GATE * 16
        invlpg  [rax]
        TRY     int LATE_GATE
        FAULTS  VECTOR_PF, 0, "INT through a gate on an absent page"
        mov     rax, alias_idt + LATE_GATE * 16
        mov     rbx, [fault_cr2]
        sub     rbx, rax
        and     rbx, -16
        CHECK   rbx, 0, "CR2 of a gate on an absent page"
        EXTERNAL LATE_GATE + 1
        FAULTS  VECTOR_PF, 0, "an interrupt through a gate on an absent page"
        mov     eax, idt_pages + 1000h
        or      eax, 3
        mov     [table + 8], rax

        ; No stack: one fault behind another is served in turn,
        IST     6, 2
        TRY     ud2
        FAULTS  VECTOR_PF, 2, "#UD without a stack"
        mov     rax, [fault_cr2]
        and     rax, -4096
        mov     rdx, NO_STACK - 1000h
        CHECK   rax, rdx, "CR2 of #UD without a stack"
        IST     13, 2
        mov     eax, 0FFF8h
        TRY     mov es, ax
        FAULTS  VECTOR_PF, 2, "#GP without a stack"
        IST     3, 2
        TRY     int3
        FAULTS  VECTOR_PF, 2, "INT3 without a stack"
        IST     1, 2
        mov     qword [resume], .stepped
        mov     qword [fault], -1
        mov     qword [fault_at], .behind
        pushfq
        or      dword [rsp], 100h
        popfq
        cpuid                           ; its trap is the VMM's to raise
.behind: nop
.stepped:
        mov     qword [resume], 0
        FAULTS  VECTOR_PF, 2, "#DB without a stack"
        IST     42h, 2
        EXTERNAL 42h
        FAULTS  VECTOR_PF, 2, "an interrupt without a stack"
        IST     13, 0

        ; or is a double fault:
        NOT_PRESENT 13
        mov     eax, 0FFF8h
        TRY     mov es, ax
        FAULTS  8, 0, "#GP, #NP"
        PRESENT 13
        NOT_PRESENT 14
        mov     rax, ABSENT
        TRY     mov rax, [rax]
        FAULTS  8, 0, "#PF, #NP"
        PRESENT 14
        IST     14, 2
        mov     rax, ABSENT
        TRY     mov rax, [rax]
        FAULTS  8, 0, "#PF without a stack"
        IST     6, 0
        mov     rcx, rsp
        mov     rsp, NO_STACK
        TRY     push rcx
        mov     rsp, rcx
        FAULTS  8, 0, "PUSH without a stack, and #PF without one"
        IST     14, 0
        NOT_PRESENT 6
        TRY     ud2
        NO_GATE 6, 1, "#UD through an absent gate"
        ret

        align   8, db 0
gdt:    dq      0, 0
        dq      00AF9B000000FFFFh       ; 10h: 64-bit code
        dq      00CF93000000FFFFh       ; 18h: data
        dq      0000890000000067h, 0    ; 20h: the TSS
gdtr:   dw      6 * 8 - 1
        dq      gdt
tss:    times 24h db 0
        dq      double_fault_stack
tss_ist2: dq    0
        times 68h - ($ - tss) db 0
alias_idtr: dw  (FIRST_VECTOR + 32) * 16 - 1
        dq      alias_idt

        align   16, db 0
        times 512 db 0
double_fault_stack:

        times (image_start - $) & 0FFFh db 0 ; ALIGN would move the section in its file
pdpt:   times 512 dq 0
directory: times 512 dq 0
table:  times 512 dq 0
idt_pages: times 8192 db 0
; So that LATE_GATE is the first gate of the second page.
tables_idt equ  idt_pages + 1000h - LATE_GATE * 16
alias_idt equ   ALIAS + 1000h - LATE_GATE * 16

        END_OF_GUEST
