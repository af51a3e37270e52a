; A hostile virtio driver: loops, indices and addresses that make no sense. The device must say
; NEEDS_RESET or answer with an error, never hang or touch anything else, and work after a reset.
%define NAME "virtio_bad"
%include "bzimage.inc"
%include "virtio.inc"

%define NEXT  1
%define WRITE 2

; A queue as virtio_start leaves it, with one chain offered, that begins at descriptor %1.
%macro OFFER 1
        mov     word [avail + 4], %1
        mov     word [avail + 2], 1
        call    virtio_kick
%endmacro

%macro FRESH 0
        mov     word [avail], 0
        mov     word [avail + 2], 0
        mov     dword [used], 0
        call    virtio_start
%endmacro

; The status must show NEEDS_RESET, or the used ring the chain (an error answer is allowed too).
%macro REFUSED 1+
        movzx   eax, byte [r15 + DEVICE_STATUS]
        and     eax, STATUS_NEEDS_RESET
        CHECK   rax, STATUS_NEEDS_RESET, %1
%endmacro

; One good request: read sector 0 into `sector`. RAX: the status byte.
read_sector:
        mov     dword [header], 0       ; VIRTIO_BLK_T_IN
        mov     qword [header + 8], 0
        mov     byte [result], 0AAh
        DESCRIPTOR 0, header, 16, NEXT, 1
        DESCRIPTOR 1, sector, 512, NEXT | WRITE, 2
        DESCRIPTOR 2, result, 1, WRITE, 0
        OFFER   0
        mov     ecx, 100000
.wait:  cmp     word [used + 2], 0
        jne     .done
        pause
        dec     ecx
        jnz     .wait
.done:  movzx   eax, byte [result]
        ret

main:
        call    virtio_find
        FRESH
        CHECK   rax, STATUS_READY, "status after a good start"
        call    read_sector
        CHECK   rax, 0, "a good read"

        FRESH
        DESCRIPTOR 0, header, 16, NEXT, 1
        DESCRIPTOR 1, sector, 512, NEXT | WRITE, 0
        OFFER   0
        REFUSED "a chain that loops"

        FRESH
        DESCRIPTOR 0, header, 16, NEXT, 0FFFFh
        OFFER   0
        REFUSED "a next index beyond the table"

        FRESH
        OFFER   9
        REFUSED "a head index beyond the table"

        FRESH
        mov     word [avail + 2], 5000h
        call    virtio_kick
        REFUSED "an available index far ahead"

        FRESH
        DESCRIPTOR 0, 7FFFFFFFFFFF0000h, 16, NEXT, 1
        DESCRIPTOR 1, sector, 512, NEXT | WRITE, 2
        DESCRIPTOR 2, result, 1, WRITE, 0
        OFFER   0
        REFUSED "a header beyond the end of memory"

        ; A data buffer outside of memory is an I/O error or a broken device; either way it lives.
        FRESH
        mov     byte [result], 0AAh
        mov     dword [header], 0
        DESCRIPTOR 0, header, 16, NEXT, 1
        DESCRIPTOR 1, 0FEC00000h, 512, NEXT | WRITE, 2
        DESCRIPTOR 2, result, 1, WRITE, 0
        OFFER   0
        movzx   eax, byte [r15 + DEVICE_STATUS]
        test    eax, STATUS_NEEDS_RESET
        jnz     .rings
        movzx   eax, byte [result]
        CHECK   rax, 1, "a data buffer outside of memory: VIRTIO_BLK_S_IOERR"

.rings: ; Rings outside of memory: refused at once or at the first kick.
        mov     rax, 0FFFFFFFFFFFFF000h
        mov     [queue_desc], rax
        FRESH
        OFFER   0
        REFUSED "a descriptor table at the end of the address space"
        mov     qword [queue_desc], desc
        mov     eax, 0FEC00000h
        mov     [queue_device], rax
        FRESH
        DESCRIPTOR 0, header, 16, NEXT, 1
        DESCRIPTOR 1, sector, 512, NEXT | WRITE, 2
        DESCRIPTOR 2, result, 1, WRITE, 0
        OFFER   0
        REFUSED "a used ring outside of memory"
        mov     qword [queue_device], used

        ; And all of it is forgiven by a reset.
        FRESH
        CHECK   rax, STATUS_READY, "status after the last reset"
        call    read_sector
        CHECK   rax, 0, "a good read after all that"
        ret

        align   16, db 0
header: times 16 db 0
result: db      0
        align   16, db 0
sector: times 512 db 0

        END_OF_GUEST
