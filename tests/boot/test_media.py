"""The stick behind every kind of disk that QEMU's BIOS boots from, sticks that fail, and BIOSes that
call the boot sector in their own way. Bochs' IDE disk is what all the other files boot from."""

import os
import re
import struct
import time

import pytest

import machine
from machine import passes
from platforms import AMDV, AMDV_Q35

BOOT_INFO = 0x36000
SCREEN = 0xB8000

# Disks that QEMU has and guest/qemu.py doesn't name.
SCSI = ["-device", "virtio-scsi-pci,id=scsi", "-device", "scsi-hd,drive=stick,bus=scsi.0"]
UHCI = ["-device", "piix3-usb-uhci,id=uhci", "-device", "usb-storage,drive=stick,bus=uhci.0"]
HUB = ["-device", "qemu-xhci,id=xhci", "-device", "usb-hub,bus=xhci.0,port=1",
       "-device", "usb-storage,drive=stick,bus=xhci.0,port=1.2"]


@pytest.fixture
def blank(tmp_path):
    """A disk that isn't ours, and has no boot sector."""
    path = tmp_path / "blank"
    path.write_bytes(bytes(8 << 20))
    return str(path)


def beside(blank, stick, device="virtio-blk-pci", drive="format=raw,file="):
    """QEMU's arguments for the stick as the disk to boot, with the blank one before it."""
    return dict(image=blank, platform=AMDV, disk="ide",
                arguments=["-drive", f"if=none,id=stick,{drive}{stick}",
                           "-device", f"{device},drive=stick,bootindex=1"])


# --- disks --------------------------------------------------------------------------------------

@pytest.mark.parametrize("disk", ["ide", "virtio", "nvme", "ahci", "usb", "ehci"])
def test_disk_on_pc(stick, disk):
    passes(machine.run(stick, AMDV, disk=disk))


@pytest.mark.parametrize("disk", ["ide", "usb"])  # "ide" on q35 is AHCI
def test_disk_on_q35(stick, disk):
    passes(machine.run(stick, AMDV_Q35, disk=disk))


@pytest.mark.parametrize("arguments", [SCSI, UHCI, HUB], ids=["scsi", "uhci", "hub"])
def test_disk_by_hand(stick, blank, arguments):
    passes(machine.run(blank, AMDV, arguments=[
        "-drive", f"if=none,id=stick,format=raw,file={stick}", *arguments[:-1],
        arguments[-1] + ",bootindex=1"]))


def test_disk_of_others_comes_first(stick, blank):
    passes(machine.run(**beside(blank, stick)))


def test_linux_from_a_usb_stick(console):
    """Thirty megabytes by the BIOS's USB driver, and every checksum right."""
    one = console(AMDV, os.path.join(machine.BUILD, "pxhv.img"), disk="usb", machine="q35")
    one.wait_for_shell()
    assert len(re.findall(r"B  ok\r*$", one.log, re.M)) == 6, one.log
    assert "16384" in one.shell("grep vda$ /proc/partitions")


# --- BIOSes -------------------------------------------------------------------------------------

@pytest.fixture
def chain(tmp_path):
    """A first disk whose boot sector starts the second disk's, in the ways of media/chain.asm."""
    def make(dl, **defines):
        path = tmp_path / "chain"
        machine.chain_sector(path, DL=dl, **defines)
        with open(path, "r+b") as file:
            file.truncate(8 << 20)
        return str(path)
    return make


def second_disk(path):
    return ["-drive", f"file={path},format=raw,snapshot=on,if=virtio"]


@pytest.mark.parametrize("dl, code", [
    (0x00, "01"),  # a floppy's
    (0x80, "00"),  # the disk's that chain-loads
    (0x8E, "01"),  # none's
    (0xFF, "01"),
])
def test_wrong_boot_drive(console, stick, chain, dl, code):
    one = console(AMDV, chain(dl), disk="virtio",
                  arguments=second_disk(stick))
    one.expect("tiny: PASS cpuid")
    assert one.wait_for_end()
    assert f"pxHV: error: no stage 2, INT 13h code {code}\r\nJumping" in one.log, one.log


@pytest.mark.parametrize("bpb, segment", [(1, 0), (0, 0x7C0), (1, 0x7C0)])
def test_strange_entry(stick, chain, bpb, segment):
    passes(machine.run(chain(0x81, BPB=bpb, SEGMENT=segment), AMDV, disk="virtio",
                       arguments=second_disk(stick)))


def test_own_stick_is_told_from_another_of_ours(stick, chain, tmp_path, tiny):
    """DL names a third disk, which is one of ours, too: its stage 2 runs, and finds the second."""
    other = machine.make_image(str(tmp_path / "other.img"), KERNEL=tiny("pio"))
    passes(machine.run(chain(0x82), AMDV, disk="virtio",
                       arguments=second_disk(stick) + second_disk(other)))


