"""Starts QEMU on an image: in software (TCG, which has AMD-V) or under KVM. Used by `make run` and by
the boot tests."""

import json
import os
import shutil
import socket
import subprocess
import tempfile

from emulator import Emulator

PROGRAM = "qemu-system-x86_64"

# An EPYC with AMD-V and nested paging, without what TCG doesn't have and would warn about.
TCG_CPU = ("EPYC,+svm,+npt,-nrip-save,-rdseed,-sha-ni,-fxsr-opt,-misalignsse,-3dnowprefetch,-osvw,"
           "-topoext,-xsavec")

# How the image is attached. `snapshot=on`: what is written to it is lost with the machine.
DRIVE = "file={image},format=raw,snapshot=on"
DISKS = {
    "ide": ["-drive", DRIVE + ",if=ide"],  # AHCI on q35
    "cd": ["-drive", DRIVE + ",if=ide,media=cdrom,readonly=on"],
    "virtio": ["-drive", DRIVE + ",if=virtio"],
    "ahci": ["-drive", DRIVE + ",if=none,id=stick", "-device", "ich9-ahci,id=ahci",
             "-device", "ide-hd,drive=stick,bus=ahci.0"],
    "nvme": ["-drive", DRIVE + ",if=none,id=stick", "-device", "nvme,drive=stick,serial=pxhv"],
    "usb": ["-drive", DRIVE + ",if=none,id=stick", "-device", "qemu-xhci",
            "-device", "usb-storage,drive=stick"],
    "ehci": ["-drive", DRIVE + ",if=none,id=stick", "-device", "usb-ehci",
             "-device", "usb-storage,drive=stick"],
}

# UEFI instead of the BIOS: code, and the variables it begins with, which end with the machine. Debian 13
# has it in 4 MiB only, Debian 12 also in 2.
OVMF = "/usr/share/OVMF/OVMF_{part}.fd"
if not os.path.exists(OVMF.format(part="CODE")):
    OVMF = "/usr/share/OVMF/OVMF_{part}_4M.fd"
FIRMWARE = {
    "bios": [],
    "uefi": ["-drive", "if=pflash,format=raw,readonly=on,file=" + OVMF.format(part="CODE"),
             "-drive", "if=pflash,format=raw,snapshot=on,file=" + OVMF.format(part="VARS")],
}


def accelerator(kind):
    """The arguments for "tcg" or "kvm"."""
    return ["-accel", "kvm", "-cpu", "host"] if kind == "kvm" else ["-accel", "tcg", "-cpu", TCG_CPU]


def machine_arguments(image, kind="tcg", machine="pc", megs=512, disk="virtio", firmware="bios"):
    """The arguments that make the machine, without its consoles."""
    if "," in image:
        raise ValueError(f"{image}: QEMU takes no file with a comma in its name")
    return (accelerator(kind) + ["-M", machine, "-m", str(megs), "-nic", "none"] +
            FIRMWARE[firmware] + [part.format(image=image) for part in DISKS[disk]])


def debug_line(path):
    """The arguments that put a second serial line, COM2, on a Unix socket for gdb."""
    return ["-chardev", f"socket,id=debug,path={path},server=on,wait=off",
            "-serial", "chardev:debug"]


class Qemu(Emulator):
    """One machine; .connection is its serial line, .qmp() its monitor. stop() ends it. With icount
    its time is instructions, a nanosecond each, and leaps while its CPU is halted. With gdb it has
    a second line, for gdb's "target remote" at the Unix socket .gdb_path."""

    def __init__(self, image, cpu=None, icount=False, arguments=(), gdb=False, **machine):
        self.folder = tempfile.mkdtemp(prefix="pxhv-qemu-")
        self.gdb_path = os.path.join(self.folder, "gdb")
        ours, theirs = zip(socket.socketpair(), socket.socketpair())
        self.connection, self._monitor = ours
        self._output = open(os.path.join(self.folder, "stdout"), "w+b")
        command = [PROGRAM] + machine_arguments(image, **machine) + [
            "-display", "none", "-no-user-config",
            "-chardev", f"socket,id=serial,fd={theirs[0].fileno()}", "-serial", "chardev:serial",
            "-chardev", f"socket,id=monitor,fd={theirs[1].fileno()}",
            "-mon", "chardev=monitor,mode=control"]
        if gdb:
            command += debug_line(self.gdb_path)
        if cpu:
            command += ["-cpu", cpu]
        if icount:
            command += ["-icount", "shift=0,sleep=off", "-rtc", "base=utc,clock=vm"]
        self.process = subprocess.Popen(
            command + list(arguments), stdin=subprocess.DEVNULL, stdout=self._output,
            stderr=subprocess.STDOUT, pass_fds=[end.fileno() for end in theirs])
        for end in theirs:
            end.close()
        self._replies = self._monitor.makefile("r", encoding="utf-8")
        self._ready = False

    def qmp(self, command, **arguments):
        """Runs a command of the "QEMU Machine Protocol" and gives what it returns."""
        if not self._ready:
            self._ready = True
            self._replies.readline()  # the greeting
            self.qmp("qmp_capabilities")
        request = {"execute": command, "arguments": arguments}
        self._monitor.sendall(json.dumps(request).encode())
        while True:
            line = self._replies.readline()
            if not line:
                raise RuntimeError(f"QEMU ended before it answered {command}\n{self.report()}")
            reply = json.loads(line)
            if "error" in reply:
                raise RuntimeError(f"{command}: {reply['error']['desc']}")
            if "return" in reply:  # not an event
                return reply["return"]

    def screendump(self, path):
        """The screen as a PPM picture."""
        self.qmp("screendump", filename=path)

    def press(self, *keys):
        """Keys by QEMU's names ("a", "shift", "ret"), pressed together."""
        self.qmp("send-key", keys=[{"type": "qcode", "data": key} for key in keys])

    def report(self):
        """What QEMU itself said, for a person who asks why."""
        return f"--- qemu\n{self.tail(os.path.join(self.folder, 'stdout'), 3000)}"

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.connection.close()
        self._replies.close()
        self._monitor.close()
        self._output.close()
        shutil.rmtree(self.folder, ignore_errors=True)
