; The master boot record of pxhv.img: 512 bytes that greet on the screen and on COM1, load stage 2
; from the sectors behind this one and jump to it with the drive that they came from in DL.
;
; CPU mode   16-bit real mode throughout, segments 0, interrupts on.
; Memory     0500h-7BFFh stack (downwards from 7C00h), 7C00h this code, 8000h stage 2.
; Registers  none is live across a BIOS call: whatever must survive lives in memory, because some
;            BIOSes change registers that the interface says they keep, on success too.
; Layout     bytes 3-89 unused, bytes 440-443 disk signature, bytes 446-509 partition table:
;            boot/image.sh fills the last two in.

        bits 16
        cpu 386
        org 7C00h

%ifndef PXHV_VERSION
%define PXHV_VERSION    "0.1.0"         ; the Makefile knows better
%endif
%define STAGE2          8000h           ; a multiple of 32 KiB: the packet doesn't cross 64 KiB
%define STAGE2_MAGIC    "pxS2"          ; at STAGE2 + 4
%define STAGE2_SECTORS  64              ; all of it in one packet; image.sh knows, too
%define READ_TRIES      5
%define FIRST_DRIVE     80h
%define LAST_DRIVE      8Fh

%define UART            3F8h
%define UART_LSR        UART + 5

        ; A BIOS that takes the stick for a floppy or a ZIP disk writes the geometry that it made up
        ; into the BIOS parameter block of the sector that it loaded, where a FAT volume has one.
        jmp     short start
        nop
        times 5Ah - ($ - $$) db 0

start:
        ; Some BIOSes enter at 07C0h:0000h: load CS too.
        jmp     0:.flat
.flat:
        cli
        call    flat_segments
        mov     ss, cx
        mov     sp, 7C00h
        sti
        cld
        mov     [drive], dl
        mov     word [next_drive], FIRST_DRIVE  ; and `told` = 0 behind it

        ; 115200 8N1, no interrupts. Where there is no UART the writes hurt nobody.
        mov     si, uart_table
        mov     dx, UART
.uart:
        lodsw
        mov     dl, al                  ; DH is 03h for every port of COM1
        mov     al, ah
        out     dx, al
        cmp     si, uart_table_end
        jb      .uart

        mov     si, banner
        call    print

; Reads stage 2 from [drive]. A first read after power-on often fails while the medium spins up: try
; again after a disk reset.
load:
        mov     byte [tries], READ_TRIES
.again:
        mov     word [packet_count], STAGE2_SECTORS     ; a failing BIOS leaves what it managed
        mov     si, packet
        mov     ah, 42h
        call    disk_call
        jnc     .read
        mov     [code], ah
        mov     ah, 0
        call    disk_call
        dec     byte [tries]
        jnz     .again
        jmp     fail
.read:
        cmp     dword [STAGE2 + 4], STAGE2_MAGIC
        jne     fail
        mov     si, jumping
        call    print
        mov     dl, [drive]
        jmp     0:STAGE2

; Prints the INT 13h code: 00 where sectors were read, but they are none of ours. Then looks at the
; other drives, for some BIOSes forget DL, or give the number of another disk. Only the first failure
; is printed: most of those drives don't exist. In the end it rests; Ctrl-Alt-Del works.
fail:
        inc     byte [told]
        cmp     byte [told], 1
        jne     .next
        mov     al, [code]
        aam     16                      ; AH, AL = the two hexadecimal digits
        call    digit
        xchg    al, ah
        call    digit
        mov     [error_digits], ax
        mov     si, error
        call    print
.next:
        mov     al, [next_drive]
        mov     [drive], al
        inc     byte [next_drive]
        cmp     al, LAST_DRIVE
        jbe     load
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

; Prints the text at SI up to its NUL, to the screen and to COM1.
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
        xchg    ax, bx
        mov     dx, UART_LSR
        mov     cx, 4000h               ; bounded: a wedged UART costs output, not the boot
.wait:
        in      al, dx
        test    al, 20h                 ; transmitter holding register empty; so no UART is, too
        loopz   .wait
        xchg    ax, bx
        mov     dl, UART & 0FFh
        out     dx, al
        jmp     print
.done:
        ret

uart_table:     ; low byte of the port, value
        db      0FBh, 80h, 0F8h, 01h, 0F9h, 00h, 0FBh, 03h, 0FCh, 03h
uart_table_end:

banner:         db "pxHV: Pixel Hypervisor v", PXHV_VERSION, 13, 10, 0
jumping:        db "Jumping to hypervisor...", 13, 10, 0
error:          db "pxHV: error: no stage 2, INT 13h code "
error_digits:   db "00", 13, 10, 0

code:           db 0                    ; of INT 13h's last failed read
packet:         db 16, 0
packet_count:   dw 0
                dw 0
packet_segment: dw STAGE2 / 16
packet_lba:     dq 1

        times 440 - ($ - $$) db 0       ; fails to assemble when the code is too long
        dd      0                       ; disk signature
        dw      0
        times 64 db 0                   ; partition table
        db      55h, 0AAh

        ; Variables live behind the sector, in memory that the BIOS leaves alone.
        absolute 7E00h
drive:          resb 1
next_drive:     resb 1
told:           resb 1
tries:          resb 1
