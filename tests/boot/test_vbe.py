"""`screen =` in pxhv.cfg: stage 2 sets a mode of the card's VESA BIOS, or of UEFI's graphics, and hands
its framebuffer over."""

import struct

import pytest

import machine
from platforms import AMDV, UEFI, VTX

BOOT_INFO = 0x36000
SCREEN = BOOT_INFO + 96
TEXT, FRAMEBUFFER = 1, 2


def with_screen(value):
    return lambda text: text + f"[pxhv]\nscreen = {value}\n"


def handed_over(one, tmp_path):
    """The struct boot_screen: type, width, height, pitch, bits, row, address, red, green, blue."""
    path = tmp_path / "memory"
    one.machine.qmp("pmemsave", val=SCREEN, size=40, filename=str(path))
    return struct.unpack("<6IQ6B2x", path.read_bytes())


def picture_size(one, tmp_path):
    path = tmp_path / "screen"
    one.machine.screendump(str(path))
    return tuple(int(n) for n in path.read_bytes().split(b"\n", 3)[1].split())


@pytest.mark.parametrize("value, size", [
    ("framebuffer", (1024, 768)),
    ("1280x1024", (1280, 1024)),
    ("1000x700", (800, 600)),  # the largest that isn't larger
])
def test_mode_is_set_and_handed_over(console, image, tiny, tmp_path, value, size):
    one = console(AMDV, image(edit=with_screen(value), KERNEL=tiny("cpuid")),
                  arguments=["-no-shutdown"])
    one.expect(f"screen: {size[0]}x{size[1]}, 32 bits a pixel")
    one.expect("Long mode enabled")
    one.expect("tiny: PASS cpuid")
    kind, width, height, pitch, bits, _, address, *colors = handed_over(one, tmp_path)
    assert (kind, width, height, pitch, bits) == (FRAMEBUFFER, *size, size[0] * 4, 32)
    assert address >= 0x20000000  # above the machine's memory
    assert colors == [16, 8, 8, 8, 0, 8]
    assert picture_size(one, tmp_path) == size


@pytest.mark.parametrize("value", [None, "text"])
def test_text_is_the_default(console, image, tiny, tmp_path, value):
    one = console(AMDV, image(edit=with_screen(value) if value else None, KERNEL=tiny("cpuid")),
                  arguments=["-no-shutdown"])
    one.expect("tiny: PASS cpuid")
    assert handed_over(one, tmp_path)[:3] == (TEXT, 80, 25)
    assert picture_size(one, tmp_path) == (720, 400)


def test_machine_without_a_card(console, image, tiny):
    one = console(AMDV, image(edit=with_screen("framebuffer"), KERNEL=tiny("cpuid")),
                  arguments=["-vga", "none"])
    one.expect("the card's BIOS has no framebuffer of 1024x768 or less: text is used")
    one.expect("tiny: PASS cpuid")


UEFI_DEFAULT = (1280, 800)  # OVMF's


@pytest.mark.parametrize("value, size", [
    ("801x650", (800, 600)),
    pytest.param("framebuffer", (1024, 768), marks=pytest.mark.full),
    pytest.param("1280x800", UEFI_DEFAULT, marks=pytest.mark.full),
    pytest.param("text", UEFI_DEFAULT, marks=pytest.mark.full),
    ("640x400", UEFI_DEFAULT),  # none is so small
])
def test_mode_of_uefi(console, image, tiny, tmp_path, value, size):
    one = console(UEFI, image(edit=with_screen(value), KERNEL=tiny("cpuid")),
                  arguments=["-no-shutdown"])
    one.expect("Long mode enabled")
    one.expect(r"screen: (\d+) x (\d+) pixels")
    assert tuple(int(n) for n in one.line.match.groups()) == size
    one.expect("tiny: PASS cpuid")
    assert picture_size(one, tmp_path) == size
    told = {"text": [], "640x400": ["no framebuffer of 640x400 or less: the screen stays as it is"]}
    for line in told.get(value, [f"  screen: {size[0]}x{size[1]}, 32 bits a pixel"]):
        assert line in one.log, one.log
    assert value != "text" or "  screen: " not in one.log, one.log


def test_bad_size_is_named(image, tiny):
    result = machine.run(image(edit=with_screen("huge"), KERNEL=tiny("hlt")), VTX)
    assert 'the screen "huge" is none of text, framebuffer and a size' in result.text, result
