"""The two emulated machines that `make bench` measures on. Both count time by instructions, so no
figure depends on how fast or how busy this computer is; begin at the same date; and end with the
power.
"""

import os
import select
import subprocess
import tempfile

from bochs import Bochs, DEFAULT_MODEL

LIMIT_S = 600
DATE, DATE_S = "2026-01-01", 1767225600
# What a guest is given here, and all that the bare machine has.
GUEST_MEGS, HOST_MEGS = 256, 512
GHZ = 1_000_000_000


class BochsPlatform:
    """VT-x. One tick for an instruction; the TSC shows ticks."""

    name = "VT-x"
    machine = f"Bochs, model `{DEFAULT_MODEL}`"

    def __init__(self, hz=50_000_000):
        self.hz = hz

    def boot(self, image, megs):
        return Bochs(image, ips=self.hz, time0=DATE_S, megs=megs)

    @staticmethod
    def read(machine):
        machine.connection.settimeout(LIMIT_S)
        return machine.connection.recv(65536)


class Qemu:
    """QEMU's CPU in software, its serial line a pipe."""

    def __init__(self, arguments):
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
             "-no-reboot", "-serial", "stdio"] + arguments,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors)

    def read(self):
        if not select.select([self.process.stdout], [], [], LIMIT_S)[0]:
            raise TimeoutError(f"nothing from QEMU for {LIMIT_S} s")
        return os.read(self.process.stdout.fileno(), 65536)

    def report(self):
        self._errors.seek(0)
        return self._errors.read().decode("ascii", "replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._errors.close()


class QemuPlatform:
    """AMD-V. The TSC shows nanoseconds of the virtual clock: one for an instruction, and while the
    CPU is halted the clock leaps to the next event."""

    name = "AMD-V"
    hz = GHZ
    cpu = "EPYC,+svm,+npt"
    machine = f"QEMU's TCG, `-cpu {cpu} -machine pc -icount shift=0,sleep=off`"

    def _start(self, megs, arguments):
        return Qemu(["-accel", "tcg", "-cpu", self.cpu, "-machine", "pc", "-m", f"{megs}M",
                     "-icount", "shift=0,sleep=off", "-rtc", f"base={DATE},clock=vm",
                     "-seed", "1", "-vga", "std"] + arguments)

    def boot(self, image, megs):
        return self._start(megs, ["-drive", f"file={image},format=raw,snapshot=on"])

    def boot_kernel(self, kernel, initrd, cmdline, megs):
        """By QEMU's own loader: no disk is read, no stage 2 runs."""
        return self._start(megs, ["-kernel", kernel, "-initrd", initrd, "-append", cmdline])

    @staticmethod
    def read(machine):
        return machine.read()


PLATFORMS = (BochsPlatform(), QemuPlatform())
