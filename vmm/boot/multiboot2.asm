; Where a multiboot2 loader (GRUB, on BIOS and on UEFI) enters the VMM. "Multiboot2 Specification",
; "OS image format", "I386 machine state". From here the way leads through long mode and
; multiboot2.c, which makes struct boot_info, to _start, where our own loaders enter.

%define MULTIBOOT2_MAGIC        0E85250D6h
%define MULTIBOOT2_LOADED       36D76289h
%define I386                    0

%define TAG_ENTRY       3
%define TAG_CONSOLE     4
%define TAG_FRAMEBUFFER 5
%define TAG_ALIGN       6
%define OPTIONAL        1
%define EGA_TEXT        2

%define CR0_PG          80000000h
%define CR4_PAE         20h
%define MSR_EFER        0C0000080h
%define EFER_LME        100h
%define PAGE_RW         3
%define PAGE_LARGE      80h

%define CODE64          08h
%define DATA            10h

%define SCREEN          0B8000h
%define COM1            3F8h
%define COM1_LSR        3FDh
%define LSR_THRE        20h

        global  multiboot2_entry
        extern  _start, multiboot2_boot_info, boot_stack_top, __image_start, __image_end

; In the first 32 KiB of the file, aligned to 8 bytes: linker.ld puts it first.
        section .multiboot2 progbits alloc noexec nowrite align=8
header:
        dd      MULTIBOOT2_MAGIC, I386, header_end - header
        dd      -(MULTIBOOT2_MAGIC + I386 + (header_end - header)) & 0FFFFFFFFh
        dw      TAG_ENTRY, 0
        dd      12, multiboot2_entry
        align   8, db 0
        dw      TAG_CONSOLE, OPTIONAL
        dd      12, EGA_TEXT
        align   8, db 0
        dw      TAG_FRAMEBUFFER, OPTIONAL
        dd      20, 0, 0, 32            ; any width and height, 32 bits a pixel
        align   8, db 0
        dw      TAG_ALIGN, 0            ; modules begin on page borders
        dd      8
        dw      0, 0                    ; the end
        dd      8
header_end:

        section .text

; CPU mode: 32-bit protected mode, flat segments, no paging, interrupts off; EAX = magic, EBX = the
; boot information; no stack, and no GDT that may be used.
        bits    32
multiboot2_entry:
        cli
        cld
        mov     esp, boot_stack_top
        mov     esi, no_multiboot2
        cmp     eax, MULTIBOOT2_LOADED
        jne     refuse
        mov     esi, no_long_mode
        mov     edi, ebx                ; CPUID changes EBX
        mov     eax, 80000000h
        cpuid
        cmp     eax, 80000001h
        jb      refuse
        mov     eax, 80000001h
        cpuid
        bt      edx, 29
        jnc     refuse

        mov     dword [pml4], pdpt + PAGE_RW
        mov     ecx, 4
.pdpt:
        mov     eax, ecx
        shl     eax, 12
        add     eax, directories - 4096 + PAGE_RW
        mov     [pdpt + ecx * 8 - 8], eax
        loop    .pdpt
.directory:                             ; the first 4 GiB at their own addresses
        mov     eax, ecx
        shl     eax, 21
        or      eax, PAGE_RW + PAGE_LARGE
        mov     [directories + ecx * 8], eax
        inc     ecx
        cmp     ecx, 4 * 512
        jb      .directory

        mov     eax, CR4_PAE            ; and nothing of UEFI firmware's: LA57 would ask for a PML5
        mov     cr4, eax
        mov     eax, pml4
        mov     cr3, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME
        wrmsr
        mov     eax, cr0
        or      eax, CR0_PG
        mov     cr0, eax
        lgdt    [gdt_pointer]
        jmp     CODE64:.long_mode

; CPU mode: 64-bit, EDI = the boot information.
        bits    64
.long_mode:
        mov     ax, DATA
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     esp, boot_stack_top     ; the upper halves are undefined after the mode switch
        mov     edi, edi
        xor     ebp, ebp
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        push    rax                     ; struct multiboot2_image
        mov     eax, __image_end
        push    rax
        mov     eax, __image_start
        push    rax
        mov     rsi, rsp
        push    rbp                     ; keeps the stack aligned to 16 bytes for the call
        call    multiboot2_boot_info
        mov     rdi, rax
        jmp     _start

; Says ESI's sentence on the VGA screen and on COM1, where they are there, and rests.
        bits    32
refuse:
        mov     edi, SCREEN
.next:
        lodsb
        test    al, al
        jz      .rest
        mov     bl, al
        mov     ah, 0Fh
        cmp     al, ' '
        jb      .serial                 ; the end of the line
        stosw
.serial:
        mov     ecx, 100000             ; port reads: longer than a byte takes
        mov     dx, COM1_LSR
.wait:
        in      al, dx
        test    al, LSR_THRE
        loopz   .wait
        mov     dx, COM1
        mov     al, bl
        out     dx, al
        jmp     .next
.rest:
        hlt
        jmp     .rest

        section .rodata
no_multiboot2:
        db      "pxHV: error: the boot loader is no multiboot2 one: in GRUB, use multiboot2"
        db      13, 10, 0
no_long_mode:
        db      "pxHV: error: this CPU has no long mode: pxHV needs a 64-bit CPU with VT-x or "
        db      "AMD-V", 13, 10, 0
        align   8
gdt:
        dq      0
        dq      00209A0000000000h       ; 64-bit code
        dq      00CF92000000FFFFh       ; data
gdt_pointer:
        dw      $ - gdt - 1
        dd      gdt

        section .bss align=4096
pml4:           resb 4096
pdpt:           resb 4096
directories:    resb 4 * 4096

        section .note.GNU-stack noalloc noexec nowrite progbits
