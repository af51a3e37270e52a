; The framebuffer's font, which font.py makes: 256 glyphs of 8 x 16 pixels in the order of
; term/charset.h.
section .rodata
global screen_font
align 16
screen_font:
        incbin "hw/font.bin"
