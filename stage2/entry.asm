; Stage 2's machine side: from the boot sector's real mode into 32-bit C, from there back to real
; mode for one BIOS call at a time, and on into long mode.
;
; Addresses below are physical; all segments are flat. NASM, elf32, linked at 8000h by stage2.ld.

        cpu x64

%define REAL_STACK      7C00h           ; grows down to 500h; the boot sector's copy above survives
%define STACK           58000h          ; LAYOUT_STACK_TOP

%define CODE32          08h
%define DATA32          10h
%define CODE16          18h
%define DATA16          20h
%define CODE64          28h

%define CR0_PE          1
%define CR0_MP          2
%define CR0_EM          4
%define CR0_TS          8
%define CR0_PG          80000000h
%define CR4_PAE         20h
%define CR4_OSFXSR      200h
%define MSR_EFER        0C0000080h
%define EFER_LME        100h

        extern  stage2_main, stage2_bss, stage2_bss_end
        global  stage2_header, bios_call, bios_vector
        global  long_mode_enable, long_mode_jump, cpu_has_cpuid, cpu_enable_sse

        section .entry progbits alloc exec write align=16

; CPU mode: 16-bit real mode, DL = boot drive, everything else unknown.
        bits 16
stage2_header:
        jmp     short start16
        align   4
        db      "pxS2"                  ; STAGE2_MAGIC of boot.asm
start16:
        cli
        cld
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     esp, REAL_STACK         ; all of ESP: protected mode will use it so
        mov     [boot_drive], dl
        call    to_protected_mode

; CPU mode: 32-bit protected mode, no paging, interrupts off from here on except inside BIOS calls.
        bits 32
        mov     esp, STACK
        mov     edi, stage2_bss
        mov     ecx, stage2_bss_end
        sub     ecx, edi
        xor     eax, eax
        rep stosb
        movzx   eax, byte [boot_drive]
        push    eax
        call    stage2_main             ; void stage2_main(uint32_t boot_drive), doesn't return
.rest:
        cli
        hlt
        jmp     .rest

; Returns in 32-bit protected mode to the address that the 16-bit caller pushed. Uses EAX.
; The GDT is loaded each time: some BIOS services (INT 15h, AH=87h) leave one of their own.
        bits 16
to_protected_mode:
        cli
        lgdt    [gdt_pointer]
        mov     eax, cr0
        or      al, CR0_PE
        mov     cr0, eax
        jmp     CODE32:.flat32
        bits 32
.flat32:
        mov     ax, DATA32
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        mov     ss, ax
        movzx   eax, word [esp]
        add     esp, 2
        jmp     eax

; void bios_call(uint32_t vector, struct bios_regs *regs)
; CPU mode: called in 32-bit protected mode, does its work in real mode, returns in 32-bit mode.
; The BIOS runs with interrupts on: timer ticks and disk completions reach their handlers, and the
; 8259 keeps the BIOS's own programming. It may change any register, DS and ES included.
        bits 32
bios_call:
        push    ebx
        push    esi
        push    edi
        push    ebp
        mov     eax, [esp + 20]
        mov     eax, [eax * 4]          ; the interrupt vector table lies at address 0
        mov     [bios_vector], eax
        mov     esi, [esp + 24]
        mov     edi, bios_regs
        mov     ecx, 9
        cld
        rep movsd
        mov     [saved_stack], esp
        lidt    [real_idt_pointer]
        jmp     CODE16:.code16
        bits 16
.code16:
        mov     ax, DATA16              ; limits of 64 KiB: what real mode expects to find
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        mov     ss, ax
        mov     eax, cr0
        and     al, ~CR0_PE
        mov     cr0, eax
        jmp     0:.real
.real:
        xor     ax, ax
        mov     ss, ax
        mov     esp, REAL_STACK         ; all of ESP: protected mode will use it so
        mov     ds, ax
        mov     fs, ax
        mov     gs, ax
        mov     eax, [bios_regs + 0]
        mov     ebx, [bios_regs + 4]
        mov     ecx, [bios_regs + 8]
        mov     edx, [bios_regs + 12]
        mov     esi, [bios_regs + 16]
        mov     edi, [bios_regs + 20]
        mov     ebp, [bios_regs + 24]
        mov     es, [bios_regs + 30]
        sti
        pushf                           ; what INT does, with the vector as a variable
        push    cs
        push    word .back
        push    dword [bios_vector]
        mov     ds, [bios_regs + 28]
        cli
        retf
