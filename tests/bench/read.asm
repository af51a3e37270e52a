; In the boot sector's place: how fast the BIOS reads, with nothing else done. Sectors [lba, lba +
; count) by INT 13h into the buffer that stage 2 uses, in packets as large as stage 2's; then the
; figures on COM1. bench.py fills lba and count in. nasm -f bin
;
; CPU mode   16-bit real mode, segments 0.
        bits 16
        cpu 586
        org 7C00h

%define BOUNCE          2000h           ; a segment
%define PACKET_SECTORS  127
%define UART            3F8h

        jmp     short start
        nop
        align   8, db 0
lba:    dd      0                       ; at byte 8
count:  dd      0                       ; at byte 12

start:
        mov     bl, dl                  ; the drive
        rdtsc
        jmp     0:.flat
.flat:
        xor     cx, cx
        mov     ds, cx
        mov     es, cx
        mov     ss, cx
        mov     sp, 7C00h
        mov     [begin], eax
        mov     [begin + 4], edx
        mov     [drive], bl
        rdtsc
        mov     [read_begin], eax
.next:
        mov     eax, PACKET_SECTORS
        cmp     eax, [count]
        jbe     .full
        mov     eax, [count]
.full:
        mov     [packet_count], ax
        mov     [now], eax
        mov     eax, [lba]
        mov     [packet_lba], eax
        mov     si, packet
        mov     ah, 42h
        mov     dl, [drive]
        int     13h
        mov     si, failed
        jc      .say
        mov     eax, [now]
        add     [lba], eax
        sub     [count], eax
        jnz     .next
        rdtsc
        sub     eax, [read_begin]
        mov     [read_begin], eax

        mov     si, uart_table
        mov     dx, UART
.uart:                                  ; 115200 8N1
        lodsw
        mov     dl, al
        mov     al, ah
        out     dx, al
        cmp     si, uart_table_end
        jb      .uart
        mov     si, start_text
        call    print
        mov     ebx, [begin + 4]
        call    print_hex
        mov     ebx, [begin]
        call    print_hex
        mov     si, read_text
        call    print
        mov     ebx, [read_begin]
        call    print_hex
        mov     si, end_text
.say:
        call    print
.rest:
        hlt
        jmp     .rest

print:
        lodsb
        test    al, al
        jz      .done
        call    put
        jmp     print
.done:
        ret

print_hex:                              ; EBX
        mov     cx, 8
.digit:
        rol     ebx, 4
        mov     al, bl
        and     al, 0Fh
        cmp     al, 10
        sbb     al, 69h
        das
        call    put
        loop    .digit
        ret

put:
        mov     ah, al
        mov     dx, UART + 5
.wait:
        in      al, dx
        test    al, 20h
        jz      .wait
        mov     dx, UART
        mov     al, ah
        out     dx, al
        ret

uart_table:     ; low byte of the port, value
        db      0FBh, 80h, 0F8h, 01h, 0F9h, 00h, 0FBh, 03h, 0FCh, 03h
uart_table_end:

start_text:     db 10, "bench: start 0x", 0
read_text:      db 10, "bench: read 0x", 0
end_text:       db 10, "bench: end 1", 10, 0
failed:         db 10, "bench: the BIOS does not read", 10, 0

packet:         db 16, 0
packet_count:   dw 0
                dw 0, BOUNCE
packet_lba:     dq 0

        times 440 - ($ - $$) db 0

        absolute 7E00h
begin:          resd 2
read_begin:     resd 1
now:            resd 1
drive:          resb 1
