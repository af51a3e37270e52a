"""A pxHV image on an emulated PC, as the boot tests see it: its serial line and its end."""

import os
import re
import subprocess
import time

import pexpect

from platforms import BUILD, ROOT, VTX
from line import Line  # found through platforms

PARTITION = 2048 * 512

# Whatever pxHV says when it is over and the machine is not.
STOPPED = re.compile(r"error: .*\n|Press r to restart|as an issue of the project", re.I)
# And the last line of all, where there is one.
LAST = re.compile(r"The machine can be switched off now\.\n|Press (r to restart it|any key).*\n")
SILENCE_S = 2  # where there is none


def make_image(out, edit=None, **variables):
    """An image as `make image` builds it, or with .iso at its end, `make iso`. `edit` turns the text of pxhv.cfg into another."""
    known = ("KERNEL", "INITRD", "DISK", "CMDLINE", "MEMORY", "QUIET")
    environment = {k: v for k, v in os.environ.items() if k not in known}
    environment.update({k: str(v) for k, v in variables.items()}, BUILD=BUILD)
    subprocess.run(["guest/image.sh", out], cwd=ROOT, env=environment, check=True,
                   capture_output=True, text=True)
    if edit:
        write_file(out, "pxhv.cfg", edit(read_file(out, "pxhv.cfg")))
    return out


def read_file(image, name):
    """A file of the stick, with mtools as a user would."""
    return subprocess.run(["mtype", "-i", f"{image}@@{PARTITION}", f"::/{name}"], check=True,
                          capture_output=True, text=True).stdout


def write_file(image, name, text):
    subprocess.run(["mcopy", "-o", "-i", f"{image}@@{PARTITION}", "-", f"::/{name}"], check=True,
                   input=text, capture_output=True, text=True)


def delete_file(image, name):
    subprocess.run(["mdel", "-i", f"{image}@@{PARTITION}", f"::/{name}"], check=True,
                   capture_output=True)


def chain_sector(path, **defines):
    """The boot sector of tests/boot/media/chain.asm; what isn't given is as usual."""
    usual = {"LBA": 0, "DL": 0x81, "BPB": 0, "SEGMENT": 0, "MOST": 127, "E820": 0, "X2APIC": 0,
             "IOAPIC": 0, "SMI": 0, "HPET": 0}
    subprocess.run(["nasm", "-f", "bin", "-w+all", "-Werror", "-o", path,
                    *(f"-DCHAIN_{name}={value}" for name, value in {**usual, **defines}.items()),
                    os.path.join(ROOT, "tests", "boot", "media", "chain.asm")], check=True)


def chain_before(image, path, **defines):
    """Puts such a sector before the stick's own, which moves behind stage 2. The disk signature and
    the partition table stay."""
    chain_sector(path, LBA=70, DL=0xFFFF, **defines)
    with open(image, "r+b") as file, open(path, "rb") as sector:
        own = file.read(512)
        file.seek(70 * 512)
        file.write(own)
        file.seek(0)
        file.write(sector.read(440))
    return image


class Run:
    """What a machine that nobody talks to said, and whether it switched itself off."""

    def __init__(self, platform, text, ended, report):
        self.platform = platform
        self.text = text
        self.ended = ended
        self.report = report

    def __repr__(self):
        return (f"{self.platform}: {'ended' if self.ended else 'still running'}\n{self.text}\n"
                f"{self.report}")


def run(image, platform=VTX, **options):
    """Runs until the machine is off, pxHV says that it stopped, or the time is over."""
    return listen(platform, platform.start(image, **options))


def passes(result, *lines):
    """The tiny guest "cpuid" ran to its end, nothing was refused, and there are these lines."""
    assert "tiny: PASS cpuid" in result.text and result.ended, result
    assert "error: " not in result.text, result
    for line in lines:
        assert re.search(line, result.text, re.M), (line, result)
    return result


def listen(platform, started, timeout=600):
    """run() for a machine that was started already."""
    heard = time.monotonic()
    end = heard + timeout
    text = ""
    ended = False
    with started as machine:
        machine.connection.settimeout(0.5)
        while time.monotonic() < end and not LAST.search(text):
            try:
                data = machine.connection.recv(4096)
            except TimeoutError:
                if STOPPED.search(text) and time.monotonic() > heard + SILENCE_S:
                    break
                continue
            except ConnectionResetError:
                data = b""
            if not data:
                ended = machine.wait(120)
                break
            heard = time.monotonic()
            text += data.decode("ascii", "replace").replace("\r", "")
        return Run(platform, text, ended, machine.report()[-2000:])


class Console(Line):
    """A machine that a test talks to over its serial line."""

    def __init__(self, platform, started, timeout=600):
        super().__init__(started.connection, "/ # ", timeout)
        self.platform = platform
        self.machine = started

    def expect(self, pattern, timeout=-1):
        try:
            return super().expect(pattern, timeout)
        except (pexpect.TIMEOUT, pexpect.EOF, ConnectionResetError) as what:
            raise AssertionError(f"{self.platform}: {type(what).__name__} while waiting for "
                                 f"{pattern!r}\n--- serial\n{self.log[-3000:]}\n"
                                 f"{self.machine.report()}") from None

    def wait_for_shell(self):
        self.expect("/ # ")
        # A line wider than the terminal would come back wrapped.
        self.shell("stty cols 1000")

    MONITOR = r"\(pxhv\) \x1b\[K"

    def enter_monitor(self, key="\x01"):
        self.line.send(key + "c")
        self.expect("pxHV monitor: .*" + self.MONITOR)

    def leave_monitor(self):
        self.line.send("\x01c")
        self.expect("back at the guest's console[^\n]*\n")

    def monitor(self, command):
        """What the monitor answers, once it was entered."""
        self.line.send(command + "\r")
        self.expect(re.escape(command) + r"\r*\n")
        self.expect(self.MONITOR)
        return self.line.before.replace("\r", "").replace("\x1b[K", "")

    def wait_for_end(self, timeout=600):
        """Whether the emulator ends by itself; keeps reading what the machine still says."""
        try:
            self.line.expect(pexpect.EOF, timeout=timeout)
        except pexpect.TIMEOUT:
            return False
        except OSError:
            pass
        return self.machine.wait(120)

    def close(self):
        self.machine.stop()
