"""`make run`: pxHV on an emulated or virtual PC, its serial line bridged to this terminal.

Usage: run.py bochs|kvm IMAGE
"""

import os
import select
import shutil
import signal
import sys
import termios
import tty

from bochs import Bochs

PREFIX = b"\x01"  # Ctrl-A, as in QEMU and screen
HELP = "Ctrl-A X leaves; Ctrl-A Ctrl-A sends Ctrl-A; all other keys, Ctrl-C too, go to the guest."


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


def run_bochs(image):
    print(f"pxHV: Bochs emulates a PC with VT-x, about a hundred times slower than a real one: the "
          f"shell takes a minute or two.\npxHV: {HELP}", flush=True)
    terminal = sys.stdin.fileno() if sys.stdin.isatty() else None
    saved = termios.tcgetattr(terminal) if terminal is not None else None
    with Bochs(image, time0="utc") as machine:
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


def read_line(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.readline().strip()
    except OSError:
        return ""


def why_no_kvm():
    """One sentence why KVM can't run pxHV here, or None when it can."""
    if not os.path.exists("/dev/kvm"):
        return "there is no /dev/kvm: this machine offers no virtualization, or kvm isn't loaded"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm may not be opened by this user: join the group kvm"
    if os.path.isdir("/sys/module/kvm_amd"):
        return "the CPU has AMD-V, and this version of pxHV knows VT-x only"
    if not os.path.isdir("/sys/module/kvm_intel"):
        return "the module kvm_intel isn't loaded"
    if read_line("/sys/module/kvm_intel/parameters/nested") not in ("Y", "1"):
        return "kvm_intel doesn't nest: reload it with 'modprobe kvm_intel nested=1'"
    if not shutil.which("qemu-system-x86_64"):
        return "qemu-system-x86_64 is missing: install the Debian package qemu-system-x86"
    return None


def run_kvm(image):
    reason = why_no_kvm()
    if reason:
        print(f"pxHV: not under KVM: {reason}.\npxHV: running under Bochs instead.", flush=True)
        run_bochs(image)
        return
    print("pxHV: under KVM with nested VT-x. Ctrl-A X leaves.", flush=True)
    os.execvp("qemu-system-x86_64", [
        "qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "512M", "-nographic",
        "-drive", f"file={image},format=raw,snapshot=on"])


if __name__ == "__main__":
    for number in END_SIGNALS:
        signal.signal(number, leave)
    if len(sys.argv) != 3 or sys.argv[1] not in ("bochs", "kvm"):
        sys.exit(__doc__)
    if sys.argv[1] == "kvm":
        run_kvm(sys.argv[2])
    else:
        run_bochs(sys.argv[2])
