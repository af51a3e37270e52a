"""The VMM's font: a console font's glyphs in the order of the terminal's character set.

Usage: font.py FONT.psf.gz CHARSET.C OUT

FONT is a PSF of 8 x 16 pixels with its table of Unicode characters. OUT gets 256 glyphs of 16 bytes.
Blocks and scan lines, which such fonts have few of, are drawn here.
"""

import gzip
import re
import struct
import sys

HEIGHT = 16
PSF1_MAGIC = b"\x36\x04"
PSF1_512_GLYPHS, PSF1_HAS_TABLE = 1, 2
END, SEQUENCE = 0xFFFF, 0xFFFE


def read_psf(path):
    """Glyphs by Unicode character."""
    with gzip.open(path) as file:
        data = file.read()
    if data[:2] != PSF1_MAGIC or not data[2] & PSF1_HAS_TABLE or data[3] != HEIGHT:
        sys.exit(f"pxHV: {path} is no PSF font of 8 x {HEIGHT} pixels with a Unicode table")
    count = 512 if data[2] & PSF1_512_GLYPHS else 256
    bitmaps, table = data[4:4 + count * HEIGHT], data[4 + count * HEIGHT:]
    glyphs, number, in_sequence = {}, 0, False
    for (code,) in struct.iter_unpack("<H", table):
        if code == END:
            number, in_sequence = number + 1, False
        elif code == SEQUENCE:
            in_sequence = True
        elif not in_sequence:
            glyphs.setdefault(code, bitmaps[number * HEIGHT:(number + 1) * HEIGHT])
    return glyphs


def quadrants(upper_left, upper_right, lower_left, lower_right):
    upper = 0xF0 * upper_left | 0x0F * upper_right
    lower = 0xF0 * lower_left | 0x0F * lower_right
    return bytes([upper] * 8 + [lower] * 8)


def scan_line(row):
    return bytes(0xFF * (row == y) for y in range(HEIGHT))


def drawn():
    """Unicode "Block Elements" and the scan lines of "Miscellaneous Technical"."""
    glyphs = {0x2580: quadrants(1, 1, 0, 0), 0x2588: bytes([0xFF] * HEIGHT),
              0x2590: quadrants(0, 1, 0, 1), 0x2594: bytes([0xFF] * 2 + [0] * 14),
              0x2595: bytes([0x01] * HEIGHT)}
    for eighths in range(1, 8):
        glyphs[0x2580 + eighths] = bytes([0] * (HEIGHT - 2 * eighths) + [0xFF] * 2 * eighths)
        glyphs[0x2590 - eighths] = bytes([0xFF << (8 - eighths) & 0xFF] * HEIGHT)
    for n, pattern in enumerate(((0x88, 0x22), (0xAA, 0x55), (0xEE, 0xBB))):
        glyphs[0x2591 + n] = bytes(pattern * 8)
    for n, corners in enumerate(((0, 0, 1, 0), (0, 0, 0, 1), (1, 0, 0, 0), (1, 0, 1, 1),
                                 (1, 0, 0, 1), (1, 1, 1, 0), (1, 1, 0, 1), (0, 1, 0, 0),
                                 (0, 1, 1, 0), (0, 1, 1, 1))):
        glyphs[0x2596 + n] = quadrants(*corners)
    for n, row in enumerate((0, 4, 11, 15)):
        glyphs[0x23BA + n] = scan_line(row)
    return glyphs


def charset(path):
    """The Unicode character of each of the 256 glyphs, from the table `extras` in charset.c."""
    with open(path, encoding="utf-8") as file:
        table = re.search(r"extras\[\] = \{(.*?)\}", file.read(), re.S).group(1)
    extras = [int(code, 16) for code in re.findall(r"0x([0-9A-F]{4})", table)]
    free = [n for n in range(256) if n < 0x20 or 0x7F <= n < 0xA0]
    assert len(extras) == len(free), "charset.c names another number of glyphs"
    codes = list(range(256))
    for number, code in zip(free, extras):
        codes[number] = code
    return codes


def main(psf, charset_c, out):
    glyphs = read_psf(psf) | drawn()
    glyphs.setdefault(0x25C6, glyphs.get(0x2666))  # a diamond
    missing = [code for code in charset(charset_c) if not glyphs.get(code)]
    if missing:
        sys.exit(f"pxHV: {psf} has no glyph for " + ", ".join(f"{code:04X}" for code in missing))
    with open(out, "wb") as file:
        file.write(b"".join(glyphs[code] for code in charset(charset_c)))


if __name__ == "__main__":
    main(*sys.argv[1:])
