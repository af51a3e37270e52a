; The master boot record of pxhv.img: 512 bytes that greet on the screen and on COM1, load stage 2
; from the sectors behind this one and jump to it with the boot drive in DL.
;
; CPU mode   16-bit real mode throughout, segments 0, interrupts on.
; Memory     0500h-7BFFh stack (downwards from 7C00h), 7C00h this code, 8000h stage 2.
; Registers  none is live across a BIOS call: whatever must survive lives in memory, because some
;            BIOSes change registers that the interface says they keep, on success too.
; Layout     byte 439 packets to load, bytes 440-443 disk signature, bytes 446-509 partition table:
;            boot/image.sh fills all three in.

        bits 16
        cpu 386
        org 7C00h

%ifndef PXHV_VERSION
%define PXHV_VERSION    "0.1.0"         ; the Makefile knows better
%endif
%define STAGE2          8000h           ; a multiple of 32 KiB, so that no packet crosses 64 KiB
%define STAGE2_MAGIC    "pxS2"          ; at STAGE2 + 4
%define PACKET_SECTORS  64              ; more than 127 fails on many BIOSes
%define READ_TRIES      5

%define UART            3F8h
%define UART_LSR        UART + 5
%define UART_SCRATCH    UART + 7

start:
        ; Some BIOSes enter at 07C0h:0000h: load CS too.
        jmp     0:.flat
.flat:
        cli
        call    flat_segments
        mov     ss, cx
        mov     sp, start
        sti
        cld
        ; A stick that a BIOS emulates as a floppy, or a BIOS that forgets DL: a hard disk boots
        ; this sector, so the first one is the best guess. Stage 2 looks at the others.
        test    dl, dl
        js      .drive_known
        mov     dl, 80h
.drive_known:
        mov     [drive], dl

        mov     ax, 0003h               ; text mode, 80 columns, screen cleared
        int     10h
        call    flat_segments

        ; 115200 8N1, FIFOs on, no interrupts. A UART is there when its scratch register keeps a
        ; byte; where there is none the writes hurt nobody.
        mov     dx, UART_SCRATCH
        mov     al, 5Ah
        out     dx, al
        in      al, dx
        mov     [uart_there], al
        mov     si, uart_table
.uart:
        lodsw
        mov     dl, al                  ; DH is 03h for every port of COM1
        mov     al, ah
        out     dx, al
        cmp     si, uart_table_end
        jb      .uart

        mov     si, banner
        call    print

        mov     ah, 41h                 ; INT 13h extensions: present?
        mov     bx, 55AAh
        mov     dl, [drive]
        int     13h
        mov     al, cl
        call    flat_segments
        mov     si, no_extensions
        jc      fail
        cmp     bx, 0AA55h
        jne     fail
        test    al, 1                   ; some answer without serving packet reads
        jz      fail

.packet:
        call    read_packet
        add     word [packet_lba], PACKET_SECTORS
        add     word [packet_segment], PACKET_SECTORS * 512 / 16
        dec     byte [packets]
        jnz     .packet

        mov     si, no_stage2
        cmp     dword [STAGE2 + 4], STAGE2_MAGIC
        jne     fail
        mov     si, jumping
        call    print
        mov     dl, [drive]
        jmp     0:STAGE2

; Reads one packet. A first read after power-on often fails while the medium spins up: try again
; after a disk reset.
read_packet:
        mov     byte [tries], READ_TRIES
.again:
        mov     word [packet_count], PACKET_SECTORS     ; a failing BIOS leaves what it managed
        mov     si, packet
        mov     ah, 42h
        call    disk_call
        jc      .failed
        ret
.failed:
        mov     [code], ah
        mov     ah, 0
        call    disk_call
        dec     byte [tries]
        jnz     .again
        mov     si, unreadable

; Prints the error prefix, the INT 13h code and the text at SI; then rests. Ctrl-Alt-Del works on.
fail:
        push    si
        mov     al, [code]
        aam     16                      ; AH, AL = the two hexadecimal digits
        call    digit
        xchg    al, ah
        call    digit
        mov     [error_digits], ax
        mov     si, error
        call    print
        pop     si
        call    print
.rest:
        hlt
        jmp     .rest

digit:
        cmp     al, 10                  ; the classic three: 0-15 to '0'-'9', 'A'-'F'
        sbb     al, 69h
        das
        ret

disk_call:
        mov     dl, [drive]
        int     13h
; Keeps the flags and AX.
flat_segments:
        mov     cx, 0
        mov     ds, cx
        mov     es, cx
        ret

; Prints the text at SI up to its NUL.
print:
        lodsb
        test    al, al
        jz      .done
        pusha
        mov     ah, 0Eh
        mov     bx, 7
        int     10h
        call    flat_segments
        popa
        cmp     byte [uart_there], 5Ah
        jne     print
        xchg    ax, bx
        mov     dx, UART_LSR
        mov     cx, 0FFFFh              ; bounded: a wedged UART costs output, not the boot
.wait:
        in      al, dx
        test    al, 20h                 ; transmitter holding register empty
        loopz   .wait
        xchg    ax, bx
        mov     dl, UART & 0FFh
        out     dx, al
        jmp     print
.done:
        ret

uart_table:     ; low byte of the port, value
        db      0FBh, 80h, 0F8h, 01h, 0F9h, 00h, 0FBh, 03h, 0FAh, 07h, 0FCh, 03h
uart_table_end:

banner:         db "pxHV: Pixel Hypervisor v", PXHV_VERSION, 13, 10, 0
jumping:        db "Jumping to hypervisor...", 13, 10, 0
error:          db "pxHV: error: INT 13h code "
error_digits:   db "00: ", 0
no_extensions:  db "no LBA reads", 13, 10, 0
unreadable:     db "read failed", 13, 10, 0
no_stage2:      db "no stage 2", 13, 10, 0

code:           db 0                    ; of INT 13h's last failed read
packet:         db 16, 0
packet_count:   dw 0
                dw 0
packet_segment: dw STAGE2 / 16
packet_lba:     dq 1

        times 439 - ($ - $$) db 0       ; fails to assemble when the code is too long
packets:        db 3                    ; of 64 sectors: stage 2 ends below 20000h
        dd      0                       ; disk signature
        dw      0
        times 64 db 0                   ; partition table
        db      55h, 0AAh

        ; Variables live behind the sector, in memory that the BIOS leaves alone.
        absolute 7E00h
drive:          resb 1
tries:          resb 1
uart_there:     resb 1
