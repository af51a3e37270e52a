"""`make profile`: boots the demo guest, fetches pxHV's profile over COM2, steps through a few exits, and
writes the report.

Usage: run.py amdv|vtx IMAGE ELF OUT [VMLINUX or System.map]
"""

import os
import re
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import fileformat  # noqa: E402
import report  # noqa: E402
import rsp  # noqa: E402
import stages  # noqa: E402
from bochs import Bochs  # noqa: E402
from qemu import Qemu  # noqa: E402
from symbols import Symbols  # noqa: E402

OBJECT = "pxhv-profile"
# What the console says at the end of a phase. A moment is asked for as it is read.
MARKS = (("init", r"Run /init as init process"), ("shell", r"/ # "))
LIMIT_S = 600


class Machine:
    """The guest on one of the two emulators: its console, its debug line, and words about it."""

    def __init__(self, name, image, elf):
        self.name = name
        self.vmm = stages.Vmm(elf)
        self.image = image
        if name == "vtx":
            self.words = "Bochs' emulation of a PC with VT-x, where time is instructions"
            self.emulator = Bochs(image, gdb=True)
        else:
            self.words = "QEMU's emulation of a PC with AMD-V"
            self.emulator = Qemu(image, gdb=True, arguments=stages.log_filter(self.vmm))
        self.emulator.connection.settimeout(LIMIT_S)
        self.line = socket.socket(socket.AF_UNIX)
        self.console = ""

    def plug_in(self):
        """Connects the debug line."""
        if self.name != "vtx":
            self.emulator.qmp("query-status")  # when it answers, the socket is there
        self.line.connect(self.emulator.gdb_path)
        self.link = rsp.Link(self.line, LIMIT_S)

    def wait_for(self, pattern):
        while not re.search(pattern, self.console):
            data = self.emulator.connection.recv(4096)
            if not data or "pxHV: error" in self.console:
                raise SystemExit(f"pxHV: the machine did not come to {pattern!r}:\n{self.console[-2000:]}\n"
                                 f"{self.emulator.report()}")
            self.console += data.decode("ascii", "replace")

    def fetch(self, until=None):
        """The profile, or its beginning; the guest stands still meanwhile and then goes on."""
        data = rsp.read_object(self.link, OBJECT, until)
        self.link.ask("D")
        return data

    def moment(self):
        """The TSC now."""
        head = fileformat.HEADER.size + fileformat.SECTION.size
        data = self.fetch(head + fileformat.INFO.size)
        info = fileformat.record(fileformat.INFO, fileformat.INFO_FIELDS, data[head:])
        return info["now_tsc"]

    def stages(self):
        """The ways of some exits, found by the emulator's own debugger."""
        if self.name == "vtx":
            return stages.choose(self.vmm, "VT-x", stages.watch_bochs(self.vmm, self.image))
        return stages.choose(self.vmm, "AMD-V",
                             stages.watch_qemu(self.vmm, self.emulator, self.use_shell))

    def use_shell(self):
        self.console = ""
        self.emulator.connection.sendall(b"echo hello\n")
        self.wait_for(r"\nhello\r[^/]*/ # ")

    def stop(self):
        self.line.close()
        self.emulator.stop()


def boot_and_fetch(machine):
    marks = []
    machine.plug_in()
    for name, pattern in MARKS:
        machine.wait_for(pattern)
        marks.append((name, machine.moment()))
    return machine.fetch(), marks


def main(name, image, elf, out, symbols=None):
    names = Symbols(symbols) if symbols else None  # before a boot that would be in vain
    machine = Machine(name, image, elf)
    try:
        data, marks = boot_and_fetch(machine)
        profile = fileformat.Profile(data)
        shown = machine.stages() if name != "vtx" else []
    finally:
        machine.stop()
    if name == "vtx":
        shown = machine.stages()
    page = report.Report(profile, machine.words, marks, shown, names, "make profile").page()
    with open(out, "w", encoding="utf-8") as file:
        file.write(page)
    with open(os.path.splitext(out)[0] + ".bin", "wb") as file:
        file.write(data)
    wrong = [what for what, one, other in profile.checks() if one != other]
    info = profile.info
    print(f"pxHV: {out}: {info['exits']:,} exits; the guest had {info['guest_ticks'] / info['wall_ticks']:.1%} of "
          f"its time, pxHV {info['vmm_ticks'] / info['wall_ticks']:.1%}"
          + "".join(f"\npxHV: does not add up: {what}" for what in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6) or sys.argv[1] not in ("amdv", "vtx"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
