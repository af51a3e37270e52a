"""pxhv.sum: a damaged file is named and stops the boot; one that the user put there doesn't."""

import os
import re
import subprocess

import pytest

import grub
import machine
from platforms import AMDV, UEFI
from qemu import TCG_CPU


def line_of(result, name):
    """What the loader said about a file."""
    found = re.search(rf"^  {re.escape(name)} +[0-9.]+ [KMG]?i?B  (.*)$", result.text, re.M)
    assert found, result
    return found.group(1)


def flip_a_bit(image, content):
    """Damages the one place of the image that holds this content."""
    with open(image, "r+b") as file:
        data = file.read()
        assert data.count(content) == 1
        place = data.index(content) + len(content) // 2
        file.seek(place)
        file.write(bytes([data[place] ^ 0x10]))


def test_files_of_make_image_are_all_right(image, tiny):
    result = machine.run(image(KERNEL=tiny("hlt")))
    assert [line_of(result, name) for name in ("pxhv.cfg", "pxhv.elf", "vmlinuz")] == ["ok"] * 3
    assert "tiny: PASS hlt" in result.text, result


def test_a_cpu_that_multiplies_no_polynomials_sums_by_tables(image, tiny):
    result = machine.run(image(KERNEL=tiny("hlt")), AMDV, cpu=TCG_CPU + ",-pclmulqdq")
    assert [line_of(result, name) for name in ("pxhv.cfg", "pxhv.elf", "vmlinuz")] == ["ok"] * 3


def test_damaged_file_is_named_and_stops(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    with open(tiny("hlt"), "rb") as file:
        flip_a_bit(path, file.read())
    result = machine.run(path)
    assert re.search(r'error: the file "vmlinuz" is damaged .*pxhv\.sum', result.text), result
    assert line_of(result, "pxhv.elf") == "ok"
    assert "Long mode" not in result.text, result


def test_damaged_vmm_is_named_and_stops(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    with open(os.path.join(machine.BUILD, "pxhv.elf"), "rb") as file:
        flip_a_bit(path, file.read(1 << 15))
    result = machine.run(path)
    assert 'error: the file "pxhv.elf" is damaged' in result.text, result


def test_files_put_there_by_hand_are_noted(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    volume = f"{path}@@{machine.PARTITION}"
    subprocess.run(["mcopy", "-o", "-i", volume, tiny("cpuid"), "::/vmlinuz"], check=True)
    subprocess.run(["mcopy", "-i", volume, tiny("hlt"), "::/other.img"], check=True)
    machine.write_file(path, "pxhv.cfg", machine.read_file(path, "pxhv.cfg")
                       + "disk = other.img\n")
    result = machine.run(path)
    assert line_of(result, "pxhv.cfg") == "ok, changed by hand"
    assert line_of(result, "vmlinuz") == "ok, changed by hand"
    assert line_of(result, "other.img") == "ok, added by hand"
    assert line_of(result, "pxhv.elf") == "ok"
    assert "tiny: PASS cpuid" in result.text, result


def test_same_bytes_under_another_date_are_all_right(image, tiny):
    """The date alone is no reason to note anything: only bytes are."""
    path = image(KERNEL=tiny("hlt"))
    subprocess.run(["mcopy", "-o", "-i", f"{path}@@{machine.PARTITION}", tiny("hlt"),
                    "::/vmlinuz"], check=True)
    assert line_of(machine.run(path), "vmlinuz") == "ok"


def test_stick_without_checksums_boots(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    machine.delete_file(path, "pxhv.sum")
    result = machine.run(path)
    assert "no pxhv.sum on this stick: files are not checked" in result.text, result
    assert line_of(result, "vmlinuz") == "ok"
    assert "tiny: PASS hlt" in result.text, result


def test_damaged_checksums_stop(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    machine.write_file(path, "pxhv.sum", "#date 2026-01-01 00:00:00\nrubbish\n")
    result = machine.run(path)
    assert re.search(r"error: pxhv\.sum is damaged \(line 2\): .*delete pxhv\.sum", result.text), \
        result


def test_a_user_can_check_them(image, tiny, tmp_path):
    """The commands that stand in pxhv.sum itself."""
    path = image(KERNEL=tiny("hlt"))
    subprocess.run(["mcopy", "-s", "-n", "-i", f"{path}@@{machine.PARTITION}", "::/",
                    str(tmp_path / "stick")], check=True)
    text = (tmp_path / "stick" / "pxhv.sum").read_text()
    command = "\n".join(line.removeprefix("#").strip() for line in text.splitlines()
                        if line.startswith("#   "))

    def check():
        return subprocess.run(["sh", "-c", command], cwd=tmp_path / "stick", check=True,
                              capture_output=True, text=True).stdout

    assert check() == ""
    (tmp_path / "stick" / "pxhv.cfg").write_text("else")
    assert check() == "pxhv.cfg differs\n"


# --- GRUB's ISO: the VMM compares ---------------------------------------------------------------

@pytest.fixture
def disc(tmp_path, tiny):
    return machine.make_image(str(tmp_path / "own.iso"), KERNEL=tiny("cpuid"), DISK=tiny("hlt"))


def files_of(result):
    """What the VMM said about each."""
    return dict(re.findall(r"^  (\S+) +\d+ KiB  (.*)$", result.text, re.M))


def test_files_of_make_iso_are_all_right(disc):
    result = machine.run(disc, AMDV, disk="cd")
    assert files_of(result) == {"pxhv.cfg": "ok", "vmlinuz": "ok", "disk.img": "ok"}, result
    assert "tiny: PASS cpuid" in result.text, result


@pytest.mark.parametrize("platform", [AMDV, pytest.param(UEFI, marks=pytest.mark.full)],
                         ids=["bios", "uefi"])
def test_damaged_file_of_an_iso_is_named_and_stops(disc, tiny, platform):
    with open(tiny("hlt"), "rb") as file:
        flip_a_bit(disc, file.read())
    result = machine.run(disc, platform, disk="cd")
    assert files_of(result) == {"pxhv.cfg": "ok", "vmlinuz": "ok", "disk.img": "DAMAGED"}, result
    assert re.search(r'error: the file "disk\.img" is damaged on the stick: its checksum is not that '
                     r"in pxhv\.sum: .*; if you changed it, remove the line of pxhv\.sum from GRUB",
                     result.text), result


def test_files_that_grub_reads_elsewhere_are_noted(console, disc):
    """Another configuration under the name pxhv.cfg, and a file that isn't listed."""
    one = console(AMDV, grub.that_waits(disc), disk="cd")
    one.expect("pxHV with a verbose log")
    one.line.send("c")
    for line in ("multiboot2 /pxhv.elf", "module2 /pxhv.sum pxhv.sum",
                 "module2 /verbose.cfg pxhv.cfg", "module2 /vmlinuz vmlinuz",
                 "module2 /disk.img disk.img", "module2 /pxhv.sum other"):
        one.expect("grub> ")
        one.line.send(line + "\r")
    one.expect("grub> ")
    one.line.send("boot\r")
    one.expect(r"  pxhv\.cfg +1 KiB  ok, changed by hand")
    one.expect(r"  vmlinuz +\d+ KiB  ok\r*\n")
    one.expect(r"  other +\d+ KiB  ok, added by hand")
    one.expect("tiny: PASS cpuid")
