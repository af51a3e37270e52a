"""What is wrong with the stick or the machine is said in one clear line, on the serial line too,
that names the file or the feature; and nothing goes on."""

import os
import re
import struct

import pytest

import machine
import bochs  # found through platforms
from platforms import AMDV, VTX


def refused(result, *words):
    """One line of the output is an error and holds all the words."""
    lines = [line for line in result.text.splitlines() if "error: " in line]
    assert lines, result
    assert any(all(re.search(word, line) for word in words) for line in lines), (words, result)
    assert "entering linux" not in result.text or "tiny: " not in result.text, result


# --- files --------------------------------------------------------------------------------------

def edited(old, new):
    def edit(text):
        assert old in text
        return text.replace(old, new)
    return edit


def test_missing_kernel_file(image, tiny):
    path = image(edit=edited("= vmlinuz ", "= nothere.bin "), KERNEL=tiny("hlt"))
    refused(machine.run(path), "nothere.bin")


def test_missing_disk_file(image, tiny, tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    path = image(edit=edited("= disk.img ", "= disk9.img "), KERNEL=tiny("hlt"), DISK=disk)
    refused(machine.run(path), "disk9.img")


def test_missing_configuration(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    machine.delete_file(path, "pxhv.cfg")
    refused(machine.run(path), "pxhv.cfg")


def test_missing_vmm(image, tiny):
    path = image(KERNEL=tiny("hlt"))
    machine.delete_file(path, "pxhv.elf")
    refused(machine.run(path), "pxhv.elf")


@pytest.mark.parametrize("line, words", [
    ("nonsense", ["pxhv.cfg", "line 6"]),
    ("colour = blue", ["line 6", "colour"]),
    ("memory = plenty", ["line 6"]),
    ("[vm two]", ["line 6"]),
    ("kernel = vmlinuz", ["line 6", "kernel"]),
])
def test_bad_line_in_the_configuration(image, tiny, line, words):
    # Line 6 of a file whose first five lines are right.
    path = image(edit=lambda text: "".join(text.splitlines(True)[:3]) + "\n; filler\n" + line + "\n",
                 KERNEL=tiny("hlt"))
    refused(machine.run(path), *words)


def test_truncated_kernel(image, tmp_path):
    kernel = tmp_path / "vmlinuz"
    with open(os.path.join(machine.BUILD, "guest", "vmlinuz"), "rb") as file:
        kernel.write_bytes(file.read(1 << 20))
    refused(machine.run(image(KERNEL=kernel)), "vmlinuz", "truncated")


def test_kernel_that_is_no_linux(image, tmp_path):
    kernel = tmp_path / "kernel"
    kernel.write_bytes(bytes(range(256)) * 64)
    refused(machine.run(image(KERNEL=kernel)), "vmlinuz", "not a Linux")


def test_damaged_header(image, tiny, tmp_path):
    kernel = tmp_path / "kernel"
    with open(tiny("hlt"), "rb") as file:
        data = bytearray(file.read())
    struct.pack_into("<H", data, 0x206, 0x0205)  # boot protocol 2.05
    kernel.write_bytes(data)
    refused(machine.run(image(KERNEL=kernel)), "vmlinuz", r"2\.06")


def test_initrd_that_does_not_fit(image, tiny, tmp_path):
    initrd = tmp_path / "initrd"
    initrd.write_bytes(bytes(20 << 20))
    refused(machine.run(image(KERNEL=tiny("hlt"), INITRD=initrd, MEMORY="16M")),
            "initrd.img", "memory")


def test_too_little_memory_for_the_kernel(image):
    kernel = os.path.join(machine.BUILD, "guest", "vmlinuz")
    refused(machine.run(image(KERNEL=kernel, MEMORY="16M")), "vmlinuz", "memory")


def test_more_memory_than_the_machine_has(image, tiny):
    refused(machine.run(image(KERNEL=tiny("hlt"), MEMORY="1G"), megs=256), "memory")


def test_machine_too_small_for_the_files(image, tiny, tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(48 << 20))
    refused(machine.run(image(KERNEL=tiny("hlt"), DISK=disk), megs=32), "disk.img|memory")


# --- machines -----------------------------------------------------------------------------------

@pytest.mark.parametrize("model, words", [
    ("pentium", ["[Ll]ong mode|64-bit"]),
    ("p3_katmai", ["[Ll]ong mode|64-bit"]),
    ("core_duo_t2400_yonah", ["[Ll]ong mode|64-bit"]),
    ("p4_prescott_celeron_336", ["VT-x"]),
    ("athlon64_venice", ["VT-x|AMD-V"]),
    ("core2_penryn_t9600", ["EPT|TRUE|unrestricted"]),
    ("corei5_lynnfield_750", ["unrestricted guest"]),
])
def test_processor_without_a_feature(image, tiny, model, words):
    refused(machine.run(image(KERNEL=tiny("hlt")), VTX, model=model), *words)


@pytest.mark.parametrize("cpu, words", [
    ("pentium3", ["[Ll]ong mode|64-bit"]),
    ("EPYC,-svm", ["neither VT-x nor AMD-V"]),
    ("EPYC,+svm,-npt", ["AMD-V lacks nested paging"]),
])
def test_amd_processor_without_a_feature(image, tiny, cpu, words):
    refused(machine.run(image(KERNEL=tiny("hlt")), AMDV, cpu=cpu), *words)


def test_virtualization_locked_off_by_firmware(image, tiny, tmp_path):
    """Bochs' BIOS sets IA32_FEATURE_CONTROL to 5, locked with VMX on: a copy of it sets 1."""
    with open(bochs.BIOS, "rb") as file:
        bios = file.read()
    # rdmsr; or eax, 5; wrmsr, in 16-bit and in 32-bit code.
    for old in (b"\x0f\x32\x66\x83\xc8\x05\x0f\x30", b"\x0f\x32\x83\xc8\x05\x0f\x30"):
        assert bios.count(old) == 1
        bios = bios.replace(old, old.replace(b"\xc8\x05", b"\xc8\x01"))
    patched = tmp_path / "bios"
    patched.write_bytes(bios)
    refused(machine.run(image(KERNEL=tiny("hlt")), bios=patched), "VT-x", "firmware|BIOS|setup")
