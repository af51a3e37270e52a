"""`make run`: pxHV on an emulated or virtual PC, its serial line bridged to this terminal.

Usage: run.py [--gdb=SOCKET] auto|kvm|tcg|bochs IMAGE [pc|q35 [MIB [bios|uefi]]]

auto takes KVM where it nests, else QEMU's software emulation of AMD-V, and says why. With --gdb the
PC has a COM2, for gdb's "target remote" at the Unix socket.
"""

import os
import select
import shutil
import signal
import sys
import termios
import tty

import kvm
import qemu
from bochs import Bochs

PREFIX = b"\x01"  # Ctrl-A, as in QEMU and screen
HELP = ("Ctrl-A X leaves; Ctrl-A Ctrl-A sends Ctrl-A; all other keys, Ctrl-C too, go to the guest.\n"
        "pxHV: Ctrl-A Ctrl-A C opens pxHV's monitor.")


END_SIGNALS = (signal.SIGHUP, signal.SIGTERM)


def leave(*_):
    """A terminal that is closed must not leave an emulator behind: unwind, and Bochs is stopped."""
    for number in END_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


class Keyboard:
    """Splits what is typed into bytes for the guest and the command to leave."""

    def __init__(self):
        self.prefixed = False

    def feed(self, data):
        """The bytes for the guest, and whether to leave."""
        out = bytearray()
        for code in data:
            byte = bytes([code])
            if self.prefixed:
                self.prefixed = False
                if byte in (b"x", b"X"):
                    return bytes(out), True
                if byte == PREFIX:
                    out += PREFIX
            elif byte == PREFIX:
                self.prefixed = True
            else:
                out += byte
        return bytes(out), False


def bridge(connection):
    """Copies both ways until the machine ends or the person leaves. True when the machine ended."""
    keyboard = Keyboard()
    sources = [connection, sys.stdin.fileno()]
    while True:
        for ready in select.select(sources, [], [])[0]:
            if ready is connection:
                try:
                    data = connection.recv(4096)
                except ConnectionResetError:
                    data = b""
                if not data:
                    return True
                os.write(sys.stdout.fileno(), data)
            else:
                data = os.read(ready, 4096)
                if not data:  # input from a file has ended: keep showing the machine
                    sources.remove(ready)
                    continue
                for_guest, leave = keyboard.feed(data)
                if for_guest:
                    connection.sendall(for_guest)
                if leave:
                    return False


def make_room(path):
    """The socket of a machine that has gone is in the way of the next one's."""
    if os.path.exists(path):
        os.remove(path)
    print(f"pxHV: COM2 is at {path}: attach with  make gdb  in another terminal.")


def run_bochs(image, megs, gdb):
    print(f"pxHV: Bochs emulates a PC with VT-x, about a hundred times slower than a real one: the "
          f"shell takes a minute or two.\npxHV: {HELP}", flush=True)
    terminal = sys.stdin.fileno() if sys.stdin.isatty() else None
    saved = termios.tcgetattr(terminal) if terminal is not None else None
    with Bochs(image, time0="utc", megs=megs, gdb=gdb) as machine:
        try:
            if saved:
                tty.setraw(terminal)
            ended = bridge(machine.connection)
        except KeyboardInterrupt:
            ended = False
        finally:
            if saved:
                termios.tcsetattr(terminal, termios.TCSADRAIN, saved)
    print("\npxHV: the machine is off." if ended else "\npxHV: left; the machine is gone.")


def run_qemu(image, kind, why, gdb, **pc):
    """QEMU takes this process over: its mon:stdio knows the same keys as the bridge above. The
    screen stays a screen, which -nographic would have the BIOS copy to the serial line."""
    if not shutil.which(qemu.PROGRAM):
        sys.exit(f"pxHV: {qemu.PROGRAM} is missing: it is in the Debian package 'qemu-system-x86'. "
                 f"Run ./build.sh deps, or: apt-get install qemu-system-x86")
    print(f"pxHV: {why}.\npxHV: {HELP}", flush=True)
    os.execvp(qemu.PROGRAM, [qemu.PROGRAM, "-display", "none", "-serial", "mon:stdio"] +
              (qemu.debug_line(gdb) if gdb else []) + qemu.machine_arguments(image, kind, **pc))


def run_kvm(image, name, **pc):
    run_qemu(image, "kvm", f"running under KVM, which nests {name}", **pc)


def run_tcg(image, why="", **pc):
    run_qemu(image, "tcg", f"running in QEMU's emulation of a PC with AMD-V{why}", **pc)


def run(how, image, machine="pc", megs="512", firmware="bios", gdb=False):
    # The BIOS reads a virtio disk with fewer exits than an IDE one: under KVM it matters.
    pc = {"machine": machine, "megs": megs, "firmware": firmware,
          "disk": "cd" if image.endswith(".iso") else "virtio", "gdb": gdb}
    if gdb:
        make_room(gdb)
    if how == "bochs":
        run_bochs(image, int(megs), gdb)
    elif how == "tcg":
        run_tcg(image, **pc)
    else:
        name, reason = kvm.probe()
        if name:
            run_kvm(image, name, **pc)
        elif how == "kvm":
            sys.exit(f"pxHV: not under KVM: {reason}.")
        else:
            run_tcg(image, f", not under KVM: {reason}", **pc)


if __name__ == "__main__":
    for number in END_SIGNALS:
        signal.signal(number, leave)
    options = [word for word in sys.argv[1:] if word.startswith("--gdb=")]
    words = [word for word in sys.argv[1:] if word not in options]
    if len(words) not in (2, 3, 4, 5) or words[0] not in ("auto", "kvm", "tcg", "bochs"):
        sys.exit(__doc__)
    run(*words, gdb=options[-1].partition("=")[2] if options else False)
