"""The emulated screen read back as text: a screendump of QEMU's, cut into cells, each looked up among the
glyphs of the VMM's font or, in text mode, of the VGA's."""

import os
import re
import time

import platforms

COLUMNS, ROWS = 8, 16  # of a glyph
VGA_TEXT, VGA_CELL = (720, 400), 9  # the ninth column is a gap
VGA_ROM = "/usr/share/seabios/vgabios-stdvga.bin"
SHIFTED = {c: k for c, k in zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;'," "./")}
NAMES = {" ": "spc", "\n": "ret", "-": "minus", "=": "equal", "[": "bracket_left",
         "]": "bracket_right", "\\": "backslash", ";": "semicolon", "'": "apostrophe",
         "`": "grave_accent", ",": "comma", ".": "dot", "/": "slash"}


class Picture:
    """A PPM of 8 bits a colour."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        header = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
        self.width, self.height = int(header[1]), int(header[2])
        self.pixels = data[header.end():]

    def at(self, x, y):
        start = (y * self.width + x) * 3
        return self.pixels[start:start + 3]


def read_fonts():
    """The VMM's font and the VGA's, which lies somewhere in its ROM: characters by bitmap."""
    with open(os.path.join(platforms.BUILD, "gen", "vmm", "hw", "font.bin"), "rb") as file:
        ours = file.read()
    with open(VGA_ROM, "rb") as file:
        rom = file.read()
    letter = ord("A") * ROWS  # both draw it alike
    start = rom.index(ours[letter:letter + ROWS]) - letter
    theirs = rom[start:start + 256 * ROWS]

    def by_bitmap(font, character):
        known = {font[n * ROWS:(n + 1) * ROWS]: character(n) for n in range(255, -1, -1)}
        return known | {bytes(ROWS): " "}
    return by_bitmap(ours, chr), by_bitmap(theirs, lambda n: bytes([n]).decode("cp437"))


class Reader:
    """Text of screendumps."""

    def __init__(self):
        self.ours, self.theirs = read_fonts()

    @staticmethod
    def scale(picture):
        """As vmm/hw/framebuffer.c chooses it."""
        scale = 1
        while picture.width // (COLUMNS * scale) > 200:
            scale += 1
        return scale

    @staticmethod
    def character(bitmap, font):
        """An inverted glyph counts, too, and so does one with the VGA's cursor below."""
        for bits in (bitmap, bytes(byte ^ 0xFF for byte in bitmap), bitmap[:13] + bytes(3)):
            if bits in font:
                return font[bits]
        return "?"

    def rows(self, path):
        """The screen's lines, blanks at their ends left out; "?" where no glyph fits."""
        picture = Picture(path)
        is_text = (picture.width, picture.height) == VGA_TEXT
        scale = 1 if is_text else self.scale(picture)
        width = VGA_CELL if is_text else COLUMNS * scale
        font = self.theirs if is_text else self.ours
        text = []
        for top in range(0, picture.height - ROWS * scale + 1, ROWS * scale):
            line = ""
            for left in range(0, picture.width - width + 1, width):
                background = picture.at(left, top)
                bitmap = bytes(
                    sum((picture.at(left + x * scale, top + y * scale) != background) << (7 - x)
                        for x in range(COLUMNS)) for y in range(ROWS))
                line += self.character(bitmap, font)
            text.append(line.rstrip())
        return text


class Screen:
    """The screen and the keyboard of a machine of QEMU's."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.reader = Reader()

    def rows(self):
        path = os.path.join(self.emulator.folder, "screen.ppm")
        self.emulator.screendump(path)
        return self.reader.rows(path)

    def wait_for(self, *patterns, within=None, until=None, timeout=600):
        """The screen's lines as soon as each pattern is in one and, where a text is given, all but the
        last are in that, and `until` of the lines is true: a picture may be half drawn, beginning at
        any row."""
        end = time.monotonic() + timeout
        while True:
            rows = self.rows()
            missing = [one for one in patterns if not any(re.search(one, row) for row in rows)]
            if within is not None:
                missing += [row for row in rows[:-1] if row[:78] not in within]
            if not missing and (until is None or until(rows)):
                return rows
            assert time.monotonic() < end, f"no {missing or until} on the screen:\n" + "\n".join(rows)
            time.sleep(0.5)

    def press(self, *keys):
        """Keys pressed together, and let go before the next ones: QEMU holds them for 100 ms."""
        self.emulator.press(*keys)
        time.sleep(0.15)

    def type(self, text):
        """A US keyboard's keys for the text."""
        for char in text:
            plain = SHIFTED.get(char, char.lower())
            keys = [NAMES.get(plain, plain)]
            if plain != char:
                keys.insert(0, "shift")
            self.press(*keys)
