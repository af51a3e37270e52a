"""The tiny guests: a few instructions each, and what the manuals say that they do."""

import os

import pytest

import machine

NAMES = sorted(name.removesuffix(".asm")
               for name in os.listdir(os.path.join(machine.ROOT, "guest", "tiny"))
               if name.endswith(".asm") and name != "keyboard.asm")  # somebody has to press a key

# What else must be on the serial line, in this order.
EXPECTED = {
    "rep_outs": ["tiny: this line came by REP OUTSB"],
    "triple_fault": ["tiny: first boot", "triple fault", "tiny: second boot"],
    "reboot_cf9": ["tiny: first boot", "tiny: second boot"],
    "reboot_kbd": ["tiny: first boot", "tiny: second boot"],
}


@pytest.mark.parametrize("name", NAMES)
def test_tiny_guest(name, tiny_platform, image, tiny, tmp_path):
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    result = machine.run(image(KERNEL=tiny(name), DISK=disk, MEMORY="32M"), tiny_platform)
    assert f"entering linux with {tiny_platform.vendor}" in result.text, result
    assert "tiny: FAIL" not in result.text, result
    assert f"tiny: PASS {name}" in result.text, result
    place = 0
    for words in EXPECTED.get(name, []):
        place = result.text.find(words, place)
        assert place >= 0, (words, result)
    assert result.ended, result


def test_boot_lines_appear_in_order(platform, image, tiny):
    result = machine.run(image(KERNEL=tiny("hlt"), MEMORY="32M"), platform)
    place = 0
    for words in ("pxHV: Pixel Hypervisor v", "Jumping to hypervisor...",
                  "Stage 2: Hypervisor loader", f"{platform.vendor} supported",
                  "Long mode enabled", platform.enabled, "tiny: PASS hlt"):
        place = result.text.find(words, place)
        assert place >= 0, (words, result)


@pytest.mark.parametrize("model", ["corei5_arrandale_m520", "corei7_sandy_bridge_2600k",
                                   "corei7_skylake_x", "tigerlake"])
def test_other_processors_with_all_that_is_needed(model, image, tiny):
    """From the first one with an unrestricted guest to the newest."""
    result = machine.run(image(KERNEL=tiny("cr"), MEMORY="32M"), model=model)
    assert "tiny: PASS cr" in result.text and result.ended, result
