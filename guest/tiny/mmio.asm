; Memory-mapped registers through every common form of MOV and its relatives, and the hole between
; memory and registers, which reads as all ones.
%define NAME "mmio"
%include "bzimage.inc"
%include "virtio.inc"

%define NOBODY 0CFFF0000h

main:
        call    virtio_find
        mov     byte [r15 + DEVICE_STATUS], 0

        ; A register of 32 bits that keeps what is written.
        mov     dword [r15 + DRIVER_FEATURE_SELECT], 1  ; MOV m32, imm32
        mov     eax, [r15 + DRIVER_FEATURE_SELECT]      ; MOV r32, m32
        CHECK   rax, 1, "MOV r32, m32 behind MOV m32, imm32"
        xor     r8d, r8d
        mov     [r15 + DRIVER_FEATURE_SELECT], r8d      ; MOV m32, r32 with REX
        mov     r9d, [r15 + DRIVER_FEATURE_SELECT]
        CHECK   r9, 0, "MOV with REX registers"

        ; 8, 16 and 64 bits, and the forms that widen.
        mov     byte [r15 + DEVICE_STATUS], 1           ; MOV m8, imm8
        movzx   eax, byte [r15 + DEVICE_STATUS]         ; MOVZX r32, m8
        CHECK   rax, 1, "MOVZX r32, m8"
        mov     al, 3
        mov     [r15 + DEVICE_STATUS], al               ; MOV m8, r8
        mov     rax, -1
        mov     al, [r15 + DEVICE_STATUS]               ; MOV r8, m8 keeps the rest
        mov     rcx, 0FFFFFFFFFFFFFF03h
        CHECK   rax, rcx, "MOV r8, m8"
        mov     word [r15 + QUEUE_SELECT], 0            ; MOV m16, imm16
        movzx   eax, word [r15 + QUEUE_SIZE]            ; MOVZX r32, m16
        mov     r12d, eax
        test    eax, eax
        jnz     .size
        CHECK   rax, 1, "size of queue 0"
.size:  mov     rax, -1
        mov     ax, [r15 + QUEUE_SIZE]                  ; MOV r16, m16 keeps the rest
        mov     rcx, 0FFFFFFFFFFFF0000h
        or      rcx, r12
        CHECK   rax, rcx, "MOV r16, m16"

        ; Instructions that read, and read and write.
        test    byte [r15 + DEVICE_STATUS], 2           ; TEST m8, imm8
        setnz   al
        movzx   eax, al
        CHECK   rax, 1, "TEST m8, imm8"
        cmp     word [r15 + QUEUE_SELECT], 0            ; CMP m16, imm8
        sete    al
        movzx   eax, al
        CHECK   rax, 1, "CMP m16, imm8"
        or      dword [r15 + DRIVER_FEATURE_SELECT], 1  ; OR m32, imm8
        mov     eax, [r15 + DRIVER_FEATURE_SELECT]
        CHECK   rax, 1, "OR m32, imm8"
        mov     eax, 0
        xchg    eax, [r15 + DRIVER_FEATURE_SELECT]      ; XCHG r32, m32
        CHECK   rax, 1, "XCHG r32, m32: old value"
        mov     eax, [r15 + DRIVER_FEATURE_SELECT]
        CHECK   rax, 0, "XCHG r32, m32: new value"

        ; A queue address, in two halves and read back.
        mov     eax, 12345000h
        mov     [r15 + QUEUE_DESC], eax
        mov     eax, [r15 + QUEUE_DESC]
        mov     ecx, 12345000h
        CHECK   rax, rcx, "queue_desc"

        ; String instructions.
        lea     rsi, [r15 + QUEUE_DESC]
        mov     edi, buffer
        movsd                                           ; MOVS m32, from registers to memory
        mov     eax, [buffer]
        mov     ecx, 12345000h
        CHECK   rax, rcx, "MOVSD"
        lea     rdi, [r15 + QUEUE_DESC]
        mov     eax, 54321000h
        stosd                                           ; STOS m32
        mov     eax, [r15 + QUEUE_DESC]
        mov     ecx, 54321000h
        CHECK   rax, rcx, "STOSD"

        ; Nobody there.
        mov     ebx, NOBODY
        mov     eax, [rbx]
        mov     ecx, 0FFFFFFFFh
        CHECK   rax, rcx, "32 bits of nobody's address"
        mov     ebx, NOBODY
        mov     rax, [rbx]
        CHECK   rax, -1, "64 bits of nobody's address"
        mov     ebx, NOBODY
        movzx   eax, byte [rbx]
        CHECK   rax, 0FFh, "8 bits of nobody's address"
        mov     ebx, NOBODY
        mov     dword [rbx], 0
        mov     eax, [rbx]
        mov     ecx, 0FFFFFFFFh
        CHECK   rax, rcx, "nobody's address after a write"
        mov     byte [r15 + DEVICE_STATUS], 0
        ret

buffer: dd      0

        END_OF_GUEST