def test_bios_without_packet_reads_is_refused(console, stick, chain):
    """It can read by cylinder, head and sector only. One line, then nothing more."""
    one = console(AMDV, chain(0x81, MOST=0), disk="virtio",
                  arguments=second_disk(stick))
    one.expect("pxHV: error: no stage 2, INT 13h code 01\r\n")
    assert not one.wait_for_end(3)
    assert one.log.count("error") == 1 and one.log.endswith("code 01\r\n"), one.log


@pytest.mark.parametrize("most", [126, 64, 63, 1])
def test_bios_that_reads_short_packets_only(stick, chain, most):
    passes(machine.run(chain(0x81, MOST=most), AMDV, disk="virtio",
                       arguments=second_disk(stick)))


def test_bios_with_a_long_memory_map(stick, chain):
    """150 entries before those that tell of memory; they make one range."""
    passes(machine.run(chain(0x81, E820=150), AMDV, disk="virtio", arguments=second_disk(stick)),
           r"memory: 5\d\d MiB usable")


def test_no_disk_has_stage_2(stick, tmp_path):
    path = tmp_path / "sector"
    with open(stick, "rb") as file:
        path.write_bytes(file.read(512) + bytes(1 << 20))
    result = machine.run(str(path), AMDV)
    assert "pxHV: error: no stage 2, INT 13h code 00\n" in result.text, result
    assert not result.ended and "Jumping" not in result.text, result


# --- errors -------------------------------------------------------------------------------------

@pytest.fixture
def failing(stick, blank, tmp_path, tiny):
    """Starts a machine whose stick can't read the kernel's sector: once, or never."""
    def make(once, edit=None):
        with open(stick, "rb") as file, open(tiny("cpuid"), "rb") as kernel:
            sector = file.read().index(kernel.read()) // 512
        path = tmp_path / "errors"
        path.write_text('[inject-error]\nevent = "read_aio"\nerrno = "5"\n'
                        f'sector = "{sector}"\nonce = "{once}"\n')
        result = machine.run(**beside(
            blank, stick, drive=f"driver=raw,file.driver=blkdebug,file.config={path},"
                                "file.image.driver=file,file.image.filename="))
        return result, sector
    return make


def test_read_error_that_goes_away_is_told(failing):
    result, _ = failing("on")
    passes(result)
    assert "1 reads failed at first (INT 13h code 0Ch, a bad track)" in result.text, result


def test_read_error_is_named(failing):
    result, sector = failing("off")
    assert re.search(rf'error: the BIOS can\'t read "vmlinuz" \(drive 80h, sector {sector}, INT 13h '
                     r"code 0Ch, a bad track\): .*write it again", result.text), result


def test_stick_cut_short(stick, blank, tiny):
    with open(stick, "r+b") as file, open(tiny("cpuid"), "rb") as kernel:
        file.truncate(file.read().index(kernel.read()) // 512 * 512)
    result = machine.run(**beside(blank, stick))
    assert re.search(r'error: the BIOS can\'t read ".*" .* cut short', result.text), result


# --- what is shown and kept ---------------------------------------------------------------------

def memory(one, tmp_path, address, size):
    path = tmp_path / "memory"
    one.machine.qmp("pmemsave", val=address, size=size, filename=str(path))
    return path.read_bytes()


def screen(one, tmp_path):
    cells = memory(one, tmp_path, SCREEN, 4000)
    text = cells[::2].decode("cp437")
    return [text[row * 80:row * 80 + 80].rstrip() for row in range(25)]


def test_progress_is_shown_while_a_file_is_read(console, blank, tmp_path):
    """The stick is so slow that the bar is seen to grow."""
    options = beside(blank, os.path.join(machine.BUILD, "pxhv.img"),
                     drive="throttling.bps-read=500000,snapshot=on,format=raw,file=")
    one = console(options.pop("platform"), options.pop("image"), **options)
    one.expect("pxhv.elf")
    seen = set()
    late = time.monotonic() + 600
    while len(seen) < 3:
        assert time.monotonic() < late, seen
        rows = screen(one, tmp_path)
        assert not any(row.startswith("  initrd.img") for row in rows), (seen, rows)
        for line in rows:
            found = re.match(r"  vmlinuz +\d+\.\d MiB  \[(#*) *\] +[0-9.]+ MiB/s$", line)
            if found:
                seen.add(len(found.group(1)))
    one.machine.qmp("block_set_io_throttle", device="stick", bps=0, bps_rd=0, bps_wr=0, iops=0,
                    iops_rd=0, iops_wr=0)
    one.expect("6 files +[0-9.]+ MiB  [0-9.]+ MiB/s")


def test_what_the_loader_said_is_handed_over(console, stick, tmp_path):
    one = console(AMDV, stick, arguments=["-no-shutdown"])  # it is looked at when the guest is off
    one.expect("entering linux")
    address, size, loader = struct.unpack_from("<QII", memory(one, tmp_path, BOOT_INFO, 96), 80)
    log = memory(one, tmp_path, address, size).decode()
    assert loader == 1
    assert log.startswith("pxHV: Pixel Hypervisor v"), log
    assert log == one.log.replace("\r", "")[:len(log)]
    assert log.endswith("Long mode enabled\n"), log
