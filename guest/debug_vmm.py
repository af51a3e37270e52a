"""`make debug-vmm`: gdb at this terminal, on pxHV itself, by the stub of QEMU's emulated PC.

Usage: debug_vmm.py BUILD IMAGE pc|q35 MIB bios|uefi [GDB-ARGUMENT...]

The machine begins stopped and runs up to the VMM's first line of C. What it says goes to
BUILD/debug-vmm.log.
"""

import os
import subprocess
import sys
import tempfile
import time

import qemu


def debug(build, image, machine, megs, firmware, *arguments):
    log = os.path.join(build, "debug-vmm.log")
    with tempfile.TemporaryDirectory(prefix="pxhv-vmm-") as folder:
        path = os.path.join(folder, "gdb")
        disk = "cd" if image.endswith(".iso") else "virtio"
        emulator = subprocess.Popen(
            [qemu.PROGRAM, "-display", "none", "-serial", f"file:{log}", "-monitor", "none", "-S",
             "-chardev", f"socket,id=gdb,path={path},server=on,wait=off", "-gdb", "chardev:gdb"] +
            qemu.machine_arguments(image, "tcg", machine, megs, disk, firmware),
            stdin=subprocess.DEVNULL, start_new_session=True)  # Ctrl-C is gdb's
        try:
            while not os.path.exists(path) and emulator.poll() is None:
                time.sleep(0.05)
            print(f"pxHV: what the machine says goes to {log}; \"quit\" ends it.", flush=True)
            # The stages before the VMM run in other modes, and other memory lies at its addresses:
            # only a breakpoint of the CPU's own waits there for it.
            return subprocess.call(
                ["gdb", "-q", os.path.join(build, "pxhv-debug.elf"),
                 "-ex", "set architecture i386:x86-64", "-ex", f"target remote {path}",
                 "-ex", "thbreak vmm_main", "-ex", "continue", *arguments])
        finally:
            emulator.kill()
            emulator.wait()


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    sys.exit(debug(*sys.argv[1:]))
