; The UEFI program's machine side: where the firmware enters it, and how it leaves the firmware for
; the VMM. NASM, elf64, linked at address 0 by efi.ld and loaded anywhere.

        cpu     x64
        default rel

%define CODE64          08h             ; the selectors of struct handover's GDT
%define DATA            10h
%define CODE32          18h

%define CR0_PE          1
%define CR0_ET          10h
%define CR0_NE          20h
%define CR0_PG          80000000h
%define CR4_PAE         20h
%define MSR_EFER        0C0000080h
%define EFER_LME        100h

%define R_X86_64_RELATIVE 8

%define TRAMPOLINE_BYTES 256

        extern  efi_main, rela_begin, rela_end, image_base
        global  efi_entry, efi_leave, trampoline

        section .text.entry progbits alloc exec nowrite align=16

; efi_status efi_entry(efi_handle image, struct efi_system_table *table), as "x64 Platforms" calls:
; 64-bit mode, RCX and RDX, a stack of at least 128 KiB, interrupts on.
; The addresses that .data holds were linked for address 0: the distance to where the firmware put
; the program is added first (System V ABI, "Relocation").
        bits    64
efi_entry:
        lea     r8, [image_base]
        lea     r9, [rela_begin]
        lea     r10, [rela_end]
.next:
        cmp     r9, r10
        jae     .done
        cmp     qword [r9 + 8], R_X86_64_RELATIVE
        jne     .bad
        mov     rax, [r9 + 16]
        add     rax, r8
        mov     r11, [r9]
        mov     [r8 + r11], rax
        add     r9, 24
        jmp     .next
.done:
        jmp     efi_main
.bad:
        mov     rax, 8000000000000001h  ; EFI_LOAD_ERROR
        ret

; void efi_leave(const struct handover *handover), doesn't return. Runs where the firmware loaded it;
; the new page tables map this page and the first 4 GiB, where the trampoline is.
; RDI = struct handover: see handover.h.
efi_leave:
        cli
        lgdt    [rdi]
        lidt    [rdi + 10]
        mov     rsp, [rdi + 48]
        mov     rax, cr4
        bt      rax, 12                 ; LA57: five levels of page tables, until paging is off
        mov     rax, [rdi + 24]
        mov     rdx, [rdi + 32]
        cmovc   rax, rdx
        and     rsp, -16
        mov     rcx, cr4
        btr     rcx, 17                 ; PCIDE: CR3's low bits are no PCID
        btr     rcx, 23                 ; CET: no shadow stack for the returns below
        mov     cr4, rcx
        mov     cr3, rax
        mov     ax, DATA
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        mov     ss, ax
        jmp     [rdi + 40]

; What struct handover's last step is, copied below 4 GiB. Position independent.
; CPU mode: 64-bit, identity mapped, RDI = struct handover, RSP = top of the stack, interrupts off.
; Paging goes off once, in 32-bit mode: only so can LA57 be cleared, and every machine takes the
; same way.
trampoline:
        lea     rbp, [.mode64]
        lea     rax, [.mode32]
        push    CODE32
        push    rax
        mov     ebx, [rdi + 24]         ; the PML4, below 4 GiB
        retfq
        bits    32
.mode32:
        mov     eax, CR0_PE | CR0_ET | CR0_NE
        mov     cr0, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME
        wrmsr
        mov     eax, CR4_PAE
        mov     cr4, eax
        mov     cr3, ebx
        mov     eax, CR0_PE | CR0_ET | CR0_NE | CR0_PG
        mov     cr0, eax
        push    dword CODE64
        push    ebp
        retf
        bits    64
.mode64:
        mov     edi, edi                ; the upper halves are undefined after the mode switch
        mov     rbx, rdi
        mov     rsp, [rbx + 48]
        mov     rsi, [rbx + 56]         ; the VMM, as its ELF file describes it
        mov     rdi, [rbx + 64]         ; to where it is linked
        mov     rcx, [rbx + 72]
        cld
        rep movsb
        mov     rdi, [rbx + 88]         ; struct boot_info
        xor     ebp, ebp
        push    rbp
        jmp     [rbx + 80]
        times TRAMPOLINE_BYTES - ($ - trampoline) db 0  ; fails when the code is longer

        section .note.GNU-stack noalloc noexec nowrite progbits
