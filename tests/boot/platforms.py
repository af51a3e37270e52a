"""The emulated machines that the boot tests run on. pytest's name of a test holds its platform's id,
and a failure's report the platform's name."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
sys.path.insert(0, os.path.join(ROOT, "guest"))
sys.path.append(os.path.join(ROOT, "tests"))
from bochs import Bochs  # noqa: E402
from qemu import Qemu  # noqa: E402


class Platform:
    """start(image, **options) gives a running machine: `options` are those of the classes Bochs and
    Qemu."""

    def __init__(self, ident, name, vendor, **options):
        self.ident = ident
        self.name = name
        self.vendor = vendor  # as pxHV spells it
        self.options = options

    enabled = property(lambda self: {"VT-x": "VMXON executed successfully!",
                                     "AMD-V": "EFER.SVME set successfully!"}[self.vendor])
    # The function of the VMM that enters the guest for the first time.
    entry = property(lambda self: {"VT-x": "vmx_loop", "AMD-V": "svm_loop"}[self.vendor])

    def __str__(self):
        return self.name


class BochsPlatform(Platform):
    debugger = "bochs"

    def start(self, image, **options):
        return Bochs(image, **{**self.options, **options})

    def start_and_break(self, image, commands, **options):
        """As start(), with commands for the debugger (Bochs' or gdb, whose language they are in)
        when the VMM is about to enter the guest for the first time."""
        script = [f"lb {symbol(self.entry):#x}", "c", *commands, "d 1", "c", ""]
        return self.start(image, debugger="\n".join(script), **options)

    @staticmethod
    def debugger_output(machine):
        with open(os.path.join(machine.folder, "stdout"), encoding="ascii",
                  errors="replace") as file:
            return file.read()


class QemuPlatform(Platform):
    debugger = "gdb"

    def start(self, image, **options):
        return Qemu(image, **{**self.options, **options})

    def start_and_break(self, image, commands, at=None, **options):
        """See BochsPlatform; `at` names another function of the VMM."""
        folder = tempfile.mkdtemp(prefix="pxhv-gdb-")
        path = os.path.join(folder, "gdb")
        machine = self.start(image, arguments=["-S", "-gdb", f"unix:{path},server=on,wait=off"],
                             **options)
        try:
            machine.qmp("query-status")  # the socket is there
            script = ["set architecture i386:x86-64", "set remotetimeout 60", f"target remote {path}",
                      f"hbreak *{symbol(at or self.entry):#x}", "continue", *commands, "delete", "detach"]
            command = ["gdb", "-batch", "-nx", os.path.join(BUILD, "pxhv-debug.elf")]
            for line in script:
                command += ["-ex", line]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        except BaseException:
            machine.stop()
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        machine.gdb_output = done.stdout + done.stderr
        return machine

    @staticmethod
    def debugger_output(machine):
        return machine.gdb_output


def qemu_version():
    """QEMU's, as in (7, 2)."""
    said = subprocess.run(["qemu-system-x86_64", "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(int(number) for number in re.search(r"version (\d+)\.(\d+)", said).groups())


def symbol(name):
    """The address of a symbol of the VMM, static ones included."""
    out = subprocess.run(["nm", os.path.join(BUILD, "pxhv-debug.elf")], check=True,
                         capture_output=True, text=True).stdout
    for line in out.splitlines():
        address, _, found = line.split()
        if found == name:
            return int(address, 16)
    raise KeyError(name)


VTX = BochsPlatform("vtx-bochs", "VT-x in Bochs", "VT-x")
AMDV = QemuPlatform("amdv-qemu", "AMD-V in QEMU", "AMD-V")
AMDV_Q35 = QemuPlatform("amdv-q35", "AMD-V in QEMU, machine q35", "AMD-V", machine="q35")
UEFI = QemuPlatform("amdv-uefi", "AMD-V in QEMU with UEFI, machine q35", "AMD-V", machine="q35",
                    firmware="uefi")
# Time is instructions, as in Bochs: guests that count interrupts don't see how busy this computer is.
AMDV_TICKS = QemuPlatform("amdv-qemu", "AMD-V in QEMU", "AMD-V", icount=True)
# Has next-RIP save, which QEMU's TCG doesn't have; a stock kernel hangs there on the bare machine.
AMDV_BOCHS = BochsPlatform("amdv-bochs", "AMD-V in Bochs", "AMD-V", model="ryzen")

BOTH_VENDORS = (VTX, AMDV)
FOR_TINY_GUESTS = (VTX, AMDV_TICKS, AMDV_BOCHS)