.back:
        pushf
        cli
        cld
        push    ds
        push    es
        push    ax
        xor     ax, ax
        mov     ds, ax
        pop     word [bios_regs + 0]
        pop     word [bios_regs + 30]
        pop     word [bios_regs + 28]
        pop     word [bios_regs + 32]
        shr     eax, 16                 ; the upper half, AX's part is saved already
        mov     [bios_regs + 2], ax
        mov     [bios_regs + 4], ebx
        mov     [bios_regs + 8], ecx
        mov     [bios_regs + 12], edx
        mov     [bios_regs + 16], esi
        mov     [bios_regs + 20], edi
        mov     [bios_regs + 24], ebp
        xor     ax, ax
        mov     ss, ax
        mov     esp, REAL_STACK         ; all of ESP: protected mode will use it so
        call    to_protected_mode
        bits 32
        mov     esp, [saved_stack]
        mov     edi, [esp + 24]
        mov     esi, bios_regs
        mov     ecx, 9
        rep movsd
        pop     ebp
        pop     edi
        pop     esi
        pop     ebx
        ret

; In the first 64 KiB, for the 16-bit code.
        align   8
gdt:
        dq      0
        dq      00CF9A000000FFFFh       ; 32-bit code, 4 GiB
        dq      00CF92000000FFFFh       ; data, 4 GiB
        dq      00009A000000FFFFh       ; 16-bit code, 64 KiB
        dq      000092000000FFFFh       ; data, 64 KiB
        dq      00209A0000000000h       ; 64-bit code
gdt_end:
gdt_pointer:
        dw      gdt_end - gdt - 1
        dd      gdt
real_idt_pointer:
        dw      3FFh
        dd      0
        align   4
bios_vector:    dd 0
saved_stack:    dd 0
bios_regs:      times 9 dd 0            ; struct bios_regs
boot_drive:     db 0

        section .text

; bool cpu_has_cpuid(void): can EFLAGS.ID be changed? (SDM "Identification of Earlier IA-32
; Processors")
        bits 32
cpu_has_cpuid:
        pushfd
        pushfd
        xor     dword [esp], 1 << 21
        popfd
        pushfd
        pop     eax
        xor     eax, [esp]
        popfd
        shr     eax, 21
        and     eax, 1
        ret

; void cpu_enable_sse(void): SDM "Enabling Intel SSE Extensions".
cpu_enable_sse:
        mov     eax, cr0
        and     eax, ~(CR0_EM | CR0_TS)
        or      eax, CR0_MP
        mov     cr0, eax
        mov     eax, cr4
        or      eax, CR4_OSFXSR
        mov     cr4, eax
        ret

; void long_mode_enable(uint32_t pml4): paging and long mode on (SDM "Initializing IA-32e Mode").
; Returns to its 32-bit caller, which then runs in compatibility mode: C code can still report.
long_mode_enable:
        mov     eax, cr4
        or      eax, CR4_PAE
        mov     cr4, eax
        mov     eax, [esp + 4]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME
        wrmsr
        mov     eax, cr0
        or      eax, CR0_PG
        mov     cr0, eax
        jmp     .paged                  ; identity mapped: the next instruction is where it was
.paged:
        ret

; void long_mode_jump(uint32_t entry, uint32_t boot_info), doesn't return.
; CPU mode: called in compatibility mode; the entry begins in 64-bit mode with RDI = boot_info,
; interrupts off, and a stack of stage 2's that it should leave soon.
long_mode_jump:
        mov     edi, [esp + 4 + 4]
        mov     esi, [esp + 4]
        jmp     CODE64:.code64
        bits 64
.code64:
        mov     esp, STACK
        mov     edi, edi                ; the upper halves are undefined after the mode switch
        mov     esi, esi
        xor     ebp, ebp
        push    rbp
        jmp     rsi

        section .note.GNU-stack noalloc noexec nowrite progbits
