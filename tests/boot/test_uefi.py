"""UEFI starts the stick's own loader; GRUB starts the ISO on UEFI and on a BIOS."""

import os
import re
import subprocess

import pytest

import grub
import machine
from machine import passes
from platforms import AMDV, UEFI
from qemu import TCG_CPU

IMAGE = os.path.join(machine.BUILD, "pxhv.img")
ISO = os.path.join(machine.BUILD, "pxhv.iso")

# What QEMU's machine "q35" lets one leave out: a PC without the old parts.
LEGACY_FREE = "q35,pit=off,i8042=off,hpet=off"

DOWN = "\x0e"  # one byte: GRUB waits only a moment for the rest of an arrow key's


@pytest.fixture
def disc(tmp_path, tiny):
    """A function that builds an ISO of this test's own."""
    def make(**variables):
        return machine.make_image(str(tmp_path / "own.iso"), KERNEL=tiny("cpuid"), **variables)
    return make


# --- every firmware, every disk, both media -----------------------------------------------------

MEDIA = {"img": IMAGE, "iso": ISO}
IN_MAKE_TEST = [("uefi", "usb", "img")]


def matrix():
    for firmware in ("bios", "uefi"):
        for disk in ("usb", "ide", "ahci", "nvme", "cd"):
            for medium in ("img", "iso"):
                if (disk, medium) == ("cd", "img"):
                    continue  # a CD's sectors have another size
                case = (firmware, disk, medium)
                marks = () if case in IN_MAKE_TEST else pytest.mark.full
                yield pytest.param(*case, marks=marks, id="-".join(case))


@pytest.mark.parametrize("firmware, disk, medium", matrix())
def test_boots_to_the_shell(console, firmware, disk, medium):
    platform = UEFI if firmware == "uefi" else AMDV
    one = console(platform, MEDIA[medium], disk=disk)
    one.wait_for_shell()
    assert "16384" in one.shell("grep vda$ /proc/partitions")
    assert "error: " not in one.log
    if medium == "img":
        assert len(re.findall(r"B  ok\r*$", one.log, re.M)) == 6, one.log


# --- our own loader -----------------------------------------------------------------------------

def test_uefi_says_what_a_bios_boot_says(stick):
    result = passes(machine.run(stick, UEFI))
    said = ["Pixel Hypervisor v", "Stage 2: Hypervisor loader", "UEFI 2.", "AMD-V supported",
            "  pxhv.sum ", "  pxhv.cfg ", "  pxhv.elf ", "  vmlinuz ", "Long mode enabled",
            UEFI.enabled]
    assert [line for line in said if line not in result.text] == [], result
    places = [result.text.index(line) for line in said]
    assert places == sorted(places), result
    # Each once: the firmware's own serial console doesn't repeat them.
    assert result.text.count("Stage 2: Hypervisor loader") == 1, result
    # By the ACPI tables, whose root only the firmware's configuration table tells.
    assert "acpi: power-off by S5" in result.text, result


def test_uefi_obeys_an_edited_configuration(image, tiny):
    """Another name for the machine, and a kernel in a folder, in letters that aren't ASCII."""
    def edit(text):
        return text.replace("[vm linux]", "[vm edited]").replace("= vmlinuz", f"= {kernel}")

    kernel = "EFI/my kernels/größter Kern"
    path = image(KERNEL=tiny("cpuid"), edit=edit)
    volume = ["-i", f"{path}@@{machine.PARTITION}"]
    for command in (["mmd", *volume, "::/EFI/my kernels"],
                    ["mcopy", *volume, tiny("cpuid"), f"::/{kernel}"]):
        subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    result = passes(machine.run(path, UEFI))
    assert "entering edited with AMD-V" in result.text, result
    assert re.search(r"pxhv\.cfg +\d+ B  ok, changed by hand", result.text), result


def test_uefi_of_a_large_machine_without_the_old_parts(stick):
    """Three CPUs, memory above 4 GiB, and no PIT, i8042, HPET or VGA."""
    result = passes(machine.run(stick, UEFI, machine=LEGACY_FREE, megs=6144,
                                arguments=["-vga", "none", "-smp", "3"]))
    assert re.search("TSC at .* by ACPI PM timer", result.text), result
    assert "no i8042" in result.text, result
    usable = int(re.search(r"memory: (\d+) MiB usable", result.text).group(1))
    assert 6000 < usable < 6144, result


