"""The chain of machines of `make test-nested` and its two serial lines.

QEMU TCG emulates a PC with AMD-V; Debian's Linux with kvm_amd is what a user's laptop would run; its
QEMU runs pxHV under KVM; pxHV runs the demo guest. The KVM host's console is the first serial line
of the emulated PC, pxHV's and the demo guest's console the second.
"""

import os
import socket
import subprocess
import sys

import pexpect

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.append(os.path.join(ROOT, "tests"))
from line import Line  # noqa: E402

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
PLATFORM = "AMD-V of QEMU TCG, nested by KVM"

# What `make run-kvm` runs, on the second serial line as the person's terminal.
RUN_KVM = "python3 /pxhv/run.py kvm /dev/vda pc 1024 </dev/ttyS1 >/dev/ttyS1 2>&1 & pxhv=$!"


class NamedLine(Line):
    """One of the two serial lines."""

    def __init__(self, name, *line):
        super().__init__(*line)
        self.name = name

    def expect_exact(self, text):
        self.line.expect_exact(text)


class Chain:
    """The emulated PC with its Linux; `kvm_host` and `guest` are the lines."""

    def __init__(self, image, initrd, timeout=900):
        ours, theirs = zip(socket.socketpair(), socket.socketpair())
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "EPYC,+svm,+npt", "-M", "q35",
                   "-m", "3G", "-display", "none", "-nic", "none", "-monitor", "none",
                   "-no-reboot", "-kernel", os.path.join(BUILD, "guest", "vmlinuz"),
                   "-initrd", initrd, "-append", "console=ttyS0 quiet",
                   "-drive", f"file={image},format=raw,if=virtio,snapshot=on"]
        for number, end in enumerate(theirs):
            command += ["-chardev", f"socket,id=line{number},fd={end.fileno()}",
                        "-serial", f"chardev:line{number}"]
        self.qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True,
                                     pass_fds=[end.fileno() for end in theirs])
        for end in theirs:
            end.close()
        self.sockets = ours
        self.kvm_host = NamedLine("KVM host", ours[0], "kvm-host # ", timeout)
        self.guest = NamedLine("pxHV and its guest", ours[1], "/ # ", timeout)

    def start_pxhv(self):
        """In the background, so that the KVM host's shell stays free for questions."""
        self.kvm_host.shell(RUN_KVM)

    def report(self):
        """For a failure: the platform and the end of what each of them said."""
        parts = [f"--- platform: {PLATFORM}"]
        for line in (self.guest, self.kvm_host):
            parts.append(f"--- serial line of {line.name}\n{line.log[-3000:]}")
        try:
            parts.append(self.kvm_host.shell("dmesg | tail -n 30", timeout=20))
        except (pexpect.TIMEOUT, pexpect.EOF, OSError):
            parts.append("the KVM host's shell doesn't answer")
        return "\n".join(parts)

    def wait_for_end(self, timeout=600):
        """The emulator's exit status, None when it does not end."""
        try:
            self.kvm_host.line.expect(pexpect.EOF, timeout=timeout)
        except pexpect.TIMEOUT:
            return None
        except OSError:
            pass
        try:
            return self.qemu.wait(10)
        except subprocess.TimeoutExpired:
            return None

    def close(self):
        if self.qemu.poll() is None:
            self.qemu.kill()
        self.qemu.communicate()
        for end in self.sockets:
            end.close()
