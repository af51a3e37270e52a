"""boot/usb.sh, on loop devices: what it refuses, what it asks, and what it leaves on the stick."""

import os
import subprocess

import pexpect
import pytest

import machine

SCRIPT = os.path.join(machine.ROOT, "boot", "usb.sh")
MIB = 1 << 20


class Stick:
    def __init__(self, path, device):
        self.path = path
        self.device = device
        self.name = os.path.basename(device)

    def bytes(self):
        with open(self.path, "rb") as file:
            return file.read()


@pytest.fixture
def stick(tmp_path):
    """A function that makes a loop device of some MiB of 5Ah."""
    made = []

    def make(mib=48, *options):
        path = tmp_path / f"stick{len(made)}"
        path.write_bytes(b"\x5a" * (mib * MIB))
        done = subprocess.run(["losetup", "-f", "--show", *options, path], capture_output=True,
                              text=True)
        if done.returncode:
            pytest.skip(f"no loop devices here: {done.stderr.strip()}")
        made.append(Stick(path, done.stdout.strip()))
        return made[-1]
    yield make
    for one in made:
        subprocess.run(["losetup", "-d", one.device], check=False)


@pytest.fixture
def own(tmp_path, tiny):
    return machine.make_image(str(tmp_path / "own.img"), KERNEL=tiny("cpuid"))


def refused(*arguments, words):
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and words in done.stderr, (done.stdout, done.stderr)
    return done


def write(own, stick, answer=None, environment=None):
    """Runs it to its end; what it said, and its exit code."""
    child = pexpect.spawn(SCRIPT, ["--force", own, stick.device], timeout=600, encoding="utf-8",
                          env=environment)
    child.expect("Type its name, .*: ")
    said = child.before
    child.sendline(stick.name if answer is None else answer)
    child.expect(pexpect.EOF)
    child.wait()  # close() would hang up on a shell that is not gone yet
    child.close()
    return said + child.before, child.exitstatus


def test_stick_is_written_and_compared(own, stick):
    one = stick()
    said, code = write(own, one)
    assert code == 0, said
    assert f"{one.device}: no model name, 48M, with\r\n  no partitions" in said, said
    assert "all that is on it will be lost" in said
    assert "written and compared" in said, said
    with open(own, "rb") as file:
        image = file.read()
    assert one.bytes() == image + b"\x5a" * (48 * MIB - len(image))


def test_partitions_are_shown(own, stick):
    one = stick(48, "-P")
    subprocess.run(["sfdisk", "-q", one.device], input="start=2048,size=8192,type=c\n", text=True,
                   check=True)
    subprocess.run(["partx", "-u", one.device], check=False, capture_output=True)
    if not os.path.isdir(f"/sys/block/{one.name}/{one.name}p1"):
        pytest.skip("the kernel shows no partitions of loop devices")
    said, _ = write(own, one, answer="no")
    assert f"{one.name}p1" in said and "4M" in said, said


@pytest.mark.parametrize("answer", ["y", "yes", "", "loop", "/dev/loop0"])
def test_another_answer_writes_nothing(own, stick, answer):
    one = stick()
    said, code = write(own, one, answer=answer)
    assert code == 1 and "nothing was written" in said, said
    assert one.bytes() == b"\x5a" * (48 * MIB)


def test_no_answer_writes_nothing(own, stick):
    one = stick()
    refused("--force", own, one.device, words="nothing was written")
    assert one.bytes() == b"\x5a" * (48 * MIB)


def test_fixed_disk_is_refused_without_force(own, stick):
    refused(own, stick().device, words="is neither removable nor on USB: with --force")


def test_small_disk_is_refused(own, stick):
    refused("--force", own, stick(8).device, words="is too small: it has 8 MiB, the image 4")


def test_write_protected_disk_is_refused(own, stick):
    refused("--force", own, stick(48, "-r").device, words="is write-protected")


def test_disk_with_other_sectors_is_refused(own, stick):
    refused("--force", own, stick(48, "-b", "4096").device, words="has sectors of 4096 bytes")


@pytest.mark.parametrize("places", (1, 2))
def test_mounted_disk_is_refused(own, stick, tmp_path, places):
    """A partition may be mounted in several places, the running system's one of them."""
    one = stick()
    subprocess.run(["mke2fs", "-q", one.device], check=True, capture_output=True)
    mounted = []
    try:
        for n in range(places):
            where = tmp_path / f"mounted{n}"
            where.mkdir()
            if subprocess.run(["mount", one.device, where], capture_output=True).returncode:
                pytest.skip("nothing can be mounted here")
            mounted.append(where)
        done = refused("--force", own, one.device, words="is in use: unmount it first (")
        told = done.stderr.split("(")[1].split(")")[0].split()
        assert sorted(told) == [str(where) for where in mounted], done.stderr
    finally:
        for where in mounted:
            subprocess.run(["umount", where], check=True)


def test_disk_of_the_running_system_is_refused(own):
    source = subprocess.run(["findmnt", "-no", "SOURCE", "/"], capture_output=True,
                            text=True).stdout.strip()
    disks = subprocess.run(["lsblk", "-nspo", "NAME,TYPE", source], capture_output=True,
                           text=True).stdout.split("\n")
    disk = [line.split()[0].lstrip("`-|└─") for line in disks if line.endswith(" disk")]
    if not disk:
        pytest.skip(f"/ is on {source}, which is no disk")
    refused("--force", own, disk[0], words="holds the running system")


@pytest.mark.parametrize("device, words", [
    ("/dev/null", "is no disk"),
    ("/dev/sdnone", "is not there. These disks are: "),
    ("/", "is no disk"),
    ("", "usage: ./build.sh usb"),
])
def test_what_is_no_disk_is_refused(own, device, words):
    refused("--force", own, device, words=words)


def test_stick_that_forgets_is_named(own, stick, tmp_path):
    """A dd that damages one byte behind every write stands for a worn stick."""
    one = stick()
    liar = tmp_path / "bin" / "dd"
    liar.parent.mkdir()
    liar.write_text('#!/bin/sh\n/bin/dd "$@" || exit\ncase $* in *of=*) printf "\\125" |\n'
                    f'/bin/dd of={one.device} bs=1 seek=3000000 conv=notrunc,fsync status=none ;;'
                    ' esac\n')
    liar.chmod(0o755)
    said, code = write(own, one, environment={**os.environ,
                                              "PATH": f"{liar.parent}:{os.environ['PATH']}"})
    assert code == 1 and "differ: char 3000001" in said, said
    assert "doesn't keep what is written to it" in said, said
