"""Names for the guest's RIPs, from a kernel with symbols (VMLINUX=) or a System.map."""

import bisect
import subprocess


def read_lines(path):
    try:
        with open(path, "rb") as file:
            is_elf = file.read(4) == b"\x7fELF"
        if is_elf:
            return subprocess.run(["nm", path], check=True, capture_output=True,
                                  text=True).stdout.splitlines()
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except (OSError, subprocess.CalledProcessError) as what:
        raise SystemExit(f"pxHV: VMLINUX={path} can't be read: {what}") from None


class Symbols:
    """name(address): "function+0x12", or None."""

    def __init__(self, path):
        found = []
        for line in read_lines(path):
            parts = line.split()
            if len(parts) == 3 and parts[1] in "tTwW":
                found.append((int(parts[0], 16), parts[2]))
        if not found:
            raise SystemExit(f"pxHV: VMLINUX={path} names no function: it has been stripped, or is a System.map "
                             "without content. Debian's -dbg package has both whole: docs/DEBUGGING.md.")
        found.sort()
        self.addresses = [address for address, _ in found]
        self.names = [name for _, name in found]

    def name(self, address):
        at = bisect.bisect_right(self.addresses, address) - 1
        if at < 0 or at == len(self.addresses) - 1:
            return None
        offset = address - self.addresses[at]
        return self.names[at] + (f"+{offset:#x}" if offset else "")
