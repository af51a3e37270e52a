; An MSI-X table full of noise, whose messages a broken virtqueue has sent: any vector, any delivery
; mode but INIT, to anywhere. Interrupts are on. What comes of it is the guest's own affair; the VMM
; lives, and the device works once it is programmed right again.
%define NAME "msix_noise"
%include "bzimage.inc"
%include "apic.inc"
%include "virtio.inc"

%define ROUNDS          600
%define CONFIG_VECTOR   10h             ; of the common configuration
%define QUEUE_VECTOR    1Ah
%define MESSAGE_NO_INIT ~100h           ; leaves delivery modes 0, 2, 4 and 6: no INIT, no ExtINT

; RAX: the next pseudo-random number (xorshift64). Changes RCX.
random: mov     rax, [state]
        mov     rcx, rax
        shl     rcx, 13
        xor     rax, rcx
        mov     rcx, rax
        shr     rcx, 7
        xor     rax, rcx
        mov     rcx, rax
        shl     rcx, 17
        xor     rax, rcx
        mov     [state], rax
        ret

; Every vector that a message can have, and NMIs.
on_any: push    rax
        inc     qword [count]
        mov     eax, APIC
        mov     dword [rax + APIC_EOI], 0
        pop     rax
        iretq
on_nmi: inc     qword [nmis]
        iretq

; EBX to the gate of vector EDI.
gate:   mov     ecx, edi
        shl     ecx, 4
        lea     rcx, [rcx + big_idt]
        mov     [rcx], bx
        mov     word [rcx + 2], cs
        mov     word [rcx + 4], 8E00h
        mov     eax, ebx
        shr     eax, 16
        mov     [rcx + 6], ax
        mov     qword [rcx + 8], 0
        ret

all_vectors:
        mov     esi, idt
        mov     edi, big_idt
        mov     ecx, 16 * 16 / 8
        rep     movsq
        mov     ebx, on_nmi
        mov     edi, 2
        call    gate
        mov     ebx, on_any
        mov     edi, 16
.next:  call    gate
        inc     edi
        cmp     edi, 256
        jb      .next
        lidt    [big_idtr]
        ret

; R14: the MSI-X capability; R13: the table.
msix_find:
        mov     ecx, 34h
        call    pci_read
        movzx   r14d, al
.next:  test    r14d, r14d
        jz      .none
        mov     ecx, r14d
        call    pci_read
        cmp     al, 11h
        je      .found
        shr     eax, 8
        movzx   r14d, al
        jmp     .next
.none:  CHECK   0, 1, "an MSI-X capability"
        jmp     tiny_finish
.found: bts     eax, 31                 ; enable
        mov     ebx, eax
        mov     ecx, r14d
        call    pci_write
        lea     ecx, [r14 + 4]
        call    pci_read
        and     eax, 7
        call    pci_bar
        mov     r13, rax
        ret

; The configuration's interrupt and queue 0's by vector 0 or 1, and a buffer that isn't RAM.
break_queue:
        call    virtio_start
        mov     byte [r15 + DEVICE_STATUS], 0Bh
        call    random
        and     eax, 1
        mov     [r15 + CONFIG_VECTOR], ax
        mov     word [r15 + QUEUE_VECTOR], 1
        mov     byte [r15 + DEVICE_STATUS], STATUS_READY
        mov     rax, 0FFFFFFFF0000000h
        mov     [desc], rax
        mov     dword [desc + 8], 200h
        mov     word [avail + 4], 0
        inc     word [avail + 2]
        call    virtio_kick
        mov     word [avail + 2], 0
        ret

; A word or two of noise somewhere in the table; every other time entry 0 or 1 becomes a message to
; an APIC.
poke:   call    random
        mov     rbx, rax
        call    random
        mov     edi, ebx
        and     edi, 0FFCh
        bt      rbx, 40
        jnc     .noise
        and     edi, 10h
        mov     ecx, eax
        and     ecx, 0FF00Ch
        bt      rbx, 42
        jc      .to
        and     ecx, 8                  ; to ID 0, which is this one
.to:    or      ecx, APIC
        mov     [r13 + rdi], ecx
        mov     dword [r13 + rdi + 4], 0
        and     eax, MESSAGE_NO_INIT & 0C7FFh
        mov     [r13 + rdi + 8], eax
        mov     dword [r13 + rdi + 12], 0
        ret
.noise: and     rax, MESSAGE_NO_INIT
        bt      rbx, 41
        jc      .wide
        mov     [r13 + rdi], eax
        mov     ecx, [r13 + rdi]
        ret
.wide:  and     edi, ~7
        mov     [r13 + rdi], rax
        mov     rcx, [r13 + rdi]
        mov     [r13 + rdi + 1], al
        mov     [r13 + rdi + 2], ax
        ret

main:
        call    apic_setup
        call    all_vectors
        call    virtio_find
        call    msix_find
        sti
        mov     r12d, ROUNDS
.round: call    poke
        mov     eax, r12d
        and     eax, 3
        jnz     .next
        call    break_queue
.next:  dec     r12d
        jnz     .round
        cli
        mov     byte [r15 + DEVICE_STATUS], 0

        xor     eax, eax
        cmp     qword [count], 5
        setae   al
        CHECK   rax, 1, "interrupts by noise"
        xor     eax, eax
        cmp     qword [nmis], 5
        setae   al
        CHECK   rax, 1, "NMIs by noise"

        ; The table has ended where its size says.
        mov     ecx, r14d
        call    pci_read
        shr     eax, 16
        and     eax, 7FFh
        inc     eax
        shl     eax, 4
        mov     eax, [r13 + rax]
        CHECK   rax, 0FFFFFFFFh, "a word behind the table"

        ; Programmed right, one message comes.
        WR      APIC_TPR, 0
        mov     dword [r13], APIC
        mov     dword [r13 + 4], 0
        mov     dword [r13 + 8], 77h
        mov     dword [r13 + 12], 0
        mov     dword [r13 + 10h], APIC
        mov     dword [r13 + 14h], 0
        mov     dword [r13 + 18h], 77h
        mov     dword [r13 + 1Ch], 0
        sti
        nop
        mov     qword [count], 0
        call    break_queue
        nop
        CHECK   [count], 1, "a message behind the noise"
        mov     dword [r13 + 8], 77h    ; both entries written again: none is pending any more
        mov     dword [r13 + 18h], 77h
        nop
        cli
        CHECK   [count], 1, "messages behind it"
        mov     byte [r15 + DEVICE_STATUS], 0
        ret

        align   8, db 0
state:  dq      9E3779B97F4A7C15h
count:  dq      0
nmis:   dq      0
big_idtr: dw    256 * 16 - 1
        dq      big_idt
        align   16, db 0
big_idt: times  256 * 16 db 0

        END_OF_GUEST