REFUSALS = {
    "no_config": (lambda path: machine.delete_file(path, "pxhv.cfg"),
                  r'error: the file "pxhv\.cfg" is not on this stick: copy it to the stick.s top'),
    "bad_config": (lambda path: machine.write_file(path, "pxhv.cfg", "[vm x]\nkernal = vmlinuz\n"),
                   r"error: pxhv\.cfg line 2: "),
    "no_elf": (lambda path: machine.write_file(path, "pxhv.elf", "MZ"),
               r"error: pxhv\.elf can't be started: it is not an ELF file"),
    "folder": (lambda path: machine.write_file(path, "pxhv.cfg", "[vm x]\nkernel = EFI\n"),
               r'error: "EFI" is a folder where a file is needed'),
    "empty": (lambda path: machine.write_file(path, "vmlinuz", ""),
              r'error: the file "vmlinuz" is empty'),
}


@pytest.mark.full
@pytest.mark.parametrize("what", REFUSALS)
def test_uefi_refuses_in_one_sentence(console, stick, what):
    edit, sentence = REFUSALS[what]
    edit(stick)
    one = console(UEFI, stick)
    one.expect(sentence)
    one.expect(r"Press any key to go back to the firmware\.")


def test_uefi_refuses_and_goes_back_to_the_firmware(console, stick):
    machine.delete_file(stick, "vmlinuz")
    one = console(UEFI, stick)
    one.expect('error: the file "vmlinuz" named by pxhv.cfg is not on this stick: copy it there')
    one.expect("Press any key to go back to the firmware")
    one.machine.press("spc")
    one.expect("UEFI Interactive Shell|BdsDxe: failed to start")


# --- GRUB ---------------------------------------------------------------------------------------

def choose(one, entry):
    """Takes an entry of GRUB's menu, on its serial console."""
    one.expect("Test this machine's memory|pxHV with a verbose log")
    one.line.send(DOWN * entry + "\r")


@pytest.mark.parametrize("platform", [AMDV, UEFI], ids=["bios", "uefi"])
def test_menu_has_a_verbose_log(console, disc, platform):
    one = console(platform, grub.that_waits(disc(CMDLINE="quiet")), disk="cd")
    choose(one, 1)
    one.expect("started by a multiboot2 loader")
    one.expect(r"  pxhv\.cfg +1 KiB  ok\r*\n")
    one.expect("vm: .* KiB of RAM at")  # a line that is below the usual level
    one.expect("tiny: PASS cpuid")
    assert one.wait_for_end()


def test_menu_without_a_configuration(console, disc):
    one = console(AMDV, grub.that_waits(disc()), disk="cd")
    one.expect("pxHV with a verbose log")
    one.line.send("c")
    one.expect("grub> ")
    one.line.send("multiboot2 /pxhv.elf\r")
    one.expect("grub> ")
    one.line.send("boot\r")
    one.expect('error: GRUB gave no pxhv.cfg: its menu needs a line "module2 /pxhv.cfg pxhv.cfg"')


def test_menu_without_a_file(console, disc):
    one = console(AMDV, grub.that_waits(disc()), disk="cd")
    one.expect("pxHV with a verbose log")
    one.line.send("c")
    for line in ("multiboot2 /pxhv.elf", "module2 /pxhv.cfg pxhv.cfg"):
        one.expect("grub> ")
        one.line.send(line + "\r")
    one.expect("grub> ")
    one.line.send("boot\r")
    one.expect("no pxhv.sum in GRUB's menu entry: files are not checked")
    one.expect('error: the boot loader did not hand over the file "vmlinuz" that pxhv.cfg names')


def test_menu_on_a_32_bit_cpu(disc):
    result = machine.run(disc(), AMDV, disk="cd", cpu="qemu32")
    assert "error: this CPU has no long mode: pxHV needs a 64-bit CPU" in result.text, result


def test_what_firmware_had_on_in_cr4_is_off(disc):
    """A loader leaves long mode without clearing CR4: here five-level paging and global pages."""
    commands = ["set $cr4 = $cr4 | 0x1080", "hbreak vmm_main", "continue",
                "monitor info registers"]
    started = AMDV.start_and_break(disc(), commands, at="multiboot2_entry", disk="cd",
                                   cpu=TCG_CPU + ",+la57")
    passes(machine.listen(AMDV, started))
    assert re.search(r"CR4=00000020\b", started.gdb_output), started.gdb_output


@pytest.mark.full
@pytest.mark.parametrize("platform", [AMDV, UEFI], ids=["bios", "uefi"])
def test_menu_tests_the_memory(console, platform):
    if not os.path.exists("/boot/memtest86+x64.bin"):
        pytest.skip("memtest86+ is not installed")
    one = console(platform, ISO, disk="cd")
    choose(one, 2)
    one.expect("Memtest86")
