"""`make image` with files of one's own, and a stick that was edited by hand."""

import hashlib
import os
import subprocess

import machine


def make(*arguments):
    return subprocess.run(["make", "--no-print-directory", *arguments], cwd=machine.ROOT,
                          capture_output=True, text=True)


def test_only_what_is_given_is_in_the_guest(tmp_path, tiny):
    out = tmp_path / "own.img"
    done = make("image", f"KERNEL={tiny('hlt')}", "CMDLINE=console=ttyS0 quiet", "MEMORY=48M",
                f"OUT={out}")
    assert done.returncode == 0, done.stderr
    config = machine.read_file(out, "pxhv.cfg")
    lines = [line.split(";")[0].split("=", 1) for line in config.splitlines() if "=" in line]
    keys = {key.strip(): value.strip() for key, value in lines}
    assert keys == {"kernel": "vmlinuz", "cmdline": "console=ttyS0 quiet", "memory": "48M"}
    result = machine.run(str(out))
    assert "tiny: PASS hlt" in result.text and result.ended, result


def test_same_input_gives_the_same_bytes(tmp_path, tiny):
    sums = []
    for number in (1, 2):
        out = tmp_path / f"{number}.img"
        assert make("image", f"KERNEL={tiny('hlt')}", f"OUT={out}").returncode == 0
        sums.append(hashlib.sha256(out.read_bytes()).hexdigest())
    assert sums[0] == sums[1]


def test_missing_file_is_named(tmp_path):
    done = make("image", "KERNEL=/nowhere/vmlinuz", f"OUT={tmp_path / 'own.img'}")
    assert done.returncode != 0
    assert "/nowhere/vmlinuz" in done.stderr
    assert not (tmp_path / "own.img").exists()


def test_bad_size_is_named(tmp_path, tiny):
    done = make("image", f"KERNEL={tiny('hlt')}", "MEMORY=lots", f"OUT={tmp_path / 'own.img'}")
    assert done.returncode != 0
    assert "MEMORY='lots'" in done.stderr


def test_edited_stick_takes_effect(image, tiny):
    """Another kernel is copied onto the stick and pxhv.cfg is pointed at it."""
    path = image(KERNEL=tiny("hlt"), MEMORY="32M")
    with open(tiny("cpuid"), "rb") as file:
        subprocess.run(["mcopy", "-i", f"{path}@@{machine.PARTITION}", "-", "::/other.bin"],
                       input=file.read(), check=True)
    config = machine.read_file(path, "pxhv.cfg").replace("= vmlinuz ", "= other.bin ")
    # As a Windows editor writes it.
    machine.write_file(path, "pxhv.cfg", config.replace("\n", "\r\n"))
    result = machine.run(path)
    assert "tiny: PASS cpuid" in result.text, result


def test_own_linux_with_two_disks(platform, tmp_path, image, console):
    """A whole guest of files given by hand, its command line edited on the stick."""
    files = os.path.join(machine.BUILD, "guest")
    second = tmp_path / "second.img"
    second.write_bytes(b"second disk".ljust(512, b".") * 2048)
    path = image(edit=lambda text: text.replace("quiet", "quiet marker=edited"),
                 KERNEL=f"{files}/vmlinuz", INITRD=f"{files}/initrd.img",
                 DISK=f"{files}/disk.img {second}", CMDLINE="console=ttyS0 quiet", MEMORY="192M")
    guest = console(platform, path)
    guest.wait_for_shell()
    assert "quiet marker=edited" in guest.shell("cat /proc/cmdline")
    wanted = hashlib.md5(second.read_bytes()).hexdigest()
    assert wanted in guest.shell("md5sum /dev/vdb")
    assert "16384" in guest.shell("grep vda$ /proc/partitions")
    guest.line.send("poweroff\n")
    assert guest.wait_for_end(), guest.log[-2000:]
